"""Blank pages with all the dirt that scanners add are blank; pages with the faintest print are not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from dwtsvc.devices import documents
from dwtsvc.errors import BadArguments
from dwtsvc.imaging.judge import Blank, blank

DPI = 200
SIZE = (1654, 2339)
PAPERS = [(255, 255, 255), (248, 240, 215), (222, 218, 208), (232, 238, 250)]
Draw = Callable[[Image.Image, random.Random], None]


def mm(length: float) -> float:
    return length / 25.4 * DPI


def sheet(paper=(255, 255, 255)) -> Image.Image:
    return Image.new("RGB", SIZE, paper)


def grain(size: tuple[int, int], strength: float) -> Image.Image:
    """Noise about 128 of that standard deviation, the same at every run (Pillow's own cannot be seeded)."""
    even = Image.frombytes("L", size, random.Random(7).randbytes(size[0] * size[1]))
    return even.point([round(128 + (level - 127.5) * strength / 73.9) for level in range(256)])


def scanned(page: Image.Image, strength: float = 5) -> Image.Image:
    noise = grain(SIZE, strength)
    page = page.filter(ImageFilter.GaussianBlur(0.6))
    return ImageChops.add(page, Image.merge("RGB", (noise, noise, noise)), 1, -128)


def show_through(page: Image.Image, dice: random.Random) -> None:
    """The other side, mirrored, with up to 12 % of its contrast."""
    back = Image.new("L", SIZE, 255)
    draw = ImageDraw.Draw(back)
    for line in range(36):
        draw.text(
            (mm(20), mm(30 + 6.5 * line)), f"{line} what is printed on the back is not on the front", 0, font_size=34
        )
    draw.rectangle((mm(60), mm(240), mm(150), mm(275)), fill=0)
    share = dice.uniform(0.04, 0.12)
    back = back.transpose(Image.Transpose.FLIP_LEFT_RIGHT).filter(ImageFilter.GaussianBlur(1.2))
    back = back.point([255 - round((255 - level) * share) for level in range(256)])
    page.paste(ImageChops.multiply(page, back.convert("RGB")))


def holes(page: Image.Image, dice: random.Random) -> None:
    draw, tone = ImageDraw.Draw(page), dice.choice([10, 90, 150])
    for y in (108.5, 188.5):
        draw.ellipse([mm(side) for side in (9, y - 2.9, 14.8, y + 2.9)], fill=(tone, tone, tone))


def lit_holes(page: Image.Image, dice: random.Random) -> None:
    """White behind them: only the shadow at one side of each is seen."""
    start = dice.randrange(0, 360)
    for y in (108.5, 188.5):
        box = [mm(side) for side in (9, y - 2.9, 14.8, y + 2.9)]
        ImageDraw.Draw(page).arc(box, start, start + 160, fill=(90, 90, 90), width=3)


def dust(page: Image.Image, dice: random.Random) -> None:
    for _ in range(80):
        x, y, size = dice.uniform(0, SIZE[0]), dice.uniform(0, SIZE[1]), mm(abs(dice.gauss(0, 0.35)))
        ImageDraw.Draw(page).ellipse((x, y, x + size, y + size * dice.uniform(0.5, 1)), fill=(dice.randrange(120),) * 3)


def coffee(page: Image.Image, dice: random.Random) -> None:
    mask = Image.new("L", SIZE, 0)
    x, y, size = dice.uniform(mm(20), mm(120)), dice.uniform(mm(20), mm(200)), dice.uniform(mm(8), mm(35))
    ImageDraw.Draw(mask).ellipse((x, y, x + size, y + size * 0.9), fill=200, outline=255, width=6)
    page.paste((236, 222, 190), (0, 0), mask.filter(ImageFilter.GaussianBlur(3)))


def crooked_edges(page: Image.Image, dice: random.Random) -> None:
    width, height = SIZE
    draw, tone = ImageDraw.Draw(page), dice.choice([15, 110])
    draw.polygon([(0, 0), (mm(5), 0), (mm(1), height), (0, height)], fill=(tone, tone, tone))
    draw.polygon([(0, height), (0, height - mm(1)), (width, height - mm(4)), (width, height)], fill=(tone, tone, tone))


def streaks(page: Image.Image, dice: random.Random) -> None:
    for tone in (140, 180, 205, 220):
        x = dice.randrange(SIZE[0])
        ImageDraw.Draw(page).line((x, 0, x, SIZE[1]), fill=(tone, tone, tone), width=2)


def shade(page: Image.Image, dice: random.Random) -> None:
    """Gray towards one side, as beside the spine of a book."""
    ramp = Image.linear_gradient("L").rotate(90).resize(SIZE).point([150 + level * 105 // 255 for level in range(256)])
    page.paste(ImageChops.multiply(page, ramp.convert("RGB")))


DIRT = [show_through, holes, lit_holes, dust, coffee, crooked_edges, streaks, shade]


@pytest.mark.parametrize("dirt", DIRT, ids=lambda dirt: dirt.__name__)
def test_a_page_with_nothing_but_dirt_is_blank(dirt):
    for seed, paper in enumerate(PAPERS[:2]):
        page = sheet(paper)
        dirt(page, random.Random(seed))
        found = blank(scanned(page))
        assert found.blank and found.score > 0.5, found


def test_dirt_of_all_kinds_together_is_still_blank():
    for seed in range(4):
        page, dice = sheet(PAPERS[seed]), random.Random(seed)
        for dirt in (show_through, holes, dust, coffee, crooked_edges):
            dirt(page, dice)
        found = blank(scanned(page).convert("L" if seed % 2 else "RGB"))
        assert found.blank, (seed, found)


def faint_line(page: Image.Image, dice: random.Random) -> None:
    """8 points at 30 % gray."""
    tone = tuple(level * 7 // 10 for level in page.getpixel((0, 0)))
    place = dice.uniform(mm(25), mm(100)), dice.uniform(mm(20), mm(270))
    ImageDraw.Draw(page).text(place, "Left blank, see annex 7", tone, font_size=8 / 72 * DPI)


def pencil_tick(page: Image.Image, dice: random.Random) -> None:
    x, y = dice.uniform(mm(20), mm(180)), dice.uniform(mm(30), mm(270))
    points = [(x, y), (x + mm(2), y + mm(3)), (x + mm(7), y - mm(5))]
    ImageDraw.Draw(page).line(points, fill=(150, 150, 150), width=3)


def yellow_marker(page: Image.Image, dice: random.Random) -> None:
    ImageDraw.Draw(page).rectangle((mm(50), mm(80), mm(90), mm(85)), fill=(255, 250, 40))


def cyan_rule(page: Image.Image, dice: random.Random) -> None:
    ImageDraw.Draw(page).rectangle((mm(50), mm(80), mm(90), mm(80.6)), fill=(150, 235, 255))


def upright_words(page: Image.Image, dice: random.Random) -> None:
    words = Image.new("L", (400, 30), 255)
    ImageDraw.Draw(words).text((5, 2), "i . i . i . i . i", 60, font_size=18)
    page.paste(words.transpose(Image.Transpose.ROTATE_90).convert("RGB"), (700, 900))


def page_half_black(page: Image.Image, dice: random.Random) -> None:
    page.paste((0, 0, 0), (0, 0, SIZE[0] // 2, SIZE[1]))


def whole_photo(page: Image.Image, dice: random.Random) -> None:
    page.paste(Image.radial_gradient("L").resize(SIZE).convert("RGB"))


def black_sheet(page: Image.Image, dice: random.Random) -> None:
    page.paste((12, 12, 12), (0, 0, *SIZE))


CONTENT = [
    faint_line,
    pencil_tick,
    yellow_marker,
    cyan_rule,
    upright_words,
    page_half_black,
    whole_photo,
    black_sheet,
]


@pytest.mark.parametrize("content", CONTENT, ids=lambda content: content.__name__)
def test_the_least_of_content_makes_a_page_full(content):
    page = sheet()
    content(page, random.Random(3))
    found = blank(scanned(page))
    assert not found.blank and found.score <= 0.5, found


@pytest.mark.parametrize("seed", range(6))
def test_a_faint_line_is_found_under_all_the_dirt(seed):
    dice = random.Random(seed)
    page = sheet(PAPERS[seed % 4])
    (faint_line, pencil_tick)[seed % 2](page, dice)
    for dirt in (show_through, holes, coffee, crooked_edges):
        dirt(page, dice)
    assert not blank(scanned(page)).blank


@pytest.mark.parametrize("kind", ["letter", "invoice", "form", "table", "photo", "receipt"])
def test_documents_are_full(kind):
    assert not blank(documents.sheet(kind, 3, 150).image.convert("RGB")).blank


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "P", "RGBA"])
def test_every_mode_is_judged(mode):
    empty, line = Image.new("L", SIZE, 250), Image.new("L", SIZE, 250)
    ImageDraw.Draw(line).text((300, 900), "Page 2 of 3", 40, font_size=22)
    for image, expected in ((empty, True), (line, False)):
        if mode == "I;16":
            image = image.convert("I").point(lambda tone: tone * 257)
        dither = Image.Dither.NONE
        assert blank(image.convert(mode, dither=dither)).blank is expected


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (2, 4000), (50, 50)])
@pytest.mark.parametrize("mode", ["1", "L", "I;16", "RGB"])
def test_tiny_pages_have_an_answer(size, mode):
    white = {"RGB": (255, 255, 255), "I;16": 65_535}.get(mode, 255)
    assert blank(Image.new(mode, size, white)) == Blank(score=1.0, blank=True, reason="no marks")


def with_marks(*boxes: tuple[int, int, int, int]) -> Image.Image:
    page = Image.new("L", (1240, 1754), 255)
    for box in boxes:
        page.paste(0, box)
    return page


def test_the_block_sizes_part_dust_from_content():
    speck = with_marks((600, 800, 612, 806))
    assert blank(speck, min_block=20, max_block=30).blank
    assert not blank(speck, min_block=5, max_block=10).blank
    pair = with_marks((600, 800, 612, 806), (620, 800, 632, 806))
    assert blank(pair, min_block=20, max_block=30).blank
    assert not blank(pair, min_block=10, max_block=30).blank
    four = with_marks(*[(600 + 20 * place, 800, 612 + 20 * place, 806) for place in range(4)])
    assert not blank(four, min_block=20, max_block=30).blank


@pytest.mark.parametrize("blocks", [(0, 30), (-1, 5), (31, 30), (float("nan"), 3), (1, float("nan"))])
def test_block_sizes_that_make_no_sense_are_refused(blocks):
    with pytest.raises(BadArguments):
        blank(with_marks(), min_block=blocks[0], max_block=blocks[1])


def test_the_reason_says_what_was_seen_and_where():
    assert blank(with_marks()).reason == "no marks"
    assert blank(with_marks((600, 800, 605, 805), (300, 300, 306, 303))).reason == "2 specks"
    assert blank(with_marks((600, 800, 700, 810))).reason == "a mark of 100 x 10 pixels at 600, 800"
    assert "of the page" in blank(with_marks((300, 300, 700, 810))).reason
    assert blank(Image.new("L", (1240, 1754), 5)).reason == "the whole page is dark"


def test_the_image_is_left_as_it_was():
    page = with_marks((600, 800, 700, 810))
    before = page.tobytes()
    blank(page)
    assert page.tobytes() == before
