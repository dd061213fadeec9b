"""The guard's first gate: which host names are ours."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.guarded import JSON, PATHS, PORTS, SITE, Door, House

FOREIGN_HOSTS = [
    *(b"evil.example:18622", b"localhost.evil:18622", b"evil.localhost:18622", b"localhost.:18622", b"0.0.0.0:18622"),
    *(b"127.1:18622", b"127.0.0.2:18622", b"2130706433:18622", b"0x7f000001:18622", b"0177.0.0.1:18622"),
    *(b"[::ffff:127.0.0.1]:18622", b"[0:0:0:0:0:0:0:1]:18622", b"[::]:18622", b"::1:18622", b"LOCALHOST:18622"),
    *(
        b"Localhost:18622",
        b"localhost",
        b"127.0.0.1",
        b"[::1]",
        b"localhost:80",
        b"localhost:18624",
        b"localhost:018622",
    ),
    *(
        b"127.0.0.1.evil.example:18622",
        b"127.0.0.1:186220",
        b"192.168.1.1:18622",
        b"10.0.0.1:18622",
        b"router.local:18622",
    ),
]
MALFORMED_HOSTS = [
    *(
        b"",
        b":18622",
        b"user@localhost:18622",
        b"localhost:18622@evil.example",
        b"localhost:18622/",
        b"local host:18622",
    ),
    *(b"localhost:18622, evil.example", b" localhost:18622", b"localhost:18622 ", b"localhost:", b"localhost:x"),
    *(
        b"http://localhost:18622",
        b"localhost\x00:18622",
        b"localhost:18622#",
        b"%6cocalhost:18622",
        b"l\xc3\xb6cal:18622",
    ),
]
OUR_HOSTS = [f"{host}:{port}".encode() for host in ("localhost", "127.0.0.1", "[::1]") for port in PORTS.values()]


@pytest.mark.parametrize("host", FOREIGN_HOSTS + MALFORMED_HOSTS)
def test_a_host_name_that_is_not_ours_reaches_no_route(house: House, host: bytes) -> None:
    expected = {400} if host in MALFORMED_HOSTS else {400, 403}
    token = (b"x-dwtsvc-token", house.token.text.encode())
    for (method, path), headers in product([*PATHS, ("GET", "/none")], ([], [token], [(b"origin", SITE), JSON])):
        assert house.ask(method, path, headers, host=host).status in expected
    assert not house.was_reached


def test_the_gate_is_tried_with_forty_names() -> None:
    assert len({*FOREIGN_HOSTS, *MALFORMED_HOSTS}) >= 40


@pytest.mark.parametrize("host", OUR_HOSTS)
def test_every_name_of_ours_is_taken_at_each_open_port(house: House, host: bytes) -> None:
    assert house.ask("GET", "/api/device/scanners", host=host).status == 200


def test_a_missing_a_double_and_a_contradicting_host_are_bad_requests(house: House) -> None:
    assert house.ask("GET", "/healthz", host=None).status == 400
    assert house.ask("GET", "/healthz", [(b"host", b"127.0.0.1:18622")]).status == 400
    assert house.ask("GET", "http://evil.example/healthz").status == 400
    assert house.ask("OPTIONS", "*").status == 400
    assert not house.was_reached


def test_headers_of_a_proxy_say_nothing(house: House) -> None:
    forwarded = [(b"x-forwarded-host", b"localhost:18622"), (b"forwarded", b"host=localhost:18622;for=127.0.0.1")]
    assert house.ask("GET", "/healthz", forwarded, host=b"evil.example:18622").status == 403
    house.peers.mine = False
    assert house.ask("GET", "/api/device/scanners", [*forwarded, (b"x-forwarded-for", b"127.0.0.1")]).status == 401


def test_a_port_that_is_not_open_is_not_ours_until_it_is(house: House) -> None:
    house.doors.append(Door("http", "127.0.0.1", 18625, "taken"))
    assert house.ask("GET", "/healthz", host=b"localhost:18625").status == 403
    house.doors.append(Door("http", "127.0.0.1", 18625))
    assert house.ask("GET", "/healthz", host=b"localhost:18625").status == 200


def test_a_usual_port_may_be_left_out(house: House) -> None:
    house.doors.append(Door("http", "127.0.0.1", 80))
    assert house.ask("GET", "/healthz", host=b"localhost").status == 200


def test_a_door_beyond_the_loopback_is_known_by_its_address_and_wants_the_token_of_every_tool(house: House) -> None:
    assert house.ask("GET", "/healthz", host=b"192.168.1.1:18623").status == 403
    house.doors.append(Door("https", "192.168.1.1", 18623))
    assert house.ask("GET", "/healthz", host=b"192.168.1.1:18623").status == 200
    assert house.ask("GET", "/healthz", host=b"192.168.1.1:18622").status == 403
    assert house.ask("GET", "/api/device/scanners").status == 401
    token = (b"authorization", b"Bearer " + house.token.text.encode())
    assert house.ask("GET", "/api/device/scanners", [token], host=b"192.168.1.1:18623").status == 200


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(host=st.one_of(st.binary(max_size=40), st.sampled_from(OUR_HOSTS).map(lambda host: host + b"x")))
def test_no_other_bytes_are_a_name_of_ours(house: House, host: bytes) -> None:
    if host not in OUR_HOSTS:
        assert house.ask("GET", "/healthz", host=host).status in (400, 403)
