"""Files that only the user of the service may read: replaced whole, and not believed if others could write to them."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from dwtsvc.disk import make_file, sync_folder, write_error
from dwtsvc.errors import BadConfiguration, FileAccess


def write(path: Path, text: str) -> None:
    """Put a text into a file of 0600 in place of what was there. Raises FileAccess or DiskFull."""
    _put(path, text, os.replace)


def make(path: Path, text: str) -> None:
    """The same, but a file that is there already stays: of two processes at once one wins, and both go on."""
    with contextlib.suppress(FileExistsError):
        _put(path, text, _link)


def read(path: Path, most: int) -> bytes:
    """The bytes of a file that only we can have written; b"" if there is none.

    Raises BadConfiguration for a file of somebody else, one that others may write to, a link, or more bytes.
    """
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise BadConfiguration(f"{path} cannot be read", why=error.strerror or str(error)) from error
    with os.fdopen(file, "rb") as opened:
        if distrust := _distrust(os.fstat(file), most):
            raise BadConfiguration(f"{path} is not to be trusted", why=distrust, hint="Remove it; a new one is made.")
        return opened.read(most)


def mark(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is replaced; None if there is none. Raises FileAccess."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileAccess(f"{path} cannot be read", why=error.strerror or str(error)) from error
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode


def _distrust(found: os.stat_result, most: int) -> str:
    if not stat.S_ISREG(found.st_mode):
        return "it is no regular file"
    if found.st_size > most:
        return f"it has more than {most} bytes"
    if os.name == "nt":  # the rights of the folder count there
        return ""
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    return "others may write to it" if found.st_mode & 0o022 else ""


def _put(path: Path, text: str, name: Callable[[Path, Path], None]) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        make_file(part, text.encode())
        name(part, path)
        sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise write_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _link(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.replace(part, path)
