"""Records as plain JSON values and back, checked: what comes from a file or another process is not believed."""

from __future__ import annotations

import types
import typing
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


class BadRecord(ValueError):
    """A value is not of the shape that was promised."""


def pack(record: object) -> dict[str, Any]:
    """A record's fields, for `json.dumps(default=...)`."""
    if is_dataclass(record):
        return {f.name: getattr(record, f.name) for f in fields(record)}
    raise TypeError(f"{type(record).__name__} is no record")


def plain(value: object) -> Any:
    """A record's fields, and anything else as text: for output that people's scripts read."""
    return pack(value) if is_dataclass(value) else str(value)


def unpack(kind: type[T], value: Any) -> T:
    """Rebuild a record, an enumeration or a plain value of type `kind`. Raises BadRecord when it does not fit."""
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
        except BadRecord:
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
        raise BadRecord(f"{kind.__name__}: {error}") from error


def _unpack_enum(kind: Any, value: Any) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        raise BadRecord(str(error)) from error


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _refuse(kind: Any, value: Any) -> Any:
    raise BadRecord(f"{str(value)[:60]!r} is no {getattr(kind, '__name__', kind)}")
