"""Fetching a picture from a web site that the settings allow: https only, one look-up, no redirect, small and quick.

What a web page names may point anywhere, also into this machine's own network: nothing but a public address of a site
on the list is ever connected to.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from dwtsvc.errors import BadArguments, BadInput, TooLarge

MOST_BYTES = 10 << 20
MOST_SECONDS = 10.0
CHUNK = 1 << 16
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # the last four bytes are an IPv4 address

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[..., list[Any]]
Connect = Callable[..., socket.socket]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: a host by name, a port, and path with query."""

    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        return f"https://{self.host}" + ("" if self.port == 443 else f":{self.port}")


def fetch(
    url: str,
    allowed: Iterable[str],
    *,
    resolve: Resolve = socket.getaddrinfo,
    connect: Connect = socket.create_connection,
    context: ssl.SSLContext | None = None,
) -> bytes:
    """What is at an https address of one of the `allowed` origins. Blocking.

    Raises BadArguments for an address that may not be fetched, BadInput for one that cannot, TooLarge.
    """
    target = checked(url, allowed)
    address = public_address(target, resolve)
    until = monotonic() + MOST_SECONDS
    try:
        with contextlib.closing(connect((str(address), target.port), timeout=MOST_SECONDS)) as plain:
            secure = (context or ssl.create_default_context()).wrap_socket(plain, server_hostname=target.host)
            # Each byte that comes would start a socket's own deadline anew; this one holds for all of them.
            watch = threading.Timer(max(0.0, until - monotonic()), _cut, (secure,))
            watch.start()
            try:
                data = _read(secure, target)
                if monotonic() >= until:  # a connection that was cut looks like one that has ended
                    raise TimeoutError
                return data
            finally:
                watch.cancel()
                secure.close()
    except (OSError, http.client.HTTPException) as error:
        raise BadInput("The source could not be fetched", why=_why(error, until)) from error


def checked(url: str, allowed: Iterable[str]) -> Target:
    """The target of a URL of an allowed origin, compared as a whole. Raises BadArguments."""
    target = _parsed(url)
    if target is None:
        raise BadArguments("The source is no plain https address", hint="Write it as https://host/path.")
    if target.origin not in {each.lower().rstrip("/") for each in allowed}:
        raise BadArguments("The source is on no site that may be fetched from", hint="The owner sets `upload_targets`.")
    return target


def _parsed(url: str) -> Target | None:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        port = 443 if parts.port is None else parts.port
    except ValueError:
        return None
    if parts.scheme != "https" or "@" in parts.netloc or not parts.hostname or "%" in parts.netloc:
        return None
    return Target(parts.hostname, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def public_address(target: Target, resolve: Resolve) -> Address:
    """The first address of a host; BadArguments if any of them is not on the public internet, BadInput if none is."""
    try:
        found = resolve(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadInput("The source could not be fetched", why=f"{target.host} has no address") from error
    addresses = [ipaddress.ip_address(each[4][0].partition("%")[0]) for each in found]
    if not addresses:
        raise BadInput("The source could not be fetched", why=f"{target.host} has no address")
    if not all(map(is_public, addresses)):
        raise BadArguments("The source is not on the public internet", why="its name leads into a private network")
    return addresses[0]


def is_public(address: Address) -> bool:
    """Whether an address, and the IPv4 address that may be inside it, is anybody's to reach."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in NAT64:
            inner.append(ipaddress.IPv4Address(address.packed[12:]))
        if not all(is_public(each) for each in inner if each is not None):
            return False
        if address.ipv4_mapped is not None:
            return True
    return address.is_global and not address.is_multicast and not address.is_reserved


def _read(connection: ssl.SSLSocket, target: Target) -> bytes:
    host = target.host if target.port == 443 else f"{target.host}:{target.port}"
    head = f"GET {target.path} HTTP/1.1\r\nHost: {host}\r\nAccept: image/*\r\nAccept-Encoding: identity\r\n"
    connection.sendall(f"{head}Connection: close\r\n\r\n".encode("ascii"))
    with http.client.HTTPResponse(connection, method="GET") as response:
        response.begin()
        if response.status != 200:
            raise BadInput("The source could not be fetched", why=f"the site answers {response.status}")
        if response.getheader("content-encoding", "identity").lower() != "identity":
            raise BadInput("The source could not be fetched", why="the site sends it compressed")
        data = bytearray()
        while piece := response.read(CHUNK):
            data += piece
            if len(data) > MOST_BYTES:
                raise TooLarge("The source is too large", why=f"{MOST_BYTES} bytes are allowed")
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return bytes(data)


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _why(error: BaseException, until: float) -> str:
    if monotonic() >= until:
        return f"it took longer than {MOST_SECONDS:g} s"
    return getattr(error, "strerror", None) or type(error).__name__
