"""Pixels between Pillow images and packed rows: the four modes a page has, 16 bits to 8, and rows in bands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from mmap import mmap

from PIL import Image

from dwtsvc.errors import PageDamaged
from dwtsvc.model import Raster

Rows = bytes | bytearray | memoryview | mmap

MACHINE_ENDIAN = "" if sys.byteorder == "little" else "B"
BAND_BYTES = 4 << 20  # large enough that zlib outweighs Python, small enough that memory stays flat
CHANNELS_AND_DEPTH = {"1": (1, 1), "L": (1, 8), "I;16": (1, 16), "RGB": (3, 8)}


def plain(image: Image.Image) -> Image.Image:
    """The image in one of the modes 1, L, I;16, RGB; whatever is transparent is laid on white paper."""
    if image.mode in CHANNELS_AND_DEPTH:
        return image
    if image.mode in ("I;16B", "I;16L", "I;16N", "I"):
        return image.convert("I").convert("I;16")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        sheet = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(sheet, image.convert("RGBA"))
    return image.convert("RGB")


def to_8bit(image: Image.Image) -> Image.Image:
    """A 16-bit gray image by its high bytes (Pillow's own conversion would clip at 255); any other as it is."""
    if image.mode != "I;16":
        return image
    return Image.frombytes("L", image.size, image.tobytes(), "raw", f"L;16{MACHINE_ENDIAN}", 0, 1)


def row_bytes(width: int, channels: int, depth: int) -> int:
    """The bytes of one row without padding."""
    return (width * channels * depth + 7) // 8


def image_bands(image: Image.Image) -> Iterator[bytes]:
    """The packed rows of a plain image, some MB at a time; 1-bit rows with 1 = white."""
    width, height = image.size
    step = rows_in_band(row_bytes(width, *CHANNELS_AND_DEPTH[image.mode]))
    for top in range(0, height, step):
        yield image.crop((0, top, width, min(top + step, height))).tobytes()


def raw_bands(raster: Raster, rows: Rows) -> Iterator[bytes]:
    """The rows of a raw page without their padding, some MB at a time.

    Bands are copies, a small part of what compressing them costs: a view that lives on in a traceback would keep the
    caller from closing a memory map, and the BufferError of that would hide the real one.
    """
    packed, line = row_bytes(raster.width, raster.channels, raster.depth), raster.bytes_per_line
    end, step = page_bytes(raster, rows), rows_in_band(packed) * line
    for start in range(0, end, step):
        band = bytes(rows[start : min(start + step, end)])
        yield band if packed == line else b"".join([band[at : at + packed] for at in range(0, len(band), line)])


def rows_in_band(size: int) -> int:
    """How many rows of `size` bytes make a band."""
    return max(1, BAND_BYTES // max(1, size))


def checked(raster: Raster, rows: Rows) -> memoryview:
    """The rows as a view of exactly height * bytes_per_line bytes, else PageDamaged; see `raw_bands` on views."""
    needed = page_bytes(raster, rows)
    return memoryview(rows)[:needed]


def page_bytes(raster: Raster, rows: Rows) -> int:
    """The bytes that the page has, height * bytes_per_line; PageDamaged if fewer are there or it cannot be."""
    packed = row_bytes(raster.width, raster.channels, raster.depth)
    if raster.height is None or min(raster.width, raster.height) < 1 or raster.bytes_per_line < packed:
        raise PageDamaged("The page's description makes no sense", why=str(raster))
    needed = raster.height * raster.bytes_per_line
    if len(rows) < needed:
        raise PageDamaged("The page is incomplete", why=f"{len(rows)} of {needed} bytes are there")
    return needed


def bytes_view(rows: bytes | memoryview, size: int) -> Image.Image:
    """Packed rows of `size` bytes each as a gray image, so that byte arithmetic runs at Pillow's speed."""
    return Image.frombytes("L", (size, len(rows) // size), rows)
