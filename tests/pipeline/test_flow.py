"""Pages through the workers: in order, bounded, as early as they can come, and one error costs one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from dwtsvc.errors import BadInput, DwtsvcError, PaperJam
from dwtsvc.pipeline.flow import Outcome, flow, one_after_another
from dwtsvc.pipeline.recipe import Done, Original, Recipe, Task


class ByHand(Executor):
    """Nothing is done until the test does it."""

    def __init__(self) -> None:
        self.waiting: dict[int, Future[list[Done]]] = {}
        self.most = 0
        self.taken: list[int] = []

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        (task,) = arguments
        future: Future[list[Done]] = Future()
        self.waiting[task.number] = future
        self.taken.append(task.number)
        self.most = max(self.most, len(self.waiting))
        return future

    def finish(self, number: int) -> None:
        self.waiting.pop(number).set_result([done(number)])

    def finish_newest(self) -> None:
        if self.waiting:
            self.finish(max(self.waiting))

    def fail(self, number: int, error: Exception) -> None:
        self.waiting.pop(number).set_exception(error)


class AtOnce(ByHand):
    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future = super().submit(function, *arguments)
        self.finish(arguments[0].number)
        return future


def done(number: int) -> Done:
    return Done(number=number, back=False, width=1, height=1, dpi=300)


def task(number: int) -> Task:
    return Task(number=number, original=Original(content=b""), recipe=Recipe())


def tasks(count: int) -> Iterator[Task]:
    return map(task, range(1, count + 1))


def numbers(outcomes: Iterator[Outcome] | list[Outcome]) -> list[int]:
    return [outcome.task.number for outcome in outcomes]


def test_pages_come_in_scan_order_though_the_last_is_done_first() -> None:
    hands = ByHand()
    found = list(flow(one_after_another(tasks(9)), hands, window=4, on_wait=hands.finish_newest))
    assert [outcome.done for outcome in found] == [[done(number)] for number in range(1, 10)]


@pytest.mark.parametrize("window", [1, 3])
def test_there_are_never_more_pages_in_work_than_the_window_holds(window: int) -> None:
    hands = ByHand()
    unwritten = []
    for outcome in flow(one_after_another(tasks(12)), hands, window=window, on_wait=hands.finish_newest):
        unwritten.append(max(hands.taken) - outcome.task.number + 1)
    assert hands.most == window
    assert max(unwritten) == window  # a page that is done and waits for an earlier one counts too


def test_a_page_is_written_while_the_next_is_still_being_scanned() -> None:
    scanned = [task(1)]

    def incoming(timeout: float) -> Task | None:
        if not scanned:
            raise TimeoutError
        return scanned.pop() or None

    pages = flow(incoming, AtOnce(), window=4)
    assert next(pages).task.number == 1
    scanned.append(task(2))
    assert next(pages).task.number == 2


def test_while_it_waits_for_paper_somebody_is_told() -> None:
    looks: list[int] = []

    def incoming(timeout: float) -> Task | None:
        if len(looks) < 5:
            raise TimeoutError
        return None

    assert list(flow(incoming, AtOnce(), window=4, on_wait=lambda: looks.append(1))) == []
    assert len(looks) == 5


def test_an_error_costs_the_page_that_has_it() -> None:
    class Clumsy(AtOnce):
        def finish(self, number: int) -> None:
            if number == 2:
                self.fail(2, BadInput("The page took too long"))
            elif number == 3:
                self.fail(3, ZeroDivisionError("a fault"))
            else:
                super().finish(number)

    first, second, third, fourth = flow(one_after_another(tasks(4)), Clumsy(), window=2)
    assert (first.error, fourth.error) == (None, None)
    assert (str(second.error), second.done) == ("The page took too long", [])
    assert isinstance(third.error, DwtsvcError)
    assert "ZeroDivisionError: a fault" in str(third.error)


def test_what_the_scanner_reports_comes_after_the_pages_before_it() -> None:
    waiting = tasks(3)

    def incoming(timeout: float) -> Task | None:
        found = next(waiting, None)
        if found is None:
            raise PaperJam("The paper is jammed")
        return found

    hands = ByHand()
    seen: list[int] = []
    with pytest.raises(PaperJam):
        seen.extend(outcome.task.number for outcome in flow(incoming, hands, window=8, on_wait=hands.finish_newest))
    assert seen == [1, 2, 3]


def test_who_leaves_early_leaves_no_page_in_work() -> None:
    hands = ByHand()
    pages = flow(one_after_another(tasks(9)), hands, window=4, on_wait=lambda: 1 in hands.waiting and hands.finish(1))
    next(pages)
    pages.close()
    assert hands.waiting
    assert all(future.cancelled() for future in hands.waiting.values())


def test_an_executor_that_is_closed_is_no_endless_loop() -> None:
    class Closed(ByHand):
        def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
            raise RuntimeError("cannot schedule new futures after shutdown")

    with pytest.raises(RuntimeError, match="after shutdown"):
        list(flow(one_after_another(tasks(2)), Closed(), window=2))
