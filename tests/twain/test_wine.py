"""`make test-twain`: dwtsvc itself in Wine, with the Python of Windows, real pytwain and the data source of fakeds.c.

Each scan here is the command `dwtsvc scan` with its worker process, both in Wine. Not among the everyday tests: it
fetches 35 MB, and Wine's folder takes 700.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pypdfium2
import pytest
from PIL import Image

from tests.twain.wine import Missing, Wine

if "DWTSVC_TEST_TWAIN" not in os.environ:
    pytest.skip("make test-twain runs these", allow_module_level=True)

DEVICE = "twain:Fake feeder"
LOW = ("--resolution", "75")


@pytest.fixture(scope="module")
def wine() -> Iterator[Wine]:
    try:
        wine = Wine()
        wine.prepare()
    except Missing as missing:
        pytest.exit(str(missing), returncode=3)
    try:
        yield wine
    finally:
        wine.close()


@pytest.fixture(autouse=True)
def _nothing_is_left(wine: Wine) -> Iterator[None]:
    """Every process that a test started ends with it."""
    yield
    for _ in range(100):
        if not wine.processes():
            return
        sleep(0.1)
    pytest.fail(f"still running: {wine.processes()}")


def shades(pdf: Path) -> list[int]:
    """The numbers that fakeds.c draws as the shade of each page's first square."""
    with pypdfium2.PdfDocument(pdf) as document:
        pages = [page.render(scale=1).to_pil().convert("L") for page in document]
    return [round(_shade(page) / 8) for page in pages]


def _shade(page: Image.Image) -> float:
    inside = page.crop((8, 8, 20, 20))
    return sum(level * count for level, count in enumerate(inside.histogram())) / (inside.width * inside.height)


def test_three_pages_of_the_feeder_become_a_pdf(wine: Wine, tmp_path: Path) -> None:
    made = tmp_path / "three.pdf"
    done = wine.dwtsvc("scan", "-d", DEVICE, "--source", "feeder", "-o", wine.windows(made))
    assert done.returncode == 0, done.stderr
    assert shades(made) == [1, 2, 3]
    with pypdfium2.PdfDocument(made) as document:
        assert [round(side) for side in document[0].get_size()] == [612, 842]


def test_pages_by_file_and_of_both_sides(wine: Wine, tmp_path: Path) -> None:
    made = tmp_path / "both sides.pdf"
    options = ("--source", "duplex", "--mode", "gray", "--option", "transfer=file", *LOW)
    done = wine.dwtsvc("scan", "-d", DEVICE, "-o", wine.windows(made), *options)
    assert done.returncode == 0, done.stderr
    assert shades(made) == [1, 2, 3, 4, 5, 6]


def test_the_glass_becomes_a_picture(wine: Wine, tmp_path: Path) -> None:
    made = tmp_path / "glass.png"
    options = ("--source", "flatbed", "--mode", "lineart", *LOW)
    done = wine.dwtsvc("scan", "-d", DEVICE, "-o", wine.windows(made), *options)
    assert done.returncode == 0, done.stderr
    with Image.open(made) as image:
        assert (image.mode, image.size) == ("1", (638, 878))


def test_devices_lists_it_with_what_it_can_do(wine: Wine) -> None:
    listed = wine.dwtsvc("devices", "--json")
    assert listed.returncode == 0, listed.stderr
    assert DEVICE in [each["id"] for each in json.loads(listed.stdout)["devices"]]
    told = wine.dwtsvc("devices", "--json", "--capabilities", DEVICE)
    assert told.returncode == 0, told.stderr
    assert all(word in told.stdout for word in ("duplex", "feeder", "flatbed", "lineart", "brightness", "driver-data"))


def test_the_drivers_own_settings_are_kept_in_a_profile(wine: Wine, tmp_path: Path) -> None:
    def settings() -> str:
        told = wine.dwtsvc("devices", "--json", "--capabilities", DEVICE)
        return str(re.search(r'"driver-data".*?"value": "([^"]+)"', told.stdout, re.DOTALL)[1])  # type: ignore[index]

    keys = (f"device={DEVICE}", "source=flatbed", "resolution=75", f"option.driver-data={settings()}")
    saved = wine.dwtsvc("config", "profile", "save", "plain", *keys)
    assert saved.returncode == 0, saved.stderr
    made = tmp_path / "plain.png"
    done = wine.dwtsvc("scan", "--profile", "plain", "-o", wine.windows(made))
    assert done.returncode == 0, done.stderr
    assert made.is_file()


@pytest.mark.parametrize(
    ("mishap", "status", "kept", "word"),
    [
        ({"FAKEDS_JAM_AT": "3"}, 23, 2, "TWCC_PAPERJAM"),
        ({"FAKEDS_DOUBLE_AT": "2"}, 25, 1, "TWCC_PAPERDOUBLEFEED"),
        ({"FAKEDS_SHEETS": "0"}, 22, 0, "The feeder is empty"),
        ({"FAKEDS_SHEETS": "0", "FAKEDS_BLIND": "1"}, 22, 0, "TWCC_NOMEDIA"),
        ({"FAKEDS_CRASH_AT": "2"}, 26, 1, "access violation"),
        ({"FAKEDS_HANG_AT": "3", "DWTSVC_SCANNER_TIMEOUT": "4"}, 27, 2, "within 4 s"),
        ({"FAKEDS_NEVER_READY": "1", "DWTSVC_SCANNER_TIMEOUT": "4"}, 27, 0, "within 4 s"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_mishap_has_its_exit_status_and_keeps_the_pages_before_it(
    wine: Wine, tmp_path: Path, mishap: dict[str, str], status: int, kept: int, word: str
) -> None:
    made, saved = tmp_path / "scan.pdf", tmp_path / "saved.pdf"
    scan = ("scan", "-d", DEVICE, "--source", "feeder", *LOW)
    done = wine.dwtsvc(*scan, "-o", wine.windows(made), **mishap)
    assert done.returncode == status, done.stderr
    assert word in done.stderr
    assert not made.exists()
    recovered = wine.dwtsvc("scan", "--recover", "-o", wine.windows(saved))
    assert (recovered.returncode == 0) == (kept > 0), recovered.stderr
    if kept:
        assert shades(saved) == list(range(1, kept + 1))


def test_wia_which_wine_has_not_is_no_scanner_and_no_fault(wine: Wine, tmp_path: Path) -> None:
    done = wine.dwtsvc("scan", "-d", "wia:any", "-o", wine.windows(tmp_path / "none.pdf"))
    assert done.returncode == 20, done.stderr
    assert "no WIA" in done.stderr


def test_the_suite_of_all_drivers_and_that_of_twain_pass(wine: Wine) -> None:
    suite = ("tests/twain/suite.py", "--noconftest", "-p", "no:cacheprovider", "-q")
    done = wine.run("-m", "pytest", *suite, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "failed" not in done.stdout
