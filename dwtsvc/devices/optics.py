"""The eye of the virtual scanner: a sheet lying slightly askew on a surface, seen as rows of bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from PIL import Image, ImageChops

from dwtsvc.model import MM_PER_INCH, Area, Mode

_PIVOT_MM = (105.0, 148.5)  # the middle of A4
_STRIP_BYTES = 1 << 20
_GRAIN_MARGIN = 61  # how far a page may shift the grain, so that two pages never show the same
_GRAIN_LEVELS = 100  # how dark noise 1 makes white paper at most


@dataclass(frozen=True, slots=True)
class Sheet:
    """An image whose top left corner lies in that of the surface; with a palette (768 bytes) its L values are inks."""

    image: Image.Image  # L or RGB
    dpi: float
    palette: bytes | None = None

    @property
    def white(self) -> int | tuple[int, int, int]:
        return 255 if self.image.mode == "L" else (255, 255, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How a sheet is seen: skew in degrees clockwise, noise 0 to 1, brightness -100 to 100, threshold 0 to 255."""

    area: Area
    dpi: int
    mode: Mode
    skew: float = 0.0
    noise: float = 0.0
    brightness: float = 0.0
    threshold: int = 128
    seed: str = ""

    @property
    def width(self) -> int:
        return max(1, round(self.area.width / MM_PER_INCH * self.dpi))

    @property
    def height(self) -> int:
        return max(1, round(self.area.height / MM_PER_INCH * self.dpi))

    @property
    def bytes_per_line(self) -> int:
        bits = {Mode.COLOR: 24, Mode.GRAY: 8, Mode.LINEART: 1}[self.mode]
        return (self.width * bits + 7) // 8

    @property
    def rows_per_strip(self) -> int:
        """About a MiB, but at least sixteen strips a page, so that a page has a middle to cancel or fail in."""
        return max(1, min(_STRIP_BYTES // self.bytes_per_line, self.height // 16))


def strips(sheet: Sheet, view: View) -> Iterator[tuple[float, bytes]]:
    """Yield packed rows from the top of the view to its bottom, each with the share of the view that is then done."""
    dice = Random(view.seed)
    for top in range(0, view.height, view.rows_per_strip):
        rows = min(view.rows_per_strip, view.height - top)
        seen = _grained(_look(sheet, view, top, rows), view, dice)
        yield (top + rows) / view.height, _packed(_lit(_coloured(seen, sheet, view.mode), view.brightness), view)


def _look(sheet: Sheet, view: View, top: int, rows: int) -> Image.Image:
    fine = sheet.palette is not None or sheet.dpi == view.dpi
    return sheet.image.transform(
        (view.width, rows),
        Image.Transform.AFFINE,
        _affine(sheet.dpi, view, top),
        Image.Resampling.NEAREST if fine else Image.Resampling.BILINEAR,
        fillcolor=sheet.white,
    )


def _affine(sheet_dpi: float, view: View, top: int) -> tuple[float, float, float, float, float, float]:
    """From a pixel of the strip to a pixel of the sheet: a turn about the pivot, and a scale."""
    scale = sheet_dpi / view.dpi
    cosine, sine = math.cos(math.radians(view.skew)), math.sin(math.radians(view.skew))
    across, down = _PIVOT_MM
    left_mm = view.area.left - across
    top_mm = view.area.top + top / view.dpi * MM_PER_INCH - down
    x = (across + cosine * left_mm + sine * top_mm) / MM_PER_INCH * sheet_dpi
    y = (down - sine * left_mm + cosine * top_mm) / MM_PER_INCH * sheet_dpi
    return scale * cosine, scale * sine, x, -scale * sine, scale * cosine, y


def _grained(seen: Image.Image, view: View, dice: Random) -> Image.Image:
    """Paper is never quite white: the grain darkens what is lighter than itself and leaves ink alone."""
    levels = round(view.noise * _GRAIN_LEVELS)
    if levels == 0:
        return seen
    grain = _grain(view.width + _GRAIN_MARGIN, view.rows_per_strip + _GRAIN_MARGIN, levels, seen.mode)
    x, y = dice.randrange(_GRAIN_MARGIN), dice.randrange(_GRAIN_MARGIN)
    return ImageChops.darker(seen, grain.crop((x, y, x + seen.width, y + seen.height)))


@lru_cache(maxsize=2)
def _grain(width: int, height: int, levels: int, mode: str) -> Image.Image:
    tile = Image.frombytes("L", (256, 256), Random(levels).randbytes(256 * 256))
    tile = tile.point([255 - value * levels // 255 for value in range(256)]).convert(mode)
    grain = Image.new(mode, (width, height))
    for y in range(0, height, 256):
        for x in range(0, width, 256):
            grain.paste(tile, (x, y))
    return grain


def _coloured(seen: Image.Image, sheet: Sheet, mode: Mode) -> Image.Image:
    if sheet.palette is None:
        return seen.convert("RGB" if mode is Mode.COLOR else "L")
    if mode is Mode.COLOR:
        seen.putpalette(sheet.palette)
        return seen.convert("RGB")
    return seen.point(_gray_values(sheet.palette))


@lru_cache(maxsize=4)
def _gray_values(palette: bytes) -> list[int]:
    inks = zip(palette[0::3], palette[1::3], palette[2::3], strict=True)
    return [(red * 299 + green * 587 + blue * 114) // 1000 for red, green, blue in inks]


def _lit(seen: Image.Image, brightness: float) -> Image.Image:
    if brightness == 0:
        return seen
    shift = round(brightness * 2.55)
    return seen.point([min(max(value + shift, 0), 255) for value in range(256)] * len(seen.getbands()))


def _packed(seen: Image.Image, view: View) -> bytes:
    if view.mode is not Mode.LINEART:
        return seen.tobytes()
    bitonal = seen.point([255 * (value >= view.threshold) for value in range(256)], "1")
    return bitonal.tobytes("raw", "1;I")
