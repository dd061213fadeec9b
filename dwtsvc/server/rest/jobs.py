"""/api/device/scanners/jobs: make, list, look at, start, cancel, delete and watch scan jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, delete, get, patch, post
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from litestar.response import Stream

from dwtsvc.errors import WrongState
from dwtsvc.model import JobState, Mode, ScanRequest
from dwtsvc.server.gate.access import Access, Caller, caller
from dwtsvc.server.holdings import Held
from dwtsvc.server.rest import driversettings, events, jobwords, pagelinks, scancaps, waiting
from dwtsvc.server.rest.body import strict
from dwtsvc.server.rest.capdetails import asked, details
from dwtsvc.server.rest.described import described, problems
from dwtsvc.server.rest.model import (
    CapabilityDetails,
    ChangeJob,
    CreateJob,
    DriverSettings,
    JobInfo,
    JobMade,
    JobStatus,
    JobSummary,
    OldCreateJob,
)
from dwtsvc.server.rest.pagelinks import JOBS
from dwtsvc.server.rest.scanners import SCANNER

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

UID = "4e2eb0a5-8cbc-4c78-8b1e-b8a0e2b1b5a1"
CREATE = {"device": "virtual:adf?pages=2", "config": {"PixelType": 2, "Resolution": 200, "IfFeederEnabled": True}}
KNOWN = (404, 410)
OF_A_JOB = {
    name: {"job": "$response.body#/jobuid"}
    for name in (
        *("jobInfo", "changeJob", "deleteJob", "capabilities", "settings"),
        *("nextPageInfo", "nextPage", "content"),
    )
}

Req = Request[Any, Any, Any]
ProductKey = Annotated[
    str | None, HeaderParameter(name="DWT-PRODUCT-KEY", description="Taken as the token of the service, if it is that.")
]
ShowUi = Annotated[bool, QueryParameter(name="showui", description="Ignored: no driver of this system shows a window.")]
CapList = Annotated[str, QueryParameter(name="caps", description="Numbers with commas between; none is all.")]


def begin(service: Service, who: Caller, device: str, body: CreateJob | OldCreateJob, timeout: float | None) -> Held:
    """Open the scanner for a job, see whether it can do what is asked, and let it run unless it shall wait. Blocking.

    Raises BadArguments, ScannerBusy, NoScanner, TooMany ..., and leaves no job then.
    """
    wish = scancaps.wish(body)
    asked_for = ScanRequest(device=device, mode=wish.mode or Mode.COLOR)
    held = service.holdings.begin_job(
        who.bucket,
        asked_for,
        service.develop(asked_for.mode),
        run=False,
        timeout=timeout,
        idle_limit=float(body.jobTimeout) if isinstance(body, CreateJob) else 0.0,
        site=who.kind == "origin",
    )
    try:
        assert held.pending is not None
        held.job.request = wish.on(held.pending.station.capabilities, device)
        if not isinstance(body, CreateJob) or body.autoRun:
            service.holdings.run_job(held)
    except BaseException:
        service.holdings.delete_job(held)
        raise
    return held


def routes(service: Service) -> list[Any]:
    choice = service.choice

    def mine(request: Req, job: str) -> Held:
        return service.holdings.job(caller(request).bucket, job)

    def pending(request: Req, job: str) -> Held:
        held = mine(request, job)
        if held.job.state is not JobState.PENDING or held.pending is None:
            raise WrongState("The job is not pending", hint='Make one with "autoRun": false.')
        return held

    @post(
        JOBS,
        opt={"access": Access.SCAN},
        operation_id="createJob",
        responses=problems(404, 409, 423, 502, 504),
        operation_class=described(optional=True, body=CREATE, answer=JobMade(UID, "running", SCANNER), links=OF_A_JOB),
        summary="Scan, or get a scanner ready to scan",
    )
    async def create_job(
        request: Req, data: JSONBody[CreateJob | None] = None, product_key: ProductKey = None
    ) -> JobMade:
        body = await strict(request, data) if data else CreateJob()
        who = caller(request)
        device = await service.bridge.outside(choice.device, who, body.device)
        timeout = float(body.scannerFailureTimeout) if body.scannerFailureTimeout else None
        held = await service.bridge.outside(begin, service, who, device, body, timeout)
        choice.used(who.bucket, device)
        return JobMade(held.uid, held.job.state.value, choice.scanner(device))

    @get(
        JOBS,
        opt={"access": Access.SCAN},
        operation_id="listJobs",
        responses=problems(),
        operation_class=described(answer=[JobSummary(UID, "completed", "virtual:adf", 3, "2026-11-21T07:00:00+00:00")]),
        summary="List the jobs of this client, the newest first",
    )
    async def list_jobs(request: Req) -> list[JobSummary]:
        return [jobwords.summary(held) for held in service.holdings.jobs(caller(request).bucket)]

    @get(
        f"{JOBS}/{{job:str}}",
        opt={"access": Access.SCAN},
        operation_id="jobInfo",
        responses=problems(*KNOWN),
        operation_class=described(answer=JobInfo("completed", 0, jobwords.GOOD, 3)),
        summary="How a job is doing",
    )
    async def job_info(request: Req, job: FromPath[str]) -> JobInfo:
        return jobwords.info(mine(request, job))

    @patch(
        f"{JOBS}/{{job:str}}",
        opt={"access": Access.SCAN},
        operation_id="changeJob",
        responses=problems(*KNOWN, 409),
        operation_class=described(optional=True, body={"status": "running"}, answer=JobStatus("running")),
        summary="Start a pending job, or cancel one",
    )
    async def change_job(request: Req, job: FromPath[str], data: JSONBody[ChangeJob | None] = None) -> JobStatus:
        held = mine(request, job)
        change = await strict(request, data) if data else ChangeJob()
        if change.status == "running":
            await service.bridge.outside(
                choice.permit, caller(request), held.job.request.device
            )  # still, or not any more
            await service.bridge.run(service.holdings.run_job, held)
            return JobStatus("running")
        await service.bridge.run(service.holdings.cancel_job, held)
        await waiting.ended(service, held)
        return JobStatus(held.job.state.value)

    @delete(
        f"{JOBS}/{{job:str}}",
        opt={"access": Access.SCAN},
        operation_id="deleteJob",
        responses=problems(*KNOWN),
        summary="Delete a job with its pages; one that runs is canceled first",
    )
    async def delete_job(request: Req, job: FromPath[str]) -> None:
        await service.bridge.outside(service.holdings.delete_job, mine(request, job))

    @get(
        f"{JOBS}/{{job:str}}/scanner/capabilities",
        opt={"access": Access.SCAN},
        operation_id="capabilities",
        responses=problems(*KNOWN, 409),
        summary="What the scanner of a pending job can do",
    )
    async def capabilities(request: Req, job: FromPath[str], caps: CapList = "") -> list[CapabilityDetails]:
        held = pending(request, job)
        assert held.pending is not None
        return details(held.pending.station.capabilities, asked(caps))

    @get(
        f"{JOBS}/{{job:str}}/scanner/settings",
        opt={"access": Access.SCAN},
        operation_id="settings",
        responses=problems(*KNOWN, 409),
        operation_class=described(answer=DriverSettings("eyJkd3RzdmMiOjEsIm9wdGlvbnMiOnt9fQ==")),
        summary="The driver's own settings, as a text for the `settings` of a job",
    )
    async def settings(request: Req, job: FromPath[str], show_ui: ShowUi = True) -> DriverSettings:
        held = pending(request, job)
        assert held.pending is not None
        return DriverSettings(driversettings.text_of(held.pending.station.capabilities))

    @get(
        f"{JOBS}/{{job:str}}/events",
        opt={"access": Access.SCAN},
        operation_id="jobEvents",
        responses=problems(*KNOWN),
        operation_class=described(types=("text/event-stream",)),
        summary="Watch a job, as server-sent events: state, page, progress, end",
    )
    async def job_events(request: Req, job: FromPath[str]) -> Stream:
        return events.answer(events.of_job(service, mine(request, job), pagelinks.base(request)))

    return [create_job, list_jobs, job_info, change_job, delete_job, capabilities, settings, job_events]
