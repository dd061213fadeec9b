"""The photograph among the virtual scanner's documents: a lake in the evening, computed."""

from __future__ import annotations

import math
from functools import lru_cache
from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageOps

_WIDTH, _HEIGHT = 1200, 798
_SHORE = 520  # the row where the water begins
_Colour = tuple[int, int, int]


@lru_cache(maxsize=1)
def landscape() -> Image.Image:
    """An RGB picture of 1200 x 798 pixels with smooth gradients and fine detail, the same every time."""
    picture = _gradient(_HEIGHT, (38, 62, 120), (246, 176, 110))
    _sun(picture)
    for layer, colour in enumerate(((104, 96, 132), (66, 82, 96), (34, 58, 48))):
        ImageDraw.Draw(picture).polygon(_ridge(layer), fill=colour)
    _water(picture)
    _trees(picture)
    return Image.blend(picture, _texture(), 0.07)


def _gradient(height: int, top: _Colour, bottom: _Colour) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((_WIDTH, height), Image.Resampling.BICUBIC)
    return ImageOps.colorize(ramp, top, bottom)


def _sun(picture: Image.Image) -> None:
    glow = ImageOps.invert(Image.radial_gradient("L")).resize((420, 420), Image.Resampling.BICUBIC)
    picture.paste((255, 236, 180), (690, 160), glow.point([max(0, value - 75) for value in range(256)]))


def _ridge(layer: int) -> list[tuple[float, float]]:
    heights = [
        _SHORE - 150 + layer * 45 + 46 * math.sin(x / (150 - 30 * layer) + layer * 2) + 9 * math.sin(x / 17 + layer)
        for x in range(_WIDTH)
    ]
    return [*enumerate(heights), (_WIDTH, _SHORE), (0, _SHORE)]


def _water(picture: Image.Image) -> None:
    """What stands above the shore, upside down, paler and broken by ripples."""
    depth = _HEIGHT - _SHORE
    mirrored = ImageOps.flip(picture.crop((0, _SHORE - depth, _WIDTH, _SHORE))).filter(ImageFilter.GaussianBlur(3))
    picture.paste(Image.blend(mirrored, _gradient(depth, (190, 150, 130), (30, 44, 84)), 0.45), (0, _SHORE))
    dice, draw = Random("ripples"), ImageDraw.Draw(picture)
    for _ in range(500):
        x, y = dice.randrange(_WIDTH), dice.randrange(_SHORE + 6, _HEIGHT)
        draw.line((x, y, x + dice.randrange(8, 60), y), fill=(206, 178, 168) if dice.random() < 0.4 else (40, 52, 84))


def _trees(picture: Image.Image) -> None:
    dice, draw = Random("trees"), ImageDraw.Draw(picture)
    for _ in range(140):
        x, height = dice.randrange(_WIDTH), dice.randrange(24, 80)
        green = (dice.randrange(10, 34), dice.randrange(38, 72), dice.randrange(24, 46))
        draw.polygon(((x, _SHORE - height), (x - height / 5, _SHORE + 2), (x + height / 5, _SHORE + 2)), fill=green)


def _texture() -> Image.Image:
    return Image.frombytes("RGB", (_WIDTH, _HEIGHT), Random("texture").randbytes(_WIDTH * _HEIGHT * 3))
