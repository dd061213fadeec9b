"""Drawn pages of a known kind, as a scanner would show them: tinted, noisy, a little out of register."""

from __future__ import annotations

from functools import cache

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from dwtsvc.imaging.judge import black_sheet, compression, mode_of
from dwtsvc.model import Mode

SIZE = (1240, 1754)  # A4 at 150 dpi
PAPERS = {"white": (255, 255, 255), "cream": (248, 240, 205), "recycled": (205, 200, 190), "bluish": (225, 235, 255)}


def text_page(paper=(255, 255, 255), ink=(20, 20, 20)) -> Image.Image:
    page = Image.new("RGB", SIZE, paper)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(24)
    for line in range(40):
        draw.text(
            (100, 100 + 38 * line), f"{line} The quick brown fox jumps over the lazy dog, again and again", ink, font
        )
    return page


def scanned(page: Image.Image, noise: float = 8, shift: int = 1) -> Image.Image:
    """Blur, a channel out of register, and noise of its own in each channel."""
    red, green, blue = page.filter(ImageFilter.GaussianBlur(0.7)).split()
    red = ImageChops.offset(red, 0, shift)
    dust = noise_of(noise)
    grains = (dust, dust.transpose(Image.Transpose.ROTATE_180), dust.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    bands = zip((red, green, blue), grains, strict=True)
    return Image.merge("RGB", [ImageChops.add(band, grain, 1, -128) for band, grain in bands])


@cache
def noise_of(strength: float) -> Image.Image:
    return Image.effect_noise(SIZE, strength)


def with_photo(page: Image.Image, side: int = 300) -> Image.Image:
    photo = Image.radial_gradient("L").resize((side, side)).point([30 + level * 3 // 5 for level in range(256)])
    page.paste(photo.convert("RGB"), (700, 1200))
    return page


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_black_letters_on_any_paper_are_lineart(paper):
    assert mode_of(scanned(text_page(paper))) is Mode.LINEART


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_a_gray_photo_among_letters_makes_it_gray(paper):
    assert mode_of(scanned(with_photo(text_page(paper)))) is Mode.GRAY


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_a_signature_in_blue_ink_makes_it_colour(paper):
    page = text_page(paper)
    points = [(700 + 4 * x, 1640 + (x * 37 % 50)) for x in range(60)]
    ImageDraw.Draw(page).line(points, fill=(30, 50, 160), width=3)
    assert mode_of(scanned(page)) is Mode.COLOR


def test_a_red_stamp_makes_it_colour():
    page = text_page()
    ImageDraw.Draw(page).ellipse((800, 100, 1000, 250), outline=(200, 40, 40), width=5)
    assert mode_of(scanned(page)) is Mode.COLOR


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_a_blank_page_is_lineart(paper):
    assert mode_of(scanned(Image.new("RGB", SIZE, paper))) is Mode.LINEART


def test_a_page_that_is_all_photo_is_gray_or_colour():
    photo = Image.radial_gradient("L").resize(SIZE)
    assert mode_of(scanned(photo.convert("RGB"))) is Mode.GRAY
    assert mode_of(Image.merge("RGB", (photo, photo.rotate(180), ImageChops.invert(photo)))) is Mode.COLOR


def test_a_gray_scan_is_never_called_colour():
    assert mode_of(scanned(text_page()).convert("L")) is Mode.LINEART
    assert mode_of(with_photo(text_page()).convert("L")) is Mode.GRAY


def test_one_bit_and_sixteen_bit_pages_have_an_answer_too():
    assert mode_of(text_page().convert("1")) is Mode.LINEART
    deep = text_page().convert("L").convert("I").point(lambda value: value * 257).convert("I;16")
    assert mode_of(deep) is Mode.LINEART


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5000, 1)])
@pytest.mark.parametrize("mode", ["1", "L", "I;16", "RGB"])
def test_tiny_pages_have_an_answer(size, mode):
    assert mode_of(Image.new(mode, size)) in Mode


@pytest.mark.parametrize("tone", [0, 30, 70])
def test_a_black_sheet_is_black_though_it_lies_askew(tone):
    sheet = Image.new("RGB", SIZE, (tone, tone, tone))
    ImageDraw.Draw(sheet).polygon([(0, 0), (SIZE[0], 0), (SIZE[0], 50)], fill=(250, 250, 250))
    found = black_sheet(sheet)
    assert found.black and found.score > 0.99 and "%" in found.reason


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_page_with_print_or_half_a_black_picture_is_no_black_sheet(mode):
    page = text_page()
    page.paste((0, 0, 0), (0, 0, SIZE[0], SIZE[1] // 2))
    found = black_sheet(page.convert(mode))
    assert not found.black and 0.4 < found.score < 0.6
    assert black_sheet(text_page().convert(mode)).score < 0.1


def test_each_page_gets_the_compression_it_needs():
    photo = Image.radial_gradient("L").resize(SIZE)
    drawing = text_page(ink=(200, 20, 20)).quantize(16).convert("RGB")
    assert compression(text_page().convert("1")) == compression(text_page()) == "g4"
    assert compression(photo) == compression(ImageChops.add(photo, photo).convert("RGB")) == "jpeg"
    assert compression(drawing) == compression(Image.new("I;16", (20, 20), 9_000)) == "flate"


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("mode", ["1", "L", "I;16", "RGB", "P"])
def test_no_page_is_too_small_to_be_judged(size, mode):
    page = Image.new(mode, size)
    assert black_sheet(page).black and compression(page) in ("g4", "flate")
