"""A page's picture in a form in which pages are stored, from an image and back."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dwtsvc.model import Encoding, Raster

if TYPE_CHECKING:
    from PIL.Image import Image


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
