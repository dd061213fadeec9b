"""/api/storage/documents: documents that persist, page by page, and as one file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import UNSET

from dwtsvc.buffer import Buffer
from dwtsvc.errors import BadArguments, TooMany
from dwtsvc.server import saving, texts
from dwtsvc.server.findings import Findings
from dwtsvc.server.gate.access import Access, caller
from dwtsvc.server.looks import Ask, Look
from dwtsvc.server.rest import contents, pagelinks, progress, sheets
from dwtsvc.server.rest.body import strict
from dwtsvc.server.rest.described import described, problems
from dwtsvc.server.rest.jobs import Req
from dwtsvc.server.rest.model import (
    ChangeDocument,
    CreateDocument,
    DocumentInfo,
    DocumentPage,
    DocumentSummary,
    InsertPage,
)

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

DOCUMENTS = "/api/storage/documents"
EXAMPLE = DocumentInfo("Yk1pU2dWc1ZtT0pBb3d3Zg", [DocumentPage("c0JfZ1ZsQW1WbkZ0d0Rxcg")])
SOURCE = "http://127.0.0.1:18622/api/device/scanners/jobs/<job>/next-page?page=<imageuid>"
OF_A_DOCUMENT = {
    name: {"document": "$response.body#/uid"}
    for name in (
        *("documentInfo", "changeDocument", "deleteDocument"),
        *("insertPage", "documentContent", "deletePage"),
    )
}

Password = Annotated[
    str | None, HeaderParameter(name="DWT-DOC-PASSWORD", description="The document's password, if it has one.")
]
OldPassword = Annotated[str | None, HeaderParameter(name="X-DICS-DOC-PASSWORD", description="Its older name.")]
Words = Annotated[str, QueryParameter(max_length=4096)]


def info(uid: str, buffer: Buffer) -> DocumentInfo:
    pages = [DocumentPage(leaf.id) for leaf in buffer.leaves]
    return DocumentInfo(uid, pages, UNSET if buffer.metadata is None else buffer.metadata)


def password_of(request: Req) -> str:
    """The password that a request brings: a header holds bytes, and a password is a text."""
    raw = request.headers.get("dwt-doc-password") or request.headers.get("x-dics-doc-password") or ""
    try:
        return raw.encode("latin-1").decode()
    except UnicodeError:
        return raw


def routes(service: Service) -> list[Any]:
    documents = service.documents

    async def opened(request: Req, document: str) -> Buffer:
        return await service.bridge.run(documents.open, caller(request).bucket, document, password_of(request))

    @post(
        DOCUMENTS,
        opt={"access": Access.EDIT},
        operation_id="createDocument",
        responses=problems(),
        operation_class=described(
            optional=True, body={"password": "secret"}, answer=DocumentInfo(EXAMPLE.uid, []), links=OF_A_DOCUMENT
        ),
        summary="Make an empty document; with a password it is encrypted",
    )
    async def create_document(request: Req, data: JSONBody[CreateDocument | None] = None) -> DocumentInfo:
        await service.bridge.run(check_room, service, request)
        password = (await strict(request, data)).password if data else ""
        uid, buffer = await service.bridge.run(documents.create, caller(request).bucket, password)
        return info(uid, buffer)

    @get(
        DOCUMENTS,
        opt={"access": Access.READ},
        operation_id="listDocuments",
        responses=problems(),
        operation_class=described(answer=[DocumentSummary(EXAMPLE.uid, False)]),
        summary="List the documents of this client, the newest first",
    )
    async def list_documents(request: Req) -> list[DocumentSummary]:
        return [DocumentSummary(each.uid, bool(each.check)) for each in documents.listed(caller(request).bucket)]

    @get(
        f"{DOCUMENTS}/{{document:str}}",
        opt={"access": Access.READ},
        operation_id="documentInfo",
        responses=problems(404),
        operation_class=described(answer=EXAMPLE),
        summary="The pages and metadata of a document",
    )
    async def document_info(
        request: Req, document: FromPath[str], password: Password = None, old: OldPassword = None
    ) -> DocumentInfo:
        return info(document, await opened(request, document))

    @patch(
        f"{DOCUMENTS}/{{document:str}}",
        opt={"access": Access.EDIT},
        operation_id="changeDocument",
        responses=problems(404),
        operation_class=described(body={"metadata": {"customer": 17}}, answer=EXAMPLE),
        summary="Replace the metadata of a document",
    )
    async def change_document(
        request: Req, document: FromPath[str], data: JSONBody[ChangeDocument], password: Password = None
    ) -> DocumentInfo:
        buffer = await opened(request, document)
        await service.bridge.run(buffer.describe, (await strict(request, data)).metadata)
        return info(document, buffer)

    @delete(
        f"{DOCUMENTS}/{{document:str}}",
        opt={"access": Access.EDIT},
        operation_id="deleteDocument",
        responses=problems(404),
        summary="Delete a document",
    )
    async def delete_document(request: Req, document: FromPath[str], password: Password = None) -> None:
        await service.bridge.run(documents.delete, caller(request).bucket, document, password_of(request))

    @post(
        f"{DOCUMENTS}/{{document:str}}/pages",
        opt={"access": Access.EDIT},
        operation_id="insertPage",
        status_code=200,
        responses=problems(404, 410, 422),
        operation_class=described(body={"source": SOURCE, "insertPos": 1}, answer=EXAMPLE),
        summary="Copy a scanned page into a document",
    )
    async def insert_page(
        request: Req, document: FromPath[str], data: JSONBody[InsertPage], password: Password = None
    ) -> DocumentInfo:
        buffer = await opened(request, document)
        await service.bridge.run(check_room, service, request)
        wanted = await strict(request, data)
        sheet = await sheets.of_source(service, request, wanted.source)
        at = wanted.insertPos - 1 if wanted.insertPos is not None and 1 <= wanted.insertPos <= len(buffer) else None
        await service.bridge.run(sheets.adopt, sheet, buffer, at)
        return info(document, buffer)

    @delete(
        f"{DOCUMENTS}/{{document:str}}/pages/{{page:str}}",
        opt={"access": Access.EDIT},
        operation_id="deletePage",
        responses=problems(404),
        summary="Delete a page, by its id or its index from 0",
    )
    async def delete_page(
        request: Req, document: FromPath[str], page: FromPath[str], password: Password = None
    ) -> None:
        buffer = await opened(request, document)
        leaf = contents.leaf_of(buffer, page)
        await service.bridge.run(buffer.remove, [leaf.id])

    @get(
        f"{DOCUMENTS}/{{document:str}}/content",
        opt={"access": Access.READ},
        operation_id="documentContent",
        responses=problems(404, 422, 501),
        operation_class=described(types=(*contents.TYPES, progress.EVENTS)),
        summary="A document as PDF or TIFF, or a page of it as PNG or JPEG",
    )
    async def document_content(
        request: Req,
        document: FromPath[str],
        password_header: Password = None,
        media_type: Annotated[contents.DocumentType, QueryParameter(name="type")] = "application/pdf",
        pages: Annotated[
            str, QueryParameter(max_length=4096, description="Indices from 0, or page ids, with commas between.")
        ] = "",
        compression: Annotated[int, QueryParameter(ge=0, le=65_535, description="See docs/rest-api.md.")] = 0,
        quality: Annotated[int, QueryParameter(ge=0, le=100, description="Of JPEG; higher is better.")] = 80,
        page_type: Annotated[int, QueryParameter(name="pageType", ge=0, le=9, description="The paper of a PDF.")] = 0,
        password: Annotated[str, QueryParameter(max_length=32, description="To open the PDF with.")] = "",
        author: Words = "",
        creator: Words = "",
        creation_date: Annotated[str, QueryParameter(name="creationDate", max_length=4096)] = "",
        key_words: Annotated[str, QueryParameter(name="keyWords", max_length=4096)] = "",
        modified_date: Annotated[str, QueryParameter(name="modifiedDate", max_length=4096)] = "",
        producer: Words = "",
        subject: Words = "",
        title: Words = "",
        version: Annotated[contents.PdfVersion | None, QueryParameter()] = None,
        ocr: Annotated[
            str, QueryParameter(max_length=400, description="Languages, eng+deu: the PDF's text can be searched.")
        ] = "",
        pdfa: Annotated[contents.PdfaLevel | None, QueryParameter(description="The PDF is PDF/A of this level")] = None,
    ) -> Response[bytes] | Stream:
        said = {
            "Author": author,
            "Creator": creator,
            "Keywords": key_words,
            "Producer": producer,
            "Subject": subject,
            "Title": title,
            "CreationDate": creation_date,
            "ModDate": modified_date,
        }
        wanted = contents.Wanted(
            media_type=media_type,
            compression=compression,
            quality=max(1, quality),
            page_type=page_type,
            password=password,
            about={name: text for name, text in said.items() if text},
            version=version or "",
            pdfa=pdfa or "",
        )
        contents.check(wanted)
        ask = await _asked(wanted, ocr)
        buffer = await opened(request, document)
        leaves = contents.chosen(buffer, pages, wanted)
        folder, secret = service.paths.create(service.paths.cache), bool(password_of(request))

        def finish(found: saving.Texts) -> Response[bytes] | Stream:
            return contents.answer(contents.write(buffer, leaves, wanted, folder, found, secret=secret), media_type)

        if ask is None:
            return await service.bridge.run(finish, ())
        looks, bucket = contents.looks(buffer, leaves), caller(request).bucket
        done = await progress.answered(
            service,
            request,
            partial(read_all, service.findings, bucket, looks, ask),
            answer=lambda found: found,
            result=lambda found: {"url": f"{pagelinks.base(request)}{request.url.path}?{request.url.query}"},
        )
        return done if isinstance(done, Response) else await service.bridge.run(finish, done)

    async def _asked(wanted: contents.Wanted, languages: str) -> Ask | None:
        """How the pages are to be read, if at all. Raises BadArguments, MissingDependency."""
        if not languages:
            return None
        if wanted.media_type != "application/pdf":
            raise BadArguments("Only a PDF can hold the text of its pages", hint="Leave `type` or `ocr` out.")
        return await service.bridge.confined(texts.asked, service.settings, languages)

    return [
        *(create_document, list_documents, document_info, change_document, delete_document),
        *(insert_page, delete_page, document_content),
    ]


def read_all(findings: Findings, bucket: str, looks: Sequence[Look], ask: Ask, tell: progress.Tell) -> saving.Texts:
    """The text of every page. Blocking. Raises as `Findings.of`."""
    return saving.kept(findings.each(bucket, looks, ask), lambda number: tell(number, len(looks)))


def check_room(service: Service, request: Req) -> None:
    """Raises TooMany when a web site's documents have as much room as it may take."""
    who = caller(request)
    if who.kind == "origin" and service.documents.used(who.bucket) >= service.settings.origin_cache_limit:
        raise TooMany("The documents take all the room they may", hint="Delete documents that are not needed.")
