"""Each limit of a connection: at it, one above it, and a hundred times it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dwtsvc.server.doors.protocol import SPARE
from dwtsvc.server.listen import Limits
from tests.server.running import PATIENCE, Running, read_answer, read_to_end, running, statuses, wait_for

DOCUMENT = Path(__file__).parents[2] / "docs" / "service.md"
HEAD = 32 << 10
TARGET = 8 << 10
FIELDS = 100
# A head and the next request have more time than the rest: the client, too, must come to send them.
SOON = Limits(head=2, body=0.3, write=0.3, idle=2, linger=0.2, sweep=0.05)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with short deadlines."""
    with running(tmp_path_factory.mktemp("hasty"), limits=SOON) as service:
        yield service


def head_of(size: int) -> bytes:
    """A head of so many bytes, in fields of at most 1,000."""
    start, end = b"GET /head HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", b"\r\n"
    field = b"X: " + b"x" * 995 + b"\r\n"
    count, rest = divmod(size - len(start) - len(end) - 10, len(field))
    last = b"Y: " + b"y" * (rest + 5) + b"\r\n"
    head = start + field * count + last + end
    assert len(head) == size
    return head


@pytest.mark.parametrize(("size", "expected"), [(HEAD - 1, 200), (HEAD, 200), (HEAD + 1, 431)])
def test_a_head_may_have_32_kib(service: Running, size: int, expected: int) -> None:
    assert statuses(service.talk(head_of(size))) == [expected]


@pytest.mark.parametrize("piece", [1000, 4096, 32767, 32769])
def test_the_size_of_a_head_counts_over_packets(service: Running, piece: int) -> None:
    for size, expected in ((HEAD, 200), (HEAD + 1, 431)):
        assert in_pieces(service, head_of(size), piece) == [expected]


def test_the_body_behind_a_large_head_in_one_packet_is_kept(service: Running) -> None:
    body = b"z" * 100_000
    start = b"POST /both HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100000\r\nX: "
    head = start + b"x" * (HEAD - len(start) - 4) + b"\r\n\r\n"
    answer = service.talk(head + body)
    assert statuses(answer) == [200] and b'"length": 100000' in answer


def test_a_single_field_without_an_end_does_not_fill_memory(service: Running) -> None:
    with service.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * HEAD)
        assert statuses(read_to_end(client)) == [431]


def test_a_head_a_hundred_times_too_large_is_refused(service: Running) -> None:
    before = list(service.app.seen)
    with service.connect() as client, contextlib.suppress(ConnectionError):
        client.sendall(head_of(HEAD * 100))
    assert service.app.seen == before


@pytest.mark.parametrize(("count", "expected"), [(FIELDS, 200), (FIELDS + 1, 431), (FIELDS * 40, 431)])
def test_a_head_may_have_100_fields(service: Running, count: int, expected: int) -> None:
    fields = b"a:b\r\n" * (count - 2)
    request = b"GET /fields HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n"
    assert statuses(service.talk(request)) == [expected]


@pytest.mark.parametrize(("size", "expected"), [(TARGET, 200), (TARGET + 1, 414), (TARGET * 3, 414)])
def test_an_address_may_have_8_kib(service: Running, size: int, expected: int) -> None:
    request = b"GET /" + b"a" * (size - 1) + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert statuses(service.talk(request)) == [expected]
    assert in_pieces(service, request, 3000) == [expected]


def test_a_refusal_is_our_error_object_and_says_nothing_of_the_request(service: Running) -> None:
    answer = service.talk(b"GET /secret HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert b'"error": "bad-arguments"' in answer and b'"statusCode": 400' in answer
    assert b"connection: close\r\n" in answer and b"nosniff" in answer
    assert b"secret" not in answer and b"server:" not in answer.lower()


def test_trailers_and_chunk_extensions_have_an_end(service: Running) -> None:
    start = b"POST /framing HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    small = start + b"5;a=b\r\nhello\r\n0\r\nX-Trailer: 1\r\nHost: evil\r\n\r\n"
    answer = service.talk(small)
    assert statuses(answer) == [200] and b'"length": 5' in answer
    assert (b"host", b"evil") not in service.app.heads[-1]["headers"]
    cut = service.app.bodies_cut
    assert statuses(service.talk(start + b"5;a=" + b"b" * (200 << 10))) == [400]
    assert statuses(service.talk(start + b"0\r\nX: " + b"b" * (200 << 10))) == [400]
    wait_for(lambda: service.app.bodies_cut == cut + 2)


def test_a_body_in_chunks_of_one_byte_is_taken(service: Running) -> None:
    start = b"POST /tiny HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = service.talk(start + b"1\r\nX\r\n" * 50_000 + b"0\r\n\r\n")
    assert statuses(answer) == [200] and b'"length": 50000' in answer


# Deadlines


def test_a_head_that_comes_too_slowly_is_answered_408(hasty: Running) -> None:
    with hasty.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert statuses(dribble(client, b"x")) == [408]


def test_a_connection_that_says_nothing_is_closed_without_a_word(hasty: Running) -> None:
    with hasty.connect() as client:
        assert read_to_end(client) == b""


def test_empty_lines_do_not_keep_a_connection(hasty: Running) -> None:
    with hasty.connect() as client:
        assert dribble(client, b"\r\n") == b""


def test_an_idle_connection_is_closed_after_its_answers(hasty: Running) -> None:
    with hasty.connect() as client:
        assert [hasty.get("/one", client).status, hasty.get("/two", client).status] == [200, 200]
        assert read_to_end(client) == b""


def test_the_second_head_of_a_connection_has_a_deadline_too(hasty: Running) -> None:
    with hasty.connect() as client:
        assert hasty.get("/first", client).status == 200
        client.sendall(b"GET /second HTTP/1.1\r\n")
        assert statuses(read_to_end(client)) == [408]


@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_body_that_comes_too_slowly_is_cut_and_never_looks_whole(hasty: Running, framing: bytes) -> None:
    cut = hasty.app.bodies_cut
    with hasty.connect() as client:
        client.sendall(b"POST /body HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")
        assert statuses(dribble(client, b"1\r\nx\r\n")) == [408]
    wait_for(lambda: hasty.app.bodies_cut == cut + 1)


def test_a_large_body_gets_more_time_than_a_small_one(tmp_path: Path) -> None:
    limits = Limits(body=0.2, rate=64 << 10, sweep=0.05)
    with running(tmp_path, limits=limits) as service, service.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 800000\r\n\r\n")
        for _ in range(8):
            client.sendall(b"x" * 100_000)
            service.app.waiting.wait(0.1)
        assert statuses(read_to_end(client)) == [200]


def test_an_application_that_is_slow_to_read_does_not_cost_the_client_its_request(hasty: Running) -> None:
    with hasty.connect() as client:
        hasty.app.release.clear()
        client.sendall(b"POST /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4000000\r\n\r\n")
        hasty.loop.call_soon_threadsafe(hasty.loop.call_later, 1.0, hasty.app.release.set)
        client.sendall(b"x" * 4_000_000)
        answer = read_to_end(client)
        assert statuses(answer) == [200] and b'"length": 4000000' in answer


def test_what_an_application_is_slow_is_not_taken_from_the_time_of_the_client(tmp_path: Path) -> None:
    limits = Limits(body=4, rate=64 << 20, sweep=0.05)
    with running(tmp_path, limits=limits) as service, service.connect() as client:
        client.sendall(b"POST /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 300001\r\n\r\n")
        client.sendall(b"x" * 300_000)
        assert service.app.waiting.wait(PATIENCE)
        time.sleep(4.5)  # longer than a body has
        service.loop.call_soon_threadsafe(service.app.release.set)
        time.sleep(0.2)  # some looks at the deadlines
        client.sendall(b"x")
        assert statuses(read_to_end(client)) == [200]


def test_a_client_that_does_not_take_its_answer_is_dropped(tmp_path: Path) -> None:
    limits = Limits(write=0.2, rate=256 << 20, linger=0.2, idle=0.2, sweep=0.05)
    with running(tmp_path, limits=limits) as service:
        clients = [service.connect() for _ in range(3)]
        for client in clients:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: len(service.app.seen) == 3)
        gone(service)
        for client in clients:
            assert len(read_to_end(client)) < 64 << 20
            client.close()


def test_a_client_that_does_not_take_its_last_answer_is_dropped_too(tmp_path: Path) -> None:
    limits = Limits(write=0.2, rate=256 << 20, linger=0.2, idle=0.2, sweep=0.05)
    with running(tmp_path, limits=limits) as service, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", service.http))
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        wait_for(lambda: service.app.seen)
        gone(service)
        assert len(read_to_end(client)) < 64 << 20


# Clients that stop half-way, and too many of them


def test_good_clients_are_served_among_300_slow_ones(tmp_path: Path) -> None:
    limits = Limits(head=10, body=10, linger=0.3, sweep=0.1)  # all 300 must be there before the first has to go
    with running(tmp_path, limits=limits) as service:
        slow = []
        for at in range(300):
            slow.append(service.connect())
            slow[-1].sendall((b"GET / HT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1", b"")[at % 3])
        wait_for(lambda: len(service.doors.connections.all) == 300)
        assert [service.get().status for _ in range(50)] == [200] * 50
        gone(service)
        assert statuses(b"\n".join(map(read_to_end, slow))) == [408] * 200
        for client in slow:
            client.close()


def test_the_connections_above_the_limit_get_503_and_the_others_live(tmp_path: Path) -> None:
    limits = Limits(connections=20, linger=0.3, sweep=0.05)
    with running(tmp_path, limits=limits) as service:
        within = [service.connect() for _ in range(20)]
        assert [service.get("/in", client).status for client in within] == [200] * 20
        refused = service.talk(b"GET /above HTTP/1.1\r\nHost: a\r\n\r\n")
        assert statuses(refused) == [503] and b"retry-after: 1" in refused
        assert "GET /above" not in service.app.seen
        assert [service.get("/in", client).status for client in within] == [200] * 20
        within.pop().close()
        wait_for(lambda: service.get("/free").status == 200)
        for client in within:
            client.close()


def test_a_hundred_times_the_connections_leave_the_first_ones_alone(tmp_path: Path) -> None:
    limits = Limits(connections=5, linger=0.3, sweep=0.05)
    with running(tmp_path, limits=limits) as service:
        within = [service.connect() for _ in range(5)]
        assert [service.get("/in", client).status for client in within] == [200] * 5
        above = [service.connect() for _ in range(500)]
        assert [service.get("/in", client).status for client in within] == [200] * 5
        for client in (*within, *above):
            client.close()
        wait_for(lambda: service.get("/free").status == 200)


# Early answers


def test_an_answer_before_the_end_of_the_body_reaches_a_client_that_still_sends(service: Running) -> None:
    for _ in range(20):
        with service.connect() as client:
            client.sendall(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                client.sendall(b"x" * 1_000_000)
            assert read_answer(client).status == 413


def test_a_small_body_that_nobody_reads_leaves_the_connection_usable(service: Running) -> None:
    with service.connect() as client:
        for _ in range(3):
            client.sendall(b"POST /patient HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
            assert read_answer(client).body == b"unread"
            client.sendall(b"GET /not-a-request HTTP/1.1\r\nHost: a\r\n\r\n".ljust(1000))
        assert service.get("/after", client).status == 200
    assert "GET /not-a-request" not in service.app.seen


def test_an_application_that_fails_is_a_500_without_detail(service: Running) -> None:
    answer = service.talk(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")
    assert statuses(answer) == [500] and b"on purpose" not in answer and b'"error": "internal"' in answer


def test_a_request_knows_its_connection(service: Running) -> None:
    with service.connect() as client:
        service.get("/a", client), service.get("/b", client)
        first, second = (scope["extensions"]["dwtsvc.connection"] for scope in service.app.heads[-2:])
    service.get("/c")
    third = service.app.heads[-1]["extensions"]["dwtsvc.connection"]
    assert first is second and third is not first and third.accepted_at > first.accepted_at
    assert first.cache == {} and not first.stopping.is_set()


def in_pieces(service: Running, request: bytes, piece: int) -> list[int]:
    with service.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(request), piece):
                client.sendall(request[at : at + piece])
        return statuses(read_to_end(client))


def dribble(client: socket.socket, piece: bytes) -> bytes:
    """Send a little, again and again, until the service has had enough; what it said."""
    client.settimeout(0.02)
    heard = b""
    for _ in range(int(PATIENCE / 0.02)):
        try:
            client.sendall(piece)
            heard = client.recv(65536)
        except TimeoutError:
            continue
        except ConnectionError:  # closed while a piece was on its way; what was said before is still to be read
            pass
        client.settimeout(PATIENCE)
        return heard + read_to_end(client)
    raise AssertionError("the service never had enough")


def gone(service: Running) -> None:
    """Wait until the service has no connection any more."""
    wait_for(lambda: not service.doors.connections.all)


def test_the_document_tells_the_limits_of_the_code() -> None:
    limits, said = Limits(), DOCUMENT.read_text("utf-8")
    more = f"and one more for each {limits.rate >> 10} KiB"
    for row in (
        f"head | {limits.head_bytes >> 10} KiB, {limits.fields} fields | 431",
        f"address in it | {limits.target_bytes >> 10} KiB | 414",
        f"until a head is there | {limits.head:g} seconds | 408",
        f"until a body is there | {limits.body:g} seconds, {more} that came | 408",
        f"taking of an answer | {limits.write:g} seconds, {more} that wait | cut",
        f"between two requests | {limits.idle:g} seconds | closed",
        f"a TLS handshake | {limits.handshake:g} seconds | closed",
        f"connections at once | {limits.connections:,} | 503; {SPARE} above that: cut",
    ):
        assert row in said, row
