"""A file on its way: what is known of it, how it is read while it is sent, and the receipt."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dwtsvc.errors import FileAccess
from dwtsvc.targets.patience import Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a document besides its bytes; empty where nothing is.

    `created` is a day (YYYY-MM-DD) or a moment in ISO 8601. `tags` and `correspondent` are names, or a system's ids.
    """

    title: str = ""
    created: str = ""
    tags: tuple[str, ...] = ()
    correspondent: str = ""
    asn: int | None = None
    barcode: str = ""
    pages: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof of a delivery.

    `location` is where the file lies now, `id` what the other side calls it ("" if it gave no name), `bytes` its size,
    `when` the moment of the other side's answer (ISO 8601, UTC), `attempts` counts from 1. `verified` says what was
    compared after sending: "sha256", "md5", "size", or "answer" if the other side only said yes. `already_there` is
    a file of this name and content that was found, and left as it is.
    """

    target: str
    location: str
    id: str
    bytes: int
    sha256: str
    when: str
    attempts: int
    verified: str
    already_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a carrier says when a parcel has arrived; the words are the receipt's."""

    location: str
    verified: str
    id: str = ""
    already_there: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A file to deliver. `id` is the same in every attempt at one delivery, and no other has it."""

    path: Path
    name: str
    size: int
    sha256: str
    id: str
    facts: Facts

    @classmethod
    def of(cls, path: Path, facts: Facts, id: str, name: str = "") -> Parcel:
        """Read the file once for its checksum. Raises FileAccess for what is no file that can be read."""
        try:
            with open(path, "rb", opener=_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise FileAccess(f"{path} cannot be sent", why="it is not a regular file")
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except OSError as error:
            raise unreadable(path, error) from error
        return cls(path=path, name=name or path.name, size=size, sha256=sha256, id=id, facts=facts)

    @property
    def part_name(self) -> str:
        """The name under which it travels: hidden, and found again by the next attempt at the same delivery."""
        return f".{self.name}.{self.id[:12]}.part"

    @property
    def media_type(self) -> str:
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    def md5(self) -> str:
        """For the ETag and Content-MD5 of S3; proves no more than that nothing was lost on the way."""
        try:
            with open(self.path, "rb") as file:
                return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        except OSError as error:
            raise unreadable(self.path, error) from error

    @contextmanager
    def opened(self, deadline: Deadline) -> Iterator[Watched]:
        """The file to read from. Raises FileAccess."""
        try:
            file = open(self.path, "rb")
        except OSError as error:
            raise unreadable(self.path, error) from error
        with file:
            yield Watched(file, self, deadline)


class Watched:
    """The file of a parcel while it is sent.

    Raises FileAccess instead of handing out the last piece if the file is no longer the one whose checksum was taken:
    so that no other side ever gets a whole one that is wrong. Raises Overdue when the time is over.
    """

    def __init__(self, file: BinaryIO, parcel: Parcel, deadline: Deadline) -> None:
        self._file, self._parcel, self._deadline = file, parcel, deadline
        self._digest = hashlib.sha256()
        self._hashed = 0

    def read(self, size: int = -1) -> bytes:
        self._deadline.check()
        at = self._file.tell()
        try:
            data = self._file.read(size)
        except OSError as error:
            raise unreadable(self._parcel.path, error) from error
        if at == self._hashed:
            self._digest.update(data)
            self._hashed += len(data)
            self._check(ended=size != 0 and not data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        position = self._file.seek(offset, whence)
        if position == 0:
            self._digest, self._hashed = hashlib.sha256(), 0
        return position

    def tell(self) -> int:
        return self._file.tell()

    def __len__(self) -> int:
        return self._parcel.size

    def _check(self, ended: bool) -> None:
        wrong = self._hashed > self._parcel.size or (ended and self._hashed < self._parcel.size)
        if wrong or (self._hashed == self._parcel.size and self._digest.hexdigest() != self._parcel.sha256):
            raise FileAccess(
                f"{self._parcel.path} was not sent",
                why="it changed while it was being sent",
                hint="Send it again when it is finished.",
            )


def unreadable(path: Path, error: OSError) -> FileAccess:
    return FileAccess(f"{path} cannot be read", why=error.strerror or str(error))


def numbered(name: str, number: int) -> str:
    """The name for the first, the name with "-2" before its suffix for the second, and so on."""
    path = Path(name)
    return name if number == 1 else f"{path.stem}-{number}{path.suffix}"


def _without_waiting(path: str, flags: int) -> int:
    """So that a pipe in the place of a file is told and not waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
