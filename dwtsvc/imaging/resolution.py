"""How fine an image is that does not say so, or says what cannot be."""

from __future__ import annotations

import math

from dwtsvc.model import MM_PER_INCH

# Millimetres, short side first; the likelier paper comes first.
PAPERS = ((210, 297), (215.9, 279.4), (215.9, 355.6), (148, 210), (297, 420), (105, 148), (85.6, 54), (210, 99))
SCANNED_AT = (300, 200, 600, 150, 400, 240, 100, 1200, 75, 120, 180)  # dpi, the likelier first
ALIKE = 0.02  # of a side: trays are cut, and drivers round to whole bytes
ROLLS_MM = (80, 58)  # receipts: known in width only
ROLL_ASPECT, ROLL_ALIKE = 2.0, 0.06
SCREEN_DPI = 100  # 72 and 96 are what programs write that do not know
LARGEST_ON_A_DESK_MM = 320  # the short side of A3, and a margin
LARGEST_MM, SMALLEST_MM = 1_100, 4  # the short side: A0 from a wide scanner; a cut-out line
LOWEST, HIGHEST = 40, 4_800


def guess_dpi(width: int, height: int) -> int:
    """An estimate for an image of `width` x `height` pixels that does not tell its resolution; 50 to 1,200.

    First it is taken for a sheet of A4, Letter, Legal, A5, A3, A6, a card or a third of A4, upright or across, scanned
    at a resolution that scanners offer: the likeliest pair that fits within 2 %. Then, if it is at least twice as long
    as wide, for a till roll (80 or 58 mm wide, within 6 %). Failing both, its short side is that of A4.
    """
    short, long = sorted((max(1, width), max(1, height)))
    sheets = [
        (paper + place, dpi)
        for paper, sides in enumerate(PAPERS)
        for place, dpi in enumerate(SCANNED_AT)
        if _off(short, min(sides), dpi) <= ALIKE and _off(long, max(sides), dpi) <= ALIKE
    ]
    if sheets:
        return min(sheets)[1]
    rolls = [(_off(short, roll, dpi), dpi) for roll in ROLLS_MM for dpi in SCANNED_AT]
    if long >= ROLL_ASPECT * short and min(rolls)[0] <= ROLL_ALIKE:
        return min(rolls)[1]
    return min(1_200, max(50, round(short / PAPERS[0][0] * MM_PER_INCH)))


def _off(pixels: int, mm: float, dpi: int) -> float:
    """How far so many pixels are from so many millimetres, as a part of these."""
    return abs(pixels / dpi * MM_PER_INCH / mm - 1)


def believable(dpi: float, width: int, height: int) -> bool:
    """Whether an image of `width` x `height` pixels can have been scanned at the resolution that its file states.

    Not what no scanner has, nor what makes paper of more than A0 or less than a few mm; and 100 dpi or less, which
    programs write that know no better, only for what is no larger than A3.
    """
    if not (math.isfinite(dpi) and LOWEST <= dpi <= HIGHEST):
        return False
    short = min(width, height) / dpi * MM_PER_INCH
    if dpi <= SCREEN_DPI:
        return SMALLEST_MM <= short <= LARGEST_ON_A_DESK_MM
    return SMALLEST_MM <= short <= LARGEST_MM
