"""Smaller PDFs: every pixel stays unless loss was asked for, and nothing ever grows."""

from __future__ import annotations

import io
import random
import subprocess
import zlib
from pathlib import Path

import pikepdf
import pytest
from PIL import Image, ImageDraw

from dwtsvc.errors import BadArguments, BadInput
from dwtsvc.imaging import jpeg, pdfread
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.imaging.pdfoptimize import Optimized
from dwtsvc.imaging.pdfplaces import drawn_dpi
from tests.imaging import pdfs


def photo(size: tuple[int, int] = (400, 300), seed: int = 1) -> Image.Image:
    noise = Image.frombytes(
        "RGB", (size[0] // 8, size[1] // 8), random.Random(seed).randbytes(size[0] * size[1] // 64 * 3)
    )
    return noise.resize(size, Image.Resampling.BICUBIC)


def optimized(tmp_path: Path, data: bytes, **how) -> tuple[bytes, Optimized]:
    """The result, which qpdf has checked, and what is told of it."""
    path, out = tmp_path / "in.pdf", tmp_path / "out.pdf"
    path.write_bytes(data)
    with Optimized(path, **how) as smaller, open(out, "wb+") as file:
        smaller.write(file)
    done = subprocess.run(["qpdf", "--check", out], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return out.read_bytes(), smaller


def drawn(data: bytes) -> list[bytes]:
    with pdfread.Pages(data) as pages:
        return [pages.image(index, 100).tobytes() for index in range(len(pages))]


def images(data: bytes) -> list[tuple[str, bytes]]:
    """Each page's first image: its filter, and its decoded pixels."""
    with pikepdf.open(io.BytesIO(data)) as pdf:
        found = [page.Resources.XObject[next(iter(page.Resources.XObject.keys()))] for page in pdf.pages]
        return [(str(each.get("/Filter")), pikepdf.PdfImage(each).as_pil_image().tobytes()) for each in found]


@pytest.mark.skipif(not jpeg.can_repack(), reason="libturbojpeg is not installed")
def test_jpeg_becomes_smaller_and_no_pixel_differs(tmp_path: Path) -> None:
    data = pdfs.scanned(
        pdfs.jpeg_of(photo()), pdfs.jpeg_of(photo().convert("L")), pdfs.jpeg_of(photo().convert("CMYK"))
    )
    small, told = optimized(tmp_path, data)
    assert len(small) == told.after < 0.97 * told.before and not told.kept
    assert images(small) == images(data) and drawn(small) == drawn(data)
    kinds = {part.kind: part for part in told.sizes}
    assert kinds["JPEG images"].count == 3 and kinds["JPEG images"].after < kinds["JPEG images"].before
    assert sum(part.before for part in told.sizes) == told.before == len(data)


@pytest.mark.skipif(not jpeg.can_repack(), reason="libturbojpeg is not installed")
def test_a_damaged_jpeg_stays_as_it_is(tmp_path: Path) -> None:
    broken = pdfs.jpeg_of(photo())[:-900]
    (tmp_path / "in.pdf").write_bytes(pdfs.scanned(broken, pdfs.jpeg_of(photo(seed=2))))
    file = io.BytesIO()
    with Optimized(tmp_path / "in.pdf") as smaller:
        smaller.write(file)
    assert broken in file.getvalue() and not smaller.kept


def test_black_and_white_becomes_group_4_with_the_same_pixels(tmp_path: Path) -> None:
    page = Image.new("1", (803, 600), 1)
    ImageDraw.Draw(page).text((50, 50), "Black and white " * 5, fill=0)
    file = io.BytesIO()
    with PdfWriter(file) as writer:
        rows = page.tobytes()
        writer.add_flate([rows], width=803, height=600, channels=1, depth=1, dpi=100)
    small, _ = optimized(tmp_path, file.getvalue())
    [(before, pixels)], [(after, same)] = images(file.getvalue()), images(small)
    assert (before, after) == ("/FlateDecode", "/CCITTFaxDecode")
    assert pixels == same == page.tobytes() and drawn(small) == drawn(file.getvalue())


def test_what_is_there_twice_becomes_one_also_by_way_of_masks_and_fonts(tmp_path: Path) -> None:
    picture, mask = photo((160, 120)), random.Random(3).randbytes(160 * 120)

    def twice(pdf: pikepdf.Pdf, _page: object) -> None:
        name = pikepdf.Name
        for _ in range(2):
            page = pdf.add_blank_page(page_size=(160, 120))
            soft = pdf.make_stream(mask)
            soft.Subtype, soft.Width, soft.Height, soft.BitsPerComponent = name.Image, 160, 120, 8
            soft.ColorSpace = name.DeviceGray
            image = pdf.make_stream(picture.tobytes())
            image.Subtype, image.Width, image.Height, image.BitsPerComponent = name.Image, 160, 120, 8
            image.ColorSpace, image.SMask = name.DeviceRGB, soft
            font = pdf.make_indirect(pikepdf.Dictionary(Type=name.Font, Subtype=name.Type1, BaseFont=name.Helvetica))
            page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(P=image), Font=pikepdf.Dictionary(F=font))
            page.Contents = pdf.make_stream(b"q 160 0 0 120 0 0 cm /P Do Q BT /F 9 Tf 9 9 Td (x) Tj ET")

    data = pdfs.changed(pdfs.drawing(), twice)
    small, _ = optimized(tmp_path, data)
    with pikepdf.open(io.BytesIO(small)) as pdf:
        one, other = pdf.pages[1].Resources, pdf.pages[2].Resources
        assert one.XObject.P.objgen == other.XObject.P.objgen
        assert one.XObject.P.SMask.objgen == other.XObject.P.SMask.objgen
        assert one.Font.F.objgen == other.Font.F.objgen
    assert drawn(small) == drawn(data)


def test_pages_that_look_the_same_stay_pages_of_their_own(tmp_path: Path) -> None:
    data = pdfs.scanned(*[pdfs.jpeg_of(photo())] * 3)
    small, _ = optimized(tmp_path, data)
    with pikepdf.open(io.BytesIO(small)) as pdf:
        assert len({page.obj.objgen for page in pdf.pages}) == 3
    assert len(small) < len(data) / 2 and drawn(small) == drawn(data)


def test_deflate_with_predictors_is_packed_better_and_decodes_to_the_same(tmp_path: Path) -> None:
    gray = photo((320, 240)).convert("L")
    rows = b"".join(b"\0" + gray.crop((0, y, 320, y + 1)).tobytes() for y in range(240))

    def put(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
        image = pdf.make_stream(b"")
        parms = pikepdf.Dictionary(Predictor=15, Columns=320, Colors=1, BitsPerComponent=8)
        image.write(zlib.compress(rows, 0), filter=pikepdf.Name.FlateDecode, decode_parms=parms)
        image.Subtype, image.Width, image.Height, image.BitsPerComponent = pikepdf.Name.Image, 320, 240, 8
        image.ColorSpace = pikepdf.Name.DeviceGray
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(P=image))
        page.Contents = pdf.make_stream(b"q 144 0 0 72 0 0 cm /P Do Q")

    data = pdfs.changed(pdfs.drawing(), put)
    small, told = optimized(tmp_path, data)
    assert told.after < told.before and images(small) == images(data) == [("/FlateDecode", gray.tobytes())]


def test_text_attachments_outlines_and_titles_stay(tmp_path: Path) -> None:
    def fill(pdf: pikepdf.Pdf, _page: object) -> None:
        pdf.attachments["a.txt"] = b"attached " * 500
        pdf.docinfo["/Title"] = "Käse"
        with pdf.open_outline() as outline:
            outline.root.append(pikepdf.OutlineItem("First", 0))

    small, _ = optimized(tmp_path, pdfs.changed(pdfs.scanned(pdfs.jpeg_of(photo())), fill))
    with pikepdf.open(io.BytesIO(small)) as pdf:
        assert pdf.attachments["a.txt"].get_file().read_bytes() == b"attached " * 500
        assert str(pdf.docinfo["/Title"]) == "Käse"
        with pdf.open_outline() as outline:
            assert [item.title for item in outline.root] == ["First"]


def test_what_cannot_be_made_smaller_is_the_original_byte_for_byte(tmp_path: Path) -> None:
    once, _ = optimized(tmp_path, pdfs.scanned(pdfs.jpeg_of(photo())))
    tight = once.replace(b"%%EOF\n", b"%%EOF")
    again, told = optimized(tmp_path, tight)
    assert told.kept and again == tight and told.after == told.before == len(tight)


def test_with_loss_images_are_reduced_and_every_one_is_told(tmp_path: Path) -> None:
    data = pdfs.scanned(pdfs.jpeg_of(photo((800, 600))), pdfs.jpeg_of(photo((400, 300))), dpi=200)
    small, told = optimized(tmp_path, data, quality=40, max_dpi=100)
    with pikepdf.open(io.BytesIO(small)) as pdf:
        sizes = [(int(page.Resources.XObject.P.Width), int(page.Resources.XObject.P.Height)) for page in pdf.pages]
    assert sizes == [(400, 300), (200, 150)]
    assert [said.split(":")[0] for said in told.lossy] == ["page 1", "page 2"]
    assert "800 x 600 pixels encoded again to 400 x 300 with loss, JPEG quality 40" in told.lossy[0]
    for bad in ({"quality": 0}, {"quality": 101}, {"max_dpi": 0}):
        with pytest.raises(BadArguments):
            Optimized(tmp_path / "in.pdf", **bad)


def test_masks_and_colours_that_a_jpeg_would_change_are_never_encoded_with_loss(tmp_path: Path) -> None:
    def key(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
        page.Resources.XObject.P.Mask = pikepdf.Array([0, 10, 0, 10, 0, 10])

    data = pdfs.changed(pdfs.scanned(pdfs.jpeg_of(photo((800, 600)))), key)
    small, told = optimized(tmp_path, data, quality=10)
    assert told.lossy == [] and drawn(small) == drawn(data)


def test_the_fewest_dpi_that_an_image_is_drawn_with_count() -> None:
    content = b"q 72 0 0 72 0 0 cm /P Do Q q 0 144 -144 0 144 0 cm /P Do Q"
    data = pdfs.changed(pdfs.scanned(pdfs.jpeg_of(photo((400, 400)))), lambda _, page: page.Contents.write(content))
    with pikepdf.open(io.BytesIO(data)) as pdf:
        [place] = drawn_dpi(pdf).values()
    assert (place.page, round(place.dpi)) == (1, 200)


def test_pdf_a_1_gets_no_object_streams(tmp_path: Path) -> None:
    def claim(pdf: pikepdf.Pdf, _page: object) -> None:
        with pdf.open_metadata() as packet:
            packet["pdfaid:part"], packet["pdfaid:conformance"] = "1", "B"

    small, told = optimized(tmp_path, pdfs.changed(pdfs.scanned(*[pdfs.jpeg_of(photo())] * 2), claim))
    assert not told.kept and b"/ObjStm" not in small
    other, _ = optimized(tmp_path, pdfs.scanned(*[pdfs.jpeg_of(photo())] * 2))
    assert b"/ObjStm" in other


def test_an_encrypted_pdf_gives_an_open_one_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "in.pdf"
    path.write_bytes(pdfs.locked(pdfs.scanned(*[pdfs.jpeg_of(photo())] * 2), "x"))
    with Optimized(path, "x") as smaller:
        smaller.write(io.BytesIO())
        assert "the result is not" in smaller.notes[0]


@pytest.mark.parametrize("seed", range(25))
def test_bytes_broken_at_random_end_in_a_typed_error_or_a_pdf_that_is_not_larger(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(pdfs.scanned(pdfs.jpeg_of(photo((64, 64)))))
    for _ in range(dice.randint(1, 30)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    path = tmp_path / "in.pdf"
    path.write_bytes(data)
    file = io.BytesIO()
    try:
        with Optimized(path) as smaller:
            smaller.write(file)
    except BadInput:
        return
    assert 0 < len(file.getvalue()) <= len(data)
