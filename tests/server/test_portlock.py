from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dwtsvc.errors import FileAccess, PortInUse
from dwtsvc.paths import Paths
from dwtsvc.portlock import hold, read_port_lock
from tests.disks import needs_root


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"DWTSVC_HOME": str(tmp_path / "home")})


def test_what_the_holder_writes_is_read_while_it_holds(paths: Paths) -> None:
    assert read_port_lock(paths) is None
    with hold(paths) as lock:
        assert read_port_lock(paths) is None  # nothing was written yet
        lock.write({"pid": 7, "doors": [{"port": 1}] * 20})
        lock.write({"pid": 8, "doors": []})
        assert read_port_lock(paths) == {"pid": 8, "doors": []}
    assert read_port_lock(paths) is None


def test_it_is_for_this_user_alone(paths: Paths) -> None:
    with hold(paths):
        assert paths.port_lock.stat().st_mode & 0o777 == 0o600
        assert paths.port_lock.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_holder_is_refused_with_the_pid_of_the_first(paths: Paths) -> None:
    with hold(paths) as lock:
        lock.write({"pid": 4711})
        with pytest.raises(PortInUse, match="4711") as refused, hold(paths):
            pass
        assert refused.value.exit_code == 43 and "dwtsvc status" in refused.value.hint
        assert read_port_lock(paths) == {"pid": 4711}
    with hold(paths):
        pass


def test_a_second_holder_is_refused_also_before_the_first_has_written(paths: Paths) -> None:
    with hold(paths), pytest.raises(PortInUse, match=r"port\.lock"), hold(paths):
        pass


def test_readers_never_stand_in_the_way_of_a_start(paths: Paths) -> None:
    with hold(paths):
        pass
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            read_port_lock(paths)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(30):
        with hold(paths) as lock:
            lock.write({"pid": 1})
    done.set()
    for reader in readers:
        reader.join()


def test_a_reader_never_sees_half_of_it(paths: Paths) -> None:
    seen = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(read_port_lock(paths))

    with hold(paths) as lock:
        lock.write({"pid": 1, "doors": []})
        reader = threading.Thread(target=read)
        reader.start()
        for at in range(2000):
            lock.write({"pid": 1, "doors": list(range(at % 300))})
        done.set()
        reader.join()
    assert seen and all(each is not None and each["doors"] == list(range(len(each["doors"]))) for each in seen)


def test_a_killed_holder_leaves_a_file_that_is_known_to_be_old(paths: Paths) -> None:
    code = (
        "import os, signal; from dwtsvc.paths import Paths; from dwtsvc.portlock import hold\n"
        "with hold(Paths.from_environment(os.environ)) as lock:\n"
        "    lock.write({'pid': os.getpid()}); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    home = str(paths.port_lock.parent.parent)
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "DWTSVC_HOME": home}, timeout=30)
    assert json.loads(paths.port_lock.read_text())["pid"] > 0
    assert read_port_lock(paths) is None
    with hold(paths):
        assert read_port_lock(paths) is None


@pytest.mark.parametrize("content", [b"", b"nonsense", b"[]", b'{"pid": "7"}', b"{}", b"\xff\xfe", b"[" * 100_000])
def test_a_file_with_something_else_in_it_is_no_service(paths: Paths, content: bytes) -> None:
    with hold(paths):
        paths.port_lock.write_bytes(content)
        assert read_port_lock(paths) is None


@needs_root
def test_a_folder_that_cannot_be_written_is_told(read_only: Path) -> None:
    with pytest.raises(FileAccess), hold(Paths.from_environment({"DWTSVC_HOME": str(read_only / "home")})):
        pass


def test_reading_it_needs_no_server_library() -> None:
    code = (
        "import sys, dwtsvc.portlock; print([m for m in ('uvicorn', 'asyncio', 'litestar', 'ssl') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
