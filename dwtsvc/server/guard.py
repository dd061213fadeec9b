"""The guard: the outermost layer of the service, through which every request goes before anything else sees it.

It decides in this order, and the first No is the answer: is the service full; does the request name this machine (the
gate against rebound host names); which route is meant; who asks (a token, a signed image, a web origin, an own page, a
tool of this user); may he; is the body of a kind and size that is taken; has a web origin had its share.

It trusts exact matches only: no pattern, no suffix, no header of a proxy. What it answers to those it refuses holds
no version, device or name, and no header that lets a page read it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from dwtsvc.errors import BadArguments, DwtsvcError, NothingFound, OriginNotAllowed, ServiceRefused, TooMany
from dwtsvc.server import faults
from dwtsvc.server.gate import bodies, headers, heads
from dwtsvc.server.gate.access import Access, App, Receive, RouteTable, Scope, Send, no_consent
from dwtsvc.server.gate.bodies import Body
from dwtsvc.server.gate.callers import Callers
from dwtsvc.server.gate.grants import is_origin
from dwtsvc.server.gate.peers import Peers, is_loopback
from dwtsvc.server.gate.quotas import Limits, Quotas, Share
from dwtsvc.server.gate.visit import Visit, read_head

if TYPE_CHECKING:
    from dwtsvc.config import Settings
    from dwtsvc.server.gate.consent import Consent
    from dwtsvc.server.gate.token import Token

NAMES = ("localhost", "127.0.0.1", "[::1]")
MOST_TOLD = 64  # refused origins that are named in the log, each once

_log = logging.getLogger("dwtsvc.server")


class DoorLike(Protocol):
    """An address of the service, as `listen` opened it."""

    @property
    def scheme(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def state(self) -> str: ...


class Guarded(Protocol):
    """What the guard needs of the service. `doors` may be replaced when they open."""

    @property
    def settings(self) -> Settings: ...
    @property
    def doors(self) -> Sequence[DoorLike]: ...
    @property
    def consent(self) -> Consent: ...
    @property
    def token(self) -> Token: ...


class Guard:
    """An ASGI app around another one. `scope["state"]["caller"]` tells the app who asks."""

    def __init__(
        self,
        app: App,
        *,
        service: Guarded,
        table: RouteTable,
        peers: Peers | None = None,
        limits: Limits | None = None,
        names: Iterable[str] = (),
    ) -> None:
        """`names` are the host names that the configuration gives certificates, in lower case."""
        self._app, self._service, self._table = app, service, table
        required = service.settings.require_token
        self._callers = Callers(service.consent, service.token, peers or Peers(), require_token=required)
        self._limits = limits or Limits()
        self._quotas = Quotas(self._limits)
        self._names = tuple(names)
        self._hosts: dict[bytes, bytes] = {}
        self._told: set[bytes] = set()
        self.open_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._other(scope, receive, send)
        elif self.open_requests >= self._limits.all_requests:
            await _answer(send, faults.answer(TooMany("The service is full", hint="Try again."), status=503), Visit(""))
        else:
            self.open_requests += 1
            try:
                await self._serve(scope, receive, send)
            finally:
                self.open_requests -= 1

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start and end of the app pass. There are no WebSocket routes: every one is refused before it is open."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(scope["method"])
        share: Share | None = None
        try:
            self._admit(scope, visit)
            if visit.method == "OPTIONS" and visit.reader and b"access-control-request-method" in visit.given:
                await _begin_and_end(send, 204, headers.preflight(visit.reader), b"")
                return
            body = bodies.of(receive, visit)
            share = self._count(visit)
        except DwtsvcError as error:
            self._tell(error, visit)
            await _answer(send, faults.answer(error), visit)
            return
        try:
            scope.setdefault("state", {})["caller"] = visit.caller
            app = visit.route.app if visit.route and visit.route.app else self._app
            if visit.method == "HEAD" and visit.access:  # an app answers it as GET
                scope, send = heads.as_get(scope), heads.without_body(send)
            await _run(app, scope, body or receive, send, visit)
        finally:
            if share:
                self._quotas.leave(share, upload=visit.is_upload)

    def _admit(self, scope: Scope, visit: Visit) -> None:
        """Fill the visit in, or raise why it ends here."""
        visit.given = given = read_head(scope["headers"])
        visit.own_origin = self._gate(given)
        path = scope["path"]
        if path[:1] != "/":
            raise BadArguments("The target of the request is malformed")
        if visit.method == "OPTIONS" and b"access-control-request-method" in given:
            self._admit_preflight(scope, visit, path)
            return
        visit.route = route = self._table.find(path)
        visit.access = access = route.methods.get(visit.method) if route else None
        visit.takes_files = route is not None and visit.method in route.files
        if access is Access.PUBLIC or access is Access.HEALTH:
            return
        if not (access is Access.IMAGE and self._callers.has_signature(scope, visit)):
            self._callers.know(scope, visit)
        if route is None:
            raise NothingFound("There is nothing at this address")
        if access and access not in visit.caller.scopes:
            self._refuse_access(access, visit)

    def _gate(self, given: Mapping[bytes, bytes]) -> bytes:
        """The origin of our own pages under the host name of the request; raises for a name that is not ours."""
        host = given.get(b"host", b"")
        if own := self._hosts.get(host):
            return own
        if not _is_host(host):
            raise BadArguments("The Host header is missing or malformed")
        self._look_at_doors()  # one may have opened since
        if own := self._hosts.get(host):
            return own
        raise ServiceRefused("This is not the name of this service", hint="Use http://127.0.0.1 with its port.")

    def _look_at_doors(self) -> None:
        doors = [door for door in self._service.doors if door.state == "open"]
        self._hosts = _hosts(doors, self._names)
        self._callers.is_exposed = not all(is_loopback(door.host) for door in doors)

    def _admit_preflight(self, scope: Scope, visit: Visit, path: str) -> None:
        """A browser asks for a page whether it may send something; it is asked of the route that the page means."""
        wanted = visit.given[b"access-control-request-method"].decode("latin-1")
        route = self._table.find(path)
        visit.access = route.methods.get(wanted) if route else None
        self._callers.know(scope, visit)
        if visit.reader is None or b"origin" not in visit.given:
            raise OriginNotAllowed("This web site may not use the scan service")

    def _refuse_access(self, access: Access, visit: Visit) -> NoReturn:
        if visit.caller.kind == "origin" and access is not Access.ADMIN and access is not Access.PAGE:
            raise no_consent(access)
        raise OriginNotAllowed("No web site may do this", hint="Use a page of the service, or a program.")

    def _count(self, visit: Visit) -> Share | None:
        """Count a web origin's request. Those without consent, who may only ask, share one share."""
        if visit.caller.kind not in ("origin", "nobody") or visit.access in (
            Access.IMAGE,
            Access.PUBLIC,
            Access.HEALTH,
        ):
            return None
        origin = visit.caller.origin or "" if visit.caller.kind == "origin" else ""
        return self._quotas.enter(origin, upload=visit.is_upload, now=time.monotonic())

    def _tell(self, error: DwtsvcError, visit: Visit) -> None:
        """Name each refused origin in the log, once: a page can send any number of requests."""
        origin = visit.given.get(b"origin")
        if isinstance(error, OriginNotAllowed) and origin and origin not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(origin)
            text = origin.decode("latin-1")
            _log.info("refused: %s, origin %s", error.word, text if is_origin(text) else "without a name")


def _hosts(doors: Iterable[DoorLike], names: Iterable[str]) -> dict[bytes, bytes]:
    """Every Host header that means us, with the origin of our pages there."""
    found: dict[bytes, bytes] = {}
    for door in doors:
        own = NAMES if is_loopback(door.host) else (f"[{door.host}]" if ":" in door.host else door.host,)
        # A name of the configuration counts where its certificate proves that it is meant.
        hosts = (*own, *names) if door.scheme == "https" else own
        for host in hosts:
            found[f"{host}:{door.port}".encode()] = f"{door.scheme}://{host}:{door.port}".encode()
            if door.port == {"http": 80, "https": 443}[door.scheme]:
                found[host.encode()] = f"{door.scheme}://{host}".encode()
    return found


def _is_host(host: bytes) -> bool:
    """Whether a header could be a host at all; who names another one is refused, who names none made a mistake."""
    name, colon, port = host.rpartition(b":") if not host.endswith(b"]") else (host, b"", b"")
    if not colon:
        name, port = host, b"0"
    if name[:1] == b"[" and name[-1:] == b"]":
        name = name[1:-1].replace(b":", b"")
    return port.isdigit() and bool(name) and name.replace(b".", b"").replace(b"-", b"").replace(b"_", b"").isalnum()


async def _run(app: App, scope: Scope, receive: Receive, send: Send, visit: Visit) -> None:
    """Let the app answer, with our headers. A fault of the body takes the place of what the app makes of it."""
    begun = False
    body = receive if isinstance(receive, Body) else None

    async def nothing() -> None:
        return None

    def complete(message: Any) -> Any:
        nonlocal begun
        if message["type"] == "http.response.start":
            if body and body.fault:
                return nothing()
            begun = True
            message = {**message, "headers": _complete(message.get("headers", []), visit)}
        elif not begun:
            return nothing()
        return send(message)

    try:
        await app(scope, receive, complete)
    except Exception as error:
        if begun:  # the connection must break, and its server must not log what the exception says
            raise faults.known(error) from None
        if not (body and body.fault):
            await _answer(send, faults.answer(faults.known(error)), visit)
            return
    if body and body.fault and not begun:
        await _answer(send, faults.answer(body.fault), visit)


def _complete(given: list[headers.Header], visit: Visit) -> list[headers.Header]:
    access = visit.access
    if access is Access.PAGE:
        ours = headers.PAGE
    elif access is Access.PUBLIC:
        ours = headers.PUBLIC
    else:
        ours = headers.IMAGE if visit.caller.kind == "image" else headers.DATA
    found = headers.complete(given, ours, access)
    if visit.reader:
        found += headers.readable_by(visit.reader)
    return found


async def _answer(send: Send, answer: faults.Answer, visit: Visit) -> None:
    """Send an error. If a body is on its way, the connection ends here: nobody will read it."""
    status, given, body = answer
    found = [*headers.DATA, *given]
    if visit.reader:
        found += headers.readable_by(visit.reader)
    if visit.has_body:
        found.append((b"connection", b"close"))
    await _begin_and_end(send, status, found, b"" if visit.method == "HEAD" else body)


async def _begin_and_end(send: Send, status: int, found: list[headers.Header], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": found})
    await send({"type": "http.response.body", "body": body})
