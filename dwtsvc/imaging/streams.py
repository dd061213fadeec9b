"""Compressed streams as containers hold them: the header of a JPEG, and CCITT group 4 and LZW made by libtiff."""

from __future__ import annotations

import io
from dataclasses import dataclass
from mmap import mmap

from PIL import Image

from dwtsvc.errors import BadInput
from dwtsvc.imaging.pixels import bare, bytes_view
from dwtsvc.model import Raster

Jpeg = bytes | bytearray | memoryview | mmap

STANDALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive: what PDF and TIFF readers know
OTHER_FRAMES = {0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
MOST_SEGMENTS = 10_000

STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_BYTE_COUNTS, FILL_ORDER = 273, 278, 279, 266
PHOTOMETRIC, TIFF_ORIENTATION = 262, 274
FAX = {"g4": "group4", "g3": "group3", "rle": "tiff_ccitt"}  # black and white only; as Pillow names them


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegHeader:
    """What a JPEG says of itself before its pixels.

    `sampling` is the (horizontal, vertical) factor of each component; `transform` is Adobe's colour transform
    (0: as stored, 1: YCbCr, 2: YCCK) or None without an Adobe marker.
    """

    width: int
    height: int
    components: int
    dpi: float | None
    sampling: tuple[tuple[int, int], ...]
    transform: int | None
    names: bytes

    @property
    def is_rgb(self) -> bool:
        """Three components stored as RGB, by the same rule libjpeg uses."""
        return self.components == 3 and (self.transform == 0 or (self.transform is None and self.names == b"RGB"))


def jpeg_header(data: Jpeg) -> JpegHeader:
    """Read the markers up to the frame header; BadInput for anything a PDF or TIFF reader could not decode."""
    dpi: float | None = None
    transform: int | None = None
    position = _start(data)
    for _ in range(MOST_SEGMENTS):
        marker, body, position = _segment(data, position)
        if marker == 0xE0 and body[:5] == b"JFIF\0" and len(body) >= 12:
            dpi = _density(body)
        elif marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            transform = body[11]
        elif marker in FRAMES:
            return _frame(body, dpi, transform)
        elif marker in OTHER_FRAMES:
            raise _not_jpeg("a lossless, hierarchical or arithmetic-coded JPEG")
        elif marker in (0xD9, 0xDA):
            break
    raise _not_jpeg("it has no frame header")


def jpeg_raster(data: Jpeg, dpi: float) -> Raster:
    """The rows that a JPEG holds, by its header. Raises BadInput."""
    header = jpeg_header(data)
    return Raster(
        width=header.width,
        height=header.height,
        channels=header.components,
        depth=8,
        bytes_per_line=header.width * header.components,
        dpi=dpi,
    )


def least_bytes(header: JpegHeader) -> int:
    """The fewest bytes that coded data of such a JPEG can have: a bit for each block of the component that has most."""
    most = max(across for across, _ in header.sampling), max(down for _, down in header.sampling)
    blocks = -(-header.width // 8) * -(-header.height // 8) if most in header.sampling else 0
    return blocks // 8


def _start(data: Jpeg) -> int:
    if bytes(data[:3]) != b"\xff\xd8\xff":
        raise _not_jpeg("it does not begin as one")
    return 2


def _segment(data: Jpeg, position: int) -> tuple[int, bytes, int]:
    """(marker, body, position of the next); fill bytes before a marker are skipped."""
    size = len(data)
    if position >= size or data[position] != 0xFF:
        raise _not_jpeg(f"no marker at byte {position}")
    while position < size and data[position] == 0xFF:
        position += 1
    if position >= size:
        raise _not_jpeg("it ends in its header")
    marker, position = data[position], position + 1
    if marker in STANDALONE or marker == 0xD9:
        return marker, b"", position
    end = position + int.from_bytes(data[position : position + 2], "big")
    if end < position + 2 or end > size:
        raise _not_jpeg("it ends in its header")
    return marker, bytes(data[position + 2 : end]), end


def _density(body: bytes) -> float | None:
    unit, across = body[7], int.from_bytes(body[8:10], "big")
    if not across or unit not in (1, 2):
        return None
    return float(across) if unit == 1 else across * 2.54


def _frame(body: bytes, dpi: float | None, transform: int | None) -> JpegHeader:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise _not_jpeg("its frame header is cut short")
    depth, components = body[0], body[5]
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if depth != 8 or components not in (1, 3, 4):
        raise _not_jpeg(f"{components} components of {depth} bits")
    if not width or not height:
        raise _not_jpeg(f"it says it has {width} x {height} pixels")
    table = body[6 : 6 + 3 * components]
    sampling = tuple((factors >> 4, factors & 15) for factors in table[1::3])
    if not all(1 <= factor <= 4 for pair in sampling for factor in pair):
        raise _not_jpeg("its sampling factors are impossible")
    return JpegHeader(
        width=width,
        height=height,
        components=components,
        dpi=dpi,
        sampling=sampling,
        transform=transform,
        names=table[0::3],
    )


def _not_jpeg(why: str) -> BadInput:
    return BadInput("This is not a JPEG that can be used as it is", why=why)


def encode_g4(image: Image.Image) -> bytes:
    """A 1-bit image as one CCITT group 4 stream, black runs coded as black (TIFF photometric 0, PDF BlackIs1 false)."""
    return encode_fax(image, "g4")


def encode_fax(image: Image.Image, kind: str) -> bytes:
    """The same in an older way, too: a key of FAX.

    Pillow tags its images "1 = white" and libtiff codes set bits as black runs, hence the inversion; by packed bytes,
    because ImageChops.invert takes a white that Pillow holds as 1, not 255, for white again.
    """
    return _strip(Image.frombytes("1", image.size, image.tobytes(), "raw", "1;I", 0, 1), FAX[kind])


def g4_strip(image: Image.Image) -> tuple[int, int, bool] | None:
    """Where in its file, from which byte and how many, the one CCITT group 4 stream of an upright TIFF page lies, and
    whether its black runs are to be shown white, against `encode_g4`. None for everything else.

    `image` is opened and need not be decoded.
    """
    if image.format != "TIFF" or image.info.get("compression") != "group4" or image.mode != "1":
        return None
    tags = image.tag_v2  # type: ignore[attr-defined]
    offsets, counts = tags.get(STRIP_OFFSETS, ()), tags.get(STRIP_BYTE_COUNTS, ())
    usual = tags.get(FILL_ORDER, 1) == 1 and tags.get(TIFF_ORIENTATION, 1) == 1 and len(offsets) == len(counts) == 1
    return (offsets[0], counts[0], tags.get(PHOTOMETRIC) == 1) if usual else None


def encode_lzw(rows: bytes | memoryview, size: int) -> bytes:
    """Whole rows of `size` bytes each as one TIFF LZW strip; what a byte means does not matter to LZW."""
    return _strip(bytes_view(rows, size), "tiff_lzw")


def encode_packbits(rows: bytes | memoryview, size: int) -> bytes:
    """Whole rows of `size` bytes each as one TIFF PackBits strip."""
    return _strip(bytes_view(rows, size), "packbits")


def _strip(image: Image.Image, compression: str) -> bytes:
    """Let libtiff write a TIFF of exactly one strip and take that strip out."""
    buffer = io.BytesIO()
    bare(image).save(buffer, "TIFF", compression=compression, tiffinfo={ROWS_PER_STRIP: image.height})
    with Image.open(buffer) as written:
        tags = written.tag_v2  # type: ignore[attr-defined]
        (offset,), (count,) = tags[STRIP_OFFSETS], tags[STRIP_BYTE_COUNTS]
        assert tags.get(FILL_ORDER, 1) == 1
    return bytes(buffer.getbuffer()[offset : offset + count])
