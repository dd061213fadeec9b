"""What lies on the glass: pages, photos, receipts, each with its four corners, told from the lid behind by its tone.

The lid is looked for along the rim of the scan, and everything that differs from it and fills a rectangle is a sheet.
Paper of exactly the lid's tone is not found; nor are two sheets parted that touch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from dwtsvc.imaging.arrays import Array, above, array_of, smaller, square
from dwtsvc.imaging.pixels import plain, to_8bit
from dwtsvc.model import MM_PER_INCH, Step

LONG_SIDE = 1000  # pixels of the reduced copy: A4 at 85 dpi
RIM = 4  # pixels of it: what is looked at to find the lid
LEAST_APART = 6.0  # levels between lid and paper; a difference of less is the lamp's
GRAIN = 4.0  # times the deviation of the lid's own tones
CLOSING_MM, OPENING_MM = 2.0, 2.5  # print and cracks in a sheet; hairs, streaks and the shadow of the lid
SMALLEST_MM = 15.0  # the shorter side of a sheet: a stamp
FULL = 0.85  # of its rectangle a sheet fills; a receipt that curls fills less than a photo
SOLID = 0.55  # of its rectangle differs from the lid by itself, before print is joined: a text on the lid is no sheet
WHOLE = 0.985  # of the scan: a sheet that covers it all is the scan
STRAIGHT = 0.05  # degrees: less is a crop along pixels
INSIDE = 2.0  # pixels of the reduced copy by which a sheet is taken smaller, so that nothing of the lid is left

Corner = tuple[float, float]
Corners = tuple[Corner, Corner, Corner, Corner]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Corners in pixels, clockwise from the top left one; `angle` in degrees, clockwise positive, from -45 to 45."""

    corners: Corners
    angle: float
    width: float
    height: float

    def step(self, width: int, height: int) -> Step:
        """The step that takes the sheet from a page of that size: a crop if it lies straight, else an extract."""
        if abs(self.angle) >= STRAIGHT:
            names = [f"{axis}{number}" for number in range(1, 5) for axis in "xy"]
            places = [round(place, 1) for corner in self.corners for place in corner]
            return Step(name="extract", values=dict(zip(names, places, strict=True)))
        left, top = (max(0, math.floor(min(corner[axis] for corner in self.corners))) for axis in (0, 1))
        right = min(width, math.ceil(max(x for x, _ in self.corners)))
        bottom = min(height, math.ceil(max(y for _, y in self.corners)))
        return Step(name="crop", values={"left": left, "top": top, "width": right - left, "height": bottom - top})


def sheets(image: Image.Image, dpi: float) -> list[Sheet]:
    """All sheets on the glass in reading order; none where the lid is not seen. `dpi` 0 takes the scan for an A4."""
    pixels = array_of(to_8bit(plain(image)))
    factor = max(1, round(max(image.size) / LONG_SIDE))
    small = smaller(pixels, factor)
    if min(small.shape[:2]) <= 4 * RIM:
        return []
    per_mm = dpi / MM_PER_INCH / factor if dpi else max(small.shape) / 297
    small = small.reshape(*small.shape[:2], -1)
    found = max((_found(small, lid, per_mm) for lid in _lids(small)), key=_area, default=[])
    return _in_reading_order([_sheet(box, factor) for box in found])


def paper(image: Image.Image, dpi: float) -> Sheet | None:
    """The largest sheet on the glass, or None."""
    return max(sheets(image, dpi), key=lambda sheet: sheet.width * sheet.height, default=None)


_Box = tuple[tuple[float, float], tuple[float, float], float]  # OpenCV's: middle, size, angle


def _area(found: list[_Box]) -> float:
    return sum(size[0] * size[1] for _, size, _ in found)


def _lids(pixels: Array) -> Iterator[tuple[Array, Array]]:
    """Tone and grain, by channel, of the lid as each side of the rim may show it; the same lid only once."""
    seen: list[Array] = []
    for rim in (pixels[:RIM], pixels[-RIM:], pixels[:, :RIM], pixels[:, -RIM:]):
        tones = rim.reshape(-1, rim.shape[2]).astype(np.float32)
        for part in (tones, *np.array_split(tones, 3)):
            tone = np.median(part, axis=0)
            grain = 1.4826 * np.median(np.abs(part - tone), axis=0)
            if all(np.abs(tone - other).max() > LEAST_APART for other in seen):
                seen.append(tone)
                yield tone, grain


def _found(pixels: Array, lid: tuple[Array, Array], per_mm: float) -> list[_Box]:
    """The rectangles that differ from a lid; none if they are the whole scan."""
    tone, grain = lid
    apart = (np.abs(pixels - tone) - np.maximum(LEAST_APART, GRAIN * grain)).max(axis=2)
    differs = above(apart.astype(np.float32), 0).astype(np.uint8)
    joined = cv2.morphologyEx(differs, cv2.MORPH_CLOSE, square(_odd(CLOSING_MM * per_mm)))
    joined = cv2.morphologyEx(joined, cv2.MORPH_OPEN, square(_odd(OPENING_MM * per_mm)))
    outlines, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    boxes = [box for outline in outlines if (box := _rectangle(outline, differs, per_mm))]
    whole = pixels.shape[0] * pixels.shape[1]
    return boxes if _area(boxes) < WHOLE * whole else []


def _odd(length: float) -> int:
    return round(length) // 2 * 2 + 1


def _rectangle(outline: Array, differs: Array, per_mm: float) -> _Box | None:
    """The rectangle round an outline if it is large enough and filled."""
    (x, y), (width, height), angle = cv2.minAreaRect(outline)
    if min(width, height) + 1 < SMALLEST_MM * per_mm or cv2.contourArea(outline) < FULL * width * height:
        return None
    mask = np.zeros_like(differs)
    cv2.drawContours(mask, [outline], 0, (255,), cv2.FILLED)
    share = cv2.countNonZero(cv2.bitwise_and(mask, differs)) / max(1, cv2.countNonZero(mask))
    if share < SOLID:
        return None
    return (x, y), (width + 1, height + 1), angle  # the outline runs through the middles of its pixels


def _sheet(box: _Box, factor: int) -> Sheet:
    (x, y), (width, height), angle = box
    while angle > 45:
        width, height, angle = height, width, angle - 90
    while angle <= -45:
        width, height, angle = height, width, angle + 90
    x, y = (x + 0.5) * factor, (y + 0.5) * factor
    width, height = (max(1.0, (side - 2 * INSIDE) * factor) for side in (width, height))
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    across, down = (cosine * width / 2, sine * width / 2), (-sine * height / 2, cosine * height / 2)
    top_left, top_right, bottom_right, bottom_left = (
        (x + a * across[0] + d * down[0], y + a * across[1] + d * down[1])
        for a, d in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    )
    corners = top_left, top_right, bottom_right, bottom_left
    return Sheet(corners=corners, angle=round(angle, 2), width=width, height=height)


def _in_reading_order(found: list[Sheet]) -> list[Sheet]:
    """Rows from the top, each from the left; a row is what begins above the middle of its first sheet."""
    left = sorted(found, key=lambda sheet: _top(sheet))
    ordered: list[Sheet] = []
    while left:
        middle = _top(left[0]) + left[0].height / 2
        row = [sheet for sheet in left if _top(sheet) < middle]
        ordered += sorted(row, key=lambda sheet: sheet.corners[0][0])
        left = left[len(row) :]
    return ordered


def _top(sheet: Sheet) -> float:
    return min(y for _, y in sheet.corners)
