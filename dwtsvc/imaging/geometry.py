"""Edits that move pixels: turn, mirror, crop, extract, erase, resize. Sizes are known without any pixel."""

from __future__ import annotations

import math

from PIL import Image, ImageColor

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.paper import paper_of
from dwtsvc.imaging.steps import Scalar, Values
from dwtsvc.imaging.tones import MIDDLE, parted

Size = tuple[int, int]
Box = tuple[int, int, int, int]
Corner = tuple[float, float]

TURNS = {  # clockwise for the user, counter-clockwise in Pillow's names
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
FLIPS = {
    "horizontal": Image.Transpose.FLIP_LEFT_RIGHT,
    "vertical": Image.Transpose.FLIP_TOP_BOTTOM,
}
TURNING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "best": Image.Resampling.BICUBIC,
}
RESIZING = {**TURNING, "best": Image.Resampling.LANCZOS}
REDUCING_GAP = 2.0  # to a thumbnail several times as fast, no difference to be seen
LONGEST = 32_766  # pixels: OpenCV moves nothing that is longer
HAIR = 1e-6  # of a pixel: what floating point adds to a side that is whole


def rotate(image: Image.Image, values: Values) -> Image.Image:
    """Clockwise. A quarter turn moves pixels and makes none; any other angle interpolates, bitonal pages through gray.

    Without `expand` the page keeps its size about its middle.
    """
    degrees = float(values["degrees"]) % 360
    size = rotated_size(image.size, values)
    if degrees in TURNS:
        return _centred(image.transpose(TURNS[int(degrees)]), size, values["fill"])
    return turned(image, degrees, size, values) if degrees else image


def rotated_size(size: Size, values: Values) -> Size:
    degrees = float(values["degrees"]) % 360
    if not values["expand"] or degrees in (0, 180):
        return size
    if degrees in (90, 270):
        return size[1], size[0]
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    width, height = size
    return math.ceil(width * cosine + height * sine - HAIR), math.ceil(width * sine + height * cosine - HAIR)


def turned(image: Image.Image, degrees: float, size: Size, values: Values) -> Image.Image:
    """The image turned clockwise about its middle, on a sheet of `size`; `values` say fill and interpolation.

    By OpenCV; by Pillow, in four times the time, where a side is too long for that.
    """
    if max(*image.size, *size) > LONGEST:
        return _turned_slowly(image, degrees, size, values)
    from dwtsvc.imaging import warp

    method, fill = str(values["interpolation"]), colour(image, values["fill"])
    return _back(warp.affine(image, _inverse(image.size, size, degrees), size, method, fill), image.mode)


def _turned_slowly(image: Image.Image, degrees: float, size: Size, values: Values) -> Image.Image:
    """Pillow interpolates neither 1 bit nor (rightly) 16: those go through 8 and 32 bits."""
    method = TURNING[str(values["interpolation"])]
    mode, fill = image.mode, colour(image, values["fill"])
    if method is not Image.Resampling.NEAREST and mode in WIDER:
        image = image.convert(WIDER[mode])
    moved = image.transform(size, Image.Transform.AFFINE, _inverse(image.size, size, degrees), method, fillcolor=fill)
    return _back(moved, mode)


WIDER = {"1": "L", "I;16": "I"}


def _back(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode:
        return image
    return parted(image, MIDDLE) if mode == "1" else image.convert(mode)


def _inverse(old: Size, new: Size, degrees: float) -> tuple[float, ...]:
    """The affine map from a place on the new sheet to its place on the old one, middle to middle."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = new[0] / 2, new[1] / 2
    return (
        *(cosine, sine, old[0] / 2 - cosine * x - sine * y),
        *(-sine, cosine, old[1] / 2 + sine * x - cosine * y),
    )


def _centred(image: Image.Image, size: Size, fill: Scalar) -> Image.Image:
    if image.size == size:
        return image
    sheet = Image.new(image.mode, size, colour(image, fill))
    sheet.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return sheet


def colour(image: Image.Image, fill: Scalar) -> int | tuple[int, ...]:
    """A colour "#rrggbb", or "paper", as a pixel of the image's mode."""
    if fill == "paper":
        return paper_of(image)
    red, green, blue = ImageColor.getrgb(str(fill))[:3]
    if image.mode == "RGB":
        return red, green, blue
    gray = (red * 299 + green * 587 + blue * 114) // 1000
    return {"1": 255 * (gray >= MIDDLE), "I;16": gray * 257}.get(image.mode, gray)


def flip(image: Image.Image, values: Values) -> Image.Image:
    return image.transpose(FLIPS[str(values["axis"])])


def mirror(image: Image.Image, values: Values) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def crop(image: Image.Image, values: Values) -> Image.Image:
    return image.crop(box(image.size, values))


def cropped_size(size: Size, values: Values) -> Size:
    left, top, right, bottom = box(size, values)
    return right - left, bottom - top


def extract(image: Image.Image, values: Values) -> Image.Image:
    """What four corners enclose, made straight; along whole pixels it is a crop."""
    from dwtsvc.imaging import warp

    size, fill = extracted_size(image.size, values), colour(image, values["fill"])
    return _back(warp.straightened(image, corners_of(values), size, str(values["interpolation"]), fill), image.mode)


def corners_of(values: Values) -> tuple[Corner, ...]:
    return tuple((float(values[f"x{number}"]), float(values[f"y{number}"])) for number in range(1, 5))


def extracted_size(size: Size, values: Values) -> Size:
    """BadArguments unless the corners go clockwise round an area, and where a side is too long for OpenCV."""
    corners = corners_of(values)
    if not all(turn > HAIR for turn in _turns(corners)):
        raise BadArguments(
            "The four corners enclose nothing that could be made straight",
            hint="They go clockwise: top left, top right, bottom right, bottom left.",
        )
    top_left, top_right, bottom_right, bottom_left = corners
    width = max(math.dist(top_left, top_right), math.dist(bottom_left, bottom_right))
    height = max(math.dist(top_left, bottom_left), math.dist(top_right, bottom_right))
    made = int(values.get("width") or max(1, round(width))), int(values.get("height") or max(1, round(height)))
    if max(*size, *made) > LONGEST:
        raise BadArguments(
            f"{made[0]} x {made[1]} pixels cannot be extracted from {size[0]} x {size[1]}",
            hint=f"No side may have more than {LONGEST:,} pixels.",
        )
    return made


def _turns(corners: tuple[Corner, ...]) -> list[float]:
    """For each corner twice the area of the triangle with its neighbours, positive if it goes clockwise."""
    around = (*corners, *corners[:2])
    return [
        (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
        for a, b, c in zip(around, around[1:], around[2:], strict=False)
    ]


def erase(image: Image.Image, values: Values) -> Image.Image:
    rectangle = box(image.size, values)
    fill = colour(image, values["fill"])
    image = image.copy()
    image.paste(fill, rectangle)
    return image


def erased_size(size: Size, values: Values) -> Size:
    box(size, values)
    return size


def box(size: Size, values: Values) -> Box:
    """The rectangle of the values left, top, width, height in pixels; BadArguments if it is not on the page."""
    across, down = (_percent, _percent) if values["unit"] == "percent" else (_whole, _whole)
    left, right = across("left", "width", size[0], values)
    top, bottom = down("top", "height", size[1], values)
    if right <= left or bottom <= top or right > size[0] or bottom > size[1]:
        raise BadArguments(
            f"{right - left} x {bottom - top} pixels at {left}, {top} are not on the page",
            hint=f"The page has {size[0]} x {size[1]} pixels.",
        )
    return left, top, right, bottom


def _whole(start: str, length: str, whole: int, values: Values) -> tuple[int, int]:
    first = _pixels(start, values[start])
    return first, first + _pixels(length, values[length]) if length in values else whole


def _pixels(name: str, value: Scalar) -> int:
    if float(value) != int(value):
        raise BadArguments(
            f"The value '{name}' must be a whole number of pixels, not '{value}'",
            hint="Or give percent of the page with unit=percent.",
        )
    return int(value)


def _percent(start: str, length: str, whole: int, values: Values) -> tuple[int, int]:
    """Both ends are rounded to pixels, so that neighbours meet without a gap; a percent never rounds off the page."""
    first = float(values[start])
    last = first + float(values[length]) if length in values else 100.0
    return round(first * whole / 100), round(last * whole / 100)


def resize(image: Image.Image, values: Values) -> Image.Image:
    """Bitonal pages are resized through gray, but for nearest."""
    size = resized_size(image.size, values)
    if size == image.size:
        return image
    method = RESIZING[str(values["interpolation"])]
    mode = image.mode
    if method is Image.Resampling.NEAREST or mode == "I;16":
        return image.resize(size, method)
    wider = image.convert("L") if mode == "1" else image
    return _back(wider.resize(size, method, reducing_gap=REDUCING_GAP), mode)


def resized_size(size: Size, values: Values) -> Size:
    width, height = values.get("width"), values.get("height")
    if width is None and height is None:
        return size
    if width is None:
        width = max(1, round(size[0] * int(height or 1) / size[1]))
    elif height is None:
        height = max(1, round(size[1] * int(width) / size[0]))
    return int(width), int(height or 1)
