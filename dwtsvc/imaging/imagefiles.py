"""All pictures of a file that somebody loads: the pages of a TIFF or PDF, the frames of a GIF or WebP, or the one."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image, ImageOps

from dwtsvc.errors import BadInput, FileAccess
from dwtsvc.imaging.codecs import MAX_PIXELS, check_size, dpi_of, opened
from dwtsvc.imaging.pdfread import Pages
from dwtsvc.model import MM_PER_INCH

Source = str | os.PathLike[str] | bytes | BinaryIO

MAX_PAGES = 1000
SEVERAL = frozenset({"TIFF", "GIF", "WEBP", "PNG"})  # not MPO: the rest of a camera's JPEG is its own small copies
PDF_MARK, PDF_MARK_WITHIN = b"%PDF-", 1024  # bytes; readers allow junk before it


def images(
    source: Source,
    *,
    dpi: float = 200,
    gray: bool = False,
    password: str | None = None,
    max_pixels: int = MAX_PIXELS,
    max_pages: int = MAX_PAGES,
) -> Iterator[tuple[Image.Image, float | None]]:
    """Yield each picture upright, with its dpi or None where the file tells none; each is decoded when asked for.

    `source` is a path, bytes or a seekable file, read from its beginning. PDF pages that are one JPEG come in its
    pixels, others are drawn at `dpi`; `gray` and `password` are for PDF too. `max_pixels` bounds each picture before it
    is decoded, `max_pages` their number: a PDF with more is refused at once, other files after that many.
    Raises BadInput, FileAccess, and for PDF Encrypted and WrongPassword, when the picture concerned is asked for.
    """
    if _is_pdf(source):
        yield from _pdf_pages(source, dpi, gray, password, max_pixels, max_pages)
    else:
        yield from _frames(source, max_pixels, max_pages)


def _is_pdf(source: Source) -> bool:
    if isinstance(source, bytes):
        return PDF_MARK in source[:PDF_MARK_WITHIN]
    if isinstance(source, (str, os.PathLike)):
        try:
            with open(source, "rb") as file:
                return PDF_MARK in file.read(PDF_MARK_WITHIN)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise FileAccess(f"'{os.fspath(source)}' cannot be read", why=why) from error
    source.seek(0)
    head = source.read(PDF_MARK_WITHIN)
    source.seek(0)
    return PDF_MARK in head


def _frames(source: Source, max_pixels: int, max_pages: int) -> Iterator[tuple[Image.Image, float | None]]:
    with opened(io.BytesIO(source) if isinstance(source, bytes) else source, max_pixels=max_pixels) as image:
        for number in range(max_pages + 1):
            if not _go_to(image, number):
                return
            if number == max_pages:
                raise BadInput("The file has too many pictures", why=f"the limit is {max_pages}")
            check_size("a picture of the file", image.size, max_pixels)
            image.load()
            yield ImageOps.exif_transpose(image), dpi_of(image)


def _go_to(image: Image.Image, number: int) -> bool:
    """Whether there is a picture of that number; if so the image is at it."""
    if number and image.format not in SEVERAL:
        return False
    try:
        image.seek(number)
    except EOFError:
        return False
    return True


def _pdf_pages(
    source: Source, dpi: float, gray: bool, password: str | None, max_pixels: int, max_pages: int
) -> Iterator[tuple[Image.Image, float | None]]:
    with Pages(source if isinstance(source, (str, bytes, os.PathLike)) else source.read(), password) as pages:
        if len(pages) > max_pages:
            raise BadInput("The PDF has too many pages", why=f"{len(pages)}, the limit is {max_pages}")
        for index in range(len(pages)):
            jpeg = pages.embedded_jpeg(index)
            if jpeg is None:
                yield pages.image(index, dpi, gray, max_pixels=max_pixels), dpi
            else:
                yield _scanned(jpeg, gray, max_pixels, pages.size(index)[0])


def _scanned(jpeg: bytes, gray: bool, max_pixels: int, width: float) -> tuple[Image.Image, float]:
    """The JPEG of a page `width` mm wide, and the dpi at which it fills the page."""
    with opened(io.BytesIO(jpeg), max_pixels=max_pixels, formats=("JPEG",)) as image:
        if gray:
            image.draft("L", image.size)
        image.load()
        whole = image.convert("L") if gray else image.copy()
    return whole, whole.width / (width / MM_PER_INCH)
