"""The files of `dwtsvc pdf`: PDFs opened with their passwords, results written whole, and what is said of both."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar

from dwtsvc.errors import BadArguments, Encrypted, FileAccess, WrongPassword
from dwtsvc.outputs import NamePattern, Names
from dwtsvc.parts import PartFile, is_taken, writing
from dwtsvc_cli import output

if TYPE_CHECKING:
    from dwtsvc.imaging.pdflarge import LargeSource
    from dwtsvc.imaging.pdfsource import PdfSource

PASSWORD_VARIABLE = "DWTSVC_PDF_PASSWORD"
Reader = TypeVar("Reader")


class Result(Protocol):
    """A PDF to be written: an edit's, or a smaller one. `len` is its number of pages."""

    notes: list[str]

    def __len__(self) -> int: ...
    def write(self, file: BinaryIO, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a result goes: a pattern, "-" for standard output, or None for the input itself, which needs force.

    With a `change`, the words of the command, a file that is replaced is kept for `dwtsvc pdf undo`.
    """

    output: str | None
    force: bool
    next_free: bool
    json: bool
    change: str = ""

    def __post_init__(self) -> None:
        if self.force and self.next_free:
            raise BadArguments("--force and --next-free exclude each other")
        if self.json and self.output == "-":
            raise BadArguments("--json and -o - exclude each other", hint="Both would be written to standard output.")
        if self.output is None and not self.force:
            hint = "Give -o FILE; or --force alone, which replaces the PDF itself."
            raise BadArguments("Where to write the result is not said", hint=hint)

    def deliver(self, edited: Result, source: Path, more: Callable[[], dict[str, Any]] = dict) -> None:
        """Write an edited PDF whole, and tell what was mended or left behind, its name, and as JSON its pages.

        `more` is asked, when it is written, for what JSON says besides.
        """
        if self.output == "-":
            _to_standard_output(edited.write)
            tell_notes(edited.notes)
        else:
            self.write(edited, self._part(source), more)

    def write(self, edited: Result, part: PartFile, more: Callable[[], dict[str, Any]] = dict) -> None:
        """The same into a file whose name is reserved."""
        with finishing(part):
            edited.write(part.file)
            self._keep(part)
        tell_notes(edited.notes)
        if self.json:
            told = {"output": str(part.target), "pages": len(edited), "notes": edited.notes}
            output.say_json({**told, **more()})
        else:
            output.say(str(part.target))

    def _keep(self, part: PartFile) -> None:
        """Keep what the part file, written but not yet in its place, will replace."""
        if not (self.force and part.target.is_file()):
            return
        from dwtsvc.imaging import pdfundo
        from dwtsvc.receipt import digest

        if self.change:
            part.file.seek(0)
            pdfundo.keep(part.target, digest(part.file)[1], self.change)
            output.tell(f"dwtsvc: what {part.target} was is kept: dwtsvc pdf undo {part.target}")
        elif pdfundo.folder(part.target).is_dir():
            held = pdfundo.folder(part.target)
            output.tell(f"dwtsvc: what {part.target} was earlier is kept in {held}")

    def refuse_taken(self, paths: list[Path]) -> None:
        """Raise FileAccess before the first of several files is written, if one of them exists and must stay."""
        taken = next((path for path in paths if is_taken(path)), None)
        if taken and not (self.force or self.next_free):
            raise FileAccess(f"{taken} exists", hint="Choose another name, or use --force.")

    def _part(self, source: Path) -> PartFile:
        return PartFile(source, force=True) if self.output is None else self.names(self.output).reserve()

    def names(self, text: str) -> Names:
        return Names(pattern_of(text), force=self.force, next_free=self.next_free)


@contextlib.contextmanager
def finishing(part: PartFile) -> Iterator[None]:
    """Make a file appear when all went well; else nothing of it stays."""
    try:
        with writing(part.target):
            yield
        part.commit()
    finally:
        part.abort()


def pattern_of(text: str) -> NamePattern:
    return NamePattern(text, device="", when=datetime.now())


def opened(path: Path, password: str | None) -> PdfSource:
    """A PDF for reading; see `unlocked`."""
    from dwtsvc.imaging.pdfsource import PdfSource

    return unlocked(PdfSource, path, password)


def editable(path: Path, password: str | None, *, large: bool | None = None) -> PdfSource | LargeSource:
    """A PDF for editing: on the disk where it is `large`, else in memory. Without a word its size decides."""
    from dwtsvc.imaging.pdflarge import LargeSource

    return unlocked(LargeSource, path, password) if is_large([path]) or large else opened(path, password)


def is_large(paths: Iterable[Path]) -> bool:
    """Whether files are too much to be held in memory together. One that is not there is told of by opening it."""
    from dwtsvc.imaging.pdflarge import LARGE

    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return sum(sizes) > LARGE


def unlocked(reader: Callable[[Path, str | None], Reader], path: Path, password: str | None) -> Reader:
    """A PDF read with the password given, that of the environment, or one asked for on the terminal."""
    try:
        return reader(path, password or os.environ.get(PASSWORD_VARIABLE))
    except WrongPassword:
        raise
    except Encrypted as error:
        asked = ask_password(f"Password of {path}:")
        if asked is None:
            error.hint = f"Give it with --password, or in the environment as {PASSWORD_VARIABLE}."
            raise
    return reader(path, asked)


def ask_password(question: str) -> str | None:
    """A password from the terminal, not shown; None where there is none."""
    if not (sys.stdin and sys.stdin.isatty()):
        return None
    import getpass

    try:
        return getpass.getpass(question + " ", stream=sys.stderr) or None
    except EOFError:
        return None


def new_password(given: str | None) -> str | None:
    """The password to encrypt with; typed twice, for nobody sees what is typed."""
    known = given if given is not None else os.environ.get(PASSWORD_VARIABLE)
    if known is not None:
        return known
    asked = ask_password("New password:")
    if asked is not None and asked != ask_password("The same again:"):
        raise BadArguments("The two passwords differ")
    return asked


def tell_notes(notes: list[str]) -> None:
    for note in notes:
        output.tell(f"dwtsvc: {note}")


def _to_standard_output(write: Callable[[BinaryIO], None]) -> None:
    """By way of a file, for a writer of PDFs must know where it is; nothing is sent of what fails half-way."""
    import shutil
    import tempfile

    with tempfile.TemporaryFile() as file:
        with writing(Path(tempfile.gettempdir(), "pdf")):
            write(file)
            file.seek(0)
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.flush()
