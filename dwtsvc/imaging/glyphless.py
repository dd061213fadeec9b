"""A font without pictures: every character is one glyph without ink, half as wide as high. Invisible text is set in it.

The font is TrueType, made here, and embedded once in a document as a composite font: two bytes a character, each
the character's UTF-16 unit. Characters beyond the first 65,536 get a surrogate's number, which no text can hold, and
are told apart in the ToUnicode map.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

NAME = "DwtsvcInvisible"
WIDTH = 500  # of each character, in thousandths of the font size
ASCENT, DESCENT = 800, -200
EM = 1000
UNKNOWN = 0xFFFD
SURROGATES = range(0xD800, 0xE000)
UNSPEAKABLE = {*range(0x20), *range(0x7F, 0xA0), 0xFEFF, 0xFFFE, 0xFFFF, *SURROGATES}  # control, and no characters
ROWS_OF_A_BLOCK = 100  # the most entries that one block of a ToUnicode map may have
CODES = 0x10000
OBJECTS = 6  # in a document, of the font


class Codes:
    """The characters of a document as the font's two-byte codes, and which of them were used.

    Of the characters beyond the first 65,536, a document holds 2,048 different ones; others become U+FFFD.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._beyond: dict[str, int] = {}

    def encode(self, text: str) -> bytes:
        """Two bytes a character, big end first. Control characters and lone surrogates are left out."""
        if text.isascii() and text.isprintable():
            self._used.update(text)
            return text.encode("utf-16-be")
        codes = [self._code(letter) for letter in text if ord(letter) not in UNSPEAKABLE]
        return struct.pack(f">{len(codes)}H", *codes)

    def _code(self, letter: str) -> int:
        code = ord(letter) if ord(letter) < CODES else self._code_beyond(letter)
        if code not in SURROGATES:
            self._used.add(chr(code))
        return code

    def _code_beyond(self, letter: str) -> int:
        if letter not in self._beyond:
            if len(self._beyond) == len(SURROGATES):
                return UNKNOWN
            self._beyond[letter] = SURROGATES[len(self._beyond)]
        return self._beyond[letter]

    def meanings(self) -> list[tuple[int, str]]:
        """Each code used with its character, ascending."""
        return sorted([(ord(letter), letter) for letter in self._used] + [(n, c) for c, n in self._beyond.items()])


def to_unicode(codes: Codes) -> bytes:
    """The CMap that tells readers what the codes mean, for those used only: readers unpack it for every page."""
    rows = [f"<{code:04X}> <{letter.encode('utf-16-be').hex().upper()}>" for code, letter in codes.meanings()]
    blocks = [rows[first : first + ROWS_OF_A_BLOCK] for first in range(0, len(rows), ROWS_OF_A_BLOCK)]
    listed = "".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar\n" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n{listed}"
        "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode()


def glyphs_of_codes() -> bytes:
    """The CIDToGIDMap: every code is glyph 1. Glyph 0 stands for what a font lacks, and PDF/A forbids its use."""
    return b"\0\1" * CODES


def objects(codes: Codes, first: int) -> list[bytes]:
    """The bodies of the font's objects, to be numbered from `first`, which is the font itself."""
    descendant, descriptor, gids, file, unicode = range(first + 1, first + 6)
    font = (
        f"<< /Type /Font /Subtype /Type0 /BaseFont /{NAME} /Encoding /Identity-H "
        f"/DescendantFonts [{descendant} 0 R] /ToUnicode {unicode} 0 R >>"
    )
    below = (
        f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{NAME} /CIDToGIDMap {gids} 0 R /DW {WIDTH} "
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
        f"/FontDescriptor {descriptor} 0 R >>"
    )
    described = (
        f"<< /Type /FontDescriptor /FontName /{NAME} /Flags 5 /FontBBox [0 {DESCENT} {WIDTH} {ASCENT}] "
        f"/ItalicAngle 0 /Ascent {ASCENT} /Descent {DESCENT} /CapHeight {ASCENT} /StemV 80 /FontFile2 {file} 0 R >>"
    )
    truetype = font_file()
    return [
        font.encode(),
        below.encode(),
        described.encode(),
        packed(glyphs_of_codes()),
        packed(truetype, f" /Length1 {len(truetype)}"),
        packed(to_unicode(codes)),
    ]


def packed(data: bytes, entries: str = "", level: int = 9) -> bytes:
    """A stream object, deflated; `entries` go into its dictionary."""
    small = zlib.compress(data, level)
    head = f"<< /Filter /FlateDecode /Length {len(small)}{entries} >>\nstream\n"
    return head.encode() + small + b"\nendstream"


def font_file() -> bytes:
    """The TrueType file: .notdef, a box, and the one glyph that all characters are. About 700 bytes."""
    box, corners = _box(), _corners()
    tables = {
        b"OS/2": _os2(),
        b"cmap": _cmap(),
        b"glyf": box + corners,
        b"head": _head(),
        b"hhea": struct.pack(">IhhhHhhhhhh8xhH", 0x10000, ASCENT, DESCENT, 0, WIDTH, 0, 0, WIDTH, 1, 0, 0, 0, 2),
        b"hmtx": struct.pack(">HhHh", WIDTH, 50, WIDTH, 0),
        b"loca": struct.pack(">3H", 0, len(box) // 2, len(box + corners) // 2),
        b"maxp": struct.pack(">IHHHHHH16x", 0x10000, 2, 4, 2, 0, 0, 1),
        b"name": _names(),
        b"post": struct.pack(">IIhhIIIII", 0x30000, 0, -100, 50, 1, 0, 0, 0, 0),
    }
    return _assembled(tables)


def _head(adjustment: int = 0) -> bytes:
    version = struct.pack(">IIIIHH", 0x10000, 0x10000, adjustment, 0x5F0F3CF5, 0, EM)
    return version + struct.pack(">QQhhhhHHhhh", 0, 0, 0, DESCENT, WIDTH, ASCENT, 0, 8, 2, 0, 0)


def _box() -> bytes:
    """One closed outline of four points on the curve; coordinates are words, flags 1 say so."""
    across, up = (50, 400, 0, -400), (0, 0, ASCENT, 0)
    return struct.pack(">5hHH4B4h4h2x", 1, 50, 0, 450, ASCENT, 3, 0, 1, 1, 1, 1, *across, *up)


def _corners() -> bytes:
    """Two outlines of a single point, which have no ink, at opposite corners of the space that a letter takes.

    Without them the glyph's box would be empty, and PDFium drops words of one letter whose box is.
    """
    points = struct.pack(">2B4h", 1, 1, 0, WIDTH, DESCENT, ASCENT - DESCENT)
    return struct.pack(">5h2HH", 2, 0, DESCENT, WIDTH, ASCENT, 0, 1, 0) + points


def _cmap() -> bytes:
    """Segments for Windows' Unicode: the space, and the end that every such table has."""
    segments = struct.pack(">4H2HH2H2h2H", 4, 2, 1, 2, 0x20, 0xFFFF, 0, 0x20, 0xFFFF, 1 - 0x20, 1, 0, 0)
    body = struct.pack(">HHH", 4, 6 + len(segments), 0) + segments
    return struct.pack(">HHHHI", 0, 1, 3, 1, 12) + body


def _os2() -> bytes:
    """Version 3; fsType 0: it may be embedded anywhere."""
    head = struct.pack(">HhHHH11h", 3, WIDTH, 400, 5, 0, 650, 600, 0, 75, 650, 600, 0, 350, 50, 300, 0)
    middle = struct.pack(">10B4I4sHHH", *[0] * 10, 1, 0, 0, 0, b"DWTS", 0x40, 0x20, 0x20)
    tail = struct.pack(">hhhHH2IhhHHH", ASCENT, DESCENT, 0, ASCENT, -DESCENT, 1, 0, 0, 0, 0, 0x20, 1)
    return head + middle + tail


def _names() -> bytes:
    """Family, style, the unique name, the full one, the version and the PostScript name, for Windows in English."""
    texts = {1: NAME, 2: "Regular", 3: NAME, 4: NAME, 5: "Version 1.0", 6: NAME}
    rows, letters = b"", b""
    for number, text in texts.items():
        data = text.encode("utf-16-be")
        rows += struct.pack(">6H", 3, 1, 0x409, number, len(data), len(letters))
        letters += data
    return struct.pack(">HHH", 0, len(texts), 6 + len(rows)) + rows + letters


def _assembled(tables: dict[bytes, bytes]) -> bytes:
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    head = struct.pack(">IHHHH", 0x10000, count, power * 16, power.bit_length() - 1, (count - power) * 16)
    offset, rows = 12 + 16 * count, b""
    for tag, data in tables.items():
        rows += struct.pack(">4sIII", tag, _sum(data), offset, len(data))
        offset += len(_even(data))
    whole = head + rows + _bodies(tables.values())
    tables[b"head"] = _head((0xB1B0AFBA - _sum(whole)) & 0xFFFFFFFF)
    return head + rows + _bodies(tables.values())


def _bodies(tables: Iterable[bytes]) -> bytes:
    return b"".join(_even(data) for data in tables)


def _even(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _sum(data: bytes) -> int:
    padded = _even(data)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & 0xFFFFFFFF
