"""The ink on a page: what is darker than the paper around it, of whatever colour, without show-through and streaks."""

from __future__ import annotations

import re

from PIL import Image, ImageChops, ImageFilter, ImageOps

from dwtsvc.imaging.paper import level_of

DARK_PAGE = 64  # paper below this is a photo or a black separator sheet
CONTRAST = 42  # levels of 255 below the paper around: show-through has up to 12 % (31) and grain, faint print 30 % (76)
CELL, AROUND = 8, 9  # what is darker than all paper around it and less than 9 cells wide, a centimetre, is no paper
LEAST_PAPER = 140  # on a page whose paper is 255: what is darker is never paper, however large
STREAK_CONTRAST, STREAK_MM, STREAK_SHARE = 14, 1.0, 0.8  # dirt on the feeder's glass: thin, and as long as the page


def ink_of(image: Image.Image, per_mm: float) -> Image.Image | None:
    """255 where there is ink, else 0; None for a page that is dark all over.

    The image is gray or RGB, of about 150 dpi, and `per_mm` says how many of its pixels are a millimetre.
    """
    bands = [(band, level_of(band)) for band in image.split()]
    if max(paper for _, paper in bands) < DARK_PAGE:
        return None
    tones = _darkest([_whitened(band, paper) for band, paper in bands])
    paper = _paper_around(tones)
    depth = ImageChops.subtract(paper, tones)
    ink = _deeper(depth, paper, CONTRAST)
    _wipe_streaks(ink, _deeper(depth, paper, STREAK_CONTRAST), per_mm)
    return ink


def _deeper(depth: Image.Image, paper: Image.Image, least: int) -> Image.Image:
    """255 where the depth is more than `least` of white paper and, in shadow, as much of what there is of it."""
    needed = paper.point([level * least // 255 for level in range(256)])
    return ImageChops.subtract(depth, needed).point([0] + [255] * 255)


def _paper_around(tones: Image.Image) -> Image.Image:
    """The page without anything small and dark (a closing). White lies around it, so that dark edges are small too."""
    cells = ImageOps.expand(tones.reduce(CELL), AROUND, 255)
    cells = cells.filter(ImageFilter.MaxFilter(AROUND)).filter(ImageFilter.MinFilter(AROUND))
    cells = ImageOps.crop(cells, AROUND).point([max(LEAST_PAPER, level) for level in range(256)])
    return cells.resize(tones.size, Image.Resampling.BILINEAR)


def _whitened(band: Image.Image, paper: int) -> Image.Image:
    return band.point([min(255, level * 255 // max(1, paper)) for level in range(256)])


def _darkest(bands: list[Image.Image]) -> Image.Image:
    """The darkest channel: ink of any colour counts. Blue counts half, because paper goes yellow and so does coffee."""
    if len(bands) == 1:
        return bands[0]
    red, green, blue = bands
    half = blue.point([(level + 255) // 2 for level in range(256)])
    return ImageChops.darker(ImageChops.darker(red, green), half)


def _wipe_streaks(ink: Image.Image, faint: Image.Image, per_mm: float) -> None:
    """Before marks are joined, because a streak ties the edges of the page together.

    They are looked for where there is `faint` ink, because a weak streak is ink in places only.
    """
    width, height = ink.size
    for size, down in (((width, 1), True), ((1, height), False)):
        for start, end in _full_lines(faint.resize(size, Image.Resampling.BOX).tobytes()):
            if end - start <= max(2, STREAK_MM * per_mm):
                ink.paste(0, (start - 1, 0, end + 1, height) if down else (0, start - 1, width, end + 1))


def _full_lines(shares: bytes) -> list[tuple[int, int]]:
    """Where the shares of ink (of 255) are those of a line as long as the page, as start and end."""
    flags = bytes(share >= STREAK_SHARE * 255 for share in shares)
    return [found.span() for found in re.finditer(rb"\x01+", flags)]
