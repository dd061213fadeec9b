"""Which pages of a PDF have text, visible or not: told from the commands of the pages, without drawing them.

By qpdf and not by PDFium, which keeps the images of every page that it has looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pikepdf

SHOWING = re.compile(rb"[)>\]]\s*(?:Tj|TJ|'|\")")  # cheaper than to take all commands apart
DEEPEST = 8  # forms within forms
UNSEEN = {3, 7}  # render modes: neither filled nor stroked
BLANKS = b"\0 "  # of one byte and of two


def shown_modes(page: pikepdf.Page) -> Iterator[int]:
    """The render mode of each text on the page, one after another; of blanks none."""
    return _modes(page, page.resources, 0, 0, set())


def _modes(holder: Any, resources: Any, mode: int, depth: int, seen: set[tuple[int, int]]) -> Iterator[int]:
    forms = _forms(resources)
    if not (forms or resources.get("/Font")) or not (forms or SHOWING.search(_data(holder))):
        return
    modes: list[int] = []
    for command in pikepdf.parse_content_stream(holder):
        name = str(command.operator)
        if name == "q":
            modes.append(mode)
        elif name == "Q" and modes:
            mode = modes.pop()
        elif name == "Tr" and command.operands:
            mode = int(command.operands[0])
        elif name in ("Tj", "TJ", "'", '"') and not _is_blank(command.operands[-1]):
            yield mode
        elif name == "Do":
            form = forms.get(str(command.operands[0]))
            if form is not None and depth < DEEPEST and form.objgen not in seen:
                yield from _modes(form, form.get("/Resources", resources), mode, depth + 1, {*seen, form.objgen})


def _forms(resources: Any) -> dict[str, Any]:
    held = resources.get("/XObject", {})
    return {name: held[name] for name in list(held.keys()) if held[name].get("/Subtype") == "/Form"}


def _data(holder: Any) -> bytes:
    if not isinstance(holder, pikepdf.Page):
        return bytes(holder.read_bytes())
    contents: Any = holder.obj.get("/Contents", [])
    parts = contents if isinstance(contents, pikepdf.Array) else [contents] if contents else []
    return b"\n".join(part.read_bytes() for part in parts)


def _is_blank(shown: Any) -> bool:
    parts = shown if isinstance(shown, pikepdf.Array) else [shown]
    return not any(bytes(part).strip(BLANKS) for part in parts if isinstance(part, pikepdf.String))
