"""The files that an edit replaced, kept beside them until they are wanted back.

`scan.pdf.undo/` holds what was replaced, one file for each change, with a record of what was changed and the checksums
before and after. Not inside the PDF, as an appended update would: who deletes a page and sends the file must not send
the page. Where the file system has links, keeping costs no time: the old file gets a second name.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dwtsvc.disk import make_file, storage_error, sync_folder
from dwtsvc.errors import BadInput, NothingFound, WrongState
from dwtsvc.receipt import digest
from dwtsvc.records import BadRecord, pack, unpack

SUFFIX = ".undo"
MOST = 9_999  # changes that are kept
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change that can be undone: `command` as it was given, an ISO time, and SHA-256 before and after."""

    number: int
    command: str
    when: str
    before: str
    after: str


def folder(path: Path) -> Path:
    """Where the originals of a file are kept. Behind a symbolic link it is the file that has them."""
    real = Path(os.path.realpath(path))
    return real.with_name(real.name + SUFFIX)


def keep(path: Path, after: str, command: str) -> Change:
    """Keep `path`, which a file of this SHA-256 is about to replace. FileAccess and DiskFull are the disk's."""
    held = folder(path)
    with _disk(held):
        held.mkdir(exist_ok=True)
        number = max(_used(held), default=0) + 1
        if number > MOST:
            raise WrongState(f"{held} is full", hint="Let go of the originals: dwtsvc pdf undo --forget.")
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        change = Change(number=number, command=command, when=when, before=_sum(path), after=after)
        _second_name(Path(os.path.realpath(path)), _original(held, number))
        # the record comes last: an original without one was never replaced
        make_file(_record(held, number), json.dumps(pack(change), indent=1).encode() + b"\n")
        sync_folder(held)
        sync_folder(held.parent)
    return change


def changes(path: Path) -> list[Change]:
    """What can be undone, the latest first. BadInput for a record that cannot be read."""
    held = folder(path)
    with _disk(held):
        numbers = _numbers(held) if held.is_dir() else []
        return [_read(held, number) for number in sorted(numbers, reverse=True)]


def undo(path: Path) -> Change:
    """Put back what the latest change replaced, byte for byte.

    NothingFound where nothing is kept; WrongState if the file was changed by somebody else since, or the kept one was.
    """
    held = folder(path)
    with _disk(held):
        now = _sum(path) if path.exists() else ""
        for change in changes(path):
            if now == change.before and now != change.after:  # its edit broke off before it replaced the file
                _forget(held, change.number)
                continue
            _put_back(path, held, change, now)
            return change
    raise NothingFound(f"There is nothing to undo for '{path}'", hint=f"What edits replace is kept in {held}.")


def forget(path: Path) -> int:
    """Let go of all that is kept for a file, and tell how many originals that were."""
    held = folder(path)
    with _disk(held):
        used = _used(held) if held.is_dir() else set()
        kept = len([number for number in used if _original(held, number).exists()])
        for number in used:
            _forget(held, number)
    return kept


def _put_back(path: Path, held: Path, change: Change, now: str) -> None:
    original = _original(held, change.number)
    if now and now != change.after:
        hint = f"What it was before '{change.command}' is {original}: copy it, if that is what you want."
        raise WrongState(f"'{path}' was changed since, and not by dwtsvc", hint=hint)
    if _sum(original) != change.before:
        raise WrongState(f"{original} is not the file that was kept", why="its SHA-256 is another")
    real = Path(os.path.realpath(path))
    os.replace(original, real)
    sync_folder(real.parent)
    _forget(held, change.number)


def _forget(held: Path, number: int) -> None:
    """The original first: a record without one is no change."""
    _original(held, number).unlink(missing_ok=True)
    _record(held, number).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others are kept still
        held.rmdir()


def _used(held: Path) -> set[int]:
    names = [entry.name for entry in os.scandir(held)]
    return {int(name[:4]) for name in names if name[:4].isdigit() and name[4:] in (".pdf", ".json")}


def _numbers(held: Path) -> list[int]:
    """Of the changes that are whole. Half of one is an edit or an undo that is at work, or that broke off."""
    return [n for n in _used(held) if _original(held, n).exists() and _record(held, n).exists()]


def _original(held: Path, number: int) -> Path:
    return held / f"{number:04}.pdf"


def _record(held: Path, number: int) -> Path:
    return held / f"{number:04}.json"


def _read(held: Path, number: int) -> Change:
    try:
        return unpack(Change, json.loads(_record(held, number).read_bytes()))
    except (ValueError, BadRecord) as error:
        raise BadInput(f"{_record(held, number)} cannot be read", why=str(error)) from error


def _second_name(path: Path, kept: Path) -> None:
    try:
        os.link(path, kept)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copy2(path, kept)
        with open(kept, "rb+") as file:
            os.fsync(file.fileno())


def _sum(path: Path) -> str:
    with open(path, "rb") as file:
        return digest(file)[1]


@contextlib.contextmanager
def _disk(held: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, held) from error
