"""Where on the pages of a PDF images are drawn, and at how many dpi: read from the drawing commands."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pikepdf

POINTS_PER_INCH = 72
DEEPEST = 4  # forms within forms
MOST_COMMANDS = 200_000  # on a page; more of them are no scan
IDENTITY = pikepdf.Matrix()


@dataclass(frozen=True, slots=True)
class Place:
    """The first page, from 1, that draws an image, and the fewest dpi that it is drawn with anywhere."""

    page: int
    dpi: float


def drawn_dpi(pdf: pikepdf.Pdf) -> dict[tuple[int, int], Place]:
    """The images by their object's number and generation. What cannot be understood is not among them."""
    found: dict[tuple[int, int], Place] = {}
    for number, page in enumerate(pdf.pages, 1):
        unit = float(page.obj.get("/UserUnit", 1))
        try:
            for key, dpi in _drawn(page.obj, page.obj, IDENTITY, DEEPEST):
                before = found.get(key, Place(number, math.inf))
                found[key] = Place(before.page, min(before.dpi, dpi / unit))
        except (pikepdf.PdfError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return found


def _drawn(content: Any, holder: Any, start: pikepdf.Matrix, deep: int) -> Iterator[tuple[tuple[int, int], float]]:
    drawn = holder.get("/Resources", {}).get("/XObject", {})
    now, saved = start, []
    for command in pikepdf.parse_content_stream(content, "q Q cm Do")[:MOST_COMMANDS]:
        word, values = str(command.operator), command.operands
        if word == "q":
            saved.append(now)
        elif word == "Q" and saved:
            now = saved.pop()
        elif word == "cm":
            now = pikepdf.Matrix(values) @ now
        elif word == "Do" and str(values[0]) in drawn:
            yield from _thing(drawn[str(values[0])], now, deep)


def _thing(thing: Any, now: pikepdf.Matrix, deep: int) -> Iterator[tuple[tuple[int, int], float]]:
    if thing.get("/Subtype") == "/Image":
        across, down = math.hypot(now.a, now.b), math.hypot(now.c, now.d)
        if across and down:
            pixels = float(thing.Width) / across, float(thing.Height) / down
            yield thing.objgen, min(pixels) * POINTS_PER_INCH
    elif thing.get("/Subtype") == "/Form" and deep:
        own = pikepdf.Matrix(thing.Matrix) if "/Matrix" in thing else IDENTITY
        yield from _drawn(thing, thing, own @ now, deep - 1)
