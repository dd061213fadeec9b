"""`dwtsvc ocr` as a user runs it, with the real tesseract."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

import pexpect
import pikepdf
import pytest
from PIL import Image, ImageChops

from tests.end_to_end.conftest import DWTSVC, Place
from tests.imaging import pdfs
from tests.imaging.printed import typed
from tests.imaging.readers import READERS, pdftotext

GATE = ("Invoice for the garden gate", "two posts and seven hinges")
POND = ("Estimate for the little pond", "gravel and a wooden bridge")
ROOF = ("Reminder about the green roof", "payable within three weeks")
TEMPORARY = "dwtsvc-*"


def written(image: Image.Image, format: str, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **{"dpi": (200, 200), **how})
    return file.getvalue()


def jpeg(*lines: str, turned: int = 0, **how) -> bytes:
    """A page as JPEG; its pixels are turned counter-clockwise."""
    return written(typed(*lines).rotate(turned, expand=True), "JPEG", quality=90, **how)


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    return made


def pictures(path: Path) -> list[bytes]:
    """The image streams of a PDF's pages, byte for byte."""
    with pikepdf.open(path) as pdf:
        return [
            bytes(image.read_raw_bytes()) for page in pdf.pages for image in page.Resources.get("/XObject", {}).values()
        ]


def shown(path: Path, name: str, dpi: int = 72) -> list[Image.Image]:
    """A PDF's pages as Poppler draws them."""
    prefix = path.with_name(f"shown-{name}")
    subprocess.run(["pdftoppm", "-r", str(dpi), path, prefix], check=True)
    return [Image.open(drawn) for drawn in sorted(path.parent.glob(f"shown-{name}-*.ppm"))]


def differing(one: Image.Image, other: Image.Image) -> float:
    """The share of pixels that differ by a quarter of all levels or more."""
    apart = ImageChops.difference(one.convert("L"), other.convert("L"))
    return sum(apart.histogram()[64:]) / (one.width * one.height)


def sound(path: Path) -> Path:
    subprocess.run(["qpdf", "--check", path], check=True, capture_output=True)
    return path


def left_behind(folder: Path) -> list[str]:
    return [found.name for found in folder.glob(TEMPORARY)]


@pytest.fixture
def here(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """One scanned page, and a folder for temporary files that must be empty in the end."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (place / "gate.jpg").write_bytes(jpeg(*GATE))
    return place


# ---- what comes out ----


def test_without_an_output_the_text_goes_to_standard_output_and_nothing_else_does(here: Place) -> None:
    ran = here.run("ocr", "gate.jpg")
    assert (ran.code, ran.out.decode(), ran.err) == (0, "\n".join(GATE) + "\n\f", "")


def test_a_searchable_pdf_holds_the_jpeg_byte_for_byte_and_every_reader_copies_its_text(here: Place) -> None:
    ran = here.run("ocr", "gate.jpg", "-o", "gate.pdf")
    assert (ran.code, ran.lines, ran.err) == (0, ["gate.pdf"], "")
    assert pictures(sound(here / "gate.pdf")) == [jpeg(*GATE)]
    for read in READERS:
        assert [line.strip() for line in read(here / "gate.pdf").splitlines() if line.strip()] == list(GATE)
    with pikepdf.open(here / "gate.pdf") as pdf:
        assert [float(side) for side in pdf.pages[0].MediaBox[2:]] == pytest.approx([446.4, 216])


@pytest.mark.parametrize(("kind", "part"), [("pdfa", "2"), ("pdfa-3", "3")])
def test_pdfa_says_its_level_and_what_the_document_is(here: Place, kind: str, part: str) -> None:
    about = ["--title", "Gärten", "--author", "Ada", "--subject", "Gate", "--keywords", "posts"]
    assert here.run("ocr", "gate.jpg", "-o", "gate.pdf", "--output-type", kind, *about).code == 0
    with pikepdf.open(sound(here / "gate.pdf")) as pdf:
        held = pdf.open_metadata()
        assert (held["pdfaid:part"], held["pdfaid:conformance"], held["dc:title"]) == (part, "B", "Gärten")
        said = [str(pdf.docinfo[key]) for key in ("/Title", "/Author", "/Subject", "/Keywords")]
        assert said == ["Gärten", "Ada", "Gate", "posts"]


def test_hocr_alto_tsv_and_json_hold_the_words_with_their_places(here: Place) -> None:
    for name in ("a.hocr", "a.alto", "a.tsv", "a.json"):
        assert here.run("ocr", "gate.jpg", "-o", name).code == 0
    words = " ".join(GATE).split()
    hocr = ElementTree.parse(here / "a.hocr")
    assert [each.text for each in hocr.iter() if each.get("class") == "ocrx_word"] == words
    alto = ElementTree.parse(here / "a.alto")
    assert [each.get("CONTENT") for each in alto.iter() if each.tag.endswith("}String")] == words
    rows = [line.split("\t") for line in (here / "a.tsv").read_text().splitlines()]
    assert [row[-1] for row in rows if row[0] == "5"] == words
    (page,) = json.loads((here / "a.json").read_text())["pages"]
    assert [word["text"] for line in page["lines"] for word in line["words"]] == words
    assert 50 < page["confidence"] <= 100


def test_the_sidecar_is_the_text_of_the_pdf(here: Place) -> None:
    assert here.run("ocr", "gate.jpg", "-o", "gate.pdf", "--sidecar", "gate.txt").code == 0
    assert (here / "gate.txt").read_text() == "\n".join(GATE) + "\n\f"
    ran = here.run("ocr", "gate.jpg", "-o", "more.pdf", "--sidecar", "-", "-q")
    assert (ran.code, ran.out.decode()) == (0, "\n".join(GATE) + "\n\f")


def test_json_says_what_was_written_and_quiet_says_nothing(here: Place) -> None:
    ran = here.run("ocr", "gate.jpg", "-o", "gate.pdf", "--json")
    (event,) = ran.events
    assert (event["output"], event["inputs"], event["pages"]) == ("gate.pdf", ["gate.jpg"], 1)
    ran = here.run("ocr", "gate.jpg", "-o", "gate.pdf", "-q", "--force")
    assert (ran.code, ran.out, ran.err) == (0, b"", "")


def test_progress_and_words_go_to_standard_error(here: Place) -> None:
    ran = here.run("ocr", "gate.jpg", "-o", "gate.pdf", "--progress", "-v")
    assert (ran.code, ran.lines) == (0, ["gate.pdf"])
    assert "gate.jpg, page 1: 10 words, confidence" in ran.err


# ---- what goes in ----


def test_images_of_many_kinds_become_one_document_in_their_order(here: Place) -> None:
    typed(*POND).save(here / "pond.png", dpi=(200, 200))
    typed(*ROOF).convert("1").save(here / "roof.tif", dpi=(200, 200), compression="group4")
    more = [typed("fourth sheet of the stack"), typed("fifth sheet of the stack")]
    more[0].save(here / "more.tiff", save_all=True, append_images=more[1:], dpi=(200, 200))
    ran = here.run("ocr", "pond.png", "gate.jpg", "roof.tif", "more.tiff", "-o", "all.pdf", "-j", "2")
    assert (ran.code, ran.err) == (0, "")
    pages = pdftotext(sound(here / "all.pdf")).split("\f")[:-1]
    assert [page.split()[0] for page in pages] == ["Estimate", "Invoice", "Reminder", "fourth", "fifth"]


def test_pictures_and_pdfs_mixed_become_one_document_in_their_order(here: Place) -> None:
    (here / "pond.pdf").write_bytes(pdfs.scanned(jpeg(*POND), dpi=200))
    ran = here.run("ocr", "gate.jpg", "gate.jpg", "pond.pdf", "pond.pdf", "gate.jpg", "-o", "all.pdf", "--title", "All")
    assert (ran.code, ran.err) == (0, "")
    pages = pdftotext(sound(here / "all.pdf")).split("\f")[:-1]
    assert [page.split()[0] for page in pages] == ["Invoice", "Invoice", "Estimate", "Estimate", "Invoice"]
    assert pictures(here / "all.pdf") == [jpeg(*GATE)] * 2 + [jpeg(*POND)] * 2 + [jpeg(*GATE)]
    with pikepdf.open(here / "all.pdf") as pdf:
        assert str(pdf.docinfo.Title) == "All"


def test_a_folder_into_a_folder_and_a_bad_file_does_not_stop_the_others(here: Place) -> None:
    (here / "in").mkdir()
    (here / "in" / "1.jpg").write_bytes(jpeg(*GATE))
    (here / "in" / "2.jpg").write_bytes(jpeg(*GATE)[:3000])
    (here / "in" / "3.pdf").write_bytes(b"%PDF-1.4\nnothing of one")
    (here / "in" / "4.png").write_bytes(written(typed(*POND), "PNG"))
    ran = here.run("ocr", "in", "-o", "out/", "--sidecar", "texts/")
    assert (ran.code, ran.lines) == (4, ["out/1.pdf", "out/4.pdf"])
    assert ran.err.count("dwtsvc: ") == 2 and "2.jpg" in ran.err and "3.pdf" in ran.err
    assert sorted(path.name for path in (here / "out").iterdir()) == ["1.pdf", "4.pdf"]
    assert (here / "texts" / "4.txt").read_text().split("\n")[0] == POND[0]
    again = here.run("ocr", "in", "-o", "out/", "--json", "--force")
    assert [event.get("output", event.get("input")) for event in again.events] == [
        "out/1.pdf",
        "in/2.jpg",
        "in/3.pdf",
        "out/4.pdf",
    ]
    assert again.events[1]["code"] == again.code == 4


def test_a_picture_from_standard_input_becomes_a_pdf_on_standard_output(here: Place) -> None:
    ran = subprocess.run([DWTSVC, "ocr", "-", "-o", "-", "--format", "pdf"], input=jpeg(*GATE), capture_output=True)
    assert (ran.returncode, ran.stderr) == (0, b"")
    (here / "out.pdf").write_bytes(ran.stdout)
    assert pdftotext(sound(here / "out.pdf")).split("\n")[0] == GATE[0]


# ---- pictures keep what they are ----


@pytest.mark.parametrize(("orientation", "turned"), [(3, 180), (6, 90), (8, 270)])
def test_a_jpeg_turned_by_its_exif_keeps_its_bytes_and_is_shown_upright(
    here: Place, orientation: int, turned: int
) -> None:
    lying = jpeg(*GATE, turned=turned, exif=exif(orientation))
    (here / "lying.jpg").write_bytes(lying)
    assert here.run("ocr", "lying.jpg", "-o", "out.pdf").code == 0
    assert pictures(sound(here / "out.pdf")) == [lying]
    assert pdftotext(here / "out.pdf").split("\n")[0] == GATE[0]
    (page,) = shown(here / "out.pdf", "turned", 200)
    assert differing(page, typed(*GATE)) < 0.002


def test_lying_pages_are_turned_upright_without_encoding_them_again(here: Place) -> None:
    lines = [*GATE, *POND, *ROOF] * 2
    for name, turned in (("left", 90), ("over", 180)):
        (here / f"{name}.jpg").write_bytes(jpeg(*lines, turned=turned))
    (here / "left.pdf").write_bytes(pdfs.scanned(jpeg(*lines, turned=90), dpi=200))
    for source, turned in (("left.jpg", 90), ("over.jpg", 180), ("left.pdf", 90)):
        assert here.run("ocr", "-r", source, "-o", "out.pdf", "-f", "--next-free").code == 2
        assert here.run("ocr", "-r", source, "-o", "out.pdf", "-f").code == 0
        assert pdftotext(sound(here / "out.pdf")).split("\n")[0] == lines[0]
        assert pictures(here / "out.pdf") == [jpeg(*lines, turned=turned)]


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_png_is_packed_in_the_pdf_as_it_is_in_its_file(here: Place, mode: str) -> None:
    page = typed(*GATE).convert(mode)
    (here / "gate.png").write_bytes(written(page, "PNG"))
    assert here.run("ocr", "gate.png", "-o", "out.pdf").code == 0
    assert pictures(sound(here / "out.pdf"))[0] in (here / "gate.png").read_bytes()
    subprocess.run(["pdfimages", "-png", here / "out.pdf", here / "found"], check=True)
    assert (
        ImageChops.difference(Image.open(here / "found-000.png").convert("RGB"), page.convert("RGB")).getbbox() is None
    )


def test_a_group_4_tiff_is_in_the_pdf_byte_for_byte(here: Place) -> None:
    pages = [typed(*lines).convert("1") for lines in (GATE, POND)]
    pages[0].save(
        here / "two.tif",
        save_all=True,
        append_images=pages[1:],
        compression="group4",
        tiffinfo={278: 600},
        dpi=(200, 200),
    )
    assert here.run("ocr", "two.tif", "-o", "out.pdf").code == 0
    streams = pictures(sound(here / "out.pdf"))
    assert all(stream in (here / "two.tif").read_bytes() for stream in streams)
    subprocess.run(["pdfimages", "-png", here / "out.pdf", here / "found"], check=True)
    for number, page in enumerate(pages):
        found = Image.open(here / f"found-00{number}.png")
        assert ImageChops.difference(found.convert("L"), page.convert("L")).getbbox() is None
    assert pdftotext(here / "out.pdf").split("\f")[1].split("\n")[0] == POND[0]


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("cmyk.jpg", typed(*GATE).convert("CMYK")),
        ("sixteen.png", typed(*GATE).convert("I").point(lambda level: level * 257).convert("I;16")),
        ("palette.png", typed(*GATE).convert("RGB").quantize(16)),
        ("alpha.png", Image.merge("RGBA", (*[Image.new("L", (1240, 600))] * 3, ImageChops.invert(typed(*GATE))))),
        ("interlaced.tif", typed(*GATE).convert("RGB")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unusual_pictures_are_read_and_look_as_they_did(here: Place, name: str, image: Image.Image) -> None:
    image.save(here / name, dpi=(200, 200))
    ran = here.run("ocr", name, "-o", "out.pdf")
    assert (ran.code, ran.err) == (0, "")
    assert pdftotext(sound(here / "out.pdf")).split("\n")[0] == GATE[0]
    (page,) = shown(here / "out.pdf", "unusual", 200)
    assert differing(page, typed(*GATE)) < 0.002


def test_a_page_that_was_read_from_fewer_pixels_keeps_its_size(here: Place) -> None:
    big = typed(*GATE).resize((3720, 1800))
    (here / "big.jpg").write_bytes(written(big, "JPEG", dpi=(600, 600)))
    (here / "untold.jpg").write_bytes(written(big, "JPEG", dpi=(0, 0)))
    for words in (["big.jpg"], ["untold.jpg", "--image-dpi", "600"]):
        assert here.run("ocr", *words, "-o", "out.pdf", "-f").code == 0
        with pikepdf.open(here / "out.pdf") as pdf:
            assert [float(side) for side in pdf.pages[0].MediaBox[2:]] == pytest.approx([446.4, 216], abs=0.1)
        assert pdftotext(here / "out.pdf").split("\n")[0] == GATE[0]


@pytest.mark.parametrize("dpi", [0, 20, 9600])
def test_a_resolution_that_is_not_told_or_cannot_be_is_estimated_and_said_so(here: Place, dpi: int) -> None:
    sheet = typed(*GATE, size=(1654, 2339))
    (here / "sheet.jpg").write_bytes(written(sheet, "JPEG", dpi=(dpi, dpi)))
    ran = here.run("ocr", "sheet.jpg", "-o", "out.pdf")
    assert (ran.code, ran.out) == (0, b"out.pdf\n")
    assert "it looks like 200 dpi (--image-dpi says it)" in ran.err
    with pikepdf.open(here / "out.pdf") as pdf:
        assert [float(side) for side in pdf.pages[0].MediaBox[2:]] == pytest.approx([595.4, 842], abs=0.5)


def test_a_leaning_page_is_straightened_and_a_cleaned_one_stays_what_it_was(here: Place) -> None:
    leaning = typed(*GATE, *POND, size=(1654, 1200), at=(200, 300)).rotate(-3, fillcolor=255, resample=Image.BICUBIC)
    (here / "leaning.png").write_bytes(written(leaning, "PNG"))
    ran = here.run("ocr", "-d", "leaning.png", "-o", "straight.pdf", "-v")
    assert ran.code == 0 and "; deskew" in ran.err
    assert pictures(here / "straight.pdf")[0] not in (here / "leaning.png").read_bytes()
    ran = here.run("ocr", "--clean", "gate.jpg", "-o", "clean.pdf")
    assert pictures(here / "clean.pdf") == [jpeg(*GATE)]
    assert pdftotext(here / "clean.pdf").split("\n")[0] == GATE[0]


# ---- PDFs ----


def test_a_scanned_pdf_keeps_its_streams_and_its_looks(here: Place) -> None:
    (here / "in.pdf").write_bytes(pdfs.scanned(jpeg(*GATE), jpeg(*POND), dpi=200))
    assert here.run("ocr", "in.pdf", "-o", "out.pdf").code == 0
    assert pictures(sound(here / "out.pdf")) == [jpeg(*GATE), jpeg(*POND)]
    for before, after in zip(shown(here / "in.pdf", "in"), shown(here / "out.pdf", "out"), strict=True):
        assert ImageChops.difference(before, after).getbbox() is None
    for read in READERS:
        assert [line.strip() for line in read(here / "out.pdf").splitlines() if line.strip()] == [*GATE, *POND]


def test_a_drawn_pdf_keeps_every_pixel_and_gets_a_layer_of_text(here: Place) -> None:
    (here / "in.pdf").write_bytes(drawn_around(jpeg(*GATE)))
    assert here.run("ocr", "in.pdf", "-o", "out.pdf").code == 0
    (before,), (after,) = shown(here / "in.pdf", "in"), shown(sound(here / "out.pdf"), "out")
    assert ImageChops.difference(before, after).getbbox() is None
    assert GATE[0] in pdftotext(here / "out.pdf")


def drawn_around(picture: bytes) -> bytes:
    """A PDF page with a picture and a frame drawn around it."""

    def frame(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
        page.contents_add(pdf.make_stream(b"q 2 w 4 4 438 208 re S Q"))

    return pdfs.changed(pdfs.scanned(picture, dpi=200), frame)


@pytest.fixture
def half_read(here: Place) -> Path:
    """A PDF whose first page has text and whose second has none."""
    assert here.run("ocr", "gate.jpg", "-o", "first.pdf").code == 0
    (here / "second.pdf").write_bytes(pdfs.scanned(jpeg(*POND), dpi=200))
    assert here.run("pdf", "merge", "first.pdf", "second.pdf", "-o", "half.pdf").code == 0
    return here / "half.pdf"


def test_a_pdf_with_text_is_refused_with_the_three_ways_out(here: Place, half_read: Path) -> None:
    ran = here.run("ocr", "half.pdf", "-o", "out.pdf")
    assert ran.code == 6 and "on page 1" in ran.err
    assert all(way in ran.err for way in ("--skip-text", "--redo-ocr", "--force-ocr"))
    assert not (here / "out.pdf").exists()
    assert here.run("ocr", "half.pdf", "--skip-text", "--redo-ocr", "-o", "out.pdf").code == 2


@pytest.mark.parametrize("way", ["--skip-text", "--redo-ocr", "--force-ocr"])
def test_each_way_gives_every_page_its_text_once(here: Place, half_read: Path, way: str) -> None:
    assert here.run("ocr", "half.pdf", way, "-o", "out.pdf").code == 0
    text = pdftotext(sound(here / "out.pdf"))
    assert [text.count(line) for line in (*GATE, *POND)] == [1, 1, 1, 1]
    kept = pictures(here / "out.pdf") == [jpeg(*GATE), jpeg(*POND)]
    assert kept == (way != "--force-ocr")


def test_text_that_is_seen_is_not_read_a_second_time(here: Place) -> None:
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    page = pdfs.drawing(
        b"BT /F 24 Tf 40 100 Td (Written by a program) Tj ET",
        (400, 200),
        Resources=pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font)),
    )
    (here / "in.pdf").write_bytes(page)
    ran = here.run("ocr", "--redo-ocr", "in.pdf", "-o", "out.pdf")
    assert ran.code == 0 and "text that is seen stays as it is, on 1 of its pages" in ran.err
    assert pdftotext(here / "out.pdf").count("Written by a program") == 1


def test_only_the_pages_asked_for_are_read(here: Place) -> None:
    (here / "in.pdf").write_bytes(pdfs.scanned(jpeg(*GATE), jpeg(*POND), jpeg(*ROOF), dpi=200))
    assert here.run("ocr", "in.pdf", "--pages", "2", "-o", "out.pdf").code == 0
    assert [page.split() for page in pdftotext(here / "out.pdf").split("\f")] == [[], " ".join(POND).split(), [], []]
    assert here.run("ocr", "in.pdf", "--pages", "4", "-o", "no.pdf").code == 2


def test_an_encrypted_pdf_asks_for_its_password(here: Place) -> None:
    (here / "in.pdf").write_bytes(pdfs.locked(pdfs.scanned(jpeg(*GATE), dpi=200), "secret"))
    ran = here.run("ocr", "in.pdf", "-o", "out.pdf")
    assert ran.code == 8 and "DWTSVC_PDF_PASSWORD" in ran.err
    assert here.run("ocr", "in.pdf", "-o", "out.pdf", "--password", "wrong").code == 8
    ran = here.run("ocr", "in.pdf", "-o", "out.pdf", DWTSVC_PDF_PASSWORD="secret")
    assert ran.code == 0 and "the result is not" in ran.err
    assert GATE[0] in pdftotext(here / "out.pdf")


# ---- what goes wrong ----


def test_a_missing_language_names_the_command_that_installs_it(here: Place) -> None:
    ran = here.run("ocr", "-l", "eng+tlh", "gate.jpg")
    assert ran.code == 3 and "Tesseract has no language tlh" in ran.err
    assert "Install it: " in ran.err and "tlh" in ran.err.split("Install it: ")[1]
    assert here.run("ocr", "-l", "--help", "gate.jpg").code == 2


def bomb() -> bytes:
    """A PNG that says it has 60,000 x 60,000 pixels."""
    data = bytearray(written(Image.new("1", (8, 8)), "PNG"))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("bomb.png", bomb(), 4),
        ("cut.jpg", jpeg(*GATE)[:4000], 4),
        ("cut.png", written(typed(*GATE), "PNG")[:4000], 4),
        ("text.jpg", b"no picture at all", 4),
        ("empty.png", b"", 4),
        ("none.pdf", pdfs.saved(pikepdf.new()), 4),
        ("broken.pdf", b"%PDF-1.7\n1 0 obj << /Pages 1 0 R >>", 4),
        ("dot.png", written(Image.new("L", (1, 1)), "PNG"), 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_has_its_error_and_leaves_nothing_behind(
    here: Place, tmp_path: Path, name: str, data: bytes, code: int
) -> None:
    (here / name).write_bytes(data)
    ran = here.run("ocr", name, "-o", "out.pdf")
    assert ran.code == code, ran.err
    assert "Internal error" not in ran.err
    assert here.files() == sorted(["gate.jpg", name, *(["out.pdf"] if code == 0 else [])])
    assert left_behind(tmp_path / "tmp") == []


def test_a_pdf_with_nonsense_for_metadata_is_read(here: Place) -> None:
    def spoil(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
        pdf.docinfo.Title = pikepdf.String(b"\xff\xfe\xd8\x00broken \xe9")

    (here / "in.pdf").write_bytes(pdfs.changed(pdfs.scanned(jpeg(*GATE), dpi=200), spoil))
    assert here.run("ocr", "in.pdf", "-o", "out.pdf").code == 0
    assert GATE[0] in pdftotext(sound(here / "out.pdf"))


@pytest.mark.parametrize(
    "words",
    [
        ["missing.jpg"],
        ["gate.jpg", "-o", "no-such-folder/out.pdf"],
        ["gate.jpg", "-o", "gate.jpg"],
    ],
    ids=lambda words: words[-1],
)
def test_files_that_are_not_there_or_may_not_be_replaced_are_refused(here: Place, words: list[str]) -> None:
    ran = here.run("ocr", *words)
    assert ran.code in (2, 5) and ran.out == b""
    assert (here / "gate.jpg").read_bytes() == jpeg(*GATE)
    assert here.files() == ["gate.jpg"]


@pytest.mark.parametrize(
    "words",
    [
        ["--psm", "0"],
        ["--fast", "--full"],
        ["--format", "docx"],
        ["-o", "out.docx"],
        ["--json"],
        ["--json", "-o", "-"],
        ["-o", "out/", "--sidecar", "one.txt"],
        ["-o", "out.txt", "--sidecar", "one.txt"],
        ["-o", "out.pdf", "--output-type", "pdfa-9"],
        ["--engine", "crystal-ball"],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused(here: Place, words: list[str]) -> None:
    ran = here.run("ocr", "gate.jpg", *words)
    assert ran.code == 2, ran.err
    assert here.files() == ["gate.jpg"]


def test_a_folder_that_is_not_there_and_has_no_slash_is_told_how_to_be_one(here: Place) -> None:
    ran = here.run("ocr", "gate.jpg", "-o", "read")
    assert ran.code == 2 and "ends in a slash: read/" in ran.err
    assert here.run("ocr", "gate.jpg", "-o", "read/").code == 0
    assert (here / "read" / "gate.pdf").is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("target", ["out.pdf", "out/"])
def test_an_interrupted_run_leaves_no_file_and_nothing_temporary(
    here: Place, tmp_path: Path, number: int, target: str
) -> None:
    (here / "in").mkdir()
    for page in range(12):
        (here / "in" / f"{page}.jpg").write_bytes(jpeg(*GATE, f"page {page}"))
    running = subprocess.Popen(
        [DWTSVC, "ocr", "in", "-o", target, "--full", "-v"], cwd=here.folder, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr and "words" in running.stderr.readline()
    running.send_signal(number)
    running.stderr.read()
    assert running.wait(60) == 130
    deadline = time.monotonic() + 60
    while left_behind(tmp_path / "tmp") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left_behind(tmp_path / "tmp") == []
    left = {path.relative_to(here.folder).as_posix() for path in here.folder.rglob("*") if path.is_file()}
    assert all(
        name in {f"out/{page}.pdf" for page in range(12)} for name in left if not name.startswith(("in/", "gate"))
    )
    for name in left:
        if name.endswith(".pdf"):
            sound(here / name)


def test_what_a_killed_run_left_is_taken_away_by_the_next_one(here: Place, tmp_path: Path) -> None:
    (here / "in").mkdir()
    for page in range(12):
        (here / "in" / f"{page}.jpg").write_bytes(jpeg(*GATE, f"page {page}"))
    words = [DWTSVC, "ocr", "in", "-o", "out.pdf", "--full", "-v"]
    running = subprocess.Popen(words, cwd=here.folder, stderr=subprocess.PIPE, text=True)
    assert running.stderr and "words" in running.stderr.readline()
    running.kill()
    running.stderr.read()  # until the last of its children is gone
    running.wait()
    assert left_behind(tmp_path / "tmp") != []
    assert here.run("ocr", "gate.jpg").code == 0
    assert left_behind(tmp_path / "tmp") == []


def test_a_pdf_is_not_written_to_a_terminal(here: Place) -> None:
    terminal = pexpect.spawn(
        DWTSVC, ["ocr", "gate.jpg", "--format", "pdf"], cwd=here.folder, env={**os.environ}, timeout=60
    )
    terminal.expect("A PDF is no text for a terminal")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 2


def test_a_second_run_takes_what_it_knows_from_the_cache(here: Place) -> None:
    assert here.run("ocr", "gate.jpg", "-o", "one.pdf").code == 0
    found = [path for path in (here.home / "cache" / "pages").rglob("*") if path.is_file()]
    assert len(found) == 1 and found[0].stat().st_mode & 0o777 == 0o600
    (here / "bin").mkdir()
    (here / "bin" / "tesseract").write_text(
        '#!/bin/sh\n[ "$1" = --list-langs ] || exit 1\nprintf "list (1):\\neng\\n"\n'
    )
    (here / "bin" / "tesseract").chmod(0o755)
    path = f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}"
    assert here.run("ocr", "gate.jpg", "-o", "two.pdf", PATH=path).code == 0
    assert pdftotext(here / "two.pdf") == pdftotext(here / "one.pdf")
    assert here.run("ocr", "gate.jpg", "--psm", "6", "-o", "three.pdf", PATH=path).code != 0
