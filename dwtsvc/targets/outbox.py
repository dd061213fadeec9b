"""Deliveries on their way: each a record on the disk before anything is sent, and gone when the file has arrived.

So a delivery that failed, or whose process was killed, is known and can be tried again. After a failure the file is
copied here: what becomes of the original does not matter any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dwtsvc import locks, records
from dwtsvc.disk import make_file, private, sync_folder, write_error
from dwtsvc.errors import BadArguments, DwtsvcError, FileAccess, UnknownItem
from dwtsvc.paths import Paths
from dwtsvc.targets.parcel import Facts, Receipt

_ID = re.compile(r"[0-9a-f]{32}")
_UNFINISHED = "it was interrupted"
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A delivery that has not arrived. `target` is as it was given; `kept` if the outbox has its own copy of the file;
    `since` is ISO 8601 in UTC, `tries` counts calls and not attempts, `problem` is the last error in words."""

    id: str
    target: str
    file: str
    name: str
    facts: Facts
    since: str
    tries: int = 1
    kept: bool = False
    problem: str = _UNFINISHED
    hint: str = ""


Carry = Callable[[Waiting, Path], Receipt]


class Outbox:
    """The folder of waiting deliveries. Several processes may use it at once: each delivery is tried by one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, paths: Paths) -> Outbox:
        return cls(paths.state / "outbox")

    def deliver(self, id: str, target: str, file: Path, facts: Facts, carry: Carry) -> Receipt:
        """Let `carry` deliver a file; if it raises, the delivery waits here, unless it is one that nobody can make:
        a file that cannot be read, arguments that are wrong. Raises what `carry` does, FileAccess and DiskFull."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        waiting = Waiting(id=id, target=target, file=str(file.absolute()), name=file.name, facts=facts, since=now)
        Paths.create(self._folder)
        with self._holding(id):
            self._write(waiting)
            try:
                return self._carried(waiting, file, carry)
            except BadArguments:
                self._remove(id)
                raise
            except DwtsvcError:
                if not file.is_file():
                    self._remove(id)
                raise

    def retry(self, id: str, carry: Carry) -> Receipt:
        """Try a waiting delivery again. Raises what `carry` does, UnknownItem, FileAccess if another process has it."""
        with self._holding(id):
            waiting = replace(self._read(id), tries=self._read(id).tries + 1)
            return self._carried(waiting, self._file(waiting), carry)

    def waiting(self) -> list[Waiting]:
        """All that waits, the oldest first. Raises FileAccess for a record that is damaged."""
        try:
            ids = [path.stem for path in self._folder.glob("*.json") if _ID.fullmatch(path.stem)]
        except OSError as error:
            raise FileAccess(f"{self._folder} cannot be read", why=error.strerror or str(error)) from error
        found = []
        for id in ids:
            with contextlib.suppress(UnknownItem):  # delivered by another process meanwhile
                found.append(self._read(id))
        return sorted(found, key=lambda each: (each.since, each.id))

    def forget(self, id: str) -> Waiting:
        """Remove a delivery and the copy of its file. Raises UnknownItem."""
        with self._holding(id):
            waiting = self._read(id)
            self._remove(id)
            return waiting

    def has(self, id: str) -> bool:
        """Whether a delivery waits."""
        return self._record(id).exists()

    def find(self, start: str) -> str:
        """The id that begins so. Raises UnknownItem, BadArguments if several do."""
        found = [each.id for each in self.waiting() if each.id.startswith(start)]
        if len(found) > 1:
            raise BadArguments(f"Several deliveries begin with '{start}'", hint="Give more of the id.")
        if not found or not start:
            raise _unknown(start)
        return found[0]

    def _carried(self, waiting: Waiting, file: Path, carry: Carry) -> Receipt:
        try:
            receipt = carry(waiting, file)
        except DwtsvcError as error:
            self._keep(replace(waiting, problem=str(error), hint=error.hint), file)
            raise
        self._remove(waiting.id)
        return receipt

    def _keep(self, waiting: Waiting, file: Path) -> None:
        """Copy the file, if it is not here yet, and write down what happened; without room, the original counts."""
        if not waiting.kept:
            with contextlib.suppress(OSError):
                self._copy(file, self._copy_of(waiting.id))
                waiting = replace(waiting, kept=True)
        self._write(waiting)

    def _copy(self, source: Path, copy: Path) -> None:
        part = copy.with_name(f".{copy.name}.part")
        try:
            with source.open("rb") as reading, open(part, "wb", opener=private) as file:
                while data := reading.read(CHUNK):
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, copy)
        finally:
            part.unlink(missing_ok=True)

    def _file(self, waiting: Waiting) -> Path:
        return self._copy_of(waiting.id) if waiting.kept else Path(waiting.file)

    def _record(self, id: str) -> Path:
        return self._folder / f"{id}.json"

    def _copy_of(self, id: str) -> Path:
        return self._folder / f"{id}.file"

    def _read(self, id: str) -> Waiting:
        path = self._record(id)
        try:
            return records.unpack(Waiting, json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            raise _unknown(id) from None
        except OSError as error:
            raise FileAccess(f"{path} cannot be read", why=error.strerror or str(error)) from error
        except (ValueError, records.BadRecord) as error:
            raise FileAccess(f"{path} is damaged", hint="Remove it, and send the file again.") from error

    def _write(self, waiting: Waiting) -> None:
        path = self._record(waiting.id)
        part = path.with_name(f".{path.name}.part")
        try:
            part.unlink(missing_ok=True)  # of a process that died here
            make_file(part, json.dumps(waiting, default=records.pack).encode())
            os.replace(part, path)
            sync_folder(self._folder)
        except OSError as error:
            raise write_error(error, path) from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink()

    def _remove(self, id: str) -> None:
        """The record first: a copy without one is nobody's."""
        try:
            self._record(id).unlink(missing_ok=True)
            self._copy_of(id).unlink(missing_ok=True)
        except OSError as error:
            raise write_error(error, self._record(id)) from error

    @contextlib.contextmanager
    def _holding(self, id: str) -> Iterator[None]:
        """Alone with a delivery; the lock is let go however we end."""
        if not _ID.fullmatch(id) or not self._folder.is_dir():
            raise _unknown(id)
        lock = self._folder / f".{id}.lock"
        with locks.holding(lock) as ours:
            if not ours:
                raise FileAccess(f"The delivery {id[:8]} is being tried by another process", hint="Wait for it.")
            try:
                yield
            finally:
                if not self._record(id).exists():  # nobody will want it again: ids do not come back
                    lock.unlink(missing_ok=True)


def _unknown(id: str) -> UnknownItem:
    return UnknownItem(f"No delivery '{id}' is waiting", hint="`dwtsvc send --waiting` lists them.")
