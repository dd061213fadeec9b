"""The pages of a PDF as images, by PDFium: drawn at a resolution, or the one JPEG that a scanned page is.

PDFium may be called by one thread at a time in the whole process, so every call here holds one lock: threads that draw
pages wait for each other, and only processes draw side by side.
"""

from __future__ import annotations

import ctypes
import io
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from PIL import Image, ImageChops, ImageStat

from dwtsvc.errors import BadArguments, BadInput, DwtsvcError, Encrypted, FileAccess, WrongPassword
from dwtsvc.imaging.codecs import MAX_PIXELS, encode, opened
from dwtsvc.imaging.pageranges import parse
from dwtsvc.imaging.streams import jpeg_header
from dwtsvc.imaging.thumbnails import EXIF_ORIENTATION, thumbnail
from dwtsvc.model import MM_PER_INCH

POINTS_PER_INCH = 72
PASSWORD_ERROR, SECURITY_ERROR = 4, 5  # of PDFium
IMAGE, TEXT, INVISIBLE = 3, 1, 3  # kinds of page objects, and a text's way of being drawn
SLACK = 1.0  # points by which a page's image may miss the edge of the paper
HAIR = 1 - 1e-9
PROOF = 64  # pixels of the side at which a page's JPEG is compared with the page as drawn
PROOF_LEVELS = 8  # by which they may differ in the mean: two ways to reduce differ by 1 to 3, a mask or inversion by 30

_lock = threading.RLock()


class Pages:
    """A PDF open for reading; `len` is its number of pages, which count from 0. Close it, or use it as a context.

    Opening raises Encrypted without a password where one is needed, WrongPassword with another, BadInput for what is
    no PDF or has no pages, and FileAccess for a file that cannot be read. Bytes are not copied.
    """

    def __init__(self, source: str | os.PathLike[str] | bytes, password: str | None = None) -> None:
        import pypdfium2

        self._document: Any = None
        self._name = "The PDF" if isinstance(source, bytes) else f"'{os.fspath(source)}'"
        self._source = _readable(source)  # PDFium reads bytes where they lie, until the document is closed
        with _lock:
            self._document = pypdfium2.PdfDocument(_loaded(self._name, self._source, password))
            self._count = len(self._document)
            if not self._count:
                self.close()
                raise BadInput(f"{self._name} has no pages")
            self._document.init_forms()  # before any page is touched, or what was typed into forms is not drawn

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()  # under the lock: PDFium's own finalizer would run beside a page being drawn

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Let go of the file; twice does no harm."""
        with _lock:
            document, self._document = getattr(self, "_document", None), None
            if document is not None:
                document.close()

    def size(self, index: int) -> tuple[float, float]:
        """Width and height of a page in mm as it is shown. PDFium ignores units larger than a point (UserUnit)."""
        with self._page(index) as page:
            width, height = page.get_size()
        return width / POINTS_PER_INCH * MM_PER_INCH, height / POINTS_PER_INCH * MM_PER_INCH

    def image(
        self,
        index: int,
        dpi: float = 200,
        gray: bool = False,
        *,
        annotations: bool = True,
        max_pixels: int = MAX_PIXELS,
    ) -> Image.Image:
        """A page drawn on white as RGB, or L when gray. BadInput where it would have more pixels than the budget."""
        if not 0 < dpi < math.inf:
            raise BadArguments(f"A page cannot be drawn at {dpi} dpi")
        with self._page(index) as page:
            scale = self._scale(index, page.get_size(), dpi, max_pixels)
            bitmap = page.render(scale=scale, grayscale=gray, draw_annots=annotations)
            try:
                drawn: Image.Image = bitmap.to_pil()
                return drawn.copy() if gray else drawn  # gray shares memory with the bitmap
            finally:
                bitmap.close()

    def embedded_jpeg(self, index: int) -> bytes | None:
        """The file of the JPEG that a page is, byte for byte, or None if the page is, or might be, anything else.

        It fills the page upright, in gray or RGB, with nothing on it but invisible text; and because PDF knows many
        ways to change how an image looks, the page is drawn small and compared with it.
        """
        with self._page(index) as page:
            found = _only_image(page)
            data = bytes(found.get_data()) if found and found.get_filters() == ["DCTDecode"] else b""
            drawn = _proof(page) if data else None
        if drawn is None or not _is_plain_jpeg(data):
            return None
        return data if _looks_like(data, drawn) else None

    def text(self, index: int) -> str:
        """The text of a page, visible or not, as PDFium reads it, with line feeds."""
        with self._page(index) as page:
            read = page.get_textpage()
            try:
                text: str = read.get_text_range()
            finally:
                read.close()
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def metadata(self) -> dict[str, str]:
        """Title, author, subject, keywords, creator, producer, creationdate and moddate: those that there are."""
        with _lock:
            held: dict[str, str] = self._document.get_metadata_dict(skip_empty=True)
        return {name.lower(): text for name, text in held.items()}

    def _scale(self, index: int, points: tuple[float, float], dpi: float, max_pixels: int) -> float:
        """Pixels a point, a hair less than would make pypdfium2 round 2480.001 pixels up to 2481."""
        width, height = (max(1, round(side / POINTS_PER_INCH * dpi)) for side in points)
        if width * height > max_pixels:
            why = f"{width} x {height} pixels at {dpi:g} dpi, the limit is {max_pixels:,} in all"
            raise BadInput(f"Page {index + 1} of {self._name} is too large", why=why, hint="Choose fewer dpi.")
        return min(width / points[0], height / points[1]) * HAIR

    @contextmanager
    def _page(self, index: int) -> Iterator[Any]:
        """A page, and the lock for as long as it is used."""
        import pypdfium2

        with _lock:
            if self._document is None:
                raise BadArguments(f"{self._name} is closed")
            if not 0 <= index < self._count:
                raise BadArguments(f"{self._name} has no page {index + 1}", hint=f"It has {self._count}.")
            page = None
            try:
                page = self._document[index]
                yield page
            except (pypdfium2.PdfiumError, ValueError, ctypes.ArgumentError, MemoryError) as error:
                raise BadInput(f"Page {index + 1} of {self._name} is damaged", why=str(error)) from error
            finally:
                if page is not None:
                    page.close()


Drawn = tuple[str, tuple[int, int], bytes]
Share = tuple[int, int]


def draw(
    path: str, password: str | None, pages: str, dpi: float, mode: str, share: Share = (0, 1)
) -> Iterator[int | Drawn]:
    """For a child with limits: how many pages are drawn in all, then the mode, size and bytes of each.

    `mode` is color, gray or lineart. A `share` (1, 3) draws the second page of every three: PDFium draws side by side
    only in several processes. Raises what `Pages` and `pageranges.parse` raise.
    """
    with Pages(path, password) as document:
        indices = parse(pages, len(document))
        yield len(indices)
        for index in indices[share[0] :: share[1]]:
            image = _drawn(document, index, dpi, mode)
            yield image.mode, image.size, image.tobytes()


def draw_files(
    path: str,
    password: str | None,
    pages: str,
    dpi: float,
    mode: str,
    share: Share = (0, 1),
    format: str = "png",
    quality: int = 75,
) -> Iterator[int | bytes]:
    """The same, each page encoded as a file."""
    with Pages(path, password) as document:
        indices = parse(pages, len(document))
        yield len(indices)
        for index in indices[share[0] :: share[1]]:
            file = io.BytesIO()
            encode(_drawn(document, index, dpi, mode), format, file, dpi=dpi, quality=quality)
            yield file.getvalue()


def _drawn(document: Pages, index: int, dpi: float, mode: str) -> Image.Image:
    image = document.image(index, dpi, gray=mode != "color")
    return image.convert("1", dither=Image.Dither.NONE) if mode == "lineart" else image


def _readable(source: str | os.PathLike[str] | bytes) -> Path | bytes:
    """Bytes, or the absolute path of a file that was seen to open: PDFium does not tell why one does not."""
    if isinstance(source, bytes):
        return source
    try:
        with open(source, "rb"):
            return Path(source).resolve()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise FileAccess(f"'{os.fspath(source)}' cannot be read", why=why) from error


def _loaded(name: str, source: Path | bytes, password: str | None) -> Any:
    """PDFium's handle of a document. pypdfium2 itself tells, of one without pages, the error of the one before it."""
    import pypdfium2.raw as pdfium

    secret = password.encode() + b"\0" if password else None
    if isinstance(source, bytes):
        handle = pdfium.FPDF_LoadMemDocument64(source, len(source), secret)
    else:
        handle = pdfium.FPDF_LoadDocument(os.fsencode(source) + b"\0", secret)
    if not handle:
        raise _why_not_open(name, pdfium.FPDF_GetLastError(), password)
    return handle


def _why_not_open(name: str, code: int, password: str | None) -> DwtsvcError:
    if code == PASSWORD_ERROR and password:
        return WrongPassword(f"The password does not open {name}")
    if code == PASSWORD_ERROR:
        return Encrypted(f"{name} is encrypted", hint="Give its password.")
    if code == SECURITY_ERROR:
        return Encrypted(f"{name} is encrypted in a way that cannot be read")
    return BadInput(f"{name} is no PDF that can be read", why=f"PDFium's error {code}")


def _only_image(page: Any) -> Any:
    """The image that is all there is to see on a page, from edge to edge and upright, or None."""
    import pypdfium2.raw as pdfium

    if page.get_rotation() or pdfium.FPDFPage_GetAnnotCount(page) or pdfium.FPDFPage_HasTransparency(page):
        return None
    image = None
    for thing in page.get_objects(max_depth=1):
        if thing.type == TEXT and pdfium.FPDFTextObj_GetTextRenderMode(thing) == INVISIBLE:
            continue
        if thing.type != IMAGE or image is not None:
            return None
        image = thing
    return image if image is not None and _fills(page, image) else None


def _fills(page: Any, image: Any) -> bool:
    across, b, c, down, left, bottom = image.get_matrix().get()
    page_left, page_bottom, page_right, page_top = page.get_bbox()
    misses = (left - page_left, bottom - page_bottom, left + across - page_right, bottom + down - page_top)
    return bool(b == c == 0 and min(across, down) > 0 and max(map(abs, misses)) <= SLACK)


def _proof(page: Any) -> Image.Image:
    width, height = page.get_size()
    bitmap = page.render(scale=PROOF / max(width, height))
    try:
        drawn: Image.Image = bitmap.to_pil()
        return drawn
    finally:
        bitmap.close()


def _is_plain_jpeg(data: bytes) -> bool:
    """Gray or colour, and upright by its EXIF, which PDF ignores. CMYK may be inverted, which only the PDF tells."""
    try:
        components = jpeg_header(data).components
        with opened(io.BytesIO(data), formats=("JPEG",)) as image:
            upright = image.getexif().get(EXIF_ORIENTATION, 1) == 1
    except BadInput:
        return False
    return upright and components in (1, 3)


def _looks_like(data: bytes, drawn: Image.Image) -> bool:
    try:
        small = thumbnail(data, "jpeg", None, (2 * PROOF, 2 * PROOF))
    except BadInput:
        return False
    shown = small.convert("RGB").resize(drawn.size, Image.Resampling.BOX)
    apart: list[float] = ImageStat.Stat(ImageChops.difference(shown, drawn)).mean
    return max(apart) <= PROOF_LEVELS
