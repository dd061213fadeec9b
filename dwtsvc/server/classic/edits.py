"""Classic methods that edit images: each is a step beside the image, so all of them can be undone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dwtsvc.errors import BadArguments
from dwtsvc.model import Step
from dwtsvc.server import parsing
from dwtsvc.server.classic.client import Client, size_of
from dwtsvc.server.classic.methods import Group, Index, Indices, Result
from dwtsvc.server.gate.access import Access

METHODS = Group()
INTERPOLATIONS = {1: "nearest", 2: "bilinear", 3: "bicubic", 5: "best"}
FULL_SCALE = 1000  # brightness and contrast are said from -1000 to 1000
BITS = (1, 8, 24)


class Turn(msgspec.Struct, frozen=True):
    """`angle` in degrees, clockwise; `keepSize` cuts the corners off instead of making the page larger."""

    angle: float
    indices: list[int] | None = None
    keepSize: bool = False
    interpolation: int = 3


class Box(msgspec.Struct, frozen=True):
    """A rectangle in pixels: left and top are in it, right and bottom are not."""

    left: int
    top: int
    right: int
    bottom: int
    indices: list[int] | None = None


class Erased(Box, frozen=True):
    """`fill` is a colour such as #ffffff, or paper."""

    fill: str = "paper"


class Size(msgspec.Struct, frozen=True):
    """In pixels; one of them may be left out to keep the shape."""

    width: int | None = None
    height: int | None = None
    indices: list[int] | None = None
    interpolation: int = 5


class Dpi(msgspec.Struct, frozen=True):
    """`resample` makes the image that many pixels, else only what it says of itself changes."""

    dpi: int
    indices: list[int] | None = None
    resample: bool = False


class Depth(msgspec.Struct, frozen=True):
    """`bits` of a pixel: 1, 8 or 24."""

    bits: int
    indices: list[int] | None = None


class Level(msgspec.Struct, frozen=True):
    """`level` 1 to 255 is the first gray that becomes white; without it the best one is found."""

    level: int | None = None
    indices: list[int] | None = None


class Amount(msgspec.Struct, frozen=True):
    """`value` from -1000 to 1000."""

    value: int
    indices: list[int] | None = None


class Blocks(msgspec.Struct, frozen=True):
    """Marks of these sizes in pixels are content; without them, what a person would take for it."""

    index: int
    minBlockHeight: float | None = None
    maxBlockHeight: float | None = None


def _change(client: Client, indices: Sequence[int] | None, *steps: Step) -> Result:
    for leaf in client.chosen(indices):
        client.change(leaf, *steps)
    return [True]


def _interpolation(number: int) -> str:
    if number not in INTERPOLATIONS:
        known = ", ".join(f"{each} {name}" for each, name in INTERPOLATIONS.items())
        raise BadArguments(f"There is no interpolation {number}", hint=f"Choose one of: {known}.")
    return INTERPOLATIONS[number]


@METHODS.method("Rotate", Access.EDIT, Turn)
def rotate(client: Client, wants: Turn) -> Result:
    """Turn images by an angle."""
    way = _interpolation(wants.interpolation)
    turn = Step(name="rotate", values={"degrees": wants.angle, "expand": not wants.keepSize, "interpolation": way})
    return _change(client, wants.indices, turn)


@METHODS.method("RotateLeft", Access.EDIT, Indices)
def left(client: Client, wants: Indices) -> Result:
    """Turn images by 90 degrees against the clock."""
    return _change(client, wants.indices, Step(name="rotate", values={"degrees": -90}))


@METHODS.method("RotateRight", Access.EDIT, Indices)
def right(client: Client, wants: Indices) -> Result:
    """Turn images by 90 degrees with the clock."""
    return _change(client, wants.indices, Step(name="rotate", values={"degrees": 90}))


@METHODS.method("Flip", Access.EDIT, Indices)
def flip(client: Client, wants: Indices) -> Result:
    """Turn images upside down as in water."""
    return _change(client, wants.indices, Step(name="flip", values={"axis": "vertical"}))


@METHODS.method("Mirror", Access.EDIT, Indices)
def mirror(client: Client, wants: Indices) -> Result:
    """Exchange left and right as in a mirror."""
    return _change(client, wants.indices, Step(name="flip", values={"axis": "horizontal"}))


@METHODS.method("Crop", Access.EDIT, Box)
def crop(client: Client, wants: Box) -> Result:
    """Keep only a rectangle of images."""
    return _change(client, wants.indices, Step(name="crop", values=_rectangle(wants)))


@METHODS.method("Erase", Access.EDIT, Erased)
def erase(client: Client, wants: Erased) -> Result:
    """Fill a rectangle of images with a colour."""
    return _change(client, wants.indices, Step(name="erase", values={**_rectangle(wants), "fill": wants.fill}))


def _rectangle(box: Box) -> dict[str, float | str | bool]:
    return {"left": box.left, "top": box.top, "width": box.right - box.left, "height": box.bottom - box.top}


@METHODS.method("ChangeImageSize", Access.EDIT, Size)
def resize(client: Client, wants: Size) -> Result:
    """Make images of another size."""
    if wants.width is None and wants.height is None:
        raise BadArguments("The new size is missing", hint="Send width, height, or both, in pixels.")
    sides = {"width": wants.width, "height": wants.height}
    values = {name: value for name, value in sides.items() if value is not None}
    how: dict[str, float | str | bool] = {**values, "interpolation": _interpolation(wants.interpolation)}
    return _change(client, wants.indices, Step(name="resize", values=how))


@METHODS.method("SetDPI", Access.EDIT, Dpi)
def set_dpi(client: Client, wants: Dpi) -> Result:
    """Say, or make, images of another resolution."""
    for leaf in client.chosen(wants.indices):
        values: dict[str, float | str | bool] = {"dpi": wants.dpi}
        if wants.resample:
            width, _, dpi = size_of(leaf)
            values["width"] = max(1, round(width * wants.dpi / (dpi or wants.dpi)))
        client.change(leaf, Step(name="resize" if wants.resample else "dpi", values=values))
    return [True]


@METHODS.method("ChangeBitDepth", Access.EDIT, Depth)
def depth(client: Client, wants: Depth) -> Result:
    """Make images black and white, gray or coloured."""
    if wants.bits not in BITS:
        raise BadArguments(f"There is no depth of {wants.bits} bits", hint="Choose 1, 8 or 24.")
    return _change(client, wants.indices, Step(name="depth", values={"bits": wants.bits}))


@METHODS.method("ConvertToBW", Access.EDIT, Level)
def to_bw(client: Client, wants: Level) -> Result:
    """Make images black and white."""
    level = "auto" if wants.level is None else wants.level
    return _change(client, wants.indices, Step(name="threshold", values={"level": level}))


@METHODS.method("ConvertToGrayScale", Access.EDIT, Indices)
def to_gray(client: Client, wants: Indices) -> Result:
    """Make images gray."""
    return _change(client, wants.indices, Step(name="gray"))


@METHODS.method("Invert", Access.EDIT, Indices)
def invert(client: Client, wants: Indices) -> Result:
    """Make negatives of images."""
    return _change(client, wants.indices, Step(name="invert"))


@METHODS.method("ChangeBrightness", Access.EDIT, Amount)
def brightness(client: Client, wants: Amount) -> Result:
    """Make images brighter or darker."""
    return _change(client, wants.indices, Step(name="brightness", values={"percent": _percent(wants.value)}))


@METHODS.method("ChangeContrast", Access.EDIT, Amount)
def contrast(client: Client, wants: Amount) -> Result:
    """Give images more or less contrast."""
    return _change(client, wants.indices, Step(name="contrast", values={"percent": _percent(wants.value)}))


def _percent(value: int) -> float:
    if not -FULL_SCALE <= value <= FULL_SCALE:
        raise BadArguments(f"The value cannot be {value}", hint=f"Choose one from {-FULL_SCALE} to {FULL_SCALE}.")
    return value * 100 / FULL_SCALE


@METHODS.method("Deskew", Access.EDIT, Indices)
def deskew(client: Client, wants: Indices) -> Result:
    """Straighten images that lean."""
    return _change(client, wants.indices, Step(name="deskew"))


@METHODS.method("GetSkewAngle", Access.READ, Index, confined=True)
def skew(client: Client, wants: Index) -> Result:
    """The degrees by which an image leans, clockwise positive."""
    leaf = client.leaf(wants.index)
    data = client.content(leaf)
    return [client.service.confined.run(client.bucket, parsing.skew, leaf.page, data, leaf.steps)]


@METHODS.method("IsBlankImage", Access.READ, Blocks, confined=True)
def blank(client: Client, wants: Blocks) -> Result:
    """Whether there is nothing on an image, how sure that is, and why."""
    leaf = client.leaf(wants.index)
    asked = leaf.page, client.content(leaf), leaf.steps, wants.minBlockHeight, wants.maxBlockHeight
    found = client.service.confined.run(client.bucket, parsing.blank, *asked)
    return [found.blank, found.score, found.reason]


@METHODS.method("Undo", Access.EDIT, Indices)
def undo(client: Client, wants: Indices) -> Result:
    """Take back the last edit of images."""
    for leaf in client.chosen(wants.indices):
        client.buffer.undo(leaf.id)
    return [True]


@METHODS.method("Redo", Access.EDIT, Indices)
def redo(client: Client, wants: Indices) -> Result:
    """Do the edits again that were taken back last."""
    for leaf in client.chosen(wants.indices):
        client.buffer.redo(leaf.id)
    return [True]
