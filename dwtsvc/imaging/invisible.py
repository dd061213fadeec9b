"""Invisible text taken out of PDF pages, so that it can be read anew. What can be seen stays as it is.

Only text drawn with render mode 3 goes, out of a page's own commands and out of the forms that it draws. Visible text
that relied on where invisible text before it, in the same text object, had left the pen would move; no program that
adds a text layer writes such.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import pikepdf

INVISIBLE = 3
DEEPEST = 8  # forms within forms
SHOWING = {"Tj", "TJ", "'", '"'}
PLACING = {"Td", "Tm", "T*"}
STATE = {"Tf", "Tz", "Tr", "Tc", "Tw", "TL", "Ts"}
STREAM_KEYS = {"/Length", "/Filter", "/DecodeParms"}

Command = Any  # pikepdf's ContentStreamInstruction, or one of an inline image


class Stripper:
    """Takes invisible text out of pages of one PDF; forms that several pages draw are rewritten once."""

    def __init__(self, pdf: pikepdf.Pdf) -> None:
        self._pdf = pdf
        self._forms: dict[tuple[tuple[int, int], int], Any] = {}

    def strip(self, page: pikepdf.Page) -> bool:
        """Whether the page had any. Its contents are rewritten only then."""
        pruned = _Pruned(self, page.resources, 0)
        commands = pruned.commands(pikepdf.parse_content_stream(page))
        if not pruned.changed:
            return False
        page.obj.Contents = self._pdf.make_stream(pikepdf.unparse_content_stream(commands))
        page.obj.Resources = pruned.resources
        return True

    def form(self, form: Any, mode: int, resources: Any, depth: int) -> Any:
        """A form without its invisible text, or the form itself where it has none."""
        key = (form.objgen, mode)
        if key not in self._forms:
            self._forms[key] = form  # for one that draws itself
            self._forms[key] = self._stripped(form, mode, resources, depth)
        return self._forms[key]

    def _stripped(self, form: Any, mode: int, resources: Any, depth: int) -> Any:
        pruned = _Pruned(self, form.get("/Resources", resources), mode, depth)
        commands = pruned.commands(pikepdf.parse_content_stream(form))
        if not pruned.changed:
            return form
        made = self._pdf.make_stream(pikepdf.unparse_content_stream(commands))
        for key in set(form.keys()) - STREAM_KEYS:
            made[key] = form[key]
        made.Resources = pruned.resources
        return made


class _Pruned:
    """The commands of one stream, without invisible text, and the resources they then need."""

    def __init__(self, stripper: Stripper, resources: Any, mode: int, depth: int = 0) -> None:
        self.resources = resources
        self.changed = False
        self._stripper, self._depth = stripper, depth
        self._mode, self._modes = mode, [mode]
        self._shows = self._dropped = False

    def commands(self, given: Iterable[Command]) -> list[Command]:
        kept: list[Command] = []
        block: list[Command] | None = None  # of a text object
        for command in given:
            name = str(command.operator)
            self._follow(name, command)
            if name == "BT":
                block, self._shows, self._dropped = [command], False, False
            elif name == "ET" and block is not None:
                kept += [*block, command] if self._shows or not self._dropped else _without_text(block)
                block = None
            else:
                (kept if block is None else block).extend(self._pruned(name, command))
        return kept + (block or [])

    def _follow(self, name: str, command: Command) -> None:
        if name == "q":
            self._modes.append(self._mode)
        elif name == "Q" and len(self._modes) > 1:
            self._mode = self._modes.pop()
        elif name == "Tr" and command.operands:
            self._mode = int(command.operands[0])

    def _pruned(self, name: str, command: Command) -> list[Command]:
        if name == "Do":
            self._draw(command.operands[0])
        if name not in SHOWING:
            return [command]
        if self._mode != INVISIBLE:
            self._shows = True
            return [command]
        self.changed = self._dropped = True
        return _left_of(name, command)

    def _draw(self, name: Any) -> None:
        held = self.resources.get("/XObject", {})
        form = held.get(str(name))
        if form is None or form.get("/Subtype") != "/Form" or self._depth >= DEEPEST:
            return
        stripped = self._stripper.form(form, self._mode, self.resources, self._depth + 1)
        if stripped is not form:
            self.changed = True
            self.resources = copy.copy(self.resources)
            self.resources.XObject = copy.copy(held)
            self.resources.XObject[str(name)] = stripped


def _left_of(name: str, command: Command) -> list[Command]:
    """What a showing command does besides showing: a new line, and spacing."""
    if name == '"':
        return [_made("Tw", command.operands[0]), _made("Tc", command.operands[1]), _made("T*")]
    return [_made("T*")] if name == "'" else []


def _without_text(block: list[Command]) -> list[Command]:
    """What outlasts a text object that shows nothing any more: the last of each setting, and marks."""
    state: dict[str, Command] = {}
    others = []
    for command in block[1:]:
        name = str(command.operator)
        if name == "TD":
            state["TL"] = _made("TL", -command.operands[1])
        elif name in STATE:
            state[name] = command
        elif name not in PLACING:
            others.append(command)
    return [*state.values(), *others]


def _made(name: str, *operands: Any) -> Command:
    return pikepdf.ContentStreamInstruction(list(operands), pikepdf.Operator(name))
