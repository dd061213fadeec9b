"""PDF/A by our own writer, held against the rules of ISO 19005 that can be looked up in the file."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import pikepdf
import pytest
from PIL import Image, ImageCms

from dwtsvc.errors import BadArguments, InvalidOutput
from dwtsvc.imaging.pdf import PdfWriter
from tests.imaging.pdfs import jpeg_of
from tests.imaging.readers import check_by_qpdf, run
from tests.imaging.texts import line_of, text_of

WORDS = {
    "title": "Rechnung <7> & №9 𝄞",
    "author": "Åsa & Söhne",
    "subject": "Was \x07war",
    "keywords": "rot, grün",
}
WHEN = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def document(picture: Image.Image, conformance: str | None = "pdfa-2b", attach=None, **how) -> bytes:
    file = io.BytesIO()
    with PdfWriter(file, conformance=conformance, created=WHEN, **how) as writer:
        writer.add_jpeg(jpeg_of(picture), dpi=100, text=text_of(line_of("found words 😀", 10, 10)))
        writer.add_image(picture.convert("L"), dpi=100)
        writer.add_image(picture.convert("1"), dpi=100, text=text_of(line_of("more", 10, 10)))
        if attach:
            writer.attach(*attach)
    return file.getvalue()


@pytest.mark.parametrize(("conformance", "part"), [("pdfa-2b", "2"), ("pdfa-3b", "3")])
def test_the_file_says_which_pdfa_it_is_and_the_same_of_itself_twice(picture, conformance, part):
    with pikepdf.open(io.BytesIO(document(picture, conformance, **WORDS))) as pdf:
        meta, info = pdf.open_metadata(), pdf.docinfo
        assert (meta["pdfaid:part"], meta["pdfaid:conformance"]) == (part, "B")
        assert meta["dc:title"] == str(info["/Title"]) == WORDS["title"]
        assert meta["dc:creator"] == [str(info["/Author"])] == [WORDS["author"]]
        assert meta["dc:description"] == "Was war"
        assert meta["pdf:Keywords"] == str(info["/Keywords"]) == WORDS["keywords"]
        assert meta["pdf:Producer"] == str(info["/Producer"]) == "dwtsvc"
        assert meta["xmp:CreateDate"] == meta["xmp:ModifyDate"] == "2026-02-03T04:05:06+00:00"
        assert str(info["/CreationDate"]) == str(info["/ModDate"]) == "D:20260203040506+00'00'"
        packet = pdf.Root.Metadata
        assert "/Filter" not in packet and packet.Type == "/Metadata" and packet.Subtype == "/XML"


def test_a_plain_pdf_says_nothing_of_pdfa(picture):
    with pikepdf.open(io.BytesIO(document(picture, None, **WORDS))) as pdf:
        assert "/Metadata" not in pdf.Root and "/OutputIntents" not in pdf.Root
        assert str(pdf.docinfo["/Author"]) == WORDS["author"]


def test_colours_have_a_profile_that_colour_engines_open(picture):
    with pikepdf.open(io.BytesIO(document(picture))) as pdf:
        (intent,) = pdf.Root.OutputIntents
        assert intent.S == "/GTS_PDFA1" and intent.DestOutputProfile.N == 3
        profile = ImageCms.ImageCmsProfile(io.BytesIO(intent.DestOutputProfile.read_bytes()))
        assert profile.profile.xcolor_space == "RGB " and profile.profile.version < 5


def test_the_bytes_of_the_file_are_laid_out_as_pdfa_wants_them(picture):
    data = document(picture)
    first, second = data.split(b"\n", 2)[:2]
    assert re.fullmatch(rb"%PDF-1\.[0-7]", first)
    assert second[:1] == b"%" and len(second) >= 5 and all(byte > 127 for byte in second[1:5])
    assert data.endswith(b"%%EOF\n")
    assert re.search(rb"trailer\n<<[^>]*/ID \[<[0-9a-f]{32}> <[0-9a-f]{32}>\]", data)
    assert b"/Encrypt" not in data and b"/Interpolate " not in data and b"/LZWDecode" not in data
    assert re.search(rb"\nxref\n0 \d+\n0000000000 65535 f \n", data)


def test_every_font_is_whole_and_every_code_has_a_glyph_that_is_there(picture):
    with pikepdf.open(io.BytesIO(document(picture))) as pdf:
        font = pdf.pages[0].Resources.Font.T
        below = font.DescendantFonts[0]
        assert font.Encoding == "/Identity-H" and below.Subtype == "/CIDFontType2"
        assert font.BaseFont == below.BaseFont == below.FontDescriptor.FontName
        gids = below.CIDToGIDMap.read_bytes()
        assert len(gids) == 2 * 65536 and set(gids[1::2]) == {1} and set(gids[::2]) == {0}  # never .notdef
        program = below.FontDescriptor.FontFile2.read_bytes()
        assert below.FontDescriptor.FontFile2.Length1 == len(program)
        assert program[:4] == b"\0\1\0\0" and below.DW == 500  # as wide as the program's own glyph, tested elsewhere


def test_nothing_in_the_file_is_forbidden(picture):
    """No JavaScript, no launching, no transparency, no streams elsewhere, no PostScript."""
    with pikepdf.open(io.BytesIO(document(picture))) as pdf:
        for thing in pdf.objects:
            if not isinstance(thing, pikepdf.Dictionary | pikepdf.Stream):
                continue
            keys = set(thing.keys())
            assert not keys & {"/JS", "/AA", "/OpenAction", "/SMask", "/OPI", "/Alternates", "/F", "/FFilter", "/PS"}
            assert thing.get("/Subtype") != "/PS"


@pytest.mark.parametrize("conformance", ["pdfa-2b", "pdfa-3b"])
def test_other_programs_open_it_without_a_complaint(picture, tmp_path, conformance):
    attach = ("receipt.json", b"{}", "application/json", "") if conformance == "pdfa-3b" else None
    path = tmp_path / "a.pdf"
    path.write_bytes(document(picture, conformance, attach, **WORDS))
    check_by_qpdf(path)
    assert "found words 😀" in run("pdftotext", "-enc", "UTF-8", str(path), "-")
    said = run("gs", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-sDEVICE=ppmraw", f"-sOutputFile={tmp_path}/%d.ppm", str(path))
    assert "rror" not in said and "arning" not in said
    assert len(list(tmp_path.glob("*.ppm"))) == 3


def test_files_can_be_attached_to_pdfa_3b_and_to_plain_pdf(picture, tmp_path):
    for conformance in ("pdfa-3b", None):
        data = document(picture, conformance, ("päge (1).json", b'{"a": 1}', "application/json", "What was done"))
        with pikepdf.open(io.BytesIO(data)) as pdf:
            spec = pdf.attachments["päge (1).json"]
            assert spec.get_file().read_bytes() == b'{"a": 1}' and spec.get_file().mime_type == "application/json"
            assert spec.description == "What was done"
            (associated,) = pdf.Root.AF
            assert associated.AFRelationship == "/Data" and associated.F == associated.UF
            assert "/ModDate" in associated.EF.F.Params
        (tmp_path / "a.pdf").write_bytes(data)
        assert "päge (1).json" in run("pdfdetach", "-list", str(tmp_path / "a.pdf"))


def test_attached_files_are_listed_by_their_names(picture):
    file = io.BytesIO()
    with PdfWriter(file) as writer:
        writer.add_image(picture, dpi=100)
        for name in ("b", "ä", "a", "c"):
            writer.attach(name, name.encode(), "text/plain")
        with pytest.raises(BadArguments, match="'a'"):
            writer.attach("a", b"", "text/plain")
    with pikepdf.open(file) as pdf:
        assert [str(name) for name in pdf.Root.Names.EmbeddedFiles.Names[::2]] == ["a", "b", "c", "ä"]


def test_pdfa_2b_holds_no_other_files(picture):
    with pytest.raises(InvalidOutput) as caught:
        document(picture, "pdfa-2b", ("a", b"", "text/plain", ""))
    assert "PDF/A-3b" in caught.value.hint


def test_a_cmyk_jpeg_is_refused_in_pdfa_before_anything_is_written(picture):
    file = io.BytesIO()
    writer = PdfWriter(file, conformance="pdfa-2b")
    before = file.tell()
    with pytest.raises(InvalidOutput) as caught:
        writer.add_jpeg(jpeg_of(picture.convert("CMYK")), dpi=100)
    assert "RGB" in caught.value.hint and file.tell() == before


def test_a_page_below_the_least_size_of_pdfa_is_refused():
    with pytest.raises(InvalidOutput, match="too small"):
        PdfWriter(io.BytesIO(), conformance="pdfa-2b").add_image(Image.new("1", (10, 1_000)), dpi=300)


def test_an_unknown_conformance_is_refused():
    with pytest.raises(BadArguments, match="pdfa-9z"):
        PdfWriter(io.BytesIO(), conformance="pdfa-9z")


def test_a_date_without_a_zone_is_local_in_both_places(picture):
    file = io.BytesIO()
    local = datetime(2026, 7, 1, 12).astimezone()
    with PdfWriter(file, created=datetime(2026, 7, 1, 12), conformance="pdfa-2b") as writer:
        writer.add_image(picture, dpi=100)
    with pikepdf.open(file) as pdf:
        assert pdf.open_metadata()["xmp:CreateDate"] == local.isoformat()
        zone = local.strftime("%z")
        assert str(pdf.docinfo["/CreationDate"]).endswith(f"{zone[:3]}'{zone[3:]}'")
