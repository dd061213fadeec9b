"""Edits of PDFs, judged by qpdf, PDFium and pikepdf."""

from __future__ import annotations

import io
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pikepdf
import pytest
from PIL import Image

from dwtsvc.errors import BadArguments, BadInput, DwtsvcError, Encrypted, FileAccess, WrongPassword
from dwtsvc.imaging import pdfedit, pdfinfo
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.imaging.pdfread import Pages
from dwtsvc.imaging.pdfsource import PdfSource
from dwtsvc.imaging.streams import encode_g4
from tests.imaging import pdfs

COLOURS = ["red", "green", "blue", "yellow"]
JPEGS = [pdfs.jpeg_of(Image.new("RGB", (60, 90), colour)) for colour in COLOURS]
SCAN = pdfs.scanned(*JPEGS)


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[object]:
    """Writes an edited PDF, has qpdf check it, and gives its bytes."""

    def check(edited: pdfedit.Edited, password: str = "") -> bytes:
        file = io.BytesIO()
        edited.write(file)
        path = tmp_path / "checked.pdf"
        path.write_bytes(file.getvalue())
        command = ["qpdf", f"--password={password}", "--check", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return file.getvalue()

    return check


def colours(data: bytes, password: str | None = None) -> list[str]:
    """What PDFium shows on each page, by the colour in its middle."""
    with Pages(data, password) as pages:
        shown = [pages.image(index, 20) for index in range(len(pages))]
    middles = [image.getpixel((image.width // 2, image.height // 2)) for image in shown]
    known = {colour: Image.new("RGB", (1, 1), colour).getpixel((0, 0)) for colour in COLOURS}
    return [
        min(known, key=lambda name: sum(abs(a - b) for a, b in zip(known[name], seen, strict=True))) for seen in middles
    ]


def source_of(change=None, data: bytes = SCAN) -> PdfSource:
    return PdfSource(pdfs.changed(data, change) if change else data)


def test_pages_are_picked_in_any_order_and_twice(checked) -> None:
    data = checked(pdfedit.pick(source_of(), [2, 0, 2]))
    assert colours(data) == ["blue", "red", "blue"]


def test_pdfs_are_merged_in_order_with_the_title_of_the_first(checked) -> None:
    first = source_of(lambda pdf, page: pdf.docinfo.__setitem__("/Title", "First"))
    second = source_of(lambda pdf, page: pdf.docinfo.__setitem__("/Title", "Second"))
    data = checked(pdfedit.merge([(first, [3]), (second, [1, 0])]))
    assert colours(data) == ["yellow", "green", "red"]
    assert pdfedit.metadata(PdfSource(data))["title"] == "First"


def test_a_split_holds_every_page_once() -> None:
    assert pdfedit.split(5, every=2) == [[0, 1], [2, 3], [4]]
    with pytest.raises(BadArguments):
        pdfedit.split(5, every=0)


def test_turned_pages_are_shown_turned_and_the_others_are_not(checked) -> None:
    data = checked(pdfedit.rotate(source_of(), [1], 90))
    with Pages(data) as pages:
        assert [pages.size(index)[0] > pages.size(index)[1] for index in range(4)] == [False, True, False, False]
    again = checked(pdfedit.rotate(PdfSource(data), [1], 270))
    assert [sheet.rotation for sheet in pdfinfo.facts(PdfSource(again)).sheets] == [0, 0, 0, 0]
    with pytest.raises(BadArguments):
        pdfedit.rotate(source_of(), [0], 45)


def every_kind_of_stream() -> tuple[bytes, list[bytes]]:
    """A PDF whose images are a JPEG, a group 4, a JPEG 2000 and a JBIG2 stream, with these streams."""
    fax = encode_g4(Image.new("1", (64, 64), 1))
    noise = random.Random(4)
    wavelets, symbols = noise.randbytes(500), noise.randbytes(700)
    file = io.BytesIO()
    with PdfWriter(file) as writer:
        writer.add_jpeg(JPEGS[0], dpi=100)
        writer.add_g4(fax, width=64, height=64, dpi=100)
        for colour in JPEGS[1:3]:
            writer.add_jpeg(colour, dpi=100)

    def change(pdf: pikepdf.Pdf, _page: object) -> None:
        for index, data, name in ((2, wavelets, "/JPXDecode"), (3, symbols, "/JBIG2Decode")):
            pdf.pages[index].Resources.XObject["/P"].write(data, filter=pikepdf.Name(name))
            pdf.pages[index].Resources.XObject["/P"].BitsPerComponent = 1 if "JBIG2" in name else 8

    return pdfs.changed(file.getvalue(), change), [JPEGS[0], fax, wavelets, symbols]


def raw_streams(data: bytes, password: str = "") -> list[bytes]:
    with pikepdf.open(io.BytesIO(data), password=password) as pdf:
        return [bytes(page.Resources.XObject["/P"].read_raw_bytes()) for page in pdf.pages]


def test_jpeg_g4_jpeg2000_and_jbig2_streams_stay_byte_for_byte_through_every_edit() -> None:
    data, streams = every_kind_of_stream()
    locked = written(pdfedit.encrypt(PdfSource(data), "secret"))
    assert raw_streams(locked, "secret") == streams
    edits = [
        pdfedit.pick(PdfSource(data), [0, 1, 2, 3]),
        pdfedit.rotate(PdfSource(data), [0, 3], 180),
        pdfedit.set_metadata(PdfSource(data), {"title": "New"}),
        pdfedit.decrypt(PdfSource(locked, "secret")),
    ]
    assert [raw_streams(written(edit)) for edit in edits] == [streams] * 4


def test_images_come_out_as_the_bytes_that_they_are_and_a_fax_as_a_tiff_of_the_same_pixels() -> None:
    data, streams = every_kind_of_stream()
    source = PdfSource(data)
    found = list(pdfinfo.pictures(source, range(4)))
    files = [pdfinfo.picture_data(source, picture) for picture in found]
    assert [picture.suffix for picture in found] == ["jpg", "tif", "jp2", "jb2e"]
    assert [files[0], files[2], files[3]] == [streams[0], streams[2], streams[3]]
    assert files[1].endswith(streams[1])


def test_a_fax_looks_in_its_tiff_as_it_looks_in_the_pdf() -> None:
    drawn = Image.new("1", (64, 48), 1)
    drawn.paste(0, (0, 0, 20, 10))
    file = io.BytesIO()
    with PdfWriter(file) as writer:
        writer.add_g4(encode_g4(drawn), width=64, height=48, dpi=100)
    source = PdfSource(file.getvalue())
    [picture] = pdfinfo.pictures(source, [0])
    with Image.open(io.BytesIO(pdfinfo.picture_data(source, picture))) as image:
        assert image.convert("1").tobytes() == drawn.tobytes()


def test_an_image_without_a_format_of_its_own_becomes_a_png_without_loss() -> None:
    noise = Image.frombytes("RGB", (40, 30), random.Random(5).randbytes(3_600))
    file = io.BytesIO()
    with PdfWriter(file) as writer:
        writer.add_image(noise, dpi=100)
    source = PdfSource(file.getvalue())
    [picture] = pdfinfo.pictures(source, [0])
    with Image.open(io.BytesIO(pdfinfo.picture_data(source, picture))) as image:
        assert (picture.suffix, image.format, image.tobytes()) == ("png", "PNG", noise.tobytes())


def written(edited: pdfedit.Edited) -> bytes:
    file = io.BytesIO()
    edited.write(file)
    return file.getvalue()


def test_nothing_of_the_pages_left_out_stays_in_the_file(checked) -> None:
    data = checked(pdfedit.pick(source_of(), [1]))
    assert [jpeg in data for jpeg in JPEGS] == [False, True, False, False]


def test_neither_an_outline_nor_a_link_nor_shared_resources_keep_a_page_that_was_left_out(checked) -> None:
    def entangle(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
        with pdf.open_outline() as outline:
            outline.root += [pikepdf.OutlineItem(f"Page {number}", number) for number in range(4)]
        link = pikepdf.Dictionary(
            Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Link, Rect=[0, 0, 9, 9], Dest=[pdf.pages[2].obj]
        )
        page.Annots = pdf.make_indirect(pikepdf.Array([pdf.make_indirect(link)]))
        names = {f"/P{number}": each.Resources.XObject["/P"] for number, each in enumerate(pdf.pages)}
        shared = pdf.make_indirect(pikepdf.Dictionary(XObject=pikepdf.Dictionary(names)))
        for number, each in enumerate(pdf.pages):
            each.Resources = shared
            each.Contents = pdf.make_stream(b"q 43.2 0 0 64.8 0 0 cm /#50%d Do Q" % number)

    source = source_of(entangle)
    data = checked(pdfedit.pick(source, [0]))
    assert colours(data) == ["red"]
    assert [jpeg in data for jpeg in JPEGS] == [True, False, False, False]


def test_what_was_typed_into_a_form_on_a_page_left_out_is_gone(checked) -> None:
    def type_in(pdf: pikepdf.Pdf, _page: object) -> None:
        names = pikepdf.Name
        fields = []
        for number, page in enumerate(pdf.pages):
            field = pikepdf.Dictionary(
                Type=names.Annot,
                Subtype=names.Widget,
                FT=names.Tx,
                T=f"f{number}",
                V=f"typed-{number}",
                Rect=[0, 0, 9, 9],
            )
            fields.append(pdf.make_indirect(field))
            page.Annots = pdf.make_indirect(pikepdf.Array([fields[-1]]))
        form = pikepdf.Dictionary(Fields=fields, XFA=pdf.make_stream(b"<xfa>typed-0 typed-1</xfa>"))
        pdf.Root.AcroForm = pdf.make_indirect(form)

    edited = pdfedit.pick(source_of(type_in), [1])
    data = checked(edited)
    with pikepdf.open(io.BytesIO(data)) as pdf:
        held = b" ".join(str(each).encode() for each in pdf.objects) + b" ".join(
            each.read_bytes() for each in pdf.objects if isinstance(each, pikepdf.Stream) and "/Filter" not in each
        )
        assert [str(field.V) for field in pdf.Root.AcroForm.Fields] == ["typed-1"]
    assert b"typed-1" in held and b"typed-0" not in held
    assert "XFA" in edited.notes[0]


def test_an_encrypted_pdf_opens_with_either_password_and_with_no_other(checked) -> None:
    edited = pdfedit.encrypt(source_of(), "käse", owner="owner", allow=["print"])
    data = checked(edited, "käse")
    assert colours(data, "käse") == colours(data, "owner") == COLOURS
    with pytest.raises(Encrypted) as caught:
        PdfSource(data)
    assert not isinstance(caught.value, WrongPassword)
    with pytest.raises(WrongPassword):
        PdfSource(data, "other")
    facts = pdfinfo.facts(PdfSource(data, "käse"))
    assert (facts.encryption, facts.allows) == ("AES 256 bits", ["print"])


def test_what_is_allowed_is_what_another_reader_is_told() -> None:
    data = written(pdfedit.encrypt(source_of(), "", owner="owner", allow=["copy"]))
    with pikepdf.open(io.BytesIO(data)) as pdf:
        allowed = pdf.allow
    assert (allowed.extract, allowed.print_lowres, allowed.print_highres) == (True, False, False)
    assert (allowed.modify_other, allowed.modify_annotation, allowed.modify_form) == (False, False, False)


def test_encrypting_is_refused_without_a_password_twice_or_where_it_could_not_hold() -> None:
    with pytest.raises(BadArguments):
        pdfedit.encrypt(source_of(), "")
    with pytest.raises(BadArguments, match="owner"):
        pdfedit.encrypt(source_of(), "same", owner="same", allow=[])
    with pytest.raises(BadArguments, match="127"):
        pdfedit.encrypt(source_of(), "x" * 128)
    with pytest.raises(BadArguments, match="already"):
        pdfedit.encrypt(PdfSource(pdfs.locked(SCAN, "x"), "x"), "y")
    with pytest.raises(BadArguments, match="fly"):
        pdfedit.encrypt(source_of(), "x", owner="y", allow=["fly"])


def test_decrypting_takes_the_encryption_away_and_nothing_else(checked) -> None:
    source = PdfSource(pdfs.locked(SCAN, "secret"), "secret")
    edited = pdfedit.decrypt(source)
    assert (raw_streams(checked(edited)), edited.notes) == (JPEGS, [])
    with pytest.raises(BadArguments, match="not encrypted"):
        pdfedit.decrypt(source_of())


def test_an_edit_of_an_encrypted_pdf_says_that_the_result_is_not() -> None:
    source = PdfSource(pdfs.locked(SCAN, "secret"), "secret")
    assert "the result is not" in " ".join(pdfedit.pick(source, [0]).notes)
    assert "the result is not" in " ".join(pdfedit.rotate(source, [0], 90).notes)


def test_metadata_change_in_both_places_or_go(checked) -> None:
    def describe(pdf: pikepdf.Pdf, _page: object) -> None:
        with pdf.open_metadata() as packet:
            packet["dc:title"] = "Old"
        pdf.docinfo["/Title"], pdf.docinfo["/Author"] = "Old", "Ada"

    data = checked(pdfedit.set_metadata(source_of(describe), {"title": "Käse", "author": ""}))
    assert {"title": "Käse"}.items() <= pdfedit.metadata(PdfSource(data)).items()
    assert "author" not in pdfedit.metadata(PdfSource(data))
    with pikepdf.open(io.BytesIO(data)) as pdf, pdf.open_metadata() as packet:
        assert packet["dc:title"] == "Käse"
        ElementTree.fromstring(pdf.Root.Metadata.read_bytes())
    bare = checked(pdfedit.set_metadata(PdfSource(data), {}, clear=True))
    assert set(pdfedit.metadata(PdfSource(bare))) <= {"producer"} and b"/XML" not in bare


def test_what_belongs_to_no_page_and_is_left_behind_is_told() -> None:
    def attach(pdf: pikepdf.Pdf, _page: object) -> None:
        pdf.attachments["a.txt"] = b"attached"
        pdf.Root.StructTreeRoot = pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.StructTreeRoot))

    [note] = pdfedit.pick(source_of(attach), [0]).notes
    assert "attached files" in note and "tags" in note
    assert pdfedit.rotate(source_of(attach), [0], 90).notes == []
    kept = written(pdfedit.rotate(source_of(attach), [0], 90))
    with pikepdf.open(io.BytesIO(kept)) as pdf:
        assert pdf.attachments["a.txt"].get_file().read_bytes() == b"attached"


@pytest.mark.parametrize("change", ["no end", "wrong table", "no table"])
def test_a_damaged_pdf_is_mended_with_all_its_pages_and_it_is_told(change: str, checked) -> None:
    start = SCAN.rindex(b"xref\n", 0, SCAN.rindex(b"startxref"))
    data = {
        "no end": SCAN[:-25],
        "wrong table": SCAN[: SCAN.rindex(b"startxref")] + b"startxref\n17\n%%EOF\n",
        "no table": SCAN[:start],
    }[change]
    source = PdfSource(data)
    edited = pdfedit.pick(source, range(len(source)))
    assert raw_streams(checked(edited)) == JPEGS
    assert any("mended" in note for note in edited.notes)


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.6\n", SCAN[: len(SCAN) // 2], JPEGS[0]])
def test_what_is_no_pdf_or_lacks_its_pages_is_bad_input(data: bytes) -> None:
    with pytest.raises(BadInput):
        PdfSource(data)


def test_a_pdf_without_pages_is_bad_input() -> None:
    with pytest.raises(BadInput, match="no pages"):
        PdfSource(pdfs.saved(pikepdf.new()))


def test_a_file_that_cannot_be_read_is_an_error_of_files(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pdf", tmp_path):
        with pytest.raises(FileAccess):
            PdfSource(path)


def test_pages_in_a_circle_and_pages_that_are_none_end_in_a_typed_error_or_are_told() -> None:
    def circle(pdf: pikepdf.Pdf, _page: object) -> None:
        pdf.Root.Pages.Kids.append(pdf.Root.Pages)

    def false(pdf: pikepdf.Pdf, _page: object) -> None:
        pdf.Root.Pages.Count = 7

    with_circle = SCAN.replace(b"/Kids [", b"/Kids [2 0 R ").replace(b"/Count 4", b"/Count 4")
    with judged():
        written(pdfedit.pick(PdfSource(with_circle), [0]))
    source = PdfSource(SCAN.replace(b"/Count 4", b"/Count 7"))
    assert len(source) == 4 and "says it has 7 pages, 4 were found" in source.notes[0]


@contextmanager
def judged() -> Iterator[None]:
    """Only errors of ours may come out."""
    try:
        yield
    except DwtsvcError:
        return


@pytest.mark.parametrize("seed", range(40))
def test_bytes_broken_at_random_end_in_a_typed_error_or_a_pdf(seed: int) -> None:
    dice = random.Random(seed)
    small = bytearray(pdfs.drawing())
    for _ in range(dice.randint(1, 30)):
        small[dice.randrange(len(small))] = dice.randrange(256)
    with judged():
        source = PdfSource(bytes(small))
        assert written(pdfedit.rotate(source, [0], 90)).startswith(b"%PDF-")
        pdfinfo.facts(source)


def test_warnings_of_the_library_are_never_printed(capfd: pytest.CaptureFixture[str]) -> None:
    PdfSource(SCAN[:-25]).close()
    assert capfd.readouterr() == ("", "")


def test_sizes_are_those_of_the_page_as_shown() -> None:
    def turn(_pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
        page.Rotate, page.CropBox = 90, [0, 0, 36, 72]

    sheet = pdfinfo.facts(PdfSource(pdfs.changed(pdfs.drawing(), turn))).sheets[0]
    assert (sheet.page, sheet.width, sheet.height, sheet.rotation) == (1, 25.4, 12.7, 90)
