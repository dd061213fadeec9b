"""The images of a client's buffer, `/dwt/dwt_<version>/img`: asked for most often of all, so it is plain ASGI."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from dwtsvc.errors import BadArguments, WrongMethod
from dwtsvc.server import faults
from dwtsvc.server.gate.access import Access, Receive, RouteTable, Scope, Send, caller

if TYPE_CHECKING:
    from dwtsvc.buffer import Leaf
    from dwtsvc.server.service import Service
    from dwtsvc.server.thumbs import Image

PATH = "/dwt/{version}/img"
LEAST = 150  # pixels; a smaller box is taken for this one
LONGEST_ID = 64
ALLOWED = [(b"allow", b"GET, HEAD")]


def mount(table: RouteTable, service: Service) -> None:
    """Have the guard send requests for images here."""
    table.add(PATH, {"GET": Access.IMAGE}, app=Images(service))


class Images:
    """Answers `?id=<client>&index=<n>&width=<w>&height=<h>`, with `ticks` or `t` to keep caches away.

    With `image=<id of the image>` it is that one, wherever it stands by now, and never the one that took its place.
    Without a size, or with one that is larger than the page, it is the whole page as PNG; else it is fitted into the
    box with its aspect kept.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] != "GET":
                raise WrongMethod(f"{scope['method']} is not allowed here", hint="Allowed: GET.")
            body, media_type = await self._image(scope)
        except Exception as error:
            status, headers, body = faults.answer(faults.known(error))
            headers += ALLOWED if status == WrongMethod.http_status else []
        else:
            status = 200
            headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _image(self, scope: Scope) -> Image:
        query = _values(scope["query_string"])
        holdings, owner = self._service.holdings, (caller(scope).bucket, client_id(query.get(b"id", b"")))
        buffer = holdings.open_buffer(*owner)
        if buffer is None:
            buffer = await self._service.bridge.run(holdings.buffer, *owner, create=False)
        image = query.get(b"image", b"").decode("latin-1")
        leaf = buffer.leaf(image) if image else buffer.at(_number(query, b"index"))
        width, height = _box(leaf, _number(query, b"width", -1), _number(query, b"height", -1))
        thumbs = self._service.thumbs
        if found := thumbs.find(leaf, width, height):
            return found
        return await self._service.bridge.run(thumbs.make, leaf, buffer.store, width, height)


def client_id(raw: bytes) -> str:
    """The id under which a page keeps its images. Raises BadArguments."""
    text = raw.decode("utf-8", "replace")
    if not 0 < len(text) <= LONGEST_ID or not text.isprintable():
        raise BadArguments("The id of the client is missing or wrong", hint=f"Send id=, 1 to {LONGEST_ID} characters.")
    return text


def _values(query: bytes) -> dict[bytes, bytes]:
    pairs = (part.partition(b"=") for part in query.split(b"&"))
    return {name: unquote_to_bytes(value) if b"%" in value else value for name, _, value in pairs}


def _number(query: dict[bytes, bytes], name: bytes, default: int | None = None) -> int:
    text = query.get(name, b"")
    if not text and default is not None:
        return default
    try:
        return int(text[:12])
    except ValueError:
        raise BadArguments(f"'{name.decode()}' must be a whole number") from None


def _box(leaf: Leaf, width: int, height: int) -> tuple[int, int]:
    """The box in pixels, or 0 x 0 for the whole page."""
    raster = leaf.page.raster
    longest = max(raster.width, raster.height or 0)  # it may have been turned
    if width <= 0 or height <= 0 or width > longest or height > longest:
        return 0, 0
    return max(width, LEAST), max(height, LEAST)
