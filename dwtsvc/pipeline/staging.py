"""The results of a stack appear together: made in a hidden folder, written down, then given their names.

    <results>/.batch-XXXX/lock          held while its process lives; free means: left behind
    <results>/.batch-XXXX/pages/        the page store of the stack
    <results>/.batch-XXXX/files/        what was made, under the names that it is to have
    <results>/.batch-XXXX/commit.json   from here on the stack is done: whoever finds it finishes it

A process that dies before the commit leaves nothing but the hidden folder; one that dies after it is finished by the
next, and no file appears twice.
"""

from __future__ import annotations

import filecmp
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dwtsvc import locks
from dwtsvc.disk import make_file, sync_folder, telling
from dwtsvc.errors import FileAccess
from dwtsvc.naming import Findings, NamePattern
from dwtsvc.outputs import has_receipt
from dwtsvc.parts import PartFile, is_taken, writing
from dwtsvc.pipeline.assembled import AssembledDocuments, AssembledPages
from dwtsvc.pipeline.entries import free_names
from dwtsvc.records import BadRecord, pack, unpack
from dwtsvc.stacks import NamedDocuments, NamedPages, NamedStack
from dwtsvc.store import PageStore

PREFIX = ".batch-"
COMMIT = "commit.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A file that was made: its name in the staging folder, and where it is to lie. `pages` is None for one that is no
    result: dropped pages, a receipt."""

    staged: str
    target: str
    pages: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What finishes a stack: its files, the deliveries of each file by target with their ids, the program to run, and
    the lines of the report without what only finishing tells."""

    id: str
    files: tuple[Made, ...]
    deliveries: tuple[dict[str, str], ...] = ()
    command: str | None = None
    lines: tuple[dict[str, Any], ...] = ()


class Staging:
    """The hidden folder of one stack. Use it as a context: it goes when the block ends, but for one that was committed
    and is not `finished`."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self.finished = False
        self._committed = False

    def __enter__(self) -> Staging:
        with telling(self._results):
            self._results.mkdir(parents=True, exist_ok=True)
            while not self._made():
                pass
        self.store = PageStore(self.folder / "pages")
        self.owner = self.store.begin({"kind": "batch"})
        return self

    def _made(self) -> bool:
        """Make the folder, and lock it. Another process may clear it away in between, for it looks dead."""
        self.folder = self._results / f"{PREFIX}{secrets.token_hex(6)}"
        self.files = self.folder / "files"
        self.folder.mkdir(mode=0o700)
        lock = None
        try:
            lock = locks.open_locked(self.folder / "lock")
            if lock is not None:
                self.files.mkdir()
                self._lock = lock
                return True
        except FileNotFoundError:
            if lock is not None:
                os.close(lock)
        return False

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.store.discard(self.owner)
        if self.finished or not self._committed:
            _remove(self.folder)
        os.close(self._lock)

    def commit(self, commit: Commit) -> None:
        """Write down what is to be done. When this returns, the stack will be finished, whatever happens."""
        with telling(self.folder):
            for made in commit.files:
                _sync(self.files / made.staged)
            sync_folder(self.files)
            part = self.folder / f"{COMMIT}.part"
            make_file(part, json.dumps(commit, default=pack).encode())
            part.replace(self.folder / COMMIT)
            self._committed = True
            sync_folder(self.folder)
            sync_folder(self.folder.parent)


def publish(folder: Path, commit: Commit) -> list[Path]:
    """Give the files of a staging folder their names, or the next that are free; where each lies now. What an earlier
    attempt has published is found again. Raises FileAccess and DiskFull."""
    placed: list[Path] = []
    for made in commit.files:
        placed.append(_published(folder / "files" / made.staged, Path(made.target), placed))
    return placed


def left_behind(results: Path) -> Iterator[tuple[Path, Commit]]:
    """The staging folders of dead processes that were committed; the others are removed. Each goes after its turn,
    unless what is done with it raises."""
    with suppress(FileNotFoundError):
        for folder in sorted(results.glob(f"{PREFIX}*")):
            with _claimed(folder) as ours:
                commit = _read(folder) if ours else None
                if commit:
                    yield folder, commit
                if ours:
                    _remove(folder)


@contextmanager
def _claimed(folder: Path) -> Iterator[bool]:
    """Whether a folder is a dead process's, and ours while the block runs. One may have died before it had a lock, or
    when the lock was gone already."""
    with ExitStack() as held:
        try:
            ours = held.enter_context(locks.holding(folder / "lock"))
        except OSError:  # it has just gone, or is not ours to touch
            ours = False
        yield ours


def _read(folder: Path) -> Commit | None:
    try:
        return unpack(Commit, json.loads((folder / COMMIT).read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, BadRecord) as error:
        raise FileAccess(f"{folder / COMMIT} cannot be read", why=str(error), hint="Look into that folder.") from error


def _published(staged: Path, target: Path, placed: list[Path]) -> Path:
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    there = [target, *target.parent.glob(f"{_literal(target.stem)}-*{_literal(target.suffix)}")]
    for place in there:
        if place not in placed and _is_it(place, staged):
            return place
    for place in free_names(target):
        try:
            part = PartFile(place)
        except FileAccess:
            if not is_taken(place):
                raise
            continue
        return _put(part, staged)
    raise AssertionError("names never end")


def _put(part: PartFile, staged: Path) -> Path:
    try:
        if not part.adopt(staged):
            with writing(part.target):
                with staged.open("rb") as file:
                    shutil.copyfileobj(file, part.file)
                part.commit()
        return part.target
    finally:
        part.abort()


def _is_it(place: Path, staged: Path) -> bool:
    """Whether a file is what is to be published: an earlier attempt has linked or copied it."""
    try:
        return os.path.samefile(place, staged) or filecmp.cmp(place, staged, shallow=False)
    except OSError:
        return False


def _literal(text: str) -> str:
    import glob

    return glob.escape(text)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _remove(folder: Path) -> None:
    """The commit first: what is left without it is only rubbish."""
    with suppress(OSError):
        (folder / COMMIT).unlink(missing_ok=True)
        shutil.rmtree(folder)


class StagedPattern(NamePattern):
    """A pattern whose names lie in the staging folder; `final` says where each is to lie in the end."""

    def __init__(self, text: str, *, name: str, when: datetime, staged: Path, documents: bool = True) -> None:
        self._staged = staged
        super().__init__(text, device="", when=when, documents=documents, name=name)

    def path(self, number: int, *, document: int = 1, found: Findings | None = None, copy: int = 1) -> Path:
        return self._staged / super().path(number, document=document, found=found, copy=copy).name

    def final(self, staged: Path) -> Path:
        return Path(os.path.abspath(super().path(1))).parent / staged.name

    def is_free(self, staged: Path, *, receipt: bool) -> bool:
        final = self.final(staged)
        return not (is_taken(final) or (receipt and has_receipt(final)))


class _Finally(NamedStack):
    """Names that are free also where the file is to lie in the end."""

    def _names(self, page: int = 1) -> Iterator[Path]:
        pattern = self.pattern
        assert isinstance(pattern, StagedPattern)
        return (name for name in super()._names(page) if pattern.is_free(name, receipt=self._receipts))


class StagedDocuments(_Finally, NamedDocuments):
    """A document for each document of a stack, in a staging folder."""


class StagedPages(_Finally, NamedPages):
    """A file for each page."""


class StagedPdfs(_Finally, AssembledDocuments):
    """A PDF for each document, of which pages may be kept."""


class StagedPdfPages(_Finally, AssembledPages):
    """A PDF for each page, which may be kept."""
