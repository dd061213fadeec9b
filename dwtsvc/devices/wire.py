"""Messages between the parent and a device worker: one JSON object a line, bounded, checked when read.

Pixels never travel here: they go into slot files (see worker.py). JSON and not pickle, because a driver that a
hostile scanner took over must not be able to run code in the parent.

Parent to worker, key `do`:   list, open, scan, release, cancel
Worker to parent, key `say`:  ready, device, capabilities, resolved, page, rows, page_end, waiting, done, failed
"""

from __future__ import annotations

import json
import types
import typing
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, BinaryIO, TypeVar

MAX_MESSAGE = 1 << 20

Message = dict[str, Any]
T = TypeVar("T")


class BadMessage(ValueError):
    """What came over the wire is not a message, or not of the shape that was promised."""


def write(stream: BinaryIO, **message: Any) -> None:
    """Send one message; records are packed by their fields."""
    stream.write(json.dumps(message, default=pack, separators=(",", ":")).encode() + b"\n")
    stream.flush()


def read(stream: BinaryIO) -> Message | None:
    """The next message, or None at end of file. Raises BadMessage on anything else."""
    line = stream.readline(MAX_MESSAGE + 1)
    if not line:
        return None
    if len(line) > MAX_MESSAGE or not line.endswith(b"\n"):
        raise BadMessage(f"a message of over {MAX_MESSAGE} bytes, or one cut short")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"not a message: {line[:60]!r}") from error
    if not isinstance(message, dict):
        raise BadMessage(f"not a message: {line[:60]!r}")
    return message


def pack(record: object) -> dict[str, Any]:
    """A record's fields, for `json.dumps(default=...)`."""
    if is_dataclass(record):
        return {f.name: getattr(record, f.name) for f in fields(record)}
    raise TypeError(f"{type(record).__name__} does not cross the wire")


def unpack(kind: type[T], value: Any) -> T:
    """Rebuild a record, an enumeration or a plain value of type `kind`. Raises BadMessage when it does not fit."""
    return typing.cast(T, _unpack(kind, value))


def _unpack(kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _unpack_union(typing.get_args(kind), value)
    if origin is tuple:
        return _unpack_tuple(typing.get_args(kind), value)
    if origin is dict:
        return dict(value) if isinstance(value, dict) else _refuse(kind, value)
    if is_dataclass(kind):
        return _unpack_record(kind, value)
    if issubclass(kind, Enum):
        return _unpack_enum(kind, value)
    if kind is float and type(value) is int:
        return float(value)
    return value if type(value) is kind else _refuse(kind, value)


def _unpack_union(kinds: tuple[Any, ...], value: Any) -> Any:
    for kind in kinds:
        if kind is types.NoneType:
            if value is None:
                return None
            continue
        try:
            return _unpack(kind, value)
        except BadMessage:
            continue
    return _refuse(kinds, value)


def _unpack_tuple(kinds: tuple[Any, ...], value: Any) -> Any:
    if not isinstance(value, list):
        return _refuse(kinds, value)
    if kinds[-1] is Ellipsis:
        return tuple(_unpack(kinds[0], item) for item in value)
    if len(value) != len(kinds):
        return _refuse(kinds, value)
    return tuple(_unpack(kind, item) for kind, item in zip(kinds, value, strict=True))


def _unpack_record(kind: Any, value: Any) -> Any:
    hints = _hints(kind)
    if not isinstance(value, dict) or not value.keys() <= hints.keys():
        return _refuse(kind, value)
    try:
        return kind(**{name: _unpack(hints[name], item) for name, item in value.items()})
    except TypeError as error:
        raise BadMessage(f"{kind.__name__}: {error}") from error


def _unpack_enum(kind: Any, value: Any) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        raise BadMessage(str(error)) from error


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _refuse(kind: Any, value: Any) -> Any:
    raise BadMessage(f"{str(value)[:60]!r} is no {getattr(kind, '__name__', kind)}")
