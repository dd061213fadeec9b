"""`POST /dwt/dwt_<version>/OCRPro` as far as it was published: images of the caller's own buffer, read into one file.

The published call names files of the machine. Here a web page may be asking, so only its own images can be named, and
nothing is written anywhere.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from litestar import Request, Response, post
from litestar.params import FromPath, FromQuery, JSONBody

from dwtsvc.buffer import Leaf
from dwtsvc.errors import BadArguments, DwtsvcError
from dwtsvc.model import Step
from dwtsvc.server import faults, texts
from dwtsvc.server.classic.client import Client, Clients, size_of
from dwtsvc.server.classic.images import client_id
from dwtsvc.server.classic.texts import look
from dwtsvc.server.gate import access
from dwtsvc.server.gate.access import Access, Caller
from dwtsvc.server.looks import Ask, Found, Look
from dwtsvc.server.rest.pagelinks import is_ours
from dwtsvc.text import Box, Line, Word

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

TYPES = tuple(texts.MEDIA_TYPES)
FORMATS = {"iotpdf": "pdf", "uformattedtxt": "text", **{name: name for name in TYPES}}
PDFA = {"pdf/a-2b": "pdfa-2b", "pdf/a-3b": "pdfa-3b"}
MODULES = ("", "auto", "balanced", "fastest", "mostaccurate")
DONE = "Recognize succeeded."
BY = "Name images by index, by id, or by the url that GetImages tells."

Zone = tuple[int, int, int, int]

_IMAGE = re.compile(r"/dwt/[^/]+/img")


class Settings(msgspec.Struct):
    """By their published names. `threadCount`, `recognitionMethod` and `pdfVersion` change nothing here."""

    recognitionModule: str = ""
    languages: str = ""
    recognitionMethod: str = ""
    threadCount: str | int = ""
    outputFormat: str = "UFormattedTxt"
    pdfAVersion: str = ""
    pdfVersion: str = ""
    redaction: Any = None


class Call(msgspec.Struct):
    """`inputFile` names images by index, id or URL; `zones` are [left, top, right, bottom] in pixels."""

    inputFile: Annotated[list[str | int], msgspec.Meta(max_length=1000)]
    settings: Settings = msgspec.field(default_factory=Settings)
    zones: Annotated[list[Zone], msgspec.Meta(max_length=100)] = []
    outputFile: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """An image by the name that the caller gave it, and whose it is."""

    name: str
    client: Client
    leaf: Leaf


def routes(service: Service, clients: Clients) -> list[Any]:
    @post("/dwt/{version:str}/OCRPro", opt={"access": Access.READ}, status_code=200, include_in_schema=False)
    async def ocr_pro(
        request: Request[Any, Any, Any], version: FromPath[str], data: JSONBody[Call], id: FromQuery[str] = "1"
    ) -> Response[bytes]:
        """Read images of the caller's buffers; the answer is a text that is JSON."""
        status = 200
        try:
            said = await service.bridge.confined(performed, request, id, data)
        except DwtsvcError as error:
            status, _, body = faults.answer(error)
            said = {**msgspec.json.decode(body), "errorList": []}
        return Response(msgspec.json.encode(said), status_code=status, media_type="application/json")

    def performed(request: Request[Any, Any, Any], id: str, call: Call) -> dict[str, Any]:
        form, ask = _form(call), _ask(service, call.settings)
        caller, host = access.caller(request), request.url.netloc
        images = [_named(clients, caller, client_id(id.encode()), str(each), host) for each in call.inputFile]
        if not images:
            raise BadArguments("inputFile names no image", hint=BY)
        for each in images:
            _check_zones(each.leaf, call.zones)
        return _answer(service, call, images, ask, form)

    return [ocr_pro]


def _named(clients: Clients, caller: Caller, id: str, name: str, host: str) -> Asked:
    """The image that is meant. Raises UnknownItem, and BadArguments for what could only be a file."""
    if address := _address(name, host):
        client = clients.find(caller, client_id(address["id"].encode()))
        image = address.get("image")
        return Asked(name, client, client.buffer.leaf(image) if image else client.buffer.at(_number(address["index"])))
    client = clients.find(caller, id)
    if name.isascii() and name.isdigit():
        return Asked(name, client, client.leaf(_number(name)))
    found = next((leaf for leaf in client.buffer.leaves if leaf.id == name), None)
    if found is None:
        raise BadArguments(
            "inputFile names no image of this page", why="files of the machine are not read here", hint=BY
        )
    return Asked(name, client, found)


def _number(text: str) -> int:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else -1


def _address(name: str, host: str) -> dict[str, str]:
    """What the address of an image of this service says; {} for anything else."""
    try:
        parts = urlsplit(name)
        query = parse_qs(parts.query, max_num_fields=32)
        ours = is_ours(parts, host) if parts.netloc else not parts.scheme
    except ValueError:
        return {}
    if not ours or not _IMAGE.fullmatch(parts.path) or not {"id", "index"} <= query.keys():
        return {}
    return {key: values[0] for key, values in query.items()}


def _form(call: Call) -> tuple[str, str | None]:
    """The format of the result, and the PDF/A that it is to be. Raises BadArguments for what is not done here."""
    settings = call.settings
    if call.outputFile:
        raise BadArguments("outputFile cannot be said", why="no file is written here", hint="Take resultFile.")
    if settings.redaction:
        raise BadArguments("redaction cannot be said", why="no text is made unreadable here")
    format = FORMATS.get(settings.outputFormat.lower())
    if format is None:
        raise BadArguments("There is no such outputFormat", hint=f"Choose IOTPDF, UFormattedTxt or {', '.join(TYPES)}.")
    wanted = settings.pdfAVersion.lower()
    if wanted and (wanted not in PDFA or format != "pdf"):
        raise BadArguments("There is no such pdfAVersion", hint=f"Choose {' or '.join(PDFA)} with IOTPDF.")
    return format, PDFA.get(wanted)


def _ask(service: Service, settings: Settings) -> Ask:
    module = settings.recognitionModule.lower().replace(" ", "")
    if module not in MODULES:
        raise BadArguments("There is no such recognitionModule", hint="Choose auto, balanced, fastest, mostaccurate.")
    named = settings.languages.replace(" ", "").replace(",", "+")
    return texts.asked(service.settings, named, fast=module == "fastest", full=module == "mostaccurate")


def _answer(
    service: Service, call: Call, images: Sequence[Asked], ask: Ask, form: tuple[str, str | None]
) -> dict[str, Any]:
    """The published answer. An image that cannot be read is in its errorList and not in the result."""
    done: list[tuple[Look, Found]] = []
    errors: list[tuple[Asked, DwtsvcError]] = []
    for each in images:
        seen = look(each.client, each.leaf)
        try:
            done.append((seen, _read(service, each, seen, ask, call.zones)))
        except DwtsvcError as error:
            errors.append((each, error))
    format, conformance = form
    pages = [found for _, found in done]
    file = (
        texts.searchable(done, service.settings.quality, conformance)
        if format == "pdf"
        else texts.file_of(pages, format)
    )
    return {
        "Request": {"inputFile": call.inputFile, "settings": call.settings, "outputFile": ""},
        "code": errors[0][1].service_code if errors else 0,
        "message": faults.message(errors[0][1]) if errors else DONE,
        "errorList": [{"input": each.name, "message": faults.message(error), "page": "1"} for each, error in errors],
        "resultFile": base64.b64encode(file if done else b"").decode(),
        "resultDetail": [[_word(word) for word in page.text.words] if page.text else [] for page in pages],
    }


def _word(word: Word) -> dict[str, Any]:
    return {"letter": word.text, "boundary": word.box}


def _check_zones(leaf: Leaf, zones: Sequence[Zone]) -> None:
    """Raises BadArguments for a zone that is not on the image."""
    for zone in zones:
        size_of(leaf, _crop(zone))


def _crop(zone: Zone) -> Step:
    left, top, right, bottom = zone
    return Step(name="crop", values={"left": left, "top": top, "width": right - left, "height": bottom - top})


def _read(service: Service, image: Asked, seen: Look, ask: Ask, zones: Sequence[Zone]) -> Found:
    """What was read on an image: on all of it, or in the zones one after another, where it is on the whole image."""
    bucket = image.client.bucket
    if not zones:
        return service.findings.of(bucket, seen, ask)
    width, height, dpi = size_of(image.leaf)
    lines: list[Line] = []
    for zone in zones:
        part = service.findings.of(bucket, replace(seen, steps=(*seen.steps, _crop(zone))), ask)
        before = lines[-1].block if lines else 0
        lines += [_moved(line, zone, before) for line in (part.text.lines if part.text else ())]
    text = replace(part.text, width=width, height=height, dpi=dpi, lines=tuple(lines)) if part.text else None
    return Found(width=width, height=height, dpi=dpi, text=text)


def _moved(line: Line, zone: Zone, blocks: int) -> Line:
    """A line of a zone as it lies on the page, behind so many blocks."""

    def on_page(box: Box) -> Box:
        return box[0] + zone[0], box[1] + zone[1], box[2] + zone[0], box[3] + zone[1]

    words = tuple(replace(word, box=on_page(word.box)) for word in line.words)
    return replace(line, words=words, box=on_page(line.box), block=line.block + blocks)
