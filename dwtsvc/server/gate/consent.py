"""Which web origins may use the service, and how one asks the user for it.

A page posts a request and gets an id. It opens `/consent#<id>` in a window of its own, where the user sees who asks
for what and decides; meanwhile the page asks for the state of its request. What is decided for good goes into the file
of grants, which `dwtsvc origins` reads and writes too; each look at an origin sees a change of that file at once.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dwtsvc.config import Settings
from dwtsvc.errors import BadArguments, BadConfiguration, FileAccess, OriginNotAllowed, TooMany, UnknownItem, WrongState
from dwtsvc.server.gate.access import SCOPES, Access, Caller, of_origin
from dwtsvc.server.gate.configured import Configured
from dwtsvc.server.gate.grants import Decision, Grant, Grants, canonical, is_origin, scopes_of
from dwtsvc.server.gate.once import Once

LIFE = 600.0  # seconds that a request waits for the user, and that its outcome can then be asked for
MOST_PENDING = 5
MOST_SEEN = 1024  # origins remembered while `*` lets all in

State = Literal["pending", "allowed", "denied", "expired"]
Answer = Literal["once", "always", "never"]

_log = logging.getLogger("dwtsvc.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for consent: who asks for what, and what became of it. Times are of the clock."""

    id: str
    origin: str
    scopes: tuple[Access, ...]
    state: State
    since: float


class Consent:
    """Decisions about web origins: from the configuration, from the user for good, from the user until we end."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        *,
        screen: Callable[[], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._grants = Grants(folder)
        self._clock = clock
        self._ask = settings.ask_consent
        self._screen = screen or has_screen
        self._configured = Configured(settings)
        self._once = Once(clock)
        self._asked: dict[str, Asked] = {}
        self._callers: dict[bytes, Caller | None] = {}
        self._mark: tuple[int, ...] | None = (0,)
        self._decided: dict[str, Grant] = {}
        self._lock = threading.RLock()  # decisions are written in a thread, callers are looked up on the event loop

    @property
    def can_ask(self) -> bool:
        """Whether a web site may ask the user: as configured, else where there is a screen."""
        return self._screen() if self._ask == "auto" else self._ask == "on"

    def caller(self, origin: bytes) -> Caller | None:
        """The caller that a web origin is; None if it has no consent."""
        self._refresh()
        try:
            return self._callers[origin]
        except KeyError:
            return self._remember(origin)

    def grants(self) -> list[Grant]:
        """Every decision for good, the user's, by origin. Raises BadConfiguration for a damaged file."""
        return sorted(self._grants.read().values(), key=lambda grant: grant.origin)

    def once(self) -> list[tuple[str, tuple[Access, ...]]]:
        """The origins that are allowed while their pages are open, and their scopes, by origin."""
        with self._lock:
            return self._once.listed()

    def has(self, origin: str) -> tuple[Access, ...]:
        """The scopes that an origin has by now; unlike `caller` no sign that its pages are open."""
        self._refresh()
        with self._lock:
            found = self._work_out(origin)
        return scopes_of(found.scopes & SCOPES) if found else ()

    def still(self, who: Caller) -> bool:
        """Whether a caller may do all that it might when its request began: the consent for a web site can end."""
        return who.kind != "origin" or who.scopes & SCOPES <= frozenset(self.has(who.origin or ""))

    def allow(self, origin: str, scopes: Iterable[str], *, once: bool = False) -> None:
        """Allow an origin what it had and these scopes, for good or while its pages are open. Raises BadArguments."""
        origin, wanted = canonical(origin), set(scopes_of(scopes))
        with self._lock:
            if once:
                self._once.allow(origin, scopes_of(wanted))
            else:
                before = self._grants.read().get(origin)
                self._grants.put(origin, scopes_of({*wanted, *(before.scopes if before else ())}), Decision.ALWAYS)
            self._forget_callers()

    def refuse(self, origin: str) -> None:
        """Refuse an origin for good; it cannot ask again, and no configuration lets it in."""
        with self._lock:
            self._once.end(canonical(origin))
            self._grants.put(canonical(origin), (), Decision.NEVER)
            self._forget_callers()

    def end_once(self, origin: str) -> bool:
        """Take back what was allowed once, and nothing else; False if that was nothing."""
        with self._lock:
            ended = self._once.end(canonical(origin))
            self._forget_callers()
            return ended

    def revoke(self, origin: str) -> bool:
        """Forget what the user decided about an origin; False if that was nothing."""
        with self._lock:
            ended = self._once.end(canonical(origin))
            removed = self._grants.remove(canonical(origin))
            self._forget_callers()
            return removed or ended

    def ask(self, origin: str, scopes: Iterable[str]) -> str:
        """Begin to ask the user; the id of the request. Asking again for the same is the same request.

        Raises OriginNotAllowed where nobody can be asked, TooMany while too many wait, BadArguments.
        """
        wanted = scopes_of(scopes)
        if not is_origin(origin):
            raise BadArguments("This is no web origin")
        with self._lock:
            self._expire()
            here = next((each for each in self._asked.values() if each.origin == origin), None)
            if here and here.state == "pending":
                if here.scopes != wanted:  # the user may be reading the first one just now
                    raise TooMany("The user is being asked already", hint="Wait for the answer.")
                return here.id
            asked = Asked(
                id=secrets.token_urlsafe(16),
                origin=origin,
                scopes=wanted,
                state=self._first_state(origin, wanted),
                since=self._clock(),
            )
            if here:
                del self._asked[here.id]
            self._asked[asked.id] = asked
            return asked.id

    def state(self, id: str, origin: str | None) -> State:
        """What became of a request, for the origin that made it. Raises UnknownItem, for another's too."""
        asked = self.asked(id)
        if asked.origin != origin:
            raise _unknown()
        return asked.state

    def asked(self, id: str) -> Asked:
        """A request, for the page on which the user decides. Raises UnknownItem."""
        with self._lock:
            self._expire()
            if id not in self._asked:
                raise _unknown()
            return self._asked[id]

    def pending(self) -> list[Asked]:
        """Every request that waits for the user."""
        with self._lock:
            self._expire()
            return [each for each in self._asked.values() if each.state == "pending"]

    def decide(self, id: str, answer: Answer) -> State:
        """Note the user's answer; what became of the request. Raises UnknownItem, WrongState if it does not wait."""
        with self._lock:
            asked = self.asked(id)
            if asked.state != "pending":
                raise WrongState("This request is no longer waiting", hint="Let the web site ask again.")
            if answer == "never":
                self.refuse(asked.origin)
            else:
                self.allow(asked.origin, asked.scopes, once=answer == "once")
            state: State = "denied" if answer == "never" else "allowed"
            self._asked[id] = replace(asked, state=state, since=self._clock())
            return state

    def _first_state(self, origin: str, wanted: tuple[Access, ...]) -> State:
        """Whether the user must be asked at all. Raises if he must, and cannot be."""
        known = self.caller(origin.encode())
        if known and set(wanted) <= known.scopes:
            return "allowed"
        grant = self._decided.get(origin)
        if grant and grant.decision is Decision.NEVER:
            return "denied"
        if not self.can_ask:
            what = "This site is not allowed, and the service has no screen to ask on"
            raise OriginNotAllowed(what, hint=f"Allow it in a terminal: dwtsvc origins allow {origin}")
        if sum(each.state == "pending" for each in self._asked.values()) >= MOST_PENDING:
            raise TooMany("Too many web sites are asking", hint="Answer or wait for the others.")
        return "pending"

    def _expire(self) -> None:
        now = self._clock()
        for each in list(self._asked.values()):
            if each.since + LIFE > now:
                continue
            if each.state == "pending":
                self._asked[each.id] = replace(each, state="expired", since=now)
            else:
                del self._asked[each.id]

    def _remember(self, origin: bytes) -> Caller | None:
        """Work out the caller for an origin. Only those in a list are kept for sure: a page can send any number."""
        with self._lock:
            text = origin.decode("latin-1")
            self._once.hear(text)
            found = self._work_out(text) if is_origin(text) else None
            if found and text not in self._once:  # which end by the clock
                if len(self._callers) >= MOST_SEEN:
                    self._callers.clear()
                self._callers[origin] = found
            return found

    def _work_out(self, origin: str) -> Caller | None:
        grant = self._decided.get(origin)
        if grant and grant.decision is Decision.NEVER:
            return None
        scopes = set(grant.scopes if grant else ())
        scopes |= self._configured.scopes(origin)
        scopes |= set(self._once.scopes(origin))
        return of_origin(origin, scopes) if scopes else None

    def _refresh(self) -> None:
        """Take over what another process decided. A file that cannot be believed grants nothing."""
        try:
            mark = self._grants.mark()
        except FileAccess:
            mark = None
        if mark == self._mark:
            return
        with self._lock:
            try:
                self._decided = self._grants.read()
            except (BadConfiguration, FileAccess) as error:
                self._decided = {}
                _log.error("the file of allowed web sites is not used: %s", error.word)
            self._mark = mark
            self._callers = {}

    def _forget_callers(self) -> None:
        self._mark = (0,)
        self._callers = {}


def has_screen(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Whether a user can be shown a page. A service often starts before the desktop that it belongs to, and then has
    none of its variables; Wayland's socket tells it all the same."""
    if platform in ("win32", "darwin"):
        return True
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return True
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return runtime.startswith("/") and any(Path(runtime).glob("wayland-*"))


def _unknown() -> UnknownItem:
    return UnknownItem("There is no such request")
