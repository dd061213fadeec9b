"""The addresses of images in a client's buffer, as a source: what `/dwt/.../img` shows is read here at full size."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from dwtsvc import pictures
from dwtsvc.buffer import Leaf
from dwtsvc.errors import BadArguments
from dwtsvc.formats import Data, PageEncoder
from dwtsvc.server import parsing
from dwtsvc.server.looks import Look
from dwtsvc.server.rest import sheets
from dwtsvc.server.rest.pagelinks import LOOPBACK
from dwtsvc.server.rest.sheets import Sheet
from dwtsvc.store import PageStore

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

_PATH = re.compile(r"/dwt/[^/]+/img")


def parse(url: str, host: str) -> tuple[str, int, str] | None:
    """The client id, the index from 0 and the id (or nothing) of an image's address; None for any other address.
    `host` is the request's."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query, max_num_fields=32)
        ours = parts.scheme in ("http", "https") and (
            parts.hostname in LOOPBACK or parts.netloc.lower() == host.lower()
        )
    except ValueError:
        return None
    ids, indices = query.get("id", []), query.get("index", [])
    if not ours or "@" in parts.netloc or not _PATH.fullmatch(parts.path) or len(ids) != 1 or len(indices) != 1:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", indices[0]):
        raise BadArguments("'index' must be a whole number")
    return ids[0], int(indices[0]), query.get("image", [""])[0]


def read(service: Service, bucket: str, client: str, index: int, image: str = "") -> Sheet:
    """The image of an id, else at an index, of a client's buffer, with its edits. Blocking.

    Raises UnknownItem, PageDamaged.
    """
    return _sheet(*_meant(service, bucket, client, index, image))


def look(service: Service, bucket: str, client: str, index: int, image: str = "") -> Look:
    """The same, to be read when its turn comes. Blocking. Raises UnknownItem."""
    leaf, store = _meant(service, bucket, client, index, image)
    return Look(leaf.page, sheets.reader(store, leaf.page), leaf.steps)


def _meant(service: Service, bucket: str, client: str, index: int, image: str) -> tuple[Leaf, PageStore]:
    buffer = service.holdings.buffer(bucket, client, create=False)
    return buffer.leaf(image) if image else buffer.at(index), buffer.store


def _sheet(leaf: Leaf, store: PageStore) -> Sheet:
    with store.reading(leaf.page) as data:
        if leaf.steps:
            return sheets.of_picture(pictures.of_file(_encoded(leaf, data), leaf.page.raster.dpi))
        return Sheet(leaf.page, bytes(data))


def _encoded(leaf: Leaf, data: Data) -> bytes:
    with parsing.memory_file() as file:
        PageEncoder("png", quality=100).write(leaf.page, data, file, leaf.steps)
        file.seek(0)
        return file.read()
