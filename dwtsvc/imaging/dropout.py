"""A colour that is taken out, as the red lines of a form: what has its hue becomes paper, what is dark stays."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from dwtsvc.imaging.arrays import Array, array_of, by_bands, image_of
from dwtsvc.imaging.paper import paper_of
from dwtsvc.imaging.steps import Values
from dwtsvc.imaging.tones import hue_of

SURE, ALIKE = 16, 25  # half degrees from the hue, as OpenCV counts: all of it goes; nothing goes beyond
PALE, STRONG = 10, 40  # levels between the channels: grain of the paper, and ink
BLACK, DARK = 50, 90  # the strongest channel of print in black, and of the darkest coloured ink


def drop(image: Image.Image, values: Values) -> Image.Image:
    """Gray and bitonal pages stay as they are. `colour` is as tones.hue_of takes it."""
    hue = hue_of(values["colour"]) // 2
    if image.mode != "RGB":
        return image
    paper = np.maximum(np.array(paper_of(image), np.uint8), 1)
    return image_of(by_bands(array_of(image), lambda pixels: _dropped(pixels, paper, hue)))


def _dropped(pixels: Array, paper: Array, hue: int) -> Array:
    """Only pixels of some tint are looked at more closely: on most pages they are few."""
    white = cv2.LUT(pixels, _whitening(paper))
    red, green, blue = cv2.split(white)
    strongest = cv2.max(cv2.max(red, green), blue)
    tint = cv2.subtract(strongest, cv2.min(cv2.min(red, green), blue))
    tinted = (tint > PALE) & (strongest > BLACK)
    dropped = pixels.copy()
    if tinted.any():
        share = _share(white[tinted], hue) * _ramp(PALE, STRONG)[tint[tinted]] * _ramp(BLACK, DARK)[strongest[tinted]]
        chosen, share = pixels[tinted], share[:, None]
        dropped[tinted] = np.rint(chosen * (1 - share) + paper * share).astype(np.uint8)
    return dropped


def _whitening(paper: Array) -> Array:
    """For each level of each channel what it is on paper that is white, as a table of OpenCV's."""
    levels = np.arange(256, dtype=np.float32)[:, None] * (255 / paper.astype(np.float32))
    return np.minimum(levels, 255).astype(np.uint8).reshape(1, 256, 3)


def _share(white: Array, hue: int) -> Array:
    """How much of each of a list of pixels goes by its hue, 0 to 1."""
    hues = cv2.cvtColor(white.reshape(-1, 1, 3), cv2.COLOR_RGB2HSV)[:, 0, 0].astype(np.int16)
    share: Array = _ramp(ALIKE, SURE)[np.abs((hues - hue + 90) % 180 - 90)]
    return share


def _ramp(nothing: int, everything: int) -> Array:
    """For each of 256 levels 0 to 1, straight between the two."""
    return np.clip((np.arange(256, dtype=np.float32) - nothing) / (everything - nothing), 0, 1)
