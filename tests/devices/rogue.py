"""A driver that does what no driver should: each device name is a way to misbehave. Runs in a real worker process.

Where it stays for ever or until it is cancelled, it first makes the file that ROGUE_STAYS names, if it does; and one
that lingers when it has come to rest.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from threading import Event

from dwtsvc.devices.driver import Frame, PageEnd, PageStart, Strip, UserTurn
from dwtsvc.errors import Cancelled, FeederEmpty, NoScanner, PaperJam
from dwtsvc.model import Capabilities, Device, Mode, Range, Raster, ScanRequest, Source, SourceCapabilities

WIDTH, HEIGHT, PAGES = 100, 40, 6
RASTER = Raster(width=WIDTH, height=HEIGHT, channels=1, depth=8, bytes_per_line=WIDTH, dpi=100.0)


def driver() -> RogueDriver:
    return RogueDriver()


def rows_of(page: int) -> bytes:
    """The pixels of a page, all different."""
    return bytes((page * 31 + row) % 251 for row in range(HEIGHT) for _ in range(WIDTH))


class RogueDriver:
    def devices(self, timeout: float) -> Iterator[Device]:
        yield Device(id="rogue:good", vendor="dwtsvc", model="Rogue")
        if os.environ.get("ROGUE_LIST") == "hang":
            time.sleep(1000)
        while os.environ.get("ROGUE_LIST") == "endless":
            time.sleep(0.1)
            yield Device(id="rogue:good", vendor="dwtsvc", model="Rogue")
        if os.environ.get("ROGUE_LIST") == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)

    @contextlib.contextmanager
    def open(self, name: str) -> Generator[RogueSource, None, None]:
        if name == "missing":
            raise NoScanner("There is no scanner 'rogue:missing'", why="because", hint="Look elsewhere.")
        if name == "open-bug":
            raise RuntimeError("a fault")
        yield RogueSource(name)
        if name == "lingers":
            time.sleep(2)
            _stays()


class RogueSource:
    """Six pages, and something happens in the third."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = PAGES

    def capabilities(self) -> Capabilities:
        feeder = SourceCapabilities(
            source=Source.FEEDER,
            name="ADF",
            modes=(Mode.GRAY,),
            resolutions=Range(minimum=50.0, maximum=600.0),
            max_width=216.0,
            max_height=356.0,
        )
        return Capabilities(device=f"rogue:{self._name}", sources=(feeder,))

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        if self._left == 0:
            self._left = PAGES
            raise FeederEmpty("The feeder is empty", why="status 7")
        if self._name == "window":
            yield UserTurn()
            time.sleep(float(os.environ["ROGUE_WINDOW"]))
        first = self._left
        for number in range(PAGES - self._left + 1, PAGES + 1):
            if request.pages is not None and first - self._left >= request.pages:
                return
            yield from self._page(number, cancelled)
            if number == 3 and self._name == "no-end":
                return
            self._left -= 1

    def _page(self, number: int, cancelled: Event) -> Generator[Frame, None, None]:
        yield PageStart(raster=RASTER, back=number % 2 == 0 and self._name == "duplex")
        rows = rows_of(number)
        yield Strip(rows[: len(rows) // 2])
        if number == 3:
            self._misbehave(cancelled)
        if number == 3 and self._name == "short":
            yield PageEnd()
            return
        if number == 3 and self._name == "no-end":
            return
        yield Strip(rows[len(rows) // 2 :])
        if number == 3 and self._name == "long":
            yield Strip(rows)
        yield PageEnd()

    def _misbehave(self, cancelled: Event) -> None:
        match self._name:
            case "segv":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "hang":
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
                _stays()
                time.sleep(1000)
            case "slow":
                _stays()
                while not cancelled.wait(0.05):
                    pass
                raise Cancelled("The scan was cancelled")
            case "jam":
                raise PaperJam("Paper jam", why="status 6", hint="Clear it.")
            case "bug":
                raise ZeroDivisionError("division by zero")
            case "print":
                print("hello from the driver", flush=True)
                os.write(1, b"and past Python\n")
            case "last-words":
                print("Assertion failed: paper != NULL", file=sys.stderr, flush=True)
                os.abort()


def _stays() -> None:
    if file := os.environ.get("ROGUE_STAYS"):
        Path(file).touch()


class Wire:
    """Workers that are no workers: they speak nonsense on the wire. `python rogue.py WORD` runs one."""

    WORDS = {
        "garbage": b"\x00\xff garbage\n",
        "no-say": b'{"hello": 1}\n',
        "endless": b"x" * (2 << 20),
        "array": b"[1, 2]\n",
        "page-that-is-not": b'{"say":"ready"}\n{"say":"page","raster":{"width":1,"height":1,"channels":1,"depth":8,'
        b'"bytes_per_line":1,"dpi":1.0},"back":false,"encoding":"raw"}\n'
        b'{"say":"page_end","slot":"slot-1","raster":{"width":1,"height":1,"channels":1,"depth":8,'
        b'"bytes_per_line":1,"dpi":1.0},"size":1}\n',
        "outside": b'{"say":"ready"}\n{"say":"page","raster":{"width":1,"height":1,"channels":1,"depth":8,'
        b'"bytes_per_line":1,"dpi":1.0},"back":false,"encoding":"raw"}\n'
        b'{"say":"page_end","slot":"../secret","raster":{"width":1,"height":1,"channels":1,"depth":8,'
        b'"bytes_per_line":1,"dpi":1.0},"size":1}\n',
        "wrong-record": b'{"say":"ready"}\n{"say":"resolved","request":{"device":7}}\n',
    }


if __name__ == "__main__":
    os.write(1, Wire.WORDS[sys.argv[1]])
    time.sleep(5)
