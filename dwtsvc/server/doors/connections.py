"""What all connections of the service have in common: their limits, and the sweep that ends those past a deadline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dwtsvc.server.doors.protocol import Protocol

EXTENSION = "dwtsvc.connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes, times in seconds. A body gets `body` seconds and one more for each `rate` bytes it has. Of the
    `connections`, one address may have `of_one`, if that is not 0."""

    head_bytes: int = 32 << 10
    target_bytes: int = 8 << 10
    fields: int = 100
    head: float = 10
    body: float = 30
    write: float = 30
    rate: int = 256 << 10
    idle: float = 60
    linger: float = 2
    handshake: float = 5
    connections: int = 2048
    of_one: int = 0
    sweep: float = 0.5  # how often deadlines are looked at


@dataclass(slots=True)
class Connection:
    """What a request's scope knows of its connection: `scope["extensions"]["dwtsvc.connection"]`.

    `accepted_at` is the time.monotonic() of the accept, `cache` is for what holds as long as the connection, such as
    whose process the client is. `stopping` is set when the service stops: streams without an end should end then.
    """

    accepted_at: float
    stopping: asyncio.Event
    cache: dict[str, Any] = field(default_factory=dict)


class Connections:
    """All connections of all servers of a loop, and the sweep that ends those past their deadlines."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.stopping = asyncio.Event()
        self.closing = False
        self.all: set[Protocol] = set()

    def too_many(self, host: str) -> bool:
        """Whether an address, whose newest connection is among them, has more than its share."""
        most = self.limits.of_one
        return bool(most) and sum(each.client is not None and each.client[0] == host for each in self.all) > most

    async def watch(self) -> None:
        """Sweep until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.limits.sweep)
            now = loop.time()
            for each in tuple(self.all):
                if now > each.read_deadline:
                    each.late()
                if now > each.write_deadline:
                    each.transport.abort()

    def shut_down(self) -> None:
        """Close the idle ones; those with a request close after its answer."""
        self.closing = True
        self.stopping.set()
        for each in tuple(self.all):
            each.shutdown()

    def abort(self) -> None:
        for each in tuple(self.all):
            each.transport.abort()
