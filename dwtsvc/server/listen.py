"""The life of the service's process: doors open, two servers on one loop, one owner of signals, an orderly end.

The order is: hold port.lock, listen, build the application, start it, serve, say READY. The end goes the other way: no
new connections, requests finish (5 s), the rest is cut, the application stops. SIGTERM and SIGINT end the service, a
second one at once, a third one as the system does it; SIGHUP loads the certificates again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

from dwtsvc import portlock
from dwtsvc.config import HostCertificate, Settings
from dwtsvc.errors import PortInUse
from dwtsvc.paths import Paths
from dwtsvc.server.doors import sockets
from dwtsvc.server.doors.connections import Connections, Limits
from dwtsvc.server.doors.notify import keep_alive, notify
from dwtsvc.server.doors.servers import App, Server, drain, tick
from dwtsvc.server.doors.sockets import Door, Opening
from dwtsvc.server.doors.tls import Certificates
from dwtsvc.version import __version__

__all__ = ["App", "Care", "Door", "Doors", "Limits", "run"]

GRACE = 5.0  # seconds that requests get to finish when the service stops

_log = logging.getLogger(__name__)


class Care(Protocol):
    """Who looks after the certificate; `on_change` callbacks may be called on any thread."""

    def pair(self) -> tuple[Path, Path]: ...

    def on_change(self, callback: Callable[[], None]) -> object: ...


def run(
    settings: Settings,
    hosts: Sequence[HostCertificate],
    paths: Paths,
    make_app: Callable[[list[Door]], App],
    *,
    care: Care | None = None,
    expose: bool = False,
    monitor_pid: int | None = None,
    limits: Limits | None = None,
    grace: float = GRACE,
) -> None:
    """Be the service until a signal ends it. Returns after a clean stop.

    `make_app(doors)` is called once, when the doors are open, inside the running loop, and gets all doors, open or
    not; the list is kept up to date. If one of them is `exposed`, the application must ask every client for the token.
    `care` gives the certificate of the TLS doors; without it there are none.

    Raises PortInUse if the service of these paths already runs, or if every port is taken; whatever make_app and
    start raise.
    """
    sockets.raise_file_limit()
    with portlock.hold(paths) as lock, _openings(settings, expose, tls=care is not None) as openings:
        doors = Doors(openings, hosts, paths, make_app, care=care, limits=limits or Limits(), grace=grace)
        doors.on_change = lambda: lock.write(_record(doors.doors, monitor_pid, started))
        started = datetime.now(UTC)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(doors.serve())


@contextlib.contextmanager
def _openings(settings: Settings, expose: bool, *, tls: bool) -> Iterator[list[Opening]]:
    openings = sockets.passed_sockets(settings, os.environ, expose=expose)
    openings = openings or sockets.open_doors(settings, expose=expose)
    try:
        if not tls:
            openings = [_without_certificate(each) for each in openings]
        _warn(settings, openings, expose)
        if not any(each.socket for each in openings):
            raise _none_free(openings)
        yield openings
    finally:
        for each in openings:
            each.close()


def _without_certificate(opening: Opening) -> Opening:
    if opening.door.scheme == "http" or opening.socket is None:
        return opening
    opening.close()
    return Opening(replace(opening.door, state="failed", reason="there is no certificate"), None)


def _warn(settings: Settings, openings: Sequence[Opening], expose: bool) -> None:
    if sockets.is_outside(settings.server) and not expose:
        _log.warning("The setting Server = %s is not used: other machines need --expose", settings.server)
    for door in (each.door for each in openings):
        if door.state == "taken":
            _log.warning("Port %d of %s is taken by %s", door.port, door.host, door.holder)
        elif door.state == "failed":
            _log.warning("%s cannot be opened: %s", door.url, door.reason)
        elif door.exposed:
            _log.warning("Other machines can reach %s; every client there needs the token", door.url)


def _none_free(openings: Sequence[Opening]) -> PortInUse:
    doors = [each.door for each in openings]
    why = "; ".join(f"port {door.port} of {door.host}: {door.holder or door.reason}" for door in doors)
    return PortInUse(
        "Every port of the service is taken",
        why=why or "there is no block of four free ports from 17000 on",
        hint="End what holds them, or set http_ports and https_ports with `dwtsvc config set`.",
    )


def _record(doors: Sequence[Door], monitor_pid: int | None, started: datetime) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "monitor_pid": monitor_pid,
        "version": __version__,
        "started": started.isoformat(timespec="seconds"),
        "doors": [door.record() for door in doors],
    }


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return cast(Callable[[], asyncio.AbstractEventLoop], uvloop.new_event_loop)


class Doors:
    """The running service. `doors` is the list that everybody shows; `on_change` is called when an entry changes."""

    def __init__(
        self,
        openings: Sequence[Opening],
        hosts: Sequence[HostCertificate],
        paths: Paths,
        make_app: Callable[[list[Door]], App],
        *,
        care: Care | None,
        limits: Limits,
        grace: float,
    ) -> None:
        self.doors = [each.door for each in openings]
        self.on_change: Callable[[], None] = lambda: None
        self._openings = openings
        self._make_app = make_app
        self._care = care
        self._certificates = Certificates(care.pair, hosts, paths.cert) if care else None
        self.connections = Connections(limits)
        self._grace = grace
        self._stop = asyncio.Event()
        self._forced = asyncio.Event()

    async def serve(self) -> None:
        """Serve until `stop`. Call it once."""
        if self._care is not None:  # before the first load, so that no change falls between the two
            loop = asyncio.get_running_loop()
            self._care.on_change(lambda: _call_if_open(loop, self.load_certificates))
        self.load_certificates()
        with self._signals():
            app = self._make_app(self.doors)
            await app.start()
            try:
                if not self._stop.is_set():
                    await self._serve(app)
            finally:
                await app.stop()

    def stop(self) -> None:
        """End the service: requests finish. A second time: at once."""
        if self._stop.is_set():
            self._forced.set()
        self._stop.set()

    def load_certificates(self) -> None:
        """Take new certificates for new connections; what cannot be used is said in the log and changes nothing."""
        if self._certificates is None:
            return
        for fault in self._certificates.load():
            _log.warning("%s; the one before stays in use", fault[:1].upper() + fault[1:])
        self._mark_doors()

    def _mark_doors(self) -> None:
        """A TLS door without any certificate listens but refuses everybody, until one is there."""
        assert self._certificates is not None
        for at, door in enumerate(self.doors):
            if door.scheme == "https" and self._openings[at].socket is not None:
                usable = self._certificates.usable
                reason = "" if usable else "the certificate cannot be used"
                self.doors[at] = replace(door, state="open" if usable else "failed", reason=reason)
        self.on_change()

    async def _serve(self, app: App) -> None:
        servers = [Server(app, self.connections) for _ in range(2)]
        async with _tasks(self.connections.watch(), tick(servers), keep_alive()):
            await self._open(servers)
            self.on_change()
            notify(f"READY=1\nSTATUS={sum(door.state == 'open' for door in self.doors)} doors open")
            await self._stop.wait()
            notify("STOPPING=1")
            await drain(servers, self.connections, self._grace, self._forced)

    async def _open(self, servers: Sequence[Server]) -> None:
        plain, encrypted = servers
        ready = [each for each in self._openings if each.socket is not None]
        await plain.listen([each for each in ready if each.door.scheme == "http"], None)
        await encrypted.listen([each for each in ready if each.door.scheme == "https"], self._certificates)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # only the main thread may have them
            yield
            return
        actions = {signal.SIGTERM: self._signalled, signal.SIGINT: self._signalled}
        if hasattr(signal, "SIGHUP"):
            actions[signal.SIGHUP] = self.load_certificates
        before = {each: signal.getsignal(each) for each in actions}
        for each, action in actions.items():
            _on_signal(each, action)
        try:
            yield
        finally:
            for each, handler in before.items():
                _on_signal(each, None)
                signal.signal(each, handler)

    def _signalled(self) -> None:
        self.stop()
        if self._forced.is_set():
            for each in (signal.SIGTERM, signal.SIGINT):
                _on_signal(each, None)


def _on_signal(number: signal.Signals, action: Callable[[], None] | None) -> None:
    """Call the action in the loop when a signal comes; None: what the system does."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):
        if action is not None:
            loop.add_signal_handler(number, action)
        else:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        return
    handler = signal.SIG_DFL if action is None else lambda *_: loop.call_soon_threadsafe(action)
    signal.signal(number, handler)  # Windows


def _call_if_open(loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the service has ended meanwhile
        loop.call_soon_threadsafe(action)


@contextlib.asynccontextmanager
async def _tasks(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each) for each in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
