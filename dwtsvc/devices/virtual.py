"""The virtual scanner: real documents without hardware, and every mishap a scanner can have, on demand.

    virtual:adf                         feeder, duplex and glass; the feeder holds each document once
    virtual:adf?pages=5&jam=3           five sheets, the third jams half way
    virtual:flatbed?folder=/my%20scans  the user's images, one a scan

Pages have serials that count up from 1 while the device is open. A sheet that jams is put back, as a person would;
a sheet in the machine when the scan is cancelled is ejected and gone, and its serial with it.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Event

from dwtsvc.devices.driver import Driver, Frame, PageEnd, PageStart, ScanSource, Strip
from dwtsvc.devices.originals import (
    Document,
    Jpeg,
    Original,
    Tray,
    own_documents,
    pdf_pages,
    pictures,
)
from dwtsvc.devices.virtual_setup import Setup, parse
from dwtsvc.errors import (
    BadArguments,
    Cancelled,
    CoverOpen,
    DriverError,
    FeederEmpty,
    MultiFeed,
    NoRightToScanner,
    NoScanner,
    PaperJam,
    ScannerBusy,
)
from dwtsvc.model import (
    Capabilities,
    Device,
    DriverOption,
    Encoding,
    Mode,
    Range,
    Raster,
    ScanRequest,
    Source,
    SourceCapabilities,
)

_FEEDER_MM, _GLASS_MM, _WIDTH_MM = 356.0, 297.0, 216.0
_MODELS = {"adf": "Virtual document scanner", "flatbed": "Virtual flatbed scanner"}
_RESOLUTIONS = Range(minimum=50, maximum=1200, step=1)
_USUAL_SKEW, _USUAL_NOISE = 0.6, 0.04
_CHUNK = 64 << 10
REFILL_AFTER = 3.0  # seconds
_OPTIONS = (
    DriverOption(
        name="brightness", title="Brightness", type="fixed", value="0", range=Range(minimum=-100, maximum=100)
    ),
    DriverOption(
        name="threshold",
        title="Lightest gray that is black in lineart",
        type="int",
        value="128",
        range=Range(minimum=0, maximum=255, step=1),
    ),
)
_ERRORS: dict[str, tuple[type[DriverError], str, str]] = {
    "jam": (PaperJam, "The paper is jammed", "Take the sheet out, put it back into the feeder and scan again."),
    "cover": (CoverOpen, "The cover is open", "Close the cover and scan again."),
    "multifeed": (MultiFeed, "Several sheets were fed at once", "Separate the sheets and scan again."),
    "error": (DriverError, "The scanner reports an error", "Scan again."),
}


def _surface(source: Source, name: str, height: float) -> SourceCapabilities:
    return SourceCapabilities(
        source=source,
        name=name,
        modes=(Mode.COLOR, Mode.GRAY, Mode.LINEART),
        resolutions=_RESOLUTIONS,
        max_width=_WIDTH_MM,
        max_height=height,
    )


_FEEDER = _surface(Source.FEEDER, "ADF", _FEEDER_MM)
_DUPLEX = _surface(Source.DUPLEX, "ADF Duplex", _FEEDER_MM)
_GLASS = _surface(Source.FLATBED, "Flatbed", _GLASS_MM)


def driver() -> Driver:
    return VirtualDriver()


class VirtualDriver:
    def devices(self, timeout: float) -> Iterator[Device]:
        for name, model in _MODELS.items():
            yield Device(id=f"virtual:{name}", vendor="dwtsvc", model=model, virtual=True)

    @contextmanager
    def open(self, name: str) -> Generator[ScanSource, None, None]:
        base, _, query = name.partition("?")
        if base not in _MODELS:
            known = ", ".join(f"virtual:{each}" for each in _MODELS)
            raise NoScanner(f"There is no scanner virtual:{base}", hint=f"Choose one of: {known}.")
        setup = parse(query)
        time.sleep(setup.delay_open)
        _refuse(name, setup)
        yield VirtualSource(f"virtual:{name}", setup, has_feeder=base == "adf")


@dataclass(frozen=True, slots=True)
class _Scan:
    """One call of `scan`: its request made possible, its raw options as numbers, its way to be cancelled."""

    request: ScanRequest
    dpi: int
    options: dict[str, float]
    cancelled: Event


@dataclass(frozen=True, slots=True)
class _Page:
    """A page about to be sent; each piece comes with the share of the page that is done after it."""

    start: PageStart
    pieces: Iterator[tuple[float, bytes]]


class VirtualSource:
    def __init__(self, device: str, setup: Setup, *, has_feeder: bool) -> None:
        self._device = device
        self._setup = setup
        self._model = _MODELS["adf" if has_feeder else "flatbed"]
        self._sources = (_FEEDER, _DUPLEX, _GLASS) if has_feeder else (_GLASS,)
        stack = _stack(setup)
        sheets = len(stack) if setup.pages is None else setup.pages
        self._tray = Tray(stack, sheets if has_feeder and not setup.empty else 0)
        self._emptied: float | None = None
        self._serial = 0
        self._happened: set[str] = set()

    def capabilities(self) -> Capabilities:
        return Capabilities(
            device=self._device, sources=self._sources, options=_OPTIONS, vendor="dwtsvc", model=self._model
        )

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        request = self.capabilities().resolve(request)
        assert request.resolution is not None  # resolve() has chosen one
        scan = _Scan(request, request.resolution, _numbers(request.options), cancelled)
        self._put_paper_back()
        source = self._choose(request.source)
        wanted = request.pages or (1 if source is Source.FLATBED else sys.maxsize)
        try:
            for sheet in self._sheets(source):
                yield from self._pass(sheet[:wanted], scan)
                wanted -= len(sheet)
                if wanted <= 0:
                    return
        finally:
            self._emptied = self._emptied if self._tray.loaded else time.monotonic()

    def _put_paper_back(self) -> None:
        """A while after its last sheet the feeder holds the stack again, as if someone had put it back."""
        if self._emptied is not None and time.monotonic() - self._emptied >= REFILL_AFTER:
            self._emptied = None
            self._tray.refill()

    def _choose(self, source: Source) -> Source:
        if source is Source.AUTO:
            return Source.FEEDER if self._tray.loaded else Source.FLATBED
        if source is not Source.FLATBED and not self._tray.loaded:
            raise FeederEmpty("The feeder is empty", why="no documents", hint="Load paper, or scan from the flatbed.")
        return source

    def _sheets(self, source: Source) -> Iterator[tuple[Original, ...]]:
        while source is Source.FLATBED:
            yield (self._tray.lay(),)
        while self._tray.loaded:
            yield self._tray.feed(duplex=source is Source.DUPLEX)

    def _pass(self, sheet: tuple[Original, ...], scan: _Scan) -> Iterator[Frame]:
        first = self._serial
        try:
            for side, original in enumerate(sheet):
                self._serial += 1
                yield from self._read(self._page(original, scan, back=side == 1), scan.cancelled)
        except DriverError:
            self._tray.put_back()
            self._serial = first
            raise

    def _page(self, original: Original, scan: _Scan, *, back: bool) -> _Page:
        as_it_is = scan.request.mode is Mode.COLOR and scan.request.area is None and not scan.options
        jpeg = original.jpeg(scan.dpi) if as_it_is and not self._setup.skew and not self._setup.noise else None
        return _compressed(jpeg, scan.dpi, back) if jpeg else self._raw(original, scan, back)

    def _raw(self, original: Original, scan: _Scan, back: bool) -> _Page:
        from dwtsvc.devices.optics import View, strips

        dice = Random(f"{self._setup.seed} {self._serial}")
        own = isinstance(original, Document)  # the user's pictures lie straight and clean
        skew, noise = self._setup.skew, self._setup.noise
        view = View(
            area=scan.request.area or original.area(),
            dpi=scan.dpi,
            mode=scan.request.mode,
            skew=(dice.uniform(-_USUAL_SKEW, _USUAL_SKEW) if own else 0.0) if skew is None else skew,
            noise=(_USUAL_NOISE if own else 0.0) if noise is None else noise,
            brightness=scan.options.get("brightness", 0.0),
            threshold=round(scan.options.get("threshold", 128)),
            seed=f"{self._setup.seed} {self._serial}",
        )
        raster = Raster(
            width=view.width,
            height=None if self._setup.unknown_height else view.height,
            channels=3 if view.mode is Mode.COLOR else 1,
            depth=1 if view.mode is Mode.LINEART else 8,
            bytes_per_line=view.bytes_per_line,
            dpi=view.dpi,
        )
        sheet = original.sheet(self._serial, scan.dpi)
        return _Page(PageStart(raster=raster, back=back), strips(sheet, view))

    def _read(self, page: _Page, cancelled: Event) -> Iterator[Frame]:
        if self._setup.print:
            os.write(1, b"virtual scanner: the lamp is warm\n")
        yield page.start
        done = 0.0
        for share, data in page.pieces:
            if cancelled.wait(self._setup.slow * (share - done)):
                raise Cancelled("The scan was cancelled")
            done = share
            if share > 0.5 and self._mishap() == "short":
                break
            yield Strip(data)
        yield PageEnd()

    def _mishap(self) -> str:
        """Let happen what the setup has for this page, once: a page that jammed goes through when it is put back."""
        due = [
            name for name, page in self._setup.mishaps.items() if page == self._serial and name not in self._happened
        ]
        self._happened.update(due)
        for name in due:
            if name in _ERRORS:
                error, what, hint = _ERRORS[name]
                raise error(what, why=f"virtual {name} in page {self._serial}", hint=hint)
            if name == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            while name == "hang":
                time.sleep(3600)
        return due[0] if due else ""


def _refuse(name: str, setup: Setup) -> None:
    if setup.busy:
        raise ScannerBusy(f"virtual:{name} is busy", why="virtual busy", hint="Wait until the other program is done.")
    if setup.denied:
        raise NoRightToScanner(f"No right to use virtual:{name}", why="virtual denied", hint="Leave out denied=1.")


def _stack(setup: Setup) -> list[Original]:
    if setup.folder:
        return pictures(Path(setup.folder))
    return pdf_pages(Path(setup.file)) if setup.file else own_documents(setup.document)


def _compressed(jpeg: Jpeg, dpi: int, back: bool) -> _Page:
    raster = Raster(
        width=jpeg.width, height=jpeg.height, channels=3, depth=8, bytes_per_line=3 * jpeg.width, dpi=dpi
    )  # fmt: skip
    return _Page(PageStart(raster=raster, back=back, encoding=Encoding.JPEG), _chunks(jpeg.data))


def _chunks(data: bytes) -> Iterator[tuple[float, bytes]]:
    for start in range(0, len(data), _CHUNK):
        chunk = data[start : start + _CHUNK]
        yield (start + len(chunk)) / len(data), chunk


def _numbers(options: tuple[tuple[str, str], ...]) -> dict[str, float]:
    known = {option.name: option for option in _OPTIONS}
    for name, _ in options:
        if name not in known:
            raise BadArguments(f"The scanner has no option '{name}'", hint=f"Choose one of: {', '.join(known)}.")
    return {name: _number(known[name], text) for name, text in options}


def _number(option: DriverOption, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if option.range is None or value not in option.range:
        raise BadArguments(f"Option {option.name} cannot be '{text}'", hint=f"Write a number in {option.range}.")
    return value
