"""Small files that are read while others write them: replaced whole, and changed by one process at a time."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dwtsvc.disk import make_file, part_of, sync_folder, write_error
from dwtsvc.errors import BadInput, FileAccess
from dwtsvc.locks import open_locked

MAX_BYTES = 1 << 20
WAIT = 60.0  # a holder may be asking certutil about twenty profiles


def read(path: Path) -> str | None:
    """The text of a file, None if there is none. Raises FileAccess, and BadInput for what is too big or no text."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileAccess(f"{path} cannot be read", why=error.strerror or str(error)) from error
    if len(data) > MAX_BYTES:
        raise BadInput(f"{path} cannot be read", why=f"it has more than {MAX_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no text", why="it is not UTF-8") from error


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Put a file in its place whole and safe on the disk; an old one keeps its mode. Raises FileAccess, DiskFull."""
    part = prepare(path, text, mode)
    with faults(path):
        os.replace(part, path)
        sync_folder(path.parent)


def prepare(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write the file that shall replace `path`, beside it and safe on the disk; its path. Raises as `write`."""
    part = part_of(path)
    with faults(path):
        part.unlink(missing_ok=True)
        make_file(part, text.encode(), lambda file: _take_mode(file, path, mode))
    return part


def remove(path: Path) -> None:
    """Remove a file if it is there. Raises FileAccess."""
    with faults(path):
        path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only one who changes a folder's files, in this process or another. Raises FileAccess after a minute.

    The lock file is never removed: whoever waits on a removed one would hold a lock that nobody else sees.
    """
    lock = _wait_for(folder / ".lock")
    try:
        yield
    finally:
        os.close(lock)


def _wait_for(path: Path) -> int:
    until = time.monotonic() + WAIT
    with faults(path):
        while (lock := open_locked(path)) is None:
            if time.monotonic() > until:
                raise FileAccess(f"{path.parent} is in use", why="another dwtsvc has been changing it for a minute")
            time.sleep(0.05)
    return lock


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Tell what the system says about a path as an error of ours, and leave no half-written file behind."""
    try:
        yield
    except OSError as error:
        with suppress(OSError):
            part_of(path).unlink()
        raise write_error(error, path) from error


def _take_mode(file: int, path: Path, mode: int) -> None:
    if os.name == "nt":
        return
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
    os.fchmod(file, mode)
