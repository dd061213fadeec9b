"""Black and white by what is around each place, for paper that is shaded or stained."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from dwtsvc.imaging.arrays import Array, gray_of, image_of

WINDOW_SHARE = 1 / 70  # of the long side: 4 mm of A4, wider than a stroke and narrower than a shadow
LEAST_WINDOW = 15
SPREAD = 128.0  # the widest that tones can spread
STRIP = 512  # rows at a time: the means need 8 bytes a pixel


def sauvola(image: Image.Image, window: int, k: float) -> Image.Image:
    """White is what is brighter than m * (1 + k * (s / 128 - 1)), of the mean m and the deviation s around it.

    `window` 0 is 1/70 of the long side; an even one is made odd, so that it has a middle.
    """
    tones = gray_of(image)
    size = (window or max(LEAST_WINDOW, round(max(image.size) * WINDOW_SHARE))) | 1
    white = np.empty_like(tones)
    reach = size // 2
    for top in range(0, tones.shape[0], STRIP):
        first = max(0, top - reach)
        strip = tones[first : top + STRIP + reach]
        bright = strip > _levels(strip, size, k)
        white[top : top + STRIP] = bright[top - first : top - first + STRIP] * np.uint8(255)
    return image_of(white).convert("1", dither=Image.Dither.NONE)


def _levels(tones: Array, size: int, k: float) -> Array:
    kernel, border = (size, size), cv2.BORDER_REPLICATE
    mean = cv2.boxFilter(tones, cv2.CV_32F, kernel, borderType=border)
    squares = cv2.sqrBoxFilter(tones, cv2.CV_32F, kernel, borderType=border)
    spread = np.sqrt(np.maximum(squares - mean * mean, 0))
    level: Array = mean * (1 - k + (k / SPREAD) * spread)
    return level
