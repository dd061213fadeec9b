"""The scanners that were found, kept current: asking every driver takes seconds, and pages ask often.

While somebody asks now and then, the signs of `devices.signs` are watched, and a driver is asked again only when its
devices may have changed. When nobody asks any more nothing runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from dwtsvc import devices
from dwtsvc.devices.signs import Signs
from dwtsvc.errors import DriverError, DwtsvcError
from dwtsvc.model import Device

FRESH = 30.0  # seconds that an answer counts whose changes no sign shows
SLOW = 300.0  # seconds that one counts whose changes are shown: SANE has scanners at other machines, too
LOOK_EVERY = 1.0  # seconds between two looks at the signs
WATCH_FOR = 120.0  # seconds after which nobody wants to know any more
CLOSE_WITHIN = 2.0

Combine = Callable[[list[Device]], list[Device]]


class Scanners:
    """What discovery found. Blocking; safe to use from several threads."""

    def __init__(self, timeout: float, combine: Combine = list, signs: Callable[[], Signs] = Signs) -> None:
        """`combine` makes the list of all that drivers told."""
        self._timeout, self._combine, self._signs = timeout, combine, signs
        self._asking = threading.Lock()
        self._told: tuple[Device, ...] = ()
        self._found: tuple[Device, ...] = ()
        self._errors: tuple[DwtsvcError, ...] = ()
        self._when: float | None = None
        self._begun = False
        self._changing = threading.Lock()
        self._running: set[str] = set()  # drivers that are asked again now
        self._again: set[str] = set()  # and those that must be once more
        self._asked: dict[str, float] = {}  # when each was
        self._wanted = 0.0
        self._watch: threading.Thread | None = None
        self._closed = threading.Event()

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
        """The devices there are; asked anew if the last answer is old, or with `refresh`. Real ones come first, and
        among them scanners before cameras.

        While the signs are watched nobody waits: the list follows them by itself.
        """
        refresh = refresh and not self.looking  # the first answer is on its way, and as fresh as another
        with self._asking:
            watched = self._watch is not None and self._watch.is_alive()
            self._wanted = monotonic()
            if refresh or self._when is None or (not watched and monotonic() - self._when > FRESH):
                self._ask()
            if not watched and not self._closed.is_set():
                watch = threading.Thread(target=self._follow, name="scanners-watch", daemon=True)
                watch.start()  # before `close` can see it, which waits for its end
                self._watch = watch
            return self._found

    def close(self) -> None:
        """End the watch."""
        self._closed.set()
        if self._watch:
            self._watch.join(CLOSE_WITHIN)

    def _first(self) -> None:
        try:
            self.listed()
        finally:
            self._begun = False

    def _ask(self) -> None:
        self._take(list(devices.discover(self._timeout)))
        self._when = monotonic()
        self._asked = dict.fromkeys(devices.drivers(), self._when)

    def _take(self, answers: list[Device | DriverError], driver: str | None = None) -> None:
        """Keep what all drivers answered, or one of them."""
        with self._changing:
            kept = [each for each in self._told if driver and not each.id.startswith(f"{driver}:")]
            known = [each for each in self._errors if driver and getattr(each, "driver", "") != driver]
            self._told = (*kept, *(each for each in answers if isinstance(each, Device)))
            found = {each.id: each for each in self._combine(list(self._told))}
            self._found = tuple(
                sorted(found.values(), key=lambda device: (device.virtual, device.kind == "camera", device.id))
            )
            self._errors = (*known, *(each for each in answers if isinstance(each, DwtsvcError)))

    # -- following -----------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Watch the signs until nobody wants to know any more."""
        with self._signs() as signs:
            while not self._closed.wait(LOOK_EVERY) and monotonic() - self._wanted < WATCH_FOR:
                names = frozenset(self._asked)
                old = {name for name in names if self._is_old(name, signs)}
                for name in signs.news(names) | old:
                    self._ask_again(name)

    def _is_old(self, driver: str, signs: Signs) -> bool:
        return monotonic() - self._asked[driver] > (SLOW if signs.shown_by(driver) else FRESH)

    def _ask_again(self, driver: str) -> None:
        """Ask one driver, on a thread of its own: one that hangs must not keep the others' signs waiting."""
        self._asked[driver] = monotonic()
        with self._changing:
            if driver in self._running:
                self._again.add(driver)
                return
            self._running.add(driver)
        threading.Thread(target=self._one, args=(driver,), name=f"scanners-{driver}", daemon=True).start()

    def _one(self, driver: str) -> None:
        more = True
        while more:
            self._take(list(devices.discover(self._timeout, only=driver)), driver)
            with self._changing:
                more = driver in self._again
                self._again.discard(driver)
                if not more:
                    self._running.discard(driver)
