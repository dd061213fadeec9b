"""The listener of shared scanners: a port without and one with encryption, apart from the doors of the service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dwtsvc.server.doors import sockets
from dwtsvc.server.doors.connections import Connections, Limits
from dwtsvc.server.doors.servers import App, Server, drain, tick
from dwtsvc.server.doors.sockets import Door, Opening
from dwtsvc.server.doors.tls import Certificates

LIMITS = Limits(head_bytes=16 << 10, target_bytes=2 << 10, fields=64, connections=256, of_one=64)
GRACE = 3.0  # seconds that a document on its way gets when the service stops


class Listener:
    """An address that other machines may reach. The second port is there if there are certificates."""

    def __init__(self, host: str, port: int, certificates: Certificates | None) -> None:
        self._certificates = certificates
        self._openings = [sockets.open_at("http", host, port)]
        if certificates and certificates.usable:
            self._openings.append(sockets.open_at("https", host, port + 1))
        self._connections = Connections(LIMITS)
        self._servers: Sequence[Server] = ()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def doors(self) -> list[Door]:
        return [each.door for each in self._openings]

    async def serve(self, app: App) -> None:
        """Answer from now on, until `close`."""
        plain, encrypted = self._servers = [Server(app, self._connections) for _ in range(2)]
        await plain.listen(self._open("http"), None)
        await encrypted.listen(self._open("https"), self._certificates)
        self._tasks = [asyncio.create_task(each) for each in (self._connections.watch(), tick(self._servers))]

    def _open(self, scheme: str) -> list[Opening]:
        return [each for each in self._openings if each.socket is not None and each.door.scheme == scheme]

    async def close(self) -> None:
        """No new connections; documents on their way get `GRACE` seconds, the rest is cut."""
        await drain(self._servers, self._connections, GRACE, asyncio.Event())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for each in self._openings:
            each.close()
