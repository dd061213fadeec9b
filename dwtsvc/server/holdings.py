"""Who holds what: the jobs and image buffers of each client, by bucket and id. A bucket is a web origin, or the tools.

What is somebody else's is as unknown as what never was. Everything survives a restart of the service.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import threading
import uuid
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from dwtsvc.buffer import Buffer
from dwtsvc.devices.process import PageReady
from dwtsvc.errors import (
    DwtsvcError,
    JobDeleted,
    ServiceRestarted,
    TooLarge,
    TooMany,
    UnknownItem,
    UnknownJob,
    WrongState,
    by_word,
)
from dwtsvc.jobs import Develop, Developed, Job, Jobs, Pending
from dwtsvc.model import JobState, ScanRequest
from dwtsvc.records import BadRecord, pack, unpack
from dwtsvc.sealing import BrokenSeal
from dwtsvc.server.thumbs import PAGE_PIXELS
from dwtsvc.store import LeftBehind, PageStore

ACTIVE_JOBS_OF_A_SITE = 4
ACTIVE_JOBS = 64
BUFFERS_OF_A_BUCKET = 256  # open at once; each costs two file descriptors
BUFFER_IDLE = 600.0  # seconds after which it is let go until it is asked for again
REMEMBERED = 4096  # ids of deleted jobs that are still answered with "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much there may be: bytes of pages of a web site and of all, but no more than `share` percent of the room that
    is free on the disk or theirs; pages and seconds of a job."""

    site: int
    all: int
    share: int
    pages: int
    seconds: float


@dataclass(slots=True, eq=False)
class Held:
    """A job of a client. `idle_limit` is in seconds; 0 for one that waits to be fetched as long as pages are kept.

    `running` is when it was let begin.
    """

    uid: str
    bucket: str
    job: Job
    begun: datetime
    pending: Pending | None = None
    idle_limit: float = 0.0
    running: float | None = None
    used: float = field(default_factory=monotonic)
    cursors: dict[str, int] = field(default_factory=dict)

    def touch(self) -> None:
        """Somebody asked for it: it is not idle."""
        self.used = monotonic()


@dataclass(frozen=True, slots=True)
class Left:
    """A buffer that is on the disk and not open; `size` is in bytes."""

    owner: str
    size: int


class Holdings:
    """Everything that clients hold, but for stored documents. Blocking; safe to use from several threads."""

    def __init__(self, store: PageStore, jobs: Jobs, *, pending_idle: float, limits: Limits) -> None:
        """`pending_idle` seconds end a job that waits for its start."""
        self._store, self._jobs = store, jobs
        self._pending_idle, self._limits = pending_idle, limits
        self._lock = threading.RLock()
        self._held: dict[str, Held] = {}
        self._starting: Counter[str] = Counter()  # jobs of each bucket that are being opened
        self._deleted: OrderedDict[str, str] = OrderedDict()
        self._buffers: dict[tuple[str, str], Buffer] = {}
        self._left: dict[tuple[str, str], Left] = {}

    def restore(self) -> int:
        """Find what an earlier service left: its jobs, ended, and its buffers; how many."""
        count = 0
        for left in self._store.left_behind(empty=True):
            count += self._restore(left)
        return count

    def _restore(self, left: LeftBehind) -> bool:
        about = left.about
        self._store.sweep(left.owner)
        try:
            if about.get("kind") == "job":
                job = Job.restored(left.owner, unpack(ScanRequest, about["request"]), self._store, self._end(left))
                self._held[about["uid"]] = Held(about["uid"], about["bucket"], job, left.begun)
            elif about.get("kind") == "buffer":
                self._left[about["bucket"], about["client"]] = Left(left.owner, left.size)
        except (BrokenSeal, BadRecord, KeyError):  # the machine was restarted, or the record is of another version
            return False
        return "kind" in about

    def _end(self, left: LeftBehind) -> DwtsvcError | None:
        """How a job ended; what was noted last counts."""
        end: DwtsvcError | None = ServiceRestarted(
            "The scan was interrupted", why="the service was restarted", hint="The pages before that are here."
        )
        for note in self._store.notes(left.owner):
            ended = json.loads(note).get("ended")
            if ended is not None:
                end = by_word(ended["word"])(ended["what"], why=ended["why"], hint=ended["hint"]) if ended else None
        return end

    def begin_job(
        self,
        bucket: str,
        request: ScanRequest,
        develop: Develop,
        *,
        run: bool = True,
        timeout: float | None = None,
        idle_limit: float = 0.0,
        site: bool = False,
    ) -> Held:
        """Open the device for a new job and, with `run`, let it begin. `site` says that the quotas of a web site bind.

        Raises TooMany, and what the device reports: ScannerBusy, NoScanner, ...
        """
        with self._starting_one(bucket, site):
            held = self._open_job(bucket, request, develop, timeout, idle_limit, site)
        if run:
            self.run_job(held)
        return held

    @contextlib.contextmanager
    def _starting_one(self, bucket: str, site: bool) -> Iterator[None]:
        """Count a job from before its device is opened, so that requests at the same time get no more than one may."""
        with self._lock:
            self.check_room(bucket, site=site)
            self._starting[bucket] += 1
        try:
            yield
        finally:
            with self._lock:
                self._starting[bucket] -= 1

    def _open_job(
        self,
        bucket: str,
        request: ScanRequest,
        develop: Develop,
        timeout: float | None,
        idle_limit: float,
        site: bool,
    ) -> Held:
        uid = str(uuid.uuid4())
        about = {"kind": "job", "uid": uid, "bucket": bucket, "device": request.device, "request": pack(request)}
        owner = self._store.begin(about)
        try:
            pending = self._jobs.prepare(
                request, develop=self._bounded(develop, bucket, site), owner=owner, timeout=timeout
            )
        except BaseException:
            self._store.discard(owner)
            raise
        held = Held(uid, bucket, pending.job, datetime.now(UTC), pending, idle_limit)
        pending.job.watch(lambda: self._note_end(held))
        with self._lock:
            self._held[uid] = held
        return held

    def _bounded(self, develop: Develop, bucket: str, site: bool) -> Develop:
        """The same, until the room or the number of pages is used up; the pages before that are kept."""
        numbers = itertools.count(1)  # one for each call, whatever the thread

        def within(page: PageReady, request: ScanRequest) -> Developed:
            if next(numbers) > self._limits.pages:
                raise TooMany(f"A job has at most {self._limits.pages} pages", hint="Begin another for the rest.")
            _check_pixels(page)
            self.check_room(bucket, site=site, jobs=False)
            return develop(page, request)

        return within

    def _note_end(self, held: Held) -> None:
        job = held.job
        if not job.finished:
            return
        held.touch()
        error = job.error
        ended = {"word": error.word, "what": error.what, "why": error.why, "hint": error.hint} if error else {}
        try:
            self._store.note(job.id, json.dumps({"ended": ended}))
        except (DwtsvcError, KeyError):  # a full disk, or a job that was deleted meanwhile: it counts as interrupted
            return
        finally:
            self._store.leave(job.id)  # its pages can be read without; the descriptors are for those that grow

    def run_job(self, held: Held) -> None:
        """Let a pending job begin. Raises WrongState."""
        held.touch()
        if held.pending is None:
            raise WrongState("The job is not pending", hint="Only a pending job can be started.")
        self._jobs.run(held.pending)
        held.running = monotonic()

    def cancel_job(self, held: Held) -> None:
        """Cancel a pending or running job. Raises WrongState for one that has ended."""
        held.touch()
        if not held.job.active or held.pending is None:
            raise WrongState("The job has ended already", hint="Only a pending or running job can be canceled.")
        try:
            self._jobs.cancel(held.pending)
        except WrongState:
            held.job.cancel()

    def delete_job(self, held: Held) -> None:
        """Cancel a job if it runs, and delete its pages."""
        with self._lock:
            self._held.pop(held.uid, None)
            self._deleted[held.uid] = held.bucket
            while len(self._deleted) > REMEMBERED:
                self._deleted.popitem(last=False)
        if held.job.active:
            with contextlib.suppress(WrongState):  # it has just ended
                self.cancel_job(held)
        held.job.wait()  # also for pages that are still on their way into the store
        self._store.discard(held.job.id)

    def job(self, bucket: str, uid: str) -> Held:
        """Raises UnknownJob, also for somebody else's, and JobDeleted."""
        uid = uid.lower()
        held = self._held.get(uid)
        if held is None or held.bucket != bucket:
            if self._deleted.get(uid) == bucket:
                raise JobDeleted("The job was deleted")
            raise UnknownJob("There is no such job", hint="It has ended long ago, or is not yours.")
        held.touch()
        return held

    def jobs(self, bucket: str | None = None) -> list[Held]:
        """The jobs of a bucket, or all; newest first."""
        mine = [held for held in list(self._held.values()) if bucket is None or held.bucket == bucket]
        return sorted(mine, key=lambda held: held.begun, reverse=True)

    def buffer(self, bucket: str, client: str, *, create: bool = True) -> Buffer:
        """The image buffer of a client. Raises UnknownItem if there is none and none shall be made."""
        key = bucket, client
        with self._lock:
            buffer = self._buffers.get(key)  # an empty one is false
            if buffer is None:
                buffer = self._come_back(key)
            if buffer is None:
                if not create:
                    raise UnknownItem("There is no such buffer")
                self._check_buffers(bucket)
                about = {"kind": "buffer", "bucket": bucket, "client": client}
                buffer = Buffer(self._store, self._store.begin(about))
            self._buffers[key] = buffer
            buffer.touch()
            return buffer

    def open_buffer(self, bucket: str, client: str) -> Buffer | None:
        """The image buffer of a client if it is open; waits for nothing, so the event loop may ask."""
        buffer = self._buffers.get((bucket, client))
        if buffer is not None:
            buffer.touch()
        return buffer

    def _come_back(self, key: tuple[str, str]) -> Buffer | None:
        """Open a buffer that is on the disk. None if it expired, or the machine was restarted and its key is lost."""
        left = self._left.get(key)
        buffer = None
        if left and (self._store.folder(left.owner) / "journal").is_file():
            self._store.resume(left.owner)
            try:
                buffer = Buffer(self._store, left.owner)
            except BrokenSeal:
                self._store.discard(left.owner)
            except BaseException:
                self._store.leave(left.owner)
                raise
        self._left.pop(key, None)
        return buffer

    def _check_buffers(self, bucket: str) -> None:
        if sum(key[0] == bucket for key in self._buffers) >= BUFFERS_OF_A_BUCKET:
            raise TooMany("There are too many image buffers", hint="Use one id for a page, and use it again.")

    def _let_go(self) -> None:
        """Close the buffers that nobody has used for long, and delete those that hold nothing."""
        with self._lock:
            for key, buffer in list(self._buffers.items()):
                if monotonic() - buffer.touched < BUFFER_IDLE:
                    continue
                del self._buffers[key]
                if len(buffer):
                    self._store.leave(buffer.owner)
                    self._left[key] = Left(buffer.owner, buffer.size)
                else:
                    self._store.discard(buffer.owner)

    def used(self, bucket: str | None = None) -> int:
        """Bytes that a bucket's jobs and buffers take on the disk, or all of them."""
        pages = sum(held.job.size for held in list(self._held.values()) if bucket is None or held.bucket == bucket)
        opened = [(key, buffer.size) for key, buffer in list(self._buffers.items())]
        closed = [(key, left.size) for key, left in list(self._left.items())]
        return pages + sum(size for key, size in opened + closed if bucket is None or key[0] == bucket)

    def check_room(self, bucket: str, *, site: bool, jobs: bool = True, coming: int = 0) -> None:
        """Raises TooMany when a web site, or all together, have as much as they may; `coming` bytes are yet to come."""
        active = [held.bucket for held in list(self._held.values()) if held.job.active]
        active += self._starting.elements()
        if jobs and (len(active) >= ACTIVE_JOBS or (site and active.count(bucket) >= ACTIVE_JOBS_OF_A_SITE)):
            raise TooMany("There are too many jobs", hint="Wait until one has ended, or cancel one.")
        used = self.used()
        room, own = self._room(used) - coming, self._limits.site - coming
        if (site and self.used(bucket) >= own) or used >= room:
            raise TooMany("The pages take all the room they may", hint="Delete jobs or pages that are not needed.")

    def _room(self, used: int) -> int:
        """Bytes that all pages may take, now."""
        root = self._store.root  # which somebody may have deleted; the next job makes it again
        free = shutil.disk_usage(next(each for each in (root, *root.parents) if each.is_dir())).free
        return min(self._limits.all, (free + used) * self._limits.share // 100)

    def end_idle(self) -> None:
        """Cancel the jobs that nobody started, stop those that run too long, delete those that ended and were
        forgotten, and close idle buffers.

        Call it now and then.
        """
        for held in self.jobs():
            idle = monotonic() - held.used
            if held.job.state is JobState.PENDING and idle >= (held.idle_limit or self._pending_idle):
                with contextlib.suppress(WrongState):  # it has just been started
                    self.cancel_job(held)
            elif not held.job.active and held.idle_limit and idle >= held.idle_limit:
                self.delete_job(held)
            self._stop_endless(held)
        self._let_go()

    def _stop_endless(self, held: Held) -> None:
        if held.job.active and held.running and monotonic() - held.running > self._limits.seconds:
            hours = f"{self._limits.seconds / 3600:g} hours"
            held.job.stop(TooMany(f"A job runs for at most {hours}", hint="Begin another for the rest."))

    def expire(self, age: timedelta) -> None:
        """Delete what ended longer ago than `age`."""
        gone = set(self._store.expire(age))
        with self._lock:
            self._held = {uid: held for uid, held in self._held.items() if held.job.id not in gone}
            self._left = {key: left for key, left in self._left.items() if left.owner not in gone}


def _check_pixels(page: PageReady) -> None:
    """Raises TooLarge for a page that could not be shown or edited later."""
    width, height = page.raster.width, page.raster.height or 0
    if width * height > PAGE_PIXELS:
        raise TooLarge(
            f"A page has {width} x {height} pixels",
            why=f"the service takes {PAGE_PIXELS:,}",
            hint="Scan a smaller area or with fewer dots per inch, or with `dwtsvc scan`.",
        )
