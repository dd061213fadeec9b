"""Scanners: `discover()` lists them, `connect()` gives a worker for one. No driver is ever imported here.

Drivers are names of modules, each with a function `driver()`. Third parties add theirs in the entry-point group
"dwtsvc.drivers" (name = module).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dwtsvc.errors import DeviceTimeout, DriverError, DwtsvcError, NoScanner
from dwtsvc.model import Device

if TYPE_CHECKING:
    from queue import Queue

    from dwtsvc.devices.process import Child, DeviceProcess

GRACE = 0.5  # seconds after which a driver that is not done has had its time, even if it still lists

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


# SANE's backends for cameras, here or at another machine. Few of them say so: v4l, which most systems switch on, calls
# what it has a virtual device.
_CAMERA = re.compile(
    r"webcam:|(?:sane:)?(?:net:(?:\[[^]]*]|[^:]*):)?(?:v4l|gphoto2|qcam|stv680|dc25|dc210|dc240)(?::|\Z)"
)


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


def is_camera(device: str) -> bool:
    """Whether an id can only be that of a camera. What other drivers have is known by its kind alone."""
    return _CAMERA.match(device) is not None


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

    A driver that fails yields its error instead, with its name as `driver`; so does one that is not done after
    `timeout` seconds. It delays nobody.
    """
    import queue
    import threading
    from time import monotonic

    found: queue.Queue[tuple[str, Device | DriverError | None]] = queue.Queue()
    left = {only} if only else set(drivers())
    for name in left:
        threading.Thread(target=_ask, args=(name, timeout, found), daemon=True).start()
    deadline = monotonic() + timeout + GRACE
    while left:
        try:
            name, item = found.get(timeout=max(0.0, deadline - monotonic()))
        except queue.Empty:
            break
        if item is None:
            left.discard(name)
        else:
            yield item
    for name in sorted(left):
        yield _named(name, _silent(name, timeout))


def _ask(driver: str, timeout: float, found: Queue[tuple[str, Device | DriverError | None]]) -> None:
    """Put what one driver lists, or its error, and None at the end."""
    try:
        with connect(driver, timeout=timeout) as worker:
            for device in worker.devices(timeout):
                found.put((driver, device))
    except DeviceTimeout:
        found.put((driver, _named(driver, _silent(driver, timeout))))
    except DriverError as error:
        found.put((driver, _named(driver, error)))
    except DwtsvcError as error:  # libsane is not installed, or a setting is wrong: there is nothing to list
        found.put((driver, _named(driver, DriverError(error.what, why=error.why, hint=error.hint))))
    except Exception as error:  # in a thread, where nobody else would tell it
        fault = DriverError(f"The driver {driver} cannot be asked", why=f"{type(error).__name__}: {error}")
        found.put((driver, _named(driver, fault)))
    finally:
        found.put((driver, None))


def _silent(driver: str, timeout: float) -> DeviceTimeout:
    return DeviceTimeout(
        f"The driver {driver} did not list its scanners within {timeout:g} s",
        hint="The others are listed all the same; for one that is only slow, raise --wait or discovery_timeout.",
    )


def _named(driver: str, error: DriverError) -> DriverError:
    error.driver = driver
    return error
