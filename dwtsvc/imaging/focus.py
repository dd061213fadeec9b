"""How sharp a page is, by how wide its edges are, and making them steeper."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from dwtsvc.imaging.arrays import Array, array_of, gray_of, image_of
from dwtsvc.imaging.pixels import plain
from dwtsvc.imaging.steps import Values

AROUND = 15  # pixels: an edge wider than this is a shadow
LEAST_CONTRAST = 48  # levels from the dark to the bright side of an edge that counts
LEAST_EDGES = 200  # pixels; a page with fewer has no edges to judge
SLACK = 6.0  # an edge rises by a sixth of its contrast in two pixels; what rises less is grain beside it
BLURRED = 0.35  # a score below: edges spread over six pixels and more


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharpness:
    """`score` from 1.0 for edges as steep as pixels allow towards 0.0, `width` of an edge in pixels, both of the page.

    A page without edges has the score 1.0 and the width 0.0: nothing on it is blurred.
    """

    score: float
    width: float
    blurred: bool
    reason: str


def sharpness(image: Image.Image) -> Sharpness:
    """Edges are judged where they are steepest, each against its own contrast, so that faint print is no blur."""
    tones = gray_of(plain(image))
    contrast = cv2.morphologyEx(tones, cv2.MORPH_GRADIENT, np.ones((AROUND, AROUND), np.uint8))
    near_edges = contrast >= LEAST_CONTRAST
    if int(near_edges.sum()) < LEAST_EDGES:
        return Sharpness(score=1.0, width=0.0, blurred=False, reason="there are no edges")
    rises = _rises(tones)
    steepest = near_edges & (rises == cv2.dilate(rises, np.ones((3, 3), np.uint8))) & (rises * SLACK >= contrast)
    width = min(AROUND, 2 * float(np.median(contrast[steepest] / rises[steepest]))) if steepest.any() else AROUND
    score = round(2 / max(width, 2.0), 3)
    reason = f"edges are {width:.1f} pixels wide"
    return Sharpness(score=score, width=round(width, 2), blurred=score < BLURRED, reason=reason)


def _rises(tones: Array) -> Array:
    """How many levels two pixels beside each place differ, across or down."""
    across, down = (cv2.Sobel(tones, cv2.CV_32F, *way, ksize=1) for way in ((1, 0), (0, 1)))
    rises: Array = np.maximum(np.abs(across), np.abs(down))
    return rises


def sharpen(image: Image.Image, values: Values) -> Image.Image:
    """What a blur takes away is added again, `percent` of it."""
    share = float(values["percent"]) / 100
    if image.mode == "1" or not share:
        return image
    pixels = array_of(image)
    blurred = cv2.GaussianBlur(pixels, (0, 0), float(values["radius"]), borderType=cv2.BORDER_REPLICATE)
    return image_of(cv2.addWeighted(pixels, 1 + share, blurred, -share, 0))
