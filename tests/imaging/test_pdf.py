"""PDF pages, judged by qpdf, pypdfium2, pypdf and img2pdf."""

from __future__ import annotations

import io
import mmap
import os
import random
import re
import shutil
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import img2pdf
import pypdf
import pypdfium2
import pytest
from PIL import Image, ImageChops

from dwtsvc.errors import BadArguments, BadInput, InvalidOutput
from dwtsvc.imaging import pdf
from dwtsvc.imaging.codecs import encode
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.imaging.streams import encode_g4, jpeg_header
from dwtsvc.imaging.tiff import TiffWriter


def jpeg(image: Image.Image, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **how)
    return file.getvalue()


@contextmanager
def mapped_file(path: Path) -> Iterator[mmap.mmap]:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        yield mapped


def rendered(data: bytes, page: int = 0, dpi: float = 300, mode: str = "RGB") -> Image.Image:
    document = pypdfium2.PdfDocument(data)
    scale = dpi / 72 * (1 - 1e-6)  # pdfium rounds a pixel count that is whole but for its float's last bit up
    return document[page].render(scale=scale, no_smoothimage=True).to_pil().convert(mode)


def written(add, **how) -> bytes:
    file = io.BytesIO()
    with PdfWriter(file, **how) as writer:
        add(writer)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_lossless_page_renders_to_the_same_pixels(picture, mode):
    image = picture.convert(mode)
    data = written(lambda writer: writer.add_image(image, dpi=300))
    assert rendered(data, mode=mode).tobytes() == image.tobytes()


def test_a_g4_page_shows_black_letters_on_white(letter):
    data = written(lambda w: w.add_g4(encode_g4(letter), width=letter.width, height=letter.height, dpi=300))
    assert rendered(data, mode="1").tobytes() == letter.tobytes()


def test_packed_one_bit_rows_can_be_deflated(letter):
    data = written(
        lambda w: w.add_flate(
            [letter.tobytes()], width=letter.width, height=letter.height, channels=1, depth=1, dpi=300
        )
    )
    assert rendered(data, mode="1").tobytes() == letter.tobytes()


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"subsampling": 0}, {"keep_rgb": True}])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_goes_in_byte_for_byte_and_shows_the_same_pixels(picture, mode, how):
    stream = jpeg(picture.convert(mode), quality=90, **how)
    told = jpeg_header(stream)
    data = written(
        lambda w: w.add_jpeg(stream, width=told.width, height=told.height, components=told.components, dpi=300)
    )
    assert stream in data
    assert pypdf.PdfReader(io.BytesIO(data)).pages[0]["/Resources"]["/XObject"]["/P"]._data == stream
    shown, meant = rendered(data), Image.open(io.BytesIO(stream)).convert("RGB")
    assert max(high for _, high in ImageChops.difference(shown, meant).getextrema()) <= 8  # another JPEG decoder


def test_an_inverted_cmyk_jpeg_shows_its_colours(picture):
    stream = jpeg(picture.convert("CMYK"), quality=95)
    data = written(lambda w: w.add_jpeg(stream, dpi=300))
    assert b"/Decode [1 0 1 0 1 0 1 0]" in data
    shown = rendered(data).resize((20, 15), Image.Resampling.BOX)
    meant = picture.resize((20, 15), Image.Resampling.BOX)
    assert max(high for _, high in ImageChops.difference(shown, meant).getextrema()) < 90


def test_img2pdf_shows_the_same_picture(picture, letter):
    stream = jpeg(picture, dpi=(300, 300))
    ours = written(lambda w: w.add_jpeg(stream, dpi=300))
    theirs = img2pdf.convert(stream)
    assert rendered(ours).tobytes() == rendered(theirs).tobytes()
    assert len(ours) < len(theirs) + 200


def test_sizes_of_pages_follow_pixels_and_dpi(picture):
    def add(writer: PdfWriter) -> None:
        writer.add_image(Image.new("L", (2480, 3508), 255), dpi=300)
        writer.add_image(Image.new("L", (100, 50)), dpi=72)

    reader = pypdf.PdfReader(io.BytesIO(written(add)))
    assert [float(side) for side in reader.pages[0].mediabox[2:]] == pytest.approx([595.2, 841.92])
    assert [float(side) for side in reader.pages[1].mediabox[2:]] == [100, 50]


def test_a_page_longer_than_readers_allow_counts_in_larger_units():
    data = written(lambda w: w.add_image(Image.new("1", (80, 90_000), 1), dpi=300))
    page = pypdf.PdfReader(io.BytesIO(data)).pages[0]
    assert float(page.mediabox.height) == 14_400
    assert float(page.mediabox.height) * float(page["/UserUnit"]) == pytest.approx(90_000 / 300 * 72, rel=1e-4)


@pytest.mark.parametrize("title", ["", "Rechnung (März) \\ №7 𝄞"])
def test_a_mixed_document_is_clean_for_qpdf(picture, letter, tmp_path, title):
    def add(writer: PdfWriter) -> None:
        for _ in range(5):
            writer.add_image(letter, dpi=300)
            writer.add_image(picture, dpi=150)
            writer.add_image(picture.convert("L"), dpi=200.5)
            writer.add_jpeg(jpeg(picture), dpi=75)

    when = datetime(2024, 2, 29, 12, 0, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    data = written(add, title=title, created=when)
    path = tmp_path / "mixed.pdf"
    path.write_bytes(data)
    if shutil.which("qpdf"):
        done = subprocess.run(["qpdf", "--check", path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    reader = pypdf.PdfReader(io.BytesIO(data), strict=True)
    assert len(reader.pages) == 20
    assert (reader.metadata.title or "") == title
    assert reader.metadata.creation_date == when
    assert len(reader.trailer["/ID"]) == 2


def test_the_dates_carry_the_zone():
    data = written(lambda w: w.add_image(Image.new("1", (8, 8)), dpi=72), created=datetime(2030, 1, 2, tzinfo=UTC))
    assert b"(D:20300102000000+00'00')" in data


def test_a_pipe_is_enough(picture):
    stream = jpeg(picture)
    code = (
        "import sys; from dwtsvc.imaging.pdf import PdfWriter\n"
        "data = sys.stdin.buffer.read()\n"
        "with PdfWriter(sys.stdout.buffer) as writer:\n"
        "    writer.add_jpeg(data, dpi=300)\n"
        "    writer.add_jpeg(memoryview(data), dpi=300)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=stream, capture_output=True, timeout=60, check=True)
    assert len(pypdfium2.PdfDocument(done.stdout)) == 2


def test_an_unbuffered_pipe_gets_every_byte(picture):
    """A raw file may take a part of what it is given and says so in what write returns."""

    class Reluctant(io.RawIOBase):
        def __init__(self) -> None:
            self.taken = bytearray()

        def write(self, data) -> int:
            part = bytes(data[:100])
            self.taken += part
            return len(part)

    file = Reluctant()
    with PdfWriter(file) as writer:
        writer.add_image(picture, dpi=300)
    assert rendered(bytes(file.taken)).tobytes() == picture.tobytes()


def test_twelve_thousand_pages_take_memory_for_numbers_only():
    stream = jpeg(Image.effect_noise((200, 200), 60))
    with open(os.devnull, "wb") as file:
        writer = PdfWriter(file)
        tracemalloc.start()
        for _ in range(12_000):
            writer.add_jpeg(stream, dpi=300)
        held, _ = tracemalloc.get_traced_memory()
        writer.close()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert 12_000 * len(stream) > 50 * held
    assert held < 1_000_000 and peak < 4_000_000


def test_thousands_of_pages_are_found_by_their_offsets():
    def add(writer: PdfWriter) -> None:
        for shade in range(2_500):
            writer.add_image(Image.new("L", (2, 2), shade % 256), dpi=72)

    data = written(add)
    assert len(pypdfium2.PdfDocument(data)) == 2_500
    assert rendered(data, page=2_345, dpi=72, mode="L").getpixel((0, 0)) == 2_345 % 256
    offsets = [int(row[:10]) for row in re.findall(rb"\d{10} 00000 n ", data)]
    assert all(data[offset:].startswith(b"%d 0 obj" % (number + 1)) for number, offset in enumerate(offsets[:50]))


def test_no_page_is_no_pdf():
    with pytest.raises(InvalidOutput, match="at least one page"):
        PdfWriter(io.BytesIO()).close()


def test_a_document_of_ten_gigabytes_is_refused(picture, monkeypatch):
    monkeypatch.setattr(pdf, "LIMIT", 1_000)
    with pytest.raises(InvalidOutput) as caught:
        written(lambda w: w.add_image(picture, dpi=300))
    assert "several files" in caught.value.hint


def test_a_jpeg_that_is_none_or_not_as_told_is_refused(picture):
    writer = PdfWriter(io.BytesIO())
    with pytest.raises(BadInput):
        writer.add_jpeg(b"hello", dpi=300)
    with pytest.raises(InvalidOutput):
        writer.add_jpeg(jpeg(picture), width=203, height=150, components=3, dpi=300)
    assert writer.pages == 0


@pytest.mark.parametrize("dpi", [0, -1, float("nan"), float("inf")])
def test_a_page_without_a_resolution_has_no_size(picture, dpi):
    with pytest.raises(BadArguments):
        PdfWriter(io.BytesIO()).add_image(picture, dpi=dpi)


def test_encode_writes_a_jpeg_page_or_a_g4_page(picture, letter, tmp_path):
    for image, filter_name in ((picture, "/DCTDecode"), (letter, "/CCITTFaxDecode")):
        with open(tmp_path / "one.pdf", "w+b") as file:
            encode(image, "pdf", file, dpi=300, quality=80)
        reader = pypdf.PdfReader(tmp_path / "one.pdf")
        assert reader.pages[0]["/Resources"]["/XObject"]["/P"]["/Filter"] == filter_name


def test_rows_in_parts_become_one_stream():
    data = random.Random(1).randbytes(30 * 20 * 3)
    file = written(lambda w: w.add_flate([data[:900], data[900:]], width=30, height=20, channels=3, dpi=72))
    image = pypdf.PdfReader(io.BytesIO(file)).pages[0]["/Resources"]["/XObject"]["/P"]
    assert zlib.decompress(image._data) == data


@pytest.mark.parametrize("kind", [PdfWriter, TiffWriter])
def test_a_disk_error_is_not_hidden_by_the_memory_map_of_a_jpeg(picture, tmp_path, kind):
    (tmp_path / "a.jpg").write_bytes(jpeg(picture))

    class Full(io.BytesIO):
        def write(self, data) -> int:
            if len(data) > 1_000:
                raise OSError(28, "No space left on device")
            return super().write(data)

    with pytest.raises(OSError, match="No space"), mapped_file(tmp_path / "a.jpg") as mapped, kind(Full()) as writer:
        writer.add_jpeg(mapped, dpi=300)
