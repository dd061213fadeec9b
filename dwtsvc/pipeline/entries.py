"""Files that are worked on once: known by place, identity and content, and set aside when they are done."""

from __future__ import annotations

import hashlib
import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dwtsvc.disk import sync_folder
from dwtsvc.errors import BadInput, FileAccess
from dwtsvc.parts import PartFile, is_taken, writing

CHUNK = 1 << 20

Identity = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file as it was when it was read: `path` is absolute, `identity` tells whether it is still the same."""

    name: str
    path: Path
    identity: Identity
    sha256: str

    @classmethod
    def of(cls, name: str) -> Entry:
        """Read a file for its checksum. Raises FileAccess for what is no regular file, or is being written."""
        path = Path(os.path.abspath(name))
        try:
            with open(path, "rb", opener=_without_waiting) as file:
                before = os.fstat(file.fileno())
                if not stat.S_ISREG(before.st_mode):
                    raise FileAccess(f"'{name}' cannot be read", why="it is not a regular file")
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                if identity(os.fstat(file.fileno())) != identity(before):
                    raise changed(name)
        except OSError as error:
            raise FileAccess(f"'{name}' cannot be read", why=error.strerror or str(error)) from error
        return cls(name=name, path=path, identity=identity(before), sha256=sha256)

    @property
    def stem(self) -> str:
        return self.path.stem

    def check(self) -> None:
        """Raise FileAccess if it is no longer the file that was read."""
        try:
            now = identity(os.stat(self.path))
        except OSError as error:
            raise FileAccess(f"'{self.name}' is gone", why=error.strerror or str(error)) from error
        if now != self.identity:
            raise changed(self.name)


def identity(found: os.stat_result) -> Identity:
    """What changes when a file is written to, or another one takes its name."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def changed(name: str) -> FileAccess:
    return FileAccess(f"'{name}' changed while it was read", hint="Wait until it is complete.")


def move(entry: Entry, folder: Path) -> Path:
    """Put a file into a folder, replacing nothing; its new place. Raises FileAccess and DiskFull, and it stays then."""
    entry.check()
    with writing(folder / entry.path.name):
        folder.mkdir(parents=True, exist_ok=True)
        for place in free_names(folder / entry.path.name):
            try:
                os.link(entry.path, place)
            except FileExistsError:
                continue
            except OSError:  # another file system, or one without links
                _copy(entry, place)
            sync_folder(folder)
            entry.path.unlink()
            return place
    raise AssertionError("names never end")


def remove(entry: Entry) -> None:
    """Delete a file, if it is still the one that was read. Raises FileAccess."""
    entry.check()
    with writing(entry.path):
        entry.path.unlink()


def free_names(path: Path) -> Iterator[Path]:
    """The name, and after it the same with "-2" and so on, of which no file has one."""
    names = itertools.chain([path], (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2)))
    return (name for name in names if not is_taken(name))


def _copy(entry: Entry, place: Path) -> None:
    part = PartFile(place)
    try:
        with entry.path.open("rb") as file:
            while data := file.read(CHUNK):
                part.file.write(data)
        entry.check()
        part.commit()
    finally:
        part.abort()
    found = entry.path.stat()
    os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))


def _without_waiting(path: str, flags: int) -> int:
    """A fifo would else wait for somebody who writes into it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))


def refuse_empty(name: str, pages: int) -> None:
    """Raise BadInput for a file without pages."""
    if not pages:
        raise BadInput(f"'{name}' has no pages")
