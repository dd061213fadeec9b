"""Steps on images. A step goes in with an image, and a new image comes out; the steps themselves are in steps.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module

from PIL import Image

from dwtsvc.errors import TooLarge
from dwtsvc.imaging import geometry, tones
from dwtsvc.imaging.codecs import MAX_PIXELS
from dwtsvc.imaging.judge import skew
from dwtsvc.imaging.pixels import plain
from dwtsvc.imaging.steps import KINDS, Values, check, schema
from dwtsvc.imaging.tones import otsu
from dwtsvc.model import Step

__all__ = ["KINDS", "apply", "apply_all", "check", "otsu", "schema", "size_after"]

Edit = Callable[[Image.Image, Values], Image.Image]
Measure = Callable[[geometry.Size, Values], geometry.Size]


def apply(step: Step, image: Image.Image) -> Image.Image:
    """The image after one step, in mode 1, L, I;16 or RGB; the one that came in is left as it is.

    A step that changes nothing may answer the same image. BadArguments for a name or value that does not exist, with
    those that do, and for a rectangle off the page; TooLarge for more pixels than any page may have.
    """
    values = check(step)
    _measured(step, values, image.size)
    return EDITS[step.name](plain(image), values)


def apply_all(steps: Iterable[Step], image: Image.Image, dpi: float) -> tuple[Image.Image, float]:
    """The image and its stated resolution after all steps, first to last; `dpi` 0 means unknown. Raises as `apply`."""
    for step in steps:
        image = apply(step, image)
        dpi = _dpi_after(step, dpi)
    return image, dpi


def size_after(steps: Iterable[Step], width: int, height: int, dpi: float) -> tuple[int, int, float]:
    """Width and height in pixels and dpi of a page after the steps, exactly as `apply_all` makes it. Raises as that."""
    size = (width, height)
    for step in steps:
        size = _measured(step, check(step), size)
        dpi = _dpi_after(step, dpi)
    return (*size, dpi)


def _dpi_after(step: Step, dpi: float) -> float:
    return float(step.values.get("dpi", dpi))


def _measured(step: Step, values: Values, size: geometry.Size) -> geometry.Size:
    measure = SIZES.get(step.name)
    width, height = measure(size, values) if measure else size
    if width * height > MAX_PIXELS:
        raise TooLarge(
            f"The step '{step.name}' would make a page of {width} x {height} pixels",
            hint=f"A page has at most {MAX_PIXELS:,} pixels.",
        )
    return width, height


def _same(image: Image.Image, values: Values) -> Image.Image:
    return image


def _deskew(image: Image.Image, values: Values) -> Image.Image:
    known = "angle" in values
    leaning = float(values["angle"]) if known else skew(image)
    if abs(leaning) < max(0.0 if known else float(values["least"]), 1e-9):
        return image
    return geometry.turned(image, -leaning, image.size, values)


def _late(module: str, function: str) -> Edit:
    """An edit of a module that imports OpenCV, which costs a tenth of a second: not before it is needed."""

    def edit(image: Image.Image, values: Values) -> Image.Image:
        carried_out: Edit = getattr(import_module(f"dwtsvc.imaging.{module}"), function)
        return carried_out(image, values)

    return edit


def _hued(size: geometry.Size, values: Values) -> geometry.Size:
    """Only to refuse a colour without a hue before there is an image."""
    tones.hue_of(values["colour"])
    return size


EDITS: dict[str, Edit] = {
    "rotate": geometry.rotate,
    "flip": geometry.flip,
    "mirror": geometry.mirror,
    "crop": geometry.crop,
    "extract": geometry.extract,
    "erase": geometry.erase,
    "resize": geometry.resize,
    "dpi": _same,
    "depth": tones.depth,
    "gray": tones.gray,
    "threshold": tones.threshold,
    "invert": tones.invert,
    "brightness": tones.brightness,
    "contrast": tones.contrast,
    "gamma": tones.gamma,
    "sharpen": _late("focus", "sharpen"),
    "despeckle": _late("despeckle", "despeckle"),
    "whiten": _late("whiten", "whiten"),
    "dropout": _late("dropout", "drop"),
    "edges": _late("borders", "edges"),
    "holes": _late("borders", "holes"),
    "deskew": _deskew,
}
SIZES: dict[str, Measure] = {  # of the steps that change the size, or that need to know it
    "rotate": geometry.rotated_size,
    "crop": geometry.cropped_size,
    "extract": geometry.extracted_size,
    "erase": geometry.erased_size,
    "resize": geometry.resized_size,
    "dropout": _hued,
}
