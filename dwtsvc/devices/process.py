"""The parent's side of a device worker: start it, hear it, and end it when it crashes, hangs or lies.

with DeviceProcess("dwtsvc.devices.sane", timeout=120) as worker:
    worker.open("test:0")
    for event in worker.scan(request, folder):
        if isinstance(event, PageReady):
            ...
            worker.release(event.slot, kept=False)
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Protocol, TypeVar

from dwtsvc.devices import wire
from dwtsvc.devices.cases import RecordTo, append_end
from dwtsvc.devices.interpreters import command
from dwtsvc.errors import Cancelled, DeviceLost, DeviceTimeout, DriverError, DwtsvcError, by_word
from dwtsvc.model import Capabilities, Device, Encoding, Raster, ScanRequest
from dwtsvc.records import BadRecord, unpack

START_WITHIN = 20.0  # seconds to import a driver, even on a machine that is busy
REST_WITHIN = 5.0  # seconds for a scanner to come to rest: its lamp goes home, and this machine may be busy
CLOSE_WITHIN = 1.0
LAST_WORDS_WITHIN = 0.2
SLOTS = 4  # one being read into, two being encoded on two cores, one in hand
MAX_PAGE_BYTES = 2 << 30
FOR_EVER = threading.TIMEOUT_MAX

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Resolved:
    """The scan begins, with what the device makes of the request."""

    request: ScanRequest


@dataclass(frozen=True, slots=True)
class PageStarted:
    raster: Raster
    back: bool


@dataclass(frozen=True, slots=True)
class RowsRead:
    rows: int


@dataclass(frozen=True, slots=True)
class PageReady:
    """A whole page lies in `path`. Answer with `release(slot, kept)`."""

    slot: str
    path: Path
    raster: Raster
    back: bool
    encoding: Encoding
    size: int


Event = Resolved | PageStarted | RowsRead | PageReady


class Child(Protocol):
    """A running worker, in a process of its own or (for tests) in a thread."""

    to_worker: BinaryIO
    from_worker: BinaryIO

    def kill(self) -> None: ...

    def wait(self, timeout: float | None) -> int | None:
        """The exit status, negative for a signal; None if it still runs."""

    def last_words(self) -> str:
        """The last lines it printed on standard error."""


class ProcessChild:
    def __init__(self, module: str) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            command(module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # so that processes a backend forks can be killed with it
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self.to_worker: BinaryIO = self._process.stdin  # type: ignore[assignment]
        self.from_worker: BinaryIO = self._process.stdout  # type: ignore[assignment]
        self._words: deque[bytes] = deque(maxlen=20)
        self._fatal = False
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()

    def _listen(self, stderr: BinaryIO) -> None:
        with contextlib.suppress(ValueError, OSError):
            while line := stderr.readline(1000):
                # What follows is Python's view of its own crash; the driver's last word came before.
                self._fatal = self._fatal or line.startswith(b"Fatal Python error")
                if not self._fatal and line.strip():
                    self._words.append(line)

    def kill(self) -> None:
        # SIGTERM is not enough: a hung backend catches or ignores it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def wait(self, timeout: float | None) -> int | None:
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def last_words(self) -> str:
        self._listener.join(0.1)
        return b"".join(self._words).decode(errors="replace").strip()


class ThreadChild:
    """The same worker on a thread of this process: no isolation, but a debugger and coverage see it."""

    def __init__(self, module: str) -> None:
        from dwtsvc.devices import worker

        read_end, write_end = os.pipe()
        self.to_worker: BinaryIO = os.fdopen(write_end, "wb")
        inbox = worker.Inbox(os.fdopen(read_end, "rb"))
        read_end, write_end = os.pipe()
        self.from_worker: BinaryIO = os.fdopen(read_end, "rb")
        self._outbox = os.fdopen(write_end, "wb")
        self._thread = threading.Thread(target=self._run, args=(module, inbox), daemon=True)
        self._thread.start()

    def _run(self, module: str, inbox: object) -> None:
        from dwtsvc.devices import worker

        with contextlib.suppress(BrokenPipeError), self._outbox:
            worker.serve(module, inbox, self._outbox)  # type: ignore[arg-type]

    def kill(self) -> None:
        """A thread cannot be killed; its pipe is closed by `DeviceProcess` and it ends by itself."""

    def wait(self, timeout: float | None) -> int | None:
        self._thread.join(timeout)
        return None if self._thread.is_alive() else 0

    def last_words(self) -> str:
        return ""


class DeviceProcess:
    """One worker with one driver. Methods raise the driver's typed errors, DeviceLost or DeviceTimeout.

    `timeout` is the longest silence, in seconds, before the worker counts as hung. A worker that failed that way is
    dead and every later call raises DeviceLost. All methods belong to one thread, but for `cancel` and `release`.
    """

    def __init__(self, child: Child, *, timeout: float, cancel_grace: float = 5.0) -> None:
        self._child = child
        self.timeout = timeout
        self._grace = cancel_grace
        self._cancel_by: float | None = None
        self._inbox: queue.Queue[wire.Message | Exception | None] = queue.Queue()
        self._sending = threading.Lock()
        self._dead: DriverError | None = None
        self._ready = False
        self._case: Path | None = None
        self._hearing = threading.Thread(target=self._hear, daemon=True, name="device-process")
        self._hearing.start()
        threading.Thread(target=self._mourn, daemon=True, name="device-process-end").start()

    def __enter__(self) -> DeviceProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def devices(self, timeout: float) -> Iterator[Device]:
        """List the driver's devices as they are found."""
        for message in self._ask({"do": "list", "timeout": timeout}, timeout):
            if message["say"] == "device":
                yield self._unpack(Device, message.get("device"))

    def changes(self) -> Iterator[None]:
        """Yield whenever the driver may list other devices than before; ends when `cancel` or `close` is called, or
        at once for a driver that does not notice."""
        for message in self._ask({"do": "watch"}, FOR_EVER):
            if message["say"] == "changed":
                yield

    def sensors(self, name: str) -> dict[str, str]:
        """What the buttons and sensors of a device show; it is closed again. Raises BadArguments for a driver that
        has none, and as `open` does."""
        found: dict[str, str] = {}
        for message in self._ask({"do": "sense", "name": name}):
            if message["say"] == "sensors":
                found = self._unpack(dict[str, str], message.get("sensors"))
        return found

    def record(self, to: RecordTo, driver: str) -> None:
        """Have all that the driver does from now on noted in a case, and here how its worker was lost."""
        path = to.path.absolute()
        for _ in self._ask({"do": "record", "path": str(path), "driver": driver, "masked": to.masked}):
            pass
        self._case = path

    def open(self, name: str) -> Capabilities:
        """Open a device by its name without the driver, and tell what it can do."""
        found = None
        for message in self._ask({"do": "open", "name": name}):
            if message["say"] == "capabilities":
                found = self._unpack(Capabilities, message.get("capabilities"))
        if found is None:
            raise self._lied("it opened a device and did not describe it")
        return found

    def scan(
        self, request: ScanRequest, folder: Path, *, slots: int = SLOTS, max_bytes: int = MAX_PAGE_BYTES
    ) -> Iterator[Event]:
        """Scan into files in `folder`. Pages yielded before an error are whole."""
        started: PageStarted | None = None
        order = {"do": "scan", "request": request, "folder": str(folder), "slots": slots, "max_bytes": max_bytes}
        for message in self._ask(order):
            match message["say"]:
                case "resolved":
                    yield Resolved(self._unpack(ScanRequest, message.get("request")))
                case "page":
                    started = PageStarted(self._unpack(Raster, message.get("raster")), bool(message.get("back")))
                    encoding = self._unpack(Encoding, message.get("encoding"))
                    yield started
                case "rows":
                    yield RowsRead(self._unpack(int, message.get("rows")))
                case "page_end" if started is not None:
                    yield self._page_ready(message, folder, started, encoding)

    def release(self, slot: str, *, kept: bool) -> None:
        """Give a slot back; `kept` means that its file was moved away. From any thread."""
        self._send(do="release", slot=slot, kept=kept)

    def cancel(self) -> None:
        """End the running scan; a worker that does not react within the grace time is killed. From any thread."""
        self._cancel_by = monotonic() + self._grace
        self._send(do="cancel")
        self._inbox.put({"say": "cancelling"})  # wakes the thread that waits with the longer deadline

    def forget_cancel(self) -> None:
        """A new job begins: a cancel that came too late for the last one does not count."""
        self._cancel_by = None

    @property
    def dead(self) -> bool:
        """It crashed, hung or lied, and is of no more use."""
        return self._dead is not None

    def close(self) -> None:
        """End the worker: kindly, then by force."""
        with contextlib.suppress(OSError, ValueError):
            self._child.to_worker.close()
        if self._child.wait(REST_WITHIN) is None or self._dead:
            self._child.kill()
            self._child.wait(CLOSE_WITHIN)

    def _hear(self) -> None:
        try:
            while (message := wire.read(self._child.from_worker)) is not None:
                self._inbox.put(message)
            self._inbox.put(None)
        except (wire.BadMessage, OSError, ValueError) as error:
            self._inbox.put(error)

    def _mourn(self) -> None:
        """Tell the death of a worker whose pipe stays open, because a process that its backend forked holds it."""
        self._child.wait(None)
        self._hearing.join(LAST_WORDS_WITHIN)  # what it said before it died comes first
        self._inbox.put(None)

    def _send(self, **message: object) -> None:
        with self._sending, contextlib.suppress(BrokenPipeError, ValueError):  # its death is told where it is heard
            wire.write(self._child.to_worker, **message)

    def _ask(self, message: wire.Message, silence: float | None = None) -> Iterator[wire.Message]:
        """Send a message and yield the answers up to `done`. Raises what `failed` says."""
        if self._dead:
            raise self._dead
        if not self._ready:
            self._await_ready()
        self._send(**message)
        limit: float | None = silence or self.timeout
        while True:
            answer = self._next(limit)
            # While every slot is with us, its silence is our doing.
            limit = None if answer["say"] == "waiting" else silence or self.timeout
            if answer["say"] == "done":
                return
            if answer["say"] == "failed":
                raise self._reported(answer)
            yield answer

    def _await_ready(self) -> None:
        answer = self._next(START_WITHIN)
        if answer["say"] == "failed":
            raise self._reported(answer)
        self._ready = True

    def _next(self, timeout: float | None) -> wire.Message:
        if self._cancel_by is not None:
            timeout = max(0.0, self._cancel_by - monotonic())
        try:
            answer = self._inbox.get(timeout=timeout)
        except queue.Empty:
            raise self._hung(timeout) from None
        if answer is None:
            raise self._crashed()
        if isinstance(answer, Exception) or not isinstance(answer.get("say"), str):
            raise self._lied(str(answer))
        return answer

    def _hung(self, timeout: float | None) -> DriverError | Cancelled:
        lost = self._bury(
            DeviceTimeout(
                f"The scanner did not answer within {timeout:g} s",
                hint="Check that it is on and connected; a slow scanner needs a larger setting scanner_timeout.",
            ),
            silence=timeout,
        )
        if self._cancel_by is not None:
            return Cancelled("The scan was cancelled", why="the driver did not react and was ended")
        return lost

    def _crashed(self) -> DriverError:
        status = self._child.wait(CLOSE_WITHIN)
        if status is not None and status < 0:
            how = f"it was ended by {signal.Signals(-status).name}"
        else:  # what Windows ends a process for has eight digits, of which people know the hexadecimal ones
            how = f"it left with status {status if status is None or status < 1 << 16 else hex(status)}"
        words = self._child.last_words()
        why = f"{how}; its last words: {words.splitlines()[-1]}" if words else how
        hint = "Scan again: a new driver process is started. If it happens again, report it to the driver's authors."
        return self._bury(DeviceLost("The scanner's driver crashed", why=why, hint=hint), status=status, words=words)

    def _lied(self, what: str) -> DriverError:
        hint = "This is a fault of the driver; report it to its authors."
        return self._bury(DeviceLost("The scanner's driver broke the protocol", why=what[:200], hint=hint))

    def _bury(self, error: DriverError, **how: float | str | None) -> DriverError:
        self._dead = error
        self._child.kill()
        if self._case and how:
            self._child.wait(CLOSE_WITHIN)  # so that two do not write at once
            with contextlib.suppress(DwtsvcError):  # how the scan ended is said; that it could not be noted is less
                append_end(self._case, **how)
        return error

    def _reported(self, answer: wire.Message) -> Exception:
        what, why, hint = (str(answer.get(part, "")) for part in ("what", "why", "hint"))
        return by_word(str(answer.get("word")))(what, why=why, hint=hint)

    def _unpack(self, kind: type[T], value: object) -> T:
        try:
            return unpack(kind, value)
        except BadRecord as error:
            raise self._lied(str(error)) from error

    def _page_ready(self, message: wire.Message, folder: Path, started: PageStarted, encoding: Encoding) -> PageReady:
        slot, size = self._unpack(str, message.get("slot")), self._unpack(int, message.get("size"))
        raster = self._unpack(Raster, message.get("raster"))
        path = folder / slot
        # The worker is not believed: a driver may have been taken over, or may simply be wrong.
        if os.sep in slot or not path.is_file() or path.stat().st_size != size:
            raise self._lied(f"a page of {size} bytes that is not there")
        if encoding is Encoding.RAW and size != (raster.height or 0) * raster.bytes_per_line:
            raise self._lied(f"a page of {raster.height} rows in {size} bytes")
        return PageReady(slot, path, raster, started.back, encoding, size)
