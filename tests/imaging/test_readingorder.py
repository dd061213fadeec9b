"""Pieces of text put in the order in which they are read."""

from __future__ import annotations

import random

from dwtsvc.imaging.readingorder import rows
from dwtsvc.text import Box


def box(left: int, top: int, width: int, height: int = 20) -> Box:
    return left, top, left + width, top + height


def order(named: dict[str, Box]) -> list[str]:
    """The names row by row, whatever order the boxes come in."""
    names = list(named)
    random.Random(1).shuffle(names)
    return [" ".join(names[piece.number] for piece in row.pieces) for row in rows([named[name] for name in names])]


def column(name: str, left: int, top: int, lines: int, width: int = 400) -> dict[str, Box]:
    return {f"{name}{line}": box(left, top + 30 * line, width) for line in range(lines)}


def test_no_boxes_are_no_rows() -> None:
    assert rows([]) == []


def test_one_column_is_read_from_top_to_bottom() -> None:
    assert order(column("a", 50, 0, 6)) == ["a0", "a1", "a2", "a3", "a4", "a5"]


def test_two_columns_are_read_one_after_the_other() -> None:
    page = {**column("a", 0, 0, 4), **column("b", 450, 0, 4)}
    assert order(page) == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]


def test_columns_whose_lines_are_not_level_are_columns_too() -> None:
    page = {**column("a", 0, 0, 4), **column("b", 450, 13, 5), **column("c", 900, 7, 3)}
    assert "".join(name[0] for name in order(page)) == "aaaabbbbbccc"


def test_a_heading_and_a_footer_across_the_columns_stay_where_they_are() -> None:
    page = {"head": box(100, 0, 600), **column("a", 0, 40, 4), **column("b", 450, 40, 4), "foot": box(0, 200, 850)}
    assert order(page) == ["head", "a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3", "foot"]


def test_a_column_that_begins_earlier_is_not_torn_apart() -> None:
    page = {**column("a", 0, 30, 4), **column("b", 450, 0, 5)}
    assert order(page) == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3", "b4"]


def test_prices_stay_with_what_they_are_the_prices_of() -> None:
    page = {**column("tea", 0, 0, 4, 200), **column("price", 500, 2, 4, 60)}
    assert order(page) == [f"tea{line} price{line}" for line in range(4)]


def test_columns_in_columns_are_read_in_order() -> None:
    page = {
        **column("a", 0, 0, 3),
        **column("b", 450, 0, 8),
        **column("c", 0, 120, 4, 180),
        **column("d", 220, 120, 4, 180),
    }
    assert "".join(name[0] for name in order(page)) == "aaaccccddddbbbbbbbb"


def test_blocks_and_paragraphs_are_counted() -> None:
    boxes = [box(0, 0, 900), box(0, 30, 900), box(0, 90, 900), box(0, 120, 900)]
    boxes += [*column("a", 0, 200, 3).values(), *column("b", 450, 200, 3).values()]
    found = [(row.block, row.paragraph) for row in rows(boxes)]
    assert found == [(1, 1), (1, 1), (1, 2), (1, 2), (2, 1), (2, 1), (2, 1), (3, 1), (3, 1), (3, 1)]


def test_every_box_comes_once() -> None:
    dice = random.Random(4)
    for _ in range(200):
        boxes = [
            box(dice.randrange(900), dice.randrange(900), dice.randrange(1, 400), dice.randrange(1, 60))
            for _ in range(40)
        ]
        assert sorted(piece.number for row in rows(boxes) for piece in row.pieces) == list(range(40))
