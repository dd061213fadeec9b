"""How things are measured: commands in turns, whole processes, medians; SANE's `test` backend in its own folder.

What scans is what a user has: the wheel of this checkout, installed in an environment of its own (`install`).
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

# Stock test.conf limits the glass to 200 mm; this is A4 at 300 dpi, 2480 x 3507 pixels.
TEST_CONF = """\
number_of_devices 1
mode Color
depth 8
resolution_min 1
resolution_max 1200
resolution 300
test-picture "Color pattern"
geometry_min 0.0
geometry_max 500.0
geometry_quant 0.01
br_x 210
br_y 297
"""
BASE = Path("build")
INSTALLED = BASE.absolute() / "installed"
PYTHON, DWTSVC = str(INSTALLED / "bin" / "python"), str(INSTALLED / "bin" / "dwtsvc")
CHECKOUT = str(Path(sys.executable).with_name("dwtsvc"))  # the developer's, installed as "editable"
HANGS = 60.0  # seconds; scanimage's `test` backend hangs now and then when it ends
TRIES = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report. `must` is the largest ratio that is good enough."""

    name: str
    ours: float
    peer: float
    must: float
    unit: str = "s"
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.peer


@dataclass(slots=True)
class Bench:
    """A folder for one measurement, with the environment in which commands run."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    corpus: Path | None = None  # real inputs, which rows that need them do without

    def clear(self) -> None:
        for path in self.folder.iterdir():
            if path.name not in ("sane", "home"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def run(self, command: str) -> float:
        """Seconds for a shell command in the folder, emptied before. One that hangs is ended and run again."""
        for _ in range(TRIES):
            if took := self._run(command):
                return took
        raise TimeoutError(f"{command} hung {TRIES} times")

    def _run(self, command: str) -> float | None:
        self.clear()
        began = perf_counter()
        # A session of its own, so that what the shell has started is ended with it.
        with subprocess.Popen(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                _, words = running.communicate(timeout=HANGS)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                return None
        if running.returncode:
            raise RuntimeError(f"{command} ended with {running.returncode}: {words}")
        return perf_counter() - began

    def turns(self, *commands: str, count: int) -> list[float]:
        """The median of each command, taking turns so that a busy moment meets all."""
        seconds: list[list[float]] = [[] for _ in commands]
        for turn in range(count + 1):
            for index, command in enumerate(commands):
                took = self.run(command)
                if turn:  # the first turn warms the caches
                    seconds[index].append(took)
        return [statistics.median(each) for each in seconds]

    def peak(self, command: list[str]) -> int:
        """The largest memory of the command's own process in bytes, its children not counted."""
        self.clear()
        watcher = "import resource,subprocess,sys,os\n" + PEAK
        told = subprocess.run(
            [sys.executable, "-c", watcher, *command],
            cwd=self.folder,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return int(told.stdout.split()[-1]) * 1024


# VmHWM of the process itself, read just before it is reaped: rusage would count its largest child instead.
PEAK = """
import time
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
peak = 0
while child.poll() is None:
    try:
        status = open(f"/proc/{child.pid}/status").read()
        peak = max(peak, int(status.split("VmHWM:")[1].split()[0]))
    except (OSError, IndexError):
        pass
    time.sleep(0.02)
sys.exit(child.returncode) if child.returncode else print(peak)
"""


def install() -> None:
    """Install the wheel of this checkout, as a user's package manager does.

    The developer's environment finds the package through a hook, which costs every start of Python, the worker's too.
    The packages it needs are taken from there by their path, which does not take the hook along.
    """
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(INSTALLED)], check=True)
    with tempfile.TemporaryDirectory() as name:
        # A wheel made from the checkout itself would hold what earlier ones left in build/.
        source = shutil.copytree(".", Path(name, "source"), ignore=_not_source)
        build = [sys.executable, "-m", "build", "--quiet", "--wheel", "--no-isolation", "--outdir", name, str(source)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        [wheel] = Path(name).glob("*.whl")
        pip = [sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*pip, str(wheel)], check=True, cwd=name)  # elsewhere, or the checkout counts as installed
    packages = sysconfig.get_path("purelib", vars={"base": str(INSTALLED)})
    Path(packages, "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")


def _not_source(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("build", "dist", "__pycache__") or name.startswith(".")]


@contextmanager
def bench(corpus: Path | None = None) -> Iterator[Bench]:
    """A measurement's folder on the disk of the project, not on a memory disk: syncing must cost what it costs."""
    BASE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BASE, prefix="bench-") as name:
        folder = Path(name).absolute()
        sane = folder / "sane"
        sane.mkdir()
        (sane / "dll.conf").write_text("test\n")
        (sane / "test.conf").write_text(TEST_CONF)
        environment = {**os.environ, "SANE_CONFIG_DIR": str(sane), "DWTSVC_HOME": str(folder / "home")}
        yield Bench(folder, environment, corpus)


Measure = Callable[[Bench], Iterator[Row]]
