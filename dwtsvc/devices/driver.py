"""What a driver is: two small protocols, and the frames a scan yields.

A driver blocks, runs on the main thread of its own process, and is the only place that knows its library's words.
It raises the classes of `dwtsvc.errors` with the backend's own word in `why`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event
from typing import Protocol, runtime_checkable

from dwtsvc.model import Capabilities, Device, Encoding, Raster, ScanRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class PageStart:
    """A page begins. For an encoding other than raw, `raster` says what the compressed stream holds."""

    raster: Raster
    back: bool = False
    encoding: Encoding = Encoding.RAW


@dataclass(frozen=True, slots=True)
class Strip:
    """The next bytes of the page: not always whole rows. Valid until the next frame is asked for."""

    data: memoryview | bytes


@dataclass(frozen=True, slots=True)
class PageEnd:
    """The page is complete: every announced row was in its strips (the worker checks)."""


@dataclass(frozen=True, slots=True)
class UserTurn:
    """Between two pages: nothing comes until somebody did something, at the driver's own window. It is no hang."""


Frame = PageStart | Strip | PageEnd | UserTurn


class ScanSource(Protocol):
    """An open device: `with driver.open(name) as source`."""

    def capabilities(self) -> Capabilities:
        """What the device can do now."""

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        """Scan with a request that `Capabilities.resolve` made possible.

        Yields PageStart, Strip..., PageEnd for each page and returns when the feeder is empty, `request.pages` are
        done, or the glass was read once. Raises FeederEmpty when the first page finds no paper, Cancelled soon after
        `cancelled` is set, and any other DriverError when the device fails; a page without PageEnd is not a page.
        The device is left idle on every way out.
        """


class Driver(Protocol):
    def devices(self, timeout: float) -> Iterator[Device]:
        """List devices, each with an id "driver:name"; `timeout` in seconds is a wish, the parent enforces it."""

    # A driver may also have what `Watching` and `Sensing` say.

    def open(self, name: str) -> AbstractContextManager[ScanSource]:
        """Open by the id without its "driver:" part; raises NoScanner, ScannerBusy, NoRightToScanner."""


@runtime_checkable
class Sensing(Protocol):
    """A driver whose devices have buttons and sensors that can be read."""

    def sensors(self, name: str) -> dict[str, str]:
        """What each shows now: "yes" or "no", or a number. The device is opened for it, and closed again."""


@runtime_checkable
class Watching(Protocol):
    """A driver that notices by itself that devices come and go."""

    def watch(self, ended: Event) -> Iterator[None]:
        """Yield whenever `devices` may list others than before, until `ended` is set; costs next to nothing."""
