from __future__ import annotations

from collections.abc import Callable

import pytest

from dwtsvc.errors import BadInput, ServiceRefused
from dwtsvc.targets.patience import Deadline, Overdue, Patience, Transient, patiently


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def failing(times: int, after: float | None = None) -> Callable[[], str]:
    left = [times]

    def work() -> str:
        if left[0]:
            left[0] -= 1
            raise Transient(ServiceRefused("busy"), after)
        return "done"

    return work


def run(work: Callable[[], str], patience: Patience, clock: Clock) -> tuple[str, int]:
    return patiently(work, patience, Deadline(patience.total, clock), wait=clock.wait)


def test_what_works_at_once_is_tried_once() -> None:
    clock = Clock()
    assert run(failing(0), Patience(), clock) == ("done", 1)
    assert clock.waits == []


def test_attempts_come_after_pauses_that_double_up_to_the_longest_each_cut_by_chance() -> None:
    clock = Clock()
    patience = Patience(attempts=7, first=1, longest=8)
    assert run(failing(6), patience, clock) == ("done", 7)
    for waited, most in zip(clock.waits, (1, 2, 4, 8, 8, 8), strict=True):
        assert most / 2 <= waited <= most


def test_two_senders_do_not_come_back_at_the_same_moments() -> None:
    pauses = {Patience().pause(1, None) for _ in range(20)}
    assert len(pauses) > 1


def test_after_the_last_attempt_its_error_is_raised() -> None:
    clock = Clock()
    with pytest.raises(ServiceRefused, match="busy"):
        run(failing(9), Patience(attempts=3), clock)
    assert len(clock.waits) == 2


def test_an_error_that_is_not_transient_ends_it_at_once() -> None:
    clock = Clock()

    def work() -> str:
        raise BadInput("no")

    with pytest.raises(BadInput):
        run(work, Patience(), clock)
    assert clock.waits == []


def test_who_asks_for_time_gets_it_and_no_attempt_comes_earlier() -> None:
    clock = Clock()
    assert run(failing(2, after=20), Patience(), clock) == ("done", 3)
    assert clock.waits == [20, 20]


def test_who_asks_for_too_much_time_is_not_waited_for() -> None:
    clock = Clock()
    with pytest.raises(ServiceRefused):
        run(failing(1, after=121), Patience(), clock)
    assert clock.waits == []


def test_no_pause_goes_beyond_the_end_of_all_attempts() -> None:
    clock = Clock()
    with pytest.raises(ServiceRefused, match="busy"):
        run(failing(100, after=40), Patience(attempts=100, total=90), clock)
    assert clock.waits == [40, 40]


def test_work_that_is_overdue_is_given_up_with_the_last_trouble() -> None:
    clock, calls = Clock(), [0]

    def work() -> str:
        calls[0] += 1
        if calls[0] == 1:
            raise Transient(ServiceRefused("busy"))
        clock.now += 1000
        raise Overdue

    with pytest.raises(ServiceRefused) as told:
        run(work, Patience(total=60), clock)
    assert "60 s" in told.value.why and "busy" in told.value.why
