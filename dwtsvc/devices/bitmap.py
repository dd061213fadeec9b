"""Windows bitmaps, as TWAIN and WIA hand pages over, made rows as `Raster` describes them. Standard library only.

A bitmap begins with its lowest row, pads rows to four bytes, keeps blue before red, and names its blacks and whites
in a palette. None of that leaves this file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dwtsvc.devices.driver import Frame, PageEnd, PageStart, Strip
from dwtsvc.errors import DriverError, IncompletePage
from dwtsvc.model import MM_PER_INCH, Raster

FILE_HEADER = 14
_OFFSET_AT = 10
_HEADER = struct.Struct("<IiiHHIIiiII")
HEADER_SIZE = _HEADER.size
_HEADER_SIZES = (HEADER_SIZE, 52, 56, 108, 124)
_UNCOMPRESSED, _BITFIELDS = 0, 3
_MOST_PIXELS = 1 << 31
_STRIPS = 16  # a page at least, so that it has a middle to cancel in
_STRIP_BYTES = 1 << 20
_BLACK_AND_WHITE = bytes(range(255, -1, -1))
_STRAIGHT_MASKS = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)

Unpack = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitmap:
    """What the header of a bitmap says; `offset` is where its rows begin in the bitmap without a file header."""

    width: int
    height: int
    bits: int
    from_top: bool
    offset: int
    dpi: float
    palette: bytes  # blue, green, red, 0 for each ink

    @property
    def stride(self) -> int:
        return (self.width * self.bits + 31) // 32 * 4

    @property
    def size(self) -> int:
        """The bytes that the header and all rows take."""
        return self.offset + self.stride * self.height


def before_rows(head: memoryview | bytes) -> int:
    """The bytes of header, masks and palette, by its first HEADER_SIZE bytes. Raises DriverError for other files."""
    if len(head) < HEADER_SIZE:
        raise IncompletePage("The scanner sent an empty page", hint="Scan the page again.")
    size, _, _, _, bits, compression, _, _, _, used, _ = _HEADER.unpack_from(head)
    masked = _is_masked(bits, compression)
    if size not in _HEADER_SIZES or bits not in (1, 4, 8, 24, 32) or (compression != _UNCOMPRESSED and not masked):
        raise DriverError("The scanner sent a bitmap of an unknown kind", why=f"{bits} bits, compression {compression}")
    inks = min(used or 1 << bits, 1 << bits) if bits <= 8 else min(used, 256)
    # The masks are part of the later, larger headers, and lie behind the first one.
    masks = len(_STRAIGHT_MASKS) if masked and size == HEADER_SIZE else 0
    return int(size + inks * 4 + masks)


def _is_masked(bits: int, compression: int) -> bool:
    return compression == _BITFIELDS and bits == 32


def header(data: memoryview | bytes) -> Bitmap:
    """Read the header and the palette at the beginning of `data`. Raises DriverError for what is no page."""
    offset = before_rows(data)
    size, width, height, _, bits, compression, _, per_metre, _, _, _ = _HEADER.unpack_from(data)
    masks = bytes(data[HEADER_SIZE : HEADER_SIZE + len(_STRAIGHT_MASKS)])
    if _is_masked(bits, compression) and masks != _STRAIGHT_MASKS:
        raise DriverError("The scanner sent a bitmap of an unknown kind", why="its colours lie in an unusual order")
    if width <= 0 or height == 0 or width * abs(height) > _MOST_PIXELS:
        raise DriverError("The scanner sent a page that cannot be", why=f"{width} x {height} pixels")
    return Bitmap(
        width=width,
        height=abs(height),
        bits=bits,
        from_top=height < 0,
        offset=offset,
        dpi=round(max(per_metre, 0) * MM_PER_INCH / 1000, 2),
        palette=bytes(data[size:offset]) if bits <= 8 else b"",
    )


def raster(bitmap: Bitmap, dpi: float) -> Raster:
    """How the rows of `strips` lie; the bitmap tells the resolution where `dpi` is 0."""
    channels, depth, _ = _reading(bitmap)
    return Raster(
        width=bitmap.width,
        height=bitmap.height,
        channels=channels,
        depth=depth,
        bytes_per_line=(bitmap.width * channels * depth + 7) // 8,
        dpi=dpi or bitmap.dpi,
    )


def strips(bitmap: Bitmap, data: memoryview | bytes) -> Iterator[bytes]:
    """The rows from top to bottom, some at a time, without padding. Raises IncompletePage where rows are missing."""
    if len(data) < bitmap.size:
        raise IncompletePage(
            "The page ended early", why=f"{len(data)} of {bitmap.size} bytes came", hint="Scan the page again."
        )
    used = (bitmap.width * bitmap.bits + 7) // 8
    _, _, unpack = _reading(bitmap)
    at_once = max(1, min(_STRIP_BYTES // bitmap.stride, bitmap.height // _STRIPS))
    for first in range(0, bitmap.height, at_once):
        rows = range(first, min(first + at_once, bitmap.height))
        starts = (bitmap.offset + bitmap.stride * (row if bitmap.from_top else bitmap.height - 1 - row) for row in rows)
        if bitmap.bits == 4:  # an odd width leaves half a byte at the end of a row
            yield b"".join(unpack(bytes(data[start : start + used]))[: _row_bytes(bitmap)] for start in starts)
        else:
            yield unpack(b"".join(data[start : start + used] for start in starts))


def frames(data: memoryview | bytes, dpi: float, *, back: bool = False) -> Iterator[Frame]:
    """The page of a bitmap, with or without the header that it has in a file."""
    view = memoryview(data)
    if bytes(view[:2]) != b"BM":
        head = header(view)
    elif len(view) < FILE_HEADER:
        raise IncompletePage("The scanner sent an empty page", hint="Scan the page again.")
    else:
        (offset,) = struct.unpack_from("<I", view, _OFFSET_AT)
        view = view[FILE_HEADER:]
        head = replace(header(view), offset=max(offset - FILE_HEADER, HEADER_SIZE))
    yield PageStart(raster=raster(head, dpi), back=back)
    for rows in strips(head, view):
        yield Strip(rows)
    yield PageEnd()


def _row_bytes(bitmap: Bitmap) -> int:
    return bitmap.width * _reading(bitmap)[0]


def _reading(bitmap: Bitmap) -> tuple[int, int, Unpack]:
    """Channels, bits a sample, and what makes such samples of the bytes of whole rows."""
    if bitmap.bits == 24:
        return 3, 8, lambda rows: _swapped(rows, 3)
    if bitmap.bits == 32:
        return 3, 8, lambda rows: _swapped(rows, 4)
    blue, green, red = (bitmap.palette[channel::4] for channel in range(3))
    if bitmap.bits == 1:
        first_is_black = sum(bitmap.palette[:3]) < sum(bitmap.palette[4:7])
        return 1, 1, lambda rows: rows.translate(_BLACK_AND_WHITE) if first_is_black else rows
    if blue == green == red:
        table = _table(red)
        return 1, 8, lambda rows: _indexes(rows, bitmap.bits).translate(table)
    tables = _table(red), _table(green), _table(blue)
    return 3, 8, lambda rows: _coloured(_indexes(rows, bitmap.bits), tables)


def _swapped(rows: bytes, step: int) -> bytes:
    out = bytearray(len(rows) // step * 3)
    for channel in range(3):
        out[channel::3] = rows[2 - channel :: step]
    return bytes(out)


def _table(levels: bytes) -> bytes:
    return levels.ljust(256, b"\0")


def _indexes(rows: bytes, bits: int) -> bytes:
    if bits == 8:
        return rows
    out = bytearray(len(rows) * 2)
    out[0::2] = rows.translate(bytes(value >> 4 for value in range(256)))
    out[1::2] = rows.translate(bytes(value & 15 for value in range(256)))
    return bytes(out)


def _coloured(indexes: bytes, tables: tuple[bytes, bytes, bytes]) -> bytes:
    out = bytearray(len(indexes) * 3)
    for channel, table in enumerate(tables):
        out[channel::3] = indexes.translate(table)
    return bytes(out)
