"""Paper is called by its name."""

from __future__ import annotations

import pytest

from dwtsvc.imaging.papersize import page_size
from dwtsvc.kinds import PAPERS


@pytest.mark.parametrize(
    ("width", "height", "name"),
    [
        (210, 297, "A4"),
        (296.1, 211.2, "A4"),
        (215.9, 279.4, "Letter"),
        (148.5, 209, "A5"),
        (85.6, 54, "ID card"),
        (54.3, 86, "ID card"),
        (101, 152.5, "10 x 15 photo"),
        (215.9, 355, "Legal"),
        (250, 250, None),
        (0, 0, None),
        (72, 180, None),
    ],
)
def test_a_size_near_a_known_one_has_its_name(width, height, name):
    assert page_size(width, height) == name


def test_the_tolerance_counts_on_either_side():
    assert page_size(210, 299, 1.9) is None and page_size(210, 299, 2) == "A4"


def test_every_paper_a_scan_can_be_asked_for_has_a_name_of_its_own():
    names = [page_size(*sides, 0) for sides in PAPERS.values()]
    assert None not in names and len(set(names)) == len(names)
