"""What every command and the service write as PDF/A, held against the rules of ISO 19005 and against Preflight."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pytest
from PIL import Image

from tests.end_to_end.conftest import Place
from tests.end_to_end.scans import page, save
from tests.imaging.pdfarules import BEYOND_PART_1, broken_rules, preflight, preflight_jars
from tests.server.faces import DOCUMENTS, JOBS, serving

PARTS = {"pdfa": "2", "pdfa-3": "3"}
ABOUT = ("--title", "Gärten <1> & №9", "--author", "Åsa", "--subject", "Gate", "--keywords", "posts, rails")
FEEDER = ("-d", "virtual:adf?pages=3&seed=5", "-r", "75", "-q")


def check(path: Path, part: str) -> None:
    """By our rules always, by Preflight where it is."""
    assert broken_rules(path, part) == []
    told = preflight(path) if preflight_jars() else {}
    assert set(told) <= BEYOND_PART_1[part], told


def scans(folder: Path) -> list[str]:
    """Pages in every kind of pixels that a PDF holds in its own way."""
    save(folder / "gray.jpg", page("Gray photo"))
    save(folder / "colour.jpg", page("Colour", mode="RGB"))
    save(folder / "fax.tif", page("Fax", mode="1"), page("Fax 2", mode="1"), compression="group4")
    save(folder / "palette.png", page("Palette", mode="P"))
    save(folder / "alpha.png", page("See through", mode="RGBA"))
    save(folder / "deep.png", Image.new("I;16", (300, 300), 40_000))
    save(folder / "lossless.webp", page("Web", mode="RGB"), lossless=True)
    save(folder / "cmyk.jpg", page("Print", mode="CMYK"))
    exif = Image.Exif()
    exif[0x0112] = 6
    save(folder / "turned.jpg", page("Turned").rotate(90, expand=True), exif=exif)
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", PARTS)
def test_pictures_of_all_kinds_read_into_one_document(place: Place, kind: str) -> None:
    names = scans(place.folder)
    ran = place.run("ocr", *names, "-o", "out.pdf", "--output-type", kind, *ABOUT, timeout=100)
    assert ran.code == 0, ran.err
    check(place / "out.pdf", PARTS[kind])


def test_a_scanned_pdf_and_one_that_was_cleaned(place: Place) -> None:
    save(place / "scan.pdf", page("Letter", mode="RGB"), page("Letter two", mode="RGB"))
    for name, how in {"kept.pdf": (), "cleaned.pdf": ("--deskew", "--clean", "--rotate-pages")}.items():
        ran = place.run("ocr", "scan.pdf", "-o", name, "--output-type", "pdfa", *ABOUT, *how)
        assert ran.code == 0, ran.err
        check(place / name, "2")


@pytest.mark.parametrize("mode", ["color", "gray", "lineart"])
def test_a_scan_in_every_mode(place: Place, mode: str) -> None:
    ran = place.run("scan", *FEEDER, "--mode", mode, "--output-type", "pdfa", *ABOUT, "-o", "a.pdf")
    assert ran.code == 0, ran.err
    check(place / "a.pdf", "2")


def test_a_scan_with_text_and_its_receipt_attached(place: Place) -> None:
    ran = place.run("scan", *FEEDER, "--ocr", "--receipt", "--output-type", "pdfa-3", *ABOUT, "-o", "a.pdf")
    assert ran.code == 0, ran.err
    with pikepdf.open(place / "a.pdf") as pdf:
        assert list(pdf.attachments) == ["receipt.json"]
    check(place / "a.pdf", "3")


def test_what_a_batch_makes_of_pictures_and_of_a_pdf(place: Place) -> None:
    save(place / "in/a.jpg", page("Letter"))
    save(place / "in/b.png", page("Letter", mode="1"))
    ran = place.run("batch", "in", "-o", "out/", "--ocr", "--output-type", "pdfa", *ABOUT)
    assert ran.code == 0, ran.err
    for name in ("a.pdf", "b.pdf"):
        check(place / "out" / name, "2")


def test_what_the_service_exports(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as served, httpx.Client(base_url=served.url, timeout=60) as client:
        job = client.post(JOBS, json={"device": FEEDER[1], "config": {"Resolution": 75}}).json()["jobuid"]
        content = f"{DOCUMENTS}/{client.post(DOCUMENTS).json()['uid']}"
        while (told := client.get(f"{JOBS}/{job}/next-page-info")).status_code == 200:
            added = client.post(f"{content}/pages", json={"source": told.json()[0]["url"]})
            assert added.is_success, added.text
        for level, more in (("2b", {}), ("2b", {"ocr": "eng"}), ("3b", {"ocr": "eng", "title": "Ä & <b>"})):
            made = client.get(f"{content}/content", params={"pdfa": level, **more})
            assert made.status_code == 200, made.text
            (tmp_path / "made.pdf").write_bytes(made.content)
            check(tmp_path / "made.pdf", level[0])


# --- the rules themselves


def _stream_by_lzw(pdf: pikepdf.Pdf) -> None:
    odd = pdf.Root.Odd = pdf.make_stream(b"")
    odd.write(b"\x80\x0b\x60\x50", filter=pikepdf.Name.LZWDecode)


def _older_packet(pdf: pikepdf.Pdf) -> None:
    pdf.Root.Metadata.write(pdf.Root.Metadata.read_bytes().replace(b"part>2<", b"part>1<"))


def _font_without_program(pdf: pikepdf.Pdf) -> None:
    del _font(pdf).DescendantFonts[0].FontDescriptor.FontFile2


def _other_widths(pdf: pikepdf.Pdf) -> None:
    _font(pdf).DescendantFonts[0].DW = 600


def _no_meanings(pdf: pikepdf.Pdf) -> None:
    del _font(pdf).ToUnicode


def _font(pdf: pikepdf.Pdf) -> Any:
    return next(iter(pdf.pages[0].Resources.Font.values()))


def _attach(pdf: pikepdf.Pdf) -> None:
    pdf.attachments["a.txt"] = b"a"


def _cmyk(pdf: pikepdf.Pdf) -> None:
    next(iter(pdf.pages[0].get_images().values())).ColorSpace = pikepdf.Name.DeviceCMYK


def _script(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")


def _newer_profile(pdf: pikepdf.Pdf) -> None:
    profile = pdf.Root.OutputIntents[0].DestOutputProfile
    held = profile.read_bytes()
    profile.write(held[:8] + b"\x04\x40" + held[10:])


def _foreign_schema(pdf: pikepdf.Pdf) -> None:
    packet = pdf.Root.Metadata
    own = b"</rdf:Description><rdf:Description xmlns:o='http://o.example/'><o:a>1</o:a></rdf:Description></rdf:RDF>"
    packet.write(packet.read_bytes().replace(b"</rdf:Description>\n</rdf:RDF>", own))


DAMAGES: dict[str, Callable[[pikepdf.Pdf], object]] = {
    "compressed by /LZWDecode": _stream_by_lzw,
    "it does not say that it is PDF/A-2B": _older_packet,
    "is not embedded": _font_without_program,
    "widths are not those": _other_widths,
    "codes do not lead to characters": _no_meanings,
    "files are attached to part 2": _attach,
    "colours that the output intent does not give": _cmyk,
    "/OpenAction in an object": _script,
    "an action /JavaScript": _script,
    "newer than PDF 1.7": _newer_profile,
    "not one output intent": lambda pdf: pdf.Root.__delitem__("/OutputIntents"),
    "/Title is not what": lambda pdf: pdf.docinfo.__setitem__("/Title", "another"),
    "/ModDate is not what": lambda pdf: pdf.docinfo.__setitem__("/ModDate", "D:20200101000000Z"),
    "no XMP packet": lambda pdf: pdf.Root.Metadata.write(b"<x"),
    "a schema without description": _foreign_schema,
    "page 1 is too small": lambda pdf: pdf.pages[0].__setattr__("mediabox", [0, 0, 2, 100]),
    "page 1 saves and restores": lambda pdf: pdf.pages[0].contents_add(b"q"),
    "page 1 uses k": lambda pdf: pdf.pages[0].contents_add(b"0 0 0 1 k"),
    "a name is too long": lambda pdf: pdf.Root.__setitem__("/" + "a" * 128, 1),
    "a string is too long": lambda pdf: pdf.Root.__setitem__("/A", "a" * 32768),
    "a number is too large": lambda pdf: pdf.Root.__setitem__("/A", 2**31),
}


def as_it_is(pdf: pikepdf.Pdf, path: Path) -> None:
    """Save without the repairs that pikepdf makes on the way."""
    pdf.save(
        path, fix_metadata_version=False, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.imaging.test_pdfa import document

    path = tmp_path_factory.mktemp("sound") / "a.pdf"
    path.write_bytes(document(page("Letter", mode="RGB"), title="Letter"))
    return path


@pytest.mark.parametrize("told", DAMAGES)
def test_a_file_that_breaks_a_rule_is_told_of_it(sound: Path, tmp_path: Path, told: str) -> None:
    assert broken_rules(sound, "2") == []
    with pikepdf.open(sound) as pdf:
        DAMAGES[told](pdf)
        as_it_is(pdf, tmp_path / "a.pdf")
    assert any(told in broken for broken in broken_rules(tmp_path / "a.pdf", "2"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: b"\n" + data, "the header is not the first line"),
        (lambda data: data.replace(data.split(b"\n")[1], b"%abcd", 1), "no comment"),
        (lambda data: data + b"more", "something comes after the end"),
    ],
)
def test_bytes_around_the_objects_are_looked_at(
    sound: Path, tmp_path: Path, change: Callable[[bytes], bytes], told: str
) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(change(sound.read_bytes()))
    assert any(told in broken for broken in broken_rules(path, "2"))


@pytest.mark.skipif(not preflight_jars(), reason="Apache PDFBox Preflight is not installed")
def test_preflight_finds_what_is_no_difference_between_the_parts(sound: Path, tmp_path: Path) -> None:
    assert set(preflight(sound)) <= BEYOND_PART_1["2"]
    with pikepdf.open(sound) as pdf:
        _cmyk(pdf)
        as_it_is(pdf, tmp_path / "a.pdf")
    assert set(preflight(tmp_path / "a.pdf")) - BEYOND_PART_1["2"]
