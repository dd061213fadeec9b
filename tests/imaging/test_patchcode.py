"""Patch codes are read however the sheet lies, and nothing else on a page is taken for one."""

from __future__ import annotations

import random

import pytest
from PIL import Image, ImageDraw, ImageFilter

from dwtsvc.devices.documents import KINDS, sheet
from dwtsvc.imaging import barcode, patchcode
from dwtsvc.imaging.barcodesheet import separator
from dwtsvc.imaging.patchcode import PATTERNS


def page(text: str, dpi: int, *, long: float = 2.0, at: tuple[float, float] = (1.5, 0.6)) -> Image.Image:
    """A gray A4 page with a code printed in dark gray, so many inches from its top left."""
    paper = Image.new("L", (round(8.27 * dpi), round(11.7 * dpi)), 245)
    bars = patchcode.drawn(text, dpi, long).point([50 + level * 195 // 255 for level in range(256)])
    paper.paste(bars, (round(at[0] * dpi), round(at[1] * dpi)))
    return paper


def test_the_six_patterns_are_all_that_two_wide_and_two_narrow_bars_can_be() -> None:
    assert len(set(PATTERNS.values())) == 6
    assert all(sorted(pattern) == ["N", "N", "W", "W"] for pattern in PATTERNS.values())


@pytest.mark.parametrize("dpi", [75, 200, 300])
@pytest.mark.parametrize("text", PATTERNS)
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_each_code_is_read_from_the_edge_that_it_lies_next_to(text: str, dpi: int, turn: int) -> None:
    upright = page(text, dpi)
    (found,) = patchcode.read(upright.rotate(-turn, expand=True), dpi)
    assert (found.text, found.bytes, found.type, found.engine) == (text, text.encode(), "patch", "patch")
    assert found.angle == turn


def test_corners_are_those_of_the_bars_from_their_own_top_left() -> None:
    (found,) = patchcode.read(page("T", 200), 200)
    expected = [(300, 120), (700, 120), (700, 280), (300, 280)]
    for (x, y), (right_x, right_y) in zip(found.corners, expected, strict=True):
        assert abs(x - right_x) <= 24 and abs(y - right_y) <= 6
    (turned,) = patchcode.read(page("T", 200).rotate(180), 200)
    assert abs(turned.corners[0][0] - (1654 - 300)) <= 24 and abs(turned.corners[0][1] - (2340 - 120)) <= 6


@pytest.mark.parametrize("skew", [-3, -1.5, 1.5, 3])
@pytest.mark.parametrize("text", PATTERNS)
@pytest.mark.parametrize("long", [1.0, 6.0])
def test_a_skewed_blurred_and_noisy_scan_is_read(text: str, skew: float, long: float) -> None:
    scan = page(text, 200, long=long, at=(1.0, 1.0)).rotate(skew, fillcolor=245, resample=Image.Resampling.BICUBIC)
    scan = Image.blend(scan.filter(ImageFilter.GaussianBlur(1.5)), Image.effect_noise(scan.size, 40), 0.15)
    assert [code.text for code in patchcode.read(scan, 200)] == [text]


def test_without_a_resolution_or_with_a_lie_the_picture_is_taken_for_a4() -> None:
    assert [code.text for code in patchcode.read(page("2", 300))] == ["2"]
    assert [code.text for code in patchcode.read(page("2", 300), 72)] == ["2"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_drawn_document_has_one(kind: str) -> None:
    paper = sheet(kind, 7, 300)
    image = paper.image.copy()
    if paper.palette:
        image.putpalette(paper.palette)
    assert patchcode.read(image.convert("L"), 300) == []


def test_ruled_forms_and_filled_tables_have_none() -> None:
    chance = random.Random(11)
    for _ in range(40):
        form = Image.new("L", (827, 1170), 250)
        pen, top = ImageDraw.Draw(form), 60
        while top < 1100:
            thick = chance.choice((1, 2, 4, 8, 20, 30))
            pen.rectangle((60, top, 760, top + thick), fill=chance.choice((0, 90, 200)))
            top += thick + chance.choice((6, 12, 16, 25, 40))
        for left in range(60, 760, chance.choice((8, 20, 28, 70))):
            pen.rectangle((left, 300, left + chance.choice((1, 8)), 600), fill=0)
        assert patchcode.read(form, 100) == []


def test_bars_of_a_wrong_thickness_or_close_to_others_are_none() -> None:
    right = patchcode.drawn("T", 100, 3)
    for scale in (0.7, 1.4):
        paper = Image.new("L", (827, 1170), 250)
        paper.paste(right.resize((300, round(right.height * scale))), (100, 60))
        assert patchcode.read(paper, 100) == []
    fifth = page("T", 100)
    ImageDraw.Draw(fifth).rectangle((150, 148, 350, 156), fill=50)
    assert patchcode.read(fifth, 100) == []


@pytest.mark.parametrize("text", PATTERNS)
def test_a_printed_sheet_is_read_at_both_ends_beside_other_codes(text: str) -> None:
    paper = separator(text, "patch")
    for scan in (paper, paper.rotate(180), paper.rotate(90, expand=True)):
        assert [(code.type, code.text) for code in barcode.read(scan, dpi=300)] == [("patch", text)] * 2
    assert barcode.read(paper, dpi=300, types=["qr"]) == []
    assert len(barcode.read(paper, dpi=300, types=["patch"], engine="zxing")) == 2
