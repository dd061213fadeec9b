"""Jobs: the one road from a request to pages. Every face (command line, REST, eSCL, browser) starts one here.

    with Jobs(store, ...) as jobs:
        job = jobs.start(request)
        while (page := job.next_page()) is not None:
            ...

A page that `next_page` returns is safe on disk. States move along one table; each face derives its words from them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from dwtsvc.devices.cases import RecordTo
from dwtsvc.devices.process import MAX_PAGE_BYTES, DeviceProcess, PageReady, PageStarted, Resolved, RowsRead
from dwtsvc.errors import Cancelled, DwtsvcError, FeederEmpty, WrongState
from dwtsvc.model import Capabilities, Encoding, JobState, PageInfo, Raster, ScanRequest
from dwtsvc.previews import Preview
from dwtsvc.stations import Station, Stations
from dwtsvc.store import PageStore

TRANSITIONS = {
    JobState.PENDING: {JobState.RUNNING, JobState.FAULTED, JobState.CANCELED},
    JobState.RUNNING: {JobState.COMPLETED, JobState.FAULTED, JobState.CANCELED},
}
RETRY_EMPTY_FEEDER = 1.0  # seconds between two looks into an empty feeder


@dataclass(frozen=True, slots=True)
class Developed:
    """A page in the form in which it is stored: a file in the job's folder, and what it holds."""

    file: Path
    encoding: Encoding
    raster: Raster


Develop = Callable[[PageReady, ScanRequest], Developed]


def as_delivered(page: PageReady, _request: ScanRequest) -> Developed:
    """Keep a page exactly as the device sent it."""
    return Developed(page.path, page.encoding, page.raster)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the scan is: the page being read and its rows so far; `height` is None while nobody knows."""

    page: int = 0
    rows: int = 0
    height: int | None = None


class Job:
    """One scan. Its pages come in order, each safe on disk; the device's error comes after the last good one."""

    def __init__(
        self, owner: str, request: ScanRequest, store: PageStore, develop: Develop, executor: Executor, before: int = 0
    ) -> None:
        self.id = owner
        self.request = request
        self.state = JobState.PENDING
        self.progress = Progress()
        self.error: DwtsvcError | None = None
        self._store, self._develop, self._executor = store, develop, executor
        self._pages: list[Future[PageInfo]] = []
        self._changed = threading.Condition()
        self._watchers: list[Callable[[], object]] = []
        self._cursor = 0
        self._cancelled = threading.Event()
        self._reason: DwtsvcError | None = None  # why it was stopped, where that was nobody's wish
        self._worker: DeviceProcess | None = None
        self._before = before  # pages that the owner has from earlier scans
        self._size = 0
        self._whole: tuple[PageInfo, ...] | None = None

    @classmethod
    def restored(cls, owner: str, request: ScanRequest, store: PageStore, error: DwtsvcError | None) -> Job:
        """A scan of an earlier process, as it ended, with the pages it left. Nothing runs."""
        job = cls(owner, request, store, as_delivered, ThreadPoolExecutor(1))
        for page in store.pages(owner):
            job._pages.append(Future())
            job._pages[-1].set_result(page)
            job._size += page.size
        job.begin()
        job.end(error)
        return job

    @property
    def active(self) -> bool:
        return self.state in TRANSITIONS

    @property
    def finished(self) -> bool:
        """Whether it has ended, and each of its pages is either safe or lost."""
        return not self.active and all(page.done() for page in self._pages)

    def wait(self) -> None:
        """Wait until it is finished."""
        with self._changed:
            self._changed.wait_for(lambda: self.finished)

    def settled(self, index: int) -> bool:
        """Whether `page` of this index answers at once, with a page, None or an error."""
        if len(self._pages) > index:
            return self._pages[index].done()
        return not self.active

    @property
    def pages(self) -> tuple[PageInfo, ...]:
        """The pages that are safe by now: all up to the first that is still on its way, or could not be kept."""
        if self._whole is not None:
            return self._whole
        finished = self.finished  # before the pages: what is finished has them all
        safe = itertools.takewhile(lambda page: page.done() and not page.exception(), self._pages)
        pages = tuple(page.result() for page in safe)
        if finished:  # a list of a thousand jobs asks each of them
            self._whole = pages
        return pages

    @property
    def size(self) -> int:
        """Bytes of the pages that were stored by now; asking costs nothing, however many they are."""
        return self._size

    def let_go(self, index: int) -> None:
        """Delete a page that its reader has; its record stays, and `size` no longer counts it."""
        page = self.page(index)
        assert page is not None
        self._store.drop(page)
        with self._changed:
            self._size -= page.size

    def page(self, index: int, timeout: float | None = 0.0) -> PageInfo | None:
        """The page at a 0-based index once it is safe; None if the scan ended before it.

        Raises TimeoutError when it was not there in `timeout` seconds, the page's storing error, or the scan's error if
        it ended that way before this page.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._pages) > index or not self.active, timeout):
                raise TimeoutError
            if len(self._pages) <= index:
                return self._end_of_pages()
            future = self._pages[index]
        return future.result()

    def next_page(self, timeout: float | None = None) -> PageInfo | None:
        """The next page, for one reader who takes them all; see `page`. None at the end."""
        try:
            page = self.page(self._cursor, timeout)
        except TimeoutError:
            raise
        except Exception:
            self._cursor += self._cursor < len(self._pages)
            raise
        self._cursor += page is not None
        return page

    def _end_of_pages(self) -> PageInfo | None:
        if self.error:
            raise self.error
        return None

    def watch(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Have a function called, on any thread, after each page and each change of state, until the result is called.

        Rows read so far are no change: look at `progress` as often as it is wanted.
        """
        with self._changed:
            self._watchers.append(changed)

        def unwatch() -> None:
            with self._changed, contextlib.suppress(ValueError):
                self._watchers.remove(changed)

        return unwatch

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
            watchers = tuple(self._watchers)
        for changed in watchers:
            changed()

    def cancel(self) -> None:
        """Stop as soon as the device allows; finished pages stay. From any thread, any number of times."""
        self._cancelled.set()
        with self._changed:  # when `run` has ended, the worker is somebody else's
            if self._worker:
                self._worker.cancel()

    def stop(self, reason: DwtsvcError) -> None:
        """The same, for a reason that is the job's outcome; the first one counts."""
        self._reason = self._reason or reason
        self.cancel()

    def run(self, worker: DeviceProcess, *, wait_paper: float, max_bytes: int) -> None:
        """Scan on this thread until the request is fulfilled. Raises what the device reports."""
        worker.forget_cancel()
        self._worker = worker
        try:
            if self._cancelled.is_set():
                raise Cancelled("The scan was cancelled")
            self._scan_when_loaded(worker, wait_paper, max_bytes)
        finally:
            with self._changed:
                self._worker = None

    def begin(self) -> None:
        self._move(JobState.RUNNING)

    def end(self, error: DwtsvcError | None) -> None:
        """The outcome; wakes whoever waits for pages."""
        if isinstance(error, Cancelled) and self._reason:
            error = self._reason
        self.error = error
        if error is None:
            self._move(JobState.COMPLETED)
        else:
            self._move(JobState.CANCELED if isinstance(error, Cancelled) else JobState.FAULTED)

    def _move(self, state: JobState) -> None:
        assert state in TRANSITIONS.get(self.state, set()), f"{self.state} does not become {state}"
        with self._changed:
            self.state = state
        self._tell()

    def _scan_when_loaded(self, worker: DeviceProcess, wait_paper: float, max_bytes: int) -> None:
        """Scan; while the feeder is empty at the first page, look again for `wait_paper` seconds."""
        until = monotonic() + wait_paper
        while True:
            try:
                return self._scan(worker, max_bytes)
            except FeederEmpty:
                if self._pages or monotonic() >= until:
                    raise
            if self._cancelled.wait(RETRY_EMPTY_FEEDER):
                raise Cancelled("The scan was cancelled")

    def _scan(self, worker: DeviceProcess, max_bytes: int) -> None:
        folder = self._store.folder(self.id)
        for event in worker.scan(self.request, folder, max_bytes=max_bytes):
            match event:
                case Resolved(request):
                    resolved = request
                    if self._cancelled.is_set():  # it came before there was a scan to cancel
                        worker.cancel()
                case PageStarted(raster, _):
                    self.progress = Progress(len(self._pages) + 1, 0, raster.height)
                case RowsRead(rows):
                    self.progress = Progress(self.progress.page, rows, self.progress.height)
                case PageReady():
                    number = self._before + len(self._pages) + 1
                    future = self._executor.submit(self._keep, worker, event, number, resolved)
                    with self._changed:
                        self._pages.append(future)
                    future.add_done_callback(lambda _: self._tell())

    def _keep(self, worker: DeviceProcess, page: PageReady, number: int, resolved: ScanRequest) -> PageInfo:
        """Develop a page and put it into the store; the slot goes back whatever happens."""
        made: Developed | None = None
        try:
            made = self._develop(page, resolved)
            kept = self._store.add(
                self.id, made.file, number=number, back=page.back, encoding=made.encoding, raster=made.raster
            )
            with self._changed:
                self._size += kept.size
            return kept
        except Exception as error:
            if made and made.file != page.path:
                made.file.unlink(missing_ok=True)
            self._refuse_more(error)
            raise
        finally:
            worker.release(page.slot, kept=made is not None and made.file == page.path)

    def _refuse_more(self, error: Exception) -> None:
        """No more paper into a scan that cannot be kept."""
        if isinstance(error, DwtsvcError):
            self.stop(error)
        else:
            self.cancel()


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A scan that has its device and has not begun. `timeout` is its longest silence, in seconds."""

    job: Job
    station: Station
    timeout: float


class Jobs:
    """Starts jobs, each on a thread of its own; pages are developed on all cores."""

    def __init__(
        self,
        store: PageStore,
        lock_folder: Path,
        *,
        timeout: float,
        cancel_grace: float = 5.0,
        max_page_bytes: int = MAX_PAGE_BYTES,
        record: RecordTo | None = None,
    ) -> None:
        self._store, self._timeout, self._max_bytes = store, timeout, max_page_bytes
        self._stations = Stations(lock_folder, timeout=timeout, cancel_grace=cancel_grace, record=record)
        # One more thread than cores: each page waits for the disk a few times on its way into the store.
        self._executor = ThreadPoolExecutor((os.cpu_count() or 2) + 1, thread_name_prefix="develop")
        self._running: dict[Job, threading.Thread] = {}
        self._pending: set[Pending] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Jobs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel what runs and let every device go."""
        for pending in list(self._pending):
            self.cancel(pending)
        for job, thread in list(self._running.items()):
            job.cancel()
            thread.join()
        self._executor.shutdown()
        self._stations.close_idle(0.0)

    def close_idle(self, seconds: float) -> None:
        """Let go of the devices that nobody has used for so long; their workers end."""
        self._stations.close_idle(seconds)

    def look(self, device: str) -> Capabilities:
        """What a device can do. Raises what the device reports: NoScanner, ScannerBusy, ..."""
        return self._stations.look(device)

    def start(
        self,
        request: ScanRequest,
        *,
        develop: Develop = as_delivered,
        wait_paper: float = 0.0,
        owner: str | None = None,
        before: int = 0,
    ) -> Job:
        """Begin a scan and return at once. `owner` goes on with an earlier job's pages, `before` of them."""
        job = self._job(request, develop, owner, before)
        self._launch(job, None, wait_paper, self._timeout)
        return job

    def preview(self, device: str, *, width: int, rate: int, folder: Path) -> Preview:
        """Show what a camera sees until the result is closed. Raises what opening it does."""
        return Preview(self._stations, device, width=width, rate=rate, folder=folder)

    def prepare(
        self,
        request: ScanRequest,
        *,
        develop: Develop = as_delivered,
        owner: str | None = None,
        timeout: float | None = None,
    ) -> Pending:
        """Open the device, so that nobody else gets it, and wait for `run` or `cancel`; `timeout` is this scan's own.

        Raises what the device reports: NoScanner, ScannerBusy, ...
        """
        station = self._stations.take(request.device, timeout)
        try:
            job = self._job(request, develop, owner, 0)
        except BaseException:
            self._stations.put_back(request.device, station)
            raise
        pending = Pending(job, station, timeout or self._timeout)
        self._pending.add(pending)
        return pending

    def run(self, pending: Pending) -> None:
        """Let a prepared scan begin. Raises WrongState if it is not pending any more."""
        self._leave_pending(pending)
        self._launch(pending.job, pending.station, 0.0, pending.timeout)

    def cancel(self, pending: Pending) -> None:
        """End a prepared scan that has not begun, and let its device go. Raises WrongState if it has begun."""
        self._leave_pending(pending)
        self._stations.put_back(pending.job.request.device, pending.station)
        pending.job.end(Cancelled("The scan was cancelled before it began"))

    def _leave_pending(self, pending: Pending) -> None:
        with self._lock:
            if pending not in self._pending:
                raise WrongState("The scan is not pending any more", hint="It has begun, or was cancelled.")
            self._pending.remove(pending)

    def _job(self, request: ScanRequest, develop: Develop, owner: str | None, before: int) -> Job:
        owner = owner or self._store.begin({"device": request.device})
        return Job(owner, request, self._store, develop, self._executor, before)

    def _launch(self, job: Job, station: Station | None, wait_paper: float, timeout: float) -> None:
        arguments = (job, station, wait_paper, timeout)
        thread = threading.Thread(target=self._run, args=arguments, name=f"job-{job.id}")
        self._running[job] = thread
        thread.start()

    def _run(self, job: Job, station: Station | None, wait_paper: float, timeout: float) -> None:
        error: DwtsvcError | None = None
        job.begin()
        try:
            self._scan(job, station or self._stations.take(job.request.device), wait_paper, timeout)
        except DwtsvcError as known:
            error = known
        except Exception as unknown:  # a fault of ours must end the job, not leave its readers waiting for ever
            # Its text may name files, and a web page is told what ended its job.
            why = getattr(unknown, "strerror", None) or type(unknown).__name__
            error = DwtsvcError("The scan failed for an unknown reason", why=why)
        finally:
            self._running.pop(job, None)
            job.end(error)

    def _scan(self, job: Job, station: Station, wait_paper: float, timeout: float) -> None:
        station.worker.timeout = timeout
        try:
            job.run(station.worker, wait_paper=wait_paper, max_bytes=self._max_bytes)
        finally:
            self._stations.put_back(job.request.device, station)
