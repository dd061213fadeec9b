"""Steps do what their names say and nothing is lost on the way."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image, ImageChops, ImageDraw

from dwtsvc.errors import BadArguments, TooLarge
from dwtsvc.imaging.edit import EDITS, KINDS, apply, apply_all, check, otsu, schema, size_after
from dwtsvc.imaging.skew import skew
from dwtsvc.imaging.steps import Type
from dwtsvc.model import Step

MODES = ["1", "L", "I;16", "RGB"]
BLACK = {"1": 0, "L": 0, "I;16": 0, "RGB": (0, 0, 0)}
WHITE = {"1": 255, "L": 255, "I;16": 65_535, "RGB": (255, 255, 255)}
NEEDED = {
    "dpi": {"dpi": 200},
    "depth": {"bits": 8},
    "brightness": {"percent": 10},
    "contrast": {"percent": 10},
    "dropout": {"colour": "red"},
    "extract": {"x1": 0, "y1": 0, "x2": 9, "y2": 1, "x3": 8, "y3": 7, "x4": 0, "y4": 6},
}


def step(name: str, **values) -> Step:
    return Step(name=name, values=values)


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":  # values that use both bytes
        return image.convert("L").convert("I").point(lambda tone: tone * 257).convert("I;16")
    return image.convert(mode)


@pytest.fixture
def corner() -> Image.Image:
    """A wide page whose top left corner is black."""
    image = Image.new("L", (30, 20), 255)
    image.paste(0, (0, 0, 5, 5))
    return image


@pytest.fixture
def lines() -> Image.Image:
    """A page of lines of letters, 150 dpi."""
    image = Image.new("L", (800, 1000), 255)
    draw = ImageDraw.Draw(image)
    for line in range(24):
        draw.text((80, 80 + 34 * line), f"{line}: the quick brown fox jumps over the lazy dog", 10, font_size=20)
    return image


@pytest.mark.parametrize(
    ("degrees", "size", "black"),
    [
        (0, (30, 20), (0, 0)),
        (90, (20, 30), (19, 0)),
        (180, (30, 20), (29, 19)),
        (270, (20, 30), (0, 29)),
        (-90, (20, 30), (0, 29)),
        (360, (30, 20), (0, 0)),
    ],
)
def test_rotation_is_clockwise(corner, degrees, size, black):
    turned = apply(step("rotate", degrees=degrees), corner)
    assert turned.size == size and turned.getpixel(black) == 0
    assert turned.histogram()[0] == 25


@pytest.mark.parametrize("mode", MODES)
def test_four_quarter_turns_lose_nothing(picture, mode):
    image = turned = in_mode(picture, mode)
    for _ in range(4):
        turned = apply(step("rotate", degrees=90.0), turned)
    assert turned.mode == mode and turned.tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("again", [step("flip"), step("flip", axis="horizontal"), step("mirror"), step("invert")])
def test_what_is_done_twice_is_undone(picture, mode, again):
    image = in_mode(picture, mode)
    once = apply(again, image)
    assert once.tobytes() != image.tobytes()
    assert apply(again, once).tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "best"])
def test_any_angle_puts_a_mark_where_trigonometry_says(mode, interpolation):
    page = Image.new(mode, (200, 100), WHITE[mode])
    page.paste(BLACK[mode], (160, 40, 180, 60))  # 70 pixels right of the middle
    turned = apply(step("rotate", degrees=30, expand=False, interpolation=interpolation), page)
    assert (turned.mode, turned.size) == (mode, (200, 100))
    assert turned.getpixel((161, 85)) == BLACK[mode]  # 70 cos 30 right, 70 sin 30 down
    assert turned.getpixel((161, 15)) == WHITE[mode]


@pytest.mark.parametrize("mode", MODES)
def test_a_turned_page_grows_to_hold_its_corners_and_has_the_fill_around(mode):
    page = Image.new(mode, (100, 60), BLACK[mode])
    turned = apply(step("rotate", degrees=45, fill="#FFFFFF"), page)
    assert turned.size == (114, 114)
    assert turned.getpixel((0, 0)) == WHITE[mode] and turned.getpixel((57, 57)) == BLACK[mode]


def test_turning_there_and_back_keeps_the_middle(lines):
    there = apply(step("rotate", degrees=7, expand=False), lines)
    again = apply(step("rotate", degrees=-7, expand=False), there)
    apart = ImageChops.difference(again, lines).crop((200, 200, 600, 800))
    assert sum(level * count for level, count in enumerate(apart.histogram())) / (400 * 600) < 6


def test_a_quarter_turn_that_keeps_the_size_stays_about_the_middle(corner):
    page = Image.new("RGB", (40, 20), (9, 9, 9))
    turned = apply(step("rotate", degrees=90, expand=False, fill="#0000ff"), page)
    assert turned.size == (40, 20)
    assert [turned.getpixel((x, 10)) for x in (9, 10, 29, 30)] == [(0, 0, 255), (9, 9, 9), (9, 9, 9), (0, 0, 255)]
    assert apply(step("rotate", degrees=180, expand=False), corner).size == corner.size


def test_a_fill_of_paper_is_the_tone_of_the_page():
    page = Image.new("RGB", (200, 200), (240, 230, 200))
    page.paste((0, 0, 0), (50, 50, 80, 150))
    assert apply(step("rotate", degrees=10, fill="paper"), page).getpixel((0, 0)) == (240, 230, 200)
    assert apply(step("erase", fill="paper"), in_mode(page, "I;16")).getextrema() == (230 * 257, 230 * 257)


def test_flips_mirror_along_their_axis(corner):
    assert apply(step("flip"), corner).getpixel((0, 19)) == 0
    assert apply(step("flip", axis="horizontal"), corner).getpixel((29, 0)) == 0
    assert apply(step("mirror"), corner).getpixel((29, 0)) == 0


def test_a_crop_takes_exactly_its_pixels(picture):
    cut = apply(step("crop", left=10, top=20, width=30, height=40), picture)
    assert cut.size == (30, 40) and cut.getpixel((0, 0)) == picture.getpixel((10, 20))
    assert apply(step("crop", left=3), picture).size == (200, 151)


def test_a_crop_in_percent_leaves_no_gap_between_neighbours(picture):
    widths = [apply(step("crop", left=10 * tenth, width=10, unit="percent"), picture).width for tenth in range(10)]
    assert sum(widths) == picture.width and set(widths) == {20, 21}


@pytest.mark.parametrize("mode", MODES)
def test_an_erased_rectangle_has_its_fill_and_the_rest_is_untouched(picture, mode):
    image = in_mode(picture, mode)
    erased = apply(step("erase", left=20, top=30, width=50, height=40), image)
    assert erased.crop((20, 30, 70, 70)).get_flattened_data() == (WHITE[mode],) * 2000
    erased.paste(image.crop((20, 30, 70, 70)), (20, 30))
    assert erased.tobytes() == image.tobytes()


@pytest.mark.parametrize("name", ["crop", "erase"])
@pytest.mark.parametrize(
    "values",
    [
        {"left": -1},
        {"width": 204},
        {"left": 203},
        {"top": 1.5},
        {"height": 0},
        {"left": "a"},
        {"left": True},
        {"top": float("nan")},
        {"left": 50, "width": 50.5, "unit": "percent"},
        {"left": 101, "unit": "percent"},
        {"unit": "mm"},
    ],
)
def test_a_rectangle_beyond_the_page_is_refused(picture, name, values):
    with pytest.raises(BadArguments) as caught:
        apply(step(name, **values), picture)
    assert caught.value.hint
    with pytest.raises(BadArguments):
        size_after([step(name, **values)], *picture.size, 300)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "best"])
def test_a_resized_page_is_the_same_picture(mode, interpolation):
    page = Image.new(mode, (120, 80), WHITE[mode])
    page.paste(BLACK[mode], (0, 0, 60, 80))
    for width in (31, 240):
        small = apply(step("resize", width=width, interpolation=interpolation), page)
        assert (small.mode, small.size) == (mode, (width, round(width * 2 / 3)))
        assert small.getpixel((width // 4, 10)) == BLACK[mode] and small.getpixel((width * 3 // 4, 10)) == WHITE[mode]


def test_a_side_that_is_not_given_keeps_the_shape(picture):
    assert apply(step("resize", width=406), picture).size == (406, 302)
    assert apply(step("resize", height=302), picture).size == (406, 302)
    assert apply(step("resize", width=5, height=7), picture).size == (5, 7)
    assert apply(step("resize"), picture) is picture
    assert apply(step("resize", width=1), Image.new("L", (1000, 3))).size == (1, 1)


def test_the_stated_resolution_changes_no_pixel(picture):
    image, dpi = apply_all([step("dpi", dpi=150)], picture, 300)
    assert dpi == 150 and image.tobytes() == picture.tobytes()
    assert apply_all([], picture, 72.5) == (picture, 72.5)


@pytest.mark.parametrize("mode", MODES)
def test_depths_have_their_modes(picture, mode):
    image = in_mode(picture, mode)
    for bits, expected in ((1, "1"), (8, "L"), (24, "RGB")):
        assert apply(step("depth", bits=bits), image).mode == expected
    high = apply(step("depth", bits=8), Image.new("I;16", (2, 2), 0x8012))
    assert high.getpixel((0, 0)) == 0x80


def test_gray_keeps_gray_and_sixteen_bits(picture):
    assert apply(step("gray"), picture).mode == "L"
    deep = Image.new("I;16", (3, 3), 40_000)
    assert apply(step("gray"), deep).getpixel((1, 1)) == 40_000


def test_inverted_tones_are_the_rest_to_white():
    assert apply(step("invert"), Image.new("RGB", (1, 1), (1, 2, 253))).getpixel((0, 0)) == (254, 253, 2)
    assert apply(step("invert"), Image.new("I;16", (1, 1), 535)).getpixel((0, 0)) == 65_000
    assert apply(step("invert"), Image.new("1", (1, 1), 0)).getpixel((0, 0)) == 255


@pytest.mark.parametrize(
    ("name", "percent", "tones"),
    [
        ("brightness", 20, [51, 179, 255]),
        ("brightness", -20, [0, 77, 204]),
        ("brightness", 100, [255, 255, 255]),
        ("brightness", -100, [0, 0, 0]),
        ("brightness", 0, [0, 128, 255]),
        ("contrast", 0, [0, 128, 255]),
        ("contrast", -50, [64, 128, 191]),
        ("contrast", -100, [128, 128, 128]),
        ("contrast", 100, [0, 255, 255]),
    ],
)
def test_brightness_and_contrast_move_tones_along_a_line(name, percent, tones):
    for mode, scale in (("L", 1), ("I;16", 257)):
        moved = [
            apply(step(name, percent=percent), Image.new(mode, (1, 1), level * scale)).getpixel((0, 0)) / scale
            for level in (0, 128, 255)
        ]
        assert moved == pytest.approx(tones, abs=0.51)
    colour = apply(step(name, percent=percent), Image.new("RGB", (1, 1), (0, 128, 255))).getpixel((0, 0))
    assert colour == pytest.approx(tones, abs=0.51)


def test_a_bitonal_page_has_no_brightness(letter):
    assert apply(step("brightness", percent=90), letter).tobytes() == letter.tobytes()
    assert apply(step("contrast", percent=-100), letter).tobytes() == letter.tobytes()


def test_a_given_level_is_the_first_white():
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    cut = apply(step("threshold", level=100), ramp)
    assert cut.mode == "1" and [cut.getpixel((x, 0)) for x in (99, 100)] == [0, 255]


def test_the_threshold_finds_ink_on_dark_paper():
    page = Image.new("RGB", (200, 100), (120, 110, 90))
    ImageDraw.Draw(page).rectangle((10, 10, 60, 40), fill=(50, 40, 40))
    cut = apply(step("threshold"), page)
    assert cut.histogram()[0] == 51 * 31 and cut.getpixel((20, 20)) == 0


def test_sixteen_bit_gray_is_parted_by_its_high_bytes():
    page = Image.new("I;16", (20, 10), 60_000)
    page.paste(9_000, (0, 0, 5, 10))
    assert apply(step("threshold"), page).histogram()[0] == 50


@pytest.mark.parametrize(("tone", "expected"), [(238, 255), (12, 0)])
def test_a_blank_page_with_noise_stays_blank(tone, expected):
    noise = Image.effect_noise((200, 200), 6).point([max(0, min(255, level - 128 + tone)) for level in range(256)])
    assert set(apply(step("threshold"), noise).convert("L").tobytes()) == {expected}


def test_otsu_parts_two_peaks_between_them():
    histogram = [0] * 256
    histogram[30], histogram[31], histogram[200] = 500, 300, 9_000
    assert 31 < otsu(histogram) <= 200
    assert otsu([0] * 256) == 128


@pytest.mark.parametrize("degrees", [-4.0, 2.5])
@pytest.mark.parametrize("mode", MODES)
def test_a_leaning_page_is_straightened_and_keeps_its_size(lines, mode, degrees):
    leaning = apply(step("rotate", degrees=degrees, expand=False), in_mode(lines, mode))
    straight = apply(step("deskew"), leaning)
    assert (straight.mode, straight.size) == (mode, leaning.size)
    assert abs(skew(leaning)) > 2 and abs(skew(straight)) <= 0.1


def test_a_straight_page_is_not_touched(lines):
    assert apply(step("deskew"), lines) is lines
    leaning = apply(step("rotate", degrees=1, expand=False), lines)
    assert apply(step("deskew", least=1.5), leaning) is leaning


@pytest.mark.parametrize(
    ("bad", "allowed"),
    [
        (step("polish"), "threshold"),
        (step("rotate", degrees=361), "-360 to 360"),
        (step("rotate", degrees=float("inf")), "-360 to 360"),
        (step("rotate", degrees=True), "number"),
        (step("rotate", degrees="90"), "number"),
        (step("rotate", angle=90), "degrees"),
        (step("rotate", expand=1), "true or false"),
        (step("rotate", fill="red"), "#ffffff"),
        (step("rotate", fill="#fff"), "#ffffff"),
        (step("rotate", interpolation="cubic"), "nearest, bilinear, bicubic or best"),
        (step("flip", axis="diagonal"), "vertical"),
        (step("threshold", level="otsu"), "auto or a whole number from 1 to 255"),
        (step("threshold", level=0), "255"),
        (step("threshold", level=2.5), "whole"),
        (step("gray", level=1), "none"),
        (step("depth", bits=16), "1, 8 or 24"),
        (step("depth"), "1, 8 or 24"),
        (step("dpi"), "10 to 20000"),
        (step("dpi", dpi=0), "10 to 20000"),
        (step("brightness", percent=101), "-100 to 100"),
        (step("resize", width=0), "1 to"),
        (step("crop", left=[1]), "number"),
    ],
)
def test_what_does_not_exist_lists_what_does(picture, bad, allowed):
    for refuse in (check, lambda bad: apply(bad, picture), lambda bad: size_after([bad], 10, 10, 300)):
        with pytest.raises(BadArguments) as caught:
            refuse(bad)
        assert allowed in caught.value.hint


def test_a_page_larger_than_any_page_is_refused_before_it_is_made(picture):
    for bad in (step("resize", width=30_000), step("resize", height=1_000_000)):
        with pytest.raises(TooLarge):
            apply(bad, picture)
        with pytest.raises(TooLarge):
            size_after([bad], *picture.size, 300)


def test_every_step_leaves_its_input_alone(picture):
    before = picture.tobytes()
    for name in KINDS:
        apply(step(name, **NEEDED.get(name, {})), picture)
    assert picture.tobytes() == before


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "CMYK", "I;16B"])
def test_other_modes_become_plain_ones(picture, mode):
    image = in_mode(picture, "I;16").convert("I").convert(mode) if mode == "I;16B" else picture.convert(mode)
    for name in KINDS:
        assert apply(step(name, **NEEDED.get(name, {})), image).mode in MODES


@pytest.mark.parametrize("size", [(1, 1), (3, 1), (1, 500)])
@pytest.mark.parametrize("mode", MODES)
def test_tiny_pages_take_every_step(size, mode):
    page = Image.new(mode, size)
    for name in KINDS:
        made = apply(step(name, **NEEDED.get(name, {})), page)
        assert (*made.size, 300) == (*size_after([step(name, **NEEDED.get(name, {}))], *size, 300)[:2], 300)
    assert min(apply(step("rotate", degrees=33), page).size) >= 1


EVERY_DEGREE = some.floats(-360, 360) | some.sampled_from([-270.0, -90.0, 90.0, 180.0, 45.0, 1e-9])
SIZING = some.one_of(
    some.builds(lambda degrees, expand: step("rotate", degrees=degrees, expand=expand), EVERY_DEGREE, some.booleans()),
    some.builds(
        lambda left, top: step("crop", left=left, top=top, unit="percent"), some.floats(0, 60), some.floats(0, 60)
    ),
    some.builds(lambda width: step("resize", width=width), some.integers(1, 90)),
    some.builds(lambda width, height: step("resize", width=width, height=height), *[some.integers(1, 90)] * 2),
    some.sampled_from([step("flip"), step("mirror"), step("dpi", dpi=96), step("depth", bits=1), step("deskew")]),
)


@given(steps=some.lists(SIZING, max_size=4), width=some.integers(1, 60), height=some.integers(1, 60))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_size_is_known_without_the_pixels(steps, width, height):
    try:
        foreseen = size_after(steps, width, height, 300)
    except BadArguments:
        with pytest.raises(BadArguments):
            apply_all(steps, Image.new("L", (width, height)), 300)
        return
    image, dpi = apply_all(steps, Image.new("L", (width, height)), 300)
    assert foreseen == (*image.size, dpi)


def test_without_its_last_step_a_page_is_as_before_it(picture):
    steps = [step("rotate", degrees=12), step("crop", left=5), step("contrast", percent=30), step("mirror")]
    states = [apply_all(steps[:count], picture, 300)[0].tobytes() for count in range(len(steps) + 1)]
    image = picture
    for number, one in enumerate(steps):
        assert image.tobytes() == states[number]
        image = apply(one, image)
    assert image.tobytes() == states[-1] and len(set(states)) == len(states)


def test_the_table_and_the_code_know_the_same_steps():
    assert KINDS.keys() == EDITS.keys()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_value_says_what_it_is_and_accepts_its_own_default(kind):
    assert kind.meaning.endswith(".")
    for value in kind.values:
        assert value.meaning.endswith(".") and value.allowed
        assert value.default is None or (value.accepts(value.default) and not value.required)
        assert (value.minimum is None) == (value.type not in (Type.NUMBER, Type.INTEGER))
        assert all(value.accepts(choice) for choice in value.choices)


def test_the_schema_takes_what_the_check_takes():
    validator = jsonschema_rs.Draft202012Validator(json.loads(json.dumps(schema())))
    for values, good in (({"degrees": 12.5, "fill": "paper"}, True), ({"degrees": 400}, False), ({"x": 1}, False)):
        assert validator.is_valid({"name": "rotate", "values": values}) is good
    assert validator.is_valid({"name": "gray"}) and not validator.is_valid({"name": "depth"})
    assert validator.is_valid({"name": "threshold", "values": {"level": "auto"}})
