"""Temporary folders of ours. One whose owner was killed is taken away by whoever makes the next one.

A folder is in use as long as somebody holds the lock of the file `.lock` in it, which the system lets go of when its
holder dies, however it dies.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dwtsvc.locks import open_locked, try_lock

PREFIX = "dwtsvc-"
HIDDEN = f".{PREFIX}"  # where users look
LOCK = ".lock"


class Scratch:
    """A private folder for `what` in `within`, or else in the system's temporary folder; a context that takes it away.
    `hidden` is for the folders of users.

    Raises OSError.
    """

    def __init__(self, what: str, within: Path | None = None, *, hidden: bool = False) -> None:
        within = within or Path(tempfile.gettempdir())
        sweep(within)
        self._folder, self._lock = _made(f"{HIDDEN if hidden else PREFIX}{what}-", within)
        self.path = Path(self._folder.name)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.cleanup()

    def cleanup(self) -> None:
        """Take it away. Again does no harm."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)  # first, for Windows removes no file that is open
        self._folder.cleanup()


def sweep(folder: Path) -> None:
    """Take away what those who were killed left in a folder. What cannot be removed stays, and is no error."""
    with suppress(OSError):
        for path in list(_ours(folder)):
            with suppress(OSError):
                _sweep_one(path)


def _made(prefix: str, within: Path) -> tuple[tempfile.TemporaryDirectory[str], int | None]:
    """A new folder and its lock. Somebody's sweep may come between the two: then another one is made."""
    while True:
        folder = tempfile.TemporaryDirectory(prefix=prefix, dir=within, ignore_cleanup_errors=True)
        try:
            lock = open_locked(Path(folder.name, LOCK))
        except FileNotFoundError:
            lock = None
        except OSError:  # a file system without locks: nobody can sweep there either
            return folder, None
        if lock is not None:
            if _is_there(lock, Path(folder.name, LOCK)):
                return folder, lock
            os.close(lock)
        folder.cleanup()


def _is_there(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _ours(folder: Path) -> Iterator[Path]:
    """Folders with our name and a lock that are this user's, and no links to elsewhere: /tmp is everybody's."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((PREFIX, HIDDEN)) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    if _is_mine(Path(entry.path)) and stat.S_ISREG(Path(entry.path, LOCK).lstat().st_mode):
                        yield Path(entry.path)


def _is_mine(path: Path) -> bool:
    return os.name == "nt" or path.lstat().st_uid == os.geteuid()


def _sweep_one(path: Path) -> None:
    lock = os.open(path / LOCK, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    try:
        if not try_lock(lock):
            return
        if os.name != "nt":  # under the lock: its maker may be about to ask for it
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
    if os.name == "nt":
        shutil.rmtree(path, ignore_errors=True)
