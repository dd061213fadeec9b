"""Edits that change the tone of pixels and leave them where they are."""

from __future__ import annotations

from collections.abc import Callable
from colorsys import rgb_to_hsv

from PIL import Image, ImageChops, ImageColor

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.pixels import to_8bit
from dwtsvc.imaging.steps import Scalar, Values

MIDDLE = 128
LEAST_CONTRAST = 40  # two classes closer than this are one paper and its noise
HUES = {"red": 0, "green": 120, "blue": 240}  # degrees
LEAST_TINT = 0.08  # of full colour: what has less is a gray
FULL_8, FULL_16 = 255, 65_535


def gray(image: Image.Image, values: Values) -> Image.Image:
    return image if image.mode in ("L", "I;16") else image.convert("L")


def threshold(image: Image.Image, values: Values) -> Image.Image:
    """Black and white; `level` 1..255 is the first gray that becomes white, "auto" leaves that to the method."""
    if image.mode == "1":
        return image
    level = values["level"]
    if level == "auto" and values["method"] == "sauvola":
        from dwtsvc.imaging.binarise import sauvola

        return sauvola(image, int(values.get("window", 0)), float(values["k"]))
    tones = to_8bit(image).convert("L")
    return parted(tones, otsu(tones.histogram()) if level == "auto" else int(level))


def parted(tones: Image.Image, first_white: int) -> Image.Image:
    """A gray image in black and white."""
    return tones.point([0] * first_white + [FULL_8] * (FULL_8 + 1 - first_white), "1")


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


def depth(image: Image.Image, values: Values) -> Image.Image:
    bits = int(values["bits"])
    if bits == 1:
        return threshold(image, {"level": "auto", "method": "otsu"})
    return to_8bit(image).convert("L" if bits == 8 else "RGB")


def invert(image: Image.Image, values: Values) -> Image.Image:
    return ImageChops.invert(image)


def brightness(image: Image.Image, values: Values) -> Image.Image:
    return _line(image, 1.0, float(values["percent"]) / 100)


def contrast(image: Image.Image, values: Values) -> Image.Image:
    """The slope goes from 0 at -100 through 1 to nearly a step at 100: black below the middle, white above."""
    percent = float(values["percent"])
    slope = (100 + percent) / 100 if percent <= 0 else 100 / max(100 - percent, 0.01)
    return _line(image, slope, 0.5 - 0.5 * slope)


def gamma(image: Image.Image, values: Values) -> Image.Image:
    """Every tone t of 0..1 becomes t ** (1 / gamma)."""
    power = 1 / float(values["gamma"])
    if image.mode == "1" or power == 1:
        return image
    if image.mode == "I;16":
        from dwtsvc.imaging.arrays import bent

        return bent(image, power)
    table = [round(FULL_8 * (level / FULL_8) ** power) for level in range(FULL_8 + 1)]
    return image.point(table * len(image.getbands()))


def hue_of(colour: Scalar) -> int:
    """The hue of red, green, blue or "#rrggbb" in degrees, 0 to 359. BadArguments for a gray."""
    if colour in HUES:
        return HUES[str(colour)]
    red, green, blue = (channel / FULL_8 for channel in ImageColor.getrgb(str(colour))[:3])
    if max(red, green, blue) - min(red, green, blue) < LEAST_TINT:
        raise BadArguments(
            f"The colour '{colour}' is a gray and cannot be told from print",
            hint=f"Choose {', '.join(HUES)}, or a colour with a hue like #d04030.",
        )
    return round(rgb_to_hsv(red, green, blue)[0] * 360) % 360


def _line(image: Image.Image, slope: float, offset: float) -> Image.Image:
    """Every tone t of 0..1 becomes slope * t + offset, clipped."""
    if image.mode == "1" or (slope, offset) == (1.0, 0.0):
        return image
    if image.mode == "I;16":
        return _line_16(image, slope, offset)
    table = [min(FULL_8, max(0, round(slope * level + offset * FULL_8))) for level in range(FULL_8 + 1)]
    return image.point(table * len(image.getbands()))


def _line_16(image: Image.Image, slope: float, offset: float) -> Image.Image:
    """In 32 bits, because Pillow's 16-bit arithmetic wraps around; its conversion back clips."""
    line: Callable[[float], float] = lambda tone: tone * slope + (offset * FULL_16 + 0.5)  # noqa: E731
    return image.convert("I").point(line).convert("I;16")
