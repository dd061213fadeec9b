"""Whether a page is blank: ink is told from show-through by contrast, content from dust, holes and edges by shape.

In doubt a page is not blank. Millimetres take the page's long side for that of A4; smaller paper is judged the
stricter for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.holes import holes_of
from dwtsvc.imaging.ink import ink_of
from dwtsvc.imaging.marks import Mark, columns_of, marks_of, rows_of
from dwtsvc.imaging.pixels import plain, to_8bit

LONG_SIDE = 1800  # pixels of the reduced copy: A4 at 150 dpi, where a stroke of 8-point print is a pixel wide
LONG_SIDE_MM = 297.0
MIN_BLOCK, MAX_BLOCK = 20 / 3508, 30 / 3508  # of the long side: 20 and 30 pixels of A4 at 300 dpi, 1.7 and 2.5 mm
FULL_SHARE = 0.015  # ink on more of the page is no dust, whatever its shape
MARGIN_MM = 20.0  # not counted in FULL_SHARE: dark background beside the paper
MOST_RUNS, MOST_MARKS = 60_000, 400
EDGE_MM, FRAY_MM = 12.0, 2.0  # how far in a dark edge reaches; how near to the edge nobody prints


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """`score` from 1.0 for bare paper to 0.0 for a full page, `blank` above 0.5; `reason` names places in pixels."""

    score: float
    blank: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """The reduced copy: its size in pixels, how many make a millimetre, how many of the page's one of its is."""

    width: int
    height: int
    per_mm: float
    factor: int


def blank(image: Image.Image, *, min_block: float | None = None, max_block: float | None = None) -> Blank:
    """Whether there is nothing on a page but dust, punch holes, dark edges, streaks and what shows through.

    A mark whose longer side has `max_block` pixels is content by itself; of those of `min_block` it takes two in a row,
    of smaller ones four; less than a quarter of `min_block` is dust. They default to 1.7 and 2.5 mm.
    BadArguments unless 0 < min_block <= max_block.
    """
    least, most = _blocks(max(image.size), min_block, max_block)
    image = to_8bit(plain(image))
    factor = max(1, round(max(image.size) / LONG_SIDE))
    small = (image.convert("L") if image.mode == "1" else image).reduce(factor)
    page = _Page(width=small.width, height=small.height, per_mm=max(small.size) / LONG_SIDE_MM, factor=factor)
    ink = ink_of(small, page.per_mm)
    if ink is None:
        return _verdict(4.0, "the whole page is dark")
    return _judged(ink, page, least / factor, most / factor)


def _blocks(longest: int, min_block: float | None, max_block: float | None) -> tuple[float, float]:
    most = MAX_BLOCK * longest if max_block is None else max_block
    least = min(most, MIN_BLOCK * longest) if min_block is None else min_block
    if max_block is None:
        most = max(most, least)
    if not 0 < least <= most:
        raise BadArguments(
            f"The block heights cannot be {least:g} and {most:g} pixels",
            hint="The least must be more than 0, and the most not less than that.",
        )
    return least, most


def _verdict(evidence: float, reason: str) -> Blank:
    """`evidence` of content: 1 is the least that makes a page full."""
    return Blank(score=round(1 / (1 + evidence), 3), blank=evidence < 1, reason=reason)


def _judged(ink: Image.Image, page: _Page, least: float, most: float) -> Blank:
    share = _inner_share(ink, page)
    if share > FULL_SHARE:
        return _verdict(share / FULL_SHARE, f"ink on {share:.1%} of the page")
    found = marks_of(ink, MOST_RUNS)
    if found is None:
        return _verdict(2.0, "more specks than dust makes")
    marks = [mark for mark in found if mark.size >= least / 4 and not _is_edge(mark, page)]
    holes = holes_of(marks, page.width, page.height, page.per_mm)
    marks = [mark for mark in marks if all(mark is not hole for hole in holes)]
    if len(marks) > MOST_MARKS:
        return _verdict(len(marks) / MOST_MARKS, f"{len(marks)} marks larger than dust")
    return _by_marks(marks, page, least, most, len(holes))


def _inner_share(ink: Image.Image, page: _Page) -> float:
    margin = round(MARGIN_MM * page.per_mm)
    if page.width > 2 * margin < page.height:
        ink = ink.crop((margin, margin, page.width - margin, page.height - margin))
    return ink.histogram()[255] / (ink.width * ink.height)


def _is_edge(mark: Mark, page: _Page) -> bool:
    if mark.depth <= FRAY_MM * page.per_mm:
        return True
    if mark.left > 1 and mark.top > 1 and mark.right < page.width - 1 and mark.bottom < page.height - 1:
        return False
    return mark.depth <= EDGE_MM * page.per_mm


def _by_marks(marks: list[Mark], page: _Page, least: float, most: float, holes: int) -> Blank:
    evidence, strongest = 0.0, list[Mark]()
    for group in (*rows_of(marks, most), *columns_of(marks, most)):
        weight = sum(_weight(mark, least, most) for mark in group)
        if weight > evidence:
            evidence, strongest = weight, group
    if evidence >= 1:
        return _verdict(evidence, _named(strongest, page.factor))
    seen = (_count(holes, "punch hole"), _count(len(marks), "speck"))
    return _verdict(evidence, " and ".join(filter(None, seen)) or "no marks")


def _weight(mark: Mark, least: float, most: float) -> float:
    if mark.size >= most:
        return min(4.0, mark.size / most)
    return 0.5 if mark.size >= least else 0.25


def _named(group: list[Mark], factor: int) -> str:
    left, top = min(mark.left for mark in group) * factor, min(mark.top for mark in group) * factor
    if len(group) > 1:
        return f"{len(group)} marks in a row at {left}, {top}"
    return f"a mark of {group[0].width * factor} x {group[0].height * factor} pixels at {left}, {top}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number > 1)}" if number else ""
