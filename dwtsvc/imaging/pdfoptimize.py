"""A PDF made smaller, without loss unless loss was asked for.

Without loss: streams that are there twice become one, what nothing refers to goes, deflate is packed again and better,
JPEG is coded anew as progressive, black and white becomes fax group 4; each only where it is smaller, and an image
only after it was decoded and compared. The small objects go into object streams.
"""

from __future__ import annotations

import io
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import pikepdf
from PIL import Image

from dwtsvc.errors import BadArguments, InvalidOutput
from dwtsvc.imaging import jpeg, qpdf
from dwtsvc.imaging.codecs import MAX_PIXELS
from dwtsvc.imaging.pdfplaces import Place, drawn_dpi
from dwtsvc.imaging.pdfshare import reached, share
from dwtsvc.imaging.streams import encode_g4

BEST = 9
QUALITY = 75
MOST_INFLATED = 512 * 2**20  # bytes that a stream may become; a larger one stays as it is
IMAGE_KINDS = {
    "/DCTDecode": "JPEG images",
    "/JPXDecode": "JPEG 2000 images",
    "/CCITTFaxDecode": "fax images",
    "/JBIG2Decode": "JBIG2 images",
}
FONT_FILES = ("/FontFile", "/FontFile2", "/FontFile3")
MODES = {"L": pikepdf.Name.DeviceGray, "RGB": pikepdf.Name.DeviceRGB}
SMALLEST = 64  # pixels of a side: below, loss is seen and nothing is won
Name, Stream = pikepdf.Name, pikepdf.Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Streams of one kind, and their bytes before and after. The kind "everything else" has no count."""

    kind: str
    count: int
    before: int
    after: int


class Optimized:
    """A PDF to be written smaller; `len` is its number of pages. A context: the source is open until its end.

    `notes` are sentences on what cannot be kept, `lossy` on each image that was encoded again, with its loss. After
    `write` there are `before` and `after`, the bytes of the whole file, `sizes` of its parts, and `kept`: that nothing
    made it smaller, and that the result is the original byte for byte.

    `quality` from 1 to 100, or `max_dpi`, allow loss. Opening raises what `qpdf.opened` raises. What was packed anew is
    in memory until it is written.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        password: str | None = None,
        *,
        quality: int | None = None,
        max_dpi: float | None = None,
    ) -> None:
        if (quality is not None and not 1 <= quality <= 100) or (max_dpi is not None and not max_dpi > 0):
            raise BadArguments("A quality is from 1 to 100, and dpi are more than 0")
        self._path, self._name = Path(source), f"'{os.fspath(source)}'"
        self._loss = Loss(quality or QUALITY, max_dpi) if quality or max_dpi else None
        self.lossy: list[str] = []
        self.sizes: list[Sizes] = []
        self.before, self.after, self.kept = 0, 0, False
        with ExitStack() as stack:
            self._pdf = stack.enter_context(qpdf.opened(source, password))
            self.notes = _changed_anyway(self._pdf, self._name)
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def __len__(self) -> int:
        return len(self._pdf.pages)

    def write(self, file: BinaryIO) -> None:
        """Do the work, and write the PDF whole, or the original where that is not larger."""
        self.before = self._path.stat().st_size
        with qpdf.speaking_of(self._name):
            before = _tally(self._pdf)
            self._work()
            self._pdf.save(file, compress_streams=True, object_stream_mode=_object_streams(self._pdf))
            after = _tally(self._pdf)
        self.after = file.tell()
        if self.after >= self.before:
            self._keep(file)
            after = before
        self.sizes = _sizes(before, after, self.before, self.after)

    def _work(self) -> None:
        share(self._pdf)
        self._pdf.remove_unreferenced_resources()
        places = drawn_dpi(self._pdf) if self._loss else {}
        for stream in _streams(self._pdf):
            if stream.get("/Subtype") == "/Image":
                said = self._loss.apply(stream, places.get(stream.objgen)) if self._loss else ""
                if said:
                    self.lossy.append(said)
                else:
                    _lossless_image(stream)
            _repack(stream)
        if not jpeg.can_repack() and "JPEG images" in _tally(self._pdf):
            self.notes.append("JPEG images were left as they are: libturbojpeg is not installed")

    def _keep(self, file: BinaryIO) -> None:
        file.seek(0)
        file.truncate()
        with open(self._path, "rb") as original:
            shutil.copyfileobj(original, file)
        self.after, self.kept = self.before, True
        self.notes, self.lossy = [], []


@dataclass(frozen=True, slots=True)
class Loss:
    """Images encoded again as JPEG of a quality, and made smaller where they have more than `max_dpi`."""

    quality: int
    max_dpi: float | None

    def apply(self, stream: Any, place: Place | None) -> str:
        """Encode an image again, if it can be and that makes it smaller; what was done, as a sentence, or ""."""
        image = _plain_image(stream)
        if image is None:
            return ""
        size, before = image.size, len(stream.read_raw_bytes())
        small = self._reduced(image, place)
        file = io.BytesIO()
        small.save(file, "JPEG", quality=self.quality, optimize=True, progressive=True)
        if file.tell() >= before:
            return ""
        stream.write(file.getvalue(), filter=Name.DCTDecode)
        stream.Width, stream.Height, stream.BitsPerComponent = *small.size, 8
        where = f"page {place.page}: " if place else ""
        shrunk = f" to {small.width} x {small.height}" if small.size != size else ""
        told = f"image of {size[0]} x {size[1]} pixels encoded again{shrunk} with loss, JPEG quality {self.quality}"
        return f"{where}{told}, {before:,} to {file.tell():,} bytes"

    def _reduced(self, image: Image.Image, place: Place | None) -> Image.Image:
        if not (self.max_dpi and place and place.dpi > self.max_dpi):
            return image
        scale = self.max_dpi / place.dpi
        width, height = (max(1, round(side * scale)) for side in image.size)
        return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)


def _plain_image(stream: Any) -> Image.Image | None:
    """Gray or RGB of 8 bits whose colours mean the same in a JPEG; None for all else, which stays without loss."""
    spaces = {"/DeviceGray": "L", "/DeviceRGB": "RGB"}
    mode = spaces.get(str(stream.get("/ColorSpace")))
    special = {"/Mask", "/Decode", "/SMaskInData"} & set(stream.keys())
    if mode is None or special or int(stream.get("/BitsPerComponent", 0)) != 8 or not _fits(stream):
        return None
    if min(int(stream.Width), int(stream.Height)) < SMALLEST:
        return None
    try:
        image = pikepdf.PdfImage(stream).as_pil_image()
        image.load()
    except Exception:  # damaged, or coded as nobody here can read
        return None
    return image if image.mode == mode and image.size == (stream.Width, stream.Height) else None


def _lossless_image(stream: Any) -> None:
    filters = _filters(stream)
    bitonal = int(stream.get("/BitsPerComponent", 0)) == 1 or stream.get("/ImageMask", False)
    if not _fits(stream):
        return
    if filters == ["/DCTDecode"]:
        _smaller_jpeg(stream)
    elif bitonal and set(filters) <= {"/FlateDecode", "/LZWDecode", "/RunLengthDecode"}:
        _smaller_fax(stream)


def _fits(stream: Any) -> bool:
    return bool(0 < int(stream.get("/Width", 0)) * int(stream.get("/Height", 0)) <= MAX_PIXELS)


def _smaller_jpeg(stream: Any) -> None:
    data = stream.read_raw_bytes()
    if not jpeg.can_repack():
        return
    try:
        packed = jpeg.repacked(data)
        same = len(packed) < len(data) and _pixels(packed) == _pixels(data)
    except (InvalidOutput, OSError, Image.DecompressionBombError, SyntaxError):
        return
    if same:
        stream.write(packed, filter=Name.DCTDecode, decode_parms=stream.get("/DecodeParms"))


def _pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return image.tobytes()


def _smaller_fax(stream: Any) -> None:
    width, height = int(stream.Width), int(stream.Height)
    size = (width + 7) // 8 * height
    before, rows = len(stream.read_raw_bytes()), _inflated(stream, size)
    if rows is None or len(rows) < size:
        return
    image = Image.frombytes("1", (width, height), rows[:size])
    packed = encode_g4(image)
    if len(packed) >= before:
        return
    how = pikepdf.Dictionary(K=-1, Columns=width, Rows=height)
    if _fax_pixels(packed, how, image.size) == image.tobytes():
        stream.write(packed, filter=Name.CCITTFaxDecode, decode_parms=how)


def _fax_pixels(packed: bytes, how: pikepdf.Dictionary, size: tuple[int, int]) -> bytes:
    """The fax decoded, as a reader of the PDF will."""
    with pikepdf.new() as scratch:
        trial = scratch.make_stream(b"", Subtype=Name.Image, BitsPerComponent=1, ColorSpace=Name.DeviceGray)
        trial.Width, trial.Height = size
        trial.write(packed, filter=Name.CCITTFaxDecode, decode_parms=how)
        return pikepdf.PdfImage(trial).as_pil_image().convert("1").tobytes()


def _inflated(stream: Any, size: int) -> bytes | None:
    """The samples; None where the stream is damaged, or might become much more than it should."""
    if len(stream.read_raw_bytes()) * 1_032 > MOST_INFLATED and size * 2 > MOST_INFLATED:
        return None
    try:
        return bytes(stream.read_bytes())
    except pikepdf.PdfError:
        return None


def _repack(stream: Any) -> None:
    """Deflate again and better. What predictors did to the rows before stays."""
    filters = _filters(stream)
    if filters not in ([], ["/FlateDecode"]) or stream.get("/Type") == "/Metadata":
        return
    raw = stream.read_raw_bytes()
    plain = _unpacked(raw) if filters else raw
    if plain is None:
        return
    packed = zlib.compress(plain, BEST)
    if len(packed) < len(raw):
        stream.write(packed, filter=Name.FlateDecode, decode_parms=stream.get("/DecodeParms"))


def _unpacked(raw: bytes) -> bytes | None:
    """None for what is damaged, is followed by something, or would be too large."""
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(raw, MOST_INFLATED)
    except zlib.error:
        return None
    return plain if unpacker.eof and not unpacker.unused_data.strip() else None


def _filters(stream: Any) -> list[str]:
    held = stream.get("/Filter")
    if held is None:
        return []
    return [str(each) for each in held] if isinstance(held, pikepdf.Array) else [str(held)]


def _streams(pdf: pikepdf.Pdf) -> Iterator[Any]:
    for held in reached(pdf):
        if isinstance(held, Stream) and held.get("/Type") not in ("/XRef", "/ObjStm"):
            yield held


def _object_streams(pdf: pikepdf.Pdf) -> pikepdf.ObjectStreamMode:
    """PDF/A-1 is of a time before them."""
    packet = pdf.Root.get("/Metadata")
    first = isinstance(packet, Stream) and b"pdfaid" in packet.read_bytes()
    modes = pikepdf.ObjectStreamMode
    old = first and pdf.open_metadata().pdfa_status.startswith("1")
    chosen: pikepdf.ObjectStreamMode = modes.disable if old else modes.generate
    return chosen


def _changed_anyway(pdf: pikepdf.Pdf, name: str) -> list[str]:
    notes = qpdf.notes(pdf, name)
    form: Any = pdf.Root.get("/AcroForm", {})
    if pdf.is_encrypted:
        notes.append(f"{name} is encrypted, the result is not")
    if int(form.get("/SigFlags", 0)) & 1:
        notes.append(f"{name} is signed; the signatures do not fit the result")
    return notes


def _tally(pdf: pikepdf.Pdf) -> dict[str, tuple[int, int]]:
    """Count and bytes of the streams of each kind."""
    found: dict[str, tuple[int, int]] = {}
    fonts = {held.get(key).objgen for held in _dictionaries(pdf) for key in FONT_FILES if key in held}
    for stream in _streams(pdf):
        kind = _kind(stream, fonts)
        count, size = found.get(kind, (0, 0))
        found[kind] = count + 1, size + int(stream.get("/Length", 0))
    return found


def _dictionaries(pdf: pikepdf.Pdf) -> Iterator[Any]:
    return (
        held for held in reached(pdf) if isinstance(held, pikepdf.Dictionary) and held.get("/Type") == "/FontDescriptor"
    )


def _kind(stream: Any, fonts: set[tuple[int, int]]) -> str:
    if stream.get("/Subtype") == "/Image":
        filters = _filters(stream)
        return IMAGE_KINDS.get(filters[-1] if filters else "", "lossless images")
    if stream.objgen in fonts:
        return "fonts"
    return "attachments" if stream.get("/Type") == "/EmbeddedFile" else "contents"


def _sizes(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]], whole_before: int, whole_after: int
) -> list[Sizes]:
    kinds = sorted({*before, *after}, key=lambda kind: -before.get(kind, (0, 0))[1])
    nothing = (0, 0)
    told = [
        Sizes(
            kind=kind,
            count=max(before.get(kind, nothing)[0], after.get(kind, nothing)[0]),
            before=before.get(kind, nothing)[1],
            after=after.get(kind, nothing)[1],
        )
        for kind in kinds
    ]
    rest = whole_before - sum(each.before for each in told), whole_after - sum(each.after for each in told)
    return [*told, Sizes(kind="everything else", count=0, before=max(0, rest[0]), after=max(0, rest[1]))]
