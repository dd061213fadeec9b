"""Waiting for pages on behalf of a client that may go away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from dwtsvc.errors import Cancelled, WrongState
from dwtsvc.model import JobState, PageInfo
from dwtsvc.server.gate.heads import only_looks
from dwtsvc.server.holdings import Held

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

T = TypeVar("T")


class Gone(Exception):
    """The client went away: nobody reads an answer."""


async def next_page(service: Service, request: Any, held: Held, cursor: str) -> tuple[int, PageInfo] | None:
    """The 0-based index and page that a cursor comes to, as soon as it is safe; the cursor is then behind it.

    A HEAD leaves the cursor where it is. None when the job ended well or was canceled. Raises WrongState while it is
    pending, and what ended the job after its last good page. Several that wait at one cursor get a page each.
    """
    while True:
        index = held.cursors.get(cursor, 0)
        page = await page_at(service, request, held, index)
        if page is None:
            return None
        if only_looks(request):
            return index, page
        # Nothing is awaited between this look and the step: of two who waited for one page, one gets it.
        if held.cursors.get(cursor, 0) == index:
            held.cursors[cursor] = index + 1
            return index, page


async def page_at(service: Service, request: Any, held: Held, index: int) -> PageInfo | None:
    """The page at an index, waited for; see `next_page`."""
    if held.job.state is JobState.PENDING:
        raise WrongState("The job is pending", hint='Start it first: PATCH it with {"status": "running"}.')
    try:
        if held.job.settled(index):
            return held.job.page(index)
        return await while_there(request, service.bridge.page(held.job, index))
    except Cancelled:
        return None
    except Exception:
        service.holdings.job(held.bucket, held.uid)  # raises JobDeleted, which is then the reason of any fault
        raise
    finally:
        held.touch()


async def ended(service: Service, held: Held) -> None:
    """Wait until a job that was canceled has ended. The device's own limits bound it."""
    async for _ in service.bridge.changes(held.job):
        if not held.job.active:
            return


async def while_there(request: Any, work: Coroutine[Any, Any, T]) -> T:
    """The result of some waiting; raises Gone if the client closes its connection before."""
    waiting = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise Gone
        return waiting.result()
    finally:
        for each in (waiting, leaving):
            each.cancel()
        await asyncio.gather(waiting, leaving, return_exceptions=True)


async def _left(request: Any) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
