"""The barcodes of a whole file, picture by picture, and a picture with its codes outlined."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from dwtsvc.imaging import barcode
from dwtsvc.imaging.codecs import encode
from dwtsvc.imaging.imagefiles import EVERY, Share, Source, images
from dwtsvc.imaging.pixels import plain, to_8bit
from dwtsvc.model import Barcode

DRAWN_AT = 300.0  # dpi for PDF pages that are not one JPEG: bars of 0.25 mm are 3 pixels wide
OUTLINE, LABEL = (220, 0, 60), (255, 255, 255)
STROKE = 400  # of an image's long side one part is the width of an outline
LABEL_STROKES = 6  # height of a label


class ReadPage(NamedTuple):
    """A picture of a file: its number from 1, its dpi or None where the file tells none, and its codes."""

    number: int
    image: Image.Image
    dpi: float | None
    barcodes: list[Barcode]


def read_pages(
    source: Source,
    *,
    types: Iterable[str] | None = None,
    engine: str = "auto",
    dpi: float = DRAWN_AT,
    gray: bool = True,
    share: Share = EVERY,
    password: str | None = None,
) -> Iterator[ReadPage]:
    """Yield every picture of an image file or PDF with its codes; one picture is in memory at a time.

    `types` and `engine` as for `barcode.read`; `dpi` is for PDF pages that must be drawn, and `gray` for PDF too;
    `share` and `password` as for `imagefiles.images`. Raises what `barcode.read` and `imagefiles.images` raise, when
    the picture concerned is asked for.
    """
    wanted = barcode.checked(types, engine)
    for place, (image, resolution) in enumerate(images(source, dpi=dpi, gray=gray, share=share, password=password)):
        found = barcode.read(image, types=wanted, engine=engine, dpi=resolution)
        yield ReadPage(share[0] + place * share[1] + 1, image, resolution, found)


def drawing(page: ReadPage, format: str) -> bytes:
    """The picture with its codes outlined, as a file of a format of `codecs.encode`."""
    file = io.BytesIO()
    encode(outlined(page.image, page.barcodes), format, file, dpi=page.dpi or 0)
    return file.getvalue()


def outlined(image: Image.Image, codes: Iterable[Barcode]) -> Image.Image:
    """A colour copy of an image, each code framed, with its type beside it and a dot at the code's own top left."""
    shown = to_8bit(plain(image)).convert("RGB").copy()
    pen, width = ImageDraw.Draw(shown), max(2, max(shown.size) // STROKE)
    font = ImageFont.load_default(max(10, LABEL_STROKES * width))
    for code in codes:
        first = code.corners[0]
        pen.line([*code.corners, first], fill=OUTLINE, width=width, joint="curve")
        pen.circle(first, 2 * width, fill=OUTLINE)
        _label(pen, code, font)
    return shown


def _label(pen: ImageDraw.ImageDraw, code: Barcode, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> None:
    """The type of a code below it, or above it where the picture ends below."""
    left, top, bottom = (
        min(x for x, _ in code.corners),
        min(y for _, y in code.corners),
        max(y for _, y in code.corners),
    )
    _, _, width, height = pen.textbbox((0, 0), code.type, font=font)
    margin = height / 4
    at = bottom + margin if bottom + height + 2 * margin <= pen.im.size[1] else top - height - 2 * margin
    pen.rectangle((left, at, left + width + 2 * margin, at + height + margin), fill=OUTLINE)
    pen.text((left + margin, at), code.type, fill=LABEL, font=font)
