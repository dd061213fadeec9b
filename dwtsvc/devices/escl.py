"""eSCL, the scanners in the network that need no driver of their own (AirScan, AirPrint, Mopria).

    escl:4509a320-00a0-008f-00b6-002507510eca    by its UUID, wherever in the network it is
    escl:http://192.168.1.7/eSCL                 by its address, also in another network

Runs in its own worker process. What a scanner answers is not believed: see docs/network-scanners.md for the limits.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from threading import Event
from time import monotonic
from urllib.parse import urljoin, urlsplit

from dwtsvc import esclxml
from dwtsvc.config import load
from dwtsvc.devices import escldoc, esclfind
from dwtsvc.devices.driver import Frame, PageEnd, Strip
from dwtsvc.devices.esclhttp import NEVER, Answer, Limits, Link, Waiting, address, patiently, retry_after
from dwtsvc.devices.esclknown import Known, KnownPins
from dwtsvc.errors import (
    BadArguments,
    BadInput,
    Cancelled,
    CoverOpen,
    DeviceLost,
    DeviceTimeout,
    DriverError,
    DwtsvcError,
    FeederEmpty,
    MultiFeed,
    NoRightToScanner,
    NoScanner,
    PaperJam,
    ScannerBusy,
)
from dwtsvc.esclxml import JPEG, PDF, PNG, Description, Input, Status, Ticket, Tuning
from dwtsvc.model import (
    Area,
    Capabilities,
    Device,
    DriverOption,
    Mode,
    Range,
    ScanRequest,
    Source,
    SourceCapabilities,
)
from dwtsvc.paths import Paths

LOOK_AGAIN = 5.0  # seconds to look for a scanner that is not where it was
MOST_PLACES = 4  # addresses of one scanner
FORMATS = {"jpeg": JPEG, "png": PNG, "pdf": PDF}
FORMAT_OPTION = "document-format"
_NAMES = {Source.FLATBED: "Platen", Source.FEEDER: "Feeder", Source.DUPLEX: "Feeder, both sides"}
_EMPTY, _LOADED = "ScannerAdfEmpty", "ScannerAdfLoaded"
_TROUBLES: dict[str, tuple[type[DriverError], str, str]] = {
    "ScannerAdfJam": (PaperJam, "The paper is jammed", "Take the sheet out and scan again."),
    "ScannerAdfMispick": (PaperJam, "The feeder could not take the sheet", "Straighten the stack and scan again."),
    "ScannerAdfHatchOpen": (CoverOpen, "The cover of the feeder is open", "Close it and scan again."),
    "ScannerAdfMultipickDetected": (
        MultiFeed,
        "Several sheets were fed at once",
        "Separate the sheets and scan again.",
    ),
    "ScannerAdfDuplexPageTooShort": (DriverError, "The page is too short for both sides", "Scan one side only."),
    "ScannerAdfDuplexPageTooLong": (DriverError, "The page is too long for both sides", "Scan one side only."),
    "ScannerAdfInputTrayFailed": (DriverError, "The tray of the feeder failed", "Look at the scanner."),
    "ScannerAdfInputTrayOverloaded": (DriverError, "There are too many sheets in the feeder", "Take some out."),
}


def driver() -> EsclDriver:
    paths = Paths.from_environment(os.environ)
    settings = load(paths, os.environ).settings
    known = Known(paths.network_scanners)
    return EsclDriver(known, addresses=settings.escl_devices, look=settings.escl_discovery)


class EsclDriver:
    """`addresses` are those that the user gave, `look` is whether the network is searched."""

    def __init__(
        self, known: Known, *, addresses: tuple[str, ...] = (), look: bool = True, limits: Limits | None = None
    ) -> None:
        self._known, self._addresses, self._look = known, addresses, look
        self._limits = limits or Limits()

    def devices(self, timeout: float) -> Iterator[Device]:
        """Those at the given addresses and those in the network, side by side. Errors come last: raises the first."""
        found: queue.Queue[Device | DwtsvcError | None] = queue.Queue()
        tasks = [self._at(each) for each in self._addresses] + ([self._around(timeout)] if self._look else [])
        for task in tasks:
            threading.Thread(target=_tell, args=(task, found), daemon=True).start()
        seen: set[str] = set()
        errors: list[DwtsvcError] = []
        running, deadline = len(tasks), monotonic() + timeout * 0.9
        while running and (left := deadline - monotonic()) > 0:
            with suppress(queue.Empty):
                item = found.get(timeout=left)
                running -= item is None
                if isinstance(item, DwtsvcError):
                    errors.append(item)
                elif item and item.id not in seen:
                    seen.add(item.id)
                    yield item
        if errors:
            raise errors[0]

    @contextmanager
    def open(self, name: str) -> Generator[EsclSource, None, None]:
        with ExitStack() as stack:
            link, described = self._reach(name, stack)
            yield EsclSource(f"escl:{name}", link, described)

    def _at(self, url: str) -> Iterator[Device]:
        """The scanner at an address that the user gave."""
        with ExitStack() as stack:
            _, told = self._described(url, "", stack)
        if told.uuid:
            others = (each for each in self._known.get(told.uuid).urls if each != url)
            self._known.remember_urls(told.uuid, (url, *others)[:MOST_PLACES])
        yield Device(id=f"escl:{told.uuid or url}", vendor=told.vendor, model=told.model, kind="network scanner")

    def _around(self, timeout: float) -> Iterator[Device]:
        """The scanners that announce themselves; where they are is kept for `open`."""
        urls: dict[str, list[str]] = {}
        expected = frozenset(filter(esclxml.uuid_of, self._known.keys()))
        for found in esclfind.browse(timeout, expected):
            name = found.uuid or found.url
            urls.setdefault(name, []).append(found.url)
            if len(urls[name]) == 1:
                yield Device(id=f"escl:{name}", vendor="", model=found.name, kind="network scanner")
        for name, there in urls.items():
            if "://" not in name:
                self._known.remember_urls(name, _best_first(there)[:MOST_PLACES])

    def _reach(self, name: str, stack: ExitStack) -> tuple[Link, Description]:
        """An open link to a scanner by UUID or address. Raises NoScanner and what `_described` does."""
        if "://" in name:
            return self._described(address(name).geturl(), "", stack)
        uuid, reasons = esclxml.uuid_of(name), []
        for url in self._places(uuid) if uuid else ():
            try:
                return self._described(url, uuid, stack)
            except (NoScanner, DeviceTimeout) as error:
                reasons.append(str(error))
        raise NoScanner(
            f"There is no scanner 'escl:{esclxml.clean(name)}'",
            why="; ".join(reasons) or "nothing in the network answers to that name",
            hint="`dwtsvc devices` lists the scanners; check that it is on and in the network.",
        )

    def _places(self, uuid: str) -> Iterator[str]:
        """Where a scanner may be: where it was, else where it is announced. Never unencrypted if it was once."""
        known = self._known.get(uuid)
        plain = not known.certificate
        tried = [url for url in known.urls if plain or url.startswith("https:")]
        yield from tried
        if self._look:
            seen = [each.url for each in esclfind.browse(LOOK_AGAIN, frozenset([uuid])) if each.uuid == uuid]
            for url in _best_first(seen):
                if url not in tried and (plain or url.startswith("https:")):
                    self._known.remember_urls(uuid, (url,))
                    yield url

    def _described(self, url: str, uuid: str, stack: ExitStack) -> tuple[Link, Description]:
        """A link to an address, and what the scanner there tells of itself. With `uuid` it must be that one."""
        parts = address(url)
        pins = KnownPins(self._known, uuid or parts.netloc.lower(), parts.netloc)
        link = stack.enter_context(Link(url, f"The scanner at {parts.netloc}", pins, self._limits))
        try:
            answer = _awake(link, "ScannerCapabilities", self._limits.busy)
        except DeviceLost as error:
            raise NoScanner(f"There is no scanner at {parts.geturl()}", why=error.why, hint=error.hint) from error
        if answer.status == 404:
            raise NoScanner(f"There is no scanner at {parts.geturl()}", why="404 in answer to ScannerCapabilities")
        try:
            told = esclxml.description(_accepted(link, answer))
        except BadInput as error:
            raise DriverError(f"{link.name} describes itself in a way that cannot be read", why=error.why) from error
        if uuid and told.uuid and told.uuid != uuid:
            raise NoScanner(f"Another scanner is at {parts.geturl()}", why=f"its UUID is {told.uuid}")
        return link, told


def _tell(task: Iterator[Device], found: queue.Queue[Device | DwtsvcError | None]) -> None:
    try:
        for device in task:
            found.put(device)
    except DwtsvcError as error:
        found.put(error)
    except Exception as error:  # in a thread, where nobody else would tell it
        found.put(DriverError("Looking for network scanners failed", why=f"{type(error).__name__}: {error}"))
    finally:
        found.put(None)


def _best_first(urls: list[str]) -> tuple[str, ...]:
    return tuple(sorted(dict.fromkeys(urls), key=lambda url: not url.startswith("https:")))


class EsclSource:
    """An open scanner."""

    def __init__(self, device: str, link: Link, described: Description) -> None:
        self._device, self._link, self._described = device, link, described
        self._limits = link.limits
        self._inputs = {each.source: each for each in described.inputs}

    def capabilities(self) -> Capabilities:
        sources = tuple(
            SourceCapabilities(
                source=each.source,
                name=_NAMES[each.source],
                modes=each.modes,
                resolutions=each.resolutions,
                max_width=each.max_width,
                max_height=each.max_height,
            )
            for each in self._described.inputs
        )
        about = self._described
        options = tuple(self._options())
        return Capabilities(
            device=self._device, sources=sources, options=options, vendor=about.vendor, model=about.model
        )

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        options = self._checked(request.options)
        source = self._choose(request.source, cancelled)
        number = 0
        while request.pages is None or number < request.pages:
            # One more than is allowed, so that a scanner that never stops is an error and no success.
            wanted = self._limits.job_pages + 1 if request.pages is None else request.pages - number
            ticket = self._ticket(request, source, options)
            try:
                with closing(self._job(ticket, wanted, cancelled)) as frames:
                    for frame in frames:
                        number += isinstance(frame, PageEnd)
                        yield frame
            except FeederEmpty:
                # auto: the feeder turned out to be empty, so it is the glass
                if number or request.source is not Source.AUTO or Source.FLATBED not in self._inputs:
                    raise
                source = Source.FLATBED
                continue
            if source is not Source.FLATBED or request.pages is None:
                return

    # -- what is asked -------------------------------------------------------------------------------------------

    def _options(self) -> Iterator[DriverOption]:
        yield DriverOption(
            name=FORMAT_OPTION,
            title="What pages are sent as",
            type="string",
            value="auto",
            choices=("auto", *(name for name, mime in FORMATS.items() if self._sends(mime))),
        )
        for each in self._described.tunings:
            allowed = Range(minimum=each.minimum, maximum=each.maximum, step=each.step)
            title = each.name.replace("-", " ").capitalize()
            yield DriverOption(name=each.name, title=title, type="int", value=str(each.normal), range=allowed)

    def _sends(self, mime: str) -> bool:
        return any(mime in each.formats for each in self._described.inputs)

    def _checked(self, given: tuple[tuple[str, str], ...]) -> dict[str, str | int]:
        known = {each.name: each for each in self._described.tunings}
        checked: dict[str, str | int] = {}
        for name, text in given:
            if name == FORMAT_OPTION:
                checked[name] = self._format_named(text)
            elif name in known:
                checked[name] = _whole(known[name], text)
            else:
                listed = ", ".join((FORMAT_OPTION, *known))
                raise BadArguments(f"The scanner has no option '{name}'", hint=f"Choose one of: {listed}.")
        return checked

    def _format_named(self, text: str) -> str:
        mime = FORMATS.get(text, "")
        if text != "auto" and not self._sends(mime):
            able = ", ".join(("auto", *(name for name, each in FORMATS.items() if self._sends(each))))
            raise BadArguments(f"The scanner cannot send '{text}'", hint=f"Choose one of: {able}.")
        return mime

    def _ticket(self, request: ScanRequest, source: Source, options: dict[str, str | int]) -> Ticket:
        at = self._inputs[source]
        resolution = request.resolution or 300
        if resolution not in at.resolutions:  # auto turned to the glass, which may have others
            resolution = self.capabilities().for_source(source).nearest_resolution(resolution)
        return Ticket(
            source=source,
            mode=request.mode,
            resolution=resolution,
            format=str(options.get(FORMAT_OPTION) or _format(at, request.mode)),
            area=request.area or Area(width=at.max_width, height=at.max_height),
            tunings=tuple((name, int(value)) for name, value in options.items() if name != FORMAT_OPTION),
            version=self._described.version,
        )

    def _choose(self, source: Source, cancelled: Waiting) -> Source:
        """What `auto` means now: the feeder unless it says that it is empty."""
        if source is not Source.AUTO:
            return source
        if Source.FEEDER not in self._inputs:
            return next(iter(self._inputs))
        empty = self._status(cancelled).feeder == _EMPTY
        return Source.FLATBED if empty and Source.FLATBED in self._inputs else Source.FEEDER

    # -- a job ---------------------------------------------------------------------------------------------------

    def _job(self, ticket: Ticket, wanted: int, cancelled: Waiting) -> Generator[Frame, None, None]:
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
                _accepted(self._link, answer)
                raise _refusal(self._link, answer.status, status.state)
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
            if status in (404, 410):
                return
            if status != 503:
                # A feeder that is empty after its last page is no fault.
                self._explain(status, Source.FLATBED if ordered.before else source, cancelled)
                raise _refusal(self._link, status, "")
            if monotonic() >= deadline:
                raise DeviceTimeout(f"{self._link.name} does not finish the page", why="503 all the time")
            patiently(cancelled, wait)

    def _explain(self, status: int, source: Source, cancelled: Waiting) -> Status:
        """Raise what the scanner's own status says about a refusal; return it if that says nothing."""
        if status in (401, 403):
            raise _no_right(self._link, status)
        told = self._status(cancelled)
        if told.feeder in _TROUBLES:
            error, what, hint = _TROUBLES[told.feeder]
            raise error(what, why=told.feeder, hint=hint)
        if told.feeder == _EMPTY and source is not Source.FLATBED and told.state != "Processing":
            raise _feeder_empty(told.feeder)
        return told

    def _explain_end(self, job: str, source: Source, pages: int, cancelled: Waiting) -> None:
        """After the last document: raise unless the job ended well."""
        told = self._status(cancelled) if pages else self._explain(404, source, cancelled)
        if told.feeder in _TROUBLES:
            error, what, hint = _TROUBLES[told.feeder]
            raise error(what, why=told.feeder, hint=hint)
        mine = next((each for each in told.jobs if each.path and job.endswith(urlsplit(each.path).path)), None)
        if mine and mine.state == "Canceled":
            raise Cancelled("The scan was cancelled at the scanner", why=", ".join(mine.reasons))
        if mine and mine.state == "Aborted":
            raise DriverError("The scanner gave up the scan", why=", ".join(mine.reasons) or "Aborted")
        if not pages:
            if source is not Source.FLATBED:
                raise _feeder_empty("no document")
            raise DriverError("The scanner sent no page", why="404 in answer to NextDocument", hint="Scan again.")

    def _status(self, cancelled: Waiting) -> Status:
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


def _whole(tuning: Tuning, text: str) -> int:
    if text.removeprefix("-").isdigit() and text.isascii() and tuning.minimum <= int(text) <= tuning.maximum:
        return int(text)
    allowed = f"{tuning.minimum} to {tuning.maximum}"
    raise BadArguments(f"Option {tuning.name} cannot be '{text}'", hint=f"Write a whole number, {allowed}.")


def _format(at: Input, mode: Mode) -> str:
    """JPEG cannot hold black and white; every scanner can send it otherwise, whatever it says."""
    order = (PNG, PDF, JPEG) if mode is Mode.LINEART else (JPEG, PNG, PDF)
    return next((mime for mime in order if mime in at.formats), JPEG)


def _awake(link: Link, path: str, within: float) -> Answer:
    """An answer other than 503, which scanners say while they wake up."""
    deadline = monotonic() + within
    while (answer := link.ask("GET", path)).status == 503 and monotonic() < deadline:
        patiently(NEVER, answer.retry_after(link.limits.wait))
    if answer.status == 503:
        raise ScannerBusy(f"{link.name} is busy", why="503 all the time", hint="Wait until it is done.")
    return answer


def _accepted(link: Link, answer: Answer) -> bytes:
    if answer.status in (401, 403):
        raise _no_right(link, answer.status)
    if answer.status != 200:
        raise _refusal(link, answer.status, "")
    return answer.body


def _no_right(link: Link, status: int) -> NoRightToScanner:
    hint = "Allow scanning from this machine in the scanner's own settings."
    return NoRightToScanner(f"{link.name} lets nobody scan without a right", why=str(status), hint=hint)


def _refusal(link: Link, status: int, state: str) -> DriverError:
    return DriverError(f"{link.name} refused", why=f"{status} {state}".strip(), hint="Try other settings, or later.")


def _feeder_empty(why: str) -> FeederEmpty:
    return FeederEmpty("The feeder is empty", why=why, hint="Load paper, or scan from the flatbed.")
