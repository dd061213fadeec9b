"""Open devices, warm between scans: each with its worker, and with the lock that keeps other processes polite."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import xxhash

from dwtsvc import devices, locks
from dwtsvc.devices.cases import RecordTo
from dwtsvc.errors import ScannerBusy
from dwtsvc.model import Capabilities
from dwtsvc.paths import Paths

PATIENCE = 10.0  # seconds until who only keeps a device open, or looks at its buttons, must have let go; usually one
LOOK_EVERY = 0.05
_UNUSED = " unused"  # behind the holder's process number in the lock's file


class Station:
    """An open device: its worker, warm between jobs, and the lock that keeps other processes of dwtsvc polite."""

    def __init__(
        self, device: str, lock: Path, *, timeout: float, cancel_grace: float, record: RecordTo | None = None
    ) -> None:
        driver, name = devices.split_id(device)
        self._lock = _lock_device(device, lock)
        self._wish = _wish(lock)
        try:
            self.worker = devices.connect(driver, timeout=timeout, cancel_grace=cancel_grace)
            if record:
                self.worker.record(record, driver)
            self.capabilities = self.worker.open(name)
        except BaseException:
            self.close()
            raise

    @property
    def wanted(self) -> bool:
        """Whether another process waits for this device."""
        return self._wish.exists()

    def use(self, used: bool) -> None:
        """Tell other processes whether the device is at work, or only kept warm and theirs for the asking."""
        _sign(self._lock, "" if used else _UNUSED)

    def close(self) -> None:
        if hasattr(self, "worker"):
            self.worker.close()
        os.close(self._lock)


def lock_path(folder: Path, device: str) -> Path:
    """The file whose lock keeps processes of dwtsvc from using a device at once."""
    return folder / f"device-{xxhash.xxh3_64_hexdigest(device.encode())}.lock"


@contextlib.contextmanager
def glancing(folder: Path, device: str) -> Iterator[bool]:
    """Use a device for a moment, which whoever wants to scan waits for; False if somebody uses it."""
    Paths.create(folder)
    with locks.holding(lock_path(folder, device)) as free:
        if free:
            lock_path(folder, device).write_text(f"{os.getpid()}{_UNUSED}")
        yield free


def _wish(lock: Path) -> Path:
    """The file that somebody makes who waits for a device which its holder keeps open without using it."""
    return lock.with_suffix(".wanted")


def _lock_device(device: str, path: Path) -> int:
    """Lock a device's file and write our process number into it; one that its holder does not use is asked for.

    Raises ScannerBusy with the holder's number.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    until, before = monotonic() + PATIENCE, ""
    while (lock := locks.open_locked(path)) is None:
        holder = path.read_text(errors="replace").strip() or "another process"
        # Twice: for a moment after it is locked the file says what the holder before wrote.
        if holder == before and not holder.endswith(_UNUSED):
            raise _busy(device, f"process {holder} is scanning")
        if monotonic() >= until:
            raise _busy(device, f"process {holder.removesuffix(_UNUSED)} keeps it open")
        if holder.endswith(_UNUSED):
            _wish(path).touch(mode=0o600)
        before = holder
        sleep(LOOK_EVERY)
    _wish(path).unlink(missing_ok=True)  # who else waits makes it again
    _sign(lock, "")
    return lock


def _busy(device: str, why: str) -> ScannerBusy:
    return ScannerBusy(f"{device} is busy", why=why, hint="Wait until it is done, then scan again.")


def _sign(lock: int, word: str) -> None:
    os.lseek(lock, 0, os.SEEK_SET)
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}{word}".encode())


@dataclass(frozen=True, slots=True)
class Idle:
    """A warm station that nobody uses, since when (monotonic seconds)."""

    station: Station
    since: float


class Stations:
    """The open devices of this process by their ids; `record` notes what the first does until it is lost or closed.

    Safe to use from several threads.
    """

    def __init__(
        self, lock_folder: Path, *, timeout: float, cancel_grace: float, record: RecordTo | None = None
    ) -> None:
        self._record = record
        self._lock_folder, self._timeout, self._grace = lock_folder, timeout, cancel_grace
        self._idle: dict[str, Idle] = {}
        self._lock = threading.Lock()

    def take(self, device: str, timeout: float | None = None) -> Station:
        """The device's warm station, or a new one that must open in `timeout` seconds.

        Raises ScannerBusy while somebody else has it, NoScanner, DeviceTimeout, ...
        """
        with self._lock:
            idle = self._idle.pop(device, None)
        if idle:
            idle.station.use(True)
            return idle.station
        record, self._record = self._record, None
        path = lock_path(self._lock_folder, device)
        return Station(device, path, timeout=timeout or self._timeout, cancel_grace=self._grace, record=record)

    def look(self, device: str) -> Capabilities:
        """What a device can do. One that was closed is closed again: other programs may want it. Raises as `take`."""
        with self._lock:
            idle = self._idle.get(device)
        if idle:
            return idle.station.capabilities
        station = self.take(device)
        station.close()
        return station.capabilities

    def put_back(self, device: str, station: Station) -> None:
        """Keep a station warm for the next who takes it; one whose worker died is closed."""
        if station.worker.dead:
            station.close()
            return
        station.use(False)
        with self._lock:
            self._idle[device] = Idle(station, monotonic())

    def close_idle(self, seconds: float) -> None:
        """Let go of the devices that nobody has used for so long, or that other processes want; their workers end."""
        before = monotonic() - seconds
        with self._lock:
            old = [device for device, idle in self._idle.items() if idle.since <= before or idle.station.wanted]
            stations = [self._idle.pop(device).station for device in old]
        for station in stations:
            station.close()
