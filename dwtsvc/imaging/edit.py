"""Steps on images: rotate, flip, crop, gray, threshold. An image goes in, a new one comes out."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.pixels import plain, to_8bit
from dwtsvc.model import Step

Values = dict[str, float | str | bool]

TURNS = {  # clockwise for the user, counter-clockwise in Pillow's names
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
FLIPS = {
    "horizontal": Image.Transpose.FLIP_LEFT_RIGHT,
    "vertical": Image.Transpose.FLIP_TOP_BOTTOM,
}
MIDDLE = 128
LEAST_CONTRAST = 40  # two classes closer than this are one paper and its noise


def apply(step: Step, image: Image.Image) -> Image.Image:
    """The image after one step; BadArguments for a name or value that does not exist, with those that do."""
    if step.name not in STEPS:
        raise BadArguments(f"There is no step '{step.name}'", hint=f"Choose one of: {', '.join(STEPS)}.")
    known, edit = STEPS[step.name]
    for name in step.values:
        if name not in known:
            allowed = f"It knows: {', '.join(known)}." if known else "It has none."
            raise BadArguments(f"The step '{step.name}' has no value '{name}'", hint=allowed)
    return edit(image, step.values)


def _rotate(image: Image.Image, values: Values) -> Image.Image:
    degrees = values.get("degrees", 90)
    if degrees == 0:
        return image
    if isinstance(degrees, bool) or degrees not in TURNS:
        raise BadArguments(
            f"A page cannot be rotated by '{degrees}' degrees", hint="Choose 0, 90, 180 or 270, clockwise."
        )
    return image.transpose(TURNS[int(degrees)])


def _flip(image: Image.Image, values: Values) -> Image.Image:
    axis = str(values.get("axis", "horizontal"))
    if axis not in FLIPS:
        raise BadArguments(f"A page cannot be flipped along '{axis}'", hint=f"Choose {' or '.join(FLIPS)}.")
    return image.transpose(FLIPS[axis])


def _crop(image: Image.Image, values: Values) -> Image.Image:
    left, top = _pixels(values, "left", 0), _pixels(values, "top", 0)
    width = _pixels(values, "width", image.width - left)
    height = _pixels(values, "height", image.height - top)
    box = (left, top, left + width, top + height)
    if min(left, top) < 0 or min(width, height) < 1 or box[2] > image.width or box[3] > image.height:
        raise BadArguments(
            f"{width} x {height} pixels at {left}, {top} are not on the page",
            hint=f"The page has {image.width} x {image.height} pixels.",
        )
    return image.crop(box)


def _pixels(values: Values, name: str, default: int) -> int:
    value = values.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        raise BadArguments(f"The value '{name}' must be a whole number of pixels, not '{value}'")
    return int(value)


def _gray(image: Image.Image, values: Values) -> Image.Image:
    image = plain(image)
    return image if image.mode in ("L", "I;16") else image.convert("L")


def _threshold(image: Image.Image, values: Values) -> Image.Image:
    """Black and white; `level` 1..255 is the first gray that becomes white, "auto" (the default) is Otsu's."""
    image = to_8bit(plain(image))
    if image.mode == "1":
        return image
    gray = image.convert("L")
    level = values.get("level", "auto")
    first_white = otsu(gray.histogram()) if level == "auto" else _level(level)
    return gray.point([0] * first_white + [255] * (256 - first_white), "1")


def _level(level: float | str | bool) -> int:
    if isinstance(level, (bool, str)) or not 1 <= level <= 255:
        raise BadArguments(f"The threshold cannot be '{level}'", hint="Choose auto or a number from 1 to 255.")
    return int(level)


def otsu(histogram: list[int]) -> int:
    """The gray level 1..255 that best parts 256 counts in two: levels below are dark.

    A page of one tone has nothing to part; there the middle is taken, so that the noise of blank paper stays white.
    """
    count, total = sum(histogram), sum(level * n for level, n in enumerate(histogram))
    best, best_level, below, below_total, apart = -1.0, MIDDLE, 0, 0, 0.0
    for level in range(1, 256):
        below += histogram[level - 1]
        below_total += (level - 1) * histogram[level - 1]
        above = count - below
        if not below or not above:
            continue
        distance = (total - below_total) / above - below_total / below
        if below * above * distance * distance > best:
            best, best_level, apart = below * above * distance * distance, level, distance
    return best_level if apart >= LEAST_CONTRAST else MIDDLE


STEPS: dict[str, tuple[tuple[str, ...], Callable[[Image.Image, Values], Image.Image]]] = {
    "rotate": (("degrees",), _rotate),
    "flip": (("axis",), _flip),
    "crop": (("left", "top", "width", "height"), _crop),
    "gray": ((), _gray),
    "threshold": (("level",), _threshold),
}
