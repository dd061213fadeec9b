"""Steps do what their names say and nothing is lost on the way."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.edit import STEPS, apply, otsu
from dwtsvc.model import Step


def step(name: str, **values) -> Step:
    return Step(name=name, values=values)


@pytest.fixture
def corner() -> Image.Image:
    """A wide page whose top left corner is black."""
    image = Image.new("L", (30, 20), 255)
    image.paste(0, (0, 0, 5, 5))
    return image


@pytest.mark.parametrize(
    ("degrees", "size", "black"),
    [(0, (30, 20), (0, 0)), (90, (20, 30), (19, 0)), (180, (30, 20), (29, 19)), (270, (20, 30), (0, 29))],
)
def test_rotation_is_clockwise(corner, degrees, size, black):
    turned = apply(step("rotate", degrees=degrees), corner)
    assert turned.size == size and turned.getpixel(black) == 0
    assert sum(turned.histogram()[:1]) == 25


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "RGB"])
def test_four_quarter_turns_lose_nothing(picture, mode):
    image = picture.convert("I").convert("I;16") if mode == "I;16" else picture.convert(mode)
    turned = image
    for _ in range(4):
        turned = apply(step("rotate", degrees=90.0), turned)
    assert turned.mode == mode and turned.tobytes() == image.tobytes()


def test_flips_mirror_along_their_axis(corner):
    assert apply(step("flip"), corner).getpixel((29, 0)) == 0
    assert apply(step("flip", axis="vertical"), corner).getpixel((0, 19)) == 0


def test_a_crop_takes_exactly_its_pixels(picture):
    cut = apply(step("crop", left=10, top=20, width=30, height=40), picture)
    assert cut.size == (30, 40) and cut.getpixel((0, 0)) == picture.getpixel((10, 20))
    assert apply(step("crop", left=3), picture).size == (200, 151)


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
    ],
)
def test_a_crop_beyond_the_page_is_refused(picture, values):
    with pytest.raises(BadArguments):
        apply(step("crop", **values), picture)


def test_gray_keeps_gray_and_sixteen_bits(picture):
    assert apply(step("gray"), picture).mode == "L"
    deep = Image.new("I;16", (3, 3), 40_000)
    assert apply(step("gray"), deep).getpixel((1, 1)) == 40_000


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


@pytest.mark.parametrize(
    ("bad", "allowed"),
    [
        (step("sharpen"), "threshold"),
        (step("rotate", degrees=45), "270"),
        (step("rotate", degrees=True), "270"),
        (step("rotate", angle=90), "degrees"),
        (step("flip", axis="diagonal"), "vertical"),
        (step("threshold", level="otsu"), "255"),
        (step("threshold", level=0), "255"),
        (step("gray", level=1), "none"),
    ],
)
def test_what_does_not_exist_lists_what_does(picture, bad, allowed):
    with pytest.raises(BadArguments) as caught:
        apply(bad, picture)
    assert allowed in caught.value.hint


def test_every_step_leaves_its_input_alone(picture):
    before = picture.tobytes()
    for name in STEPS:
        apply(step(name), picture)
    assert picture.tobytes() == before
