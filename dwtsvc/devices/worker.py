"""The device worker: `python -m dwtsvc.devices.worker MODULE`. One driver, one open device, one blocking main thread.

It speaks wire.py on its standard input and output. Rows of a page go into a slot file in a folder the parent names;
the parent takes a finished slot away or gives it back. With all slots out the worker waits, which bounds memory and
disk whatever the number of pages. When the parent goes away, so does the worker.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any, BinaryIO

from dwtsvc.devices import wire
from dwtsvc.devices.driver import Driver, Frame, PageEnd, PageStart, ScanSource, Sensing, Strip, UserTurn, Watching
from dwtsvc.devices.quirks import treated
from dwtsvc.disk import NO_ROOM, open_file
from dwtsvc.errors import BadArguments, Cancelled, DiskFull, DriverError, DwtsvcError, IncompletePage, MissingDependency
from dwtsvc.model import Encoding, Raster, ScanRequest
from dwtsvc.records import unpack

ROWS_EVERY = 0.05  # seconds between two progress messages
LEAVE_WITHIN = 4.0  # seconds a driver gets to notice that the parent is gone, and its scanner to come to rest


class Inbox:
    """The parent's messages, read by a thread so that `cancel` and the parent's end overtake a blocking driver."""

    def __init__(self, stream: BinaryIO, when_closed: Callable[[], object] = lambda: None) -> None:
        self.cancelled = threading.Event()
        self._messages: queue.Queue[wire.Message | None] = queue.Queue()
        self._stream, self._when_closed = stream, when_closed
        threading.Thread(target=self._read, daemon=True, name="inbox").start()

    def _read(self) -> None:
        try:
            while (message := wire.read(self._stream)) is not None:
                self._note(message)
                self._messages.put(message)
        except (wire.BadMessage, OSError, ValueError):
            pass  # a parent that talks nonsense is as good as gone
        self.cancelled.set()
        self._messages.put(None)
        self._when_closed()

    def _note(self, message: wire.Message) -> None:
        # Here and not where the scan is run, so that a cancel right behind its scan is never forgotten.
        if message.get("do") == "scan":
            self.cancelled.clear()
        elif message.get("do") == "cancel":
            self.cancelled.set()

    def next(self) -> wire.Message | None:
        """The next message; None when the parent is gone."""
        return self._messages.get()


class Slots:
    """The files that pages are written to, at most `limit` of them with the parent at a time."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self._limit = folder, limit
        self._free: list[str] = []
        self._lent = 0
        self._made = 0

    def take(self) -> str | None:
        """The name of a slot, or None when all are with the parent."""
        if not self._free and self._lent >= self._limit:
            return None
        self._lent += 1
        if self._free:
            return self._free.pop()
        self._made += 1
        return f"slot-{self._made}"

    def give_back(self, slot: str, kept: bool) -> None:
        """The parent is done with a slot; `kept` means that it took the file away."""
        self._lent -= 1
        if not kept:
            self._free.append(slot)


class PageFile:
    """One page on its way into a slot file; checks that what was announced is what came."""

    def __init__(self, path: Path, start: PageStart, max_bytes: int) -> None:
        self.start = start
        self.size = 0
        self._max = max_bytes
        self._announced = _announced(start, max_bytes)
        # A slot that comes back keeps its old bytes until they are overwritten: its pages in the page cache are
        # already there, which makes a reused slot 1.7 times as fast as a new file.
        self._file = open_file(path, os.O_WRONLY | os.O_CREAT)

    def write(self, data: memoryview | bytes) -> None:
        self.size += len(data)
        if self.size > (self._announced or self._max):
            raise DriverError(
                "The driver sent more than it announced", why=f"over {self._announced or self._max} bytes"
            )
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def finish(self) -> Raster:
        """The raster with its height known. Raises IncompletePage when rows are missing."""
        os.ftruncate(self._file, self.size)
        raster = self.start.raster
        if self.start.encoding is not Encoding.RAW:
            return raster
        rows, rest = divmod(self.size, raster.bytes_per_line)
        if rest or rows == 0 or (raster.height is not None and rows != raster.height):
            raise IncompletePage(
                "The page ended early",
                why=f"{rows} of {raster.height if raster.height is not None else 'an unknown number of'} rows came",
                hint="Check the paper and the cable, then scan the page again.",
            )
        return replace(raster, height=rows)

    @property
    def rows(self) -> int:
        return self.size // self.start.raster.bytes_per_line

    def __enter__(self) -> PageFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def _announced(start: PageStart, max_bytes: int) -> int | None:
    """The bytes a raw page will have, if known. Raises DriverError for a raster that cannot be."""
    raster = start.raster
    least = (raster.width * raster.channels * raster.depth + 7) // 8
    possible = (raster.channels, raster.depth) in {(1, 1), (1, 8), (1, 16), (3, 8), (3, 16)}
    if not possible or raster.width <= 0 or raster.bytes_per_line < least or (raster.height or 1) <= 0:
        raise DriverError("The driver announced an impossible page", why=str(raster))
    if start.encoding is not Encoding.RAW or raster.height is None:
        return None
    size = raster.height * raster.bytes_per_line
    if size > max_bytes:
        raise DriverError(
            f"The page is larger than allowed: {size} bytes",
            hint="Scan a smaller area or at a lower resolution, or raise the setting max_page_bytes.",
        )
    return size


class Session:
    """Answers the parent's messages, one after another, until it goes away."""

    def __init__(self, driver: Driver, inbox: Inbox, outbox: BinaryIO) -> None:
        self._driver, self._inbox, self._outbox = driver, inbox, outbox
        self._opened: AbstractContextManager[ScanSource] | None = None
        self._source: ScanSource | None = None
        # As long-lived as its folder: the parent may still hold slots of an earlier scan.
        self._slots: Slots | None = None

    def run(self) -> None:
        self._say("ready")
        while (message := self._inbox.next()) is not None:
            if message.get("do") == "release":
                self._release(message)
            elif message.get("do") != "cancel":  # a cancel that comes here is late, not wrong
                self._answer(message)
        self.close()

    def _answer(self, message: wire.Message) -> None:
        try:
            self._perform(message)
            self._say("done")
        except BrokenPipeError:
            raise
        except DwtsvcError as error:
            _fail(self._outbox, error)
        except Exception as error:  # a driver's own bug must reach the parent as words, not as a traceback
            fault = DriverError("The driver has a fault of its own", why=f"{type(error).__name__}: {error}")
            _fail(self._outbox, fault)

    def _say(self, say: str, /, **values: Any) -> None:
        wire.write(self._outbox, say=say, **values)

    def _perform(self, message: wire.Message) -> None:
        match message.get("do"):
            case "list":
                for device in self._driver.devices(message["timeout"]):
                    self._say("device", device=device)
            case "watch":
                if isinstance(self._driver, Watching):
                    for _ in self._driver.watch(self._inbox.cancelled):
                        self._say("changed")
            case "sense":
                self._sense(message["name"])
            case "record":
                self._record(message)
            case "open":
                self._open(message["name"])
            case "scan":
                self._scan(message)

    def _sense(self, name: str) -> None:
        if not isinstance(self._driver, Sensing):
            raise BadArguments("The driver of this device tells nothing of buttons")
        self._say("sensors", sensors=self._driver.sensors(name))

    def _record(self, message: wire.Message) -> None:
        from dwtsvc.devices.cases import CaseWriter  # here: most workers record nothing
        from dwtsvc.devices.recording import Recording

        writer = CaseWriter(Path(message["path"]), message["driver"], masked=message["masked"])
        self._driver = Recording(self._driver, writer)

    def _open(self, name: str) -> None:
        self.close()
        opening = self._driver.open(name)
        source = opening.__enter__()
        self._opened = opening
        self._source = treated(source)
        self._say("capabilities", capabilities=self._source.capabilities())

    def close(self) -> None:
        if self._opened is not None:
            opened, self._opened, self._source = self._opened, None, None
            opened.__exit__(None, None, None)

    def _scan(self, message: wire.Message) -> None:
        if self._source is None:
            raise BadArguments("No device is open")
        request = self._source.capabilities().resolve(unpack(ScanRequest, message["request"]))
        self._say("resolved", request=request)
        folder = Path(message["folder"])
        if self._slots is None or self._slots.folder != folder:
            self._slots = Slots(folder, message["slots"])
        # Closing the generator is what leaves the device idle on every way out.
        with contextlib.closing(self._source.scan(request, self._inbox.cancelled)) as frames:
            for frame in frames:
                if isinstance(frame, UserTurn):
                    self._say("waiting")
                    continue
                assert isinstance(frame, PageStart), "a driver yields PageStart, Strip..., PageEnd"
                self._page(frame, frames, message["max_bytes"])
                if self._inbox.cancelled.is_set():
                    raise Cancelled("The scan was cancelled")

    def _page(self, start: PageStart, frames: Iterator[Frame], max_bytes: int) -> None:
        self._say("page", raster=start.raster, back=start.back, encoding=start.encoding)
        folder, slot = self._slot()
        try:
            with PageFile(folder / slot, start, max_bytes) as page:
                self._receive(page, frames)
                raster = page.finish()
        except OSError as error:
            if error.errno in NO_ROOM:
                raise DiskFull("No room for the next page", why=os.strerror(error.errno)) from error
            raise
        self._say("page_end", slot=slot, raster=raster, size=page.size)

    def _slot(self) -> tuple[Path, str]:
        """A free slot, waiting for the parent to give one back if need be. Raises Cancelled."""
        assert self._slots is not None
        while (slot := self._slots.take()) is None:
            self._say("waiting")
            message = self._inbox.next()
            if message is None or message.get("do") == "cancel":
                raise Cancelled("The scan was cancelled")
            self._release(message)
        return self._slots.folder, slot

    def _release(self, message: wire.Message) -> None:
        if self._slots is not None:
            self._slots.give_back(message["slot"], message["kept"])

    def _receive(self, page: PageFile, frames: Iterator[Frame]) -> None:
        told = monotonic()
        for frame in frames:
            if isinstance(frame, PageEnd):
                return
            assert isinstance(frame, Strip), "a driver yields PageStart, Strip..., PageEnd"
            page.write(frame.data)
            if monotonic() - told >= ROWS_EVERY:
                told = monotonic()
                self._say("rows", rows=page.rows)
        raise IncompletePage("The page ended early", why="the driver stopped in the middle of it")


def _fail(outbox: BinaryIO, error: DwtsvcError) -> None:
    wire.write(outbox, say="failed", word=error.word, what=error.what, why=error.why, hint=error.hint)


def load(module: str) -> Driver:
    """Import a driver module by its dotted name and make its driver. Raises MissingDependency."""
    try:
        driver: Driver = importlib.import_module(module).driver()
    except ImportError as error:
        raise MissingDependency(f"The driver {module.rpartition('.')[2]} cannot be loaded", why=str(error)) from error
    return driver


def serve(module: str, inbox: Inbox, outbox: BinaryIO) -> None:
    """Run one worker until its inbox ends."""
    try:
        driver = load(module)
    except DwtsvcError as error:
        _fail(outbox, error)
        return
    Session(driver, inbox, outbox).run()


def _leave() -> None:
    """End the process soon after the parent is gone, even when the driver hangs in C."""
    sleep(LEAVE_WITHIN)
    os._exit(0)


def main() -> None:
    # Ctrl-C in a terminal reaches every process of the group: only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    # Backends print to standard output: the wire gets a descriptor of its own, and what is printed goes to stderr.
    stdin, stdout = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):  # the parent is gone: nobody is left to tell
        serve(sys.argv[1], Inbox(stdin, _leave), stdout)
    # Not sys.exit: some SANE backends crash in their exit handlers, and every device is closed already.
    os._exit(0)


if __name__ == "__main__":
    main()
