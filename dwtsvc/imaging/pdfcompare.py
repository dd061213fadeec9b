"""What two PDFs differ in, page by page: as PDFium draws them, in their text, their sizes and their metadata.

Pages are compared in order, the first with the first. How a PDF is made does not count: the same pages in another
arrangement of objects, or without loss compressed anew, are the same.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter, ImageOps

from dwtsvc.imaging.pdfread import Pages

DESCRIBED = ("title", "author", "subject", "keywords", "creator")  # the producer and the dates change with every edit
SLACK = 0.2  # mm by which sizes may differ: PDFs round them
GAP = 8  # pixels between the pages drawn side by side
HALO = 5  # pixels of the square that a pixel which differs is marked by
MARK = (220, 0, 0)
QUALITY = 85
Box = tuple[int, int, int, int]
Size = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageDifference:
    """A page, from 1, of both PDFs. `only` is "a" or "b" where the other has no such page.

    `sizes` are mm, where they differ. `pixels` differ by more than the tolerance, all of them in `box` (left, top,
    right, bottom, at the dpi compared with); `share` is their part of the page. `text` are the lines of a unified
    diff. `drawn` is an image that shows both, if it was asked for.
    """

    page: int
    only: str = ""
    sizes: tuple[Size, Size] | None = None
    pixels: int = 0
    share: float = 0.0
    box: Box | None = None
    text: tuple[str, ...] = ()
    drawn: bytes = b""

    @property
    def same(self) -> bool:
        return not (self.only or self.sizes or self.pixels or self.text)


def pages(
    a: str,
    b: str,
    passwords: tuple[str | None, str | None] = (None, None),
    dpi: float = 100,
    tolerance: int = 8,
    draw: str = "",
) -> Iterator[PageDifference]:
    """Compare page after page; those that are the same come too. `tolerance` is in levels of 255.

    `draw` is "JPEG" or "PNG" for an image of each page that differs. Opening raises what `Pages` raises.
    """
    with Pages(a, passwords[0]) as first, Pages(b, passwords[1]) as second:
        for index in range(max(len(first), len(second))):
            sides = [each.image(index, dpi) if index < len(each) else None for each in (first, second)]
            if None in sides:
                yield _lonely(index + 1, sides, draw, dpi)
            else:
                yield _compared(first, second, index, [side for side in sides if side], tolerance, draw, dpi)


def metadata(
    a: str, b: str, passwords: tuple[str | None, str | None] = (None, None)
) -> dict[str, tuple[str | None, str | None]]:
    """What the PDFs say of themselves and differ in: title, author, subject, keywords, creator."""
    with Pages(a, passwords[0]) as first, Pages(b, passwords[1]) as second:
        held = first.metadata(), second.metadata()
    pairs = {name: (held[0].get(name), held[1].get(name)) for name in DESCRIBED}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _compared(
    first: Pages, second: Pages, index: int, sides: list[Image.Image], tolerance: int, draw: str, dpi: float
) -> PageDifference:
    sizes = first.size(index), second.size(index)
    differ = any(abs(one - other) > SLACK for one, other in zip(*sizes, strict=True))
    mask = _mask(sides, tolerance)
    count = mask.histogram()[255]
    return PageDifference(
        page=index + 1,
        sizes=(_rounded(sizes[0]), _rounded(sizes[1])) if differ else None,
        pixels=count,
        share=round(count / (mask.width * mask.height), 6),
        box=mask.getbbox(),
        text=_text(first.text(index), second.text(index)),
        drawn=_encoded(_side_by_side(sides, mask), draw, dpi) if draw and (count or differ) else b"",
    )


def _lonely(page: int, sides: list[Image.Image | None], draw: str, dpi: float) -> PageDifference:
    side = next(each for each in sides if each is not None)
    blank = Image.new("RGB", side.size, "white")
    shown = [each or blank for each in sides]
    drawn = _encoded(_side_by_side(shown, Image.new("L", side.size, 255)), draw, dpi) if draw else b""
    return PageDifference(page=page, only="a" if sides[0] is not None else "b", drawn=drawn)


def _mask(sides: list[Image.Image], tolerance: int) -> Image.Image:
    """255 where a channel differs by more than the tolerance; what only one page covers is compared with white."""
    apart = ImageChops.difference(*_padded(sides))
    red, green, blue = apart.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return most.point([0] * (tolerance + 1) + [255] * (255 - tolerance))


def _padded(sides: list[Image.Image]) -> list[Image.Image]:
    width, height = (max(side.size[axis] for side in sides) for axis in (0, 1))
    return [ImageOps.expand(side, (0, 0, width - side.width, height - side.height), "white") for side in sides]


def _text(a: str, b: str) -> tuple[str, ...]:
    before, after = ([line.rstrip() for line in text.splitlines()] for text in (a, b))
    return tuple(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]


def _side_by_side(sides: list[Image.Image], mask: Image.Image) -> Image.Image:
    """Both pages, pale, with what differs marked."""
    marked = mask.filter(ImageFilter.MaxFilter(HALO)).point(lambda level: level // 2)
    padded = _padded(sides)
    width, height = padded[0].size
    sheet = Image.new("RGB", (2 * width + GAP, height), "gray")
    for number, side in enumerate(padded):
        side.paste(MARK, (0, 0), marked)
        sheet.paste(side, (number * (width + GAP), 0))
    return sheet


def _encoded(image: Image.Image, format: str, dpi: float) -> bytes:
    file = io.BytesIO()
    image.save(file, format, dpi=(dpi, dpi), quality=QUALITY)
    return file.getvalue()


def _rounded(size: Size) -> Size:
    return round(size[0], 1), round(size[1], 1)
