"""Put one text into a list deep inside a JSON file, and take it out again, without touching any other byte.

Administrators lay their policy files out by hand, keep them under version control and compare them; a file that was
parsed and written anew would differ in every line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dwtsvc.errors import BadInput

_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Part:
    """A member of an object, or an item of a list: where its text begins, where its value does, and where it ends."""

    key: str
    begin: int
    value: int
    end: int


def add(text: str, path: Sequence[str], item: str) -> str:
    """The text with `item` at the end of the list at `path`, which is made if it is missing. Raises BadInput.

    A text that holds the item already comes back as it is; an empty one becomes a whole file.
    """
    if not text.strip():
        return _whole(path, item)
    _check(text, path)
    if item in _found(text, path):
        return text
    at, missing = _deepest(text, path)
    value = json.dumps(_nested(missing[1:], item) if missing else item)
    return _append(text, at, f"{json.dumps(missing[0])}: {value}" if missing else value)


def remove(text: str, path: Sequence[str], item: str) -> str:
    """The text without `item`, and without the list and what holds it where they are empty then. Raises BadInput.

    A text that `add` made comes back empty. What it put into another is undone to the byte, but that the first key
    of the path stays, and that lists and objects which were empty before go.
    """
    if not text.strip() or text == _whole(path, item):
        return ""
    _check(text, path)
    if item not in _found(text, path):
        return text
    at, _ = _deepest(text, path)
    text = _cut(text, at, next(each for each in _parts(text, at) if _value(text, each) == item))
    return _without_empty(text, path)


def _check(text: str, path: Sequence[str]) -> None:
    """Refuse what is no JSON, and what has another kind of thing on the way."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadInput("The file is no JSON", why=str(error)) from error
    for key in path:
        if not isinstance(value, dict):
            raise BadInput(f"'{key}' cannot be in it", why="what should hold it is no object")
        if key not in value:
            return
        value = value[key]
    if not isinstance(value, list):
        raise BadInput(f"'{path[-1]}' is no list")


def _found(text: str, path: Sequence[str]) -> list[Any]:
    value = json.loads(text)
    for key in path:
        value = value.get(key, {})
    return list(value)


def _whole(path: Sequence[str], item: str) -> str:
    return json.dumps(_nested(path, item), indent=2) + "\n"


def _nested(path: Sequence[str], item: str) -> Any:
    value: Any = [item]
    for key in reversed(path):
        value = {key: value}
    return value


def _deepest(text: str, path: Sequence[str]) -> tuple[int, Sequence[str]]:
    """Where the last object or list on the path that exists begins, and the keys below it that do not."""
    at = _after_blank(text, 0)
    for depth, key in enumerate(path):
        named = [each for each in _parts(text, at) if each.key == key]
        if not named:
            return at, path[depth:]
        at = named[-1].value  # of a key that is given twice, readers take the last
    return at, ()


def _parts(text: str, at: int) -> list[Part]:
    """What the object or list that begins at `at` consists of."""
    parts: list[Part] = []
    position = _after_blank(text, at + 1)
    while text[position] not in "]}":
        begin, key = position, ""
        if text[at] == "{":
            key, position = _DECODER.raw_decode(text, position)
            position = _after_blank(text, _after_blank(text, position) + 1)
        _, end = _DECODER.raw_decode(text, position)
        parts.append(Part(key, begin, position, end))
        position = _after_blank(text, end)
        if text[position] == ",":
            position = _after_blank(text, position + 1)
    return parts


def _value(text: str, part: Part) -> Any:
    return _DECODER.raw_decode(text, part.value)[0]


def _append(text: str, at: int, piece: str) -> str:
    """The piece behind the last part, on a line of its own if that one has one."""
    parts = _parts(text, at)
    if not parts:
        return f"{text[: at + 1]}{piece}{text[at + 1 :]}"
    last = parts[-1]
    blank = text[_start_of_blank(text, last.begin) : last.begin]
    return f"{text[: last.end]},{blank}{piece}{text[last.end :]}"


def _cut(text: str, at: int, part: Part) -> str:
    """Without a part, the comma that parts it from its neighbour, and the blanks that came with it."""
    parts = _parts(text, at)
    index = parts.index(part)
    if index:
        return text[: parts[index - 1].end] + text[part.end :]
    if len(parts) > 1:
        return text[: part.begin] + text[parts[1].begin :]
    return text[: part.begin] + text[part.end :]


def _without_empty(text: str, path: Sequence[str]) -> str:
    for depth in range(len(path), 1, -1):
        at, missing = _deepest(text, path[:depth])
        if missing or _parts(text, at):
            return text
        parent, _ = _deepest(text, path[: depth - 1])
        text = _cut(text, parent, [each for each in _parts(text, parent) if each.key == path[depth - 1]][-1])
    return text


def _after_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _start_of_blank(text: str, position: int) -> int:
    """Where the blanks before a position begin."""
    while text[position - 1] in " \t\r\n":
        position -= 1
    return position
