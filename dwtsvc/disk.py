"""What writing to a disk asks of every room alike: private files, safe folders, and the system's errors as ours."""

from __future__ import annotations

import contextlib
import errno
import os
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


def private(path: str, flags: int) -> int:
    """An opener for `open`: the file is nobody else's to read."""
    return os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)


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
