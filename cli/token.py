"""`dwtsvc token`: what a program of another user, or of another machine, needs to use the service."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dwtsvc_cli.verbs import Verbs

app = typer.Typer(cls=Verbs, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def token(
    new: Annotated[
        bool, typer.Option("--new", help="Make a new token; the old one is worth nothing from now on.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Show or replace the token that lets programs use the service.

    Programs send it as `Authorization: Bearer TOKEN`, as `X-DWTSVC-Token`, or as their `DWT-PRODUCT-KEY`.

    Examples:

      dwtsvc token

      dwtsvc token --new
    """
    from dwtsvc.paths import Paths
    from dwtsvc.server.gate.token import Token
    from dwtsvc_cli import output

    paths = Paths.from_environment(os.environ)
    ours = Token(paths.create(paths.state) / "token")
    text = ours.renew() if new else ours.text
    if json:
        output.say_json({"token": text})
    else:
        output.say(text)
