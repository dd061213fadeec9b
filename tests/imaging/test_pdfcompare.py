"""PDFs are the same when their pages look and read the same; what differs is found where it is."""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from dwtsvc.errors import Encrypted
from dwtsvc.imaging import pdfcompare
from dwtsvc.imaging.pdfcompare import PageDifference
from tests.imaging import pdfs

COLOURS = ["red", "green", "blue"]


def words(text: str, **how) -> bytes:
    """A page of 144 x 72 points with a line of text."""
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
    return pdfs.drawing(f"BT /F 12 Tf 10 30 Td ({text}) Tj ET".encode(), Resources=resources, **how)


def differing(tmp_path: Path, a: bytes, b: bytes, *how: object) -> list[PageDifference]:
    paths = []
    for name, data in (("a.pdf", a), ("b.pdf", b)):
        (tmp_path / name).write_bytes(data)
        paths.append(str(tmp_path / name))
    return [page for page in pdfcompare.pages(*paths, (None, None), *how) if not page.same]


def test_the_same_pages_in_another_file_are_the_same(tmp_path: Path) -> None:
    a = pdfs.scanned(*[pdfs.jpeg_of(Image.new("RGB", (60, 90), colour)) for colour in COLOURS])
    with pikepdf.open(io.BytesIO(a)) as pdf:
        b = pdfs.saved(pdf, object_stream_mode=pikepdf.ObjectStreamMode.generate, recompress_flate=True)
    assert a != b and differing(tmp_path, a, b) == []


def test_a_pixel_is_found_where_it_is_and_only_beyond_the_tolerance(tmp_path: Path) -> None:
    def page(level: int) -> bytes:
        image = Image.new("L", (100, 50), 255)
        image.paste(level, (40, 20, 45, 22))
        file = io.BytesIO()
        with pdfs.PdfWriter(file) as writer:
            writer.add_image(image, dpi=100)
        return file.getvalue()

    [found] = differing(tmp_path, page(255), page(235), 100.0, 19)
    assert (found.page, found.pixels, found.box, found.share) == (1, 10, (40, 20, 45, 22), 0.002)
    assert differing(tmp_path, page(255), page(235), 100.0, 20) == []


def test_text_that_nobody_sees_differs_by_its_lines(tmp_path: Path) -> None:
    hidden = pdfs.changed(words("one"), lambda pdf, page: page.Contents.write(b"3 Tr " + page.Contents.read_bytes()))
    other = pdfs.changed(words("two"), lambda pdf, page: page.Contents.write(b"3 Tr " + page.Contents.read_bytes()))
    [found] = differing(tmp_path, hidden, other)
    assert (found.pixels, found.box) == (0, None)
    assert found.text[1:] == ("-one", "+two")


def test_a_page_more_and_a_page_of_another_size_are_told(tmp_path: Path) -> None:
    jpegs = [pdfs.jpeg_of(Image.new("RGB", (60, 90), colour)) for colour in COLOURS]
    [found] = differing(tmp_path, pdfs.scanned(*jpegs[:2]), pdfs.scanned(*jpegs))
    assert (found.page, found.only) == (3, "b")
    [found] = differing(tmp_path, pdfs.drawing(b"", size=(144, 72)), pdfs.drawing(b"", size=(144, 144)))
    assert (found.sizes, found.pixels) == (((50.8, 25.4), (50.8, 50.8)), 0)


def test_what_differs_is_drawn_side_by_side_and_marked_red(tmp_path: Path) -> None:
    [found] = differing(tmp_path, words("one"), words("two"), 100.0, 8, "PNG")
    with Image.open(io.BytesIO(found.drawn)) as image:
        assert image.size == (200 + pdfcompare.GAP + 200, 100)
        for left in (0, 200 + pdfcompare.GAP):
            half = image.crop((left, 0, left + 200, 100))
            red = [pixel for _, pixel in half.getcolors(100_000) if pixel[0] > pixel[1] + 60]
            assert red
    assert differing(tmp_path, words("one"), words("one"), 100.0, 8, "PNG") == []


def test_titles_differ_but_dates_and_producers_do_not(tmp_path: Path) -> None:
    for name, title, producer in (("a.pdf", "One", "x"), ("b.pdf", "Two", "y")):
        data = pdfs.changed(
            pdfs.drawing(), lambda pdf, _, t=title, p=producer: pdf.docinfo.update({"/Title": t, "/Producer": p})
        )
        (tmp_path / name).write_bytes(data)
    found = pdfcompare.metadata(str(tmp_path / "a.pdf"), str(tmp_path / "b.pdf"))
    assert found == {"title": ("One", "Two")}


def test_an_encrypted_pdf_needs_its_password(tmp_path: Path) -> None:
    for name, data in (("a.pdf", pdfs.drawing()), ("b.pdf", pdfs.locked(pdfs.drawing(), "x"))):
        (tmp_path / name).write_bytes(data)
    paths = str(tmp_path / "a.pdf"), str(tmp_path / "b.pdf")
    assert all(page.same for page in pdfcompare.pages(*paths, (None, "x")))
    with pytest.raises(Encrypted):
        next(pdfcompare.pages(*paths))
