"""How `dwtsvc scan` works: from a plan to pages in files, with somebody watching."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dwtsvc.devices.cases import RecordTo
from dwtsvc.errors import (
    BadArguments,
    BadInput,
    Cancelled,
    DriverError,
    DwtsvcError,
    FeederEmpty,
    NoScanner,
    NothingFound,
)
from dwtsvc.jobs import Develop, Job, Jobs
from dwtsvc.model import PageInfo, ScanRequest, Source
from dwtsvc.outputs import Document, FileEach, NamePattern, Names, Output, StandardOutput
from dwtsvc.pipeline.develop import Developer
from dwtsvc.pipeline.writing import Written, arriving, collate, write_job, write_page
from dwtsvc.records import pack
from dwtsvc.store import PageStore
from dwtsvc.suffixes import DOCUMENTS
from dwtsvc_cli import output as out
from dwtsvc_cli import undoing
from dwtsvc_cli.planning import Plan
from dwtsvc_cli.stopping import Stopping
from dwtsvc_cli.voice import Voice

if TYPE_CHECKING:
    from dwtsvc.pipeline.receipts import Receipts
    from dwtsvc_cli.bench import Bench


@dataclass(frozen=True, slots=True)
class Naming:
    force: bool
    next_free: bool


@dataclass(frozen=True, slots=True)
class Paper:
    """What a person does with paper meanwhile."""

    batch: bool
    manual_duplex: bool
    wait: float


def find_device(plan: Plan, voice: Voice) -> str:
    """The scanner of the settings, else the first that is found. Raises NoScanner."""
    from dwtsvc.devices import discover

    if plan.settings.device:
        return plan.settings.device
    voice.detail("Looking for scanners")
    failures: list[DriverError] = []
    spare = None
    for item in discover(plan.settings.discovery_timeout):
        if isinstance(item, DriverError):
            failures.append(item)
        elif item.kind == "camera":  # never without being named: nobody expects `scan` to look into the room
            continue
        elif not item.virtual:
            return item.id
        else:
            spare = spare or item.id
    if spare and plan.or_virtual:
        voice.note(f"No scanner was found: scanning with the virtual one, {spare}")
        return spare
    raise NoScanner(
        "No scanner was found",
        why="; ".join(map(str, failures)),
        hint="Check cable and power, then `dwtsvc devices`. To try without one: dwtsvc scan -d virtual:adf",
    )


def open_output(plan: Plan, naming: Naming, device: str) -> Output:
    """Reserve the output's name. Raises FileAccess before any paper moves."""
    if plan.output == "-":
        if sys.stdout.isatty():
            raise BadArguments("A page is no text for a terminal", hint="Redirect it: dwtsvc scan -o - > page.pdf")
        if plan.wishes.receipt and not plan.receipt_inside:
            hint = "Write a file, or a PDF with --output-type pdfa-3, which holds its receipt inside."
            raise BadArguments("A receipt lies beside a file, and standard output is none", hint=hint)
        return StandardOutput(sys.stdout.buffer, plan.encoder)
    pattern = NamePattern(plan.output, device=device, when=datetime.now(), documents=True)
    if plan.wishes.split_on or pattern.of_documents:
        from dwtsvc.stacks import NamedDocuments, NamedPages

        if naming.force:
            hint = "A name that is taken becomes the next free one: letter-2.pdf."
            raise BadArguments("--force does not go with files that are named by their documents", hint=hint)
        stack = NamedDocuments if plan.format in DOCUMENTS and not pattern.numbered else NamedPages
        return stack(pattern, plan.encoder, receipts=plan.wishes.receipt)
    names = Names(pattern, force=naming.force, next_free=naming.next_free, receipt=plan.wishes.receipt)
    if plan.format in DOCUMENTS and not pattern.numbered:
        return Document(names.reserve(), plan.encoder)
    return FileEach(names, plan.encoder)


def rehearse(plan: Plan, voice: Voice) -> None:
    """Say what a scan would do."""
    from dwtsvc.devices import connect, split_id

    device = find_device(plan, voice)
    driver, name = split_id(device)
    with connect(driver, timeout=plan.settings.scanner_timeout) as worker:
        request = worker.open(name).resolve(plan.request(device))
    area = request.area
    voice.result(
        {
            "event": "dry-run",
            "device": device,
            "source": request.source,
            "mode": request.mode,
            "resolution": request.resolution,
            "area": f"{area.width:g} x {area.height:g} mm at {area.left:g}, {area.top:g}"
            if area
            else "the device's own",
            "pages": request.pages or "until the feeder is empty, or one from the glass",
            "format": plan.format,
            "output": plan.output,
        }
    )


class Scan:
    """One run of the command: a store for its pages, jobs that fill it, an output that empties it."""

    def __init__(
        self,
        plan: Plan,
        device: str,
        output: Output,
        voice: Voice,
        jobs: Jobs,
        store: PageStore,
        owner: str,
        bench: Bench | None,
    ) -> None:
        self._output, self._voice = output, voice
        self._jobs, self._store, self._owner = jobs, store, owner
        self._request = plan.request(device)
        self._bench = bench
        develop = Developer(plan.settings.mode, plan.encoder, plan.settings.quality)
        self._develop: Develop = bench.noting(develop) if bench else develop
        self._job: Job | None = None
        self._scanned = 0
        self.pages = 0

    def run(self, paper: Paper) -> None:
        if paper.manual_duplex:
            self._both_sides(paper)
        else:
            self._stack(self._request, paper.wait)
        while paper.batch and self._another():
            with self._forgiving_an_empty_feeder():
                self._stack(self._request, paper.wait)

    def cancel(self) -> bool:
        """Cancel the running job; False if there is none."""
        if self._job is None or not self._job.active:
            return False
        self._job.cancel()
        return True

    def _start(self, request: ScanRequest, wait: float) -> Job:
        self._job = self._jobs.start(
            request, develop=self._develop, wait_paper=wait, owner=self._owner, before=self._scanned
        )
        return self._job

    def _stack(self, request: ScanRequest, wait: float) -> None:
        """Scan and write one stack, page by page."""
        job = self._start(request, wait)
        if self._bench:
            try:
                self._bench.scan(job)
            finally:
                self._scanned += len(job.pages)
        else:
            write_job(job, self._store, self._output, on_page=self._written, on_wait=lambda: self._voice.watch(job))

    def finish(self) -> list[Path]:
        """Complete the files; those that are complete now."""
        if not self._bench:
            return self._output.finish()
        files = self._bench.finish()
        self.pages = self._bench.pages
        return files

    def _written(self, written: Written) -> None:
        self.pages += 1
        self._scanned += 1
        self._voice.page(self.pages, written)

    def _both_sides(self, paper: Paper) -> None:
        """Fronts, then backs; nothing is written before their counts agree."""
        fronts = self._collect(self._request, paper.wait)
        self._turn_over(len(fronts), paper)
        backs = self._collect(self._request, paper.wait)
        if len(fronts) != len(backs):
            raise BadInput(
                f"{len(fronts)} fronts, but {len(backs)} backs",
                why="a sheet was lost, or two went through at once",
                hint="Scan the stack again.",
            )
        pages = collate(fronts, [replace(page, back=True) for page in backs])
        if self._bench:
            self._bench.take(pages)
            return
        for page in pages:
            self.pages += 1
            self._voice.page(self.pages, write_page(page, self._store, self._output))

    def _collect(self, request: ScanRequest, wait: float) -> list[PageInfo]:
        job = self._start(request, wait)
        pages: list[PageInfo] = []
        for page in arriving(job, lambda: self._voice.watch(job)):
            self._scanned += 1
            pages.append(page)
        return pages

    def _turn_over(self, count: int, paper: Paper) -> None:
        self._voice.pause()
        answer = out.ask(f"{count} fronts are scanned. Turn the stack over, load it, and press Enter (q ends):")
        if answer is None and not paper.wait:
            raise BadArguments(
                "--manual-duplex needs a terminal to ask on", hint="Or give --wait-paper SECONDS to turn the stack in."
            )
        if answer == "q":
            raise Cancelled("The scan was ended before the backs")

    def _another(self) -> bool:
        self._voice.pause()
        answer = out.ask(f"{self.pages} pages so far. Load the next and press Enter, or q to finish:")
        return answer is not None and answer.lower() not in ("q", "n", "no", "quit")

    @contextmanager
    def _forgiving_an_empty_feeder(self) -> Iterator[None]:
        try:
            yield
        except FeederEmpty as empty:
            self._voice.note(str(empty))


def perform(plan: Plan, naming: Naming, voice: Voice, paper: Paper, record: RecordTo | None = None) -> None:
    """Scan. Raises what went wrong, after telling which pages are kept."""
    if (paper.wait or paper.manual_duplex) and plan.settings.source is Source.AUTO:
        # An empty feeder is to be waited for, not to be exchanged for the glass.
        plan = replace(plan, settings=replace(plan.settings, source=Source.FEEDER))
    store = open_store(plan)
    device = find_device(plan, voice)
    output = open_output(plan, naming, device)
    owner = store.begin({"device": device, "output": plan.output, "wishes": pack(plan.wishes)})
    try:
        duplex = paper.manual_duplex or plan.settings.source is Source.DUPLEX
        with (
            _jobs(plan, store, record) as jobs,
            open_bench(plan, naming, device, store, output, voice, duplex=duplex) as bench,
        ):
            scan = Scan(plan, device, output, voice, jobs, store, owner, bench)
            with _stopping_kindly(scan, voice), voice.showing(device):
                scan.run(paper)
                files = scan.finish()
    except BaseException:
        output.abort()
        _keep(store, owner, voice)  # after the jobs have ended: no page comes any more
        raise
    finally:
        if record:
            voice.recorded(record)
    undoing.conclude(store, owner, bench, voice)
    voice.done(scan.pages, files, device)
    if bench:
        bench.check_receipts()


def open_bench(
    plan: Plan, naming: Naming, device: str, store: PageStore, output: Output, voice: Voice, *, duplex: bool
) -> AbstractContextManager[Bench | None]:
    """Where pages are worked on, if there is anything to do; with `duplex` a back belongs to the front before it."""
    pattern = getattr(output, "pattern", None)
    if not (plan.wishes.works or pattern):
        return nullcontext()
    from dwtsvc_cli.bench import Bench

    return Bench(
        plan.wishes.recipe(plan.settings, pattern.reads if pattern else frozenset()),
        plan.wishes.splitter(duplex=duplex),
        store,
        output,
        voice,
        folder=plan.paths.cache / "pages",
        workers=plan.wishes.workers,
        address=plan.wishes.executor,
        receipts=_receipts(plan, naming, device, output),
    )


def _receipts(plan: Plan, naming: Naming, device: str, output: Output) -> Receipts | None:
    if not plan.wishes.receipt:
        return None
    from dwtsvc.pipeline.receipts import receipts_for

    receipts = receipts_for(output, force=naming.force, attach=plan.receipt_inside)
    receipts.facts.source = {"device": device}  # all that is known of what is recovered
    return receipts


def open_store(plan: Plan) -> PageStore:
    store = PageStore(plan.paths.create(plan.paths.pages))
    store.expire(timedelta(days=plan.settings.keep_days))
    return store


def _jobs(plan: Plan, store: PageStore, record: RecordTo | None) -> Jobs:
    settings = plan.settings
    return Jobs(
        store,
        plan.paths.locks,
        timeout=settings.scanner_timeout,
        cancel_grace=settings.cancel_grace,
        max_page_bytes=settings.max_page_bytes,
        record=record,
    )


def _keep(store: PageStore, owner: str, voice: Voice) -> None:
    """Leave finished pages for --recover, and nothing else."""
    count = len(store.pages(owner))
    if count:
        store.leave(owner)
        voice.kept(count, owner)
    else:
        store.discard(owner)


def _stopping_kindly(scan: Scan, voice: Voice) -> AbstractContextManager[None]:
    """The first Ctrl-C cancels the scan."""

    def stop() -> None:
        voice.stop()
        if not scan.cancel():
            raise Cancelled("The scan was cancelled")

    return Stopping(stop).listening()


def recover(plan: Plan, naming: Naming, voice: Voice, *, owner: str | None, dry_run: bool, resume: bool) -> None:
    """Write what an earlier scan left behind; with `resume` under the name and with the wishes that it had.

    Raises NothingFound when there is nothing.
    """
    store = open_store(plan)
    left = undoing.interrupted(store)
    if not left:
        raise NothingFound("No scan has left pages behind")
    if dry_run:
        for each in left:
            about = {"device": each.about.get("device"), "output": each.about.get("output")}
            voice.result(
                {"event": "kept", "id": each.owner, "begun": each.begun.isoformat(), "pages": each.pages, **about}
            )
        return
    chosen = undoing.choose(left, owner)
    owner, about = chosen.owner, chosen.about
    pages = store.resume(owner)
    device = str(about.get("device", ""))
    if resume:
        plan = plan.resumed(about)
    try:
        output = open_output(plan, naming, device)
    except DwtsvcError:
        store.leave(owner)
        raise
    try:
        duplex = any(page.back for page in pages)
        with open_bench(plan, naming, device, store, output, voice, duplex=duplex) as bench:
            files = write_again(pages, store, output, voice, bench)
    except BaseException:
        output.abort()
        store.leave(owner)
        raise
    undoing.conclude(store, owner, bench, voice)
    voice.done(bench.pages if bench else len(pages), files, device)
    if bench:
        bench.check_receipts()


def write_again(
    pages: list[PageInfo], store: PageStore, output: Output, voice: Voice, bench: Bench | None
) -> list[Path]:
    """Put stored pages into the output; the files that are complete now."""
    if bench:
        bench.take(pages)
        return bench.finish()
    for number, page in enumerate(pages, 1):
        voice.page(number, write_page(page, store, output))
    return output.finish()
