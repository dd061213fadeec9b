"""What a proxy could read otherwise than we do, and what is no HTTP: refused, closed, and nothing behind it served."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.running import Running, read_answer, read_to_end, running, statuses, wait_for

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

# Request, the statuses that are allowed. None of them may reach the application.
REFUSED = {
    # Line ends and spaces
    "bare LF everywhere": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF after a field": GET + b"X: a\nY: b\r\n\r\n",
    "bare LF as the end of the head": GET + b"\n",
    "bare CR in a field": GET + b"X: a\rY: b\r\n\r\n",
    "CR CR LF": GET + b"X: a\r\r\n\r\n",
    "NUL in a field": GET + b"X: a\0b\r\n\r\n",
    "NUL in the address": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "vertical tab for a space": b"GET\x0b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "tab in the address": b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
    "space in the address": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "space after the version": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "space before the first field": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "space before a colon": GET + b"X : a\r\n\r\n",
    "space before the colon of Transfer-Encoding": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a field without a name": GET + b": a\r\n\r\n",
    "a field without a colon": GET + b"Host\r\n\r\n",
    "a folded field": GET + b"X: a\r\n b\r\n\r\n",
    "a folded Transfer-Encoding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a name with a high byte": GET + b"X\xff: a\r\n\r\n",
    "a high byte in the address": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    # Versions and methods
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/0.9 by name": b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
    "HTTP/2 by name": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "HTTP/1.10": b"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
    "http in small letters": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "RTSP": b"GET / RTSP/1.0\r\nHost: a\r\n\r\n",
    "RTSP with its own method": b"DESCRIBE rtsp://a/ RTSP/1.0\r\nHost: a\r\n\r\n",
    "ICE": b"SOURCE / ICE/1.0\r\nHost: a\r\n\r\n",
    "an unknown method": b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method in small letters": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS on the plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an SSH client": b"SSH-2.0-OpenSSH_9.2\r\n",
    "noise": bytes(range(256)),
    # Host and address
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: b\r\n\r\n",
    "the same Host twice": GET + b"host: a\r\n\r\n",
    "two Origins": GET + b"Origin: http://a\r\nOrigin: http://b\r\n\r\n",
    "two tokens": GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "two Sec-Fetch-Sites": GET + b"Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n\r\n",
    "another host in the address": b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "another port in the address": b"GET http://a:1/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "another scheme in the address": b"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "a user in the address": b"GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "a user with the right host": b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "an address without a slash": b"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "a file address": b"GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    # Lengths
    "length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n12345",
    "the same length twice": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345",
    "two lengths in one field": POST + b"Content-Length: 5, 5\r\n\r\n12345",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length with a plus": POST + b"Content-Length: +5\r\n\r\n12345",
    "a hexadecimal length": POST + b"Content-Length: 0x5\r\n\r\n12345",
    "a length with a point": POST + b"Content-Length: 5.0\r\n\r\n12345",
    "a length with a space within": POST + b"Content-Length: 1 1\r\n\r\n12345678901",
    "an empty length": POST + b"Content-Length: \r\n\r\n",
    "a length beyond 64 bits": POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    "a length in other digits": POST + "Content-Length: ٥\r\n\r\n12345".encode(),
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice in one field": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked, then identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "gzip before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "almost chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked in quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunked after a tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "an empty Transfer-Encoding": POST + b"Transfer-Encoding:\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0 without Host": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    # Other protocols, other expectations
    "an unknown expectation": GET + b"Expect: 200-ok\r\n\r\n",
    "two expectations": POST + b"Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    "an upgrade with a body": POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\n12345",
    "an upgrade with chunks": POST
    + b"Connection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}

# These reach the application, whose body must never look whole: it breaks after the head.
CUT = {
    "a chunk size in 0x": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "an empty chunk size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": CHUNKED + b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "a space after the chunk size": CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
    "a space before the chunk size": CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n",
    "bare LF after the chunk size": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "bare CR after the chunk size": CHUNKED + b"5\rhello\r\n0\r\n\r\n",
    "bare LF in an extension": CHUNKED + b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "no line end after a chunk": CHUNKED + b"5\r\nhello0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n",
    "bare LF after a chunk": CHUNKED + b"5\r\nhello\n0\r\n\r\n",
    "bare LF in a trailer": CHUNKED + b"0\r\nX: a\n\r\n",
    "a space before the colon of a trailer": CHUNKED + b"0\r\nX : a\r\n\r\n",
}

# A whole first request, and what must not become a second one.
FOLLOWED = {
    "a request in the same packet": GET + b"\r\n" + HIDDEN,
    "a thousand requests in the same packet": GET + b"\r\n" + HIDDEN * 1000,
    "a request behind a body": POST + b"Content-Length: 5\r\n\r\n12345" + HIDDEN,
    "a request behind a length of 0": POST + b"Content-Length: 0\r\n\r\n" + HIDDEN,
    "a request behind chunks": CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "a request behind trailers": CHUNKED + b"0\r\nX: 1\r\n\r\n" + HIDDEN,
    "a request behind Connection: close": GET + b"Connection: close\r\n\r\n" + HIDDEN,
    "a request behind HTTP/1.0": b"GET / HTTP/1.0\r\nHost: a\r\n\r\n" + HIDDEN,
    "a request behind an upgrade": GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" + HIDDEN,
    "a request behind a WebSocket": GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + HIDDEN,
    "a request behind an expectation": POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n12345" + HIDDEN,
    "a request as the body of GET": GET + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    "noise": GET + b"\r\n" + b"\0\xff" * 100,
    "the preface of HTTP/2": GET + b"\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("service"), uvloop=request.param == "uvloop") as service:
        yield service


@pytest.fixture(autouse=True)
def _still_good(service: Running) -> Iterator[None]:
    service.app.seen.clear()
    yield
    assert service.get("/good").status == 200


def test_the_lists_are_long_enough() -> None:
    assert len(REFUSED) + len(CUT) + len(FOLLOWED) >= 100


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_request_is_refused_and_nothing_behind_it_served(service: Running, name: str) -> None:
    for request in (REFUSED[name], REFUSED[name] + HIDDEN):
        (status,) = statuses(service.talk(request + b"\r\n\r\n"))
        assert status in (400, 417, 505)
    assert service.app.seen == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_request_is_refused_byte_by_byte(service: Running, name: str) -> None:
    assert byte_by_byte(service, REFUSED[name] + b"\r\n\r\n" + HIDDEN)[0] in (400, 417, 505)
    assert service.app.seen == []


@pytest.mark.parametrize("name", CUT)
def test_a_broken_body_never_looks_whole(service: Running, name: str) -> None:
    cut = service.app.bodies_cut
    assert statuses(service.talk(CUT[name] + HIDDEN)) == [400]
    assert byte_by_byte(service, CUT[name] + HIDDEN) == [400]
    wait_for(lambda: service.app.bodies_cut == cut + 2)
    assert service.app.seen == ["POST /"] * 2


@pytest.mark.parametrize("name", FOLLOWED)
def test_what_follows_a_request_is_never_a_second_one(service: Running, name: str) -> None:
    answer = service.talk(FOLLOWED[name])
    assert [each for each in statuses(answer) if each != 100] == [200]
    assert len(service.app.seen) == 1 and "/hidden" not in service.app.seen[0]


def test_a_request_after_the_answer_is_served(service: Running) -> None:
    with service.connect() as client:
        assert [service.get(f"/{at}", client).status for at in range(3)] == [200] * 3
    assert service.app.seen == ["GET /0", "GET /1", "GET /2"]


def test_a_line_end_too_many_behind_a_body_is_forgiven(service: Running) -> None:
    with service.connect() as client:
        for _ in range(3):
            client.sendall(POST + b"Content-Length: 5\r\n\r\n12345\r\n")
            assert read_answer(client).status == 200


def test_the_full_address_of_a_proxy_client_is_understood(service: Running) -> None:
    answer = service.talk(b"GET http://A:1/x?y=http://b/ HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n")
    assert statuses(answer) == [200] and service.app.seen == ["GET /x"]
    answer = service.talk(b"GET http://a?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert statuses(answer) == [200] and service.app.seen[-1] == "GET /"


def test_a_client_that_waits_for_100_continue_gets_it_once(service: Running) -> None:
    with service.connect() as client:
        client.sendall(POST + b"Connection: close\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        answer = read_to_end(client)
    assert statuses(answer) == [200] and b'"length": 5' in answer


def test_a_client_of_http_1_0_is_served(service: Running) -> None:
    assert statuses(service.talk(b"GET /old HTTP/1.0\r\n\r\n")) == [200]


def test_a_client_that_resets_its_connection_harms_nobody(service: Running) -> None:
    for request in (b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", POST + b"Content-Length: 9999\r\n\r\nx", b"GET"):
        for _ in range(20):
            client = service.connect()
            client.sendall(request)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
    wait_for(lambda: not service.doors.connections.all)


def byte_by_byte(service: Running, request: bytes) -> list[int]:
    with service.connect() as client, contextlib.suppress(ConnectionError):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            for at in range(len(request)):
                client.sendall(request[at : at + 1])
        return statuses(read_to_end(client))
    raise AssertionError


def test_the_good_answer_is_not_one_of_ours(tmp_path: Path) -> None:
    """The tests above would pass against a service that refuses everything; this one would not."""
    with running(tmp_path) as service:
        assert statuses(service.talk(GET + b"Connection: close\r\n\r\n")) == [200]
        assert service.app.seen == ["GET /"]
