"""Where pages go: names made from patterns, a file for each page, documents and standard output."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from dwtsvc.disk import NO_ROOM
from dwtsvc.errors import DiskFull, FileAccess
from dwtsvc.formats import PageEncoder
from dwtsvc.model import PageInfo
from dwtsvc.naming import NamePattern as NamePattern
from dwtsvc.parts import PartFile, is_taken, writing
from dwtsvc.store import PageStore
from dwtsvc.suffixes import DOCUMENTS

if TYPE_CHECKING:
    from dwtsvc.imaging.pdf import PdfWriter
    from dwtsvc.imaging.tiff import TiffWriter
    from dwtsvc.text import Text

    BeforeClose = Callable[[PdfWriter | TiffWriter], object]


class Output(Protocol):
    """Where the pages of a job go, one after another."""

    def add(self, page: PageInfo, store: PageStore, text: Text | None = None) -> list[Path]:
        """Write a page, with its text where the format has a place for it; the files that are complete now."""

    def finish(self) -> list[Path]:
        """Write what is left; the files that are complete now."""

    def abort(self) -> None:
        """Leave nothing unfinished behind."""


class Names:
    """Reserves the files of a job: the plain name, or the next that is free and not being written.

    With `receipt` there must be room for one beside the first file, too.
    """

    def __init__(self, pattern: NamePattern, *, force: bool, next_free: bool, receipt: bool = False) -> None:
        self._pattern, self._force, self._next_free, self._receipt = pattern, force, next_free, receipt
        self._number = 0

    def reserve(self) -> PartFile:
        while True:
            self._number += 1
            target = self._pattern.path(self._number)
            try:
                return self._reserved(target)
            except FileAccess:
                if not (self._next_free and (is_taken(target) or (self._receipt and has_receipt(target)))):
                    raise

    def _reserved(self, target: Path) -> PartFile:
        part = PartFile(target, force=self._force)
        if self._receipt:
            try:
                _try_receipt(target, self._force)
            except BaseException:
                part.abort()
                raise
        self._receipt = False
        return part


def has_receipt(target: Path) -> bool:
    """Whether the name of a file's receipt is taken."""
    from dwtsvc.receipt import beside  # here, because most scans need none

    return is_taken(beside(target))


def _try_receipt(target: Path, force: bool) -> None:
    """Raise FileAccess if there can be no receipt beside a file."""
    from dwtsvc.receipt import beside

    PartFile(beside(target), force=force).abort()


class FileEach:
    """Every page a file of its own."""

    def __init__(self, names: Names, encoder: PageEncoder) -> None:
        self._names, self._encoder = names, encoder
        self._next: PartFile | None = names.reserve()

    def add(self, page: PageInfo, store: PageStore, text: Text | None = None) -> list[Path]:
        part = self._next or self._names.reserve()
        self._next = part
        write_whole(part, page, store, self._encoder, text)
        self._next = None
        return [part.target]

    def finish(self) -> list[Path]:
        self.abort()
        return []

    def abort(self) -> None:
        if self._next:
            self._next.abort()


def write_whole(
    part: PartFile, page: PageInfo, store: PageStore, encoder: PageEncoder, text: Text | None = None
) -> None:
    """A page as a file of its own, without a copy where that can be."""
    # Also a page that is adopted is read once: its checksum must fit before the store lets it go.
    with store.reading(page) as data, writing(part.target):
        if not (encoder.copies(page) and part.adopt(store.path(page))):
            encoder.write(page, data, part.file, text=text)
            part.commit()


class Document:
    """All pages in one PDF or TIFF. `before_close` is called when it has them."""

    before_close: BeforeClose | None = None

    def __init__(self, part: PartFile, encoder: PageEncoder) -> None:
        self._part = part
        self._encoder = encoder
        try:
            with writing(part.target):
                self._writer = encoder.document(part.file)
        except BaseException:
            part.abort()
            raise

    def add(self, page: PageInfo, store: PageStore, text: Text | None = None) -> list[Path]:
        with store.reading(page) as data, writing(self._part.target):
            self._encoder.append(page, data, self._writer, text=text)
        return []

    def finish(self) -> list[Path]:
        self._close()
        return [self._part.commit()]

    def finish_as(self, names: Iterator[Path]) -> Path:
        """Like `finish`, under the first of the names that is free."""
        self._close()
        return self._part.commit_as(names)

    def _close(self) -> None:
        with writing(self._part.target):
            if self.before_close:
                self.before_close(self._writer)
            self._writer.close()

    def abort(self) -> None:
        self._part.abort()


class StandardOutput:
    """Pages to a pipe: one image, or a document. A TIFF is built in a file first, for its directory needs seeking."""

    before_close: BeforeClose | None = None

    def __init__(self, stream: BinaryIO, encoder: PageEncoder) -> None:
        self._stream, self._encoder = stream, encoder
        self._scratch = _scratch() if encoder.format == "tiff" else None
        self._file = self._scratch or stream
        with self._writing():
            self._writer = encoder.document(self._file) if encoder.format in DOCUMENTS else None

    def add(self, page: PageInfo, store: PageStore, text: Text | None = None) -> list[Path]:
        with store.reading(page) as data, self._writing():
            if self._writer:
                self._encoder.append(page, data, self._writer, text=text)
            else:
                self._encoder.write(page, data, self._file, text=text)
        return []

    def finish(self) -> list[Path]:
        import shutil

        with self._writing():
            if self._writer:
                if self.before_close:
                    self.before_close(self._writer)
                self._writer.close()
        with _piping():
            if self._scratch:
                self._scratch.seek(0)
                shutil.copyfileobj(self._scratch, self._stream)
            self._stream.flush()
        self.abort()
        return []

    def abort(self) -> None:
        if self._scratch:
            with contextlib.suppress(OSError):  # a full disk, told already
                self._scratch.close()

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        return writing(_scratch_name()) if self._scratch else _piping()


def _scratch() -> BinaryIO:
    import tempfile

    with writing(_scratch_name()):
        return tempfile.TemporaryFile()


def _scratch_name() -> Path:
    import tempfile

    return Path(tempfile.gettempdir(), "scan")


@contextlib.contextmanager
def _piping() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = DiskFull if error.errno in NO_ROOM else FileAccess
        raise kind("Standard output cannot be written", why=error.strerror or str(error)) from error
