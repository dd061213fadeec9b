"""How `dwtsvc pdf undo` speaks."""

from __future__ import annotations

from pathlib import Path

from dwtsvc.errors import NothingFound
from dwtsvc.imaging import pdfundo
from dwtsvc.records import pack
from dwtsvc_cli import output


def show(pdf: Path, json: bool) -> None:
    """The changes, the latest first. Raises NothingFound where there is none."""
    found = pdfundo.changes(pdf)
    if not found:
        raise NothingFound(f"There is nothing to undo for '{pdf}'")
    if json:
        for change in found:
            output.say_json({"input": str(pdf), **pack(change)})
        return
    output.table(["When", "Change"], [[change.when, change.command] for change in found])


def forget(pdf: Path, json: bool) -> None:
    count = pdfundo.forget(pdf)
    if json:
        output.say_json({"input": str(pdf), "forgotten": count})
    else:
        output.tell(f"dwtsvc: {count} originals of {pdf} were let go of")


def undo(pdf: Path, json: bool) -> None:
    change = pdfundo.undo(pdf)
    if json:
        output.say_json({"output": str(pdf), **pack(change)})
        return
    output.tell(f"dwtsvc: undone: {change.command}")
    output.say(str(pdf))
