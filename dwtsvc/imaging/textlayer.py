"""The text of a page as invisible letters over its picture, so that it can be searched and copied.

A line is one text object. Its font size is the height of its box, whose lowest fifth lies below the baseline. Each
word is stretched to the width of its own box, and the space after it, a real one, over the gap to the next word: so
readers find words, lines and their order by the same distances that an eye sees.

PDF readers take letters for placed from left to right and turn round themselves what is Hebrew or Arabic. So that is
written in the order in which it stands on the page, backwards. Text that runs from top to bottom is not provided for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from unicodedata import bidirectional

from dwtsvc.imaging.glyphless import DESCENT, EM, WIDTH, Codes
from dwtsvc.text import Box, Line, Text, Word

FONT = "T"  # its name among a page's resources
BELOW = -DESCENT / EM  # of the font size
ADVANCE = WIDTH / EM  # of a letter that is not stretched, by font size
LEAST = 0.5  # points of a font size and of a word's width: readers round what is smaller away
LEAST_GAP = 0.25  # between words, by font size: pdftotext joins words that are closer than a tenth
MOST_GAP = 0.65  # pdftotext takes 0.7 for the gap between columns and would tear spaced-out titles apart
FAR = 3.0  # by font size, the gap of a table: it stays as wide as it is
LEAST_LINES = 3  # of a column
PITCH = 1.4  # font sizes from line to line
ALIKE = 1.3  # times higher or lower: still the same print, with or without letters that reach up and down
TALLER = 1.5  # times, at most, for lines that are far apart
BACKWARDS = {"R", "AL"}
FORWARDS = re.compile(r"[0-9A-Za-z\u0660-\u0669][0-9A-Za-z\u0660-\u0669.,:/-]*(?<![.,:/-])")

Placed = tuple[float, float, bytes]  # left and right in points, and the letters' codes


def content(text: Text, width: float, height: float, *, codes: Codes | None = None, font: str = FONT) -> bytes:
    """The operators that draw a text on a page of `width` x `height` units with its origin at the lower left.

    The text's own width and height are stretched over the page. `codes` notes the characters used, for the font that
    the resources must hold under the name `font`; b"" for a text without words.
    """
    codes = codes or Codes()
    across, up = width / text.width, height / text.height
    heights = _heights(text.lines)
    drawn = "".join(
        _line(line, tall * up, across, height - line.box[3] * up, codes, font)
        for line, tall in zip(text.lines, heights, strict=True)
    )
    return f"q 3 Tr\n{drawn}Q\n".encode() if drawn else b""


def _heights(lines: Sequence[Line]) -> list[float]:
    """The height of each line in pixels. Lines of a column are made alike, and high enough for their distances.

    pdftotext takes lines for a column only where their font sizes are equal and they lie less than 1.5 sizes apart;
    others it reads from edge to edge. Where nothing lies beside a block, each line keeps its own height.
    """
    blocks: dict[int, list[Line]] = {}
    for line in lines:
        blocks.setdefault(line.block, []).append(line)
    usual = {block: _usual(blocks[block]) for block in _columns(blocks)}
    return [_height(line, *usual.get(line.block, (0, 0))) for line in lines]


def _columns(blocks: Mapping[int, Sequence[Line]]) -> set[int]:
    """The blocks of several lines that have another one beside them."""
    boxes = {block: _around(held) for block, held in blocks.items() if len(held) >= LEAST_LINES}
    return {block for block, box in boxes.items() if any(_beside(box, other) for other in boxes.values())}


def _around(lines: Sequence[Line]) -> Box:
    lefts, tops, rights, bottoms = zip(*(line.box for line in lines), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _beside(one: Box, other: Box) -> bool:
    level = one[1] < other[3] and other[1] < one[3]
    return level and (one[2] <= other[0] or other[2] <= one[0])


def _usual(lines: Sequence[Line]) -> tuple[float, float]:
    """The median height of a column's lines, and the height that their distances ask for."""
    from statistics import median  # pages without text do without it

    usual = median(line.box[3] - line.box[1] for line in lines)
    apart = [below.box[3] - above.box[3] for above, below in pairwise(lines) if below.box[3] > above.box[3]]
    return usual, min(median(apart) / PITCH, usual * TALLER) if apart else usual


def _height(line: Line, usual: float, wanted: float) -> float:
    own = line.box[3] - line.box[1]
    return max(usual, wanted) if usual / ALIKE < own < usual * ALIKE else own


def _line(line: Line, size: float, across: float, bottom: float, codes: Codes, font: str) -> str:
    size = max(size, LEAST)
    base = bottom + BELOW * size
    placed = [(word.box[0] * across, word.box[2] * across, codes.encode(_visual(word.text))) for word in _words(line)]
    words = _spread([word for word in placed if word[2]], size)
    rows, here = [], None
    space = codes.encode(" ").hex()
    for left, right, letters in words:
        if here is not None:
            rows.append(f"{_stretch(max(left - here, LEAST_GAP * size), 1, size)} Tz <{space}> Tj")
        if here is None or left < here:
            rows.append(f"1 0 0 1 {left:.2f} {base:.2f} Tm")
        rows.append(f"{_stretch(right - left, len(letters) // 2, size)} Tz <{letters.hex()}> Tj")
        here = right
    return "\n".join([f"BT /{font} {size:.2f} Tf", *rows, "ET\n"]) if rows else ""


def _words(line: Line) -> Sequence[Word]:
    """A line's words from left to right, where any is Hebrew, Arabic or the like."""
    if any(_runs_left(word.text) for word in line.words):
        return sorted(line.words, key=lambda word: word.box[0])
    return line.words


def _spread(words: list[Placed], size: float) -> list[Placed]:
    """Words with gaps by which all readers tell that they are words, of one line: only right edges move."""
    starts: list[float | None] = [left for left, _, _ in words[1:]]
    return [
        (left, _right(left, right, start, size), code)
        for (left, right, code), start in zip(words, [*starts, None], strict=False)
    ]


def _right(left: float, right: float, start: float | None, size: float) -> float:
    """The right edge of a word whose next one starts at `start`."""
    if start is not None and start > left:
        right = min(right, start - LEAST_GAP * size)
        if start - right <= FAR * size:
            right = max(right, start - MOST_GAP * size)
    return max(right, left + LEAST)


def _stretch(width: float, letters: int, size: float) -> str:
    return f"{100 * width / (letters * ADVANCE * size):.2f}"


def _visual(word: str) -> str:
    """A word's letters as they stand from left to right; numbers and Latin letters run forwards everywhere."""
    if not _runs_left(word):
        return word
    return FORWARDS.sub(lambda run: run[0][::-1], word)[::-1]


def _runs_left(word: str) -> bool:
    return not word.isascii() and any(bidirectional(letter) in BACKWARDS for letter in word)
