"""`dwtsvc install-service`: have the system start the service, or no longer."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dwtsvc.install import Manager
    from dwtsvc.paths import Paths

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def install_service(
    system: Annotated[
        bool, typer.Option("--system", help="For the whole machine, as a user of its own and held back; needs root.")
    ] = False,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Stop the service and no longer start it.")] = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="With --uninstall: delete everything it keeps, stored documents as well.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the files, and change nothing.")] = False,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start it at once, too.")] = True,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            metavar="NAME",
            help="With --system, let it out to network-scanners or upload-targets. May be repeated.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Have the service start by itself, or no longer.

    On Linux this is a systemd unit of yours, or with --system a hardened one that runs as the user dwtsvc in the group
    scanner. On macOS it is a launch agent, on Windows a task at log-on. Doing it twice does no harm.

    Examples:

      dwtsvc install-service --show

      dwtsvc install-service --no-start

      dwtsvc install-service --uninstall --purge
    """
    from dwtsvc.errors import BadArguments
    from dwtsvc.install import manager, write_service_name
    from dwtsvc_cli.output import say
    from dwtsvc_cli.serve import program
    from dwtsvc_cli.status import which_paths

    if purge and not uninstall:
        raise BadArguments("--purge goes with --uninstall only")
    paths = which_paths(system)
    chosen = manager(
        paths, [*program(), "serve"], _reload(), os.environ, system=system, allow=tuple(dict.fromkeys(allow or ()))
    )
    if show:
        _show(chosen)
    elif uninstall:
        _uninstall(chosen, paths, purge, yes)
    else:
        done = chosen.install(start=start)
        write_service_name(paths, system=system)
        _say_all(done)
        say(f"`dwtsvc status{' --system' if system else ''}` shows what it does.")


def _reload() -> list[str]:
    """The words that send a SIGHUP to the process id behind them; not every system has a program `kill`."""
    if getattr(sys, "frozen", False):
        return ["/bin/kill", "-HUP"]
    return [sys.executable, "-P", "-c", "import os, signal, sys; os.kill(int(sys.argv[1]), signal.SIGHUP)"]


def _show(chosen: Manager) -> None:
    from dwtsvc_cli.output import say

    for file in chosen.files():
        say(f"# {file.path}" + (f" (only with {file.offer})" if file.offer else ""))
        say(file.text)


def _uninstall(chosen: Manager, paths: Paths, purge: bool, yes: bool) -> None:
    from dwtsvc.install import remains, remove
    from dwtsvc_cli.output import confirm

    folders = remains(paths)
    if purge:
        if not yes:
            _tell_what_goes(folders)
        confirm("Delete it?", yes)
    _say_all(chosen.uninstall())
    if purge:
        _check_stopped(paths)
        _say_all(_remove_authorities(paths))
        _say_all(remove(remains(paths), os.environ))
        _say_all(chosen.purge())


def _check_stopped(paths: Paths) -> None:
    from dwtsvc.config import Settings
    from dwtsvc.errors import WrongState
    from dwtsvc.status import State, read

    found = read(paths, Settings())
    if found.state is not State.STOPPED:
        why = f"process {found.monitor_pid or found.pid} was started by hand"
        raise WrongState("Nothing was deleted: the service is running", why=why, hint="End it and try again.")


def _remove_authorities(paths: Paths) -> list[str]:
    """Take our authorities out of every store; what could not be done is said and does not stop the rest."""
    from dwtsvc.certs.care import on_this_machine
    from dwtsvc.certs.stores import discover, this_machine
    from dwtsvc.errors import DwtsvcError

    stores = discover(this_machine(os.environ))
    said = []
    for where, result in on_this_machine(paths, os.environ).uninstall(stores).items():
        if isinstance(result, DwtsvcError):
            said.append(f"{where}: not looked into: {result}")
        else:
            said += [f"{where}: {name} removed" for name in result or ()]
    return said


def _tell_what_goes(folders: Sequence[Path]) -> None:
    from dwtsvc_cli.output import tell

    tell(
        "\n  ".join(
            ["This deletes the certificate in every browser, and with all that is in them:", *map(str, folders)]
        )
    )


def _say_all(sentences: Iterable[str]) -> None:
    from dwtsvc_cli.output import say

    for each in sentences:
        say(each)
