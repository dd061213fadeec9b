"""Page ranges as people write them."""

from __future__ import annotations

import pytest

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.pageranges import left, order, parse


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("1", [1]),
        ("1-3,5,8-", [1, 2, 3, 5, 8, 9]),
        ("last", [9]),
        ("7-last", [7, 8, 9]),
        ("first,LAST", [1, 9]),
        ("odd", [1, 3, 5, 7, 9]),
        ("even", [2, 4, 6, 8]),
        ("reverse", [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("3-1", [3, 2, 1]),
        ("last-7", [9, 8, 7]),
        (" 2 - 3 , 2 ", [2, 3, 2]),
        ("9,1-2,rest", [9, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("9-", [9]),
    ],
)
def test_pages_come_in_the_order_and_as_often_as_named(text: str, pages: list[int]) -> None:
    assert [page + 1 for page in parse(text, 9)] == pages


@pytest.mark.parametrize("text", ["", ",", "1,,2", "x", "-3", "1--2", "1-2-3", "1.5", "2;3", "odd-even", "-", "r1"])
def test_what_is_no_range_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(BadArguments) as caught:
        parse(text, 9)
    assert "1-3,5,8-" in caught.value.hint


@pytest.mark.parametrize("text", ["0", "10", "8-10", "0-3", "99999999999999999999"])
def test_a_page_that_is_not_there_is_refused_with_how_many_there_are(text: str) -> None:
    with pytest.raises(BadArguments, match="9 pages"):
        parse(text, 9)


def test_a_range_that_names_no_page_is_refused() -> None:
    with pytest.raises(BadArguments, match="none"):
        parse("even", 1)


def test_a_list_too_long_for_memory_is_refused() -> None:
    with pytest.raises(BadArguments, match="more than"):
        parse(",".join(["all"] * 200), 1_000)


def test_an_order_names_every_page_once() -> None:
    assert order("3,rest", 3) == [2, 0, 1]
    with pytest.raises(BadArguments, match="page 2, 3"):
        order("1", 3)
    with pytest.raises(BadArguments, match="page 1 more than once"):
        order("1,1,rest", 3)


def test_what_is_left_keeps_its_order_and_is_never_nothing() -> None:
    assert left("2,last,2", 4) == [0, 2]
    with pytest.raises(BadArguments, match="all 4 pages"):
        left("odd,even", 4)
