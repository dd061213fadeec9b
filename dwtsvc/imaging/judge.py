"""What a page is: colour, gray, or black and white; in doubt the richer one. Whether it is blank; how it leans.

What needs OpenCV is judged elsewhere: sharpness in focus.py, paper on the glass in sheets.py, content in content.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageChops, ImageFilter

from dwtsvc.imaging.blank import Blank, blank
from dwtsvc.imaging.paper import level_of
from dwtsvc.imaging.papersize import page_size
from dwtsvc.imaging.pixels import plain, to_8bit
from dwtsvc.imaging.skew import skew
from dwtsvc.model import Mode

__all__ = ["BlackSheet", "Blank", "black_sheet", "blank", "compression", "mode_of", "page_size", "skew"]

REDUCTION = 4  # 300 dpi to 75: averages noise away, keeps a pen stroke
COLOURFUL = 40  # levels between the strongest and weakest channel, once the paper's tint is taken off
BLUR = 2  # radius at 75 dpi: red above a line and blue below it, a scanner out of register, cancel out; ink does not
STILL_COLOURFUL = 14  # levels left after the blur
COLOUR_SHARE = 0.0005  # of the page: a signature in blue ink
DARK, BRIGHT = 0.25, 0.80  # of the paper's brightness: ink and paper; what is between is a tone
TONE_WINDOW = 7  # at 75 dpi: a tone has neither ink nor paper within 1 mm, the edge of a letter has both
TONE_SHARE = 0.005  # of the page: a passport photo
BLACK = 90  # levels: what scanners make of black card is darker
BLACK_SHARE = 0.95  # of the page inside its margin
BLACK_MARGIN = 0.04  # of the long side: the lid beside a sheet that lies askew
FLAT_TONES = 64  # a drawing made by a program has no more, a scan always has

Compression = Literal["g4", "jpeg", "flate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlackSheet:
    """`score` is the share of the page, but for its margin, that is black; `black` if that is nearly all of it."""

    score: float
    black: bool
    reason: str


def black_sheet(image: Image.Image) -> BlackSheet:
    """Whether a page is a black sheet, laid between documents to part them."""
    small = _reduced(to_8bit(plain(image))).convert("L")
    margin = round(max(small.size) * BLACK_MARGIN)
    if min(small.size) > 2 * margin:
        small = small.crop((margin, margin, small.width - margin, small.height - margin))
    share = 1 - _share(_mask(small, BLACK))
    return BlackSheet(score=round(share, 3), black=share >= BLACK_SHARE, reason=f"{share:.1%} of the page is black")


def compression(image: Image.Image) -> Compression:
    """What keeps a page small and true: g4 for lineart, flate for 16 bits and for flat drawings, jpeg for the rest."""
    image = plain(image)
    if image.mode == "I;16":
        return "flate"
    if mode_of(image) is Mode.LINEART:
        return "g4"
    return "jpeg" if image.getcolors(FLAT_TONES) is None else "flate"


def mode_of(image: Image.Image) -> Mode:
    """COLOR, GRAY or LINEART: the poorest mode that still shows what is on a page of about 150 dpi or more."""
    image = to_8bit(plain(image))
    if image.mode == "1":
        return Mode.LINEART
    small = _reduced(image)
    if small.mode == "RGB":
        small = _neutral(small)
        if _is_colourful(small):
            return Mode.COLOR
    return Mode.GRAY if _has_tones(small.convert("L")) else Mode.LINEART


def _reduced(image: Image.Image) -> Image.Image:
    return (image.convert("L") if image.mode == "1" else image).reduce(REDUCTION)


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
