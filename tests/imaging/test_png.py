"""The PNG writer with either deflater: every kind of row exactly, whatever the size, and sums that are right."""

from __future__ import annotations

import io
import random
import struct
import sys
import zlib
from collections.abc import Iterator

import pytest
from PIL import Image

from dwtsvc.imaging import png

KINDS = [(1, 1), (1, 8), (3, 8), (1, 16), (3, 16)]  # channels, depth


@pytest.fixture(params=["isal", "zlib"])
def deflater(request, monkeypatch) -> Iterator[str]:
    """Once as installed, once as if ISA-L were not built for this machine."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    png._deflate.cache_clear()
    yield request.param
    png._deflate.cache_clear()


def rows_in(data: bytes) -> tuple[tuple, bytes]:
    """(header fields, samples) of a PNG, read by the format's own rules; every checksum is verified."""
    position, header, body = 8, (), b""
    while position < len(data):
        length, name = struct.unpack(">I4s", data[position : position + 8])
        chunk = data[position + 8 : position + 8 + length]
        (total,) = struct.unpack(">I", data[position + 8 + length : position + 12 + length])
        assert zlib.crc32(name + chunk) == total
        header = struct.unpack(">IIBBBBB", chunk) if name == b"IHDR" else header
        body, position = (body + chunk if name == b"IDAT" else body), position + 12 + length
    raw, size = zlib.decompress(body), len(zlib.decompress(body)) // header[1]
    above, out = bytes(size - 1), b""
    for at in range(0, len(raw), size):
        line, filter = raw[at + 1 : at + size], raw[at]
        assert filter in (0, 2)
        above = bytes((a + b) & 255 for a, b in zip(line, above, strict=True)) if filter else line
        out += above
    return header, out


@pytest.mark.parametrize(("channels", "depth"), KINDS)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 9), (17, 1), (83, 41)])
def test_every_kind_of_row_is_kept_exactly(deflater, channels, depth, width, height):
    size = (width * channels * depth + 7) // 8
    rows = random.Random(7).randbytes(size * height)
    bands = [rows[at : at + 5 * size] for at in range(0, len(rows), 5 * size)]
    file = io.BytesIO()
    png.write_png(file, bands, width=width, height=height, channels=channels, depth=depth, dpi=300)
    header, samples = rows_in(file.getvalue())
    if depth == 16 and sys.byteorder == "little":
        samples = b"".join(samples[at : at + 2][::-1] for at in range(0, len(samples), 2))
    assert header[:3] == (width, height, depth) and samples == rows
    with Image.open(file) as opened:
        opened.load()
        assert opened.size == (width, height) and opened.info["dpi"][0] == pytest.approx(300, abs=0.1)


def test_isal_deflates_where_it_is_installed_and_zlib_elsewhere(deflater):
    module, _ = png._deflate()
    assert module.__name__.endswith("isal_zlib" if deflater == "isal" else "zlib")
    assert (module is zlib) == (deflater == "zlib")


def test_a_page_of_lines_becomes_small_with_either(deflater):
    image = Image.new("L", (2480, 1000), 255)
    for y in range(0, 1000, 40):
        image.paste(0, (100, y, 2300, y + 3))
    file = io.BytesIO()
    png.write_png(file, [image.tobytes()], width=2480, height=1000, channels=1, depth=8, dpi=0)
    assert len(file.getvalue()) < 2480 * 1000 / 50 and Image.open(file).tobytes() == image.tobytes()
