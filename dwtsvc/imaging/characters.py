"""The characters that a text may hold: no control characters, and nothing that XML and UTF-8 files cannot hold."""

from __future__ import annotations

import re

_PLANES = "".join(chr((plane << 16) + last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
_NOT_TEXT = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff{_PLANES}]")


def legible(text: str) -> str:
    """The text without control characters (tabs and line ends too), surrogates and non-characters."""
    return _NOT_TEXT.sub("", text)
