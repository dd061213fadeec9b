"""The status from outside: no service, one that starts, waits, answers, refuses, or hangs; and the command's words."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dwtsvc import portlock, status
from dwtsvc.config import Settings
from dwtsvc.errors import FileAccess, ServiceNotRunning, TokenNeeded
from dwtsvc.lifeline import MonitorState
from dwtsvc.locks import holding
from dwtsvc.paths import Paths
from dwtsvc.status import State

ANSWER = {
    "pid": 4711,
    "monitor_pid": 4710,
    "version": "9.9",
    "started": "2026-01-01T00:00:00+00:00",
    "ports": [{"scheme": "http", "host": "127.0.0.1", "port": 1, "state": "open", "holder": ""}],
    "jobs": [{"id": "1", "state": "running"}, {"id": "2", "state": "completed"}],
    "devices": [{"id": "virtual:adf"}],
    "shared": [
        {"device": "virtual:adf", "url": "http://127.0.0.1:1/eSCL", "announced": True},
        {"device": "virtual:flatbed", "url": "http://127.0.0.1:1/glass/eSCL", "announced": False},
    ],
    "certificate": {"state": "valid", "certificate": {"not_after": "2027-01-01T00:00:00+00:00"}},
    "log_level": 1,
    "warnings": ["something odd"],
}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths.from_environment({"DWTSVC_HOME": str(tmp_path)})
    Paths.create(found.runtime)
    Paths.create(found.state)
    return found


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers here is a thread of this process, which a busy machine may keep waiting."""
    monkeypatch.setattr(status, "PATIENCE", 60.0)


class Asked:
    """A server that answers every request alike, and the headers it got."""

    def __init__(self) -> None:
        self.code, self.body = 200, json.dumps(ANSWER).encode()
        self.headers: list[dict[str, str]] = []
        self.port = 0
        self.token = ""  # needed if it is set


@pytest.fixture
def asked() -> Iterator[Asked]:
    found = Asked()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.headers.append({**dict(self.headers), "path": self.path})
            refused = found.token and self.headers.get("Authorization") != f"Bearer {found.token}"
            self.send_response(401 if refused else found.code)
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def service(paths: Paths, *ports: int, pid: int = 4711) -> Iterator[None]:
    """Something that holds port.lock and says that it listens on these ports."""
    doors = [{"scheme": "http", "host": "127.0.0.1", "port": port, "state": "open", "holder": ""} for port in ports]
    with portlock.hold(paths) as lock:
        lock.write({"pid": pid, "monitor_pid": 4710, "version": "9.9", "started": "2026", "doors": doors})
        yield


def waiting(paths: Paths, **changed: Any) -> None:
    said = {"pid": os.getpid(), "service_pid": None, "state": "waiting", "restarts": 6, "reason": "killed by SIGSEGV"}
    MonitorState(**{**said, "next_restart": "2026-01-01T00:01:00+00:00", **changed}).write(paths.monitor_file)


def read(paths: Paths, settings: Settings | None = None) -> status.Status:
    return status.read(paths, settings or Settings())


def test_no_service_is_stopped_and_the_fault_says_how_to_start_it(paths: Paths) -> None:
    found = read(paths)
    assert (found.state, found.pid, found.ports) == (State.STOPPED, None, ())
    fault = found.fault()
    assert isinstance(fault, ServiceNotRunning)
    assert "dwtsvc serve" in fault.hint and "install-service" in fault.hint


def test_asking_makes_no_file_and_no_folder(tmp_path: Path) -> None:
    read(Paths.from_environment({"DWTSVC_HOME": str(tmp_path / "none")}))
    assert list(tmp_path.iterdir()) == []


def test_what_the_service_answers_is_what_is_told(paths: Paths, asked: Asked) -> None:
    with service(paths, asked.port):
        found = read(paths)
    assert found.state is State.RUNNING
    assert found.fault() is None
    told = found.record()
    assert {name: told[name] for name in ANSWER if name != "warnings"} == {
        name: value for name, value in ANSWER.items() if name != "warnings"
    }
    assert list(found.warnings) == ["something odd"]
    assert found.urls == ["http://127.0.0.1:1/"]


def test_the_question_is_a_tools_and_brings_no_token_unasked(paths: Paths, asked: Asked) -> None:
    (paths.state / "token").write_text("SECRET\n")
    with service(paths, asked.port):
        read(paths)
    (headers,) = asked.headers
    assert headers["path"] == "/api/server/status"
    assert headers["Host"] == f"127.0.0.1:{asked.port}"
    assert not {"Origin", "Referer", "Authorization"} & set(headers)


def test_the_token_is_brought_where_it_is_required(paths: Paths, asked: Asked) -> None:
    (paths.state / "token").write_text("SECRET\n")
    with service(paths, asked.port):
        read(paths, Settings(require_token=True))
    assert asked.headers[0]["Authorization"] == "Bearer SECRET"


def test_a_service_that_does_not_answer_is_silent_with_what_its_lock_says(paths: Paths) -> None:
    with service(paths, 1):
        found = read(paths)
    assert (found.state, found.pid, found.version) == (State.SILENT, 4711, "9.9")
    assert [port["port"] for port in found.ports] == [1]
    assert "kill -USR1 4711" in str(found.fault() and found.fault().hint)  # type: ignore[union-attr]


def test_the_next_door_is_tried_where_the_first_does_not_answer(paths: Paths, asked: Asked) -> None:
    with service(paths, 1, asked.port):
        assert read(paths).state is State.RUNNING


def test_an_answer_of_another_process_counts_for_nothing(paths: Paths, asked: Asked) -> None:
    with service(paths, asked.port, pid=4712):
        assert read(paths).state is State.SILENT


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"pid": 1}', b"[" * 100_000])
def test_nonsense_is_no_answer(paths: Paths, asked: Asked, body: bytes) -> None:
    asked.body = body
    with service(paths, asked.port):
        assert read(paths).state is State.SILENT


def test_a_refusal_is_told_in_the_words_of_the_service_and_is_no_silence(paths: Paths, asked: Asked) -> None:
    asked.code, asked.body = 401, b'{"code": -2800, "message": "The token is needed"}'
    with service(paths, asked.port):
        found = read(paths)
    assert found.state is State.REFUSING
    assert list(found.warnings) == ["The service says of its status: The token is needed"]
    assert isinstance(found.fault(), TokenNeeded)


def test_who_can_read_the_token_is_not_refused(paths: Paths, asked: Asked) -> None:
    """As root, who asks the service of another user."""
    (paths.state / "token").write_text("SECRET\n")
    asked.token = "SECRET"
    with service(paths, asked.port):
        assert read(paths).state is State.RUNNING
    assert [headers.get("Authorization") for headers in asked.headers] == [None, "Bearer SECRET"]


def test_a_service_that_crashed_too_often_is_said_to_wait_and_why(paths: Paths) -> None:
    waiting(paths)
    with holding(paths.monitor_lock):
        found = read(paths)
    assert (found.state, found.monitor_pid, found.restarts) == (State.WAITING, os.getpid(), 6)
    fault = found.fault()
    assert fault and "waits until 2026-01-01T00:01:00+00:00" in fault.what
    assert fault.why == "killed by SIGSEGV"


def test_a_service_without_its_lock_yet_is_starting(paths: Paths) -> None:
    waiting(paths, state="running", next_restart=None, service_pid=7)
    with holding(paths.monitor_lock):
        assert read(paths).state is State.STARTING


def test_the_file_of_a_monitor_that_was_killed_counts_for_nothing(paths: Paths) -> None:
    waiting(paths)
    paths.monitor_lock.touch()
    assert read(paths).state is State.STOPPED


def test_a_file_that_makes_no_sense_counts_for_nothing(paths: Paths) -> None:
    paths.monitor_file.write_text('{"pid": 1, "unknown": 2}')
    with holding(paths.monitor_lock):
        assert read(paths).state is State.STOPPED


def test_restarts_of_a_running_service_are_told(paths: Paths, asked: Asked) -> None:
    waiting(paths, state="running", next_restart=None, service_pid=4711, restarts=2)
    with holding(paths.monitor_lock), service(paths, asked.port):
        found = read(paths)
    assert (found.state, found.restarts, found.reason) == (State.RUNNING, 2, "killed by SIGSEGV")


def test_another_users_service_is_told_apart_from_none(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may look everywhere
    with pytest.raises(FileAccess):
        read(paths)


# ---- the command ----


def command(paths: Paths, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "dwtsvc_cli.main", "status", *words],
        env={**os.environ, "DWTSVC_HOME": str(paths.runtime.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_ends_with_41_and_still_prints_one_object(paths: Paths) -> None:
    answer = command(paths, "--json")
    assert answer.returncode == 41
    told = json.loads(answer.stdout)
    assert told["state"] == "stopped"
    assert {"pid", "monitor_pid", "version", "ports", "jobs", "devices", "shared", "certificate", "warnings"} <= set(
        told
    )
    assert command(paths).stderr.startswith("dwtsvc: The service is not running\n  Run `dwtsvc serve`")


def test_the_command_tells_a_running_service(paths: Paths, asked: Asked) -> None:
    with service(paths, asked.port):
        as_text, as_json = command(paths), command(paths, "--json")
    assert as_text.returncode == as_json.returncode == 0
    assert as_text.stdout.splitlines() == [
        "dwtsvc 9.9 is running: process 4711, monitor 4710, since 2026-01-01T00:00:00+00:00",
        "http://127.0.0.1:1/\topen",
        "jobs: 1 at work, 1 ended with pages kept",
        "devices: 1",
        "shared: virtual:adf at http://127.0.0.1:1/eSCL",
        "shared: virtual:flatbed at http://127.0.0.1:1/glass/eSCL, not announced",
        "certificate: valid, until 2027-01-01",
    ]
    assert as_text.stderr == "warning: something odd\n"
    told = json.loads(as_json.stdout)
    assert (told["state"], told["pid"], told["shared"]) == ("running", 4711, ANSWER["shared"])


def test_scanners_that_nobody_looked_for_are_not_called_none(paths: Paths, asked: Asked) -> None:
    asked.body = json.dumps({**ANSWER, "devices": []}).encode()
    with service(paths, asked.port):
        answer = command(paths)
    assert "devices: not looked for yet" in answer.stdout.splitlines()


def test_the_command_says_plainly_that_the_service_waits(paths: Paths) -> None:
    waiting(paths)
    with holding(paths.monitor_lock):
        answer = command(paths)
    assert answer.returncode == 41
    assert "crashed too often and waits until" in answer.stderr
    assert "killed by SIGSEGV" in answer.stderr
