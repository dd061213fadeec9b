"""The older API, /DWTAPI: four calls, the last version of which clients still speak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import MediaType, Response, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from dwtsvc.server.gate.access import Access, caller
from dwtsvc.server.rest import sheets, waiting
from dwtsvc.server.rest.body import strict
from dwtsvc.server.rest.described import described, problems
from dwtsvc.server.rest.jobpages import FAULTS, nothing
from dwtsvc.server.rest.jobs import KNOWN, Req, begin
from dwtsvc.server.rest.model import DAY, OldCreateJob, Scanner
from dwtsvc.server.rest.scanners import Mask, listed

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

JOBS = "/DWTAPI/ScanJobs"
Timeout = Annotated[int, QueryParameter(ge=1, le=DAY, description="Seconds the scanner may be silent.")]


def routes(service: Service) -> list[Any]:
    choice = service.choice

    @get(
        "/DWTAPI/Scanners",
        opt={"access": Access.LIST},
        operation_id="oldListScanners",
        responses=problems(),
        summary="List the scanners",
    )
    async def list_scanners(request: Req, mask: Mask = None) -> list[Scanner]:
        return await listed(service, caller(request), mask)

    @post(
        JOBS,
        opt={"access": Access.SCAN},
        operation_id="oldCreateJob",
        media_type=MediaType.TEXT,
        responses=problems(404, 409, 423, 502, 504),
        operation_class=described(optional=True, body={"device": "virtual:adf?pages=2", "config": {"Resolution": 200}}),
        summary="Scan; the answer is the id of the job",
    )
    async def create_job(request: Req, data: JSONBody[OldCreateJob | None] = None, timeout: Timeout = 30) -> str:
        body, who = await strict(request, data) if data else OldCreateJob(), caller(request)
        device = await service.bridge.outside(choice.device, who, body.device)
        held = await service.bridge.outside(begin, service, who, device, body, float(timeout))
        choice.used(who.bucket, device)
        return held.uid

    @get(
        f"{JOBS}/{{job:str}}/NextDocument",
        opt={"access": Access.READ},
        operation_id="oldNextDocument",
        responses=problems(*FAULTS, none=True),
        operation_class=described(types=("image/png",)),
        summary="Wait for the next page",
    )
    async def next_document(request: Req, job: FromPath[str]) -> Response[bytes]:
        held = service.holdings.job(caller(request).bucket, job)
        try:
            found = await waiting.next_page(service, request, held, "content")
        except waiting.Gone:
            found = None
        if found is None:
            return nothing()

        def made() -> bytes:
            sheet = sheets.of_job(service, held.bucket, held.uid, found[1])
            return sheets.encoded(sheet, "image/png", service.settings.quality)

        return Response(await service.bridge.run(made), media_type="image/png")

    @delete(
        f"{JOBS}/{{job:str}}",
        opt={"access": Access.SCAN},
        operation_id="oldDeleteJob",
        status_code=200,
        media_type=MediaType.TEXT,
        responses=problems(*KNOWN),
        summary="Delete a job with its pages",
    )
    async def delete_job(request: Req, job: FromPath[str]) -> str:
        held = service.holdings.job(caller(request).bucket, job)
        await service.bridge.outside(service.holdings.delete_job, held)
        return ""

    return [list_scanners, create_job, next_document, delete_job]
