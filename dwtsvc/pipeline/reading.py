"""Files are read: their pages go through the workers, their text into a PDF, and out page by page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol

from dwtsvc.errors import BadArguments
from dwtsvc.imaging import pageranges
from dwtsvc.pipeline.files import File
from dwtsvc.pipeline.flow import flow, one_after_another
from dwtsvc.pipeline.recipe import Done, Recipe, Task
from dwtsvc.pipeline.searchable import About, Layered, Pictures
from dwtsvc.text import Text


class Existing(StrEnum):
    """What becomes of pages of a PDF that have text."""

    REFUSE = "refuse"
    SKIP = "skip"
    REDO = "redo"
    FORCE = "force"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is asked of all files: `pages` as `pageranges` reads them, "" for all; `dpi` instead of what files say."""

    recipe: Recipe
    existing: Existing = Existing.REFUSE
    pages: str = ""
    dpi: float | None = None
    cache: Path | None = None

    def tasks(self, files: Sequence[File]) -> Iterator[tuple[File, int, Task]]:
        """The pages to read, numbered through. Raises AlreadyHasText, and BadArguments for pages that there are not."""
        number = 1
        for file in files:
            wanted = set(pageranges.parse(self.pages, file.survey.pages) if self.pages else range(file.survey.pages))
            if self.existing is Existing.REFUSE:
                file.refuse_text(wanted)
            if self.existing is Existing.SKIP:
                wanted -= {index for index, text in enumerate(file.survey.texts) if text}
            force = self.existing is Existing.FORCE
            for index, task in file.tasks(
                self.recipe, wanted, first=number, cache=self.cache, dpi=self.dpi, whole=force
            ):
                yield file, index, task
                number += 1


class Pdf(Protocol):
    """A PDF that grows with what is read."""

    def add(self, file: File, index: int, done: Done) -> None: ...

    def finish(self) -> None: ...


def read(
    files: Sequence[File],
    job: Job,
    executor: Executor,
    *,
    window: int,
    pdf: Pdf | None = None,
    on_page: Callable[[File, int, Done], object] = lambda file, index, done: None,
    on_wait: Callable[[], object] = lambda: None,
) -> Iterator[Text]:
    """Yield the text of every page in order; the PDF is whole when all were taken.

    Raises what a page's worker raised, and what writing raises.
    """
    places: dict[int, tuple[File, int]] = {}

    def tasks() -> Iterator[Task]:
        for file, index, task in job.tasks(files):
            places[task.number] = file, index
            yield task

    for outcome in flow(one_after_another(tasks()), executor, window=window, on_wait=on_wait):
        file, index = places.pop(outcome.task.number)
        if outcome.error:
            raise outcome.error
        for done in outcome.done:
            if pdf:
                pdf.add(file, index, done)
            on_page(file, index, done)
            if done.text:
                yield done.text
    if pdf:
        pdf.finish()


def searchable(files: Sequence[File], target: BinaryIO, about: About, job: Job) -> Pdf:
    """The PDF that these files become: their pictures, or one PDF with a layer, or all of them put together."""
    redo = job.existing is Existing.REDO
    if not any(file.survey.pdf for file in files):
        return Pictures(target, about)
    if len(files) == 1:
        return Layered(target, files[0], about, redo=redo)
    return Merged(files, target, about, redo=redo)


class Merged:
    """Several files of which some are PDFs: each becomes a PDF of its own first."""

    def __init__(self, files: Sequence[File], target: BinaryIO, about: About, *, redo: bool) -> None:
        if about.conformance:
            raise BadArguments(
                "Several PDFs cannot become one PDF/A", hint="Read them one by one, or write a plain PDF."
            )
        self._target, self._about = target, about
        self._folder = tempfile.TemporaryDirectory(prefix="dwtsvc-")
        self._parts: dict[str, tuple[Path, BinaryIO, Pdf]] = {}
        for number, file in enumerate(files):
            path = Path(self._folder.name, f"{number}.pdf")
            out = path.open("w+b")
            pdf: Pdf = Layered(out, file, About(), redo=redo) if file.survey.pdf else Pictures(out, About())
            self._parts[file.name] = path, out, pdf

    def add(self, file: File, index: int, done: Done) -> None:
        self._parts[file.name][2].add(file, index, done)

    def finish(self) -> None:
        from contextlib import ExitStack

        from dwtsvc.imaging import pdfedit
        from dwtsvc.imaging.pdfsource import PdfSource

        with self._folder, ExitStack() as opened:
            sources = []
            for path, out, pdf in self._parts.values():
                pdf.finish()
                out.close()
                sources.append(opened.enter_context(PdfSource(path, None)))
            merged = pdfedit.merge([(source, list(range(len(source)))) for source in sources])
            merged.write(self._target)
