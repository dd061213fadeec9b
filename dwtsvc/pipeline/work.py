"""What a page worker does to one page. Runs in a confined process, or on another machine."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from dwtsvc import pictures
from dwtsvc.imaging import codecs, ocr
from dwtsvc.imaging.imagefiles import is_pdf, picture
from dwtsvc.imaging.treatment import Cleaning
from dwtsvc.model import Barcode, Step
from dwtsvc.pictures import Picture
from dwtsvc.pipeline import cache
from dwtsvc.pipeline.recipe import DRAWN_AT, Done, Judged, Original, Recipe, Task
from dwtsvc.text import Text

MOVING = ("trim", "crop", "deskew", "rotate", "extract", "resize")
BLANK = 0.5  # a score above it


def work(task: Task) -> list[Done]:
    """All that the recipe asks of one page: one result, or several where it is parted.

    Raises BadInput, FileAccess, Encrypted, MissingDependency, ChildProgramFailed. What an earlier run found out is
    taken from the cache, and only the picture is made anew.
    """
    known = cache.load(task)
    if known is None:
        made = list(_found(task))
        cache.save(task, made)
        return made
    return [replace(done, picture=_repeated(task, done), cached=True) for done in known]


def _found(task: Task) -> Iterator[Done]:
    recipe = task.recipe
    page = _opened(task)
    image, dpi = page.image, page.dpi
    start, turned = _upright(image, dpi, recipe)
    parts = _parts(image, dpi, start, recipe)
    for number, first in enumerate(parts, 1):
        done = _one(task, image, dpi, first)
        done = replace(done, part=number, parts=len(parts), turned=turned, guessed=page.guessed)
        yield replace(done, **page.full) if page.full else done


def _one(task: Task, image: Image.Image, dpi: float, first: tuple[Step, ...]) -> Done:
    recipe = task.recipe
    raw, raw_dpi = _applied(first, image, dpi)
    now, then = _cleaned(raw, raw_dpi, recipe.cleaning)
    now_dpi = raw_dpi
    judged = _judged(raw, recipe)
    text = None if _nothing_to_read(recipe, judged) else _text(now, now_dpi, recipe)
    last = _reduction(now, now_dpi, recipe)
    now, now_dpi = _applied(last, now, now_dpi)
    steps = (*first, *then, *last)
    return Done(
        number=task.number,
        back=task.back,
        width=now.width,
        height=now.height,
        dpi=now_dpi,
        steps=steps,
        judged=judged,
        barcodes=_barcodes(raw, raw_dpi, recipe),
        text=text,
        picture=_picture(now, now_dpi, task) if steps or task.original.whole else None,
    )


def _upright(image: Image.Image, dpi: float, recipe: Recipe) -> tuple[tuple[Step, ...], float | None]:
    """The turn that the page's own text asks for, and how sure that is; (), 0.0 where the text does not tell."""
    if not recipe.orient:
        return (), None
    from dwtsvc.imaging.orientation import orientation

    tessdata = recipe.reading.tessdata if recipe.reading else None
    found = orientation(image, dpi, tessdata=tessdata)
    if found is None or not found.degrees:
        return (), found.confidence if found else 0.0
    return (Step(name="rotate", values={"degrees": found.degrees}),), found.confidence


def _parts(image: Image.Image, dpi: float, start: tuple[Step, ...], recipe: Recipe) -> list[tuple[Step, ...]]:
    """The steps that lead to each page that lies in this one."""
    if recipe.parting == "none":
        return [start]
    from dwtsvc.imaging import book, document, edit, photos

    upright, dpi = edit.apply_all(start, image, dpi)
    if recipe.parting == "document":
        found = document.find(upright, dpi)
    else:
        found = photos.find(upright, dpi) if recipe.parting == "photos" else book.halves(upright)
    return [(*start, *steps) for steps in found] or [start]


def _judged(image: Image.Image, recipe: Recipe) -> Judged | None:
    if not (recipe.judge or recipe.measure or recipe.skip_blank):
        return None
    from dwtsvc.imaging import judge

    blank = judge.blank(image)
    found = Judged(blank=blank.score, reason=blank.reason, black=judge.black_sheet(image).black)
    if not recipe.measure:
        return found
    from dwtsvc.imaging.focus import sharpness

    return replace(found, skew=judge.skew(image), sharpness=sharpness(image).score)


def _barcodes(image: Image.Image, dpi: float, recipe: Recipe) -> tuple[Barcode, ...]:
    if recipe.barcodes is None:
        return ()
    from dwtsvc.imaging import barcode

    return tuple(barcode.read(image, types=recipe.barcodes or None, dpi=dpi))


def _nothing_to_read(recipe: Recipe, judged: Judged | None) -> bool:
    return recipe.skip_blank and judged is not None and judged.blank > BLANK


def _text(image: Image.Image, dpi: float, recipe: Recipe) -> Text | None:
    if recipe.reading is None:
        return None
    # Steps that keep the size: what is read must lie where the page shows it.
    steps = [step for step in _cleaned(image, dpi, recipe.for_reading)[1] if step.name not in MOVING]
    cleaned, dpi = _applied(steps, image, dpi)
    return ocr.read(cleaned, dpi, recipe.reading)


def _cleaned(image: Image.Image, dpi: float, wanted: Cleaning) -> tuple[Image.Image, tuple[Step, ...]]:
    """The clean page and its steps. OpenCV is not loaded, which takes as long as a quarter of a page, for nothing."""
    if wanted == Cleaning():
        return image, ()
    from dwtsvc.imaging import cleaning

    return cleaning.cleaned(image, dpi, wanted)


def _applied(steps: Sequence[Step], image: Image.Image, dpi: float) -> tuple[Image.Image, float]:
    if not steps:
        return image, dpi
    from dwtsvc.imaging import edit

    return edit.apply_all(steps, image, dpi)


def _reduction(image: Image.Image, dpi: float, recipe: Recipe) -> tuple[Step, ...]:
    """The step to the resolution at which pages are to be stored, if this one has more."""
    wanted = recipe.store_dpi
    if wanted is None or dpi <= wanted:
        return ()
    size = {
        name: max(1, round(side * wanted / dpi)) for name, side in zip(("width", "height"), image.size, strict=True)
    }
    return (Step(name="resize", values={**size, "dpi": wanted}),)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page as it was decoded; `guessed` says that nobody told its dpi. Where it has fewer pixels than the page,
    `full` are the width, height and dpi of that."""

    image: Image.Image
    dpi: float
    guessed: bool
    full: dict[str, Any] | None = None


def _opened(task: Task) -> _Page:
    """The page as its file has it. Gray and small if only text is wanted."""
    original, recipe = task.original, task.recipe
    reading = None if recipe.looks or original.whole else recipe.reading
    image, told = _image(original, reading is not None, ocr.wanted_dpi(reading) if reading else 0.0)
    page = _Page(image, told, False) if told else _Page(image, float(ocr.guess_dpi(*image.size)), True)
    width, height = _size(original) if reading else image.size
    if width <= image.width:
        return page
    return replace(page, full={"width": width, "height": height, "dpi": page.dpi * width / image.width})


def _size(original: Original) -> tuple[int, int]:
    """Width and height in pixels before anything is decoded; 0 for a page of a PDF, which comes as it is drawn."""
    if original.raster:
        return original.raster.width, original.raster.height or 0
    if is_pdf(original.content):
        return 0, 0
    file = io.BytesIO(original.content) if isinstance(original.content, bytes) else original.content
    with codecs.opened(file) as image:
        return image.size


def _image(original: Original, gray: bool, least: float) -> tuple[Image.Image, float | None]:
    if original.raster and original.encoding:
        content = original.content if isinstance(original.content, bytes) else original.content.read_bytes()
        image, dpi = pictures.load(original.encoding, original.raster, content, gray=gray, least_dpi=least)
        return image, original.dpi or (dpi if ocr.believable(dpi, *image.size) else None)
    return picture(
        original.content,
        original.index,
        dpi=DRAWN_AT,
        gray=gray,
        least_dpi=least,
        stated=original.dpi,
        password=original.password,
    )


def _picture(image: Image.Image, dpi: float, task: Task) -> Picture:
    """The page as it is now: that of a JPEG as JPEG, others lossless."""
    if task.original.lossy:
        return pictures.lossy(image, dpi, task.recipe.quality)
    return pictures.lossless(image, dpi)


def _repeated(task: Task, done: Done) -> Picture | None:
    """The picture that these steps made when they were found."""
    if not (done.steps or task.original.whole):
        return None
    page = _opened(task)
    return _picture(*_applied(done.steps, page.image, page.dpi), task)
