"""Images as arrays of numpy and back, and OpenCV held to one thread; imported by whoever has pixels to work on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dwtsvc.imaging.pixels import to_8bit

cv2.setNumThreads(1)  # a worker for each core is at work already

Array = NDArray[Any]  # rows x columns, or rows x columns x 3

BAND = 1 << 20  # pixels: what is worked on at once where steps in between need several times the memory


def array_of(image: Image.Image) -> Array:
    """The pixels of a plain image, not to be written to: uint8, or uint16 of a 16-bit one; 1 bit is 0 and 255."""
    return np.asarray(image.convert("L") if image.mode == "1" else image)


def image_of(array: Array) -> Image.Image:
    """Gray of 8 or 16 bits, or RGB."""
    if array.dtype != np.uint16:
        return Image.fromarray(np.ascontiguousarray(array))
    height, width = array.shape
    order = "B" if sys.byteorder == "big" else ""
    return Image.frombytes("I;16", (width, height), array.tobytes(), "raw", f"I;16{order}")


def gray_of(image: Image.Image) -> Array:
    """The tones of a plain image in 8 bits."""
    return array_of(to_8bit(image).convert("L"))


def smaller(array: Array, factor: int) -> Array:
    """Each pixel the mean of factor x factor, at the far edges of those that are left."""
    height, width = array.shape[:2]
    size = -(-width // factor), -(-height // factor)
    return array if factor == 1 else cv2.resize(array, size, interpolation=cv2.INTER_AREA)


def by_bands(array: Array, work: Callable[[Array], Array]) -> Array:
    """What `work` makes of each pixel by itself, some rows at a time, so that it may waste memory."""
    made = np.empty_like(array)
    rows = max(1, BAND // array.shape[1])
    for top in range(0, array.shape[0], rows):
        made[top : top + rows] = work(array[top : top + rows])
    return made


def above(array: Array, level: float) -> Array:
    """255 where a tone is more than the level, else 0; not cv2.compare, to which four pixels are one colour."""
    return cv2.threshold(array, level, 255, cv2.THRESH_BINARY)[1]


def square(size: int) -> Array:
    return cv2.getStructuringElement(cv2.MORPH_RECT, (size, size))


def bent(image: Image.Image, power: float) -> Image.Image:
    """16-bit gray whose every tone t of 0..1 becomes t ** power."""
    table = np.rint(65_535 * (np.arange(65_536) / 65_535) ** power).astype(np.uint16)
    return image_of(table[array_of(image)])
