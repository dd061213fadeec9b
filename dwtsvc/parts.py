"""Files that appear whole or not at all.

A file is written as a hidden `.name.part` beside its target, synced, and then linked to its name, which never replaces
anything. The part file is there from the start: it reserves the name, and shows at once whether the target can be
written.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dwtsvc import locks
from dwtsvc.disk import NO_ROOM, open_file, part_of, storage_error, sync_folder
from dwtsvc.errors import DiskFull, DwtsvcError, FileAccess

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class PartFile:
    """One file on its way to `target`. Raises FileAccess at once if it cannot be written there.

    `force` replaces a file; behind a symbolic link it is the file that is replaced, not the link.
    """

    def __init__(self, target: Path, *, force: bool = False) -> None:
        self.target = target
        self._force = force
        with writing(target):
            _refuse_taken(target, force)
            self._place = Path(os.path.realpath(target)) if force and target.is_symlink() else target
            self._part = part_of(self._place)
            self.file: BinaryIO = _open_part(self._part, target)

    @property
    def path(self) -> Path:
        """Where it is until then, for a child that writes it."""
        return self._part

    def commit(self) -> Path:
        """Make the file appear. Raises FileAccess when another file took the name meanwhile."""
        with writing(self.target):
            self._sync()
            try:
                self._give_name()
            except FileExistsError:
                self.abort()
                raise _exists(self.target) from None
            self._close()
            sync_folder(self._place.parent)
        return self.target

    def commit_as(self, names: Iterator[Path]) -> Path:
        """Make the file appear under the first of these names in its folder that is free; without end, or it fails.

        `force` does not hold here: a name that was found late replaces nothing. Raises FileAccess or DiskFull, and then
        the part is still there to be aborted.
        """
        with writing(self.target):
            self._sync()
            for name in names:
                # Its own part file takes the name that the part was made for.
                if name == self.target or not is_taken(name):
                    with contextlib.suppress(FileExistsError):
                        _link(self._part, name)
                        break
            self.target = self._place = name
            self._close()
            sync_folder(name.parent)
        return name

    def _sync(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())

    def _give_name(self) -> None:
        if self._force:
            os.replace(self._part, self._place)
        else:
            _link(self._part, self._place)

    def adopt(self, source: Path) -> bool:
        """Make a synced file of the store appear as the target without a copy; False where that cannot be."""
        if self._force or not self._like(source):
            return False
        mode = os.fstat(self.file.fileno()).st_mode & 0o777
        try:
            os.link(source, self.target)
        except FileExistsError:
            self.abort()
            raise _exists(self.target) from None
        except OSError:  # a file system without links
            return False
        self.abort()
        with writing(self.target):
            os.chmod(self.target, mode)
            sync_folder(self.target.parent)
        return True

    def _like(self, source: Path) -> bool:
        """Whether a file has the file system, owner and group of a new one here: a shared folder gives its group."""
        here = os.fstat(self.file.fileno())
        try:
            there = os.stat(source)
        except OSError:
            return False
        return (here.st_dev, here.st_uid, here.st_gid) == (there.st_dev, there.st_uid, there.st_gid)

    def abort(self) -> None:
        """Leave no part file behind. After a commit, or a second time, it does nothing."""
        if self.file.closed:  # the part's name may be another scan's by now
            return
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # a full disk fails again here, and has been told already
            self.file.close()


def is_taken(target: Path) -> bool:
    """Whether a file, or another scan that is writing one, has the name."""
    return os.path.lexists(target) or os.path.lexists(part_of(target))


def _refuse_taken(target: Path, force: bool) -> None:
    """Raise FileAccess if the name belongs to something that must stay."""
    if target.is_dir():
        raise FileAccess(f"{target} is a folder", hint="Give the name of a file in it.")
    if not os.path.lexists(target) or (force and target.is_file()):
        return
    if force:
        raise FileAccess(f"{target} is not a file that can be replaced", hint="Choose another name.")
    raise _exists(target)


def _open_part(path: Path, target: Path) -> BinaryIO:
    """Create and lock a part file; one that a dead process left makes room."""
    while True:
        try:
            number = open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            _remove_stale(path, target)
            continue
        try:
            # Between creation and lock another process may have taken it for a dead one's.
            if locks.try_lock(number) and _is_named(number, path):
                return os.fdopen(number, "w+b")
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def _remove_stale(path: Path, target: Path) -> None:
    """Remove the part file of a dead process; it is never written to, for it may be a link to a finished file."""
    try:
        number = open_file(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:  # its writer has just finished
        return
    try:
        if not locks.try_lock(number):
            raise FileAccess(f"{target} is being written by another scan", hint="Wait for it, or choose another name.")
        if _is_named(number, path):
            path.unlink()
    finally:
        os.close(number)


def _is_named(number: int, path: Path) -> bool:
    """Whether an open file still has this name."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(number))
    except FileNotFoundError:
        return False


def _link(part: Path, target: Path) -> None:
    """Give the part its name without replacing anything.

    Where the file system has no links, an empty file takes the name for the instant before the part does.
    """
    try:
        os.link(part, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _rename_exclusively(part, target)
    else:
        part.unlink()


def _rename_exclusively(part: Path, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o666))
    try:
        os.replace(part, target)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _exists(path: Path) -> FileAccess:
    return FileAccess(f"{path} exists", hint="Choose another name, or use --next-free or --force.")


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn the system's errors while `target` is written into DiskFull and FileAccess."""
    try:
        yield
    except DiskFull as error:  # an encoder noticed a short write, but does not know the disk
        raise _trouble(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), target) from error
    except OSError as error:
        raise _trouble(error, target) from error


def _trouble(error: OSError, target: Path) -> DwtsvcError:
    """A missing folder by its name, else what the storage says; the room is that of the nearest folder there is."""
    # os.path.isdir, because Path.is_dir raises where a folder above may not be searched.
    folder = next((above for above in target.parents if os.path.isdir(above)), Path("/"))
    if isinstance(error, FileNotFoundError) and folder != target.parent:
        hint = "Create it, or choose another."
        return FileAccess(f"There is no folder {target.parent}", why=os.strerror(errno.ENOENT), hint=hint)
    return storage_error(error, folder if error.errno in NO_ROOM else target)
