"""Files as no scanner makes them, from a seed: bombs, lies, circles, odd kinds of pixels, and mutations of good files.

`KINDS` makes one file each; `mutated` damages what `good` makes by flipped, missing, doubled and foreign bytes.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator

import pikepdf
from PIL import Image

from tests.faults.badpdfs import BAD_PDFS, good_pdfs

Made = tuple[str, bytes]  # a name with its suffix, and what is in the file
WIDE, HIGH = 120, 90


def picture(mode: str = "RGB", size: tuple[int, int] = (WIDE, HIGH)) -> Image.Image:
    gray = Image.linear_gradient("L").resize(size)
    if mode in ("I;16", "I", "F"):
        return gray.convert("I").point(lambda value: value * 257).convert(mode)
    if mode == "RGBA":
        colour = gray.convert("RGB")
        colour.putalpha(gray)
        return colour
    return gray.convert("RGB").convert(mode) if mode not in ("LA", "1", "L") else gray.convert(mode)


def saved(image: Image.Image, format: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **how)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, packed: bytes, *, depth: int = 8, colour: int = 0, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    return b"".join(packer.compress(block) for _ in range(count // 2**20 + 1)) + packer.flush()


def tiff(entries: list[tuple[int, int, int, int]], *, following: int = 0, tail: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory at 8: (tag, type, count, value) each, and where the next directory is."""
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + struct.pack("<I", following) + tail


def plain_tiff(width: int, height: int, *, at: int = 200, count: int = 64, following: int = 0) -> bytes:
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, 1, at), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, count)]
    return tiff(entries, following=following, tail=bytes(400))


def sized_jpeg(width: int, height: int) -> bytes:
    data = saved(picture(), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def turned_jpeg(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(picture(), "JPEG", exif=exif.tobytes())


def deep_png() -> bytes:
    rows = b"".join(b"\0" + bytes(range(60)) for _ in range(10))
    return png(10, 10, zlib.compress(rows), depth=16, colour=2)


def lying_webp() -> bytes:
    data = bytearray(saved(picture(), "WEBP", lossless=True))
    data[21:25] = b"\xff\xff\xff\x0f"  # 16384 x 16384
    return bytes(data)


def many_directories(count: int = 1100) -> bytes:
    one = plain_tiff(8, 8)[8:]
    size = len(one)
    parts = [b"II*\0" + struct.pack("<I", 8)]
    for number in range(count):
        following = 8 + (number + 1) * size if number + 1 < count else 0
        body = bytearray(one)
        body[2 + 9 * 12 : 6 + 9 * 12] = struct.pack("<I", following)
        parts.append(bytes(body))
    return b"".join(parts)


BAD_IMAGES: dict[str, Callable[[], bytes]] = {
    "empty.png": lambda: b"",
    "bomb-too-large.png": lambda: png(60_000, 60_000, zeros(2**22), depth=1),
    "bomb-shows-less.png": lambda: png(8, 8, zeros(2**26)),
    "bomb-in-text.png": lambda: png(
        8, 8, zlib.compress(bytes(72)), extra=chunk(b"zTXt", b"Comment\0\0" + zeros(2**26))
    ),
    "bomb-in-profile.png": lambda: png(8, 8, zlib.compress(bytes(72)), extra=chunk(b"iCCP", b"a\0\0" + zeros(2**26))),
    "short.png": lambda: png(5_000, 5_000, zlib.compress(bytes(100))),
    "no-pixels.png": lambda: png(0, 0, b""),
    "thin.png": lambda: png(1, 60_000, zlib.compress(bytes(120_000))),
    "deep-colour.png": deep_png,
    "dpi-zero.png": lambda: png(8, 8, zlib.compress(bytes(72)), extra=chunk(b"pHYs", struct.pack(">IIB", 0, 0, 1))),
    "dpi-huge.png": lambda: png(
        8, 8, zlib.compress(bytes(72)), extra=chunk(b"pHYs", struct.pack(">IIB", 2**32 - 1, 1, 1))
    ),
    "text-not-utf-8.png": lambda: png(
        8, 8, zlib.compress(bytes(72)), extra=chunk(b"iTXt", b"Title\0\0\0\xff\xfe\0\xff\0\xff\xfe")
    ),
    "cmyk.jpg": lambda: saved(picture("CMYK"), "JPEG"),
    "dpi-72.jpg": lambda: saved(picture(size=(2480, 3508)), "JPEG", dpi=(72, 72)),
    "dpi-1.jpg": lambda: saved(picture(), "JPEG", dpi=(1, 1)),
    "huge.jpg": lambda: sized_jpeg(65_500, 65_500),
    "larger-than-its-data.jpg": lambda: sized_jpeg(6_000, 6_000),
    "no-height.jpg": lambda: sized_jpeg(WIDE, 0),
    "no-end.jpg": lambda: saved(picture(size=(900, 900)), "JPEG")[:-2],
    "half.jpg": lambda: saved(picture(size=(900, 900)), "JPEG")[:9_000],
    "exif-of-nonsense.jpg": lambda: saved(picture(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + bytes(40)),
    "palette.gif": lambda: saved(picture("P"), "GIF", transparency=3),
    "huge.gif": lambda: b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\x80\0\0" + bytes(6) + b";",
    "many-frames.gif": lambda: saved(
        picture("P", (8, 8)), "GIF", save_all=True, append_images=[picture("P", (8, 8 + n % 2)) for n in range(60)]
    ),
    "alpha.png": lambda: saved(picture("RGBA"), "PNG"),
    "gray-alpha.png": lambda: saved(picture("LA"), "PNG"),
    "palette.png": lambda: saved(picture("P"), "PNG", transparency=bytes(range(256))),
    "gray-16.png": lambda: saved(picture("I;16"), "PNG"),
    "moving.webp": lambda: saved(picture(), "WEBP", save_all=True, append_images=[picture("L").convert("RGB")]),
    "lying.webp": lying_webp,
    "huge.bmp": lambda: (
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 70, 0, 0, 54, 40, 2**30, -(2**30), 1, 24, 0, 0, 0, 0, 0, 0)
    ),
    "upside-down.bmp": lambda: (
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 62, 0, 0, 54, 40, 2, -1, 1, 24, 0, 8, 0, 0, 0, 0) + bytes(8)
    ),
    "cmyk.tiff": lambda: saved(picture("CMYK"), "TIFF"),
    "float.tiff": lambda: saved(picture("F"), "TIFF"),
    "integer.tiff": lambda: saved(picture("I"), "TIFF"),
    "gray-16.tiff": lambda: saved(picture("I;16"), "TIFF"),
    "circle.tiff": lambda: plain_tiff(8, 8, following=8),
    "huge.tiff": lambda: plain_tiff(2**31 - 1, 2**31 - 1),
    "strip-beyond-the-end.tiff": lambda: plain_tiff(100, 100, at=2**31, count=10_000),
    "strip-too-short.tiff": lambda: plain_tiff(3_000, 3_000),
    "many-directories.tiff": many_directories,
    "directory-beyond-the-end.tiff": lambda: b"II*\0" + struct.pack("<I", 2**31),
    "dpi-by-zero.tiff": lambda: saved(picture("L"), "TIFF", dpi=(0, 0)),
    "a-thousand-entries.tiff": lambda: tiff([(256, 4, 2**28, 8)] * 1000),
    "postscript.png": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) (r) file\n",
    "picture-of-text.svg.png": lambda: (
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"
    ),
    "endless.ppm": lambda: b"P6 100000 100000 255\n" + bytes(100),
    "words.pgm": lambda: b"P2\n" + b"# " + b"x" * 100_000 + b"\n3 three 255\n1 2 3\n",
    "a-pdf-by-name.pdf": lambda: saved(picture(), "PNG"),
    **{
        f"one-pixel.{suffix}": (lambda format=format: saved(Image.new("L", (1, 1)), format))
        for suffix, format in (
            ("png", "PNG"),
            ("jpg", "JPEG"),
            ("tiff", "TIFF"),
            ("webp", "WEBP"),
            ("gif", "GIF"),
            ("bmp", "BMP"),
            ("pgm", "PPM"),
        )
    },
    **{f"turned-{number}.jpg": (lambda number=number: turned_jpeg(number)) for number in (0, 2, 3, 4, 5, 6, 7, 8, 9)},
}

KINDS: dict[str, Callable[[], bytes]] = {**BAD_IMAGES, **BAD_PDFS}


def good() -> Iterator[Made]:
    """Small whole files of every format, for mutation."""
    yield "good.jpg", saved(picture(), "JPEG", dpi=(150, 150))
    yield "progressive.jpg", saved(picture("L"), "JPEG", progressive=True)
    yield "good.png", saved(picture(), "PNG", dpi=(150, 150))
    yield "lineart.png", saved(picture("1"), "PNG")
    for name in ("raw", "tiff_lzw", "tiff_deflate", "jpeg"):
        yield f"{name}.tiff", saved(picture(), "TIFF", compression=name, save_all=True, append_images=[picture()])
    yield "fax.tiff", saved(picture("1"), "TIFF", compression="group4")
    yield "good.webp", saved(picture(), "WEBP", quality=60)
    yield "lossless.webp", saved(picture(), "WEBP", lossless=True)
    yield "good.gif", saved(picture("P"), "GIF", save_all=True, append_images=[picture("L").convert("P")])
    yield "good.bmp", saved(picture(), "BMP")
    yield from good_pdfs(saved(picture(), "JPEG"), pikepdf.new())


def mutated(seed: int, count: int) -> Iterator[Made]:
    """So many damaged files; the same ones for the same seed."""
    chance = random.Random(seed)
    whole = list(good())
    for number in range(count):
        name, data = chance.choice(whole)
        _, other = chance.choice(whole)
        for _ in range(chance.randint(1, 3)):
            data = chance.choice(DAMAGES)(chance, data, other)
        yield f"{number:05}-{name}", data


def _flipped(chance: random.Random, data: bytes, _: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 2, 8, 64)) if data else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(chance: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _spliced(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _doubled(chance: random.Random, data: bytes, _: bytes) -> bytes:
    begin, size = chance.randrange(len(data) + 1), chance.randrange(1, 400)
    return data[: begin + size] + data[begin:]


def _left_out(chance: random.Random, data: bytes, _: bytes) -> bytes:
    begin = chance.randrange(len(data) + 1)
    return data[:begin] + data[begin + chance.randrange(1, 40) :]


def _extreme(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """A few bytes become what numbers are least and most: most of them early, where headers are."""
    begin = min(chance.randrange(len(data) + 1), chance.randrange(len(data) + 1))
    value = chance.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\x01", b"\xff\xff"))
    return data[:begin] + value + data[begin + len(value) :]


def _other_number(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """One of the digits of a PDF becomes another."""
    places = [place for place, byte in enumerate(data) if 48 <= byte <= 57]
    if not places:
        return data
    place = chance.choice(places)
    return data[:place] + b"%d" % chance.randrange(10) + data[place + 1 :]


DAMAGES = (_flipped, _cut, _spliced, _doubled, _left_out, _extreme, _other_number)
