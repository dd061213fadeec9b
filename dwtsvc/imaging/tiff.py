"""A multi-page TIFF written page by page: memory stays flat, and a JPEG page goes in byte for byte."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from types import TracebackType
from typing import BinaryIO, Self

from PIL import Image, ImageChops

from dwtsvc.errors import BadArguments, BadInput, InvalidOutput
from dwtsvc.imaging.pixels import CHANNELS_AND_DEPTH, bytes_view, image_bands, plain
from dwtsvc.imaging.rows import Rows, page_bytes, raw_bands, row_bytes, rows_in_band
from dwtsvc.imaging.streams import FAX, Jpeg, JpegHeader, encode_fax, encode_lzw, encode_packbits, jpeg_header
from dwtsvc.model import Raster

COMPRESSIONS = ("auto", "g4", "lzw", "deflate", "none", "g3", "rle", "packbits")
CODES = {"none": 1, "rle": 2, "g3": 3, "g4": 4, "lzw": 5, "jpeg": 7, "deflate": 8, "packbits": 32_773}
DEFLATE_LEVEL = 3

LIMIT = 2**32 - 1  # TIFF counts bytes in 32 bits
ENDIAN, MAGIC = ("<", b"II*\0") if sys.byteorder == "little" else (">", b"MM\0*")

ASCII, SHORT, LONG, RATIONAL = 2, 3, 4, 5
LETTERS = {SHORT: "H", LONG: "I", RATIONAL: "I"}

MIN_IS_WHITE, MIN_IS_BLACK, RGB, YCBCR = 0, 1, 2, 6
Tags = dict[int, tuple[int, list[int] | bytes]]
NO_TAGS: Tags = {}
PREDICTED: Tags = {317: (SHORT, [2])}


@dataclass(frozen=True, slots=True)
class _Kind:
    width: int
    height: int
    channels: int
    depth: int
    photometric: int
    compression: str
    dpi: float


class TiffWriter:
    """Pages into one seekable binary file that is empty; `dpi` 0 means unknown. Close it, or use it as a context.

    A page that does not fit raises InvalidOutput and leaves the pages before it readable.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = 0
        self._next_link = 4  # where the offset of the next directory is to be written
        self.pages = 0
        self._append(MAGIC + bytes(4))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def add_image(self, image: Image.Image, *, dpi: float, compression: str = "auto") -> None:
        """Add an image losslessly; auto is g4 for 1 bit and deflate for the rest. g4, g3 and rle need a 1-bit image."""
        image = plain(image)
        channels, depth = CHANNELS_AND_DEPTH[image.mode]
        name = _chosen(compression, depth)
        kind = _Kind(*image.size, channels, depth, RGB if channels == 3 else MIN_IS_BLACK, name, dpi)
        if name in FAX:
            self._page(replace(kind, photometric=MIN_IS_WHITE), [encode_fax(image, name)], kind.height)
        else:
            self._packed(kind, image_bands(image))

    def add_rows(self, raster: Raster, rows: Rows, *, dpi: float | None = None, compression: str = "auto") -> None:
        """Add raw rows as `raster` describes them, every bit kept (16-bit colour too)."""
        page_bytes(raster, rows)
        name = _chosen(compression, raster.depth)
        size = raster.width, raster.height or 0
        dpi = raster.dpi if dpi is None else dpi
        if name in FAX:
            image = Image.frombytes("1", size, rows, "raw", "1;I", raster.bytes_per_line, 1)  # type: ignore[arg-type]
            self.add_image(image, dpi=dpi, compression=name)
            return
        gray = MIN_IS_WHITE if raster.depth == 1 else MIN_IS_BLACK
        photometric = RGB if raster.channels == 3 else gray
        kind = _Kind(*size, raster.channels, raster.depth, photometric, name, dpi)
        self._packed(kind, raw_bands(raster, rows))

    def add_jpeg(self, data: Jpeg, *, dpi: float | None = None) -> None:
        """Add a gray or colour JPEG untouched, as one strip; dpi None takes what the JPEG says of itself."""
        header = jpeg_header(data)
        if header.components == 4:
            raise BadInput("A CMYK JPEG cannot go into a TIFF as it is", hint="Convert it to RGB first.")
        photometric, extra = _jpeg_colours(header)
        dpi = header.dpi or 0.0 if dpi is None else dpi
        kind = _Kind(header.width, header.height, header.components, 8, photometric, "jpeg", dpi)
        self._page(kind, [data], header.height, extra)

    def close(self) -> None:
        """Flush; InvalidOutput if there is no page, because a TIFF must have one. The file itself stays open."""
        if not self.pages:
            raise InvalidOutput("A TIFF needs at least one page")
        self._file.seek(self._end)
        self._file.truncate()
        self._file.flush()

    def _packed(self, kind: _Kind, bands: Iterable[bytes | memoryview]) -> None:
        line = row_bytes(kind.width, kind.channels, kind.depth)
        compress = COMPRESS[kind.compression]
        if kind.depth == 8 and kind.compression in ("lzw", "deflate"):
            bands, extra = (_differences(band, line, kind.channels) for band in bands), PREDICTED
        else:
            extra = {}
        self._page(kind, (compress(band, line) for band in bands), rows_in_band(line), extra)

    def _page(self, kind: _Kind, strips: Iterable[Jpeg], rows_per_strip: int, extra: Tags = NO_TAGS) -> None:
        start = self._end
        try:
            places = [(self._append(strip), len(strip)) for strip in strips]
            layout: Tags = {
                273: (LONG, [offset for offset, _ in places]),
                278: (LONG, [min(rows_per_strip, kind.height)]),
                279: (LONG, [count for _, count in places]),
                297: (SHORT, [min(self.pages, 0xFFFF), 0]),
            }
            self._directory({**_tags(kind), **layout, **extra})
        except BaseException:
            self._end = start  # the next page may have the room: nothing links to those bytes
            raise

    def _directory(self, tags: Tags) -> None:
        """Append the directory, then link it: until the last write the file is the TIFF it was before."""
        entries, values = b"", b""
        start = self._end + self._end % 2
        values_at = start + 2 + 12 * len(tags) + 4
        for tag, (kind, value) in sorted(tags.items()):
            packed = value if isinstance(value, bytes) else struct.pack(f"{ENDIAN}{len(value)}{LETTERS[kind]}", *value)
            count = len(value) // 2 if kind == RATIONAL else len(value)
            entries += struct.pack(f"{ENDIAN}HHI", tag, kind, count)
            if len(packed) > 4:
                entries += struct.pack(f"{ENDIAN}I", (values_at + len(values)) & LIMIT)
                values += packed + bytes(len(packed) % 2)
            else:
                entries += packed.ljust(4, b"\0")
        body = struct.pack(f"{ENDIAN}H", len(tags)) + entries + bytes(4) + values
        self._append(bytes(start - self._end) + body)
        self._file.seek(self._next_link)
        self._file.write(struct.pack(f"{ENDIAN}I", start))
        self._next_link = values_at - 4
        self.pages += 1

    def _append(self, data: Jpeg) -> int:
        offset = self._end
        if offset + len(data) > LIMIT:
            raise InvalidOutput(
                f"Page {self.pages + 1} does not fit: a TIFF cannot be larger than 4 GiB",
                hint="Write a PDF, or several files (a file name with {n}), or compress with g4 or JPEG.",
            )
        self._file.seek(offset)
        self._file.write(data)
        self._end = offset + len(data)
        return offset


def _tags(kind: _Kind) -> Tags:
    return {
        254: (LONG, [2]),  # one page of several
        256: (LONG, [kind.width]),
        257: (LONG, [kind.height]),
        258: (SHORT, [kind.depth] * kind.channels),
        259: (SHORT, [CODES[kind.compression]]),
        262: (SHORT, [kind.photometric]),
        277: (SHORT, [kind.channels]),
        **_resolution(kind.dpi),
        284: (SHORT, [1]),
        305: (ASCII, b"dwtsvc\0"),
    }


def _chosen(compression: str, depth: int) -> str:
    if compression not in COMPRESSIONS:
        raise BadArguments(
            f"TIFF has no compression '{compression}'", hint=f"Choose one of: {', '.join(COMPRESSIONS)}."
        )
    if compression == "auto":
        return "g4" if depth == 1 else "deflate"
    if compression in FAX and depth != 1:
        raise BadArguments(
            f"{compression} holds black and white pages only", hint="Choose lzw, deflate or none, or scan lineart."
        )
    return compression


def _differences(band: bytes | memoryview, line: int, channels: int) -> bytes:
    """TIFF's horizontal predictor: each sample minus its left neighbour. Nearly halves LZW of a real scan."""
    image = bytes_view(band, line)
    left = Image.new("L", image.size)
    left.paste(image.crop((0, 0, line - channels, image.height)), (channels, 0))
    return ImageChops.subtract_modulo(image, left).tobytes()


def _resolution(dpi: float) -> Tags:
    ratio = Fraction(dpi).limit_denominator(10_000) if dpi > 0 else Fraction(1)
    value = [ratio.numerator, ratio.denominator]
    return {282: (RATIONAL, value), 283: (RATIONAL, value), 296: (SHORT, [2 if dpi > 0 else 1])}


def _jpeg_colours(header: JpegHeader) -> tuple[int, Tags]:
    """Photometric interpretation and the tags a reader needs to trust the stream."""
    if header.components == 1:
        return MIN_IS_BLACK, {}
    if header.is_rgb:
        return RGB, {}
    luma, *chroma = header.sampling
    if any(pair != chroma[0] for pair in chroma) or luma[0] % chroma[0][0] or luma[1] % chroma[0][1]:
        raise BadInput("The JPEG's colour sampling cannot be described in a TIFF", why=str(header.sampling))
    factors = [luma[0] // chroma[0][0], luma[1] // chroma[0][1]]
    black_white = [0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1]
    return YCBCR, {530: (SHORT, factors), 531: (SHORT, [1]), 532: (RATIONAL, black_white)}


COMPRESS: dict[str, Callable[[bytes | memoryview, int], Jpeg]] = {
    "none": lambda band, line: bytes(band),
    "lzw": encode_lzw,
    "packbits": encode_packbits,
    "deflate": lambda band, line: zlib.compress(band, DEFLATE_LEVEL),
}
