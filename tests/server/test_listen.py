"""The doors as a process: what a signal, a second start, a taken port and systemd do to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dwtsvc.paths import Paths
from dwtsvc.portlock import read_port_lock
from tests.server.running import (
    PATIENCE,
    free_port,
    make_pair,
    name_of,
    read_answer,
    read_to_end,
    statuses,
    trusting,
    wait_for,
)

ROOT = Path(__file__).parents[2]


class Process:
    """A running program; what it prints on standard output can be waited for."""

    def __init__(self, home: Path, settings: dict[str, Any], *pair: Path, before: list[str], environ: dict[str, str]):
        self.paths = Paths.from_environment({"DWTSVC_HOME": str(home)})
        self.http, *_ = settings.get("http_ports", [0])
        self.https, *_ = settings.get("https_ports", [0])
        command = [*before, sys.executable, "-m", "tests.server.program", json.dumps(settings), *map(str, pair)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "DWTSVC_HOME": str(home), **environ},
            stdout=subprocess.PIPE,
            stderr=(home / "log").open("wb"),
            text=True,
        )
        self.log_file = home / "log"

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def said(self) -> dict[str, Any]:
        content = read_port_lock(self.paths)
        assert content is not None
        return content

    def next_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ready(self) -> Process:
        wait_for(lambda: (read_port_lock(self.paths) and self.answers()) or self.process.poll() is not None)
        assert self.process.poll() is None, self.log
        return self

    def answers(self) -> bool:
        doors = [door for door in self.said["doors"] if door["state"] == "open" and door["scheme"] == "http"]
        try:
            return all(get(door["host"], door["port"]) == 200 for door in doors)
        except OSError:
            return False

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        return self.process.wait(PATIENCE)


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    processes: list[Process] = []

    def begin(
        *pair: Path, home: str = "home", before: Any = (), environ: dict[str, str] | None = None, **settings: Any
    ) -> Process:
        (tmp_path / home).mkdir(exist_ok=True)
        given = {"http_ports": [free_port()], "https_ports": [free_port()], **settings}
        processes.append(Process(tmp_path / home, given, *pair, before=list(before), environ=environ or {}))
        return processes[-1]

    yield begin
    for each in processes:
        each.process.kill()
        each.process.wait()
        assert each.process.stdout is not None
        each.process.stdout.close()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return make_pair(tmp_path, "first")


def get(host: str, port: int) -> int:
    with socket.create_connection((host, port), timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return read_answer(client).status


def get_tls(host: str, port: int) -> str:
    with trusting().wrap_socket(socket.create_connection((host, port), timeout=PATIENCE)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(client).status == 200
        return name_of(client)


def ask(service: Process, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", service.http), timeout=PATIENCE)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return client


def four_free_ports() -> tuple[list[int], list[int]]:
    ports = {free_port() for _ in range(20)}
    return [ports.pop(), ports.pop()], [ports.pop(), ports.pop()]


# Doors


def test_four_ports_answer_at_both_addresses_with_one_life(start: Start, pair: tuple[Path, Path]) -> None:
    http, https = four_free_ports()
    service = start(*pair, http_ports=http, https_ports=https).ready()
    for host in ("127.0.0.1", "::1"):
        assert [get(host, port) for port in http] == [200, 200]
        assert [get_tls(host, port) for port in https] == ["first", "first"]
    assert {door["state"] for door in service.said["doors"]} == {"open"} and len(service.said["doors"]) == 8
    assert service.said["pid"] == service.process.pid and service.said["monitor_pid"] == os.getpid()
    service.send(signal.SIGTERM)
    assert service.end() == 0
    assert service.process.stdout is not None and service.process.stdout.read().split() == ["start", "stop"]


@pytest.mark.parametrize("taken", range(8))
def test_any_one_taken_address_leaves_the_others(start: Start, pair: tuple[Path, Path], taken: int) -> None:
    http, https = four_free_ports()
    host = ("127.0.0.1", "::1")[taken // 4]
    port = (http + https)[taken % 4]
    with holding(host, port):
        service = start(*pair, http_ports=http, https_ports=https).ready()
        doors = service.said["doors"]
        (closed,) = (door for door in doors if door["state"] != "open")
        assert (closed["host"], closed["port"], closed["state"]) == (host, port, "taken")
        assert closed["holder"].startswith(f"process {os.getpid()} (")
        for door in (each for each in doors if each is not closed):
            assert (get if door["scheme"] == "http" else get_tls)(door["host"], door["port"]) in (200, "first")
        assert closed["holder"] in service.log


def test_if_every_port_is_taken_it_says_by_whom_and_ends(start: Start) -> None:
    port, other = free_port(), free_port()
    with holding("127.0.0.1", port), holding("::1", port):
        service = start(http_ports=[port], https_ports=[other])
        assert service.end() == 43
        assert f"process {os.getpid()}" in service.log and str(port) in service.log


def test_a_second_service_is_refused_and_names_the_first(start: Start) -> None:
    first = start().ready()
    second = start()
    assert second.end() == 43
    assert f"process {first.process.pid}" in second.log
    assert first.answers()


def test_a_killed_service_does_not_stand_in_the_way(start: Start) -> None:
    first = start().ready()
    first.send(signal.SIGKILL)
    first.end()
    assert read_port_lock(first.paths) is None
    second = start(http_ports=[first.http]).ready()
    assert second.said["pid"] == second.process.pid


def test_each_user_of_enhanced_mode_gets_four_ports_of_their_own(start: Start, pair: tuple[Path, Path]) -> None:
    services = [start(*pair, home=f"user{at}", enable_enhanced_mode=True) for at in range(3)]
    ports = [[door["port"] for door in each.ready().said["doors"]] for each in services]
    assert all(len(set(each)) == 4 and min(each) >= 17000 for each in ports)
    assert len({port for each in ports for port in each}) == 12
    for each in services:
        assert [door["scheme"] for door in each.said["doors"][:4]] == ["http", "https", "http", "https"]
        assert each.answers()


def test_other_machines_are_listened_to_with_expose_and_tls_only(start: Start, pair: tuple[Path, Path]) -> None:
    address = own_address()
    closed = start(*pair, home="closed", server=address).ready()
    assert {door["host"] for door in closed.said["doors"]} == {"127.0.0.1", "::1"} and "--expose" in closed.log
    opened = start(*pair, home="opened", server=address, expose=True).ready()
    outside = [door for door in opened.said["doors"] if door["host"] == address]
    assert [(door["scheme"], door["state"]) for door in outside] == [("https", "open")]
    assert get_tls(address, opened.https) == "first"
    assert "every client there needs the token" in opened.log


# Signals


def test_a_request_in_work_is_finished_on_sigterm_and_sigint(start: Start) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        service = start(home=number.name, grace=3600.0).ready()
        with ask(service, "/wait/1") as client:
            assert [service.next_line(), service.next_line()] == ["start", "waiting"]
            service.send(number)
            answer = read_to_end(client)
            assert statuses(answer) == [200] and b'"path": "/wait/1"' in answer
        assert service.end() == 0 and service.next_line() == "stop"


def test_a_large_answer_on_its_way_is_finished_on_sigterm(start: Start, pair: tuple[Path, Path]) -> None:
    service = start(*pair, grace=3600.0).ready()
    plain = ask(service, "/large")
    encrypted = trusting().wrap_socket(socket.create_connection(("127.0.0.1", service.https), timeout=PATIENCE))
    encrypted.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    starts = [plain.recv(1), encrypted.recv(1)]
    service.send(signal.SIGTERM)
    for client, begun in zip((plain, encrypted), starts, strict=True):
        with client:
            head, _, body = (begun + read_to_end(client)).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200") and len(body) == 64 << 20
    assert service.end() == 0


def test_new_clients_are_refused_while_the_last_requests_finish(start: Start) -> None:
    service = start(grace=3600.0).ready()
    with ask(service, "/wait/2") as client:
        assert [service.next_line(), service.next_line()] == ["start", "waiting"]
        service.send(signal.SIGTERM)
        wait_for(lambda: not service.answers())
        assert statuses(read_to_end(client)) == [200]


def test_a_request_cut_at_the_limit_is_told_and_leaves_no_traceback(start: Start) -> None:
    service = start(grace=0.5).ready()
    with ask(service, "/wait/60") as client:
        assert [service.next_line(), service.next_line()] == ["start", "waiting"]
        service.send(signal.SIGTERM)
        answer = read_to_end(client)
        assert statuses(answer) == [503] and b"stopping" in answer
    assert service.end() == 0 and service.next_line() == "stop"
    assert "Traceback" not in service.log and "1 requests were cut" in service.log


def test_a_second_sigterm_ends_it_at_once(start: Start) -> None:
    service = start(grace=3600.0).ready()
    with ask(service, "/wait/3600"):
        assert [service.next_line(), service.next_line()] == ["start", "waiting"]
        service.send(signal.SIGTERM)
        wait_for(lambda: not service.answers())
        service.send(signal.SIGTERM)
        assert service.end() == 0
    assert "Traceback" not in service.log


def test_a_stream_without_end_hears_that_the_service_stops(start: Start) -> None:
    service = start(grace=3600.0).ready()
    with ask(service, "/stream") as client:
        heard = client.recv(65536)
        service.send(signal.SIGTERM)
        heard += read_to_end(client)
    assert b"begun" in heard and b"ended" in heard and heard.endswith(b"0\r\n\r\n")
    assert service.end() == 0


def test_idle_and_half_heard_clients_do_not_delay_the_end(start: Start, pair: tuple[Path, Path]) -> None:
    service = start(*pair, grace=3600.0).ready()
    with contextlib.ExitStack() as stack:
        idle = stack.enter_context(ask(service, "/"))
        read_answer(idle)
        half = stack.enter_context(socket.create_connection(("127.0.0.1", service.http)))
        half.sendall(b"GET / HT")
        raw = socket.create_connection(("127.0.0.1", service.https))
        stack.enter_context(trusting().wrap_socket(raw))
        stack.enter_context(socket.create_connection(("127.0.0.1", service.https)))
        service.send(signal.SIGTERM)
        assert service.end() == 0


def test_sighup_takes_a_new_certificate(start: Start, pair: tuple[Path, Path], tmp_path: Path) -> None:
    service = start(*pair).ready()
    assert get_tls("127.0.0.1", service.https) == "first"
    for old, new in zip(pair, make_pair(tmp_path, "second"), strict=True):
        new.replace(old)
    service.send(signal.SIGHUP)
    wait_for(lambda: get_tls("127.0.0.1", service.https) == "second")
    pair[1].write_text("broken")
    service.send(signal.SIGHUP)
    wait_for(lambda: "stays in use" in service.log)
    assert get_tls("::1", service.https) == "second"


# systemd


def test_systemd_hears_ready_signs_of_life_and_stopping(start: Start, tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(PATIENCE)
        # Not more often: ten words that nobody has read yet, and the next one is lost.
        service = start(environ={"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "1000000"})
        heard = [manager.recv(4096).decode()]
        while not any("READY=1" in each for each in heard):
            heard.append(manager.recv(4096).decode())
        assert service.answers()
        heard = [manager.recv(4096).decode() for _ in range(3)]
        assert heard == ["WATCHDOG=1"] * 3
        service.send(signal.SIGTERM)
        while "STOPPING=1" not in heard:
            heard.append(manager.recv(4096).decode())
        assert service.end() == 0


def test_sockets_of_systemd_are_served_by_their_names(start: Start, pair: tuple[Path, Path]) -> None:
    ports = [free_port() for _ in range(4)]
    names = "http:https:http-second:https-second"
    service = activated(start, *pair, addresses=[f"127.0.0.1:{port}" for port in ports], names=names)
    assert get("127.0.0.1", ports[0]) == 200
    assert get_tls("127.0.0.1", ports[1]) == "first"
    assert get("127.0.0.1", ports[2]) == 200
    assert get_tls("127.0.0.1", ports[3]) == "first"
    assert [door["port"] for door in service.said["doors"]] == ports
    service.send(signal.SIGTERM)
    assert service.end() == 0


def test_a_socket_of_systemd_that_others_reach_is_refused(start: Start) -> None:
    port, outside = free_port(), free_port()
    service = activated(start, addresses=[f"127.0.0.1:{port}", f"0.0.0.0:{outside}"], names="http:http")
    assert get("127.0.0.1", port) == 200
    assert [door["state"] for door in service.said["doors"]] == ["open", "failed"]
    assert "--expose" in service.log


def activated(start: Start, *pair: Path, addresses: list[str], names: str) -> Process:
    """A service that systemd's own tool starts at the first connection; nothing runs yet."""
    listen = [option for address in addresses for option in ("-l", address)]
    before = ["systemd-socket-activate", "-E", "DWTSVC_HOME", *listen, f"--fdname={names}"]
    service = start(*pair, before=before)
    wait_for(lambda: service.log.count("Listening on") == len(addresses))
    return service


@contextlib.contextmanager
def holding(host: str, port: int) -> Iterator[None]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, port))
        holder.listen()
        yield


def own_address() -> str:
    """An address of this machine besides loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but its own")
        return str(probe.getsockname()[0])
