"""Pages of a buffer as a file to hand out, in a temporary file that has no name: it may be large."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from itertools import zip_longest
from typing import BinaryIO

from dwtsvc.buffer import Leaf
from dwtsvc.disk import telling
from dwtsvc.errors import BadArguments
from dwtsvc.formats import PageEncoder
from dwtsvc.paths import Paths
from dwtsvc.server.bridge import Bridge
from dwtsvc.server.findings import packed, unpacked
from dwtsvc.server.looks import Found
from dwtsvc.store import PageStore
from dwtsvc.suffixes import DOCUMENTS, FORMATS
from dwtsvc.text import Text

Texts = Sequence[Callable[[], Text | None]]

CHUNK = 1 << 18
MEDIA_TYPES = {
    "pdf": "application/pdf",
    "tiff": "image/tiff",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "bmp": "image/bmp",
    "webp": "image/webp",
}


def save(leaves: Sequence[Leaf], store: PageStore, encoder: PageEncoder, paths: Paths, texts: Texts = ()) -> BinaryIO:
    """The leaves with their edits as one file, at its beginning. Takes a while. See `write` for `texts`.

    Raises BadArguments for no page, or several where the format holds one; PageDamaged, DiskFull.
    """
    if encoder.format not in FORMATS:
        raise BadArguments(f"There is no format '{encoder.format}'", hint=f"Choose one of: {', '.join(FORMATS)}.")
    if not leaves or (len(leaves) > 1 and encoder.format not in DOCUMENTS):
        raise BadArguments(f"A {encoder.format} file holds {'at least ' if not leaves else ''}one page")
    folder = paths.create(paths.cache)
    with telling(folder):
        file = tempfile.TemporaryFile(dir=folder)
        try:
            write(leaves, store, encoder, file, texts)
            file.seek(0)
        except BaseException:
            file.close()
            raise
    return file


def write(leaves: Sequence[Leaf], store: PageStore, encoder: PageEncoder, file: BinaryIO, texts: Texts = ()) -> None:
    """Leaves with their edits into a file: all of them as one document, or the one that another format holds.

    `texts` are those of the pages of a PDF, read after their edits; none for a PDF that is not to be searched.
    """
    if encoder.format not in DOCUMENTS:
        with store.reading(leaves[0].page) as data:
            encoder.write(leaves[0].page, data, file, leaves[0].steps)
        return
    with encoder.document(file) as document:
        for leaf, text in zip_longest(leaves, texts):
            with store.reading(leaf.page) as data:
                encoder.append(leaf.page, data, document, leaf.steps, text() if text else None)


def kept(found: Iterable[Found], on_page: Callable[[int], object] = lambda number: None) -> Texts:
    """The texts of pages that were read, packed until they are written; `on_page` hears how many there are."""
    made: list[Callable[[], Text | None]] = []
    for number, page in enumerate(found, 1):
        made.append(partial(_text, packed(page)))
        on_page(number)
    return made


def _text(data: bytes) -> Text | None:
    return unpacked(data).text


async def chunks(file: BinaryIO, bridge: Bridge) -> AsyncIterator[bytes]:
    """The content of a file piece by piece; it is closed at the end, also of a reader that went away."""
    try:
        while piece := await bridge.run(file.read, CHUNK):
            yield piece
    finally:
        file.close()
