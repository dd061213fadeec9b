"""Files that somebody loads: every picture of every kind of file, one at a time, upright, within budget."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from dwtsvc.errors import BadInput, Encrypted, FileAccess, WrongPassword
from dwtsvc.imaging import imagefiles
from dwtsvc.imaging.imagefiles import images
from dwtsvc.imaging.pdf import PdfWriter
from tests.imaging.pdfs import drawing, jpeg_of, locked, scanned

SIZES = [(40, 30), (50, 20), (10, 60)]


def several(format: str, sizes=SIZES, **how) -> bytes:
    """A file of pictures that differ in gray, of one size where the format wants that."""
    made = [Image.new("RGB", size, (40 * n, 40 * n, 40 * n)) for n, size in enumerate(sizes, start=1)]
    file = io.BytesIO()
    made[0].save(file, format, save_all=True, append_images=made[1:], **how)
    return file.getvalue()


def single(format: str, image: Image.Image | None = None, **how) -> bytes:
    file = io.BytesIO()
    (image or Image.new("RGB", (40, 30), (9, 200, 9))).save(file, format, **how)
    return file.getvalue()


@pytest.mark.parametrize("format", ["BMP", "JPEG", "PNG", "TIFF", "WEBP", "GIF", "PPM"])
def test_a_file_of_one_picture_gives_it_from_a_path_from_bytes_and_from_an_open_file(format, tmp_path):
    data = single(format, lossless=True) if format == "WEBP" else single(format)
    path = tmp_path / "picture"
    path.write_bytes(data)
    with open(path, "rb") as file:
        for source in (path, str(path), data, io.BytesIO(data), file):
            ((image, _),) = images(source)
            assert image.size == (40, 30) and image.convert("RGB").getpixel((5, 5))[1] in range(195, 206)


def test_every_page_of_a_tiff_comes_in_its_own_size():
    found = list(images(several("TIFF", dpi=(150, 150))))
    assert [image.size for image, _ in found] == SIZES and [dpi for _, dpi in found] == [150] * 3
    assert [image.getpixel((5, 5))[0] for image, _ in found] == [40, 80, 120]


@pytest.mark.parametrize(("format", "how"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_every_frame_of_an_animation_comes(format, how):
    found = [image.convert("RGB") for image, _ in images(several(format, [(40, 30)] * 3, **how))]
    assert [image.getpixel((5, 5))[0] for image in found] == [40, 80, 120]


def test_of_a_cameras_jpeg_only_the_picture_comes_not_its_small_copies():
    assert [image.size for image, _ in images(several("MPO"))] == [(40, 30)]


def test_a_page_that_exif_turns_is_upright_and_the_dpi_is_none_where_nothing_is_said():
    exif = Image.Exif()
    exif[0x0112] = 6
    ((image, _),) = images(single("JPEG", exif=exif.tobytes()))
    assert image.size == (30, 40)
    ((_, dpi),) = images(single("PNG"))
    assert dpi is None
    ((_, dpi),) = images(single("PNG", dpi=(300, 300)))
    assert dpi == pytest.approx(300, abs=0.1)


def test_pdf_pages_that_are_scans_come_in_their_own_pixels_and_others_drawn(picture):
    file = io.BytesIO()
    with PdfWriter(file) as writer:
        writer.add_jpeg(jpeg_of(picture), dpi=100)
        writer.add_image(picture, dpi=100)
    (scan, scan_dpi), (drawn, drawn_dpi) = images(file.getvalue(), dpi=50)
    assert scan.tobytes() == Image.open(io.BytesIO(jpeg_of(picture))).tobytes()
    assert scan_dpi == pytest.approx(100, abs=0.1) and drawn_dpi == 50 and drawn.size == (102, 76)
    assert [image.mode for image, _ in images(file, gray=True)] == ["L", "L"]


def test_a_pdf_is_known_by_its_first_bytes_even_behind_junk(tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(b"junk\n" + drawing())
    ((image, dpi),) = images(path, dpi=72)
    assert image.size == (144, 72) and dpi == 72


def test_a_locked_pdf_asks_for_its_password(picture):
    data = locked(scanned(jpeg_of(picture)), "geheim")
    with pytest.raises(Encrypted):
        list(images(data))
    with pytest.raises(WrongPassword):
        list(images(data, password="falsch"))
    assert len(list(images(data, password="geheim"))) == 1


def test_pictures_are_decoded_one_by_one_as_they_are_asked_for():
    """The second page is cut short; the first comes nevertheless."""
    data = several("TIFF", [(40, 30), (900, 900)], compression="tiff_deflate")
    noise = Image.effect_noise((300, 300), 90).convert("RGB")
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, "TIFF", save_all=True, append_images=[noise])
    cut = images(file.getvalue()[: len(file.getvalue()) - 50_000])
    whole = images(data)
    assert next(whole)[0].size == (40, 30) and next(whole)[0].size == (900, 900)
    assert next(cut)[0].size == (40, 30)
    with pytest.raises(BadInput):
        next(cut)


@pytest.mark.parametrize("data", [several("TIFF"), single("PNG"), single("GIF"), scanned(single("JPEG")), drawing()])
def test_the_pixel_budget_holds_for_every_picture(data):
    most = max(image.width * image.height for image, _ in images(data, dpi=72))
    assert len(list(images(data, dpi=72, max_pixels=most))) >= 1
    with pytest.raises(BadInput, match="too large"):
        list(images(data, dpi=72, max_pixels=most - 1))


def test_the_budget_is_that_of_each_page_not_of_the_first():
    pages = images(several("TIFF", [(10, 10), (100, 100)]), max_pixels=5000)
    assert next(pages)[0].size == (10, 10)
    with pytest.raises(BadInput, match="100 x 100"):
        next(pages)


def test_the_number_of_pages_is_bounded():
    jpeg = single("JPEG")
    for data in (several("TIFF"), several("GIF", [(9, 9)] * 3), scanned(jpeg, jpeg, jpeg)):
        assert len(list(images(data, max_pages=3))) == 3
        with pytest.raises(BadInput, match="too many"):
            list(images(data, max_pages=2))
    assert imagefiles.MAX_PAGES == 1000


@pytest.mark.parametrize("data", [b"", b"junk", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>", b"\x89PNG\r\n\x1a\n"])
def test_what_cannot_be_read_is_bad_input(data):
    with pytest.raises(BadInput):
        list(images(data))


@pytest.mark.parametrize("format", ["TGA", "PCX", "ICO", "SGI", "JPEG2000", "EPS"])
def test_formats_that_are_not_on_the_list_are_not_opened_even_if_pillow_could(format):
    data = single(format)
    assert Image.open(io.BytesIO(data)).format == format
    with pytest.raises(BadInput, match="no image"):
        list(images(data))


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(FileAccess, match="No such file"):
        next(images(tmp_path / "none.tif"))


def test_a_file_left_half_read_is_closed(tmp_path):
    path = tmp_path / "pages.tif"
    path.write_bytes(several("TIFF"))
    reading = images(path)
    next(reading)
    reading.close()
    path.unlink()
    with pytest.raises(StopIteration):
        next(reading)
