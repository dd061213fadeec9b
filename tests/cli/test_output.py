"""Tables on a terminal: names whole, nothing lost at the edge, and what strangers say is text."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dwtsvc_cli.output import _drawn

HEADINGS = ["Device", "Scanner", "Kind"]
LONG = "escl:03360887-1b39-56d2-ac36-beab8acddd59"


def drawn(*rows: list[str], width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(_drawn(HEADINGS, list(rows), width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 79, 80, 81, 100, 200])
@pytest.mark.parametrize("name", [LONG, f"  sane:airscan:e0:{LONG}", "virtual:adf"])
def test_no_word_of_a_table_is_lost_however_narrow_the_terminal(width: int, name: str) -> None:
    shown = drawn([name, "Acme Paperlight 300", "virtual, no hardware needed"], width=width)
    words = set(shown.replace(",", " ").split())
    assert {"Acme", "Paperlight", "300", "virtual", "no", "hardware", "needed"} <= words
    assert name in shown or len(name) > width
    assert all(len(line.rstrip()) <= width for line in shown.splitlines())


def test_a_name_that_looks_like_markup_is_shown_as_it_is() -> None:
    shown = drawn([LONG, "Acme [red]one[/red] [/x]", "[b]"], width=200)
    assert "Acme [red]one[/red] [/x]" in shown and "[b]" in shown


def test_a_table_without_rows_has_its_headings() -> None:
    assert drawn(width=80).split()[:3] == HEADINGS
