"""What is said of pages: blank ones in a stack drawn from a seed, and how far scanned pages lean."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from PIL import Image

from benchmarks.rig import Bench, Row
from dwtsvc.imaging.judge import blank, skew
from tests.imaging.stacks import stack

SEED, PAGES = 20261121, 200
ANGLES = (-5.0, -3.0, -1.7, -0.8, -0.3, 0.2, 0.6, 1.1, 2.4, 4.5)
MOST_MISSED, MOST_DEGREES = 0.02, 0.1


def blanks(bench: Bench) -> Iterator[Row]:
    """A stack with show-through, stains and punch holes; its faintest full page is one line of small gray print."""
    lost = missed = full = bare = 0
    for leaf in stack(SEED, PAGES):
        said = blank(leaf.image).blank
        full, bare = full + (not leaf.blank), bare + leaf.blank
        lost += said and not leaf.blank
        missed += leaf.blank and not said
    yield Row("full pages called blank", lost, full, 0.0, "", f"{lost} of {full}")
    yield Row("blank pages not found", missed, bare, MOST_MISSED, "", f"{missed} of {bare}")


def leaning(bench: Bench) -> Iterator[Row]:
    """The angle found on a page turned by a known one, less the angle found before it was turned."""
    if bench.corpus is None:
        return
    errors = []
    for path in sorted(bench.corpus.glob("pages/*.jpg")):
        with Image.open(path) as opened:
            page = opened.convert("L")
        before = skew(page)
        for angle in ANGLES:
            turned = page.rotate(-angle, Image.Resampling.BICUBIC, fillcolor=255)
            errors.append(abs(skew(turned) - before - angle))
    median = statistics.median(errors)
    worst = f"{len(errors)} pages, worst {max(errors):.2f}"
    yield Row("lean of turned pages, median error", median, 1.0, MOST_DEGREES, "deg", worst)
