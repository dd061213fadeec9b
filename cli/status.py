"""`dwtsvc status`: whether the service runs, and what it does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dwtsvc.paths import Paths
    from dwtsvc.status import Status

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def status(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    system: Annotated[bool, typer.Option("--system", help="Ask the service of the whole machine.")] = False,
) -> None:
    """Show whether the service runs, where it answers, and what it does.

    The exit code is 41 if it does not run, or does not answer.

    Examples:

      dwtsvc status

      dwtsvc status --json
    """
    from dwtsvc import config
    from dwtsvc.status import read
    from dwtsvc_cli.output import say_json

    paths = which_paths(system)
    found = read(paths, config.load(paths, os.environ).settings)
    fault = found.fault()
    if json:
        say_json(found.record())
        if fault:
            raise typer.Exit(fault.exit_code)
        return
    _warn(found)
    if fault:
        raise fault
    _show(found)


def which_paths(system: bool) -> Paths:
    """Of this user's service, or of the machine's."""
    from dwtsvc.paths import Paths

    return Paths.of_system_service() if system else Paths.from_environment(os.environ)


def _warn(found: Status) -> None:
    from dwtsvc_cli.output import tell

    for warning in found.warnings:
        tell(f"warning: {warning}")
    if found.restarts:
        tell(f"warning: it was started again {_times(found.restarts)}; the last time because of: {found.reason}")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _show(found: Status) -> None:
    from dwtsvc_cli.output import say, table

    monitor = f", monitor {found.monitor_pid}" if found.monitor_pid else ""
    say(f"dwtsvc {found.version} is running: process {found.pid}{monitor}, since {found.started}")
    table(["Address", "State"], [_port(each) for each in found.ports])
    busy = sum(each["state"] in ("pending", "running") for each in found.jobs)
    say(f"jobs: {busy} at work, {len(found.jobs) - busy} ended with pages kept")
    say(f"devices: {len(found.devices) or 'not looked for yet'}")  # the virtual ones are always found
    for each in found.shared:
        say(f"shared: {each['device']} at {each['url']}" + ("" if each.get("announced", True) else ", not announced"))
    if found.certificate:
        say(f"certificate: {_certificate(found.certificate)}")


def _port(port: Any) -> list[str]:
    host = f"[{port['host']}]" if ":" in port["host"] else port["host"]
    beside = port.get("holder") or port.get("reason")
    return [f"{port['scheme']}://{host}:{port['port']}/", port["state"] + (f": {beside}" if beside else "")]


def _certificate(certificate: Any) -> str:
    leaf = certificate.get("certificate")
    return f"{certificate.get('state', 'unknown')}" + (f", until {leaf['not_after'][:10]}" if leaf else "")
