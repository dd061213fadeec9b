"""Looking for network scanners by zeroconf (mDNS): what announces itself as `_uscan._tcp` or `_uscans._tcp`.

Announcements are what strangers say: they are cut, cleaned, and no address of theirs is asked before somebody opens
the scanner.
"""

from __future__ import annotations

import queue
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import Any, Protocol

from dwtsvc.errors import DriverError
from dwtsvc.esclxml import clean, uuid_of

TYPES = {"_uscans._tcp.local.": "https", "_uscan._tcp.local.": "http"}
QUIET = 0.4  # seconds without anything new, after which all that answer have answered
NOTHING = 1.5  # seconds for a first answer: a second question goes out after one
RESOLVE = 1.0  # seconds for the details of one announcement
MOST = 256  # announcements
LOOK_EVERY = 0.5  # seconds
_PATH = re.compile(r"[A-Za-z0-9._~/-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A scanner that announced itself. `uuid` may be empty; `url` is where it says to be; `announced` is the name of
    its announcement, `name` that of its model."""

    uuid: str
    url: str
    name: str
    announced: str


def browse(timeout: float, expected: frozenset[str] = frozenset()) -> Iterator[Found]:
    """What answers, as it answers; nothing on a machine without a network. `expected` are UUIDs worth waiting for.

    Ends when all is quiet, after 1.5 s while nothing or not all that is expected was found, and at `timeout` seconds.
    Raises DriverError where multicast is impossible.
    """
    names: queue.Queue[tuple[str, str]] = queue.Queue()

    def changed(service_type: str, name: str, *, gone: bool) -> None:
        if not gone:
            names.put((service_type, name))

    with _listening(changed) as zeroconf:
        yield from _resolved(zeroconf, names, timeout, set(expected))


def changes(ended: Event) -> Iterator[None]:
    """Yield when announcements came or went, those of a moment together, until `ended` is set.

    Raises DriverError where multicast is impossible.
    """
    news = Event()

    def changed(_type: str, _name: str, *, gone: bool) -> None:
        news.set()

    with _listening(changed):
        while not ended.wait(LOOK_EVERY):
            if news.is_set() and not ended.wait(QUIET):
                news.clear()
                yield


class Changed(Protocol):
    def __call__(self, service_type: str, name: str, /, *, gone: bool) -> None: ...


@contextmanager
def _listening(changed: Changed) -> Iterator[Any]:
    from zeroconf import InterfaceChoice, ServiceBrowser, ServiceStateChange, Zeroconf

    try:
        zeroconf = Zeroconf(interfaces=InterfaceChoice.All)
    except (OSError, RuntimeError) as error:
        raise DriverError("Scanners in the network cannot be looked for", why=str(error)) from error

    def heard(service_type: str, name: str, state_change: Any, **_: object) -> None:
        changed(service_type, name, gone=state_change is ServiceStateChange.Removed)

    with zeroconf:
        ServiceBrowser(zeroconf, list(TYPES), handlers=[heard])
        yield zeroconf


def _resolved(zeroconf: Any, names: queue.Queue[tuple[str, str]], timeout: float, missing: set[str]) -> Iterator[Found]:
    begun = monotonic()
    until = begun + NOTHING
    seen: set[tuple[str, str]] = set()
    while (left := min(until, begun + timeout) - monotonic()) > 0 and len(seen) < MOST:
        try:
            service_type, name = names.get(timeout=left)
        except queue.Empty:
            return
        if (service_type, name) in seen:
            continue
        seen.add((service_type, name))
        if found := _found(service_type, name, zeroconf):
            missing.discard(found.uuid)
            until = monotonic() + QUIET if not missing else max(until, monotonic() + QUIET)
            yield found


def _found(service_type: str, name: str, zeroconf: Any) -> Found | None:
    info = zeroconf.get_service_info(service_type, name, timeout=round(RESOLVE * 1000))
    # An address with a zone, fe80::1%eth0, cannot be said in a URL.
    addresses = [each for each in info.parsed_scoped_addresses() if "%" not in each] if info else []
    if not info or not addresses or not info.port:
        return None
    texts = {str(key): value or "" for key, value in info.decoded_properties.items()}
    told = {key.lower(): value for key, value in texts.items()}
    host = min(addresses, key=lambda each: ":" in each)  # IPv4 first
    path = told.get("rs", "").strip("/")
    path = path if _PATH.fullmatch(path) and ".." not in path else "eSCL"
    place = f"[{host}]" if ":" in host else host
    announced = clean(name.removesuffix("." + service_type))
    return Found(
        uuid=uuid_of(told.get("uuid")),
        url=f"{TYPES[service_type]}://{place}:{info.port}/{path}",
        name=clean(told.get("ty")) or announced,
        announced=announced,
    )
