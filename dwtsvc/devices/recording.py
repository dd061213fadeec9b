"""A driver that notes in a case whatever the driver behind it does; the worker that records puts it in between."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from threading import Event
from time import monotonic

from dwtsvc.devices.cases import CaseWriter
from dwtsvc.devices.driver import Driver, Frame, PageEnd, PageStart, ScanSource, Strip
from dwtsvc.errors import DriverError, DwtsvcError
from dwtsvc.model import Capabilities, Device, ScanRequest


class Recording:
    """`Driver` for `Driver`: the same devices, errors and frames, and a note of each."""

    def __init__(self, driver: Driver, case: CaseWriter) -> None:
        self._driver, self._case = driver, case

    def devices(self, timeout: float) -> Iterator[Device]:
        yield from self._driver.devices(timeout)

    @contextmanager
    def open(self, name: str) -> Generator[ScanSource, None, None]:
        self._case.note("opening", name=name)
        with self._opened(name) as (source, capabilities, after):
            self._case.note("opened", after=after, capabilities=capabilities)
            yield RecordingSource(source, self._case)

    @contextmanager
    def _opened(self, name: str) -> Generator[tuple[ScanSource, Capabilities, float], None, None]:
        """The open device with what it can do; an error of opening is noted, one of whoever scans is not."""
        clock = _Clock()
        with _noting(self._case, clock):
            opening: AbstractContextManager[ScanSource] = self._driver.open(name)
            source = opening.__enter__()
        try:
            with _noting(self._case, clock):
                capabilities = source.capabilities()
            yield source, capabilities, clock()
        finally:
            opening.__exit__(None, None, None)


class RecordingSource:
    def __init__(self, source: ScanSource, case: CaseWriter) -> None:
        self._source, self._case = source, case

    def capabilities(self) -> Capabilities:
        return self._source.capabilities()

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        self._case.note("scan", request=request)
        clock = _Clock()
        with closing(self._source.scan(request, cancelled)) as frames:
            try:
                while (frame := self._next(frames, clock)) is not None:
                    self._note(frame, clock())
                    yield frame
                    clock.start()
            except GeneratorExit:
                self._case.note("left")
                raise
        self._case.note("done", after=clock())

    def _next(self, frames: Iterator[Frame], clock: _Clock) -> Frame | None:
        with _noting(self._case, clock):
            return next(frames, None)

    def _note(self, frame: Frame, after: float) -> None:
        if isinstance(frame, Strip):
            self._case.rows(frame.data, after)
        elif isinstance(frame, PageStart):
            self._case.note("page", after=after, raster=frame.raster, back=frame.back, encoding=frame.encoding)
        elif isinstance(frame, PageEnd):
            self._case.note("page_end", after=after)


class _Clock:
    """Seconds that the driver took; the time that whoever scans takes between two frames does not count."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._since = monotonic()

    def __call__(self) -> float:
        return round(monotonic() - self._since, 6)


@contextmanager
def _noting(case: CaseWriter, clock: _Clock) -> Iterator[None]:
    try:
        yield
    except DwtsvcError as error:
        _note_failure(case, error, clock())
        raise
    except Exception as error:
        fault = DriverError("The driver has a fault of its own", why=f"{type(error).__name__}: {error}")
        _note_failure(case, fault, clock())
        raise


def _note_failure(case: CaseWriter, error: DwtsvcError, after: float) -> None:
    case.note("failed", after=after, word=error.word, what=error.what, why=error.why, hint=error.hint)
