"""One stack on the line: its pages come back from the workers, are decided on, and lie in files that are whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from dwtsvc import receipt
from dwtsvc.errors import DwtsvcError
from dwtsvc.formats import PageEncoder
from dwtsvc.model import Encoding, PageInfo, Raster
from dwtsvc.naming import NamePattern
from dwtsvc.outputs import Output
from dwtsvc.pictures import Picture
from dwtsvc.pipeline.assembled import Place, Places
from dwtsvc.pipeline.flow import Outcome
from dwtsvc.pipeline.line import Line, Settled
from dwtsvc.pipeline.receipts import Receipts, receipts_for
from dwtsvc.pipeline.recipe import Done
from dwtsvc.pipeline.searchable import About
from dwtsvc.pipeline.stackfiles import Page, Stack
from dwtsvc.pipeline.staging import (
    Made,
    StagedDocuments,
    StagedPages,
    StagedPattern,
    StagedPdfPages,
    StagedPdfs,
    Staging,
)
from dwtsvc.splitting import Decision, Splitter, page_map
from dwtsvc.store import PageStore
from dwtsvc.suffixes import DOCUMENTS, format_of
from dwtsvc.text import Text

WITH_ATTACHMENTS = "pdfa-3b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How results are written: the pattern of their names, that of dropped pages, their format, and what they are."""

    output: str
    dropped: str
    format: str
    encoder: Callable[[str, str | None], PageEncoder]
    about: About
    receipt: bool

    @property
    def keeps(self) -> bool:
        """Whether pages of PDFs can stay what they are."""
        return self.format == "pdf"


@dataclass(slots=True)
class Row:
    """What became of a page."""

    page: Page
    decision: Decision


class Nowhere:
    """The output of a rehearsal."""

    def add(self, page: PageInfo, store: PageStore, text: Text | None = None) -> list[Path]:
        return []

    def finish(self) -> list[Path]:
        return []

    def abort(self) -> None:
        pass


class Rehearsal:
    """A stack of which only the decisions are wanted; nothing is written."""

    def __init__(self, splitter: Splitter) -> None:
        self.rows: list[Row] = []
        self._pages: dict[str, Page] = {}
        # Without pictures the line puts nothing into a store.
        self._line = Line(PageStore(Path("/nonexistent")), "", Nowhere(), splitter, self)

    def take(self, outcome: Outcome, page: Page) -> None:
        if outcome.error:
            raise _of_page(outcome.error, page)
        original = _placeholder(outcome, page, self._pages)
        self._line.take(replace(outcome, done=[replace(done, picture=None) for done in outcome.done]), original)

    def finish(self) -> None:
        self._line.finish()

    def settled(self, settled: Settled) -> None:
        self.rows.append(Row(self._pages[settled.sheet.original.id], settled.decision))

    def trouble(self, number: int, error: DwtsvcError) -> None:
        raise error


class StackLine:
    """A stack whose results are written into a staging folder."""

    def __init__(self, stack: Stack, staging: Staging, writing: Writing, splitter: Splitter) -> None:
        now = datetime.now()
        self._staging, self._writing, self._stack = staging, writing, stack
        self._places: Places = {}
        self._pages: dict[str, Page] = {}
        self._pattern = StagedPattern(writing.output, name=stack.name, when=now, staged=staging.files)
        self._aside = StagedPattern(writing.dropped, name=stack.name, when=now, staged=staging.files, documents=False)
        self._output = self._opened(self._pattern, writing.format, writing.about.conformance)
        self._receipts = self._receipts_of(self._output) if writing.receipt else None
        self._dropped: Output | None = None
        self._line = Line(staging.store, staging.owner, self._output, splitter, self)
        self.rows: list[Row] = []
        self._files: list[Path] = []

    def _opened(self, pattern: StagedPattern, format: str, conformance: str | None) -> Output:
        writing, together = self._writing, format in DOCUMENTS and not pattern.numbered
        if format == "pdf" and self._stack.has_pdf:
            kind = StagedPdfs if together else StagedPdfPages
            about = replace(writing.about, conformance=conformance)
            return kind(pattern, writing.encoder("pdf", None), about, self._places, receipts=writing.receipt)
        plain = StagedDocuments if together else StagedPages
        return plain(pattern, writing.encoder(format, conformance), receipts=writing.receipt)

    def _receipts_of(self, output: Output) -> Receipts:
        receipts = receipts_for(output, attach=self._writing.about.conformance == WITH_ATTACHMENTS)
        receipts.facts.source = {"inputs": [entry.name for entry in self._stack.entries]}
        return receipts

    def take(self, outcome: Outcome, page: Page) -> None:
        """The next page of the stack. Raises what went wrong with it."""
        if outcome.error:
            raise _of_page(outcome.error, page)
        original = _placeholder(outcome, page, self._pages)
        self._line.take(replace(outcome, done=[self._kept(done, page, original) for done in outcome.done]), original)

    def _kept(self, done: Done, page: Page, original: PageInfo) -> Done:
        """The page as it goes into the store, or with its place where it stays in its PDF."""
        survey = page.file.survey
        only_turned = done.parts == 1 and {step.name for step in done.steps} <= {"rotate"}
        if survey.pdf and self._writing.keeps and only_turned:
            turn = int(done.steps[0].values["degrees"]) if done.steps else 0
            self._places[original.id] = Place(
                source=page.entry.path,
                index=page.index,
                turn=turn,
                texted=page.texted,
                password=page.file.password,
            )
            return replace(done, picture=None)
        if page.plain_jpeg and done.picture is None:
            return replace(done, picture=_as_it_is(page.entry.path, done))
        return done

    def settled(self, settled: Settled) -> None:
        """A page was written or dropped."""
        self.rows.append(Row(self._pages[settled.sheet.original.id], settled.decision))
        self._files += settled.files
        if self._receipts:
            self._receipts.settled(settled)
        if not settled.decision.kept:
            if self._dropped is None:
                self._dropped = self._opened(self._aside, format_of(self._writing.dropped), None)
            self._dropped.add(settled.sheet.page, self._staging.store, settled.sheet.text)
        if settled.sheet.page.id not in self._places:
            self._forget(settled.sheet.page)

    def _forget(self, page: PageInfo) -> None:
        """A page that is in a document need not lie in the store too; those of page files may still wait there."""
        if not isinstance(self._output, StagedPages | StagedPdfPages):
            self._staging.store.drop(page)

    def trouble(self, number: int, error: DwtsvcError) -> None:
        raise error

    def finish(self) -> tuple[Made, ...]:
        """Complete the files. Raises FileAccess if an input changed meanwhile, and what writing raises."""
        last = self._line.finish()
        self._files += last
        made = [self._made(file, pages) for file, pages in zip(self._files, self._counts(), strict=True)]
        if self._receipts:
            self._receipts.finish(last)
            self._receipts.check()
            beside = [receipt.beside(file) for file in self._files]
            made += [self._made(file, None) for file in beside if file.exists()]
        if self._dropped:
            dropped = self._dropped.finish()
            made += [Made(staged=file.name, target=str(self._aside.final(file))) for file in dropped]
        for entry in self._stack.entries:
            entry.check()
        return tuple(made)

    def abort(self) -> None:
        """Leave nothing unfinished behind."""
        self._output.abort()
        if self._dropped:
            self._dropped.abort()

    def _made(self, file: Path, pages: int | None) -> Made:
        return Made(staged=file.name, target=str(self._pattern.final(file)), pages=pages)

    def _counts(self) -> list[int]:
        """How many pages each file has, in their order."""
        kept = [row.decision.document for row in self.rows if row.decision.kept]
        if isinstance(self._output, StagedPages | StagedPdfPages):
            return [1] * len(kept)
        return [kept.count(document) for document in sorted(set(kept))]


def told_pages(rows: list[Row]) -> list[dict[str, Any]]:
    """The page map of a stack, as JSON values: of which input each page is, and what became of it."""
    return [
        {
            "input": row.page.entry.name,
            "input_page": row.page.index + 1,
            "document": mapped.document,
            "page": mapped.page,
            "kept": mapped.kept,
            "reason": mapped.reason,
            "confidence": mapped.confidence,
        }
        for row, mapped in zip(rows, page_map(row.decision for row in rows), strict=True)
    ]


def check(output: str, dropped: str, name: str) -> tuple[str, NamePattern]:
    """The format of a pattern and the pattern itself. Raises BadArguments."""
    pattern = NamePattern(output, device="", when=datetime.now(), documents=True, name=name)
    NamePattern(dropped, device="", when=datetime.now(), name=name)
    return format_of(output), pattern


def _placeholder(outcome: Outcome, page: Page, pages: dict[str, Page]) -> PageInfo:
    """The page before it was worked on: it lies in no store, but in its file."""
    number, done = outcome.task.number, outcome.done[0]
    raster = Raster(width=done.width, height=done.height, channels=1, depth=8, bytes_per_line=0, dpi=done.dpi)
    info = PageInfo(
        id=f"input/{number}",
        number=number,
        back=outcome.task.back,
        encoding=Encoding.RAW,
        raster=raster,
        size=0,
        checksum=outcome.task.checksum,
    )
    pages[info.id] = page
    return info


def _of_page(error: DwtsvcError, page: Page) -> DwtsvcError:
    """The same error, with the page that it is about."""
    if page.file.survey.pages == 1:
        return error
    return type(error)(f"Page {page.index + 1}: {error.what}", why=error.why, hint=error.hint)


def _as_it_is(path: Path, done: Done) -> Picture:
    """A JPEG file's own bytes. A page that was only read may have come in fewer pixels than the file has."""
    from dwtsvc.imaging.streams import jpeg_header

    content = path.read_bytes()
    header = jpeg_header(content)
    raster = Raster(
        width=header.width,
        height=header.height,
        channels=header.components,
        depth=8,
        bytes_per_line=header.width * header.components,
        dpi=done.dpi * header.width / done.width,
    )
    return Picture(encoding=Encoding.JPEG, raster=raster, content=content)


def encoder_of(described: dict[str, Any], quality: int, compression: str) -> Callable[[str, str | None], PageEncoder]:
    """What makes the encoder of a format and a conformance."""

    def made(format: str, conformance: str | None) -> PageEncoder:
        return PageEncoder(format, quality=quality, tiff_compression=compression, **described, conformance=conformance)

    return made
