"""Packed rows without any image library: their sizes, their checks, and bands of them."""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

from dwtsvc.errors import PageDamaged
from dwtsvc.model import Raster

Rows = bytes | bytearray | memoryview | mmap

BAND_BYTES = 4 << 20  # large enough that zlib outweighs Python, small enough that memory stays flat


def row_bytes(width: int, channels: int, depth: int) -> int:
    """The bytes of one row without padding."""
    return (width * channels * depth + 7) // 8


def raw_bands(raster: Raster, rows: Rows, size: int | None = None) -> Iterator[bytes]:
    """The rows of a raw page without their padding, some MB at a time, or `size` bytes.

    Bands are copies, a small part of what compressing them costs: a view that lives on in a traceback would keep the
    caller from closing a memory map, and the BufferError of that would hide the real one.
    """
    packed, line = row_bytes(raster.width, raster.channels, raster.depth), raster.bytes_per_line
    end, step = page_bytes(raster, rows), rows_in_band(packed, size) * line
    for start in range(0, end, step):
        band = bytes(rows[start : min(start + step, end)])
        yield band if packed == line else b"".join([band[at : at + packed] for at in range(0, len(band), line)])


def rows_in_band(row: int, size: int | None = None) -> int:
    """How many rows of `row` bytes make a band."""
    return max(1, (size or BAND_BYTES) // max(1, row))


def page_bytes(raster: Raster, rows: Rows) -> int:
    """The bytes that the page has, height * bytes_per_line; PageDamaged if fewer are there or it cannot be."""
    packed = row_bytes(raster.width, raster.channels, raster.depth)
    if raster.height is None or min(raster.width, raster.height) < 1 or raster.bytes_per_line < packed:
        raise PageDamaged("The page's description makes no sense", why=str(raster))
    needed = raster.height * raster.bytes_per_line
    if len(rows) < needed:
        raise PageDamaged("The page is incomplete", why=f"{len(rows)} of {needed} bytes are there")
    return needed
