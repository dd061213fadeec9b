"""PDFs open in qpdf, by pikepdf: it leaves the streams on the disk, so that a file may be larger than the memory."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dwtsvc.errors import BadInput, DwtsvcError, Encrypted, FileAccess, WrongPassword

if TYPE_CHECKING:
    import pikepdf

_log = logging.getLogger("pikepdf")
_log.addHandler(logging.NullHandler())  # or Python itself would print the warnings
_log.propagate = False


@contextlib.contextmanager
def opened(source: str | os.PathLike[str], password: str | None = None) -> Iterator[pikepdf.Pdf]:
    """A PDF, and whatever is done with it in here: qpdf's errors become ours, as `PdfSource` tells them."""
    name = f"'{os.fspath(source)}'"
    with speaking_of(name), _open(source, name, password) as pdf:
        if not len(pdf.pages):
            raise BadInput(f"{name} has no pages")
        if "/Size" not in pdf.trailer:  # of a file that was mended; qpdf writes it only where there was one
            pdf.trailer["/Size"] = 1
        yield pdf


def notes(pdf: pikepdf.Pdf, name: str) -> list[str]:
    """What was damaged and is read all the same, as sentences. Asked once, for qpdf tells it once."""
    warned = [str(warning).rpartition(": ")[2] for warning in pdf.get_warnings()]
    return [f"{name} is damaged and was mended: {text}" for text in dict.fromkeys(warned)][:5]


@contextlib.contextmanager
def speaking_of(name: str) -> Iterator[None]:
    """Turn what pikepdf raises into our errors."""
    try:
        yield
    except (DwtsvcError, OSError):
        raise
    except MemoryError as error:
        raise BadInput(f"{name} needs more memory than there is") from error
    except Exception as error:  # a broken file gives nearly anything: TypeError where a name stands for a dictionary
        raise BadInput(f"{name} is no PDF that can be read", why=str(error) or type(error).__name__) from error


def _open(source: str | os.PathLike[str], name: str, password: str | None) -> pikepdf.Pdf:
    import pikepdf

    try:
        return _unlocked(source, password)
    except pikepdf.PasswordError as error:
        if password:
            raise WrongPassword(f"The password does not open {name}") from error
        raise Encrypted(f"{name} is encrypted", hint="Give its password.") from error
    except OSError as error:
        raise FileAccess(f"{name} cannot be read", why=error.strerror or str(error)) from error


def _unlocked(source: str | os.PathLike[str], password: str | None) -> pikepdf.Pdf:
    """A password for a PDF that opens without one does no harm."""
    import pikepdf

    # a file that is mapped would count as memory, page by page
    how: dict[str, Any] = {"suppress_warnings": True, "access_mode": pikepdf.AccessMode.stream}
    try:
        return pikepdf.open(os.fspath(source), password=password or "", **how)
    except pikepdf.PasswordError:
        if not password:
            raise
        return pikepdf.open(os.fspath(source), **how)
