"""Classic methods for files: load into the buffer, save from it, as base64 too, and upload."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import msgspec

from dwtsvc.buffer import Buffer, Leaf
from dwtsvc.errors import BadArguments, TooLarge, TooMany
from dwtsvc.formats import PageEncoder
from dwtsvc.server import loading, parsing, saving, texts
from dwtsvc.server.classic import uploading
from dwtsvc.server.classic.client import Client
from dwtsvc.server.classic.methods import Group, Result
from dwtsvc.server.gate.access import Access
from dwtsvc.server.gate.bodies import MOST_UPLOAD
from dwtsvc.server.looks import Look
from dwtsvc.server.uploads import Upload

METHODS = Group()
PDFA = {"": None, "2b": "pdfa-2b", "3b": "pdfa-3b"}
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
    """`type` is pdf, tiff, png, jpeg, bmp or webp; `compression` is for TIFF.

    `ocr` names the languages that a PDF is to be searchable in, eng+deu; `pdfa` is 2b or 3b.
    """

    type: str = "pdf"
    indices: list[int] | None = None
    quality: int = 80
    compression: str = "auto"
    title: str = ""
    ocr: str = ""
    pdfa: str = ""


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
    return take_in(client, Upload(len(file), file), **how)  # type: ignore[arg-type]


def take_in(
    client: Client,
    file: Upload,
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
    _count(client.buffer, file.size)
    how: dict[str, Any] = {"at": place, "tags": client.tags(), "dpi": dpi, "gray": gray, "password": password}
    leaves = loading.load(client.buffer, file, client.service.confined, client.bucket, **how)
    return [[client.adopt(leaf).id for leaf in leaves]]


def check_coming(client: Client, length: int | None) -> None:
    """Raises TooMany for what can be said before the first byte of a file of this announced length is taken."""
    client.service.holdings.check_room(client.bucket, site=client.foreign, jobs=False, coming=length or MOST_UPLOAD)
    _loaded(client.buffer, length or 0)


def _count(buffer: Buffer, size: int) -> None:
    buffer.loaded = _loaded(buffer, size)


def _loaded(buffer: Buffer, size: int) -> int:
    """The bytes of files in a buffer with so many more, from 0 for an empty one; TooMany if it does not take them."""
    loaded = (buffer.loaded if len(buffer) else 0) + size
    if loaded > MOST_LOADED:
        raise TooMany(
            f"Files of at most {MOST_LOADED >> 20} MiB can be loaded into a buffer",
            hint="Remove its images, or use another client id.",
        )
    return loaded


@METHODS.method("SaveImages", Access.READ, Saved, awaited=True)
async def save(client: Client, wants: Saved) -> File:
    """Images with their edits as a file: several in a PDF or TIFF, one in any other. The answer is the file itself."""
    found: File = await _where(client, wants)(saved, client, wants)
    return found


def _where(client: Client, wants: Saved) -> Callable[..., Awaitable[Any]]:
    """Where a file is made: reading takes a while, and waits for children."""
    return client.service.bridge.confined if wants.ocr else client.service.bridge.run


def saved(client: Client, wants: Saved, on_page: Callable[[int], object] = lambda number: None) -> File:
    """The file; `on_page` hears of each page that was read for it. Blocking."""
    encoder, leaves = _encoder(wants), client.chosen(wants.indices)
    found = _texts(client, leaves, wants.ocr, on_page) if wants.ocr else ()
    content = saving.save(leaves, client.buffer.store, encoder, client.service.paths, found)
    return File(content, saving.MEDIA_TYPES[wants.type])


@METHODS.method("ConvertToBase64", Access.READ, Saved, awaited=True)
async def to_base64(client: Client, wants: Saved) -> Result:
    """The same file as base64, up to 64 MiB of it."""
    found: Result = await _where(client, wants)(_base64, client, wants)
    return found


def _base64(client: Client, wants: Saved) -> Result:
    with saved(client, wants).content as content:
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
    if wants.type != "pdf" and (wants.ocr or wants.pdfa):
        raise BadArguments("Only a PDF is searchable, or PDF/A", hint="Leave `ocr` and `pdfa` out.")
    if wants.pdfa not in PDFA:
        raise BadArguments(f"There is no PDF/A-{wants.pdfa} here", hint="Choose 2b or 3b.")
    return PageEncoder(
        wants.type,
        quality=wants.quality,
        tiff_compression=compression,
        title=wants.title,
        conformance=PDFA[wants.pdfa],
    )


def _texts(client: Client, leaves: Sequence[Leaf], languages: str, on_page: Callable[[int], object]) -> saving.Texts:
    """What is read on images, with their edits. Raises BadInput, MissingDependency."""
    looks = [Look(leaf.page, partial(client.content, leaf), leaf.steps) for leaf in leaves]
    ask = texts.asked(client.service.settings, languages)
    return saving.kept(client.service.findings.each(client.bucket, looks, ask), on_page)


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
    with saved(client, wants).content as content:
        reply = uploading.upload(parcel, content, allowed)
    return [reply.status, reply.text]
