"""What lies in the virtual scanner's feeder: documents of its own, or the pages of the user's images or PDF."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dwtsvc.errors import BadArguments, BadInput, Encrypted, FileAccess
from dwtsvc.model import MM_PER_INCH, Area

if TYPE_CHECKING:
    from PIL import Image

    from dwtsvc.devices.optics import Sheet

KINDS = ("letter", "invoice", "form", "table", "photo", "receipt", "blank")
A4 = Area(width=210, height=297)
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
_LONGEST_MM, _WIDEST_MM = 356.0, 216.0
_POINTS_PER_INCH = 72
_FINEST_PDF_DPI = 600
_MOST_PIXELS = 160_000_000  # of a PDF page, which takes a gigabyte to draw; A2 at 600 dpi has 139 million


@dataclass(frozen=True, slots=True)
class Jpeg:
    data: bytes
    width: int
    height: int


class Original(Protocol):
    """A side of paper. `back` is what is on its other side; None where the next original of the stack is."""

    @property
    def back(self) -> Original | None: ...

    def sheet(self, serial: int, dpi: int) -> Sheet:
        """What is on it, drawn for a scan at `dpi`."""

    def area(self) -> Area:
        """What is scanned of it when nobody says."""

    def jpeg(self, dpi: int) -> Jpeg | None:
        """The original itself where it already is what a colour scan at `dpi` would make of it."""


@dataclass(frozen=True, slots=True)
class Document:
    """One of the scanner's own documents; every third sheet has nothing on its back."""

    kind: str
    number: int = 1

    @property
    def back(self) -> Document:
        return Document("blank" if self.number % 3 == 0 else "back")

    def sheet(self, serial: int, dpi: int) -> Sheet:
        from dwtsvc.devices import documents

        return documents.sheet(self.kind, serial, dpi)

    def area(self) -> Area:
        return A4

    def jpeg(self, dpi: int) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file of the user, scanned as it is: its own size, no serial."""

    path: Path

    @property
    def back(self) -> None:
        return None

    def sheet(self, serial: int, dpi: int) -> Sheet:
        from PIL import ImageOps

        from dwtsvc.devices.optics import Sheet

        with self._open() as image:
            stated = _dpi(image)
            image = ImageOps.exif_transpose(image)
            image = image.convert("L" if image.mode in ("1", "L") else "RGB")
        factor = max(1, int(stated / dpi))
        return Sheet(image.reduce(factor) if factor > 1 else image, stated / factor)

    def area(self) -> Area:
        from PIL import ImageOps

        with self._open() as image:
            stated = _dpi(image)
            width, height = ImageOps.exif_transpose(image).size
        return Area(width=width / stated * MM_PER_INCH, height=height / stated * MM_PER_INCH)

    def jpeg(self, dpi: int) -> Jpeg | None:
        with self._open() as image:
            upright = image.getexif().get(_ORIENTATION, 1) == 1
            if image.format != "JPEG" or image.mode != "RGB" or not upright or round(_dpi(image)) != dpi:
                return None
            return Jpeg(self.path.read_bytes(), *image.size)

    @contextmanager
    def _open(self) -> Iterator[Image.Image]:
        from PIL import Image

        try:
            with Image.open(self.path) as image:
                yield image
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise BadInput(f"{self.path} is not an image that can be scanned", why=str(error)) from error


@dataclass(frozen=True, slots=True)
class PdfPage:
    path: Path
    index: int
    width: float  # mm
    height: float  # mm

    @property
    def back(self) -> None:
        return None

    def sheet(self, serial: int, dpi: int) -> Sheet:
        import pypdfium2

        from dwtsvc.devices.optics import Sheet

        dpi = min(dpi, _FINEST_PDF_DPI)
        self._check_size(dpi)
        with pypdfium2.PdfDocument(self.path) as document:
            image = document[self.index].render(scale=dpi / _POINTS_PER_INCH, rev_byteorder=True).to_pil()
            return Sheet(image.convert("RGB"), dpi)

    def _check_size(self, dpi: int) -> None:
        pixels = self.width * self.height * (dpi / MM_PER_INCH) ** 2
        if pixels > _MOST_PIXELS:
            most = int(dpi * (_MOST_PIXELS / pixels) ** 0.5)
            raise BadInput(
                f"Page {self.index + 1} of {self.path} is too large to be scanned at {dpi} dpi",
                why=f"{self.width:.0f} x {self.height:.0f} mm are {pixels:,.0f} pixels, the limit is {_MOST_PIXELS:,}",
                hint=f"Scan it at {most} dpi." if most >= 50 else "",
            )

    def area(self) -> Area:
        return Area(width=self.width, height=self.height)

    def jpeg(self, dpi: int) -> None:
        return None


class Tray:
    """The paper of an open scanner: `count` originals in the feeder, and what lies on the glass, scan by scan.

    Both take from the same stack, which begins again when it ends.
    """

    def __init__(self, stack: list[Original], count: int) -> None:
        self._stack = stack
        self._count = count
        self._fed = self._laid = 0
        self._before = (0, 0)

    @property
    def loaded(self) -> bool:
        return self._fed < self._count

    def feed(self, *, duplex: bool) -> tuple[Original, ...]:
        """The sides of the next sheet. Pictures have no backs: two of them make a duplex sheet."""
        self._before = self._fed, self._laid
        front = self._take()
        if not duplex:
            return (front,)
        return front, front.back or (self._take() if self.loaded else Document("blank"))

    def lay(self) -> Original:
        """The next original on the glass, as if someone had changed it."""
        self._before = self._fed, self._laid
        self._laid += 1
        return self._stack[(self._laid - 1) % len(self._stack)]

    def put_back(self) -> None:
        """The last sheet or original is where it was."""
        self._fed, self._laid = self._before

    def refill(self) -> None:
        """All sheets lie in the feeder again."""
        self._fed = 0

    def _take(self) -> Original:
        self._fed += 1
        return self._stack[(self._fed - 1) % len(self._stack)]


def own_documents(document: str) -> list[Original]:
    """One sheet of a kind, or one of each for "mix"."""
    kinds = KINDS if document == "mix" else (document,)
    return [Document(kind, place) for place, kind in enumerate(kinds, 1)]


def pictures(folder: Path) -> list[Original]:
    """The images of a folder in the order a person would put them: page 2 before page 10."""
    if not folder.is_dir():
        raise FileAccess(f"The virtual scanner finds no folder {folder}", hint="Write folder=/path, percent-encoded.")
    found = sorted((path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES), key=_natural)
    if not found:
        raise BadArguments(f"There is no image in {folder}", hint=f"It takes {', '.join(PICTURE_SUFFIXES)}.")
    return [Picture(path) for path in found]


def pdf_pages(path: Path) -> list[Original]:
    """The pages of a PDF; raises FileAccess, BadInput, Encrypted."""
    import pypdfium2

    if not path.is_file():
        raise FileAccess(f"The virtual scanner finds no file {path}", hint="Write file=/path.pdf, percent-encoded.")
    try:
        with pypdfium2.PdfDocument(path) as document:
            sizes = [document.get_page_size(index) for index in range(len(document))]
    except pypdfium2.PdfiumError as error:
        damaged = Encrypted if "password" in str(error).lower() else BadInput
        raise damaged(f"{path} cannot be read as a PDF", why=str(error)) from error
    return [PdfPage(path, index, *map(_mm, size)) for index, size in enumerate(sizes)]


_ORIENTATION = 0x0112  # the EXIF tag


def _mm(points: float) -> float:
    return points / _POINTS_PER_INCH * MM_PER_INCH


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name.lower())]


def _dpi(image: Image.Image) -> float:
    """The stated resolution; where none is stated, or one that no scanner surface fits, that which makes it A4."""
    stated = float(image.info.get("dpi", (0, 0))[0])
    short, long = sorted(image.size)
    if stated > 1 and long / stated * MM_PER_INCH <= _LONGEST_MM and short / stated * MM_PER_INCH <= _WIDEST_MM:
        return stated
    return max(short / A4.width, long / A4.height) * MM_PER_INCH
