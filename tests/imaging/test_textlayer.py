"""The invisible text: found, in order, by four readers, and not to be seen."""

from __future__ import annotations

import io
import random
import shutil
from pathlib import Path

import pypdf
import pypdfium2
import pytest
from PIL import Image, ImageDraw, ImageFont

from dwtsvc.imaging import glyphless, textlayer
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.text import Line, Text, Word
from tests.imaging.readers import READERS, by_pdfium, check_by_qpdf, pdftotext, run, shown_by_pdftoppm
from tests.imaging.texts import around, line_of, read_by_tesseract, text_of

HEBREW = ["שלום עולם טוב מאוד", "מרחבא בוקר אור"]
ARABIC = ["مرحبا بالعالم الجميل", "صباح الخير"]


def column(words: list[str], left: int, block: int, *, per_line: int = 4, top: int = 100) -> list[Line]:
    starts = range(0, len(words), per_line)
    rows = [" ".join(words[start : start + per_line]) for start in starts]
    return [line_of(row, left, top + 40 * index, block=block) for index, row in enumerate(rows)]


def from_the_right(words: str, right: int, top: int, letter: int = 12, size: int = 24) -> Line:
    made, at = [], right
    for word in words.split():
        left = at - letter * len(word)
        made.append(Word(text=word, box=(left, top, at, top + size), confidence=90))
        at = left - letter
    return Line(words=tuple(made), box=around([word.box for word in made]), block=1, paragraph=1)


def made_up(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices("abdeghilmnoprstu", k=chance.randint(3, 8))) for _ in range(count)]


def layered(text: Text, folder: Path, *, size: tuple[int, int] = (1000, 1400), dpi: float = 120) -> Path:
    path = folder / "layer.pdf"
    with path.open("wb") as file, PdfWriter(file) as writer:
        writer.add_image(Image.new("1", size, 1), dpi=dpi, text=text)
    return path


@pytest.mark.parametrize("reader", READERS)
def test_a_page_of_one_column_is_read_in_its_order(reader, tmp_path):
    text = text_of(*column(made_up(100, 1), 100, 1, per_line=6))
    assert reader(layered(text, tmp_path)).split() == text.plain.split()


@pytest.mark.parametrize("reader", READERS)
def test_a_page_of_two_columns_is_read_column_by_column(reader, tmp_path):
    left = column(made_up(100, 2), 60, 1)
    right = column(made_up(90, 3), 540, 2)
    text = text_of(*left, *right)
    assert reader(layered(text, tmp_path)).split() == text.plain.split()


@pytest.mark.parametrize("reader", READERS)
def test_the_lines_come_out_as_lines(reader, tmp_path):
    text = text_of(*column(made_up(40, 4), 100, 1, per_line=5))
    assert [line.strip() for line in reader(layered(text, tmp_path)).split("\n") if line.strip()] == [
        line.text for line in text.lines
    ]


@pytest.mark.parametrize("reader", READERS)
def test_a_title_with_wide_gaps_stays_in_its_lines(reader, tmp_path):
    titles = [line_of("THE EYES , THE HAIR", 200, 100, gap=35), line_of("AND THE WIND", 230, 150, gap=40)]
    text = text_of(*titles, *column(made_up(60, 5), 100, 2, per_line=6, top=300))
    assert reader(layered(text, tmp_path)).split() == text.plain.split()


@pytest.mark.parametrize("reader", READERS)
def test_words_whose_boxes_touch_are_still_words(reader, tmp_path):
    words = [Word(text=t, box=(100 + 80 * n, 100, 181 + 80 * n, 130), confidence=90) for n, t in enumerate("abc")]
    words += [Word(text="end", box=(340, 100, 400, 130), confidence=90)]
    text = text_of(Line(words=tuple(words), box=around([word.box for word in words]), block=1, paragraph=1))
    assert reader(layered(text, tmp_path)).split() == ["a", "b", "c", "end"]


@pytest.mark.parametrize("reader", READERS)
def test_a_text_read_at_another_size_fits_the_page(reader, tmp_path):
    lines = column(made_up(50, 6), 100, 1)
    path = layered(text_of(*lines), tmp_path, size=(2000, 2800), dpi=240)
    assert reader(path).split() == [word for line in lines for word in line.text.split()]
    textpage = pypdfium2.PdfDocument(path)[0].get_textpage()
    left, bottom, right, top = textpage.get_charbox(textpage.search(lines[0].words[0].text).get_next()[0])
    box = lines[0].words[0].box
    assert left == pytest.approx(box[0] * 72 / 120, abs=0.2)
    assert top == pytest.approx((1400 - box[1]) * 72 / 120, abs=0.5)
    assert bottom == pytest.approx((1400 - box[3]) * 72 / 120, abs=0.5)
    assert right - left == pytest.approx(12 * 72 / 120, abs=0.2)


@pytest.mark.parametrize("lines", [HEBREW, ARABIC])
def test_words_that_run_from_right_to_left_are_found(lines, tmp_path):
    text = text_of(*(from_the_right(line, 900, 100 + 60 * index) for index, line in enumerate(lines)))
    path = layered(text, tmp_path)
    for found in (pdftotext(path), by_pdfium(path)):
        plain = [line.strip(" \r\f‎‏‪‫‬") for line in found.split("\n")]
        assert [line for line in plain if line] == lines


def test_numbers_and_latin_in_a_line_from_right_to_left_keep_their_order(tmp_path):
    path = layered(text_of(from_the_right("חשבון INV2024 ב1,250 שקלים", 900, 100)), tmp_path)
    found = pdftotext(path)
    assert "INV2024" in found and "1,250" in found and "חשבון" in found


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("word", ["Größe", "œuvre", "Łódź", "Ωμέγα", "漢字仮名", "€100", "(a)\\<b>", "𝄞𝕏😀", "x😀x"])
def test_letters_of_all_planes_come_out(reader, word, tmp_path):
    assert reader(layered(text_of(line_of(f"first {word} last", 100, 100)), tmp_path)).split() == [
        "first",
        word,
        "last",
    ]


def test_more_letters_beyond_the_first_plane_than_there_is_room_for_become_question_marks():
    codes = glyphless.Codes()
    letters = [chr(0x20000 + number) for number in range(2_050)]
    written = codes.encode("".join(letters))
    assert written[-4:] == b"\xff\xfd\xff\xfd"
    assert codes.encode(letters[2_047]) == b"\xdf\xff"
    assert dict(codes.meanings())[0xDFFF] == letters[2_047]


def test_what_is_no_character_is_left_out():
    assert glyphless.Codes().encode("a\x00b\ud800\x85c\ufffe") == "abc".encode("utf-16-be")


def test_a_text_without_words_leaves_the_page_without_layer_and_font(tmp_path):
    assert textlayer.content(text_of(), 100, 100) == b""
    path = layered(text_of(), tmp_path)
    assert b"/Font" not in path.read_bytes()


def test_boxes_without_height_or_width_do_no_harm(tmp_path):
    word = Word(text="flat", box=(100, 100, 100, 100), confidence=1)
    path = layered(text_of(Line(words=(word,), box=word.box, block=1, paragraph=1)), tmp_path)
    check_by_qpdf(path)
    assert by_pdfium(path).strip() == "flat"


def test_the_page_looks_the_same_with_and_without_its_text(picture, tmp_path):
    seen = []
    for text in (None, text_of(*column(made_up(80, 7), 50, 1), width=picture.width * 4, height=picture.height * 8)):
        file = io.BytesIO()
        with PdfWriter(file) as writer:
            writer.add_image(picture, dpi=50, text=text)
        seen.append(file.getvalue())
    assert shown_by_pdftoppm(seen[0], tmp_path) == shown_by_pdftoppm(seen[1], tmp_path)
    images = [pypdfium2.PdfDocument(data)[0].render(scale=2).to_pil().tobytes() for data in seen]
    assert images[0] == images[1]


def test_every_page_shares_one_embedded_font(tmp_path):
    path = tmp_path / "many.pdf"
    with path.open("wb") as file, PdfWriter(file) as writer:
        for number in range(20):
            writer.add_image(Image.new("1", (800, 800), 1), dpi=100, text=text_of(line_of(f"page {number}", 10, 10)))
    assert path.read_bytes().count(b"/FontFile2") == 1
    check_by_qpdf(path)
    listed = run("pdffonts", str(path)).splitlines()
    assert len(listed) == 3 and listed[2].split()[:3] == [glyphless.NAME, "CID", "TrueType"]
    assert listed[2].split()[4:7] == ["yes", "no", "yes"]  # embedded, no subset, with Unicode
    assert [page.extract_text() for page in pypdf.PdfReader(path).pages] == [f"page {n}" for n in range(20)]


def test_ghostscript_draws_a_page_with_text_without_a_complaint(tmp_path):
    path = layered(text_of(*column(made_up(50, 8), 100, 1)), tmp_path)
    said = run("gs", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pgmraw", f"-sOutputFile={tmp_path}/p.pgm", str(path))
    assert "Error" not in said and "Warning" not in said
    assert Image.open(tmp_path / "p.pgm").getextrema() == (255, 255)


def test_the_font_is_one_that_font_readers_accept():
    font = ImageFont.truetype(io.BytesIO(glyphless.font_file()), 100)
    assert font.getname() == (glyphless.NAME, "Regular")
    assert font.getlength("  ") == 100 and font.getmetrics() == (80, 20)
    assert glyphless._sum(glyphless.font_file()) == 0xB1B0AFBA  # as TrueType wants it


def test_what_tesseract_reads_on_a_page_is_what_readers_find(tmp_path):
    if not shutil.which("tesseract"):
        pytest.skip("tesseract is not installed")
    image = Image.new("L", (1240, 900), 255)
    font = ImageFont.load_default(size=32)
    said = ["The quick brown fox jumps over", "the lazy dog, and then it rains", "all afternoon in the valley."]
    for index, line in enumerate(said):
        ImageDraw.Draw(image).text((120, 150 + 60 * index), line, fill=0, font=font)
    text = read_by_tesseract(image, 150)
    assert " ".join(said) == " ".join(text.plain.split())
    path = tmp_path / "read.pdf"
    with path.open("wb") as file, PdfWriter(file) as writer:
        writer.add_image(image, dpi=150, text=text)
    for reader in READERS:
        assert reader(path).split() == text.plain.split()
