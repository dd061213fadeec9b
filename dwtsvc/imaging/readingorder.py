"""Pieces of text on a page in the order in which they are read, for an engine that has none: columns, rows, paragraphs.

The page is cut into bands wherever a level line meets no piece. Bands that leave the same upright gap free, with text
on both sides of it, are columns, read one after the other; other bands are read row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from dwtsvc.text import Box

GUTTER = 1.0  # times the height of a line: less is a space between words
COLUMN_ROWS = 3  # fewer side by side are a table's or a form's
COLUMN_WIDTH = 8  # times the height of a line: narrower is a column of prices, which belong to the rows
LEADING = 3  # bands with text on one side only, before the columns begin side by side
SAME_ROW = 0.5  # of the lower piece's height lies beside the other
PARAGRAPH = 1.4  # times the usual distance from line to line


class Piece(NamedTuple):
    """A box, and the number that its owner knows it by."""

    box: Box
    number: int


class Row(NamedTuple):
    """Pieces from left to right, in their paragraph of their block, both counted from 1."""

    pieces: list[Piece]
    block: int
    paragraph: int


def rows(boxes: Sequence[Box]) -> list[Row]:
    """The boxes of a page in rows, in reading order."""
    pieces = [Piece(box, number) for number, box in enumerate(boxes)]
    found = []
    for block, members in enumerate(_blocks(pieces), 1):
        lines = _rows_of(members)
        found += [Row(line, block, paragraph) for line, paragraph in zip(lines, _paragraphs(lines), strict=True)]
    return found


def _blocks(pieces: list[Piece]) -> Iterator[list[Piece]]:
    bands, plain, at = _bands(pieces), list[Piece](), 0
    while at < len(bands):
        end, gutter = _columns_from(bands, at)
        if gutter is None:
            plain += bands[at]
            at += 1
            continue
        if plain:
            yield plain
            plain = []
        side_by_side = [piece for band in bands[at:end] for piece in band]
        yield from _blocks([piece for piece in side_by_side if piece.box[0] < gutter])
        yield from _blocks([piece for piece in side_by_side if piece.box[0] >= gutter])
        at = end
    if plain:
        yield plain


def _bands(pieces: list[Piece]) -> list[list[Piece]]:
    """Pieces that overlap in height, directly or through others, from top to bottom."""
    bands: list[list[Piece]] = []
    bottom = float("-inf")
    for piece in sorted(pieces, key=lambda piece: piece.box[1]):
        middle = (piece.box[1] + piece.box[3]) / 2
        if middle - _height(piece) / 4 >= bottom:
            bands.append([])
        bands[-1].append(piece)
        bottom = max(bottom, piece.box[3] - _height(piece) / 4)
    return bands


def _columns_from(bands: list[list[Piece]], start: int) -> tuple[int, int | None]:
    """How far from a band the columns reach that begin with it, and where the gap between them ends; None: none do."""
    gathered: list[Piece] = []
    end, gutter = start, None
    for at in range(start, len(bands)):
        gathered += bands[at]
        gaps = _gaps(gathered)
        if not gaps and at - start >= LEADING:
            break
        found = next((gap for gap in gaps if _are_columns(gathered, gap)), None)
        if found is not None:
            end, gutter = at + 1, found
    return end, gutter


def _gaps(pieces: list[Piece]) -> list[int]:
    """The right ends of the upright gaps that no piece reaches into, the widest first."""
    least = GUTTER * median(map(_height, pieces))
    gaps, right = [], None
    for piece in sorted(pieces, key=lambda piece: piece.box[0]):
        if right is not None and piece.box[0] - right >= least:
            gaps.append((piece.box[0] - right, piece.box[0]))
        right = piece.box[2] if right is None else max(right, piece.box[2])
    return [end for _, end in sorted(gaps, reverse=True)]


def _are_columns(pieces: list[Piece], gutter: int) -> bool:
    sides = [piece for piece in pieces if piece.box[0] < gutter], [piece for piece in pieces if piece.box[0] >= gutter]
    return all(
        len(side) >= COLUMN_ROWS
        and median(piece.box[2] - piece.box[0] for piece in side) >= COLUMN_WIDTH * median(map(_height, side))
        for side in sides
    )


def _rows_of(pieces: list[Piece]) -> list[list[Piece]]:
    lines: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.box[1] + piece.box[3]):
        if lines and _beside(lines[-1][-1], piece):
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [sorted(line, key=lambda piece: piece.box[0]) for line in lines]


def _beside(one: Piece, other: Piece) -> bool:
    shared = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    return shared >= SAME_ROW * min(_height(one), _height(other))


def _paragraphs(lines: list[list[Piece]]) -> Iterator[int]:
    tops = [min(piece.box[1] for piece in line) for line in lines]
    steps = [below - above for above, below in pairwise(tops)]
    usual, number = median(steps) if steps else 0, 1
    yield number
    for step in steps:
        number += step > PARAGRAPH * usual
        yield number


def _height(piece: Piece) -> int:
    return max(1, piece.box[3] - piece.box[1])
