"""Work on what strangers made, away from the service: in children with limits that are kept, and shared out fairly."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from dwtsvc.errors import BadInput, DwtsvcError, ServiceNotRunning
from dwtsvc.limits import Child

P = ParamSpec("P")
T = TypeVar("T")

PARSING = 30.0  # seconds for a page, or for a file's next one

_log = logging.getLogger(__name__)


class Worker(Child):
    """A child that may have died while nobody used it."""

    idle_since = 0.0

    @property
    def alive(self) -> bool:
        return not self.dead and self._process.poll() is None


class Confined:
    """At most two children a core, half of them for one bucket: who sends what spins leaves the others room.

    They start when there is work. What breaks one, or takes too long, is BadInput for its caller alone; the next call
    gets another child. Blocking; safe to use from several threads. Calls are as those of `limits.run_limited`.
    """

    def __init__(self, cores: int | None = None) -> None:
        cores = cores or os.cpu_count() or 1
        self._most, self.share = 2 * cores, cores
        self._changed = threading.Condition()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._taken: Counter[str] = Counter()
        self._closed = False

    def run(
        self, whose: str, function: Callable[P, T], *arguments: Any, timeout: float = PARSING, name: str = "The page"
    ) -> T:
        """What the function of a module answers, in a child, for a bucket."""
        [result] = self._results(whose, function, arguments, False, timeout, name)
        return result  # type: ignore[no-any-return]

    def iterate(
        self,
        whose: str,
        function: Callable[P, Iterator[T]],
        *arguments: Any,
        timeout: float = PARSING,
        name: str = "The file",
    ) -> Iterator[T]:
        """What a generator yields in a child, each within `timeout`. The child is taken until the last one."""
        return self._results(whose, function, arguments, True, timeout, name)

    @property
    def children(self) -> list[Worker]:
        with self._changed:
            return [*self._busy, *self._idle]

    def close_idle(self, seconds: float) -> None:
        """End the children that nobody has used for so long."""
        with self._changed:
            old = [each for each in self._idle if monotonic() - each.idle_since >= seconds]
            self._idle = [each for each in self._idle if each not in old]
        for each in old:
            each.close()

    def close(self) -> None:
        """End all children, whatever they do, and take no more work."""
        with self._changed:
            self._closed = True
            for each in self._busy:
                each.kill()  # its caller closes it
            self._changed.notify_all()
        self.close_idle(0.0)

    def _results(
        self,
        whose: str,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        many: bool,
        timeout: float,
        name: str,
    ) -> Iterator[Any]:
        with self._child(whose) as child:
            try:
                yield from child.call(function, arguments, many=many, timeout=timeout, name=name)
            except DwtsvcError as error:
                raise _told(error, name) from error

    @contextmanager
    def _child(self, whose: str) -> Iterator[Worker]:
        with self._place(whose):
            child = self._taken_up()
            try:
                yield child
            finally:
                self._put_back(child)

    @contextmanager
    def _place(self, whose: str) -> Iterator[None]:
        """One of the places for children, waited for."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._is_free(whose))
            if self._closed:
                raise ServiceNotRunning("The service is stopping")
            self._taken[whose] += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken[whose] -= 1
                self._taken += Counter()  # those that take nothing are forgotten
                self._changed.notify_all()

    def _is_free(self, whose: str) -> bool:
        return self._taken[whose] < self.share and self._taken.total() < self._most

    def _taken_up(self) -> Worker:
        """The child that was used last, as the others are to end; a new one where none waits."""
        dead = []
        with self._changed:
            while self._idle and not self._idle[-1].alive:
                dead.append(self._idle.pop())
            child = self._idle.pop() if self._idle else None
        for each in dead:
            each.close()
        child = child or Worker()
        with self._changed:
            self._busy.add(child)
            if self._closed:
                child.kill()
        return child

    def _put_back(self, child: Worker) -> None:
        child.idle_since = monotonic()
        with self._changed:
            self._busy.discard(child)
            keep = child.alive and not self._closed
            if keep:
                self._idle.append(child)
        if not keep:
            child.close()


def _told(error: DwtsvcError, name: str) -> DwtsvcError:
    """An error that no class of ours names came out of a library that choked on the input."""
    if type(error) is not DwtsvcError:
        return error
    kind = error.why.partition(":")[0]  # its text is not told: it may hold a piece of the page
    _log.warning("confined work failed: %s", kind)
    return BadInput(f"{name} cannot be worked on", why=kind)
