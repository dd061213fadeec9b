"""Barcodes: every type that zxing-cpp can write is read back, by either engine the same, however it lies."""

from __future__ import annotations

import subprocess
import sys

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from dwtsvc.errors import BadArguments, BadInput, MissingDependency
from dwtsvc.imaging import barcode
from dwtsvc.imaging.barcode import TYPES, read

pyzbar = pytest.importorskip("pyzbar.pyzbar", exc_type=ImportError, reason="libzbar is not installed")

AT = (100, 60)
WRITTEN = {  # type: (what is written, what is read)
    "code128": ("PAGE-0042", "PAGE-0042"),
    "code39": ("PATCH 7", "PATCH 7"),
    "code93": ("HELLO93", "HELLO93"),
    "codabar": ("A12345B", "A12345B"),
    "itf": ("12345670", "12345670"),
    "ean13": ("9780201379624", "9780201379624"),
    "ean8": ("96385074", "96385074"),
    "upca": ("036000291452", "0036000291452"),
    "upce": ("01234565", "0012345000065"),
    "databar": ("2001234567890", "0120012345678909"),
    "databar-expanded": ("(01)98898765432106(3202)012345", "01988987654321063202012345"),
    "databar-limited": ("0501234567890", "0105012345678900"),
    "telepen": ("TELE", "TELE"),
    "dx-film": ("79-1/4A", "79-1/4A"),
    "qr": ("grüße, 世界", "grüße, 世界"),
    "micro-qr": ("12345", "12345"),
    "rmqr": ("HELLO", "HELLO"),
    "datamatrix": ("HELLO123", "HELLO123"),
    "aztec": ("HELLO123", "HELLO123"),
    "pdf417": ("HELLO417", "HELLO417"),
    "micro-pdf417": ("HELLO417", "HELLO417"),
    "maxicode": ("HELLO MAXI", "HELLO MAXI"),
}
BY_ZXING = tuple(type for type in TYPES if type != "patch")  # which test_patchcode is about
ZBAR_READS = ["code128", "code39", "code93", "codabar", "itf", "ean13", "ean8", "upca", "upce", "qr"]


def drawn(type: str, text: str | None = None) -> Image.Image:
    """A code of a type alone, with the quiet zone that its writer gives it."""
    code = zxingcpp.create_barcode(
        text or WRITTEN[type][0], getattr(zxingcpp.BarcodeFormat, barcode.SYMBOLOGIES[type].zxing[0])
    )
    pixels = memoryview(code.to_image(scale=3 if type == "dx-film" else 4))
    return Image.frombytes("L", (pixels.shape[1], pixels.shape[0]), pixels.tobytes())


def tight(code: Image.Image) -> Image.Image:
    """A page hardly larger than its code: on a large one a DX code is too low for zxing-cpp to meet."""
    return page(code, size=(code.width + 2 * AT[0], code.height + 2 * AT[1]))


def page(*codes: Image.Image, size=(900, 900)) -> Image.Image:
    """A white page with codes one below the other."""
    sheet, top = Image.new("L", size, 255), AT[1]
    for code in codes:
        sheet.paste(code, (AT[0], top))
        top += code.height + 80
    return sheet


def bars_that_zxing_cannot_read() -> Image.Image:
    """An EAN-13, to be asked about by another name: auto goes on to zbar."""
    return page(drawn("ean13"))


def test_the_table_of_writings_has_every_type():
    assert tuple(WRITTEN) == BY_ZXING


@pytest.mark.parametrize("type", BY_ZXING)
def test_every_type_is_read_back_with_text_and_name(type):
    (found,) = read(tight(drawn(type)))
    assert (found.text, found.type, found.engine, found.angle) == (WRITTEN[type][1], type, "zxing", 0)
    assert found.identifier.startswith("]") and found.bytes


@pytest.mark.parametrize("type", BY_ZXING)
def test_a_type_asked_for_alone_is_found_and_all_others_are_not(type):
    code = tight(drawn(type))
    assert [found.type for found in read(code, types=[type])] == [type]
    others = set(TYPES) - {type}
    assert [found for found in read(code, types=others) if found.text == WRITTEN[type][1]] == []


@pytest.mark.parametrize("type", ZBAR_READS)
def test_zbar_reads_the_same_text_type_and_place(type):
    code = page(drawn(type))
    (by_zxing,), (by_zbar,) = read(code, engine="zxing"), read(code, engine="zbar")
    assert (by_zbar.text, by_zbar.type, by_zbar.engine) == (by_zxing.text, type, "zbar")
    assert [found.type for found in read(code, types=[type], engine="zbar")] == [type]
    for ours, theirs in zip(by_zbar.corners, by_zxing.corners, strict=True):
        assert abs(ours[0] - theirs[0]) <= 12 and abs(ours[1] - theirs[1]) <= 12


@pytest.mark.parametrize("engine", ["zxing", "zbar"])
@pytest.mark.parametrize("type", ["ean13", "code128", "qr"])
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_corners_run_clockwise_from_the_codes_own_top_left(engine, type, angle):
    upright = page(drawn(type))
    (straight,) = read(upright, engine=engine)
    (turned,) = read(upright.rotate(-angle, expand=True), engine=engine)
    assert turned.angle == angle and turned.text == straight.text
    side = 899
    turn = {
        0: lambda x, y: (x, y),
        90: lambda x, y: (side - y, x),
        180: lambda x, y: (side - x, side - y),
        270: lambda x, y: (y, side - x),
    }[angle]
    for (x, y), (turned_x, turned_y) in zip(straight.corners, turned.corners, strict=True):
        expected = turn(x, y)
        assert abs(turned_x - expected[0]) <= 12 and abs(turned_y - expected[1]) <= 12


def test_several_codes_come_from_top_to_bottom_and_both_engines_join_to_one_each():
    sheet = page(drawn("qr"), drawn("code128"), drawn("ean13"))
    assert [found.type for found in read(sheet)] == ["qr", "code128", "ean13"]
    both = read(sheet, engine="both")
    assert [(found.type, found.engine) for found in both] == [("qr", "zxing"), ("code128", "zxing"), ("ean13", "zxing")]


def test_the_same_text_on_two_labels_is_two_codes():
    label = drawn("qr")
    assert [found.text for found in read(page(label, label), engine="both")] == [WRITTEN["qr"][1]] * 2


def test_a_place_that_the_two_read_differently_is_one_code_as_zxing_reads_it():
    """Lower case in Code 39 is two characters each, which only zxing-cpp puts together."""
    code = zxingcpp.create_barcode("12ab", zxingcpp.BarcodeFormat.Code39Ext)
    pixels = memoryview(code.to_image(scale=4))
    sheet = page(Image.frombytes("L", (pixels.shape[1], pixels.shape[0]), pixels.tobytes()))
    assert [found.text for found in read(sheet, engine="zbar")] == ["12+A+B"]
    assert [(found.text, found.type) for found in read(sheet, engine="both")] == [("12ab", "code39")]


def test_what_only_zbar_reads_comes_with_both_and_with_auto_where_there_are_bars(monkeypatch):
    monkeypatch.setitem(barcode.READERS, "zxing", lambda gray, wanted: [])
    code = page(drawn("ean13"))
    assert read(code, engine="zxing") == []
    for found in (read(code), read(code, types=["ean13"]), read(code, engine="both"), read(code, engine="zbar")):
        assert [(one.text, one.engine) for one in found] == [("9780201379624", "zbar")]


def test_auto_asks_zbar_only_where_there_are_bars_that_it_might_read(monkeypatch):
    asked = []
    monkeypatch.setitem(barcode.READERS, "zxing", lambda gray, wanted: [])
    monkeypatch.setitem(barcode.READERS, "zbar", lambda gray, wanted: asked.append(wanted) or [])
    bars = page(drawn("ean13"))
    for types in (["qr"], ["datamatrix"], ["qr", "databar-limited"]):
        read(bars, types=types)
    read(page(drawn("qr")))
    read(page())
    assert asked == []
    read(bars)
    assert len(asked) == 1


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "P", "RGB", "RGBA", "CMYK"])
def test_an_image_of_any_mode_can_be_read(mode):
    sheet = page(drawn("qr"))
    image = sheet.convert("I").point(lambda level: level * 257).convert(mode) if mode == "I;16" else sheet.convert(mode)
    assert [found.text for found in read(image, engine="both")] == [WRITTEN["qr"][1]]


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 3), (640, 480)])
@pytest.mark.parametrize("engine", barcode.ENGINES)
def test_a_page_without_a_code_is_an_empty_list(engine, size):
    assert read(Image.new("RGB", size, "white"), engine=engine) == []


def test_a_page_of_text_and_lines_has_no_code(letter):
    sheet = letter.convert("L")
    draw = ImageDraw.Draw(sheet)
    for x in range(20, 600, 7):
        draw.line((x, 380, x, 400), fill=0, width=2)
    assert read(sheet, engine="both") == []


def test_bytes_that_are_no_text_are_kept():
    raw = bytes(range(256))
    code = zxingcpp.create_barcode(raw, zxingcpp.BarcodeFormat.DataMatrix)
    pixels = memoryview(code.to_image(scale=4))
    (found,) = read(page(Image.frombytes("L", (pixels.shape[1], pixels.shape[0]), pixels.tobytes())))
    assert found.bytes == raw


@pytest.mark.parametrize("asked", [{"engine": "dynamo"}, {"types": ["qr", "morse"]}])
def test_an_unknown_word_lists_the_known_ones(asked):
    with pytest.raises(BadArguments) as caught:
        read(Image.new("L", (9, 9)), **asked)
    assert "qr" in caught.value.hint or "both" in caught.value.hint


def test_an_image_that_upsets_zbar_costs_no_code_but_is_said_when_zbar_alone_was_asked(monkeypatch):
    def upset(*args, **kwargs):
        raise ValueError("4294967295 is not a valid ZBarOrientation")

    monkeypatch.setattr(pyzbar, "decode", upset)
    assert [found.type for found in read(page(drawn("qr")), engine="both")] == ["qr"]
    assert read(bars_that_zxing_cannot_read(), types=["code39"]) == []
    with pytest.raises(BadInput, match="ZBarOrientation"):
        read(page(drawn("qr")), engine="zbar")


def test_a_library_that_is_missing_matters_only_to_those_who_named_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyzbar", None)
    sheet = page(drawn("ean13"))
    assert len(read(sheet)) == len(read(sheet, engine="zxing")) == 1
    assert read(bars_that_zxing_cannot_read(), types=["code39"]) == []
    for engine in ("zbar", "both"):
        with pytest.raises(MissingDependency) as caught:
            read(sheet, engine=engine)
        assert "apt-get install libzbar0" in caught.value.hint


def test_a_missing_libzbar_is_told_as_such(monkeypatch):
    """pyzbar is there but the shared library is not: it raises ImportError while it is imported."""
    from ctypes import util

    for name in [name for name in sys.modules if name.split(".")[0] == "pyzbar"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(util, "find_library", lambda name: None)
    with pytest.raises(MissingDependency, match="zbar"):
        read(page(drawn("ean13")), engine="zbar")


def test_without_zxing_auto_reads_with_zbar(monkeypatch):
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    assert [found.engine for found in read(page(drawn("ean13")))] == ["zbar"]
    with pytest.raises(MissingDependency) as caught:
        read(page(drawn("ean13")), engine="zxing")
    assert "zxing-cpp" in caught.value.hint


@pytest.mark.parametrize("type", ["qr", "datamatrix", "aztec", "pdf417", "micro-pdf417", "code128", "ean13"])
@pytest.mark.parametrize("turn", [0, 90])
def test_a_page_that_is_read_with_less_effort_loses_no_code_and_tells_its_place(type, turn):
    """Their bars are a millimetre wide; QR, Data Matrix and Aztec are read light on dark, too."""
    code = drawn(type)
    code = code.resize((code.width * 3, code.height * 3))
    large = page(code, size=(2480, 3508)).rotate(-turn, expand=True)
    (found,) = read(large)
    if type in ("qr", "datamatrix", "aztec"):
        assert [code.text for code in read(large.point(lambda level: 255 - level))] == [found.text]
    assert (found.text, found.type) == (WRITTEN[type][1], type)
    (alone,) = read(large, types=[type])
    for (x, y), (near_x, near_y) in zip(found.corners, alone.corners, strict=True):
        assert abs(x - near_x) <= 24 and abs(y - near_y) <= 24


def test_neither_library_is_loaded_before_the_first_code():
    code = "import sys, dwtsvc.imaging.barcode; print({'zxingcpp', 'pyzbar', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.mark.parametrize("short", ["01234505", "01234514", "01234523", "01234530", "01234549", "01234565", "02345673"])
def test_a_upc_e_stands_for_the_number_that_zxing_says(short):
    code = page(drawn("upce", short[:7]))
    assert [found.text for found in read(code, engine="zbar")] == [found.text for found in read(code, engine="zxing")]
