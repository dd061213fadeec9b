"""What clients ordered: each order is a job like any other, with a cursor over its pages and eSCL's words for it."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO

from dwtsvc.disk import telling
from dwtsvc.errors import (
    Cancelled,
    CoverOpen,
    DwtsvcError,
    FeederEmpty,
    JobDeleted,
    MultiFeed,
    PaperJam,
    ScannerBusy,
    TooMany,
)
from dwtsvc.esclxml import PDF, JobStatus, Ticket
from dwtsvc.formats import PageEncoder
from dwtsvc.model import JobState, PageInfo, Source
from dwtsvc.pipeline.develop import Developer
from dwtsvc.server.airscan.offers import FORMATS, Offer
from dwtsvc.server.airscan.turns import Turns, busy
from dwtsvc.server.holdings import Held

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

BUCKET = "airscan "  # and the address of the client
PATIENCE = 8.0  # seconds that an order waits for the scanner; some clients give up on an answer after 10
PAGE_WAIT = 25.0  # seconds that a client waits for a page before it is told to come again, which some do not do
HASTY_WAIT = 8.0  # such a wait of a client that does come again, and has no patience
_HASTY = ("okhttp", "ktor")  # libraries of Android, by their User-Agent: 10 seconds where nobody said otherwise
BUSY_AGAIN = 0.5  # seconds between two looks at a scanner that somebody else has
TOLD = 5.0  # seconds that the feeder is as a client was told; nobody notices that paper was put in
MOST_OF_A_CLIENT = 8  # orders that are not fetched, and such that wait for the scanner
REMEMBERED = 64  # orders of a scanner
PIECE = 256 << 10

_FEEDER = {
    FeederEmpty: "ScannerAdfEmpty",
    PaperJam: "ScannerAdfJam",
    CoverOpen: "ScannerAdfHatchOpen",
    MultiFeed: "ScannerAdfMultipickDetected",
}


def page_wait(agent: str) -> float:
    """Seconds that a client may wait for a page; `agent` is its User-Agent in small letters."""
    return HASTY_WAIT if any(word in agent for word in _HASTY) else PAGE_WAIT


@dataclass(slots=True, eq=False)
class Order:
    """A client's order. `sent` pages went out whole, `gone` of them are deleted because he asked for the next."""

    held: Held
    ticket: Ticket
    client: str
    sent: int = 0
    gone: int = 0
    scanned: bool = False  # the scanner is somebody else's again
    over: bool = False  # the end of its pages was told, or the client took it back
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def fed(self) -> bool:
        return self.held.job.request.source is not Source.FLATBED

    def status(self, base: str) -> JobStatus:
        """How it is, in eSCL's words; `base` is the path that the client asked under."""
        state, reason = self._words()
        pages = len(self.held.job.pages)
        return JobStatus(
            path=f"{base}/ScanJobs/{self.held.uid}",
            state=state,
            reasons=(reason,),
            completed=pages,
            waiting=max(pages - self.sent, 0),
            age=int(monotonic() - self.held.used),
        )

    def _words(self) -> tuple[str, str]:
        """It goes on while pages are to be fetched, whatever ended the scan: some clients ask for none after that."""
        job = self.held.job
        fetched = job.finished and self.sent >= len(job.pages)
        if job.state is JobState.CANCELED or (self.over and not fetched):
            return "Canceled", "JobCanceledByUser"
        if not fetched:
            return "Processing", "JobScanning"
        if job.state is JobState.FAULTED:
            return "Aborted", "AbortedBySystem"
        return "Completed", "JobCompletedSuccessfully"


class Document:
    """What one NextDocument sends: `size` bytes, piece by piece. `taken` is for the sender to set when all went out."""

    def __init__(self, kind: str, size: int, read: Callable[[int], bytes], close: Callable[[], None]) -> None:
        self.kind, self.size, self.close = kind, size, close
        self.read = read  # blocking: the next bytes, at most so many
        self.taken = False


class Orders:
    """The orders for one scanner. Used by the event loop only; blocking work goes over the service's bridge."""

    def __init__(self, service: Service, offer: Offer) -> None:
        self.offer = offer
        self.turns = Turns()
        self._service = service
        self._orders: dict[str, Order] = {}
        self._feeder = ("", 0.0)

    @property
    def feeder(self) -> str:
        """The state of the feeder, or nothing for a scanner without. Drivers do not tell whether paper is there."""
        if not {Source.FEEDER, Source.DUPLEX} & {each.source for each in self.offer.capabilities.sources}:
            return ""
        if any(order.fed and order.held.job.active for order in self._orders.values()):
            return "ScannerAdfProcessing"
        word, until = self._feeder
        return word if monotonic() < until else "ScannerAdfLoaded"

    def of_client(self, client: str) -> list[Order]:
        """A client's own, the newest first; what others scan is not told."""
        return [order for order in reversed(self._orders.values()) if order.client == client]

    def unfetched(self) -> list[Order]:
        """The orders whose clients may come for more; those that nobody came for were deleted after a while."""
        held = {each.uid for each in self._service.holdings.jobs()}
        for order in self._orders.values():
            order.over = order.over or order.held.uid not in held
        return [order for order in self._orders.values() if not order.over]

    def knows(self, uid: str) -> bool:
        return uid.lower() in self._orders

    def find(self, client: str, uid: str) -> Order:
        """Raises JobDeleted, also for somebody else's and for one of a service before this. Its status is not 404, by
        which clients understand that they have all pages."""
        order = self._orders.get(uid.lower())
        if order is None or order.client != client:
            raise JobDeleted("There is no such job")
        return order

    async def begin(self, ticket: Ticket, client: str) -> Order:
        """Scan for a client, as soon as it is his turn.

        Raises BadArguments for what the scanner cannot do, ScannerBusy after `PATIENCE` seconds, TooMany, and what the
        device reports.
        """
        self.offer.request(ticket)
        theirs = sum(order.client == client for order in self.unfetched()) + self.turns.waiting(client)
        if theirs >= MOST_OF_A_CLIENT:
            raise TooMany("There are too many jobs", hint="Fetch or delete one.")
        until = monotonic() + PATIENCE
        await self.turns.take(client, PATIENCE)
        try:
            held = await self._open(ticket, client, until)
            order = Order(held, ticket, client)
            self._remember(order)
            self._service.holdings.run_job(held)
        except BaseException:
            self.turns.free()
            raise
        self._follow(order)
        return order

    async def _open(self, ticket: Ticket, client: str, until: float) -> Held:
        """The scanner, opened; waited for while another program or face has it."""
        while True:
            opening = asyncio.ensure_future(self._service.bridge.outside(self._prepare, ticket, client))
            try:
                return await asyncio.shield(opening)
            except asyncio.CancelledError:  # the client has left: what is opened for nobody must not stay
                opening.add_done_callback(self._drop_opened)
                raise
            except ScannerBusy:
                if monotonic() >= until:
                    raise busy() from None
            await asyncio.sleep(BUSY_AGAIN)

    def _prepare(self, ticket: Ticket, client: str) -> Held:
        settings = self._service.settings
        encoder = PageEncoder(FORMATS[ticket.format], quality=settings.quality)
        request = self.offer.request(ticket)
        develop = Developer(request.mode, encoder, settings.quality, compact=True)
        return self._service.holdings.begin_job(
            BUCKET + client, request, develop, run=False, idle_limit=settings.job_idle, site=True
        )

    def _drop_opened(self, opening: asyncio.Future[Held]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self._delete(opening.result())

    def _delete(self, held: Held) -> None:
        """Without waiting for it: a job that runs may take a while to stop."""
        task = asyncio.ensure_future(self._service.bridge.outside(self._service.holdings.delete_job, held))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    def _remember(self, order: Order) -> None:
        self._orders[order.held.uid] = order
        old = [uid for uid, each in self._orders.items() if each.over]
        for uid in old[: max(len(self._orders) - REMEMBERED, 0)]:
            del self._orders[uid]

    def _follow(self, order: Order) -> None:
        """Let the next one have the scanner when this job has ended, on whatever thread it does."""
        loop = asyncio.get_running_loop()

        def changed() -> None:
            if not order.held.job.active:
                with contextlib.suppress(RuntimeError):  # the loop is closed: the service has ended
                    loop.call_soon_threadsafe(ended)

        def ended() -> None:
            if not order.scanned:
                order.scanned = True
                self._note_feeder(order)
                self.turns.free()

        order.held.job.watch(changed)
        changed()  # it may have ended before it was watched

    def _note_feeder(self, order: Order) -> None:
        if order.fed:
            error = order.held.job.error
            known = (word for kind, word in _FEEDER.items() if isinstance(error, kind))
            word = next(known, "" if error else "ScannerAdfEmpty")
            self._feeder = (word, monotonic() + TOLD) if word else ("", 0.0)

    @contextlib.asynccontextmanager
    async def next_document(self, order: Order, wait: float = PAGE_WAIT) -> AsyncIterator[Document | None]:
        """The next document of an order; None when there are no more. It counts as sent if it was `taken`.

        Raises ScannerBusy when it is not there in `wait` seconds, JobDeleted, and what ended the job after its
        last good page.
        """
        async with order.lock:
            if order.over:
                yield None
                return
            self._service.holdings.job(order.held.bucket, order.held.uid)
            await self._let_go(order)
            try:
                pages = await self._pages(order, wait)
            except DwtsvcError as error:
                if error is order.held.job.error:  # it is told once
                    self._note_feeder(order)  # again: the client asks how the scanner is when it hears this
                    self.end(order)
                raise
            if not pages:
                self._note_feeder(order)
                self.end(order)
                yield None
                return
            document = await self._service.bridge.run(self._document, order, pages)
            try:
                yield document
            finally:
                # First, and without a pause: the end of an answer looks like a client that leaves, which cancels us.
                order.sent += len(pages) if document.taken else 0
                order.held.touch()
                await asyncio.shield(self._service.bridge.run(document.close))

    def end(self, order: Order) -> None:
        """All was told, or the client wants no more: its pages are deleted, a scan that runs is cancelled."""
        if not order.over:
            order.over = True
            self._delete(order.held)

    async def _let_go(self, order: Order) -> None:
        while order.gone < order.sent:
            order.gone += 1  # first: nothing is deleted twice when this is cancelled
            await self._service.bridge.run(order.held.job.let_go, order.gone - 1)

    async def _pages(self, order: Order, wait: float) -> Sequence[PageInfo]:
        """The pages of the next document: of a PDF all that are left, when all are there; else one."""
        job, bridge = order.held.job, self._service.bridge
        try:
            async with asyncio.timeout(wait):
                if order.ticket.format != PDF:
                    page = await bridge.page(job, order.sent)
                    return [page] if page else []
                async for _ in bridge.changes(job):
                    if job.finished:
                        break
        except TimeoutError:
            raise ScannerBusy("The page is not there yet", hint="Ask again.") from None
        except Cancelled:
            return []
        left = job.pages[order.sent :]
        if not left and job.error and not isinstance(job.error, Cancelled):
            raise job.error
        return left

    def _document(self, order: Order, pages: Sequence[PageInfo]) -> Document:
        """Blocking. A page that is stored in the form that was ordered is sent as it is."""
        encoder = PageEncoder(FORMATS[order.ticket.format], quality=self._service.settings.quality)
        if len(pages) == 1 and encoder.copies(pages[0]):
            return self._stored(order, pages[0])
        folder = self._service.paths.create(self._service.paths.cache)
        with telling(folder):
            file = tempfile.TemporaryFile(dir=folder)
            try:
                self._write(pages, encoder, file)
                size = file.tell()
                file.seek(0)
            except BaseException:
                file.close()
                raise
        return Document(order.ticket.format, size, file.read, file.close)

    def _stored(self, order: Order, page: PageInfo) -> Document:
        with contextlib.ExitStack() as stack:
            data = stack.enter_context(self._service.store.reading(page))
            place = 0

            def read(count: int) -> bytes:
                nonlocal place
                place += count
                return data[place - count : place]

            return Document(order.ticket.format, len(data), read, stack.pop_all().close)

    def _write(self, pages: Sequence[PageInfo], encoder: PageEncoder, file: BinaryIO) -> None:
        if encoder.format != "pdf":
            with self._service.store.reading(pages[0]) as data:
                encoder.write(pages[0], data, file)
            return
        with encoder.document(file) as document:
            for page in pages:
                with self._service.store.reading(page) as data:
                    encoder.append(page, data, document)


_tasks: set[asyncio.Future[None]] = set()  # nobody else holds them, and the garbage collector would end them
