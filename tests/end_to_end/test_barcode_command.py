"""`dwtsvc barcode` as installed: lines, JSON, folders, standard input, drawings, and inputs that cannot be read."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import zlib
from pathlib import Path

import pypdf
import pytest
import zxingcpp
from PIL import Image

from tests.end_to_end.conftest import DWTSVC, Place

FORMATS = zxingcpp.BarcodeFormat


def page(text: str, format: zxingcpp.BarcodeFormat = FORMATS.Code128) -> Image.Image:
    sheet = Image.new("L", (900, 700), 255)
    if text:
        pixels = memoryview(zxingcpp.create_barcode(text, format).to_image(scale=3))
        sheet.paste(Image.frombytes("L", (pixels.shape[1], pixels.shape[0]), pixels.tobytes()), (150, 100))
    return sheet


def noise() -> Image.Image:
    return Image.frombytes("L", (500, 500), os.urandom(250_000))


@pytest.fixture
def stack(place: Place) -> Place:
    """A code, two pages in a TIFF, two in a PDF, and noise."""
    page("ONE", FORMATS.QRCode).save(place / "one.png", dpi=(254, 254))
    page("TWO").save(place / "two.tiff", save_all=True, append_images=[page("THREE")])
    page("").save(place / "four.pdf", save_all=True, append_images=[page("FOUR")], resolution=100)
    noise().save(place / "noise.png")
    return place


def test_a_line_for_each_code_says_file_page_type_and_text(stack: Place) -> None:
    ran = stack.run("barcode", "one.png", "two.tiff", "four.pdf", "noise.png")
    assert ran.code == 0 and ran.err == ""
    assert ran.lines == [
        "one.png:1: qr ONE",
        "two.tiff:1: code128 TWO",
        "two.tiff:2: code128 THREE",
        "four.pdf:2: code128 FOUR",
    ]


def test_json_is_one_line_for_each_input_with_places_in_pixels_and_mm(stack: Place) -> None:
    ran = stack.run("barcode", "--json", "one.png", "noise.png", "four.pdf")
    one, none, four = ran.events
    (code,) = one["barcodes"]
    assert (one["input"], code["text"], code["type"], code["page"]) == ("one.png", "ONE", "qr", 1)
    assert base64.b64decode(code["bytes"]) == b"ONE"
    pixels, mm = code["corners"]["pixels"], code["corners"]["mm"]
    assert len(pixels) == len(mm) == 4
    assert [[x / 10, y / 10] for x, y in pixels] == mm
    assert none == {"input": "noise.png", "barcodes": []}
    assert [(each["text"], each["page"]) for each in four["barcodes"]] == [("FOUR", 2)]


def test_when_nothing_was_found_the_code_is_1_and_standard_output_empty(stack: Place) -> None:
    ran = stack.run("barcode", "noise.png")
    assert (ran.code, ran.out, ran.err) == (1, b"", "dwtsvc: No barcode was found\n")
    ran = stack.run("barcode", "-q", "noise.png", "--types", "qr")
    assert (ran.code, ran.out, ran.err) == (1, b"", "")
    assert stack.run("barcode", "--types", "qr", "two.tiff").code == 1


def test_inputs_that_cannot_be_read_do_not_stop_the_others_and_the_first_gives_the_code(stack: Place) -> None:
    (stack / "cut.png").write_bytes((stack / "one.png").read_bytes()[:200])
    (stack / "text.pdf").write_text("no PDF at all")
    (stack / "hollow.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    ran = stack.run("barcode", "cut.png", "none.png", "text.pdf", "hollow.pdf", "one.png")
    assert (ran.code, ran.lines) == (4, ["one.png:1: qr ONE"])
    assert [line.split(":")[1].strip() for line in ran.err.splitlines() if line.startswith("dwtsvc")] == [
        "cut.png",
        "none.png",
        "text.pdf",
        "hollow.pdf",
    ]
    assert stack.run("barcode", "none.png", "cut.png").code == 5


def test_json_tells_an_error_in_the_line_of_its_input(stack: Place) -> None:
    ran = stack.run("barcode", "--json", "none.png", "one.png")
    failed, good = ran.events
    assert (ran.code, failed["input"], failed["error"], failed["code"]) == (5, "none.png", "file-access", 5)
    assert failed["barcodes"] == [] and len(good["barcodes"]) == 1 and "error" not in good


def test_codes_before_the_damage_of_a_file_are_told(stack: Place) -> None:
    with Image.open(stack / "two.tiff") as image:
        image.seek(1)
        strip = image.tag_v2[273][0]
    whole = (stack / "two.tiff").read_bytes()
    (stack / "two.tiff").write_bytes(whole[: strip + 10])
    ran = stack.run("barcode", "two.tiff")
    assert (ran.code, ran.lines) == (4, ["two.tiff:1: code128 TWO"])
    (line,) = stack.run("barcode", "--json", "two.tiff").events
    assert [code["text"] for code in line["barcodes"]] == ["TWO"] and line["error"] == "bad-input"


def test_an_encrypted_pdf_wants_its_password_in_the_words_of_the_other_commands(stack: Place) -> None:
    writer = pypdf.PdfWriter(stack / "four.pdf")
    writer.encrypt("secret", algorithm="AES-256")
    writer.write(stack / "locked.pdf")
    (told,) = stack.run("barcode", "--json", "locked.pdf").events
    (other,) = stack.run("ocr", "--json", "locked.pdf", "-o", "out.pdf").events
    for said in ("error", "code", "what", "why", "hint"):
        assert told[said] == other[said]
    assert (told["error"], told["code"]) == ("encrypted", 8) and "--password" in told["hint"]
    ran = stack.run("barcode", "locked.pdf", "--password", "wrong")
    assert ran.code == 8 and "does not open" in ran.err
    found = ["locked.pdf:2: code128 FOUR"]
    assert stack.run("barcode", "locked.pdf", "--password", "secret").lines == found
    assert stack.run("barcode", "locked.pdf", DWTSVC_PDF_PASSWORD="secret").lines == found


def test_a_folder_is_its_pictures_in_the_order_of_their_numbers(place: Place) -> None:
    folder = place / "scans"
    (folder / "more").mkdir(parents=True)
    for number in (10, 9, 1):
        page(f"N{number}").save(folder / f"page-{number}.PNG")
    page("HIDDEN").save(folder / ".hidden.png")
    page("BELOW").save(folder / "more" / "below.png")
    (folder / "notes.txt").write_text("no picture")
    ran = place.run("barcode", "scans")
    assert [line.split()[-1] for line in ran.lines] == ["N1", "N9", "N10"] and ran.code == 0
    assert ran.lines[0] == f"{Path('scans', 'page-1.PNG')}:1: code128 N1"


def test_a_folder_without_a_picture_is_bad_input(place: Place) -> None:
    (place / "empty").mkdir()
    ran = place.run("barcode", "empty")
    assert ran.code == 4 and "no picture" in ran.err


@pytest.mark.parametrize("name", ["one.png", "two.tiff", "four.pdf"])
def test_standard_input_may_be_any_file(stack: Place, name: str) -> None:
    with open(stack / name, "rb") as file:
        done = subprocess.run([DWTSVC, "barcode", "--json", "-"], stdin=file, capture_output=True, timeout=60)
    said = json.loads(done.stdout)
    (named,) = stack.run("barcode", "--json", name).events
    assert said == {**named, "input": "-"}


def test_empty_standard_input_is_bad_input(place: Place) -> None:
    assert place.run("barcode", "-").code == 4


def test_text_cannot_move_the_cursor_of_a_terminal(place: Place) -> None:
    page("a\nb\x1b[2J", FORMATS.DataMatrix).save(place / "a.png")
    assert place.run("barcode", "a.png").lines == ["a.png:1: datamatrix a\\nb\\x1b[2J"]
    assert place.run("barcode", "--json", "a.png").events[0]["barcodes"][0]["text"] == "a\nb\x1b[2J"


def test_names_that_are_no_text_are_written_out(place: Place) -> None:
    name = os.fsdecode(b"page-\xe9.png")
    page("HERE").save(place / name)
    assert place.run("barcode", name).lines == ["page-\\udce9.png:1: code128 HERE"]
    assert place.run("barcode", "--json", name).events[0]["input"] == name


def test_each_picture_with_codes_is_drawn_into_a_file_of_its_own(stack: Place) -> None:
    ran = stack.run("barcode", "--json", "--draw", "found.png", "one.png", "noise.png", "two.tiff")
    assert [event.get("drawn") for event in ran.events] == [["found.png"], None, ["found-2.png", "found-3.png"]]
    with Image.open(stack / "found.png") as shown:
        assert shown.mode == "RGB" and shown.size == (900, 700)
        assert any(red > 200 and green < 60 for _, (red, green, _) in shown.getcolors(1 << 20) or [])
        assert round(shown.info["dpi"][0]) == 254


def test_a_drawing_replaces_nothing_unless_forced_and_is_refused_before_anything_is_read(stack: Place) -> None:
    (stack / "found.png").write_text("mine")
    ran = stack.run("barcode", "--draw", "found.png", "one.png")
    assert (ran.code, ran.lines, (stack / "found.png").read_text()) == (5, [], "mine")
    ran = stack.run("barcode", "--force", "--draw", "found.png", "one.png")
    assert (ran.code, ran.err) == (0, "Drawn: found.png\n")
    Image.open(stack / "found.png").close()


def test_a_drawing_of_nothing_leaves_no_file(stack: Place) -> None:
    before = stack.files()
    assert stack.run("barcode", "--draw", "found.png", "noise.png").code == 1
    assert stack.files() == before


@pytest.mark.parametrize(
    "wrong",
    [("--engine", "dynamo"), ("--types", "qr,morse"), ("--types", ","), ("--draw", "found.doc"), ("--dpi", "0")],
)
def test_a_wrong_word_is_refused_before_anything_is_read(stack: Place, wrong: tuple[str, str]) -> None:
    ran = stack.run("barcode", *wrong, "one.png")
    assert (ran.code, ran.lines) == (2, [])


def test_every_engine_reads(stack: Place) -> None:
    for engine in ("auto", "zxing", "zbar", "both"):
        ran = stack.run("barcode", "--engine", engine, "two.tiff")
        assert ran.lines == ["two.tiff:1: code128 TWO", "two.tiff:2: code128 THREE"]


def test_pictures_too_small_for_a_code_and_headers_that_promise_too_much_harm_nothing(stack: Place) -> None:
    Image.new("1", (1, 1)).save(stack / "dot.png")
    Image.new("L", (1, 3000)).save(stack / "line.png")
    header = bytearray((stack / "one.png").read_bytes())
    header[16:24] = (100_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    (stack / "bomb.png").write_bytes(header)
    ran = stack.run("barcode", "--json", "dot.png", "line.png", "bomb.png", "one.png")
    assert [(event["input"], len(event["barcodes"]), event.get("error")) for event in ran.events] == [
        ("dot.png", 0, None),
        ("line.png", 0, None),
        ("bomb.png", 0, "bad-input"),
        ("one.png", 1, None),
    ]
    assert ran.code == 4


def test_every_option_is_explained_in_the_document() -> None:
    root = Path(__file__).parents[2]
    text = (root / "docs" / "barcode.md").read_text("utf-8")
    help = subprocess.run([DWTSVC, "barcode", "--help"], capture_output=True, text=True, timeout=60).stdout
    options = set(re.findall(r"(?<!\S)--[a-z]+(?=[ ,])", help.partition("Options:")[2]))
    assert {"--types", "--draw", "--quiet"} < options
    assert [option for option in sorted(options - {"--help", "--install", "--show"}) if option not in text] == []
