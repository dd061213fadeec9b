"""What is asked about a page, and what was found on it: small records, so that the service need not load what looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dwtsvc.imaging.ocr import Reading
from dwtsvc.model import Barcode, PageInfo, Step
from dwtsvc.pictures import Picture
from dwtsvc.text import Text


@dataclass(frozen=True, slots=True)
class Look:
    """A page to look at, with its edits; `read` gives its bytes when its turn comes."""

    page: PageInfo
    read: Callable[[], bytes]
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What to find out: the text, after turning the page upright and straightening it where that is said; and what
    stands between documents, which is barcodes, and whether the page is blank or black."""

    reading: Reading | None = None
    rotate: bool = False
    deskew: bool = False
    separators: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`width` and `height` are pixels at `dpi` of the page as it was read; `picture` is None where that changed none.

    `blank` is 0 to 1, None where nobody looked.
    """

    width: int
    height: int
    dpi: float
    text: Text | None = None
    picture: Picture | None = None
    barcodes: tuple[Barcode, ...] = ()
    blank: float | None = None
    black: bool = False
