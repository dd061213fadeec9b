"""Files that somebody loads become pages of a buffer: each picture of them, lossless, a JPEG as it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, cast

from dwtsvc.buffer import Buffer, Leaf
from dwtsvc.model import PageInfo
from dwtsvc.pictures import Picture
from dwtsvc.server import parsing

if TYPE_CHECKING:
    from collections.abc import Generator

    from dwtsvc.server.confined import Confined
    from dwtsvc.server.uploads import Upload


def load(
    buffer: Buffer,
    file: Upload,
    confined: Confined,
    whose: str,
    *,
    at: int | None = None,
    tags: Sequence[str] = (),
    dpi: float = parsing.UNSTATED_DPI,
    gray: bool = False,
    password: str | None = None,
) -> list[Leaf]:
    """Store every picture of a file, before the image at an index of the buffer or at its end. Takes a while.

    The file is a stranger's: it is parsed in a confined child, for the bucket `whose`.
    `dpi` and `gray` are for PDF pages that must be drawn. Raises BadInput, Encrypted, WrongPassword, DiskFull; the
    pictures before the one that failed stay.
    """
    leaves: list[Leaf] = []
    found = confined.iterate(whose, parsing.file_pictures, file, dpi, gray, password)
    with closing(cast("Generator[Picture]", found)):  # a full disk frees the child at once
        for picture in found:
            place = None if at is None else at + len(leaves)
            leaves.append(buffer.place(partial(_store, buffer, picture), place, tags=tags))
    return leaves


def _store(buffer: Buffer, picture: Picture, number: int) -> PageInfo:
    return buffer.store.put(
        buffer.owner, picture.content, number=number, back=False, encoding=picture.encoding, raster=picture.raster
    )
