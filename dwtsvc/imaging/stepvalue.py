"""How a step is declared: its name, its values, what they mean and may be, in words and as JSON Schema."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

Scalar = float | str | bool
Values = dict[str, Scalar]

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


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
