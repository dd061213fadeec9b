"""eSCL, the scanners in the network that need no driver of their own (AirScan, AirPrint, Mopria).

    escl:4509a320-00a0-008f-00b6-002507510eca    by its UUID, wherever in the network it is
    escl:http://192.168.1.7/eSCL                 by its address, also in another network

Runs in its own worker process. What a scanner answers is not believed: see docs/network-scanners.md for the limits.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Event
from time import monotonic

from dwtsvc import esclxml
from dwtsvc.config import load
from dwtsvc.devices import esclfind
from dwtsvc.devices.esclhttp import Limits, Link
from dwtsvc.devices.esclknown import Known, KnownPins, address
from dwtsvc.devices.esclrefusal import accepted, awake
from dwtsvc.devices.esclsource import EsclSource
from dwtsvc.errors import BadInput, DeviceLost, DeviceTimeout, DriverError, DwtsvcError, NoScanner
from dwtsvc.esclxml import Description
from dwtsvc.model import Device
from dwtsvc.paths import Paths

LOOK_AGAIN = 5.0  # seconds to look for a scanner that is not where it was
MOST_PLACES = 4  # addresses of one scanner


def driver() -> EsclDriver:
    paths = Paths.from_environment(os.environ)
    settings = load(paths, os.environ).settings
    known = Known(paths.network_scanners)
    return EsclDriver(known, addresses=settings.escl_devices, look=settings.escl_discovery)


class EsclDriver:
    """`addresses` are those that the user gave, `look` is whether the network is searched."""

    def __init__(
        self, known: Known, *, addresses: tuple[str, ...] = (), look: bool = True, limits: Limits | None = None
    ) -> None:
        self._known, self._addresses, self._look = known, addresses, look
        self._limits = limits or Limits()

    def devices(self, timeout: float) -> Iterator[Device]:
        """Those at the given addresses and those in the network, side by side. Errors come last: raises the first."""
        found: queue.Queue[Device | DwtsvcError | None] = queue.Queue()
        tasks = [self._at(each) for each in self._addresses] + ([self._around(timeout)] if self._look else [])
        for task in tasks:
            threading.Thread(target=_tell, args=(task, found), daemon=True).start()
        seen: set[str] = set()
        errors: list[DwtsvcError] = []
        running, deadline = len(tasks), monotonic() + timeout * 0.9
        while running and (left := deadline - monotonic()) > 0:
            with suppress(queue.Empty):
                item = found.get(timeout=left)
                running -= item is None
                if isinstance(item, DwtsvcError):
                    errors.append(item)
                elif item and item.id not in seen:
                    seen.add(item.id)
                    yield item
        if errors:
            raise errors[0]

    def watch(self, ended: Event) -> Iterator[None]:
        """Notice announcements that come and go. A scanner that is switched off without a word is not noticed."""
        if self._look:
            yield from esclfind.changes(ended)

    @contextmanager
    def open(self, name: str) -> Generator[EsclSource, None, None]:
        with ExitStack() as stack:
            link, told = self._reach(name, stack)
            yield EsclSource(_id(link, told) if "://" in name else f"escl:{name}", link, told)

    def _at(self, url: str) -> Iterator[Device]:
        """The scanner at an address that the user gave."""
        with ExitStack() as stack:
            link, told = self._introduced(url, stack)
        yield Device(id=_id(link, told), vendor=told.vendor, model=told.model, kind="network scanner")

    def _introduced(self, url: str, stack: ExitStack) -> tuple[Link, Description]:
        """A link to an address that the user gave. From now on its scanner is known by its UUID, if it has one."""
        link, told = self._described(url, "", stack)
        if told.uuid:
            here = link.place
            others = (each for each in self._known.get(told.uuid).urls if each != here)
            self._known.remember_urls(told.uuid, (here, *others)[:MOST_PLACES])
        return link, told

    def _around(self, timeout: float) -> Iterator[Device]:
        """The scanners that announce themselves; where they are is kept for `open`."""
        urls: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        expected = frozenset(filter(esclxml.uuid_of, self._known.keys()))
        for found in esclfind.browse(timeout, expected):
            name = found.uuid or found.url
            urls.setdefault(name, []).append(found.url)
            names.setdefault(name, found.announced)
            if len(urls[name]) == 1:
                yield Device(id=f"escl:{name}", vendor="", model=found.name, kind="network scanner")
        for name, there in urls.items():
            if "://" not in name:
                self._known.remember_urls(name, _best_first(there)[:MOST_PLACES], names[name])

    def _reach(self, name: str, stack: ExitStack) -> tuple[Link, Description]:
        """An open link to a scanner by UUID or address. Raises NoScanner and what `_described` does."""
        if "://" in name:
            return self._introduced(name, stack)
        uuid, reasons = esclxml.uuid_of(name), []
        for url in self._places(uuid) if uuid else ():
            try:
                return self._described(url, uuid, stack)
            except (NoScanner, DeviceTimeout) as error:
                reasons.append(str(error))
        raise NoScanner(
            f"There is no scanner 'escl:{esclxml.clean(name)}'",
            why="; ".join(reasons) or "nothing in the network answers to that name",
            hint="`dwtsvc devices` lists the scanners; check that it is on and in the network.",
        )

    def _places(self, uuid: str) -> Iterator[str]:
        """Where a scanner may be: where it was, else where it is announced. Never unencrypted if it was once."""
        known = self._known.get(uuid)
        plain = not known.certificate
        tried = [url for url in known.urls if plain or url.startswith("https:")]
        yield from tried
        if self._look:
            seen = [each.url for each in esclfind.browse(LOOK_AGAIN, frozenset([uuid])) if each.uuid == uuid]
            for url in _best_first(seen):
                if url not in tried and (plain or url.startswith("https:")):
                    self._known.remember_urls(uuid, (url,))
                    yield url

    def _described(self, url: str, uuid: str, stack: ExitStack) -> tuple[Link, Description]:
        """A link to an address, and what the scanner there tells of itself. With `uuid` it must be that one."""
        parts = address(url)
        pins = KnownPins(self._known, uuid or parts.netloc.lower(), parts.netloc)
        link = stack.enter_context(Link(url, f"The scanner at {parts.netloc}", pins, self._limits))
        try:
            answer = awake(link, "ScannerCapabilities", self._limits.busy)
        except DeviceLost as error:
            raise NoScanner(f"There is no scanner at {parts.geturl()}", why=error.why, hint=error.hint) from error
        if answer.status == 404:
            raise NoScanner(
                f"There is no scanner at {parts.geturl()}",
                why="404 in answer to ScannerCapabilities",
                hint="Check the address and its path, which is /eSCL with most scanners.",
            )
        try:
            told = esclxml.description(accepted(link, answer))
        except BadInput as error:
            raise DriverError(f"{link.name} describes itself in a way that cannot be read", why=error.why) from error
        if uuid and told.uuid and told.uuid != uuid:
            raise NoScanner(f"Another scanner is at {parts.geturl()}", why=f"its UUID is {told.uuid}")
        if told.uuid:
            pins.also(told.uuid)
        return link, told


def _id(link: Link, told: Description) -> str:
    return f"escl:{told.uuid or link.place}"


def _tell(task: Iterator[Device], found: queue.Queue[Device | DwtsvcError | None]) -> None:
    try:
        for device in task:
            found.put(device)
    except DwtsvcError as error:
        found.put(error)
    except Exception as error:  # in a thread, where nobody else would tell it
        found.put(DriverError("Looking for network scanners failed", why=f"{type(error).__name__}: {error}"))
    finally:
        found.put(None)


def _best_first(urls: list[str]) -> tuple[str, ...]:
    return tuple(sorted(dict.fromkeys(urls), key=lambda url: not url.startswith("https:")))
