"""Pages into a PDF, one after another: nothing is re-encoded, nothing is kept but one number for each object."""

from __future__ import annotations

import hashlib
import io
import math
import os
import zlib
from array import array
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from PIL import Image

from dwtsvc.errors import BadArguments, InvalidOutput
from dwtsvc.imaging import attachments, glyphless, pdfa, textlayer
from dwtsvc.imaging.pixels import CHANNELS_AND_DEPTH, image_bands, plain, to_8bit
from dwtsvc.imaging.png import deflated_rows
from dwtsvc.imaging.streams import Jpeg, encode_g4, encode_lzw, jpeg_header
from dwtsvc.text import Text

PRODUCER = "dwtsvc"
POINTS_PER_INCH = 72
LARGEST_PAGE = 14_400  # points; readers refuse more, so longer pages count in larger units
LIMIT = 9_999_999_999  # the cross-reference table has ten digits
DEFLATE_LEVEL = 3
LAYER_LEVEL = 6

CATALOG, PAGES, INFO = 1, 2, 3
SPACES = {1: "/DeviceGray", 3: "/DeviceRGB", 4: "/DeviceCMYK"}
# Where a page of size (a, b) shows its image, by degrees clockwise: what becomes of its right and its upward edge, and
# of its lower left corner
TURNS = {0: "{a} 0 0 {b} 0 0", 90: "0 -{b} {a} 0 0 {b}", 180: "-{a} 0 0 -{b} {a} {b}", 270: "0 {b} -{a} 0 {a} 0"}


class Sink(Protocol):
    """Where the PDF goes: anything with write. A pipe will do, bytes are counted here."""

    def write(self, data: Jpeg, /) -> int | None: ...


class PdfWriter:
    """Pages of one image each. Every add_ method says the page's pixels and dpi; its paper size follows from them.

    A page added is written at once. Close it, or use it as a context; without close the file is no PDF.
    A text given with a page becomes an invisible layer over it; it is stretched over the page, so that it may have been
    read at another size than the image has. `conformance` is None, "pdfa-2b" or "pdfa-3b"; InvalidOutput then is for
    what that cannot hold, such as CMYK. With `digests` the SHA-256 of each page's image stream is in `image_digests`,
    for 1 ms a MB.
    """

    def __init__(
        self,
        file: Sink,
        *,
        title: str = "",
        author: str = "",
        subject: str = "",
        keywords: str = "",
        producer: str = PRODUCER,
        created: datetime | None = None,
        conformance: str | None = None,
        digests: bool = False,
    ) -> None:
        self._file = file
        self._digests = digests
        self.image_digests: list[str] = []
        self._conformance = pdfa.checked(conformance)
        self._described = pdfa.Description(
            title=title,
            author=author,
            subject=subject,
            keywords=keywords,
            producer=producer,
            created=created if created and created.tzinfo else (created or datetime.now()).astimezone(),
        )
        self._codes = glyphless.Codes()
        self._font = 0  # its object, numbered when the first text comes and written at the end
        self._attached: dict[str, int] = {}
        self._position = 0
        self._offsets = array("Q", [0, 0, 0, 0])  # of each object; 0 is the free list's head
        self._kids = array("L")
        self._write(b"%PDF-1.6\n%\xe2\xe3\xcf\xd3\n")  # high bytes: transfer programs see a binary file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    @property
    def pages(self) -> int:
        return len(self._kids)

    def add_jpeg(
        self,
        data: Jpeg,
        *,
        dpi: float,
        width: int | None = None,
        height: int | None = None,
        components: int | None = None,
        text: Text | None = None,
        turn: int = 0,
    ) -> None:
        """Embed a JPEG byte for byte; InvalidOutput when a size told differs from what the JPEG says of itself.

        The page shows it turned by `turn` degrees clockwise: 0, 90, 180 or 270. The text is that of the page as shown.
        """
        header = jpeg_header(data)
        told = (width or header.width, height or header.height, components or header.components)
        if told != (header.width, header.height, header.components):
            raise InvalidOutput(
                f"The JPEG is {header.width} x {header.height} x {header.components}", why=f"not {told}"
            )
        # Adobe programs store CMYK inverted and mark it; PDF readers do not undo that by themselves
        inverted = header.components == 4 and header.transform is not None
        entries = f"/Filter /DCTDecode{' /Decode [1 0 1 0 1 0 1 0]' if inverted else ''}"
        self._add_page(header.width, header.height, dpi, header.components, 8, entries, [data], len(data), text, turn)

    def add_g4(
        self,
        data: Jpeg,
        *,
        width: int,
        height: int,
        dpi: float,
        text: Text | None = None,
        turn: int = 0,
        inverted: bool = False,
    ) -> None:
        """Embed a CCITT group 4 stream whose black runs are black, as `encode_g4` has it, or `inverted`: white."""
        how = f"/K -1 /Columns {width} /Rows {height}{' /BlackIs1 true' if inverted else ''}"
        entries = f"/Filter /CCITTFaxDecode /DecodeParms << {how} >>"
        self._add_page(width, height, dpi, 1, 1, entries, [data], len(data), text, turn)

    def add_flate(
        self,
        bands: Iterable[bytes | memoryview],
        *,
        width: int,
        height: int,
        channels: int,
        dpi: float,
        depth: int = 8,
        text: Text | None = None,
    ) -> None:
        """Embed packed rows losslessly: 1 (gray) or 3 (RGB) channels of 8 bits, or 1 bit with 1 = white."""
        if channels not in (1, 3) or depth not in (1, 8):
            raise BadArguments(f"A PDF page of {channels} channels and {depth} bits is not supported")
        self._add_page(width, height, dpi, channels, depth, "/Filter /FlateDecode", _deflated(bands), None, text)

    def add_lzw(self, image: Image.Image, *, dpi: float, text: Text | None = None) -> None:
        """Embed an image losslessly by LZW, which PDF/A does not allow; 16-bit gray keeps its high bytes."""
        image = to_8bit(plain(image))
        channels, depth = CHANNELS_AND_DEPTH[image.mode]
        rows = image.tobytes()
        data = encode_lzw(rows, len(rows) // image.height)
        self._add_page(*image.size, dpi, channels, depth, "/Filter /LZWDecode", [data], len(data), text)

    def add_jpeg2000(self, image: Image.Image, *, dpi: float, text: Text | None = None) -> None:
        """Embed a gray or RGB image losslessly by JPEG 2000; 16-bit gray keeps its high bytes."""
        image = to_8bit(plain(image))
        file = io.BytesIO()
        image.save(file, "JPEG2000")
        channels, depth = CHANNELS_AND_DEPTH[image.mode]
        data = file.getvalue()
        self._add_page(*image.size, dpi, channels, depth, "/Filter /JPXDecode", [data], len(data), text)

    def add_image(self, image: Image.Image, *, dpi: float, text: Text | None = None) -> None:
        """Add an image losslessly: g4 for 1 bit, deflate for the rest; 16-bit gray keeps its high bytes."""
        image = to_8bit(plain(image))
        if image.mode == "1":
            self.add_g4(encode_g4(image), width=image.width, height=image.height, dpi=dpi, text=text)
        else:
            channels, _ = CHANNELS_AND_DEPTH[image.mode]
            size = {"width": image.width, "height": image.height}
            self.add_flate(image_bands(image), **size, channels=channels, dpi=dpi, text=text)

    def add_png(self, data: Jpeg, *, dpi: float, text: Text | None = None, turn: int = 0) -> None:
        """Add a PNG losslessly, shown turned as a JPEG can be: its own deflated rows where they are gray or RGB of 8
        bits or gray of 1, else as `add_image` does. Raises BadInput for what is no PNG, or is damaged."""
        rows = deflated_rows(data)
        if rows is None:
            from dwtsvc.imaging import codecs

            image = codecs.decode(io.BytesIO(data))
            return self.add_image(image.rotate(-turn, expand=True) if turn else image, dpi=dpi, text=text)
        told = f"/Colors {rows.channels} /BitsPerComponent {rows.depth} /Columns {rows.width}"
        entries = f"/Filter /FlateDecode /DecodeParms << /Predictor 15 {told} >>"
        return self._add_page(
            rows.width, rows.height, dpi, rows.channels, rows.depth, entries, rows.parts, rows.size, text, turn
        )

    def attach(self, name: str, data: bytes, mime: str, description: str = "") -> None:
        """Attach a file that the whole document is about. BadArguments where the name is empty or taken;
        InvalidOutput in PDF/A-2, which allows no files but PDF/A."""
        if self._conformance == "pdfa-2b":
            raise InvalidOutput(f"PDF/A-2b cannot hold the file '{name}'", hint="Write PDF/A-3b.")
        if not name or name in self._attached:
            raise BadArguments(f"An attached file needs a name of its own, not '{name}'")
        self._attached[name] = attachments.add(self._object, name, data, mime, description, self._described.created)

    def close(self) -> None:
        """Write the page tree, the cross-reference table and the trailer; the file itself stays open."""
        if not self._kids:
            raise InvalidOutput("A PDF needs at least one page")
        if self._font:
            for number, body in enumerate(glyphless.objects(self._codes, self._font), self._font):
                self._object(body, number)
        entries = self._intent() + attachments.entries(self._attached)
        self._object(f"<< /Type /Catalog /Pages {PAGES} 0 R{entries} >>".encode(), CATALOG)
        kids = " ".join(f"{kid} 0 R" for kid in self._kids)
        self._object(f"<< /Type /Pages /Count {self.pages} /Kids [{kids}] >>".encode(), PAGES)
        self._object(self._described.info(), INFO)
        self._trailer()

    def _intent(self) -> str:
        """What the catalog of PDF/A says besides."""
        if not self._conformance:
            return ""
        profile = self._object(glyphless.packed(pdfa.srgb_profile(), " /N 3"))
        intent = self._object(pdfa.output_intent(profile))
        packet = self._described.xmp(self._conformance)
        head = b"<< /Type /Metadata /Subtype /XML /Length %d >>\nstream\n" % len(packet)
        metadata = self._object(head + packet + b"\nendstream")
        return f" /Metadata {metadata} 0 R /OutputIntents [{intent} 0 R]"

    def _add_page(
        self,
        width: int,
        height: int,
        dpi: float,
        channels: int,
        depth: int,
        entries: str,
        parts: Iterable[Jpeg],
        length: int | None,
        text: Text | None,
        turn: int = 0,
    ) -> None:
        if turn not in TURNS:
            raise BadArguments(f"A page cannot be turned by {turn} degrees", hint="Choose 0, 90, 180 or 270.")
        if not (0 < dpi < math.inf and width > 0 and height > 0):
            raise BadArguments(f"A PDF page needs a size, not {width} x {height} pixels at {dpi:g} dpi")
        across, down = width * POINTS_PER_INCH / dpi, height * POINTS_PER_INCH / dpi
        if self._conformance:
            pdfa.check_page(across, down, channels)
        image = self._new()
        told = f"{image + 1} 0 R" if length is None else f"{length}"
        self._write(
            f"<< /Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace {SPACES[channels]} "
            f"/BitsPerComponent {depth} {entries} /Length {told} >>\nstream\n".encode()
        )
        count = self._write_stream(parts)
        self._write(b"\nendstream\nendobj\n")
        if length is None:
            self._object(b"%d" % count)
        if turn in (90, 270):
            across, down = down, across
        self._add_sheet(across, down, image, text, turn)

    def _write_stream(self, parts: Iterable[Jpeg]) -> int:
        """Write the bytes of an image; how many."""
        start, digest = self._position, hashlib.sha256()
        for part in parts:
            if self._digests:
                digest.update(part)
            self._write(part)
        if self._digests:
            self.image_digests.append(digest.hexdigest())
        return self._position - start

    def _add_sheet(self, width: float, height: float, image: int, text: Text | None, turn: int) -> None:
        unit = max(1.0, max(width, height) / LARGEST_PAGE)
        across, down = _number(width / unit), _number(height / unit)
        drawing = f"q {TURNS[turn].format(a=across, b=down)} cm /P Do Q\n".encode()
        layer = textlayer.content(text, width / unit, height / unit, codes=self._codes) if text else b""
        if layer:
            self._font = self._font or self._reserve(glyphless.OBJECTS)
            content = self._object(glyphless.packed(drawing + layer, level=LAYER_LEVEL))
        else:
            content = self._object(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawing), drawing))
        fonts = f"/Font << /{textlayer.FONT} {self._font} 0 R >> " if layer else ""
        enlarged = f" /UserUnit {_number(unit)}" if unit > 1 else ""
        page = (
            f"<< /Type /Page /Parent {PAGES} 0 R /MediaBox [0 0 {across} {down}]{enlarged} "
            f"/Resources << {fonts}/XObject << /P {image} 0 R >> >> /Contents {content} 0 R >>"
        )
        self._kids.append(self._object(page.encode()))

    def _object(self, body: bytes, number: int | None = None) -> int:
        """Write a whole object, a new one or one whose number is known; its number."""
        number = number or self._reserve()
        self._begin(number)
        self._write(body + b"\nendobj\n")
        return number

    def _reserve(self, count: int = 1) -> int:
        """The first of some new numbers, for objects to be written later."""
        self._offsets.extend([0] * count)
        return len(self._offsets) - count

    def _new(self) -> int:
        number = self._reserve()
        self._begin(number)
        return number

    def _begin(self, number: int) -> None:
        self._offsets[number] = self._position
        self._write(f"{number} 0 obj\n".encode())

    def _trailer(self) -> None:
        start, count = self._position, len(self._offsets)
        self._write(f"xref\n0 {count}\n0000000000 65535 f \n".encode())
        for first in range(1, count, 1000):
            self._write(b"".join([b"%010d 00000 n \n" % offset for offset in self._offsets[first : first + 1000]]))
        name = os.urandom(16).hex()
        self._write(
            f"trailer\n<< /Size {count} /Root {CATALOG} 0 R /Info {INFO} 0 R /ID [<{name}> <{name}>] >>\n"
            f"startxref\n{start}\n%%EOF\n".encode()
        )

    def _write(self, data: Jpeg) -> None:
        if self._position + len(data) > LIMIT:
            raise InvalidOutput("A PDF cannot be larger than 10 GB", hint="Write several files (a file name with {n}).")
        self._position += len(data)
        taken = self._file.write(data)
        while taken is not None and taken < len(data):  # an unbuffered file may take a part and say how much
            data = data[taken:]
            taken = self._file.write(data)


def _deflated(bands: Iterable[bytes | memoryview]) -> Iterable[bytes]:
    packer = zlib.compressobj(DEFLATE_LEVEL)
    for band in bands:
        yield packer.compress(band)
    yield packer.flush()


def _number(value: float) -> str:
    """A PDF number: no exponent, no trailing zeros."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
