"""WIA, what Windows itself can do with a scanner. Runs in its own worker process.

Tried against fakes of both ways to WIA and never on real Windows: Wine has neither. Pages come one by one and whole;
there is no duplex.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from threading import Event

from dwtsvc.devices import bitmap, mishaps, wialib
from dwtsvc.devices.driver import Frame
from dwtsvc.devices.wialib import Item, Property
from dwtsvc.errors import BadArguments, Cancelled, DriverError, FeederEmpty, NoScanner
from dwtsvc.model import (
    DEFAULT_RESOLUTION,
    MM_PER_INCH,
    Area,
    Capabilities,
    Device,
    DriverOption,
    Mode,
    Range,
    ScanRequest,
    Source,
    SourceCapabilities,
)

DEPTHS = {Mode.COLOR: 24, Mode.GRAY: 8, Mode.LINEART: 1}
DATA_TYPES = {Mode.COLOR: "color", Mode.GRAY: "grayscale", Mode.LINEART: "threshold"}
INTENTS = {Mode.COLOR: "image_type_color", Mode.GRAY: "image_type_grayscale", Mode.LINEART: "image_type_text"}
# Where the largest area is told, in thousandths of an inch: by the source in WIA 2, by the device before.
WIDTHS = {
    Source.FLATBED: ("max_horizontal_size", "horizontal_bed_size"),
    Source.FEEDER: ("max_horizontal_size", "horizontal_sheet_feed_size"),
}
HEIGHTS = {
    Source.FLATBED: ("max_vertical_size", "vertical_bed_size"),
    Source.FEEDER: ("max_vertical_size", "vertical_sheet_feed_size"),
}
A4 = 210.0, 297.0
LEAST_PAGE = 1024  # bytes: some drivers send the header of a page, and only then notice that there is no paper
BY_REQUEST = frozenset(
    "xres yres xpos ypos xextent yextent depth datatype current_intent format preferred_format tymed pages page_size"
    " page_width page_height preview document_handling_select".split()
)


def driver() -> WiaDriver:
    return WiaDriver()


class WiaDriver:
    def devices(self, timeout: float) -> Iterator[Device]:
        try:
            layer = wialib.layer()
        except NoScanner:  # whoever has no WIA has no WIA scanners; `open` says so
            return
        for name, vendor, model in layer.devices():
            yield Device(id=f"wia:{name}", vendor=vendor, model=model)

    @contextlib.contextmanager
    def open(self, name: str) -> Generator[WiaSource, None, None]:
        with contextlib.closing(wialib.layer().open(name)) as scanner:
            yield WiaSource(f"wia:{name}", scanner)


class WiaSource:
    """An open scanner."""

    def __init__(self, device: str, scanner: wialib.Scanner) -> None:
        self._device, self._scanner = device, scanner
        self._items = scanner.items()
        self._before: dict[tuple[Source, str], int | str] = {}

    def capabilities(self) -> Capabilities:
        about = self._scanner.properties()
        sources = tuple(_describe(source, item, about) for source, item in self._items.items())
        return Capabilities(
            device=self._device, sources=sources, options=tuple(map(_option, self._settable().values()))
        )

    def _settable(self) -> dict[str, Property]:
        """The raw options: what any source lets be set, as the first that has it tells."""
        found: dict[str, Property] = {}
        for item in self._items.values():
            for name, each in item.properties().items():
                if each.settable and name not in BY_REQUEST:
                    found.setdefault(name, each)
        return found

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        if request.source is not Source.AUTO:
            yield from self._pages(request, cancelled)
            return
        first = Source.FEEDER if Source.FEEDER in self._items else Source.FLATBED
        try:
            yield from self._pages(replace(request, source=first), cancelled)
        except FeederEmpty:
            if Source.FLATBED not in self._items:
                raise
            yield from self._pages(replace(request, source=Source.FLATBED), cancelled)

    def _pages(self, request: ScanRequest, cancelled: Event) -> Iterator[Frame]:
        item = self._items[request.source]
        self._apply(request, item)
        number, wanted = 0, request.pages or (1 if request.source is Source.FLATBED else None)
        while wanted is None or number < wanted:
            page = self._page(item, request.source, cancelled)
            if page is None and number:
                return
            if page is None:
                raise mishaps.told(mishaps.EMPTY, "WIA has no paper")
            number += 1
            for frame in bitmap.frames(page, float(request.resolution or 0)):
                if cancelled.is_set():
                    raise Cancelled("The scan was cancelled")
                yield frame

    def _page(self, item: Item, source: Source, cancelled: Event) -> bytes | None:
        if cancelled.is_set():
            raise Cancelled("The scan was cancelled")
        if source is Source.FLATBED:
            return item.page()
        page = item.page() if self._loaded() else None
        return page if page is not None and len(page) >= LEAST_PAGE else None

    def _loaded(self) -> bool:
        """Whether there is paper, or nobody can tell."""
        about = self._scanner.properties()
        capable, status = (about.get(f"document_handling_{name}") for name in ("capabilities", "status"))
        if capable is None or status is None or wialib.DETECTS_PAPER not in wialib.words(capable.value):
            return True
        return wialib.FEED_READY in wialib.words(status.value)

    def _apply(self, request: ScanRequest, item: Item) -> None:
        """Set everything the request says. The intent comes first, as drivers set much by it; raw options last."""
        self._restore()
        for name, text in request.options:
            self._check(name, text)
        mode = request.mode if request.mode in DEPTHS else Mode.COLOR
        for name, value in (("current_intent", INTENTS[mode]), ("format", "bmp"), ("datatype", DATA_TYPES[mode])):
            item.set(name, value)
        item.set("depth", DEPTHS[mode])
        resolution = request.resolution or DEFAULT_RESOLUTION
        if not item.set("xres", resolution) or not item.set("yres", resolution):
            raise DriverError(f"The scanner's driver refused {resolution} dpi")
        self._apply_area(request, item, resolution)
        for name, text in request.options:
            self._set_option(request.source, item, name, text)

    def _apply_area(self, request: ScanRequest, item: Item, resolution: int) -> None:
        at = _describe(request.source, item, self._scanner.properties())
        area = request.area or Area(width=at.max_width, height=at.max_height)
        left, top, width, height = (
            round(mm / MM_PER_INCH * resolution) for mm in (area.left, area.top, area.width, area.height)
        )
        # To the corner first: a driver refuses an extent that leads over the edge from where the area begins.
        for name, pixels in (("xpos", 0), ("ypos", 0), ("xextent", width), ("yextent", height)):
            item.set(name, pixels)
        item.set("xpos", left)
        item.set("ypos", top)

    def _check(self, name: str, text: str) -> None:
        options = self._settable()
        if name not in options:
            names = ", ".join(sorted(options))
            raise BadArguments(f"The scanner has no option '{name}'", hint=f"Choose one of: {names}.")
        _parsed(options[name], text)

    def _set_option(self, source: Source, item: Item, name: str, text: str) -> None:
        current = item.properties().get(name)
        if current is None or not item.set(name, _parsed(current, text)):
            raise BadArguments(f"The scanner's option {name} cannot be set to '{text}' now")
        self._before.setdefault((source, name), current.value)

    def _restore(self) -> None:
        """Undo what an earlier scan set, last first."""
        while self._before:
            (source, name), value = self._before.popitem()
            self._items[source].set(name, value)


def _describe(source: Source, item: Item, about: dict[str, Property]) -> SourceCapabilities:
    mine = item.properties()
    width, height = (_extent(names, mine, about) for names in (WIDTHS[source], HEIGHTS[source]))
    return SourceCapabilities(
        source=source,
        name=item.name,
        modes=_modes(mine.get("depth")),
        resolutions=_resolutions(mine.get("xres")),
        max_width=width or A4[0],
        max_height=height or A4[1],
    )


def _extent(names: tuple[str, ...], *places: dict[str, Property]) -> float:
    """The first that is told, in mm."""
    for name in names:
        for properties in places:
            if name in properties and isinstance(properties[name].value, int):
                return int(properties[name].value) / 1000 * MM_PER_INCH
    return 0.0


def _modes(depth: Property | None) -> tuple[Mode, ...]:
    """All of them where no list is told: the intent can be set at nearly every scanner."""
    told = depth.choices if depth else ()
    return tuple(mode for mode, bits in DEPTHS.items() if bits in told) or tuple(DEPTHS)


def _resolutions(told: Property | None) -> tuple[int, ...] | Range:
    if told and told.limits:
        low, high, step = told.limits
        return Range(minimum=low, maximum=high, step=step)
    return tuple(sorted(told.choices)) if told and told.choices else (DEFAULT_RESOLUTION,)


def _option(told: Property) -> DriverOption:
    limits = told.limits
    return DriverOption(
        name=told.name,
        title=told.name.replace("_", " "),
        type="int" if isinstance(told.value, int) else "string",
        value=str(told.value),
        choices=tuple(map(str, told.choices)),
        range=Range(minimum=limits[0], maximum=limits[1], step=limits[2]) if limits else None,
    )


def _parsed(told: Property, text: str) -> int | str:
    """A user's text as a value of a property. Raises BadArguments that lists what is allowed."""
    option = _option(told)
    allowed = str(option.range) if option.range else ", ".join(option.choices) or option.type
    try:
        value = int(text) if isinstance(told.value, int) else text
    except ValueError:
        value = text
    wrong = isinstance(told.value, int) and not isinstance(value, int)
    outside = isinstance(value, int) and option.range is not None and value not in option.range
    if wrong or outside or (option.choices and str(value) not in option.choices):
        raise BadArguments(f"The scanner's option {told.name} cannot be '{text}'", hint=f"Allowed: {allowed}.")
    return value
