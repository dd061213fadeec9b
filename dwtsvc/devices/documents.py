"""The documents in the virtual scanner's feeder: drawn in millimetres at any resolution, every one with a serial.

All but the photo are drawn in inks, one byte a pixel: a ramp from black to white and a few solid colours below it.
Sheets are drawn at most at 600 dpi (the photo at 300); a finer scan is interpolated from that, as scanners do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from dwtsvc.devices import marks
from dwtsvc.devices.landscape import landscape
from dwtsvc.devices.marks import read_serial
from dwtsvc.devices.optics import Sheet
from dwtsvc.model import MM_PER_INCH

__all__ = ["HEIGHT_MM", "KINDS", "WIDTH_MM", "barcode_of", "read_serial", "sheet", "text_of"]

WIDTH_MM, HEIGHT_MM = 210.0, 297.0
_FINEST_DPI, _FINEST_PHOTO_DPI = 600, 300
_CACHE_BYTES = 96 << 20  # every kind at 300 dpi; a feeder comes round to each again and again

BLUE, RED, GREEN, SAND = 0, 1, 2, 3
BLACK, WHITE = 8, 255
FAINT = 231  # lighter than any threshold, dark enough for `read_serial`
PALE = 208
_SOLID = bytes((28, 63, 138, 178, 34, 34, 30, 110, 60, 236, 222, 188)).ljust(24, b"\0")
PALETTE = _SOLID + bytes(gray for ink in range(8, 256) for gray in ((ink - 8) * 255 // 247,) * 3)


class Pen:
    """Draws on a sheet in millimetres and keeps the text it wrote; without an image it only keeps the text."""

    def __init__(self, image: Image.Image | None, dpi: float) -> None:
        self.written: list[str] = []
        self._draw = ImageDraw.Draw(image) if image else None
        self._pixels_per_mm = dpi / MM_PER_INCH
        self._in_colour = image is not None and image.mode == "RGB"

    def text(self, x: float, y: float, words: str, size: float = 4.2, ink: int = BLACK, anchor: str = "la") -> None:
        self.written.append(words)
        if self._draw:
            font = _font(size * self._pixels_per_mm)
            self._draw.text((self._px(x), self._px(y)), words, self._ink(ink), font, anchor)

    def lines(self, x: float, y: float, text: str, size: float = 4.2, spacing: float = 1.6) -> None:
        for number, line in enumerate(text.strip().splitlines()):
            self.text(x, y + number * size * spacing, line, size)

    def bar(self, x: float, y: float, width: float, height: float, ink: int = BLACK) -> None:
        if self._draw:
            right, bottom = self._px(x + width) - 1, self._px(y + height) - 1
            left, top = self._px(x), self._px(y)
            self._draw.rectangle((left, top, max(left, right), max(top, bottom)), fill=self._ink(ink))

    def box(self, x: float, y: float, width: float, height: float, ink: int = BLACK, line: float = 0.35) -> None:
        for top in (y, y + height - line):
            self.bar(x, top, width, line, ink)
        for left in (x, x + width - line):
            self.bar(left, y, line, height, ink)

    def barcode(self, x: float, y: float, height: float, text: str, module_mm: float = 0.5) -> None:
        """Modules are whole pixels, because rounded ones do not decode at low resolutions."""
        module = max(1, round(module_mm * self._pixels_per_mm)) / self._pixels_per_mm
        for place, width in enumerate(marks.code128_bars(text)):
            if place % 2 == 0:
                self.bar(x, y, width * module, height)
            x += width * module

    def _px(self, mm: float) -> int:
        return round(mm * self._pixels_per_mm)

    def _ink(self, ink: int) -> int | tuple[int, ...]:
        return tuple(PALETTE[3 * ink : 3 * ink + 3]) if self._in_colour else ink


@dataclass(frozen=True, slots=True)
class Kind:
    """`draw` is the same on every page of the kind and is kept; `stamp` adds what depends on the serial."""

    draw: Callable[[Pen], None]
    stamp: Callable[[Pen, int], None]


def sheet(kind: str, serial: int, dpi: int) -> Sheet:
    """One A4 sheet of a kind of document (a key of KINDS), with its serial."""
    dpi = min(dpi, _FINEST_PHOTO_DPI if kind == "photo" else _FINEST_DPI)
    image = _drawn.get(kind, dpi).copy()
    KINDS[kind].stamp(Pen(image, dpi), serial)
    return Sheet(image, dpi, PALETTE if image.mode == "L" else None)


def text_of(kind: str, serial: int) -> str:
    """The text on a page, a line for each piece; what OCR should find at 200 dpi."""
    pen = Pen(None, MM_PER_INCH)
    KINDS[kind].stamp(pen, serial)
    KINDS[kind].draw(pen)
    return "\n".join(pen.written)


def barcode_of(serial: int) -> str:
    """The content of the Code 128 barcode on the invoice with this serial."""
    return f"INV-{serial:06d}"


class _Drawn:
    """Finished drawings by kind and resolution, the latest used, bounded in bytes."""

    def __init__(self) -> None:
        self._images: OrderedDict[tuple[str, int], Image.Image] = OrderedDict()

    def get(self, kind: str, dpi: int) -> Image.Image:
        key = kind, dpi
        if key not in self._images:
            self._images[key] = _drawing(kind, dpi)
        self._images.move_to_end(key)
        while len(self._images) > 1 and sum(map(_bytes, self._images.values())) > _CACHE_BYTES:
            self._images.popitem(last=False)
        return self._images[key]


_drawn = _Drawn()


def _bytes(image: Image.Image) -> int:
    return image.width * image.height * (4 if image.mode == "RGB" else 1)


def _drawing(kind: str, dpi: int) -> Image.Image:
    size = round(WIDTH_MM / MM_PER_INCH * dpi), round(HEIGHT_MM / MM_PER_INCH * dpi)
    image = Image.new("RGB", size, (255, 255, 255)) if kind == "photo" else Image.new("L", size, WHITE)
    if kind == "photo":
        pixels_per_mm = dpi / MM_PER_INCH
        print_size = round(170 * pixels_per_mm), round(113 * pixels_per_mm)
        image.paste(landscape().resize(print_size, Image.Resampling.BICUBIC), (round(20 * pixels_per_mm), size[1] // 7))
    KINDS[kind].draw(Pen(image, dpi))
    return image


@lru_cache(maxsize=32)
def _font(pixels: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(pixels, 4))


def _cells(pen: Pen, serial: int, ink: int = BLACK) -> None:
    for place, black in enumerate(marks.serial_cells(serial)):
        if black:
            left = marks.CELLS_LEFT_MM + place * marks.CELL_MM
            pen.bar(left, marks.CELLS_TOP_MM, marks.CELL_MM, marks.CELLS_HEIGHT_MM, ink)


def _serial(pen: Pen, serial: int) -> None:
    _cells(pen, serial)
    pen.text(WIDTH_MM / 2, 19.5, f"Serial {serial:06d}", 7.5, anchor="ma")


def _letter(pen: Pen) -> None:
    pen.text(25, 36, "Harbour Lane Paper Mill", 7, BLUE)
    pen.text(25, 45, "14 Harbour Lane, Port Merrow", 3.8)
    pen.bar(25, 52, 160, 0.6, BLUE)
    pen.lines(25, 60, LETTER)


def _table(pen: Pen) -> None:
    pen.text(20, 36, "Water levels by month", 6.5)
    columns = ("Month", "North", "East", "South", "West")
    months = "January February March April May June July August September October November December".split()
    for row in range(len(months) + 1):
        top = 50 + row * 14
        pen.bar(20, top, 170, 14, SAND if row == 0 else WHITE)
        for column, name in enumerate(columns):
            pen.box(20 + column * 34, top, 34.2, 14.2)
            value = str(200 + (row * 37 + column * 113) % 700)
            pen.text(24 + column * 34, top + 4, name if row == 0 else (value if column else months[row - 1]), 4.4)
    pen.text(20, 240, "All values in centimetres above the harbour gauge.")


def _form(pen: Pen) -> None:
    pen.text(20, 36, "Application for a library card", 6.5)
    for place, (label, answer) in enumerate(FORM):
        top = 52 + place * 22
        pen.text(20, top, label, 3.8)
        pen.box(20, top + 6, 170, 11)
        pen.text(24, top + 9, answer, 4.6)
    for place, (label, ticked) in enumerate((("Adult", True), ("Child", False), ("Visitor", False))):
        pen.box(20 + place * 50, 214, 6, 6)
        pen.text(30 + place * 50, 215, label)
        if ticked:
            pen.bar(21.5 + place * 50, 215.5, 3, 3)
    pen.text(20, 250, "Signature of the applicant")
    pen.bar(20, 248, 90, 0.3)


def _invoice(pen: Pen) -> None:
    pen.bar(20, 34, 170, 4, GREEN)
    pen.text(20, 42, "Invoice", 8)
    pen.lines(20, 56, "Harbour Lane Paper Mill\n14 Harbour Lane\nPort Merrow")
    for place, (item, price) in enumerate((*INVOICE, ("Total", "258.40"))):
        top = 100 + place * 12
        pen.bar(20, top - 3, 170, 0.3)
        pen.text(22, top, item, 4.4)
        pen.text(186, top, price, 4.4, anchor="ra")
    pen.text(20, 200, "Please pay within thirty days.")
    pen.text(20, 210, "Thank you for your order", 5, RED)


def _invoice_number(pen: Pen, serial: int) -> None:
    _serial(pen, serial)
    pen.text(186, 44, f"Number {barcode_of(serial)}", 5, anchor="ra")
    pen.barcode(30, 245, 16, barcode_of(serial))


def _photo(pen: Pen) -> None:
    pen.text(20, 165, "Evening at the lake", 6)


def _receipt(pen: Pen) -> None:
    pen.box(65, 2, 80, 190, PALE, 0.25)
    pen.text(105, 36, "Corner Bakery", 6, anchor="ma")
    for place, (item, price) in enumerate(RECEIPT):
        pen.text(70, 54 + place * 9, item)
        pen.text(140, 54 + place * 9, price, anchor="ra")
    pen.text(105, 150, "Thank you and good day", 4.2, anchor="ma")


def _back(pen: Pen) -> None:
    pen.lines(25, 70, BACK)


def _back_number(pen: Pen, serial: int) -> None:
    """A back follows its front, so it is the back of the serial before its own."""
    _serial(pen, serial)
    pen.text(25, 45, f"Back of sheet {serial - 1:06d}", 6.5)


def _nothing(pen: Pen) -> None:
    """A blank page has no ink of its own."""


def _show_through(pen: Pen, serial: int) -> None:
    _cells(pen, serial, FAINT)


KINDS = {
    "letter": Kind(_letter, _serial),
    "invoice": Kind(_invoice, _invoice_number),
    "form": Kind(_form, _serial),
    "table": Kind(_table, _serial),
    "photo": Kind(_photo, _serial),
    "receipt": Kind(_receipt, _serial),
    "blank": Kind(_nothing, _show_through),
    "back": Kind(_back, _back_number),
}

LETTER = """
Dear Miss Thornbury,

thank you for your letter of the third of March. We were glad to
hear that the samples reached you in good order, and that the heavy
cream paper suits the covers of your new catalogue.

The mill can deliver four hundred reams before the end of April if
we receive your order within the next ten days. The price remains
as agreed last autumn, and carriage to your warehouse is included.

You asked whether the lighter paper can be had with a rough edge.
It can, although the machine needs half a day to be made ready, so
we would ask you to take at least fifty reams of one colour.

Our traveller, Mister Oakes, will visit the coast in the second
week of the month and would be pleased to show you the new pattern
book. Please let us know which morning would be convenient.

With kind regards,

Margaret Underhill
Director of Sales
"""

FORM = (
    ("Family name", "Underhill"),
    ("Given name", "Margaret Rose"),
    ("Street and number", "27 Orchard Street"),
    ("Town", "Port Merrow"),
    ("Telephone", "555 0142"),
    ("Occupation", "Bookbinder"),
    ("Remarks", "Wishes to borrow maps and music"),
)

INVOICE = (
    ("Cream paper, heavy, 20 reams", "120.00"),
    ("White paper, light, 15 reams", "67.50"),
    ("Envelopes, 500 pieces", "38.90"),
    ("Sealing wax, red", "12.00"),
    ("Carriage", "20.00"),
)

RECEIPT = (
    ("Rye bread", "3.80"),
    ("Two rolls", "1.20"),
    ("Plum cake", "4.50"),
    ("Coffee", "2.90"),
    ("Butter", "2.10"),
    ("Total", "14.50"),
    ("Cash", "20.00"),
    ("Change", "5.50"),
)

BACK = """
General conditions

Goods remain the property of the mill until they are paid for.
Claims must be made in writing within eight days of delivery.
Samples are sent without charge and need not be returned.
The court of Port Merrow decides in every dispute.
"""
