"""Text on the pages of a PDF that is there already: where it belongs, and nothing else changed."""

from __future__ import annotations

import ctypes
import io
from pathlib import Path

import pikepdf
import pypdfium2
import pytest

from dwtsvc.errors import (
    BadArguments,
    BadInput,
    Encrypted,
    FileAccess,
    InvalidOutput,
    WrongPassword,
)
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.imaging.pdfoverlay import PageImage, add_text, has_text, visible_text
from dwtsvc.imaging.pdfread import Pages
from dwtsvc.imaging.streams import encode_g4
from tests.imaging.pdfs import changed, drawing, jpeg_of, locked, saved, scanned
from tests.imaging.readers import READERS, by_pdfium, check_by_qpdf, pdftotext, shown_by_pdftoppm
from tests.imaging.texts import line_of, text_of

VISIBLE = b"BT /F 12 Tf 10 20 Td (seen) Tj ET"


def with_font(data: bytes) -> bytes:
    font = {"/Type": pikepdf.Name.Font, "/Subtype": pikepdf.Name.Type1, "/BaseFont": pikepdf.Name.Helvetica}

    def give(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=pikepdf.Dictionary(font)))

    return changed(data, give)


def overlaid(data: bytes, texts, **how) -> bytes:
    file = io.BytesIO()
    add_text(data, file, texts, **how)
    return file.getvalue()


def shown_size(data: bytes, index: int = 0) -> tuple[int, int]:
    with Pages(data) as pages:
        return pages.image(index, 144).size


def text_on(data: bytes, words: str, left: int, top: int):
    """A text at a place in pixels of the first page as it is shown at 144 dpi."""
    width, height = shown_size(data)
    return text_of(line_of(words, left, top), width=width, height=height, dpi=144)


def box_of(data: bytes, word: str, index: int = 0) -> tuple[float, float]:
    """The left upper corner of a word in pixels at 144 dpi, as PDFium finds it on the page as shown."""
    document = pypdfium2.PdfDocument(data)
    page = document[index]
    textpage = page.get_textpage()
    found = textpage.search(word).get_next()
    assert found, f"{word} is not found"
    left, bottom, right, top = textpage.get_charbox(found[0])
    corners = [_to_device(page, x, y) for x in (left, right) for y in (bottom, top)]
    return min(x for x, _ in corners), min(y for _, y in corners)


def _to_device(page, x: float, y: float) -> tuple[int, int]:
    width, height = (round(side * 2) for side in page.get_size())
    across, down = ctypes.c_int(), ctypes.c_int()
    pypdfium2.raw.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, across, down)
    return across.value, down.value


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize(
    "boxes",
    [
        {"MediaBox": [0, 0, 300, 200]},
        {"MediaBox": [-50, 30, 250, 230]},
        {"MediaBox": [0, 0, 300, 200], "CropBox": [20, 30, 280, 190]},
        {"MediaBox": [300, 200, 0, 0], "CropBox": [-20, 30, 400, 190]},
        {"MediaBox": [0, 0, 300, 200], "UserUnit": 2},
    ],
)
def test_words_lie_where_they_are_seen_on_any_page(turn, boxes, tmp_path):
    data = drawing(Rotate=turn, **boxes)
    result = overlaid(data, {0: text_on(data, "somewhere else", 40, 60)})
    x, y = box_of(result, "somewhere")
    assert (x, y) == (pytest.approx(40, abs=2), pytest.approx(60, abs=2))
    (tmp_path / "a.pdf").write_bytes(result)
    for reader in READERS:
        assert reader(tmp_path / "a.pdf").split() == ["somewhere", "else"]


def test_a_page_that_inherits_its_boxes_and_rotation_gets_its_text_in_place():
    def inherit(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
        for key in ("/MediaBox", "/Resources"):
            pdf.Root.Pages[key] = page.obj[key]
            del page.obj[key]
        pdf.Root.Pages.Rotate = 90

    data = changed(drawing(size=(300, 200)), inherit)
    assert box_of(overlaid(data, {0: text_on(data, "here", 40, 60)}), "here") == (
        pytest.approx(40, abs=2),
        pytest.approx(60, abs=2),
    )


def test_a_page_that_leaves_the_ground_changed_does_not_move_its_text():
    data = drawing(b"q 0.1 0 0 0.1 50 50 cm q 3 Tr 7 Tc", size=(300, 200))
    assert box_of(overlaid(data, {0: text_on(data, "here", 40, 60)}), "here")[0] == pytest.approx(40, abs=2)


def test_streams_of_pages_stay_byte_for_byte_and_look_the_same(picture, tmp_path):
    data = scanned(jpeg_of(picture), jpeg_of(picture.rotate(90)), dpi=100)
    odd = changed(data, lambda pdf, page: page.contents_add(b"0 0 1 rg 0 0 20 20 re f"))
    text = text_of(line_of("some words", 100, 100))
    target = tmp_path / "out.pdf"
    done = add_text(odd, target, {0: text, 1: text_of()})
    assert done.texts == (0,) and done.notes == ()
    check_by_qpdf(target)
    with pikepdf.open(io.BytesIO(odd)) as before, pikepdf.open(target) as after:
        for old, new in zip(before.pages, after.pages, strict=True):
            assert new.Resources.XObject.P.read_raw_bytes() == old.Resources.XObject.P.read_raw_bytes()
        assert [part.read_raw_bytes() for part in after.pages[0].Contents][-2:] == [
            part.read_raw_bytes() for part in before.pages[0].Contents
        ]
        assert "/Font" not in after.pages[1].Resources
    assert shown_by_pdftoppm(odd, tmp_path) == shown_by_pdftoppm(target.read_bytes(), tmp_path)


def test_pages_that_share_resources_and_a_second_layer_keep_their_fonts(picture):
    data = scanned(jpeg_of(picture), jpeg_of(picture))

    def share(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
        page.obj.Resources = pdf.make_indirect(page.obj.Resources)
        pdf.pages[1].obj.Resources = page.obj.Resources

    once = overlaid(changed(data, share), {0: text_of(line_of("first Łódź", 10, 10))})
    twice = overlaid(once, {0: text_of(line_of("sécond", 10, 300)), 1: text_of(line_of("thírd", 10, 10))})
    pages = pypdfium2.PdfDocument(twice)
    assert sorted(pages[0].get_textpage().get_text_range().split()) == ["first", "sécond", "Łódź"]
    assert pages[1].get_textpage().get_text_range() == "thírd"


def test_letters_of_all_planes_come_out_of_an_overlay(tmp_path):
    text = text_of(line_of("𝄞 שלום 😀 end", 100, 100))
    (tmp_path / "a.pdf").write_bytes(overlaid(drawing(size=(600, 840)), {0: text}))
    found = pdftotext(tmp_path / "a.pdf")
    assert all(word in found for word in ("𝄞", "שלום", "😀", "end"))


def test_pages_that_have_text_are_told_from_those_that_have_none(picture):
    file = io.BytesIO()
    with PdfWriter(file) as writer:
        writer.add_image(picture, dpi=100)
        writer.add_image(picture, dpi=100, text=text_of(line_of("hidden", 10, 10)))
    assert has_text(file.getvalue()) == [False, True]
    assert visible_text(file.getvalue()) == [False, False]
    seen = with_font(drawing(VISIBLE))
    assert has_text(seen) == visible_text(seen) == [True]
    assert has_text(locked(seen, "open"), "open") == [True]


def test_invisible_text_is_replaced_and_visible_text_stays(tmp_path):
    hidden = b"q BT 3 Tr /F 12 Tf 1 0 0 1 10 50 Tm 90 Tz (gone) Tj (too) ' ET Q " + VISIBLE
    data = with_font(drawing(hidden))
    target = tmp_path / "a.pdf"
    done = add_text(data, target, {0: text_on(data, "new", 100, 20)}, replace={0})
    assert done.stripped == (0,) and done.texts == (0,)
    assert sorted(by_pdfium(target).split()) == ["new", "seen"]
    assert shown_by_pdftoppm(data, tmp_path) == shown_by_pdftoppm(target.read_bytes(), tmp_path)


def test_text_is_hidden_by_the_mode_that_holds_and_by_no_other():
    content = (
        b"3 Tr BT /F 12 Tf 10 50 Td (one) Tj ET q 0 Tr BT 10 30 Td (two) Tj ET Q BT 10 10 Td [(thr) 5 (ee)] TJ ET "
        b"0 Tr BT 60 10 Td (four) Tj 3 Tr (five) Tj 0 Tr 30 0 Td (six) Tj ET"
    )
    result = overlaid(with_font(drawing(content)), {}, replace={0})
    assert pypdfium2.PdfDocument(result)[0].get_textpage().get_text_range().split() == ["two", "four", "six"]


def test_pages_without_invisible_text_are_not_rewritten():
    data = with_font(drawing(VISIBLE + b"   % a comment"))
    file = io.BytesIO()
    assert add_text(data, file, {}, replace={0}).stripped == ()
    with pikepdf.open(file) as pdf:
        assert b"% a comment" in pdf.pages[0].Contents.read_bytes()


def test_invisible_text_in_forms_goes_from_the_page_asked_for_only():
    with pikepdf.open(io.BytesIO(with_font(drawing(b"q /X Do Q")))) as pdf:
        form = pdf.make_stream(b"BT 3 Tr /F 12 Tf 10 10 Td (hidden) Tj 0 Tr 0 20 Td (shown) Tj ET")
        form.Type, form.Subtype = pikepdf.Name.XObject, pikepdf.Name.Form
        form.BBox, form.Resources = [0, 0, 144, 72], pdf.pages[0].Resources
        pdf.pages[0].Resources.XObject = pikepdf.Dictionary(X=form)
        pdf.pages.append(pdf.pages[0])
        data = saved(pdf)
    pages = pypdfium2.PdfDocument(overlaid(data, {}, replace={0}))
    assert pages[0].get_textpage().get_text_range().split() == ["shown"]
    assert sorted(pages[1].get_textpage().get_text_range().split()) == ["hidden", "shown"]


def test_a_form_that_draws_itself_does_no_harm():
    with pikepdf.open(io.BytesIO(with_font(drawing(b"/X Do")))) as pdf:
        form = pdf.make_stream(b"/X Do BT 3 Tr /F 12 Tf (hidden) Tj ET")
        form.Type, form.Subtype, form.BBox = pikepdf.Name.XObject, pikepdf.Name.Form, [0, 0, 9, 9]
        pdf.pages[0].Resources.XObject = pikepdf.Dictionary(X=form)
        form.Resources = pdf.pages[0].Resources
        data = saved(pdf)
    with pikepdf.open(io.BytesIO(overlaid(data, {}, replace={0}))) as pdf:
        assert b"hidden" not in pdf.pages[0].Resources.XObject.X.read_bytes()


def test_our_own_layer_can_be_replaced_by_a_better_one(picture):
    file = io.BytesIO()
    with PdfWriter(file) as writer:
        writer.add_jpeg(jpeg_of(picture), dpi=100, text=text_of(line_of("wurds hear", 10, 10)))
    result = overlaid(file.getvalue(), {0: text_of(line_of("words here", 10, 10))}, replace={0})
    assert pypdfium2.PdfDocument(result)[0].get_textpage().get_text_range() == "words here"


def test_a_page_becomes_an_image_of_its_own_size_with_its_text(picture, letter, tmp_path):
    data = drawing(size=(300, 200), Rotate=90, CropBox=[10, 10, 100, 100])
    jpeg = jpeg_of(picture)
    images = {0: PageImage(data=jpeg, width=picture.width, height=picture.height, dpi=100)}
    target = tmp_path / "a.pdf"
    done = add_text(data, target, {0: text_of(line_of("on paper", 100, 100))}, images=images)
    assert (done.images, done.texts) == ((0,), (0,))
    check_by_qpdf(target)
    assert by_pdfium(target) == "on paper"
    with Pages(target) as pages:
        assert pages.embedded_jpeg(0) == jpeg
        assert pages.size(0) == pytest.approx((picture.width * 0.254, picture.height * 0.254), abs=0.05)
    g4 = PageImage(data=encode_g4(letter), width=letter.width, height=letter.height, dpi=100, g4=True)
    with Pages(overlaid(data, {}, images={0: g4})) as pages:
        assert (
            pages.image(0, 100, gray=True).point(lambda v: 255 * (v > 127)).convert("1").tobytes() == letter.tobytes()
        )


def test_a_turned_page_has_its_text_where_it_then_is_and_its_streams_as_they_were(picture):
    data = scanned(jpeg_of(picture), dpi=72)
    turned = changed(data, lambda pdf, page: page.rotate(90, relative=False))
    result = overlaid(data, {0: text_on(turned, "down here", 20, 300)}, rotate={0: 90})
    assert shown_size(result) == shown_size(turned)
    assert box_of(result, "down") == (pytest.approx(20, abs=2), pytest.approx(300, abs=2))
    assert jpeg_of(picture) in result
    again = overlaid(result, {}, rotate={0: 270})
    assert shown_size(again) == shown_size(data)


def test_metadata_is_changed_in_both_places_and_stays_where_none_is_given(picture):
    file = io.BytesIO()
    with PdfWriter(file, title="Old", author="Me", conformance="pdfa-2b") as writer:
        writer.add_image(picture, dpi=100)
    with pikepdf.open(io.BytesIO(overlaid(file.getvalue(), {}, title="Neu", keywords="a, b"))) as pdf:
        assert [str(pdf.docinfo[key]) for key in ("/Title", "/Author", "/Keywords")] == ["Neu", "Me", "a, b"]
        meta = pdf.open_metadata()
        assert (meta["dc:title"], meta["dc:creator"], meta["pdf:Keywords"]) == ("Neu", ["Me"], "a, b")
        assert meta["pdfaid:part"] == "2"


def test_a_pdfa_whose_page_was_replaced_does_not_say_so_any_more(picture):
    file = io.BytesIO()
    with PdfWriter(file, conformance="pdfa-2b") as writer:
        writer.add_image(picture, dpi=100)
    image = PageImage(data=jpeg_of(picture), width=picture.width, height=picture.height, dpi=100)
    target = io.BytesIO()
    (note,) = add_text(file.getvalue(), target, {}, images={0: image}).notes
    assert "PDF/A" in note
    with pikepdf.open(target) as pdf:
        assert "pdfaid:part" not in pdf.open_metadata()


def test_scanned_pages_can_be_written_as_pdfa_with_their_text(picture, tmp_path):
    data = changed(scanned(jpeg_of(picture)), lambda pdf, page: pdf.docinfo.__setitem__("/Title", "Föö"))
    target = tmp_path / "a.pdf"
    add_text(data, target, {0: text_of(line_of("here", 10, 10))}, conformance="pdfa-2b", author="Me & you")
    check_by_qpdf(target)
    with pikepdf.open(target) as pdf:
        meta = pdf.open_metadata()
        assert (meta["pdfaid:part"], meta["dc:title"], meta["dc:creator"]) == ("2", "Föö", ["Me & you"])
        assert str(pdf.docinfo.Title) == "Föö" and pdf.pdf_version == "1.7"
        assert len(pdf.Root.OutputIntents[0].DestOutputProfile.read_bytes()) > 300
        assert meta["xmp:CreateDate"][:10].replace("-", "") == str(pdf.docinfo["/CreationDate"])[2:10]
    assert by_pdfium(target) == "here"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda pdf, page: page.contents_add(b"0 1 0 0 k 0 0 9 9 re f"), "page 1 has more than pictures"),
        (lambda pdf, page: page.__setitem__("/Annots", pikepdf.Array([])), "notes or links"),
        (
            lambda pdf, page: pdf.Root.__setitem__("/OpenAction", pikepdf.Dictionary(S=pikepdf.Name.JavaScript)),
            "action",
        ),
        (lambda pdf, page: page.Resources.__setitem__("/ExtGState", pikepdf.Dictionary()), "/ExtGState"),
        (lambda pdf, page: page.Resources.XObject.P.__setitem__("/ColorSpace", pikepdf.Name.DeviceCMYK), "colours"),
        (lambda pdf, page: page.Resources.XObject.P.__setitem__("/Interpolate", True), "smoothed"),
        (lambda pdf, page: page.Resources.XObject.P.__setitem__("/SMask", pdf.make_stream(b"")), "mask"),
        (lambda pdf, page: page.Resources.XObject.P.__setitem__("/Filter", pikepdf.Name.LZWDecode), "LZWDecode"),
    ],
)
def test_what_pdfa_does_not_allow_is_refused_with_its_reason(picture, change, why):
    with pytest.raises(InvalidOutput) as caught:
        overlaid(changed(scanned(jpeg_of(picture)), change), {}, conformance="pdfa-2b")
    assert why in caught.value.why and "Ghostscript" in caught.value.hint


def test_pages_with_fonts_of_their_own_do_not_become_pdfa(tmp_path):
    source, target = tmp_path / "a.pdf", tmp_path / "b.pdf"
    source.write_bytes(with_font(drawing(VISIBLE)))
    with pytest.raises(InvalidOutput, match="fonts"):
        add_text(source, target, {}, conformance="pdfa-2b")
    assert not target.exists()


@pytest.mark.parametrize(
    ("data", "how", "error"),
    [
        (b"hello", {}, BadInput),
        (b"", {}, BadInput),
        (locked(drawing(), "secret"), {}, Encrypted),
        (locked(drawing(), "secret"), {"password": "other"}, WrongPassword),
        (Path("/no/such/file.pdf"), {}, FileAccess),
        (saved(pikepdf.new()), {}, BadInput),
        (drawing(), {"replace": {1}}, BadArguments),
        (drawing(), {"rotate": {0: 45}}, BadArguments),
        (drawing(), {"conformance": "pdfx"}, BadArguments),
    ],
)
def test_what_cannot_be_done_is_a_typed_error(data, how, error):
    with pytest.raises(error):
        add_text(data, io.BytesIO(), {}, **how)


def test_an_encrypted_source_opens_with_its_password_and_the_result_says_it_is_open():
    file = io.BytesIO()
    done = add_text(locked(drawing(), "secret"), file, {0: text_of(line_of("in", 10, 10))}, password="secret")
    assert done.notes == ("The PDF is encrypted, the result is not",)
    assert has_text(file.getvalue()) == [True]


def test_damage_that_was_mended_is_told():
    done = add_text(drawing().replace(b"startxref", b"startxxxx"), io.BytesIO(), {})
    assert "mended" in done.notes[0]


def test_images_are_asked_for_once_in_the_order_of_the_pages(picture):
    asked = []

    class Lazy(dict):
        def __getitem__(self, index: int) -> PageImage:
            asked.append(index)
            return PageImage(data=jpeg_of(picture), width=picture.width, height=picture.height, dpi=100)

    overlaid(scanned(*[jpeg_of(picture)] * 5), {}, images=Lazy.fromkeys([4, 0, 2]))
    assert asked == [0, 2, 4]
