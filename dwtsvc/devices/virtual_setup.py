"""What the name of a virtual scanner asks of it: `adf?pages=5&jam=3`, one parameter a row of the table below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import parse_qsl

from dwtsvc.devices.originals import KINDS
from dwtsvc.errors import BadArguments

MAX_PAGES = 1_000_000
MAX_SKEW = 5.0
MISHAPS = ("jam", "cover", "multifeed", "error", "crash", "hang", "short")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """None for skew and noise: slight, and different on each page. `mishaps` says at which page each happens."""

    pages: int | None = None
    document: str = "mix"
    skew: float | None = None
    noise: float | None = None
    seed: int = 0
    slow: float = 0.0
    delay_open: float = 0.0
    empty: bool = False
    busy: bool = False
    denied: bool = False
    print: bool = False
    unknown_height: bool = False
    folder: str = ""
    file: str = ""
    mishaps: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`allowed` is what a person may write; `read` raises ValueError at anything else."""

    allowed: str
    meaning: str
    read: Callable[[str], Any]


def parse(query: str) -> Setup:
    """The setup that a query string describes; raises BadArguments that lists what is allowed."""
    values: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in PARAMETERS:
            raise BadArguments(f"The virtual scanner has no parameter '{name}'", hint=_allowed())
        values[name.replace("-", "_")] = _read(name, text)
    if values.get("folder") and values.get("file"):
        raise BadArguments("The virtual scanner serves a folder or a file, not both")
    settings = {name: value for name, value in values.items() if name in _FIELDS}
    return Setup(**settings, mishaps={name: values[name] for name in MISHAPS if name in values})


def _read(name: str, text: str) -> Any:
    try:
        return PARAMETERS[name].read(text)
    except ValueError as error:
        allowed = PARAMETERS[name].allowed
        raise BadArguments(
            f"The virtual scanner cannot take {name}={text}",
            why=str(error),
            hint=f"Write {name}={allowed}. {_allowed()}",
        ) from error


def _allowed() -> str:
    return "It takes: " + ", ".join(f"{name}={parameter.allowed}" for name, parameter in PARAMETERS.items()) + "."


def _whole(least: int, most: int = MAX_PAGES) -> Callable[[str], int]:
    return lambda text: int(_within(int(text), least, most))


def _number(least: float, most: float) -> Callable[[str], float]:
    return lambda text: _within(float(text), least, most)


def _within(value: float, least: float, most: float) -> float:
    if not least <= value <= most:  # so that NaN is refused too
        raise ValueError(f"not within {least:g} and {most:g}")
    return value


def _flag(text: str) -> bool:
    return _word("0", "1")(text) == "1"


def _word(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"not one of {', '.join(words)}")
        return text

    return read


def _path(text: str) -> str:
    if not text:
        raise ValueError("empty")
    return text


def _at_page(meaning: str) -> Parameter:
    return Parameter("N", meaning, _whole(1))


PARAMETERS = {
    "pages": Parameter("N", "sheets in the feeder (default: each document once)", _whole(0)),
    "document": Parameter("|".join((*KINDS, "mix")), "only this kind of document", _word(*KINDS, "mix")),
    "skew": Parameter(
        "DEGREES", f"how askew every page lies, -{MAX_SKEW:g} to {MAX_SKEW:g}", _number(-MAX_SKEW, MAX_SKEW)
    ),
    "noise": Parameter("0..1", "how noisy the paper looks", _number(0, 1)),
    "seed": Parameter("N", "another skew and noise for each page", _whole(0)),
    "slow": Parameter("SECONDS", "how long a page takes", _number(0, 3600)),
    "delay-open": Parameter("SECONDS", "how long opening takes", _number(0, 3600)),
    "empty": Parameter("0|1", "the feeder is empty", _flag),
    "busy": Parameter("0|1", "another program has the scanner", _flag),
    "denied": Parameter("0|1", "the user has no right to the scanner", _flag),
    "print": Parameter("0|1", "the driver writes to standard output", _flag),
    "unknown-height": Parameter("0|1", "the height is not told, as by hand scanners", _flag),
    "folder": Parameter("/PATH", "scan the images of this folder", _path),
    "file": Parameter("/PATH.pdf", "scan the pages of this PDF", _path),
    "jam": _at_page("the paper jams in page N"),
    "cover": _at_page("the cover is opened in page N"),
    "multifeed": _at_page("two sheets go in at page N"),
    "error": _at_page("the driver reports an error in page N"),
    "crash": _at_page("the process dies of SIGSEGV in page N"),
    "hang": _at_page("the driver hangs for ever in page N"),
    "short": _at_page("page N ends half way and claims to be whole"),
}
_FIELDS = {each.name for each in fields(Setup)}
