"""The scanners that were found, kept for a while: asking every driver takes seconds, and pages ask often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from dwtsvc import devices
from dwtsvc.errors import DwtsvcError
from dwtsvc.model import Device

FRESH = 30.0  # seconds


class Scanners:
    """What discovery found. Blocking; safe to use from several threads."""

    def __init__(self, timeout: float, own: Callable[[list[Device]], list[Device]] = list) -> None:
        """`own` takes those out that are this user's own, shared."""
        self._timeout, self._own = timeout, own
        self._asking = threading.Lock()
        self._found: tuple[Device, ...] = ()
        self._errors: tuple[DwtsvcError, ...] = ()
        self._when: float | None = None
        self._begun = False

    @property
    def last(self) -> tuple[Device, ...]:
        """What was found last, without asking."""
        return self._found

    @property
    def errors(self) -> tuple[DwtsvcError, ...]:
        """What drivers reported instead of devices, the last time."""
        return self._errors

    @property
    def looking(self) -> bool:
        """Whether nothing can be said yet: the drivers have not answered even once."""
        return self._when is None

    def begin(self) -> None:
        """Have the drivers asked if nobody ever did, and do not wait for them."""
        if self.looking and not self._begun:
            self._begun = True
            # A daemon: a service that ends need not wait for a driver, whose process leaves by itself.
            threading.Thread(target=self._first, name="scanners", daemon=True).start()

    def listed(self, *, refresh: bool = False) -> tuple[Device, ...]:
        """The devices there are; asked anew if the last answer is old, or with `refresh`. Real ones come first."""
        refresh = refresh and not self.looking  # the first answer is on its way, and as fresh as another
        with self._asking:
            if refresh or self._when is None or monotonic() - self._when > FRESH:
                self._ask()
            return self._found

    def _first(self) -> None:
        try:
            self.listed()
        finally:
            self._begun = False

    def _ask(self) -> None:
        answers = list(devices.discover(self._timeout))
        found = {each.id: each for each in self._own([each for each in answers if isinstance(each, Device)])}
        self._found = tuple(sorted(found.values(), key=lambda device: (device.virtual, device.id)))
        self._errors = tuple(each for each in answers if isinstance(each, DwtsvcError))
        self._when = monotonic()
