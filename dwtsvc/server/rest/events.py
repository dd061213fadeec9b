"""Server-sent events: how they are written, and the changes of a job as such."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request
from litestar.response import Stream

from dwtsvc.server.gate.access import caller
from dwtsvc.server.gate.callers import CONNECTION
from dwtsvc.server.holdings import Held
from dwtsvc.server.rest import jobwords

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

HEARTBEAT = b": still here\n\n"  # a comment: it finds out whether the client is, too
PROGRESS_EVERY = 0.5  # seconds
HEARTBEAT_EVERY = 15.0


def event(name: str, value: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(value))


def answer(source: AsyncGenerator[bytes, None]) -> Stream:
    """A response that lasts as long as the source or the client, whichever ends first."""
    return Stream(source, media_type="text/event-stream", headers={"cache-control": "no-store"})


def until_told(service: Service, request: Request[Any, Any, Any]) -> Callable[[], bool]:
    """Whether an answer that has no end of its own goes on: not when the service stops, nor when the web site that
    reads it has lost its consent."""
    who = caller(request)
    connection: Any = (request.scope.get("extensions") or {}).get(CONNECTION)
    return lambda: service.consent.still(who) and not (connection and connection.stopping.is_set())


async def ticks(seconds: float) -> AsyncGenerator[None, None]:
    while True:
        await asyncio.sleep(seconds)
        yield


async def of_job(service: Service, held: Held, base: str) -> AsyncGenerator[bytes, None]:
    """`state`, `page` and `progress` as they change, from the beginning; `end` when nothing can change any more."""
    told = _Told(held, base)
    async with contextlib.aclosing(service.bridge.changes(held.job)) as changes:
        coming = asyncio.ensure_future(anext(changes))
        quiet = 0.0
        try:
            while True:
                await asyncio.wait({coming}, timeout=PROGRESS_EVERY)
                if coming.done():
                    coming.result()
                    coming = asyncio.ensure_future(anext(changes))
                news = told.news()
                quiet = 0.0 if news else quiet + PROGRESS_EVERY
                for each in news:
                    yield each
                if told.finished:
                    return
                if quiet >= HEARTBEAT_EVERY:
                    quiet = 0.0
                    yield HEARTBEAT
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


class _Told:
    """What a listener has been told of a job."""

    def __init__(self, held: Held, base: str) -> None:
        self._held, self._base = held, base
        self._state: Any = None
        self._progress: Any = None
        self._pages = 0
        self.finished = False

    def news(self) -> list[bytes]:
        job, found = self._held.job, []
        self._held.touch()
        finished = job.finished  # before the pages: what is finished has them all
        if job.state is not self._state:
            self._state = job.state
            found.append(event("state", {"status": job.state.value}))
        if job.progress != self._progress and job.progress.page:
            self._progress = job.progress
            now = {"page": job.progress.page, "rows": job.progress.rows, "height": job.progress.height}
            found.append(event("progress", now))
        for index, page in enumerate(job.pages[self._pages :], self._pages):
            found.append(event("page", jobwords.output_info(page, index, self._base + jobwords.path(self._held, page))))
            self._pages = index + 1
        if finished:
            self.finished = True
            found.append(event("end", jobwords.info(self._held)))
        return found
