"""What a PDF is: pages, sizes, encryption, metadata, and the images inside it."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pypdf import apply_configuration
from pypdf.constants import UserAccessPermissions
from pypdf.generic import ArrayObject, EncodedStreamObject, NameObject, NullObject

from dwtsvc.errors import BadInput
from dwtsvc.imaging.codecs import MAX_PIXELS
from dwtsvc.imaging.pdfedit import PERMISSIONS, metadata
from dwtsvc.imaging.pdfsource import PdfSource, speaking_of
from dwtsvc.model import MM_PER_INCH

POINTS_PER_INCH = 72
CIPHERS = {"/V2": "RC4", "/AESV2": "AES", "/AESV3": "AES", "/Identity": "none"}
SUFFIXES = {"/DCTDecode": "jpg", "/JPXDecode": "jp2", "/CCITTFaxDecode": "tif", "/JBIG2Decode": "jb2e"}
SHORT_NAMES = {"/DCT": "/DCTDecode", "/CCF": "/CCITTFaxDecode"}
DEEPEST = 8  # forms within forms
SHORT, LONG = 3, 4  # types of TIFF entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A page as it is shown: mm, and the degrees clockwise it is turned by."""

    page: int
    width: float
    height: float
    rotation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a PDF says of itself; `encryption` is empty without one, `allows` what it lets readers do then."""

    version: str
    pages: int
    sheets: list[Sheet]
    encryption: str
    allows: list[str]
    metadata: dict[str, str]
    tagged: bool
    form: bool
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image inside a PDF. `page` is the first that draws it, from 1; `stream` the PDF's own object.

    `suffix` says what `data` of it is: jpg, jp2, tif (group 3 and 4) and jb2e are its stream untouched (a TIFF gets a
    header); png and tiff are decoded without loss.
    """

    page: int
    number: int
    width: int
    height: int
    encoding: str
    suffix: str
    masked: bool
    stream: Any


def facts(source: PdfSource) -> Facts:
    """BadInput when a page has no size that can be."""
    with source.working():
        reader = source.reader
        root = reader.root_object
        sheets = [_sheet(number, page) for number, page in enumerate(reader.pages, 1)]
        version = str(root.get("/Version", reader.pdf_header[4:])).strip("/-")
        encryption, allows = _encryption(reader) if source.encrypted else ("", [])
        tagged = bool(_object(root.get("/MarkInfo"), {}).get("/Marked"))
        form = "/AcroForm" in root
    return Facts(
        version=version,
        pages=len(source),
        sheets=sheets,
        encryption=encryption,
        allows=allows,
        metadata=metadata(source),
        tagged=tagged,
        form=form,
        notes=list(source.notes),
    )


def facts_of(path: str, password: str | None = None) -> Facts:
    """`facts` of a file, for a child with limits."""
    with PdfSource(path, password) as source:
        return facts(source)


def pictures(source: PdfSource, indices: Sequence[int]) -> Iterator[Picture]:
    """The images that pages, from 0, draw, each once; those written inside a page's commands are not among them."""
    seen: set[Any] = set()
    for index in indices:
        with source.working():
            found = list(_images(source.reader.pages[index], seen, DEEPEST))
        for number, stream in enumerate(found, 1):
            yield _picture(source, index + 1, number, stream)


def picture_data(source: PdfSource, picture: Picture) -> bytes:
    """The image as a file of its suffix. BadInput for one that is damaged, or too large to be decoded."""
    with source.working(), speaking_of(f"Image {picture.number} on page {picture.page} of {source.name}"):
        if picture.suffix in ("png", "tiff"):
            return _decoded(picture)
        data = _undone(picture)
        return _fax_tiff(picture, data) if picture.suffix == "tif" else data


def _sheet(number: int, page: Any) -> Sheet:
    box, turned = page.cropbox, page.rotation % 360
    unit = float(page.user_unit) / POINTS_PER_INCH * MM_PER_INCH
    width, height = abs(float(box.width)) * unit, abs(float(box.height)) * unit
    if turned in (90, 270):
        width, height = height, width
    return Sheet(page=number, width=round(width, 2), height=round(height, 2), rotation=turned)


def _encryption(reader: Any) -> tuple[str, list[str]]:
    entry = reader.trailer["/Encrypt"]
    version, length = int(entry.get("/V", 0)), int(entry.get("/Length", 40))
    cipher = "RC4"
    if version >= 4:
        filters = entry.get("/CF", {})
        method = filters.get(entry.get("/StmF", "/Identity"), {}).get("/CFM", "/Identity")
        cipher, length = CIPHERS.get(method, str(method)), 256 if version >= 5 else 128
    flags = UserAccessPermissions(int(entry.get("/P", 0)) & 0xFFFFFFFF)
    return f"{cipher} {length} bits", [word for word, needed in PERMISSIONS.items() if flags & needed]


def _images(holder: Any, seen: set[Any], deep: int) -> Iterator[Any]:
    drawn = _object(_object(holder.get("/Resources"), {}).get("/XObject"), {})
    for name in drawn:
        place = drawn.raw_get(name)
        thing = _object(place, {})
        key = getattr(place, "idnum", id(thing))
        if key in seen:
            continue
        seen.add(key)
        if thing.get("/Subtype") == "/Image":
            yield thing
        elif thing.get("/Subtype") == "/Form" and deep:
            yield from _images(thing, seen, deep - 1)


def _picture(source: PdfSource, page: int, number: int, stream: Any) -> Picture:
    with source.working():
        filters = _filters(stream)
        last = filters[-1] if filters else ""
        return Picture(
            page=page,
            number=number,
            width=int(stream.get("/Width", 0)),
            height=int(stream.get("/Height", 0)),
            encoding=last.removeprefix("/").removesuffix("Decode") or "none",
            suffix=SUFFIXES.get(last) or ("tiff" if _colours(stream) == "/DeviceCMYK" else "png"),
            masked="/SMask" in stream or "/Mask" in stream,
            stream=stream,
        )


def _filters(stream: Any) -> list[str]:
    held = _object(stream.get("/Filter"), [])
    names = [str(each.get_object()) for each in held] if isinstance(held, list) else [str(held)]
    return [SHORT_NAMES.get(name, name) for name in names]


def _colours(stream: Any) -> str:
    return str(_object(stream.get("/ColorSpace"), ""))


def _object(value: Any, default: Any) -> Any:
    """What a reference stands for; the default for nothing and for null."""
    held = default if value is None else value.get_object()
    return default if held is None or held == NullObject() else held


def _undone(picture: Picture) -> bytes:
    """The stream as its last filter takes it: those before it, mostly none, are undone."""
    stream = picture.stream
    names = _filters(stream)
    if len(names) == 1:
        return bytes(stream._data)
    inner = EncodedStreamObject()
    inner._data = stream._data
    inner[NameObject("/Filter")] = ArrayObject(map(NameObject, names[:-1]))
    return bytes(inner.get_data())


def _decoded(picture: Picture) -> bytes:
    pixels = picture.width * picture.height
    if not 0 < pixels <= MAX_PIXELS:
        raise BadInput(f"Image {picture.number} on page {picture.page} has {picture.width} x {picture.height} pixels")
    room = pixels * 8 + 2**20
    with apply_configuration(
        zlib_maximum_output_length=room,
        lzw_maximum_output_length=room,
        run_length_maximum_output_length=room,
        image_maximum_buffer_size=room,
        flate_maximum_row_length=room,
        stream_decoding_work_maximum_length=4 * room,
    ):
        image = picture.stream.decode_as_image()
    if image is None:
        raise BadInput(f"Image {picture.number} on page {picture.page} cannot be decoded")
    file = io.BytesIO()
    if picture.suffix == "tiff" or image.mode == "CMYK":
        image.save(file, "TIFF", compression="tiff_lzw")
    else:
        image.save(file, "PNG")
    return file.getvalue()


def _fax_settings(stream: Any) -> Any:
    """The settings of the last filter, which has them alone or at the end of a list."""
    held = _object(stream.get("/DecodeParms"), {})
    return _object(held[-1], {}) if isinstance(held, list) and held else held


def _fax_tiff(picture: Picture, data: bytes) -> bytes:
    """A TIFF around a fax stream, which stays as it is. Runs of black are black unless the PDF says otherwise."""
    how = _fax_settings(picture.stream)
    code = int(how.get("/K", 0))
    swapped = bool(how.get("/BlackIs1", False)) ^ (list(picture.stream.get("/Decode", [0, 1]))[:1] == [1])
    entries = [
        (256, LONG, int(how.get("/Columns", 1728))),
        (257, LONG, picture.height),
        (258, SHORT, 1),
        (259, SHORT, 4 if code < 0 else 3),
        (262, SHORT, int(swapped)),
        (273, LONG, 0),
        (277, SHORT, 1),
        (278, LONG, picture.height),
        (279, LONG, len(data)),
        *([(292, LONG, int(code > 0) | (4 if how.get("/EncodedByteAlign") else 0))] if code >= 0 else []),
    ]
    start = 8 + 2 + 12 * len(entries) + 4
    table = b"".join(
        struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", start if tag == 273 else value)
        for tag, kind, value in entries
    )
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(4) + data
