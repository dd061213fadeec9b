"""What ties a service to its monitor: the pipe that ends with either of them, the dump file, and the monitor's word.

The monitor holds the write end of the service's standard input and never writes. When it dies, however it dies, the
service reads the end of the file and leaves in order. Linux kills the service even before, also one that hangs or is
stopped and reads nothing: what it had acknowledged is on the disk, and two services at once would be worse.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

from dwtsvc.disk import part_of, private

MONITOR = "DWTSVC_MONITOR_PID"  # set by the monitor for its service alone: standard input is the lifeline
DUMP = "DWTSVC_DUMP_FILE"
LEAVE_WITHIN = 1.5  # seconds for an orderly end after the monitor is gone
KEEP_DUMPS = 20

_PR_SET_PDEATHSIG = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorState:
    """What a monitor says in its file. Times are ISO 8601 in UTC; `next_restart` is set while it waits."""

    pid: int
    service_pid: int | None
    state: str  # running, waiting
    restarts: int
    next_restart: str | None
    reason: str  # why the service ended last; empty before

    def write(self, path: Path) -> None:
        """Put it in the place of `path` at once. Raises OSError."""
        part = part_of(path)
        with open(part, "w", encoding="utf-8", opener=private) as file:
            json.dump(asdict(self), file)
        os.replace(part, path)

    @classmethod
    def read(cls, path: Path) -> MonitorState | None:
        """None if there is no such file or it makes no sense."""
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def attach(environ: MutableMapping[str, str], dump_folder: Path) -> Attachment:
    """Called by the service when it begins: end with the monitor if there is one, and leave a trace in a crash.

    The variables are taken out of `environ`, for they are not meant for the service's own children.
    """
    monitor = int(environ.pop(MONITOR, "") or 0) or None
    named = environ.pop(DUMP, "")
    if monitor:
        _end_with_monitor()
    dump = Path(named) if named else new_dump(dump_folder)
    if dump:
        _trace_into(dump)
    _leave_no_core()
    return Attachment(monitor, None if monitor else dump)


class Attachment:
    """`monitor_pid` is None without a monitor; then `close` removes a dump file that stayed empty."""

    def __init__(self, monitor_pid: int | None, dump: Path | None) -> None:
        self.monitor_pid = monitor_pid
        self._dump = dump

    def close(self) -> None:
        if self._dump:
            with contextlib.suppress(OSError):
                if self._dump.stat().st_size == 0:
                    self._dump.unlink()


def new_dump(folder: Path) -> Path | None:
    """A new, empty file for the trace of a crash, beside the newest of the old ones; None if the disk has no room."""
    try:
        for old in sorted(folder.glob("dump-*.txt"))[: 1 - KEEP_DUMPS]:
            old.unlink(missing_ok=True)
        path = folder / f"dump-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}.txt"
        with open(path, "xb", opener=private):
            return path
    except OSError:
        return None


def _trace_into(dump: Path) -> None:
    """Python's own traces, without values: of every thread in a crash, and at SIGUSR1, which tells why it hangs."""
    with contextlib.suppress(OSError):
        file = os.open(dump, os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0))
        faulthandler.enable(file, all_threads=True)
        if hasattr(faulthandler, "register"):
            faulthandler.register(signal.SIGUSR1, file, all_threads=True)


def _leave_no_core() -> None:
    """A core dump would hold the pages and the token."""
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_monitor() -> None:
    _ask_kernel()
    file = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_watch, args=(file,), name="lifeline", daemon=True).start()


def _ask_kernel() -> None:
    """Have Linux kill this process when the monitor dies.

    Not with SIGTERM: it is sent once for each thread of the monitor, and a second one means "at once" to the service.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _watch(file: int) -> None:
    """Wait for the end of the file, then for the orderly end, then leave."""
    with contextlib.suppress(OSError):
        while os.read(file, 1):
            pass
    _log.warning("The monitor is gone; the service ends")
    signal.raise_signal(signal.SIGTERM)
    sleep(LEAVE_WITHIN)
    os._exit(1)
