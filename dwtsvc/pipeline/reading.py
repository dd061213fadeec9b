"""Files are read: their pages go through the workers, their text into a PDF, and out page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
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
from dwtsvc.scratch import Scratch
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

    def tasks(self, files: Sequence[File], *, pictures: bool) -> Iterator[tuple[File, int, Task]]:
        """The pages to read, numbered through, with pictures for a PDF or without.

        Raises AlreadyHasText, and BadArguments for pages that there are not.
        """
        number = 1
        for file in files:
            wanted = set(pageranges.parse(self.pages, file.survey.pages) if self.pages else range(file.survey.pages))
            if self.existing is Existing.REFUSE:
                file.refuse_text(wanted)
            if self.existing is Existing.SKIP:
                wanted -= {index for index, text in enumerate(file.survey.texts) if text}
            if self.existing is Existing.REDO:
                wanted -= file.survey.visible  # or it would be found twice
            wishes = {"pictures": pictures, "force": pictures and self.existing is Existing.FORCE}
            for index, task in file.tasks(self.recipe, wanted, first=number, cache=self.cache, dpi=self.dpi, **wishes):
                yield file, index, task
                number += 1


class Pdf(Protocol):
    """A PDF that grows with what is read. Close it, finished or not."""

    def add(self, file: File, index: int, done: Done) -> None: ...

    def finish(self) -> list[str]:
        """Write what is left; sentences on what could not be kept as it was."""

    def close(self) -> None: ...


def read(
    files: Sequence[File],
    job: Job,
    executor: Executor,
    *,
    window: int,
    pdf: Pdf | None = None,
    on_page: Callable[[File, int, Done], object] = lambda file, index, done: None,
    on_wait: Callable[[], object] = lambda: None,
    on_note: Callable[[str], object] = lambda note: None,
) -> Iterator[Text]:
    """Yield the text of every page in order; the PDF is whole when all were taken, and `on_note` is told about it.

    Raises what a page's worker raised, and what writing raises.
    """
    places: dict[int, tuple[File, int]] = {}

    def tasks() -> Iterator[Task]:
        for file, index, task in job.tasks(files, pictures=pdf is not None):
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
        for note in pdf.finish():
            on_note(note)


def searchable(files: Sequence[File], target: BinaryIO, about: About, job: Job) -> Pdf:
    """The PDF that these files become: their pictures, or one PDF with a layer, or all of them put together."""
    redo = job.existing is Existing.REDO
    if not any(file.survey.pdf for file in files):
        return Pictures(target, about)
    if len(files) == 1:
        return Layered(target, files[0], about, redo=redo)
    return Merged(files, target, about, redo=redo)


class Merged:
    """Several files of which some are PDFs: each of these, and pictures that follow each other, become a PDF first."""

    def __init__(self, files: Sequence[File], target: BinaryIO, about: About, *, redo: bool) -> None:
        if about.conformance:
            raise BadArguments(
                "Several files with PDFs among them cannot become one PDF/A",
                hint="Read them one by one into a folder, or write a plain PDF.",
            )
        self._target = target
        self._folder = Scratch("merged")
        self._parts: list[Part] = []
        self._by_file: dict[int, Part] = {}  # by id: a name may come twice
        for file in files:
            if file.survey.pdf or not self._parts or self._parts[-1].of_pdf:
                self._parts.append(Part(Path(self._folder.path, f"{len(self._parts)}.pdf"), file, about, redo=redo))
            self._by_file[id(file)] = self._parts[-1]

    def add(self, file: File, index: int, done: Done) -> None:
        part = self._by_file[id(file)]
        part.pages += 1
        part.pdf.add(file, index, done)

    def finish(self) -> list[str]:
        from dwtsvc.imaging import pdfedit
        from dwtsvc.imaging.pdfsource import PdfSource

        notes = []
        with ExitStack() as opened:
            sources = []
            for part in self._parts:
                if part.of_pdf or part.pages:
                    notes += part.pdf.finish()
                    part.file.close()
                    sources.append(opened.enter_context(PdfSource(part.path, None)))
            merged = pdfedit.merge([(source, list(range(len(source)))) for source in sources])
            merged.write(self._target)
        return notes

    def close(self) -> None:
        for part in self._parts:
            part.pdf.close()
            part.file.close()
        self._folder.cleanup()


class Part:
    """A PDF that becomes a part of another one: that of the file, or a new one of pictures. All of them say what the
    whole is, for it says what the first one says."""

    def __init__(self, path: Path, file: File, about: About, *, redo: bool) -> None:
        self.path, self.of_pdf, self.pages = path, file.survey.pdf, 0
        self.file: BinaryIO = path.open("w+b")
        self.pdf: Pdf = Layered(self.file, file, about, redo=redo) if self.of_pdf else Pictures(self.file, about)
