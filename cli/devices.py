"""`dwtsvc devices`: which scanners there are, and what one can do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from dwtsvc_cli.verbs import Verbs

if TYPE_CHECKING:
    from dwtsvc.config import Settings
    from dwtsvc.errors import DriverError
    from dwtsvc.model import Capabilities, Device, SourceCapabilities
    from dwtsvc.paths import Paths

app = typer.Typer(cls=Verbs, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@app.callback(invoke_without_command=True)
def devices(
    context: typer.Context,
    capabilities: Annotated[
        str | None, typer.Option("--capabilities", "-c", metavar="DEVICE", help="Show what this scanner can do.")
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0.1,
            max=600,
            help="How long a driver gets to list its scanners, instead of the setting discovery_timeout.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the scanners and what they can do.

    A terminal shows each as soon as it is found. A driver that cannot list its scanners is told on standard error; the
    others are listed all the same.

    Examples:

      dwtsvc devices

      dwtsvc devices --json --wait 2

      dwtsvc devices --capabilities virtual:adf

      dwtsvc devices add 192.168.7.20
    """
    if context.invoked_subcommand is not None:
        return
    from dwtsvc.config import load
    from dwtsvc.paths import Paths

    paths = Paths.from_environment(os.environ)
    settings = load(paths, os.environ).settings
    if capabilities:
        _show_capabilities(_ask_device(capabilities, settings), json)
    else:
        _list(settings, paths, json, wait or settings.discovery_timeout)


@app.command()
def add(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Its address: http://HOST/eSCL, or only HOST or HOST:PORT.")
    ],
    json: Json = False,
) -> None:
    """Add a network scanner by its address: ask it, show who it is, remember its certificate, and list it from now on.

    For scanners that do not announce themselves here, for example in another network behind a router.

    Examples:

      dwtsvc devices add 192.168.7.20

      dwtsvc devices add http://192.168.7.20:8080/eSCL --json
    """
    from dwtsvc.config import load
    from dwtsvc.devices import byaddress
    from dwtsvc.devices.esclknown import Known
    from dwtsvc.paths import Paths
    from dwtsvc.records import plain
    from dwtsvc_cli import output

    paths = Paths.from_environment(os.environ)
    settings = load(paths, os.environ).settings
    if not json:
        output.tell(f"Asking {address}; one that is silent has half a minute")
    found = byaddress.ask(address, Known(paths.network_scanners), timeout=settings.scanner_timeout)
    new = byaddress.keep(found, paths, os.environ)
    if json:
        output.say_json({**plain(found), "added": new, "file": str(paths.config_file)})
        return
    output.say(f"{found.name}\n  device       {found.device}\n  address      {found.address}")
    output.say(f"  certificate  {'SHA-256 ' + found.certificate if found.certificate else 'none, it does not encrypt'}")
    output.tell(f"added to {paths.config_file}" if new else f"already in {paths.config_file}")


@app.command()
def remove(
    scanner: Annotated[
        str, typer.Argument(metavar="SCANNER", help="Its device id, its UUID, or the address it was added by.")
    ],
    json: Json = False,
) -> None:
    """Remove a network scanner that was added, and forget the certificates of one that was reset or replaced.

    One that announces itself is still listed; its certificate counts anew from its next use.

    Example: dwtsvc devices remove 192.168.7.20
    """
    from dwtsvc.devices import byaddress
    from dwtsvc.devices.esclknown import Known
    from dwtsvc.paths import Paths
    from dwtsvc_cli import output

    paths = Paths.from_environment(os.environ)
    gone = byaddress.forget(scanner, paths, os.environ, Known(paths.network_scanners))
    if json:
        output.say_json({"removed": gone.addresses, "forgotten": gone.known, "file": str(paths.config_file)})
        return
    for each in gone.addresses:
        output.say(f"{each} removed from {paths.config_file}")
    for each in gone.known:
        output.say(f"{each} forgotten")
    if not gone.addresses and not gone.known:
        output.say(f"{scanner} was not known")


def _list(settings: Settings, paths: Paths, json: bool, wait: float) -> None:
    from dwtsvc_cli import output

    if json:
        *_, known = _growing(wait)
        devices = _listed(known.devices, settings, paths)
        output.say_json({"devices": devices, "errors": [_fault(error) for error in known.errors]})
        return
    with output.growing_table(["Device", "Scanner", "Kind"]) as show:
        for known in _growing(wait):
            show(_rows(_listed(known.devices, settings, paths)), "Still looking; Ctrl-C ends it")
        # Once more: every driver has written down by now what tells that two of them are one.
        show(_rows(_listed(known.devices, settings, paths)))
    for error in known.errors:
        output.tell(f"dwtsvc: {error}" + (f"\n  {error.hint}" if error.hint else ""))


class _Known(NamedTuple):
    devices: list[Device]
    errors: list[DriverError]


def _growing(wait: float) -> Iterator[_Known]:
    """What the drivers list and their errors, first none, and then as it is whenever there is one more."""
    from dwtsvc.devices import discover
    from dwtsvc.errors import DriverError

    known = _Known([], [])
    yield known
    for item in discover(wait):
        if isinstance(item, DriverError):
            known.errors.append(item)
        else:
            known.devices.append(item)
        yield known


def _listed(found: list[Device], settings: Settings, paths: Paths) -> list[Device]:
    """Each scanner once, however many ways were found to it; virtual ones last."""
    from dwtsvc.devices.ways import as_known, once

    return sorted(once(as_known(found, settings, paths)), key=lambda device: (device.virtual, device.id))


def _fault(error: DriverError) -> dict[str, str]:
    told = {"driver": error.driver, "error": error.word, "what": error.what}
    return {**told, "why": error.why, "hint": error.hint}


def _rows(devices: list[Device]) -> list[list[str]]:
    return [row for device in devices for row in _rows_of(device)]


def _rows_of(device: Device) -> Iterator[list[str]]:
    """A device, and beneath it the other drivers' ways to it."""
    yield [device.id, device.label, _kind(device)]
    for way in device.also:
        yield [f"  {way}", "", "the same scanner"]


def _kind(device: Device) -> str:
    return "virtual, no hardware needed" if device.virtual and device.kind != "recording" else device.kind


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
    shown = {each.name: each.value for each in found.options if not each.settable and each.active and each.value}
    for option in found.options:
        if option.settable:
            allowed = ", ".join(option.choices) or str(option.range or option.type)
            state = f"[{option.value}]" if option.active else "[inactive]"
            output.say(f"  {option.name} {state} {allowed} {option.unit}".rstrip())
    _tell_sensors(shown)


def _tell_sensors(shown: dict[str, str]) -> None:
    from dwtsvc_cli import output

    if shown:
        output.say("\nButtons and sensors, as they are now:")
    for name, value in shown.items():
        output.say(f"  {name} [{value}]")


def _describe(source: SourceCapabilities) -> str:
    name = f" ({source.name})" if source.name else ""
    return (
        f"{source.source}{name}\n"
        f"  modes        {', '.join(source.modes)}\n"
        f"  resolutions  {source.describe_resolutions()}\n"
        f"  largest      {source.max_width:g} x {source.max_height:g} mm"
    )
