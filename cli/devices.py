"""`dwtsvc devices`: which scanners there are, and what one can do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dwtsvc.config import Settings
    from dwtsvc.model import Capabilities, Device, SourceCapabilities
    from dwtsvc.paths import Paths

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def devices(
    capabilities: Annotated[
        str | None, typer.Option("--capabilities", "-c", metavar="DEVICE", help="Show what this scanner can do.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """List the scanners and what they can do.

    A driver that cannot list its scanners is told on standard error; the others are listed all the same.

    Examples:

      dwtsvc devices

      dwtsvc devices --json

      dwtsvc devices --capabilities virtual:adf
    """
    from dwtsvc.config import load
    from dwtsvc.paths import Paths

    paths = Paths.from_environment(os.environ)
    settings = load(paths, os.environ).settings
    if capabilities:
        _show_capabilities(_ask_device(capabilities, settings), json)
    else:
        _list(settings, paths, json)


def _list(settings: Settings, paths: Paths, json: bool) -> None:
    from dwtsvc.devices import discover
    from dwtsvc.devices.esclknown import Known
    from dwtsvc.devices.ways import once, share_id, without_shared
    from dwtsvc.errors import DriverError
    from dwtsvc_cli import output

    known = Known(paths.network_scanners)
    found: list[Device] = []
    failed: list[DriverError] = []
    for item in discover(settings.discovery_timeout):
        if isinstance(item, DriverError):
            failed.append(item)
        else:
            found.append(item)
    with suppress(DriverError):  # the driver of network scanners cannot read the file either, and says so
        found = once(found, lambda uuid: known.get(uuid).urls)
    found = without_shared(found, share_id(paths.share_id), filter(None, (settings.device, *settings.share_devices)))
    found.sort(key=lambda device: (device.virtual, device.id))
    if json:
        errors = [{"error": error.word, "what": error.what, "why": error.why, "hint": error.hint} for error in failed]
        output.say_json({"devices": found, "errors": errors})
        return
    for error in failed:
        output.tell(f"dwtsvc: {error}" + (f"\n  {error.hint}" if error.hint else ""))
    output.table(["Device", "Scanner", "Kind"], [row for device in found for row in _rows(device)])


def _rows(device: Device) -> Iterator[list[str]]:
    """A device, and beneath it the other drivers' ways to it."""
    yield [device.id, device.label, _kind(device)]
    for way in device.also:
        yield [f"  {way}", "", "the same scanner"]


def _kind(device: Device) -> str:
    return "virtual, no hardware needed" if device.virtual else device.kind


def _ask_device(device: str, settings: Settings) -> Capabilities:
    from dwtsvc.devices import connect, split_id

    driver, name = split_id(device)
    with connect(driver, timeout=settings.scanner_timeout) as worker:
        return worker.open(name)


def _show_capabilities(found: Capabilities, json: bool) -> None:
    from dwtsvc.records import pack
    from dwtsvc_cli import output

    if json:
        output.say_json(pack(found))
        return
    for source in found.sources:
        output.say(_describe(source))
    if found.options:
        output.say("\nOptions of the driver, for --option NAME=VALUE:")
    for option in found.options:
        if option.settable:
            allowed = ", ".join(option.choices) or str(option.range or option.type)
            state = f"[{option.value}]" if option.active else "[inactive]"
            output.say(f"  {option.name} {state} {allowed} {option.unit}".rstrip())


def _describe(source: SourceCapabilities) -> str:
    name = f" ({source.name})" if source.name else ""
    return (
        f"{source.source}{name}\n"
        f"  modes        {', '.join(source.modes)}\n"
        f"  resolutions  {source.describe_resolutions()}\n"
        f"  largest      {source.max_width:g} x {source.max_height:g} mm"
    )
