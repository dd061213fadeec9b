"""The gate of the AirScan face: who may ask at all. Nobody has a token here, so it lets in who is near and no browser.

It asks in this order: is the client in a network that may; is it a browser that sends this for a web page; does it call
us by a name that no stranger can point here; has it had its share; is the body what is taken.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from dwtsvc.errors import BadArguments, DwtsvcError, OriginNotAllowed, ServiceRefused, TooMany, UnknownCoding
from dwtsvc.server import faults
from dwtsvc.server.airscan.face import Face, refuse
from dwtsvc.server.airscan.networks import Allowed, plain
from dwtsvc.server.gate.bodies import Body
from dwtsvc.server.gate.quotas import Limits, Quotas

LIMITS = Limits(rate=50.0, burst=200.0, requests=48, all_requests=256)
# What only browsers send, and only for pages. On plain HTTP they send no Sec-Fetch fields, but one of the others.
_OF_PAGES = frozenset((b"origin", b"referer", b"cookie", b"access-control-request-method", b"sec-fetch-site"))
_HOST = re.compile(r"(\[[0-9a-f:.]+(?:%[0-9a-z%._~-]+)?\]|[a-z0-9._-]+)(:\d{1,5})?")


class Request:
    """A request on its way: a `Visit` of the face."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.scheme: str = scope["scheme"]
        self.receive, self.send = receive, send
        self.head: dict[bytes, bytes] = dict(scope["headers"])
        self.host, self.agent = self._word(b"host"), self._word(b"user-agent")
        address = plain((scope.get("client") or ("", 0))[0])
        self.client = str(address) if address else ""

    def _word(self, field: bytes) -> str:
        return self.head.get(field, b"").decode("latin-1").lower()

    async def body(self, most: int) -> bytes:
        """The whole body. Raises TooLarge, and BadArguments where the client left in the middle of it."""
        counted, pieces = Body(self.receive, most, plain=True), []
        while True:
            message = await counted()
            if message["type"] != "http.request":
                raise BadArguments("The body of the request is not whole")
            pieces.append(message.get("body", b""))
            if not message.get("more_body", False):
                return b"".join(pieces)


class Gate:
    """The ASGI application of the listener. `names` are host names of this machine, besides addresses and `.local`."""

    def __init__(self, face: Face, allowed: Allowed, names: Iterable[str] = ()) -> None:
        self._face, self._allowed = face, allowed
        self._names = frozenset((*names, *own_names()))
        self._quotas = Quotas(LIMITS)
        self.open_requests = 0

    async def start(self) -> None:
        """Nothing: whoever shares begins and ends it."""

    async def stop(self) -> None:
        """Nothing."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive, send)
        try:
            self._admit(request)
            share = self._quotas.enter(request.client, upload=False, now=time.monotonic())
        except DwtsvcError as error:
            await refuse(request, error)
            return
        self.open_requests += 1
        try:
            await self._face(request)
        except Exception as error:
            raise faults.known(error) from None  # its text may hold what is nobody's business
        finally:
            self.open_requests -= 1
            self._quotas.leave(share, upload=False)

    def _admit(self, request: Request) -> None:
        if request.client not in self._allowed:
            raise ServiceRefused("This network may not use the scanners here")
        if not _OF_PAGES.isdisjoint(request.head) and not _is_navigation(request):
            raise OriginNotAllowed("No web page may use the scanners here")
        if not is_own(request.host, self._names):
            raise ServiceRefused("This is not the name of this service", hint="Use its address.")
        if request.head.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnknownCoding("Compressed bodies are not taken")
        if self.open_requests >= LIMITS.all_requests:
            raise TooMany("The service is full", hint="Try again.")


def _is_navigation(request: Request) -> bool:
    """A person who opens the address that the scanner announces sees the names of the scanners, and no more."""
    return (
        (request.method, request.path) in (("GET", "/"), ("GET", "/favicon.ico"))
        and b"origin" not in request.head
        and request.head.get(b"sec-fetch-site", b"none") in (b"none", b"same-origin")
    )


@lru_cache(1024)
def is_own(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header can only mean us: an address, a name of this machine, or one that only mDNS answers.

    A page of a stranger whose name was made to point here still says that name.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match[1].strip("[]").rstrip(".")
    return plain(name) is not None or name in names or (name.endswith(".local") and name.count(".") == 1)


def own_names() -> frozenset[str]:
    """What this machine calls itself, in small letters."""
    name = socket.gethostname().lower()
    return frozenset(each for each in ("localhost", name, name.partition(".")[0]) if each)
