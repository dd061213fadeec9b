"""A stack of paper as offices feed it, drawn from a seed: blank backs with all their dirt, and pages, some of one line.

`stack(seed, count)` gives images one after the other, each with whether it is blank and what was drawn on it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFilter

DPI = 200
SIZE = (1654, 2339)
PAPERS = [(255, 255, 255), (250, 250, 248), (248, 240, 215), (222, 218, 208), (232, 238, 250), (240, 232, 236)]
WORDS = "the of and paper to page in letter that no was other side it with as sheet his blank on be at by".split()
STRONGEST_SHOW_THROUGH = 0.12
FAINTEST = 0.30  # of the paper's tone: 30 % gray
BLANKS = 0.5  # of the stack

Draw = Callable[["Drawn"], None]


@dataclass
class Drawn:
    image: Image.Image
    dice: random.Random

    @property
    def pen(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.image)


@dataclass(frozen=True, kw_only=True)
class Leaf:
    image: Image.Image
    blank: bool
    about: str


def mm(length: float) -> float:
    return length / 25.4 * DPI


def stack(seed: int = 4, count: int = 200) -> Iterator[Leaf]:
    """The first pages of a longer stack are those of a shorter one."""
    for number in range(count):
        yield leaf(seed, number)


def leaf(seed: int, number: int) -> Leaf:
    dice = random.Random(f"{seed}/{number}")
    drawn = Drawn(Image.new("RGB", SIZE, dice.choice(PAPERS)), dice)
    blank = dice.random() < BLANKS
    marks = [] if blank else [dice.choices(CONTENT, CONTENT_WEIGHTS)[0]]
    marks += [dirt for dirt in DIRT if dice.random() < 0.45]
    for draw in marks:
        draw(drawn)
    image = scanned(drawn.image, dice)
    if dice.random() < 0.3:
        image = image.convert("L")
    return Leaf(image=image, blank=blank, about=", ".join(draw.__name__ for draw in marks) or "nothing")


def scanned(page: Image.Image, dice: random.Random) -> Image.Image:
    """As optics see it: a little soft, with grain."""
    tile = Image.frombytes("L", (509, 521), dice.randbytes(509 * 521))
    strength = dice.uniform(1, 6)
    tile = tile.point([round(128 + (level - 127.5) * strength / 73.9) for level in range(256)])
    grain = Image.new("L", SIZE)
    for x in range(0, SIZE[0], 509):
        for y in range(0, SIZE[1], 521):
            grain.paste(tile, (x, y))
    page = page.filter(ImageFilter.GaussianBlur(dice.uniform(0.3, 0.8)))
    return ImageChops.add(page, Image.merge("RGB", (grain, grain, grain)), 1, -128)


def text(dice: random.Random, words: int) -> str:
    return " ".join(dice.choices(WORDS, k=words)).capitalize()


def show_through(drawn: Drawn) -> None:
    """The other side, mirrored, soft, with up to 12 % of its contrast."""
    dice, back = drawn.dice, Image.new("L", SIZE, 255)
    pen, size = ImageDraw.Draw(back), dice.choice([26, 34, 60])
    for line in range(dice.randrange(6, 36)):
        pen.text((mm(20), mm(25 + 6.5 * line)), text(dice, 11), 0, font_size=size)
    if dice.random() < 0.5:
        pen.rectangle((mm(40), mm(200), mm(dice.uniform(60, 190)), mm(275)), fill=0)
    share = dice.uniform(0.03, STRONGEST_SHOW_THROUGH)
    back = back.transpose(Image.Transpose.FLIP_LEFT_RIGHT).filter(ImageFilter.GaussianBlur(dice.uniform(1, 3)))
    back = back.point([255 - round((255 - level) * share) for level in range(256)])
    drawn.image.paste(ImageChops.multiply(drawn.image, back.convert("RGB")))


def punch_holes(drawn: Drawn) -> None:
    """Two or four, dark or lit from behind, in one of the long edges."""
    dice, pen = drawn.dice, drawn.pen
    middle, places = dice.uniform(145, 152), dice.choice([(-40, 40), (-120, -40, 40, 120)])
    x, lit, start = dice.choice([12.0, 198.0]) + dice.uniform(-2, 2), dice.random() < 0.4, dice.randrange(360)
    tone = (dice.choice([8, 60, 130]),) * 3
    for y in (middle + place for place in places):
        box = [mm(side) for side in (x - 2.9, y - 2.9, x + 2.9, y + 2.9)]
        if lit:
            pen.arc(box, start, start + 150, fill=(110, 110, 110), width=3)
        else:
            pen.ellipse(box, fill=tone)


def stain(drawn: Drawn) -> None:
    """Coffee: a brown ring and what is in it, and print is seen through it."""
    dice, mask = drawn.dice, Image.new("L", SIZE, 0)
    x, y, size = dice.uniform(mm(15), mm(130)), dice.uniform(mm(15), mm(210)), dice.uniform(mm(8), mm(60))
    ImageDraw.Draw(mask).ellipse((x, y, x + size, y + size * dice.uniform(0.7, 1)), fill=170, outline=255, width=6)
    coffee = Image.new("RGB", SIZE, "white")
    coffee.paste((236, 220, 186), (0, 0), mask.filter(ImageFilter.GaussianBlur(dice.uniform(2, 5))))
    drawn.image.paste(ImageChops.multiply(drawn.image, coffee))


def dust(drawn: Drawn) -> None:
    dice, pen = drawn.dice, drawn.pen
    for _ in range(dice.randrange(5, 80)):
        x, y, size = dice.uniform(0, SIZE[0]), dice.uniform(0, SIZE[1]), mm(abs(dice.gauss(0, 0.25)))
        pen.ellipse((x, y, x + size, y + size * dice.uniform(0.5, 1)), fill=(dice.randrange(140),) * 3)


def dark_edge(drawn: Drawn) -> None:
    """The lid beside a sheet that was fed askew."""
    dice, (width, height) = drawn.dice, SIZE
    one, other = mm(dice.uniform(0, 4)), mm(dice.uniform(0, 4))
    tone = (dice.choice([15, 90, 140]),) * 3
    sides = [
        [(0, 0), (one, 0), (other, height), (0, height)],
        [(width, 0), (width - one, 0), (width - other, height), (width, height)],
        [(0, height), (0, height - one), (width, height - other), (width, height)],
    ]
    drawn.pen.polygon(dice.choice(sides), fill=tone)


def shade(drawn: Drawn) -> None:
    """Gray towards one side, as where paper lifts off the glass."""
    darkest = drawn.dice.randrange(170, 240)
    ramp = Image.linear_gradient("L").rotate(drawn.dice.choice([0, 90, 180, 270])).resize(SIZE)
    ramp = ramp.point([darkest + level * (255 - darkest) // 255 for level in range(256)])
    drawn.image.paste(ImageChops.multiply(drawn.image, ramp.convert("RGB")))


DIRT: list[Draw] = [show_through, punch_holes, stain, dust, dark_edge, shade]


def gray(drawn: Drawn, share: float) -> tuple[int, ...]:
    return tuple(round(level * (1 - share)) for level in drawn.image.getpixel((0, 0)))


def one_faint_line(drawn: Drawn) -> None:
    """The least of a full page: one line of 8 points in 30 % gray."""
    place = drawn.dice.uniform(mm(25), mm(90)), drawn.dice.uniform(mm(20), mm(270))
    drawn.pen.text(place, text(drawn.dice, 7), gray(drawn, FAINTEST), font_size=8 / 72 * DPI)


def page_number(drawn: Drawn) -> None:
    number = f"- {drawn.dice.randrange(10, 400)} -"
    drawn.pen.text((mm(102), mm(drawn.dice.choice([15, 278]))), number, gray(drawn, 0.8), font_size=10 / 72 * DPI)


def paragraph(drawn: Drawn) -> None:
    top, share = drawn.dice.uniform(20, 200), drawn.dice.uniform(0.4, 0.95)
    for line in range(drawn.dice.randrange(2, 9)):
        drawn.pen.text((mm(25), mm(top + 5 * line)), text(drawn.dice, 12), gray(drawn, share), font_size=30)


def full_text(drawn: Drawn) -> None:
    for line in range(42):
        drawn.pen.text((mm(25), mm(25 + 5.8 * line)), text(drawn.dice, 13), gray(drawn, 0.85), font_size=30)


def signature(drawn: Drawn) -> None:
    dice = drawn.dice
    x, y = dice.uniform(mm(30), mm(120)), dice.uniform(mm(40), mm(260))
    points = [(x + mm(2.5 * step), y + mm(dice.uniform(-6, 6))) for step in range(14)]
    drawn.pen.line(points, fill=(40, 50, 140), width=4, joint="curve")


CONTENT: list[Draw] = [one_faint_line, page_number, paragraph, full_text, signature]
CONTENT_WEIGHTS = [5, 1, 2, 1, 1]
