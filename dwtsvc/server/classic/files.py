"""Classic methods for files: load into the buffer, save from it, as base64 too, and upload."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec

from dwtsvc.buffer import Buffer
from dwtsvc.errors import BadArguments, TooLarge, TooMany
from dwtsvc.formats import PageEncoder
from dwtsvc.server import loading, parsing, saving
from dwtsvc.server.classic import uploading
from dwtsvc.server.classic.client import Client
from dwtsvc.server.classic.methods import Group, Result
from dwtsvc.server.gate.access import Access

METHODS = Group()
LARGEST_BASE64 = 64 << 20
MOST_LOADED = 512 << 20  # bytes of files in one buffer


@dataclass(frozen=True, slots=True)
class File:
    """A result that is sent as it is, and not in the envelope."""

    content: BinaryIO
    media_type: str


class Loaded(msgspec.Struct, frozen=True):
    """`file` is base64, without or with a data URL's head; large files go to /f/LoadFile as they are.

    `dpi`, `gray` and `password` are for PDF. `insertAt` is an index; the end without it.
    """

    file: str
    insertAt: int | None = None
    dpi: int = 200
    gray: bool = False
    password: str | None = None


class Saved(msgspec.Struct, frozen=True):
    """`type` is pdf, tiff, png, jpeg, bmp or webp; `compression` is for TIFF."""

    type: str = "pdf"
    indices: list[int] | None = None
    quality: int = 80
    compression: str = "auto"
    title: str = ""


class Uploaded(Saved, frozen=True, kw_only=True):
    """POST sends a form with the file in `fieldName`, PUT the file alone; `fields` and `headers` go with it."""

    url: str
    method: str = "POST"
    fieldName: str = "RemoteFile"
    fileName: str = ""
    fields: dict[str, str] = {}
    headers: dict[str, str] = {}


@METHODS.method("LoadImage", Access.EDIT, Loaded, confined=True)
def load(client: Client, wants: Loaded) -> Result:
    """Load a BMP, JPEG, PNG, TIFF, WebP, GIF or PDF file with all its pages; the ids of the new images."""
    text = wants.file.partition(",")[2] if wants.file.startswith("data:") else wants.file
    try:
        file = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadArguments("The file is no base64", why=str(error)) from error
    how = {"at": wants.insertAt, "dpi": wants.dpi, "gray": wants.gray, "password": wants.password}
    return take_in(client, file, **how)  # type: ignore[arg-type]


def take_in(
    client: Client,
    file: bytes,
    *,
    at: int | None = None,
    dpi: float = parsing.UNSTATED_DPI,
    gray: bool = False,
    password: str | None = None,
) -> Result:
    """Load a file into what the page sees; the ids of the new images. Raises as `loading.load`, and TooMany."""
    client.service.holdings.check_room(client.bucket, site=client.foreign, jobs=False)
    if not 10 <= dpi <= 2400:
        raise BadArguments(f"A page cannot be drawn at {dpi:g} dpi", hint="Choose 10 to 2400.")
    place = client.place_of(at)
    _count(client.buffer, len(file))
    how: dict[str, Any] = {"at": place, "tags": client.tags(), "dpi": dpi, "gray": gray, "password": password}
    leaves = loading.load(client.buffer, file, client.service.confined, client.bucket, **how)
    return [[client.adopt(leaf).id for leaf in leaves]]


def _count(buffer: Buffer, size: int) -> None:
    """Raises TooMany for more bytes of files than one buffer takes; one that is empty begins anew."""
    before = buffer.loaded if len(buffer) else 0
    if before + size > MOST_LOADED:
        raise TooMany(
            f"Files of at most {MOST_LOADED >> 20} MiB can be loaded into a buffer",
            hint="Remove its images, or use another client id.",
        )
    buffer.loaded = before + size


@METHODS.method("SaveImages", Access.READ, Saved)
def save(client: Client, wants: Saved) -> File:
    """Images with their edits as a file: several in a PDF or TIFF, one in any other. The answer is the file itself."""
    content = saving.save(client.chosen(wants.indices), client.buffer.store, _encoder(wants), client.service.paths)
    return File(content, saving.MEDIA_TYPES[wants.type])


@METHODS.method("ConvertToBase64", Access.READ, Saved)
def to_base64(client: Client, wants: Saved) -> Result:
    """The same file as base64, up to 64 MiB of it."""
    with save(client, wants).content as content:
        file = content.read(LARGEST_BASE64 + 1)
    if len(file) > LARGEST_BASE64:
        raise TooLarge("The file is too large for base64", hint="SaveImages gives it as it is.")
    return [base64.b64encode(file).decode()]


def _encoder(wants: Saved) -> PageEncoder:
    from dwtsvc.config import TIFF_COMPRESSION

    if not 1 <= wants.quality <= 100:
        raise BadArguments(f"The quality cannot be {wants.quality}", hint="Choose 1 to 100.")
    compression = TIFF_COMPRESSION.argument("compression", wants.compression)
    if wants.type not in saving.MEDIA_TYPES:
        raise BadArguments(f"There is no type '{wants.type}'", hint=f"Choose one of: {', '.join(saving.MEDIA_TYPES)}.")
    return PageEncoder(wants.type, quality=wants.quality, tiff_compression=compression, title=wants.title)


@METHODS.method("HTTPUpload", Access.UPLOAD, Uploaded, outside=True)
def upload(client: Client, wants: Uploaded) -> Result:
    """Send images as a file to the site of the page, or to one that the owner allows; its status and its answer."""
    allowed = {*client.service.settings.upload_targets, client.caller.origin or ""} - {""}
    parcel = uploading.Parcel(
        wants.url,
        saving.MEDIA_TYPES.get(wants.type, ""),
        wants.method,
        wants.fieldName,
        wants.fileName or f"scan.{wants.type}",
        wants.fields,
        wants.headers,
    )
    uploading.checked(parcel, allowed)  # before the file is made
    with save(client, wants).content as content:
        reply = uploading.upload(parcel, content, allowed)
    return [reply.status, reply.text]
