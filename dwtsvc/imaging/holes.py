"""Punch holes: discs, or the crescents that light makes of them, where punches make holes."""

from __future__ import annotations

from dataclasses import dataclass

from dwtsvc.imaging.marks import Mark

HOLE_MM, HOLE_REACH_MM, HOLES_APART_MM = (3.0, 9.5), 25.0, (60.0, 120.0)
SOLID, DISC_ASPECT = 0.6, 1.4  # a disc fills 0.79 of its box
IN_LINE_MM = 3.0


@dataclass(frozen=True, slots=True)
class _Page:
    width: int
    height: int
    per_mm: float


def holes_of(marks: list[Mark], width: int, height: int, per_mm: float) -> list[Mark]:
    """Discs near an edge, and crescents if there are two as far from it."""
    page = _Page(width, height, per_mm)
    shaped = [mark for mark in marks if _like_hole(mark, page)]
    return [mark for mark in shaped if _is_disc(mark) or any(_are_twins(mark, other, page) for other in shaped)]


def punched(marks: list[Mark], width: int, height: int, per_mm: float) -> list[Mark]:
    """Only those that have a twin, as all real holes have; a single disc may be a logo."""
    page = _Page(width, height, per_mm)
    shaped = [mark for mark in marks if _like_hole(mark, page)]
    return [mark for mark in shaped if any(_are_twins(mark, other, page) for other in shaped)]


def _like_hole(mark: Mark, page: _Page) -> bool:
    smallest, largest = HOLE_MM[0] * page.per_mm, HOLE_MM[1] * page.per_mm
    near = min(_distances(mark, page)) <= HOLE_REACH_MM * page.per_mm
    return near and smallest <= mark.size <= largest


def _is_disc(mark: Mark) -> bool:
    return mark.solidity >= SOLID and max(mark.width, mark.height) <= DISC_ASPECT * min(mark.width, mark.height)


def _are_twins(one: Mark, other: Mark, page: _Page) -> bool:
    """Alike, as far from the same edge, and as far from each other as punches make them."""
    near = IN_LINE_MM * page.per_mm
    apart = max(abs(one.left - other.left), abs(one.top - other.top)) / page.per_mm
    alike = max(abs(one.width - other.width), abs(one.height - other.height)) <= near
    if not alike or not HOLES_APART_MM[0] <= apart <= HOLES_APART_MM[1]:
        return False
    pairs = zip(_distances(one, page), _distances(other, page), strict=True)
    return any(abs(mine - its) <= near and mine <= HOLE_REACH_MM * page.per_mm for mine, its in pairs)


def _distances(mark: Mark, page: _Page) -> tuple[float, float, float, float]:
    """From the middle of a mark to the left, top, right and bottom edge."""
    x, y = (mark.left + mark.right) / 2, (mark.top + mark.bottom) / 2
    return x, y, page.width - x, page.height - y
