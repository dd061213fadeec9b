"""`dwtsvc serve` as a user runs it: the real service, its monitor, signals, crashes, a bad configuration."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dwtsvc.paths import Paths
from tests.server.daemon import PATIENCE, PROGRAM, Running, lives, until
from tests.server.running import free_port


class Home:
    """A user's folders, with services started there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = Paths.from_environment({"DWTSVC_HOME": str(folder)})
        self.port = free_port()
        self.environ = {**os.environ, "DWTSVC_HOME": str(folder), "HOME": str(folder)}
        self.started: list[subprocess.Popen[str]] = []

    def serve(self, *words: str) -> subprocess.Popen[str]:
        ports = ["--http-port", str(self.port), "--https-port", str(free_port())]
        begun = subprocess.Popen(
            [*PROGRAM, "serve", *ports, *words],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stderr=open(self.folder.parent / "stderr", "w"),
            text=True,
        )
        self.started.append(begun)
        return begun

    def stderr(self) -> str:
        return (self.folder.parent / "stderr").read_text()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*PROGRAM, *words], env=self.environ, capture_output=True, text=True, timeout=PATIENCE)

    def loggers(self) -> set[str]:
        """The names of those that have something in the log."""
        lines = self.run("logs", "-n", "100", "--json").stdout.splitlines()
        return {json.loads(line)["logger"] for line in lines}

    def readable(self) -> set[str]:
        """The names of files that other users can read."""
        found = set()
        for path in self.folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # written and moved to its place meanwhile
                found |= {path.name} if path.is_file() and path.stat().st_mode & 0o077 else set()
        return found

    def status(self) -> Any:
        return json.loads(self.run("status", "--json").stdout)

    def answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/api/server/version")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    (tmp_path / "home").mkdir()
    found = Home(tmp_path / "home")
    yield found
    for each in found.started:
        if each.poll() is None:
            each.kill()
            each.wait()


def test_the_service_says_where_it_is_survives_a_crash_and_ends_in_order(home: Home) -> None:
    monitor = home.serve()
    until(home.answers)
    first = home.status()
    assert (first["state"], first["monitor_pid"]) == ("running", monitor.pid)
    assert {(port["scheme"], port["state"]) for port in first["ports"]} >= {("http", "open"), ("https", "open")}
    until(lambda: f"Open http://127.0.0.1:{home.port}/ in a browser." in home.stderr())

    os.kill(first["pid"], signal.SIGSEGV)
    until(lambda: home.status()["pid"] not in (None, first["pid"]))
    until(home.answers)
    second = home.status()
    assert (second["restarts"], second["reason"]) == (1, "killed by SIGSEGV")
    assert any("Segmentation fault" in path.read_text() for path in home.paths.dump.iterdir())

    monitor.terminate()
    assert monitor.wait(PATIENCE) == 0
    assert home.run("status").returncode == 41
    assert "The service has ended" in home.run("logs").stdout


def test_what_the_service_logs_reaches_the_log_through_every_library(home: Home) -> None:
    home.serve()
    until(home.answers)
    until(lambda: {"dwtsvc.serve", "dwtsvc.server.service"} <= home.loggers())


def test_a_second_serve_is_told_that_it_runs_already(home: Home) -> None:
    home.serve()
    until(home.answers)
    before = home.status()["pid"]
    second = home.run("serve")
    assert second.returncode == 43
    assert "already running" in second.stderr
    assert home.status()["pid"] == before


@pytest.mark.parametrize("words", [(), ("--no-monitor",)])
def test_a_bad_configuration_ends_with_78_and_names_its_line(home: Home, words: tuple[str, ...]) -> None:
    Paths.create(home.paths.config)
    home.paths.config_file.write_text("LogLevel = loud\n")
    answer = home.run("serve", *words)
    assert answer.returncode == 78
    assert "DSConfiguration.ini:1: LogLevel cannot be 'loud'" in answer.stderr


def test_without_a_monitor_one_process_serves_and_leaves_no_dump(home: Home) -> None:
    service = home.serve("--no-monitor")
    until(home.answers)
    told = home.status()
    assert (told["pid"], told["monitor_pid"]) == (service.pid, None)
    service.terminate()
    assert service.wait(PATIENCE) == 0
    assert list(home.paths.dump.iterdir()) == []


def test_nobody_else_can_read_what_the_service_writes(home: Home) -> None:
    home.serve("--no-monitor")
    until(home.answers)
    assert home.readable() <= {"ca.pem", "server.pem"}  # certificates are no secret


def test_a_token_never_reaches_log_or_terminal(home: Home) -> None:
    home.serve("--log-level", "30")
    until(home.answers)
    canary = "CaNaRy"
    connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {canary}", "Cookie": f"a={canary}", "DWT-PRODUCT-KEY": canary}
    for path in (f"/api/none?password={canary}", f"/{canary}.pdf", f"/dwt/dwt_19/img?id={canary}&sig={canary}"):
        connection.request("GET", path, headers=headers)
        connection.getresponse().read()
    connection.request("POST", "/api/device/scanners/jobs", f'{{"device": "{canary}.pdf"', headers=headers)
    connection.getresponse().read()
    connection.close()
    written = "".join(path.read_text() for path in [*home.paths.log.iterdir(), *home.paths.dump.iterdir()])
    assert canary not in written + home.stderr()


@pytest.mark.parametrize("victims", ["monitor", "monitor service", "service monitor"])
def test_after_kills_there_are_never_two_and_the_next_serve_works(home: Home, victims: str) -> None:
    monitor = home.serve()
    until(home.answers)
    pids = {"monitor": monitor.pid, "service": home.status()["pid"]}
    for victim in victims.split():
        if lives(pids[victim]):
            Running.kill_one(pids[victim])
    monitor.wait(PATIENCE)
    home.serve()
    until(lambda: home.status()["monitor_pid"] == home.started[-1].pid and home.answers())
    assert home.status()["pid"] not in pids.values()
    assert not lives(pids["service"])


def test_a_closed_terminal_ends_the_service(home: Home) -> None:
    import pexpect

    words = ["-P", "-m", "dwtsvc_cli.main", "serve", "--http-port", str(home.port), "--https-port", str(free_port())]
    terminal = pexpect.spawn(sys.executable, words, env=home.environ, timeout=PATIENCE)
    terminal.expect("in a browser")
    until(home.answers)
    pid = home.status()["pid"]
    terminal.ptyproc.fileobj.close()  # `close` would send signals of its own, and has not the patience
    until(lambda: not lives(pid))
    terminal.close()


def test_showing_the_unit_changes_nothing(home: Home) -> None:
    before = sorted(home.folder.rglob("*"))
    shown = home.run("install-service", "--show")
    assert shown.returncode == 0
    assert "serve --no-monitor" in shown.stdout
    assert sorted(home.folder.rglob("*")) == before


def test_uninstalling_with_purge_needs_a_yes_and_leaves_nothing(home: Home) -> None:
    assert home.run("install-service", "--no-start").returncode == 0
    assert home.run("cert", "create").returncode == 0
    assert home.run("install-service", "--uninstall", "--purge").returncode == 2
    assert home.paths.service_file.exists()
    answer = home.run("install-service", "--uninstall", "--purge", "--yes")
    assert (answer.returncode, answer.stderr) == (0, "")
    left = [path for path in home.folder.rglob("*") if path.is_file()] if home.folder.exists() else []
    assert left == []


def test_a_port_is_not_plain_and_secure_at_once(home: Home) -> None:
    port = str(free_port())
    answer = home.run("serve", "--no-monitor", "--http-port", port, "--https-port", port)
    assert answer.returncode == 78 and "both http_ports and https_ports" in answer.stderr
