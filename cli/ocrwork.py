"""How `dwtsvc ocr` works: files looked into, read, and written under their names, with somebody watching."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO

from dwtsvc import config
from dwtsvc.errors import BadArguments, DwtsvcError
from dwtsvc.paths import Paths
from dwtsvc.pipeline import cache, pool
from dwtsvc.pipeline.files import File, Survey, survey
from dwtsvc.pipeline.reading import Existing, Job, Pdf, read, searchable
from dwtsvc_cli.inputs import Input, inputs
from dwtsvc_cli.ocrtarget import Target
from dwtsvc_cli.ocrvoice import Voice, Written
from dwtsvc_cli.pdffiles import PASSWORD_VARIABLE, finishing, unlocked

if TYPE_CHECKING:
    from dwtsvc.config import Settings
    from dwtsvc.text import Text

AHEAD = 8  # files


def settings(language: str | None) -> tuple[Paths, Settings]:
    """Where things are, and the settings with the options over them."""
    paths = Paths.from_environment(os.environ)
    return paths, config.load(paths, os.environ, {"language": language}).settings


def perform(
    names: Sequence[str],
    password: str | None,
    job: Job,
    target: Target,
    voice: Voice,
    *,
    workers: int | None,
    address: str,
) -> int:
    """Read what is named; the exit code. With a folder as target a file that fails does not stop the others, and the
    code is that of the first error."""
    from dwtsvc.imaging import ocr

    assert job.recipe.reading
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # asked to end: as Ctrl-C, which leaves nothing behind
    executor = pool.executor(address, workers)
    try:
        work = Work(executor, workers or os.cpu_count() or 1, password, job, voice)
        found = inputs(names)
        begun = deque(work.looking(one) for one in found) if not target.is_folder else None  # while this looks:
        if not address:
            ocr.check(job.recipe.reading)
        if job.cache:
            cache.prune(job.cache)
        with voice.showing():
            if begun is None:
                target.make_folders()
                return work.each(found, target)
            work.together([look() for look in begun], target)
            return 0
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class Work:
    """One run of the command: executor, password and voice are for all its files."""

    def __init__(self, executor: Executor, workers: int, password: str | None, job: Job, voice: Voice) -> None:
        self._executor, self._workers, self._window = executor, workers, 2 * workers
        self._password, self._job, self._voice = password or os.environ.get(PASSWORD_VARIABLE), job, voice

    def looking(self, given: Input) -> Callable[[], File]:
        """Let a worker look into a file; what is returned waits for it, and asks for a password where one is needed.

        It raises what `survey` raises.
        """
        try:
            content = given.load()
        except DwtsvcError as error:
            return _raising(error)
        begun: list[Future[Survey]] = [self._executor.submit(survey, content, self._password)]
        used: list[str | None] = []

        def look(path: Path, password: str | None) -> Survey:
            used.append(password)
            return (begun.pop() if begun else self._executor.submit(survey, content, password)).result()

        def opened() -> File:
            found = unlocked(look, Path(given.name), self._password)
            return File(name=given.name, content=content, survey=found, password=used[-1])

        return opened

    def each(self, given: Sequence[Input], target: Target) -> int:
        """Each file a result of its own, side by side, or files of one page would leave cores idle; told in order."""
        code = 0
        self._window = self._workers + 1
        with ThreadPoolExecutor(self._workers) as beside:
            try:
                for name, result in _ahead(given, self.looking, lambda file: beside.submit(self._alone, file, target)):
                    try:
                        self._voice.written(result())
                    except DwtsvcError as error:
                        code = code or error.exit_code
                        self._voice.failed(name, error)
            except BaseException:
                self._executor.shutdown(wait=False, cancel_futures=True)  # or it waits for what nobody wants
                raise
        return code

    def _alone(self, file: File, target: Target) -> Written:
        inside = target.inside(file.name)
        assert inside.output
        return self._to_file([file], inside, inside.output)

    def together(self, files: Sequence[File], target: Target) -> None:
        """All files into one result."""
        if target.output is None or target.output == "-":
            self._to_standard_output(files, target)
        else:
            self._voice.written(self._to_file(files, target, target.output))

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

    def _to_file(self, files: Sequence[File], target: Target, name: str) -> Written:
        began, count = monotonic(), 0
        part = target.reserve(name)
        with finishing(part):
            if target.kind == "pdf":
                count = self._pdf(files, target, part.file)
            else:
                texts = _Counted(self._read(files))
                for text in _as_text(target.kind, texts, target.about.title):
                    part.file.write(text.encode())
                count = texts.count
        return Written(part.target, tuple(file.name for file in files), count, monotonic() - began)

    def _parts(self, files: Sequence[File], target: Target) -> Iterator[str]:
        return _as_text(target.kind, self._read(files), target.about.title)

    def _pdf(self, files: Sequence[File], target: Target, file: BinaryIO) -> int:
        """Write the PDF, and the text beside it; the number of pages that were read."""
        with closing(searchable(files, file, target.described, self._job)) as pdf:
            texts = _Counted(self._read(files, pdf))
            if target.sidecar is None:
                for _ in texts:
                    pass
            elif target.sidecar == "-":
                sys.stdout.writelines(_as_text("txt", texts))
                sys.stdout.flush()
            else:
                beside = target.reserve(target.sidecar)
                with finishing(beside):
                    for text in _as_text("txt", texts):
                        beside.file.write(text.encode())
        return texts.count

    def _read(self, files: Sequence[File], pdf: Pdf | None = None) -> Iterator[Text]:
        self._voice.expect(sum(file.survey.pages for file in files))
        for file in files if self._job.existing is Existing.REDO else ():
            if count := len(file.survey.visible):
                self._voice.note(f"{file.name}: text that is seen stays as it is, on {count} of its pages")
        return read(
            files,
            self._job,
            self._executor,
            window=self._window,
            pdf=pdf,
            on_page=self._voice.page,
            on_note=self._voice.note,
        )


def _as_text(kind: str, texts: Iterable[Text], title: str = "") -> Iterator[str]:
    from dwtsvc.imaging import textfiles  # loads what knows XML, which a PDF does not need

    return textfiles.stream(kind, texts, title)


class _Counted:
    """Texts on their way, counted."""

    def __init__(self, texts: Iterator[Text]) -> None:
        self._texts, self.count = texts, 0

    def __iter__(self) -> Iterator[Text]:
        for text in self._texts:
            self.count += 1
            yield text


def _raising(error: DwtsvcError) -> Callable[[], File]:
    def opened() -> File:
        raise error

    return opened


def _ahead(
    given: Sequence[Input], look: Callable[[Input], Callable[[], File]], work: Callable[[File], Future[Written]]
) -> Iterator[tuple[str, Callable[[], Written]]]:
    """The results of the inputs, in their order; a few files more are looked into and worked on meanwhile."""
    looking: deque[tuple[str, Callable[[], File]]] = deque()
    working: deque[tuple[str, Callable[[], Written]]] = deque()
    left = iter(given)
    while True:
        while len(looking) < AHEAD and (one := next(left, None)):
            looking.append((one.name, look(one)))
        if looking and len(working) < AHEAD:
            name, opened = looking.popleft()
            try:
                working.append((name, work(opened()).result))
            except DwtsvcError as error:
                working.append((name, _failing(error)))
        elif working:
            yield working.popleft()
        else:
            return


def _failing(error: DwtsvcError) -> Callable[[], Written]:
    def result() -> Written:
        raise error

    return result
