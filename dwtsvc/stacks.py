"""The outputs of a stack that becomes several documents: files that get their names when their document is whole.

A name that is taken becomes the next free one, "-2", so nothing is ever replaced. The first file is begun at once: that
none can be written is found before any paper moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from dwtsvc.errors import FileAccess
from dwtsvc.formats import PageEncoder
from dwtsvc.model import PageInfo
from dwtsvc.naming import NamePattern
from dwtsvc.outputs import Document, has_receipt, write_whole
from dwtsvc.parts import PartFile, is_taken
from dwtsvc.store import PageStore

if TYPE_CHECKING:
    from dwtsvc.facts import PageFacts
    from dwtsvc.outputs import BeforeClose
    from dwtsvc.splitting import Decision
    from dwtsvc.text import Text


class NamedStack:
    """What the two outputs below share. Before each page, also one that is dropped, `learn` is told what is on it; a
    page that is kept is then added. With `receipts` there is room for one beside each file."""

    def __init__(self, pattern: NamePattern, encoder: PageEncoder, *, receipts: bool = False) -> None:
        self.pattern, self._encoder, self._receipts = pattern, encoder, receipts
        self._number, self._pages = 1, 0  # the document, and how many pages it has
        self._found = pattern.findings()
        self._part: PartFile | None = self._begin_file()

    def learn(self, decision: Decision, facts: PageFacts) -> list[Path]:
        """What the next page is and becomes, in the order of the stack; the files that are complete now."""
        files: list[Path] = []
        if decision.document != self._number:
            files = self._end()
            self._number, self._pages, self._found = decision.document, 0, self.pattern.findings()
        if not (decision.kept or self._pages) and facts.barcodes:
            self._found = self.pattern.findings()  # of several separator sheets the nearest names the document
        self._found.learn(facts)
        return files

    def finish(self) -> list[Path]:
        """The stack is at its end; the files that are complete now."""
        files = self._end()
        self.abort()
        return files

    def abort(self) -> None:
        """Leave nothing unfinished behind; documents that are whole stay."""
        if self._part:
            self._part.abort()

    def _end(self) -> list[Path]:
        """Write what is left of the document."""
        raise NotImplementedError

    def _begin_file(self) -> PartFile:
        """A part file under the name that the document has if nothing is found on it."""
        return _first_free(self.pattern.path(1, document=self._number, copy=copy) for copy in count(1))

    def _names(self, page: int = 1) -> Iterator[Path]:
        """The names that a file of the document may have, the best first; there is always another."""
        names = (self.pattern.path(page, document=self._number, found=self._found, copy=copy) for copy in count(1))
        return (name for name in names if not (self._receipts and has_receipt(name)))


class NamedDocuments(NamedStack):
    """A PDF or TIFF for each document of a stack. `before_close` is called when one has all its pages."""

    before_close: BeforeClose | None = None
    _document: Document | None = None

    def add(self, page: PageInfo, store: PageStore, text: Text | None = None) -> list[Path]:
        self._part = self._part or self._begin_file()
        self._document = self._document or Document(self._part, self._encoder)
        self._pages += 1
        return self._document.add(page, store, text)

    def _end(self) -> list[Path]:
        if self._document is None:
            return []
        self._document.before_close = self.before_close
        file = self._document.finish_as(self._names())
        self._part = self._document = None
        return [file]


class NamedPages(NamedStack):
    """A file for each page of a stack, {n} counting within its document.

    Where names come from the paper, the pages of a document wait in the store until it is whole.
    """

    def __init__(self, pattern: NamePattern, encoder: PageEncoder, *, receipts: bool = False) -> None:
        super().__init__(pattern, encoder, receipts=receipts)
        self._waiting: list[tuple[int, PageInfo, PageStore, Text | None]] = []

    def add(self, page: PageInfo, store: PageStore, text: Text | None = None) -> list[Path]:
        self._pages += 1
        if not self.pattern.reads:
            return [self._write(self._pages, page, store, text)]
        self._waiting.append((self._pages, page, store, text))
        return []

    def _end(self) -> list[Path]:
        waiting, self._waiting = self._waiting, []
        return [self._write(*each) for each in waiting]

    def _write(self, number: int, page: PageInfo, store: PageStore, text: Text | None) -> Path:
        self.abort()  # the file that was begun to see whether one can be
        self._part = _first_free(self._names(number))
        write_whole(self._part, page, store, self._encoder, text)
        return self._part.target


def _first_free(names: Iterator[Path]) -> PartFile:
    """The first of endless names that no file has and nobody writes. Raises FileAccess where none can be written."""
    for name in names:
        try:
            return PartFile(name)
        except FileAccess:
            if not is_taken(name):
                raise
    raise AssertionError("names never end")
