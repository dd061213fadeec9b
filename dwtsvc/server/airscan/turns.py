"""Whose turn it is at a scanner that many clients want: who was served longest ago, then who asked first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

from dwtsvc.errors import ScannerBusy, TooMany

KEPT = 30.0  # seconds that the place of a client is kept which was told to come again
MOST_WAITING = 64
REMEMBERED = 256  # clients

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Waiter:
    client: str
    asked: float
    called: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


def busy() -> ScannerBusy:
    """What other machines are told; by whom, and which device of this machine it is, is none of their business."""
    return ScannerBusy("The scanner is busy", hint="Try again in a moment.")


class Turns:
    """The queue of one scanner. Used by the event loop only."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[_Waiter] = []
        self._served: OrderedDict[str, float] = OrderedDict()
        self._asked: OrderedDict[str, tuple[float, float]] = OrderedDict()  # first time, last time

    @property
    def taken(self) -> bool:
        return self._taken

    def waiting(self, client: str) -> int:
        """How often a client stands in the queue."""
        return sum(each.client == client for each in self._waiting)

    async def take(self, client: str, patience: float) -> None:
        """Wait for the scanner, which is then the client's until `free`. Raises ScannerBusy after `patience` seconds.

        Who comes again within half a minute has the place that he had. Raises TooMany where the queue is full.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise TooMany("Too many are waiting for this scanner", hint="Try again later.")
        waiter = _Waiter(client, self._place(client))
        self._waiting.append(waiter)
        self._call_next()
        try:
            async with asyncio.timeout(patience):
                await waiter.called
        except BaseException as error:
            if waiter.called.done() and not waiter.called.cancelled():  # called and given up in the same moment
                self.free()
            if isinstance(error, TimeoutError):
                raise busy() from None
            raise
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def free(self) -> None:
        """The scanner is nobody's any more: the next in the queue gets it."""
        self._taken = False
        self._call_next()

    def _place(self, client: str) -> float:
        now = monotonic()
        first, last = self._asked.pop(client, (now, now))
        first = first if now - last < KEPT else now
        _remember(self._asked, client, (first, now))
        return first

    def _call_next(self) -> None:
        there = [each for each in self._waiting if not each.called.done()]  # the others are just giving up
        if self._taken or not there:
            return
        chosen = min(there, key=lambda each: (self._served.get(each.client, 0.0), each.asked))
        self._taken = True
        self._asked.pop(chosen.client, None)
        _remember(self._served, chosen.client, monotonic())
        chosen.called.set_result(None)


def _remember(table: OrderedDict[str, T], client: str, value: T) -> None:
    table[client] = value
    table.move_to_end(client)
    while len(table) > REMEMBERED:
        table.popitem(last=False)
