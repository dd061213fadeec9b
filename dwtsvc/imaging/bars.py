"""Whether a picture has bars on it, told in a few ms: is a second and slower look for linear barcodes worth it?

Bars lie in one direction: from a pixel to the next across them much changes, along them nothing does. Text, pictures
and noise change in every direction, and a ruled line or the edge of the paper is too narrow.
"""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter

LONG_SIDE = 1200  # pixels of the reduced copy: A4 at 100 dpi
TILE = 8  # pixels of it: 2 mm of A4, more than a line and less than the bars of a code are high
TIMES = 2.0  # that more changes across than along. Bars at the worst angle to the four directions reach 2.4
LEAST = 4.0  # levels of change a pixel that must be left: JPEG artefacts on paper stay below
SIDE = 5  # tiles to each side that all agree: 10 mm of A4


def has_bars(gray: Image.Image) -> bool:
    """Whether an image of mode L has bars side by side, in any direction, over some 10 mm of an A4 page.

    Measured: 5 ms for A4 at 300 dpi, where zxing-cpp takes 100. It sees the bars of blurred and slanted photographs
    that zxing-cpp cannot read; it does not see bars that are each wider than a tile.
    """
    small = gray.reduce(max(1, round(max(gray.size) / LONG_SIDE)))
    if min(small.size) < SIDE * TILE + 2:
        return False
    across, down = _changes(small, 1, 0), _changes(small, 0, 1)
    falling, rising = _changes(small, 1, 1), _changes(small, 1, -1)
    pairs = ((across, down), (down, across), (falling, rising), (rising, falling))
    return any(_agree_widely(one, other) for one, other in pairs)


def _changes(image: Image.Image, right: int, down: int) -> Image.Image:
    """For each tile, how much a pixel differs from the one so far to the right and below, in the mean."""
    width, height = image.width - 1, image.height - 1
    here = image.crop((1, 1, width, height))
    there = image.crop((1 + right, 1 + down, width + right, height + down))
    return ImageChops.difference(here, there).reduce(TILE)


def _agree_widely(one: Image.Image, other: Image.Image) -> bool:
    """Whether somewhere SIDE x SIDE tiles all have much more change in the one direction than in the other."""
    needed = other.point([min(255, round(level * TIMES + LEAST)) for level in range(256)])
    return ImageChops.subtract(one, needed).filter(ImageFilter.MinFilter(SIDE)).getbbox() is not None
