"""`dwtsvc serve`: the service in this terminal, under its monitor or without one."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from dwtsvc.certs.care import Care
    from dwtsvc.certs.pair import Pair
    from dwtsvc.config import Loaded
    from dwtsvc.lifeline import Attachment
    from dwtsvc.paths import Paths
    from dwtsvc.server.listen import Door

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
_log = logging.getLogger("dwtsvc.serve")


@app.command()
def serve(
    no_monitor: Annotated[
        bool, typer.Option("--no-monitor", help="Do not start again after a crash; for service managers.")
    ] = False,
    expose: Annotated[
        bool,
        typer.Option("--expose", help="Listen on the address of --server too, with TLS; clients there need the token."),
    ] = False,
    http_port: Annotated[
        list[int] | None,
        typer.Option("--http-port", metavar="PORT", help="A port without encryption, instead of the configured ones."),
    ] = None,
    https_port: Annotated[
        list[int] | None,
        typer.Option("--https-port", metavar="PORT", help="A port with encryption, instead of the configured ones."),
    ] = None,
    server: Annotated[
        str | None, typer.Option("--server", metavar="ADDRESS", help="The address for other machines, with --expose.")
    ] = None,
    share: Annotated[
        bool,
        typer.Option("--share", help="Offer the scanners to phones and desktops (AirScan), here or at ADDRESS."),
    ] = False,
    address: Annotated[
        str | None, typer.Argument(metavar="ADDRESS[:PORT]", help="With --share: where other machines reach them.")
    ] = None,
    watch_buttons: Annotated[
        bool,
        typer.Option("--watch-buttons", help="Scan with a profile when the button it names is pressed at the scanner."),
    ] = False,
    log_level: Annotated[
        int | None, typer.Option("--log-level", metavar="LEVEL", help="How much is logged: 0, 1, 14 or 30.")
    ] = None,
) -> None:
    """Run the service that browsers and programs on this machine scan through.

    It answers on 127.0.0.1 and ::1 until Ctrl-C or SIGTERM. A monitor starts it again after a crash: at once, and after
    five crashes in a minute later and later. SIGHUP loads certificates again, SIGUSR1 writes what the service is doing
    into its dump folder. With a bad configuration it ends with exit code 78, which no service manager retries.

    Examples:

      dwtsvc serve

      dwtsvc serve --http-port 18700 --https-port 18701

      dwtsvc serve --share

      dwtsvc serve --share 192.168.1.5
    """
    from dwtsvc.errors import BadArguments
    from dwtsvc.paths import Paths

    overrides: dict[str, object] = {
        "http_ports": _list(http_port),
        "https_ports": _list(https_port),
        "Server": server,
        "share": (address or "on") if share else None,
        "watch_buttons": "on" if watch_buttons else None,
        "LogLevel": log_level,
    }
    if address and not share:
        raise BadArguments(
            f"There is no use for '{address}'", hint=f"Say --share {address} to share the scanners there."
        )
    os.umask(0o077)
    paths = Paths.from_environment(os.environ)
    with _final_if_configuration():
        loaded = _load(paths, overrides)
        if no_monitor:
            _ignore_hangup()
            _serve(paths, loaded, expose)
            return
    _become_monitor(paths, [*program(), "serve", "--no-monitor", *_arguments(overrides, expose)])


def _ignore_hangup() -> None:
    """Until the service reloads its certificate on SIGHUP, one that comes early must not end it."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def program() -> list[str]:
    """The words that start `dwtsvc` again, whatever folder or PATH they are used in."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    # -P: a file named like a module in the current folder must not be imported instead of it
    return [sys.executable, "-P", "-m", "dwtsvc_cli.main"]


def _list(ports: Sequence[int] | None) -> str | None:
    return ",".join(map(str, ports)) if ports else None


_FLAGS = {"http_ports": "--http-port", "https_ports": "--https-port", "Server": "--server", "LogLevel": "--log-level"}


def _arguments(overrides: dict[str, object], expose: bool) -> list[str]:
    """The options again, as words for the service itself."""
    words = ["--expose"] if expose else []
    if share := overrides.get("share"):
        words += ["--share"] if share == "on" else ["--share", str(share)]
    words += ["--watch-buttons"] if overrides.get("watch_buttons") else []
    for name, value in overrides.items():
        if value is not None and name in _FLAGS:
            words += [word for each in str(value).split(",") for word in (_FLAGS[name], each)]
    return words


@contextmanager
def _final_if_configuration() -> Iterator[None]:
    from dwtsvc.errors import BadConfiguration, DoNotRestart

    try:
        yield
    except BadConfiguration as error:
        raise DoNotRestart(error.what, why=error.why, hint=error.hint) from error


def _load(paths: Paths, overrides: dict[str, object]) -> Loaded:
    from dwtsvc import config
    from dwtsvc.errors import BadConfiguration

    loaded = config.load(paths, os.environ, overrides)
    if both := set(loaded.settings.http_ports) & set(loaded.settings.https_ports):
        hint = "Give each its own with `dwtsvc config set`."
        raise BadConfiguration(f"Port {min(both)} stands in both http_ports and https_ports", hint=hint)
    return loaded


def _become_monitor(paths: Paths, command: list[str]) -> None:
    """Replace this process, with all that it loaded, by the small one; where that cannot be, be it as we are."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix" and not getattr(sys, "frozen", False):
        os.execv(sys.executable, [sys.executable, "-P", "-m", "dwtsvc.monitor", *command])
    from dwtsvc.monitor import Monitor

    _leave(Monitor(command, paths).run())


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


def _serve(paths: Paths, loaded: Loaded, expose: bool) -> None:
    from dwtsvc import lifeline, logs

    attached = lifeline.attach(os.environ, paths.create(paths.dump))
    stderr = bool(attached.monitor_pid) or os.isatty(2) or logs.to_journal(os.environ)
    logs.set_up(paths, loaded.settings.log_level, stderr=stderr, environ=os.environ)
    try:
        _listen(paths, loaded, expose, attached)
    except Exception as error:
        _log.exception("The service ends with an error", extra={logs.FILE_ONLY: True})
        raise error
    finally:
        attached.close()
    _log.info("The service has ended")


def _listen(paths: Paths, loaded: Loaded, expose: bool, attached: Attachment) -> None:
    from dwtsvc.lifeline import MonitorState
    from dwtsvc.server import App, listen
    from dwtsvc.server.service import Service
    from dwtsvc.version import __version__
    from dwtsvc_cli.output import tell

    _log.info("dwtsvc %s begins", __version__)
    monitor = MonitorState.read(paths.monitor_file) if attached.monitor_pid else None
    if monitor and monitor.reason:
        _log.warning("The service before this one ended: %s", monitor.reason)
    for warning in loaded.warnings:
        _log.warning("%s", warning)
    certificates = Certificates()
    care = _care(paths, loaded, certificates)

    def make_app(doors: list[Door]) -> App:
        service = Service(
            loaded.settings,
            paths,
            doors=doors,
            hosts=loaded.hosts,
            care=care,
            monitor_pid=attached.monitor_pid,
            warnings=loaded.warnings,
        )
        _introduce(doors)
        app = App(service, certificates)
        if app.sharing:
            tell(f"Scanners will be shared with AirScan at {app.sharing.url}; `dwtsvc status` says which")
        return app

    with _buttons(paths, loaded):
        listen.run(
            loaded.settings,
            loaded.hosts,
            paths,
            make_app,
            care=certificates,
            expose=expose,
            monitor_pid=attached.monitor_pid,
        )


@contextmanager
def _buttons(paths: Paths, loaded: Loaded) -> Iterator[None]:
    """Watch the buttons of scanners, if that is wished. A press is the command that the user would type."""
    if not loaded.settings.watch_buttons:
        yield
        return
    from dwtsvc.buttons import Buttons, wired

    found = wired(paths, loaded.settings)
    if not found:
        _log.warning("No profile names a button: `dwtsvc config profile save NAME device=... button=... output=...`")
    with Buttons(found, paths, loaded.settings, [*program(), "scan", "--quiet", "--profile"]):
        yield


class Certificates:
    """The care for the certificate as the doors want it: a pair of files, and a word when it changed."""

    def __init__(self) -> None:
        self.care: Care | None = None
        self._callbacks: list[Callable[[], None]] = []

    def pair(self) -> tuple[Path, Path]:
        assert self.care is not None
        return self.care.pair.certificate, self.care.pair.key

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def changed(self, _pair: Pair) -> None:
        for callback in self._callbacks:
            callback()


def _care(paths: Paths, loaded: Loaded, certificates: Certificates) -> Care:
    """The care, with a certificate made if there is none. Without one the service has its other doors."""
    from dwtsvc.certs.care import on_this_machine
    from dwtsvc.errors import DwtsvcError

    care = on_this_machine(paths, os.environ, hosts=loaded.hosts, changed=certificates.changed)
    certificates.care = care
    try:
        care.ensure()
    except DwtsvcError as error:
        _log.error("There is no certificate: %s", error)
    return care


def _introduce(doors: Sequence[Door]) -> None:
    """Where it listens and what to open, in the terminal; the log says the rest."""
    from dwtsvc.version import __version__
    from dwtsvc_cli.output import tell

    answering = [door for door in doors if door.state == "open"]
    for door in doors:
        if door.state != "open":
            tell(f"dwtsvc: {door.url} is not available: {door.holder or door.reason or door.state}")
    ports = ", ".join(sorted({f"{door.port} ({door.scheme})" for door in answering}))
    hosts = " and ".join(dict.fromkeys(door.host for door in answering))
    tell(f"dwtsvc {__version__} listens on {hosts}, ports {ports}")
    plain = [door for door in answering if door.scheme == "http" and not door.exposed]
    if plain:
        tell(f"Open {max(plain, key=lambda door: (door.host == '127.0.0.1', door.port)).url}/ in a browser.")
