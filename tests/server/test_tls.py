"""TLS doors: which certificate a client gets, while certificates change and while others only half talk."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dwtsvc.config import HostCertificate
from dwtsvc.server.doors.tls import Certificates
from dwtsvc.server.listen import Limits
from tests.server.running import (
    FakeCare,
    Running,
    make_pair,
    name_of,
    read_answer,
    read_to_end,
    running,
    trusting,
    wait_for,
)


@pytest.fixture
def care(tmp_path: Path) -> FakeCare:
    return FakeCare(make_pair(tmp_path, "first"))


@pytest.fixture(params=["uvloop", "asyncio"])
def service(request: pytest.FixtureRequest, tmp_path: Path, care: FakeCare) -> Iterator[Running]:
    limits = Limits(linger=0.3, sweep=0.1)
    with running(tmp_path, care=care, limits=limits, uvloop=request.param == "uvloop") as service:
        yield service


def shown(service: Running, name: str | None = None) -> str:
    with service.connect_tls(name) as client:
        assert service.get("/", client).status == 200
        return name_of(client)


def replace_by(care: FakeCare, folder: Path, name: str) -> None:
    care.files = make_pair(folder, name)
    care.changed()


def test_the_new_certificate_serves_new_clients_with_and_without_a_name(
    service: Running, care: FakeCare, tmp_path: Path
) -> None:
    assert {shown(service), shown(service, "localhost")} == {"first"}
    with service.connect_tls() as old:
        replace_by(care, tmp_path, "second")
        wait_for(lambda: shown(service) == "second")
        assert shown(service, "localhost") == "second"
        assert service.get("/", old).status == 200


@pytest.mark.parametrize("what", ["mismatched", "garbage", "missing", "empty"])
def test_a_bad_pair_keeps_the_old_one_and_is_told(
    service: Running, care: FakeCare, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    certificate, key = make_pair(tmp_path, "second")
    if what == "mismatched":
        key = make_pair(tmp_path, "third")[1]
    elif what == "missing":
        key = tmp_path / "nowhere.pem"
    else:
        key.write_text("" if what == "empty" else "no key")
    care.files = certificate, key
    care.changed()
    wait_for(lambda: "stays in use" in caplog.text)
    assert {shown(service), shown(service, "localhost")} == {"first"}
    assert [door.state for door in service.doors.doors if door.scheme == "https"] == ["open"] * 2


def test_a_key_with_a_password_is_refused_without_asking_the_terminal(tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path, "locked")
    locked = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", locked], check=True)
    certificates = Certificates(lambda: (certificate, locked))
    (fault,) = certificates.load()
    assert "password" in fault and not certificates.usable


def test_no_request_fails_while_certificates_change(service: Running, care: FakeCare, tmp_path: Path) -> None:
    """Four clients with new connections all the time, two with a name and two without; 40 changes, every fourth bad."""
    done = threading.Event()
    served: list[str] = []
    failures: list[Exception] = []

    def ask(name: str | None) -> None:
        while not done.is_set():
            try:
                served.append(shown(service, name))
            except Exception as error:
                failures.append(error)

    clients = [threading.Thread(target=ask, args=(name,)) for name in (None, "localhost", None, "localhost")]
    pairs = [make_pair(tmp_path, f"pair{at}") for at in range(4)]
    for client in clients:
        client.start()
    for at in range(40):
        certificate, key = pairs[at % 4]
        care.files = certificate, (pairs[0][1] if at % 4 == 3 else key)
        care.changed()
        before = len(served)
        wait_for(lambda before=before: len(served) > before or failures)  # type: ignore[misc]
    done.set()
    for client in clients:
        client.join()
    assert failures == []
    assert {"pair0", "pair1", "pair2"} <= set(served) and "pair3" not in served


def test_a_host_of_its_own_has_its_own_certificate(tmp_path: Path) -> None:
    make_pair(tmp_path, "scan.example")
    hosts = [HostCertificate(host="Scan.Example", cert_name="scan.example.pem", key_name="scan.example_key.pem")]
    certificates = Certificates(lambda: pair, hosts, tmp_path)
    pair = make_pair(tmp_path, "default")
    assert certificates.load() == []
    for name, expected in [("scan.example", "scan.example"), ("SCAN.EXAMPLE", "scan.example"), ("other", "default")]:
        assert handshake(certificates, name) == expected
    assert handshake(certificates, None) == "default"
    (tmp_path / "scan.example.pem").write_text("broken")
    (fault,) = certificates.load()
    assert "scan.example" in fault and handshake(certificates, "scan.example") == "scan.example"


def test_the_context_that_meets_clients_is_never_another(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, "one")
    certificates = Certificates(lambda: pair)
    front = certificates.front
    certificates.load()
    pair = make_pair(tmp_path, "two")
    certificates.load()
    assert certificates.front is front and handshake(certificates, None) == "two"


def test_without_a_certificate_the_door_says_so_until_there_is_one(tmp_path: Path) -> None:
    care = FakeCare((tmp_path / "none.pem", tmp_path / "none_key.pem"))
    with running(tmp_path, care=care) as service:
        assert service.get().status == 200
        assert {door.state for door in service.doors.doors if door.scheme == "https"} == {"failed"}
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shown(service)
        replace_by(care, tmp_path, "late")
        wait_for(lambda: {door.state for door in service.doors.doors} == {"open"})
        assert shown(service) == "late"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_of_tls_are_refused(service: Running, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)), service.connect(service.https) as client:
        context.wrap_socket(client)


def test_tls_1_2_gets_the_new_certificate_too_and_no_renegotiation(
    service: Running, care: FakeCare, tmp_path: Path
) -> None:
    replace_by(care, tmp_path, "second")
    wait_for(lambda: shown(service) == "second")
    command = ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{service.https}", "-noservername"]
    said = subprocess.run(command, input=b"R\n", capture_output=True, timeout=30)
    assert b"CN = second" in said.stdout and b"no renegotiation" in said.stderr


def test_300_clients_that_never_finish_their_handshake_are_gone_and_hinder_nobody(service: Running) -> None:
    words = (b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100))
    halves = [service.connect(service.https) for _ in range(300)]
    for at, half in enumerate(halves):
        half.sendall(words[at % 3])
    assert [shown(service) for _ in range(20)] == ["first"] * 20
    for half in halves:
        with contextlib.suppress(ConnectionError):
            read_to_end(half)  # comes to an end, because the service gives up
        half.close()
    assert shown(service) == "first"


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", bytes(500), b"\xff" * 500, b"\x80\x2e\x01\x03\x01"]
)
def test_what_is_no_tls_is_closed_without_a_word_in_the_log(
    service: Running, caplog: pytest.LogCaptureFixture, junk: bytes
) -> None:
    with service.connect(service.https) as client:
        client.sendall(junk)
        assert b"HTTP" not in read_to_end(client)
    assert shown(service) == "first"
    assert "Traceback" not in caplog.text and service.app.seen == ["GET /"]


def test_a_large_answer_and_a_large_body_pass_through_tls(service: Running) -> None:
    with service.connect_tls() as client:
        assert len(service.get("/large", client).body) == 64 << 20
        client.sendall(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000))
        assert b'"length": 3000000' in read_answer(client).body


def test_a_client_of_tls_that_does_not_take_its_answer_is_dropped(tmp_path: Path, care: FakeCare) -> None:
    limits = Limits(write=0.3, rate=256 << 20, linger=0.3, sweep=0.05)
    with running(tmp_path, care=care, limits=limits) as service, service.connect_tls() as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: service.app.seen)
        wait_for(lambda: not service.doors.connections.all)
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            assert len(read_to_end(client)) < 64 << 20


def test_http_2_is_not_agreed_to(service: Running) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(service.connect(service.https)) as client:
        assert client.selected_alpn_protocol() == "http/1.1"


def handshake(certificates: Certificates, name: str | None) -> str:
    """The name in the certificate that a client gets, without any network."""
    left, right = socket.socketpair()
    server = threading.Thread(target=lambda: certificates.front.wrap_socket(left, server_side=True).close())
    server.start()
    with trusting().wrap_socket(right, server_hostname=name) as client:
        found = name_of(client)
    server.join()
    return found
