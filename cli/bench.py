"""Pages are worked on between the scanner and the file: by the workers, along the line, with a receipt in the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dwtsvc.errors import Cancelled
from dwtsvc.model import Encoding, PageInfo, ScanRequest
from dwtsvc.pipeline import cache, pool
from dwtsvc.pipeline.flow import Incoming, flow
from dwtsvc.pipeline.line import Line, Settled
from dwtsvc.pipeline.receipts import Receipts
from dwtsvc.pipeline.recipe import Original, Recipe, Task
from dwtsvc.pipeline.writing import Written
from dwtsvc_cli.undoing import MADE

if TYPE_CHECKING:
    from dwtsvc.devices.process import PageReady
    from dwtsvc.errors import DwtsvcError
    from dwtsvc.jobs import Develop, Developed, Job
    from dwtsvc.outputs import Output
    from dwtsvc.splitting import Splitter
    from dwtsvc.store import PageStore
    from dwtsvc_cli.voice import Voice


class Bench:
    """Takes stack after stack of stored pages; `finish` completes the files. Use it as a context."""

    def __init__(
        self,
        recipe: Recipe,
        splitter: Splitter,
        store: PageStore,
        output: Output,
        voice: Voice,
        *,
        folder: Path,
        workers: int | None,
        address: str,
        receipts: Receipts | None = None,
    ) -> None:
        self._recipe, self._store, self._voice, self._cache = recipe, store, voice, folder
        self._executor = pool.executor(address, workers)
        self._made = store.begin(MADE)  # pages made anew; the scan's own stay what they are
        self._line = Line(store, self._made, output, splitter, self)
        self._window = 2 * (workers or os.cpu_count() or 1)
        self._originals: dict[int, PageInfo] = {}
        self._receipts = receipts
        if receipts and recipe.barcodes is not None:
            receipts.facts.used("zxing-cpp")
        self._told_end = False
        self._changed = False
        self.dropped: list[int] = []  # numbers of the pages that were left out
        self.pages = 0

    @property
    def undoable(self) -> bool:
        """Whether what was written is less than what was scanned, or other than it."""
        return self._changed or bool(self.dropped)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._store.discard(self._made)
        cache.prune(self._cache)

    def scan(self, job: Job) -> None:
        """All pages of a job as they are scanned. Raises what the job reports, after the pages before.

        When somebody stops the scan, what nobody works on yet is left for --resume.
        """

        def incoming(timeout: float) -> Task | None:
            if self._voice.stopping:
                raise Cancelled("The scan was cancelled")
            page = job.next_page(timeout=timeout)
            return self._task(page) if page else None

        self._told_end = False
        self._through(incoming, lambda: self._watch(job))

    def take(self, pages: Iterable[PageInfo]) -> None:
        """Pages that are all there."""
        waiting = iter(pages)

        def incoming(timeout: float) -> Task | None:
            page = next(waiting, None)
            return self._task(page) if page else None

        self._through(incoming, lambda: None)

    def _watch(self, job: Job) -> None:
        """Say at once that the scanner has stopped: somebody can mend it while pages are still read."""
        self._voice.watch(job)
        if job.error and self._originals and not (self._told_end or self._voice.stopping):
            self._told_end = True
            self._voice.note(f"{job.error.what}. The pages before are being finished.")

    def finish(self) -> list[Path]:
        files = self._line.finish()
        if self._receipts:
            self._receipts.finish(files)
        return files

    def noting(self, develop: Develop) -> Develop:
        """The same, with the request as the scanner fulfils it noted for the receipt."""
        receipts = self._receipts
        if receipts is None:
            return develop

        def noted(page: PageReady, resolved: ScanRequest) -> Developed:
            receipts.facts.resolved(resolved)
            return develop(page, resolved)

        return noted

    def check_receipts(self) -> None:
        """Raise what kept a receipt from being written; the files are there."""
        if self._receipts:
            self._receipts.check()

    def _through(self, incoming: Incoming, on_wait: Callable[[], object]) -> None:
        for outcome in flow(incoming, self._executor, window=self._window, on_wait=on_wait):
            self._line.take(outcome, self._originals.pop(outcome.task.number))

    def _task(self, page: PageInfo) -> Task:
        self._originals[page.number] = page
        content: Path | bytes = self._store.path(page)
        elsewhere = pool.is_elsewhere(self._executor)
        if elsewhere:
            with self._store.reading(page) as data:
                content = bytes(data)
        lossy = page.encoding is Encoding.JPEG
        original = Original(content=content, encoding=page.encoding, raster=page.raster, lossy=lossy)
        return Task(
            number=page.number,
            back=page.back,
            original=original,
            recipe=self._recipe,
            checksum=page.checksum,
            cache=None if elsewhere else self._cache,  # its folder is on this machine
        )

    def settled(self, settled: Settled) -> None:
        """A page was written or dropped."""
        self._changed |= bool(settled.sheet.done and settled.sheet.done.steps)
        if settled.decision.kept:
            self.pages += 1
            self._voice.page(self.pages, Written(settled.sheet.page, settled.files))
        else:
            self.dropped.append(settled.sheet.original.number)
            self._voice.dropped(settled)
        if self._receipts:
            self._receipts.settled(settled)

    def trouble(self, number: int, error: DwtsvcError) -> None:
        self._voice.note(f"Page {number} stays as it was scanned: {error}")
        if self._receipts:
            self._receipts.facts.trouble(number, error)
