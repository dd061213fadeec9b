"""Which web origins the user has allowed or refused for good: one small file, shared by the service and the command."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from dwtsvc import locks
from dwtsvc.errors import BadArguments, BadConfiguration, FileAccess
from dwtsvc.records import BadRecord, pack, unpack
from dwtsvc.server.gate import private
from dwtsvc.server.gate.access import SCOPES, Access

FILE = "origins.json"
MOST_BYTES = 1 << 20
PATIENCE = 5.0  # seconds for another process to write its change

_DEFAULT_PORTS = {"http": "80", "https": "443"}
_EXTENSIONS = ("chrome-extension", "moz-extension", "safari-web-extension")
_HOST = re.compile(r"\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")


class Decision(StrEnum):
    """What the user decided for good."""

    ALWAYS = "always"
    NEVER = "never"


def canonical(text: str) -> str:
    """An origin as a browser sends it: lower case, no default port, an international name in its ASCII form.

    Raises BadArguments for anything that is no origin, such as an address with a path, or `null`.
    """
    scheme, separator, rest = text.strip().removesuffix("/").lower().partition("://")
    host, port = _host_and_port(rest)
    known = scheme in _DEFAULT_PORTS or (scheme in _EXTENSIONS and not port)
    if not (separator and known and _HOST.fullmatch(host)):
        raise BadArguments(
            "This is no web origin", hint="One looks like https://shop.example or http://localhost:8080."
        )
    return f"{scheme}://{host}" + (f":{port}" if port and port != _DEFAULT_PORTS.get(scheme) else "")


def is_origin(text: str) -> bool:
    """Whether a text is an origin exactly as a browser sends it."""
    try:
        return canonical(text) == text
    except BadArguments:
        return False


def scopes_of(names: Iterable[str]) -> tuple[Access, ...]:
    """Scopes by their names, each once and in their own order. Raises BadArguments."""
    wanted = set(names)
    if not wanted or not wanted <= SCOPES:
        unknown = ", ".join(sorted(wanted - SCOPES))[:100]
        raise BadArguments(
            "These are no scopes", why=unknown, hint="Scopes are list, scan, read, edit, upload and camera."
        )
    return tuple(scope for scope in Access if scope in wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What was decided about an origin, and when (ISO 8601, UTC)."""

    origin: str
    scopes: tuple[Access, ...]
    decision: Decision
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    version: int = 1
    origins: tuple[Grant, ...] = ()


class Grants:
    """The file of decisions. Each change reads, changes and replaces it under a lock, so that none is lost."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def mark(self) -> tuple[int, ...] | None:
        return private.mark(self.path)

    def read(self) -> dict[str, Grant]:
        """Every decision by its origin. Raises BadConfiguration for a file that is damaged or not ours alone."""
        text = private.read(self.path, MOST_BYTES)
        if not text:
            return {}
        try:
            found = unpack(_File, json.loads(text))
            if found.version != 1 or not all(map(_is_sound, found.origins)):
                raise BadRecord("not of this version")
        except (ValueError, RecursionError) as error:
            raise BadConfiguration(
                f"{self.path} is damaged", hint="Remove it, and allow the web sites anew."
            ) from error
        return {each.origin: each for each in found.origins}

    def put(self, origin: str, scopes: Iterable[Access], decision: Decision) -> Grant:
        """Decide about an origin, in place of what was decided before."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        grant = Grant(origin=origin, scopes=tuple(scopes), decision=decision, since=since)
        self._change(lambda found: {**found, origin: grant})
        return grant

    def remove(self, origin: str) -> bool:
        """Forget what was decided about an origin; False if nothing was."""
        before = self._change(lambda found: {name: each for name, each in found.items() if name != origin})
        return origin in before

    def _change(self, change: Callable[[dict[str, Grant]], dict[str, Grant]]) -> dict[str, Grant]:
        lock = self.path.with_name(f".{FILE}.lock")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with locks.holding(lock) as mine:
                if mine:
                    return self._rewrite(change)
            time.sleep(0.02)
        raise FileAccess(f"{self.path} cannot be changed", why="another program is changing it")

    def _rewrite(self, change: Callable[[dict[str, Grant]], dict[str, Grant]]) -> dict[str, Grant]:
        before = self.read()
        after = change(before)
        if after != before:
            listed = _File(origins=tuple(after.values()))
            private.write(self.path, json.dumps(pack(listed), default=pack, indent=1) + "\n")
        return before


def _is_sound(grant: Grant) -> bool:
    return is_origin(grant.origin) and set(grant.scopes) <= SCOPES


def _host_and_port(text: str) -> tuple[str, str]:
    """A host in ASCII and a port, or two empty texts if it cannot be one."""
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = text, ""
    if colon and not (port.isascii() and port.isdigit() and port[0] != "0" and int(port) < 65536):
        return "", ""
    if not host.isascii():
        try:
            host, name = host.encode("idna").decode(), host
            if host.encode().decode("idna") != name:  # where Python's older rules name another host than a browser
                return "", ""
        except UnicodeError:
            return "", ""
    return host, port
