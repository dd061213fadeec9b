"""How a value is written in a file, a variable or an option: its text <-> its value, and what is allowed, in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from dwtsvc.errors import BadArguments
from dwtsvc.model import MM_PER_INCH, Area

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
N = TypeVar("N", int, float)

PAPERS = {  # width, height in mm
    "a3": (297.0, 420.0),
    "a4": (210.0, 297.0),
    "a5": (148.0, 210.0),
    "a6": (105.0, 148.0),
    "b4": (250.0, 353.0),
    "b5": (176.0, 250.0),
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
    "tabloid": (279.4, 431.8),
    "executive": (184.15, 266.7),
    "statement": (139.7, 215.9),
    "card": (85.6, 54.0),
}
_MILLIMETRES = {"": 1.0, "mm": 1.0, "cm": 10.0, "in": MM_PER_INCH}
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_BYTES |= {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_ON, _OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*x\s*(\d+(?:\.\d+)?)\s*(mm|cm|in|)")
_WEB_ADDRESS = re.compile(r"https?://[^\s,?#@\\]+")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@\\*]+")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """`parse` takes a text without outer blanks and raises ValueError for anything that `allowed` does not describe."""

    allowed: str
    parse: Callable[[str], T]
    show: Callable[[T], str] = str

    def argument(self, name: str, text: str) -> T:
        """The value of an argument; BadArguments with what is allowed if it is none."""
        try:
            return self.parse(text.strip())
        except ValueError:
            raise BadArguments(f"{name} cannot be '{text}'", hint=f"Allowed: {self.allowed}.") from None


def words(*allowed: str, **aliases: str) -> Kind[str]:
    def parse(text: str) -> str:
        word = aliases.get(text.lower(), text.lower())
        if word not in allowed:
            raise ValueError(text)
        return word

    return Kind(", ".join(allowed), parse)


def enumeration(kind: type[E]) -> Kind[E]:
    return Kind(", ".join(kind), lambda text: kind(text.lower()))


def whole(low: int, high: int) -> Kind[int]:
    return Kind(f"a whole number, {low} to {high}", lambda text: _within(int(text), low, high))


def one_of(*allowed: int) -> Kind[int]:
    def parse(text: str) -> int:
        if int(text) not in allowed:
            raise ValueError(text)
        return int(text)

    return Kind(", ".join(map(str, allowed)), parse)


def seconds(low: float, high: float) -> Kind[float]:
    return Kind(f"seconds, {low:g} to {high:g}", lambda text: _within(float(text), low, high), lambda v: f"{v:.10g}")


def optional(kind: Kind[T], word: str = "auto") -> Kind[T | None]:
    """A kind with one more word, which means None."""
    return Kind(
        f"{word}, or {kind.allowed}",
        lambda text: None if text.lower() == word else kind.parse(text),
        lambda value: word if value is None else kind.show(value),
    )


def paper_area(size: str) -> Area | None:
    """The area of a size such as `a4` or `100x150mm` from the top left corner; None for `auto`, the device's own.

    Raises ValueError for a text that is no size.
    """
    if size.lower() == "auto":
        return None
    if paper := PAPERS.get(size.lower()):
        return Area(width=paper[0], height=paper[1])
    match = _SIZE.fullmatch(size.lower())
    if not match:
        raise ValueError(size)
    width, height = (
        _within(round(float(side) * _MILLIMETRES[match[3]], 4), 1.0, 10_000.0) for side in match.groups()[:2]
    )
    return Area(width=width, height=height)


def _area(text: str) -> Area:
    left, top, width, height = (_within(float(part), 0.0, 10_000.0) for part in text.split(","))
    return Area(left=left, top=top, width=_within(width, 1.0, 10_000.0), height=_within(height, 1.0, 10_000.0))


def _size(text: str) -> str:
    paper_area(text)
    return text.lower()


def _byte_count(text: str) -> int:
    match = re.fullmatch(r"(\d+)\s*([a-z]*)", text.lower())
    if not match or match[2] not in _BYTES:
        raise ValueError(text)
    return _within(int(match[1]) * _BYTES[match[2]], 1 << 16, 1 << 40)


def _show_bytes(count: int) -> str:
    for unit in ("GiB", "MiB", "KiB"):
        if count % _BYTES[unit.lower()] == 0:
            return f"{count // _BYTES[unit.lower()]} {unit}"
    return str(count)


def _on_off(text: str) -> bool:
    if text.lower() not in _ON + _OFF:
        raise ValueError(text)
    return text.lower() in _ON


def _address(text: str) -> str | None:
    from ipaddress import ip_address

    return str(ip_address(text)) if text else None


def _share(text: str) -> str:
    word = "off" if text.lower() in _OFF else "on" if text.lower() in _ON else text
    if word not in ("on", "off"):
        split_address(word)
    return word


def split_address(text: str) -> tuple[str, int | None]:
    """An IP address with or without a port: `192.168.1.2`, `192.168.1.2:8080`, `fd00::1`, `[fd00::1]:8080`.

    Raises ValueError.
    """
    from ipaddress import ip_address

    match = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<four>[0-9.]+))(?::(?P<port>\d{1,5}))?", text)
    if match is None:
        return str(ip_address(text)), None
    port = match["port"]
    return str(ip_address(match["six"] or match["four"])), _within(int(port), 1, 65534) if port else None


def _networks(text: str) -> tuple[str, ...]:
    from ipaddress import ip_network

    return tuple(str(ip_network(part.strip(), strict=False)) for part in text.split(",")) if text else ()


def _devices(text: str) -> tuple[str, ...]:
    return tuple(_something(part.strip()) for part in text.split(",")) if text else ()


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(part.strip().lower() for part in text.split(",")) if text else ()
    if origins != ("*",) and not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError(text)
    return origins


def _ports(text: str) -> tuple[int, ...]:
    return tuple(_within(int(part), 1, 65535) for part in text.split(",")) if text else ()


def _within(value: N, low: N, high: N) -> N:
    if not low <= value <= high:  # refuses nan too
        raise ValueError(value)
    return value


def _languages(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_/-]{2,40}(\+[A-Za-z0-9_/-]{2,40})*", text):
        raise ValueError(text)
    return text


def _something(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _web_addresses(text: str) -> tuple[str, ...]:
    addresses = tuple(part.strip() for part in text.split(",")) if text else ()
    if not all(_WEB_ADDRESS.fullmatch(address) for address in addresses):
        raise ValueError(text)
    return addresses


TEXT = Kind("any text", str)
WEB_ADDRESSES = Kind("http or https addresses with commas between, or nothing", _web_addresses, ",".join)
LANGUAGES = Kind("languages as tesseract names them, with + between: eng, deu+eng", _languages)
SWITCH = Kind("on or off (also true, false, yes, no, 1, 0)", _on_off, lambda value: "on" if value else "off")
DEVICE = Kind("the id of a device as `dwtsvc devices` lists it", _something)
SIZE = Kind(f"auto, {', '.join(PAPERS)}, or WIDTHxHEIGHT with mm, cm or in", _size)
AREA = Kind(
    "LEFT,TOP,WIDTH,HEIGHT in mm", _area, lambda area: f"{area.left:g},{area.top:g},{area.width:g},{area.height:g}"
)
BYTES = Kind("a number of bytes, also with KiB, MiB or GiB, 64 KiB to 1024 GiB", _byte_count, _show_bytes)
ADDRESS: Kind[str | None] = Kind("an IP address, or nothing for this machine only", _address, lambda value: value or "")
SHARE = Kind("off, on (this machine only), or an IP address, also with a port: 192.168.1.2:8080", _share)
NETWORKS: Kind[tuple[str, ...]] = Kind(
    "networks such as 192.168.1.0/24 with commas between, or nothing", _networks, ", ".join
)
DEVICES: Kind[tuple[str, ...]] = Kind(
    "ids of devices as `dwtsvc devices` lists them, with commas between, or nothing", _devices, ", ".join
)
ORIGINS: Kind[tuple[str, ...]] = Kind(
    "*, or origins such as https://shop.example:8443 with commas between", _origins, ", ".join
)
PORTS: Kind[tuple[int, ...]] = Kind(
    "port numbers, 1 to 65535, with commas between", _ports, lambda ports: ", ".join(map(str, ports))
)
