"""What writing to a disk asks of every room alike: a folder's names made safe, and the errors that mean "full"."""

from __future__ import annotations

import errno
import os
from pathlib import Path

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
