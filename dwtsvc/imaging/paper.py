"""The paper of a page: the bright tone that most of it has."""

from __future__ import annotations

from PIL import Image

from dwtsvc.imaging.pixels import to_8bit

PAPER_SHARE = 0.10  # the paper is brighter than all but this part of the page, dust and gloss apart
REDUCTION = 4  # noise is averaged away


def level_of(band: Image.Image) -> int:
    """The level of a gray image that all but PAPER_SHARE of its pixels do not exceed."""
    left = band.width * band.height * PAPER_SHARE
    for level, count in reversed(list(enumerate(band.histogram()))):
        left -= count
        if left < 0:
            return level
    return 0


def paper_of(image: Image.Image) -> int | tuple[int, ...]:
    """The paper's tone as a pixel of the image's own mode."""
    if image.mode == "1":
        return 255
    small = to_8bit(image).reduce(REDUCTION)
    levels = tuple(level_of(band) for band in small.split())
    if image.mode == "RGB":
        return levels
    return levels[0] * 257 if image.mode == "I;16" else levels[0]
