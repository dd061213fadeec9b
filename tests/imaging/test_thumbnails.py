"""Thumbnails: inside the box, in the page's own aspect, true to its pixels, and clear words on junk."""

from __future__ import annotations

import io
import math
import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from dwtsvc.errors import BadArguments, BadInput, PageDamaged
from dwtsvc.imaging import rows as rows_module
from dwtsvc.imaging.thumbnails import BOX, fitted, thumbnail
from dwtsvc.model import Raster


@pytest.fixture
def page(picture) -> Image.Image:
    """A page that is several times larger than the box; sizes that no reduction divides."""
    return picture.resize((1241, 1751), Image.Resampling.BICUBIC)


def packed(image: Image.Image, format: str, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **how)
    return file.getvalue()


def likeness(image: Image.Image, page: Image.Image) -> float:
    """PSNR in dB to Pillow's own best resize of the whole page."""
    best = page.convert(image.mode).resize(image.size, Image.Resampling.LANCZOS)
    rms = ImageStat.Stat(ImageChops.difference(image, best)).rms
    return 20 * math.log10(255 / max(max(rms), 1e-9))


@given(st.tuples(*[st.integers(1, 40_000)] * 2), st.tuples(*[st.integers(1, 4000)] * 2))
def test_a_fitted_size_lies_in_the_box_keeps_the_aspect_and_never_grows(size, box):
    width, height = fitted(size, box)
    assert 1 <= width <= min(size[0], box[0]) and 1 <= height <= min(size[1], box[1])
    assert size == (width, height) or width == box[0] or height == box[1]
    if min(width, height) > 1:
        assert abs(width / size[0] - height / size[1]) <= 0.5 / size[0] + 0.5 / size[1] + 1e-9


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_page_of_every_format_becomes_the_same_picture_in_the_box(page, as_rows, mode):
    image = page.convert(mode)
    raster, rows = as_rows(image)
    made = {
        "jpeg": thumbnail(packed(image, "JPEG", quality=95), "jpeg"),
        "png": thumbnail(packed(image, "PNG"), "png"),
        "raw": thumbnail(rows, "raw", raster),
    }
    for format, small in made.items():
        assert small.size == (364, 513) and small.mode == mode
        assert likeness(small, image) > 35, format


def test_lineart_becomes_gray_and_white_stays_white(letter, as_rows):
    raster, rows = as_rows(letter.resize((2452, 1628)))
    small = thumbnail(rows, "raw", raster)
    assert small.mode == "L" and small.size == (585, 388)
    assert small.getpixel((580, 380)) == 255 and len(small.getcolors()) > 20
    assert likeness(small, letter.resize((2452, 1628)).convert("L")) > 35
    assert (
        ImageChops.difference(small, thumbnail(packed(letter.resize((2452, 1628)), "PNG"), "png")).getextrema()[1] < 3
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_shown_by_their_high_bytes(deep_rows, high_bytes, channels):
    raster, rows, samples = deep_rows(channels)
    small = thumbnail(rows, "raw", raster, (97, 61))
    assert small.tobytes() == high_bytes(samples)


def test_a_page_that_fits_is_not_enlarged(picture, as_rows):
    raster, rows = as_rows(picture)
    assert thumbnail(rows, "raw", raster).tobytes() == picture.tobytes()
    assert thumbnail(packed(picture, "PNG"), "png", None, (5000, 5000)).tobytes() == picture.tobytes()
    assert thumbnail(packed(picture, "JPEG"), "jpeg", None, (5000, 5000)).size == picture.size


def test_rows_in_several_bands_leave_no_seam(page, as_rows, monkeypatch):
    raster, rows = as_rows(page)
    whole = thumbnail(rows, "raw", raster, (100, 100))
    monkeypatch.setattr(rows_module, "BAND_BYTES", 50_000)
    assert thumbnail(rows, "raw", raster, (100, 100)).tobytes() == whole.tobytes()


def test_data_may_lie_in_a_memory_map_that_can_be_closed_afterwards(page, as_rows, tmp_path):
    raster, rows = as_rows(page)
    for format, data in (("raw", rows), ("jpeg", packed(page, "JPEG"))):
        path = tmp_path / format
        path.write_bytes(data)
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            small = thumbnail(mapped, format, raster)
        assert small.size == (364, 513)


def test_a_page_that_exif_turns_is_upright_and_fits_turned(page):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    small = thumbnail(packed(page, "JPEG", quality=95, exif=exif.tobytes()), "jpeg")
    assert small.size == fitted((1751, 1241), BOX)
    assert likeness(small, page.transpose(Image.Transpose.ROTATE_270)) > 30


def test_cmyk_palette_and_transparent_pages_become_rgb(page):
    assert thumbnail(packed(page.convert("CMYK"), "JPEG"), "jpeg").mode == "RGB"
    assert thumbnail(packed(page.convert("P"), "PNG"), "png").mode == "RGB"
    clear = thumbnail(packed(Image.new("RGBA", (900, 900), (9, 9, 9, 0)), "PNG"), "png")
    assert clear.mode == "RGB" and clear.getpixel((200, 200)) == (255, 255, 255)


def test_an_extreme_page_keeps_one_pixel_a_side(as_rows):
    raster, rows = as_rows(Image.new("L", (9000, 1), 77))
    small = thumbnail(rows, "raw", raster)
    assert small.size == (585, 1) and small.getpixel((300, 0)) == 77


def test_junk_truncated_pages_and_other_formats_are_bad_input(page):
    jpeg, png = packed(page, "JPEG"), packed(page, "PNG")
    for data, format in [(b"", "jpeg"), (b"junk", "png"), (jpeg[:-900], "jpeg"), (png[:-900], "png"), (png, "jpeg")]:
        with pytest.raises(BadInput):
            thumbnail(data, format)


def test_the_budget_holds_for_every_format(as_rows):
    image = Image.new("L", (1000, 1000))
    raster, rows = as_rows(image)
    for data, format in [(packed(image, "JPEG"), "jpeg"), (packed(image, "PNG"), "png"), (rows, "raw")]:
        assert thumbnail(data, format, raster, max_pixels=1_000_000).size == (513, 513)
        with pytest.raises(BadInput, match="too large"):
            thumbnail(data, format, raster, max_pixels=999_999)


def test_missing_rows_are_a_damaged_page_and_a_wrong_word_a_bad_argument(picture, as_rows):
    raster, rows = as_rows(picture)
    with pytest.raises(PageDamaged):
        thumbnail(rows[:-1], "raw", raster)
    with pytest.raises(PageDamaged):
        thumbnail(b"", "raw", Raster(width=5, height=0, channels=1, depth=8, bytes_per_line=5, dpi=300))
    for wrong in [(rows, "gif", raster), (rows, "raw", None), (rows, "raw", raster, (0, 5))]:
        with pytest.raises(BadArguments):
            thumbnail(*wrong)


@given(st.integers(2, 900), st.binary(min_size=1, max_size=30))
def test_a_page_with_damaged_bytes_gives_a_picture_or_bad_input_and_nothing_else(at, junk):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    for format in ("JPEG", "PNG"):
        data = bytearray(packed(Image.effect_noise((60, 80), 50), format, exif=exif.tobytes()))
        data[at : at + len(junk)] = junk
        try:
            small = thumbnail(bytes(data), format.lower(), None, (30, 30), max_pixels=1_000_000)
        except BadInput:
            continue
        assert max(small.size) <= 30
