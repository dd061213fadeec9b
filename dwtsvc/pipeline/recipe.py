"""What is to be done with each page, what it is done with, and what came of it. Records that cross to a page worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dwtsvc.imaging.ocr import Reading
from dwtsvc.imaging.treatment import Cleaning
from dwtsvc.model import Barcode, Encoding, Raster, Step
from dwtsvc.pictures import Picture
from dwtsvc.text import Text

DRAWN_AT = 300.0  # dpi for PDF pages that are not one JPEG


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a page worker does, in this order: turn upright, part, clean, judge, read barcodes, read text.

    `orient` turns pages by what their text says; `parting` makes several pages of one, "photos" or "book", or takes
    the sheet out of a camera's picture, "document"; `judge` asks whether a page is blank or black, `measure` also
    how it leans and how sharp it is; `barcodes` are the types to read, () for all; `reading` says how text is read,
    from a copy that was cleaned as `for_reading` says, but not on blank pages with `skip_blank`. `store_dpi`
    reduces what is richer. A page made anew from a JPEG becomes one of `quality`, every other stays lossless.
    """

    orient: bool = False
    parting: str = "none"
    cleaning: Cleaning = field(default_factory=Cleaning)
    judge: bool = False
    measure: bool = False
    barcodes: tuple[str, ...] | None = None
    reading: Reading | None = None
    for_reading: Cleaning = field(default_factory=Cleaning)
    skip_blank: bool = False
    store_dpi: float | None = None
    quality: int = 90

    @property
    def looks(self) -> bool:
        """Whether anything needs the page in its own colours and size, and not only its text."""
        return (
            self.orient
            or self.parting != "none"
            or self.cleaning != Cleaning()
            or self.judge
            or self.measure
            or self.barcodes is not None
            or self.store_dpi is not None
        )

    @property
    def idle(self) -> bool:
        """Whether pages stay what they are, and nobody asks anything of them."""
        return not self.looks and self.reading is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A page before anything was done: a stored page, which has an encoding and a raster, or picture `index` (from 0)
    of an image file or PDF. `content` is a path, or its bytes; `dpi` is what its owner says, against the file's word.
    `lossy` says that it is a JPEG's; `whole` that its picture is wanted even if no step changes it.
    """

    content: Path | bytes
    lossy: bool = False
    whole: bool = False
    encoding: Encoding | None = None
    raster: Raster | None = None
    index: int = 0
    dpi: float | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A page to work on. `number` counts from 1 in scan order. What is found out about it is kept in the folder `cache`
    under its `checksum`, if it has both."""

    number: int
    original: Original
    recipe: Recipe
    back: bool = False
    checksum: str = ""
    cache: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`blank` is 0 to 1, above 0.5 it is, for `reason`; `black` for a sheet that is all black; `skew` in degrees
    and `sharpness`, 0 to 1, are None where they were not measured."""

    blank: float
    reason: str
    black: bool
    skew: float | None = None
    sharpness: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a page, or of part `part` (from 1) of `parts`: `steps` lead from the original to what it is now.

    `width` and `height` are pixels, `dpi` what they mean; `guessed` says that nobody told the dpi. `turned` is how sure
    it is that the page is upright now (None: nobody asked), `picture` is None where no step changed a pixel. `text` is
    on the page as it is now, in a scale of its own; the corners of `barcodes` are on the page before it was cleaned.
    """

    number: int
    back: bool
    width: int
    height: int
    dpi: float
    guessed: bool = False
    part: int = 1
    parts: int = 1
    steps: tuple[Step, ...] = ()
    turned: float | None = None
    judged: Judged | None = None
    barcodes: tuple[Barcode, ...] = ()
    text: Text | None = None
    picture: Picture | None = None
    cached: bool = False

    @property
    def blank(self) -> float | None:
        return self.judged.blank if self.judged else None

    @property
    def black(self) -> bool:
        return self.judged is not None and self.judged.black
