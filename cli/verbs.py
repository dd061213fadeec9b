"""A group of commands, as `dwtsvc cert` or `dwtsvc pdf` are."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

LONGEST = 200  # characters of a line of help; it is wrapped, not cut


class Verbs(TyperGroup):
    """Its help has the whole line of each command."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(LONGEST)) for name, each in self.commands.items()])
