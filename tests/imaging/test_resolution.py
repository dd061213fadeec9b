"""How fine an image is that does not say so."""

from __future__ import annotations

import math

import pytest

from dwtsvc.imaging.ocr import believable, guess_dpi


@pytest.mark.parametrize(
    ("size", "dpi"),
    [
        ((2480, 3508), 300),  # A4
        ((3508, 2480), 300),
        ((1654, 2339), 200),
        ((4960, 7016), 600),
        ((1240, 1754), 150),
        ((827, 1169), 100),
        ((2550, 3300), 300),  # Letter
        ((1700, 2200), 200),
        ((2550, 4200), 300),  # Legal
        ((1748, 2480), 300),  # A5
        ((3508, 4961), 300),  # A3
        ((2464, 3496), 300),  # A4 as a driver rounds it
        ((1011, 638), 300),  # a card
        ((945, 2600), 300),  # a till roll of 80 mm
        ((457, 1900), 200),  # and of 58 mm
    ],
)
def test_the_resolution_of_known_paper_is_found(size: tuple[int, int], dpi: int) -> None:
    assert guess_dpi(*size) == dpi


def test_an_image_of_no_known_size_is_taken_for_as_wide_as_a4() -> None:
    assert guess_dpi(3000, 3600) == 363
    assert guess_dpi(3600, 3000) == 363


@pytest.mark.parametrize("size", [(1, 1), (0, 0), (1, 40_000), (32_000, 32_000)])
def test_odd_sizes_have_an_estimate_too(size: tuple[int, int]) -> None:
    assert 50 <= guess_dpi(*size) <= 1200


@pytest.mark.parametrize(
    ("dpi", "size", "truth"),
    [
        (300, (2480, 3508), True),
        (72, (2480, 3508), False),
        (96, (2480, 3508), False),
        (72, (595, 842), True),  # A4 at 72
        (96, (1123, 1587), True),  # A3 at 96
        (300, (9933, 14043), True),  # A1
        (300, (40_000, 40_000), False),
        (1, (2480, 3508), False),
        (0, (2480, 3508), False),
        (-300, (2480, 3508), False),
        (65_535, (2480, 3508), False),
        (math.nan, (2480, 3508), False),
        (math.inf, (2480, 3508), False),
        (2400, (200, 200), False),  # 2 mm
        (300, (1011, 638), True),
    ],
)
def test_a_resolution_that_no_scanner_made_is_not_believed(dpi: float, size: tuple[int, int], truth: bool) -> None:
    assert believable(dpi, *size) is truth
