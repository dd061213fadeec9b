"""A sheet in a camera's picture: its corners are found to a few pixels, and it becomes a page as if scanned."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from dwtsvc.imaging import document, edit

Corners = tuple[tuple[float, float], ...]
A4 = (1240, 1754)


def sheet(size: tuple[int, int] = A4) -> Image.Image:
    """A page of bars like lines of text, with a mark in its top left corner and another in its bottom right one."""
    page = Image.new("RGB", size, (250, 250, 246))
    pen, dice = ImageDraw.Draw(page), Random(4)
    for top in range(200, size[1] - 200, 45):
        pen.rectangle((120, top, dice.randint(400, size[0] - 120), top + 18), fill=(40, 40, 45))
    pen.rectangle((30, 30, 90, 90), fill=(220, 0, 0))
    pen.rectangle((size[0] - 90, size[1] - 90, size[0] - 30, size[1] - 30), fill=(0, 0, 220))
    return page


def photo(page: Image.Image, corners: Corners, *, desk: tuple[int, int, int], size: tuple[int, int]) -> Image.Image:
    """The page lying on a desk with its corners at these places, seen by a camera that is neither sharp nor quiet."""
    import cv2

    edges = [(0, 0), (page.width, 0), (page.width, page.height), (0, page.height)]
    map_ = cv2.getPerspectiveTransform(np.array(edges, np.float32), np.array(corners, np.float32))
    pixels = np.full((size[1], size[0], 3), desk, np.uint8)
    cv2.warpPerspective(np.asarray(page), map_, size, dst=pixels, borderMode=cv2.BORDER_TRANSPARENT)
    light = np.linspace(1.0, 0.75, size[0])[None, :, None]
    noise = np.random.default_rng(7).normal(0, 4, pixels.shape)
    seen = Image.fromarray(np.clip(pixels * light + noise, 0, 255).astype(np.uint8))
    return seen.filter(ImageFilter.GaussianBlur(1))


VIEWS: dict[str, Corners] = {
    "straight": ((500, 150), (1240, 150), (1240, 1197), (500, 1197)),
    "turned": ((560, 100), (1290, 220), (1120, 1250), (390, 1130)),
    "from below": ((620, 180), (1180, 180), (1380, 1180), (420, 1180)),
    "from the side": ((480, 120), (1250, 240), (1230, 1080), (500, 1260)),
}
DESKS = {"wood": (120, 85, 55), "black": (25, 25, 28), "blue": (60, 90, 140)}


@pytest.mark.parametrize("desk", DESKS)
@pytest.mark.parametrize("view", VIEWS)
def test_the_corners_are_found_within_some_pixels(view: str, desk: str) -> None:
    seen = photo(sheet(), VIEWS[view], desk=DESKS[desk], size=(1800, 1350))
    found = document.corners_of_sheet(seen)
    assert found is not None
    assert max(math.dist(one, other) for one, other in zip(found, VIEWS[view], strict=True)) <= 6


@pytest.mark.parametrize("view", VIEWS)
def test_a_sheet_becomes_an_upright_page_with_all_that_is_on_it(view: str) -> None:
    seen = photo(sheet(), VIEWS[view], desk=DESKS["wood"], size=(1800, 1350))
    (steps,) = document.find(seen, 92)
    page, dpi = edit.apply_all(steps, seen, 92)
    small = page.resize((210, 297))
    red, blue = small.getpixel((10, 10)), small.getpixel((199, 286))
    assert red[0] > 120 and max(red[1:]) < 90  # type: ignore[index]
    assert blue[2] > 90 and max(blue[:2]) < 80  # type: ignore[index]
    assert min(min(small.getpixel(at)) for at in ((2, 150), (207, 150), (105, 2), (105, 294))) > 140  # type: ignore[type-var]
    if view in ("straight", "turned"):
        assert (page.width / dpi * 25.4, page.height / dpi * 25.4) == pytest.approx((210, 297), abs=1)


def test_a_sheet_across_stays_across_and_another_shape_keeps_the_resolution() -> None:
    across = photo(sheet((1754, 1240)), ((200, 200), (1400, 200), (1400, 1048), (200, 1048)), desk=(40, 40, 40),
                   size=(1800, 1350))  # fmt: skip
    (steps,) = document.find(across, 92)
    page, dpi = edit.apply_all(steps, across, 92)
    assert (page.width / dpi * 25.4, page.height / dpi * 25.4) == pytest.approx((297, 210), abs=1)
    receipt = photo(sheet((600, 1754)), ((700, 100), (1000, 100), (1000, 977), (700, 977)), desk=(40, 40, 40),
                    size=(1800, 1350))  # fmt: skip
    (steps,) = document.find(receipt, 92)
    page, dpi = edit.apply_all(steps, receipt, 92)
    assert dpi == 92
    assert page.height / page.width == pytest.approx(877 / 300, rel=0.02)


def test_what_holds_no_sheet_is_left_as_it_is() -> None:
    noise = np.random.default_rng(1).normal(120, 20, (900, 1200, 3))
    room = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
    for image in (room, Image.new("RGB", (800, 600), "white"), Image.new("L", (40, 30), 0), Image.new("1", (9, 9), 1)):
        assert document.find(image, 92) == [[]]


def test_a_lamp_that_is_round_is_no_sheet() -> None:
    image = Image.new("RGB", (1200, 900), (50, 45, 40))
    ImageDraw.Draw(image).ellipse((350, 200, 900, 750), fill="white")
    assert document.corners_of_sheet(image) is None
