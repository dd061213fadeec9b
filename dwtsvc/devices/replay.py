"""Recorded scanners: what another scanner did, at another place, played from its case.

    replay:case.dwt              as fast as it goes
    replay:case.dwt?speed=1      as fast as it was; speed=10: ten times as fast

A scan that was recorded with the options that are asked for is played; what nobody asked for is as it was recorded.
Errors are raised where they were raised, a crash is a crash and a hang is a hang. The case may be anybody's: what it
holds goes through the same checks as what a driver says, and cases.py reads it within limits.
"""

from __future__ import annotations

import io
import math
import os
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from threading import Event
from typing import TypeVar
from urllib.parse import parse_qsl

from dwtsvc.devices.cases import MASKED, SUFFIX, Case, Record
from dwtsvc.devices.driver import Driver, Frame, PageEnd, PageStart, ScanSource, Strip
from dwtsvc.errors import (
    BadArguments,
    BadInput,
    Cancelled,
    DriverError,
    DwtsvcError,
    MissingDependency,
    by_word,
)
from dwtsvc.model import Capabilities, Device, Encoding, Mode, Raster, ScanRequest, Source
from dwtsvc.paths import Paths
from dwtsvc.records import BadRecord, unpack

FASTEST = 0.0
LONGEST_PAUSE = 3600.0  # seconds
MOST_SCANS, MOST_PAGES = 10_000, 100_000
MOST_WIDE, MOST_PIXELS = 1_000_000, 200_000_000
ENDS = frozenset({"done", "left", "failed", "lost", "full"})
DEADLY = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, getattr(signal, "SIGBUS", 7)})
_PASSED_ON = (DriverError, BadArguments, BadInput, MissingDependency)  # errors that drivers raise

T = TypeVar("T")


def driver() -> Driver:
    return ReplayDriver(Paths.from_environment(os.environ).cases)


class ReplayDriver:
    """Cases in `folder` are listed, and opened by their names alone; any other one is opened by its path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def devices(self, timeout: float) -> Iterator[Device]:
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                with Recorded(path) as recorded:
                    about = recorded.capabilities
            except DwtsvcError:  # `open` says what is wrong with it
                continue
            yield Device(
                id=f"replay:{path.name}",
                vendor=about.vendor,
                model=about.model or path.stem,
                kind="recording",
                virtual=True,
            )

    @contextmanager
    def open(self, name: str) -> Generator[ScanSource, None, None]:
        place, _, query = name.partition("?")
        pace = Pace(_speed(query))
        with Recorded(self._find(place)) as recorded:
            for record in recorded.opening:
                pace.wait(record, Event())
                _happen(record)
            yield ReplaySource(f"replay:{name}", recorded, pace)

    def _find(self, place: str) -> Path:
        listed = self._folder / place
        return listed if Path(place).name == place and not Path(place).exists() and listed.exists() else Path(place)


class Recorded:
    """A case by its scans: what the device could do, what was asked of it, and where the frames are."""

    def __init__(self, path: Path) -> None:
        self.case = Case(path)
        self.opening: list[Record] = []  # an error of opening, with nothing after it
        self.scans: list[tuple[ScanRequest, int]] = []
        self._capabilities: Capabilities | None = None
        try:
            self._read()
        except BaseException:
            self.case.close()
            raise

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *_: object) -> None:
        self.case.close()

    @property
    def capabilities(self) -> Capabilities:
        """What the device could do when it was opened first. Raises BadInput if it never was."""
        if self._capabilities is None:
            raise BadInput(f"The recording {self.case.path.name} ends before the scanner was opened")
        return self._capabilities

    def _read(self) -> None:
        for record, _, end in self.case.records():
            say = record.get("say")
            if say == "opened" and self._capabilities is None:
                self._capabilities = self._unpack(Capabilities, record.get("capabilities"))
            elif say in ENDS and self._capabilities is None:
                self.opening = self.opening or [record]
            elif say == "scan":
                self.scans.append((self._unpack(ScanRequest, record.get("request")), end))
            if len(self.scans) > MOST_SCANS:
                raise BadInput(f"The recording {self.case.path.name} is too long", why=f"over {MOST_SCANS} scans")

    def _unpack(self, kind: type[T], value: object) -> T:
        try:
            return unpack(kind, value)
        except BadRecord as error:
            raise BadInput(f"The recording {self.case.path.name} is damaged", why=str(error)) from error

    def frames(self, place: int) -> Iterator[tuple[Record, Frame | None]]:
        """What happened in the scan that begins at a place, and the frame if it was one; the last is its end."""
        pages = 0
        white = _White()
        for record, body, _ in self.case.records(place):
            match record.get("say"):
                case "page":
                    pages += 1
                    start = self._page_start(record, pages)
                    white = _White(start)
                    yield record, start
                case "rows":
                    data = white.rows(record["bytes"]) if record["as"] == MASKED else self.case.body(record, body)
                    yield record, Strip(data)
                case "page_end":
                    yield record, PageEnd()
                case _:
                    yield record, None
                    return

    def _page_start(self, record: Record, number: int) -> PageStart:
        raster = self._unpack(Raster, record.get("raster"))
        sides = (raster.width, raster.height or 1, raster.bytes_per_line)
        if number > MOST_PAGES or max(sides) > MOST_WIDE or not 1 <= raster.dpi <= MOST_WIDE:
            raise BadInput(f"The recording {self.case.path.name} has an impossible page", why=str(raster))
        encoding = self._unpack(Encoding, record.get("encoding"))
        return PageStart(raster=raster, back=record.get("back") is True, encoding=encoding)


class _White:
    """White paper in place of rows that were left out: as many rows, or one picture for a compressed page."""

    def __init__(self, start: PageStart | None = None) -> None:
        self._start = start
        self._sent = False

    def rows(self, count: int) -> bytes:
        if self._start is None or self._start.encoding is Encoding.RAW:
            return (b"\0" if self._start and self._start.raster.depth == 1 else b"\xff") * count
        sent, self._sent = self._sent, True
        return b"" if sent else self._picture(self._start)

    def _picture(self, start: PageStart) -> bytes:
        from PIL import Image

        raster = start.raster
        if raster.height is None or raster.width * raster.height > MOST_PIXELS:
            raise BadInput("The recording has a page that is too large to be drawn", why=str(raster))
        image = Image.new("RGB" if raster.channels == 3 else "L", (raster.width, raster.height), "white")
        file = io.BytesIO()
        image.save(file, start.encoding, dpi=(raster.dpi, raster.dpi))
        return file.getvalue()


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a case is played: `speed` times as fast as it was, or without any pause."""

    speed: float

    def wait(self, record: Record, cancelled: Event) -> None:
        """Let the time go by that the device took. Raises Cancelled."""
        after = record.get("after")
        seconds = float(after) if isinstance(after, int | float) and self.speed != FASTEST else 0.0
        if cancelled.wait(min(max(seconds / (self.speed or 1.0), 0.0), LONGEST_PAUSE)):
            raise Cancelled("The scan was cancelled")


def _speed(query: str) -> float:
    values = dict(parse_qsl(query, keep_blank_values=True))
    try:
        speed = float(values.pop("speed", FASTEST))
    except ValueError:
        speed = math.nan
    if values or not 0 <= speed <= 1_000_000:
        hint = "speed=1 is as fast as it was recorded, speed=10 ten times as fast; without it there are no pauses."
        raise BadArguments("A recording has one parameter, speed=N", hint=hint)
    return speed


class RecordedCapabilities(Capabilities):
    """What a recorded device could do; a request becomes one that was recorded, where nobody asked otherwise."""

    scans: tuple[ScanRequest, ...] = ()  # no field: it is for this process alone

    def resolve(self, request: ScanRequest) -> ScanRequest:
        """Raises BadArguments with the scans that were recorded, if none is like the request."""
        exact = Capabilities.resolve(self, request)
        for scan in self.scans:
            if _same(scan, exact):
                return exact
        for scan in self.scans:
            if _like(scan, request, exact):
                return replace(scan, device=request.device, pages=request.pages or scan.pages)
        if not self.scans:
            return exact
        known = "; ".join(dict.fromkeys(map(_options, self.scans[:10])))
        raise BadArguments(
            "The recording has no scan with these options",
            why=f"asked for {_options(exact)}, recorded: {known}",
            hint="Leave the options out to play what was recorded, or ask for one of the recorded scans.",
        )


def _same(scan: ScanRequest, asked: ScanRequest) -> bool:
    return replace(scan, device="", pages=None) == replace(asked, device="", pages=None)


def _like(scan: ScanRequest, asked: ScanRequest, resolved: ScanRequest) -> bool:
    """Whether a scan differs from what is asked for in nothing but what nobody asked for."""
    return (
        (asked.source is Source.AUTO or asked.source is scan.source)
        and (asked.mode in (Mode.COLOR, Mode.AUTO) or resolved.mode is scan.mode)  # colour is what is not asked for
        and (asked.resolution is None or asked.resolution == scan.resolution)
        and (asked.area is None or resolved.area == scan.area)
        and (not asked.options or asked.options == scan.options)
    )


def _options(scan: ScanRequest) -> str:
    """A request as options of the command."""
    words = [f"--source {scan.source} --mode {scan.mode} -r {scan.resolution}"]
    if area := scan.area:
        words.append(f"--area {area.left:g},{area.top:g},{area.width:g},{area.height:g}")
    return " ".join([*words, *(f"--option {name}={value}" for name, value in scan.options)])


class ReplaySource:
    """An open recording. Each scan is played once in its turn, and when all alike were played, the first again."""

    def __init__(self, device: str, recorded: Recorded, pace: Pace) -> None:
        self._recorded, self._pace = recorded, pace
        about = recorded.capabilities
        values = {each.name: getattr(about, each.name) for each in fields(Capabilities)}
        # Its old id goes on as its model where it told none: known faults are found by it.
        model = about.model or about.device
        self._capabilities = RecordedCapabilities(**{**values, "device": device, "model": model})
        requests = tuple(request for request, _ in recorded.scans)
        object.__setattr__(self._capabilities, "scans", requests)  # frozen, and no field
        self._played: set[int] = set()

    def capabilities(self) -> Capabilities:
        return self._capabilities

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        place = self._choose(self._capabilities.resolve(request))
        pages = 0
        for record, frame in self._recorded.frames(place):
            self._pace.wait(record, cancelled)
            if frame is None:
                _happen(record)
                return
            yield frame
            pages += isinstance(frame, PageEnd)
            if isinstance(frame, PageEnd) and pages == request.pages:
                return
        raise _ends_here("it was cut off")

    def _choose(self, request: ScanRequest) -> int:
        alike = [index for index, (scan, _) in enumerate(self._recorded.scans) if _same(scan, request)]
        if not alike:
            raise _ends_here("nothing was scanned any more")
        new = [index for index in alike if index not in self._played]
        if not new:
            self._played -= set(alike)
        chosen = (new or alike)[0]
        self._played.add(chosen)
        return self._recorded.scans[chosen][1]


def _ends_here(why: str) -> DriverError:
    return DriverError("The recording ends here", why=why)


def _happen(record: Record) -> None:
    """What ended a scan happens again; nothing where it ended well."""
    match record.get("say"):
        case "failed":
            raise _error(record)
        case "lost":
            _be_lost(record)
        case "left":
            raise _ends_here("whoever scanned did not read on")
        case "full":
            raise _ends_here("it was too large to be recorded")
        case "done":
            return
        case _:
            raise _ends_here("the next call of the driver follows")


def _error(record: Record) -> DwtsvcError:
    what, why, hint = (str(record.get(part) or "") for part in ("what", "why", "hint"))
    kind = by_word(str(record.get("word")))
    if kind is Cancelled:  # nobody did now, or it would have been noticed before
        return _ends_here("the scan was cancelled")
    return (kind if issubclass(kind, _PASSED_ON) else DriverError)(what, why=why, hint=hint)


def _be_lost(record: Record) -> None:
    """End this worker as the recorded one ended, by silence, a signal or its own leaving."""
    status = record.get("status")
    if words := record.get("words"):
        os.write(2, f"{words}\n".encode())
    while status is None:
        time.sleep(3600)
    if isinstance(status, int) and status < 0:
        os.kill(os.getpid(), -status if -status in DEADLY else getattr(signal, "SIGKILL", signal.SIGTERM))
    os._exit(status & 0xFF if isinstance(status, int) else 1)
