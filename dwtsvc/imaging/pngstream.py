"""The packed rows of a PNG, taken out as they are: PDF's predictors are PNG's filters."""

from __future__ import annotations

import struct
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, RGB = 0, 2
CHANNELS = {GRAY: 1, RGB: 3}
HEADER = struct.Struct(">IIBBBBB")


@dataclass(frozen=True, slots=True, kw_only=True)
class PngStream:
    """`parts`, put together, are one zlib stream of rows of 1 (gray) or 3 (RGB) channels of `depth` bits, each behind
    its filter byte."""

    width: int
    height: int
    channels: int
    depth: int
    parts: tuple[memoryview, ...]


def png_stream(data: bytes) -> PngStream | None:
    """The stream of a PNG, or None of one that a PDF shows otherwise or not at all: interlaced, with a palette, alpha
    or a transparent colour, or of 16 bits; and of what is no PNG. Nothing is unpacked: decode what is not trusted."""
    if data[: len(SIGNATURE)] != SIGNATURE:
        return None
    header, parts = b"", []
    view, position = memoryview(data), len(SIGNATURE)
    while position + 12 <= len(data):
        size, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        body = view[position + 8 : position + 8 + size]
        if name == b"IHDR":
            header = bytes(body)
        elif name == b"IDAT":
            parts.append(body)
        elif name in (b"tRNS", b"acTL"):
            return None
        elif name == b"IEND":
            break
        position += 12 + size
    return _stream(header, tuple(parts)) if len(header) == HEADER.size and parts else None


def _stream(header: bytes, parts: tuple[memoryview, ...]) -> PngStream | None:
    width, height, depth, colour, _, _, interlaced = HEADER.unpack(header)
    if interlaced or not (width and height) or (colour, depth) not in ((GRAY, 1), (GRAY, 8), (RGB, 8)):
        return None
    return PngStream(width=width, height=height, channels=CHANNELS[colour], depth=depth, parts=parts)
