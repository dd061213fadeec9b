"""Whose program is at the other end of a connection on this machine.

On Linux the kernel is asked for the owner of the peer's socket: by sock_diag, which takes 2 microseconds, or, where a
sandbox forbids that, by reading /proc/self/net/tcp{,6}, which takes milliseconds. Such a table counts for a connection
only if it was read after the connection was made, because ports are used again; one reading serves all connections
that were made before it. Elsewhere every peer on the loopback counts as this user's.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Any, Protocol

Address = tuple[str, int]

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG, and SOCK_DIAG_BY_FAMILY below
_BY_FAMILY = 20
_REQUEST = 1
_ANY_COOKIE = b"\xff" * 8
_TABLES = ("/proc/self/net/tcp", "/proc/self/net/tcp6")


class ConnectionLike(Protocol):
    """One connection: when it was made (time.monotonic()), and a place for what holds as long as it does."""

    @property
    def accepted_at(self) -> float: ...
    @property
    def cache(self) -> dict[str, Any]: ...


class Connection:
    """A connection of which only a request is known: it was made before now, and nothing is kept for it."""

    __slots__ = ("accepted_at", "cache")

    def __init__(self) -> None:
        self.accepted_at = monotonic()
        self.cache: dict[str, Any] = {}


class Peers:
    """Tells whether a connection comes from a program of this user. Used by the event loop only."""

    def __init__(self, *, uid: int | None = None, platform: str = sys.platform, tables: tuple[str, ...] = _TABLES):
        self._linux = platform == "linux"
        self._uid = uid if uid is not None else os.geteuid() if hasattr(os, "geteuid") else 0
        self._tables = tables
        self._diag = _diag_socket() if self._linux and tables is _TABLES else None
        self._content = b""
        self._read_at = float("-inf")

    def is_mine(self, connection: ConnectionLike, client: Address | None, server: Address | None) -> bool:
        """Whether the peer is a program of the user that the service runs as. What is not known is not his."""
        mine: bool | None = connection.cache.get("mine")
        if mine is None:
            mine = connection.cache["mine"] = self._ask(connection.accepted_at, client, server)
        return mine

    def _ask(self, accepted: float, client: Address | None, server: Address | None) -> bool:
        if not client or not server or not (is_loopback(client[0]) and is_loopback(server[0])):
            return False
        if not self._linux:
            return True
        return self._owner(accepted, client, server) == self._uid

    def _owner(self, accepted: float, client: Address, server: Address) -> int | None:
        if self._diag:
            try:
                return _asked(self._diag, client, server)
            except OSError:  # a sandbox, or a kernel without it: from now on by the tables
                self._diag.close()
                self._diag = None
        if self._read_at <= accepted:
            self._read_at = monotonic()
            self._content = b"".join(map(_read, self._tables))
        return _listed(self._content, client, server)


def is_loopback(host: str) -> bool:
    if host in ("127.0.0.1", "::1"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _diag_socket() -> socket.socket | None:
    try:
        found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)
    except (OSError, AttributeError):
        return None
    found.setblocking(False)  # the kernel has answered when `send` returns; if not, something is wrong
    return found


def _asked(diag: socket.socket, client: Address, server: Address) -> int | None:
    """The uid that owns the client's socket; None if there is no such socket, or no process holds it any more.

    Raises OSError if the kernel cannot be asked.
    """
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    ports = struct.pack("!HH", client[1], server[1])
    ends = b"".join(socket.inet_pton(family, host).ljust(16, b"\0") for host, _ in (client, server))
    query = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + ports + ends + bytes(4) + _ANY_COOKIE
    diag.send(struct.pack("=IHHII", 16 + len(query), _BY_FAMILY, _REQUEST, 0, 0) + query)
    reply = diag.recv(4096)
    if len(reply) >= 88 and struct.unpack_from("=H", reply, 4) == (_BY_FAMILY,):
        uid, inode = struct.unpack_from("=II", reply, 16 + 4 + 48 + 12)
        return int(uid) if inode else None  # one that is closing has no owner, and is shown with uid 0
    number = -struct.unpack_from("=i", reply, 16)[0]
    if number != 2:  # ENOENT: no such connection in this network namespace
        raise OSError(number, "sock_diag")
    return None


def _read(path: str) -> bytes:
    with suppress(OSError), open(path, "rb") as file:
        return file.read()
    return b""


def _listed(content: bytes, client: Address, server: Address) -> int | None:
    """The owner of the client's socket by the kernel's tables, in the same way.

    A program may use an IPv6 socket for an IPv4 address: then it stands in the second table.
    """
    for mapped in (False, True):
        row = f" {_hex(client, mapped)} {_hex(server, mapped)} ".encode()
        start = content.find(row)
        if start >= 0:
            # after the addresses: state, queues, timer, retransmissions, uid, timeout, inode
            fields = content[start + len(row) : content.find(b"\n", start)].split()
            return int(fields[4]) if len(fields) > 6 and fields[6] != b"0" else None
    return None


def _hex(address: Address, mapped: bool) -> str:
    """An address as the tables write it: words of 32 bits in the machine's own byte order."""
    host, port = address
    if ":" in host:
        packed = socket.inet_pton(socket.AF_INET6, host)
    else:
        packed = (bytes(10) + b"\xff\xff" if mapped else b"") + socket.inet_pton(socket.AF_INET, host)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"
