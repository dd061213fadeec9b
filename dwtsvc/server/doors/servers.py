"""uvicorn as the doors use it: two servers, one for each scheme, that start, stop and tick when they are told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Any, Protocol

import uvicorn

from dwtsvc.server.doors import protocol, sockets
from dwtsvc.server.doors.connections import Connections
from dwtsvc.server.doors.sockets import Opening
from dwtsvc.server.doors.tls import Certificates

_log = logging.getLogger(__name__)


class App(Protocol):
    """An ASGI application with a life; `__call__` only ever sees scopes of type http."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Server(uvicorn.Server):
    """uvicorn for one scheme: its configuration and request cycle, without its own start, signals and end."""

    def __init__(self, app: App, connections: Connections) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol.Protocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                loop="none",
                proxy_headers=False,
                server_header=False,
                access_log=False,
                log_config=None,
            )
        )
        self.config.load()
        self.servers = []
        self._connections = connections

    async def listen(self, openings: Sequence[Opening], certificates: Certificates | None) -> None:
        loop = asyncio.get_running_loop()
        limits = self._connections.limits
        for each in openings:
            assert each.socket is not None
            server = await loop.create_server(
                self._connected,
                sock=each.socket,
                ssl=certificates.front if certificates else None,
                backlog=sockets.BACKLOG,
                ssl_handshake_timeout=limits.handshake if certificates else None,
                ssl_shutdown_timeout=limits.linger if certificates else None,
            )
            self.servers.append(server)

    def _connected(self) -> protocol.Protocol:
        return protocol.Protocol(self.config, self.server_state, {}, connections=self._connections)


def requests(servers: Sequence[Server]) -> set[asyncio.Task[None]]:
    return {task for server in servers for task in server.server_state.tasks}


async def drain(servers: Sequence[Server], connections: Connections, seconds: float, forced: asyncio.Event) -> None:
    """Take no new connections, let requests finish and answers reach their clients for so long; then cut."""
    end = time.monotonic() + seconds
    for server in servers:
        for each in server.servers:
            each.close()
    connections.shut_down()
    while (requests(servers) or connections.all) and not forced.is_set() and time.monotonic() < end:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(forced.wait(), 0.02)
    if left := requests(servers):
        _log.warning("%d requests were cut", len(left))
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=1)
    connections.abort()
    await asyncio.sleep(0)


async def tick(servers: Sequence[Server]) -> None:
    """uvicorn renews its Date field here."""
    while True:
        for each in servers:
            await each.on_tick(0)
        await asyncio.sleep(1)
