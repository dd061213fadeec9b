"""What web origins were allowed once: while their pages are open, which the service tells from their requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from dwtsvc.server.gate.access import Access
from dwtsvc.server.gate.grants import scopes_of

LONGEST = 12 * 3600.0  # seconds that "once" lasts at most, if the service runs so long
SILENT = 600.0  # seconds without a request after which it is over: the pages were closed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    scopes: tuple[Access, ...]
    end: float
    heard: float

    def holds(self, now: float) -> bool:
        return now < min(self.end, self.heard + SILENT)


class Once:
    """Origins and their scopes, in memory only. Whoever shares it between threads must lock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._visits: dict[str, _Visit] = {}

    def __contains__(self, origin: str) -> bool:
        """Whether an origin was allowed, be it over or not."""
        return origin in self._visits

    def listed(self) -> list[tuple[str, tuple[Access, ...]]]:
        """Every origin whose pages are open, and its scopes, by origin."""
        return sorted((origin, scopes) for origin in self._visits if (scopes := self.scopes(origin)))

    def scopes(self, origin: str) -> tuple[Access, ...]:
        """What an origin may do now."""
        visit = self._visits.get(origin)
        return visit.scopes if visit and visit.holds(self._clock()) else ()

    def allow(self, origin: str, scopes: Iterable[Access]) -> None:
        """Begin anew, with what it may do by now and these scopes."""
        now, wanted = self._clock(), scopes_of({*scopes, *self.scopes(origin)})
        self._visits[origin] = _Visit(scopes=wanted, end=now + LONGEST, heard=now)

    def hear(self, origin: str) -> None:
        """Note that a page of an origin is open; one that comes too late is forgotten."""
        visit, now = self._visits.get(origin), self._clock()
        if visit and visit.holds(now):
            self._visits[origin] = replace(visit, heard=now)
        elif visit:
            del self._visits[origin]

    def end(self, origin: str) -> bool:
        """Take back what an origin was allowed; False if that was nothing."""
        return self._visits.pop(origin, None) is not None
