"""SANE, the scanners of Linux: any backend of libsane as a driver. Runs in its own worker process."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from threading import Event
from time import monotonic, sleep
from typing import Any

from dwtsvc.devices import is_camera, sanelib
from dwtsvc.devices.driver import Frame, PageEnd, PageStart, Strip
from dwtsvc.errors import Cancelled, DriverError, FeederEmpty, IncompletePage, NoScanner
from dwtsvc.model import (
    MM_PER_INCH,
    Area,
    Capabilities,
    Device,
    Mode,
    Range,
    Raster,
    ScanRequest,
    Source,
    SourceCapabilities,
)

# sane_read hands over at most 64 KiB at a time from most backends (the size of a pipe).
READ_SIZE = 8 << 16
FULL = READ_SIZE - (1 << 16)
PIECE_EVERY = 0.05  # seconds
IDLE = 0.002  # seconds to wait when a backend has nothing yet

NO_RESOLUTION = 72  # what cameras and other devices without the option are said to have

CAMERAS = ("still camera", "video camera", "frame grabber")  # SANE's words for them
FEEDER_WORDS = ("adf", "feeder")
DUPLEX_WORDS = ("duplex", "both sides", "front and back")
LOOK_AT_BUTTONS = "button-update"  # of pixma: its buttons show what they were when this was pressed last
LOADED_SENSORS = ("page-loaded", "adf-loaded", "paper-loaded")


def driver() -> SaneDriver:
    return SaneDriver()


class SaneDriver:
    def devices(self, timeout: float) -> Iterator[Device]:
        for name, vendor, model, kind in sanelib.list_devices():
            kind = "camera" if kind in CAMERAS or is_camera(f"sane:{name}") else kind
            yield Device(id=f"sane:{name}", vendor=vendor, model=model, kind=kind)

    def sensors(self, name: str) -> dict[str, str]:
        """Its options that can be read and not set: buttons, and sensors such as that of the feeder."""
        with self.open(name) as source:
            return source.sensors()

    @contextlib.contextmanager
    def open(self, name: str) -> Generator[SaneSource, None, None]:
        try:
            handle = sanelib.Handle(name)
        except DriverError as error:
            # Backends say "invalid argument" or "I/O error" for a device that is not there.
            if type(error) is DriverError:
                hint = "`dwtsvc devices` lists the scanners; check its cable and power."
                raise NoScanner(f"There is no scanner 'sane:{name}'", why=error.why, hint=hint) from error
            raise
        try:
            yield SaneSource(name, handle)
        finally:
            handle.close()


class SaneSource:
    """An open SANE device."""

    def __init__(self, name: str, handle: sanelib.Handle) -> None:
        self._name, self._handle = name, handle
        self._applied_dpi = 0.0  # kept, because options cannot be read while a page is
        self._before: dict[str, Any] = {}  # what the options were that a scan sets and the next one may not

    def capabilities(self) -> Capabilities:
        names = self._sources()
        before = self._handle.options["source"].get() if len(names) > 1 else None
        sources = tuple(self._describe(source, name) for source, name in names.items())
        if before is not None:
            self._handle.set("source", str(before))
        options = tuple(option.describe() for option in self._handle.options.values())
        return Capabilities(device=f"sane:{self._name}", sources=sources, options=options)

    def sensors(self) -> dict[str, str]:
        if self._handle.usable(LOOK_AT_BUTTONS):
            self._handle.set_text(LOOK_AT_BUTTONS, "")
        shown = (each.describe() for each in self._handle.options.values() if each.active and not each.settable)
        return {each.name: each.value for each in shown if each.value}

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        source = self._choose(request.source)
        try:
            self._apply(request, source)
            number = 0
            while request.pages is None or number < request.pages:
                try:
                    self._start(cancelled)
                    yield from self._page(cancelled, back=source is Source.DUPLEX and number % 2 == 1)
                except FeederEmpty:
                    if number:
                        return
                    # auto: the feeder turned out to be empty, so it is the glass
                    source = self._glass_instead(request)
                    continue
                number += 1
                if source is Source.FLATBED and request.pages is None:
                    return
        finally:
            # On every way out: a backend that is not cancelled stays "scanning" and refuses everything after.
            self._handle.cancel()

    def _start(self, cancelled: Event) -> None:
        """Begin a page. Raises FeederEmpty when the feeder has no more. Waits while a lamp warms up."""
        while (status := self._handle.start()) == sanelib.WARMING_UP:
            if cancelled.wait(1.0):
                raise Cancelled("The scan was cancelled")
        if status != sanelib.GOOD:
            raise sanelib.status_error(status, "a page was started")

    def _glass_instead(self, request: ScanRequest) -> Source:
        if request.source is not Source.AUTO or Source.FLATBED not in self._sources():
            raise sanelib.status_error(sanelib.NO_DOCS, "a page was started")
        self._handle.cancel()
        self._apply(request, Source.FLATBED)
        return Source.FLATBED

    # -- sources, modes, geometry: the driver's words and ours ---------------------------------------------------

    def _sources(self) -> dict[Source, str]:
        """Our sources and the backend's names for them; one source without a name when there is no choice."""
        option = self._handle.options.get("source")
        found: dict[Source, str] = {}
        for name in map(str, option.choices()) if option and option.active else ():
            found.setdefault(_source_of(name), name)
        if found:
            return found
        # A glass of the same family describes the sensor, too, but inactive.
        options = self._handle.options
        fed = any(sensor in options and options[sensor].active for sensor in LOADED_SENSORS)
        return {Source.FEEDER if fed else Source.FLATBED: ""}

    def _choose(self, source: Source) -> Source:
        """What `auto` means now: the feeder unless a sensor says that it is empty."""
        sources = self._sources()
        if source is not Source.AUTO:
            return source
        if Source.FEEDER not in sources:
            return next(iter(sources))
        sensors = (self._handle.options[name].get() for name in LOADED_SENSORS if name in self._handle.options)
        empty = any(value is False for value in sensors)
        return Source.FLATBED if empty and Source.FLATBED in sources else Source.FEEDER

    def _select(self, source: Source, name: str) -> None:
        if name:
            self._handle.set("source", name)

    def _describe(self, source: Source, name: str) -> SourceCapabilities:
        self._select(source, name)
        width, height = self._extent()
        return SourceCapabilities(
            source=source,
            name=name,
            modes=tuple(self._modes()),
            resolutions=self._resolutions(),
            max_width=width,
            max_height=height,
        )

    def _modes(self) -> dict[Mode, str]:
        """Our modes and the backend's names; lineart may be gray with depth 1."""
        option = self._handle.options.get("mode")
        if option is None or not option.choices():
            return {Mode.COLOR: ""}
        found: dict[Mode, str] = {}
        for name in map(str, option.choices()):
            mode = _mode_of(name)
            if mode:
                found.setdefault(mode, name)
        depth = self._handle.options.get("depth")
        if Mode.LINEART not in found and Mode.GRAY in found and depth and 1 in depth.choices():
            found[Mode.LINEART] = found[Mode.GRAY]
        return found or {Mode.COLOR: ""}

    def _resolutions(self) -> tuple[int, ...] | Range:
        option = self._handle.options.get("resolution") or self._handle.options.get("x-resolution")
        if option is None:
            return (NO_RESOLUTION,)
        return option.range() or tuple(round(float(choice)) for choice in option.choices()) or (NO_RESOLUTION,)

    def _extent(self) -> tuple[float, float]:
        """The largest area, in mm."""
        return self._largest("br-x"), self._largest("br-y")

    def _largest(self, name: str) -> float:
        option = self._handle.options.get(name)
        if option is None:
            return 0.0
        limits = option.range()
        largest = limits.maximum if limits else max((float(choice) for choice in option.choices()), default=0.0)
        return largest * MM_PER_INCH / self._dpi() if option.unit == sanelib.PIXEL else largest

    def _dpi(self) -> float:
        for name in ("resolution", "x-resolution"):
            value = self._handle.options[name].get() if name in self._handle.options else None
            if isinstance(value, (int, float)) and value > 0:
                return float(value)
        return float(NO_RESOLUTION)

    def _apply(self, request: ScanRequest, source: Source) -> None:
        """Set everything the request says; raw options last, so that they win."""
        self._restore()
        self._select(source, self._sources()[source])
        self._apply_mode(request.mode)
        for name in ("resolution", "x-resolution", "y-resolution"):
            if self._handle.usable(name):
                self._handle.set(name, request.resolution or NO_RESOLUTION)
        if request.area:
            self._apply_area(request.area)
        for name, text in request.options:
            self._remember(name)
            self._handle.set_text(name, text)
        self._applied_dpi = self._dpi()

    def _remember(self, name: str) -> None:
        option = self._handle.usable(name)
        if option and name not in self._before:
            self._before[name] = option.get_all()

    def _restore(self) -> None:
        """Undo what an earlier scan of this device set, last first: no job leaves its area or options to the next."""
        while self._before:
            name, value = self._before.popitem()
            if value is not None and self._handle.usable(name):
                self._handle.set(name, value)

    def _apply_mode(self, mode: Mode) -> None:
        names = self._modes()
        if names[mode] and self._handle.usable("mode"):
            self._handle.set("mode", names[mode])
        depth = self._handle.usable("depth")
        wanted = 1 if mode is Mode.LINEART else 8
        if depth and wanted in depth.choices():
            self._handle.set("depth", wanted)

    def _apply_area(self, area: Area) -> None:
        edges = {
            "tl-x": area.left,
            "tl-y": area.top,
            "br-x": area.left + area.width,
            "br-y": area.top + area.height,
        }
        for name, mm in edges.items():
            option = self._handle.usable(name)
            if option:
                self._remember(name)
                self._handle.set(name, mm / MM_PER_INCH * self._dpi() if option.unit == sanelib.PIXEL else mm)

    # -- pages ---------------------------------------------------------------------------------------------------

    def _page(self, cancelled: Event, back: bool) -> Iterator[Frame]:
        parameters = self._handle.parameters()  # after each start: pages of one batch may differ
        if sanelib.RED <= parameters.format <= sanelib.BLUE:
            yield from self._three_passes(parameters, cancelled, back)
            return
        pieces = self._read(cancelled)
        first = next(pieces, b"")  # sane-airscan tells only here that the feeder is empty
        yield PageStart(raster=self._raster(parameters), back=back)
        yield Strip(first)
        for data in pieces:
            yield Strip(data)
        yield PageEnd()

    def _raster(self, parameters: Any) -> Raster:
        channels = {sanelib.GRAY: 1, sanelib.RGB: 3}.get(parameters.format)
        if channels is None or (channels == 3 and parameters.depth == 1):
            why = f"frame format {parameters.format} with {parameters.depth} bits"
            raise DriverError(
                "The scanner sends pixels of a kind that is not supported", why=why, hint="Choose another mode."
            )
        return Raster(
            width=parameters.pixels_per_line,
            height=None if parameters.lines < 0 else parameters.lines,  # a hand scanner does not know
            channels=channels,
            depth=parameters.depth,
            bytes_per_line=parameters.bytes_per_line,
            dpi=self._applied_dpi,
        )

    def _read(self, cancelled: Event) -> Iterator[memoryview]:
        """One frame's bytes up to its end. The view is valid until the next one is asked for. Raises FeederEmpty if
        there are none because there is no paper."""
        buffer = bytearray(READ_SIZE)
        view, once = memoryview(buffer), self._handle.reader(buffer)
        filled, yielded = 0, 0.0  # nothing yet: what comes first begins the page and waits for no more
        while not cancelled.is_set():
            status, count = once(filled)
            if not 0 <= count <= READ_SIZE - filled:
                why = f"it read {count} bytes where {READ_SIZE - filled} have room"
                raise DriverError("The scanner's driver is broken", why=why)
            filled += count
            # Few large pieces cost less than many small ones, but a slow scanner must show that it lives.
            if filled and (filled > FULL or status != sanelib.GOOD or monotonic() - yielded > PIECE_EVERY):
                yield view[:filled]
                filled, yielded = 0, monotonic()
            if status == sanelib.EOF:
                return
            if status != sanelib.GOOD:
                raise _broken_page(status) if yielded else sanelib.status_error(status, "a page was read")
            if not count:
                sleep(IDLE)
        raise Cancelled("The scan was cancelled")

    def _three_passes(self, parameters: Any, cancelled: Event, back: bool) -> Iterator[Frame]:
        """A colour page that comes as one frame for each of red, green and blue, in any order."""
        first = parameters
        yield PageStart(raster=_interleaved(self._mono(first)), back=back)
        planes: dict[int, bytearray] = {}
        while True:
            if parameters.format in planes or not sanelib.RED <= parameters.format <= sanelib.BLUE:
                raise DriverError(
                    "The scanner's passes are not one red, green and blue", why=f"frame format {parameters.format}"
                )
            try:
                planes[parameters.format] = yield from self._plane(parameters, cancelled)
                if parameters.last_frame:
                    break
                self._start(cancelled)
            except FeederEmpty as error:
                raise IncompletePage("The page ended early", why="not all of its three passes came") from error
            parameters = self._handle.parameters()
        if len(planes) != 3 or len({len(plane) for plane in planes.values()}) != 1:
            raise IncompletePage("The page ended early", why="its three passes do not fit together")
        rows = len(planes[sanelib.RED]) // first.bytes_per_line
        yield Strip(memoryview(_interleave([planes[sanelib.RED + channel] for channel in range(3)], first, rows)))
        yield PageEnd()

    def _mono(self, parameters: Any) -> Raster:
        if parameters.depth not in (8, 16):
            raise DriverError(
                "The scanner sends pixels of a kind that is not supported", why=f"{parameters.depth} bits in 3 passes"
            )
        if not 0 < parameters.pixels_per_line * parameters.depth // 8 <= parameters.bytes_per_line:
            why = f"{parameters.pixels_per_line} pixels in {parameters.bytes_per_line} bytes"
            raise DriverError("The driver announced an impossible page", why=why)
        return Raster(
            width=parameters.pixels_per_line,
            height=None if parameters.lines < 0 else parameters.lines,
            channels=1,
            depth=parameters.depth,
            bytes_per_line=parameters.bytes_per_line,
            dpi=self._applied_dpi,
        )

    def _plane(self, parameters: Any, cancelled: Event) -> Generator[Frame, None, bytearray]:
        """Collect a pass; the empty strips are a sign of life, without which a slow one would count as hung."""
        plane = bytearray()
        announced = parameters.lines * parameters.bytes_per_line
        for data in self._read(cancelled):
            plane += data
            if 0 <= announced < len(plane):
                raise DriverError("The driver sent more than it announced", why=f"over {announced} bytes in one pass")
            yield Strip(b"")
        if parameters.lines >= 0 and len(plane) != announced:
            why = f"{len(plane) // parameters.bytes_per_line} of {parameters.lines} rows came in one pass"
            raise IncompletePage("The page ended early", why=why, hint="Scan the page again.")
        return plane


def _broken_page(status: int) -> DriverError:
    """The error of a status in the middle of a page, where an empty feeder is no end of the batch."""
    if status == sanelib.NO_DOCS:
        return DriverError("The scanner lost the page", why=sanelib.word(status), hint="Check the feeder.")
    return sanelib.status_error(status, "a page was read")


def _interleaved(plane: Raster) -> Raster:
    """The colour raster that three planes make; padding is dropped."""
    return replace(plane, channels=3, bytes_per_line=plane.width * 3 * plane.depth // 8)


def _interleave(planes: list[bytearray], parameters: Any, rows: int) -> bytearray:
    sample = parameters.depth // 8
    used, padded = parameters.pixels_per_line * sample, parameters.bytes_per_line
    page = bytearray(used * 3 * rows)
    for channel, plane in enumerate(planes):
        if padded != used:
            plane = b"".join(plane[row * padded : row * padded + used] for row in range(rows))  # type: ignore[assignment]
        for byte in range(sample):
            page[channel * sample + byte :: 3 * sample] = plane[byte::sample]
    return page


def _source_of(name: str) -> Source:
    """Our word for a backend's source. What is neither feeder nor known is scanned like the glass."""
    low = name.lower()
    if any(word in low for word in DUPLEX_WORDS):
        return Source.DUPLEX
    return Source.FEEDER if any(word in low for word in FEEDER_WORDS) else Source.FLATBED


def _mode_of(name: str) -> Mode | None:
    low = name.lower()
    if "colo" in low or low == "rgb":
        return Mode.COLOR
    if "gray" in low or "grey" in low:
        return Mode.GRAY
    return Mode.LINEART if any(word in low for word in ("lineart", "line art", "binary", "black", "mono")) else None
