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
    share = _share(pixels, paper, hue)[:, :, None]
    mixed = pixels * (1 - share) + paper * share
    dropped: Array = np.rint(mixed).astype(np.uint8)
    return dropped


def _share(pixels: Array, paper: Array, hue: int) -> Array:
    """How much of each pixel goes, 0 to 1: by its hue, by its strength, and by not being black."""
    white = np.minimum(pixels.astype(np.float32) * (255.0 / paper.astype(np.float32)), 255).astype(np.uint8)
    strongest, tint = white.max(axis=2), white.max(axis=2) - white.min(axis=2)
    hues = cv2.cvtColor(white, cv2.COLOR_RGB2HSV)[:, :, 0].astype(np.int16)
    apart = np.abs((hues - hue + 90) % 180 - 90)
    share: Array = _ramp(ALIKE, SURE)[apart] * _ramp(PALE, STRONG)[tint] * _ramp(BLACK, DARK)[strongest]
    return share


def _ramp(nothing: int, everything: int) -> Array:
    """For each of 256 levels 0 to 1, straight between the two."""
    return np.clip((np.arange(256, dtype=np.float32) - nothing) / (everything - nothing), 0, 1)
