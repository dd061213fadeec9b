"""Windows bitmaps: every depth that scanners send, against Pillow's reader of BMP files."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dwtsvc.devices import bitmap
from dwtsvc.errors import DriverError, IncompletePage


def gradient(mode: str, size: tuple[int, int]) -> Image.Image:
    image = Image.linear_gradient("L").resize(size)
    if mode == "RGB":
        return Image.merge("RGB", (image, image.rotate(90).resize(size), image.rotate(180)))
    return image.convert("P", palette=Image.Palette.ADAPTIVE) if mode == "P" else image.convert(mode)


def as_dib(image: Image.Image, dpi: int = 300) -> bytes:
    file = io.BytesIO()
    image.save(file, "BMP", dpi=(dpi, dpi))
    return file.getvalue()[bitmap.FILE_HEADER :]


def read(data: bytes, dpi: float = 0.0) -> Image.Image:
    head = bitmap.header(data)
    raster = bitmap.raster(head, dpi)
    rows = b"".join(bitmap.strips(head, data))
    assert len(rows) == raster.bytes_per_line * head.height
    size = raster.width, head.height
    if raster.depth == 1:
        return Image.frombytes("1", size, rows, "raw", "1;I")
    return Image.frombytes("RGB" if raster.channels == 3 else "L", size, rows)


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.convert("RGB").tobytes() == other.convert("RGB").tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (31, 17), (33, 40), (64, 64), (257, 100)])
def test_rows_are_those_that_pillow_reads(mode: str, size: tuple[int, int]) -> None:
    image = gradient(mode, size)
    assert same(read(as_dib(image)), image)


def made(
    width: int, rows: list[bytes], bits: int, palette: bytes = b"", *, height: int = 0, masks: bytes = b""
) -> bytes:
    stride = (width * bits + 31) // 32 * 4
    head = struct.pack(
        "<IiiHHIIiiII",
        40,
        width,
        height or len(rows),
        1,
        bits,
        3 if masks else 0,
        0,
        11811,
        11811,
        len(palette) // 4,
        0,
    )
    return head + masks + palette + b"".join(row.ljust(stride, b"\0") for row in rows)


def test_sixteen_grays_in_half_bytes_become_whole_ones() -> None:
    palette = bytes(value for level in range(16) for value in (level * 17, level * 17, level * 17, 0))
    seen = read(made(3, [b"\x0f\x80", b"\x12\x30"], 4, palette))
    assert list(seen.tobytes()) == [0x11, 0x22, 0x33, 0x00, 0xFF, 0x88]


def test_four_bytes_a_pixel_lose_the_fourth() -> None:
    assert read(made(1, [b"\x01\x02\x03\xff"], 32)).tobytes() == b"\x03\x02\x01"


def test_the_usual_masks_are_understood_and_others_refused() -> None:
    usual = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    assert read(made(1, [b"\x01\x02\x03\xff"], 32, masks=usual)).tobytes() == b"\x03\x02\x01"
    with pytest.raises(DriverError):
        bitmap.header(made(1, [b"\x01\x02\x03\xff"], 32, masks=usual[::-1]))


def test_a_negative_height_means_that_the_top_row_comes_first() -> None:
    rows = [b"\x00", b"\x80"]
    palette = bytes((0, 0, 0, 0, 255, 255, 255, 0))
    down = read(made(1, rows, 1, palette, height=-2))
    assert [down.getpixel((0, y)) for y in (0, 1)] == [0, 255]
    up = read(made(1, rows, 1, palette))
    assert [up.getpixel((0, y)) for y in (0, 1)] == [255, 0]


def test_white_may_be_the_first_ink() -> None:
    palette = bytes((255, 255, 255, 0, 0, 0, 0, 0))
    assert read(made(1, [b"\x80"], 1, palette)).getpixel((0, 0)) == 0


def test_the_resolution_is_the_given_one_else_that_of_the_bitmap() -> None:
    head = bitmap.header(as_dib(gradient("L", (4, 4)), 300))
    assert bitmap.raster(head, 0).dpi == pytest.approx(300, abs=0.1)
    assert bitmap.raster(head, 200).dpi == 200


def test_a_page_of_any_size_has_a_middle() -> None:
    data = as_dib(gradient("L", (50, 64)))
    assert len(list(bitmap.strips(bitmap.header(data), data))) >= 16


def test_missing_rows_are_an_incomplete_page() -> None:
    data = as_dib(gradient("RGB", (20, 20)))[:-1]
    with pytest.raises(IncompletePage):
        list(bitmap.strips(bitmap.header(data), data))


@given(st.binary(max_size=200), st.sampled_from([0, 40, 108, 124]))
def test_no_header_does_more_than_refuse(junk: bytes, size: int) -> None:
    data = struct.pack("<I", size) + junk
    try:
        head = bitmap.header(data)
    except DriverError:
        return
    assert head.width > 0 and head.height > 0
    if head.size <= 1 << 16:
        with pytest.raises(IncompletePage):
            list(bitmap.strips(head, data[: head.size - 1]))
