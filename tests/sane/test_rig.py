"""The rig itself, with Debian's scanimage alone: what dwtfault promises is what a foreign frontend sees."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from . import rig
from .conftest import Faulty, demand

pytestmark = pytest.mark.timeout(60)

ADF = ["-d", "dwtfault:adf", "--source", "ADF Front", "-x", "60", "-y", "80"]
DUPLEX = ["-d", "dwtfault:adf", "--source", "ADF Duplex", "-x", "60", "-y", "80"]
GLASS = ["-d", "dwtfault:glass", "-x", "60", "-y", "80"]
SIZE = (rig.pixels(60, 75), rig.pixels(80, 75))


def listing(env: dict[str, str], *args: str) -> str:
    return subprocess.run(
        ["scanimage", *args], env={**os.environ, **env}, capture_output=True, text=True, timeout=30, check=False
    ).stdout


def test_the_closed_configuration_shows_the_three_test_devices_and_nothing_else(sane_test: dict[str, str]) -> None:
    assert listing(sane_test, "-f", "%d ").split() == ["test:0", "test:1", "test:2"]


def test_the_faulty_backend_lists_a_feeder_and_a_glass(faulty: Faulty) -> None:
    assert listing(faulty(), "-f", "%d ").split() == ["dwtfault:adf", "dwtfault:glass"]


def test_a_feeder_offers_its_sources_and_a_glass_does_not(faulty: Faulty) -> None:
    assert "--source Flatbed|ADF Front|ADF Duplex [Flatbed]" in listing(faulty(), "-d", "dwtfault:adf", "-A")
    assert "[inactive]" in listing(faulty(), "-d", "dwtfault:glass", "-A").split("--source")[1].split("--mode")[0]


def test_a_resolution_off_the_list_is_rounded_and_said_to_be(faulty: Faulty, tmp_path: Path) -> None:
    # scanimage itself refuses values off a word list, but the geometry has a step of 0.1 mm
    scan = rig.scanimage([*GLASS[:2], "-x", "60.04", "-y", "80"], faulty(), tmp_path / "out")
    assert "rounded value of br-x from 60.04" in scan.stderr
    assert (scan.pages[0].width, scan.pages[0].height) == SIZE


@pytest.mark.parametrize("mode", ["Color", "Gray", "Lineart"])
def test_the_feeder_gives_every_page_once_and_in_order(faulty: Faulty, tmp_path: Path, mode: str) -> None:
    scan = rig.scanimage([*ADF, "--mode", mode], faulty(pages=4), tmp_path / "out", batch=True)
    assert scan.code == 0
    assert [page.rows for page in scan.pages] == [rig.expected_rows(n, *SIZE, mode) for n in (1, 2, 3, 4)]


def test_duplex_gives_fronts_and_backs_in_turn(faulty: Faulty, tmp_path: Path) -> None:
    scan = rig.scanimage(DUPLEX, faulty(pages=6), tmp_path / "out", batch=True)
    assert [page.rows[0] for page in scan.pages] == [1, 2, 3, 4, 5, 6]
    assert ("source", "ADF", "Duplex") in [call.words for call in faulty.calls("set")]


@pytest.mark.parametrize("dpi", [75, 100, 150, 200, 300])
def test_the_default_area_is_a4_at_every_resolution(faulty: Faulty, tmp_path: Path, dpi: int) -> None:
    args = ["-d", "dwtfault:glass", "--mode", "Gray", "--resolution", str(dpi)]
    page = rig.scanimage(args, faulty(), tmp_path / "out").pages[0]
    assert (page.width, page.height) == rig.a4_pixels(dpi)
    assert page.rows == rig.expected_rows(1, page.width, page.height, "Gray")


def test_the_expected_bytes_follow_the_written_formula() -> None:
    width, height, page = 90, 300, 5
    rows = rig.expected_rows(page, width, height)
    for y in (0, 1, 255, 256, 299):
        row = rows[y * width * 3 : (y + 1) * width * 3]
        assert list(row) == [page, y // 256, y % 256, *((37 * page + 3 * y + 7 * x) % 256 for x in range(3, width * 3))]


def test_no_two_rows_of_a_batch_are_equal() -> None:
    rows = b"".join(rig.expected_rows(page, 60, 400, "Gray") for page in range(1, 7))
    assert len({rows[at : at + 60] for at in range(0, len(rows), 60)}) == 6 * 400


def test_a_page_in_three_frames_is_the_same_page(faulty: Faulty, tmp_path: Path) -> None:
    scan = rig.scanimage(GLASS, faulty(frames=3), tmp_path / "out")
    assert scan.pages[0].rows == rig.expected_rows(1, *SIZE)


def test_a_page_of_unknown_height_is_the_same_page(faulty: Faulty, tmp_path: Path) -> None:
    scan = rig.scanimage(GLASS, faulty(lines=-1), tmp_path / "out")
    assert scan.pages[0] == rig.Picture(*SIZE, 3, 8, rig.expected_rows(1, *SIZE))


def test_reads_that_end_in_the_middle_of_a_row_lose_nothing(faulty: Faulty, tmp_path: Path) -> None:
    scan = rig.scanimage(GLASS, faulty(chunk=777), tmp_path / "out")
    assert scan.pages[0].rows == rig.expected_rows(1, *SIZE)


def test_pages_of_one_batch_can_differ_in_size(faulty: Faulty, tmp_path: Path) -> None:
    scan = rig.scanimage(ADF, faulty(pages=4, sizes="vary"), tmp_path / "out", batch=True)
    sizes = [rig.expected_size(*SIZE, page) for page in (1, 2, 3, 4)]
    assert len(set(sizes)) == 4
    assert [(page.width, page.height) for page in scan.pages] == sizes
    assert [page.rows for page in scan.pages] == [rig.expected_rows(n, *size) for n, size in enumerate(sizes, 1)]


def test_a_jam_on_page_three_keeps_two_pages(faulty: Faulty, tmp_path: Path) -> None:
    scan = rig.scanimage(ADF, faulty(action="status", fail_at=3), tmp_path / "out", batch=True)
    assert scan.code == 6
    assert [page.rows for page in scan.pages] == [rig.expected_rows(n, *SIZE) for n in (1, 2)]
    assert [call.words for call in faulty.calls("misbehave")] == [("status", "3")]


@pytest.mark.parametrize("where", ["start", "first", "middle"])
@pytest.mark.parametrize("status", sorted(rig.STATUSES), ids=rig.STATUSES.get)
def test_scanimage_ends_with_the_status_that_was_asked_for(
    faulty: Faulty, tmp_path: Path, status: int, where: str
) -> None:
    env = faulty(action="status", status=status, where=where)
    if status == 5 and where != "start":  # scanimage takes a page that ended early for a good one
        with pytest.raises(ValueError, match="holds"):
            rig.scanimage(GLASS, env, tmp_path / "out")
    else:
        assert rig.scanimage(GLASS, env, tmp_path / "out").code == status
    assert faulty.left_idle()


@pytest.mark.parametrize(("status", "words"), [(3, "Device busy"), (11, "Access to resource has been denied")])
def test_a_device_can_refuse_to_open(faulty: Faulty, tmp_path: Path, status: int, words: str) -> None:
    scan = rig.scanimage(GLASS, faulty(open_status=status), tmp_path / "out")
    assert words in scan.stderr
    assert not scan.pages


def test_a_crash_is_a_crash(faulty: Faulty, tmp_path: Path) -> None:
    assert rig.scanimage(GLASS, faulty(action="segv"), tmp_path / "out").code == -11


def test_a_hang_ends_with_our_kill_only(faulty: Faulty, tmp_path: Path) -> None:
    assert rig.scanimage(GLASS, faulty(action="hang"), tmp_path / "out", timeout=1).code == -9
    assert [call.words for call in faulty.calls("hang")] == [("read",)]


def test_the_log_tells_cancel_and_close_and_in_which_order(faulty: Faulty, tmp_path: Path) -> None:
    rig.scanimage(ADF, faulty(pages=2), tmp_path / "out", batch=True)
    names = [call.name for call in faulty.calls() if call.name in ("open", "start", "cancel", "close", "exit")]
    assert names == ["open", "start", "start", "start", "cancel", "close", "exit"]
    assert faulty.left_idle()


@pytest.mark.parametrize("names", [["start", "close"], ["start", "cancel", "start", "close"], ["start", "cancel"], []])
def test_a_device_that_was_not_cancelled_and_closed_is_not_called_idle(tmp_path: Path, names: list[str]) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"1.5 77 {name}\n" for name in names))
    assert not rig.left_idle(log)


@pytest.mark.parametrize(
    ("data", "picture"),
    [
        (b"P4\n# SANE data follows\n9 2\n\xff\xcd\x01\x7f", rig.Picture(9, 2, 1, 1, b"\xff\x80\x01\x00")),
        (b"P5\n3 1\n255\n\x0a \n", rig.Picture(3, 1, 1, 8, b"\x0a \n")),
        (b"P6 1 2 255 abcdef", rig.Picture(1, 2, 3, 8, b"abcdef")),
    ],
    ids=["P4", "P5", "P6"],
)
def test_pnm_is_read_to_the_byte(data: bytes, picture: rig.Picture) -> None:
    assert rig.parse_pnm(data) == picture


def test_sixteen_bit_pnm_comes_in_the_order_of_this_machine() -> None:
    rows = rig.parse_pnm(b"P5\n2 1\n65535\n\x12\x34\x00\x01").rows
    assert memoryview(rows).cast("H").tolist() == [0x1234, 1]


@pytest.mark.parametrize("data", [b"P6\n2 2\n255\nshort", b"P3\n1 1\n255\n1 2 3", b"P5\n1 1\n255\nab"])
def test_pnm_that_is_not_what_it_says_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        rig.parse_pnm(data)


def test_missing_parts_are_skipped_by_a_person_and_failed_by_ci() -> None:
    with pytest.raises(pytest.skip.Exception, match="gcc"):
        demand(["gcc"], in_ci=False)
    with pytest.raises(pytest.fail.Exception, match="gcc"):
        demand(["gcc"], in_ci=True)
    demand([], in_ci=True)
