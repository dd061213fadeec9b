"""A guard with an app behind it that notes what reaches it, driven as a server drives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dwtsvc.config import Settings
from dwtsvc.server.gate.access import Access, Caller, RouteTable, Scope, caller
from dwtsvc.server.gate.consent import Consent
from dwtsvc.server.gate.peers import Peers
from dwtsvc.server.gate.quotas import Limits
from dwtsvc.server.gate.token import Token
from dwtsvc.server.guard import Guard

PORTS = {"http": 18622, "https": 18623}
SITE, OTHER = b"https://shop.example", b"https://evil.example"
OWN = b"http://127.0.0.1:18622"
JSON = (b"content-type", b"application/json")

ROUTES: dict[str, dict[str, Access]] = {
    "/dwtsvc.js": {"GET": Access.PUBLIC},
    "/healthz": {"GET": Access.HEALTH},
    "/": {"GET": Access.PAGE},
    "/consent": {"GET": Access.PAGE},
    "/consent/requests": {"POST": Access.ASK},
    "/api/device/scanners": {"GET": Access.LIST},
    "/api/jobs": {"POST": Access.SCAN},
    "/api/jobs/{uid:str}/page": {"GET": Access.READ, "DELETE": Access.EDIT},
    "/f/RemoveAllImages": {"GET": Access.EDIT},
    "/f/HTTPUpload": {"POST": Access.UPLOAD},
    "/dwt/{version}/img": {"GET": Access.IMAGE},
    "/api/server": {"PATCH": Access.ADMIN},
}
PATHS = [
    (method, path.replace("{uid:str}", "4").replace("{version}", "dwt_1")) for path in ROUTES for method in ROUTES[path]
]


@dataclass(frozen=True)
class Door:
    scheme: str
    host: str
    port: int
    state: str = "open"


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def get(self, name: bytes) -> bytes | None:
        found = [value for each, value in self.headers if each == name]
        assert len(found) < 2, f"{name!r} is said twice"
        return found[0] if found else None


class Behind:
    """An app that notes who came through, and reads what it was sent. `act` may do something else."""

    def __init__(self) -> None:
        self.callers: list[Caller] = []
        self.received = 0
        self.headers: list[tuple[bytes, bytes]] = [(b"content-type", b"text/plain")]
        self.act: Callable[[], Any] | None = None

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.callers.append(caller(scope))
        more = scope["method"] not in ("GET", "HEAD")
        while more:
            message = await receive()
            self.received += len(message.get("body", b""))
            more = message.get("more_body", False)
        if self.act and (found := self.act()):
            await found
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"reached"})


class _Peers(Peers):
    """The peer is whoever the test says."""

    mine = True

    def is_mine(self, *_: Any) -> bool:
        return self.mine


class House:
    """A guard with all it stands on, and an app behind it."""

    def __init__(self, folder: Path, *, limits: Limits | None = None, **given: Any) -> None:
        self.settings = Settings(**given)
        self.doors = [Door(scheme, host, port) for scheme, port in PORTS.items() for host in ("127.0.0.1", "::1")]
        self.consent = Consent(folder, self.settings, screen=lambda: True)
        self.consent.allow(SITE.decode(), ["list", "scan", "read", "edit", "upload"])
        self.token = Token(folder / "token")
        self.behind, self.peers = Behind(), _Peers()
        table = RouteTable()
        for path, methods in ROUTES.items():
            table.add(path, methods)
        table.add("/f/LoadFile", {"POST": Access.EDIT}, files=True)
        self.guard = Guard(self.behind, service=self, table=table, peers=self.peers, limits=limits)

    def ask(self, *request: Any, **more: Any) -> Answer:
        """`asked`, and waited for."""
        return asyncio.run(self.asked(*request, **more))

    async def asked(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
        *,
        body: Iterable[bytes] = (b"",),
        host: bytes | None = b"127.0.0.1:18622",
    ) -> Answer:
        answer, chunks = Answer(), list(body)
        path, _, query = path.partition("?")
        hosts = [(b"host", host)] if host is not None else []

        async def receive() -> dict[str, Any]:
            if not chunks:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                assert not answer.status, "two answers"
                answer.status, answer.headers = message["status"], message["headers"]
            else:
                answer.body += message["body"]

        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "scheme": "http"}
        ends = {"client": ("127.0.0.1", 40000), "server": ("127.0.0.1", 18622)}
        await self.guard({**scope, **ends, "headers": [*hosts, *headers]}, receive, send)
        return answer

    @property
    def was_reached(self) -> bool:
        return bool(self.behind.callers)
