"""What `dwtsvc scan` says while it works: a progress display on a terminal, JSON lines, plain lines, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from dwtsvc_cli import output

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from dwtsvc.devices.cases import RecordTo
    from dwtsvc.jobs import Job
    from dwtsvc.pipeline.line import Settled
    from dwtsvc.pipeline.writing import Written


class Voice:
    """Results go to standard output, all else to standard error."""

    def __init__(self, *, json: bool, quiet: bool, verbose: bool, progress: str) -> None:
        self._json, self._quiet, self._verbose = json, quiet, verbose
        shown = progress == "on" or (progress == "auto" and sys.stderr.isatty())
        self._shows = shown and not quiet
        self._display: Progress | None = None
        self._task: TaskID | None = None
        self._began = monotonic()
        self._pages = 0
        self._files: list[Path] = []
        self.stopping = False

    def note(self, text: str) -> None:
        if not self._quiet:
            self._tell(text)

    def detail(self, text: str) -> None:
        if self._verbose:
            self._tell(text)

    def _tell(self, text: str) -> None:
        if self._display:
            self._display.console.print(text, markup=False, highlight=False)
        else:
            output.tell(text)

    def stop(self) -> None:
        self.stopping = True
        self.note("Stopping the scanner; press Ctrl-C again to end at once")

    @contextmanager
    def showing(self, device: str) -> Iterator[None]:
        """Show progress for a block, if somebody looks."""
        self.detail(f"Scanning with {device}")
        try:
            if self._shows:
                self._show()
            yield
        finally:
            self.pause()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}")
        self._display = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._display.add_task("Waiting for the scanner", total=None, rate="")
        self._display.start()

    def pause(self) -> None:
        """Take the display away, for a question or for good."""
        if self._display:
            self._display.stop()
            self._display = None

    def watch(self, job: Job) -> None:
        """Show how far the page on its way is."""
        if not self._shows or not job.progress.page:
            return
        if not self._display:
            self._show()
        assert self._display and self._task is not None
        now = job.progress
        self._display.update(
            self._task,
            description=f"Page {now.page}, row {now.rows}" + (f" of {now.height}" if now.height else ""),
            completed=now.rows,
            total=now.height,
            rate=self._rate(),
        )

    def _rate(self) -> str:
        minutes = (monotonic() - self._began) / 60
        return f"{self._pages / minutes:.0f} pages/min" if self._pages else ""

    def page(self, number: int, written: Written) -> None:
        """A page is safe and in the output."""
        self._pages = number
        self._files += written.files
        page = written.page
        if self._json:
            output.say_json(
                {
                    "event": "page",
                    "page": number,
                    "back": page.back,
                    "mode": page.raster.mode,
                    "width": page.raster.width,
                    "height": page.raster.height,
                    "dpi": page.raster.dpi,
                    "files": [str(path) for path in written.files],
                }
            )
        elif not self._quiet:
            for path in written.files:
                output.say(str(path))
        self.detail(f"Page {number}: {page.raster.width} x {page.raster.height} pixels, {page.size} bytes stored")

    def dropped(self, settled: Settled) -> None:
        """A page was left out, for a reason."""
        number, reason = settled.sheet.original.number, settled.decision.reason
        if self._json:
            files = [str(path) for path in settled.files]
            sure = settled.decision.confidence
            output.say_json({"event": "dropped", "page": number, "reason": reason, "sure": sure, "files": files})
        elif not self._quiet:
            for path in settled.files:
                output.say(str(path))
            self.note(f"Page {number} is left out: {reason}")
        self._files += settled.files

    def kept(self, count: int, owner: str) -> None:
        """The scan failed, and these pages wait for --recover."""
        if self._json:
            output.say_json({"event": "kept", "id": owner, "pages": count})
        else:
            pages = "1 page is" if count == 1 else f"{count} pages are"
            self._tell(f"{pages} kept. Write them with: dwtsvc scan --recover -o FILE")

    def recorded(self, record: RecordTo) -> None:
        """What the scanner did was recorded, however the scan ended."""
        if self._json:
            output.say_json({"event": "recorded", "file": str(record.path), "masked": record.masked})
        elif record.masked:
            self.note(f"Recorded without the pages' contents: {record.path}")
        else:
            self.note(f"Recorded with the pages' contents: {record.path}")

    def undoable(self, owner: str, dropped: list[int]) -> None:
        """The scan is written, and its pages as they were scanned are kept as well."""
        if self._json:
            output.say_json({"event": "undoable", "id": owner, "dropped": dropped})
        elif dropped:
            pages = "1 page was" if len(dropped) == 1 else f"{len(dropped)} pages were"
            self.note(f"{pages} left out. Write all as they were scanned with: dwtsvc scan --undo -o FILE")

    def result(self, values: dict[str, Any]) -> None:
        """An answer that is no page: one JSON line, or a line for each value."""
        if self._json:
            output.say_json(values)
            return
        for name, value in values.items():
            if name != "event":
                output.say(f"{name:<12}{value}")

    def done(self, pages: int, files: list[Path], device: str) -> None:
        """The last word: what was written."""
        self._files += files
        seconds = monotonic() - self._began
        if self._json:
            names = [str(path) for path in self._files]
            output.say_json(
                {"event": "done", "device": device, "pages": pages, "files": names, "seconds": round(seconds, 3)}
            )
            return
        if not self._quiet:
            for path in files:
                output.say(str(path))
            output.tell(f"{pages} page{'s' * (pages != 1)} in {seconds:.1f} s")
