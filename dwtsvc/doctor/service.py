"""Checks of the service: installed, configured, running, behind its ports, reached without a detour."""

from __future__ import annotations

import importlib
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from dwtsvc.doctor.patient import Finding, Patient, failed, ok, skipped, warning
from dwtsvc.errors import DwtsvcError
from dwtsvc.server.doors.sockets import LOOPBACK, holder, is_free, listener
from dwtsvc.status import State
from dwtsvc.version import __version__

OLDEST_PYTHON = (3, 11)
MODULES = (
    *("typer", "rich", "PIL.Image", "pypdfium2", "xxhash", "platformdirs", "isal.isal_zlib", "litestar", "uvicorn"),
    *("httptools", "cryptography.x509", "zxingcpp"),
)
# Loaded in a worker only, so that its licence stays there: here it is only looked for.
WORKERS_MODULES = ("pytwain",) if sys.platform == "win32" else ("pyinsane2",)


def installed(patient: Patient) -> Iterator[Finding]:
    name = "installed"
    python = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        yield failed(name, f"Python {python} is too old, {wanted} is needed", advice=f"Install Python {wanted}.")
    again = shlex.join([sys.executable, "-m", "pip", "install", "--force-reinstall", "dwtsvc"])
    faults = [fault for module in MODULES if (fault := _fault_of(module))]
    faults += [f"{module} is missing" for module in WORKERS_MODULES if find_spec(module) is None]
    for fault in faults:
        yield failed(name, fault, command=again)
    if not faults:
        yield ok(name, f"dwtsvc {__version__} with Python {python} in {sys.prefix}")
    if shutil.which("dwtsvc", path=patient.environ.get("PATH")) is None:
        advice = f"Add {sys.prefix}/bin to PATH, so that `dwtsvc` is found in every terminal."
        yield warning(name, "The command dwtsvc is not on the PATH", advice=advice)


def _fault_of(module: str) -> str:
    """Why a module cannot be loaded, or nothing. A broken library shows only when it is loaded."""
    try:
        importlib.import_module(module)
    except Exception as error:
        return f"{module.partition('.')[0]} cannot be loaded: {error}"
    return ""


def configuration(patient: Patient) -> Iterator[Finding]:
    name = "configuration"
    try:
        loaded = patient.loaded
    except DwtsvcError as error:
        yield failed(name, str(error), advice=error.hint, command="dwtsvc config check")
        return
    for said in loaded.warnings:
        yield warning(name, said, command="dwtsvc config check")
    files = [path for path in (patient.paths.system_config_file, patient.paths.config_file) if path.exists()]
    if not loaded.warnings:
        yield ok(name, f"Understood: {', '.join(map(str, files)) or 'no file, all defaults'}")


def running(patient: Patient) -> Iterator[Finding]:
    name, status = "running", patient.status
    fault = status.fault()
    if fault is None:
        yield ok(name, f"dwtsvc {status.version} is running: process {status.pid}, since {status.started}")
        if status.version != __version__:
            found = f"The service that runs is {status.version}, this command is {__version__}"
            yield warning(name, found, advice="Stop the service and start it again.")
    elif status.state is State.STOPPED:
        yield failed(name, str(fault), advice=fault.hint, command="dwtsvc serve")
    elif status.state is State.STARTING:
        yield warning(name, str(fault), advice=fault.hint, command="dwtsvc status")
    else:
        yield failed(name, str(fault), advice=fault.hint, command="dwtsvc logs")
    for said in status.warnings:
        yield warning(name, f"The service says: {said}")


def monitor(patient: Patient) -> Iterator[Finding]:
    name, status = "monitor", patient.status
    if status.state is State.WAITING:
        found = f"It waits until {status.next_restart}: the service crashed too often, the last time: {status.reason}"
        advice = f"`dwtsvc logs` tells why, and the folder {patient.paths.dump} where."
        yield failed(name, found, advice=advice, command=f"kill -HUP {status.monitor_pid}")
    elif status.restarts:
        times = "once" if status.restarts == 1 else f"{status.restarts} times"
        found = f"It started the service again {times}, the last time because: {status.reason}"
        yield warning(name, found, advice=f"Traces are in {patient.paths.dump}.", command="dwtsvc logs")
    elif status.monitor_pid:
        yield ok(name, f"Process {status.monitor_pid} starts the service again if it crashes")
    elif status.pid:
        yield ok(name, "None: what started the service is to start it again")
    else:
        yield skipped(name, "The service is not running")


def ports(patient: Patient) -> Iterator[Finding]:
    """What the running service says of its doors, else who holds the ports that it would take."""
    if patient.status.ports:
        yield from _doors(patient, patient.status.ports)
        return
    settings = patient.settings
    for host in LOOPBACK:
        for scheme, numbers in (("http", settings.http_ports), ("https", settings.https_ports)):
            for port in numbers:
                who = holder(host, port) if listener(host, port) else ""
                yield (
                    _taken(patient, _url(scheme, host, port), scheme, port, who)
                    if who
                    else ok("ports", f"{_url(scheme, host, port)} is free")
                )


def _doors(patient: Patient, doors: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for each in doors:
        scheme, port = str(each["scheme"]), int(each["port"])
        url = _url(scheme, str(each["host"]), port)
        if each["state"] == "open":
            yield ok("ports", f"{url} is open")
        elif each["state"] == "taken":
            yield _taken(patient, url, scheme, port, str(each.get("holder") or "another process"))
        else:
            yield _closed(url, str(each["host"]), str(each.get("reason") or "no reason known"))


def _closed(url: str, host: str, reason: str) -> Finding:
    """A machine without IPv6 lacks nothing: browsers ask 127.0.0.1 then."""
    say = warning if ":" in host else failed
    return say("ports", f"{url} does not work: {reason}", command="dwtsvc logs")


def _taken(patient: Patient, url: str, scheme: str, port: int, who: str) -> Finding:
    """The advice names the port's own number last: clients look at the published ones first."""
    words = who.split()
    pid = words[1] if words[:1] == ["process"] else ""
    advice = f"End {who}" + (f" (`kill {pid}`)" if pid else "") + ", or move the service to another port:"
    return failed("ports", f"{url} is taken by {who}", advice=advice, command=_moved(patient, scheme, port))


def _moved(patient: Patient, scheme: str, port: int) -> str:
    """The command that puts a free port in the place of a taken one."""
    name = f"{scheme}_ports"
    have: tuple[int, ...] = getattr(patient.settings, name)
    all_ports = {*patient.settings.http_ports, *patient.settings.https_ports}
    free = next(each for each in range(port + 1, 65536) if each not in all_ports and is_free(each))
    moved = [free if each == port else each for each in have]
    return shlex.join(["dwtsvc", "config", "set", name, ",".join(map(str, moved))])


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def proxy(patient: Patient) -> Iterator[Finding]:
    """What most programs obey: a variable that names a proxy, and one that names what is reached without it."""
    environ = {name.lower(): value for name, value in patient.environ.items() if value}
    used = [name for name in ("http_proxy", "https_proxy", "all_proxy") if name in environ]
    without = {each.strip().lstrip(".") for each in environ.get("no_proxy", "").split(",")}
    missing = [host for host in ("localhost", "127.0.0.1") if "*" not in without and host not in without]
    if used and missing:
        found = f"{used[0]} is set, and no_proxy does not name {' and '.join(missing)}: programs ask the proxy for them"
        exceptions = ",".join([*sorted(without - {""}), *missing])
        yield warning("proxy", found, command=f"export no_proxy={shlex.quote(exceptions)}")
    else:
        yield ok("proxy", "This machine itself is reached without one")
