"""The addresses of eSCL: what a client may ask of a shared scanner, and the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from dwtsvc import esclxml
from dwtsvc.errors import BadArguments, BadInput, DwtsvcError, FeederEmpty, ScannerBusy, TooMany, UnknownItem
from dwtsvc.server import faults
from dwtsvc.server.airscan.orders import PIECE, Document, Order, Orders, page_wait
from dwtsvc.server.gate import headers
from dwtsvc.server.pages import WEB
from dwtsvc.server.rest import waiting

if TYPE_CHECKING:
    from dwtsvc.server.bridge import Bridge

XML = "text/xml"
MOST_TICKET = 64 << 10  # bytes; a real one has two thousand
AGAIN = b"2"  # seconds


class Name(bytes):
    """A header field that is sent as it is spelled: SANE's escl takes `Location` and not `location`."""

    def lower(self) -> bytes:
        return self


LOCATION = Name(b"Location")


class Visit(Protocol):
    """A request that passed the gate; `host` is what the client calls us, `agent` itself, `client` its address."""

    method: str
    path: str
    host: str
    agent: str
    scheme: str
    client: str

    async def receive(self) -> Any: ...

    async def send(self, message: Any) -> None: ...

    async def body(self, most: int) -> bytes: ...


class Face:
    """Answers requests. `scanners` are the orders of each shared scanner by its slug, the first one at `/eSCL` too;
    `ready` is whether they were looked for."""

    def __init__(self, bridge: Bridge, scanners: Mapping[str, Orders], ready: Callable[[], bool]) -> None:
        self._bridge = bridge
        self._scanners = scanners
        self._ready = ready
        self._icon = (WEB / "favicon.ico").read_bytes()

    async def __call__(self, visit: Visit) -> None:
        """Answer, an error too. Only what is a fault of ours is raised."""
        try:
            await self._answer(visit)
        except waiting.Gone:
            return
        except DwtsvcError as error:
            await refuse(visit, error)

    async def _answer(self, visit: Visit) -> None:
        parts = [part for part in visit.path.split("/") if part]  # some clients join them with two strokes
        match visit.method, parts:
            case "GET" | "HEAD", []:
                await say(visit, 200, self._welcome(), "text/plain; charset=utf-8")
            case "GET" | "HEAD", ["favicon.ico"]:
                await say(visit, 200, self._icon, "image/vnd.microsoft.icon")
            case _, ["eSCL", *rest] if self._scanners:
                await self._scanner(visit, self._first(rest), "/eSCL", rest)
            case _, [slug, "eSCL", *rest] if slug in self._scanners:
                await self._scanner(visit, self._scanners[slug], f"/{slug}/eSCL", rest)
            case _, ["eSCL", *_] | [_, "eSCL", *_] if not self._ready():
                raise ScannerBusy("The scanners are being looked for", hint="Ask again.")
            case _:
                raise UnknownItem("There is nothing at this address")

    def _first(self, rest: list[str]) -> Orders:
        """The first scanner, or the one that was it when a job was begun there."""
        job = rest[1] if rest[:1] == ["ScanJobs"] and len(rest) > 1 else ""
        first = next(iter(self._scanners.values()))
        return next((each for each in self._scanners.values() if each.knows(job)), first)

    def _welcome(self) -> bytes:
        names = "".join(f"  {orders.offer.name}\n" for orders in self._scanners.values())
        return f"Scanners that dwtsvc shares by AirScan (eSCL):\n{names or '  none'}\n".encode()

    async def _scanner(self, visit: Visit, orders: Orders, base: str, rest: list[str]) -> None:
        match visit.method, rest:
            case "GET" | "HEAD", ["ScannerCapabilities"]:
                told = orders.offer.description(f"{visit.scheme}://{visit.host}")
                await say(visit, 200, esclxml.description_document(told), XML)
            case "GET" | "HEAD", ["ScannerStatus"]:
                await say(visit, 200, esclxml.status_document(_status(orders, visit.client, base)), XML)
            case "POST", ["ScanJobs"]:
                await self._begin(visit, orders, base)
            case "PUT" | "POST", ["ScanBufferInfo"]:
                ticket = esclxml.ticket((await visit.body(MOST_TICKET)).strip())
                document = esclxml.buffer_document(ticket, *orders.offer.measure(ticket))
                await say(visit, 200, document, XML)
            case _, ["ScanJobs", uid, *rest]:
                await self._job(visit, orders, orders.find(visit.client, uid), base, rest)
            case _:
                raise UnknownItem("There is nothing at this address")

    async def _begin(self, visit: Visit, orders: Orders, base: str) -> None:
        # One client writes an empty line before the declaration, which XML does not allow.
        ticket = esclxml.ticket((await visit.body(MOST_TICKET)).strip())
        order = await waiting.while_there(visit, orders.begin(ticket, visit.client))
        url = f"{visit.scheme}://{visit.host}{base}/ScanJobs/{order.held.uid}"
        await say(visit, 201, b"", "", [(LOCATION, url.encode())])

    async def _job(self, visit: Visit, orders: Orders, order: Order, base: str, rest: list[str]) -> None:
        match visit.method, rest:
            case "GET", ["NextDocument"]:
                await waiting.while_there(visit, self._next(visit, orders, order))
            case "GET", ["ScanImageInfo"]:
                await say(visit, 200, _image_info(order, base), XML)
            case "DELETE", [] if not order.over:  # one client takes only 404 for the end of what has ended
                orders.end(order)
                await say(visit, 200, b"", "")
            case _:
                raise UnknownItem("There is nothing at this address")

    async def _next(self, visit: Visit, orders: Orders, order: Order) -> None:
        """The next document. A client that leaves before its end cancels this, and gets the same one again."""
        async with orders.next_document(order, page_wait(visit.agent)) as document:
            await self._send(visit, document)

    async def _send(self, visit: Visit, document: Document | None) -> None:
        if document is None:
            await say(visit, 404, b"", "")
            return
        await visit.send(start(200, document.size, document.kind))
        left = document.size
        while left:
            piece = await self._bridge.run(document.read, PIECE)
            left -= len(piece)
            await visit.send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        document.taken = True


def _status(orders: Orders, client: str, base: str) -> esclxml.Status:
    return esclxml.Status(
        state="Processing" if orders.turns.taken else "Idle",
        feeder=orders.feeder,
        jobs=tuple(order.status(base) for order in orders.of_client(client)),
    )


def _image_info(order: Order, base: str) -> bytes:
    """Of the page that was sent last, or else of the first."""
    pages = order.held.job.pages
    if not pages:
        raise ScannerBusy("There is no page yet", hint="Ask again.")
    raster = pages[min(max(order.sent - 1, 0), len(pages) - 1)].raster
    path = f"{base}/ScanJobs/{order.held.uid}"
    return esclxml.image_document(path, raster.width, raster.height or 0, raster.bytes_per_line)


def status_of(error: DwtsvcError) -> int:
    """The status that says an error as clients of eSCL read it."""
    if isinstance(error, ScannerBusy | TooMany):
        return 503
    if isinstance(error, FeederEmpty):
        return 404
    if isinstance(error, BadInput):
        return 400
    return 409 if type(error) is BadArguments else error.http_status


async def refuse(visit: Visit, error: DwtsvcError) -> None:
    """Say an error: when to come again, and what a person who looks into it should know."""
    status = status_of(error)
    more: list[headers.Header] = [(b"retry-after", AGAIN)] if status == 503 else []
    await say(visit, status, f"{faults.message(error)}\n".encode(), "text/plain; charset=utf-8", more)


async def say(visit: Visit, status: int, body: bytes, kind: str, more: list[headers.Header] | None = None) -> None:
    """A short answer."""
    await visit.send(start(status, len(body), kind, more))
    await visit.send({"type": "http.response.body", "body": body})


def start(status: int, size: int, kind: str, more: list[headers.Header] | None = None) -> dict[str, Any]:
    """The head of an answer."""
    given: list[headers.Header] = [(b"content-length", b"%d" % size), *(more or [])]
    if kind:
        given.append((b"content-type", kind.encode()))
    return {"type": "http.response.start", "status": HTTPStatus(status).value, "headers": [*headers.DATA, *given]}
