"""The virtual scanner's documents: every page can be told from every other, and its text and barcode can be read."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from dwtsvc.devices import documents, originals
from dwtsvc.devices.optics import Sheet, View, strips
from dwtsvc.errors import NothingFound
from dwtsvc.model import Area, Mode, Raster

from .conformance import image_of
from .test_virtual import MODES, one, opened, scan


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dpi", [50, 75, 100, 150, 300])
def test_the_serial_of_every_kind_can_be_read(dpi: int, mode: Mode) -> None:
    for kind in (*originals.KINDS, "back"):
        if kind == "blank" and mode is Mode.LINEART:
            continue
        seen = seen_sheet(documents.sheet(kind, 654_321, dpi), dpi, mode, skew=0.6)
        assert documents.read_serial(seen, dpi) == 654_321, kind


def seen_sheet(sheet: Sheet, dpi: int, mode: Mode, skew: float) -> Image.Image:
    view = View(area=Area(width=210, height=297), dpi=dpi, mode=mode, skew=skew, noise=0.1, seed="a")
    data = b"".join(rows for _, rows in strips(sheet, view))
    channels, depth = (3 if mode is Mode.COLOR else 1), (1 if mode is Mode.LINEART else 8)
    return image_of(
        Raster(
            width=view.width,
            height=view.height,
            channels=channels,
            depth=depth,
            bytes_per_line=view.bytes_per_line,
            dpi=dpi,
        ),
        data,
    )


@pytest.mark.parametrize("skew", [-5, -3.2, 1.9, 5])
def test_the_serial_is_read_on_pages_far_askew(skew: float) -> None:
    assert documents.read_serial(one(f"adf?skew={skew}&noise=0.5"), 100) == 1


def test_the_serial_survives_jpeg(tmp_path: Path) -> None:
    one("adf", mode=Mode.COLOR).save(tmp_path / "a.jpg", quality=40)
    assert documents.read_serial(Image.open(tmp_path / "a.jpg"), 100) == 1


@pytest.mark.parametrize("serial", [0, 1, 0xAAAAAA, 2**24 - 1])
def test_a_serial_may_have_any_pattern_of_cells(serial: int) -> None:
    assert documents.read_serial(documents.sheet("letter", serial, 100).image, 100) == serial


def test_a_page_without_a_serial_has_none() -> None:
    with pytest.raises(NothingFound):
        documents.read_serial(Image.new("L", (827, 1169), 255), 100)
    with pytest.raises(NothingFound):
        documents.read_serial(one("adf", area=Area(top=40, width=200, height=200)), 100)


def test_the_blank_page_shows_no_ink() -> None:
    image = one("adf?document=blank", mode=Mode.LINEART)
    assert image.convert("L").getextrema() == (255, 255)
    assert documents.text_of("blank", 1) == ""


def test_the_kinds_that_a_name_may_ask_for_are_those_that_can_be_drawn() -> None:
    assert {*originals.KINDS, "back"} == set(documents.KINDS)


@pytest.mark.parametrize("kind", ["letter", "invoice", "form", "table", "photo", "receipt", "back"])
def test_the_text_of_a_page_tells_its_serial(kind: str) -> None:
    assert "Serial 000017" in documents.text_of(kind, 17)


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
@pytest.mark.parametrize("kind", ["letter", "invoice", "receipt", "back"])
def test_ocr_finds_the_text_at_200_dpi(kind: str, tmp_path: Path) -> None:
    seen_sheet(documents.sheet(kind, 17, 200), 200, Mode.GRAY, skew=0.5).save(tmp_path / "page.png", dpi=(200, 200))
    command = ["tesseract", str(tmp_path / "page.png"), "-"]
    env = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    found = Counter(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.split())
    wanted = Counter(documents.text_of(kind, 17).split())
    assert (wanted & found).total() / wanted.total() >= 0.9


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dpi", [100, 200, 300])
def test_the_barcode_of_the_invoice_can_be_read(dpi: int, mode: Mode) -> None:
    zxingcpp = pytest.importorskip("zxingcpp")
    found = zxingcpp.read_barcodes(one("adf?document=invoice", resolution=dpi, mode=mode))
    assert [(str(code.format), code.text) for code in found] == [("Code 128", documents.barcode_of(1))]


def test_colour_is_colour_and_gray_its_likeness() -> None:
    colour = one("adf?document=photo&noise=0", mode=Mode.COLOR)
    gray = one("adf?document=photo&noise=0", mode=Mode.GRAY)
    assert max(ImageStat.Stat(ImageChops.difference(*colour.split()[::2])).mean) > 5
    assert ImageStat.Stat(ImageChops.difference(colour.convert("L"), gray)).mean[0] < 1


def test_the_spare_bits_at_the_end_of_a_lineart_row_are_zero() -> None:
    with opened("adf") as source:
        (page,) = scan(source, pages=1, mode=Mode.LINEART, resolution=101)
    length, used = page.raster.bytes_per_line, page.raster.width % 8
    assert used
    assert not any(byte & (0xFF >> used) for byte in page.data[length - 1 :: length])


def test_without_skew_and_noise_the_drawing_itself_is_seen() -> None:
    drawn = documents.sheet("form", 1, 100).image
    assert (
        one("adf?document=form&skew=0&noise=0").tobytes()
        == drawn.point([max(0, ink - 8) * 255 // 247 for ink in range(256)]).tobytes()
    )


def test_skew_turns_the_page_clockwise() -> None:
    page = one("adf?skew=2&noise=0")
    assert top_of_cells(page, 272) + 5 < top_of_cells(page, 535)
    straight = one("adf?skew=0&noise=0")
    assert top_of_cells(straight, 272) == top_of_cells(straight, 535)


def top_of_cells(page: Image.Image, left: int) -> int:
    """The first black row in a column of pixels through the start or the stop of the serial."""
    box = page.crop((left, 20, left + 20, 110)).point([255 * (value < 128) for value in range(256)]).getbbox()
    assert box is not None
    return box[1]


def test_each_page_lies_differently_and_each_seed_differently_again() -> None:
    below = Area(top=100, width=100, height=50)  # where a blank page shows its grain alone
    again = [one(f"adf?document=blank&seed={seed}", area=below).tobytes() for seed in (1, 1, 2)]
    assert again[0] == again[1] != again[2]
    with opened("adf?document=blank&pages=2") as source:
        first, second = scan(source, area=below)
    assert first.data != second.data


def test_noise_darkens_the_paper() -> None:
    clean, noisy = (one(f"adf?document=blank&noise={noise}") for noise in (0, 0.5))
    assert ImageStat.Stat(clean).mean[0] > ImageStat.Stat(noisy).mean[0] + 10


def test_a_fine_scan_shows_the_page_at_its_full_size() -> None:
    corner = one("adf?document=letter&skew=0", resolution=1200, area=Area(left=60, width=90, height=30))
    assert corner.size == (4252, 1417)
    assert documents.read_serial(corner, 1200) == 1


def test_the_drawings_that_are_kept_are_bounded() -> None:
    for dpi in range(500, 540, 2):
        documents.sheet("letter", 1, dpi)
    kept = sum(image.width * image.height for image in documents._drawn._images.values())
    assert kept <= documents._CACHE_BYTES
    assert documents.sheet("letter", 1, 600).image.width == 4961
