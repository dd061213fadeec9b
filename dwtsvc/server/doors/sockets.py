"""The doors of the service: sockets that listen, and who holds the ones that are taken."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, Literal

from dwtsvc.config import Settings

LOOPBACK = ("127.0.0.1", "::1")
BACKLOG = 2048
BLOCKS = range(17000, 18000, 4)  # where a user's own ports lie if the usual ones belong to somebody else
FIRST_PASSED_FILE = 3  # systemd's convention
OPEN_FILES = 16384  # each connection is one; many systems give a process 1,024 until it asks

Scheme = Literal["http", "https"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """An address of the service. `holder` says who has a taken one, `reason` why a failed one does not work."""

    scheme: Scheme
    host: str
    port: int
    state: Literal["open", "taken", "failed"]
    holder: str = ""
    reason: str = ""

    @property
    def url(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def exposed(self) -> bool:
        """Whether other machines can reach it."""
        return not ip_address(self.host).is_loopback

    def record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Opening:
    """A door, and the socket that listens there if it is open."""

    door: Door
    socket: socket.socket | None

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()


def open_doors(settings: Settings, *, expose: bool = False) -> list[Opening]:
    """Listen at every address of the settings that is free; the others say why not.

    Takes a block of ports of its own if the configuration asks for one for each user, or if the usual ports are all
    held by another user. `settings.server` is listened on with `expose` only, and only with TLS.
    """
    if settings.enable_enhanced_mode:
        return _block()
    openings = [open_at(*address) for address in _addresses(settings, expose)]
    if not _any_open(openings) and _are_usual(settings) and _belong_to_another_user(openings):
        return _block() or openings
    return openings


def _addresses(settings: Settings, expose: bool) -> Iterator[tuple[Scheme, str, int]]:
    outside = (settings.server,) if expose and settings.server and is_outside(settings.server) else ()
    hosts: tuple[str, ...] = LOOPBACK
    for host in hosts:
        yield from (("http", host, port) for port in settings.http_ports)
        yield from (("https", host, port) for port in settings.https_ports)
    for host in outside:
        yield from (("https", host, port) for port in settings.https_ports)


def is_outside(server: str | None) -> bool:
    """Whether a configured address is one that other machines reach."""
    return server is not None and not ip_address(server).is_loopback


def _are_usual(settings: Settings) -> bool:
    usual = Settings()
    return (settings.http_ports, settings.https_ports) == (usual.http_ports, usual.https_ports)


def _any_open(openings: Iterable[Opening]) -> bool:
    return any(each.door.state == "open" for each in openings)


def _belong_to_another_user(openings: Iterable[Opening]) -> bool:
    """Whose the ports are is all that can be known: the system hides the programs of other users."""
    taken = [each.door for each in openings if each.door.state == "taken"]
    owners = [listener(door.host, door.port) for door in taken]
    return bool(taken) and all(owner is not None and owner.uid != os.getuid() for owner in owners)


def _block() -> list[Opening]:
    """The first four ports in a row that are wholly free; empty if there are none."""
    for first in BLOCKS:
        schemes: tuple[Scheme, ...] = ("http", "https", "http", "https")
        openings = [open_at(scheme, host, first + at) for host in LOOPBACK for at, scheme in enumerate(schemes)]
        if _wholly_free(openings):
            return openings
        for each in openings:
            each.close()
    return []


def _wholly_free(openings: Sequence[Opening]) -> bool:
    """A machine may lack IPv6, so one that failed counts for nothing."""
    return _any_open(openings) and not any(each.door.state == "taken" for each in openings)


def is_free(port: int) -> bool:
    """Whether the service could listen at a port: tried, because a connection that leaves the machine takes one too."""
    openings = [open_at("http", host, port) for host in LOOPBACK]
    for each in openings:
        each.close()
    return _wholly_free(openings)


def open_at(scheme: Scheme, host: str, port: int) -> Opening:
    """Listen at one address; the door says why where that cannot be."""
    door = Door(scheme=scheme, host=host, port=port, state="open")
    if ip_address(host).is_unspecified:  # it would collide with our own doors, and no Host of a client would be it
        return Opening(replace(door, state="failed", reason="name the address of one network card"), None)
    try:
        return Opening(door, _listen(host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return Opening(replace(door, state="taken", holder=holder(host, port)), None)
        return Opening(replace(door, state="failed", reason=error.strerror or str(error)), None)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket: two that are merely bound can share an address, so listening is what claims it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # SO_REUSEADDR would let two programs have the same port there
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


# Sockets that systemd opened


def passed_sockets(settings: Settings, environ: Mapping[str, str], *, expose: bool = False) -> list[Opening]:
    """The sockets that systemd opened for this process; empty if it did not. A name with https in it means TLS."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    count = int(environ.get("LISTEN_FDS", "0"))
    names += [""] * (count - len(names))
    return [_passed(FIRST_PASSED_FILE + at, names[at], settings, expose) for at in range(count)]


def _passed(file: int, name: str, settings: Settings, expose: bool) -> Opening:
    os.set_inheritable(file, False)
    passed = socket.socket(fileno=file)
    passed.setblocking(False)
    if passed.family not in (socket.AF_INET, socket.AF_INET6):
        return _refused(passed, Door(scheme="http", host="127.0.0.1", port=0, state="failed"), "not a TCP socket")
    host, port = passed.getsockname()[:2]
    door = Door(scheme=_scheme(name, port, settings), host=host, port=port, state="open")
    if door.exposed and not (expose and door.scheme == "https"):
        return _refused(passed, door, "other machines could reach it; that needs --expose, and TLS")
    return Opening(door, passed)


def _scheme(name: str, port: int, settings: Settings) -> Scheme:
    if "http" in name:
        return "https" if "https" in name else "http"
    return "https" if port in settings.https_ports else "http"


def _refused(passed: socket.socket, door: Door, reason: str) -> Opening:
    passed.close()
    return Opening(replace(door, state="failed", reason=reason), None)


# Who holds a port


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket as /proc/net/tcp knows it."""

    uid: int
    inode: str


def holder(host: str, port: int, proc: Path = Path("/proc")) -> str:
    """Who listens at an address, as far as this user may know: "process 123 (python3)"."""
    found = listener(host, port, proc)
    if found is None:
        return "another process"
    for pid in _processes_with(found.inode, proc):
        return f"process {pid} ({_program(pid, proc)})"
    if found.uid != os.getuid():
        return f"another user's process ({_user(found.uid)})"
    return "another process"


def listener(host: str, port: int, proc: Path = Path("/proc")) -> Listener | None:
    """The socket that listens at an address, or at all addresses at once; None if the system does not tell."""
    wanted = ip_address(host)
    for table in ("net/tcp", "net/tcp6"):
        with suppress(OSError):
            for line in (proc / table).read_text().splitlines()[1:]:
                local, state, uid, inode = (line.split()[at] for at in (1, 3, 7, 9))
                if state == "0A" and _covers(local, wanted, port):
                    return Listener(int(uid), inode)
    return None


def _covers(local: str, wanted: IPv4Address | IPv6Address, port: int) -> bool:
    """Whether a local address of the table, such as 0100007F:48BE, takes this one; 0.0.0.0 and :: take all."""
    digits, _, found_port = local.partition(":")
    if int(found_port, 16) != port:
        return False
    words = [bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8)]  # each in host order
    found = ip_address(b"".join(words) if sys.byteorder == "little" else bytes.fromhex(digits))
    mapped = getattr(found, "ipv4_mapped", None) or found
    return mapped == wanted or (found.is_unspecified and found.version >= wanted.version)


def _processes_with(inode: str, proc: Path) -> Iterator[int]:
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError):  # another user's, or already gone
            if any(_points_to(file, f"socket:[{inode}]") for file in (folder / "fd").iterdir()):
                yield int(folder.name)


def _points_to(file: Path, target: str) -> bool:
    try:
        return os.readlink(file) == target
    except OSError:
        return False


def _program(pid: int, proc: Path) -> str:
    try:
        return (proc / str(pid) / "comm").read_text().strip()
    except OSError:
        return "unknown"


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def raise_file_limit() -> None:
    """Let this process open as many files as it has connections, within what the system allows it."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
