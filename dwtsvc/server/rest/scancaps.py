"""A scan as the REST API asks for it, made a ScanRequest: driver settings, then capabilities, then the configuration.

What comes later wins. A capability that the scanner cannot take is passed over unless it says "fail"; anything else
that it cannot do is refused with what it can.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dwtsvc.errors import BadArguments
from dwtsvc.model import MM_PER_INCH, Area, Capabilities, DriverOption, Mode, ScanRequest, Source
from dwtsvc.server.rest import driversettings
from dwtsvc.server.rest.driversettings import Apply
from dwtsvc.server.rest.model import CapabilitySetting, CreateJob, DeviceConfiguration, OldCreateJob
from dwtsvc.server.rest.twain import MAX_SIZE, PAPERS, PIXEL_TYPES, Cap

RICHEST = (Mode.COLOR, Mode.GRAY, Mode.LINEART)
TWAIN_SPAN = 1000.0  # brightness and contrast go from -1000 to 1000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks for. `mode` is the one its pages are to have in the end, None if it did not say."""

    mode: Mode | None
    parts: tuple[tuple[Apply, bool], ...]  # with whether one that cannot be fulfilled is refused

    def on(self, capabilities: Capabilities, device: str) -> ScanRequest:
        """The request made possible on an open device. Raises BadArguments with what is allowed."""
        request = ScanRequest(device=device, mode=_default_mode(capabilities, Source.AUTO))
        for apply, strict in self.parts:
            try:
                candidate = apply(request, capabilities)
                if self.mode is None:
                    candidate = replace(candidate, mode=_default_mode(capabilities, candidate.source))
                capabilities.resolve(candidate)
            except BadArguments:
                if strict:
                    raise
            else:
                request = candidate
        return capabilities.resolve(request)


def wish(body: CreateJob | OldCreateJob) -> Wish:
    """What the body of a request asks for. Raises BadArguments where no scanner could do it."""
    parts: list[tuple[Apply, bool]] = []
    mode: Mode | None = None
    if isinstance(body, CreateJob):
        if body.settings:
            parts.append((driversettings.applied(body.settings), True))
        for each in body.caps.capabilities if body.caps else ():
            policy = each.exception or (body.caps.exception if body.caps else "ignore")
            parts.append((_capability(each), policy == "fail"))
            mode = _mode_of(each) or mode
    if body.config:
        parts += [(apply, True) for apply in _configured(body.config)]
        if body.config.PixelType is not None:
            mode = pixel_type(body.config.PixelType)
    return Wish(mode, tuple(parts))


def _default_mode(capabilities: Capabilities, source: Source) -> Mode:
    offered = capabilities.for_source(source).modes
    return next((mode for mode in RICHEST if mode in offered), Mode.COLOR)


def _mode_of(setting: CapabilitySetting) -> Mode | None:
    try:
        return pixel_type(_value(setting)) if setting.capability == Cap.PIXELTYPE else None
    except BadArguments:
        return None


# ---- the configuration ----


def _configured(config: DeviceConfiguration) -> list[Apply]:
    parts: list[Apply] = []
    if config.IfFeederEnabled is not None or config.IfDuplexEnabled:
        parts.append(_from_feeder(config.IfFeederEnabled, bool(config.IfDuplexEnabled)))
    if config.PixelType is not None:
        parts.append(_in_mode(config.PixelType))
    if config.Resolution is not None:
        parts.append(_at_resolution(config.Resolution))
    if config.PageSize:
        parts.append(_of_size(config.PageSize))
    if config.XferCount is not None:
        parts.append(_so_many(config.XferCount))
    return parts


def _from_feeder(feeder: bool | None, duplex: bool) -> Apply:
    """A feeder that is not there, or glass that is not there, means what there is; both sides are never half done."""

    def apply(request: ScanRequest, capabilities: Capabilities) -> ScanRequest:
        offered = {each.source for each in capabilities.sources}
        if feeder is False:
            source = Source.FLATBED
        elif duplex:
            return replace(request, source=Source.DUPLEX)
        else:
            source = Source.FEEDER
        return replace(request, source=source if source in offered else Source.AUTO)

    return apply


def _in_mode(number: Any) -> Apply:
    mode = pixel_type(number)
    return lambda request, _: replace(request, mode=mode)


def pixel_type(number: Any) -> Mode:
    """The mode of a PixelType. Raises BadArguments."""
    if isinstance(number, bool) or number not in PIXEL_TYPES:
        raise BadArguments(
            "The PixelType cannot be scanned", hint="Choose 0 (black and white), 1 (gray) or 2 (colour)."
        )
    return PIXEL_TYPES[number]


def _at_resolution(value: Any) -> Apply:
    dpi = _whole(value, "The resolution", 1, 19_200)
    return lambda request, _: replace(request, resolution=dpi)


def _of_size(number: Any) -> Apply:
    number = _whole(number, "The page size", 0, 1 << 16)
    if number in (0, MAX_SIZE):
        return lambda request, _: replace(request, area=None)
    if number not in PAPERS:
        raise BadArguments(
            "The page size is unknown", hint=f"Known are: {', '.join(map(str, (0, *PAPERS, MAX_SIZE)))}."
        )
    width, height = PAPERS[number]
    return lambda request, _: replace(request, area=Area(width=width, height=height))


def _so_many(value: Any) -> Apply:
    count = _whole(value, "XferCount", -1, 1_000_000)
    if count == 0:
        raise BadArguments("XferCount cannot be 0", hint="Choose the number of pages, or -1 for as many as come.")
    return lambda request, _: replace(request, pages=None if count < 0 else count)


# ---- capabilities ----


def _capability(setting: CapabilitySetting) -> Apply:
    """One capability set; what is wrong with it is told when it is applied, where the policy decides."""

    def apply(request: ScanRequest, capabilities: Capabilities) -> ScanRequest:
        if setting.capability not in SETTABLE:
            known = ", ".join(str(int(each)) for each in SETTABLE)
            raise BadArguments(f"The capability {setting.capability} cannot be set", hint=f"Choose from: {known}.")
        return SETTABLE[setting.capability](_value(setting))(request, capabilities)

    return apply


def _value(setting: CapabilitySetting) -> Any:
    if setting.curValue is not None:
        return setting.curValue
    if setting.values:
        return setting.values[0]
    raise BadArguments(f"The capability {setting.capability} has no value", hint="Give it `curValue` or `values`.")


def _feeder_enabled(value: Any) -> Apply:
    feeder = _switch(value)

    def apply(request: ScanRequest, capabilities: Capabilities) -> ScanRequest:
        if feeder and request.source is Source.DUPLEX:
            return request
        return replace(request, source=Source.FEEDER if feeder else Source.FLATBED)

    return apply


def _duplex_enabled(value: Any) -> Apply:
    duplex = _switch(value)

    def apply(request: ScanRequest, capabilities: Capabilities) -> ScanRequest:
        if duplex:
            return replace(request, source=Source.DUPLEX)
        return replace(request, source=Source.FEEDER) if request.source is Source.DUPLEX else request

    return apply


def _frame(value: Any) -> Apply:
    if not isinstance(value, dict):
        raise BadArguments("A frame has left, top, right and bottom, in inches")
    left, top, right, bottom = (_number(value.get(side)) * MM_PER_INCH for side in ("left", "top", "right", "bottom"))
    area = Area(left=left, top=top, width=right - left, height=bottom - top)
    return lambda request, _: replace(request, area=area)


def _only(allowed: int) -> Callable[[Any], Apply]:
    """A capability that has one value, which may be set again."""

    def check(value: Any) -> Apply:
        _whole(value, "The value", allowed, allowed)
        return lambda request, _: request

    return check


def _scaled(name: str) -> Callable[[Any], Apply]:
    """A driver's option that goes from its least to its most as TWAIN goes from -1000 to 1000."""

    def of(value: Any) -> Apply:
        share = (_within(_number(value), -TWAIN_SPAN, TWAIN_SPAN, "The value") + TWAIN_SPAN) / (2 * TWAIN_SPAN)

        def apply(request: ScanRequest, capabilities: Capabilities) -> ScanRequest:
            option = scale_of(capabilities, name)
            if option is None or option.range is None:
                raise BadArguments(f"The scanner has no {name} to set")
            low, high = option.range.minimum, option.range.maximum
            found = option.range.nearest(low + share * (high - low))
            text = str(round(found)) if option.type == "int" else f"{found:g}"
            return replace(request, options=(*(each for each in request.options if each[0] != name), (name, text)))

        return apply

    return of


def scale_of(capabilities: Capabilities, name: str) -> DriverOption | None:
    """The driver's option of a name, if it can be set within a range."""
    return next((each for each in capabilities.options if each.name == name and each.settable and each.range), None)


SETTABLE: dict[int, Callable[[Any], Apply]] = {
    Cap.XFERCOUNT: _so_many,
    Cap.COMPRESSION: _only(0),
    Cap.PIXELTYPE: _in_mode,
    Cap.UNITS: _only(0),
    Cap.XFERMECH: _only(2),
    Cap.FEEDERENABLED: _feeder_enabled,
    Cap.DUPLEXENABLED: _duplex_enabled,
    Cap.BRIGHTNESS: _scaled("brightness"),
    Cap.CONTRAST: _scaled("contrast"),
    Cap.FRAMES: _frame,
    Cap.XRESOLUTION: _at_resolution,
    Cap.YRESOLUTION: _at_resolution,
    Cap.SUPPORTEDSIZES: _of_size,
}


# ---- values ----


def _switch(value: Any) -> bool:
    if value in (0, 1):  # True and False are among them
        return bool(value)
    raise BadArguments("The value must be true or false")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadArguments("The value must be a number")
    return float(value)


def _whole(value: Any, what: str, low: int, high: int) -> int:
    number = _within(_number(value), low, high, what)
    if number != int(number):
        raise BadArguments(f"{what} must be a whole number")
    return int(number)


def _within(number: float, low: float, high: float, what: str) -> float:
    if not low <= number <= high:
        raise BadArguments(f"{what} cannot be {number:g}", hint=f"Choose {low:g} to {high:g}.")
    return number
