"""The pages of a job: next-page-info and next-page, which wait for them, and content, which does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Response, get
from litestar.params import FromPath, QueryParameter

from dwtsvc.errors import DwtsvcError, UnknownItem, WrongState
from dwtsvc.model import JobState, PageInfo
from dwtsvc.server.gate.access import Access, caller
from dwtsvc.server.holdings import Held
from dwtsvc.server.rest import jobwords, pagelinks, sheets, waiting
from dwtsvc.server.rest.described import described, problems
from dwtsvc.server.rest.jobs import KNOWN, Req
from dwtsvc.server.rest.model import ImageType, OutputInfo
from dwtsvc.server.rest.pagelinks import JOBS, Link

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

IMAGES = ("image/png", "image/jpeg")
FAULTS = (404, 409, 410, 422, 502, 504)  # what ends a job is told after its last good page

Type = Annotated[ImageType, QueryParameter(name="type", description="The type of the image.")]
NeededType = Annotated[ImageType, QueryParameter(name="type", required=True, description="The type of the image.")]
Uid = Annotated[
    str | None, QueryParameter(name="page", max_length=64, description="An imageuid: that page again; no cursor moves.")
]
Index = Annotated[int, QueryParameter(name="page", ge=0, le=1_000_000, description="The page, from 0.")]

Bytes = Response[bytes]


def nothing() -> Response[Any]:
    return Response(None, status_code=204)


def routes(service: Service) -> list[Any]:
    def mine(request: Req, job: str) -> Held:
        return service.holdings.job(caller(request).bucket, job)

    @get(
        f"{JOBS}/{{job:str}}/next-page-info",
        opt={"access": Access.READ},
        operation_id="nextPageInfo",
        responses=problems(*FAULTS, none=True),
        summary="Wait for the next page and tell about it; a cursor of its own",
    )
    async def next_page_info(request: Req, job: FromPath[str]) -> Response[list[OutputInfo]]:
        held = mine(request, job)
        try:
            found = await waiting.next_page(service, request, held, "info")
        except waiting.Gone:
            found = None
        if found is None:
            return nothing()
        return Response([_told(request, held, *found)])

    def _told(request: Req, held: Held, index: int, page: PageInfo) -> OutputInfo:
        """A web page gets an address that its `<img>` can show; a tool's stays good for ever."""
        path, who = jobwords.path(held, page), caller(request)
        if who.kind == "origin":
            path = service.token.signed(who.bucket, path)
        return jobwords.output_info(page, index, pagelinks.base(request) + path)

    @get(
        f"{JOBS}/{{job:str}}/next-page",
        opt={"access": Access.IMAGE},
        operation_id="nextPage",
        responses=problems(*FAULTS, none=True),
        operation_class=described(types=IMAGES),
        summary="Wait for the next page, or fetch one again",
    )
    async def next_page(request: Req, job: FromPath[str], media_type: Type = "image/png", page: Uid = None) -> Bytes:
        held = mine(request, job)
        if page is not None:
            return await made(held, pagelinks.find(held.job, Link(held.uid, imageuid=page.lower())), media_type)
        if caller(request).kind == "image":
            raise UnknownItem("There is no such page", hint="A signed address names its page.")
        try:
            found = await waiting.next_page(service, request, held, "content")
        except waiting.Gone:
            found = None
        return await made(held, found[1], media_type) if found else nothing()

    @get(
        f"{JOBS}/{{job:str}}/content",
        opt={"access": Access.READ},
        operation_id="content",
        responses=problems(*KNOWN, 409, 422, none=True),
        operation_class=described(types=IMAGES),
        summary="Fetch a page by its index, without waiting",
    )
    async def content(request: Req, job: FromPath[str], media_type: NeededType, page: Index) -> Bytes:
        held = mine(request, job)
        found = at_once(held, page)
        return await made(held, found, media_type) if found else nothing()

    async def made(held: Held, page: PageInfo, media_type: str) -> Bytes:
        return Response(await service.bridge.run(_encoded, held, page, media_type), media_type=media_type)

    def _encoded(held: Held, page: PageInfo, media_type: str) -> bytes:
        sheet = sheets.of_job(service, held.bucket, held.uid, page)
        return sheets.encoded(sheet, media_type, service.settings.quality)

    return [next_page_info, next_page, content]


def at_once(held: Held, index: int) -> PageInfo | None:
    """The page at an index if it is safe; None if it is not there, or not there yet. Raises what lost it."""
    job = held.job
    if job.state is JobState.PENDING:
        raise WrongState("The job is pending", hint='Start it first: PATCH it with {"status": "running"}.')
    if not job.settled(index):
        return None
    try:
        return job.page(index)
    except DwtsvcError as error:
        if error is job.error:  # the job ended before this page
            return None
        raise
