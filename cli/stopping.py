"""What Ctrl-C and SIGTERM mean to a command that ends its work well."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

from dwtsvc.errors import Cancelled

ONCE = 0.5  # seconds within which a second SIGTERM is the first: timeout(1) sends it to the process and to its group


class Stopping:
    """The first signal sets `asked` and calls `begin`; the second ends the program at once, which workers notice."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin
        self._since = 0.0
        self.asked = threading.Event()

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.asked.is_set():
            if number == signal.SIGINT or monotonic() - self._since >= ONCE:
                os._exit(Cancelled.exit_code)
            return
        self._since = monotonic()
        self.asked.set()
        self._begin()

    @contextmanager
    def listening(self) -> Iterator[None]:
        before = {number: signal.signal(number, self) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
