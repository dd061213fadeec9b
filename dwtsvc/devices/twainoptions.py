"""What can be set at a TWAIN source beside what a scan says itself: its capabilities, and a few ways of this driver.

A capability's name here is TWAIN's without its prefix, in small letters: `brightness` is ICAP_BRIGHTNESS.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass

from twain.lowlevel import constants as words

from dwtsvc.devices import containers
from dwtsvc.devices.containers import BOOL, FIX32, Container, Value
from dwtsvc.devices.twainlib import NAMES, Handle
from dwtsvc.errors import BadArguments, DriverError
from dwtsvc.model import DriverOption, Range

SHOW_UI, TRANSFER, FILE_FORMAT, DRIVER_DATA = "show-ui", "transfer", "file-format", "driver-data"
NATIVE, FILE = "native", "file"
FORMATS = {"bmp": words.TWFF_BMP, "jpeg": words.TWFF_JFIF}
_YES_NO = {"yes": True, "no": False}
_TRUTHS = {**_YES_NO, "true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
_MOST_SETTINGS = 4 << 20

# What the request says, and what only describes the source or this driver.
_HIDDEN = frozenset({
    words.CAP_XFERCOUNT, words.CAP_FEEDERENABLED, words.CAP_DUPLEXENABLED, words.CAP_SUPPORTEDCAPS,
    words.CAP_CUSTOMDSDATA, words.CAP_INDICATORS, words.CAP_UICONTROLLABLE, words.ICAP_XFERMECH, words.ICAP_UNITS,
    words.ICAP_PIXELTYPE, words.ICAP_BITDEPTH, words.ICAP_XRESOLUTION, words.ICAP_YRESOLUTION,
    words.ICAP_IMAGEFILEFORMAT, words.ICAP_FRAMES, words.ICAP_COMPRESSION, words.ICAP_PIXELFLAVOR,
})  # fmt: skip
# What a source may have that does not list what it has.
_USUAL = (
    words.ICAP_BRIGHTNESS, words.ICAP_CONTRAST, words.ICAP_THRESHOLD, words.ICAP_GAMMA, words.ICAP_ORIENTATION,
    words.ICAP_ROTATION, words.ICAP_AUTOMATICDESKEW, words.ICAP_AUTOMATICBORDERDETECTION, words.CAP_AUTOFEED,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How pages are to come: with the driver's own window or without, in memory or by a file of `format`."""

    show_ui: bool = False
    transfer: str = NATIVE
    format: int = words.TWFF_BMP


@dataclass(frozen=True, slots=True)
class _Capability:
    number: int
    told: Container
    settable: bool

    @property
    def name(self) -> str:
        return NAMES.get(self.number, f"cap-{self.number:04x}")


class Options:
    """The raw options of an open source; what a scan sets is put back before the next."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._before: dict[int, tuple[int, Value]] = {}
        self._capabilities = {each.name: each for each in self._find()}
        self._own = {option.name: option for option in self._ways()}

    def _find(self) -> list[_Capability]:
        listed = self._handle.get(words.CAP_SUPPORTEDCAPS)
        numbers = [int(value) for value in listed.values] if listed else _USUAL
        found = []
        for number in sorted(set(numbers) - _HIDDEN):
            told = self._told(number)
            if told is not None and told.current is not None:
                settable = self._handle.settable(number)
                choice = bool(told.allowed or told.limits)
                found.append(_Capability(number, told, choice if settable is None else settable))
        return found

    def _told(self, number: int) -> Container | None:
        """What a source tells of a capability. Of those that makers have added some are in no form that is known."""
        try:
            return self._handle.get(number)
        except DriverError:
            return None

    def _ways(self) -> list[DriverOption]:
        controllable = self._handle.current(words.CAP_UICONTROLLABLE) is not False
        mechanisms = self._handle.get(words.ICAP_XFERMECH)
        by_file = mechanisms is not None and words.TWSX_FILE in mechanisms.values
        told = self._handle.get(words.ICAP_IMAGEFILEFORMAT)
        formats = tuple(name for name, number in FORMATS.items() if told and number in told.values and _reads(name))
        formats = formats or ("bmp",)
        return [
            _choice(SHOW_UI, "Show the driver's own window", "no" if controllable else "yes", ("yes", "no"), "bool"),
            _choice(TRANSFER, "How pages come", NATIVE, (NATIVE, FILE) if by_file else (NATIVE,)),
            *([_choice(FILE_FORMAT, "Format of files", "bmp", formats)] if by_file else []),
        ]

    def described(self) -> tuple[DriverOption, ...]:
        """Every option with its value now."""
        data = self._handle.custom_data()
        settings = [] if data is None else [_choice(DRIVER_DATA, "The driver's own settings", _armoured(data), ())]
        return (*self._own.values(), *settings, *(self._describe(each) for each in self._capabilities.values()))

    def _describe(self, capability: _Capability) -> DriverOption:
        told, value = capability.told, self._handle.current(capability.number)
        limits = told.limits
        return DriverOption(
            name=capability.name,
            title=capability.name,
            type=_type_of(told),
            value="" if value is None else _say(value),
            choices=tuple(_say(choice) for choice in told.allowed) if told.type != BOOL else (),
            range=Range(minimum=limits[0], maximum=limits[1], step=limits[2]) if limits else None,
            settable=capability.settable,
        )

    def ways(self, options: tuple[tuple[str, str], ...]) -> Ways:
        """What the options say of this driver's own ways. Raises BadArguments for any option that there is not."""
        for name, text in options:
            self._check(name, text)
        said = {**{name: option.value for name, option in self._own.items()}, **dict(options)}
        return Ways(
            show_ui=_TRUTHS[said[SHOW_UI].lower()],
            transfer=said[TRANSFER],
            format=FORMATS[said.get(FILE_FORMAT, "bmp")],
        )

    def _check(self, name: str, text: str) -> None:
        if name in self._own:
            option = self._own[name]
            allowed = tuple(_TRUTHS) if option.type == "bool" else option.choices
            if (text.lower() if option.type == "bool" else text) not in allowed:
                raise _bad(name, text, ", ".join(option.choices))
        elif name == DRIVER_DATA:
            _settings_in(text)
        elif name in self._capabilities and self._capabilities[name].settable:
            _parsed(self._capabilities[name], text)
        else:
            names = sorted({*self._own, DRIVER_DATA, *(n for n, each in self._capabilities.items() if each.settable)})
            why = "it can only be read" if name in self._capabilities else ""
            raise BadArguments(
                f"The scanner has no option '{name}'", why=why, hint=f"Choose one of: {', '.join(names)}."
            )

    def load(self, options: tuple[tuple[str, str], ...]) -> None:
        """Give the source its own settings back, if the options have them; before all else, as they reset all else."""
        for name, text in options:
            if name == DRIVER_DATA:
                self._handle.set_custom_data(_settings_in(text))

    def apply(self, options: tuple[tuple[str, str], ...]) -> None:
        """Set the capabilities that the options name."""
        for name, text in options:
            if name in self._capabilities:
                self._set(self._capabilities[name], text)

    def _set(self, capability: _Capability, text: str) -> None:
        value, before = _parsed(capability, text), self._handle.current(capability.number)
        if not self._handle.set(capability.number, capability.told.type, value):
            raise BadArguments(f"The scanner's option {capability.name} cannot be set now")
        if before is not None:
            self._before.setdefault(capability.number, (capability.told.type, before))

    def restore(self) -> None:
        """Undo what an earlier scan set, last first."""
        while self._before:
            number, (type, value) = self._before.popitem()
            self._handle.set(number, type, value)


def _reads(format: str) -> bool:
    """JPEG files are looked into with Pillow, which a Python of 32 bits may not have."""
    if format != "jpeg":
        return True
    try:
        import dwtsvc.imaging.streams  # noqa: F401
    except ImportError:
        return False
    return True


def _choice(name: str, title: str, value: str, choices: tuple[str, ...], type: str = "string") -> DriverOption:
    return DriverOption(name=name, title=title, type=type, value=value, choices=choices)


def _type_of(told: Container) -> str:
    if told.type == BOOL:
        return "bool"
    if told.type == FIX32:
        return "fixed"
    return "string" if isinstance(told.current, str) else "int"


def _say(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parsed(capability: _Capability, text: str) -> Value:
    """A user's text as a value of a capability. Raises BadArguments that lists what is allowed."""
    told = capability.told
    if told.type == BOOL:
        if text.lower() not in _TRUTHS:
            raise _bad(capability.name, text, "yes, no")
        return _TRUTHS[text.lower()]
    if isinstance(told.current, str):
        value: Value = text
    else:
        try:
            value = float(text) if told.type == FIX32 else int(text)
            containers.pack(told.type, value)
        except (ValueError, OverflowError):
            raise _bad(capability.name, text, _allowed(told)) from None
    outside = told.limits is not None and not told.limits[0] <= float(value) <= told.limits[1]
    if outside or (told.allowed and value not in told.allowed):
        raise _bad(capability.name, text, _allowed(told))
    return value


def _allowed(told: Container) -> str:
    if told.limits:
        return str(Range(minimum=told.limits[0], maximum=told.limits[1], step=told.limits[2]))
    return ", ".join(_say(value) for value in told.allowed) or _type_of(told)


def _bad(name: str, text: str, allowed: str) -> BadArguments:
    return BadArguments(f"The scanner's option {name} cannot be '{text}'", hint=f"Allowed: {allowed}.")


def _armoured(data: bytes) -> str:
    """A driver's own settings as one word that an option and a profile can hold."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


def _settings_in(text: str) -> bytes:
    """The settings in such a word. Raises BadArguments."""
    try:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(base64.b64decode(text, validate=True), _MOST_SETTINGS)
        if unpacking.eof:
            return data
    except (binascii.Error, zlib.error, ValueError):
        pass
    raise BadArguments(
        f"The option {DRIVER_DATA} holds no settings of a driver",
        hint="Take it as `dwtsvc devices --capabilities` shows it, for the same scanner.",
    )
