"""libsane through `pyinsane2.sane.rawapi`: an open handle and its options. Imported only inside the SANE worker.

Only the raw layer is used. pyinsane2's own daemon cannot deliver an image on current kernels, its option code mistakes
fixed-point numbers and arrays, and its reader loses truncated pages, padding, 16 bits and two of three passes.
Replacing rawapi by plain ctypes would touch this file only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable
from typing import Any

from dwtsvc.devices import mishaps
from dwtsvc.devices.mishaps import Mishap
from dwtsvc.errors import BadArguments, DriverError, MissingDependency, NoRightToScanner
from dwtsvc.model import DriverOption, Range

os.environ["PYINSANE_SINGLE_THREAD"] = "1"  # before the import: else it prepares its daemon
from pyinsane2.sane import rawapi

GOOD, EOF, NO_DOCS, WARMING_UP = 0, 5, 7, 12
GRAY, RGB, RED, BLUE = 0, 1, 2, 4
BOOL, INT, FIXED, STRING, BUTTON, GROUP = range(6)
TYPES = ("bool", "int", "fixed", "string", "button", "group")
UNITS = ("", "px", "bit", "mm", "dpi", "%", "us")
PIXEL = 1
SOFT_SELECT, SOFT_DETECT, INACTIVE = 1, 4, 32
RELOAD_OPTIONS = 2
GET, SET = 0, 1
FIXED_ONE = 65536

Number = int | float
Value = bool | int | float | str | None


class Status:
    """What each status number means to a user: our error class, and what to do next."""

    ERRORS: dict[int, Mishap] = {
        3: mishaps.BUSY,
        6: mishaps.JAM,
        7: mishaps.EMPTY,
        8: mishaps.COVER,
        11: (
            NoRightToScanner,
            "No right to use the scanner",
            "Add your user to the group 'scanner' (sudo usermod -aG scanner $USER) and log in again.",
        ),
    }
    HINTS = {
        1: "The driver does not support this combination of options; `dwtsvc devices --capabilities` shows them.",
        4: "The driver refused a value; `dwtsvc devices --capabilities` shows what it allows.",
        9: "Check the cable and the power of the scanner, then scan again.",
        10: "Scan a smaller area or at a lower resolution.",
    }


def status_error(status: int, doing: str) -> DriverError:
    """The typed error for a SANE status number, with the driver's own word for it."""
    why = word(status)
    if status in Status.ERRORS:
        return mishaps.told(Status.ERRORS[status], why)
    return DriverError(f"The scanner's driver failed while {doing}", why=why, hint=Status.HINTS.get(status, ""))


def word(status: int) -> str:
    library().sane_strstatus.restype = ctypes.c_char_p
    return f"{library().sane_strstatus(status).decode(errors='replace')} (SANE status {status})"


def library() -> Any:
    """The loaded libsane with the argument types we need. Raises MissingDependency when it is not installed."""
    if not rawapi.is_sane_available():
        raise MissingDependency("libsane is not installed", hint="Install it: sudo apt-get install libsane1")
    return _prepared()


def _prepared() -> Any:
    lib = rawapi.SANE_LIB
    if not getattr(lib, "dwtsvc_ready", False):
        # Addresses, not pointers to one type: a value is as large as its descriptor says.
        lib.sane_control_option.argtypes = [
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        lib.sane_read.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
        _load_unwinder()
        version = ctypes.c_int()
        status = lib.sane_init(ctypes.byref(version), NO_PASSWORD)
        lib.dwtsvc_ready = True
        if status != GOOD:
            raise status_error(status, "it was started")
    return lib


def _load_unwinder() -> None:
    """Have glibc set up stack unwinding now, not in the first pthread_exit of a backend's reader thread.

    libsane cancels such a thread asynchronously while it may just be ending. Cancelled inside that first set-up, which
    takes the dynamic loader's lock, it leaves the lock taken for ever, and the next page hangs while it is started
    (seen in 5 of 200 workers with the test backend; scanimage hangs in the same way when it exits).
    """
    with contextlib.suppress(AttributeError):  # not glibc
        ctypes.CDLL(None).backtrace((ctypes.c_void_p * 1)(), 1)


def _no_password(_resource: bytes, user: int, password: int) -> None:
    """A backend asks for a login (saned with a password): we have none, and say so with empty strings."""
    ctypes.memset(user, 0, 1)
    ctypes.memset(password, 0, 1)


# Module level keeps it alive: libsane calls it at any later time.
ASKED = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p)(_no_password)
NO_PASSWORD = ctypes.cast(ASKED, rawapi.AUTH_CALLBACK_DEF) if rawapi.is_sane_available() else None


class Option:
    """One option of an open device, by its descriptor (valid until the options are reloaded)."""

    def __init__(self, handle: Any, index: int, descriptor: Any) -> None:
        self._handle, self._index, self._descriptor = handle, index, descriptor
        self.name: str = _text(descriptor.name)
        self.type: int = descriptor.type
        self.unit: int = descriptor.unit
        self.active = not descriptor.cap & INACTIVE
        self.settable = bool(descriptor.cap & SOFT_SELECT)

    @property
    def words(self) -> int:
        """How many numbers the value holds; 1 but for arrays such as gamma tables."""
        return max(1, int(self._descriptor.size) // 4)

    def choices(self) -> list[Number] | list[str]:
        kind, constraint = self._descriptor.constraint_type, self._descriptor.constraint
        if kind == 3:
            return _strings(constraint.string_list)
        if kind == 2:
            return [self._number(raw) for raw in constraint.word_list[1 : constraint.word_list[0] + 1]]
        return []

    def range(self) -> Range | None:
        if self._descriptor.constraint_type != 1:
            return None
        limits = self._descriptor.constraint.range.contents
        low, high, step = (float(self._number(raw)) for raw in (limits.min, limits.max, limits.quant))
        return Range(minimum=low, maximum=high, step=step)

    def get(self) -> Value:
        """The value; the first number of an array; None when it cannot be read."""
        value = self.get_all()
        return value[0] if isinstance(value, list) else value

    def get_all(self) -> Value | list[Number]:
        """As `get`, but an array is the list of its numbers."""
        if self.type in (BUTTON, GROUP) or not self.active or not self._descriptor.cap & SOFT_DETECT:
            return None
        buffer = ctypes.create_string_buffer(max(self._descriptor.size, 4))
        if library().sane_control_option(self._handle, self._index, GET, buffer, None) != GOOD:
            return None
        if self.type == STRING:
            return _text(buffer.value)
        numbers = [self._number(raw) for raw in (ctypes.c_int * self.words).from_buffer(buffer)]
        return numbers if self.words > 1 else numbers[0]

    def set(self, value: bool | Number | str | list[Number]) -> int:
        """Set it and return SANE's info bits. Raises the status' error."""
        if self.type == STRING:
            raw: Any = ctypes.create_string_buffer(
                os.fsencode(str(value)), max(self._descriptor.size, len(str(value)) + 1)
            )
        else:
            numbers = value if isinstance(value, list) else [value]
            # A backend reads as many words as its descriptor says, so a short list must be filled up.
            filled = [*numbers, *[numbers[-1]] * (self.words - len(numbers))]
            raw = (ctypes.c_int * self.words)(*[self._raw(number) for number in filled])
        info = ctypes.c_int()
        status = library().sane_control_option(self._handle, self._index, SET, raw, ctypes.byref(info))
        if status != GOOD:
            raise status_error(status, f"setting {self.name} to {value}")
        return info.value

    def parse(self, text: str) -> bool | Number | str | list[Number]:
        """A user's text as a value of this option. Raises BadArguments that lists what is allowed."""
        if self.type == BUTTON:
            return 0
        if self.type == BOOL:
            return self._parse_bool(text)
        if self.type == STRING:
            self._check_allowed(text)
            return text
        try:
            numbers = [float(part) if self.type == FIXED else int(part) for part in text.split(",")]
        except ValueError:
            raise self._bad(text) from None
        if len(numbers) > self.words:
            raise BadArguments(f"{self.name} takes {self.words} numbers, not {len(numbers)}")
        for number in numbers:
            self._check_allowed(number)
        return numbers

    def _parse_bool(self, text: str) -> bool:
        words = {
            "yes": True,
            "true": True,
            "on": True,
            "1": True,
            "no": False,
            "false": False,
            "off": False,
            "0": False,
        }
        if text.lower() not in words:
            raise self._bad(text)
        return words[text.lower()]

    def _check_allowed(self, value: Any) -> None:
        choices, limits = self.choices(), self.range()
        if (choices and value not in choices) or (limits and value not in limits):
            raise self._bad(value)

    def _bad(self, value: object) -> BadArguments:
        allowed = (
            "yes, no"
            if self.type == BOOL
            else ", ".join(map(str, self.choices())) or str(self.range() or TYPES[self.type])
        )
        return BadArguments(f"The scanner's option {self.name} cannot be '{value}'", hint=f"Allowed: {allowed}.")

    def _number(self, raw: int) -> Number:
        if self.type == BOOL:
            return bool(raw)
        return raw / FIXED_ONE if self.type == FIXED else raw

    def _raw(self, number: Number) -> int:
        return round(number * FIXED_ONE) if self.type == FIXED else int(number)

    def describe(self) -> DriverOption:
        value = self.get()
        return DriverOption(
            name=self.name,
            title=_text(self._descriptor.title),
            type=TYPES[self.type],
            unit=UNITS[self.unit] if 0 <= self.unit < len(UNITS) else "",
            value="" if value is None else _say(value),
            choices=tuple(_say(choice) for choice in self.choices()),
            range=self.range(),
            active=self.active,
            settable=self.settable,
        )


class Handle:
    """An open device. Options are read again whenever the driver says that they changed."""

    def __init__(self, name: str) -> None:
        self.lib = library()
        self.handle = ctypes.c_void_p()
        status = self.lib.sane_open(os.fsencode(name), ctypes.byref(self.handle))
        if status != GOOD:
            raise status_error(status, "the device was opened")
        self.options: dict[str, Option] = {}
        self.reload()

    def reload(self) -> None:
        self.options = {}
        count = ctypes.c_int()
        status = self.lib.sane_control_option(self.handle, 0, GET, ctypes.byref(count), None)
        for index in range(1, count.value if status == GOOD else 0):
            descriptor = self.lib.sane_get_option_descriptor(self.handle, index)
            if descriptor and descriptor.contents.type != GROUP and descriptor.contents.name:
                option = Option(self.handle, index, descriptor.contents)
                self.options[option.name] = option

    def usable(self, name: str) -> Option | None:
        """The option if it is there, active and settable."""
        option = self.options.get(name)
        return option if option and option.active and option.settable else None

    def set(self, name: str, value: bool | Number | str | list[Number]) -> None:
        if self.options[name].set(value) & RELOAD_OPTIONS:
            self.reload()

    def set_text(self, name: str, text: str) -> None:
        """Set a raw option as a user wrote it. Raises BadArguments for an unknown or inactive one."""
        option = self.usable(name)
        if option is None:
            names = ", ".join(sorted(other for other in self.options if self.usable(other)))
            why = "it is not active with the other options" if name in self.options else ""
            raise BadArguments(f"The scanner has no option '{name}'", why=why, hint=f"Choose one of: {names}.")
        self.set(name, option.parse(text))

    def start(self) -> int:
        return int(self.lib.sane_start(self.handle))

    def parameters(self) -> Any:
        parameters = rawapi.SaneParameters()
        status = self.lib.sane_get_parameters(self.handle, ctypes.byref(parameters))
        if status != GOOD:
            raise status_error(status, "the page was described")
        return parameters

    def reader(self, buffer: bytearray) -> Callable[[int], tuple[int, int]]:
        """A function that reads once into the buffer from an offset on, and returns (status, bytes)."""
        address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        count = ctypes.c_int()
        read, handle, size, told = self.lib.sane_read, self.handle, len(buffer), ctypes.byref(count)

        def once(offset: int) -> tuple[int, int]:
            count.value = 0
            return read(handle, address + offset, size - offset, told), count.value

        return once

    def cancel(self) -> None:
        self.lib.sane_cancel(self.handle)

    def close(self) -> None:
        self.lib.sane_close(self.handle)


def list_devices() -> list[tuple[str, str, str, str]]:
    """(name, vendor, model, type) of every device the backends know."""
    devices = ctypes.POINTER(ctypes.POINTER(rawapi.SaneDevice))()
    status = library().sane_get_devices(ctypes.byref(devices), 0)
    if status != GOOD:
        raise status_error(status, "the scanners were listed")
    found, index = [], 0
    while devices[index]:
        device = devices[index].contents
        found.append((os.fsdecode(device.name), _text(device.vendor), _text(device.model), _text(device.type)))
        index += 1
    return found


def _strings(array: Any) -> list[str]:
    found: list[str] = []
    while array[len(found)]:
        found.append(_text(array[len(found)]))
    return found


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace")


def _say(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
