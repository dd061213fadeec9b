"""The barcodes of many files, page by page and without the pictures: what a child with limits sends to its parent.

The parent needs nothing of what reads: that is imported in the child only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from dwtsvc.errors import BadInput, DwtsvcError, Encrypted, FileAccess
from dwtsvc.model import MM_PER_INCH, Barcode

INPUT_FAULTS = (BadInput, Encrypted, FileAccess)
Told = tuple[str, str, str, str]  # an error's word, what, why and hint
Share = tuple[int, int]  # the first page, from 0, and from one to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCodes:
    """A picture of a file: its number from 1, its dpi or None where the file tells none, and its codes.

    `drawn` is an encoded picture with the codes outlined, where that was asked for and there are any.
    """

    number: int
    dpi: float | None
    barcodes: list[Barcode]
    drawn: bytes = b""


def in_mm(code: Barcode, dpi: float | None) -> list[tuple[float, float]] | None:
    """The corners of a code in mm from the picture's top left, to a hundredth; None where the dpi is unknown."""
    if dpi is None:
        return None
    return [(round(x / dpi * MM_PER_INCH, 2), round(y / dpi * MM_PER_INCH, 2)) for x, y in code.corners]


def codes_of(
    sources: Iterable[tuple[str | bytes, Share]],
    types: list[str] | None,
    engine: str,
    dpi: float,
    draw: str,
    password: str | None,
) -> Iterator[PageCodes | Told | None]:
    """First None, at once; then for each file its pages, the error where it cannot be read on, and None.

    `draw` is a format for pictures with the codes outlined, or empty; `password` opens PDFs that need one. Errors
    that are no file's fault are raised.
    """
    yield None
    from dwtsvc.imaging.barcodepages import drawing, read_pages

    read = partial(read_pages, types=types, engine=engine, dpi=dpi, gray=not draw, password=password)
    for source, share in sources:
        try:
            for page in read(source, share=share):
                drawn = drawing(page, draw) if draw and page.barcodes else b""
                yield PageCodes(number=page.number, dpi=page.dpi, barcodes=page.barcodes, drawn=drawn)
        except INPUT_FAULTS as error:
            yield _told(error)
        yield None


def _told(error: DwtsvcError) -> Told:
    return error.word, error.what, error.why, error.hint
