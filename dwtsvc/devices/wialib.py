"""What the WIA driver asks of Windows, in two ways: pyinsane2's raw layer where it was compiled, else WIA automation.

Both speak of properties by the same names, which are those of pyinsane2: `xres`, `depth`, `document_handling_status`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from dwtsvc.devices import mishaps
from dwtsvc.devices.mishaps import Mishap
from dwtsvc.errors import DriverError
from dwtsvc.model import Source

# Of the device's `document_handling_status`, the worst first.
STATUS_ERRORS: dict[str, Mishap] = {
    "paper_jam": mishaps.JAM,
    "multiple_feed": mishaps.DOUBLE,
    "path_cover_up": mishaps.COVER,
    "flat_cover_up": mishaps.COVER,
}
FEED_READY = "feed_ready"
DETECTS_PAPER = "detect_feed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A property of a device or of one of its sources; `limits` are least, most and step."""

    name: str
    value: int | str
    choices: tuple[int, ...] = ()
    limits: tuple[int, int, int] | None = None
    settable: bool = True


class Item(Protocol):
    """One source of an open scanner: its glass or its feeder."""

    name: str

    def properties(self) -> dict[str, Property]: ...

    def set(self, name: str, value: int | str) -> bool:
        """Set a property; False where the driver refuses or does not know it."""

    def page(self) -> bytes | None:
        """Scan one page and return it as a bitmap; None where the feeder has none. Raises DriverError."""


class Scanner(Protocol):
    """An open scanner."""

    def items(self) -> dict[Source, Item]: ...

    def properties(self) -> dict[str, Property]: ...

    def close(self) -> None: ...


class Layer(Protocol):
    """A way to WIA."""

    def devices(self) -> Iterator[tuple[str, str, str]]:
        """(id, vendor, model) of every scanner."""

    def open(self, name: str) -> Scanner:
        """Open by id. Raises NoScanner, ScannerBusy."""


def layer() -> Layer:
    """The raw layer if it is there: it is WIA 2, where feeder and glass are sources of their own."""
    try:
        from dwtsvc.devices.wiaraw import RawLayer
    except ImportError:
        from dwtsvc.devices.wiaauto import AutomationLayer

        return AutomationLayer()
    return RawLayer()


def words(value: int | str | None) -> frozenset[str]:
    """The flags of a property that are set."""
    return frozenset(value.split(",")) if isinstance(value, str) else frozenset()


def failure(status: frozenset[str], why: str) -> DriverError:
    """The error of a page that did not come, by what the device says of itself."""
    for word, mishap in STATUS_ERRORS.items():
        if word in status:
            return mishaps.told(mishap, word)
    return DriverError("The scanner's driver failed while a page was read", why=why, hint="Check the scanner.")
