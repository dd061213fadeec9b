"""Files that somebody loads become pages of a buffer: each picture of them, lossless, a JPEG as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from dwtsvc import pictures
from dwtsvc.buffer import Buffer, Leaf
from dwtsvc.imaging.imagefiles import images
from dwtsvc.model import PageInfo
from dwtsvc.pictures import Picture
from dwtsvc.server.thumbs import PAGE_PIXELS

UNSTATED_DPI = 200.0
MOST_PAGES = 1000


def load(
    buffer: Buffer,
    file: bytes,
    *,
    at: int | None = None,
    tags: Sequence[str] = (),
    dpi: float = UNSTATED_DPI,
    gray: bool = False,
    password: str | None = None,
) -> list[Leaf]:
    """Store every picture of a file, before the image at an index of the buffer or at its end. Takes a while.

    `dpi` and `gray` are for PDF pages that must be drawn. Raises BadInput, Encrypted, WrongPassword, DiskFull; the
    pictures before the one that failed stay.
    """
    leaves: list[Leaf] = []
    for picture in _pictures(file, dpi, gray, password):
        place = None if at is None else at + len(leaves)
        leaves.append(buffer.place(partial(_store, buffer, picture), place, tags=tags))
    return leaves


def _pictures(file: bytes, dpi: float, gray: bool, password: str | None) -> Iterator[Picture]:
    if whole := pictures.as_it_is(file, UNSTATED_DPI, max_pixels=PAGE_PIXELS):
        yield whole
        return
    for image, stated in images(
        file, dpi=dpi, gray=gray, password=password, max_pixels=PAGE_PIXELS, max_pages=MOST_PAGES
    ):
        yield pictures.lossless(image, stated or dpi)


def _store(buffer: Buffer, picture: Picture, number: int) -> PageInfo:
    return buffer.store.put(
        buffer.owner, picture.content, number=number, back=False, encoding=picture.encoding, raster=picture.raster
    )
