"""`dwtsvc serve` as processes, with or without its monitor: started, asked, killed, and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx

from dwtsvc.lifeline import MonitorState
from dwtsvc.paths import Paths
from dwtsvc.portlock import read_port_lock
from tests.server.running import environment, free_port

PATIENCE = 60.0  # seconds until a test gives up; on an idle machine nothing here takes three
PROGRAM = [sys.executable, "-P", "-m", "dwtsvc_cli.main"]
NO_MONITOR, MONITOR, WORKER = "--no-monitor", "dwtsvc.monitor", "dwtsvc.devices.worker"


class Running:
    """A service with a home and free ports of its own. `settings` are the product's, by name: log_level="14"."""

    def __init__(self, home: Path, *, monitor: bool = True, **settings: str) -> None:
        self.home, self._monitor = home, monitor
        self.http, self.https = free_port(), free_port()
        self.paths = Paths.from_environment({"DWTSVC_HOME": str(home)})
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE)
        home.mkdir(parents=True, exist_ok=True)
        ports = {"http_ports": str(self.http), "https_ports": str(self.https)}
        told = {"escl_discovery": "off", **ports, **settings}
        named = {f"DWTSVC_{name.upper()}": value for name, value in told.items()}
        self.environment = environment(home, HOME=str(home), **named)
        self._process: subprocess.Popen[bytes] | None = None
        self._hurried = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    @property
    def urls(self) -> list[str]:
        return [self.url, f"https://127.0.0.1:{self.https}"]

    def start(self) -> Running:
        """Start it and wait until it answers."""
        words = ["serve", *([] if self._monitor else [NO_MONITOR])]
        with (self.home / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*PROGRAM, *words], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.await_answer()
        return self

    def await_answer(self, other_than: int | None = None) -> int:
        """Wait until a process answers, another one than the given; its pid. A monitor that waits is hurried."""
        found, self._hurried = 0, False

        def answers() -> bool:
            nonlocal found
            found = self.pid or 0
            self._hurry()
            assert self._process is None or self._process.poll() is None, self.said()
            return bool(found) and found != other_than and self._healthy()

        until(answers, self.said)
        return found

    def _healthy(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.client.get("/healthz").status_code == 200
        return False

    @property
    def quick(self) -> bool:
        """Whether the service that answers now was not hurried: its monitor did not have to wait."""
        return not self._hurried

    def _hurry(self) -> None:
        """Not for a wait that is nearly over: the signal would be passed on to a service that just begins."""
        state = MonitorState.read(self.paths.monitor_file)
        if state and state.next_restart and state.pid == self.monitor_pid:
            left = datetime.fromisoformat(state.next_restart) - datetime.now(UTC)
            if left.total_seconds() > 2:
                self._hurried = True
                os.kill(state.pid, signal.SIGHUP)

    @property
    def pid(self) -> int | None:
        """The process that holds port.lock."""
        lock = read_port_lock(self.paths)
        return int(lock["pid"]) if lock else None

    @property
    def monitor_pid(self) -> int | None:
        return self._process.pid if self._monitor and self._process else None

    @property
    def workers(self) -> list[int]:
        return [pid for pid, command in processes(self.home).items() if WORKER in command]

    @property
    def services(self) -> list[int]:
        """The processes that are the service, begun or beginning: never more than one."""
        # The monitor names its service's command in its own, and a child has that of its parent while it is made.
        found = [pid for pid, said in processes(self.home).items() if NO_MONITOR in said and MONITOR not in said]
        return [pid for pid in found if parent(pid) not in found]

    def said(self) -> str:
        return (self.home / "serve.log").read_text(errors="replace")[-4000:]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command of the same user, to its end."""
        return subprocess.run(
            [*PROGRAM, *words], env=self.environment, capture_output=True, text=True, timeout=PATIENCE
        )

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send the service itself a signal."""
        pid = self.pid
        assert pid, "it is not running"
        os.kill(pid, number)

    @staticmethod
    def kill_one(pid: int) -> None:
        """Any process at once; one that just left is fine."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def kill_monitor(self) -> None:
        assert self._process and self._monitor
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self) -> int:
        """End it in order; its exit code."""
        assert self._process
        self._process.terminate()
        return self._process.wait(PATIENCE)

    def restart(self) -> None:
        """As after a crash or a log-out: whatever is left is waited for, then a new one begins."""
        if self._process and self._process.poll() is None:
            self.stop()
        until(lambda: not self.services, self.said)
        self.start()

    def close(self) -> None:
        """End everything that lives in this home."""
        self.client.close()
        if self._process and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
        for pid in processes(self.home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process:
            self._process.wait(PATIENCE)


@contextlib.contextmanager
def running(home: Path, *, monitor: bool = True, **settings: str) -> Iterator[Running]:
    """A service that answers, until the block ends."""
    made = Running(home, monitor=monitor, **settings)
    try:
        yield made.start()
    finally:
        made.close()


def until(condition: Callable[[], object], say: Callable[[], str] = str) -> None:
    """Wait for a condition; a test that needs all of the patience has failed."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain; {say()}"
        time.sleep(0.02)


def processes(home: Path) -> dict[int, str]:
    """The living processes of one home by pid, with their commands: all of ours carry it in their environment."""
    found = {}
    mark = f"DWTSVC_HOME={home}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0") and _lives(folder):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return _lives(Path(f"/proc/{pid}"))
    return False


def parent(pid: int) -> int:
    """0 for a process that is gone."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _lives(folder: Path) -> bool:
    """Whether it is more than an entry that waits for its parent."""
    return (folder / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
