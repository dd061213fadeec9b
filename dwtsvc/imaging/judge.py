"""What a page is: colour, gray, or black and white. In doubt it is the richer one, which loses nothing."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter

from dwtsvc.imaging.pixels import plain, to_8bit
from dwtsvc.model import Mode

REDUCTION = 4  # 300 dpi to 75: averages noise and the colour fringes at edges away, keeps a pen stroke
PAPER_SHARE = 0.10  # the paper is brighter than all but this part of the page, dust and gloss apart
COLOURFUL = 40  # levels between the strongest and weakest channel, once the paper's tint is taken off
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
        if _share(_spread(small), COLOURFUL, 255) > COLOUR_SHARE:
            return Mode.COLOR
    return Mode.GRAY if _has_tones(small.convert("L")) else Mode.LINEART


def _neutral(image: Image.Image) -> Image.Image:
    """The image with its paper made white: each channel stretched so that the paper's tint is gone."""
    bands = [_stretched(band) for band in image.split()]
    return Image.merge("RGB", bands)


def _stretched(band: Image.Image) -> Image.Image:
    paper = max(1, _paper(band))
    return band.point([min(255, level * 255 // paper) for level in range(256)])


def _paper(band: Image.Image) -> int:
    """The level that all but PAPER_SHARE of the pixels do not exceed."""
    left = band.width * band.height * PAPER_SHARE
    for level, count in reversed(list(enumerate(band.histogram()))):
        left -= count
        if left < 0:
            return level
    return 0


def _spread(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    strongest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    weakest = ImageChops.darker(ImageChops.darker(red, green), blue)
    return ImageChops.subtract(strongest, weakest)


def _has_tones(gray: Image.Image) -> bool:
    paper = _paper(gray)
    darkest = gray.filter(ImageFilter.MinFilter(TONE_WINDOW))
    brightest = gray.filter(ImageFilter.MaxFilter(TONE_WINDOW))
    dark, bright = int(paper * DARK), int(paper * BRIGHT)
    no_ink = darkest.point([255 * (level > dark) for level in range(256)])
    no_paper = brightest.point([255 * (level < bright) for level in range(256)])
    return _share(ImageChops.darker(no_ink, no_paper), 255, 255) > TONE_SHARE


def _share(image: Image.Image, low: int, high: int) -> float:
    """The part of the pixels whose level is low..high."""
    return sum(image.histogram()[low : high + 1]) / (image.width * image.height)
