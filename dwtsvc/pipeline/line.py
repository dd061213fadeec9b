"""The line from worked-on pages to files: each page gets its decision, and is written or dropped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from dwtsvc.errors import DwtsvcError
from dwtsvc.facts import PageFacts
from dwtsvc.model import MM_PER_INCH, PageInfo
from dwtsvc.outputs import Output
from dwtsvc.pictures import Picture
from dwtsvc.pipeline.flow import Outcome
from dwtsvc.pipeline.recipe import Done
from dwtsvc.splitting import Decision, Splitter
from dwtsvc.stacks import NamedStack
from dwtsvc.store import PageStore
from dwtsvc.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A page on the line: `original` as it was scanned, `page` as it is now, both in the store; `done` is None where
    nothing could be done to it."""

    original: PageInfo
    page: PageInfo
    done: Done | None
    facts: PageFacts

    @property
    def text(self) -> Text | None:
        return self.done.text if self.done else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a page: `decision`, and the files that were complete with it."""

    sheet: Sheet
    decision: Decision
    files: tuple[Path, ...]


class Watcher(Protocol):
    """Who is told what happens on the line."""

    def settled(self, settled: Settled) -> None:
        """A page was written or dropped."""

    def trouble(self, number: int, error: DwtsvcError) -> None:
        """Nothing could be done to the page of this number, which stays as it was scanned."""


class Line:
    """Takes pages in scan order and writes them in that order. What is made anew goes into the store as `owner`'s."""

    def __init__(self, store: PageStore, owner: str, output: Output, splitter: Splitter, watcher: Watcher) -> None:
        self._store, self._owner, self._output = store, owner, output
        self._splitter, self._watcher = splitter, watcher
        self._undecided: dict[int, Sheet] = {}
        self._count = 0

    def take(self, outcome: Outcome, original: PageInfo) -> None:
        """The next page, with all the pages that it was parted into."""
        if outcome.error:
            self._watcher.trouble(original.number, outcome.error)
        if not outcome.done:
            self._feed(original, None)
        for done in outcome.done:
            self._feed(original, done)

    def finish(self) -> list[Path]:
        """There are no more pages: decide the last ones, and complete what is open; the files complete now."""
        self._settle(self._splitter.finish())
        return self._output.finish()

    def _feed(self, original: PageInfo, done: Done | None) -> None:
        self._count += 1
        page = self._stored(done.picture, original) if done and done.picture else original
        done = replace(done, picture=None) if done else None  # it lies in the store now
        facts = _facts(self._count, original, done)
        self._undecided[self._count] = Sheet(original=original, page=page, done=done, facts=facts)
        self._settle(self._splitter.feed(facts))

    def _stored(self, picture: Picture, original: PageInfo) -> PageInfo:
        return self._store.put(
            self._owner,
            picture.content,
            number=self._count,
            back=original.back,
            encoding=picture.encoding,
            raster=picture.raster,
        )

    def _settle(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            sheet = self._undecided.pop(decision.number)
            files: list[Path] = []
            if isinstance(self._output, NamedStack):
                files += self._output.learn(decision, sheet.facts)
            if decision.kept:
                files += self._output.add(sheet.page, self._store, sheet.text)
            self._watcher.settled(Settled(sheet=sheet, decision=decision, files=tuple(files)))


def _facts(number: int, original: PageInfo, done: Done | None) -> PageFacts:
    if done is None:
        raster = original.raster
        width, height = (side * MM_PER_INCH / raster.dpi for side in (raster.width, raster.height or 0))
        return PageFacts(number=number, back=original.back, width=width, height=height)
    return PageFacts.of(number, original.back, done)
