"""How the name of an origin reads: the letters that a browser spells as `xn--`, which may pass for others."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

MOST_LETTERS = 8  # that are named one by one


class Letter(NamedTuple):
    """A letter beyond a to z, and the name that Unicode has for it."""

    letter: str
    name: str


def spelled(host: str) -> str:
    """A host name with its `xn--` labels as letters; such a label stays as it is if it cannot be read or shown."""
    return ".".join(map(_label, host.split(".")))


def letters(host: str) -> list[Letter]:
    """The letters beyond a to z of a host name, in their order, each once; the first few."""
    found = dict.fromkeys(each for each in spelled(host) if not each.isascii())
    return [Letter(each, unicodedata.name(each, f"U+{ord(each):04X}").lower()) for each in [*found][:MOST_LETTERS]]


def _label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        read = label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
    # Signs that nobody sees, or that turn the direction of writing, would make the reading a trap of its own.
    return read if all(each == "-" or unicodedata.category(each)[0] in "LMN" for each in read) else label
