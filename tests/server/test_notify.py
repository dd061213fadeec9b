from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path

import pytest

from dwtsvc.server.doors.notify import keep_alive, notify, watchdog_seconds


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(tmp_path / "notify"))
    receiver.settimeout(10)
    return receiver


def test_a_word_reaches_a_manager_by_path_and_by_abstract_name(manager: socket.socket, tmp_path: Path) -> None:
    with manager:
        assert notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"
    name = f"dwtsvc-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
        abstract.bind("\0" + name)
        assert notify("STOPPING=1", {"NOTIFY_SOCKET": "@" + name})
        assert abstract.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all", "vsock:2:1234"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    assert not notify("READY=1", {"NOTIFY_SOCKET": address})
    assert not notify("READY=1", {})


def test_a_manager_that_does_not_read_holds_nothing_up(manager: socket.socket, tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    with manager:
        sent = [notify("WATCHDOG=1", environ) for _ in range(5000)]
    assert sent[0] and not sent[-1]


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_signs_of_life_come_twice_as_often_as_they_must(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environ) == seconds


def test_a_loop_that_hangs_sends_no_sign_of_life(manager: socket.socket, tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000"}

    async def hang_after_two() -> None:
        alive = asyncio.create_task(keep_alive(environ))
        for _ in range(2):
            await asyncio.get_running_loop().run_in_executor(None, manager.recv, 100)
        manager.settimeout(0.2)
        with pytest.raises(TimeoutError):  # what was under way may still come, then nothing
            while manager.recv(100):
                pass
        alive.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await alive

    with manager:
        asyncio.run(hang_after_two())


def test_no_watchdog_means_no_task() -> None:
    asyncio.run(asyncio.wait_for(keep_alive({}), 10))
