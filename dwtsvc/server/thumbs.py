"""Pages as small images, kept while there is memory: a list of pages asks for the same ones again and again."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict

from dwtsvc.buffer import Leaf
from dwtsvc.errors import TooLarge
from dwtsvc.formats import Data, PageEncoder, image_of
from dwtsvc.model import Encoding, PageInfo
from dwtsvc.store import PageStore

Key = tuple[str, str, int, int]
Image = tuple[bytes, str]

QUALITY = 85
PAGE_PIXELS = 160_000_000  # A4 at 1200 dpi has 139
JPEG, PNG = "image/jpeg", "image/png"


class Thumbs:
    """The last used images, encoded, within a number of bytes. Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, Image] = OrderedDict()

    def find(self, leaf: Leaf, width: int, height: int) -> Image | None:
        """The bytes and media type of a leaf in a box, if they are here."""
        key = _key(leaf, width, height)
        with self._lock:
            if found := self._kept.get(key):
                self._kept.move_to_end(key)
            return found

    def make(self, leaf: Leaf, store: PageStore, width: int, height: int) -> Image:
        """The leaf with its edits fitted into a box of pixels, or whole and as PNG for a box of 0 x 0. Takes a while.

        Raises PageDamaged, or TooLarge for a page of too many pixels.
        """
        whole = not width
        with store.reading(leaf.page) as data:
            made = _whole(leaf, data) if whole else _fitted(leaf, data, (width, height))
        if not whole:  # pages at full size would drive the small ones out
            self._keep(_key(leaf, width, height), made)
        return made

    def _keep(self, key: Key, image: Image) -> None:
        with self._lock:
            self._used += len(image[0]) - len(self._kept.pop(key, (b"",))[0])
            self._kept[key] = image
            while self._used > self._limit and self._kept:
                self._used -= len(self._kept.popitem(last=False)[1][0])


def _key(leaf: Leaf, width: int, height: int) -> Key:
    return leaf.page.id, repr(leaf.steps) if leaf.steps else "", width, height


def _whole(leaf: Leaf, data: Data) -> Image:
    file = io.BytesIO()
    _check(leaf.page)
    PageEncoder("png", quality=QUALITY).write(leaf.page, data, file, leaf.steps)
    return file.getvalue(), PNG


def _fitted(leaf: Leaf, data: Data, box: tuple[int, int]) -> Image:
    from dwtsvc.imaging import codecs
    from dwtsvc.imaging.thumbnails import fitted, resized, thumbnail

    _check(leaf.page)
    if leaf.steps:
        image, _ = image_of(leaf.page, data, leaf.steps)
        image = resized(image, fitted(image.size, box))
    else:
        raster = leaf.page.raster if leaf.page.encoding is Encoding.RAW else None
        image = thumbnail(data, leaf.page.encoding.value, raster, box, max_pixels=PAGE_PIXELS)
    file = io.BytesIO()
    codecs.encode(image, "jpeg", file, dpi=0, quality=QUALITY)
    return file.getvalue(), JPEG


def _check(page: PageInfo) -> None:
    pixels = page.raster.width * (page.raster.height or 0)
    if pixels > PAGE_PIXELS:
        raise TooLarge(f"The page has {pixels:,} pixels", why=f"the limit is {PAGE_PIXELS:,}", hint="Scan at less dpi.")
