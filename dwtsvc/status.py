"""What the service does, asked from outside: its lock file, its monitor's word, and its own answer."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from dwtsvc import locks
from dwtsvc.config import Settings
from dwtsvc.errors import DwtsvcError, FileAccess, ServiceNotRunning, TokenNeeded
from dwtsvc.lifeline import MonitorState
from dwtsvc.paths import Paths
from dwtsvc.portlock import read_port_lock

PATIENCE = 2.0  # seconds for an answer
_LARGEST = 8 << 20


class State(StrEnum):
    RUNNING = "running"
    STARTING = "starting"
    WAITING = "waiting"  # it crashed too often, and its monitor waits before the next start
    SILENT = "silent"  # its process is there and does not answer
    REFUSING = "refusing"  # it answers, and wants a token that this user has not
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All that `dwtsvc status` knows. Times are ISO 8601 in UTC; what is not known is None or empty."""

    state: State
    pid: int | None = None
    monitor_pid: int | None = None
    version: str | None = None
    started: str | None = None
    ports: Sequence[Mapping[str, Any]] = ()  # scheme, host, port, state (open, taken, failed), holder
    jobs: Sequence[Mapping[str, Any]] = ()
    devices: Sequence[Mapping[str, Any]] = ()
    shared: Sequence[Mapping[str, Any]] = ()  # device, url
    certificate: Mapping[str, Any] | None = None
    log_level: int | None = None
    warnings: Sequence[str] = ()
    restarts: int = 0  # by this monitor
    next_restart: str | None = None
    reason: str = ""  # why it ended last

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def urls(self) -> list[str]:
        """Where it answers, plain HTTP first."""
        return [_url(port) for port in self.ports if port.get("state") == "open"]

    def fault(self) -> DwtsvcError | None:
        """Why nobody is served, or this user is not, and what to do; None if it runs."""
        if self.state is State.RUNNING:
            return None
        if self.state is State.REFUSING:
            return TokenNeeded("The service runs and does not tell this user more", hint="Ask as the user it runs as.")
        what, why, hint = _FAULTS[self.state]
        said = {"reason": self.reason or "no reason known", "when": self.next_restart, "pid": self.pid}
        return ServiceNotRunning(what.format(**said), why=why.format(**said), hint=hint.format(**said))


_LOG = "`dwtsvc logs` tells more"
_FAULTS = {
    State.STOPPED: (
        "The service is not running",
        "",
        "Run `dwtsvc serve`, or have it start at log-in: `dwtsvc install-service`.",
    ),
    State.STARTING: ("The service is starting", "", f"Ask again in a moment; {_LOG}."),
    State.WAITING: (
        "The service crashed too often and waits until {when} before it starts again",
        "{reason}",
        f"{_LOG}; `kill -HUP` of its monitor starts it now.",
    ),
    State.SILENT: (
        "The service does not answer",
        "process {pid} is there",
        f"{_LOG}; `kill -USR1 {{pid}}` writes what it is doing into its dump folder.",
    ),
}


def read(paths: Paths, settings: Settings) -> Status:
    """The status now, within PATIENCE and a bit. Raises FileAccess where another user's service was asked for."""
    if paths.runtime.exists() and not os.access(paths.runtime, os.R_OK | os.X_OK):
        raise FileAccess(f"{paths.runtime} cannot be looked into", why="it is another user's", hint="Try sudo.")
    monitor = _monitor(paths)
    lock = read_port_lock(paths)
    if lock is None:
        return _absent(monitor)
    state, answer, warnings = _ask(lock, paths, settings)
    known: dict[str, Any] = {name: lock.get(name) for name in ("pid", "monitor_pid", "version", "started")}
    known |= {"ports": lock.get("doors") or ()}
    known |= {name: answer[name] for name in _ANSWERED if answer.get(name) is not None}
    return Status(
        **known,
        state=state,
        warnings=(*answer.get("warnings", ()), *warnings),
        restarts=monitor.restarts if monitor else 0,
        reason=monitor.reason if monitor else "",
    )


_ANSWERED = ("version", "started", "ports", "jobs", "devices", "shared", "certificate", "log_level")


def _absent(monitor: MonitorState | None) -> Status:
    if monitor is None:
        return Status(state=State.STOPPED)
    return Status(
        state=State.WAITING if monitor.next_restart else State.STARTING,
        pid=monitor.service_pid,
        monitor_pid=monitor.pid,
        restarts=monitor.restarts,
        next_restart=monitor.next_restart,
        reason=monitor.reason,
    )


def _monitor(paths: Paths) -> MonitorState | None:
    """What the monitor says, if it lives: the file of one that was killed stays behind."""
    state = MonitorState.read(paths.monitor_file)
    if state is None or not paths.monitor_lock.exists():
        return None
    with locks.holding(paths.monitor_lock) as nobody:
        return None if nobody else state


def _ask(lock: Mapping[str, Any], paths: Paths, settings: Settings) -> tuple[State, dict[str, Any], list[str]]:
    """The service's own answer, empty if there is none, and what was odd about it."""
    for door in _doors(lock):
        try:
            code, body = _get(door, _token(paths) if settings.require_token else {})
            if code == 401 and _token(paths):  # root asks the service of another user, whose token it can read
                code, body = _get(door, _token(paths))
        except (OSError, http.client.HTTPException):
            continue
        if code == 200 and body.get("pid") == lock.get("pid"):
            return State.RUNNING, body, []
        if code in (401, 403):
            return State.REFUSING, {}, [f"The service says of its status: {body.get('message', code)}"]
    return State.SILENT, {}, []


def _doors(lock: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where to ask, as the process says that holds the lock: plain HTTP first, this machine only."""
    doors = [each for each in lock.get("doors") or () if each.get("state") == "open"]
    yield from sorted(
        (each for each in doors if each.get("host") in ("127.0.0.1", "::1")), key=lambda each: each["scheme"] != "http"
    )


def _token(paths: Paths) -> dict[str, str]:
    """The header with the token; empty if this user cannot read it."""
    try:
        return {"Authorization": f"Bearer {(paths.state / 'token').read_text('ascii').strip()}"}
    except (OSError, ValueError):
        return {}


def _get(door: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """One question. Raises OSError and HTTPException."""
    connection = _connection(door)
    try:
        connection.request("GET", "/api/server/status", headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, _object(answer.read(_LARGEST))
    finally:
        connection.close()


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _connection(door: Mapping[str, Any]) -> http.client.HTTPConnection:
    host, port = str(door["host"]), int(door["port"])
    if door["scheme"] == "http":
        return http.client.HTTPConnection(host, port, timeout=PATIENCE)
    # The process that holds our lock said that it is the one behind this port: that is the identity that counts.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=context)


def _url(port: Mapping[str, Any]) -> str:
    host = str(port["host"])
    return f"{port['scheme']}://{f'[{host}]' if ':' in host else host}:{port['port']}/"
