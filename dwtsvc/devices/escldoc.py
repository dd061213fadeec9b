"""Documents of an eSCL scanner as pages: JPEG and PNG byte for byte as they come, PDF page by page.

A PDF's page that is one JPEG is that JPEG, byte for byte; any other page is drawn.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dwtsvc.devices.driver import Frame, PageEnd, PageStart, Strip
from dwtsvc.errors import BadArguments, BadInput, DriverError, DwtsvcError, IncompletePage
from dwtsvc.model import Encoding, Mode, Raster

if TYPE_CHECKING:
    from PIL import Image

MOST_HEADER = 1 << 20  # bytes before the size of a picture is known: profiles and previews lie there
TAIL = 4096  # bytes at the end in which the mark of a picture's end lies: some scanners pad
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_PDF = b"%PDF-"
_ENDS = {Encoding.JPEG: b"\xff\xd9", Encoding.PNG: b"IEND\xaeB`\x82"}
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 1, 6: 3}  # by colour type; transparency is no channel of a page


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What was ordered, which documents do not tell reliably, and how many pages of one job came before."""

    resolution: int
    mode: Mode
    duplex: bool = False
    before: int = 0

    def back(self, index: int) -> bool:
        return self.duplex and (self.before + index) % 2 == 1


def frames(pieces: Iterator[bytes], ordered: Ordered) -> Iterator[Frame]:
    """The pages of one document. Raises DriverError for what is none, IncompletePage for one that ends early."""
    begun = bytearray()
    while len(begun) < len(_PNG) and (piece := next(pieces, b"")):
        begun += piece
    if begun.startswith(_PDF):
        yield from _of_pdf(begun, pieces, ordered)
    elif begun.startswith((_JPEG, _PNG)):
        yield from _of_picture(begun, pieces, ordered)
    elif not begun:
        raise IncompletePage("The scanner sent an empty page", hint="Scan the page again.")
    else:
        raise DriverError("The scanner sent what is no page", why=f"it begins with {bytes(begun[:16])!r}")


def _of_picture(begun: bytearray, pieces: Iterator[bytes], ordered: Ordered) -> Iterator[Frame]:
    encoding = Encoding.PNG if begun.startswith(_PNG) else Encoding.JPEG
    yield PageStart(raster=_header(begun, pieces, encoding, ordered), back=ordered.back(0), encoding=encoding)
    tail = bytes(begun[-TAIL:])
    yield Strip(bytes(begun))
    for piece in pieces:
        yield Strip(piece)
        tail = (tail + piece)[-TAIL:]
    if _ENDS[encoding] not in tail:
        raise IncompletePage(
            "The page ended early", why=f"the {encoding} that the scanner sent has no end", hint="Scan the page again."
        )
    yield PageEnd()


def _header(begun: bytearray, pieces: Iterator[bytes], encoding: Encoding, ordered: Ordered) -> Raster:
    """Read on until the size of the picture is known."""
    read = _png_raster if encoding is Encoding.PNG else _jpeg_raster
    while True:
        try:
            return _checked(read(begun, ordered.resolution))
        except BadInput as error:
            piece = next(pieces, b"") if len(begun) < MOST_HEADER else b""
            if not piece:
                why = f"{error.why or error.what}"
                raise IncompletePage(f"The scanner sent a broken {encoding}", why=why) from error
            begun += piece


def _jpeg_raster(data: bytearray, dpi: float) -> Raster:
    from dwtsvc.imaging.streams import jpeg_raster

    return jpeg_raster(data, dpi)


def _png_raster(data: bytearray, dpi: float) -> Raster:
    if len(data) < 26 or data[12:16] != b"IHDR":
        raise BadInput("This is no PNG", why="it has no header")
    width, height, bits, colours = struct.unpack_from(">IIBB", data, 16)
    channels = _PNG_CHANNELS.get(colours, 0)
    depth = 16 if bits == 16 else 1 if (bits, colours) == (1, 0) else 8
    line = (width * channels * depth + 7) // 8
    return Raster(width=width, height=height, channels=channels, depth=depth, bytes_per_line=line, dpi=dpi)


def _checked(raster: Raster) -> Raster:
    from dwtsvc.imaging.codecs import MAX_PIXELS

    pixels = raster.width * (raster.height or 0)
    if raster.channels not in (1, 3) or not 0 < pixels <= MAX_PIXELS:
        why = f"{raster.width} x {raster.height} pixels of {raster.channels} colours"
        raise DriverError("The scanner sent a page that cannot be", why=why, hint="Scan at a lower resolution.")
    return raster


def _of_pdf(begun: bytearray, pieces: Iterator[bytes], ordered: Ordered) -> Iterator[Frame]:
    from dwtsvc.imaging.pdfread import Pages

    for piece in pieces:
        begun += piece
    try:
        with Pages(bytes(begun)) as document:
            for index in range(len(document)):
                yield from _of_pdf_page(document, index, ordered)
    except (BadInput, BadArguments) as error:
        raise IncompletePage("The scanner sent a broken PDF", why=error.why or error.what) from error
    except DwtsvcError as error:
        if isinstance(error, DriverError):
            raise
        raise DriverError("The scanner sent a PDF that cannot be read", why=str(error)) from error


def _of_pdf_page(document: object, index: int, ordered: Ordered) -> Iterator[Frame]:
    from dwtsvc.imaging.pdfread import Pages

    assert isinstance(document, Pages)
    back = ordered.back(index)
    if jpeg := document.embedded_jpeg(index):
        raster = _checked(_jpeg_raster(bytearray(jpeg), ordered.resolution))
        yield PageStart(raster=raster, back=back, encoding=Encoding.JPEG)
        yield Strip(jpeg)
    else:
        drawn = document.image(index, ordered.resolution, gray=ordered.mode is not Mode.COLOR)
        raster, rows = _rows(drawn, ordered)
        yield PageStart(raster=raster, back=back)
        yield Strip(rows)
    yield PageEnd()


def _rows(drawn: Image.Image, ordered: Ordered) -> tuple[Raster, bytes]:
    lineart = ordered.mode is Mode.LINEART
    channels, depth = (3 if drawn.mode == "RGB" else 1), (1 if lineart else 8)
    if lineart:
        drawn = drawn.point(lambda level: 0 if level < 128 else 255).convert("1")
    rows = drawn.tobytes("raw", "1;I") if lineart else drawn.tobytes()
    line = (drawn.width * channels * depth + 7) // 8
    raster = Raster(
        width=drawn.width,
        height=drawn.height,
        channels=channels,
        depth=depth,
        bytes_per_line=line,
        dpi=ordered.resolution,
    )
    return raster, rows
