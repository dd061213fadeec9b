"""Our SANE driver's pixels, through its worker process, equal those of scanimage for the same options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dwtsvc.devices import connect
from dwtsvc.devices.process import PageReady
from dwtsvc.model import Area, Mode, ScanRequest, Source

from . import rig
from .conftest import Faulty

pytestmark = pytest.mark.timeout(90)

MODES = {Mode.COLOR: ("Color", "8"), Mode.GRAY: ("Gray", "8"), Mode.LINEART: ("Gray", "1")}
PICTURES = ("Solid black", "Solid white", "Color pattern", "Grid")
ORDERS = ("RGB", "RBG", "GBR", "GRB", "BRG", "BGR")
AREA = Area(width=80, height=60)
SMALL: dict[str, Any] = {"source": Source.FLATBED, "resolution": 75, "area": AREA}
ADF_SMALL: dict[str, Any] = {"source": Source.FEEDER, "resolution": 75, "area": Area(width=60, height=80)}
DUPLEX_SMALL: dict[str, Any] = {**ADF_SMALL, "source": Source.DUPLEX}
SIZE = (rig.pixels(60, 75), rig.pixels(80, 75))


def both(
    env: dict[str, str],
    tmp_path: Path,
    *,
    mode: Mode = Mode.COLOR,
    resolution: int = 75,
    area: Area = AREA,
    **options: str,
) -> tuple[rig.Picture, rig.Picture]:
    """The same glass scan of test:0 by scanimage and by us; `options` are raw ones, "_" standing for "-"."""
    raw = {name.replace("_", "-"): value for name, value in options.items()}
    word, depth = MODES[mode]
    args = ["-d", "test:0", "--mode", word, "--depth", raw.get("depth", depth), "--resolution", str(resolution)]
    args += ["-l", str(area.left), "-t", str(area.top), "-x", str(area.width), "-y", str(area.height)]
    args += [f"--{name}={value}" for name, value in raw.items() if name != "depth"]
    theirs = rig.scanimage(args, env, tmp_path / "scanimage")
    assert theirs.code == 0, theirs.stderr
    request: dict[str, Any] = {"source": Source.FLATBED, "mode": mode, "resolution": resolution, "area": area}
    taken = rig.take("test:0", tmp_path / "ours", options=tuple(raw.items()), **request)
    if taken.error:
        raise taken.error
    (ours,) = taken.pages
    return ours, theirs.pages[0]


@pytest.mark.parametrize("shown", PICTURES)
@pytest.mark.parametrize("mode", MODES)
def test_every_test_picture_in_every_mode(sane_test: dict[str, str], tmp_path: Path, mode: Mode, shown: str) -> None:
    ours, theirs = both(sane_test, tmp_path, mode=mode, test_picture=shown)
    assert ours == theirs


def test_the_pictures_differ_from_one_another(sane_test: dict[str, str], tmp_path: Path) -> None:
    rows = {rig.take("test:0", tmp_path, options=(("test-picture", name),), **SMALL).pages[0].rows for name in PICTURES}
    assert len(rows) == len(PICTURES)


@pytest.mark.parametrize("shown", PICTURES)
@pytest.mark.parametrize("mode", [Mode.COLOR, Mode.GRAY])
def test_sixteen_bits_a_sample(sane_test: dict[str, str], tmp_path: Path, mode: Mode, shown: str) -> None:
    ours, theirs = both(sane_test, tmp_path, mode=mode, depth="16", test_picture=shown)
    assert ours.depth == 16
    assert ours == theirs


@pytest.mark.parametrize("order", ORDERS)
def test_three_passes_in_any_order_make_one_colour_page(sane_test: dict[str, str], tmp_path: Path, order: str) -> None:
    ours, theirs = both(sane_test, tmp_path, three_pass="yes", three_pass_order=order)
    assert ours.channels == 3
    assert ours == theirs


@pytest.mark.parametrize("order", ORDERS)
def test_three_passes_of_sixteen_bits_are_the_same_page_as_one_pass(
    sane_test: dict[str, str], tmp_path: Path, order: str
) -> None:
    # scanimage aborts on three passes of 16 bits (assertion parm.depth == 8), so one pass is the reference
    _, theirs = both(sane_test, tmp_path, depth="16")
    passes = (("depth", "16"), ("three-pass", "yes"), ("three-pass-order", order))
    taken = rig.take("test:0", tmp_path / "passes", options=passes, **SMALL)
    assert taken.error is None
    assert taken.pages == [theirs]


@pytest.mark.parametrize("mode", [Mode.COLOR, Mode.GRAY])
@pytest.mark.parametrize("loss", [1, 10, 128])
def test_padding_at_the_end_of_rows_is_no_part_of_the_page(
    sane_test: dict[str, str], tmp_path: Path, mode: Mode, loss: int
) -> None:
    # scanimage writes the padding into the picture, so the truth is the unpadded page with its right edge cut off
    whole, _ = both(sane_test, tmp_path / "whole", mode=mode)
    taken = rig.take("test:0", tmp_path / "cut", mode=mode, options=(("ppl-loss", str(loss)),), **SMALL)
    assert taken.error is None
    (cut,) = taken.pages
    used, full = cut.bytes_per_row, whole.bytes_per_row
    assert whole.width - cut.width == loss
    assert cut.rows == b"".join(whole.rows[y * full : y * full + used] for y in range(whole.height))


@pytest.mark.parametrize("mode", MODES)
def test_a_page_of_unknown_height_ends_where_its_rows_end(
    sane_test: dict[str, str], tmp_path: Path, mode: Mode
) -> None:
    ours, theirs = both(sane_test, tmp_path, mode=mode, hand_scanner="yes")
    assert ours == theirs


@pytest.mark.parametrize(
    "options",
    [
        {"fuzzy_parameters": "yes"},
        {"read_limit": "yes", "read_limit_size": "1001"},
        {"read_limit": "yes", "read_limit_size": "1"},
        {"non_blocking": "yes"},
        {"non_blocking": "yes", "select_fd": "yes"},
        {"depth": "16", "invert_endianess": "yes"},
        {"read_delay": "yes", "read_delay_duration": "20000"},
        {"enable_test_options": "yes"},
    ],
    ids=lambda options: ",".join(options),
)
@pytest.mark.parametrize("mode", [Mode.COLOR, Mode.GRAY])
def test_the_way_of_sending_does_not_change_the_pixels(
    sane_test: dict[str, str], tmp_path: Path, mode: Mode, options: dict[str, Any]
) -> None:
    area = Area(width=30, height=20) if options.get("read_limit_size") == "1" else AREA
    ours, theirs = both(sane_test, tmp_path, mode=mode, area=area, **options)
    assert ours == theirs


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dpi", [50, 75, 99, 150, 300, 600])
def test_every_resolution_gives_the_same_grid(sane_test: dict[str, str], tmp_path: Path, mode: Mode, dpi: int) -> None:
    ours, theirs = both(
        sane_test, tmp_path, mode=mode, resolution=dpi, area=Area(width=33.3, height=21), test_picture="Grid"
    )
    assert ours == theirs


@pytest.mark.parametrize(
    "area",
    [
        Area(left=10, top=20, width=30, height=40),
        Area(left=0.5, top=0.5, width=100, height=1),
        Area(left=123.45, top=67.89, width=43.21, height=9.87),
        Area(left=250, top=300, width=100, height=50),  # beyond the default right and bottom edges
    ],
    ids=str,
)
def test_an_area_is_the_same_part_of_the_glass(sane_test: dict[str, str], tmp_path: Path, area: Area) -> None:
    ours, theirs = both(sane_test, tmp_path, area=area, resolution=100, test_picture="Grid")
    assert ours == theirs


def test_no_area_is_the_area_the_device_has_by_itself(sane_test: dict[str, str], tmp_path: Path) -> None:
    args = ["-d", "test:0", "--mode", "Gray", "--resolution", "75", "--source", "Flatbed"]
    theirs = rig.scanimage(args, sane_test, tmp_path / "scanimage").pages
    assert rig.take("test:0", tmp_path / "ours", mode=Mode.GRAY, resolution=75, source=Source.FLATBED).pages == list(
        theirs
    )


def test_ten_pages_from_the_test_feeder(sane_test: dict[str, str], tmp_path: Path) -> None:
    source = "Automatic Document Feeder"
    args = ["-d", "test:0", "--source", source, "--mode", "Color", "--resolution", "75", "-x", "80", "-y", "60"]
    theirs = rig.scanimage(args, sane_test, tmp_path / "scanimage", batch=True).pages
    ours = rig.take("test:0", tmp_path / "ours", source=Source.FEEDER, resolution=75, area=AREA)
    assert ours.error is None
    assert len(ours.pages) == 10
    assert ours.pages == list(theirs)


# ---- our own backend: pages that differ ----


@pytest.mark.parametrize(
    ("mode", "word"),
    [(Mode.COLOR, "Color"), (Mode.GRAY, "Gray"), (Mode.LINEART, "Lineart")],
    ids=lambda value: str(value),
)
def test_the_pages_of_a_feeder_come_once_and_in_order(faulty: Faulty, tmp_path: Path, mode: Mode, word: str) -> None:
    faulty(pages=5)
    taken = rig.take("dwtfault:adf", tmp_path / "pages", mode=mode, **ADF_SMALL)
    assert taken.error is None
    assert [page.rows for page in taken.pages] == [rig.expected_rows(n, *SIZE, word) for n in range(1, 6)]
    assert taken.dpis == [75.0] * 5
    assert faulty.left_idle()


def test_more_pages_than_slots_stay_in_order(faulty: Faulty, tmp_path: Path) -> None:
    faulty(pages=25)
    taken = rig.take("dwtfault:adf", tmp_path / "pages", **ADF_SMALL)
    assert [page.rows for page in taken.pages] == [rig.expected_rows(n, *SIZE) for n in range(1, 26)]


def test_duplex_tells_fronts_from_backs(faulty: Faulty, tmp_path: Path) -> None:
    faulty(pages=6)
    taken = rig.take("dwtfault:adf", tmp_path / "pages", **DUPLEX_SMALL)
    assert [page.rows[0] for page in taken.pages] == [1, 2, 3, 4, 5, 6]
    assert taken.backs == [False, True, False, True, False, True]


@pytest.mark.parametrize("settings", [{}, {"frames": 3}, {"lines": -1}, {"frames": 3, "lines": -1}], ids=str)
@pytest.mark.parametrize("pad", [0, 1, 5, 4000])
@pytest.mark.parametrize("chunk", [333, 65536])
def test_padding_frames_and_reads_of_any_size_give_the_same_page(
    faulty: Faulty, tmp_path: Path, settings: dict[str, int], pad: int, chunk: int
) -> None:
    faulty(pages=2, pad=pad, chunk=chunk, **settings)
    taken = rig.take("dwtfault:adf", tmp_path / "pages", **ADF_SMALL)
    assert taken.error is None
    assert taken.pages == [rig.Picture(*SIZE, 3, 8, rig.expected_rows(n, *SIZE)) for n in (1, 2)]


def test_padded_lineart_is_the_same_page(faulty: Faulty, tmp_path: Path) -> None:
    faulty(pages=1, pad=3)
    (page,) = rig.take("dwtfault:adf", tmp_path / "pages", mode=Mode.LINEART, **ADF_SMALL).pages
    assert page == rig.Picture(*SIZE, 1, 1, rig.expected_rows(1, *SIZE, "Lineart"))


@pytest.mark.parametrize("frames", [1, 3])
def test_parameters_are_asked_for_after_every_start(faulty: Faulty, tmp_path: Path, frames: int) -> None:
    faulty(pages=4, sizes="vary", frames=frames)
    taken = rig.take("dwtfault:adf", tmp_path / "pages", **ADF_SMALL)
    sizes = [rig.expected_size(*SIZE, page) for page in (1, 2, 3, 4)]
    assert [(page.width, page.height) for page in taken.pages] == sizes
    assert [page.rows for page in taken.pages] == [rig.expected_rows(n, *size) for n, size in enumerate(sizes, 1)]


def test_wrong_parameters_before_the_start_do_not_matter(faulty: Faulty, tmp_path: Path) -> None:
    faulty(pages=1, action="early_param_change")
    (page,) = rig.take("dwtfault:adf", tmp_path / "pages", **ADF_SMALL).pages
    assert page == rig.Picture(*SIZE, 3, 8, rig.expected_rows(1, *SIZE))


def test_a_number_of_pages_ends_the_batch_early(faulty: Faulty, tmp_path: Path) -> None:
    faulty(pages=6)
    taken = rig.take("dwtfault:adf", tmp_path / "pages", pages=2, **ADF_SMALL)
    assert [page.rows[0] for page in taken.pages] == [1, 2]
    assert len(faulty.calls("start")) == 2
    assert faulty.left_idle()


def test_the_glass_gives_as_many_pages_as_asked_for(faulty: Faulty, tmp_path: Path) -> None:
    faulty()
    assert len(rig.take("dwtfault:glass", tmp_path / "one", **SMALL).pages) == 1
    taken = rig.take("dwtfault:glass", tmp_path / "three", pages=3, **SMALL)
    assert [page.rows[0] for page in taken.pages] == [1, 2, 3]


def test_auto_is_the_feeder_while_it_is_loaded_and_else_the_glass(faulty: Faulty, tmp_path: Path) -> None:
    auto = {**ADF_SMALL, "source": Source.AUTO}
    faulty(pages=2)
    assert len(rig.take("dwtfault:adf", tmp_path / "loaded", **auto).pages) == 2
    faulty(pages=0)
    assert len(rig.take("dwtfault:adf", tmp_path / "empty", **auto).pages) == 1
    assert ("source", "Flatbed") in [call.words for call in faulty.calls("set")]


def test_a_gamma_table_is_set_whole_and_a_short_one_is_filled(faulty: Faulty, tmp_path: Path) -> None:
    faulty(pages=1)
    table = ",".join(str(255 - n) for n in range(256))
    taken = rig.take("dwtfault:adf", tmp_path / "pages", options=(("gamma-table", table),), **ADF_SMALL)
    assert taken.error is None
    rig.take("dwtfault:adf", tmp_path / "pages", options=(("gamma-table", "9,8"),), **ADF_SMALL)
    tables = [call.words for call in faulty.calls("set") if call.words[0] == "gamma-table"]
    assert tables == [("gamma-table", "255", "0"), ("gamma-table", "9", "8")]


def test_a_button_is_pressed_and_an_option_that_another_one_wakes_can_be_set(faulty: Faulty, tmp_path: Path) -> None:
    faulty(pages=1)
    options = (("calibrate", ""), ("threshold", "99"))
    taken = rig.take("dwtfault:adf", tmp_path / "pages", mode=Mode.LINEART, options=options, **ADF_SMALL)
    assert taken.error is None
    assert [call.words for call in faulty.calls("press")] == [("calibrate",)]
    assert ("threshold", "99") in [call.words for call in faulty.calls("set")]


def test_one_scan_leaves_nothing_behind_for_the_next_of_the_same_worker(faulty: Faulty, tmp_path: Path) -> None:
    faulty()
    sizes = []
    with connect("sane", timeout=30) as worker:
        worker.open("dwtfault:glass")
        for area in (Area(width=60, height=80), None):
            request = ScanRequest(device="sane:dwtfault:glass", resolution=75, area=area)
            for event in worker.scan(request, tmp_path):
                if isinstance(event, PageReady):
                    sizes.append((event.raster.width, event.raster.height))
                    worker.release(event.slot, kept=False)
    assert sizes == [SIZE, rig.a4_pixels(75)]


def test_raw_options_of_one_scan_do_not_colour_the_next_of_the_same_worker(faulty: Faulty, tmp_path: Path) -> None:
    faulty()
    inverted = ",".join(str(255 - n) for n in range(256))
    with connect("sane", timeout=30) as worker:
        worker.open("dwtfault:glass")
        for options in ((("gamma-table", inverted), ("brightness", "50")), ()):
            request = ScanRequest(device="sane:dwtfault:glass", options=options, **SMALL)
            for event in worker.scan(request, tmp_path):
                if isinstance(event, PageReady):
                    worker.release(event.slot, kept=False)
    last = {call.words[0]: call.words[1:] for call in faulty.calls("set")}
    assert last["gamma-table"] == ("0", "255")
    assert last["brightness"] == ("0",)
