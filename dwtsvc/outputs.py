"""Where pages go: names made from patterns, files that appear whole or not at all, documents and standard output.

A file is written as a hidden `.name.part` beside its target, synced, and then linked to its name, which never replaces
anything. The part file is there from the start: it reserves the name, and shows at once whether the target can be
written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from dwtsvc import locks
from dwtsvc.buffer import PageStore, storage_error, sync_folder
from dwtsvc.errors import BadArguments, FileAccess
from dwtsvc.formats import PageEncoder
from dwtsvc.model import PageInfo
from dwtsvc.suffixes import DOCUMENTS

FIELD = re.compile(r"\{(\w*)(?::0?(\d{1,2}))?\}")
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class NamePattern:
    """A file name with {n} (page number; {n:03} pads it), {date}, {time} and {device} in it."""

    FIELDS = ("n", "date", "time", "device")

    def __init__(self, text: str, *, device: str, when: datetime) -> None:
        self.text = text
        for name, _ in FIELD.findall(text):
            if name not in self.FIELDS:
                hint = f"Choose from: {', '.join('{%s}' % field for field in self.FIELDS)}; {{n:03}} pads the number."
                raise BadArguments(f"The file name has an unknown field {{{name}}}", hint=hint)
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", device).strip("-.")
        self._values = {"date": f"{when:%Y-%m-%d}", "time": f"{when:%H%M%S}", "device": slug}
        self.numbered = any(name == "n" for name, _ in FIELD.findall(text))

    def path(self, number: int) -> Path:
        """The name of page `number`; without {n} the first is plain and later ones get "-2", "-3"."""
        values: Mapping[str, str] = {**self._values, "n": str(number)}
        path = Path(FIELD.sub(lambda match: values[match[1]].zfill(int(match[2] or 0)), self.text))
        return path if self.numbered or number == 1 else path.with_stem(f"{path.stem}-{number}")


class PartFile:
    """One file on its way to `target`. Raises FileAccess at once if it cannot be written there."""

    def __init__(self, target: Path, *, force: bool = False) -> None:
        self.target = target
        self._force = force
        self._part = target.with_name(f".{target.name}.part")
        if target.exists() and not (force and target.is_file()):
            raise _exists(target)
        try:
            self.file: BinaryIO = _open_part(self._part)
        except OSError as error:
            raise storage_error(error, target) from error

    def commit(self) -> Path:
        """Make the file appear. Raises FileAccess when another file took the name meanwhile."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            if self._force:
                os.replace(self._part, self.target)
            else:
                _link(self._part, self.target)
            self._close()
            sync_folder(self.target.parent)
        except FileExistsError:
            self.abort()
            raise _exists(self.target) from None
        except OSError as error:
            raise storage_error(error, self.target) from error
        return self.target

    def adopt(self, source: Path) -> bool:
        """Make a synced file of the store appear as the target without a copy; False where that cannot be."""
        if self._force:
            return False
        try:
            os.chmod(source, os.fstat(self.file.fileno()).st_mode & 0o777)
            os.link(source, self.target)
        except FileExistsError:
            self.abort()
            raise _exists(self.target) from None
        except OSError:  # another file system, or one without links
            return False
        self.abort()
        sync_folder(self.target.parent)
        return True

    def abort(self) -> None:
        """Leave no part file behind."""
        self._part.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # a full disk fails again here, and has been told already
            self.file.close()


def _open_part(path: Path) -> BinaryIO:
    """Create and lock a part file; one that a dead process left is taken over."""
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        if not locks.try_lock(number):
            os.close(number)
            raise FileAccess(f"{path} is being written by another scan", hint="Wait for it, or choose another name.")
        # Between open and lock its writer may have finished and unlinked it.
        if path.exists() and os.path.samestat(os.stat(path), os.fstat(number)):
            os.ftruncate(number, 0)
            return os.fdopen(number, "w+b")
        os.close(number)


def _link(part: Path, target: Path) -> None:
    """Give the part its name without replacing anything, also where the file system has no links."""
    try:
        os.link(part, target)
        part.unlink()
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o666))
        os.replace(part, target)


def _exists(path: Path) -> FileAccess:
    return FileAccess(f"{path} exists", hint="Choose another name, or use --next-free or --force.")


class Output(Protocol):
    """Where the pages of a job go, one after another."""

    def add(self, page: PageInfo, store: PageStore) -> list[Path]:
        """Write a page; the files that are complete now."""

    def finish(self) -> list[Path]:
        """Write what is left; the files that are complete now."""

    def abort(self) -> None:
        """Leave nothing unfinished behind."""


class Names:
    """Reserves the files of a job: the plain name, or the next free one."""

    def __init__(self, pattern: NamePattern, *, force: bool, next_free: bool) -> None:
        self._pattern, self._force, self._next_free = pattern, force, next_free
        self._number = 0

    def reserve(self) -> PartFile:
        while True:
            self._number += 1
            try:
                return PartFile(self._pattern.path(self._number), force=self._force)
            except FileAccess:
                if not (self._next_free and self._pattern.path(self._number).exists()):
                    raise


class FileEach:
    """Every page a file of its own."""

    def __init__(self, names: Names, encoder: PageEncoder) -> None:
        self._names, self._encoder = names, encoder
        self._next: PartFile | None = names.reserve()

    def add(self, page: PageInfo, store: PageStore) -> list[Path]:
        part = self._next or self._names.reserve()
        self._next = part
        if not (self._encoder.copies(page) and part.adopt(store.path(page))):
            with store.reading(page) as data, _writing(part.target):
                self._encoder.write(page, data, part.file)
            part.commit()
        self._next = None
        return [part.target]

    def finish(self) -> list[Path]:
        self.abort()
        return []

    def abort(self) -> None:
        if self._next:
            self._next.abort()


class Document:
    """All pages in one PDF or TIFF."""

    def __init__(self, part: PartFile, encoder: PageEncoder) -> None:
        self._part = part
        self._encoder = encoder
        self._writer = encoder.document(part.file)

    def add(self, page: PageInfo, store: PageStore) -> list[Path]:
        with store.reading(page) as data, _writing(self._part.target):
            self._encoder.append(page, data, self._writer)
        return []

    def finish(self) -> list[Path]:
        with _writing(self._part.target):
            self._writer.close()
        return [self._part.commit()]

    def abort(self) -> None:
        self._part.abort()


class StandardOutput:
    """Pages to a pipe: one image, or a document. A TIFF is built in a file first, for its directory needs seeking."""

    def __init__(self, stream: BinaryIO, encoder: PageEncoder) -> None:
        import tempfile

        self._stream, self._encoder = stream, encoder
        self._file: BinaryIO = tempfile.TemporaryFile() if encoder.format == "tiff" else stream  # type: ignore[assignment]
        self._writer = encoder.document(self._file) if encoder.format in DOCUMENTS else None

    def add(self, page: PageInfo, store: PageStore) -> list[Path]:
        with store.reading(page) as data, _writing(Path("-")):
            if self._writer:
                self._encoder.append(page, data, self._writer)
            else:
                self._encoder.write(page, data, self._file)
        return []

    def finish(self) -> list[Path]:
        import shutil

        with _writing(Path("-")):
            if self._writer:
                self._writer.close()
            if self._file is not self._stream:
                self._file.seek(0)
                shutil.copyfileobj(self._file, self._stream)
            self._stream.flush()
        return []

    def abort(self) -> None:
        if self._file is not self._stream:
            self._file.close()


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if target == Path("-"):
            raise FileAccess("Standard output cannot be written", why=error.strerror or str(error)) from error
        raise storage_error(error, target) from error
