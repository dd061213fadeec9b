"""A page's picture in a form in which pages are stored, from an image and back."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dwtsvc.errors import BadInput
from dwtsvc.model import Encoding, Raster

if TYPE_CHECKING:
    from PIL.Image import Image

JPEG_MARK = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A page in memory: `content` is what `encoding` and `raster` say."""

    encoding: Encoding
    raster: Raster
    content: bytes


def raster_of(image: Image, dpi: float) -> Raster:
    """How the packed rows of an image in mode 1, L, I;16 or RGB lie."""
    from dwtsvc.imaging.pixels import CHANNELS_AND_DEPTH

    channels, depth = CHANNELS_AND_DEPTH[image.mode]
    line = math.ceil(image.width * channels * depth / 8)
    return Raster(width=image.width, height=image.height, channels=channels, depth=depth, bytes_per_line=line, dpi=dpi)


def as_it_is(file: bytes, unstated_dpi: float, *, max_pixels: int | None = None) -> Picture | None:
    """The bytes of a JPEG that every reader shows the same way, upright; None for anything else.

    It is decoded once: damage is told now, not when it is shown. Raises BadInput.
    """
    from dwtsvc.imaging import codecs
    from dwtsvc.imaging.streams import jpeg_header

    if file[:3] != JPEG_MARK:
        return None
    try:
        header = jpeg_header(file)
    except BadInput:
        return None
    image = codecs.decode(io.BytesIO(file), max_pixels=max_pixels or codecs.MAX_PIXELS)
    if image.size != (header.width, header.height) or image.mode not in ("L", "RGB"):
        return None  # it lies on its side, or has other colours than a page
    raster = raster_of(image, codecs.dpi_of(image) or unstated_dpi)
    return Picture(encoding=Encoding.JPEG, raster=raster, content=file)


def of_file(file: bytes, unstated_dpi: float, *, max_pixels: int | None = None) -> Picture:
    """The first picture of an image file: a JPEG as it is, anything else as PNG. Raises BadInput."""
    from dwtsvc.imaging import codecs

    if whole := as_it_is(file, unstated_dpi, max_pixels=max_pixels):
        return whole
    image = codecs.decode(io.BytesIO(file), max_pixels=max_pixels or codecs.MAX_PIXELS)
    return lossless(image, codecs.dpi_of(image) or unstated_dpi)


def lossless(image: Image, dpi: float) -> Picture:
    """An image as PNG, every bit of it."""
    from dwtsvc.imaging import codecs
    from dwtsvc.imaging.pixels import plain

    image = plain(image)
    file = io.BytesIO()
    codecs.encode(image, "png", file, dpi=dpi)
    return Picture(encoding=Encoding.PNG, raster=raster_of(image, dpi), content=file.getvalue())


def lossy(image: Image, dpi: float, quality: int) -> Picture:
    """Gray and colour as JPEG; black and white stays lossless."""
    from dwtsvc.imaging import codecs
    from dwtsvc.imaging.pixels import plain, to_8bit

    if image.mode == "1":
        return lossless(image, dpi)
    image = to_8bit(plain(image))
    file = io.BytesIO()
    codecs.encode(image, "jpeg", file, dpi=dpi, quality=quality)
    return Picture(encoding=Encoding.JPEG, raster=raster_of(image, dpi), content=file.getvalue())


def load(
    encoding: Encoding, raster: Raster, content: bytes, *, gray: bool = False, least_dpi: float = 0.0
) -> tuple[Image, float]:
    """A stored page as an image, and its dpi.

    With `gray` it may come in gray, and in as few of its pixels as leave `least_dpi`, where that is quicker to decode.
    """
    from dwtsvc.imaging import codecs

    if encoding is Encoding.RAW:
        return codecs.Canvas().load(raster, content), raster.dpi
    if encoding is Encoding.JPEG and gray:
        with codecs.opened(io.BytesIO(content)) as image:
            dpi = codecs.draft_gray(image, raster.dpi, least_dpi)
            image.load()
            return image, dpi or raster.dpi
    return codecs.decode(io.BytesIO(content)), raster.dpi
