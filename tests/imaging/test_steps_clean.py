"""Steps that clean a page take away what they name, leave the rest, and know every mode."""

from __future__ import annotations

import math
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.edit import apply, size_after
from dwtsvc.imaging.focus import sharpness
from dwtsvc.imaging.steptable import KINDS
from dwtsvc.model import Step

MODES = ["1", "L", "I;16", "RGB"]
SIZE = (1240, 1754)  # A4 at 150 dpi
CORNERS = {"x1": 100, "y1": 200, "x2": 400, "y2": 200, "x3": 400, "y3": 650, "x4": 100, "y4": 650}
NEEDED = {
    "dpi": {"dpi": 200},
    "depth": {"bits": 8},
    "brightness": {"percent": 10},
    "contrast": {"percent": 10},
    "dropout": {"colour": "red"},
    "extract": CORNERS,
}


def step(name: str, **values) -> Step:
    return Step(name=name, values=values)


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return image.convert("L").convert("I").point(lambda tone: tone * 257).convert("I;16")
    return image.convert(mode, dither=Image.Dither.NONE)


def gray(image: Image.Image) -> Image.Image:
    return apply(step("depth", bits=8), image)


def printed(paper=(255, 255, 255), ink=(20, 20, 20), on: Image.Image | None = None) -> Image.Image:
    page = on.copy() if on else Image.new("RGB", SIZE, paper)
    for line in range(30):
        ImageDraw.Draw(page).text(
            (150, 150 + 45 * line), f"{line}. i j ä: a line of print, with dots; and stops.", ink, font_size=26
        )
    return page


@pytest.fixture(scope="module")
def page() -> Image.Image:
    return printed()


def mean_apart(one: Image.Image, other: Image.Image) -> float:
    apart = ImageChops.difference(gray(one), gray(other)).histogram()
    return sum(level * count for level, count in enumerate(apart)) / sum(apart)


@pytest.mark.parametrize("mode", MODES)
def test_a_turn_is_that_of_pillow_but_for_a_level(page, mode):
    soft = page.filter(ImageFilter.GaussianBlur(1))
    turned = gray(apply(step("rotate", degrees=1.3, expand=False), in_mode(soft, mode)))
    once = in_mode(soft, mode).convert("L") if mode == "1" else soft.convert("L")
    by_pillow = once.rotate(-1.3, Image.Resampling.BICUBIC, fillcolor=255)
    if mode == "1":
        by_pillow = by_pillow.point([255 * (level >= 128) for level in range(256)])
        assert mean_apart(turned, by_pillow) < 0.6  # at the rims of letters a pixel falls to the other side
        return
    apart = ImageChops.difference(turned, by_pillow).histogram()
    assert mean_apart(turned, by_pillow) < 0.25 and sum(apart[4:]) / sum(apart) < 0.02 and not any(apart[10:])


def test_a_page_too_long_for_opencv_is_turned_as_well():
    page = Image.new("L", (33_000, 40), 255)
    page.paste(0, (16_400, 10, 16_600, 30))
    turned = apply(step("rotate", degrees=180.0001, expand=False), page)
    assert turned.size == page.size and turned.getpixel((16_500, 20)) == 0 and turned.getpixel((16_300, 20)) == 255


@pytest.mark.parametrize("mode", MODES)
def test_corners_on_whole_pixels_take_what_a_crop_takes(page, mode):
    image = in_mode(page, mode)
    cut = apply(step("crop", left=100, top=200, width=300, height=450), image)
    assert apply(step("extract", **CORNERS), image).tobytes() == cut.tobytes()


@pytest.mark.parametrize("degrees", [-31, -4, 12])
def test_what_four_corners_enclose_is_made_straight(degrees):
    photo = Image.radial_gradient("L").resize((400, 300)).convert("RGB")
    photo.paste((250, 20, 30), (0, 0, 40, 40))
    glass = Image.new("RGB", (1000, 1000), (10, 10, 10))
    mask = Image.new("L", (400, 300), 255).rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
    turned = photo.rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
    left, top = 500 - turned.width // 2, 500 - turned.height // 2
    glass.paste(turned, (left, top), mask)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    middle = left + turned.width / 2, top + turned.height / 2
    values = {}
    for number, (x, y) in enumerate(((-200, -150), (200, -150), (200, 150), (-200, 150)), 1):
        values[f"x{number}"] = middle[0] + x * cosine - y * sine
        values[f"y{number}"] = middle[1] + x * sine + y * cosine
    taken = apply(step("extract", **values), glass)
    assert taken.size == (400, 300) == size_after([step("extract", **values)], 1000, 1000, 300)[:2]
    inside = (5, 5, 395, 295)
    assert mean_apart(taken.crop(inside), photo.crop(inside)) < 3


@pytest.mark.parametrize(
    "corners",
    [
        (0, 0, 0, 0, 0, 0, 0, 0),
        (0, 0, 0, 50, 50, 50, 50, 0),
        (0, 0, 50, 50, 50, 0, 0, 50),
        (0, 0, 50, 0, 10, 10, 0, 50),
        (0, 0, 90, 0, 180, 0, 270, 0),
    ],
    ids=["point", "counter-clockwise", "crossed", "dented", "line"],
)
def test_corners_that_enclose_nothing_are_refused(corners, page):
    names = [f"{axis}{number}" for number in range(1, 5) for axis in "xy"]
    bad = step("extract", **dict(zip(names, corners, strict=True)))
    for refuse in (lambda: apply(bad, page), lambda: size_after([bad], *SIZE, 300)):
        with pytest.raises(BadArguments, match="four corners"):
            refuse()


def test_a_known_angle_is_used_as_it_is(page):
    for angle in (0.02, 3.5, -20):
        turned = apply(step("rotate", degrees=-angle, expand=False, fill="paper"), page)
        assert apply(step("deskew", angle=angle), page).tobytes() == turned.tobytes()
    assert apply(step("deskew", angle=0), page) is page


def shaded(page: Image.Image) -> Image.Image:
    ramp = Image.linear_gradient("L").resize(page.size).point([170 + level * 85 // 255 for level in range(256)])
    return ImageChops.multiply(page, ramp.convert("RGB"))


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB"])
def test_shaded_and_tinted_paper_becomes_white_and_ink_stays_dark(mode):
    dull = shaded(printed((240, 228, 200), (60, 50, 50)))
    white = apply(step("whiten"), in_mode(dull, mode))
    assert white.mode == mode
    histogram = gray(white).histogram()
    assert sum(histogram[253:]) / sum(histogram) > 0.9
    before, after = (sum(gray(each).histogram()[:100]) for each in (in_mode(dull, mode), white))
    assert 0.7 < after / before < 1.1


def test_colours_stay_when_the_paper_becomes_white():
    dull = printed((240, 228, 200))
    draw = ImageDraw.Draw(dull)
    draw.rectangle((150, 1520, 700, 1560), fill=(250, 240, 60))  # a marker
    draw.rectangle((750, 1200, 1150, 1650), fill=(60, 110, 170))  # a picture
    draw.line((150, 1700, 900, 1700), fill=(40, 60, 170), width=6)
    white = apply(step("whiten"), shaded(dull))
    red, green, blue = white.getpixel((400, 1540))
    assert min(red, green) > 200 and blue < 120
    red, green, blue = white.getpixel((950, 1400))
    assert blue - red > 60 and max(red, green, blue) < 220
    red, green, blue = white.getpixel((500, 1700))
    assert blue - red > 80


def test_a_bitonal_page_needs_no_whitening(letter):
    assert apply(step("whiten"), letter) is letter


def specks(image: Image.Image, size: int, where: list[tuple[int, int]]) -> Image.Image:
    image = image.copy()
    for x, y in where:
        image.paste((0, 0, 0), (x, y, x + size, y + size))
    return image


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1, 2])
def test_specks_go_and_print_stays_with_all_its_dots(page, mode, size):
    dice = random.Random(5)
    margin = [(dice.randrange(20, 120), 25 * row + dice.randrange(10)) for row in range(1, 68)]
    dirty = in_mode(specks(page, size, margin), mode)
    clean = apply(step("despeckle", size=2), dirty)
    assert clean.mode == mode and dirty.tobytes() != in_mode(page, mode).tobytes()
    assert clean.tobytes() == in_mode(page, mode).tobytes()


def test_the_dots_of_a_screen_stay(page):
    image = page.copy()
    for y in range(1000, 1600, 5):
        for x in range(150, 700, 5):
            image.paste((0, 0, 0), (x, y, x + 2, y + 2))
    clean = apply(step("despeckle", size=2), image)
    assert mean_apart(clean.crop((180, 1030, 670, 1570)), image.crop((180, 1030, 670, 1570))) == 0


@pytest.mark.parametrize(
    ("word", "ink"), [("red", (220, 70, 60)), ("green", (60, 170, 90)), ("#3060c0", (50, 100, 200))]
)
def test_the_lines_of_a_form_drop_out_and_black_print_on_them_stays(word, ink):
    paper = (248, 244, 232)
    form = Image.new("RGB", SIZE, paper)
    for line in range(40):
        ImageDraw.Draw(form).line((100, 140 + 36 * line, 1140, 140 + 36 * line), fill=ink, width=3)
    ImageDraw.Draw(form).rectangle((100, 60, 600, 110), fill=tuple((channel + 255) // 2 for channel in ink))
    form, plain = printed(on=form), printed(paper)
    for image in (form, plain):
        ImageDraw.Draw(image).text((160, 70), "black on colour", (10, 10, 10), font_size=30)
    cleared = apply(step("dropout", colour=word), form)
    assert mean_apart(form, plain) > 4 > 0.7 > mean_apart(cleared, plain)
    letters = gray(cleared).histogram()
    assert sum(letters[:80]) >= 0.95 * sum(gray(plain).histogram()[:80])


def test_other_colours_and_grays_do_not_drop_out(page):
    blue = printed(ink=(30, 40, 180))
    assert mean_apart(apply(step("dropout", colour="red"), blue), blue) < 0.05
    for mode in ("1", "L", "I;16"):
        image = in_mode(page, mode)
        assert apply(step("dropout", colour="red"), image) is image
    for refuse in (lambda bad: apply(bad, page), lambda bad: size_after([bad], *SIZE, 300)):
        with pytest.raises(BadArguments, match="gray"):
            refuse(step("dropout", colour="#808080"))


@pytest.mark.parametrize("mode", MODES)
def test_dark_edges_become_paper_and_print_stays(page, mode):
    dark = page.copy()
    draw = ImageDraw.Draw(dark)
    draw.polygon([(0, 0), (50, 0), (10, 1754), (0, 1754)], fill=(30, 30, 30))
    draw.polygon([(0, 1754), (0, 1720), (1240, 1700), (1240, 1754)], fill=(90, 90, 90))
    clean = apply(step("edges"), in_mode(dark, mode))
    assert clean.tobytes() == in_mode(page, mode).tobytes()
    assert apply(step("edges"), in_mode(page, mode)).tobytes() == in_mode(page, mode).tobytes()


def test_edges_go_no_deeper_than_told(page):
    dark = page.copy()
    dark.paste((0, 0, 0), (0, 0, 100, 1754))
    clean = apply(step("edges", reach=40), dark)
    assert clean.getpixel((30, 900)) == (255, 255, 255) and clean.getpixel((60, 900)) == (0, 0, 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lit", [False, True])
def test_punch_holes_are_filled(page, mode, lit):
    punched = page.copy()
    for y in (641, 1113):  # 80 mm apart
        box = (53, y - 17, 87, y + 17)
        if lit:
            ImageDraw.Draw(punched).arc(box, 20, 200, fill=(90, 90, 90), width=4)
        else:
            ImageDraw.Draw(punched).ellipse(box, fill=(15, 15, 15))
    clean = apply(step("holes"), in_mode(punched, mode))
    assert in_mode(punched, mode).tobytes() != in_mode(page, mode).tobytes() == clean.tobytes()


def test_a_single_disc_is_no_punch_hole(page):
    logo = page.copy()
    ImageDraw.Draw(logo).ellipse((53, 624, 87, 658), fill=(15, 15, 15))
    assert apply(step("holes"), logo).tobytes() == logo.tobytes()


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB"])
def test_gamma_bends_the_middle_and_keeps_the_ends(mode):
    scale = 257 if mode == "I;16" else 1
    for level, expected in ((0, 0), (64, 128), (255, 255)):
        tone = level * scale if mode != "RGB" else (level,) * 3
        bent = apply(step("gamma", gamma=2), Image.new(mode, (1, 1), tone)).getpixel((0, 0))
        bent = bent[0] if mode == "RGB" else bent / scale
        assert bent == pytest.approx(expected, abs=0.6)


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB"])
def test_sharpening_makes_edges_narrower(page, mode):
    soft = in_mode(page.filter(ImageFilter.GaussianBlur(1.5)), mode)
    sharp = apply(step("sharpen", percent=150, radius=1.5), soft)
    assert sharp.mode == mode and sharpness(sharp).width < sharpness(soft).width * 0.9
    assert apply(step("sharpen", percent=0), soft) is soft


def test_blur_widens_edges_and_faint_print_is_no_blur(page):
    found = [sharpness(page.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 1, 2, 3.5)]
    assert [one.width for one in found] == sorted(one.width for one in found)
    assert found[0].score > 0.8 and not found[1].blurred and found[3].blurred
    faint = printed(ink=(190, 190, 190))
    assert sharpness(faint).score == pytest.approx(found[0].score, abs=0.1)
    assert sharpness(Image.new("L", SIZE, 255)).score == 1.0


def test_sauvola_finds_print_in_shadow_where_one_level_cannot():
    ramp = Image.linear_gradient("L").resize(SIZE).point([60 + level * 195 // 255 for level in range(256)])
    dark = ImageChops.multiply(printed(), ramp.convert("RGB"))
    truth = apply(step("threshold"), printed())
    missed = {
        method: mean_apart(apply(step("threshold", method=method), dark), truth) for method in ("otsu", "sauvola")
    }
    assert missed["sauvola"] < 3 < missed["otsu"]
    assert (
        apply(step("threshold", method="sauvola", level=90), dark).tobytes()
        == apply(step("threshold", level=90), dark).tobytes()
    )


def test_sauvola_leaves_paper_white_and_works_strip_by_strip_without_seams():
    tall = Image.new("L", (60, 1300), 200)
    for y in range(0, 1300, 13):
        tall.paste(40, (10, y, 50, y + 5))
    cut = apply(step("threshold", method="sauvola", window=31), tall)
    assert cut.convert("L").tobytes() == tall.point([255 * (level > 100) for level in range(256)]).tobytes()
    assert apply(step("threshold", method="sauvola"), Image.new("L", (90, 90), 250)).getextrema() == (255, 255)


def tiny(size: tuple[int, int], mode: str, data: random.Random) -> Image.Image:
    if mode == "I;16":
        return Image.frombytes("I;16", size, data.randbytes(2 * size[0] * size[1]))
    return Image.frombytes("RGB", size, data.randbytes(3 * size[0] * size[1])).convert(mode)


@given(
    name=some.sampled_from(sorted(KINDS)),
    size=some.tuples(some.integers(1, 40), some.integers(1, 40)) | some.sampled_from([(1, 1), (300, 1), (1, 300)]),
    mode=some.sampled_from([*MODES, "P", "RGBA", "LA", "CMYK"]),
    tone=some.sampled_from([None, "black", "white"]),
    seed=some.integers(0, 9),
)
@settings(max_examples=200, deadline=None)
def test_no_page_is_too_odd_for_any_step(name, size, mode, tone, seed):
    image = tiny(size, mode, random.Random(seed))
    if tone and mode != "I;16":
        image = Image.new("RGB", size, tone).convert(mode)
    one = step(name, **NEEDED.get(name, {}))
    made = apply(one, image)
    assert made.mode in MODES and made.size == size_after([one], *size, 300)[:2]
    assert apply(one, image).tobytes() == made.tobytes()


def test_the_steps_are_known_without_opencv():
    code = "import sys, dwtsvc.imaging.edit, dwtsvc.imaging.judge; print({'cv2', 'numpy'} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.strip() == "set()"
