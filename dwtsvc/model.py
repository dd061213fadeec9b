"""The records everything speaks in: devices, capabilities, requests, pages. Frozen, standard library only.

Lengths are millimetres, resolutions dots per inch, enumerations words. These cross to the device worker.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from dwtsvc.errors import BadArguments

DEFAULT_RESOLUTION = 300
MM_PER_INCH = 25.4


class Source(StrEnum):
    AUTO = "auto"  # the feeder if it is loaded, else the glass
    FLATBED = "flatbed"
    FEEDER = "feeder"
    DUPLEX = "duplex"


class Mode(StrEnum):
    COLOR = "color"
    GRAY = "gray"
    LINEART = "lineart"
    AUTO = "auto"  # scanned in colour, each page kept as what it is


class Encoding(StrEnum):
    RAW = "raw"  # rows as `Raster` describes them
    JPEG = "jpeg"
    PNG = "png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A scanner. `id` is "driver:name" and is what users and requests say; `also` are ids of it by other drivers."""

    id: str
    vendor: str
    model: str
    kind: str = "scanner"
    virtual: bool = False
    also: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.vendor} {self.model}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A rectangle on the scan surface, in mm from its top left corner."""

    left: float = 0.0
    top: float = 0.0
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    minimum: float
    maximum: float
    step: float = 0.0

    def nearest(self, value: float) -> float:
        value = min(max(value, self.minimum), self.maximum)
        return self.minimum + round((value - self.minimum) / self.step) * self.step if self.step else value

    def __contains__(self, value: float) -> bool:
        return self.minimum <= value <= self.maximum

    def __str__(self) -> str:
        return f"{self.minimum:g}..{self.maximum:g}" + (f" in steps of {self.step:g}" if self.step else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCapabilities:
    """What one source can do. `name` is the driver's own word for it."""

    source: Source
    name: str
    modes: tuple[Mode, ...]
    resolutions: tuple[int, ...] | Range
    max_width: float  # mm
    max_height: float  # mm

    def nearest_resolution(self, dpi: int) -> int:
        if isinstance(self.resolutions, Range):
            return round(self.resolutions.nearest(dpi))
        return min(self.resolutions, key=lambda offered: (abs(offered - dpi), -offered))

    def describe_resolutions(self) -> str:
        if isinstance(self.resolutions, Range):
            return f"{self.resolutions} dpi"
        return ", ".join(map(str, self.resolutions)) + " dpi"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverOption:
    """One raw driver option, for `--option name=value`; `type` is bool, int, fixed, string or button."""

    name: str
    title: str
    type: str
    unit: str = ""
    value: str = ""
    choices: tuple[str, ...] = ()
    range: Range | None = None
    active: bool = True
    settable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """What is asked of a scanner. None means: as the device has it (resolution: the nearest to 300 dpi)."""

    device: str
    source: Source = Source.AUTO
    mode: Mode = Mode.COLOR
    resolution: int | None = None
    area: Area | None = None
    pages: int | None = None  # None: a feeder until it is empty, the glass once
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    device: str
    sources: tuple[SourceCapabilities, ...]
    options: tuple[DriverOption, ...] = ()
    vendor: str = ""  # as far as the driver knows them once the device is open
    model: str = ""

    def resolve(self, request: ScanRequest) -> ScanRequest:
        """The request made possible on this device, or BadArguments that lists what is allowed.

        A resolution that nobody asked for becomes the nearest one; one that was asked for must exist. Lineart on a
        device without it becomes gray, which the parent then thresholds; `auto` is scanned in the best mode.
        """
        at = self.for_source(request.source)
        resolution = request.resolution
        if resolution is None:
            resolution = at.nearest_resolution(DEFAULT_RESOLUTION)
        elif resolution not in at.resolutions:
            raise BadArguments(
                f"{self.device} cannot scan at {resolution} dpi", hint=f"Choose one of: {at.describe_resolutions()}."
            )
        return replace(
            request, resolution=resolution, mode=_possible_mode(at, request.mode), area=_fit(at, request.area)
        )

    def for_source(self, source: Source) -> SourceCapabilities:
        """The capabilities of a source; for auto those of the feeder if there is one, else of the first."""
        wanted = (Source.FEEDER, Source.DUPLEX, Source.FLATBED) if source is Source.AUTO else (source,)
        for word in wanted:
            for offered in self.sources:
                if offered.source is word:
                    return offered
        names = ", ".join(sorted({str(offered.source) for offered in self.sources}))
        raise BadArguments(f"{self.device} has no source '{source}'", hint=f"Choose one of: auto, {names}.")


def _possible_mode(at: SourceCapabilities, mode: Mode) -> Mode:
    fallbacks = {
        Mode.COLOR: (Mode.COLOR,),
        Mode.GRAY: (Mode.GRAY, Mode.COLOR),
        Mode.LINEART: (Mode.LINEART, Mode.GRAY, Mode.COLOR),
        Mode.AUTO: (Mode.COLOR, Mode.GRAY, Mode.LINEART),
    }
    for candidate in fallbacks[mode]:
        if candidate in at.modes:
            return candidate
    raise BadArguments(f"The scanner has no mode '{mode}'", hint=f"Choose one of: {', '.join(at.modes)}, auto.")


TOLERANCE_MM = 1.5  # a scanner of 215.9 x 296.9 mm does scan A4


def _fit(at: SourceCapabilities, area: Area | None) -> Area | None:
    if area is None:
        return None
    right, bottom = area.left + area.width, area.top + area.height
    if min(area.left, area.top) < 0 or min(area.width, area.height) <= 0:
        raise BadArguments("The scan area must have a positive size and lie on the glass")
    if right > at.max_width + TOLERANCE_MM or bottom > at.max_height + TOLERANCE_MM:
        raise BadArguments(
            f"The area of {right:g} x {bottom:g} mm is larger than the scanner's {at.source}",
            hint=f"The largest is {at.max_width:g} x {at.max_height:g} mm.",
        )
    return replace(
        area, width=min(area.width, at.max_width - area.left), height=min(area.height, at.max_height - area.top)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """How raw rows lie in memory: 1 channel (gray, lineart) or 3 (RGB interleaved); depth 1, 8 or 16 bits a sample.

    A 1-bit row has 1 = black, most significant bit first. 16-bit samples are in the machine's byte order.
    `height` is None while a hand scanner has not told it.
    """

    width: int
    height: int | None
    channels: int
    depth: int
    bytes_per_line: int
    dpi: float

    @property
    def mode(self) -> Mode:
        if self.channels == 3:
            return Mode.COLOR
        return Mode.LINEART if self.depth == 1 else Mode.GRAY


@dataclass(frozen=True, slots=True, kw_only=True)
class PageInfo:
    """A page that is safe in the store: `size` bytes on the disk with an XXH3-128 checksum, of `encoding` inside."""

    id: str
    number: int  # 1.. in the order of the job
    back: bool
    encoding: Encoding
    raster: Raster
    size: int
    checksum: str
    sealed: bool = False


class JobState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAULTED = "faulted"
    CANCELED = "canceled"


Corner = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Barcode:
    """A barcode that was read. `type` is one of `imaging.barcode.TYPES`, `engine` the reader: "zxing", "zbar" or
    "patch".

    `corners` are pixels (x, y) of the image, clockwise, from the corner that is the top left when the code is read
    upright; `angle` is how far the code is turned from that, in degrees clockwise. `identifier` is the symbology
    identifier of ISO 15424, "]Q1", or "" where the reader tells none.
    """

    text: str
    bytes: bytes
    type: str
    corners: tuple[Corner, Corner, Corner, Corner]
    angle: int
    engine: str
    identifier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One edit of a page by name, with its numbers: Step(name="rotate", values={"degrees": 90})."""

    name: str
    values: dict[str, float | str | bool] = field(default_factory=dict)
