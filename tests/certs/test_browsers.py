"""Chromium and Firefox for real, each with a home of its own, against a small TLS server with the service's pair."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from playwright.sync_api import Error, sync_playwright

from dwtsvc.certs import firefox
from dwtsvc.certs.care import Care
from dwtsvc.certs.nss import NssDatabase
from dwtsvc.certs.stores import Machine, Store, discover
from dwtsvc.paths import Paths
from tests.certs.rig import NOW, Signer, linux
from tests.server.running import free_port

CHROMIUM = shutil.which("chromium")
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
chromium_only = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
firefox_only = pytest.mark.skipif(FIREFOX is None, reason="Firefox is not installed")
CHROMIUM_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
LONG = 90  # seconds; a browser's first start on a busy machine


class Server:
    """Answers `GET` over TLS on both loopback addresses; knows what was asked, and why handshakes were ended."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self.port = free_port()
        self._v4 = socket.create_server(("127.0.0.1", self.port))
        self._v6 = socket.create_server(("::1", self.port), family=socket.AF_INET6)
        self.requests: list[str] = []
        self.refusals: list[str] = []

    def __enter__(self) -> Server:
        for listening in (self._v4, self._v6):
            threading.Thread(target=self._accept, args=(listening,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for listening in (self._v4, self._v6):
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with self._context.wrap_socket(connection, server_side=True) as secure:
                self.requests.append(secure.recv(4096).decode().split("\r\n")[0])
                page = b"<title>trusted</title>"
                secure.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(page) + page)
        except ssl.SSLError as error:  # with TLS 1.3 it comes after the handshake, with the first bytes that are read
            self.refusals.append(error.reason or "")
            connection.close()
        except OSError:
            connection.close()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return linux(tmp_path)


@pytest.fixture
def care(machine: Machine, tmp_path: Path) -> Care:
    made = Care(Paths.from_environment({"DWTSVC_HOME": str(tmp_path / "dwtsvc")}), lambda: discover(machine))
    made.ensure()
    return made


@pytest.fixture
def server(care: Care) -> Iterator[Server]:
    with Server(care.pair.certificate, care.pair.key) as serving:
        yield serving


def addresses(server: Server) -> list[str]:
    return [f"https://{host}:{server.port}/" for host in ("localhost", "127.0.0.1", "[::1]")]


def environment(machine: Machine) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(machine.home), "XDG_RUNTIME_DIR": str(machine.home)}


def of_kind(machine: Machine, kind: str) -> list[Store]:
    return [store for store in discover(machine) if store.kind == kind]


# ---- Chromium ----


def chromium_says(machine: Machine, *urls: str, more: tuple[str, ...] = ()) -> list[str]:
    """For each address the title of the page in a secure context, or Chromium's own name of the error."""
    said = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*CHROMIUM_ARGUMENTS, *more],
            env=dict(environment(machine)),
            timeout=LONG * 1000,
        )
        for url in urls:
            page = browser.new_page()
            try:
                page.goto(url, timeout=LONG * 1000)
                said.append(page.title() if page.evaluate("isSecureContext") else "not secure")
            except Error as error:
                said.append(error.message.split(" at ")[0].rpartition("net::")[2])
            page.close()
        browser.close()
    return said


@chromium_only
def test_chromium_trusts_the_service_after_installing_and_no_more_after_removing(
    machine: Machine, care: Care, server: Server
) -> None:
    unknown = ["ERR_CERT_AUTHORITY_INVALID"] * 3
    assert chromium_says(machine, *addresses(server)) == unknown
    stores = of_kind(machine, "chromium")
    assert stores
    assert set(care.install(stores).values()) == {None}
    assert chromium_says(machine, *addresses(server)) == ["trusted"] * 3
    care.uninstall(stores)
    assert chromium_says(machine, *addresses(server)) == unknown


@chromium_only
@pytest.mark.parametrize("place", [".pki/nssdb", ".local/share/pki/nssdb"])
def test_chromium_reads_either_folder(machine: Machine, care: Care, server: Server, place: str) -> None:
    care.install([NssDatabase("chromium", machine.home / place, machine)])
    assert chromium_says(machine, addresses(server)[0]) == ["trusted"]


@chromium_only
def test_chromium_goes_on_trusting_through_a_renewal(machine: Machine, care: Care) -> None:
    care.install(of_kind(machine, "chromium"))
    old = care.authority()
    care.renew()
    assert care.authority() != old
    with Server(care.pair.certificate, care.pair.key) as renewed:
        assert chromium_says(machine, addresses(renewed)[0]) == ["trusted"]


@chromium_only
def test_chromium_refuses_another_host_from_our_authority(machine: Machine, tmp_path: Path) -> None:
    with evil_server(machine, tmp_path, "chromium") as (server, pages):
        mapped = ("--host-resolver-rules=MAP bank.example 127.0.0.1",)
        good, evil = chromium_says(machine, f"{pages['good']}", f"https://bank.example:{server.port}/", more=mapped)
    assert (good, evil) == ("trusted", "ERR_CERT_INVALID")


@contextmanager
def evil_server(machine: Machine, folder: Path, kind: str) -> Iterator[tuple[Server, dict[str, str]]]:
    """One server with a leaf for bank.example and one for localhost, both of one trusted, constrained authority."""
    signer = Signer()
    places = of_kind(machine, kind) or [NssDatabase(kind, machine.home / ".pki/nssdb", machine)]
    for store in places:
        store.install(signer.ca)
    paths = {}
    for name, host in (("good", "localhost"), ("evil", "bank.example")):
        chain, key = signer.sign(x509.DNSName(host), now=NOW - timedelta(hours=1))
        paths[name] = (folder / f"{name}.pem", folder / f"{name}.key")
        paths[name][0].write_text(chain)
        paths[name][1].write_text(key)
    with Server(*paths["good"]) as good, Server(*paths["evil"]) as evil:
        yield evil, {"good": f"https://localhost:{good.port}/"}


# ---- Firefox ----


def firefox_asks(machine: Machine, server: Server, host: str, *preferences: str, before: tuple[str, ...] = ()) -> bool:
    """Whether Firefox, started for it, comes through the handshake and asks for the page; or ends the handshake."""
    assert FIREFOX
    profile = next(iter(profiles(machine)))
    Path(profile.where, "user.js").write_text("".join(f"user_pref({each});\n" for each in preferences))
    asked, refused = f"GET /{len(server.requests)} HTTP/1.1", len(server.refusals)
    url = f"https://{host}:{server.port}{asked.split()[1]}"
    with running([*before, FIREFOX, "--headless", "--no-remote", "--profile", profile.where, url], machine):
        until = time.monotonic() + LONG
        while asked not in server.requests and len(server.refusals) == refused:
            assert time.monotonic() < until, "Firefox did not connect"
            time.sleep(0.05)
    return asked in server.requests


@contextmanager
def running(command: list[str], machine: Machine) -> Iterator[None]:
    """A program and all it started, until the end of the block."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, env=environment(machine), stdout=quiet, stderr=quiet, start_new_session=True, stdin=quiet
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def profiles(machine: Machine) -> list[NssDatabase]:
    """The profiles, of which Firefox makes the first when it is started."""
    assert FIREFOX
    if not list(firefox.profiles(machine)):
        command = [FIREFOX, "--headless", "--screenshot", str(machine.home / "empty.png"), "about:blank"]
        subprocess.run(command, env=environment(machine), timeout=LONG, capture_output=True, check=True)
    return list(firefox.profiles(machine))


@firefox_only
@pytest.mark.timeout(4 * LONG)
def test_firefox_trusts_the_service_after_installing_and_no_more_after_removing(
    machine: Machine, care: Care, server: Server
) -> None:
    assert not firefox_asks(machine, server, "localhost")
    stores = of_kind(machine, "firefox")
    assert len(stores) == 1
    assert care.install(stores) == {stores[0].where: None}
    assert firefox_asks(machine, server, "localhost")
    assert firefox_asks(machine, server, "127.0.0.1")
    assert firefox_asks(machine, server, "[::1]")
    care.uninstall(stores)
    assert not firefox_asks(machine, server, "localhost")


@firefox_only
@pytest.mark.timeout(3 * LONG)
def test_firefox_refuses_another_host_from_our_authority(machine: Machine, tmp_path: Path) -> None:
    profiles(machine)
    resolved = '"network.dns.localDomains", "bank.example"'
    with evil_server(machine, tmp_path, "firefox") as (server, _):
        assert not firefox_asks(machine, server, "bank.example", resolved)
        assert server.refusals == ["SSLV3_ALERT_BAD_CERTIFICATE"]  # an unknown authority would be UNKNOWN_CA
    honest = Server(tmp_path / "good.pem", tmp_path / "good.key")
    with honest:
        assert firefox_asks(machine, honest, "localhost", resolved)


@firefox_only
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay another folder over /etc for one process")
@pytest.mark.timeout(3 * LONG)
def test_firefox_trusts_what_the_policy_of_the_machine_names(
    machine: Machine, care: Care, server: Server, tmp_path: Path
) -> None:
    machine.beneath("/usr/lib/firefox-esr").mkdir(parents=True)
    stores = of_kind(machine, "firefox-policy")
    assert care.install(stores) == {stores[0].where: None}
    (tmp_path / "work").mkdir()
    layers = f"lowerdir=/etc,upperdir={machine.beneath('/etc')},workdir={tmp_path / 'work'}"
    laid_over = f'mount -t overlay dwtsvc -o "{layers}" /etc && exec "$0" "$@"'
    assert firefox_asks(machine, server, "localhost", before=("unshare", "-m", "sh", "-c", laid_over))
    care.uninstall(stores)
    assert firefox_asks(machine, server, "localhost")  # for Firefox has taken it into the profile
    care.uninstall(of_kind(machine, "firefox"))
    assert not firefox_asks(machine, server, "localhost")
