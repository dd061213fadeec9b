"""Stored pages in an output format: as image files, or as pages of a PDF or TIFF."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from mmap import mmap
from typing import TYPE_CHECKING, Any, BinaryIO

from dwtsvc.model import Encoding, Mode, PageInfo, Raster, Step
from dwtsvc.suffixes import DOCUMENTS

if TYPE_CHECKING:
    from PIL.Image import Image

    from dwtsvc.imaging.codecs import Canvas
    from dwtsvc.imaging.pdf import PdfWriter
    from dwtsvc.imaging.tiff import TiffWriter
    from dwtsvc.text import Text

Data = mmap | bytes


class PageEncoder:
    """One output format with its numbers. JPEG pages go into JPEG, PDF and TIFF byte for byte, PNG pages into PNG.

    `steps` are the edits that lie beside a page; with any, its pixels are made anew.
    A TIFF compression holds for the pages it can hold: colour and gray pages of a fax (g4, g3, rle) are deflated, and
    black and white pages of a JPEG one are g4. A JPEG page is decoded only for a TIFF that was asked to be lossless.
    `pdf_compression` is "auto", or "lzw" or "jpeg2000", by which every page is made anew, losslessly; black and white
    stays g4 in a jpeg2000 one.
    With `digests` a PDF keeps those of its pages' images, for a receipt.
    """

    def __init__(
        self,
        format: str,
        *,
        quality: int,
        tiff_compression: str = "auto",
        pdf_compression: str = "auto",
        title: str = "",
        author: str = "",
        subject: str = "",
        keywords: str = "",
        conformance: str | None = None,
        digests: bool = False,
    ) -> None:
        self.format = format
        self._quality, self._compression, self._pdf_compression = quality, tiff_compression, pdf_compression
        self._described: dict[str, Any] = {"title": title, "author": author, "subject": subject, "keywords": keywords}
        self._conformance, self._digests = conformance, digests

    @property
    def stores_jpeg(self) -> bool:
        """Whether colour and gray pages end as JPEG, so that they may be stored as such."""
        return self.format in ("jpeg", "pdf") or (self.format == "tiff" and self._compression == "jpeg")

    def makes_jpeg(self, mode: Mode, raster: Raster) -> bool:
        """Whether a page of this size becomes JPEG in this mode. A JPEG file cannot be anything else."""
        from dwtsvc.imaging import jpeg

        if self.format == "jpeg":
            return True
        short = max(raster.width, raster.height or 0) <= jpeg.LONGEST_SIDE
        return self.stores_jpeg and mode is not Mode.LINEART and short

    def copies(self, page: PageInfo) -> bool:
        """Whether the stored bytes of a page are already the file that `write` would make."""
        return page.encoding.value == self.format

    def write(
        self, page: PageInfo, data: Data, file: BinaryIO, steps: Sequence[Step] = (), text: Text | None = None
    ) -> None:
        """One page as a file of its own; with its text, read after the steps, if that is a PDF."""
        from dwtsvc.imaging import codecs

        if self.copies(page) and not steps:
            file.write(data)
        elif self.format in DOCUMENTS:
            with self.document(file) as document:
                self.append(page, data, document, steps, text)
        elif page.encoding is Encoding.RAW and not steps:
            codecs.encode_rows(page.raster, data, self.format, file, canvas=canvas(), quality=self._quality)
        else:
            image, dpi = image_of(page, data, steps)
            codecs.encode(image, self.format, file, dpi=dpi, quality=self._quality)

    def document(self, file: BinaryIO) -> PdfWriter | TiffWriter:
        """An empty document in the file; it must be closed to be whole."""
        if self.format == "pdf":
            from dwtsvc.imaging.pdf import PdfWriter

            return PdfWriter(file, **self._described, conformance=self._conformance, digests=self._digests)
        from dwtsvc.imaging.tiff import TiffWriter

        return TiffWriter(file)

    def append(
        self,
        page: PageInfo,
        data: Data,
        document: PdfWriter | TiffWriter,
        steps: Sequence[Step] = (),
        text: Text | None = None,
    ) -> None:
        """One page into a document; its text, read after the steps, becomes the layer of a PDF page."""
        if self.format == "pdf" and self._pdf_compression != "auto":
            self._append_so(*image_of(page, data, steps), document, text)
        elif steps:
            self._append_image(*image_of(page, data, steps), document, text)
        elif page.encoding is Encoding.JPEG and self._keeps_jpeg:
            _add_jpeg(document, data, page.raster.dpi, text)
        elif self.makes_jpeg(page.raster.mode, page.raster):
            file = io.BytesIO()
            PageEncoder("jpeg", quality=self._quality).write(page, data, file)
            _add_jpeg(document, file.getvalue(), page.raster.dpi, text)
        else:
            self._append_exactly(page, data, document, text)

    def _append_so(self, image: Image, dpi: float, document: Any, text: Text | None) -> None:
        if self._pdf_compression == "lzw":
            document.add_lzw(image, dpi=dpi, text=text)
        elif image.mode == "1":
            document.add_image(image, dpi=dpi, text=text)
        else:
            document.add_jpeg2000(image, dpi=dpi, text=text)

    @property
    def _keeps_jpeg(self) -> bool:
        return self.stores_jpeg or self._compression == "auto"

    def _append_exactly(self, page: PageInfo, data: Data, document: PdfWriter | TiffWriter, text: Text | None) -> None:
        from dwtsvc.imaging.tiff import TiffWriter

        if page.encoding is Encoding.RAW and isinstance(document, TiffWriter):
            document.add_rows(page.raster, data, compression=self._lossless(page.raster.depth))
        elif page.encoding is Encoding.PNG and page.raster.depth == 8 and not isinstance(document, TiffWriter):
            document.add_png(data, dpi=page.raster.dpi, text=text)  # but black and white is smaller as g4
        else:
            self._append_pixels(*image_of(page, data), document, text)

    def _append_image(self, image: Image, dpi: float, document: PdfWriter | TiffWriter, text: Text | None) -> None:
        """An image that was made anew, compressed as the format compresses its like."""
        if not self.stores_jpeg or image.mode == "1":
            return self._append_pixels(image, dpi, document, text)
        from dwtsvc.imaging import codecs

        file = io.BytesIO()
        codecs.encode(image, "jpeg", file, dpi=dpi, quality=self._quality)
        return _add_jpeg(document, file.getvalue(), dpi, text)

    def _append_pixels(self, image: Image, dpi: float, document: PdfWriter | TiffWriter, text: Text | None) -> None:
        from dwtsvc.imaging.tiff import TiffWriter

        if isinstance(document, TiffWriter):
            depth = 1 if image.mode == "1" else 8
            document.add_image(image, dpi=dpi, compression=self._lossless(depth))
        else:
            document.add_image(image, dpi=dpi, text=text)

    def _lossless(self, depth: int) -> str:
        from dwtsvc.imaging.streams import FAX

        held = self._compression != "jpeg" and (self._compression not in FAX or depth == 1)
        return self._compression if held else "auto"


def _add_jpeg(document: PdfWriter | TiffWriter, data: Data, dpi: float, text: Text | None) -> None:
    from dwtsvc.imaging.tiff import TiffWriter

    if isinstance(document, TiffWriter):
        document.add_jpeg(data, dpi=dpi)
    else:
        document.add_jpeg(data, dpi=dpi, text=text)


_threads = threading.local()


def canvas() -> Canvas:
    """This thread's own canvas: pages of a batch share one allocation."""
    if not hasattr(_threads, "canvas"):
        from dwtsvc.imaging.codecs import Canvas

        _threads.canvas = Canvas()
    found: Canvas = _threads.canvas
    return found


def image_of(page: PageInfo, data: Data, steps: Sequence[Step] = ()) -> tuple[Image, float]:
    """A stored page with its edits as an image, and its dpi. Without edits it may be this thread's canvas: use it
    before the next page is asked for."""
    from dwtsvc.imaging import codecs

    raw = page.encoding is Encoding.RAW
    image = canvas().load(page.raster, data) if raw else codecs.decode(io.BytesIO(data))
    if not steps:
        return image, page.raster.dpi
    from dwtsvc.imaging import edit

    return edit.apply_all(steps, image, page.raster.dpi)
