"""INI files: read with the line of every key, and edited so that all other lines stay as they are, byte for byte.

The rules: UTF-8 with or without a byte order mark; `[section]` headers; `key = value` lines, also before any header
(their section is ""); whole-line comments with `;` or `#`; names without regard to case; a value ends with its line,
and quotes around it keep its blanks. A section may come twice, a key in it may not.
"""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dwtsvc.disk import make_file, part_of, sync_folder, write_error
from dwtsvc.errors import BadArguments, BadConfiguration

MAX_BYTES = 1 << 20
_BYTE_ORDER_MARK = "\ufeff"
_HEADER = re.compile(r"\[([^\]]*)\]\s*(?:[;#].*)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value in line `line` (1..); a section header is an entry with the key ""."""

    section: str
    key: str
    value: str
    line: int


class Document:
    """The text of one INI file. Edits touch the lines they must and no other."""

    def __init__(self, path: Path, text: str = "") -> None:
        self.path = path
        self._mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
        self._lines = io.StringIO(text.removeprefix(_BYTE_ORDER_MARK), newline="").readlines()

    @property
    def text(self) -> str:
        return self._mark + "".join(self._lines)

    def entries(self) -> list[Entry]:
        """Every key in the order of the file; raises BadConfiguration at the first line that breaks the rules."""
        return [entry for entry in self._scan() if entry.key]

    def sections(self) -> list[str]:
        """The names of the section headers in the order of the file, each once."""
        return list({entry.section.lower(): entry.section for entry in self._scan() if not entry.key}.values())

    def find(self, section: str, key: str) -> Entry | None:
        wanted = (section.lower(), key.lower())
        return next((e for e in self.entries() if (e.section.lower(), e.key.lower()) == wanted), None)

    def set(self, section: str, key: str, value: str) -> None:
        """Give a key a value: in its line if it has one, else below the last key of its section, else at the end."""
        _check_writable(section, key, value)
        if entry := self.find(section, key):
            self._lines[entry.line - 1] = _rewritten(self._lines[entry.line - 1], _quoted(value))
        else:
            self._insert(section, f"{key} = {_quoted(value)}")

    def unset(self, section: str, key: str) -> bool:
        """Remove the line of a key; False if it has none."""
        entry = self.find(section, key)
        if entry:
            del self._lines[entry.line - 1]
        return entry is not None

    def replace(self, section: str, values: Mapping[str, str]) -> None:
        """Make these the only keys of a section, keeping the lines of those it already has."""
        kept = {key.lower() for key in values}
        for entry in self.entries():
            if entry.section.lower() == section.lower() and entry.key.lower() not in kept:
                self.unset(section, entry.key)
        for key, value in values.items():
            self.set(section, key, value)

    def remove(self, section: str) -> bool:
        """Remove a section down to its last key and the blank lines there; False if there is none.

        A comment after the last key stays, because it more likely belongs to what follows.
        """
        blocks = self._blocks(section)
        for first, last in reversed(blocks):
            while last < len(self._lines) and not self._lines[last].strip():
                last += 1
            del self._lines[first - 1 : last]
        return bool(blocks)

    def encoded(self) -> bytes:
        """The bytes for the disk; BadConfiguration if no reader would take that many."""
        data = self.text.encode()
        if len(data) > MAX_BYTES:
            raise _too_big(self.path)
        return data

    def _scan(self) -> Iterator[Entry]:
        section, seen = "", dict[tuple[str, str], int]()
        for number, line in enumerate(self._lines, 1):
            text = line.strip()
            if not text or text[0] in ";#":
                continue
            entry = self._entry(section, text, number)
            if entry.key:
                first = seen.setdefault((section.lower(), entry.key.lower()), number)
                if first != number:
                    raise BadConfiguration(
                        f"{self.path}:{number}: {entry.key} is given twice",
                        why=f"it already stands in line {first}",
                        hint="Remove one of the two lines.",
                    )
            section = entry.section
            yield entry

    def _entry(self, section: str, text: str, number: int) -> Entry:
        if text[0] == "[":
            header = _HEADER.fullmatch(text)
            if header and header[1].strip():
                return Entry(header[1].strip(), "", "", number)
        key, equals, value = (part.strip() for part in text.partition("="))
        if text[0] == "[" or not equals or not key:
            raise BadConfiguration(
                f"{self.path}:{number}: this line is not understood",
                why=text[:80],
                hint="A line is '[section]', 'key = value', or a comment that begins with '#' or ';'.",
            )
        return Entry(section, key, _unquoted(value), number)

    def _blocks(self, section: str) -> list[tuple[int, int]]:
        """(line of the header, line of the last key below it) for each place where a section stands."""
        blocks: list[tuple[int, int]] = []
        for entry in self._scan():
            if entry.section.lower() != section.lower():
                continue
            if entry.key and blocks:
                blocks[-1] = (blocks[-1][0], entry.line)
            else:
                blocks.append((entry.line, entry.line))
        return blocks

    def _insert(self, section: str, line: str) -> None:
        blocks, ending = self._blocks(section), self._ending()
        if not section or blocks:
            self._insert_at(blocks[-1][1] if blocks else 0, [line + ending])
        else:
            gap = [ending] if self._lines and self._lines[-1].strip() else []
            self._insert_at(len(self._lines), [*gap, f"[{section}]{ending}", line + ending])

    def _insert_at(self, index: int, lines: list[str]) -> None:
        if index and not self._lines[index - 1].endswith(("\n", "\r")):
            self._lines[index - 1] += self._ending()
        self._lines[index:index] = lines

    def _ending(self) -> str:
        first = self._lines[0] if self._lines else ""
        return first[len(first.rstrip("\r\n")) :] or "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The sections whose header is a word and a name of its own: [profile letters]. Names are found in any case.

    `making` tells people how to make one.
    """

    word: str
    making: str

    def names(self, document: Document) -> list[str]:
        """In the order of the file."""
        return [name for each in document.sections() if (name := self._name(each)) is not None]

    def known(self, document: Document, name: str, also: str = "") -> str:
        """The name as the file spells it; BadArguments with those there are, and with what is `also` to be said."""
        known = self.names(document)
        for each in known:
            if each.lower() == name.strip().lower():
                return each
        there = f"{self.word.capitalize()}s are: {', '.join(known)}." if known else self.making
        raise BadArguments(f"There is no {self.word} '{name}'", hint=there + also)

    def heading(self, document: Document, name: str) -> str:
        """The section of a name as the file spells it, or as it is to be made."""
        there = (each for each in document.sections() if self.means(each, name))
        return next(there, f"{self.word} {name.strip()}")

    def means(self, section: str, name: str) -> bool:
        mine = self._name(section)
        return mine is not None and mine.lower() == name.strip().lower()

    def entries(self, document: Document, name: str) -> list[Entry]:
        return [entry for entry in document.entries() if self.means(entry.section, name)]

    def delete(self, path: Path, name: str, also: str = "") -> None:
        """Remove a section from the file at `path`; raises as `known` and `editing` do."""
        self.known(read(path), name, also)  # so that nothing is made where there is nothing
        with editing(path) as document:
            document.remove(self.heading(document, name))

    def _name(self, section: str) -> str | None:
        prefix = f"{self.word} "
        return section[len(prefix) :].strip() if section.lower().startswith(prefix) else None


def read(path: Path) -> Document:
    """The document at `path`, an empty one if there is no file.

    Raises BadConfiguration, with the line where there is one, for a file that cannot be read, is larger than
    MAX_BYTES, is no text or breaks the rules of the format.
    """
    document = Document(path, _text(path, _bytes(path)))
    document.entries()
    return document


@contextmanager
def editing(path: Path, *, mode: int = 0o600) -> Iterator[Document]:
    """Edit the document at `path` alone: others wait, and what they wrote before is what is edited.

    The file is replaced whole at the end if its text changed, and left alone if the block raises. A file that is a
    link stays one. A new file gets `mode`, an old one keeps its mode and owner. The folder must exist. Raises
    BadConfiguration as `read` does, FileAccess and DiskFull.
    """
    path = Path(os.path.realpath(path))  # not resolve(), which raises an error of its own for links in a circle
    with _locked(path):
        document = read(path)
        before = document.text
        yield document
        if document.text != before:
            _replace(path, document.encoded(), mode)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _quoted(value: str) -> str:
    return value if _unquoted(value) == value == value.strip() else f'"{value}"'


def _rewritten(line: str, value: str) -> str:
    """The line with another value; the key, its indent, the style of the '=' and the line's end stay."""
    body = line.rstrip("\r\n")
    key, _, old = body.partition("=")
    blank = " " if key != key.rstrip() or old != old.lstrip() else ""
    return f"{key}={blank}{value}{line[len(body) :]}"


def _check_writable(section: str, key: str, value: str) -> None:
    """Refuse what could not be read back as it was written."""
    named = (
        key and key == key.strip() and "=" not in key and key[0] not in "[;#" and not key.startswith(_BYTE_ORDER_MARK)
    )
    if not named or section != section.strip() or "]" in section:
        raise BadArguments(
            f"'{section or key}' cannot be a name in a configuration file", hint="Use letters and digits."
        )
    text = section + key + value
    if "\n" in text or "\r" in text or _CONTROL.search(text) or not _encodable(text):
        raise BadArguments(
            f"The value of {key} cannot be written to a configuration file",
            why="it holds a line break, a control character or bytes that are not UTF-8",
        )


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bytes(path: Path) -> bytes:
    """All bytes of a regular file. Opened without blocking, so that a pipe in its place is told and not waited for."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadConfiguration(f"{path} cannot be read", why="it is not a regular file")
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise BadConfiguration(f"{path} cannot be read", why=error.strerror or str(error)) from error
    if len(data) > MAX_BYTES:
        raise _too_big(path)
    return data


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _too_big(path: Path) -> BadConfiguration:
    return BadConfiguration(f"{path} is too big for a configuration file", why=f"more than {MAX_BYTES} bytes")


def _text(path: Path, data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadConfiguration(
            f"{path}:{line}: this is not UTF-8 text",
            why=f"byte {error.start + 1} is 0x{data[error.start]:02x}",
            hint="Save the file as UTF-8.",
        ) from error
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        raise BadConfiguration(f"{path}:{line}: this is not text", why=f"control character {control[0]!r}")
    return text


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file: a file beside it, since the file itself is replaced at each change.

    The lock file is never removed: whoever waits on a removed one would hold a lock that nobody else sees.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise write_error(error, path) from error
    try:
        _wait_for(descriptor)
        yield
    finally:
        os.close(descriptor)  # gives the lock back, as the death of the process would


def _wait_for(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _replace(path: Path, data: bytes, mode: int) -> None:
    """Put `data` in the place of `path` at once, through a hidden file beside it (the lock makes its name ours)."""
    part = part_of(path)
    try:
        part.unlink(missing_ok=True)  # of a process that died here
        make_file(part, data, lambda file: _take_rights(file, path, mode))
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(error, path) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _take_rights(descriptor: int, path: Path, mode: int) -> None:
    if sys.platform == "win32":
        return
    old = path.stat() if path.exists() else None
    if old and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) if old else mode)
