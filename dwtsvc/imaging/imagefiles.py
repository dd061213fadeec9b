"""All pictures of a file that somebody loads: the pages of a TIFF or PDF, the frames of a GIF or WebP, or the one."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image, ImageOps

from dwtsvc.errors import BadInput, FileAccess
from dwtsvc.imaging.codecs import MAX_PIXELS, check_size, dpi_of, draft_gray, opened
from dwtsvc.imaging.pdfread import Pages
from dwtsvc.imaging.resolution import believable
from dwtsvc.model import MM_PER_INCH

Source = str | os.PathLike[str] | bytes | BinaryIO

Share = tuple[int, int]  # the first picture, from 0, and from one to the next

EVERY: Share = (0, 1)
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
    share: Share = EVERY,
) -> Iterator[tuple[Image.Image, float | None]]:
    """Yield each picture upright, with its dpi or None where the file tells none; each is decoded when asked for.

    `source` is a path, bytes or a seekable file, read from its beginning. PDF pages that are one JPEG come in its
    pixels, others are drawn at `dpi`; `gray` and `password` are for PDF too. `max_pixels` bounds each picture before it
    is decoded, `max_pages` their number: a PDF with more is refused at once, other files after that many. With a
    `share` of (first, step) only these pictures are decoded.
    Raises BadInput, FileAccess, and for PDF Encrypted and WrongPassword, when the picture concerned is asked for.
    """
    if is_pdf(source):
        yield from _pdf_pages(source, dpi, gray, password, max_pixels, max_pages, share)
    else:
        yield from _frames(source, max_pixels, max_pages, share)


def count(source: Source, password: str | None = None) -> int:
    """How many pictures or pages `images` would yield; no picture is decoded. Raises as that."""
    if is_pdf(source):
        with Pages(_for_pages(source), password) as pages:
            return len(pages)
    with opened(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        return getattr(image, "n_frames", 1) if image.format in SEVERAL else 1


def picture(
    source: Source,
    index: int,
    *,
    dpi: float = 200,
    gray: bool = False,
    least_dpi: float = 0.0,
    stated: float | None = None,
    password: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Image.Image, float | None]:
    """One picture by its index from 0, as `images` has it, and the dpi that it has now; None if nobody told.

    With `gray` a JPEG comes in gray and in as few of its pixels as leave `least_dpi`. `stated` is the dpi of the
    picture in its file, which is then not asked; what it says itself counts if it can be. Raises as `images`, and
    BadInput where there is no such picture.
    """
    if is_pdf(source):
        with Pages(_for_pages(source), password) as pages:
            if index >= len(pages):
                raise BadInput(f"There is no page {index + 1}", why=f"the PDF has {len(pages)}")
            return _pdf_page(pages, index, dpi, gray, max_pixels, least_dpi)
    with opened(io.BytesIO(source) if isinstance(source, bytes) else source, max_pixels=max_pixels) as image:
        if not _go_to(image, index):
            raise BadInput(f"There is no picture {index + 1}")
        check_size("a picture of the file", image.size, max_pixels)
        told = stated or _believed(image)
        if gray:
            told = draft_gray(image, told, least_dpi)
        image.load()
        return ImageOps.exif_transpose(image), told


def _believed(image: Image.Image) -> float | None:
    told = dpi_of(image)
    return told if told and believable(told, *image.size) else None


def _for_pages(source: Source) -> str | bytes | os.PathLike[str]:
    return source if isinstance(source, (str, bytes, os.PathLike)) else source.read()


def is_pdf(source: Source) -> bool:
    """Whether a file says that it is a PDF. Raises FileAccess."""
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


def _frames(
    source: Source, max_pixels: int, max_pages: int, share: Share
) -> Iterator[tuple[Image.Image, float | None]]:
    with opened(io.BytesIO(source) if isinstance(source, bytes) else source, max_pixels=max_pixels) as image:
        for number in itertools.count(*share):
            if not _go_to(image, number):
                return
            if number >= max_pages:
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
    source: Source, dpi: float, gray: bool, password: str | None, max_pixels: int, max_pages: int, share: Share
) -> Iterator[tuple[Image.Image, float | None]]:
    with Pages(_for_pages(source), password) as pages:
        if len(pages) > max_pages:
            raise BadInput("The PDF has too many pages", why=f"{len(pages)}, the limit is {max_pages}")
        for index in range(share[0], len(pages), share[1]):
            yield _pdf_page(pages, index, dpi, gray, max_pixels)


def _pdf_page(
    pages: Pages, index: int, dpi: float, gray: bool, max_pixels: int, least_dpi: float = 0.0
) -> tuple[Image.Image, float | None]:
    jpeg = pages.embedded_jpeg(index)
    if jpeg is None:
        return pages.image(index, dpi, gray, max_pixels=max_pixels), dpi
    return _scanned(jpeg, gray, max_pixels, pages.size(index)[0], least_dpi)


def _scanned(
    jpeg: bytes, gray: bool, max_pixels: int, width: float, least_dpi: float
) -> tuple[Image.Image, float | None]:
    """The JPEG of a page `width` mm wide, and the dpi at which it fills the page."""
    with opened(io.BytesIO(jpeg), max_pixels=max_pixels, formats=("JPEG",)) as image:
        dpi: float | None = image.width / (width / MM_PER_INCH)
        if gray:
            dpi = draft_gray(image, dpi, least_dpi)
        image.load()
        return image.convert("L") if gray else image.copy(), dpi
