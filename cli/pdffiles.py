"""The files of `dwtsvc pdf`: PDFs opened with their passwords, results written whole, and what is said of both."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from dwtsvc.errors import BadArguments, Encrypted, FileAccess, WrongPassword
from dwtsvc.imaging.pdfwork import Place, Written
from dwtsvc.outputs import NamePattern, Names
from dwtsvc.parts import PartFile, is_taken, writing
from dwtsvc_cli import output

PASSWORD_VARIABLE = "DWTSVC_PDF_PASSWORD"
PASSWORD_HINT = f"Give it with --password, or in the environment as {PASSWORD_VARIABLE}."
Reader = TypeVar("Reader")
Make = Callable[[Place], Written]  # writes a file that is there and empty


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

    def deliver(self, make: Make, source: Path) -> Written:
        """Write a PDF whole, and tell what was mended or left behind, its name, and as JSON its pages."""
        if self.output == "-":
            written = _to_standard_output(make)
            tell_notes(written.notes)
            return written
        return self.write(make, self._part(source))

    def write(self, make: Make, part: PartFile, told: Container[str] = ()) -> Written:
        """The same into a file whose name is reserved; notes that were told are not told again."""
        with finishing(part):
            written = make(Place(file=str(part.path), name=str(part.target)))
            self._keep(part)
        notes = [note for note in written.notes if note not in told]
        tell_notes(notes)
        if self.json:
            output.say_json({"output": str(part.target), "pages": written.pages, "notes": notes, **written.more})
        else:
            output.say(str(part.target))
        return written

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


def given_password(password: str | None) -> str | None:
    """The password of the command, or that of the environment."""
    return password or os.environ.get(PASSWORD_VARIABLE)


def unlocked(reader: Callable[[Path, str | None], Reader], path: Path, password: str | None) -> Reader:
    """A PDF read with the password given, that of the environment, or one asked for on the terminal."""
    try:
        return reader(path, given_password(password))
    except WrongPassword:
        raise
    except Encrypted as error:
        asked = ask_password(f"Password of {path}:")
        if asked is None:
            error.hint = PASSWORD_HINT
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


def _to_standard_output(make: Make) -> Written:
    """By way of a file, for a writer of PDFs must know where it is; nothing is sent of what fails half-way."""
    import shutil

    from dwtsvc.scratch import Scratch

    with Scratch("pdf") as folder:
        path = folder / "pdf"
        with writing(path):
            path.touch()
            written = make(Place(file=str(path), name=str(path)))
        with open(path, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.flush()
    return written
