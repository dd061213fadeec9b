"""An open book on the glass: where its two pages part."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from dwtsvc.imaging.arrays import Array, gray_of, smaller
from dwtsvc.imaging.pixels import plain
from dwtsvc.model import Step

LONG_SIDE = 1000  # pixels of the reduced copy
SEARCH = 0.35, 0.65  # of the width: where a gutter may lie
SHADOW = 12.0  # levels by which a gutter is darker than the paper on both sides
WINDOW = 5  # columns of the copy over which shade is averaged
BRIGHT = 0.9  # quantile of a column: its paper, whatever is printed on it
INK = 40.0  # levels below the paper of a column


def halves(image: Image.Image) -> list[list[Step]]:
    """Steps for the left and for the right page; one empty list for an image that is one pixel wide."""
    middle = gutter(image)
    if not 0 < middle < image.width:
        return [[]]
    left = Step(name="crop", values={"left": 0, "top": 0, "width": middle, "height": image.height})
    right = Step(name="crop", values={"left": middle, "top": 0, "width": image.width - middle, "height": image.height})
    return [[left], [right]]


def gutter(image: Image.Image) -> int:
    """The column at which the right page begins.

    The darkest shade of paper near the middle; without a shadow the middle of the widest gap between columns of print
    there; without print the middle of the image.
    """
    tones = gray_of(plain(image))
    factor = max(1, round(max(image.size) / LONG_SIDE))
    small = smaller(tones, factor).astype(np.float32)
    shade = np.quantile(small, BRIGHT, axis=0).astype(np.float32)
    first, last = (round(share * shade.size) for share in SEARCH)
    if last - first < WINDOW:
        return image.width // 2
    place = _shadow(shade, first, last)
    if place is None:
        place = _gap(small, shade, first, last)
    return image.width // 2 if place is None else round((place + 0.5) * factor)


def _shadow(shade: Array, first: int, last: int) -> float | None:
    smooth = cv2.blur(shade.reshape(1, -1), (WINDOW, 1)).ravel()
    place = first + int(np.argmin(smooth[first:last]))
    beside = min(float(smooth[:place].max(initial=0)), float(smooth[place:].max(initial=0)))
    return place if beside - float(smooth[place]) >= SHADOW else None


def _gap(small: Array, shade: Array, first: int, last: int) -> float | None:
    """The middle of the widest run of columns without ink; None where there is no ink or no gap."""
    empty = np.zeros(last - first + 2, bool)  # framed by columns that end a run
    empty[1:-1] = ((small - shade)[:, first:last]).min(axis=0) >= -INK
    changes = np.flatnonzero(empty[1:] != empty[:-1])
    runs = list(zip(changes[::2], changes[1::2], strict=True))
    if not runs or len(empty) - 2 == runs[0][1] - runs[0][0]:
        return None
    start, end = max(runs, key=lambda run: run[1] - run[0])
    return float(first + (start + end - 1) / 2)
