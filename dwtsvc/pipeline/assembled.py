"""PDFs that keep the pages of the PDFs they are made of, streams and all; only what was drawn anew is written anew."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dwtsvc.formats import PageEncoder
from dwtsvc.limits import FILE_SIZE, run_limited
from dwtsvc.model import PageInfo
from dwtsvc.naming import NamePattern
from dwtsvc.outputs import Document
from dwtsvc.parts import PartFile, is_taken, writing
from dwtsvc.pipeline.searchable import About, Spool
from dwtsvc.records import pack
from dwtsvc.scratch import Scratch
from dwtsvc.stacks import NamedDocuments, NamedPages
from dwtsvc.store import PageStore
from dwtsvc.text import Text

SECONDS = 300.0
MOST_SOURCES = 30  # a child has no more than 64 files open
MOST_TEXTS = 300  # that cross to a child at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A page that stays what it is: page `index` (from 0) of a PDF, shown turned by `turn` degrees clockwise, and with
    the text that was read unless it has one that is to stay: `texted`."""

    source: Path
    index: int
    turn: int = 0
    texted: bool = False
    password: str | None = None


Places = dict[str, Place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Pages of one PDF, by their indices from 0, that follow one another."""

    source: Path
    pages: tuple[int, ...]
    password: str | None = None


class AssembledPdf(Document):
    """A PDF of pages from the store and of pages that are in a PDF already: those whose id has a place.

    Nobody is called before it closes: no one writer knows all its pages.
    """

    def __init__(self, part: PartFile, encoder: PageEncoder, about: About, places: Places) -> None:
        self._part, self._encoder, self._about, self._places = part, encoder, about, places
        self._kept: list[Place | None] = []
        self._texts: Spool[Text] = Spool()
        with writing(part.target):
            self._folder = Scratch("assembled", part.target.parent, hidden=True)
            self._drawn: BinaryIO = (self._folder.path / "drawn.pdf").open("w+b")
            self._writer = encoder.document(self._drawn)

    def add(self, page: PageInfo, store: PageStore, text: Text | None = None) -> list[Path]:
        place = self._places.get(page.id)
        if place is None:
            with store.reading(page) as data, writing(self._part.target):
                self._encoder.append(page, data, self._writer, text=text)
        elif text and not place.texted:
            self._texts[len(self._kept)] = text
        self._kept.append(place)
        return []

    def abort(self) -> None:
        self._texts.close()
        self._drawn.close()
        self._folder.cleanup()
        super().abort()

    def _close(self) -> None:
        with writing(self._part.target):
            if None in self._kept:
                self._writer.close()
            self._drawn.close()
            made = self._folder.path / "made.pdf"
            turns = {at: place.turn for at, place in enumerate(self._kept) if place and place.turn}
            _assemble(made, runs(self._kept, Path(self._drawn.name)), self._texts, turns, self._about)
            with made.open("rb") as file:
                shutil.copyfileobj(file, self._part.file)
        self._texts.close()
        self._folder.cleanup()


class AssembledDocuments(NamedDocuments):
    """A PDF for each document of a stack."""

    def __init__(
        self, pattern: NamePattern, encoder: PageEncoder, about: About, places: Places, *, receipts: bool = False
    ) -> None:
        """`encoder` is for the pages that are drawn; `about` is what the PDFs say of themselves."""
        super().__init__(pattern, encoder, receipts=receipts)
        self._about, self._places = about, places

    def add(self, page: PageInfo, store: PageStore, text: Text | None = None) -> list[Path]:
        if self._document is None:
            self._part = self._part or self._begin_file()
            self._document = AssembledPdf(self._part, self._encoder, self._about, self._places)
        return super().add(page, store, text)

    def abort(self) -> None:
        if self._document:
            self._document.abort()
        super().abort()


class AssembledPages(NamedPages):
    """A PDF for each page of a stack."""

    def __init__(
        self, pattern: NamePattern, encoder: PageEncoder, about: About, places: Places, *, receipts: bool = False
    ) -> None:
        super().__init__(pattern, encoder, receipts=receipts)
        self._about, self._places = about, places

    def _write(self, number: int, page: PageInfo, store: PageStore, text: Text | None) -> Path:
        self.abort()
        part = PartFile(next(name for name in self._names(number) if not is_taken(name)))  # the folder is ours alone
        document = AssembledPdf(part, self._encoder, self._about, self._places)
        try:
            document.add(page, store, text)
            return document.finish()[0]
        finally:
            document.abort()


def runs(pages: list[Place | None], drawn: Path) -> list[Run]:
    """The pages of a document as runs of pages of one PDF each; what has no place is the next page of `drawn`."""
    counted = itertools.count()
    flat = [(place.source, place.index, place.password) if place else (drawn, next(counted), None) for place in pages]
    return [
        Run(source=source, pages=tuple(index for _, index, _ in group), password=password)
        for (source, password), group in itertools.groupby(flat, key=lambda page: (page[0], page[2]))
    ]


def _assemble(made: Path, pages: list[Run], texts: Mapping[int, Text], turns: dict[int, int], about: About) -> None:
    """In a child with limits; but what is larger than its limits is done here."""
    sources = {run.source for run in pages}
    large = sum(path.stat().st_size for path in sources) > FILE_SIZE // 2
    if large or len(sources) > MOST_SOURCES or len(texts) > MOST_TEXTS:
        assemble(made, pages, texts, turns, about)
    else:
        run_limited(assemble, made, pages, dict(texts), turns, about, timeout=SECONDS, name="The PDF")


def assemble(made: Path, pages: list[Run], texts: Mapping[int, Text], turns: Mapping[int, int], about: About) -> None:
    """Write a PDF of these runs, with texts and turns by page index from 0. What is one whole PDF, and gets nothing,
    is copied byte for byte. Raises what pdfedit and pdfoverlay raise."""
    changes: dict[str, Any] = {name: value or None for name, value in pack(about).items()}
    plain = not (texts or turns or any(changes.values()))
    source, password = _whole(pages)
    if source is None or (password and plain):
        source, password = made.with_name("merged.pdf"), None
        _merge(source, pages)
    if plain:
        shutil.copyfile(source, made)
        return
    from dwtsvc.imaging import pdfoverlay

    pdfoverlay.add_text(source, made, texts, rotate=turns, password=password, **changes)


def _whole(pages: list[Run]) -> tuple[Path | None, str | None]:
    """The PDF of which these are all pages in their order, and its password."""
    if len(pages) > 1:
        return None, None
    from dwtsvc.imaging.imagefiles import count

    [run] = pages
    whole = run.pages == tuple(range(count(run.source, run.password)))
    return (run.source, run.password) if whole else (None, None)


def _merge(target: Path, pages: list[Run]) -> None:
    from dwtsvc.imaging import pdfedit
    from dwtsvc.imaging.pdfsource import PdfSource

    with ExitStack() as opened, target.open("wb") as file:
        sources = {
            run.source: opened.enter_context(PdfSource(run.source, run.password))
            for run in {run.source: run for run in pages}.values()
        }
        pdfedit.merge([(sources[run.source], run.pages) for run in pages]).write(file)
