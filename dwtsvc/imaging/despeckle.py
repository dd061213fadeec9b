"""Specks: dark dots that stand alone. Dots near letters are theirs, and dots among many are a screen, a picture."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from dwtsvc.imaging.arrays import Array, above, array_of, gray_of, image_of, square
from dwtsvc.imaging.pixels import to_8bit
from dwtsvc.imaging.steps import Values
from dwtsvc.imaging.whiten import background_of

CONTRAST = 40  # levels below what is around; less is grain of the paper
NEAR = 3  # times the size of a speck: a dot this near to a letter is a full stop or an accent
SCREEN = 0.08  # of the place around: where dots cover more they are the screen of a picture
SCREEN_SIZES = 12  # times the size of a speck: how wide that place is


def despeckle(image: Image.Image, values: Values) -> Image.Image:
    """Specks whose longer side is at most `size` pixels become what is around them."""
    size = int(values["size"])
    specks = specks_of(image, size)
    if specks is None:
        return image
    pixels = array_of(image).copy()
    around = cv2.morphologyEx(pixels, cv2.MORPH_CLOSE, square(size + 4))
    wide = cv2.dilate(specks, square(3)) > 0  # with the soft rim that optics gave it
    pixels[wide] = around[wide]
    made = image_of(pixels)
    return made.convert("1", dither=Image.Dither.NONE) if image.mode == "1" else made


def specks_of(image: Image.Image, size: int) -> Array | None:
    """255 where there are specks in a plain image, else 0; None when it has none."""
    ink = _ink(image)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8, ltype=cv2.CV_32S)
    sides = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    is_speck = sides <= size
    is_speck[0] = False
    if not is_speck.any():
        return None
    small = (is_speck.astype(np.uint8) * np.uint8(255))[labels]
    alone = _alone(small, ink, size)
    return alone if alone.any() else None


def _ink(image: Image.Image) -> Array:
    tones = gray_of(image)
    paper = background_of(to_8bit(image).convert("L"))
    paper = cv2.resize(paper, image.size, interpolation=cv2.INTER_LINEAR)
    return above(cv2.subtract(paper, tones), CONTRAST)


def _alone(specks: Array, ink: Array, size: int) -> Array:
    letters = cv2.dilate(cv2.subtract(ink, specks), square(2 * NEAR * size + 1))
    wide = SCREEN_SIZES * size + 1
    share = cv2.boxFilter(specks, cv2.CV_8U, (wide, wide))
    screen = above(share, round(SCREEN * 255))
    return cv2.bitwise_and(specks, cv2.bitwise_not(cv2.bitwise_or(letters, screen)))
