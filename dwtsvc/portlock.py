"""`port.lock`: which process is the service of this user, and at which doors it answers.

The service holds the file locked as long as it lives, so there is never a second one, and a file that a killed service
left behind is known to be old. The file is written in place: a lock lies on the file itself, and a rename would put a
new, unlocked one under its name.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dwtsvc.errors import FileAccess, PortInUse
from dwtsvc.locks import try_lock

if TYPE_CHECKING:
    from dwtsvc.paths import Paths

# Windows locks bytes and lets nobody else read them: the byte that is locked lies far behind the text.
_LOCKED_BYTE = 1 << 30
_PATIENCE = 0.5  # seconds; a reader holds the lock for a moment, see `_is_held`
_LARGEST = 1 << 20


class PortLock:
    """The held lock. Closed by the end of the `with` block of `hold`, or by the end of the process."""

    def __init__(self, file: int) -> None:
        self._file = file

    def write(self, content: dict[str, Any]) -> None:
        """Replace what the file says; one write, padded to hide the longer text that stood there before."""
        text = json.dumps(content).encode() + b"\n"
        before = os.fstat(self._file).st_size
        try:
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, text.ljust(before))
            os.ftruncate(self._file, len(text))
        except OSError as error:
            raise FileAccess("The file port.lock cannot be written", why=error.strerror or str(error)) from error


@contextlib.contextmanager
def hold(paths: Paths) -> Iterator[PortLock]:
    """Be the one service of these paths for a block; PortInUse if another process is, naming it."""
    paths.create(paths.port_lock.parent)
    try:
        file = os.open(paths.port_lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as error:
        raise FileAccess(f"The file {paths.port_lock} cannot be opened", why=error.strerror or str(error)) from error
    try:
        if not _lock_patiently(file):
            raise _already_running(paths.port_lock)
        os.ftruncate(file, 0)  # what stands there is of a service that is gone
        yield PortLock(file)
        os.ftruncate(file, 0)
    finally:
        os.close(file)


def read_port_lock(paths: Paths) -> dict[str, Any] | None:
    """What the running service says of itself: pid, monitor_pid, version, started, doors. None if none runs."""
    try:
        if not _is_held(paths.port_lock):
            return None
        return _read(paths.port_lock)
    except OSError:
        return None


def _lock_patiently(file: int) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while not _try(file):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _try(file: int) -> bool:
    os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
    return try_lock(file)


def _already_running(path: Path) -> PortInUse:
    content = _read(path)
    process = f"it is process {content['pid']}" if content else "its process holds port.lock"
    return PortInUse(
        "The service is already running",
        why=process,
        hint="`dwtsvc status` shows where it answers; stop that one first to start another.",
    )


def _read(path: Path) -> dict[str, Any] | None:
    """The content, read again if it was caught while being written; None while the service has not written any."""
    for _ in range(5):
        with open(path, "rb") as file:
            text = file.read(_LARGEST)
        with contextlib.suppress(ValueError, RecursionError):
            content = json.loads(text)
            if isinstance(content, dict) and isinstance(content.get("pid"), int):
                return content
        time.sleep(0.02)
    return None


if sys.platform == "win32":

    def _is_held(path: Path) -> bool:
        import msvcrt

        file = os.open(path, os.O_RDWR)
        try:
            if not _try(file):
                return True
            os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
            return False
        finally:
            os.close(file)

else:
    import fcntl

    def _is_held(path: Path) -> bool:
        """Whether a service lives. A shared lock does not mislead other readers, and `hold` waits for it to go."""
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False
