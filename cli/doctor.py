"""`dwtsvc doctor`: what keeps scanning from working, and the command that mends it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from dwtsvc_cli import choices

if TYPE_CHECKING:
    from dwtsvc.doctor import Finding

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

FOUND_FAULTS = 1
_COLOURS = {"ok": "32", "warning": "33", "failed": "1;31", "skipped": "2"}
_WIDTH = 14


@app.command()
def doctor(
    checks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHECK]...", help="Only these checks; --list names them.", autocompletion=choices.check
        ),
    ] = None,
    origin: Annotated[
        str | None, typer.Option("--origin", metavar="URL", help="The web site that cannot scan, https://shop.example.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    system: Annotated[bool, typer.Option("--system", help="Look at the service of the whole machine.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the checks, and what each looks at.")] = False,
) -> None:
    """Find out why scanning does not work, and show the command that mends it.

    It changes nothing. The exit code is 1 if something failed, 0 if all is fine or there are warnings only.

    Examples:

      dwtsvc doctor

      dwtsvc doctor running ports certificate trust

      dwtsvc doctor --origin https://shop.example
    """
    from dwtsvc.doctor import examine
    from dwtsvc.doctor.patient import Patient, here
    from dwtsvc_cli.status import which_paths

    if list_:
        _list(json)
        return
    patient: Patient = here(which_paths(system), os.environ, origin=origin)
    found = examine(patient, checks or ())
    results = list(found) if json else _told(found)
    if json:
        _print(results)
    if any(each.state == "failed" for each in results):
        raise typer.Exit(FOUND_FAULTS)


def _list(json: bool) -> None:
    from dwtsvc.doctor import CHECKS
    from dwtsvc_cli.output import say, say_json

    if json:
        say_json({"checks": [{"name": each.name, "looks_at": each.looks_at} for each in CHECKS.values()]})
        return
    for each in CHECKS.values():
        say(f"{each.name:{_WIDTH}} {each.looks_at}")


def _print(found: list[Finding]) -> None:
    from dwtsvc.version import __version__
    from dwtsvc_cli.output import say_json

    count = {state: sum(each.state == state for each in found) for state in ("failed", "warning")}
    checks = [each.record() for each in found]
    say_json({"version": __version__, "failed": count["failed"], "warnings": count["warning"], "checks": checks})


def _told(found: Iterable[Finding]) -> list[Finding]:
    """Each finding as it comes, for some take seconds; then a last line that counts."""
    from dwtsvc_cli.output import say, tell

    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    told = []
    for each in found:
        told.append(each)
        say(f"{_painted(each.state, colours)} {each.check:{_WIDTH}} {each.found}")
        for line in filter(None, (each.advice, each.command and f"$ {each.command}")):
            say(f"{'':8} {'':{_WIDTH}} {line}")
    count = sum(each.state == "failed" for each in told)
    tell("Nothing that was looked at failed." if not count else f"{count} failed.")
    return told


def _painted(state: str, colours: bool) -> str:
    word = f"{state:8}"
    return f"\x1b[{_COLOURS[state]}m{word}\x1b[0m" if colours else word
