"""What is dark at the edges of a page and not on it: the lid, shadows, punch holes; filled with the paper's colour."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from dwtsvc.imaging.arrays import Array, above, gray_of, image_of, square
from dwtsvc.imaging.geometry import Box, colour
from dwtsvc.imaging.holes import HOLE_MM, punched
from dwtsvc.imaging.ink import DARK_PAGE, ink_of
from dwtsvc.imaging.marks import Mark, marks_of
from dwtsvc.imaging.paper import level_of
from dwtsvc.imaging.pixels import to_8bit
from dwtsvc.imaging.steps import Values

REACH_SHARE = 1 / 25  # of the long side: 12 mm of A4
DARK = 0.75  # of the paper's level: a lid, and the shadow of the paper on it
RIM = 5  # pixels: the soft rim that optics gave the dark
LONG_SIDE = 1800  # pixels of the reduced copy in which holes are looked for: A4 at 150 dpi
LONG_SIDE_MM = 297.0
MOST_RUNS, MOST_MARKS = 60_000, 400  # more is a picture; looking for twins takes time with the square of the marks
REACH_OF_HOLES = 4  # times the widest hole: no punch reaches farther in
DISC = 0.8  # of its circle a disc fills
ARC, ARC_SHARE = 0.7, 0.9  # of the radius: so far out lies so much of a shadow round a hole
RING_MM = 0.7  # of shadow around a hole


def edges(image: Image.Image, values: Values) -> Image.Image:
    """Fills what is dark and hangs on an edge, as far in as `reach` pixels."""
    reach = int(values["reach"]) if "reach" in values else reach_of(image)
    dark = dark_edges(image, reach)
    if dark is None:
        return image
    filled = image.copy()
    filled.paste(colour(image, values["fill"]), (0, 0, *image.size), image_of(dark))
    return filled


def reach_of(image: Image.Image) -> int:
    """How far in dark edges are looked for if nothing is said, in pixels."""
    return max(1, round(max(image.size) * REACH_SHARE))


def dark_edges(image: Image.Image, reach: int) -> Array | None:
    """255 where a plain image is dark from an edge on, else 0; None where it is not, or is dark all over."""
    tones = gray_of(image)
    paper = level_of(Image.fromarray(tones))
    dark = cv2.bitwise_not(above(tones, int(paper * DARK)))
    if paper < DARK_PAGE or not _frame(dark).any():
        return None
    return cv2.dilate(hanging(dark, reach), square(RIM))


def hanging(mask: Array, reach: int) -> Array:
    """Of a mask of 255 and 0, what hangs together with an edge and is at most `reach` pixels in."""
    height, width = mask.shape
    rim = mask.copy()
    if width > 2 * reach and height > 2 * reach:
        rim[reach : height - reach, reach : width - reach] = 0
    count, labels = cv2.connectedComponents(rim, connectivity=4, ltype=cv2.CV_32S)
    hangs = np.zeros(count, np.uint8)
    hangs[_frame(labels)] = 255
    hangs[0] = 0
    chosen: Array = hangs[labels]
    return chosen


def _frame(array: Array) -> Array:
    """The pixels along the four edges."""
    return np.concatenate((array[0], array[-1], array[:, 0], array[:, -1]))


def holes(image: Image.Image, values: Values) -> Image.Image:
    """Fills punch holes that are at most `size` pixels wide."""
    found = holes_on(image, int(values["size"]) if "size" in values else None)
    if not found:
        return image
    fill = colour(image, values["fill"])
    image = image.copy()
    for box in found:
        image.paste(fill, box)
    return image


def holes_on(image: Image.Image, size: int | None = None) -> list[Box]:
    """The boxes of the punch holes on a plain image, with the shadow around them; `size` is that of the widest hole.

    Without it the page counts as an A4.
    """
    image = to_8bit(image)
    per_mm = max(image.size) / LONG_SIDE_MM if size is None else size / HOLE_MM[1]
    factor = max(1, round(max(image.size) / LONG_SIDE))
    small = (image.convert("L") if image.mode == "1" else image).reduce(factor)
    ink = ink_of(small, per_mm / factor)
    marks = marks_of(ink, MOST_RUNS) if ink else None
    least, most = (mm * per_mm / factor for mm in HOLE_MM)
    large = [mark for mark in marks or () if least <= mark.size <= most and mark.depth <= REACH_OF_HOLES * most]
    ring = RING_MM * per_mm
    round_ones = [mark for mark in large if _is_round(ink, mark)]
    if len(round_ones) > MOST_MARKS:
        return []
    found = punched(round_ones, *small.size, per_mm / factor)
    return [_box(mark.left, mark.top, mark.right, mark.bottom, factor, ring, image) for mark in found]


def _is_round(ink: Image.Image | None, mark: Mark) -> bool:
    """A disc, or an arc: what a hole leaves and a word does not."""
    if ink is None:
        return False
    pixels = np.argwhere(gray_of(ink.crop((mark.left, mark.top, mark.right, mark.bottom)))).astype(np.float32)
    middle, radius = cv2.minEnclosingCircle(pixels)
    away = np.hypot(*(pixels - middle).T)
    return bool(len(pixels) >= DISC * np.pi * radius**2 or np.mean(away >= ARC * radius) >= ARC_SHARE)


def _box(left: int, top: int, right: int, bottom: int, factor: int, ring: float, image: Image.Image) -> Box:
    return (
        max(0, round(left * factor - ring)),
        max(0, round(top * factor - ring)),
        min(image.width, round(right * factor + ring)),
        min(image.height, round(bottom * factor + ring)),
    )
