"""Marks are the connected parts of the ink: checked against a plain flood fill."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from dwtsvc.imaging.marks import Mark, columns_of, marks_of, rows_of


def flooded(image: Image.Image) -> set[tuple[int, int, int, int, int]]:
    left = {(x, y) for y in range(image.height) for x in range(image.width) if image.getpixel((x, y))}
    boxes = set()
    while left:
        pile = [left.pop()]
        part = list(pile)
        while pile:
            x, y = pile.pop()
            near = {(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)} & left
            left -= near
            pile += near
            part += near
        across, down = [x for x, _ in part], [y for _, y in part]
        boxes.add((min(across), min(down), max(across) + 1, max(down) + 1, len(part)))
    return boxes


@given(width=some.integers(1, 12), height=some.integers(1, 12), data=some.data())
@settings(max_examples=150, deadline=None)
def test_marks_are_what_a_flood_fill_finds(width, height, data):
    size = width * height
    pixels = data.draw(some.lists(some.sampled_from([0, 255]), min_size=size, max_size=size))
    image = Image.frombytes("L", (width, height), bytes(pixels))
    marks = marks_of(image, 1000)
    assert {(m.left, m.top, m.right, m.bottom, m.area) for m in marks} == flooded(image)
    for mark in marks:
        inside = [
            min(x, y, width - 1 - x, height - 1 - y)
            for y in range(mark.top, mark.bottom)
            for x in range(mark.left, mark.right)
            if image.getpixel((x, y))
        ]
        assert mark.depth <= max(inside) or len(marks) > 1


def test_too_many_runs_end_the_search():
    image = Image.frombytes("L", (40, 1), bytes([255, 0] * 20))
    assert marks_of(image, 19) is None and len(marks_of(image, 20)) == 20


def box(left: int, top: int, right: int, bottom: int) -> Mark:
    return Mark(left, top, right, bottom, (right - left) * (bottom - top), 0)


def test_a_row_is_level_and_without_large_gaps():
    row = [box(0, 10, 5, 20), box(8, 12, 12, 20), box(14, 19, 20, 25)]
    others = [box(0, 40, 5, 50), box(60, 10, 65, 20)]
    assert sorted(map(len, rows_of(row + others, 5))) == [1, 1, 3]
    assert sorted(map(len, rows_of(row, 2))) == [1, 2]
    assert sorted(map(len, columns_of([box(10, 0, 20, 5), box(12, 8, 20, 12), box(40, 14, 50, 20)], 5))) == [1, 2]
