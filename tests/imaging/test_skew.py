"""The angle found on a turned page, less the one found before turning, is the angle it was turned by."""

from __future__ import annotations

import random
from statistics import median

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from dwtsvc.devices import documents
from dwtsvc.imaging.judge import skew

ANGLES = (-10, -6.3, -2, -0.5, -0.2, 0.2, 0.7, 3, 8.4, 10)


def turned(image: Image.Image, degrees: float) -> Image.Image:
    white = (255,) * len(image.getbands())
    return image.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=white if len(white) > 1 else 255)


def grain(size: tuple[int, int], strength: float) -> Image.Image:
    """Noise about 128 of that standard deviation, the same at every run (Pillow's own cannot be seeded)."""
    even = Image.frombytes("L", size, random.Random(7).randbytes(size[0] * size[1]))
    return even.point([round(128 + (level - 127.5) * strength / 73.9) for level in range(256)])


def typed(paper=(250, 245, 230)) -> Image.Image:
    """Uneven lines on tinted, grainy, shaded paper, 200 dpi."""
    page = Image.new("RGB", (1654, 2339), paper)
    draw = ImageDraw.Draw(page)
    for line in range(44):
        words = "whoever reads this has a straight page before them "[: 20 + line * 37 % 31]
        draw.text((200 + line * 13 % 40, 220 + 42 * line), words, (60, 50, 50), font_size=28)
    shade = Image.linear_gradient("L").resize(page.size).point([215 + level * 40 // 255 for level in range(256)])
    page = ImageChops.multiply(page.filter(ImageFilter.GaussianBlur(0.8)), shade.convert("RGB"))
    dust = grain(page.size, 8)
    return ImageChops.add(page, Image.merge("RGB", (dust, dust, dust)), 1, -128)


@pytest.fixture(scope="module")
def page() -> Image.Image:
    return typed()


def test_a_turned_page_is_found_to_a_tenth_of_a_degree(page):
    paper = turned(page, 0.37)  # no paper lies as level in its pixels as a drawing does
    before = skew(paper)
    assert before == pytest.approx(0.37, abs=0.1)
    errors = [abs(skew(turned(paper, degrees)) - before - degrees) for degrees in ANGLES]
    assert max(errors) <= 0.1 and median(errors) <= 0.05


def test_a_drawing_that_is_level_to_the_pixel_is_found_level_and_its_slightest_turns_too(page):
    assert abs(skew(page)) <= 0.06
    for degrees in (-0.5, -0.2, 0.2, 0.5):
        assert skew(turned(page, degrees)) == pytest.approx(degrees, abs=0.2)


@pytest.mark.parametrize("kind", ["letter", "invoice", "form", "table"])
def test_the_documents_of_the_virtual_scanner_are_found_as_well(kind):
    drawn = documents.sheet(kind, 7, 150).image.convert("L")
    for degrees in (-4.4, 1.3):
        assert skew(turned(drawn, degrees)) - skew(drawn) == pytest.approx(degrees, abs=0.1)


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "P"])
def test_every_mode_gives_the_same_angle(page, mode):
    leaning = turned(page, 2.4).convert("L")
    if mode == "I;16":
        leaning = leaning.convert("I").point(lambda tone: tone * 257).convert("I;16")
    assert skew(leaning.convert(mode) if mode != "I;16" else leaning) == pytest.approx(2.4, abs=0.1)


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270])
def test_a_page_scanned_sideways_leans_as_its_lines_do(page, turn):
    assert skew(turned(page, 3).transpose(turn)) == pytest.approx(3, abs=0.15)


def test_lines_on_a_narrow_receipt_are_found():
    receipt = Image.new("L", (640, 1600), 255)
    for line in range(30):
        ImageDraw.Draw(receipt).text(
            (40, 80 + 48 * line), f"{line:02} articles      {line * 7 % 90:5.2f}", 40, font_size=30
        )
    assert skew(turned(receipt, -2.2)) == pytest.approx(-2.2, abs=0.15)


@pytest.mark.parametrize(
    "nothing",
    [
        Image.new("L", (1240, 1754), 255),
        Image.new("1", (1240, 1754), 0),
        grain((1240, 1754), 12),
        grain((1240, 1754), 60),
        Image.radial_gradient("L").resize((1240, 1754)),
        Image.new("RGB", (1, 1)),
        Image.new("L", (5000, 3)),
    ],
    ids=["white", "black", "grain", "storm", "ball", "pixel", "thread"],
)
def test_where_nothing_lies_in_lines_nothing_leans(nothing):
    assert skew(nothing) == 0.0


def test_a_level_scanner_edge_does_not_hide_the_angle(page):
    leaning = turned(page, 2)
    ImageDraw.Draw(leaning).rectangle((0, 0, leaning.width, 30), fill=(20, 20, 20))
    assert skew(leaning) == pytest.approx(2, abs=0.1)
