"""Fetching a source: only from sites on the list, only by https, never from this machine's own network."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dwtsvc.errors import BadArguments, BadInput, TooLarge
from dwtsvc.server import fetch
from tests.server.running import make_pair

ALLOWED = ("https://scans.example", "https://scans.example:8443/")
PUBLIC = "93.184.215.14"


def resolver(*addresses: str) -> Any:
    """A look-up that says these addresses, once."""
    left = [addresses]

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        assert left, "the name is looked up twice: the second answer may be another"
        return [(0, 0, 0, "", (each, port)) for each in left.pop()]

    return resolve


@pytest.mark.parametrize(
    "url",
    [
        "http://scans.example/a.png",
        "HTTP://scans.example/a.png",
        "ftp://scans.example/a.png",
        "file:///etc/passwd",
        "//scans.example/a.png",
        "scans.example/a.png",
        "https://scans.example.evil.example/a.png",
        "https://evilscans.example/a.png",
        "https://scans.example@evil.example/a.png",
        "https://evil.example@scans.example/a.png",
        "https://evil.example#@scans.example/",
        "https://evil.example\\@scans.example/",
        "https://evil.example?@scans.example/",
        "https://evil.example/https://scans.example/",
        "https://scans.example:444/a.png",
        "https://scans.example:0/a.png",
        "https://scans.example:99999/a.png",
        "https://scans.example:8443:443/a.png",
        "https://scans.example./a.png",
        "https://scans%2eexample/a.png",
        "https://scans.example%00.evil.example/",
        "https://scans.example%2f@evil.example/",
        "https://scans。example/a.png",
        "https://ѕcans.example/a.png",
        "https://scans.example /a.png",
        "https://scans.example\t/a.png",
        "https://scans.example/a\r\nHost: evil.example",
        " https://scans.example/a.png",
        "https://",
        "https:///a.png",
        "https://:443/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://017700000001/",
        "https://0/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://172.16.0.1/",
        "https://100.64.0.1/",
        "https://[::1",
        "https://[scans.example]/",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "gopher://scans.example/",
        "https:scans.example/a.png",
        "https:/scans.example/a.png",
        "jar:https://scans.example!/a.png",
        "",
        "\x00",
        "https://scans.example\x7f/",
        "https://" + "a" * 3000,
    ],
)
def test_an_address_that_is_not_of_an_allowed_site_is_refused_before_any_look_up(url: str) -> None:
    with pytest.raises(BadArguments):
        fetch.fetch(url, ALLOWED, resolve=lambda *_, **__: pytest.fail("looked up"))


def test_what_is_allowed_is_the_whole_origin() -> None:
    assert fetch.checked("https://scans.example/a.png?b=c#d", ALLOWED) == fetch.Target(
        "scans.example", 443, "/a.png?b=c"
    )
    assert fetch.checked("https://SCANS.example:8443", ALLOWED) == fetch.Target("scans.example", 8443, "/")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "169.254.169.254",
        ),
        *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1"),
        *(
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "2002:7f00:1::",
            "2002:a00:1::",
        ),
        *("64:ff9b::7f00:1", "64:ff9b::a00:1", "2001:db8::1", "2001:0:7f00:1:0:0:80ff:fffe"),
    ],
)
def test_an_address_of_this_machines_network_is_never_connected_to(address: str) -> None:
    assert not fetch.is_public(ipaddress.ip_address(address))
    for answers in ((address,), (PUBLIC, address), (address, PUBLIC)):
        with pytest.raises(BadArguments):
            fetch.fetch(
                "https://scans.example/",
                ALLOWED,
                resolve=resolver(*answers),
                connect=lambda *_, **__: pytest.fail("connected"),
            )


def test_a_public_address_is_connected_to_as_it_was_looked_up() -> None:
    for address in (PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"):
        reached: list[Any] = []

        def connect(where: Any, timeout: float, reached: list[Any] = reached) -> Any:
            reached.append(where)
            raise ConnectionRefusedError(111, "Connection refused")

        with pytest.raises(BadInput):
            fetch.fetch("https://scans.example/", ALLOWED, resolve=resolver(address), connect=connect)
        assert reached == [(str(ipaddress.ip_address(address)), 443)]


class Site:
    """An https site that says the same to whoever connects, whatever is asked."""

    def __init__(self, folder: Path) -> None:
        pair = make_pair(folder, "scans.example")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*pair)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.asked = b""
        self.trusting = ssl.create_default_context(cafile=str(pair[0]))
        self.trusting.check_hostname = False  # the pair is for localhost

    def fetch(self, answer: bytes) -> bytes:
        server = threading.Thread(target=self._serve, args=(answer,))
        server.start()
        try:
            return fetch.fetch(
                "https://scans.example/a.png",
                ALLOWED,
                resolve=resolver(PUBLIC),
                connect=lambda *_, timeout: socket.create_connection(self._listener.getsockname(), timeout=timeout),
                context=self.trusting,
            )
        finally:
            server.join(20)

    def _serve(self, answer: bytes) -> None:
        plain, _ = self._listener.accept()
        try:
            with self._context.wrap_socket(plain, server_side=True) as secure:
                self.asked = secure.recv(65536)
                secure.sendall(answer)
        except OSError:
            pass

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def test_what_the_site_sends_comes_back(site: Site) -> None:
    assert site.fetch(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") == b"hello"
    assert site.asked.startswith(b"GET /a.png HTTP/1.1\r\nHost: scans.example\r\n")
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    assert site.fetch(chunked) == b"hello"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_no_redirect_is_followed_and_nothing_else_is_taken(site: Site, answer: bytes) -> None:
    with pytest.raises(BadInput):
        site.fetch(answer)


def test_a_site_that_sends_too_much_or_for_too_long_is_cut_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MOST_BYTES", 100)
    assert len(site.fetch(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + bytes(100))) == 100
    with pytest.raises(TooLarge):
        site.fetch(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(101))
    monkeypatch.setattr(fetch, "MOST_SECONDS", 0.3)
    endless = b"HTTP/1.1 200 OK\r\nX: "
    release = threading.Event()
    serve = site._serve

    def slow(answer: bytes) -> None:
        plain, _ = site._listener.accept()
        try:
            with site._context.wrap_socket(plain, server_side=True) as secure:
                secure.recv(65536)
                secure.sendall(answer)
                while not release.wait(0.05):
                    secure.sendall(b"x")
        except OSError:
            pass

    site._serve = slow  # type: ignore[method-assign]
    try:
        with pytest.raises(BadInput, match="longer than"):
            site.fetch(endless)
    finally:
        release.set()
        site._serve = serve  # type: ignore[method-assign]
