"""Files as stacks of pages: looked into, turned into tasks stack after stack, and known again when they return."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from dwtsvc.errors import DwtsvcError, Encrypted, FileAccess
from dwtsvc.imaging.treatment import Cleaning
from dwtsvc.pipeline.entries import Entry, refuse_empty
from dwtsvc.pipeline.files import File, Kind, Survey, survey
from dwtsvc.pipeline.recipe import Recipe, Task

AHEAD = 4  # stacks that are looked into before it is their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What is asked of the pages of all stacks.

    `keeps` says that pages of PDFs stay pages of PDFs where no step changes their pixels; `asks_text` that splitting or
    naming wants text, also of pages that have one. With `duplex` every second page is a back. `elsewhere` says that
    workers do not see the files of this machine.
    """

    recipe: Recipe
    keeps: bool
    asks_text: bool
    duplex: bool
    elsewhere: bool
    cache: Path | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What is in a file, and the password that it needed."""

    survey: Survey
    password: str | None = None


def look(path: Path, password: str | None) -> Looked:
    """Look into a file. Parses what a stranger made: call it in a worker. Raises BadInput, Encrypted, FileAccess."""
    try:
        return Looked(survey=survey(path))
    except Encrypted:
        if not password:
            raise
    return Looked(survey=survey(path, password), password=password)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Page `index` (from 0) of a file; `texted` if it has text already."""

    entry: Entry
    file: File
    index: int

    @property
    def texted(self) -> bool:
        return self.file.survey.pdf and self.file.survey.texts[self.index]

    @property
    def plain_jpeg(self) -> bool:
        """Whether it is an upright JPEG of gray or RGB, which stays what it is. One that is to be shown turned is
        drawn, and not packed with losses again."""
        kept = self.file.kept(self.index)
        return kept is not None and kept.kind is Kind.JPEG and not kept.turn


@dataclass(slots=True, kw_only=True)
class Stack:
    """Files whose pages belong together. `name` is what {name} stands for, `count` its pages when they are known;
    `guilty` is the file that an error is about."""

    name: str
    entries: tuple[Entry, ...]
    files: list[File] = field(default_factory=list)
    error: DwtsvcError | None = None
    guilty: Entry | None = None
    began: float = field(default_factory=monotonic)

    @property
    def count(self) -> int:
        return sum(file.survey.pages for file in self.files)

    @property
    def has_pdf(self) -> bool:
        return any(file.survey.pdf for file in self.files)

    def tasks(self, treatment: Treatment) -> Iterator[tuple[Page, Task]]:
        """Its pages, numbered through."""
        number = 1
        for entry, file in zip(self.entries, self.files, strict=True):
            for page, task in _tasks(entry, file, number, treatment):
                yield page, replace(task, back=treatment.duplex and number % 2 == 0)
                number += 1


def _tasks(entry: Entry, file: File, first: int, treatment: Treatment) -> Iterator[tuple[Page, Task]]:
    content = entry.path.read_bytes() if treatment.elsewhere else None
    kept = file.survey.pdf and treatment.keeps
    wanted = range(file.survey.pages)
    for index, task in file.tasks(treatment.recipe, wanted, first=first, cache=treatment.cache):
        page = Page(entry=entry, file=file, index=index)
        drawn = not (kept or page.plain_jpeg)
        lossy = file.survey.pdf or page.plain_jpeg
        task = replace(task, original=replace(task.original, whole=drawn, lossy=lossy))
        if kept and page.texted:
            task = replace(task, recipe=_only_asked(treatment))
        if content is not None:
            task = replace(task, original=replace(task.original, content=content), cache=None)
        yield page, task


def _only_asked(treatment: Treatment) -> Recipe:
    """For a page that has text: it stays as it is, and is only looked at."""
    recipe = treatment.recipe
    reading = recipe.reading if treatment.asks_text else None
    return replace(recipe, orient=False, parting="none", cleaning=Cleaning(), store_dpi=None, reading=reading)


class Source:
    """Where stacks come from."""

    def next(self, timeout: float) -> Stack | None:
        """The next one; None after the last. Raises TimeoutError where none has come by then."""
        raise NotImplementedError


class Listed(Source):
    """Stacks that are all there."""

    def __init__(self, stacks: Iterator[Stack]) -> None:
        self._stacks = stacks

    def next(self, timeout: float) -> Stack | None:
        return next(self._stacks, None)


class Intake:
    """Stacks become tasks, for `flow`; `whose` tells of what each outcome is, in the order of the tasks.

    `looker` looks into files, out of the workers' queue, so that there is always a next task. A stack that cannot be
    looked into is given to `failed`, and no more tasks come of one that has an error.
    """

    def __init__(
        self, source: Source, treatment: Treatment, looker: Executor, failed: Callable[[Stack], object]
    ) -> None:
        self._source, self._treatment, self._looker, self._failed = source, treatment, looker, failed
        self._ahead: deque[tuple[Stack, list[Future[Looked]]]] = deque()
        self._current: tuple[Stack, Iterator[tuple[Page, Task]]] | None = None
        self._order: deque[tuple[Stack, Page]] = deque()
        self._more = True

    @property
    def idle(self) -> bool:
        """Whether nothing is in work."""
        return not (self._order or self._current or self._ahead)

    def whose(self) -> tuple[Stack, Page]:
        """The stack and the page of the next outcome."""
        return self._order.popleft()

    def __call__(self, timeout: float) -> Task | None:
        while self._current or self._open(timeout):
            assert self._current
            stack, tasks = self._current
            page, task = (None, None) if stack.error else self._next(stack, tasks)
            if page and task:
                self._order.append((stack, page))
                return task
            self._current = None
        return None

    def _next(self, stack: Stack, tasks: Iterator[tuple[Page, Task]]) -> tuple[Page, Task] | tuple[None, None]:
        try:
            return next(tasks, (None, None))
        except OSError as error:  # a file that is sent elsewhere is read here
            stack.error = FileAccess(f"'{stack.name}' cannot be read", why=error.strerror or str(error))
            return None, None

    def _open(self, timeout: float) -> bool:
        """Begin with the next stack; False after the last. Raises TimeoutError."""
        while True:
            self._refill(timeout)
            if not self._ahead:
                return False
            stack, looked = self._ahead[0]
            if wait(looked, timeout).not_done:
                raise TimeoutError
            self._ahead.popleft()
            if self._see(stack, looked):
                self._current = stack, stack.tasks(self._treatment)
                return True
            self._failed(stack)

    def _refill(self, timeout: float) -> None:
        while self._more and len(self._ahead) < AHEAD:
            try:
                stack = self._source.next(0 if self._ahead else timeout)
            except TimeoutError:
                if not self._ahead:
                    raise
                return
            self._more = stack is not None
            if stack:
                password = self._treatment.password
                looks = [self._looker.submit(look, entry.path, password) for entry in stack.entries]
                self._ahead.append((stack, looks))

    def _see(self, stack: Stack, looked: list[Future[Looked]]) -> bool:
        """Whether all files of a stack can be worked on."""
        try:
            for entry, future in zip(stack.entries, looked, strict=True):
                stack.guilty = entry
                found = future.result()
                refuse_empty(entry.name, found.survey.pages)
                file = File(name=entry.name, content=entry.path, survey=found.survey, password=found.password)
                stack.files.append(file)
            stack.guilty = None
        except DwtsvcError as error:
            stack.error = error
        return stack.error is None
