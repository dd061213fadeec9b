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
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import img2pdf
import pikepdf
import pypdf
import pypdfium2
import pytest
from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from dwtsvc.errors import BadArguments, BadInput, InvalidOutput
from dwtsvc.imaging import pdf
from dwtsvc.imaging.codecs import encode
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.imaging.pdfverify import image_digests
from dwtsvc.imaging.png import deflated_rows
from dwtsvc.imaging.streams import encode_g4, jpeg_header
from dwtsvc.imaging.tiff import TiffWriter
from dwtsvc.text import Line, Text, Word


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


@pytest.mark.parametrize("way", ["add_lzw", "add_jpeg2000"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_older_and_newer_compressions_lose_nothing(picture, mode, way):
    image, file = picture.convert(mode), io.BytesIO()
    with PdfWriter(file) as pdf:
        getattr(pdf, way)(image, dpi=72)
    shown = pypdfium2.PdfDocument(file.getvalue())[0].render(scale=1).to_pil().convert(mode)
    assert shown.tobytes() == image.tobytes()


def test_black_and_white_by_lzw(letter):
    file = io.BytesIO()
    with PdfWriter(file) as pdf:
        pdf.add_lzw(letter, dpi=72)
    shown = pypdfium2.PdfDocument(file.getvalue())[0].render(scale=1).to_pil().convert("L")
    assert shown.point(lambda tone: 255 * (tone > 127)).tobytes() == letter.convert("L").tobytes()


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


@pytest.mark.parametrize(("turn", "by_pillow"), [(90, "ROTATE_270"), (180, "ROTATE_180"), (270, "ROTATE_90")])
def test_a_jpeg_is_shown_turned_clockwise_and_its_stream_is_not_touched(picture, turn, by_pillow):
    original = jpeg(picture, quality=95)
    data = written(lambda w: w.add_jpeg(original, dpi=300, turn=turn))
    upright = rendered(written(lambda w: w.add_jpeg(original, dpi=300)))
    expected = upright.transpose(getattr(Image.Transpose, by_pillow))
    shown = rendered(data)
    assert shown.size == expected.size
    assert max(ImageChops.difference(shown, expected).convert("L").getextrema()) <= 1
    assert data.count(original) == 1


def test_the_text_of_a_turned_page_lies_where_the_page_shows_it(picture, tmp_path):
    word = Word(text="corner", box=(10, 20, 60, 40), confidence=90)
    line = Line(words=(word,), box=word.box, block=1, paragraph=1)
    text = Text(width=picture.height, height=picture.width, dpi=300, languages="eng", engine="none", lines=(line,))
    data = written(lambda w: w.add_jpeg(jpeg(picture), dpi=300, turn=90, text=text))
    page = pypdfium2.PdfDocument(data)[0]
    _, top = page.get_size()
    left, bottom, right, upper = page.get_textpage().get_charbox(0)
    scale = 300 / 72
    assert page.get_textpage().get_text_bounded().strip() == "corner"
    assert 9 <= left * scale <= right * scale <= 61
    assert 15 <= (top - upper) * scale <= (top - bottom) * scale <= 45


def test_a_page_is_turned_by_quarters_only(picture):
    with pytest.raises(BadArguments, match="45 degrees"):
        written(lambda w: w.add_jpeg(jpeg(picture), dpi=300, turn=45))


def as_png(image: Image.Image, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **how)
    return file.getvalue()


def idat(data: bytes) -> bytes:
    body, at = b"", 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        body += data[at + 8 : at + 8 + size] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + size
    return body


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
@pytest.mark.parametrize("by", ["pillow", "dwtsvc"])
def test_the_deflated_rows_of_a_png_go_into_a_page_untouched(picture, mode, by):
    image = picture.convert(mode)
    file = io.BytesIO()
    encode(image, "png", file, dpi=300)
    png = as_png(image) if by == "pillow" else file.getvalue()
    data = written(lambda w: w.add_png(png, dpi=300))
    assert idat(png) in data
    assert rendered(data, mode=mode).tobytes() == image.tobytes()
    with pikepdf.open(io.BytesIO(data)) as document:
        assert document.pages[0].Resources.XObject.P.read_bytes() == image.tobytes()


def others(picture: Image.Image) -> Iterator[tuple[str, bytes, Image.Image]]:
    yield "palette", as_png(picture.convert("P")), picture.convert("P").convert("RGB")
    gray = picture.convert("L")
    deep = Image.frombytes("I;16", gray.size, array("H", [tone * 257 for tone in gray.tobytes()]).tobytes())
    yield "16 bit", as_png(deep), gray
    veiled = picture.copy()
    veiled.putalpha(0)
    yield "alpha", as_png(veiled), Image.new("RGB", picture.size, "white")
    pure = Image.new("RGB", (9, 7), "red")
    yield "transparent colour", as_png(pure, transparency=(255, 0, 0)), pure
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "on its side", as_png(picture, exif=exif), picture.transpose(Image.Transpose.ROTATE_270)
    yield "four tones", as_png(Image.new("P", (9, 7)), bits=2), Image.new("RGB", (9, 7))
    yield "with a text", as_png(picture, pnginfo=told("Software", "other")), picture


def told(name: str, value: str) -> PngInfo:
    info = PngInfo()
    info.add_text(name, value)
    return info


def test_any_other_png_is_decoded_and_shows_the_same_pixels(picture):
    for name, png, expected in others(picture):
        data = written(lambda w, png=png: w.add_png(png, dpi=300))
        assert idat(png) not in data, name
        assert rendered(data).tobytes() == expected.convert("RGB").tobytes(), name


def test_a_damaged_png_is_told_and_not_embedded(picture):
    good = as_png(picture)
    middle = good.index(b"IDAT") + len(idat(good)) // 2
    short = zlib.compress(zlib.decompress(idat(good))[:5000])
    broken = {
        "cut": good[:middle],
        "changed": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
        "too few rows": chunked(good[:33], short),
        "no png": b"GIF89a",
        "empty": b"",
    }
    for name, png in broken.items():
        with pytest.raises(BadInput):
            written(lambda w, png=png: w.add_png(png, dpi=300))
            pytest.fail(name)


def chunked(head: bytes, body: bytes) -> bytes:
    """A PNG of one chunk of pixels."""
    parts = [(b"IDAT", body), (b"IEND", b"")]
    return head + b"".join(
        len(held).to_bytes(4, "big") + name + held + zlib.crc32(name + held).to_bytes(4, "big") for name, held in parts
    )


def test_a_png_with_a_filter_that_does_not_exist_is_not_embedded(picture):
    png = as_png(picture.convert("L"))
    rows = bytearray(zlib.decompress(idat(png)))
    rows[(picture.width + 1) * 40] = 5
    assert deflated_rows(png) is not None
    assert deflated_rows(chunked(png[:33], zlib.compress(bytes(rows)))) is None
    rows[(picture.width + 1) * 40] = 4
    assert deflated_rows(chunked(png[:33], zlib.compress(bytes(rows)))) is not None


def test_a_png_that_inflates_to_gigabytes_is_refused_in_little_memory():
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(2**24)) for _ in range(64)) + packer.flush()
    bomb = chunked(as_png(Image.new("L", (50, 50)))[:33], body)
    tracemalloc.start()
    assert deflated_rows(bomb) is None
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()


def test_the_digests_are_those_of_the_streams_that_the_pdf_holds(picture, letter):
    def add(writer: PdfWriter) -> None:
        writer.add_jpeg(jpeg(picture), dpi=300)
        writer.add_image(letter, dpi=300)
        writer.add_image(picture, dpi=300)
        writer.add_png(as_png(picture), dpi=300)
        told.extend(writer.image_digests)

    told: list[str] = []
    data = written(add, digests=True)
    with pikepdf.open(io.BytesIO(data)) as document:
        assert told == list(image_digests(document)) and len(set(told)) == 4
    told.clear()
    written(add)
    assert told == []
