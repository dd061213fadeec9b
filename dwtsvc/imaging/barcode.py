"""Barcodes on a page: zxing-cpp reads them, and zbar (through pyzbar) reads again where that pays or was asked for.

Measured on 886 photographs: zxing-cpp alone reads 808, zbar 491, both 831. What zbar adds is blurred retail codes, and
it takes twice as long on a page without a code, so `auto` asks it only about pages with bars that the first cannot
read. `both` looks a second time at what neither reads (`secondlook`). Patch codes are read here (`patchcode`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from PIL import Image

from dwtsvc.errors import BadArguments, BadInput, DwtsvcError, MissingDependency
from dwtsvc.imaging import patchcode
from dwtsvc.imaging.bars import bar_areas, has_bars
from dwtsvc.imaging.pixels import plain, to_8bit
from dwtsvc.imaging.secondlook import MATRIX, read_again
from dwtsvc.model import Barcode, Corner


class Symbology(NamedTuple):
    """The words of the two libraries for one type; `variants` are what zxing-cpp may call a code it was asked for."""

    zxing: tuple[str, ...]
    variants: tuple[str, ...] = ()
    zbar: tuple[str, ...] = ()


SYMBOLOGIES = {
    "code128": Symbology(("Code128",), zbar=("CODE128",)),
    "code39": Symbology(("Code39",), ("Code39Std", "Code39Ext", "Code32", "PZN"), ("CODE39",)),
    "code93": Symbology(("Code93",), zbar=("CODE93",)),
    "codabar": Symbology(("Codabar",), zbar=("CODABAR",)),
    "itf": Symbology(("ITF",), ("ITF14",), ("I25",)),
    "ean13": Symbology(("EAN13",), ("ISBN",), ("EAN13",)),
    "ean8": Symbology(("EAN8",), zbar=("EAN8",)),
    "upca": Symbology(("UPCA",), zbar=("EAN13",)),
    "upce": Symbology(("UPCE",), zbar=("UPCE",)),
    "databar": Symbology(("DataBarOmni", "DataBarStk", "DataBarStkOmni"), zbar=("DATABAR",)),
    "databar-expanded": Symbology(("DataBarExp", "DataBarExpStk"), zbar=("DATABAR_EXP",)),
    "databar-limited": Symbology(("DataBarLtd",)),
    "telepen": Symbology(("Telepen",), ("TelepenAlpha", "TelepenNumeric")),
    "dx-film": Symbology(("DXFilmEdge",)),
    "qr": Symbology(("QRCode",), ("QRCodeModel1", "QRCodeModel2"), ("QRCODE",)),
    "micro-qr": Symbology(("MicroQRCode",)),
    "rmqr": Symbology(("RMQRCode",)),
    "datamatrix": Symbology(("DataMatrix",)),
    "aztec": Symbology(("Aztec",), ("AztecCode", "AztecRune")),
    "pdf417": Symbology(("PDF417",), ("CompactPDF417",)),
    "micro-pdf417": Symbology(("MicroPDF417",)),
    "maxicode": Symbology(("MaxiCode",)),
    "patch": Symbology(()),
}
TYPES = tuple(SYMBOLOGIES)
# Left to zxing-cpp unless asked for by name: zbar reads none that it does not, and prints assertions on some pages.
NOT_ZBARS = frozenset({"databar", "databar-expanded"})
# zbar reads a UPC-E only with EAN-13, and calls it one unless it may call it UPC-E.
UPC_E_AND_ITS_LONG_FORM = frozenset({"EAN13", "UPCE"})
# Of these the add-on of two or five digits is read; beside a UPC-E zxing-cpp sees some where there are none.
WITH_ADD_ON = frozenset({"ean13", "upca"})
LARGE = 4_000_000  # pixels, of A4 at 200 dpi: above, zxing-cpp is asked with less effort, and again about a third
THIRD = 3
SMALL = 1_000_000  # pixels of a picture that is looked at as a whole for a second time
ENGINES = {"auto": ("zxing", "zbar"), "zxing": ("zxing",), "zbar": ("zbar",), "both": ("zxing", "zbar")}


class Picture:
    """What is read, in mode L, and what several readers want to know of it, found out once."""

    def __init__(self, gray: Image.Image) -> None:
        self.gray = gray
        self.shrink = THIRD if gray.width * gray.height > LARGE else 1

    @cached_property
    def small(self) -> Image.Image:
        """A large picture in a third of its size."""
        return self.gray.reduce(self.shrink) if self.shrink > 1 else self.gray

    @cached_property
    def bars(self) -> bool:
        return has_bars(self.small)


def read(
    image: Image.Image, *, types: Iterable[str] | None = None, engine: str = "auto", dpi: float | None = None
) -> list[Barcode]:
    """The barcodes of an image of any mode, from top to bottom; none is an empty list.

    `types` are words of TYPES, None is all. `engine` is "zxing", "zbar", "both", which joins what either reads, or
    "auto": zxing-cpp, then zbar if that read nothing though there are bars to be seen, or could not be used. With
    "both" a retail code has its add-on's digits too, and what neither reads is enlarged, sharpened and read again.
    `dpi` is what patch codes are measured by; they are read whatever the engine, and without it as if on A4.
    Retail codes have the text of their 13-digit number, UPC-A with its leading 0, but for EAN-8.
    MissingDependency where an engine that was asked for is not installed; BadInput where an engine fails on the image.
    """
    wanted = checked(types, engine)
    gray = to_8bit(plain(image)).convert("L")
    picture = Picture(gray)
    found: list[Barcode] = []
    failures: list[DwtsvcError] = []
    for name in ENGINES[engine]:
        if engine == "auto" and name == "zbar" and not failures and (found or not _for_zbar(picture, wanted)):
            break
        try:
            found = _joined(found, READERS[name](picture, wanted))
        except (BadInput, MissingDependency) as failure:
            failures.append(failure)
    _raise_any(failures, engine, found)
    if engine == "both":
        found = _with_add_ons(gray, wanted, found)
        found = _joined(found, _second_look(gray, wanted, found))
    if "patch" in wanted:
        patches = patchcode.read(picture.small, dpi and dpi / picture.shrink)
        found = _joined(found, [_moved(code, picture.shrink) for code in patches])
    return sorted(found, key=lambda code: (min(y for _, y in code.corners), min(x for x, _ in code.corners)))


def checked(types: Iterable[str] | None, engine: str) -> frozenset[str]:
    """The types asked for, all when None. BadArguments for one, or an engine, that there is not."""
    if engine not in ENGINES:
        raise BadArguments(f"There is no barcode engine '{engine}'", hint=f"Choose one of: {', '.join(ENGINES)}.")
    wanted = frozenset(TYPES if types is None else types)
    for name in sorted(wanted - set(TYPES)):
        raise BadArguments(f"There is no barcode type '{name}'", hint=f"Choose from: {', '.join(TYPES)}.")
    return wanted


def _for_zbar(picture: Picture, wanted: frozenset[str]) -> bool:
    """Whether zbar might read what zxing-cpp did not. Its QR codes, which have no bars, are not worth its time."""
    return any(SYMBOLOGIES[type].zbar for type in wanted - NOT_ZBARS - {"qr"}) and picture.bars


def _raise_any(failures: list[DwtsvcError], engine: str, found: list[Barcode]) -> None:
    """One reader of two may fail on an image; a missing one may only where nobody named it."""
    missing = [failure for failure in failures if isinstance(failure, MissingDependency)]
    if missing and engine == "both":
        raise missing[0]
    if not found and len(failures) == len(ENGINES[engine]):
        raise failures[0]


def _second_look(gray: Image.Image, wanted: frozenset[str], found: list[Barcode]) -> list[Barcode]:
    """Codes of a small picture of which nothing was read, and of places with bars of which nothing was read."""
    if gray.width * gray.height <= SMALL:
        return (
            [] if found else read_again(gray, lambda image, binarizer: _ask_zxing(image, wanted, binarizer=binarizer))
        )
    more: list[Barcode] = []
    for box in bar_areas(gray):
        if not any(_within(code, box) for code in found):
            codes = read_again(gray.crop(box), lambda image, binarizer: _ask_zxing(image, wanted, binarizer=binarizer))
            more += [_moved(code, 1, box[:2]) for code in codes]
    return more


def _within(code: Barcode, box: tuple[int, int, int, int]) -> bool:
    x, y = _centre(code)
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _moved(code: Barcode, scale: int, by: Corner = (0, 0)) -> Barcode:
    """A code with its corners so many times as far from the top left, and then moved."""
    one, two, three, four = ((x * scale + by[0], y * scale + by[1]) for x, y in code.corners)
    return replace(code, corners=(one, two, three, four))


def _with_add_ons(gray: Image.Image, wanted: frozenset[str], found: list[Barcode]) -> list[Barcode]:
    """The codes, each EAN-13 and UPC-A with its add-on where that is read behind the same number at the same place."""
    if not any(code.engine == "zxing" and code.type in WITH_ADD_ON for code in found):
        return found
    longer = _ask_zxing(gray, wanted & WITH_ADD_ON, add_on="Require")
    return [next((more for more in longer if _is_more(code, more)), code) for code in found]


def _is_more(code: Barcode, more: Barcode) -> bool:
    same = more.type == code.type and more.text.startswith(code.text)
    return same and len(more.text) - len(code.text) in (2, 5) and _same_place(code, more)


def _zxing(picture: Picture, wanted: frozenset[str]) -> list[Barcode]:
    """All codes of a picture. A large one is read as it is only dark on light; the rest in a third of its size.

    Measured on 611 pages with one code each, whose bars are 2 to 9 pixels wide, skewed and blurred: nothing that the
    full effort reads was lost.
    """
    if picture.shrink == 1 or wanted != set(TYPES):
        return _ask_zxing(picture.gray, wanted)
    found = _ask_zxing(picture.gray, wanted, thorough=False)
    third = _ask_zxing(picture.small, wanted if picture.bars else wanted & MATRIX)
    return _joined(found, [_moved(code, picture.shrink) for code in third])


def _ask_zxing(
    gray: Image.Image,
    wanted: frozenset[str],
    *,
    thorough: bool = True,
    binarizer: str = "LocalAverage",
    add_on: str = "Ignore",
) -> list[Barcode]:
    try:
        import zxingcpp
    except ImportError as error:
        raise _missing("zxing-cpp", str(error), "Install it: pip install zxing-cpp") from error
    options: dict[str, Any] = {"text_mode": zxingcpp.TextMode.Plain, "try_invert": thorough, "try_downscale": thorough}
    options["binarizer"] = getattr(zxingcpp.Binarizer, binarizer)
    options["ean_add_on_symbol"] = getattr(zxingcpp.EanAddOnSymbol, add_on)
    if wanted != set(TYPES):
        names = [name for type in wanted for name in SYMBOLOGIES[type].zxing]
        if not names:
            return []
        options["formats"] = zxingcpp.BarcodeFormats([getattr(zxingcpp.BarcodeFormat, name) for name in names])
    try:
        results = zxingcpp.read_barcodes(gray, **options)
    except (ValueError, RuntimeError, MemoryError) as error:
        raise BadInput("zxing-cpp cannot read this image", why=str(error)) from error
    codes = [_from_zxing(result) for result in results]
    return [code for code in codes if code.type in wanted]


def _from_zxing(result: Any) -> Barcode:
    place = result.position
    corners = [(at.x, at.y) for at in (place.top_left, place.top_right, place.bottom_right, place.bottom_left)]
    return Barcode(
        text=result.text,
        bytes=bytes(result.bytes),
        type=_type_of(result.format.name, result.text),
        corners=_clockwise(corners),
        angle=result.orientation % 360,
        engine="zxing",
        identifier=result.symbology_identifier,
    )


def _type_of(word: str, text: str) -> str:
    """Our name for a library's; the bars of an EAN-13 that begins with 0 are those of a UPC-A."""
    if word in ("EAN13", "UPCA"):
        return "upca" if text.startswith("0") else "ean13"
    return TYPE_OF.get(word, word.lower())


def _zbar(picture: Picture, wanted: frozenset[str]) -> list[Barcode]:
    pyzbar = _pyzbar()
    asked = wanted if wanted <= NOT_ZBARS else wanted - NOT_ZBARS
    names = {name for type in asked for name in SYMBOLOGIES[type].zbar}
    if not names:
        return []
    if names & UPC_E_AND_ITS_LONG_FORM:
        names |= UPC_E_AND_ITS_LONG_FORM
    symbols = [pyzbar.ZBarSymbol[name] for name in names]
    try:
        results = pyzbar.decode(picture.gray, symbols=symbols)
    except Exception as error:  # ValueError on an orientation that pyzbar does not know, and its own class
        raise BadInput("zbar cannot read this image", why=str(error), hint="Choose the engine zxing.") from error
    codes = [_from_zbar(result) for result in results]
    return [code for code in codes if code.type in wanted]


def _pyzbar() -> Any:
    """pyzbar loads the library while it is imported."""
    try:
        from pyzbar import pyzbar
    except (ImportError, OSError) as error:
        raise _missing("zbar", str(error), "Install it: apt-get install libzbar0, and pip install pyzbar") from error
    return pyzbar


def _from_zbar(result: Any) -> Barcode:
    text = result.data.decode("utf-8", "replace")
    turns = ZBAR_TURNS.get(result.orientation, 0)
    corners = _upright_corners(result.polygon, result.rect)
    return Barcode(
        text=_whole_number(text) if result.type == "UPCE" else text,
        bytes=result.data,
        type=_type_of(result.type, text),
        corners=_clockwise(corners[turns:] + corners[:turns]),
        angle=90 * turns,
        engine="zbar",
    )


def _upright_corners(polygon: list[Any], rect: Any) -> list[Corner]:
    """Four corners clockwise from the top left of the image; bars across which zbar's lines ran give a box only."""
    if len(polygon) != 4:
        right, bottom = rect.left + rect.width, rect.top + rect.height
        return [(rect.left, rect.top), (right, rect.top), (right, bottom), (rect.left, bottom)]
    corners = list(_clockwise([(at.x, at.y) for at in polygon]))
    first = min(range(4), key=lambda index: sum(corners[index]))
    return corners[first:] + corners[:first]


def _whole_number(short: str) -> str:
    """The 13 digits that the 8 of a UPC-E stand for."""
    system, digits, last, check = short[0], short[1:6], short[6], short[7:]
    if last in "012":
        body = digits[:2] + last + "0000" + digits[2:]
    elif last == "3":
        body = digits[:3] + "00000" + digits[3:]
    elif last == "4":
        body = digits[:4] + "00000" + digits[4:]
    else:
        body = digits + "0000" + last
    return "0" + system + body + check


def _clockwise(corners: list[Corner]) -> tuple[Corner, Corner, Corner, Corner]:
    """The corners clockwise on the screen; zxing-cpp swaps the sides of linear codes that it reads turned."""
    one, two, three, four = corners
    around = zip(corners, [*corners[1:], one], strict=True)
    area = sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in around)
    return (one, two, three, four) if area >= 0 else (four, three, two, one)


def _joined(found: list[Barcode], more: list[Barcode]) -> list[Barcode]:
    """What was found, and of the rest those that lie elsewhere: two readings of one place are one code."""
    return found + [code for code in more if not any(_same_place(code, known) for known in found)]


def _same_place(one: Barcode, other: Barcode) -> bool:
    return _holds(one, _centre(other)) or _holds(other, _centre(one))


def _centre(code: Barcode) -> tuple[float, float]:
    return sum(x for x, _ in code.corners) / 4, sum(y for _, y in code.corners) / 4


def _holds(code: Barcode, point: tuple[float, float]) -> bool:
    across, down = [x for x, _ in code.corners], [y for _, y in code.corners]
    return min(across) <= point[0] <= max(across) and min(down) <= point[1] <= max(down)


def _missing(engine: str, why: str, hint: str) -> MissingDependency:
    return MissingDependency(f"The barcode engine {engine} is not installed", why=why, hint=hint)


TYPE_OF = {word: name for name, words in SYMBOLOGIES.items() for word in (*words.zxing, *words.variants, *words.zbar)}
READERS: dict[str, Callable[[Picture, frozenset[str]], list[Barcode]]] = {"zxing": _zxing, "zbar": _zbar}
ZBAR_TURNS = {"UP": 0, "RIGHT": 1, "DOWN": 2, "LEFT": 3}  # to the right: clockwise
