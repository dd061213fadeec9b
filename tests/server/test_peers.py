"""Whose program a connection comes from, by real sockets and by the kernel's tables."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dwtsvc.server.gate import peers
from dwtsvc.server.gate.peers import Connection, Peers

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to be another user")

NOBODY = 65534
REAL = ("/proc/self/net/tcp", "/proc/self/net/tcp6")
CONNECT = """
import os, socket, sys
if int(sys.argv[3]): os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[3]))
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
s.connect((sys.argv[1], int(sys.argv[2])))
sys.stdin.read()
"""

Ends = tuple[tuple[str, int], tuple[str, int]]


@contextmanager
def connected(host: str, to: str = "", uid: int = 0) -> Iterator[Ends]:
    """A connection of another process, as the server sees it: client and server address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        arguments = [sys.executable, "-c", CONNECT, to or host, str(server.getsockname()[1]), str(uid)]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE) as program:
            server.settimeout(20)
            accepted, _ = server.accept()
            with accepted:
                yield accepted.getpeername()[:2], accepted.getsockname()[:2]
                program.communicate()


def by_tables() -> Peers:
    return Peers(tables=tuple(REAL))  # equal to the usual ones, but not the same: the kernel is not asked otherwise


@linux
@pytest.mark.parametrize(("host", "to"), [("127.0.0.1", ""), ("::1", ""), ("127.0.0.1", "::ffff:127.0.0.1")])
def test_a_program_of_this_user_is_known(host: str, to: str) -> None:
    assert by_tables()._diag is None
    with connected(host, to) as ends:
        assert Peers().is_mine(Connection(), *ends)
        assert by_tables().is_mine(Connection(), *ends)


@linux
@root
@pytest.mark.parametrize(("host", "to"), [("127.0.0.1", ""), ("::1", ""), ("127.0.0.1", "::ffff:127.0.0.1")])
def test_a_program_of_another_user_is_not_ours(host: str, to: str) -> None:
    with connected(host, to, NOBODY) as ends:
        assert not Peers().is_mine(Connection(), *ends)
        assert not by_tables().is_mine(Connection(), *ends)
        assert Peers(uid=NOBODY).is_mine(Connection(), *ends)


@linux
def test_a_program_that_has_gone_is_nobody_even_for_root() -> None:
    for ours in (Peers(uid=0), Peers(uid=0, tables=tuple(REAL))):
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            accepted, _ = server.accept()
            ends = accepted.getpeername(), accepted.getsockname()
            client.close()  # its socket is shown with uid 0 from now on
            with accepted:
                assert not ours.is_mine(Connection(), *ends)


@linux
def test_a_connection_that_the_kernel_does_not_know_is_nobodys() -> None:
    assert not Peers().is_mine(Connection(), ("127.0.0.1", 1), ("127.0.0.1", 2))
    assert not by_tables().is_mine(Connection(), ("127.0.0.1", 1), ("127.0.0.1", 2))


@linux
def test_where_the_kernel_cannot_be_asked_the_tables_are_read() -> None:
    ours = Peers()
    assert ours._diag is not None
    ours._diag.close()  # as a sandbox would have it
    with connected("127.0.0.1") as ends:
        assert ours.is_mine(Connection(), *ends)
        assert ours._diag is None


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (None, ("127.0.0.1", 1)),
        (("127.0.0.1", 1), None),
        (("192.168.1.2", 4), ("127.0.0.1", 1)),
        (("127.0.0.1", 4), ("192.168.1.1", 1)),
        (("", 4), ("127.0.0.1", 1)),
        (("testclient", 4), ("127.0.0.1", 1)),
    ],
)
def test_what_does_not_go_over_the_loopback_is_not_ours_on_any_system(
    client: peers.Address, server: peers.Address
) -> None:
    for platform in ("linux", "darwin", "win32"):
        assert not Peers(platform=platform).is_mine(Connection(), client, server)


def test_elsewhere_the_loopback_counts() -> None:
    assert Peers(platform="darwin").is_mine(Connection(), ("127.0.0.1", 4), ("127.0.0.1", 1))
    assert Peers(platform="win32").is_mine(Connection(), ("::1", 4), ("::1", 1))


# ---- the tables, of our own making ----

CLIENT, SERVER = ("127.0.0.1", 40000), ("127.0.0.1", 18622)


def row(uid: int, inode: int = 99, client: peers.Address = CLIENT) -> str:
    ends = f"{peers._hex(client, False)} {peers._hex(SERVER, False)}"
    return f"   1: {ends} 01 00000000:00000000 00:00000000 00000000 {uid:>5}        0 {inode} 1 00 20\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "tcp"
    path.write_text("  sl  local_address rem_address\n" + row(7))
    return path


def reader(table: Path, uid: int = 7) -> Peers:
    return Peers(uid=uid, platform="linux", tables=(str(table),))


def test_an_answer_is_kept_for_its_connection(table: Path) -> None:
    ours, connection = reader(table), Connection()
    assert ours.is_mine(connection, CLIENT, SERVER)
    table.write_text("")
    assert ours.is_mine(connection, CLIENT, SERVER)


def test_a_table_counts_for_the_connections_that_were_made_before_it_was_read(table: Path) -> None:
    other = ("127.0.0.1", 40001)
    table.write_text(row(7) + row(7, client=other))
    ours, earlier = reader(table), Connection()
    assert ours.is_mine(Connection(), CLIENT, SERVER)
    table.write_text(row(8))  # the port was used again, by another user
    assert ours.is_mine(earlier, other, SERVER)
    assert not ours.is_mine(Connection(), CLIENT, SERVER)


def test_a_socket_without_a_process_has_no_owner(table: Path) -> None:
    table.write_text(row(7, inode=0))
    assert not reader(table).is_mine(Connection(), CLIENT, SERVER)


def test_no_table_and_a_strange_one_mean_nobody(table: Path) -> None:
    assert not reader(table.with_name("none")).is_mine(Connection(), CLIENT, SERVER)
    table.write_text(row(7)[:60])
    assert not reader(table).is_mine(Connection(), CLIENT, SERVER)
