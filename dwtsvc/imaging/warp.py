"""Pixels moved through a map by OpenCV: a page turned in a quarter of Pillow's time, or four corners made straight."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from dwtsvc.imaging.arrays import array_of, image_of

METHODS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "best": cv2.INTER_CUBIC,
}
HALF = 0.5  # maps count from the edges of pixels, OpenCV from their middles

Pixel = int | tuple[int, ...]
Corners = Sequence[tuple[float, float]]


def affine(image: Image.Image, back: Sequence[float], size: tuple[int, int], method: str, fill: Pixel) -> Image.Image:
    """The image on a sheet of `size`; `back` are the six numbers that lead from a place on it to one on the image.

    One bit becomes gray. No side may be longer than geometry.LONGEST.
    """
    a, b, c, d, e, f = back
    middles = np.array([[a, b, c + HALF * (a + b) - HALF], [d, e, f + HALF * (d + e) - HALF]])
    flags = METHODS[method] | cv2.WARP_INVERSE_MAP
    return image_of(cv2.warpAffine(array_of(image), middles, size, flags=flags, borderValue=_channels(fill)))


def straightened(image: Image.Image, corners: Corners, size: tuple[int, int], method: str, fill: Pixel) -> Image.Image:
    """What the corners, clockwise from the top left one, enclose; one bit becomes gray."""
    width, height = size
    edges = (0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height))
    back = cv2.getPerspectiveTransform(_middles(edges), _middles(corners))
    flags = METHODS[method] | cv2.WARP_INVERSE_MAP
    return image_of(cv2.warpPerspective(array_of(image), back, size, flags=flags, borderValue=_channels(fill)))


def _middles(corners: Corners) -> cv2.typing.MatLike:
    return np.array([(x - HALF, y - HALF) for x, y in corners], np.float32)


def _channels(fill: Pixel) -> tuple[int, ...]:
    return fill if isinstance(fill, tuple) else (fill,) * 3
