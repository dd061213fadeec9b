"""The text of a page as invisible letters over its picture, so that it can be searched and copied.

A line is one text object. Its font size is the height of its box, whose lowest fifth lies below the baseline. Each
word is stretched to the width of its own box, and the space after it, a real one, over the gap to the next word: so
readers find words, lines and their order by the same distances that an eye sees.
"""

from __future__ import annotations

import unicodedata

from dwtsvc.imaging.glyphless import DESCENT, EM, WIDTH, Codes
from dwtsvc.text import Line, Text, Word

FONT = "T"  # its name among a page's resources
BELOW = -DESCENT / EM  # of the font size
ADVANCE = WIDTH / EM
LEAST_SIZE = 0.5  # points: readers round what is smaller away
LEAST_GAP = 0.05  # of the font size, where boxes touch or overlap
RIGHT_TO_LEFT = {"R", "AL", "AN"}


def content(text: Text, width: float, height: float, *, codes: Codes | None = None, font: str = FONT) -> bytes:
    """The operators that draw a text on a page of `width` x `height` units with its origin at the lower left.

    The text's own width and height are stretched over the page. `codes` notes the characters used, for the font that
    the resources must hold under the name `font`; b"" for a text without words.
    """
    codes = codes or Codes()
    across, up = width / text.width, height / text.height
    lines = [_line(line, across, up, height, codes, font) for line in text.lines]
    drawn = "".join(line for line in lines if line)
    return f"q\n{drawn}Q\n".encode() if drawn else b""


def _line(line: Line, across: float, up: float, height: float, codes: Codes, font: str) -> str:
    size = max((line.box[3] - line.box[1]) * up, LEAST_SIZE)
    base = height - line.box[3] * up + BELOW * size
    rows = [f"BT\n3 Tr /{font} {size:.2f} Tf\n"]
    here = None
    words = [(word, codes.encode(word.text)) for word in line.words]
    words = [(word, letters) for word, letters in words if letters]
    for index, (word, letters) in enumerate(words):
        left, right = word.box[0] * across, word.box[2] * across
        if here is None or left < here - 1:
            rows.append(f"1 0 0 1 {left:.2f} {base:.2f} Tm\n")
        right = max(right, left + LEAST_SIZE)
        after = words[index + 1][0].box[0] * across if index + 1 < len(words) else right + size * 0.3
        if after > left:
            right = min(right, after - LEAST_GAP * size)
        right = max(right, left + LEAST_SIZE)
        if _runs_left(word):
            letters = b"".join(letters[i : i + 2] for i in range(len(letters) - 2, -1, -2))
        rows.append(f"{_stretch(right - left, len(letters) // 2, size)} Tz <{letters.hex()}> Tj\n")
        here = right
        if index + 1 < len(words):
            gap = after - right if after > right else LEAST_GAP * size
            rows.append(f"{_stretch(gap, 1, size)} Tz <0020> Tj\n")
            here += gap
    codes.encode(" ")
    return "".join(rows) + "ET\n" if words else ""


def _stretch(width: float, letters: int, size: float) -> str:
    return f"{100 * width / (letters * ADVANCE * size):.2f}"


def _runs_left(word: Word) -> bool:
    """Whether its first letter with a direction is Hebrew, Arabic or the like."""
    kinds = (unicodedata.bidirectional(letter) for letter in word.text)
    strong = next((kind for kind in kinds if kind in ("L", "R", "AL")), "L")
    return strong != "L"
