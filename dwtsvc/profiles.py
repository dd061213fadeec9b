"""Named scan profiles: sections [profile NAME] of user_config.ini. Its other sections are left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from dwtsvc import config, ini, kinds
from dwtsvc.errors import BadArguments
from dwtsvc.ini import Entry
from dwtsvc.kinds import Kind
from dwtsvc.model import Area, Mode, Source
from dwtsvc.paths import Paths

FAMILY = ini.Family(word="profile", making="Make one with `dwtsvc config profile save NAME KEY=VALUE`.")
_OPTION = "option."

T = TypeVar("T")


def _key(kind: Kind[T]) -> T | None:
    return field(default=None, metadata={"kind": kind})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a profile says; None where it says nothing. `options` are the driver's own, as in `--option name=value`."""

    name: str
    device: str | None = _key(kinds.DEVICE)
    source: Source | None = _key(kinds.enumeration(Source))
    mode: Mode | None = _key(kinds.enumeration(Mode))
    resolution: int | None = _key(kinds.whole(1, 19200))
    size: str | None = _key(kinds.SIZE)
    area: Area | None = _key(kinds.AREA)
    pages: int | None = _key(kinds.whole(1, 1_000_000))
    quality: int | None = _key(config.QUALITY)
    format: str | None = _key(config.FORMAT)
    output: str | None = _key(kinds.TEXT)  # as -o has it
    button: str | None = _key(kinds.TEXT)  # of the device, whose press scans so
    options: tuple[tuple[str, str], ...] = ()

    def shown(self) -> dict[str, str]:
        """The keys it has, as the file would say them."""
        values = {key: getattr(self, key) for key in KEYS}
        said = {key: KEYS[key].show(value) for key, value in values.items() if value is not None}
        return said | {_OPTION + name: value for name, value in self.options}


KEYS: Mapping[str, Kind[Any]] = {each.name: each.metadata["kind"] for each in fields(Profile) if each.metadata}


def names(paths: Paths) -> list[str]:
    """The names of all profiles, in the order of the file."""
    return FAMILY.names(ini.read(paths.profiles_file))


def profile(paths: Paths, name: str) -> Profile:
    """The profile of a name, without regard to case. Raises BadArguments with the names there are, BadConfiguration."""
    document = ini.read(paths.profiles_file)
    return _profile(document, FAMILY.known(document, name))


def save(paths: Paths, name: str, values: Mapping[str, str]) -> Profile:
    """Make `values` (texts by key) all that a profile says; BadArguments for a wrong name, key or value."""
    _check_name(name)
    for key, value in values.items():
        _kind(key).argument(key, value)
    if not values:
        raise BadArguments(f"The profile '{name}' would say nothing", hint=f"Give one or more of: {_allowed()}.")
    Paths.create(paths.config)
    with ini.editing(paths.profiles_file) as document:
        texts = {key.lower(): value.strip() for key, value in values.items()}
        document.replace(FAMILY.heading(document, name), texts)
        return _profile(document, name.strip())


def delete(paths: Paths, name: str) -> None:
    """Remove a profile; BadArguments with the names there are if it does not exist."""
    FAMILY.delete(paths.profiles_file, name)


def check(path: Path) -> list[str]:
    """The names of the profiles in a file; BadConfiguration at its first fault."""
    document = ini.read(path)
    return [_profile(document, name).name for name in FAMILY.names(document)]


def _check_name(name: str) -> None:
    if not name.strip() or "]" in name or not name.isprintable():
        raise BadArguments(f"'{name}' cannot be the name of a profile", hint="Use letters, digits and blanks.")


def _profile(document: ini.Document, name: str) -> Profile:
    said: dict[str, Any] = {}
    options: list[tuple[str, str]] = []
    for entry in FAMILY.entries(document, name):
        _take(document.path, entry, said, options)
    return Profile(name=name, options=tuple(options), **said)


def _take(path: Path, entry: Entry, said: dict[str, Any], options: list[tuple[str, str]]) -> None:
    key = entry.key.lower()
    if key in KEYS:
        said[key] = config.entry_value(path, entry, KEYS[key])
    elif key.startswith(_OPTION) and key != _OPTION:
        options.append((entry.key[len(_OPTION) :], config.entry_value(path, entry, kinds.TEXT)))
    else:
        near = config.nearest(entry.key, KEYS)
        raise config.unknown_key(path, entry, f"Did you mean {near}?" if near else f"Allowed: {_allowed()}.")


def _kind(key: str) -> Kind[Any]:
    if kind := KEYS.get(key.lower()):
        return kind
    if key.lower().startswith(_OPTION) and key.lower() != _OPTION:
        return kinds.TEXT
    near = config.nearest(key, KEYS)
    raise BadArguments(
        f"A profile has no key '{key}'", hint=f"Did you mean {near}?" if near else f"Allowed: {_allowed()}."
    )


def _allowed() -> str:
    return ", ".join((*KEYS, _OPTION + "NAME"))
