"""TWAIN's containers, in which a data source tells and takes the values of a capability. Pure functions on bytes.

pytwain reads them, too, but drops the type of a range and takes its negative and fractional ends for whole numbers.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass

from dwtsvc.errors import DriverError

CODE_PAGE = "mbcs" if sys.platform == "win32" else "utf-8"  # of all texts that sources tell and take
HEAD = 6
ARRAY, ENUMERATION, ONE_VALUE, RANGE = 3, 4, 5, 6
INT16, UINT16, BOOL, FIX32 = 1, 4, 6, 7
_NUMBERS = {0: "<b", 1: "<h", 2: "<i", 3: "<B", 4: "<H", 5: "<I", 6: "<H"}
_STRINGS = {9: 34, 10: 66, 11: 130, 12: 256}
_FRAME, _FRAME_SIZE = 8, 16
_MOST_VALUES = 4096  # a source that tells more than that is broken
_FIX_ONE = 65536

Value = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The values of a capability: those that are allowed, or the only one; or `limits` (least, most, step)."""

    type: int
    values: tuple[Value, ...] = ()
    limits: tuple[float, float, float] | None = None
    current: Value | None = None

    @property
    def allowed(self) -> tuple[Value, ...]:
        """The values among which there is a choice."""
        return self.values if len(self.values) > 1 else ()


def size_of(kind: int, head: bytes) -> int:
    """The bytes of a container of which `head` is the first HEAD bytes. Raises DriverError."""
    (type,) = struct.unpack_from("<H", head)
    if kind == ONE_VALUE:
        return 2 + max(4, _width(type))
    if kind == RANGE:
        return 22
    count = int(struct.unpack_from("<I", head, 2)[0])
    if kind not in (ARRAY, ENUMERATION) or count > _MOST_VALUES:
        raise DriverError("The data source is broken", why=f"a container of kind {kind} with {count} values")
    return (6 if kind == ARRAY else 14) + count * _width(type)


def unpack(kind: int, data: bytes) -> Container:
    """Read a whole container. Raises DriverError for types that no capability here has."""
    (type,) = struct.unpack_from("<H", data)
    if kind == ONE_VALUE:
        value = _value(type, data, 2)
        return Container(type=type, values=(value,), current=value)
    if kind == RANGE:
        low, high, step, _, current = (_number(type, data, 2 + 4 * place) for place in range(5))
        return Container(type=type, limits=(low, high, step), current=current)
    (count,) = struct.unpack_from("<I", data, 2)
    start, width = (6 if kind == ARRAY else 14), _width(type)
    values = tuple(_value(type, data, start + place * width) for place in range(count))
    if kind == ARRAY:
        return Container(type=type, values=values)
    (index,) = struct.unpack_from("<I", data, 6)
    return Container(type=type, values=values, current=values[index] if index < count else None)


def pack(type: int, value: Value) -> bytes:
    """A container of one value. Raises ValueError where the value does not fit its type."""
    try:
        return struct.pack("<H", type) + _packed(type, value).ljust(4, b"\0")
    except struct.error as error:
        raise ValueError(str(error)) from error


def _width(type: int) -> int:
    if type in _NUMBERS:
        return struct.calcsize(_NUMBERS[type])
    if type in _STRINGS:
        return _STRINGS[type]
    if type in (FIX32, _FRAME):
        return 4 if type == FIX32 else _FRAME_SIZE
    raise DriverError("The data source is broken", why=f"values of the unknown type {type}")


def _value(type: int, data: bytes, at: int) -> Value:
    if type in _STRINGS:
        return data[at : at + _STRINGS[type]].split(b"\0")[0].decode(CODE_PAGE, errors="replace")
    if type == _FRAME:
        return " ".join(f"{_fixed(data, at + 4 * side):g}" for side in range(4))
    number = _number(type, data, at)
    return bool(number) if type == BOOL else number


def _number(type: int, data: bytes, at: int) -> int | float:
    if type == FIX32:
        return _fixed(data, at)
    if type not in _NUMBERS:
        raise DriverError("The data source is broken", why=f"a number of type {type}")
    number: int = struct.unpack_from(_NUMBERS[type], data, at)[0]
    return number


def _fixed(data: bytes, at: int) -> float:
    whole, fraction = struct.unpack_from("<hH", data, at)
    return float(whole + fraction / _FIX_ONE)


def _packed(type: int, value: Value) -> bytes:
    if type in _STRINGS:
        return str(value).encode(CODE_PAGE, errors="replace")[: _STRINGS[type] - 1].ljust(_STRINGS[type], b"\0")
    if type == FIX32:
        whole, fraction = divmod(round(float(value) * _FIX_ONE), _FIX_ONE)
        return struct.pack("<hH", whole, fraction)
    if type not in _NUMBERS:
        raise ValueError(f"values of type {type} cannot be set")
    return struct.pack(_NUMBERS[type], int(value))
