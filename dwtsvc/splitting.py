"""A stack of paper becomes documents: every page gets a decision with its reason, in order, as the pages come.

Paper is split between sheets, never through one: with duplex a sheet is a front and its back, and what is counted are
sheets. A decision waits for the back of its sheet, and with blank:N for up to N blank sheets; nothing else waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dwtsvc.facts import PageFacts
from dwtsvc.separators import Separator, Sign, parse

__all__ = ["Decision", "PageFacts", "Row", "Separator", "Splitter", "page_map", "parse"]

# Feeders measure the same paper a few mm apart from sheet to sheet; the nearest two papers, A4 and Letter, differ by 6
# in width and 18 in length.
SAME_SIZE_MM = 8.0

Sheet = tuple[PageFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one page. `confidence` is 0 to 1.

    A dropped separator tells the document that it begins (or ends); behind the last document that is a number that
    nothing follows.
    """

    number: int
    document: int  # 1..
    kept: bool
    reason: str = ""
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A separator on a page, and its sign."""

    separator: Separator
    sign: Sign


class Splitter:
    """Feed it what was found on each page, in scan order; it gives the decisions that are certain by then.

    Where several separators are on a page, one that drops the sheet counts before one that keeps it, and else the one
    that was given first. Without separators all is one document. `duplex` takes a page that is a back as the other
    side of the front before it; `drop_blank` drops what is blank.
    """

    def __init__(self, separators: Sequence[Separator], *, duplex: bool = False, drop_blank: bool = False) -> None:
        self._marks = [each for each in separators if each.kind not in ("blank", "size", "every")]
        self._marks.sort(key=lambda each: each.keep)
        self._blank = _fewest(separators, "blank")
        self._every = _fewest(separators, "every")
        self._size = _fewest(separators, "size")
        self._duplex, self._drop_blank = duplex, drop_blank
        self._front: PageFacts | None = None
        self._run: list[Sheet] = []  # blank sheets that may become a separator
        self._in_blank_separator = False
        self._documents = 0  # that have a page
        self._told = 1  # the document of the last decision
        self._open = False  # whether the last of them goes on
        self._sheets = 0  # since the last break
        self._last_size: tuple[float, float] | None = None

    def feed(self, facts: PageFacts) -> list[Decision]:
        """The next page; the decisions that it makes certain."""
        front, self._front = self._front, None
        if front and facts.back:
            return self._sheet((front, facts))
        before = self._sheet((front,)) if front else []
        if not self._duplex or facts.back:
            return before + self._sheet((facts,))
        self._front = facts
        return before

    def finish(self) -> list[Decision]:
        """The stack is at its end; the decisions that waited."""
        front, self._front = self._front, None
        return (self._sheet((front,)) if front else []) + self._release()

    def _sheet(self, sheet: Sheet) -> list[Decision]:
        marks = [self._mark(page) for page in sheet]
        if self._blank and not any(marks) and all(page.is_blank for page in sheet):
            return self._blank_sheet(sheet, self._blank)
        self._in_blank_separator = False
        before = self._release()
        dropping = next((mark for mark in marks if mark and not mark.separator.keep), None)
        return before + (self._separator_sheet(sheet, marks, dropping) if dropping else self._paper(sheet, marks))

    def _mark(self, page: PageFacts) -> Mark | None:
        found = ((each, each.sign(page)) for each in self._marks)
        return next((Mark(separator, sign) for separator, sign in found if sign), None)

    def _release(self) -> list[Decision]:
        """The blank sheets that were too few are paper like any other."""
        sheets, self._run = self._run, []
        return [decision for sheet in sheets for decision in self._paper(sheet, [None] * len(sheet))]

    # --- separators that are sheets

    def _separator_sheet(self, sheet: Sheet, marks: list[Mark | None], dropping: Mark) -> list[Decision]:
        """A sheet with a separator that drops it. Its other side goes too if it has the same or is blank."""
        decisions = []
        for page, mark in zip(sheet, marks, strict=True):
            if mark and mark.separator.keep:
                decisions += self._paper((page,), [mark])
            elif mark or page.is_blank:
                decisions.append(self._separator_side(page, _of_separator(page, mark, dropping), dropping.separator))
            else:
                decisions.append(self._keep(page, f"the other side of a separator sheet, {_not_blank(page)}"))
        return decisions

    def _separator_side(self, page: PageFacts, sign: Sign, separator: Separator) -> Decision:
        self._break()
        return self._drop(page, self._told if separator.end else self._documents + 1, sign)

    def _blank_sheet(self, sheet: Sheet, separator: Separator) -> list[Decision]:
        """A blank sheet waits until there are enough of them; more than enough are the same separator."""
        if self._in_blank_separator:
            return self._blank_separator([sheet], separator)
        self._run.append(sheet)
        if len(self._run) < separator.count:
            return []
        run, self._run = self._run, []
        if not separator.end:
            self._break()
        decisions = self._blank_separator(run, separator)
        self._in_blank_separator = True
        return decisions

    def _blank_separator(self, run: list[Sheet], separator: Separator) -> list[Decision]:
        pages = [page for sheet in run for page in sheet]
        signs = [Sign(f"separator sheet: {_blank(page)}", page.blank or 0.0) for page in pages]
        if not separator.keep:
            return [self._separator_side(page, sign, separator) for page, sign in zip(pages, signs, strict=True)]
        if separator.end and self._in_blank_separator:
            self._open = True  # one more blank sheet at the end of the same document
        decisions = [self._keep(page, sign.words, sign.confidence) for page, sign in zip(pages, signs, strict=True)]
        if separator.end:
            self._break()
        return decisions

    # --- paper that stays

    def _paper(self, sheet: Sheet, marks: list[Mark | None]) -> list[Decision]:
        """A sheet of a document: first or last of it by its marks, its size or its place."""
        begins = next((mark for mark in marks if mark and not mark.separator.end), None)
        ends = any(mark and mark.separator.end for mark in marks)
        cause = self._change(sheet)
        if begins or cause:
            self._break()
        self._sheets += 1
        reasons = [_role(mark) for mark in marks]
        if cause and not begins:
            reasons[0] = reasons[0] or Sign(f"begins a document: {cause}", 1.0)
        decisions = [self._page(*each) for each in zip(sheet, marks, reasons, strict=True)]
        if ends:
            self._break()
        return decisions

    def _page(self, page: PageFacts, mark: Mark | None, role: Sign | None) -> Decision:
        if page.is_blank and self._drop_blank and not mark:
            document = self._documents if self._open else self._documents + 1
            return self._drop(page, document, Sign(_blank(page), page.blank or 0.0))
        if role:
            return self._keep(page, role.words, role.confidence)
        return self._keep(page, f"{_blank(page)}, kept" if page.is_blank else "")

    def _change(self, sheet: Sheet) -> str:
        """Why a document begins with this sheet though nothing on it says so; "" if none does."""
        size, last = _paper_size(sheet), self._last_size
        self._last_size = size or last
        if self._every and self._sheets >= self._every.count:
            count = self._every.count
            return f"every {count} sheets" if count > 1 else "every sheet"
        if self._size and size and last and max(abs(a - b) for a, b in zip(size, last, strict=True)) > SAME_SIZE_MM:
            return f"the size changes from {last[0]:.0f} x {last[1]:.0f} to {size[0]:.0f} x {size[1]:.0f} mm"
        return ""

    def _keep(self, page: PageFacts, reason: str, confidence: float | None = None) -> Decision:
        if not self._open:
            self._documents += 1
            self._open = True
        if confidence is None:
            confidence = 1.0 if page.blank is None else max(page.blank, 1 - page.blank)
        return self._decision(page, self._documents, Sign(reason, confidence), kept=True)

    def _drop(self, page: PageFacts, document: int, sign: Sign) -> Decision:
        return self._decision(page, document, sign, kept=False)

    def _decision(self, page: PageFacts, document: int, sign: Sign, *, kept: bool) -> Decision:
        self._told = document
        confidence = round(sign.confidence, 3)
        return Decision(number=page.number, document=document, kept=kept, reason=sign.words, confidence=confidence)

    def _break(self) -> None:
        """The next page that is kept begins a document, so that none is ever empty."""
        self._open = False
        self._sheets = 0


def _fewest(separators: Iterable[Separator], kind: str) -> Separator | None:
    return min((each for each in separators if each.kind == kind), key=lambda each: each.count, default=None)


def _paper_size(sheet: Sheet) -> tuple[float, float] | None:
    """Short and long side in mm, for a turned sheet is no other paper; None where it is not known."""
    short, long = sorted((sheet[0].width, sheet[0].height))
    return (short, long) if short > 0 else None


def _role(mark: Mark | None) -> Sign | None:
    if mark is None:
        return None
    verb = "ends" if mark.separator.end else "begins"
    return Sign(f"{verb} a document: {mark.sign.words}", mark.sign.confidence)


def _of_separator(page: PageFacts, mark: Mark | None, dropping: Mark) -> Sign:
    """Why a side of a separator sheet goes: its own sign, or that it is the blank other side of one."""
    if mark:
        return Sign(f"separator sheet: {mark.sign.words}", mark.sign.confidence)
    side = "back" if page.back else "front"
    return Sign(f"{side} of a separator sheet, {_blank(page)}", min(page.blank or 0.0, dropping.sign.confidence))


def _not_blank(page: PageFacts) -> str:
    return "not known to be blank" if page.blank is None else "not blank"


def _blank(page: PageFacts) -> str:
    return f"blank, score {page.blank or 0.0:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A page in the page map; `document` is None where a dropped page belongs to none."""

    document: int | None
    page: int
    kept: bool
    reason: str
    confidence: float


def page_map(decisions: Iterable[Decision]) -> list[Row]:
    """The map of a whole stack: what becomes of each page and why. `records.plain` makes each row JSON."""
    decisions = list(decisions)
    last = max((each.document for each in decisions if each.kept), default=0)
    return [
        Row(
            document=each.document if each.document <= last else None,
            page=each.number,
            kept=each.kept,
            reason=each.reason,
            confidence=each.confidence,
        )
        for each in decisions
    ]
