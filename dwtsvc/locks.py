"""Locks on open files, which the system lets go of when their holder dies, however it dies."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from dwtsvc.disk import open_file

if sys.platform == "win32":
    import msvcrt

    # Windows keeps everybody else from reading and writing what is locked, so that is a byte after the end of nearly
    # every file, and not the first; the C library counts its place in 31 bits.
    LOCKED = 2**31 - 16

    def try_lock(file: int) -> bool:
        """Lock an open file for this process without waiting; False if another holder has it."""
        place = os.lseek(file, 0, os.SEEK_CUR)
        try:
            os.lseek(file, LOCKED, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file, place, os.SEEK_SET)
        return True

else:
    import fcntl

    def try_lock(file: int) -> bool:
        """Lock an open file for this process without waiting; False if another holder has it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def open_locked(path: Path) -> int | None:
    """Open (or create, 0600) a file and lock it; None if another holder has it. Closing it lets go."""
    file = open_file(path, os.O_RDWR | os.O_CREAT)
    if try_lock(file):
        return file
    os.close(file)
    return None


@contextlib.contextmanager
def holding(path: Path) -> Iterator[bool]:
    """Hold the lock of a path for a block; yields False, and holds nothing, if another holder has it."""
    file = open_locked(path)
    try:
        yield file is not None
    finally:
        if file is not None:
            os.close(file)
