"""Marks that machines read on the virtual scanner's documents: the serial as a row of cells, and Code 128 bars."""

from __future__ import annotations

import zlib

from PIL import Image

from dwtsvc.errors import NothingFound

CELL_MM = 1.8
CELLS_LEFT_MM = 69.0  # centred on A4, where a skewed sheet moves least
CELLS_TOP_MM = 12.0
CELLS_HEIGHT_MM = 5.0

_START, _STOP = (1, 1, 1, 0), (0, 1, 1, 1)
_CELLS = len(_START) + 24 + 8 + len(_STOP)
_PIXELS_PER_MM = 4
_SEARCHED_MM = 45
_LEAST_CONTRAST = 8  # the blank page carries its cells as faint as print that shows through from the other side


def serial_cells(serial: int) -> tuple[int, ...]:
    """The cells of a serial (0 to 2**24 - 1), 1 = black: a start, 24 bits, 8 check bits, a stop."""
    return (*_START, *_bits(serial, 24), *_bits(_check(serial), 8), *_STOP)


def read_serial(image: Image.Image, dpi: float) -> int:
    """The serial on a scanned page of any mode, from 50 dpi and up to 5 degrees askew; raises NothingFound."""
    band = _band(image, dpi)
    for angle in (0.0, 2.5, -2.5, 4.5, -4.5):
        turned = band if angle == 0 else band.rotate(angle, Image.Resampling.BILINEAR, fillcolor=255)
        serial = _find(turned)
        if serial is not None:
            return serial
    raise NothingFound("The page carries no serial that can be read")


def code128_bars(text: str) -> tuple[int, ...]:
    """The widths of the bars and gaps, in modules, of a Code 128 (set B) barcode; `text` is printable ASCII."""
    values = [ord(letter) - 32 for letter in text]
    check = (_START_B + sum(place * value for place, value in enumerate(values, 1))) % 103
    return tuple(int(width) for value in (_START_B, *values, check, _STOP_CODE) for width in _WIDTHS[value])


def _bits(number: int, count: int) -> tuple[int, ...]:
    return tuple(number >> place & 1 for place in reversed(range(count)))


def _check(serial: int) -> int:
    return zlib.crc32(serial.to_bytes(3, "big")) & 0xFF


def _band(image: Image.Image, dpi: float) -> Image.Image:
    """The top of the page in gray at a fixed scale: the box filter also averages the noise away."""
    height = min(image.height, round(_SEARCHED_MM / 25.4 * dpi))
    top = image.crop((0, 0, image.width, height)).convert("L")
    scale = _PIXELS_PER_MM * 25.4 / dpi
    return top.resize((max(1, round(top.width * scale)), max(1, round(height * scale))), Image.Resampling.BOX)


def _find(band: Image.Image) -> int | None:
    pixels = band.tobytes()
    for y in range(0, band.height, 2):
        serial = _decode(pixels[y * band.width : (y + 1) * band.width])
        if serial is not None:
            return serial
    return None


def _decode(row: bytes) -> int | None:
    darkest, lightest = min(row), max(row)
    if lightest - darkest < _LEAST_CONTRAST:
        return None
    middle = (darkest + lightest) // 2
    black = row.translate(bytes(value <= middle for value in range(256)))
    first, last = black.find(1), black.rfind(1)
    cell = (last + 1 - first) / _CELLS
    if abs(cell / _PIXELS_PER_MM - CELL_MM) > 0.2:
        return None
    return _serial_of(tuple(black[int(first + (place + 0.5) * cell)] for place in range(_CELLS)))


def _serial_of(cells: tuple[int, ...]) -> int | None:
    serial = int("".join(map(str, cells[4:28])), 2)
    return serial if cells == serial_cells(serial) else None


_START_B, _STOP_CODE = 104, 106
_WIDTHS = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 "
    "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 "
    "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
    "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 "
    "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 "
    "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
    "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232 2331112"
).split()
