"""A job of a network scanner: it is given a ticket, hands out its documents, and is told to end."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, suppress
from time import monotonic
from urllib.parse import urljoin, urlsplit

from dwtsvc import esclxml
from dwtsvc.devices import escldoc
from dwtsvc.devices.driver import Frame, PageEnd, Strip
from dwtsvc.devices.esclhttp import NEVER, Answer, Link, Waiting, patiently, retry_after
from dwtsvc.devices.esclrefusal import EMPTY, accepted, check_feeder, feeder_empty, no_right, refusal
from dwtsvc.errors import BadInput, Cancelled, DeviceLost, DeviceTimeout, DriverError, DwtsvcError, ScannerBusy
from dwtsvc.esclxml import JobStatus, Status, Ticket
from dwtsvc.model import Source


class Jobs:
    """The jobs of the scanner at the other end of a link, one after another."""

    def __init__(self, link: Link) -> None:
        self._link, self._limits = link, link.limits

    def pages(self, ticket: Ticket, wanted: int, cancelled: Waiting) -> Generator[Frame, None, None]:
        """The pages of one job of the scanner, at most `wanted`; the job is ended on every way out."""
        job = self._start(ticket, cancelled)
        number, size, ended = 0, 0, False
        try:
            while number < wanted and not (number and ticket.source is Source.FLATBED):
                ordered = escldoc.Ordered(
                    resolution=ticket.resolution,
                    mode=ticket.mode,
                    duplex=ticket.source is Source.DUPLEX,
                    before=number,
                )
                before = number
                with closing(self._document(job, ticket.source, ordered, cancelled)) as frames:
                    for frame in frames:
                        number += isinstance(frame, PageEnd)
                        size += len(frame.data) if isinstance(frame, Strip) else 0
                        self._check_size(number, size)
                        yield frame
                        if number == wanted:
                            return
                if number == before:
                    ended = True
                    self._explain_end(job, ticket.source, number, cancelled)
                    return
        finally:
            if not ended:
                self._delete(job)

    def _check_size(self, pages: int, size: int) -> None:
        if size > self._limits.job_bytes or pages > self._limits.job_pages:
            raise DriverError("The scanner does not stop sending", why=f"{pages} pages, {size} bytes")

    def _start(self, ticket: Ticket, cancelled: Waiting) -> str:
        """Give the scanner a job; the path of it. Waits while it is busy with something else."""
        document = esclxml.ticket_document(ticket)
        deadline = monotonic() + self._limits.busy
        while True:
            answer = self._link.ask("POST", "ScanJobs", content=document, cancelled=cancelled)
            if answer.status in (200, 201, 202):
                return self._path(answer)
            status = self._explain(answer.status, ticket.source, cancelled)
            busy = answer.status == 503 or (answer.status == 409 and status.state == "Processing")
            if not busy:
                accepted(self._link, answer)
                raise refusal(self._link, answer.status, status.state)
            if monotonic() >= deadline:
                raise ScannerBusy(
                    f"{self._link.name} is busy", why=f"{answer.status} {status.state}", hint="Wait until it is done."
                )
            patiently(cancelled, answer.retry_after(self._limits.wait))

    def _path(self, answer: Answer) -> str:
        """The path of a new job. Scanners get their own name and port wrong, and a wrong one must not lead us
        elsewhere: of a Location only the path counts."""
        told = answer.headers.get("location", "")
        with suppress(ValueError):
            path = urlsplit(urljoin(f"{self._link.base.geturl()}/ScanJobs", told)).path.rstrip("/")
            if told and path.isascii() and path.isprintable() and 1 < len(path) < 1024 and " " not in path:
                return path
        raise DriverError("The scanner gave the job no address", why=f"Location: {esclxml.clean(told)}")

    def _document(
        self, job: str, source: Source, ordered: escldoc.Ordered, cancelled: Waiting
    ) -> Generator[Frame, None, None]:
        """The pages of the job's next document; none when there are no more."""
        deadline = monotonic() + self._limits.ready
        while True:
            with self._link.sent(
                "GET", f"{job}/NextDocument", cancelled=cancelled, within=self._limits.document
            ) as response:
                if response.status_code == 200:
                    pieces = self._link.pieces(response, self._limits.document_bytes)
                    for frame in escldoc.frames(pieces, ordered):
                        if cancelled.is_set():
                            raise Cancelled("The scan was cancelled")
                        yield frame
                    return
                status, wait = response.status_code, retry_after(response.headers, self._limits.wait)
            if status == 410:
                self._explain_gone(job, cancelled)
            if status in (404, 410):
                return
            if status != 503:
                # A feeder that is empty after its last page is no fault.
                self._explain(status, Source.FLATBED if ordered.before else source, cancelled)
                raise refusal(self._link, status, "")
            if monotonic() >= deadline:
                raise DeviceTimeout(f"{self._link.name} does not finish the page", why="503 all the time")
            patiently(cancelled, wait)

    def _explain(self, status: int, source: Source, cancelled: Waiting) -> Status:
        """Raise what the scanner's own status says about a refusal; return it if that says nothing."""
        if status in (401, 403):
            raise no_right(self._link, status)
        told = self.status(cancelled)
        check_feeder(told.feeder)
        if told.feeder == EMPTY and source is not Source.FLATBED and told.state != "Processing":
            raise feeder_empty(told.feeder)
        return told

    def _explain_gone(self, job: str, cancelled: Waiting) -> None:
        """Raise unless the scanner can tell how the job ended: it was started anew, and pages may be missing."""
        if self._mine(job, self.status(cancelled)) is None:
            raise DeviceLost(
                f"{self._link.name} knows the scan no more",
                why="410 in answer to NextDocument",
                hint="It may have been started anew; pages may be missing. Scan again.",
            )

    def _explain_end(self, job: str, source: Source, pages: int, cancelled: Waiting) -> None:
        """After the last document: raise unless the job ended well."""
        told = self.status(cancelled) if pages else self._explain(404, source, cancelled)
        check_feeder(told.feeder)
        mine = self._mine(job, told)
        if mine and mine.state == "Canceled":
            raise Cancelled("The scan was cancelled at the scanner", why=", ".join(mine.reasons))
        if mine and mine.state == "Aborted":
            raise DriverError("The scanner gave up the scan", why=", ".join(mine.reasons) or "Aborted")
        if not pages:
            if source is not Source.FLATBED:
                raise feeder_empty("no document")
            raise DriverError("The scanner sent no page", why="404 in answer to NextDocument", hint="Scan again.")

    def _mine(self, job: str, told: Status) -> JobStatus | None:
        return next((each for each in told.jobs if each.path and _is(job, each.path)), None)

    def status(self, cancelled: Waiting) -> Status:
        """How the scanner is. A status that cannot be had explains nothing, and is no error of its own."""
        try:
            answer = self._link.ask("GET", "ScannerStatus", cancelled=cancelled)
            return esclxml.status(answer.body) if answer.status == 200 else Status(state="")
        except (DriverError, BadInput):
            return Status(state="")

    def _delete(self, job: str) -> None:
        """End a job. Not cancelled with the scan: a scanner that is not told keeps the job."""
        with suppress(DwtsvcError):
            self._link.ask("DELETE", job, cancelled=NEVER)


def _is(job: str, told: str) -> bool:
    """Whether a status means our job: devices name jobs by an address, by a path, or by its last part alone."""
    return f"/{job}".endswith("/" + urlsplit(told).path.lstrip("/"))
