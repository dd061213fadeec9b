"""What an edit step may be told: each is checked against one table, from which docs and schemas are made too."""

from __future__ import annotations

from collections.abc import Sequence

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.steptable import KINDS
from dwtsvc.imaging.stepvalue import Kind, Scalar, Type, Value, Values
from dwtsvc.model import Step

__all__ = ["KINDS", "Kind", "Scalar", "Type", "Value", "Values", "check", "schema"]


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
