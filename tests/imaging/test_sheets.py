"""What lies on the glass is found by its corners, whatever the lid; what is no sheet is not."""

from __future__ import annotations

import math
import random

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from dwtsvc.devices import documents
from dwtsvc.devices.landscape import landscape
from dwtsvc.imaging import book, photos
from dwtsvc.imaging.content import content_box
from dwtsvc.imaging.edit import apply_all, size_after
from dwtsvc.imaging.judge import page_size
from dwtsvc.imaging.sheets import paper, sheets
from dwtsvc.imaging.skew import skew

DPI = 100
GLASS = (850, 1170)


def mm(length: float) -> float:
    return length / 25.4 * DPI


def grainy(image: Image.Image, strength: float = 4) -> Image.Image:
    noise = Image.frombytes("L", image.size, random.Random(7).randbytes(image.width * image.height))
    noise = noise.point([round(128 + (level - 127.5) * strength / 73.9) for level in range(256)])
    return ImageChops.add(image.filter(ImageFilter.GaussianBlur(0.6)), Image.merge("RGB", (noise,) * 3), 1, -128)


def lay(glass: Image.Image, sheet: Image.Image, middle: tuple[float, float], degrees: float = 0) -> None:
    """With its middle there, turned clockwise."""
    mask = Image.new("L", sheet.size, 255).rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
    turned = sheet.rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
    glass.paste(turned, (round(middle[0] - turned.width / 2), round(middle[1] - turned.height / 2)), mask)


def typed(width: float, height: float, tone=(250, 249, 244)) -> Image.Image:
    sheet = Image.new("RGB", (round(mm(width)), round(mm(height))), tone)
    for line in range(int(height / 7) - 2):
        ImageDraw.Draw(sheet).text((mm(8), mm(8 + 7 * line)), "a line of a receipt 12.90", (40, 40, 40), font_size=16)
    return sheet


@pytest.mark.parametrize("lid", [(12, 12, 12), (128, 130, 126), (255, 255, 255)], ids=["black", "gray", "white"])
@pytest.mark.parametrize("degrees", [0, 1.5, -7, 20])
def test_the_paper_is_found_on_any_lid_at_any_angle(lid, degrees):
    glass = Image.new("RGB", GLASS, lid)
    lay(glass, typed(105, 148, (236, 232, 222)), (400, 500), degrees)
    found = paper(grainy(glass, 3), DPI)
    assert found and found.angle == pytest.approx(degrees, abs=0.15)
    assert page_size(found.width / mm(1), found.height / mm(1)) == "A6"
    middle = [sum(corner[axis] for corner in found.corners) / 4 for axis in (0, 1)]
    assert middle == pytest.approx([400, 500], abs=1.5)


def test_paper_in_the_corner_of_the_glass_is_found():
    glass = Image.new("RGB", GLASS, (225, 226, 228))
    glass.paste(typed(148, 210), (0, 0))
    found = paper(grainy(glass, 3), DPI)
    assert found and page_size(found.width / mm(1), found.height / mm(1)) == "A5"
    step = found.step(*GLASS)
    assert step.name == "crop" and max(step.values["left"], step.values["top"]) <= 3


@pytest.mark.parametrize("kind", ["letter", "invoice", "form", "table"])
def test_a_page_that_fills_the_scan_is_no_paper_on_a_lid(kind):
    page = documents.sheet(kind, 3, DPI).image.convert("RGB")
    assert paper(page, DPI) is None and photos.find(page, DPI) == [[]]


def test_photos_and_receipts_become_pages_in_reading_order():
    glass, picture = Image.new("RGB", GLASS, (20, 20, 22)), landscape()
    first = picture.resize((round(mm(90)), round(mm(60))))
    lay(glass, first, (230, 200), 6)
    lay(glass, typed(60, 120), (620, 320), -3)
    lay(glass, ImageChops.invert(first).resize((round(mm(85.6)), round(mm(54)))), (230, 800))
    pages = photos.find(grainy(glass), DPI)
    assert [steps[0].name for steps in pages] == ["extract", "extract", "crop"]
    sizes = [size_after(steps, *GLASS, DPI)[:2] for steps in pages]
    expected = [(mm(90), mm(60)), (mm(60), mm(120)), (mm(85.6), mm(54))]
    assert all(size == pytest.approx(wanted, abs=4) for size, wanted in zip(sizes, expected, strict=True))
    receipt, dpi = apply_all(pages[1], glass, DPI)
    sides = (0, 0, 3, receipt.height), (receipt.width - 3, 0, receipt.width, receipt.height)
    assert dpi == DPI and all(receipt.crop(side).convert("L").getextrema()[0] > 200 for side in sides)
    straight = apply_all(pages[0], glass, DPI)[0].resize((340, 220)).crop((10, 10, 330, 210))
    apart = ImageChops.difference(straight, first.resize((340, 220)).crop((10, 10, 330, 210))).convert("L")
    assert sum(level * count for level, count in enumerate(apart.histogram())) / (320 * 200) < 12


def test_nothing_on_the_glass_is_one_page_without_steps():
    for tone in ((0, 0, 0), (255, 255, 255)):
        assert photos.find(grainy(Image.new("RGB", GLASS, tone)), DPI) == [[]]


def test_a_block_of_text_on_white_paper_is_no_sheet():
    page = Image.new("RGB", GLASS, (255, 255, 255))
    for line in range(40):
        ImageDraw.Draw(page).text((200, 300 + 12 * line), "a dense block of small print " * 2, (0, 0, 0), font_size=12)
    assert sheets(page, DPI) == []


def open_book(gutter: int, shadow: bool) -> Image.Image:
    image = Image.new("L", (1200, 850), 245)
    words = "the text of a page of a book, no end of it"
    for line in range(40):
        for place, anchor in ((gutter - 60, "ra"), (gutter + 60, "la")):
            ImageDraw.Draw(image).text((place, 60 + 18 * line), words, 30, font_size=20, anchor=anchor)
    if shadow:
        for x in range(image.width):
            depth = 130 * math.exp(-(((x - gutter) / 25) ** 2))
            column = image.crop((x, 0, x + 1, image.height))
            image.paste(column.point([max(0, round(level - depth)) for level in range(256)]), (x, 0))
    return image


@pytest.mark.parametrize("shadow", [True, False])
@pytest.mark.parametrize("gutter", [560, 600, 655])
def test_a_book_parts_at_its_gutter(gutter, shadow):
    left, right = book.halves(open_book(gutter, shadow))
    image = open_book(gutter, shadow)
    assert left[0].values["width"] == pytest.approx(gutter, abs=8 if shadow else 15)
    pages = [apply_all(steps, image, 100)[0] for steps in (left, right)]
    assert sum(page.width for page in pages) == image.width and {page.height for page in pages} == {image.height}


def test_an_empty_book_parts_in_the_middle_and_a_thread_not_at_all():
    assert book.gutter(Image.new("L", (1000, 700), 250)) == 500
    assert book.halves(Image.new("L", (1, 700))) == [[]]
    assert len(book.halves(Image.new("L", (2, 1)))) == 2


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_the_content_box_knows_no_dust_no_lid_and_no_holes_of_shadow(mode):
    page = Image.new("RGB", (1240, 1754), (250, 250, 250))
    for line in range(20):
        ImageDraw.Draw(page).text(
            (200, 300 + 40 * line), "where something is printed on it", (20, 20, 20), font_size=30
        )
    expected = page.convert("L").point([255 * (level < 128) for level in range(256)]).getbbox()
    page.paste((10, 10, 10), (0, 0, 40, 1754))
    page.paste((10, 10, 10), (0, 1740, 1240, 1754))
    for x, y in ((900, 200), (1000, 1500), (150, 1600)):
        page.paste((0, 0, 0), (x, y, x + 3, y + 3))
    image = page.convert(mode, dither=Image.Dither.NONE)
    assert content_box(image, 150) == pytest.approx(expected, abs=4)
    wider = content_box(image, 150, margin_mm=10)
    assert wider == pytest.approx([expected[0] - 59, expected[1] - 59, expected[2] + 59, expected[3] + 59], abs=4)


def test_a_page_with_nothing_on_it_has_no_content_and_a_black_one_is_all_content():
    assert content_box(grainy(Image.new("RGB", GLASS, (250, 250, 250))), DPI) is None
    assert content_box(Image.new("L", GLASS, 0), DPI) == (0, 0, *GLASS)


def test_a_page_taken_from_the_glass_leans_no_more():
    glass = Image.new("RGB", (1700, 2340), (15, 15, 15))
    page = documents.sheet("letter", 7, 150).image.convert("RGB")
    lay(glass, page, (860, 1160), 3)
    found = paper(glass, 150)
    taken, _ = apply_all([found.step(*glass.size)], glass, 150)
    assert taken.size == pytest.approx(page.size, abs=6) and abs(skew(taken)) < 0.15
