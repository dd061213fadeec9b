"""What an edit step may be told: one table of names, values and ranges, from which docs and schemas are made too."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dwtsvc.errors import BadArguments
from dwtsvc.model import Step

Scalar = float | str | bool
Values = dict[str, Scalar]

LONGEST_SIDE = 1_000_000  # pixels; no page is longer, and the pixel budget refuses most that are shorter
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "best")
UNITS = ("pixel", "percent")


class Type(StrEnum):
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    COLOUR = "colour"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of a step. `choices` are words (or numbers) that are allowed beside the range, or instead of it.

    `default` None without `required` means that the step decides; `meaning` then says how.
    """

    name: str
    type: Type
    meaning: str
    default: Scalar | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str | int, ...] = ()
    required: bool = False

    @property
    def allowed(self) -> str:
        """What it may be, as people say it: "auto or a whole number from 1 to 255"."""
        words = [str(choice) for choice in self.choices]
        if self.type is Type.BOOLEAN:
            words += ["true", "false"]
        elif self.type is Type.COLOUR:
            words.append("a colour like #ffffff")
        elif self.type is not Type.CHOICE:
            kind = "a whole number" if self.type is Type.INTEGER else "a number"
            words.append(f"{kind} from {self.minimum:.12g} to {self.maximum:.12g}")
        return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))

    def accepts(self, value: object) -> bool:
        if self.type is Type.BOOLEAN:
            return isinstance(value, bool)
        if isinstance(value, bool):
            return False
        if value in self.choices:
            return True
        if isinstance(value, str):
            return self.type is Type.COLOUR and COLOUR.fullmatch(value) is not None
        return isinstance(value, (int, float)) and self._in_range(value)

    def _in_range(self, value: float) -> bool:
        if self.minimum is None or self.maximum is None or not math.isfinite(value):
            return False
        whole = self.type is not Type.INTEGER or value == int(value)
        return whole and self.minimum <= value <= self.maximum

    def schema(self) -> dict[str, object]:
        """The value as JSON Schema."""
        about: dict[str, object] = {"description": self.meaning}
        if self.default is not None:
            about["default"] = self.default
        forms: list[dict[str, object]] = [{"enum": list(self.choices)}] if self.choices else []
        if self.type is Type.COLOUR:
            forms.append({"type": "string", "pattern": f"^{COLOUR.pattern}$"})
        elif self.type is not Type.CHOICE:
            limits = {} if self.minimum is None else {"minimum": self.minimum, "maximum": self.maximum}
            forms.append({"type": str(self.type), **limits})
        return {**about, **forms[0]} if len(forms) == 1 else {**about, "anyOf": forms}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One step by name, with what it does and the values it knows."""

    name: str
    meaning: str
    values: tuple[Value, ...] = ()

    def schema(self) -> dict[str, object]:
        """A step of this kind, {"name": ..., "values": {...}}, as JSON Schema."""
        values: dict[str, object] = {
            "type": "object",
            "properties": {value.name: value.schema() for value in self.values},
            "additionalProperties": False,
        }
        required = [value.name for value in self.values if value.required]
        if required:
            values["required"] = required
        return {
            "type": "object",
            "description": self.meaning,
            "properties": {"name": {"const": self.name}, "values": values},
            "required": ["name", "values"] if required else ["name"],
            "additionalProperties": False,
        }


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
                    meaning="The first gray that becomes white; auto finds where ink and paper part (Otsu).",
                ),
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
            name="deskew",
            meaning="Finds how the lines of text lean and straightens the page, which keeps its size.",
            values=(
                Value(
                    name="least",
                    type=Type.NUMBER,
                    minimum=0,
                    maximum=10,
                    default=0.1,
                    meaning="A page that leans less than these degrees is left alone.",
                ),
                _fill("paper"),
                _interpolation("bicubic"),
            ),
        ),
    )
}


def check(step: Step) -> Values:
    """The values of a step with every default filled in; BadArguments for what does not exist, with what does."""
    kind = KINDS.get(step.name)
    if kind is None:
        raise BadArguments(f"There is no step '{step.name}'", hint=f"Choose one of: {', '.join(KINDS)}.")
    known = {value.name: value for value in kind.values}
    for name, given in step.values.items():
        if name not in known:
            allowed = f"It knows: {', '.join(known)}." if known else "It has none."
            raise BadArguments(f"The step '{step.name}' has no value '{name}'", hint=allowed)
        if not known[name].accepts(given):
            raise BadArguments(
                f"The value '{name}' of the step '{step.name}' cannot be '{_short(given)}'",
                hint=f"It may be {known[name].allowed}.",
            )
    return _filled(kind, step)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _filled(kind: Kind, step: Step) -> Values:
    for value in kind.values:
        if value.required and value.name not in step.values:
            raise BadArguments(
                f"The step '{kind.name}' needs the value '{value.name}'", hint=f"It may be {value.allowed}."
            )
    defaults = {value.name: value.default for value in kind.values if value.default is not None}
    return {**defaults, **step.values}


def schema(kinds: Sequence[Kind] = tuple(KINDS.values())) -> dict[str, object]:
    """Any one step as JSON Schema."""
    return {"oneOf": [kind.schema() for kind in kinds]}
