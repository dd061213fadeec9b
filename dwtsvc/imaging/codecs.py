"""From a page's raw rows or an image to one encoded file, and back: jpeg, png, tiff, bmp, webp, pdf."""

from __future__ import annotations

import errno
import math
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from dwtsvc.errors import BadArguments, BadInput, DiskFull, FileAccess, InvalidOutput
from dwtsvc.imaging import jpeg
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.imaging.pixels import CHANNELS_AND_DEPTH, bare, image_bands, plain, to_8bit
from dwtsvc.imaging.png import SMALL_BAND, write_png
from dwtsvc.imaging.rows import Rows, page_bytes, raw_bands
from dwtsvc.imaging.streams import jpeg_header, least_bytes
from dwtsvc.imaging.tiff import TiffWriter
from dwtsvc.model import Raster
from dwtsvc.suffixes import FORMATS

DEEP = frozenset({"png", "tiff"})  # keep 16 bits a sample
LONGEST_SIDE = {"jpeg": jpeg.LONGEST_SIDE, "webp": 16_383}

READABLE = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM")
MAX_PIXELS = 400_000_000
PLUGINS = (TiffImagePlugin, WebPImagePlugin)  # the two Pillow does not load by itself when formats are named
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    ArithmeticError,
    LookupError,
    TypeError,
    struct.error,
    Image.DecompressionBombError,
)

# Pillow's guard counts for the whole process and warns at 89 million pixels, less than A3 at 1200 dpi. It is raised,
# not removed: `decode` checks its own budget from the header before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, MAX_PIXELS)

EXIF_DPI_TAGS = (0x011A, 0x011B)
EXIF_UNIT_TAG, EXIF_INCH = 0x0128, 2


class Canvas:
    """One reusable image for decoding raw rows: the pages of a batch share one allocation instead of 35 MB each.

    The image of one `load` is overwritten by the next. A canvas belongs to one thread.
    """

    def __init__(self) -> None:
        self._image: Image.Image | None = None

    def load(self, raster: Raster, rows: Rows) -> Image.Image:
        """Raw rows as an image in mode 1, L, I;16 or RGB (16-bit colour by its high bytes).

        `rows` hold at least height * bytes_per_line bytes, else PageDamaged.
        """
        mode, rawmode = _modes(raster)
        page_bytes(raster, rows)
        image = self._blank(mode, (raster.width, raster.height or 0))
        image.frombytes(rows, "raw", rawmode, raster.bytes_per_line, 1)  # type: ignore[arg-type]
        return image

    def _blank(self, mode: str, size: tuple[int, int]) -> Image.Image:
        if self._image is None or self._image.mode != mode or self._image.size != size:
            self._image = None  # before the new one, so that two large images never coexist
            self._image = Image.new(mode, size)
        return self._image


def _modes(raster: Raster) -> tuple[str, str]:
    modes = {
        (1, 1): ("1", "1;I"),
        (1, 8): ("L", "L"),
        (1, 16): ("I;16", "I;16N"),
        (3, 8): ("RGB", "RGB"),
        (3, 16): ("RGB", "RGB;16N"),
    }
    try:
        return modes[raster.channels, raster.depth]
    except KeyError:
        raise BadInput(f"A page of {raster.channels} channels of {raster.depth} bits is not supported") from None


def encode_rows(
    raster: Raster,
    rows: Rows,
    format: str,
    file: BinaryIO,
    *,
    canvas: Canvas,
    dpi: float | None = None,
    quality: int = 75,
    tiff_compression: str = "auto",
) -> None:
    """Write one raw page as one file; see `encode`. PNG and TIFF keep every bit of 16-bit pages."""
    dpi = raster.dpi if dpi is None else dpi
    if raster.depth == 16 and format == "png":
        encode_rows_png(raster, rows, file, dpi=dpi)
    elif raster.depth == 16 and format == "tiff":
        with TiffWriter(file) as writer:
            writer.add_rows(raster, rows, dpi=dpi, compression=tiff_compression)
    else:
        image = canvas.load(raster, rows)
        encode(image, format, file, dpi=dpi, quality=quality, tiff_compression=tiff_compression)


def encode_rows_png(raster: Raster, rows: Rows, file: BinaryIO, *, dpi: float | None = None) -> None:
    """Write raw rows of 8 or 16 bits as a PNG, exactly; 48-bit colour is what Pillow cannot hold."""
    if raster.depth == 1:
        raise BadArguments("Lineart rows become a PNG through an image", hint="Call encode_rows.")
    write_png(
        file,
        raw_bands(raster, rows, SMALL_BAND),
        width=raster.width,
        height=raster.height or 0,
        channels=raster.channels,
        depth=raster.depth,
        dpi=raster.dpi if dpi is None else dpi,
    )


def encode(
    image: Image.Image,
    format: str,
    file: BinaryIO,
    *,
    dpi: float,
    quality: int = 75,
    tiff_compression: str = "auto",
) -> None:
    """Write one page to a file open for writing and empty; `dpi` 0 means unknown, `quality` is 1..100.

    Give a real file, opened "w+b": with a file descriptor Pillow's JPEG encoder releases the GIL (measured: two threads
    1.9 times as fast as one; with BytesIO 1.0), and a file that can be read back is checked to be whole. TIFF seeks.
    JPEG turns lineart into gray. JPEG, BMP, WebP and PDF take the high bytes of 16-bit gray; PNG and TIFF keep all.
    WebP keeps lineart lossless; a PDF page is JPEG of that quality, or G4 for lineart.
    """
    if format not in FORMATS:
        raise BadArguments(f"There is no format '{format}'", hint=f"Choose one of: {', '.join(FORMATS)}.")
    if not 1 <= quality <= 100:
        raise BadArguments(f"The quality cannot be {quality}", hint="Choose a number from 1 to 100.")
    _refuse_too_long(image, format)
    image = plain(image) if format in DEEP else to_8bit(plain(image))
    if format == "png":
        _encode_png(image, file, dpi)
        return
    image = bare(image)
    if format == "tiff":
        with TiffWriter(file) as writer:
            writer.add_image(image, dpi=dpi, compression=tiff_compression)
    elif format == "pdf":
        _encode_pdf(image, file, dpi, quality)
    else:
        _encode_with_pillow(image, format, file, dpi, quality)


def _refuse_too_long(image: Image.Image, format: str) -> None:
    longest = LONGEST_SIDE.get(format)
    if longest and max(image.size) > longest:
        raise InvalidOutput(
            f"A {format} file holds at most {longest} pixels a side, the page has {image.width} x {image.height}",
            hint="Write png, tiff or pdf, or scan at a lower resolution.",
        )


def _encode_png(image: Image.Image, file: BinaryIO, dpi: float) -> None:
    channels, depth = CHANNELS_AND_DEPTH[image.mode]
    width, height = image.size
    write_png(file, image_bands(image), width=width, height=height, channels=channels, depth=depth, dpi=dpi)


def _encode_pdf(image: Image.Image, file: BinaryIO, dpi: float, quality: int) -> None:
    with PdfWriter(file) as writer:
        if image.mode == "1":
            writer.add_image(image, dpi=dpi)
            return
        with tempfile.TemporaryFile() as encoded:
            encode(image, "jpeg", encoded, dpi=dpi, quality=quality)
            encoded.seek(0)
            writer.add_jpeg(encoded.read(), dpi=dpi)


def _encode_with_pillow(image: Image.Image, format: str, file: BinaryIO, dpi: float, quality: int) -> None:
    options: dict[str, Any] = {"dpi": (dpi, dpi)} if dpi > 0 else {}
    if format == "jpeg":
        image = image.convert("L") if image.mode == "1" else image
        options["quality"] = quality
    elif format == "webp":
        options = {"quality": quality, "lossless": image.mode == "1", "exif": _exif(dpi)}
        image = image.convert("L") if image.mode == "1" else image
    image.save(file, format.upper(), **options)
    if format == "jpeg":
        _check_end(file)


def _check_end(file: BinaryIO) -> None:
    """Pillow does not notice a short write to a descriptor, so a disk that fills up would leave half a page unsaid."""
    try:
        descriptor = file.fileno()
        last = os.pread(descriptor, 2, max(0, os.lseek(descriptor, 0, os.SEEK_CUR) - 2))
    except (OSError, AttributeError):  # a pipe, a buffer, or open for writing only
        return
    if last != b"\xff\xd9":
        raise DiskFull(
            "A page could not be written whole", why=os.strerror(errno.ENOSPC), hint="Make room, or write elsewhere."
        )


def _exif(dpi: float) -> bytes:
    """WebP has no field for dpi of its own; EXIF is where readers look."""
    if dpi <= 0:
        return b""
    exif = Image.Exif()
    for tag in EXIF_DPI_TAGS:
        exif[tag] = dpi
    exif[EXIF_UNIT_TAG] = EXIF_INCH
    return exif.tobytes()


def decode(path_or_file: str | os.PathLike[str] | BinaryIO, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The first page of an image file, decoded whole and upright as its EXIF says.

    The budget is checked from the header, before any pixel is decoded. BadInput for files that are unknown, truncated,
    damaged or too large; FileAccess for one that cannot be read.
    """
    with opened(path_or_file, max_pixels=max_pixels) as image:
        image.load()
        return ImageOps.exif_transpose(image)


def draft_gray(image: Image.Image, dpi: float | None, least_dpi: float) -> float | None:
    """Have a JPEG decoded to gray, with a half, a quarter or an eighth of its sides if that leaves `least_dpi`.

    For an image that was just opened; what is no JPEG stays as it is. The dpi it has then.
    """
    width, share = image.width, min(1.0, least_dpi / dpi) if dpi and least_dpi else 1.0
    image.draft("L", (math.ceil(width * share), math.ceil(image.height * share)))
    return dpi * image.width / width if dpi else None


@contextmanager
def opened(
    path_or_file: str | os.PathLike[str] | BinaryIO,
    *,
    max_pixels: int = MAX_PIXELS,
    formats: tuple[str, ...] = READABLE,
) -> Iterator[Image.Image]:
    """An image file of which only the header was read, with a size within the budget; errors as of `decode`.

    What Pillow raises inside the `with` becomes BadInput too: decode there, and do nothing else.
    """
    name = _name_of(path_or_file)
    try:
        image = Image.open(path_or_file, formats=formats)
    except UnidentifiedImageError as error:
        readable = "jpeg, png, tiff, bmp, webp, gif, pnm"
        raise BadInput(f"'{name}' is no image that can be read", hint=f"Readable are: {readable}.") from error
    except DAMAGE as error:
        raise _unreadable(name, error) from error
    with image:
        check_size(name, image.size, max_pixels)
        _check_filled(name, image)
        try:
            yield image
        except DAMAGE as error:
            raise BadInput(f"'{name}' is damaged or cut short", why=str(error)) from error


def check_size(name: str, size: tuple[int, int], max_pixels: int) -> None:
    """Raise BadInput where a picture has more pixels than it may."""
    if size[0] * size[1] > max_pixels:
        why = f"{size[0]} x {size[1]} pixels, the limit is {max_pixels:,} in all"
        raise BadInput(f"'{name}' is too large", why=why)


def _check_filled(name: str, image: Image.Image) -> None:
    """Raise BadInput where a JPEG has too few bytes for the size that it states. libjpeg paints what is not there gray,
    with a warning that Pillow does not pass on."""
    file = getattr(image, "fp", None)
    if image.format != "JPEG" or file is None:
        return
    at, size = file.tell(), file.seek(0, os.SEEK_END)
    file.seek(0)
    # Only one that could be is read, and it is small.
    if size * 512 < image.width * image.height and _is_hollow(file.read()):
        why = f"{size:,} bytes cannot hold {image.width} x {image.height} pixels"
        raise BadInput(f"'{name}' is damaged or cut short", why=why)
    file.seek(at)


def _is_hollow(data: bytes) -> bool:
    try:
        return len(data) < least_bytes(jpeg_header(data))
    except BadInput:  # coded in a way of which nothing is known
        return False


def _name_of(path_or_file: str | os.PathLike[str] | BinaryIO) -> str:
    if isinstance(path_or_file, (str, os.PathLike)):
        return os.fspath(path_or_file)
    return str(getattr(path_or_file, "name", "the image"))


def _unreadable(name: str, error: BaseException) -> BadInput | FileAccess:
    if isinstance(error, OSError) and error.errno is not None:
        return FileAccess(f"'{name}' cannot be read", why=error.strerror or str(error))
    if isinstance(error, Image.DecompressionBombError):
        return BadInput(f"'{name}' is too large", why=str(error))
    return BadInput(f"'{name}' is damaged or cut short", why=str(error))


def dpi_of(image: Image.Image) -> float | None:
    """The resolution an image file said it has, or None when it said nothing believable."""
    try:
        across = float(image.info["dpi"][0])
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError):
        return None
    return across if 10 <= across <= 20_000 else None
