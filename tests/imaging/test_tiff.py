"""Multi-page TIFF, read back by Pillow and by libtiff's own tools where they are installed."""

from __future__ import annotations

import io
import random
import re
import shutil
import subprocess
from array import array

import pytest
from PIL import Image, ImageSequence

from dwtsvc.errors import BadArguments, BadInput, InvalidOutput
from dwtsvc.imaging import tiff
from dwtsvc.imaging.rows import BAND_BYTES
from dwtsvc.imaging.tiff import TiffWriter

needs_libtiff = pytest.mark.skipif(shutil.which("tiffinfo") is None, reason="needs libtiff-tools")


def pages_of(file: io.BytesIO) -> list[Image.Image]:
    file.seek(0)
    with Image.open(file) as image:
        return [frame.copy() for frame in ImageSequence.Iterator(image)]


def jpeg(image: Image.Image, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **how)
    return file.getvalue()


def tool(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("compression", ["auto", "lzw", "deflate", "none", "packbits"])
@pytest.mark.parametrize("mode", ["1", "L", "I;16", "RGB"])
def test_images_come_back_equal_with_their_dpi(picture, compression, mode):
    image = (
        picture.convert("I").point(lambda value: value * 250).convert("I;16")
        if mode == "I;16"
        else picture.convert(mode)
    )
    file = io.BytesIO()
    with TiffWriter(file) as writer:
        writer.add_image(image, dpi=200.5, compression=compression)
    (page,) = pages_of(file)
    assert page.mode == image.mode and page.tobytes() == image.tobytes()
    assert float(page.info["dpi"][0]) == 200.5


def test_g4_is_one_strip_of_black_on_white(letter):
    file = io.BytesIO()
    with TiffWriter(file) as writer:
        writer.add_image(letter, dpi=300, compression="g4")
    tags = Image.open(file).tag_v2
    assert (tags[259], tags[262], len(tags[273])) == (4, 0, 1)
    assert pages_of(file)[0].tobytes() == letter.tobytes()
    assert len(file.getvalue()) < len(letter.tobytes()) / 3


@pytest.mark.parametrize("compression", ["g4", "g3", "rle", "packbits", "deflate", "lzw", "none"])
def test_raw_lineart_rows_come_back_equal(letter, as_rows, compression):
    file = io.BytesIO()
    with TiffWriter(file) as writer:
        writer.add_rows(*as_rows(letter), compression=compression)
    assert pages_of(file)[0].convert("L").tobytes() == letter.convert("L").tobytes()


@pytest.mark.parametrize("compression", ["lzw", "deflate", "none", "packbits"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_padded_rows_of_several_strips_come_back_equal(as_rows, compression, mode):
    height = 2 * BAND_BYTES // 1000 + 5
    image = Image.effect_noise((1000, height), 90).convert(mode)
    file = io.BytesIO()
    with TiffWriter(file) as writer:
        writer.add_rows(*as_rows(image), compression=compression)
    (page,) = pages_of(file)
    assert len(page.tag_v2[273] if hasattr(page, "tag_v2") else Image.open(file).tag_v2[273]) > 1
    assert page.tobytes() == image.tobytes()


@pytest.mark.parametrize("compression", ["none", "deflate", "lzw"])
@needs_libtiff
def test_sixteen_bit_colour_is_exact(deep_rows, compression, tmp_path):
    raster, rows, samples = deep_rows(3)
    path = tmp_path / "deep.tif"
    with open(path, "w+b") as file, TiffWriter(file) as writer:
        writer.add_rows(raster, rows, compression=compression)
    tool("tiffcp", "-c", "none", "-r", "100000", path, tmp_path / "plain.tif")
    with Image.open(tmp_path / "plain.tif") as plain:
        offset, count = plain.tag_v2[273][0], plain.tag_v2[279][0]
        assert plain.tag_v2[258] == (16, 16, 16)
    assert array("H", (tmp_path / "plain.tif").read_bytes()[offset : offset + count]) == samples


@pytest.mark.parametrize("how", [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}])
def test_a_colour_jpeg_goes_in_byte_for_byte_and_comes_out_the_same(picture, how):
    data = jpeg(picture, dpi=(240, 240), **how)
    file = io.BytesIO()
    with TiffWriter(file) as writer:
        writer.add_jpeg(data)
    with Image.open(file) as page:
        offset, count = page.tag_v2[273][0], page.tag_v2[279][0]
        assert file.getvalue()[offset : offset + count] == data
        assert page.info["dpi"] == (240, 240)
        assert page.convert("RGB").tobytes() == Image.open(io.BytesIO(data)).tobytes()


def test_gray_and_rgb_jpegs_keep_their_colours(picture):
    gray, rgb = jpeg(picture.convert("L")), jpeg(picture, keep_rgb=True)
    file = io.BytesIO()
    with TiffWriter(file) as writer:
        writer.add_jpeg(gray, dpi=300)
        writer.add_jpeg(rgb, dpi=300)
    first, second = pages_of(file)
    assert first.tobytes() == Image.open(io.BytesIO(gray)).tobytes()
    assert second.tobytes() == Image.open(io.BytesIO(rgb)).tobytes()


def test_a_cmyk_jpeg_is_refused(picture):
    with pytest.raises(BadInput, match="CMYK"):
        TiffWriter(io.BytesIO()).add_jpeg(jpeg(picture.convert("CMYK")), dpi=300)


@needs_libtiff
def test_libtiff_reads_a_mixed_file_without_a_warning(picture, letter, as_rows, tmp_path):
    path = tmp_path / "mixed.tif"
    with open(path, "w+b") as file, TiffWriter(file) as writer:
        for _ in range(4):
            writer.add_image(letter, dpi=300)
            writer.add_image(picture, dpi=150, compression="lzw")
            writer.add_rows(*as_rows(picture.convert("L")), compression="deflate")
            writer.add_jpeg(jpeg(picture), dpi=75)
    told = tool("tiffinfo", path)
    assert len(re.findall("Image Width", told)) == 16
    assert re.findall(r"Page Number: (\d+)-0", told) == [str(n) for n in range(16)]
    assert told.count("Resolution: 75, 75 pixels/inch") == 4
    tool("tiffcp", "-c", "none", path, tmp_path / "copy.tif")
    with Image.open(tmp_path / "copy.tif") as copy, Image.open(path) as ours:
        for page in range(16):
            copy.seek(page)
            ours.seek(page)
            assert copy.convert("RGB").tobytes() == ours.convert("RGB").tobytes()


def test_unknown_dpi_is_said_to_be_unknown(letter):
    file = io.BytesIO()
    with TiffWriter(file) as writer:
        writer.add_image(letter, dpi=0)
    assert Image.open(file).tag_v2[296] == 1


def test_a_page_beyond_four_gigabytes_is_refused_and_the_others_stay(picture, monkeypatch):
    file = io.BytesIO()
    writer = TiffWriter(file)
    writer.add_image(picture, dpi=300, compression="none")
    monkeypatch.setattr(tiff, "LIMIT", len(file.getvalue()) + 10_000)
    with pytest.raises(InvalidOutput) as caught:
        writer.add_image(picture, dpi=300, compression="none")
    assert "PDF" in caught.value.hint and "Page 2" in caught.value.what
    monkeypatch.undo()
    writer.add_image(picture.convert("L"), dpi=300)
    writer.close()
    assert [page.mode for page in pages_of(file)] == ["RGB", "L"]


def test_the_limit_is_where_the_format_has_it():
    assert tiff.LIMIT == 0xFFFFFFFF


def test_offsets_beyond_two_gigabytes_are_written_right(letter, tmp_path):
    """A sparse file stands for 3 GiB of earlier pages."""
    path = tmp_path / "large.tif"
    with open(path, "w+b") as file, TiffWriter(file) as writer:
        writer.add_image(letter, dpi=300)
        writer._end = 3 << 30
        writer.add_image(letter, dpi=300)
    with Image.open(path) as image:
        image.seek(1)
        assert image.tag_v2[273][0] >= 3 << 30
        assert image.tobytes() == letter.tobytes()


def test_a_failing_page_leaves_no_trace(picture):
    def rows():
        yield bytes(203 * 3 * 10)
        raise OSError("the disk went away")

    file = io.BytesIO()
    writer = TiffWriter(file)
    writer.add_image(picture, dpi=300)
    with pytest.raises(OSError, match="went away"):
        writer._packed(tiff._Kind(203, 151, 3, 8, 2, "none", 300), rows())
    writer.add_image(picture, dpi=300)
    writer.close()
    assert [page.tobytes() for page in pages_of(file)] == [picture.tobytes()] * 2


def test_no_page_is_no_tiff():
    with pytest.raises(InvalidOutput, match="at least one page"):
        TiffWriter(io.BytesIO()).close()


def test_a_compression_that_does_not_exist_or_fit_is_told(picture):
    writer = TiffWriter(io.BytesIO())
    with pytest.raises(BadArguments) as caught:
        writer.add_image(picture, dpi=300, compression="zip")
    assert "deflate" in caught.value.hint
    with pytest.raises(BadArguments, match="black and white"):
        writer.add_image(picture, dpi=300, compression="g4")


def test_many_random_sizes_come_back_equal():
    dice, file, images = random.Random(4), io.BytesIO(), []
    with TiffWriter(file) as writer:
        for number in range(40):
            size = dice.randrange(1, 40), dice.randrange(1, 40)
            mode = ("1", "L", "RGB")[number % 3]
            images.append(Image.frombytes("RGB", size, dice.randbytes(size[0] * size[1] * 3)).convert(mode))
            writer.add_image(images[-1], dpi=300, compression=("auto", "lzw", "none")[number % 7 % 3])
    assert [page.tobytes() for page in pages_of(file)] == [image.tobytes() for image in images]
