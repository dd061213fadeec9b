"""The pool of page workers: each thread has a confined child process of its own, so that a page breaks one at most.

Any other `concurrent.futures.Executor` does as well; `Dask` leads to one on other machines.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from dwtsvc.errors import BadArguments, MissingDependency, ServiceNotRunning
from dwtsvc.limits import MEMORY, Child
from dwtsvc.scratch import Scratch

P = ParamSpec("P")
T = TypeVar("T")

PAGE_TIMEOUT = 180.0  # seconds: text recognition of a newspaper page at full resolution
NICE = 10  # the scanner comes first
DASK = "dask://"
CONNECT_TIMEOUT = 10.0


class ConfinedPool(ThreadPoolExecutor):
    """An executor for functions of modules, with arguments that pickle knows.

    A call that takes more than `timeout` seconds, wants more than `memory` bytes or dies ends with BadInput, and the
    next one gets another child. Children start when there is work, and end with the pool.
    """

    def __init__(self, workers: int | None = None, *, timeout: float = PAGE_TIMEOUT, memory: int = MEMORY) -> None:
        super().__init__(workers or os.cpu_count() or 1, thread_name_prefix="page")
        self._timeout, self._memory = timeout, memory
        self._here = threading.local()
        self._children: set[Child] = set()
        # The children's own: one that is killed leaves files behind, and this process takes them away.
        self._folder = Scratch("pages")
        self._changing = threading.Lock()
        self._closed = False

    def submit(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        return super().submit(self._call, function, arguments)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the pool; with `cancel_futures` at once, whatever the children do."""
        if cancel_futures:
            with self._changing:
                self._closed = True
                for child in self._children:
                    child.kill()
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            for child in self._children:
                child.close()
            self._folder.cleanup()

    def _call(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        call = self._child().call(function, arguments, many=False, timeout=self._timeout, name="The page")
        [result] = call
        return result  # type: ignore[no-any-return]

    def _child(self) -> Child:
        """This thread's child; a new one where the last one broke."""
        child: Child | None = getattr(self._here, "child", None)
        if child and not child.dead:
            return child
        with self._changing:
            if self._closed:
                raise BadArguments("The pool of page workers is closed")
            if child:
                self._children.discard(child)
                child.close()
            self._here.child = child = Child(self._memory)
            self._children.add(child)
        for _ in child.call(_settle, (str(self._folder.path),), many=False, timeout=PAGE_TIMEOUT, name="The page"):
            pass
        return child


def _settle(folder: str) -> None:
    """Make this process modest: at lower priority, one thread, its temporary files in the folder."""
    os.environ.update(OMP_THREAD_LIMIT="1", OPENBLAS_NUM_THREADS="1")
    if sys.platform != "win32":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
    tempfile.tempdir = folder


def executor(address: str = "", workers: int | None = None) -> Executor:
    """The executor of an address: '' is this machine, `dask://host:port` the workers of a Dask scheduler.

    Raises BadArguments, MissingDependency, and ServiceNotRunning where no scheduler answers.
    """
    if not address:
        return ConfinedPool(workers)
    if not address.startswith(DASK):
        raise BadArguments(f"There is no executor '{address}'", hint="Give dask://HOST:PORT, or leave it out.")
    return _dask(address.removeprefix(DASK))


class Elsewhere(Executor):
    """The workers of a Dask scheduler, where this machine's files are not."""

    def __init__(self, client: Any) -> None:
        self._client, self._executor = client, client.get_executor(pure=False)

    def submit(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        made: Future[T] = self._executor.submit(function, *arguments, **named)
        return made

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Dask cancels what it still has when it is not waited for."""
        self._executor.shutdown(wait=wait and not cancel_futures)
        self._client.close()


def is_elsewhere(executor: Executor) -> bool:
    """Whether it runs where this machine's files are not."""
    return isinstance(executor, Elsewhere)


def _dask(address: str) -> Executor:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingDependency(
            "Dask is not installed", why=str(error), hint="Install it: pip install 'dwtsvc[dask]'"
        ) from error
    try:
        client = Client(f"tcp://{address}", timeout=CONNECT_TIMEOUT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ServiceNotRunning(
            f"No Dask scheduler answers at {address}", why=str(error), hint="Start one: dask scheduler"
        ) from error
    return Elsewhere(client)
