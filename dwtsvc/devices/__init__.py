"""Scanners: `discover()` lists them, `connect()` gives a worker for one. No driver is ever imported here.

Drivers are names of modules, each with a function `driver()`. Third parties add theirs in the entry-point group
"dwtsvc.drivers" (name = module).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dwtsvc.errors import DriverError, DwtsvcError, NoScanner
from dwtsvc.model import Device

if TYPE_CHECKING:
    from dwtsvc.devices.process import Child, DeviceProcess

BUILT_IN = {"sane": "dwtsvc.devices.sane", "escl": "dwtsvc.devices.escl", "virtual": "dwtsvc.devices.virtual"}
BUILT_IN |= {"webcam": "dwtsvc.devices.webcam", "replay": "dwtsvc.devices.replay"}
if sys.platform == "win32":
    from dwtsvc.devices.interpreters import is_32_bits, python32

    del BUILT_IN["sane"]
    BUILT_IN["wia"] = "dwtsvc.devices.wia"
    if not is_32_bits():
        BUILT_IN["twain"] = "dwtsvc.devices.twain"
    if is_32_bits() or python32():
        BUILT_IN["twain32"] = "dwtsvc.devices.twain32"


def drivers() -> dict[str, str]:
    """Every driver's name and module, built-in ones first."""
    from importlib.metadata import entry_points

    return {**{point.name: point.value for point in entry_points(group="dwtsvc.drivers")}, **BUILT_IN}


def split_id(device: str) -> tuple[str, str]:
    """ "driver:name" as (driver, name). A bare SANE name such as "test:0" or "epson2:libusb:001:004" is understood."""
    driver, _, name = device.partition(":")
    if driver in BUILT_IN or (driver and driver in drivers()):
        return driver, name
    if "sane" in BUILT_IN and device:
        return "sane", device
    raise NoScanner(f"There is no scanner '{device}'", hint="`dwtsvc devices` lists the scanners.")


_prepared: dict[str, Child] = {}


def prepare(driver: str) -> None:
    """Start a driver's worker ahead of its first `connect`, so that its start overlaps with what comes before.

    A name that is no driver is taken for a bare SANE name. A worker that is never asked for leaves with this process.
    """
    from dwtsvc.devices.process import ProcessChild

    driver = driver if driver in BUILT_IN else "sane"
    if driver in BUILT_IN:
        _prepared[driver] = ProcessChild(BUILT_IN[driver])


def connect(driver: str, *, timeout: float, cancel_grace: float = 5.0) -> DeviceProcess:
    """Start a worker for a driver by its short name."""
    from dwtsvc.devices.process import DeviceProcess, ProcessChild

    child = _prepared.pop(driver, None) or ProcessChild(BUILT_IN.get(driver) or drivers()[driver])
    return DeviceProcess(child, timeout=timeout, cancel_grace=cancel_grace)


def discover(timeout: float, only: str | None = None) -> Iterator[Device | DriverError]:
    """Ask all drivers at once, each in a worker of its own, and yield what they find as they find it.

    A driver that fails or is silent for `timeout` seconds yields its error instead and delays nobody.
    """
    import queue
    import threading

    found: queue.Queue[Device | DriverError | None] = queue.Queue()
    names = [only] if only else list(drivers())

    def ask(driver: str) -> None:
        try:
            with connect(driver, timeout=timeout) as worker:
                for device in worker.devices(timeout):
                    found.put(device)
        except DriverError as error:
            found.put(error)
        except DwtsvcError as error:  # libsane is not installed, or a setting is wrong: there is nothing to list
            found.put(DriverError(error.what, why=error.why, hint=error.hint))
        finally:
            found.put(None)

    for name in names:
        threading.Thread(target=ask, args=(name,), daemon=True).start()
    left = len(names)
    while left:
        item = found.get()
        if item is None:
            left -= 1
        else:
            yield item
