"""Sheets with barcodes to print: separators between documents, and labels with numbers that count on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from dwtsvc.errors import BadArguments
from dwtsvc.imaging import patchcode
from dwtsvc.imaging.barcode import SYMBOLOGIES, checked
from dwtsvc.model import MM_PER_INCH

DPI = 300
A4 = (210.0, 297.0)  # mm
COLUMNS, ROWS, LABEL = 7, 27, (25.4, 10.0)  # labels on a sheet, and their mm: the common small ones, Avery L4731
EDGE, PITCH = (8.6, 13.5), (27.9, 10.0)  # mm from the sheet's corner to the first, and from one to the next
WIDEST, HIGHEST = 0.6, 0.3  # of a separator's width and height that its code takes
LETTERS, SMALL_LETTERS = 12.0, 2.5  # mm: height of the text on a separator and on a label
PATCH_EDGE = 12.0  # mm from a patch code to the sheet's edges; the published place is 6 to 94 mm from the leading edge
GAP = 1.0  # mm inside a label
THINNEST = 3  # pixels of a bar: 0.25 mm is what an office printer and a scanner at 200 dpi still tell apart


def separator(text: str, type: str = "code128", paper: tuple[float, float] = A4) -> Image.Image:
    """A bitonal sheet (`paper` in mm, at 300 dpi) with a code and its text, twice, so that one of them stays clean.

    A patch code lies at the two short edges, each read from its own, so that it does not matter which is fed first.
    BadArguments where the type cannot be written or cannot hold the text.
    """
    if type == "patch":
        return _patch_sheet(text, paper)
    sheet = Image.new("L", _pixels(paper), 255)
    code = _fitting(text, type, (int(sheet.width * WIDEST), int(sheet.height * HIGHEST)))
    for middle in (0.25, 0.75):
        top = round(sheet.height * middle) - code.height // 2
        sheet.paste(code, ((sheet.width - code.width) // 2, top))
        _write(
            sheet, text, (sheet.width / 2, top + code.height + _dots(LETTERS) / 2), (paper[0] * WIDEST, LETTERS), "ma"
        )
    return _bitonal(sheet)


def _patch_sheet(text: str, paper: tuple[float, float]) -> Image.Image:
    if text not in patchcode.PATTERNS:
        known = ", ".join(patchcode.PATTERNS)
        raise BadArguments(f"There is no patch code '{text}'", hint=f"Choose one of: {known}.")
    sheet = Image.new("L", _pixels(paper), 255)
    bars = patchcode.drawn(text, DPI, long=(paper[0] - 2 * PATCH_EDGE) / MM_PER_INCH)
    left, top = _dots(PATCH_EDGE), _dots(PATCH_EDGE)
    sheet.paste(bars, (left, top))
    _write(sheet, f"Patch {text}", (sheet.width / 2, sheet.height / 2), (paper[0] * WIDEST, LETTERS), "mm")
    sheet.paste(bars.rotate(180), (left, sheet.height - top - bars.height))
    return _bitonal(sheet)


def labels(texts: Iterable[str], type: str = "qr") -> Iterator[Image.Image]:
    """Bitonal A4 sheets of 7 x 27 labels, 25.4 x 10 mm, row by row, each with its code at the left of its text."""
    each = iter(texts)
    while batch := list(islice(each, COLUMNS * ROWS)):
        yield _sheet_of_labels(batch, type)


def numbers(prefix: str, first: int, count: int, digits: int = 5) -> Iterator[str]:
    """Archive serial numbers: ASN00001, ASN00002..."""
    return (f"{prefix}{number:0{digits}}" for number in range(first, first + count))


def _sheet_of_labels(texts: Sequence[str], type: str) -> Image.Image:
    sheet = Image.new("L", _pixels(A4), 255)
    gap, (_, high) = _dots(GAP), _pixels(LABEL)
    for place, text in enumerate(texts):
        row, column = divmod(place, COLUMNS)
        left, top = _dots(EDGE[0] + column * PITCH[0]) + gap, _dots(EDGE[1] + row * PITCH[1]) + gap
        code = _fitting(text, type, (_dots(LABEL[0]) - 2 * gap, high - 2 * gap))
        sheet.paste(code, (left, top))
        if code.width < _dots(LABEL[0]) / 2:  # a long code leaves no room beside it
            room = LABEL[0] - 3 * GAP - code.width / DPI * MM_PER_INCH
            _write(sheet, text, (left + code.width + gap, top + code.height / 2), (room, SMALL_LETTERS), "lm")
    return _bitonal(sheet)


def _fitting(text: str, type: str, room: tuple[int, int]) -> Image.Image:
    """The code with its quiet zone, its bars as many whole pixels wide as the room allows."""
    code = _written(text, type)
    plain = _drawn(code, 1)
    scale = min(room[0] // plain.width, room[1] // plain.height)
    if scale < THINNEST:
        why = "its bars would be too thin to print"
        raise BadArguments(
            f"'{text}' is too long for a {type} code here", why=why, hint="Shorten it, or take --type qr."
        )
    return _drawn(code, scale)


def _written(text: str, type: str) -> Any:
    import zxingcpp

    checked([type], "auto")
    if type == "patch":
        raise BadArguments("Labels cannot have patch codes", hint="Take --type qr.")
    try:
        return zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, SYMBOLOGIES[type].zxing[0]))
    except (ValueError, RuntimeError) as error:
        raise BadArguments(f"'{text}' cannot be written as {type}", why=str(error)) from error


def _drawn(code: Any, scale: int) -> Image.Image:
    pixels = memoryview(code.to_image(scale=scale))
    height, width = pixels.shape or (0, 0)
    return Image.frombytes("L", (width, height), pixels.tobytes())


def _write(sheet: Image.Image, text: str, at: tuple[float, float], mm: tuple[float, float], anchor: str) -> None:
    """Text so many mm high, or lower if it would be wider than that."""
    room, height = _pixels(mm)
    wide = ImageFont.load_default(height)
    font = ImageFont.load_default(max(6, int(height * min(1, room / max(1, wide.getlength(text))))))
    ImageDraw.Draw(sheet).text(at, text, fill=0, font=font, anchor=anchor)


def _bitonal(sheet: Image.Image) -> Image.Image:
    return sheet.convert("1", dither=Image.Dither.NONE)


def _dots(mm: float) -> int:
    return round(mm / MM_PER_INCH * DPI)


def _pixels(mm: tuple[float, float]) -> tuple[int, int]:
    return _dots(mm[0]), _dots(mm[1])
