"""How often and how long a delivery is tried: what may be tried again, waiting between attempts, and the end of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dwtsvc.errors import DwtsvcError, ServiceRefused

T = TypeVar("T")

RETRIED = frozenset({408, 425, 429, *range(500, 600)})  # the statuses of HTTP that another attempt may change


class Transient(Exception):
    """An attempt failed in a way that another may not.

    `error` is what to raise if there is none; `after` the seconds the other side asked to be left alone, if it did.
    """

    def __init__(self, error: DwtsvcError, after: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.after = error, after


class Overdue(Exception):
    """The time for all attempts is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Attempts, seconds from `first` to `longest` between them, and `total` seconds for all of it.

    An attempt comes after half to all of twice the time before: many senders that were cut off at once then do not
    come back at once. Somebody who asks for more time than `obeyed` seconds is not waited for.
    """

    attempts: int = 5
    first: float = 0.5
    longest: float = 30.0
    obeyed: float = 120.0
    total: float = 600.0

    def pause(self, attempt: int, asked: float | None) -> float | None:
        """Seconds to wait after attempt 1, 2, ...; None to give up."""
        if attempt >= self.attempts or (asked is not None and asked > self.obeyed):
            return None
        most = min(self.first * 2.0 ** (attempt - 1), self.longest)
        return max(asked or 0.0, random.uniform(most / 2, most))


class Deadline:
    """The end of all attempts, `total` seconds from now."""

    def __init__(self, total: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self._clock = clock
        self._end = clock() + total

    @property
    def left(self) -> float:
        """Seconds; 0 when it is over."""
        return max(0.0, self._end - self._clock())

    def check(self) -> None:
        if not self.left:
            raise Overdue


def patiently(
    work: Callable[[], T],
    patience: Patience,
    deadline: Deadline,
    *,
    wait: Callable[[float], None] = time.sleep,
) -> tuple[T, int]:
    """What `work` returns, and the number of attempts; raises what it raises, and the error of its last Transient."""
    attempt, last = 0, None
    while True:
        attempt += 1
        try:
            return work(), attempt
        except Overdue:
            raise _overdue(deadline, last) from None
        except Transient as trouble:
            last = trouble.error
            pause = patience.pause(attempt, trouble.after)
            if pause is None or pause >= deadline.left:
                raise last from trouble.__cause__
            wait(pause)


def _overdue(deadline: Deadline, last: DwtsvcError | None) -> DwtsvcError:
    why = f"it took more than {deadline.total:g} s" + (f"; before that: {last}" if last else "")
    return ServiceRefused("The delivery was given up", why=why, hint="Look at the network and at the other side.")
