"""How much of the service one web origin may take, so that none keeps the others waiting.

Tools, own pages and images have only the limit on the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from dwtsvc.errors import TooMany

MOST_SHARES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Requests a second and at once after a pause, open requests and uploads of one origin; open requests of all."""

    rate: float = 20.0
    burst: float = 100.0
    requests: int = 8
    uploads: int = 2
    all_requests: int = 2048


class Share:
    """What one origin has taken: open requests, open uploads, and what is left of its rate at a time."""

    __slots__ = ("at", "left", "requests", "uploads")

    def __init__(self, left: float, at: float) -> None:
        self.left, self.at = left, at
        self.requests = self.uploads = 0


class Quotas:
    """The shares of all origins. Used by the event loop only."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._shares: dict[str, Share] = {}

    def enter(self, origin: str, *, upload: bool, now: float) -> Share:
        """Count a request; give the share back with `leave` when it has ended. `now` is monotonic, in seconds.

        Raises TooMany. A refused request counts for the rate of the origin, but is not open.
        """
        share = self._share(origin, now)
        limits = self._limits
        share.left = min(limits.burst, share.left + (now - share.at) * limits.rate)
        share.at = now
        if share.left < 1.0:
            raise TooMany("Too many requests", why=f"{limits.rate:g} a second are allowed", hint="Wait a second.")
        share.left -= 1.0
        if share.requests >= limits.requests:
            raise TooMany("Too many requests at once", why=f"{limits.requests} are allowed")
        if upload and share.uploads >= limits.uploads:
            raise TooMany("Too many uploads at once", why=f"{limits.uploads} are allowed")
        share.requests += 1
        share.uploads += upload
        return share

    def leave(self, share: Share, *, upload: bool) -> None:
        """A request has ended, however it did."""
        share.requests -= 1
        share.uploads -= upload

    def open_requests(self, origin: str) -> int:
        share = self._shares.get(origin)
        return share.requests if share else 0

    def _share(self, origin: str, now: float) -> Share:
        share = self._shares.get(origin)
        if share is None:
            if len(self._shares) >= MOST_SHARES:
                self._forget_idle(now)
            share = self._shares[origin] = Share(self._limits.burst, now)
        return share

    def _forget_idle(self, now: float) -> None:
        """Forget who has nothing open and all of his rate again: a new share would be the same."""
        full = self._limits.burst / self._limits.rate
        self._shares = {name: each for name, each in self._shares.items() if each.requests or now - each.at < full}
