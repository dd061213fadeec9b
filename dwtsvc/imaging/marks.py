"""The marks on a page: pixels of ink that hang together, as boxes, and which of them stand in a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

INK = re.compile(rb"\xff+")


@dataclass(slots=True)
class Mark:
    """A box in pixels (right and bottom are outside), the ink in it, and how deep in the page that reaches."""

    left: int
    top: int
    right: int
    bottom: int
    area: int
    depth: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def size(self) -> int:
        return max(self.width, self.height)

    @property
    def solidity(self) -> float:
        return self.area / (self.width * self.height)

    def join(self, other: Mark) -> None:
        self.left, self.top = min(self.left, other.left), min(self.top, other.top)
        self.right, self.bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        self.area, self.depth = self.area + other.area, max(self.depth, other.depth)


def marks_of(ink: Image.Image, limit: int) -> list[Mark] | None:
    """The marks of a gray image that is 255 where there is ink and 0 elsewhere, neighbours by corners included.

    None when it has more than `limit` runs of ink, so that time is bounded (60,000 take a quarter of a second).
    """
    roots, marks, count = _Roots(), [], 0
    above: list[tuple[int, int, int]] = []
    for y, runs in _rows(ink):
        here = []
        for left, right in runs:
            here.append((left, right, roots.add()))
            marks.append(_run(left, right, y, ink.size))
        count += len(here)
        if count > limit:
            return None
        _link(above if above and marks[above[0][2]].top == y - 1 else [], here, roots)
        above = here
    return _joined(marks, roots)


def _rows(ink: Image.Image) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """The rows that have ink, each with its runs as left and right (outside)."""
    width, data = ink.width, ink.tobytes()
    for y in range(ink.height):
        runs = [found.span() for found in INK.finditer(data[y * width : (y + 1) * width])]
        if runs:
            yield y, runs


def _run(left: int, right: int, y: int, size: tuple[int, int]) -> Mark:
    width, height = size
    across = min(right - 1, width - 1 - left, (width - 1) // 2)  # of the pixel nearest to the middle
    return Mark(left, y, right, y + 1, right - left, min(across, y, height - 1 - y))


def _link(above: list[tuple[int, int, int]], here: list[tuple[int, int, int]], roots: _Roots) -> None:
    first = 0
    for left, right, number in here:
        while first < len(above) and above[first][1] < left:
            first += 1
        place = first
        while place < len(above) and above[place][0] <= right:
            roots.join(above[place][2], number)
            place += 1


def _joined(marks: list[Mark], roots: _Roots) -> list[Mark]:
    whole: dict[int, Mark] = {}
    for number, mark in enumerate(marks):
        root = roots.of(number)
        if root in whole:
            whole[root].join(mark)
        else:
            whole[root] = mark
    return list(whole.values())


class _Roots:
    """Numbers 0, 1, 2 ... in sets that can be joined."""

    def __init__(self, count: int = 0) -> None:
        self._parents = list(range(count))

    def add(self) -> int:
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def of(self, number: int) -> int:
        while self._parents[number] != number:
            self._parents[number] = number = self._parents[self._parents[number]]
        return number

    def join(self, one: int, other: int) -> None:
        one, other = self.of(one), self.of(other)
        self._parents[max(one, other)] = min(one, other)


def rows_of(marks: list[Mark], reach: float) -> list[list[Mark]]:
    """Marks in level rows: those that share a height and are at most `reach` apart. Takes time with their square."""
    return _grouped(marks, lambda a, b: _share(a.top, a.bottom, b.top, b.bottom) and _gap(a, b) <= reach)


def columns_of(marks: list[Mark], reach: float) -> list[list[Mark]]:
    """Marks in upright rows, as on a page that was scanned sideways."""
    return _grouped(marks, lambda a, b: _share(a.left, a.right, b.left, b.right) and _gap_down(a, b) <= reach)


def _share(first: int, first_end: int, second: int, second_end: int) -> bool:
    return first < second_end and second < first_end


def _gap(a: Mark, b: Mark) -> int:
    return max(a.left, b.left) - min(a.right, b.right)


def _gap_down(a: Mark, b: Mark) -> int:
    return max(a.top, b.top) - min(a.bottom, b.bottom)


def _grouped(marks: list[Mark], near: Callable[[Mark, Mark], bool]) -> list[list[Mark]]:
    roots = _Roots(len(marks))
    for place, mark in enumerate(marks):
        for before in range(place):
            if near(marks[before], mark):
                roots.join(before, place)
    groups: dict[int, list[Mark]] = {}
    for place, mark in enumerate(marks):
        groups.setdefault(roots.of(place), []).append(mark)
    return list(groups.values())
