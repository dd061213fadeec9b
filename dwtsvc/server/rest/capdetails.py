"""What an open scanner can do, as the protocol's list of capabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import UNSET

from dwtsvc.errors import BadArguments
from dwtsvc.model import DEFAULT_RESOLUTION, MM_PER_INCH, Capabilities, Range, Source, SourceCapabilities
from dwtsvc.server.rest.model import CapabilityDetails, CapValue, Frame, Labelled
from dwtsvc.server.rest.scancaps import SETTABLE, TWAIN_SPAN, scale_of
from dwtsvc.server.rest.twain import (
    BIT_DEPTHS,
    INCHES,
    MAX_SIZE,
    MEMORY,
    ONE_PASS_DUPLEX,
    PAPERS,
    PIXEL_TYPE_OF,
    Cap,
    Con,
    Kind,
)

READ, WRITE = ["get", "getcurrent", "getdefault"], ["set", "reset"]
CAPS_BLOCK = 0x10  # TWAIN numbers what is not about images 0x1000 to 0x10FF
FITS_MM = 1.5  # a scanner of 215.9 x 296.9 mm does scan A4


def details(capabilities: Capabilities, asked: Iterable[int] = ()) -> list[CapabilityDetails]:
    """The capabilities that were asked for, or all. One that the scanner does not have is left out."""
    at = capabilities.for_source(Source.AUTO)
    numbers = list(asked) or list(DETAILS)
    found = (DETAILS[number](capabilities, at) for number in numbers if number in DETAILS)
    return [each for each in found if each is not None]


def asked(text: str) -> list[int]:
    """The numbers in a comma list. Raises BadArguments."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise BadArguments("`caps` is a list of numbers with commas between") from None


Detail = Callable[[Capabilities, SourceCapabilities], CapabilityDetails | None]


def _one(cap: Cap, kind: Kind, value: CapValue) -> CapabilityDetails:
    return CapabilityDetails(
        capability=_labelled(cap),
        conType=_labelled(Con.ONEVALUE),
        valueType=_labelled(kind),
        query=[*READ, *WRITE] if cap in SETTABLE else READ,
        curValue=value,
        defaultValue=value,
    )


def _enumeration(cap: Cap, kind: Kind, values: list[CapValue], current: CapValue) -> CapabilityDetails:
    made = _one(cap, kind, current)
    made.conType = _labelled(Con.ENUMERATION)
    made.enums = values
    made.curIndex = made.defIndex = values.index(current)
    return made


def _range(cap: Cap, kind: Kind, low: float, high: float, step: float, current: float) -> CapabilityDetails:
    made = _one(cap, kind, current)
    made.conType = _labelled(Con.RANGE)
    made.minValue, made.maxValue, made.stepSize = low, high, step
    return made


def _labelled(number: Cap | Con | Kind) -> Labelled:
    if not isinstance(number, Cap):
        return Labelled(int(number), number.name.lower())
    of_images = number is not Cap.XFERCOUNT and number >> 8 != CAPS_BLOCK
    return Labelled(int(number), f"{'ICAP' if of_images else 'CAP'}_{number.name}")


def _pixel_types(_: Capabilities, at: SourceCapabilities) -> CapabilityDetails:
    numbers: list[CapValue] = [*sorted(PIXEL_TYPE_OF[mode] for mode in at.modes if mode in PIXEL_TYPE_OF)]
    return _enumeration(Cap.PIXELTYPE, Kind.UINT16, numbers, numbers[-1])


def _bit_depths(_: Capabilities, at: SourceCapabilities) -> CapabilityDetails:
    depths: list[CapValue] = [*sorted(BIT_DEPTHS[mode] for mode in at.modes if mode in BIT_DEPTHS)]
    return _enumeration(Cap.BITDEPTH, Kind.UINT16, depths, depths[-1])


def _resolutions(cap: Cap) -> Detail:
    def of(_: Capabilities, at: SourceCapabilities) -> CapabilityDetails:
        current = at.nearest_resolution(DEFAULT_RESOLUTION)
        if isinstance(at.resolutions, Range):
            offered = at.resolutions
            return _range(cap, Kind.FIX32, offered.minimum, offered.maximum, offered.step, current)
        return _enumeration(cap, Kind.FIX32, list(at.resolutions), current)

    return of


def _sizes(_: Capabilities, at: SourceCapabilities) -> CapabilityDetails:
    fitting: list[CapValue] = [
        number
        for number, (width, height) in PAPERS.items()
        if width <= at.max_width + FITS_MM and height <= at.max_height + FITS_MM
    ]
    return _enumeration(Cap.SUPPORTEDSIZES, Kind.UINT16, [*fitting, MAX_SIZE], MAX_SIZE)


def _frames(_: Capabilities, at: SourceCapabilities) -> CapabilityDetails:
    return _one(Cap.FRAMES, Kind.FRAME, Frame(0.0, 0.0, _inches(at.max_width), _inches(at.max_height)))


def _scale(cap: Cap, name: str) -> Detail:
    def of(capabilities: Capabilities, _: SourceCapabilities) -> CapabilityDetails | None:
        if scale_of(capabilities, name) is None:
            return None
        return _range(cap, Kind.FIX32, -TWAIN_SPAN, TWAIN_SPAN, 1.0, 0.0)

    return of


def _inches(millimetres: float) -> float:
    return round(millimetres / MM_PER_INCH, 4)


def _has(capabilities: Capabilities, source: Source) -> bool:
    return any(each.source is source for each in capabilities.sources)


def _supported(capabilities: Capabilities, at: SourceCapabilities) -> CapabilityDetails:
    made = _one(Cap.SUPPORTEDCAPS, Kind.UINT16, 0)
    made.conType, made.curValue, made.defaultValue = _labelled(Con.ARRAY), UNSET, UNSET
    made.values = [int(number) for number, detail in DETAILS.items() if _is_there(detail, capabilities, at)]
    return made


def _is_there(detail: Detail, capabilities: Capabilities, at: SourceCapabilities) -> bool:
    return detail is _supported or detail(capabilities, at) is not None


DETAILS: dict[int, Detail] = {
    Cap.XFERCOUNT: lambda caps, at: _one(Cap.XFERCOUNT, Kind.INT16, -1),
    Cap.COMPRESSION: lambda caps, at: _one(Cap.COMPRESSION, Kind.UINT16, 0),
    Cap.PIXELTYPE: _pixel_types,
    Cap.UNITS: lambda caps, at: _one(Cap.UNITS, Kind.UINT16, INCHES),
    Cap.XFERMECH: lambda caps, at: _one(Cap.XFERMECH, Kind.UINT16, MEMORY),
    Cap.FEEDERENABLED: lambda caps, at: _one(Cap.FEEDERENABLED, Kind.BOOL, at.source is not Source.FLATBED),
    Cap.SUPPORTEDCAPS: _supported,
    Cap.UICONTROLLABLE: lambda caps, at: _one(Cap.UICONTROLLABLE, Kind.BOOL, False),
    Cap.DEVICEONLINE: lambda caps, at: _one(Cap.DEVICEONLINE, Kind.BOOL, True),
    Cap.DUPLEX: lambda caps, at: _one(Cap.DUPLEX, Kind.UINT16, ONE_PASS_DUPLEX * _has(caps, Source.DUPLEX)),
    Cap.DUPLEXENABLED: lambda caps, at: _one(Cap.DUPLEXENABLED, Kind.BOOL, at.source is Source.DUPLEX),
    Cap.CUSTOMDSDATA: lambda caps, at: _one(Cap.CUSTOMDSDATA, Kind.BOOL, True),
    Cap.BRIGHTNESS: _scale(Cap.BRIGHTNESS, "brightness"),
    Cap.CONTRAST: _scale(Cap.CONTRAST, "contrast"),
    Cap.PHYSICALWIDTH: lambda caps, at: _one(Cap.PHYSICALWIDTH, Kind.FIX32, _inches(at.max_width)),
    Cap.PHYSICALHEIGHT: lambda caps, at: _one(Cap.PHYSICALHEIGHT, Kind.FIX32, _inches(at.max_height)),
    Cap.FRAMES: _frames,
    Cap.XRESOLUTION: _resolutions(Cap.XRESOLUTION),
    Cap.YRESOLUTION: _resolutions(Cap.YRESOLUTION),
    Cap.SUPPORTEDSIZES: _sizes,
    Cap.BITDEPTH: _bit_depths,
}
