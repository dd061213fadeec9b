"""Whether a picture has bars on it, told in a few ms: is a second and slower look for linear barcodes worth it?

Bars lie in one direction: from a pixel to the next across them much changes, along them nothing does. Text, pictures
and noise change in every direction, and a ruled line or the edge of the paper is too narrow.
"""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image, ImageChops, ImageFilter

LONG_SIDE = 1200  # pixels of the reduced copy: A4 at 100 dpi
TILE = 8  # pixels of it: 2 mm of A4, more than a line and less than the bars of a code are high
TIMES = 2.0  # that more changes across than along. Bars at the worst angle to the four directions reach 2.4
LEAST = 4.0  # levels of change a pixel that must be left: JPEG artefacts on paper stay below
SIDE = 5  # tiles to each side that all agree: 10 mm of A4
MOST_AREAS = 6  # that are told: pages of shading have many


def has_bars(gray: Image.Image) -> bool:
    """Whether an image of mode L has bars side by side, in any direction, over some 10 mm of an A4 page.

    Measured: 5 ms for A4 at 300 dpi, where zxing-cpp takes 70. It sees the bars of blurred and slanted photographs
    that zxing-cpp cannot read; it does not see bars that are each wider than a tile.
    """
    return any(mask.getbbox() is not None for mask in _masks(_reduced(gray)))


def bar_areas(gray: Image.Image) -> list[tuple[int, int, int, int]]:
    """Boxes (left, top, right, bottom) round the bars that `has_bars` sees, with room for a quiet zone, largest first.

    At most MOST_AREAS; they may overlap.
    """
    small = _reduced(gray)
    scale = gray.width / small.width * TILE
    boxes = [box for mask in _masks(small) for box in _boxes(mask)]
    boxes.sort(key=lambda box: (box[2] - box[0]) * (box[3] - box[1]), reverse=True)
    return [_grown(box, scale, gray.size) for box in boxes[:MOST_AREAS]]


def _boxes(mask: Image.Image) -> list[tuple[int, int, int, int]]:
    """The boxes of the patches of a mask, in tiles."""
    import cv2
    import numpy

    count, _, found, _ = cv2.connectedComponentsWithStats((numpy.asarray(mask) > 0).astype(numpy.uint8))
    sides = [[int(side) for side in found[index][:4]] for index in range(1, count)]
    return [(left, top, left + width, top + height) for left, top, width, height in sides]


def _grown(box: tuple[int, int, int, int], scale: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box of tiles in pixels, with the tiles at its rim that the filter took, and as many for the quiet zone."""
    left, top, right, bottom = box
    return (
        max(0, round((left - SIDE) * scale)),
        max(0, round((top - SIDE) * scale)),
        min(size[0], round((right + SIDE) * scale)),
        min(size[1], round((bottom + SIDE) * scale)),
    )


def _reduced(gray: Image.Image) -> Image.Image:
    return gray.reduce(max(1, round(max(gray.size) / LONG_SIDE)))


def _masks(small: Image.Image) -> Iterator[Image.Image]:
    """For each of four directions, the tiles that are the middle of bars."""
    if min(small.size) < SIDE * TILE + 2:
        return
    across, down = _changes(small, 1, 0), _changes(small, 0, 1)
    falling, rising = _changes(small, 1, 1), _changes(small, 1, -1)
    for one, other in ((across, down), (down, across), (falling, rising), (rising, falling)):
        yield _agreeing_widely(one, other)


def _changes(image: Image.Image, right: int, down: int) -> Image.Image:
    """For each tile, how much a pixel differs from the one so far to the right and below, in the mean."""
    width, height = image.width - 1, image.height - 1
    here = image.crop((1, 1, width, height))
    there = image.crop((1 + right, 1 + down, width + right, height + down))
    return ImageChops.difference(here, there).reduce(TILE)


def _agreeing_widely(one: Image.Image, other: Image.Image) -> Image.Image:
    """The tiles round which SIDE x SIDE tiles all have much more change in the one direction than in the other."""
    needed = other.point([min(255, round(level * TIMES + LEAST)) for level in range(256)])
    return ImageChops.subtract(one, needed).filter(ImageFilter.MinFilter(SIDE))
