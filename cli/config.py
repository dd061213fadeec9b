"""`dwtsvc config`: show, check and change every setting and every scan profile."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dwtsvc import config
from dwtsvc.errors import DwtsvcError, FileAccess
from dwtsvc.paths import PROFILES_FILE, Paths
from dwtsvc_cli.targets import pairs, secret_app, target_app
from dwtsvc_cli.verbs import Verbs

if TYPE_CHECKING:
    from dwtsvc.profiles import Profile

app = typer.Typer(cls=Verbs, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
profile_app = typer.Typer(
    cls=Verbs,
    help="Named scan profiles, for `dwtsvc scan --profile NAME`.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(profile_app, name="profile")
app.add_typer(target_app, name="target")
app.add_typer(secret_app, name="secret")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
System = Annotated[bool, typer.Option("--system", help="Change the file for all users of this machine.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A setting, as `dwtsvc config` lists it.")]
ProfileName = Annotated[str, typer.Argument(metavar="NAME", help="The name of a profile.")]


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Show, check and change the settings and the scan profiles.

    Without a command, show every setting.
    """
    if context.invoked_subcommand is None:
        show()


@app.command()
def show(json: Json = False) -> None:
    """Show every setting with its value and where the value comes from.

    Example: dwtsvc config show --json
    """
    loaded = config.load(_paths(), os.environ)
    if json:
        _print_json(_loaded_record(loaded))
    else:
        rows = [(name, loaded.shown(name) or "-", source) for name, source in loaded.sources.items()]
        rows += [(f"[{each.host}]", f"{each.cert_name}, {each.key_name}", "certificate") for each in loaded.hosts]
        _print_columns([("NAME", "VALUE", "SOURCE"), *rows])
    _warn(loaded.warnings)


@app.command()
def get(name: Name) -> None:
    """Print the value of one setting.

    Example: dwtsvc config get quality
    """
    setting = config.find(name)
    typer.echo(config.load(_paths(), os.environ).shown(setting.name))


@app.command("set")
def set_(
    name: Name, value: Annotated[str, typer.Argument(metavar="VALUE", help="Its new value.")], system: System = False
) -> None:
    """Set a setting in your configuration file. Comments and all other lines stay as they are.

    Example: dwtsvc config set resolution 200
    """
    paths = _paths()
    path = _file(paths, system)
    setting = config.find(name)
    setting.kind.argument(setting.name, value)  # before a folder is made for it
    Paths.create(path.parent, 0o755 if system else 0o700)
    config.write_setting(path, name, value, mode=0o644 if system else 0o600)
    typer.echo(f"{setting.name} = {value.strip()} in {path}")
    _warn_if_hidden(paths, setting, path)
    _tell_of_service(paths)


@app.command()
def unset(name: Name, system: System = False) -> None:
    """Remove a setting from your configuration file, so that its value comes from elsewhere again.

    Example: dwtsvc config unset resolution
    """
    path = _file(_paths(), system)
    if _is_missing(path):
        config.find(name)
        typer.echo(f"{name} was not set: there is no {path}")
    elif config.remove_setting(path, name):
        typer.echo(f"{name} removed from {path}")
        _tell_of_service(_paths())
    else:
        typer.echo(f"{name} was not set in {path}")


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A file to check instead of all that are in use.")
    ] = None,
) -> None:
    """Check the configuration: exit 9 and name the file, line and key of the first fault.

    A file called user_config.ini is checked for scan profiles and targets, any other for settings.

    Example: dwtsvc config check DSConfiguration.ini
    """
    if file is None:
        paths = _paths()
        files = [paths.system_config_file, paths.config_file, paths.profiles_file]
        warnings: Iterable[str] = [each for path in dict.fromkeys(files) for each in _check(path)]
        variables = config.load(paths, os.environ).warnings
        _warn(each for each in variables if each not in warnings)
    elif _is_missing(file):
        raise FileAccess(f"{file} cannot be checked", why="there is no such file")
    else:
        _check(file)


@app.command()
def paths(json: Json = False) -> None:
    """Show where everything is: configuration, pages, logs.

    Example: dwtsvc config paths --json
    """
    listing = {name: str(path) for name, path in _paths().listing().items()}
    if json:
        _print_json(listing)
    else:
        _print_columns(list(listing.items()))


@profile_app.command("list")
def list_profiles(json: Json = False) -> None:
    """List the names of the scan profiles."""
    from dwtsvc import profiles

    names = profiles.names(_paths())
    if json:
        _print_json({"profiles": names})
    else:
        typer.echo("".join(f"{name}\n" for name in names), nl=False)


@profile_app.command("show")
def show_profile(name: ProfileName, json: Json = False) -> None:
    """Show what a scan profile says.

    Example: dwtsvc config profile show letters
    """
    from dwtsvc import profiles

    found = profiles.profile(_paths(), name)
    if json:
        _print_json(_profile_record(found))
    else:
        _print_columns(list(found.shown().items()))


@profile_app.command("save")
def save_profile(
    name: ProfileName,
    values: Annotated[
        list[str],
        typer.Argument(metavar="KEY=VALUE...", help="What it says: device, source, mode, resolution, size, ..."),
    ],
) -> None:
    """Make a scan profile, or replace what it says.

    Keys: device, source, mode, resolution, size, area, pages, quality, format, output, button, and option.NAME for the
    driver's own.

    Example: dwtsvc config profile save letters source=duplex mode=gray resolution=300
    """
    from dwtsvc import profiles

    paths = _paths()
    profiles.save(paths, name, pairs("profile", values))
    typer.echo(f"profile {name} saved in {paths.profiles_file}")


@profile_app.command("delete")
def delete_profile(name: ProfileName) -> None:
    """Delete a scan profile."""
    from dwtsvc import profiles

    paths = _paths()
    profiles.delete(paths, name)
    typer.echo(f"profile {name} deleted from {paths.profiles_file}")


def _paths() -> Paths:
    return Paths.from_environment(os.environ)


def _file(paths: Paths, system: bool) -> Path:
    return paths.system_config_file if system else paths.config_file


def _is_missing(path: Path) -> bool:
    """No file, as opposed to one that cannot be looked at, which reading it will tell."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _check(path: Path) -> Sequence[str]:
    """Print what is found in one file; its warnings."""
    if _is_missing(path):
        typer.echo(f"{path}: not there, defaults")
        return ()
    if path.name == PROFILES_FILE:
        from dwtsvc import profiles
        from dwtsvc.targets import named

        found, targets = profiles.check(path), named.check(path)
        also = f"; targets: {', '.join(targets)}" if targets else ""
        typer.echo(f"{path}: ok, profiles: {', '.join(found) or 'none'}{also}")
        return ()
    warnings = config.check(path)
    typer.echo(f"{path}: ok")
    _warn(warnings)
    return warnings


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)


def _warn_if_hidden(paths: Paths, setting: config.Setting, path: Path) -> None:
    """Say so if the value just written is not the one in force, or if nothing is: the writing itself is done."""
    try:
        source = config.load(paths, os.environ).sources[setting.name]
    except DwtsvcError as error:
        _warn([f"the configuration still has a fault: {error}"])
        return
    if not source.startswith(f"{path}:"):
        _warn([f"{setting.name} is still taken from {source}"])


def _tell_of_service(paths: Paths) -> None:
    """A service reads its configuration when it starts, so one that runs does not know of the change."""
    from dwtsvc.portlock import read_port_lock

    if read_port_lock(paths):
        typer.echo("The service that runs takes it over at its next start.", err=True)


def _print_columns(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo(line.rstrip())


def _print_json(record: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(record, ensure_ascii=False, indent=2))


def _loaded_record(loaded: config.Loaded) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "settings": {name: {"value": loaded.value(name), "source": at} for name, at in loaded.sources.items()},
        "hosts": [asdict(each) for each in loaded.hosts],
        "warnings": list(loaded.warnings),
    }


def _profile_record(profile: Profile) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(profile) | {"options": dict(profile.options)}
