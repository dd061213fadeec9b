"""A sheet in a camera's picture: its four corners, and the steps that make it a page seen from straight above.

The sheet is what is lighter, or of less colour, than what it lies on, and has four sides. A camera does not know how
large things are: a sheet with the proportions of A4 or letter is taken for one, any other keeps the picture's dpi.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image

from dwtsvc.imaging.arrays import Array, array_of, smaller, square
from dwtsvc.imaging.pixels import plain, to_8bit
from dwtsvc.model import MM_PER_INCH, Step

LONG_SIDE = 1000  # pixels of the reduced copy
LEAST = 0.08  # of the picture that a sheet takes
MOST = 0.98  # more is the picture itself
FULL = 0.93  # of its four-sided shape that a sheet fills, and as little may be outside
CLOSING, OPENING = 15, 9  # pixels of the reduced copy: print is joined to its sheet, cables and pens are cut off
SIDE_MIDDLE = 0.8  # of a side that its line is laid through: corners are bent and rounded
EDGE = 3.0  # pixels of the reduced copy around a side that belong to it
INSIDE = 1.0  # pixel of the reduced copy by which a sheet is taken smaller
PAPERS_MM = ((210.0, 297.0), (215.9, 279.4))
ALIKE = 0.06  # by which a sheet's proportions may differ from those of a paper: the camera looks at it askew

Corner = tuple[float, float]


def find(image: Image.Image, dpi: float) -> list[list[Step]]:
    """A list with the steps that lead to the sheet; an empty list of steps where none is seen."""
    corners = corners_of_sheet(image)
    if corners is None:
        return [[]]
    names = [f"{axis}{number}" for number in range(1, 5) for axis in "xy"]
    places = dict(zip(names, (round(place, 1) for corner in corners for place in corner), strict=True))
    width, height, made_dpi = _size(corners, dpi)
    size = {"width": width, "height": height}
    return [[Step(name="extract", values={**places, **size}), Step(name="resize", values={**size, "dpi": made_dpi})]]


def corners_of_sheet(image: Image.Image) -> tuple[Corner, ...] | None:
    """The corners of the largest sheet, clockwise from the top left one; None where none is seen."""
    pixels = array_of(to_8bit(plain(image)))
    factor = max(1, round(max(image.size) / LONG_SIDE))
    small = smaller(pixels, factor)
    if min(small.shape[:2]) <= 4 * CLOSING:
        return None
    shapes = [shape for mask in _masks(small) for shape in _shapes(mask)]
    if not shapes:
        return None
    best = max(shapes, key=cv2.contourArea)
    return tuple((float(x + 0.5) * factor, float(y + 0.5) * factor) for x, y in _clockwise(_shrunk(best)))


def _masks(pixels: Array) -> Iterator[Array]:
    """255 where a sheet may be: where it is light, or light and without colour, for a sheet on a light desk of wood."""
    gray = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    tones = [gray]
    if pixels.ndim == 3:
        spread = pixels.max(axis=2) - pixels.min(axis=2)
        tones.append(cv2.subtract(gray, spread))
    for tone in tones:
        soft = cv2.GaussianBlur(tone, (5, 5), 0)
        _, mask = cv2.threshold(soft, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, square(CLOSING))
        yield cv2.morphologyEx(mask, cv2.MORPH_OPEN, square(OPENING))


def _shapes(mask: Array) -> Iterator[Array]:
    """The four-sided shapes in a mask that may be sheets, as four points each."""
    whole = mask.shape[0] * mask.shape[1]
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for outline in outlines:
        hull = cv2.convexHull(outline)
        corners = _four(hull)
        if corners is None or not LEAST * whole <= cv2.contourArea(corners) <= MOST * whole:
            continue
        if FULL <= cv2.contourArea(outline) / cv2.contourArea(corners) <= 1 / FULL:
            yield _fitted(corners, outline.reshape(-1, 2).astype(np.float32))


def _four(hull: Array) -> Array | None:
    """The hull by four points, as coarse as it takes."""
    around = cv2.arcLength(hull, True)
    for share in (0.01, 0.02, 0.03, 0.05):
        points = cv2.approxPolyDP(hull, share * around, True)
        if len(points) == 4:
            return points.reshape(4, 2).astype(np.float32)
    return None


def _fitted(corners: Array, outline: Array) -> Array:
    """The corners where the lines meet that lie through the middles of the sides; as they were where that fails."""
    lines = [_side(outline, corners[number], corners[(number + 1) % 4]) for number in range(4)]
    met = [_meeting(lines[number - 1], lines[number]) for number in range(4)]
    good = all(
        meeting is not None and math.dist(meeting, corner) <= 4 * CLOSING
        for meeting, corner in zip(met, corners, strict=True)
    )
    return np.array(met, np.float32) if good else corners


def _side(outline: Array, start: Array, end: Array) -> Array:
    """A point and a direction, through the points of the outline between two corners."""
    along = (end - start) / max(1.0, float(np.linalg.norm(end - start)))
    place = (outline - start) @ along
    across = np.abs((outline - start) @ np.array([-along[1], along[0]], np.float32))
    length = float(np.linalg.norm(end - start))
    margin = (1 - SIDE_MIDDLE) / 2 * length
    near = outline[(across <= 4 * EDGE) & (place >= margin) & (place <= length - margin)]
    if len(near) < 10:
        return np.array([*start, *along], np.float32)
    vx, vy, x, y = cv2.fitLine(near, cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
    return np.array([x, y, vx, vy], np.float32)


def _meeting(one: Array, other: Array) -> Corner | None:
    (x, y, dx, dy), (u, v, du, dv) = (line.astype(float) for line in (one, other))
    cross = dx * dv - dy * du
    if abs(cross) < 0.1:
        return None
    share = ((u - x) * dv - (v - y) * du) / cross
    return x + share * dx, y + share * dy


def _shrunk(corners: Array) -> Array:
    """The corners a little nearer to the middle, so that nothing of the desk is left."""
    middle = corners.mean(axis=0)
    away = corners - middle
    shrunk: Array = middle + away * (1 - INSIDE / np.maximum(1.0, np.linalg.norm(away, axis=1, keepdims=True) / 1.4142))
    return shrunk


def _clockwise(corners: Array) -> list[Array]:
    """From the corner that is nearest to the top left one of the picture."""
    middle = corners.mean(axis=0)
    around = sorted(corners, key=lambda corner: math.atan2(corner[1] - middle[1], corner[0] - middle[0]))
    first = min(range(4), key=lambda number: float(around[number].sum()))
    return around[first:] + around[:first]


def _size(corners: tuple[Corner, ...], dpi: float) -> tuple[int, int, float]:
    """Width and height in pixels, with the proportions of a paper where they are nearly those, and the dpi then."""
    top_left, top_right, bottom_right, bottom_left = corners
    width = max(math.dist(top_left, top_right), math.dist(bottom_left, bottom_right))
    height = max(math.dist(top_left, bottom_left), math.dist(top_right, bottom_right))
    long, short = max(width, height), min(width, height)
    paper = min(PAPERS_MM, key=lambda sides: abs(sides[1] / sides[0] - long / short))
    if abs(paper[1] / paper[0] - long / short) > ALIKE * paper[1] / paper[0]:
        return round(width), round(height), dpi
    made = long / paper[1] * MM_PER_INCH
    sides = (paper[0], paper[1]) if height >= width else (paper[1], paper[0])
    return round(sides[0] / MM_PER_INCH * made), round(sides[1] / MM_PER_INCH * made), round(made, 2)
