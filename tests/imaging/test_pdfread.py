"""Reading PDFs: drawn pages, scans kept byte for byte, passwords, budgets, threads, and clear words on broken files."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from dwtsvc.errors import BadArguments, BadInput, DwtsvcError, Encrypted, FileAccess, WrongPassword
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.imaging.pdfread import Pages
from tests.imaging.pdfs import changed, drawing, jpeg_of, locked, saved, scanned


def test_pages_are_counted_and_measured_in_millimetres(picture):
    data = scanned(jpeg_of(picture), jpeg_of(picture.resize((100, 200))))
    with Pages(data) as pages:
        assert len(pages) == 2
        assert pages.size(1) == pytest.approx((25.4, 50.8), abs=0.01)


def test_a_page_is_drawn_upright_on_white_at_the_resolution_asked_for():
    with Pages(drawing()) as pages:
        image = pages.image(0, 144)
        assert (image.size, image.mode) == ((288, 144), "RGB")
        assert image.getpixel((100, 10)) == (255, 255, 255) and image.getpixel((100, 130)) == (0, 0, 0)
        assert pages.image(0, 72).size == (144, 72)


def test_a_turned_page_is_shown_turned():
    with Pages(drawing(Rotate=90)) as pages:
        assert pages.size(0) == pytest.approx((25.4, 50.8), abs=0.01)
        image = pages.image(0, 72)
        assert image.size == (72, 144) and image.getpixel((10, 70)) == (0, 0, 0) and image.getpixel((60, 70))[0] == 255


def test_gray_pages_are_one_channel_and_live_on_after_the_document():
    with Pages(drawing(b"1 0 0 rg 0 0 144 36 re f")) as pages:
        colour, gray = pages.image(0, 72), pages.image(0, 72, gray=True)
    assert gray.mode == "L" and colour.getpixel((9, 60)) == (255, 0, 0) and 0 < gray.getpixel((9, 60)) < 255
    assert gray.getpixel((9, 9)) == 255


def test_what_was_typed_into_a_form_is_drawn_and_annotations_can_be_left_out():
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(144, 72))
    look = pdf.make_stream(b"0 g 0 0 144 36 re f", Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form)
    look.BBox = [0, 0, 144, 72]
    stamp = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Stamp, Rect=[0, 0, 144, 72], F=4, AP=pikepdf.Dictionary(N=look)
    )
    page.Annots = pdf.make_indirect([stamp])
    with Pages(saved(pdf)) as pages:
        assert pages.image(0, 72).getpixel((70, 60)) == (0, 0, 0)
        assert pages.image(0, 72, annotations=False).getpixel((70, 60)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_page_that_is_one_jpeg_gives_it_byte_for_byte(picture, mode):
    jpegs = [jpeg_of(picture.convert(mode)), jpeg_of(picture.convert(mode).transpose(Image.Transpose.ROTATE_90))]
    with Pages(scanned(*jpegs)) as pages:
        assert [pages.embedded_jpeg(index) for index in range(2)] == jpegs


def test_it_is_kept_through_encryption_and_under_invisible_text(picture):
    jpeg = jpeg_of(picture)
    with Pages(locked(scanned(jpeg), "secret"), "secret") as pages:
        assert pages.embedded_jpeg(0) == jpeg

    def lay_text(pdf, page):
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        page.Resources.Font = pikepdf.Dictionary(F=font)
        page.contents_add(b"BT 3 Tr /F 20 Tf 10 20 Td (hidden) Tj ET")

    with Pages(changed(scanned(jpeg), lay_text)) as pages:
        assert pages.embedded_jpeg(0) == jpeg


def invert(pdf, page):
    page.Resources.XObject.P.Decode = [1, 0, 1, 0, 1, 0]


def mask(pdf, page):
    stencil = pdf.make_stream(bytes(100), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image)
    stencil.Width, stencil.Height, stencil.ColorSpace, stencil.BitsPerComponent = 10, 10, pikepdf.Name.DeviceGray, 8
    page.Resources.XObject.P.SMask = stencil


def clip(pdf, page):
    page.Contents = pdf.make_stream(b"0 0 50 50 re W n " + page.Contents.read_bytes())


def turn(pdf, page):
    page.Rotate = 180


def write_on_it(pdf, page):
    page.contents_add(b"0 g 1 1 3 3 re f")


def shrink(pdf, page):
    page.Contents = pdf.make_stream(b"q 70 0 0 50 0 0 cm /P Do Q")


def stand_on_its_head(pdf, page):
    _, _, width, height = (float(side) for side in page.MediaBox)
    page.Contents = pdf.make_stream(b"q -%f 0 0 -%f %f %f cm /P Do Q" % (width, height, width, height))


def show_twice(pdf, page):
    page.contents_add(page.Contents.read_bytes())


@pytest.mark.parametrize("change", [invert, mask, clip, turn, write_on_it, shrink, stand_on_its_head, show_twice])
def test_a_page_that_shows_its_jpeg_in_any_other_way_is_not_that_jpeg(picture, change):
    data = changed(scanned(jpeg_of(picture)), change)
    with Pages(data) as pages:
        assert pages.embedded_jpeg(0) is None
        assert pages.image(0, 72).size == (146, 109)


def test_jpegs_that_viewers_turn_or_that_are_cmyk_are_not_handed_out(picture):
    exif = Image.Exif()
    exif[0x0112] = 3
    with Pages(scanned(jpeg_of(picture, exif=exif.tobytes()), jpeg_of(picture.convert("CMYK")))) as pages:
        assert pages.embedded_jpeg(0) is None and pages.embedded_jpeg(1) is None


def test_pages_of_other_streams_or_of_nothing_have_no_jpeg(picture):
    file = io.BytesIO()
    with PdfWriter(file) as writer:
        writer.add_image(picture, dpi=100)
    for data in (file.getvalue(), drawing(), drawing(b"")):
        with Pages(data) as pages:
            assert pages.embedded_jpeg(0) is None


def test_a_scan_drawn_at_its_own_resolution_has_its_size_and_looks_like_its_jpeg(picture):
    jpeg = jpeg_of(picture)
    with Pages(scanned(jpeg)) as pages:
        drawn = pages.image(0, 100)
    assert drawn.size == picture.size
    assert max(ImageStat.Stat(ImageChops.difference(drawn, Image.open(io.BytesIO(jpeg)))).mean) < 1


def test_without_its_password_a_pdf_is_encrypted_and_with_a_wrong_one_told_so(picture, tmp_path):
    path = tmp_path / "locked.pdf"
    path.write_bytes(locked(scanned(jpeg_of(picture)), "geheim"))
    for password in (None, ""):
        with pytest.raises(Encrypted) as caught:
            Pages(path, password)
        assert type(caught.value) is Encrypted and "password" in caught.value.hint
    with pytest.raises(WrongPassword):
        Pages(path, "wrong")
    with Pages(path, "geheim") as pages:
        assert pages.image(0, 72).size == (146, 109)


def test_a_password_that_is_not_needed_does_no_harm():
    with Pages(drawing(), "unneeded") as pages:
        assert len(pages) == 1


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n", b"not a pdf", b"%PDF-1.4\n" + b"\0" * 5000])
def test_what_is_no_pdf_is_bad_input(data):
    with pytest.raises(BadInput):
        Pages(data)


def test_a_pdf_without_pages_is_bad_input():
    with pytest.raises(BadInput, match="no pages"):
        Pages(saved(pikepdf.new()))


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(FileAccess, match="No such file"):
        Pages(tmp_path / "none.pdf")
    with pytest.raises(FileAccess):
        Pages(tmp_path)
    with pytest.raises(FileAccess):
        Pages("nul\0byte.pdf")


def test_the_budget_is_checked_before_a_page_is_drawn():
    with Pages(drawing(size=(14_400, 14_400))) as pages:
        with pytest.raises(BadInput, match="40000 x 40000") as caught:
            pages.image(0, 200)
        assert "dpi" in caught.value.hint
    with Pages(drawing()) as pages:
        assert pages.image(0, 72, max_pixels=144 * 72).size == (144, 72)
        with pytest.raises(BadInput, match="too large"):
            pages.image(0, 72, max_pixels=144 * 72 - 1)


@pytest.mark.parametrize("dpi", [0, -1, float("nan"), float("inf")])
def test_an_impossible_resolution_is_a_bad_argument(dpi):
    with Pages(drawing()) as pages, pytest.raises(BadArguments):
        pages.image(0, dpi)


def test_pages_that_do_not_exist_and_closed_documents_are_bad_arguments():
    with Pages(drawing()) as pages:
        for index in (-1, 1):
            with pytest.raises(BadArguments, match="has no page"):
                pages.image(index)
    pages.close()
    with pytest.raises(BadArguments, match="closed"):
        pages.size(0)


def test_many_threads_may_read_at_once_and_drop_documents_unclosed(picture):
    """PDFium crashes the process when two threads call it, so that this passes at all is the test."""
    data, wrong = scanned(jpeg_of(picture)), []

    def work() -> None:
        for _ in range(12):
            pages = Pages(data)
            if pages.image(0, 50).size != (102, 76) or pages.embedded_jpeg(0) is None:
                wrong.append(pages)
            del pages

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_file_is_free_once_it_is_closed(picture, tmp_path):
    path = tmp_path / "scan.pdf"
    path.write_bytes(scanned(jpeg_of(picture)))
    with Pages(path) as pages:
        pages.image(0, 50)
    assert not [name for name in Path("/proc/self/fd").iterdir() if name.exists() and name.resolve() == path]


BROKEN = scanned(jpeg_of(Image.radial_gradient("L").resize((60, 40))))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(BROKEN) - 1), st.binary(max_size=12), st.integers(0, 40))
def test_a_damaged_pdf_gives_pages_or_a_typed_error(at, junk, lost):
    data = BROKEN[:at] + junk + BROKEN[at + lost :]
    try:
        with Pages(data) as pages:
            for index in range(min(3, len(pages))):
                pages.size(index)
                pages.embedded_jpeg(index)
                assert pages.image(index, 72, max_pixels=4_000_000).mode == "RGB"
    except DwtsvcError:
        return


def test_a_path_of_any_letters_can_be_opened(tmp_path):
    for name in ("größe 世界.pdf", "~home.pdf", "bad-\udcff.pdf"):
        path = tmp_path / name
        path.write_bytes(drawing())
        with Pages(path) as pages:
            assert len(pages) == 1


def test_a_pdf_without_pages_is_not_taken_for_the_locked_one_before_it():
    with pytest.raises(WrongPassword):
        Pages(locked(drawing(), "geheim"), "falsch")
    with pytest.raises(BadInput, match="no pages"):
        Pages(saved(pikepdf.new()), "falsch")
