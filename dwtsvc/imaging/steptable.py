"""The table of steps: every kind with its values and their limits."""

from __future__ import annotations

from dwtsvc.imaging.stepvalue import Kind, Scalar, Type, Value

LONGEST_SIDE = 1_000_000  # pixels; no page is longer, and the pixel budget refuses most that are shorter
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "best")
UNITS = ("pixel", "percent")


def _fill(default: str) -> Value:
    return Value(
        name="fill",
        type=Type.COLOUR,
        choices=("paper",),
        default=default,
        meaning="The colour of what was not on the page; paper is the page's own brightest common tone.",
    )


def _interpolation(default: str) -> Value:
    return Value(
        name="interpolation",
        type=Type.CHOICE,
        choices=INTERPOLATIONS,
        default=default,
        meaning="How new pixels come from old ones; best is the slowest and sharpest.",
    )


def _rectangle() -> tuple[Value, ...]:
    def side(name: str, meaning: str, minimum: float, default: Scalar | None) -> Value:
        return Value(
            name=name, type=Type.NUMBER, meaning=meaning, minimum=minimum, maximum=LONGEST_SIDE, default=default
        )

    return (
        side("left", "Where the rectangle begins, from the left.", 0, 0),
        side("top", "Where the rectangle begins, from the top.", 0, 0),
        side("width", "How wide it is; when absent, to the right edge.", 0, None),
        side("height", "How high it is; when absent, to the bottom edge.", 0, None),
        Value(
            name="unit",
            type=Type.CHOICE,
            choices=UNITS,
            default="pixel",
            meaning="The unit of the other four: whole pixels, or percent of the page's width and height.",
        ),
    )


def _side(name: str) -> Value:
    other = "height" if name == "width" else "width"
    return Value(
        name=name,
        type=Type.INTEGER,
        minimum=1,
        maximum=LONGEST_SIDE,
        meaning=f"The new {name} in pixels; when absent, what keeps the shape with the new {other}.",
    )


def _dpi(meaning: str, *, required: bool) -> Value:
    return Value(name="dpi", type=Type.NUMBER, minimum=10, maximum=20_000, required=required, meaning=meaning)


def _percent(meaning: str) -> Value:
    return Value(name="percent", type=Type.NUMBER, minimum=-100, maximum=100, required=True, meaning=meaning)


def _whole(name: str, minimum: int, maximum: int, meaning: str, default: int | None = None) -> Value:
    return Value(name=name, type=Type.INTEGER, minimum=minimum, maximum=maximum, default=default, meaning=meaning)


def _number(name: str, minimum: float, maximum: float, meaning: str, default: float | None = None) -> Value:
    return Value(name=name, type=Type.NUMBER, minimum=minimum, maximum=maximum, default=default, meaning=meaning)


def _corner(number: int, place: str) -> tuple[Value, ...]:
    def along(axis: str) -> Value:
        meaning = f"The {axis} of the {place} corner in pixels; it may lie beside the page."
        return Value(
            name=f"{axis}{number}",
            type=Type.NUMBER,
            minimum=-LONGEST_SIDE,
            maximum=LONGEST_SIDE,
            required=True,
            meaning=meaning,
        )

    return along("x"), along("y")


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="rotate",
            meaning="Turns the page clockwise; quarter turns lose nothing.",
            values=(
                Value(
                    name="degrees",
                    type=Type.NUMBER,
                    minimum=-360,
                    maximum=360,
                    default=90,
                    meaning="Clockwise; negative is counter-clockwise.",
                ),
                Value(
                    name="expand",
                    type=Type.BOOLEAN,
                    default=True,
                    meaning="Whether the page grows to hold all of it; else it keeps its size and loses its corners.",
                ),
                _fill("#ffffff"),
                _interpolation("bicubic"),
            ),
        ),
        Kind(
            name="flip",
            meaning="Mirrors the page along an axis.",
            values=(
                Value(
                    name="axis",
                    type=Type.CHOICE,
                    choices=("horizontal", "vertical"),
                    default="vertical",
                    meaning="horizontal swaps left and right, vertical swaps top and bottom.",
                ),
            ),
        ),
        Kind(name="mirror", meaning="Swaps left and right."),
        Kind(name="crop", meaning="Keeps a rectangle of the page, which must lie on it.", values=_rectangle()),
        Kind(
            name="extract",
            meaning="Takes what four corners enclose, a photo or a receipt on the glass, and makes it straight.",
            values=(
                *_corner(1, "top left"),
                *_corner(2, "top right"),
                *_corner(3, "bottom right"),
                *_corner(4, "bottom left"),
                _whole(
                    "width", 1, LONGEST_SIDE, "Of the result, in pixels; when absent, the longer of top and bottom."
                ),
                _whole(
                    "height", 1, LONGEST_SIDE, "Of the result, in pixels; when absent, the longer of left and right."
                ),
                _fill("paper"),
                _interpolation("bicubic"),
            ),
        ),
        Kind(
            name="erase",
            meaning="Fills a rectangle of the page, which must lie on it.",
            values=(*_rectangle(), _fill("#ffffff")),
        ),
        Kind(
            name="resize",
            meaning="Changes the number of pixels.",
            values=(
                _side("width"),
                _side("height"),
                _interpolation("best"),
                _dpi("The resolution stated from now on; when absent, it stays.", required=False),
            ),
        ),
        Kind(
            name="dpi",
            meaning="Changes the stated resolution and no pixel.",
            values=(_dpi("Dots per inch, the same in both directions.", required=True),),
        ),
        Kind(
            name="depth",
            meaning="Changes the bits of a pixel: black and white, gray, or colour.",
            values=(
                Value(
                    name="bits",
                    type=Type.CHOICE,
                    choices=(1, 8, 24),
                    required=True,
                    meaning="1 is threshold, 8 is gray of 8 bits, 24 is RGB.",
                ),
            ),
        ),
        Kind(name="gray", meaning="Makes the page gray; 16-bit gray stays so, black and white becomes 8-bit gray."),
        Kind(
            name="threshold",
            meaning="Makes the page black and white.",
            values=(
                Value(
                    name="level",
                    type=Type.INTEGER,
                    choices=("auto",),
                    minimum=1,
                    maximum=255,
                    default="auto",
                    meaning="The first gray that becomes white; auto lets the method find it.",
                ),
                Value(
                    name="method",
                    type=Type.CHOICE,
                    choices=("otsu", "sauvola"),
                    default="otsu",
                    meaning="otsu parts ink and paper at one level for the whole page; sauvola at each place anew,"
                    " for shaded or stained paper. A level that is given makes the method idle.",
                ),
                _whole(
                    "window", 3, 999, "How many pixels around sauvola looks at; when absent, 1/70 of the long side."
                ),
                _number("k", 0.01, 1, "How much darker than its surroundings ink must be for sauvola.", 0.2),
            ),
        ),
        Kind(name="invert", meaning="Makes black white and white black, each colour its opposite."),
        Kind(
            name="brightness",
            meaning="Makes the page brighter or darker; a black and white page stays as it is.",
            values=(_percent("Added to every tone, as percent of the way from black to white."),),
        ),
        Kind(
            name="contrast",
            meaning="Moves tones away from the middle gray or towards it; a black and white page stays as it is.",
            values=(
                _percent("-100 makes all tones middle gray, 50 doubles their distance, 100 leaves only extremes."),
            ),
        ),
        Kind(
            name="gamma",
            meaning="Bends the tones and keeps black and white; a black and white page stays as it is.",
            values=(
                _number("gamma", 0.1, 10, "More than 1 makes the middle tones brighter, less makes them darker.", 1.0),
            ),
        ),
        Kind(
            name="sharpen",
            meaning="Makes edges steeper; a black and white page stays as it is.",
            values=(
                _number("percent", 0, 500, "How much.", 100),
                _number("radius", 0.3, 10, "How wide an edge is, in pixels.", 1.0),
            ),
        ),
        Kind(
            name="despeckle",
            meaning="Removes dark specks that stand alone; dots near letters and the dots of a screen stay.",
            values=(_whole("size", 1, 50, "The longest side of a speck in pixels.", 2),),
        ),
        Kind(
            name="whiten",
            meaning="Makes the paper white, shaded or tinted as it may be, and keeps coloured ink.",
        ),
        Kind(
            name="dropout",
            meaning="Removes what is printed in one colour, as the lines of a form; only colour pages are changed.",
            values=(
                Value(
                    name="colour",
                    type=Type.COLOUR,
                    choices=("red", "green", "blue"),
                    required=True,
                    meaning="The colour that goes, with all its shades.",
                ),
            ),
        ),
        Kind(
            name="edges",
            meaning="Fills what is dark and hangs on an edge of the page: the lid, a shadow, the slit of the feeder.",
            values=(
                _whole(
                    "reach", 1, LONGEST_SIDE, "How far in it may lie, in pixels; when absent, 1/25 of the long side."
                ),
                _fill("paper"),
            ),
        ),
        Kind(
            name="holes",
            meaning="Fills punch holes: two or more discs, or crescents of shadow, at one distance from an edge.",
            values=(
                _whole("size", 4, LONGEST_SIDE, "The widest hole in pixels; when absent, 9.5 mm if the page is an A4."),
                _fill("paper"),
            ),
        ),
        Kind(
            name="deskew",
            meaning="Finds how the lines of text lean and straightens the page, which keeps its size.",
            values=(
                _number("angle", -45, 45, "How far it leans, clockwise, if that is known; when absent, it is found."),
                Value(
                    name="least",
                    type=Type.NUMBER,
                    minimum=0,
                    maximum=10,
                    default=0.1,
                    meaning="A page that leans less than these degrees is left alone, unless the angle is given.",
                ),
                _fill("paper"),
                _interpolation("bicubic"),
            ),
        ),
    )
}
