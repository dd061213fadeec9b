"""Pictures of pages: what is stored is what was there, byte for byte or bit for bit."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from dwtsvc import pictures
from dwtsvc.model import Encoding


def drawn(mode: str) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((203, 151))
    if mode == "I;16":
        return Image.frombytes("I;16", ramp.size, bytes(b for tone in ramp.tobytes() for b in (tone // 3, tone)))
    return ramp.convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "I;16"])
def test_a_lossless_picture_has_every_bit(mode: str) -> None:
    image = drawn(mode)
    kept = pictures.lossless(image, 240)
    back, dpi = pictures.load(kept.encoding, kept.raster, kept.content)
    assert kept.encoding is Encoding.PNG
    assert (back.size, dpi) == (image.size, 240)
    assert back.mode == mode
    assert back.tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "I;16"])
def test_rows_become_the_image_that_they_are(mode: str) -> None:
    image = drawn(mode)
    data = image.tobytes("raw", "1;I") if mode == "1" else image.tobytes()
    back, _ = pictures.load(Encoding.RAW, pictures.raster_of(image, 100), data)
    assert (back.mode, back.size, back.tobytes()) == (image.mode, image.size, image.tobytes())


def test_black_and_white_is_never_made_a_jpeg() -> None:
    assert pictures.lossy(drawn("1"), 300, 50).encoding is Encoding.PNG
    assert pictures.lossy(drawn("L"), 300, 50).encoding is Encoding.JPEG
    assert pictures.lossy(drawn("I;16"), 300, 50).raster.depth == 8


def test_a_jpeg_is_taken_as_it_is() -> None:
    file = io.BytesIO()
    drawn("RGB").save(file, "JPEG", dpi=(150, 150))
    kept = pictures.of_file(file.getvalue(), 300)
    assert kept.content == file.getvalue()
    assert (kept.encoding, kept.raster.dpi, kept.raster.channels) == (Encoding.JPEG, 150, 3)


def test_a_jpeg_that_lies_on_its_side_is_made_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    drawn("RGB").save(file, "JPEG", exif=exif)
    kept = pictures.of_file(file.getvalue(), 300)
    assert kept.encoding is Encoding.PNG
    assert (kept.raster.width, kept.raster.height) == (151, 203)


@pytest.mark.parametrize(
    ("dpi", "size", "left"), [(600, (620, 500), 300), (600, (2480, 2000), 300), (300, (620, 500), 300)]
)
def test_a_jpeg_for_reading_is_decoded_no_larger_than_needed(dpi: int, size: tuple[int, int], left: float) -> None:
    kept = pictures.lossy(drawn("RGB").resize(size), dpi, 80)
    image, now = pictures.load(kept.encoding, kept.raster, kept.content, gray=True, least_dpi=200)
    assert (image.mode, now) == ("L", left)
    assert image.width == size[0] * left / dpi
