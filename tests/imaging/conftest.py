"""Drawn pages as raw rows, each with padding, so that no test passes by ignoring bytes_per_line."""

from __future__ import annotations

import random
import sys
from array import array
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw

from dwtsvc.model import Raster

PADDING = 5


@pytest.fixture
def picture() -> Image.Image:
    """A colour picture with flat parts, edges, a ramp and noise; odd sizes."""
    image = Image.radial_gradient("L").resize((203, 151)).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 10, 90, 60), fill=(250, 20, 30))
    draw.ellipse((80, 50, 190, 140), outline=(0, 60, 200), width=3)
    noise = Image.effect_noise((100, 50), 60)
    image.paste(Image.merge("RGB", (noise, noise.rotate(180), noise)), (100, 5))
    return image


@pytest.fixture
def letter() -> Image.Image:
    """A 1-bit page with letters; 1 = white."""
    image = Image.new("1", (613, 407), 1)
    draw = ImageDraw.Draw(image)
    for line in range(12):
        draw.text((20, 20 + 30 * line), f"Line {line}: the quick brown fox jumps over the lazy dog", fill=0)
    return image


@pytest.fixture
def as_rows() -> Callable[..., tuple[Raster, bytes]]:
    """Turns an image of mode 1, L or RGB into a raster and its padded raw rows (1-bit: 1 = black)."""

    def rows_of(image: Image.Image, dpi: float = 300) -> tuple[Raster, bytes]:
        packed = image.tobytes("raw", "1;I") if image.mode == "1" else image.tobytes()
        channels, depth = {"1": (1, 1), "L": (1, 8), "RGB": (3, 8)}[image.mode]
        return padded(packed, image.size, channels, depth, dpi)

    return rows_of


@pytest.fixture
def deep_rows() -> Callable[[int], tuple[Raster, bytes, array[int]]]:
    """Turns a channel count into a 16-bit raster, its padded rows and its samples."""

    def rows_of(channels: int) -> tuple[Raster, bytes, array[int]]:
        width, height = 97, 61
        dice = random.Random(16)
        samples = array("H", [dice.randrange(0x10000) for _ in range(width * height * channels)])
        return *padded(samples.tobytes(), (width, height), channels, 16, 300), samples

    return rows_of


def padded(packed: bytes, size: tuple[int, int], channels: int, depth: int, dpi: float) -> tuple[Raster, bytes]:
    width, height = size
    line = len(packed) // height
    rows = b"".join(packed[at : at + line] + b"\xa5" * PADDING for at in range(0, len(packed), line))
    raster = Raster(width=width, height=height, channels=channels, depth=depth, bytes_per_line=line + PADDING, dpi=dpi)
    return raster, rows


@pytest.fixture
def high_bytes() -> Callable[[array[int]], bytes]:
    def of(samples: array[int]) -> bytes:
        return samples.tobytes()[1::2] if sys.byteorder == "little" else samples.tobytes()[0::2]

    return of
