"""The only place where threads and asyncio meet: blocking work goes to a pool, waiting for a job needs no thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from dwtsvc.jobs import Job
from dwtsvc.model import PageInfo

P = ParamSpec("P")
T = TypeVar("T")

CONFINED = 32  # threads that wait for children, which are far fewer
OUTSIDE = 32  # threads; idle ones cost nothing, and one web site has at most eight requests open


class Bridge:
    """Belongs to one event loop, the one that `run`, `page` and `changes` are awaited on."""

    def __init__(self) -> None:
        # Two more than cores: some of the work waits for the disk.
        self._pool = ThreadPoolExecutor((os.cpu_count() or 2) + 2, thread_name_prefix="service")
        self._outside = ThreadPoolExecutor(OUTSIDE, thread_name_prefix="outside")
        self._confined = ThreadPoolExecutor(CONFINED, thread_name_prefix="confined")

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._outside.shutdown(cancel_futures=True)
        self._confined.shutdown(cancel_futures=True)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do blocking work on the pool: pixels, disk."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(work, *args, **kwargs))

    async def outside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do work that waits for a device or another machine, maybe for minutes: no pixels wait behind it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._outside, partial(work, *args, **kwargs))

    async def confined(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do work that waits for a confined child: neither pages nor devices wait behind it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._confined, partial(work, *args, **kwargs))

    async def page(self, job: Job, index: int) -> PageInfo | None:
        """The page at a 0-based index once it is safe; None if the job ends before it. Raises what the job does."""
        async with contextlib.aclosing(self.changes(job)) as changes:
            async for _ in changes:
                if job.settled(index):
                    return job.page(index)
        raise AssertionError("the changes of a job do not end")

    async def changes(self, job: Job) -> AsyncGenerator[None, None]:
        """Yields once at the beginning, and then after one or more changes of a job, until the reader stops."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the service has ended
                loop.call_soon_threadsafe(changed.set)

        unwatch = job.watch(tell)
        try:
            while True:
                changed.clear()
                yield
                await changed.wait()
        finally:
            unwatch()
