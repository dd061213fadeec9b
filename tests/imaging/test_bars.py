"""Bars are seen however they lie and however blurred they are, and are not seen in text, lines, pictures and noise."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter

from dwtsvc.devices.documents import KINDS, sheet
from dwtsvc.imaging.bars import has_bars

A4_AT_300 = (2480, 3508)


def label(width: int) -> Image.Image:
    """An EAN-13 so many pixels wide."""
    pixels = memoryview(zxingcpp.create_barcode("9780201379624", zxingcpp.BarcodeFormat.EAN13).to_image(scale=4))
    code = Image.frombytes("L", (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    return code.resize((width, width * 2 // 3))


def on_page(code: Image.Image, size: tuple[int, int] = A4_AT_300) -> Image.Image:
    page = Image.new("L", size, 250)
    page.paste(code, (size[0] // 3, size[1] // 3))
    return page


def drawn(kind: str) -> Image.Image:
    paper = sheet(kind, 7, 300)
    image = paper.image.copy()
    if paper.palette:
        image.putpalette(paper.palette)
    return image.convert("L")


def drawn_text() -> Image.Image:
    page = Image.new("L", A4_AT_300, 255)
    pen, chance = ImageDraw.Draw(page), random.Random(4)
    for top in range(200, 3300, 60):
        words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 11))) for _ in range(14)]
        pen.text((200, top), " ".join(words), fill=0, font_size=42)
    return page


@pytest.mark.parametrize("angle", range(0, 180, 15))
def test_bars_are_seen_at_any_angle(angle: int) -> None:
    turned = label(500).rotate(angle, expand=True, fillcolor=250, resample=Image.Resampling.BILINEAR)
    assert has_bars(on_page(turned))


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_bars_too_blurred_to_read_are_seen(radius: int) -> None:
    photo = on_page(label(250), (640, 480)).filter(ImageFilter.GaussianBlur(radius))
    assert has_bars(photo)


def test_faint_bars_are_seen_on_grey_paper() -> None:
    assert has_bars(on_page(label(500)).point(lambda level: 120 + level // 4))


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (41, 900), (42, 42), (640, 480)])
def test_an_empty_picture_has_no_bars(size: tuple[int, int]) -> None:
    assert not has_bars(Image.new("L", size, 255))


def test_text_has_no_bars() -> None:
    assert not has_bars(drawn_text())


def test_a_table_a_line_and_the_edge_of_the_paper_are_no_bars() -> None:
    page = drawn_text()
    pen = ImageDraw.Draw(page)
    for x in range(200, 2300, 300):
        pen.line((x, 300, x, 3000), fill=0, width=5)
    pen.rectangle((0, 0, 60, 3508), fill=0)
    assert not has_bars(page)


def test_noise_has_no_bars() -> None:
    noise = Image.frombytes("L", (1000, 1000), random.Random(7).randbytes(1_000_000))
    assert not has_bars(noise)


def test_of_the_virtual_scanners_documents_the_invoice_with_its_barcode_has_bars() -> None:
    seen = {kind for kind in KINDS if has_bars(drawn(kind))}
    assert seen == {"invoice"}


def test_looking_for_bars_loads_nothing_but_pillow() -> None:
    code = "import sys, dwtsvc.imaging.bars; print({'numpy', 'cv2', 'zxingcpp', 'pyzbar'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "set()"
