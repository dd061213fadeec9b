"""What a page is: colour, gray, or black and white; in doubt the richer one. Whether it is blank; how it leans."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter

from dwtsvc.imaging.blank import Blank, blank
from dwtsvc.imaging.paper import level_of
from dwtsvc.imaging.pixels import plain, to_8bit
from dwtsvc.imaging.skew import skew
from dwtsvc.model import Mode

__all__ = ["Blank", "blank", "mode_of", "skew"]

REDUCTION = 4  # 300 dpi to 75: averages noise away, keeps a pen stroke
COLOURFUL = 40  # levels between the strongest and weakest channel, once the paper's tint is taken off
BLUR = 2  # radius at 75 dpi: red above a line and blue below it, a scanner out of register, cancel out; ink does not
STILL_COLOURFUL = 14  # levels left after the blur
COLOUR_SHARE = 0.0005  # of the page: a signature in blue ink
DARK, BRIGHT = 0.25, 0.80  # of the paper's brightness: ink and paper; what is between is a tone
TONE_WINDOW = 7  # at 75 dpi: a tone has neither ink nor paper within 1 mm, the edge of a letter has both
TONE_SHARE = 0.005  # of the page: a passport photo


def mode_of(image: Image.Image) -> Mode:
    """COLOR, GRAY or LINEART: the poorest mode that still shows what is on a page of about 150 dpi or more."""
    image = to_8bit(plain(image))
    if image.mode == "1":
        return Mode.LINEART
    small = image.reduce(REDUCTION)
    if small.mode == "RGB":
        small = _neutral(small)
        if _is_colourful(small):
            return Mode.COLOR
    return Mode.GRAY if _has_tones(small.convert("L")) else Mode.LINEART


def _neutral(image: Image.Image) -> Image.Image:
    """The image with its paper made white: each channel stretched so that the paper's tint is gone."""
    bands = [_stretched(band) for band in image.split()]
    return Image.merge("RGB", bands)


def _stretched(band: Image.Image) -> Image.Image:
    paper = max(1, level_of(band))
    return band.point([min(255, level * 255 // paper) for level in range(256)])


def _is_colourful(image: Image.Image) -> bool:
    sharp = _mask(_spread(image), COLOURFUL)
    blurred = _mask(_spread(image.filter(ImageFilter.BoxBlur(BLUR))), STILL_COLOURFUL)
    return _share(ImageChops.darker(sharp, blurred)) > COLOUR_SHARE


def _spread(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    strongest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    weakest = ImageChops.darker(ImageChops.darker(red, green), blue)
    return ImageChops.subtract(strongest, weakest)


def _has_tones(gray: Image.Image) -> bool:
    paper = level_of(gray)
    no_ink = _mask(gray.filter(ImageFilter.MinFilter(TONE_WINDOW)), int(paper * DARK))
    no_paper = ImageChops.invert(_mask(gray.filter(ImageFilter.MaxFilter(TONE_WINDOW)), int(paper * BRIGHT)))
    return _share(ImageChops.darker(no_ink, no_paper)) > TONE_SHARE


def _mask(image: Image.Image, level: int) -> Image.Image:
    """255 where the image is brighter than the level, else 0."""
    return image.point([255 * (value > level) for value in range(256)])


def _share(mask: Image.Image) -> float:
    """The part of the pixels that are set."""
    return mask.histogram()[255] / (mask.width * mask.height)
