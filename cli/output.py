"""What a user sees: results on standard output, everything else on standard error, JSON lines for scripts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

NARROW = 12  # characters that a column of a table gets at least, if it has so many


def say(text: str) -> None:
    """A result."""
    print(text, flush=True)


def tell(text: str) -> None:
    """A message beside the result."""
    print(text, file=sys.stderr, flush=True)


def say_json(value: dict[str, Any]) -> None:
    """One result as one line of JSON; records become objects of their fields."""
    import json

    from dwtsvc.records import plain

    print(json.dumps(value, default=plain), flush=True)


def table(headings: list[str], rows: list[list[str]]) -> None:
    """A table as a result: drawn by rich on a terminal, columns with tabs between for a pipe."""
    with growing_table(headings) as show:
        show(rows)


@contextmanager
def growing_table(headings: list[str]) -> Iterator[Callable[..., None]]:
    """`show(rows, note)` draws a table as it is so far, with a note beneath; `show(rows)` is the last one.

    A terminal shows them one in place of the other; a pipe gets the last one alone.
    """
    if not sys.stdout.isatty():
        yield _say_rows
        return
    from rich.console import Console, Group
    from rich.live import Live

    def show(rows: list[list[str]], note: str = "") -> None:
        drawn = _drawn(headings, rows, live.console.width)
        live.update(Group(drawn, note) if note else drawn, refresh=True)

    with Live(console=Console(), auto_refresh=False) as live:
        yield show


def _drawn(headings: list[str], rows: list[list[str]], width: int) -> RenderableType:
    """A table with the first column whole, for its names are copied; where that leaves the others too little room, the
    others beneath it. What scanners, files and web sites say is text to rich, never markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    names, *others = (max(map(len, column)) for column in zip(headings, *rows, strict=True))
    if rows and names + sum(min(each, NARROW) for each in others) + 3 * len(headings) + 1 > width:
        lines = (f"{row[0]}\n      {', '.join(filter(None, row[1:]))}" for row in rows)
        return Text("\n".join(lines), overflow="fold")
    drawn = Table(*headings, box=box.SIMPLE_HEAD)
    drawn.columns[0].no_wrap = True
    for row in rows:
        drawn.add_row(*map(Text, row))
    return drawn


def _say_rows(rows: list[list[str]], note: str = "") -> None:
    if not note:
        for row in rows:
            say("\t".join(row))


def confirm(question: str, yes: bool) -> None:
    """Go on if the user agrees, or `yes` has said so already. Raises Cancelled, or BadArguments without a terminal."""
    from dwtsvc.errors import BadArguments, Cancelled

    if yes:
        return
    answer = ask(f"{question} [y/N]")
    if answer is None:
        raise BadArguments("This needs your yes, and there is no terminal to ask on", hint="Add --yes.")
    if answer.lower() not in ("y", "yes"):
        raise Cancelled("Nothing was changed")


def ask(question: str) -> str | None:
    """A line from the terminal; None where there is no terminal or the user ended the input."""
    if not (sys.stdin and sys.stdin.isatty()):
        return None
    sys.stderr.write(question + " ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    return line.strip() if line else None
