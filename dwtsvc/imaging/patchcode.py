"""Patch codes: the four thick bars on separator sheets that document scanners and archives know. Read and drawn here.

What is published of Kodak's code, and certain: four bars, two of them wide (0.2 inch) and two narrow (0.08 inch), with
spaces of 0.08 inch; the six orders of PATTERNS, from the leading edge of the sheet on; a place within 3.75 inches of
that edge. Patch 3 read backwards is T, and 1 is 6. A scanner's image does not tell which edge led, so bars are read
from the edge that they lie next to: that holds for every sheet that keeps to the published place, however it is turned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image, ImageDraw

from dwtsvc.model import Barcode, Corner

PATTERNS = {"1": "WWNN", "2": "WNNW", "3": "WNWN", "4": "NWWN", "6": "NNWW", "T": "NWNW"}
TEXTS = {pattern: text for text, pattern in PATTERNS.items()}
WIDE, NARROW, SPACE = 0.2, 0.08, 0.08  # inches
DEEP = 2 * WIDE + 2 * NARROW + 3 * SPACE  # inches from the first bar to the end of the last
LONG = 2.0  # inches: how long the bars are drawn at least
SHORTEST = 0.7  # inches; the published least is 0.75
QUIET = 0.19  # inches of paper before and after the bars; the published least to an edge of the sheet is 0.25
READ_AT = 100  # dpi: a narrow bar has 8 pixels
ACROSS = 0.12  # inches along the bars that are averaged to one line: at 3 degrees of skew they move by 0.6 pixels
GIVE = 0.035  # inches that a bar or space may be thicker or thinner: spread ink and threshold
OFF = 0.02  # inches that a bar may begin too early or late after the one before: spread ink does not change that
DRIFT = 2  # pixels by which the bars may move from a line to the next: 3 degrees and a pixel of rounding
CONTRAST = 60  # levels between bars and paper
INK, BARE = r"\x00", r"\xff"  # bytes of a line, as a pattern writes them
PAPER, LONGEST = 11.7, 24.0  # inches of A4's long side, which stands in where the dpi is unknown or makes a page huge
LEAST = 60  # dpi: with less, bars of other codes look alike


class _Bars(NamedTuple):
    """Bars met by one line, from pixel to pixel along it."""

    pattern: str
    begin: int
    end: int


def read(gray: Image.Image, dpi: float | None = None) -> list[Barcode]:
    """The patch codes of an image of mode L, whose bars lie along either side, skewed by 3 degrees at most.

    Without `dpi` the image is taken for a page of A4; below 60 dpi none are looked for. Costs some 5 ms for A4 at
    300 dpi.
    """
    if dpi is None or max(gray.size) / dpi > LONGEST:
        dpi = max(gray.size) / PAPER
    if dpi < LEAST:
        return []
    shrink = max(1, round(dpi / READ_AT))
    small, scale = gray.reduce(shrink), dpi / shrink
    found = [*_lying(small, scale), *_standing(small, scale)]
    return [_barcode(small.size, shrink, pattern, box, flat) for pattern, box, flat in found]


def _lying(small: Image.Image, dpi: float) -> Iterator[tuple[str, tuple[int, int, int, int], bool]]:
    """Codes of horizontal bars: pattern from the top, and box."""
    step = max(1, round(ACROSS * dpi))
    lines = small.reduce((step, 1)).transpose(Image.Transpose.TRANSPOSE)
    for pattern, first, last, begin, end in _codes(lines, dpi, step):
        yield pattern, (first * step, begin, min(last * step + step, small.width), end), True


def _standing(small: Image.Image, dpi: float) -> Iterator[tuple[str, tuple[int, int, int, int], bool]]:
    """Codes of vertical bars: pattern from the left, and box."""
    step = max(1, round(ACROSS * dpi))
    for pattern, first, last, begin, end in _codes(small.reduce((1, step)), dpi, step):
        yield pattern, (begin, first * step, end, min(last * step + step, small.height)), False


def _codes(lines: Image.Image, dpi: float, step: int) -> Iterator[tuple[str, int, int, int, int]]:
    """Bars that enough neighbouring lines meet alike: pattern, first and last line, begin and end along them."""
    search, needed = _pattern(dpi), max(2, round(SHORTEST * dpi / step) - 1)
    rows = lines.tobytes()
    each = (rows[begin : begin + lines.width] for begin in range(0, len(rows), lines.width))
    for run in _runs([list(_met(line, search, dpi)) for line in each]):
        if len(run) >= needed:
            begin, end = min(bars.begin for _, bars in run), max(bars.end for _, bars in run)
            yield run[0][1].pattern, run[0][0], run[-1][0], begin, end


def _runs(met: list[list[_Bars]]) -> list[list[tuple[int, _Bars]]]:
    """Bars of neighbouring lines that are the same bars, with the number of the line."""
    runs: list[list[tuple[int, _Bars]]] = []
    for number, line in enumerate(met):
        for bars in line:
            before = (run for run in runs if run[-1][0] == number - 1 and _goes_on(run[-1][1], bars))
            run = next(before, None)
            if run is None:
                runs.append(run := [])
            run.append((number, bars))
    return runs


def _goes_on(before: _Bars, now: _Bars) -> bool:
    return now.pattern == before.pattern and abs(now.begin - before.begin) <= DRIFT >= abs(now.end - before.end)


def _pattern(dpi: float) -> re.Pattern[bytes]:
    """Four bars with three spaces in a line of bytes that are 0 (ink) or 255."""
    bar = f"({_run(INK, WIDE, dpi)}|{_run(INK, NARROW, dpi)})"
    space = _run(BARE, SPACE, dpi)
    return re.compile(f"(?<!{INK}){bar}{space}{bar}{space}{bar}{space}{bar}(?!{INK})".encode())


def _run(byte: str, width: float, dpi: float) -> str:
    return f"{byte}{{{max(1, int((width - GIVE) * dpi))},{int((width + GIVE) * dpi) + 1}}}"


def _met(line: bytes, search: re.Pattern[bytes], dpi: float) -> Iterator[_Bars]:
    low, high = min(line), max(line)
    if high - low < CONTRAST:
        return
    middle = (low + high) // 2
    signs = line.translate(b"\x00" * middle + b"\xff" * (256 - middle))
    if b"\x00" * int((WIDE - GIVE) * dpi) not in signs:  # no wide bar: told ten times as fast, and so on most lines
        return
    quiet = b"\xff" * int(QUIET * dpi)
    for met in search.finditer(signs):
        if signs.startswith(quiet, met.end()) and signs.endswith(quiet, 0, met.start()):
            pattern = _pattern_of(met, dpi)
            if pattern in TEXTS:
                yield _Bars(pattern, met.start(), met.end())


def _pattern_of(met: re.Match[bytes], dpi: float) -> str:
    """The widths of four bars, as "NWNW"; "" where one does not begin as far after the one before as it should."""
    limit = (WIDE + NARROW) / 2 * dpi
    pattern = "".join("W" if met.end(bar) - met.start(bar) > limit else "N" for bar in range(1, 5))
    for bar, sign in enumerate(pattern[:3], 1):
        step = (WIDE if sign == "W" else NARROW) + SPACE
        if abs(met.start(bar + 1) - met.start(bar) - step * dpi) > max(1.5, OFF * dpi):
            return ""
    return pattern


def _barcode(size: tuple[int, int], shrink: int, pattern: str, box: tuple[int, int, int, int], flat: bool) -> Barcode:
    """The code as read from the edge it is next to; one in the very middle is read from the top or left."""
    left, top, right, bottom = box
    near_end = (top + bottom > size[1]) if flat else (left + right > size[0])
    text = TEXTS[pattern[::-1] if near_end else pattern]
    left, top, right, bottom = left * shrink, top * shrink, right * shrink, bottom * shrink
    corners: list[Corner] = [(left, top), (right, top), (right, bottom), (left, bottom)]
    turns = (2 if near_end else 0) if flat else (1 if near_end else 3)
    one, two, three, four = corners[turns:] + corners[:turns]
    return Barcode(
        text=text, bytes=text.encode(), type="patch", corners=(one, two, three, four), angle=90 * turns, engine="patch"
    )


def drawn(text: str, dpi: int, long: float = LONG) -> Image.Image:
    """The bars of a patch code (a key of PATTERNS), in mode L, `long` inches wide, without a quiet zone."""
    image = Image.new("L", (round(long * dpi), round(DEEP * dpi)), 255)
    pen, top = ImageDraw.Draw(image), 0.0
    for width in (WIDE if sign == "W" else NARROW for sign in PATTERNS[text]):
        pen.rectangle((0, round(top * dpi), image.width, round((top + width) * dpi) - 1), fill=0)
        top += width + SPACE
    return image
