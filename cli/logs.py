"""`dwtsvc logs`: what the service wrote into its log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dwtsvc.logs import Entry

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    count: Annotated[int, typer.Option("--lines", "-n", metavar="N", min=0, help="How many of the last records.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print each record as a line of JSON.")] = False,
    system: Annotated[bool, typer.Option("--system", help="Of the service of the whole machine.")] = False,
) -> None:
    """Show what the service wrote into its log.

    There are no pages, names of files, addresses behind a question mark, passwords or tokens in it: it can be shown to
    others. `dwtsvc config set LogLevel 14` makes the service write more from its next start on.

    Examples:

      dwtsvc logs -n 100

      dwtsvc logs -f --json
    """
    from dwtsvc import logs
    from dwtsvc.errors import NothingFound
    from dwtsvc_cli.status import which_paths

    path = which_paths(system).log_file
    if follow:
        try:
            _show(logs.follow(path, count), json)
        except KeyboardInterrupt:  # the only way to end it
            return
    if not path.exists():
        raise NothingFound("There is no log yet", hint="The service makes it: run `dwtsvc serve`.")
    _show(logs.newest(path, count), json)


def _show(entries: Iterable[Entry], json: bool) -> None:
    from dwtsvc.records import pack
    from dwtsvc_cli.output import say, say_json

    for entry in entries:
        if json:
            say_json(pack(entry))
        else:
            say(str(entry))
