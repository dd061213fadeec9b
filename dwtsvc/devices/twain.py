"""TWAIN, the scanners of Windows with drivers of their makers. Runs in its own worker process, on its main thread.

`twain:NAME` is a data source for 64 bits, `twain32:NAME` one for 32, which a Python of 32 bits drives. Pages come
whole, from memory or by a file; pytwain has no transfer of rows as they are scanned.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from threading import Event

from twain.lowlevel import constants as words

from dwtsvc.devices import bitmap, mishaps, twainlib
from dwtsvc.devices.containers import BOOL, FIX32, INT16, UINT16
from dwtsvc.devices.driver import Frame, PageEnd, PageStart, Strip, UserTurn
from dwtsvc.devices.twainoptions import FILE, Options, Ways
from dwtsvc.errors import BadInput, Cancelled, DriverError, FeederEmpty, IncompletePage, MissingDependency
from dwtsvc.model import (
    DEFAULT_RESOLUTION,
    MM_PER_INCH,
    Area,
    Capabilities,
    Device,
    Encoding,
    Mode,
    Range,
    ScanRequest,
    Source,
    SourceCapabilities,
)
from dwtsvc.scratch import Scratch

MODES = {Mode.COLOR: words.TWPT_RGB, Mode.GRAY: words.TWPT_GRAY, Mode.LINEART: words.TWPT_BW}
BITS = {Mode.COLOR: 24, Mode.GRAY: 8, Mode.LINEART: 1}
BRIDGES = "WIA-"  # sources by which Windows shows its WIA scanners to TWAIN: the driver wia lists those
UNTIL_EMPTY = -1
A4 = 210.0, 297.0
PIECE = 1 << 16


def driver() -> TwainDriver:
    return TwainDriver("twain")


class TwainDriver:
    """`prefix` is the name of the driver in ids: that of 32 bits has another."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def devices(self, timeout: float) -> Iterator[Device]:
        try:
            manager = twainlib.Manager()
        except MissingDependency:  # whoever has no TWAIN has no TWAIN scanners; `open` says what is missing
            return
        with contextlib.closing(manager):
            for vendor, name in manager.sources():
                if not name.startswith(BRIDGES):
                    yield Device(id=f"{self._prefix}:{name}", vendor=_vendor(vendor, name), model=name)

    @contextlib.contextmanager
    def open(self, name: str) -> Generator[TwainSource, None, None]:
        with (
            contextlib.closing(twainlib.Manager()) as manager,
            contextlib.closing(manager.open(name)) as handle,
        ):
            yield TwainSource(f"{self._prefix}:{name}", handle)


def _vendor(vendor: str, name: str) -> str:
    """Nothing where the name has it already."""
    return "" if name.casefold().startswith(vendor.casefold()) else vendor


class TwainSource:
    """An open data source."""

    def __init__(self, device: str, handle: twainlib.Handle) -> None:
        self._device, self._handle = device, handle
        handle.set(words.ICAP_UNITS, UINT16, words.TWUN_INCHES)
        self._options = Options(handle)
        self._told: Capabilities | None = None

    def capabilities(self) -> Capabilities:
        if self._told is None:
            sources = tuple(self._describe(source) for source in self._sources())
            self._told = Capabilities(device=self._device, sources=sources, options=self._options.described())
        return self._told

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        ways = self._options.ways(request.options)
        if request.options:
            self._told = None  # its values are other ones now
        try:
            if request.source is not Source.AUTO:
                yield from self._pages(request, ways, cancelled)
                return
            try:
                yield from self._pages(replace(request, source=self._first_choice()), ways, cancelled)
            except FeederEmpty:
                if Source.FLATBED not in self._sources():
                    raise
                self._handle.idle()
                yield from self._pages(replace(request, source=Source.FLATBED), ways, cancelled)
        finally:
            self._handle.idle()

    def _first_choice(self) -> Source:
        sources = self._sources()
        return Source.FEEDER if Source.FEEDER in sources else sources[0]

    def _pages(self, request: ScanRequest, ways: Ways, cancelled: Event) -> Iterator[Frame]:
        """The pages of one source: of a feeder those of one batch, of the glass as many as are wanted."""
        self._apply(request, ways)
        number, wanted = 0, request.pages or (1 if request.source is Source.FLATBED else None)
        while wanted is None or number < wanted:
            if request.source is not Source.FLATBED and not self._loaded():
                if number:
                    return
                raise twainlib.condition_error(twainlib.NO_MEDIA, "a page was started")
            if cancelled.is_set():
                raise Cancelled("The scan was cancelled")
            if ways.show_ui:
                yield UserTurn()
            try:
                self._begin(request, ways, cancelled, first=number == 0)
            except FeederEmpty:
                if number:
                    return
                raise
            more = True
            while more and (wanted is None or number < wanted):
                number += 1
                more = yield from self._page(request, ways, cancelled, number)
            self._handle.idle()
            if wanted is None:
                return

    def _begin(self, request: ScanRequest, ways: Ways, cancelled: Event, *, first: bool) -> None:
        if self._handle.enable(show_ui=ways.show_ui, cancelled=cancelled):
            return
        if ways.show_ui:
            raise Cancelled("The scan was cancelled", why="the driver's own window was closed")
        if request.source is not Source.FLATBED:  # so do sources that cannot look for paper beforehand
            raise mishaps.told(mishaps.EMPTY, "the driver ended without a page")
        raise DriverError(
            "The driver ended the scan without a page", hint="Its own window may say why: --option show-ui=yes."
        )

    # -- sources, modes, geometry: TWAIN's words and ours --------------------------------------------------------

    def _sources(self) -> tuple[Source, ...]:
        if self._handle.get(words.CAP_FEEDERENABLED) is None:
            return (Source.FLATBED,)
        found = [source for source in (Source.FLATBED, Source.FEEDER) if self._select(source)]
        if Source.FEEDER in found and self._handle.current(words.CAP_DUPLEX):
            found.append(Source.DUPLEX)
        return tuple(found) or (Source.FLATBED,)

    def _select(self, source: Source) -> bool:
        """Turn to the feeder or the glass; False where the source has none."""
        feeder = source is not Source.FLATBED
        try:
            self._handle.set(words.CAP_FEEDERENABLED, BOOL, feeder)
        except DriverError:
            return False
        if feeder:
            self._handle.set(words.CAP_AUTOFEED, BOOL, True)
        return bool(self._handle.current(words.CAP_FEEDERENABLED)) == feeder

    def _loaded(self) -> bool:
        """Whether there is paper, or nobody can tell."""
        blind = self._handle.current(words.CAP_PAPERDETECTABLE) is False
        return blind or self._handle.current(words.CAP_FEEDERLOADED) is not False

    def _describe(self, source: Source) -> SourceCapabilities:
        self._select(source)
        width, height = (self._handle.current(each) for each in (words.ICAP_PHYSICALWIDTH, words.ICAP_PHYSICALHEIGHT))
        return SourceCapabilities(
            source=source,
            name=str(source),
            modes=self._modes(),
            resolutions=self._resolutions(),
            max_width=float(width) * MM_PER_INCH if width else A4[0],
            max_height=float(height) * MM_PER_INCH if height else A4[1],
        )

    def _modes(self) -> tuple[Mode, ...]:
        told = self._handle.get(words.ICAP_PIXELTYPE)
        return tuple(mode for mode, type in MODES.items() if told and type in told.values) or (Mode.COLOR,)

    def _resolutions(self) -> tuple[int, ...] | Range:
        told = self._handle.get(words.ICAP_XRESOLUTION)
        if told is None:
            return (DEFAULT_RESOLUTION,)
        if told.limits:
            low, high, step = told.limits
            return Range(minimum=low, maximum=high, step=step)
        return tuple(sorted({round(float(value)) for value in told.values})) or (DEFAULT_RESOLUTION,)

    def _apply(self, request: ScanRequest, ways: Ways) -> None:
        """Set everything the request says; raw options last, so that they win."""
        self._options.restore()
        self._options.load(request.options)
        self._select(request.source)
        self._handle.set(words.CAP_DUPLEXENABLED, BOOL, request.source is Source.DUPLEX)
        self._handle.set(words.ICAP_UNITS, UINT16, words.TWUN_INCHES)
        self._handle.set(words.ICAP_PIXELTYPE, UINT16, MODES.get(request.mode, words.TWPT_RGB))
        self._handle.set(words.ICAP_BITDEPTH, UINT16, BITS.get(request.mode, 24))
        for resolution in (words.ICAP_XRESOLUTION, words.ICAP_YRESOLUTION):
            self._handle.set(resolution, FIX32, float(request.resolution or DEFAULT_RESOLUTION))
        self._apply_area(request.area)
        glass = request.source is Source.FLATBED
        self._handle.set(words.CAP_XFERCOUNT, INT16, 1 if glass else min(request.pages or UNTIL_EMPTY, 32767))
        self._handle.set(words.CAP_INDICATORS, BOOL, ways.show_ui)
        mechanism = words.TWSX_FILE if ways.transfer == FILE else words.TWSX_NATIVE
        self._handle.set(words.ICAP_XFERMECH, UINT16, mechanism)
        self._options.apply(request.options)

    def _apply_area(self, area: Area | None) -> None:
        self._handle.reset_frame()
        if area:
            edges = area.left, area.top, area.left + area.width, area.top + area.height
            left, top, right, bottom = (mm / MM_PER_INCH for mm in edges)
            self._handle.set_frame((left, top, right, bottom))

    # -- pages ---------------------------------------------------------------------------------------------------

    def _page(self, request: ScanRequest, ways: Ways, cancelled: Event, number: int) -> Generator[Frame, None, bool]:
        """One page; whether there is another behind it."""
        if cancelled.is_set():
            raise Cancelled("The scan was cancelled")
        back = request.source is Source.DUPLEX and number % 2 == 0
        dpi = self._handle.resolution() or float(request.resolution or 0)
        read = self._from_file(ways.format, dpi, back) if ways.transfer == FILE else self._from_memory(dpi, back)
        while True:
            try:
                frame = next(read)
            except StopIteration as end:
                return bool(end.value)
            if cancelled.is_set():
                raise Cancelled("The scan was cancelled")
            yield frame

    def _from_memory(self, dpi: float, back: bool) -> Generator[Frame, None, bool]:
        with self._handle.native() as (data, more):
            yield from bitmap.frames(data, dpi, back=back)
        return more

    def _from_file(self, format: int, dpi: float, back: bool) -> Generator[Frame, None, bool]:
        with Scratch("page") as folder:
            path = folder / ("page.jpg" if format == words.TWFF_JFIF else "page.bmp")
            more = self._handle.to_file(path, format)
            data = path.read_bytes() if path.is_file() else b""
        if format == words.TWFF_JFIF:
            yield from _of_jpeg(data, dpi, back)
        else:
            yield from bitmap.frames(data, dpi, back=back)
        return more


def _of_jpeg(data: bytes, dpi: float, back: bool) -> Iterator[Frame]:
    from dwtsvc.imaging.streams import jpeg_raster

    try:
        yield PageStart(raster=jpeg_raster(data, dpi), back=back, encoding=Encoding.JPEG)
    except BadInput as error:
        raise IncompletePage("The scanner sent a broken jpeg", why=error.why) from error
    for at in range(0, len(data), PIECE):
        yield Strip(memoryview(data)[at : at + PIECE])
    yield PageEnd()
