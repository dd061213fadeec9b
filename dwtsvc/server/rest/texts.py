"""/api/process/ocr: the text of a page, and the languages that can be read."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response, get, post
from litestar.params import JSONBody

from dwtsvc.imaging import ocr
from dwtsvc.server import texts
from dwtsvc.server.gate.access import Access, caller
from dwtsvc.server.looks import Found, Look
from dwtsvc.server.rest import progress, sheets
from dwtsvc.server.rest.body import strict
from dwtsvc.server.rest.described import described, problems
from dwtsvc.server.rest.documents import SOURCE
from dwtsvc.server.rest.jobs import Req
from dwtsvc.server.rest.model import OcrLanguages, OcrSettings, ReadText

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

WORD = {"text": "Invoice", "box": [210, 180, 402, 221], "confidence": 96.2}
PAGE = {
    "number": 1,
    "width": 1654,
    "height": 2339,
    "dpi": 200,
    "languages": "eng",
    "engine": "tesseract 5.3.0",
    "confidence": 96.2,
    "text": "Invoice\n",
    "lines": [{"box": WORD["box"], "words": [WORD]}],
}
TYPES = (*texts.MEDIA_TYPES.values(), progress.EVENTS)


def routes(service: Service) -> list[Any]:
    @post(
        "/api/process/ocr",
        opt={"access": Access.READ},
        operation_id="readText",
        status_code=200,
        responses=problems(404, 410, 422, 501),
        operation_class=described(
            body={"source": SOURCE, "settings": {"language": "eng", "rotate": True, "format": "json"}},
            answer={"pages": [PAGE]},
            types=TYPES,
        ),
        summary="Read the text of a scanned page: its words with their places, or a file",
    )
    async def read_text(request: Req, data: JSONBody[ReadText]) -> Response[bytes]:
        wanted = await strict(request, data)
        how = wanted.settings or OcrSettings()
        how_so = {"fast": how.fast, "psm": how.psm, "rotate": how.rotate, "deskew": how.deskew}
        ask = await service.bridge.confined(texts.asked, service.settings, how.language, **how_so)  # type: ignore[arg-type]
        sheet = await sheets.of_source(service, request, wanted.source)
        look, bucket = Look(sheet.page, lambda: sheet.data), caller(request).bucket

        def work(tell: progress.Tell) -> bytes:
            found = service.findings.of(bucket, look, ask)
            tell(1, 1)
            return made(look, found, how.format)

        def answer(file: bytes) -> Response[bytes]:
            return Response(file, media_type=texts.MEDIA_TYPES[how.format])

        return await progress.answered(  # type: ignore[no-any-return]
            service, request, work, answer=answer, result=lambda file: _told(file, how.format)
        )

    def made(look: Look, found: Found, format: str) -> bytes:
        if format == "pdf":
            return texts.searchable([(look, found)], service.settings.quality)
        return texts.file_of([found], format)

    @get(
        "/api/process/ocr/languages",
        opt={"access": Access.READ},
        operation_id="languages",
        responses=problems(501),
        operation_class=described(answer=OcrLanguages(["deu", "eng"], "eng", {"tesseract": "5.3.0", "rapidocr": None})),
        summary="The languages that text can be read in",
    )
    async def languages(request: Req) -> OcrLanguages:
        found = await service.bridge.confined(ocr.languages, service.settings.tessdata)
        engines = await service.bridge.confined(ocr.engines)
        return OcrLanguages([each for each in found if each != "osd"], service.settings.language, engines)

    return [read_text, languages]


def _told(file: bytes, format: str) -> Any:
    """A file as it can stand in an event."""
    if format == "json":
        return msgspec.json.decode(file)
    said = {"base64": base64.b64encode(file).decode()} if format == "pdf" else {"text": file.decode()}
    return {"type": texts.MEDIA_TYPES[format], **said}
