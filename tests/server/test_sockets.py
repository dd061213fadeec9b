"""Which doors open, and who holds those that do not."""

from __future__ import annotations

import errno
import os
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dwtsvc.config import Settings
from dwtsvc.server.doors import sockets
from dwtsvc.server.doors.sockets import Door, Opening, holder, listener, open_doors, passed_sockets
from tests.disks import needs_root
from tests.server.running import free_port

NOBODY = 65534


@pytest.fixture
def opened() -> Iterator[Callable[[list[Opening]], list[Door]]]:
    """Takes openings to be closed after the test and gives their doors."""
    kept: list[Opening] = []

    def take(openings: list[Opening]) -> list[Door]:
        kept.extend(openings)
        return [each.door for each in openings]

    yield take
    for each in kept:
        each.close()


Take = Callable[[list[Opening]], list[Door]]


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose ports count as the usual ones, although others on this machine may have the real ones."""
    settings = Settings(http_ports=(free_port(),), https_ports=(free_port(),))
    monkeypatch.setattr(sockets, "Settings", lambda: settings)
    return settings


def as_nobody(work: Callable[[], str]) -> str:
    """What a function says in a process of another user."""

    def as_another_user() -> str:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return work()

    return in_child(as_another_user)


def in_child(work: Callable[[], str]) -> str:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, work().encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as said:
        return said.read()


def holding(host: str, port: int) -> socket.socket:
    taker = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taker.bind((host, port))
    taker.listen()
    return taker


@pytest.mark.parametrize(
    ("held", "asked"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("::", "127.0.0.1")],
)
def test_the_holder_of_a_port_is_found_also_if_it_holds_all_addresses(held: str, asked: str) -> None:
    port = free_port()
    with holding(held, port):
        program = Path("/proc/self/comm").read_text().strip()
        assert holder(asked, port) == f"process {os.getpid()} ({program})"
    assert listener(asked, port) is None and holder(asked, port) == "another process"


def test_a_holder_of_another_address_is_not_blamed() -> None:
    port = free_port()
    with holding("127.0.0.2", port), holding("::1", port):
        assert listener("127.0.0.1", port) is None


def test_a_client_on_the_port_is_not_its_holder() -> None:
    port = free_port()
    with holding("127.0.0.1", port) as taker, socket.create_connection(("127.0.0.1", port)):
        taker.close()
        assert listener("127.0.0.1", port) is None


@needs_root
def test_the_process_of_another_user_is_told_without_what_is_not_to_be_seen() -> None:
    port = free_port()
    with holding("127.0.0.1", port) as taker:

        def ask() -> str:
            taker.close()  # the child got a copy, and would find itself
            return holder("127.0.0.1", port)

        assert as_nobody(ask) == "another user's process (root)"


@needs_root
def test_the_usual_ports_of_another_user_send_us_to_a_block_of_four(usual: Settings, opened: Take) -> None:
    doors = [(host, port) for host in sockets.LOOPBACK for port in (*usual.http_ports, *usual.https_ports)]
    takers = [holding(*door) for door in doors]
    try:
        ports = as_nobody(lambda: " ".join(str(each.door.port) for each in open_doors(usual)))
        first = int(ports.split()[0])
        assert first >= 17000 and [int(port) for port in ports.split()] == list(range(first, first + 4)) * 2
        assert {door.state for door in opened(open_doors(usual))} == {"taken"}  # our own user's: no block
        takers.pop().close()
        states = as_nobody(lambda: " ".join(each.door.state for each in open_doors(usual)))
        assert states.split() == ["taken"] * 3 + ["open"]  # one is enough to stay
    finally:
        for each in takers:
            each.close()


@needs_root
def test_ports_that_somebody_chose_are_not_replaced_by_a_block() -> None:
    settings = Settings(http_ports=(free_port(),), https_ports=(free_port(),))
    takers = [
        holding(host, port) for host in sockets.LOOPBACK for port in (*settings.http_ports, *settings.https_ports)
    ]
    states = as_nobody(lambda: " ".join(each.door.state for each in open_doors(settings)))
    assert states.split() == ["taken"] * 4
    for each in takers:
        each.close()


def test_a_block_is_taken_whole_or_not_at_all(opened: Take) -> None:
    first = opened(open_doors(Settings(enable_enhanced_mode=True)))
    start = first[0].port
    with in_the_way("127.0.0.1", start + 6):  # within the next four, so those cannot be taken whole
        second = opened(open_doors(Settings(enable_enhanced_mode=True)))
        assert not {door.port for door in second} & set(range(start + 4, start + 8))
    for doors in (first, second):
        assert len({door.port for door in doors}) == 4 and {door.state for door in doors} == {"open"}
        assert [door.scheme for door in doors[:4]] == ["http", "https", "http", "https"]
    assert not {door.port for door in first} & {door.port for door in second}


def in_the_way(host: str, port: int) -> socket.socket:
    """A listener there; if somebody else has it already, that is as good."""
    try:
        return holding(host, port)
    except OSError:
        return socket.socket()


def test_without_ipv6_the_other_doors_open(monkeypatch: pytest.MonkeyPatch, opened: Take) -> None:
    real = sockets._listen

    def refuse(host: str, port: int) -> socket.socket:
        if ":" in host:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return real(host, port)

    monkeypatch.setattr(sockets, "_listen", refuse)
    settings = Settings(http_ports=(free_port(),), https_ports=(free_port(),))
    doors = opened(open_doors(settings))
    assert [door.state for door in doors] == ["open", "open", "failed", "failed"]
    assert doors[2].reason == "Cannot assign requested address" and doors[2].holder == ""
    assert {door.state for door in opened(open_doors(Settings(enable_enhanced_mode=True)))[:4]} == {"open"}


def test_only_loopback_is_listened_to_unless_told_otherwise(opened: Take) -> None:
    settings = Settings(http_ports=(free_port(),), https_ports=(free_port(),), server="0.0.0.0")
    assert not any(door.exposed for door in opened(open_doors(settings)))
    for own in ("127.0.0.1", "127.3.2.1", "::1"):
        settings = Settings(http_ports=(free_port(),), https_ports=(free_port(),), server=own)
        assert {door.host for door in opened(open_doors(settings, expose=True))} == {"127.0.0.1", "::1"}


def test_beyond_loopback_there_is_only_tls(opened: Take) -> None:
    settings = Settings(http_ports=(free_port(),), https_ports=(free_port(),), server="192.0.2.7")
    outside = [door for door in opened(open_doors(settings, expose=True)) if door.exposed]
    assert [(door.scheme, door.host) for door in outside] == [("https", "192.0.2.7")]


def test_a_port_is_never_shared_with_another_listener(opened: Take) -> None:
    port = free_port()
    opened(open_doors(Settings(http_ports=(port,), https_ports=(free_port(),))))
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError):
            other.bind(("127.0.0.1", port))
            other.listen()


def test_a_port_can_be_taken_again_at_once_after_connections_were_on_it(opened: Take) -> None:
    settings = Settings(http_ports=(free_port(),), https_ports=(free_port(),))
    first, *rest = open_doors(settings)
    assert first.socket is not None
    with socket.create_connection((first.door.host, first.door.port)) as client:
        first.socket.setblocking(True)
        accepted, _ = first.socket.accept()
        accepted.close()  # this side closes first, so the port stays in TIME_WAIT
        client.recv(1)
    for each in (first, *rest):
        each.close()
    assert {door.state for door in opened(open_doors(settings))} == {"open"}


def test_sockets_for_another_process_are_not_ours() -> None:
    environ = {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:https"}
    assert passed_sockets(Settings(), environ) == [] and passed_sockets(Settings(), {}) == []


def test_what_a_passed_socket_is_follows_from_its_name_or_its_port(
    monkeypatch: pytest.MonkeyPatch, opened: Take
) -> None:
    listeners = [holding("127.0.0.1", free_port()) for _ in range(4)]
    passed = [os.dup(each.fileno()) for each in listeners]
    monkeypatch.setattr(sockets, "FIRST_PASSED_FILE", _Files(passed))
    settings = Settings(https_ports=(listeners[2].getsockname()[1],))
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "4", "LISTEN_FDNAMES": "dwtsvc-https:http"}
    doors = opened(passed_sockets(settings, environ))
    assert [door.scheme for door in doors] == ["https", "http", "https", "http"]
    assert {door.state for door in doors} == {"open"} and not any(map(os.get_inheritable, passed))
    for each in listeners:
        each.close()


class _Files(int):
    """Stands for 3 and following, which belong to the test run."""

    def __new__(cls, files: list[int]) -> _Files:
        made = super().__new__(cls, 0)
        made.files = files
        return made

    files: list[int]

    def __add__(self, at: int) -> int:
        return self.files[at]


def test_a_door_has_an_address_that_a_browser_takes() -> None:
    assert Door(scheme="https", host="::1", port=18623, state="open").url == "https://[::1]:18623"
    assert Door(scheme="http", host="127.0.0.1", port=18622, state="open").url == "http://127.0.0.1:18622"


def test_the_service_may_open_more_files_than_it_starts_with() -> None:
    def raised() -> str:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        sockets.raise_file_limit()
        return str(resource.getrlimit(resource.RLIMIT_NOFILE)[0])

    assert int(in_child(raised)) == min(sockets.OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


@pytest.mark.skipif(sys.byteorder != "little", reason="the example is of a little-endian machine")
def test_the_table_of_the_kernel_is_read_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    row = "   0: {} 00000000:0000 {} 00000000:00000000 00:00000000 00000000  {}        0 {} 1 0 100 0 0 10 0\n"
    (tmp_path / "net" / "tcp").write_text(
        header + row.format("0100007F:48BE", "01", 7, 70) + row.format("0100007F:48BE", "0A", 1000, 71)
    )
    (tmp_path / "net" / "tcp6").write_text(
        header
        + row.format("00000000000000000000000001000000:48BF", "0A", 0, 72)
        + row.format("0000000000000000FFFF00000100007F:48C0", "0A", 1001, 73)
    )
    assert listener("127.0.0.1", 0x48BE, tmp_path) == sockets.Listener(1000, "71")
    assert listener("::1", 0x48BF, tmp_path) == sockets.Listener(0, "72")
    assert listener("127.0.0.1", 0x48C0, tmp_path) == sockets.Listener(1001, "73")
    assert listener("127.0.0.1", 0x48BF, tmp_path) is None and listener("::1", 0x48BE, tmp_path) is None
