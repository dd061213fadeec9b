"""Cleaning a page: which steps it needs, with every angle, corner and size found on it and written out.

The steps come in this order, and each is found on what those before it left:
the paper, deskew, edges, holes, the content, dropout, whiten, despeckle, brightness, contrast, gamma, the mode.
As nothing is left to be found, the same steps on the same scan give the same pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from dwtsvc.imaging import edit
from dwtsvc.imaging.borders import dark_edges, holes_on
from dwtsvc.imaging.content import content_box
from dwtsvc.imaging.despeckle import specks_of
from dwtsvc.imaging.holes import HOLE_MM
from dwtsvc.imaging.judge import mode_of, skew
from dwtsvc.imaging.pixels import plain
from dwtsvc.imaging.sheets import paper
from dwtsvc.imaging.treatment import Cleaning as Cleaning
from dwtsvc.imaging.whiten import is_white
from dwtsvc.model import MM_PER_INCH, Mode, Step

LEAST_ANGLE = 0.1  # degrees
EDGE_MM = 12.0  # how far in a dark edge may reach
SPECK_MM = 0.2  # the longest side of a speck
LARGEST_SPECK = 50  # pixels that the step takes
MARGIN_MM = 5.0  # around the content


def steps(image: Image.Image, dpi: float, cleaning: Cleaning) -> tuple[Step, ...]:
    """The steps that a page needs. `dpi` 0 takes it for an A4. BadArguments for a value that no step takes."""
    return cleaned(image, dpi, cleaning)[1]


def cleaned(image: Image.Image, dpi: float, cleaning: Cleaning) -> tuple[Image.Image, tuple[Step, ...]]:
    """The clean page and the steps that made it, for those who need both: finding them is half of the work."""
    page = _Page(plain(image), dpi)
    for find in (_paper, _deskew, _edges, _holes, _content, _dropout, _whiten, _despeckle, _tones, _mode):
        for step in find(page, cleaning):
            page.add(step)
    return page.image, tuple(page.steps)


class _Page:
    """The page as the steps found so far leave it."""

    def __init__(self, image: Image.Image, dpi: float) -> None:
        self.image = image
        self.dpi = dpi
        self.per_mm = dpi / MM_PER_INCH if dpi else max(image.size) / 297
        self.steps: list[Step] = []

    def add(self, step: Step) -> None:
        self.image = edit.apply(step, self.image)
        self.steps.append(step)

    def pixels(self, mm: float) -> int:
        return max(1, round(mm * self.per_mm))


def _paper(page: _Page, cleaning: Cleaning) -> Iterator[Step]:
    sheet = paper(page.image, page.dpi) if cleaning.crop == "paper" else None
    if sheet:
        yield sheet.step(*page.image.size)


def _deskew(page: _Page, cleaning: Cleaning) -> Iterator[Step]:
    angle = skew(page.image) if cleaning.deskew else 0.0
    if abs(angle) >= LEAST_ANGLE:
        yield Step(name="deskew", values={"angle": angle})


def _edges(page: _Page, cleaning: Cleaning) -> Iterator[Step]:
    reach = page.pixels(EDGE_MM)
    if cleaning.edges and dark_edges(page.image, reach) is not None:
        yield Step(name="edges", values={"reach": reach})


def _holes(page: _Page, cleaning: Cleaning) -> Iterator[Step]:
    size = max(4, page.pixels(HOLE_MM[1]))
    if cleaning.holes and holes_on(page.image, size):
        yield Step(name="holes", values={"size": size})


def _content(page: _Page, cleaning: Cleaning) -> Iterator[Step]:
    box = content_box(page.image, page.dpi, margin_mm=MARGIN_MM) if cleaning.crop == "content" else None
    if box and box != (0, 0, *page.image.size):
        left, top, right, bottom = box
        yield Step(name="crop", values={"left": left, "top": top, "width": right - left, "height": bottom - top})


def _dropout(page: _Page, cleaning: Cleaning) -> Iterator[Step]:
    if cleaning.dropout:
        yield Step(name="dropout", values={"colour": cleaning.dropout})


def _whiten(page: _Page, cleaning: Cleaning) -> Iterator[Step]:
    if cleaning.whiten and not is_white(page.image):
        yield Step(name="whiten")


def _despeckle(page: _Page, cleaning: Cleaning) -> Iterator[Step]:
    size = min(LARGEST_SPECK, page.pixels(SPECK_MM))
    if cleaning.despeckle and specks_of(page.image, size) is not None:
        yield Step(name="despeckle", values={"size": size})


def _tones(page: _Page, cleaning: Cleaning) -> Iterator[Step]:
    if page.image.mode == "1":
        return
    if cleaning.brightness:
        yield Step(name="brightness", values={"percent": cleaning.brightness})
    if cleaning.contrast:
        yield Step(name="contrast", values={"percent": cleaning.contrast})
    if cleaning.gamma != 1:
        yield Step(name="gamma", values={"gamma": cleaning.gamma})


def _mode(page: _Page, cleaning: Cleaning) -> Iterator[Step]:
    if cleaning.mode == "auto":
        mode = mode_of(page.image)
    else:
        mode = {"gray": Mode.GRAY, "lineart": Mode.LINEART}.get(cleaning.mode, Mode.COLOR)
    if mode is Mode.GRAY and page.image.mode == "RGB":
        yield Step(name="gray")
    elif mode is Mode.LINEART and page.image.mode != "1":
        yield Step(name="threshold", values={"method": cleaning.threshold})
