"""What writing to a disk asks of every room alike: private files, safe folders, and the system's errors as ours."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from dwtsvc.errors import DiskFull, DwtsvcError, FileAccess

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

# Network and FUSE file systems, and systems other than Linux, refuse to sync a folder in one of these ways, although
# they keep the names in it as well as they ever can. EACCES comes from a folder that one may write to but not read, a
# drop box. EIO and EROFS are not among them: that is a failing disk, and a file system that gave up on one.
CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EACCES)


def sync_folder(folder: Path) -> None:
    """Make a folder's new and renamed entries survive a power loss, where its file system can. Raises OSError."""
    if os.name == "nt":  # Windows has no handle on a folder to sync; its rename is journaled by the file system
        return
    try:
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise


if sys.platform == "win32":
    import _winapi
    import msvcrt

    _SHARED = 1 | 2 | 4  # to be read, written, and renamed or deleted, by others while it is open
    _CREATE_NEW, _CREATE_ALWAYS, _OPEN_EXISTING, _OPEN_ALWAYS = 1, 2, 3, 4
    _ORDINARY = 0x80

    def open_file(path: str | Path, flags: int, mode: int = 0o600) -> int:
        """`os.open` for a file of bytes that may be renamed or deleted while it is open; no child inherits it.

        Without this Windows would refuse to rename and to delete it, and would change the ends of lines in it.
        """
        access = _winapi.GENERIC_READ | (_winapi.GENERIC_WRITE if flags & (os.O_WRONLY | os.O_RDWR) else 0)
        handle = _winapi.CreateFile(os.fspath(path), access, _SHARED, 0, _disposition(flags), _ORDINARY, 0)
        try:
            return msvcrt.open_osfhandle(handle, flags & os.O_APPEND | os.O_BINARY | os.O_NOINHERIT)
        except OSError:
            _winapi.CloseHandle(handle)
            raise

    def _disposition(flags: int) -> int:
        if not flags & os.O_CREAT:
            return _OPEN_EXISTING
        if flags & os.O_EXCL:
            return _CREATE_NEW
        return _CREATE_ALWAYS if flags & os.O_TRUNC else _OPEN_ALWAYS

else:

    def open_file(path: str | Path, flags: int, mode: int = 0o600) -> int:
        """`os.open` for a file of bytes that may be renamed or deleted while it is open; no child inherits it."""
        return os.open(path, flags | os.O_CLOEXEC, mode)


def private(path: str, flags: int) -> int:
    """An opener for `open`: the file is nobody else's to read."""
    return open_file(path, flags)


def part_of(path: Path) -> Path:
    """The hidden file beside `path` that is written first and then takes its place."""
    return path.with_name(f".{path.name}.part")


def make_file(path: Path, data: bytes, take_rights: Callable[[int], None] | None = None) -> None:
    """Make a private file, whole and safe on the disk. Raises OSError, also if there is one already.

    `take_rights` gets the open file before anything is in it.
    """
    with open(path, "xb", opener=private) as file:
        if take_rights:
            take_rights(file.fileno())
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def telling(path: Path) -> Iterator[None]:
    """Turn the system's errors while `path` is written into DiskFull and FileAccess, and an encoder's DiskFull, which
    does not know the disk, into one that does."""
    try:
        yield
    except DiskFull as error:
        raise storage_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), path) from error
    except OSError as error:
        raise storage_error(error, path) from error


def write_error(error: OSError, path: Path) -> FileAccess | DiskFull:
    """What the system says about a small file, in its own words; `storage_error` also measures the room."""
    kind = DiskFull if error.errno in NO_ROOM else FileAccess
    return kind(f"{path} cannot be written", why=error.strerror or str(error))


def storage_error(error: OSError, path: Path) -> DwtsvcError:
    """DiskFull with the room that is left, or FileAccess, for a failed write near `path`."""
    why = error.strerror or str(error)
    if error.errno not in NO_ROOM:
        return FileAccess(f"{path} cannot be written", why=why, hint="Check the folder and its rights.")
    folder = next((parent for parent in (path, *path.parents) if parent.is_dir()), Path("/"))
    free = _free(folder)
    size = path.stat().st_size if path.is_file() else 0
    need = f"; {size} bytes are needed" if size else ""
    return DiskFull(
        f"The disk of {folder} is full", why=f"{free} bytes are free{need}", hint="Make room, then scan again."
    )


def _free(folder: Path) -> int:
    import shutil  # here, because it imports every compressor there is

    return shutil.disk_usage(folder).free
