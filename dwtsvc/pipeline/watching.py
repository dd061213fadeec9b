"""A folder that is watched: files are taken when they are complete, and only those that are files."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from dwtsvc.errors import BadArguments
from dwtsvc.pipeline.entries import Identity, identity
from dwtsvc.suffixes import FORMATS

MORE_SUFFIXES = frozenset({".gif", ".pnm", ".pbm", ".pgm", ".ppm"})
SUFFIXES = MORE_SUFFIXES | {suffix for each in FORMATS.values() for suffix in each}
SLOWLY = 5.0  # seconds between looks where nothing tells of changes, or its word may be lost
WRITING = os.O_WRONLY | os.O_RDWR


@dataclass(slots=True)
class _Seen:
    identity: Identity
    since: float


class Watch:
    """The files of a folder that are complete, each once until it changes. Not of folders in it.

    A file is complete when nothing about it has changed for `settle` seconds, and no process that can be seen has it
    open for writing.
    """

    def __init__(self, folder: Path, *, settle: float, poll: bool) -> None:
        self._folder, self._settle, self._poll = folder, settle, poll
        self._seen: dict[str, _Seen] = {}
        self._given: dict[str, Identity] = {}
        self._again: dict[str, float] = {}
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._next_look = 0.0
        self.problem = ""
        if not poll:
            threading.Thread(target=self._listen, name="watch", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._woken.set()

    def ready(self, timeout: float) -> list[Path]:
        """What is complete now; waits at most `timeout` seconds for a change in the folder."""
        now = monotonic()
        if now < self._next_look and not self._woken.wait(min(timeout, self._next_look - now)):
            return []
        self._woken.clear()
        found = self._look(monotonic())
        waiting = any(name not in self._given for name in self._seen)
        pause = min(self._settle / 2, SLOWLY) if waiting or self._poll else SLOWLY
        self._next_look = monotonic() + max(pause, 0.05)
        return found

    def retry(self, path: Path, seconds: float) -> None:
        """Give this file again after so many seconds, though it does not change: it was not at fault."""
        self._again[path.name] = monotonic() + seconds

    def _look(self, now: float) -> list[Path]:
        present = dict(self._files())
        self._seen = {name: seen for name, seen in self._seen.items() if name in present}
        self._given = {name: given for name, given in self._given.items() if present.get(name) == given}
        settled = [name for name, found in present.items() if self._is_settled(name, found, now)]
        busy = being_written(present[name][:2] for name in settled) if settled else frozenset()
        ready = [name for name in settled if present[name][:2] not in busy]
        for name in ready:
            self._given[name] = present[name]
            self._again.pop(name, None)
        return [self._folder / name for name in sorted(ready)]

    def _is_settled(self, name: str, found: Identity, now: float) -> bool:
        if name in self._given and not (name in self._again and self._again[name] <= now):
            return False
        seen = self._seen.get(name)
        if seen is None or seen.identity != found:
            self._seen[name] = _Seen(found, now)
            return self._settle == 0
        return now - seen.since >= self._settle

    def _files(self) -> Iterable[tuple[str, Identity]]:
        try:
            with os.scandir(self._folder) as entries:
                names = [entry.name for entry in entries]
        except OSError as error:
            self.problem = f"{self._folder} cannot be read: {error.strerror or error}"
            return
        self.problem = ""
        for name in names:
            if is_wanted(name):
                with suppress(OSError):  # it has just gone
                    found = os.lstat(self._folder / name)
                    if stat.S_ISREG(found.st_mode):  # no symbolic link, no fifo
                        yield name, identity(found)

    def _listen(self) -> None:
        """Wake up on changes. Where the system cannot tell of them, looking from time to time is enough."""
        from watchfiles import watch

        with suppress(Exception):  # no inotify, too many watches, no such folder
            for _ in watch(
                self._folder,
                watch_filter=None,
                debounce=200,
                stop_event=self._stopped,
                recursive=False,
                raise_interrupt=False,
            ):
                self._woken.set()
        self._poll = True


def is_wanted(name: str) -> bool:
    """Whether a file of this name is taken: a picture or PDF by its suffix, and not hidden."""
    return not name.startswith((".", "~")) and Path(name).suffix.lower() in SUFFIXES


def being_written(files: Iterable[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    """Which of these files (device, inode) a process has open for writing, as far as /proc lets us see."""
    wanted = frozenset(files)
    if not sys.platform.startswith("linux") or not wanted:
        return frozenset()
    found = set()
    for process in _numbers("/proc"):
        for number in _numbers(f"/proc/{process}/fd"):
            with suppress(OSError):
                opened = os.stat(f"/proc/{process}/fd/{number}")
                if (opened.st_dev, opened.st_ino) in wanted and _writes(process, number):
                    found.add((opened.st_dev, opened.st_ino))
    return frozenset(found)


def _numbers(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.isdigit()]
    except OSError:  # another user's, or gone
        return []


def _writes(process: str, number: str) -> bool:
    with open(f"/proc/{process}/fdinfo/{number}", encoding="ascii") as file:
        flags = next((line.split()[1] for line in file if line.startswith("flags:")), "0")
    return bool(int(flags, 8) & WRITING)


def refuse_overlap(watched: Path, folders: dict[str, Path], *, inside: bool) -> None:
    """Raise BadArguments where one of the folders is the watched one, or with `inside` lies in it: a program must not
    eat its own results. `folders` are by what they are for."""
    watched = watched.resolve()
    for purpose, folder in folders.items():
        real = folder.resolve()
        if real == watched or _same(real, watched) or (inside and _within(real, watched)):
            raise BadArguments(
                f"{folder} cannot hold {purpose}",
                why=f"it is {watched}, or lies in it, and would be read again",
                hint="Choose a folder beside it, with -o, --quarantine or --done.",
            )


def _within(folder: Path, watched: Path) -> bool:
    above: Collection[Path] = folder.parents
    return watched in above or any(_same(each, watched) for each in above)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
