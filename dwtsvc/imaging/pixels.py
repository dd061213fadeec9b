"""Pixels between Pillow images and packed rows: the four modes a page has, 16 bits to 8, and images in bands."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from PIL import Image

from dwtsvc.imaging.rows import row_bytes, rows_in_band

MACHINE_ENDIAN = "" if sys.byteorder == "little" else "B"
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


def image_bands(image: Image.Image) -> Iterator[bytes]:
    """The packed rows of a plain image, some MB at a time; 1-bit rows with 1 = white."""
    width, height = image.size
    step = rows_in_band(row_bytes(width, *CHANNELS_AND_DEPTH[image.mode]))
    for top in range(0, height, step):
        yield image.crop((0, top, width, min(top + step, height))).tobytes()


def bare(image: Image.Image) -> Image.Image:
    """The image without its info: Pillow would reuse the compression, profile or dpi of wherever it came from."""
    if not image.info:
        return image
    image = image.copy()
    image.info = {}
    return image


def bytes_view(rows: bytes | memoryview, size: int) -> Image.Image:
    """Packed rows of `size` bytes each as a gray image, so that byte arithmetic runs at Pillow's speed."""
    return Image.frombytes("L", (size, len(rows) // size), rows)
