"""How `dwtsvc ocr` works: files looked into, read, and written under their names, with somebody watching."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO

from dwtsvc import config
from dwtsvc.errors import BadArguments, DwtsvcError
from dwtsvc.parts import PartFile
from dwtsvc.paths import Paths
from dwtsvc.pipeline import cache, pool
from dwtsvc.pipeline.files import File, survey
from dwtsvc.pipeline.reading import Job, read, searchable
from dwtsvc.pipeline.recipe import Done
from dwtsvc.pipeline.searchable import About
from dwtsvc_cli import output as out
from dwtsvc_cli.inputs import STDIN, Input, inputs
from dwtsvc_cli.pdffiles import finishing, pattern_of, unlocked

if TYPE_CHECKING:
    from rich.progress import Progress

    from dwtsvc.config import Settings
    from dwtsvc.text import Text

SUFFIXES = {"pdf": ".pdf", "txt": ".txt", "hocr": ".hocr", "alto": ".xml", "tsv": ".tsv", "json": ".json"}
BY_SUFFIX = {suffix: name for name, suffix in SUFFIXES.items()} | {".alto": "alto", ".html": "hocr"}
KINDS = {"pdf": None, "pdfa": "pdfa-2b", "pdfa-2": "pdfa-2b", "pdfa-3": "pdfa-3b"}


def settings(language: str | None) -> tuple[Paths, Settings]:
    """Where things are, and the settings with the options over them."""
    paths = Paths.from_environment(os.environ)
    return paths, config.load(paths, os.environ, {"language": language}).settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the result goes and what it is. `output` is a file, a folder, "-", or None for text on standard output."""

    output: str | None
    format: str | None
    sidecar: str | None
    about: About
    output_type: str
    force: bool
    next_free: bool

    def __post_init__(self) -> None:
        if self.force and self.next_free:
            raise BadArguments("--force and --next-free exclude each other")
        if self.format is not None and self.format not in SUFFIXES:
            raise BadArguments(f"There is no format '{self.format}'", hint=f"Choose one of: {', '.join(SUFFIXES)}.")
        if self.output_type not in KINDS:
            raise BadArguments(
                f"There is no kind '{self.output_type}' of PDF", hint=f"Choose one of: {', '.join(KINDS)}."
            )
        if self.sidecar and self.kind != "pdf":
            raise BadArguments("--sidecar is for the text beside a PDF", hint="Without a PDF, -o FILE.txt is the text.")

    @property
    def kind(self) -> str:
        """What is written: "pdf", "txt" ..."""
        if self.format:
            return self.format
        if self.output is None or self.output == "-":
            return "txt"
        if self.is_folder:
            return "pdf"
        suffix = Path(self.output).suffix.lower()
        if suffix not in BY_SUFFIX:
            hint = f"End its name in one of {', '.join(BY_SUFFIX)}, or give --format."
            raise BadArguments(f"What '{self.output}' is to be is not said", hint=hint)
        return BY_SUFFIX[suffix]

    @property
    def is_folder(self) -> bool:
        return self.output is not None and (self.output.endswith(("/", os.sep)) or Path(self.output).is_dir())

    @property
    def described(self) -> About:
        return replace(self.about, conformance=KINDS[self.output_type])

    def inside(self, source: str) -> Target:
        """The same for one file in the folder, named after its source."""
        name = "stdin" if source == STDIN else Path(source).stem
        return replace(self, output=os.path.join(self.output or "", name + SUFFIXES[self.kind]), format=self.kind)

    def reserve(self, name: str) -> PartFile:
        from dwtsvc.outputs import Names

        return Names(pattern_of(name), force=self.force, next_free=self.next_free).reserve()


class Voice:
    """Results go to standard output, all else to standard error."""

    def __init__(self, *, json: bool, quiet: bool, verbose: bool, progress: bool | None) -> None:
        self._json, self._quiet, self._verbose = json, quiet, verbose
        self._shows = sys.stderr.isatty() if progress is None else progress
        self._display: Progress | None = None

    @contextmanager
    def showing(self, pages: int) -> Iterator[None]:
        """Show progress over so many pages, if somebody looks."""
        if not self._shows or self._quiet:
            yield
            return
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as self._display:
            self._display.add_task("Reading", total=pages)
            yield
        self._display = None

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

    def written(self, path: Path, pages: int, seconds: float) -> None:
        if self._json:
            out.say_json({"output": str(path), "pages": pages, "seconds": round(seconds, 3)})
        elif not self._quiet:
            out.say(str(path))


def perform(
    names: Sequence[str],
    password: str | None,
    job: Job,
    target: Target,
    voice: Voice,
    *,
    workers: int | None,
    address: str,
) -> None:
    """Read what is named. With a folder as target a file that fails does not stop the others; the first error is
    raised in the end."""
    from dwtsvc.imaging import ocr

    assert job.recipe.reading
    if not address:
        ocr.check(job.recipe.reading)
    if job.cache:
        cache.prune(job.cache)
    executor = pool.executor(address, workers)
    window = 2 * (workers or os.cpu_count() or 1)
    try:
        work = Work(executor, window, password, job, voice)
        found = inputs(names)
        if target.is_folder:
            work.each(found, target)
        else:
            work.together([work.opened(one) for one in found], target)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class Work:
    """One run of the command: executor, password and voice are for all its files."""

    def __init__(self, executor: Executor, window: int, password: str | None, job: Job, voice: Voice) -> None:
        self._executor, self._window, self._password = executor, window, password
        self._job, self._voice = job, voice

    def opened(self, given: Input) -> File:
        """What is in a file, looked into by a worker; its password is asked for where it needs one."""
        content = given.load()
        used: list[str | None] = []

        def look(path: Path, password: str | None) -> object:
            used.append(password)
            return self._executor.submit(survey, content, password).result()

        found = unlocked(look, Path(given.name), self._password)
        return File(name=given.name, content=content, survey=found, password=used[-1])  # type: ignore[arg-type]

    def each(self, given: Iterable[Input], target: Target) -> None:
        first: DwtsvcError | None = None
        Path(target.output or "").mkdir(parents=True, exist_ok=True)
        for one in given:
            try:
                self.together([self.opened(one)], target.inside(one.name))
            except DwtsvcError as error:
                first = first or error
                self._voice.note(f"{one.name}: {error}" + (f" ({error.hint})" if error.hint else ""))
        if first:
            raise first

    def together(self, files: Sequence[File], target: Target) -> None:
        """All files into one result."""
        with self._voice.showing(sum(file.survey.pages for file in files)):
            if target.output is None or target.output == "-":
                self._to_standard_output(files, target)
            else:
                self._to_file(files, target, target.output)

    def _to_standard_output(self, files: Sequence[File], target: Target) -> None:
        if target.kind != "pdf":
            for part in self._parts(files, target):
                sys.stdout.write(part)
            sys.stdout.flush()
            return
        import shutil
        import tempfile

        if sys.stdout.isatty():
            raise BadArguments("A PDF is no text for a terminal", hint="Redirect it: dwtsvc ocr ... -o - > text.pdf")
        with tempfile.TemporaryFile() as file:  # nothing is sent of what fails half-way
            self._pdf(files, target, file)
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.flush()

    def _to_file(self, files: Sequence[File], target: Target, name: str) -> None:
        began = monotonic()
        part = target.reserve(name)
        with finishing(part):
            if target.kind == "pdf":
                self._pdf(files, target, part.file)
            else:
                for text in self._parts(files, target):
                    part.file.write(text.encode())
        self._voice.written(part.target, sum(file.survey.pages for file in files), monotonic() - began)

    def _parts(self, files: Sequence[File], target: Target) -> Iterator[str]:
        from dwtsvc.imaging import textfiles

        return textfiles.stream(target.kind, self._read(files), target.about.title)

    def _pdf(self, files: Sequence[File], target: Target, file: BinaryIO) -> None:
        from dwtsvc.imaging import textfiles

        pdf = searchable(files, file, target.described, self._job)
        texts = read(
            files,
            self._job,
            self._executor,
            window=self._window,
            pdf=pdf,
            on_page=self._voice.page,
        )
        if target.sidecar is None:
            for _ in texts:
                pass
            return
        beside = target.reserve(target.sidecar)
        with finishing(beside):
            for text in textfiles.stream("txt", texts):
                beside.file.write(text.encode())

    def _read(self, files: Sequence[File]) -> Iterator[Text]:
        return read(files, self._job, self._executor, window=self._window, on_page=self._voice.page)
