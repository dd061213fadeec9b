"""Pages through the workers and back in order: bounded, while more of them are still being scanned."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from typing import Protocol

from dwtsvc.errors import DwtsvcError
from dwtsvc.pipeline.recipe import Done, Task
from dwtsvc.pipeline.work import work

GLANCE = 0.05  # seconds between looks at what is scanned and at what is done


class Incoming(Protocol):
    """Pages to work on, one after another."""

    def __call__(self, timeout: float) -> Task | None:
        """The next one; None after the last. Raises TimeoutError where none has come by then."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a page, or why nothing did; then the page is what it was."""

    task: Task
    done: list[Done]
    error: DwtsvcError | None = None


def flow(
    incoming: Incoming, executor: Executor, *, window: int, on_wait: Callable[[], object] = lambda: None
) -> Iterator[Outcome]:
    """Yield the outcome of every page in the order in which they came in; at most `window` are in work at once.

    Pages that come faster wait where they are, and whoever makes them goes on. `on_wait` is called a few times a
    second. Raises what `incoming` raises, after the outcomes of the pages before.
    """
    working: deque[tuple[Task, Future[list[Done]]]] = deque()
    more, failure = True, None
    try:
        while more or working:
            if more and len(working) < window:
                try:
                    task = incoming(GLANCE if working else 4 * GLANCE)
                except TimeoutError:
                    on_wait()
                except Exception as error:
                    more, failure = False, error
                else:
                    more = task is not None
                    if task:
                        working.append((task, executor.submit(work, task)))
            if working and _ready(working[0][1], wait_for_it=not more or len(working) >= window):
                yield _outcome(*working.popleft())
            elif working:
                on_wait()
    finally:
        for _, future in working:
            future.cancel()
    if failure:
        raise failure


def _ready(future: Future[list[Done]], *, wait_for_it: bool) -> bool:
    return future.done() or (wait_for_it and bool(wait([future], timeout=4 * GLANCE).done))


def _outcome(task: Task, future: Future[list[Done]]) -> Outcome:
    try:
        return Outcome(task, future.result())
    except DwtsvcError as error:
        return Outcome(task, [], error)
    except Exception as error:  # a fault of ours costs one page's text, not the scan
        why = f"{type(error).__name__}: {error}"
        return Outcome(task, [], DwtsvcError("The page could not be worked on", why=why, hint="Please report it."))


def one_after_another(tasks: Iterator[Task]) -> Incoming:
    """Tasks that are all there."""

    def incoming(timeout: float) -> Task | None:
        return next(tasks, None)

    return incoming
