"""Barcodes of whole files: every page of a TIFF and PDF, places in mm, and pictures with the codes outlined."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageChops

from dwtsvc.errors import BadArguments, BadInput
from dwtsvc.imaging import barcode
from dwtsvc.imaging.barcodepages import outlined, read_pages
from dwtsvc.imaging.pagecodes import in_mm

DPI = 200
LEFT, TOP = 400, 300
TEXTS = ["PAGE-1", "", "PAGE-3"]


def page(text: str, format: zxingcpp.BarcodeFormat = zxingcpp.BarcodeFormat.Code128) -> Image.Image:
    """A5 at 200 dpi, with a code at a known place if there is a text."""
    sheet = Image.new("L", (1165, 1654), 255)
    if text:
        code = zxingcpp.create_barcode(text, format)
        pixels = memoryview(code.to_image(scale=4, add_quiet_zones=False))
        sheet.paste(Image.frombytes("L", (pixels.shape[1], pixels.shape[0]), pixels.tobytes()), (LEFT, TOP))
    return sheet


def saved(path: Path, **options: object) -> Path:
    first, *rest = [page(text) for text in TEXTS]
    first.save(path, save_all=True, append_images=rest, **options)
    return path


def lossless_pdf(path: Path) -> Path:
    """Pages that are no JPEG, so that they must be drawn."""
    first, *rest = [page(text).convert("1") for text in TEXTS]
    first.save(path, save_all=True, append_images=rest, resolution=DPI)
    return path


@pytest.mark.parametrize("kind", ["a.tiff", "jpeg.pdf", "lossless.pdf"])
def test_every_page_is_read_and_counted_from_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "lossless.pdf":
        lossless_pdf(path)
    else:
        saved(path, **({"dpi": (DPI, DPI)} if kind == "a.tiff" else {"resolution": DPI}))
    pages = [(each.number, [code.text for code in each.barcodes]) for each in read_pages(path)]
    assert pages == [(1, ["PAGE-1"]), (2, []), (3, ["PAGE-3"])]


@pytest.mark.parametrize("dpi", [150, 300])
def test_a_place_in_mm_does_not_depend_on_how_finely_a_page_was_drawn(tmp_path: Path, dpi: int) -> None:
    first = next(read_pages(lossless_pdf(tmp_path / "a.pdf"), dpi=dpi))
    places = in_mm(first.barcodes[0], first.dpi)
    assert places is not None
    assert places[0] == pytest.approx((LEFT / DPI * 25.4, TOP / DPI * 25.4), abs=0.8)


def test_without_dpi_there_is_no_place_in_mm(tmp_path: Path) -> None:
    page("HERE").save(tmp_path / "a.png")
    (only,) = read_pages(tmp_path / "a.png")
    assert only.dpi is None and in_mm(only.barcodes[0], only.dpi) is None


def test_bytes_and_open_files_are_read_like_paths() -> None:
    file = io.BytesIO()
    page("HERE").save(file, "png")
    for source in (file, file.getvalue()):
        assert [code.text for each in read_pages(source) for code in each.barcodes] == ["HERE"]


def test_the_types_hold_for_every_page_and_may_be_an_iterator(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tiff")
    assert sum(len(each.barcodes) for each in read_pages(path, types=iter(["code128"]))) == 2
    assert sum(len(each.barcodes) for each in read_pages(path, types=["qr", "ean13"])) == 0


def test_pages_before_damage_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tiff")
    with Image.open(path) as image:
        image.seek(2)
        strip = image.tag_v2[273][0]
    path.write_bytes(path.read_bytes()[: strip + 10])
    texts = []
    with pytest.raises(BadInput):
        for each in read_pages(path):
            texts.append([code.text for code in each.barcodes])
    assert texts == [["PAGE-1"], []]


def test_a_wrong_word_is_told_before_the_file_is_looked_at(tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match="morse"):
        next(read_pages(tmp_path / "none.png", types=["morse"]))


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "P", "RGB", "RGBA"])
def test_an_outline_goes_round_the_code_and_leaves_the_picture_itself_alone(mode: str) -> None:
    image = page("HERE", zxingcpp.BarcodeFormat.QRCode)
    image = image.convert("I").point(lambda level: level * 257).convert(mode) if mode == "I;16" else image.convert(mode)
    before = image.tobytes()
    (code,) = barcode.read(image)
    shown = outlined(image, [code])
    assert image.tobytes() == before and shown.mode == "RGB" and shown.size == image.size
    left, top, right, bottom = ImageChops.difference(shown, outlined(image, [])).getbbox() or (0, 0, 0, 0)
    xs, ys = [x for x, _ in code.corners], [y for _, y in code.corners]
    assert (left, top) == pytest.approx((min(xs), min(ys)), abs=12)
    assert right >= max(xs) and bottom > max(ys) + 5  # the label stands below


def test_the_label_of_a_code_at_the_bottom_stands_above_it() -> None:
    image = page("HERE", zxingcpp.BarcodeFormat.QRCode).crop((0, 0, 1165, TOP + 90))
    (code,) = barcode.read(image)
    changed = ImageChops.difference(outlined(image, [code]), outlined(image, [])).getbbox()
    assert changed is not None and changed[1] < TOP - 10
