"""The parent of the service: starts it again after a crash, keeps dumps, passes signals on. Standard library only.

`python -m dwtsvc.monitor COMMAND...` is what `dwtsvc serve` becomes, so that nothing but this stays in memory.
A service manager such as systemd does the same itself and runs the service without a monitor.

The first five crashes in a minute are answered within half a second; after that, and until the service has lived for a
minute, it waits longer and longer. An end that a restart cannot mend, such as a bad configuration, ends the monitor.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import BinaryIO

from dwtsvc import lifeline, portlock
from dwtsvc.errors import DwtsvcError, PortInUse, exit_codes
from dwtsvc.lifeline import MonitorState
from dwtsvc.locks import open_locked
from dwtsvc.paths import Paths
from dwtsvc.redaction import escape, redact

MINUTE = 60.0
QUICK = 5  # crashes in a minute that are answered at once
QUICK_DELAY = 0.2  # seconds
BACK_OFF = (20.0, 40.0, 60.0)  # at most 15 restarts in ten minutes
STOP_WITHIN = 15.0  # then the service is killed
OLD_LEAVES_WITHIN = 3.0  # a service whose monitor was killed needs up to 2 s
_SAID = "dwtsvc: "  # begins the line in which a command tells its error
TAIL = 8192  # bytes of standard error kept in a dump

# done, bad arguments, missing dependency, bad configuration, port in use, do not restart, cancelled
FINAL = frozenset({0, 2, 3, 9, 43, 78, 130})

_STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name))
_HANG_UP = getattr(signal, "SIGHUP", None)
_PASSED_ON = tuple(getattr(signal, name) for name in ("SIGHUP", "SIGUSR1") if hasattr(signal, name))


class Budget:
    """How long to wait before each restart, in seconds."""

    def __init__(self) -> None:
        self._crashes: deque[float] = deque()
        self._waits = 0

    def delay(self, now: float, lived: float) -> float:
        """After a crash at `now` of a service that lived for `lived` seconds; by a clock that never goes back."""
        if lived >= MINUTE:
            self._crashes.clear()
            self._waits = 0
        while self._crashes and now - self._crashes[0] >= MINUTE:
            self._crashes.popleft()
        if not self._waits and len(self._crashes) < QUICK:
            self._crashes.append(now)
            return QUICK_DELAY
        self._waits += 1
        return BACK_OFF[min(self._waits, len(BACK_OFF)) - 1]


class Words(threading.Thread):
    """Passes the service's standard error on to ours, and keeps the last of it."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__(daemon=True, name="stderr")
        self._source = source
        self._tail = b""
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(self._source.fileno(), 65536):
                self._tail = (self._tail + data)[-TAIL:]
                with contextlib.suppress(OSError):  # nobody reads ours any more
                    os.write(2, data)

    def last(self) -> str:
        self.join(0.5)  # a worker that outlives the service for a moment holds the other end, too
        return self._tail.decode(errors="replace")


class Monitor:
    """One for each set of paths. `run` is called once, on the main thread, and takes over the process's signals."""

    def __init__(self, command: Sequence[str], paths: Paths) -> None:
        self._command = list(command)
        self._paths = paths
        self._budget = Budget()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._at_once = False  # a SIGHUP while waiting: try again now
        self._restarts = 0
        self._reason = ""
        self._terminal = _has_terminal()

    def run(self) -> int:
        """Run the service until it ends for good, and return the exit code. Raises PortInUse, FileAccess."""
        with self._alone():
            for number in (*_STOPS, *_PASSED_ON):
                signal.signal(number, self._signalled)
            while True:
                born = monotonic()
                code = self._run_service()
                if self._stopping:
                    return 0 if -code in (0, *_STOPS) else _exit_code(code)
                if code in FINAL:
                    return code
                if not self._wait(self._budget.delay(monotonic(), monotonic() - born)):
                    return 0
                self._restarts += 1

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the monitor's lock, once the service of a monitor that was killed is gone."""
        Paths.create(self._paths.runtime)
        Paths.create(self._paths.dump)
        deadline = monotonic() + OLD_LEAVES_WITHIN
        while (lock := open_locked(self._paths.monitor_lock)) is None or portlock.read_port_lock(self._paths):
            if lock is not None:
                os.close(lock)
            if monotonic() > deadline:
                raise self._already_running()
            sleep(0.05)
        try:
            yield
        finally:
            self._paths.monitor_file.unlink(missing_ok=True)
            os.close(lock)

    def _already_running(self) -> PortInUse:
        running = portlock.read_port_lock(self._paths) or {}
        process = f"it is process {running['pid']}" if "pid" in running else "its monitor is there"
        hint = "`dwtsvc status` shows where it answers."
        return PortInUse("The service is already running", why=process, hint=hint)

    def _run_service(self) -> int:
        """Start the service and wait for its end; its exit code, negative for a signal."""
        dump = lifeline.new_dump(self._paths.dump)
        born = monotonic()
        try:
            words = self._start(dump)
        except OSError as error:  # no process, no memory, or the program was uninstalled
            self._reason = f"cannot be started: {error.strerror}"
            return 71
        assert self._child is not None
        code = self._child.wait()
        last = words.last()
        if dump:
            in_order = code in FINAL or self._stopping
            _finish(dump, in_order, f"{_described(code)} after {monotonic() - born:.1f} s", last)
        self._reason = _described(code) + _complaint(last)
        return code

    def _start(self, dump: Path | None) -> Words:
        environment = {**os.environ, lifeline.MONITOR: str(os.getpid()), lifeline.DUMP: str(dump or "")}
        self._child = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # what a terminal sends reaches the service once, through us
        )
        if self._stopping:  # the signal came between the fork and the assignment
            self._pass_on(signal.SIGTERM)
        self._write("running")
        assert self._child.stderr is not None
        return Words(self._child.stderr)  # type: ignore[arg-type]

    def _wait(self, delay: float) -> bool:
        """Sit out a delay; False if the service shall not be started again."""
        when = datetime.now(UTC) + timedelta(seconds=delay)
        self._write("waiting", when.isoformat(timespec="seconds"))
        _tell(f"the service ended: {self._reason}; it starts again in {delay:g} s")
        end = monotonic() + delay
        self._at_once = False
        while not self._stopping and not self._at_once and monotonic() < end:
            sleep(0.05)  # a signal's handler cannot safely wake anything better
        return not self._stopping

    def _write(self, state: str, next_restart: str | None = None) -> None:
        pid = self._child.pid if self._child and next_restart is None else None
        said = MonitorState(
            pid=os.getpid(),
            service_pid=pid,
            state=state,
            restarts=self._restarts,
            next_restart=next_restart,
            reason=self._reason,
        )
        with contextlib.suppress(OSError):  # a full disk is no reason to leave the service alone
            said.write(self._paths.monitor_file)

    def _signalled(self, number: int, _frame: object) -> None:
        """In the main thread, between two steps of the code above."""
        if number == _HANG_UP and self._terminal and not _has_terminal():
            number = signal.SIGTERM  # the window was closed
        self._at_once = number == _HANG_UP
        if number in _STOPS and not self._stopping:
            self._stopping = True
            killer = threading.Timer(STOP_WITHIN, self._kill)
            killer.daemon = True
            killer.start()
        self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        if self._child is None:
            return
        if sys.platform == "win32":  # no signals there: the end of the lifeline is the wish to stop
            if self._stopping and self._child.stdin:
                self._child.stdin.close()
        else:
            with contextlib.suppress(OSError):
                self._child.send_signal(number)

    def _kill(self) -> None:
        if self._child is not None and self._child.poll() is None:
            _tell(f"the service did not stop within {STOP_WITHIN:g} s and is killed")
            self._child.kill()


def _has_terminal() -> bool:
    try:
        return os.isatty(2)
    except OSError:
        return False


def _exit_code(code: int) -> int:
    return 128 - code if code < 0 else code


def _described(code: int) -> str:
    if code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    meaning = dict(exit_codes()).get(code, "")
    return f"exit code {code}, {meaning.partition(',')[0]}".removesuffix(", ")


def _complaint(last_words: str) -> str:
    """The error that the command told last, in brackets."""
    told = [line for line in last_words.splitlines() if line.startswith(_SAID)]
    return f" ({escape(redact(told[-1].removeprefix(_SAID)))})" if told else ""


def _finish(dump: Path, in_order: bool, ending: str, last_words: str) -> None:
    """Add the end and the last words to a dump; remove one that tells nothing."""
    with contextlib.suppress(OSError):
        if in_order and dump.stat().st_size == 0:
            dump.unlink()
            return
        lines = [f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {ending}", "Its last words:", *last_words.splitlines()]
        with open(dump, "a", encoding="utf-8") as file:
            file.write("".join(f"{escape(redact(line))}\n" for line in lines))


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"dwtsvc: {text}\n".encode())


def main() -> int:
    try:
        return Monitor(sys.argv[1:], Paths.from_environment(os.environ)).run()
    except DwtsvcError as error:
        _tell(f"{error}\n  {error.hint}".rstrip())
        return error.exit_code


if __name__ == "__main__":
    os._exit(main())  # while Python takes itself down, its handlers are gone, and a late SIGTERM would change the code
