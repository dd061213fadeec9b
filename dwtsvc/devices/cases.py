"""Cases: what a driver did, call by call and frame by frame, in one file that can be played anywhere.

A case is a line of JSON, its head, and then records. A record is a line of JSON too; one of rows says in `size` how
many bytes follow the line. So a case is appended to as things happen, and one that was cut off, by a crash or a full
disk, is whole up to there: an archive such as ZIP has its table at the end and would be lost. docs/recording.md is
the description of the format.

What is read here may have been made by anybody: every line, number and count has a limit.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from dwtsvc.disk import private, telling
from dwtsvc.errors import BadInput, FileAccess, NoScanner
from dwtsvc.records import pack
from dwtsvc.version import __version__

FORMAT = 1
SUFFIX = ".dwt"
MAX_LINE = 1 << 20  # bytes
MAX_ROWS = 1 << 20  # bytes of one record of rows, before they were made smaller
MAX_BYTES = 2 << 30  # of a case that is written; what comes later is left out
MAX_RECORDS = 5_000_000
MAX_TEXT = 2_000  # characters
PLAIN, DEFLATED, MASKED = "plain", "deflate", "masked"

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordTo:
    """The wish for a recording: into which case, made by `create`, and whether without what is on the paper."""

    path: Path
    masked: bool = False


def create(path: Path, *, force: bool = False) -> None:
    """Make an empty case that only its user can read. Raises FileAccess, also if there is one and not `force`."""
    with telling(path):
        if path.exists() and not force:
            raise FileAccess(f"{path} exists", hint="Take another name, or add --force.")
        with open(path, "wb" if force else "xb", opener=private):
            pass


class CaseWriter:
    """Appends to a case that was made, each record whole before the call returns. Raises DiskFull, FileAccess."""

    def __init__(self, path: Path, driver: str, *, masked: bool = False) -> None:
        self._path, self._masked = path, masked
        self._full = False
        with telling(path):
            self._file = open(path, "ab", buffering=0, opener=private)
            begun = os.fstat(self._file.fileno()).st_size > 0
        if not begun:
            self._append(json.dumps(_head(driver, masked)).encode() + b"\n")

    def close(self) -> None:
        self._file.close()

    def note(self, say: str, **values: Any) -> None:
        """Append a record; records of the model are packed by their fields."""
        self._append(_line({"say": say, **values}))

    def rows(self, data: memoryview | bytes, after: float) -> None:
        """Append the bytes of a strip, in pieces that can be read within the limits."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), MAX_ROWS):
            piece = view[start : start + MAX_ROWS]
            told = {"say": "rows", "after": round(after, 6), "bytes": len(piece)}
            kind, body = (MASKED, b"") if self._masked else _smaller(piece)
            self._append(_line({**told, "as": kind, "size": len(body)}) + body)
            after = 0.0

    def _append(self, data: bytes) -> None:
        with telling(self._path):
            if self._full:
                return
            if os.fstat(self._file.fileno()).st_size + len(data) > MAX_BYTES:
                self._full, data = True, _line({"say": "full"})
            while data:
                data = data[self._file.write(data) :]


def _head(driver: str, masked: bool) -> Record:
    import platform  # here: every scan loads this module, and few are recorded

    return {
        "dwtsvc-case": FORMAT,
        "dwtsvc": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "driver": driver,
        "masked": masked,
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _line(record: Record) -> bytes:
    return json.dumps(record, default=pack, separators=(",", ":")).encode() + b"\n"


def _smaller(data: memoryview) -> tuple[str, bytes]:
    deflated = zlib.compress(data, 1)
    return (DEFLATED, deflated) if len(deflated) < len(data) else (PLAIN, bytes(data))


def append_end(path: Path, **values: Any) -> None:
    """Note how a worker was lost that can note nothing more; half a record that it left is cut off first."""
    with telling(path), open(path, "r+b") as file:
        end = 0
        with contextlib.suppress(BadInput):  # what it wrote last is no record: the case ends before it
            for _, _, place in _walk(file):
                end = place
        file.truncate(end)
        file.seek(end)
        file.write(_line({"say": "lost", **values}))


class Case:
    """A case that is read. Raises NoScanner if there is no such file, BadInput if it is no case."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open(path)
        try:
            self.head = self._read_head()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Case:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def records(self, start: int = 0) -> Iterator[tuple[Record, int, int]]:
        """Each record from a place on, where its body begins, and where it ends; a piece of one at the end is none."""
        yield from _walk(self._file, start)

    def body(self, record: Record, place: int) -> bytes:
        """The bytes of a record of rows that are kept in it. Raises BadInput if they are not what it says."""
        self._file.seek(place)
        data = self._file.read(record["size"])
        if record["as"] == PLAIN:
            return data
        try:
            unpacker = zlib.decompressobj()
            found = unpacker.decompress(data, record["bytes"] + 1)
        except zlib.error as error:
            raise self._damaged(str(error)) from error
        if len(found) != record["bytes"] or not unpacker.eof:
            raise self._damaged(f"rows of {record['bytes']} bytes are not as long as that")
        return found

    def _read_head(self) -> Record:
        self._file.seek(0)
        head: Record = {}
        with contextlib.suppress(BadInput):  # a file that begins in no way of ours was never a recording
            head, _, _ = next(_walk(self._file), (head, 0, 0))
        if "dwtsvc-case" not in head:
            raise BadInput(f"{self.path.name} is no recording of a scan", why="it does not begin as one")
        if head["dwtsvc-case"] != FORMAT:
            hint = "Take the version of dwtsvc that made it, or a later one."
            raise BadInput(f"{self.path.name} is a recording of another format", why=_shown(head), hint=hint)
        return head

    def _damaged(self, why: str) -> BadInput:
        return BadInput(f"The recording {self.path.name} is damaged", why=why)


def _shown(head: Record) -> str:
    return f"format {str(head['dwtsvc-case'])[:20]}, made by dwtsvc {str(head.get('dwtsvc'))[:20]}"


def _open(path: Path) -> BinaryIO:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would have us wait for ever
            raise NoScanner(f"{path} is no recording of a scan", why="it is no file")
        return open(path, "rb")
    except FileNotFoundError:
        hint = "`dwtsvc scan --record FILE` makes one."
        raise NoScanner(f"There is no recording {path}", hint=hint) from None
    except (OSError, ValueError) as error:
        raise FileAccess(f"The recording {path} cannot be read", why=str(error)) from error


def _walk(file: BinaryIO, start: int = 0) -> Iterator[tuple[Record, int, int]]:
    size = os.fstat(file.fileno()).st_size
    place = start
    for _ in range(MAX_RECORDS):
        file.seek(place)
        line = file.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE:
            raise BadInput("The recording is damaged", why=f"a line of over {MAX_LINE} bytes")
        if not line.endswith(b"\n"):
            return
        record = _record(line)
        body = place + len(line)
        place = body + record.get("size", 0)
        if place > size:
            return
        yield record, body, place
    raise BadInput("The recording is too long", why=f"over {MAX_RECORDS} records")


def _record(line: bytes) -> Record:
    """A record that may be worked with: an object with finite numbers, short printable texts and small rows."""
    try:
        record = json.loads(line, parse_float=_finite, parse_constant=_finite)
        record = _clean(record)
    except (ValueError, RecursionError) as error:
        raise BadInput("The recording is damaged", why=f"no record: {line[:40]!a}") from error
    if not isinstance(record, dict) or not isinstance(record.get("say", ""), str):
        raise BadInput("The recording is damaged", why=f"no record: {line[:40]!a}")
    if record.get("say") != "rows":
        record.pop("size", None)
    elif not _are_rows(record):
        raise BadInput("The recording is damaged", why=f"no rows: {line[:80]!a}")
    return record


def _are_rows(record: Record) -> bool:
    count, size, kind = record.get("bytes"), record.get("size"), record.get("as")
    if type(count) is not int or type(size) is not int or not 0 < count <= MAX_ROWS or not 0 <= size <= count:
        return False
    return {PLAIN: size == count, DEFLATED: size > 0, MASKED: size == 0}.get(str(kind), False)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def _clean(value: Any) -> Any:
    """A value whose texts a terminal can be shown."""
    if isinstance(value, str):
        return "".join(letter if letter.isprintable() else " " for letter in value[:MAX_TEXT])
    if isinstance(value, list):
        return [_clean(each) for each in value]
    return {_clean(key): _clean(each) for key, each in value.items()} if isinstance(value, dict) else value
