"""What `dwtsvc ocr` says: results on standard output, all else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dwtsvc.errors import DwtsvcError
from dwtsvc.pipeline.files import File
from dwtsvc.pipeline.recipe import Done
from dwtsvc_cli import output as out

if TYPE_CHECKING:
    from rich.progress import Progress


@dataclass(frozen=True, slots=True)
class Written:
    """A result: its file, from which inputs, how many pages were read, and in how many seconds."""

    path: Path
    inputs: tuple[str, ...]
    pages: int
    seconds: float


class Voice:
    """Results go to standard output, all else to standard error."""

    def __init__(self, *, json: bool, quiet: bool, verbose: bool, progress: bool | None) -> None:
        self._json, self._quiet, self._verbose = json, quiet, verbose
        self._shows = sys.stderr.isatty() if progress is None else progress
        self._display: Progress | None = None

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show progress, if somebody looks."""
        if not self._shows or self._quiet:
            yield
            return
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as self._display:
            self._display.add_task("Reading", total=0)
            yield
        self._display = None

    def expect(self, pages: int) -> None:
        """So many pages more are to be read."""
        if self._display:
            [task] = self._display.tasks
            self._display.update(task.id, total=(task.total or 0) + pages)

    def page(self, file: File, index: int, done: Done) -> None:
        if self._display:
            self._display.advance(self._display.task_ids[0])
        if done.guessed:
            self.note(f"{file.name}: its resolution is not told; it looks like {done.dpi:g} dpi (--image-dpi says it)")
        if self._verbose and done.text:
            sure = done.text.confidence
            said = "no text" if sure is None else f"{len(done.text.words)} words, confidence {sure:.0f}"
            steps = ", ".join(step.name for step in done.steps)
            self.note(f"{file.name}, page {index + 1}: {said}" + (f"; {steps}" if steps else ""))

    def note(self, text: str) -> None:
        if self._quiet:
            return
        if self._display:
            self._display.console.print(text, markup=False, highlight=False)
        else:
            out.tell(f"dwtsvc: {text}")

    def written(self, result: Written) -> None:
        if self._json:
            said = {"output": str(result.path), "inputs": result.inputs, "pages": result.pages}
            out.say_json({**said, "seconds": round(result.seconds, 3)})
        elif not self._quiet:
            out.say(str(result.path))

    def failed(self, name: str, error: DwtsvcError) -> None:
        """One input of several came to nothing."""
        if self._json:
            said = {"event": "error", "input": name, "error": error.word, "code": error.exit_code}
            out.say_json({**said, "what": error.what, "why": error.why, "hint": error.hint})
        else:
            told = str(error) if name in error.what else f"{name}: {error}"
            out.tell(f"dwtsvc: {told}" + (f"\n  {error.hint}" if error.hint else ""))
