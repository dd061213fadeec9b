"""Work that goes on for many pages: answered at its end, or as events for a client that wants to see it go on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from litestar import Response

from dwtsvc.errors import Cancelled
from dwtsvc.server import faults
from dwtsvc.server.rest import events, waiting
from dwtsvc.server.rest.jobs import Req

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

T = TypeVar("T")

Tell = Callable[[int, int], None]
Work = Callable[[Tell], T]  # blocking; says after each page how many of how many are done

EVENTS = "text/event-stream"


async def answered(
    service: Service,
    request: Req,
    work: Work[T],
    *,
    answer: Callable[[T], Any],
    result: Callable[[T], Any],
) -> Any:
    """What `answer` makes of the work; for a client that accepts events a stream that ends with `result` of it.

    The work ends after its next page when the client goes away.
    """
    if wants_events(request):
        return events.answer(_told(service, work, result))
    watched = Watched()
    try:
        done = await waiting.while_there(request, service.bridge.confined(work, watched.tell))
    except waiting.Gone:
        return Response(None, status_code=204)  # nobody reads it
    finally:
        watched.left.set()
    return answer(done)


def wants_events(request: Req) -> bool:
    """Whether the client names the type of events as one that it accepts."""
    accepted = request.headers.get("accept", "").split(",")
    return EVENTS in (each.partition(";")[0].strip().lower() for each in accepted)


class Watched:
    """Who waits for some work. Called by the thread that does it."""

    def __init__(self, on_page: Tell = lambda page, pages: None) -> None:
        self.left = threading.Event()
        self._on_page = on_page

    def tell(self, page: int, pages: int) -> None:
        """Raises Cancelled when nobody waits any more."""
        if self.left.is_set():
            raise Cancelled("Nobody waits for this any more")
        self._on_page(page, pages)


async def _told(service: Service, work: Work[T], result: Callable[[T], Any]) -> AsyncGenerator[bytes, None]:
    loop, news = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    def tell(page: int, pages: int) -> None:
        loop.call_soon_threadsafe(news.put_nowait, events.event("progress", {"page": page, "pages": pages}))

    def end(task: asyncio.Future[T]) -> None:
        news.put_nowait(b"")
        _ = task.cancelled() or task.exception()  # also of a client that left: nobody asks for it

    watched = Watched(tell)
    task = asyncio.ensure_future(service.bridge.confined(work, watched.tell))
    task.add_done_callback(end)
    try:
        async for part in _heard(news):
            yield part
        yield await _last(service, task, result)
    finally:
        watched.left.set()
        task.cancel()


async def _heard(news: asyncio.Queue[bytes]) -> AsyncGenerator[bytes, None]:
    """What is told until there is nothing more, and a sign of life in between."""
    while True:
        try:
            part = await asyncio.wait_for(news.get(), events.HEARTBEAT_EVERY)
        except TimeoutError:
            yield events.HEARTBEAT
            continue
        if not part:
            return
        yield part


async def _last(service: Service, task: asyncio.Future[T], result: Callable[[T], Any]) -> bytes:
    try:
        return events.event("result", await service.bridge.run(result, task.result()))
    except Exception as error:
        return events.event("error", msgspec.Raw(faults.body(faults.known(error))))
