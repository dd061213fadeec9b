"""PDFs open for editing by pypdf, with every fault of theirs told in our words.

pypdf reads damaged files as well as it can and reports what it did by the logging module. Here that becomes a list,
so that whoever gets the result can say what was mended.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import threading
from collections.abc import Iterator
from typing import BinaryIO, Self

import pypdf
from pypdf import apply_configuration
from pypdf.errors import DependencyError, FileNotDecryptedError, WrongPasswordError

from dwtsvc.errors import BadInput, DwtsvcError, Encrypted, FileAccess, MissingDependency, WrongPassword

MOST_NOTES = 5
LARGEST_STREAM = 2**31  # bytes; pypdf's own limit is below a colour page of A3 at 600 dpi
CATALOG = re.compile(rb"(\d{1,10})\s+(\d{1,5})\s+obj\s*<<[^>]{0,2000}?/Type\s*/Catalog")
INFO = re.compile(rb"/Info\s+(\d{1,10})\s+(\d{1,5})\s+R")

_log = logging.getLogger("pypdf")
_log.addHandler(logging.NullHandler())  # or Python itself would print the warnings


class PdfSource:
    """A PDF open for editing; `len` is its number of pages. Close it, or use it as a context.

    `notes` are sentences on what was damaged and read all the same. Opening raises Encrypted without a password where
    one is needed, WrongPassword with another, BadInput for what is no PDF or has no pages, and FileAccess for a file
    that cannot be read. A password for a PDF that has none does no harm.
    """

    def __init__(self, source: str | os.PathLike[str] | bytes, password: str | None = None) -> None:
        self.name = "The PDF" if isinstance(source, bytes) else f"'{os.fspath(source)}'"
        self.notes: list[str] = []
        self._file = _opened(source, self.name)
        try:
            with self.working():
                self.reader = self._read()
                self.encrypted = self.reader.is_encrypted
                self._unlock(password)
                self._count = len(self.reader.pages)
                self._compare_counts()
        except BaseException:
            self._file.close()
            raise
        if not self._count:
            self.close()
            raise BadInput(f"{self.name} has no pages")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Let go of the file; twice does no harm."""
        self._file.close()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Whatever pypdf does with this PDF: its errors become ours, its warnings become notes."""
        with _warnings() as warned, speaking_of(self.name):
            yield
        self._note(warned)

    def _read(self) -> pypdf.PdfReader:
        """pypdf mends a wrong table of contents, but not a missing end; so a broken file gets an end, and a second try.

        The end says that the table is at 0, where none is, which makes pypdf look for the objects themselves.
        """
        try:
            return pypdf.PdfReader(self._file)
        except DependencyError:
            raise
        except Exception:
            self._file.seek(0)
            data = self._file.read()
            catalogs = CATALOG.findall(data)
            if not catalogs or b"/Encrypt" in data:
                raise
        self._file.close()
        self._file = io.BytesIO(_with_end(data, *catalogs[-1]))
        why = "its end was missing or wrong, its objects were searched for"
        self.notes.append(f"{self.name} is damaged and was mended: {why}")
        return pypdf.PdfReader(self._file)

    def _unlock(self, password: str | None) -> None:
        if not self.encrypted:
            return
        if self.reader.decrypt(""):  # the most common kind: anybody may open it, what may be done is restricted
            if password:
                self.reader.decrypt(password)
        elif not password:
            raise Encrypted(f"{self.name} is encrypted", hint="Give its password.")
        elif not self.reader.decrypt(password):
            raise WrongPassword(f"The password does not open {self.name}")

    def _compare_counts(self) -> None:
        told = self.reader.root_object.get("/Pages", {}).get_object().get("/Count")
        if isinstance(told, int) and told != self._count:
            self.notes.append(f"{self.name} says it has {told} pages, {self._count} were found")

    def _note(self, warned: list[str]) -> None:
        fresh = [f"{self.name} is damaged and was mended: {text}" for text in dict.fromkeys(warned)]
        fresh = [note for note in fresh if note not in self.notes]
        if len(fresh) > MOST_NOTES:
            fresh[MOST_NOTES:] = [f"{self.name} is damaged in {len(fresh) - MOST_NOTES} more places"]
        self.notes += fresh


@contextlib.contextmanager
def speaking_of(name: str) -> Iterator[None]:
    """Turn what pypdf raises into our errors. On broken files it raises nearly anything, from KeyError to recursion."""
    try:
        with apply_configuration(maximum_declared_stream_length=LARGEST_STREAM, jbig2dec_binary=None):
            yield
    except (DwtsvcError, OSError):
        raise
    except WrongPasswordError as error:
        raise WrongPassword(f"The password does not open {name}") from error
    except FileNotDecryptedError as error:
        raise Encrypted(f"{name} is encrypted", hint="Give its password.") from error
    except DependencyError as error:
        raise MissingDependency(f"{name} cannot be read", why=str(error)) from error
    except MemoryError as error:
        raise BadInput(f"{name} needs more memory than there is") from error
    except Exception as error:
        why = str(error) or type(error).__name__
        raise BadInput(f"{name} is no PDF that can be read", why=why) from error


def _opened(source: str | os.PathLike[str] | bytes, name: str) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        file = open(source, "rb")
        file.seek(0)  # a pipe fails here and not deep inside
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise FileAccess(f"{name} cannot be read", why=why) from error
    return file


def _with_end(data: bytes, number: bytes, generation: bytes) -> bytes:
    """What there is up to the last whole object, and a trailer that names the catalog."""
    whole = data[: data.rfind(b"endobj") + len(b"endobj")]
    described = INFO.findall(data)
    info = b"/Info %b %b R " % described[-1] if described else b""
    trailer = b"<< /Root %b %b R %b/Size %d >>" % (number, generation, info, whole.count(b"endobj") + 1)
    return whole + b"\ntrailer\n" + trailer + b"\nstartxref\n0\n%%EOF\n"


class _Listener(logging.Handler):
    """Collects the warnings of one thread: several may work on PDFs at the same time."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.heard.append(record.getMessage())


@contextlib.contextmanager
def _warnings() -> Iterator[list[str]]:
    listener = _Listener()
    _log.addHandler(listener)
    try:
        yield listener.heard
    finally:
        _log.removeHandler(listener)
