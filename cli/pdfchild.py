"""The child with limits that reads and writes for a command of `dwtsvc pdf`, and the passwords that it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dwtsvc.errors import Encrypted, WrongPassword
from dwtsvc.imaging import pdfwork
from dwtsvc.imaging.pdfwork import Locked, Place, Written
from dwtsvc.limits import FILE_SIZE, MEMORY, OPEN_FILES, TIMEOUT, Child
from dwtsvc_cli.pdffiles import Target, given_password, unlocked

T = TypeVar("T")
SPEED = 1_000_000  # bytes a second that every disk and edit reaches


class PdfChild:
    """Does one call after another on PDFs. A context: the child ends with it.

    The limits are those of every child, and grow with the files: 4 bytes of memory and of result for each of theirs,
    and a second for each million of `patience` times theirs.
    """

    def __init__(self, paths: Sequence[Path], *, patience: int = 1) -> None:
        size = sum(path.stat().st_size for path in paths if path.is_file())
        self._name = f"'{paths[0]}'" if len(paths) == 1 else "One of the PDFs"
        self._timeout = TIMEOUT + patience * size / SPEED
        limits = {"file_size": FILE_SIZE + 4 * size, "open_files": OPEN_FILES + 2 * len(paths)}
        self._child = Child(MEMORY + 4 * size, **limits)

    def __enter__(self) -> PdfChild:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """`function(*arguments)` there. Raises as `limits.run_limited`."""
        [result] = self._child.call(function, arguments, many=False, timeout=self._timeout, name=self._name)
        return result  # type: ignore[no-any-return]

    def read(self, function: Callable[..., T], path: Path, password: str | None, *arguments: Any) -> tuple[T, Locked]:
        """`function((path, password), *arguments)` there, and the password that opened it."""

        def tried(path: Path, secret: str | None) -> tuple[T, Locked]:
            source = (str(path), secret)
            return self.call(function, source, *arguments), source

        return unlocked(tried, path, password)

    def edit(self, verb: str, paths: Sequence[Path], password: str | None, how: Sequence[Any], place: Place) -> Written:
        """`pdfwork.edit`. Where a password is missing, each file is tried, and asked for if it needs one."""
        secret = given_password(password)
        try:
            return self.call(pdfwork.edit, verb, [(str(path), secret) for path in paths], how, place)
        except WrongPassword:
            raise
        except Encrypted:
            sources = [self.read(pdfwork.check, path, password)[1] for path in paths]
        return self.call(pdfwork.edit, verb, sources, how, place)


def edit(verb: str, pdfs: Sequence[Path], password: str | None, target: Target, *how: Any) -> None:
    """A verb of `pdfwork.edit` with the words of its command; the result goes where the target says."""
    with PdfChild(pdfs) as child:
        target.deliver(lambda place: child.edit(verb, pdfs, password, how, place), pdfs[0])
