"""The header of a JPEG, from whole, cut and senseless bytes."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dwtsvc.errors import BadInput
from dwtsvc.imaging.streams import jpeg_header


def jpeg(image: Image.Image, **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **how)
    return file.getvalue()


@pytest.mark.parametrize(
    ("mode", "how", "components", "dpi"),
    [("RGB", {"dpi": (240, 240)}, 3, 240.0), ("L", {"progressive": True}, 1, None), ("CMYK", {}, 4, None)],
)
def test_a_jpeg_header_says_size_components_and_dpi(
    mode: str, how: dict[str, Any], components: int, dpi: float | None, picture: Image.Image
) -> None:
    header = jpeg_header(jpeg(picture.convert(mode), **how))
    assert (header.width, header.height, header.components, header.dpi) == (203, 151, components, dpi)


def test_dots_per_centimetre_are_understood(picture: Image.Image) -> None:
    data = bytearray(jpeg(picture, dpi=(100, 100)))
    data[13] = 2
    assert jpeg_header(bytes(data)).dpi == pytest.approx(254)


@given(st.binary(max_size=300))
def test_junk_is_never_a_jpeg_and_never_another_error(junk: bytes) -> None:
    for data in (junk, b"\xff\xd8" + junk, b"\xff\xd8\xff" + junk):
        try:
            header = jpeg_header(data)
        except BadInput:
            continue
        assert header.width and header.height and header.components in (1, 3, 4)


def test_every_cut_of_a_jpeg_header_is_bad_input(picture: Image.Image) -> None:
    data = jpeg(picture)
    frame = data.index(b"\xff\xc0")
    for end in range(frame + 4):
        with pytest.raises(BadInput):
            jpeg_header(data[:end])
