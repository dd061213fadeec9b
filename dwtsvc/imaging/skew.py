"""How much a page leans: the angle at which its lines of text lie level.

Rows of ink and the gaps between them differ most when text is level. The page is cut into narrow strips whose row
means are taken once; to try an angle, only that small table is sheared.
"""

from __future__ import annotations

import math

from PIL import Image, ImageChops, ImageFilter

from dwtsvc.imaging.pixels import plain, to_8bit

LIMIT = 12.0  # degrees to either side; paper that leans more was laid, not fed
LONG_SIDE = 1200  # pixels of the reduced copy: A4 at 100 dpi
STRIPS = 64
ROWS = 3  # rows of the reduced copy to one of the table: finer ones make level rows sharper than they are
INK = 24  # levels below the paper; less is noise and show-through
MARGIN = 0.05  # of the long side: the scanner's edges and the paper's lie otherwise than the text
COARSE = 0.5  # degrees from one try to the next
REACHES = 0.8, 0.4  # degrees around the best so far that are looked at more finely
FOOT = 0.9  # of the highest score: where the hill is taken to begin
CLEAR = 15.0  # times the score of a common angle: surely text, no need to look at columns
LEAST = 3.5  # below this nothing lies in lines; the strongest noise reaches 3.2


def skew(image: Image.Image) -> float:
    """The degrees, clockwise positive, by which a page leans: turned back by them it is straight.

    Between -12 and 12, to a hundredth; 0.0 for a page on which nothing lies in lines. On a page that was scanned
    sideways the columns are its lines.
    """
    ink = _ink(image)
    if min(ink.size) < STRIPS:
        return 0.0
    angle, clarity = _Lines(ink).best()
    if clarity < CLEAR:
        sideways, clarity_sideways = _Lines(ink.transpose(Image.Transpose.TRANSPOSE)).best()
        if clarity_sideways > clarity:  # transposing mirrors the page, and with it the angle
            angle, clarity = -sideways, clarity_sideways
    return round(angle, 2) + 0.0 if clarity >= LEAST else 0.0  # no -0.0


def _ink(image: Image.Image) -> Image.Image:
    """A reduced gray copy: how much darker than the paper around it each place is, from the first ink to the last.

    Without what lies at the very edges.
    """
    image = to_8bit(plain(image))
    image = image.convert("L") if image.mode == "1" else image
    gray = image.reduce(max(1, round(max(image.size) / LONG_SIDE))).convert("L")
    paper = gray.reduce(4).filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.BoxBlur(2))
    ink = ImageChops.subtract(paper.resize(gray.size, Image.Resampling.BILINEAR), gray, 1, -INK)
    margin = round(max(ink.size) * MARGIN)
    if min(ink.size) > 2 * margin:
        ink = ink.crop((margin, margin, ink.width - margin, ink.height - margin))
    return ink.crop(ink.getbbox() or (0, 0, 1, 1))


class _Lines:
    """A table of STRIPS columns with the mean ink of each, ROWS rows at a time, in floating point."""

    def __init__(self, ink: Image.Image) -> None:
        import numpy as np

        from dwtsvc.imaging.shear import Shear

        size = (STRIPS, max(1, ink.height // ROWS))
        table = ink.convert("F").resize(size, Image.Resampling.BILINEAR)
        self._shear_of_one = (ink.width / STRIPS) / (ink.height / size[1])  # rows to a strip, at 45 degrees
        self._shear = Shear(np.asarray(table), self._slope(LIMIT + sum(REACHES)))

    def best(self) -> tuple[float, float]:
        """The angle at which the rows differ most, and how many times more than at a common angle."""
        reach = round(LIMIT / COARSE)
        tries = self._scores([COARSE * step for step in range(-reach, reach + 1)])
        common = sorted(score for score, _ in tries)[reach]
        score, angle = max(tries)
        angle = self._middle(angle)
        return max(-LIMIT, min(LIMIT, angle)), score / common if common else 0.0

    def _middle(self, angle: float) -> float:
        """The middle of the hill of scores rather than its top: pixels make a needle where they and text are level."""
        for reach in REACHES:
            tries = self._scores([angle + reach * way / 8 for way in range(-8, 9)])
            foot = max(tries)[0] * FOOT
            weights = [(max(0.0, score - foot), tried) for score, tried in tries]
            total = sum(weight for weight, _ in weights)
            angle = sum(weight * tried for weight, tried in weights) / total if total else angle
        return angle

    def _scores(self, angles: list[float]) -> list[tuple[float, float]]:
        scores = self._shear.contrasts([self._slope(degrees) for degrees in angles])
        return list(zip(scores, angles, strict=True))

    def _slope(self, degrees: float) -> float:
        return -math.tan(math.radians(degrees)) * self._shear_of_one
