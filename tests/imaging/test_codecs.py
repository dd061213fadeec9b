"""Raw rows and images to files and back: equal pixels, dpi, no borrowed compression, and clear words on junk."""

from __future__ import annotations

import io
import mmap
import os
import random
import struct
import subprocess
import sys
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from dwtsvc.errors import BadArguments, BadInput, DiskFull, FileAccess, InvalidOutput, PageDamaged
from dwtsvc.imaging import codecs
from dwtsvc.imaging.codecs import Canvas, decode, encode, encode_rows, encode_rows_png
from dwtsvc.imaging.rows import BAND_BYTES
from dwtsvc.model import Raster
from dwtsvc.suffixes import FORMATS, format_of

LOSSLESS = ("png", "tiff", "bmp")


def written(path: Path, image, format, **how) -> Image.Image:
    with open(path, "w+b") as file:
        encode(image, format, file, **{"dpi": 300, **how})
    return Image.open(path)


@contextmanager
def mapped_file(path: Path) -> Iterator[mmap.mmap]:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        yield mapped


def png_samples(data: bytes, channels: int) -> tuple[int, int, int, array]:
    """(width, height, depth, samples) of a 16-bit PNG, by an independent reader of the format's own rules."""
    position, body, head = 8, b"", b""
    while position < len(data):
        (length,), name = struct.unpack(">I", data[position : position + 4]), data[position + 4 : position + 8]
        chunk = data[position + 8 : position + 8 + length]
        assert zlib.crc32(name + chunk) == struct.unpack(">I", data[position + 8 + length : position + 12 + length])[0]
        head, body = (chunk if name == b"IHDR" else head), (body + chunk if name == b"IDAT" else body)
        position += 12 + length
    width, height, depth = struct.unpack(">IIB", head[:9])
    raw, line, above, out = zlib.decompress(body), width * channels * 2, bytes(width * channels * 2), b""
    for at in range(0, len(raw), line + 1):
        assert raw[at] == 2
        above = bytes((value + up) & 255 for value, up in zip(raw[at + 1 : at + 1 + line], above, strict=True))
        out += above
    samples = array("H", out)
    if sys.byteorder == "little":
        samples.byteswap()
    return width, height, depth, samples


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("a.jpg", "jpeg"),
        ("a.b.JPEG", "jpeg"),
        ("/x/y.PNG", "png"),
        ("a.tif", "tiff"),
        ("a.webp", "webp"),
        ("a.pdf", "pdf"),
    ],
)
def test_the_suffix_names_the_format(path, format):
    assert format_of(path) == format


@pytest.mark.parametrize("path", ["scan", "scan.", "scan.docx", ".pdf", "pdf"])
def test_an_unknown_suffix_lists_the_known_ones(path):
    with pytest.raises(BadArguments) as caught:
        format_of(path)
    assert all(suffix in caught.value.hint for suffixes in FORMATS.values() for suffix in suffixes)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_padded_rows_become_the_same_pixels(picture, as_rows, mode):
    image = picture.convert(mode)
    raster, rows = as_rows(image)
    assert Canvas().load(raster, rows).tobytes() == image.tobytes()


def test_rows_may_lie_in_a_memory_map(picture, as_rows, tmp_path):
    raster, rows = as_rows(picture)
    path = tmp_path / "rows"
    path.write_bytes(rows)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert Canvas().load(raster, mapped).tobytes() == picture.tobytes()
        file_out = io.BytesIO()
        encode_rows_png(raster, mapped, file_out)
    assert Image.open(file_out).tobytes() == picture.tobytes()


def test_lineart_one_is_black_most_significant_bit_first():
    raster = Raster(width=9, height=1, channels=1, depth=1, bytes_per_line=2, dpi=300)
    image = Canvas().load(raster, b"\x80\x80")
    assert [image.getpixel((x, 0)) for x in range(9)] == [0, 255, 255, 255, 255, 255, 255, 255, 0]


def test_sixteen_bit_gray_keeps_its_samples_and_colour_its_high_bytes(deep_rows, high_bytes):
    raster, rows, samples = deep_rows(1)
    image = Canvas().load(raster, rows)
    assert image.mode == "I;16" and image.tobytes() == samples.tobytes()
    raster, rows, samples = deep_rows(3)
    image = Canvas().load(raster, rows)
    assert image.mode == "RGB" and image.tobytes() == high_bytes(samples)


def test_a_canvas_is_one_allocation_for_equal_pages_and_a_new_one_for_others(picture, as_rows):
    canvas = Canvas()
    first = canvas.load(*as_rows(picture))
    second = canvas.load(*as_rows(ImageChops.invert(picture)))
    assert second is first and first.tobytes() == ImageChops.invert(picture).tobytes()
    assert canvas.load(*as_rows(picture.convert("L"))).mode == "L"


@pytest.mark.parametrize(
    "change", [{"height": None}, {"height": 0}, {"width": 9999}, {"height": 152}, {"bytes_per_line": 1}]
)
def test_rows_that_do_not_match_their_description_are_damage(picture, as_rows, change):
    import dataclasses

    raster, rows = as_rows(picture)
    with pytest.raises(PageDamaged):
        Canvas().load(dataclasses.replace(raster, **change), rows)


def test_a_depth_nobody_knows_is_told():
    raster = Raster(width=8, height=1, channels=3, depth=1, bytes_per_line=3, dpi=300)
    with pytest.raises(BadInput, match="3 channels of 1 bits"):
        Canvas().load(raster, bytes(3))


@pytest.mark.parametrize("format", LOSSLESS)
@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_lossless_formats_give_equal_pixels_and_the_dpi(picture, tmp_path, format, mode):
    image = picture.convert(mode)
    back = written(tmp_path / "page", image, format, dpi=200)
    assert back.convert("RGB").tobytes() == image.convert("RGB").tobytes()
    assert back.mode == mode
    assert back.info["dpi"][0] == pytest.approx(200, abs=0.1)


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_lossy_formats_give_close_pixels_and_the_dpi(picture, tmp_path, format):
    smooth = picture.crop((0, 60, 203, 151))
    back = written(tmp_path / "page", smooth, format, dpi=300, quality=90)
    difference = ImageStat.Stat(ImageChops.difference(back.convert("RGB"), smooth)).mean
    assert 0 < max(difference) < 5
    assert codecs.dpi_of(back) == 300 or back.getexif()[0x011A] == 300


def test_a_jpeg_has_libjpegs_own_sampling_and_the_quality_asked_for(picture, tmp_path):
    small, large = tmp_path / "small.jpg", tmp_path / "large.jpg"
    written(small, picture, "jpeg", quality=20)
    written(large, picture, "jpeg", quality=95)
    assert small.stat().st_size * 2 < large.stat().st_size
    assert [layer[1:3] for layer in Image.open(small).layer] == [(2, 2), (1, 1), (1, 1)]


def test_lineart_becomes_a_gray_jpeg_and_a_lossless_webp(letter, tmp_path):
    assert written(tmp_path / "a.jpg", letter, "jpeg").mode == "L"
    assert written(tmp_path / "a.webp", letter, "webp").convert("1").tobytes() == letter.tobytes()


def test_nothing_is_borrowed_from_the_file_an_image_came_from(picture, tmp_path):
    picture.save(tmp_path / "in.tif", compression="jpeg", dpi=(72, 72), icc_profile=b"profile")
    source = Image.open(tmp_path / "in.tif").convert("RGB")
    back = written(tmp_path / "out.tif", source, "tiff", dpi=300)
    assert back.tobytes() == source.tobytes()
    assert back.info["dpi"] == (300, 300) and "icc_profile" not in back.info
    assert "icc_profile" not in written(tmp_path / "out.jpg", source, "jpeg").info


@pytest.mark.parametrize("channels", [1, 3])
def test_png_keeps_all_sixteen_bits(deep_rows, channels):
    raster, rows, samples = deep_rows(channels)
    file = io.BytesIO()
    encode_rows(raster, rows, "png", file, canvas=Canvas())
    assert png_samples(file.getvalue(), channels) == (raster.width, raster.height, 16, samples)
    opened = Image.open(file)
    opened.load()
    assert opened.info["dpi"][0] == pytest.approx(300, abs=0.1)


def test_a_sixteen_bit_gray_image_keeps_all_bits_in_png_and_its_high_bytes_in_jpeg(deep_rows, high_bytes, tmp_path):
    raster, rows, samples = deep_rows(1)
    image = Canvas().load(raster, rows)
    assert written(tmp_path / "a.png", image, "png").tobytes() == samples.tobytes()
    assert written(tmp_path / "a.bmp", image, "bmp").tobytes() == high_bytes(samples)


def test_rows_of_several_bands_are_filtered_across_their_border(tmp_path):
    height = 2 * BAND_BYTES // 3000 + 7
    image = Image.effect_noise((1000, height), 90).convert("RGB")
    assert written(tmp_path / "a.png", image, "png").tobytes() == image.tobytes()


@pytest.mark.parametrize("format", list(FORMATS))
@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_every_mode_of_raw_rows_can_be_written_in_every_format(picture, as_rows, tmp_path, format, mode):
    raster, rows = as_rows(picture.convert(mode))
    path = tmp_path / "page"
    with open(path, "w+b") as file:
        encode_rows(raster, rows, format, file, canvas=Canvas(), dpi=150)
    if format == "pdf":
        assert path.read_bytes().rstrip().endswith(b"%%EOF")
    else:
        assert decode(path).size == picture.size


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "CMYK", "I"])
def test_other_modes_are_made_plain_on_white_paper(tmp_path, mode):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0)).convert(mode) if mode in ("RGBA", "LA") else Image.new(mode, (8, 8))
    back = written(tmp_path / "a.png", image, "png")
    if mode in ("RGBA", "LA"):
        assert set(back.convert("L").tobytes()) == {255}


def test_bad_numbers_and_names_list_what_is_allowed(picture):
    with pytest.raises(BadArguments, match="quality"):
        encode(picture, "jpeg", io.BytesIO(), dpi=300, quality=0)
    with pytest.raises(BadArguments) as caught:
        encode(picture, "gif", io.BytesIO(), dpi=300)
    assert "webp" in caught.value.hint


@pytest.mark.parametrize(("format", "side"), [("webp", 16_384), ("jpeg", 65_501)])
def test_a_page_longer_than_the_format_can_hold_is_refused(format, side):
    with pytest.raises(InvalidOutput) as caught:
        encode(Image.new("L", (1, side)), format, io.BytesIO(), dpi=300)
    assert "tiff" in caught.value.hint


def test_a_jpeg_cut_short_by_a_full_disk_is_never_silent(tmp_path):
    """A file-size limit in a child stands for the disk: the kernel writes a part and Pillow does not look."""
    code = """
import resource, signal, sys
from PIL import Image
from dwtsvc.errors import DiskFull
from dwtsvc.imaging.codecs import encode
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
image = Image.effect_noise((600, 600), 90)
with open(sys.argv[1], "w+b") as file:
    encode(image, "jpeg", file, dpi=300)
    whole = file.tell()
resource.setrlimit(resource.RLIMIT_FSIZE, (whole - 10, whole - 10))
try:
    with open(sys.argv[1] + "2", "w+b") as file:
        encode(image, "jpeg", file, dpi=300)
except (DiskFull, OSError) as error:
    sys.exit(40)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.jpg")], timeout=60)
    assert done.returncode == DiskFull.exit_code


def test_decode_gives_the_pixels_upright(picture, tmp_path):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    picture.save(path, exif=exif)
    assert decode(path).size == (picture.height, picture.width)
    with open(path, "rb") as file:
        assert decode(file).size == (picture.height, picture.width)


def test_the_pixel_budget_is_checked_before_decoding(tmp_path):
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    ihdr = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    idat = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + ihdr + idat)
    with pytest.raises(BadInput, match="too large"):
        decode(tmp_path / "bomb.png")
    Image.new("1", (100, 100)).save(tmp_path / "small.png")
    with pytest.raises(BadInput, match="too large"):
        decode(tmp_path / "small.png", max_pixels=9_999)
    assert decode(tmp_path / "small.png", max_pixels=10_000).size == (100, 100)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "bmp", "webp"])
def test_a_truncated_file_is_bad_input(picture, tmp_path, format):
    path = tmp_path / "page"
    written(path, picture, format)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInput):
        decode(path)


def test_unknown_and_missing_files_are_told_apart(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"hello")
    with pytest.raises(BadInput, match="no image"):
        decode(tmp_path / "a.jpg")
    with pytest.raises(FileAccess, match="No such file"):
        decode(tmp_path / "b.jpg")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own words on damaged TIFF tags
@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "bmp", "webp"])
def test_damaged_bytes_decode_or_are_bad_input_and_nothing_else(picture, tmp_path, format):
    path, dice = tmp_path / "page", random.Random(format)
    written(path, picture, format)
    whole = path.read_bytes()
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(8):
            data[dice.randrange(min(len(data), 400))] = dice.randrange(256)
        with suppress(BadInput):
            decode(io.BytesIO(data), max_pixels=1_000_000)


def jpeg(image: Image.Image, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **how)
    return file.getvalue()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a pipe as a file")
def test_a_jpeg_can_go_into_a_pipe(picture):
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as file:
        encode(picture.resize((40, 30)), "jpeg", file, dpi=300)
    with os.fdopen(reader, "rb") as file:
        assert decode(io.BytesIO(file.read())).size == (40, 30)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("format", list(FORMATS))
def test_a_disk_error_is_not_hidden_by_a_memory_map_that_cannot_close(tmp_path, format, depth):
    line = 200 * 3 * depth // 8
    raster = Raster(width=200, height=150, channels=3, depth=depth, bytes_per_line=line, dpi=300)
    (tmp_path / "rows").write_bytes(random.Random(1).randbytes(line * 150))

    class Full(io.BytesIO):
        def write(self, data) -> int:
            if len(data) > 1_000:
                raise OSError(28, "No space left on device")
            return super().write(data)

    with pytest.raises(OSError, match="No space"), mapped_file(tmp_path / "rows") as mapped:
        encode_rows(raster, mapped, format, Full(), canvas=Canvas(), tiff_compression="none")


def test_damage_is_not_hidden_by_a_memory_map_that_cannot_close(as_rows, picture, tmp_path):
    raster, rows = as_rows(picture)
    (tmp_path / "rows").write_bytes(rows[:-1])
    with pytest.raises(PageDamaged), mapped_file(tmp_path / "rows") as mapped:
        Canvas().load(raster, mapped)


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"optimize": True}, {"subsampling": 2}])
def test_a_jpeg_with_fewer_bytes_than_its_size_takes_is_damaged_and_the_emptiest_page_is_not(how):
    file = io.BytesIO()
    Image.new("RGB", (2480, 3508), "white").save(file, "JPEG", quality=1, **how)
    assert decode(io.BytesIO(file.getvalue())).size == (2480, 3508)
    file = io.BytesIO()
    Image.new("RGB", (80, 80), "white").save(file, "JPEG", **how)
    small = bytearray(file.getvalue())
    at = next(small.index(mark) for mark in (b"\xff\xc0", b"\xff\xc2") if mark in small) + 5
    small[at : at + 4] = (9_000).to_bytes(2, "big") * 2
    with pytest.raises(BadInput, match="cannot hold 9000 x 9000 pixels"):
        decode(io.BytesIO(bytes(small)))
