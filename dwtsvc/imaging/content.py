"""Where on a page there is something: the box round all print and pictures, without dark edges, holes and dust."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from dwtsvc.imaging.arrays import Array, array_of, square
from dwtsvc.imaging.borders import hanging
from dwtsvc.imaging.geometry import Box
from dwtsvc.imaging.ink import ink_of
from dwtsvc.imaging.pixels import plain, to_8bit
from dwtsvc.model import MM_PER_INCH

LONG_SIDE = 1800  # pixels of the reduced copy: A4 at 150 dpi
EDGE_MM = 12.0  # how far in what hangs on an edge may reach and still be the lid
DUST_MM = 0.7  # what is smaller and stands alone is dust
JOINING_MM = 3.0  # letters nearer than this are one block


def content_box(image: Image.Image, dpi: float, *, margin_mm: float = 0.0) -> Box | None:
    """Left, top, right, bottom in pixels, with a margin as far as there is page; None for a page with nothing on it.

    `dpi` 0 takes the page for an A4. A page that is dark all over is content as a whole.
    """
    image = to_8bit(plain(image))
    per_mm = dpi / MM_PER_INCH if dpi else max(image.size) / 297
    factor = max(1, round(max(image.size) / LONG_SIDE))
    small = (image.convert("L") if image.mode == "1" else image).reduce(factor)
    ink = ink_of(small, per_mm / factor)
    if ink is None:
        return 0, 0, *image.size
    blocks = _blocks(array_of(ink), per_mm / factor)
    if not blocks.any():
        return None
    left, top, width, height = cv2.boundingRect(blocks)
    margin = margin_mm * per_mm
    return (
        max(0, round(left * factor - margin)),
        max(0, round(top * factor - margin)),
        min(image.width, round((left + width) * factor + margin)),
        min(image.height, round((top + height) * factor + margin)),
    )


def _blocks(ink: Array, per_mm: float) -> Array:
    """The ink without what hangs on an edge and without dust."""
    ink = cv2.subtract(ink, hanging(ink, max(1, round(EDGE_MM * per_mm))))
    joined = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, square(max(3, round(JOINING_MM * per_mm)) | 1))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8, ltype=cv2.CV_32S)
    large = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) >= DUST_MM * per_mm
    large[0] = False
    return cv2.bitwise_and(ink, (large.astype(np.uint8) * np.uint8(255))[labels])
