"""Signs that scanners came or went, for which no driver is asked: USB, routes, settings, the network's announcements.

USB, routes and settings are three small reads a second. Announcements are heard by the worker of network scanners,
which stays for as long as somebody wants to know.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path
from time import monotonic

from dwtsvc.devices import connect, drivers
from dwtsvc.devices.process import DeviceProcess
from dwtsvc.errors import DwtsvcError

USB = Path("/sys/bus/usb/devices")
ROUTES = Path("/proc/net/route")
SETTLE = 1.0  # seconds without another change: udev gives rights a moment after the device is there
NETWORK = "escl"
CHANGELESS = frozenset({"virtual", "replay"})  # what they list depends on nothing outside

log = logging.getLogger(__name__)


class Signs:
    """Begins with `with`. `news` belongs to one thread.

    `settings` is the file in which network scanners are named by address.
    """

    def __init__(self, *, usb: Path = USB, routes: Path = ROUTES, settings: Path | None = None) -> None:
        self._usb, self._routes, self._settings = usb, routes, settings
        self._plugged, self._ways, self._written = _plugged(usb), _text(routes), _written(settings)
        self._changed_at: float | None = None
        self._heard = threading.Event()
        self._listener: DeviceProcess | None = None

    def __enter__(self) -> Signs:
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._unlisten()

    def shown_by(self, driver: str) -> bool:
        """Whether a driver's devices cannot come and go without a sign."""
        if driver == NETWORK:
            return self._listener is not None
        return driver in CHANGELESS or self._plugged is not None

    def news(self, drivers: frozenset[str]) -> frozenset[str]:
        """Those drivers which may list others than at the last call."""
        found: set[str] = set()
        if self._usb_settled():
            found |= drivers - CHANGELESS - {NETWORK}
        if (ways := _text(self._routes)) != self._ways:  # who listens does so on the addresses of its beginning
            self._ways = ways
            self._listen()
            self._heard.set()
        if (written := _written(self._settings)) != self._written:
            self._written = written
            self._heard.set()
        if self._heard.is_set():
            self._heard.clear()
            found |= drivers & {NETWORK}
        return frozenset(found)

    def _usb_settled(self) -> bool:
        plugged = _plugged(self._usb)
        if plugged != self._plugged:
            self._plugged, self._changed_at = plugged, monotonic()
        if self._changed_at is None or monotonic() - self._changed_at < SETTLE:
            return False
        self._changed_at = None
        return True

    def _unlisten(self) -> None:
        listener, self._listener = self._listener, None
        if listener:
            listener.close()

    def _listen(self) -> None:
        self._unlisten()
        if NETWORK not in drivers():
            return
        try:
            self._listener = connect(NETWORK, timeout=threading.TIMEOUT_MAX)
        except OSError as error:  # no process or pipe to be had; the next look tries again
            log.warning("Network scanners that come and go are not noticed: %s", error.strerror)
            return
        threading.Thread(target=self._hear, args=(self._listener,), name="signs", daemon=True).start()

    def _hear(self, listener: DeviceProcess) -> None:
        try:
            for _ in listener.changes():
                self._heard.set()
        except DwtsvcError as error:
            if listener is self._listener:
                log.warning("Network scanners that come and go are not noticed: %s", error)
        if listener is self._listener:
            self._listener = None
        listener.close()  # where nothing can be noticed, it ends by itself


def _plugged(folder: Path) -> frozenset[tuple[str, int]] | None:
    """The devices at USB; one that is plugged in again is another. None where the system does not show them so."""
    try:
        with os.scandir(folder) as entries:
            return frozenset((entry.name, entry.inode()) for entry in entries if ":" not in entry.name)
    except OSError:
        return None


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""


def _written(path: Path | None) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns if path else 0
    return 0
