"""White paper: the page divided by its own background, so that shade and tint go and coloured ink stays.

The background is the paper as it would be without anything on it. It is measured in cells; a cell that is much darker
than the page's paper, or of another colour, is a picture, a marker or a coloured field, and takes its background from
the paper around it.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from dwtsvc.imaging.arrays import Array, array_of, by_bands, image_of, smaller, square
from dwtsvc.imaging.paper import paper_of
from dwtsvc.imaging.pixels import to_8bit
from dwtsvc.imaging.steps import Values

CELLS = 440  # along the long side: 8 pixels of A4 at 300 dpi
CLOSING = 9  # cells, 6 mm of A4: wider than any stroke of print, narrower than a picture
SMOOTHING = 3.0  # cells
DARKEST = 0.55  # of the page's paper: a shadow is brighter, a picture darker
TINT = 40  # levels between the channels, once the paper's own tint is off: a marker has more
FULL = 255.0
GRAIN = 0.97  # of the background is white already, so that the grain of the paper does not stay
CLEAN = 247  # a background as bright as this everywhere needs no whitening: GRAIN makes the rest white


def whiten(image: Image.Image, values: Values) -> Image.Image:
    """A page of one bit stays as it is; 16 bits stay 16."""
    if image.mode == "1":
        return image
    pixels, background = array_of(image), background_of(image)
    height, width = pixels.shape[:2]
    spread = cv2.resize(background, (width, height), interpolation=cv2.INTER_LINEAR)
    if pixels.dtype == np.uint16:
        return image_of(_divided_16(pixels, spread))
    return image_of(cv2.divide(pixels, spread, scale=FULL / GRAIN))


def is_white(image: Image.Image) -> bool:
    """Whether the paper of a page, in any plain mode, is white everywhere, so that whitening would do nothing."""
    return image.mode == "1" or int(background_of(image).min()) >= CLEAN


def _divided_16(pixels: Array, background: Array) -> Array:
    return by_bands(
        np.dstack((pixels, background.astype(np.uint16) * 257)),
        lambda both: cv2.divide(both, both[:, :, ::-1].copy(), scale=65_535 / GRAIN),
    )[:, :, 0]


def background_of(image: Image.Image) -> Array:
    """The paper in cells, 8 bits a channel and never 0."""
    image = to_8bit(image)
    paper = np.maximum(np.atleast_1d(np.array(paper_of(image), np.float32)), 1)
    cells = smaller(array_of(image), max(1, round(max(image.size) / CELLS)))
    cells = cv2.morphologyEx(cells, cv2.MORPH_CLOSE, square(CLOSING)).reshape(*cells.shape[:2], -1)
    kept = cv2.erode(_is_paper(cells / paper).astype(np.uint8), square(3)).astype(np.float32)  # rims are half picture
    weights = _blurred(kept) + 1e-4
    known = _blurred(cells * kept[:, :, None]).reshape(cells.shape)
    background = (known + 1e-4 * paper) / weights[:, :, None]
    return np.clip(background, 1, FULL).astype(np.uint8).squeeze(axis=2) if len(paper) == 1 else _levels(background)


def _levels(background: Array) -> Array:
    return np.clip(background, 1, FULL).astype(np.uint8)


def _is_paper(shares: Array) -> Array:
    tint = (shares.max(axis=2) - shares.min(axis=2)) * FULL
    paper: Array = (shares.min(axis=2) >= DARKEST) & (tint <= TINT)
    return paper


def _blurred(cells: Array) -> Array:
    return cv2.GaussianBlur(cells, (0, 0), SMOOTHING, borderType=cv2.BORDER_REPLICATE)
