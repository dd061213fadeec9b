"""Of a stack as offices feed it no full page is called blank, and the blanks are found."""

from __future__ import annotations

from dwtsvc.imaging.judge import blank
from tests.imaging.stacks import leaf, stack


def test_no_full_page_of_a_stack_is_called_blank_and_the_blanks_are_found():
    leaves = list(stack(4, 30))
    wrong = [one.about for one in leaves if blank(one.image).blank != one.blank]
    assert not wrong and 8 <= sum(one.blank for one in leaves) <= 22


def test_a_stack_is_the_same_every_time():
    assert leaf(4, 3).image.tobytes() == leaf(4, 3).image.tobytes() != leaf(5, 3).image.tobytes()
