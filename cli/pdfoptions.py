"""What several verbs of `dwtsvc pdf` take, each declared once, and where their results go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dwtsvc_cli import options

if TYPE_CHECKING:
    from dwtsvc_cli.pdffiles import Target

Input = Annotated[Path, typer.Argument(metavar="PDF", help="The PDF to read.")]
Which = Annotated[
    str, typer.Argument(metavar="PAGES", help="Such as 1-3,5,8- or last, odd, even, reverse; rest are the others.")
]
Pages = Annotated[
    str, typer.Option("--pages", metavar="PAGES", help="Such as 1-3,5,8- or last, odd, even. Without it: all.")
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="The PDF to write, '-' for standard output. Without it: PDF, by --force."
    ),
]
Each = Annotated[
    str, typer.Option("-o", "--output", metavar="FILE", help="The files to write; {n:03} is the number of each.")
]
Password = Annotated[
    str | None,
    typer.Option(
        "--password", metavar="TEXT", help="What opens the PDF. Without it: DWTSVC_PDF_PASSWORD, or you are asked."
    ),
]
Force = options.Force
NextFree = Annotated[bool, typer.Option("--next-free", help="Take the next free name where the file exists.")]
Json = Annotated[bool, typer.Option("--json", help="A line of JSON for each result.")]
Undoable = Annotated[
    bool, typer.Option("--undoable/--no-undo", help="Keep a PDF that is replaced for `dwtsvc pdf undo`, or do not.")
]


def target_of(
    output: str | None, force: bool, next_free: bool, json: bool, change: str | Literal[False] = False
) -> Target:
    from dwtsvc_cli.pdffiles import Target

    return Target(output=output, force=force, next_free=next_free, json=json, change=change or "")


def not_a_pipe(output: str) -> str:
    from dwtsvc.errors import BadArguments

    if output == "-":
        raise BadArguments("Several files cannot go to standard output", hint="Give -o with {n} in the name.")
    return output
