"""Every command that reads files, given files that were made to break it.

After each run: a documented exit code that is no fault of ours, no traceback, no process and no temporary file left,
no file half written, time and memory within bounds. What fails is kept, and told with the command that repeats it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dwtsvc.errors import exit_codes
from tests.faults.badfiles import KINDS, Made, mutated

DWTSVC = str(Path(sys.executable).with_name("dwtsvc"))
MOMENT = 20.0  # seconds that a child may need to leave on a machine that has other work
ENOUGH = 150.0  # seconds a run: the longest limit is 120
MOST_MEMORY = 3 * 2**30  # bytes of any one process
OUR_FAULT = {70, 10, 7}
ALLOWED = {0, *(code for code, _ in exit_codes())} - OUR_FAULT
CONFESSIONS = ("Traceback", "Internal error", "Please report")
IMAGES = (
    ("barcode", "--json", "FILE"),
    ("barcode", "--engine", "both", "--draw", "out.png", "FILE", "good.png"),
    ("scan", "-d", "virtual:adf?folder=.", "-o", "out.pdf"),
)
READS = (("ocr", "FILE", "-o", "out.pdf"), ("ocr", "--deskew", "--force-ocr", "FILE", "-o", "out.pdf"))
LONG_READS = {"many-directories.tiff"}  # a thousand pages are read rightly, and for minutes
PDFS = (
    ("barcode", "FILE", "good.png"),
    ("pdf", "info", "FILE", "--json"),
    ("pdf", "metadata", "FILE", "--json"),
    ("pdf", "metadata", "FILE", "--title", "Käse", "-o", "out.pdf"),
    ("pdf", "merge", "FILE", "FILE", "-o", "out.pdf"),
    ("pdf", "extract", "FILE", "1", "-o", "out.pdf"),
    ("pdf", "reorder", "FILE", "reverse", "-o", "-"),
    ("pdf", "rotate", "FILE", "90", "--force"),
    ("pdf", "split", "FILE", "-o", "out-{n}.pdf"),
    ("pdf", "encrypt", "FILE", "--password", "x", "-o", "out.pdf"),
    ("pdf", "decrypt", "FILE", "-o", "out.pdf"),
    ("pdf", "optimize", "FILE", "-o", "out.pdf"),
    ("pdf", "optimize", "FILE", "--lossy", "--max-dpi", "50", "-o", "out.pdf"),
    ("pdf", "images", "FILE", "-o", "out-{n}"),
    ("pdf", "rasterize", "FILE", "-o", "out-{n}.png", "-r", "50"),
    ("pdf", "compare", "FILE", "FILE"),
    ("pdf", "verify", "FILE"),
    ("scan", "-d", "virtual:adf?file=FILE", "-o", "out.pdf"),
)


@dataclass
class Report:
    runs: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[int, str] = (0, "")
    faults: list[str] = field(default_factory=list)


class Storm:
    """Runs commands in a folder of their own, with a home and a temporary folder that must be empty afterwards."""

    def __init__(self, root: Path) -> None:
        self.work, self.kept = root / "work", root / "kept"
        self._temporary = root / "tmp"
        for folder in (self.work, self._temporary, self.kept):
            folder.mkdir(parents=True, exist_ok=True)
        places = {"DWTSVC_HOME": str(root / "home"), "TMPDIR": str(self._temporary), "COLUMNS": "100"}
        self._environment = {**os.environ, **places}
        self.report = Report()
        self.code = 0  # the exit code of the last run

    def run(self, words: Sequence[str], name: str, data: bytes) -> None:
        """One file through one command; what is wrong with it goes into the report."""
        (self.emptied() / name).write_bytes(data)
        if "good.png" in words:
            (self.work / "good.png").write_bytes(KINDS["palette.png"]())
        before = set(os.listdir(self.work))
        command = [word.replace("FILE", name) for word in words]
        wrong = [*self.ran(command), *self.left(before)]
        self.keep(command, [(name, data)], wrong)

    def emptied(self) -> Path:
        """The working folder, with nothing in it."""
        shutil.rmtree(self.work)
        self.work.mkdir()
        return self.work

    def keep(self, command: Sequence[str], made: Iterable[Made], wrong: Sequence[str]) -> None:
        """Where something is wrong, the files and the command that brought it about."""
        if wrong:
            for name, data in made:
                (self.kept / name).write_bytes(data)
            self.report.faults.append(f"dwtsvc {' '.join(command)}: {'; '.join(wrong)}")

    def ran(self, command: Sequence[str]) -> Iterator[str]:
        """Run a command to its end; what is wrong with the way it ended."""
        began = time.monotonic()
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [DWTSVC, *command],
                cwd=self.work,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            code, memory = _waited(process)
            self.code = code
            said.seek(0)
            text = said.read().decode(errors="replace")
        took = time.monotonic() - began
        told = " ".join(command)
        self.report.runs += 1
        self.report.codes[code] += 1
        self.report.slowest = max(self.report.slowest, (took, told))
        self.report.largest = max(self.report.largest, (memory, told))
        if code not in ALLOWED:
            yield f"exit code {code}: {text[-300:].strip()}"
        elif any(word in text for word in CONFESSIONS):
            yield f"it said: {text[-300:].strip()}"
        if memory > MOST_MEMORY:
            yield f"{memory >> 20} MiB"
        yield from _orphans(process.pid)

    def left(self, before: set[str]) -> Iterator[str]:
        """Temporary files and parts that lie about, and what was there before and is gone."""
        lying = os.listdir(self._temporary)
        for name in lying:
            path = self._temporary / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if lying:
            yield f"temporary files: {', '.join(lying)}"
        made = set(os.listdir(self.work)) - before
        parts = [name for name in made if name.startswith(".") or name.endswith(".part")]
        if parts:
            yield f"left behind: {', '.join(parts)}"
        if gone := before - set(os.listdir(self.work)):
            yield f"gone: {', '.join(gone)}"


def _waited(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """The exit code, and the most memory of it or one of its children. What takes too long is killed: code -9."""
    deadline = time.monotonic() + ENOUGH
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage.ru_maxrss * 1024
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            deadline += ENOUGH
        time.sleep(0.005)


def _orphans(session: int) -> Iterator[str]:
    """Processes of a session that outlive their command; they have a moment to notice that it is gone."""
    deadline = time.monotonic() + MOMENT
    while left := [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _session(pid) == session]:
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.killpg(session, signal.SIGKILL)
            yield f"{len(left)} processes outlived it"
            return
        time.sleep(0.02)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def commands(name: str, *, ocr: bool = True) -> tuple[tuple[str, ...], ...]:
    """The commands that take such a file."""
    return (PDFS if name.endswith(".pdf") else IMAGES) + (READS if ocr and name not in LONG_READS else ())


def every_kind() -> Iterator[tuple[Sequence[str], Made]]:
    for name, make in KINDS.items():
        data = make()
        for words in commands(name):
            yield words, (name, data)


def mutations(seed: int, count: int) -> Iterator[tuple[Sequence[str], Made]]:
    chance = random.Random(seed)
    for made in mutated(seed, count):
        yield chance.choice(commands(made[0])), made


def through(storm: Storm, runs: Iterable[tuple[Sequence[str], Made]], *, say: bool = True) -> None:
    for words, (name, data) in runs:
        known = len(storm.report.faults)
        storm.run(words, name, data)
        for fault in storm.report.faults[known:]:
            if say:
                print(fault, flush=True)
