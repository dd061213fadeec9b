"""Jobs: the one road from a request to pages. Every face (command line, REST, eSCL, browser) starts one here.

    with Jobs(store, ...) as jobs:
        job = jobs.start(request)
        while (page := job.next_page()) is not None:
            ...

A page that `next_page` returns is safe on disk. States move along one table; each face derives its words from them.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import xxhash

from dwtsvc import devices, locks
from dwtsvc.store import PageStore
from dwtsvc.devices.process import MAX_PAGE_BYTES, DeviceProcess, PageReady, PageStarted, Resolved, RowsRead
from dwtsvc.errors import Cancelled, DwtsvcError, FeederEmpty, ScannerBusy
from dwtsvc.model import Encoding, JobState, PageInfo, Raster, ScanRequest

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
    """One scan. Pages come from `next_page` in order; the device's error comes after the last good page."""

    def __init__(
        self, owner: str, request: ScanRequest, store: PageStore, develop: Develop, executor: Executor, before: int = 0
    ) -> None:
        self.id = owner
        self.request = request
        self.state = JobState.PENDING
        self.progress = Progress()
        self.error: DwtsvcError | None = None
        self._store, self._develop, self._executor = store, develop, executor
        self._pages: queue.Queue[Future[PageInfo] | None] = queue.Queue()
        self._ended = False
        self._cancelled = threading.Event()
        self._worker: DeviceProcess | None = None
        self._before = before  # pages that the owner has from earlier scans
        self._submitted = 0

    @property
    def active(self) -> bool:
        return self.state in TRANSITIONS

    def next_page(self, timeout: float | None = None) -> PageInfo | None:
        """The next page once it is safe on disk; None at the end.

        Raises TimeoutError when none came in `timeout` seconds, the page's storing error, or at the end of a scan
        that failed its error.
        """
        if self._ended:
            return self._end_of_pages()
        try:
            future = self._pages.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None
        if future is None:
            self._ended = True
            return self._end_of_pages()
        return future.result()

    def _end_of_pages(self) -> PageInfo | None:
        if self.error:
            raise self.error
        return None

    def cancel(self) -> None:
        """Stop as soon as the device allows; finished pages stay. From any thread, any number of times."""
        self._cancelled.set()
        if self._worker:
            self._worker.cancel()

    def run(self, worker: DeviceProcess, *, wait_paper: float, max_bytes: int) -> None:
        """Scan on this thread until the request is fulfilled. Raises what the device reports."""
        worker.forget_cancel()
        self._worker = worker
        try:
            if self._cancelled.is_set():
                raise Cancelled("The scan was cancelled")
            self._scan_when_loaded(worker, wait_paper, max_bytes)
        finally:
            self._worker = None

    def begin(self) -> None:
        self._move(JobState.RUNNING)

    def end(self, error: DwtsvcError | None) -> None:
        """The outcome; wakes whoever waits for pages."""
        self.error = error
        if error is None:
            self._move(JobState.COMPLETED)
        else:
            self._move(JobState.CANCELED if isinstance(error, Cancelled) else JobState.FAULTED)
        self._pages.put(None)

    def _move(self, state: JobState) -> None:
        assert state in TRANSITIONS.get(self.state, set()), f"{self.state} does not become {state}"
        self.state = state

    def _scan_when_loaded(self, worker: DeviceProcess, wait_paper: float, max_bytes: int) -> None:
        """Scan; while the feeder is empty at the first page, look again for `wait_paper` seconds."""
        until = monotonic() + wait_paper
        while True:
            try:
                return self._scan(worker, max_bytes)
            except FeederEmpty:
                if self._submitted or monotonic() >= until:
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
                    self.progress = Progress(self._submitted + 1, 0, raster.height)
                case RowsRead(rows):
                    self.progress = Progress(self.progress.page, rows, self.progress.height)
                case PageReady():
                    self._submitted += 1
                    number = self._before + self._submitted
                    future = self._executor.submit(self._keep, worker, event, number, resolved)
                    self._pages.put(future)

    def _keep(self, worker: DeviceProcess, page: PageReady, number: int, resolved: ScanRequest) -> PageInfo:
        """Develop a page and put it into the store; the slot goes back whatever happens."""
        kept = False
        try:
            made = self._develop(page, resolved)
            kept = made.file == page.path
            return self._store.add(
                self.id, made.file, number=number, back=page.back, encoding=made.encoding, raster=made.raster
            )
        except Exception:
            self.cancel()  # no more paper into a scan that cannot be kept
            raise
        finally:
            worker.release(page.slot, kept=kept)


class Station:
    """An open device: its worker, warm between jobs, and the lock that keeps other processes of dwtsvc polite."""

    def __init__(self, device: str, lock: Path, *, timeout: float, cancel_grace: float) -> None:
        driver, name = devices.split_id(device)
        self._lock = _lock_device(device, lock)
        try:
            self.worker = devices.connect(driver, timeout=timeout, cancel_grace=cancel_grace)
            self.capabilities = self.worker.open(name)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if hasattr(self, "worker"):
            self.worker.close()
        os.close(self._lock)


def _lock_device(device: str, path: Path) -> int:
    """Lock a device's file and write our process number into it. Raises ScannerBusy with the holder's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = locks.open_locked(path)
    if lock is None:
        holder = path.read_text(errors="replace").strip() or "another process"
        raise ScannerBusy(
            f"{device} is busy", why=f"process {holder} is scanning", hint="Wait until it is done, then scan again."
        )
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock


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
    ) -> None:
        self._store, self._lock_folder = store, lock_folder
        self._timeout, self._grace, self._max_bytes = timeout, cancel_grace, max_page_bytes
        # One more thread than cores: each page waits for the disk a few times on its way into the store.
        self._executor = ThreadPoolExecutor((os.cpu_count() or 2) + 1, thread_name_prefix="develop")
        self._running: dict[Job, threading.Thread] = {}
        self._idle: dict[str, Station] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Jobs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel what runs and let every device go."""
        for job, thread in list(self._running.items()):
            job.cancel()
            thread.join()
        self._executor.shutdown()
        while self._idle:
            self._idle.popitem()[1].close()

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
        owner = owner or self._store.begin({"device": request.device})
        job = Job(owner, request, self._store, develop, self._executor, before)
        thread = threading.Thread(target=self._run, args=(job, wait_paper), name=f"job-{job.id}")
        self._running[job] = thread
        thread.start()
        return job

    def _run(self, job: Job, wait_paper: float) -> None:
        error: DwtsvcError | None = None
        job.begin()
        try:
            self._scan(job, wait_paper)
        except DwtsvcError as known:
            error = known
        except Exception as unknown:  # a fault of ours must end the job, not leave its readers waiting for ever
            error = DwtsvcError("The scan failed for an unknown reason", why=f"{type(unknown).__name__}: {unknown}")
        finally:
            self._running.pop(job, None)
            job.end(error)

    def _scan(self, job: Job, wait_paper: float) -> None:
        station = self._take(job.request.device)
        try:
            job.run(station.worker, wait_paper=wait_paper, max_bytes=self._max_bytes)
        finally:
            self._put_back(job.request.device, station)

    def _take(self, device: str) -> Station:
        """The device's warm station, or a new one."""
        with self._lock:
            station = self._idle.pop(device, None)
        if station:
            return station
        path = self._lock_folder / f"device-{xxhash.xxh3_64_hexdigest(device.encode())}.lock"
        return Station(device, path, timeout=self._timeout, cancel_grace=self._grace)

    def _put_back(self, device: str, station: Station) -> None:
        if station.worker.dead:
            station.close()
            return
        with self._lock:
            self._idle[device] = station
