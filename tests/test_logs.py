"""The log: what is in it, what never is, how it grows, and how it is read."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dwtsvc import logs
from dwtsvc.errors import FileAccess
from dwtsvc.paths import Paths

CANARY = "CaNaRy"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"DWTSVC_HOME": str(tmp_path)})


def run(paths: Paths, program: str, *, level: int = 1, stderr: bool = False, **environ: str) -> str:
    """Run a program in a process of its own, whose log is set up; its standard error."""
    beginning = (
        "import logging, os, sys, threading, warnings\n"
        "from dwtsvc import logs\nfrom dwtsvc.paths import Paths\n"
        f"logs.set_up(Paths.from_environment(os.environ), {level}, stderr={stderr}, environ=os.environ)\n"
        "log = logging.getLogger('dwtsvc.part')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", beginning + program],
        env={**os.environ, "DWTSVC_HOME": str(paths.log.parent), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stderr


def messages(paths: Paths) -> list[str]:
    return [entry.message for entry in logs.newest(paths.log_file, 100)]


def test_a_record_has_its_time_level_and_place_and_can_be_read_back(paths: Paths) -> None:
    run(paths, "log.info('started, %d jobs', 3)")
    (entry,) = logs.newest(paths.log_file, 10)
    assert (entry.level, entry.logger, entry.message) == ("INFO", "dwtsvc.part", "started, 3 jobs")
    assert entry.time.endswith("Z")
    assert paths.log_file.read_text() == f"{entry}\n"


def test_only_the_owner_can_read_the_log_and_its_folder(paths: Paths) -> None:
    run(paths, "log.info('x')")
    modes = [path.stat().st_mode & 0o777 for path in (paths.log_file, paths.log)]
    assert modes == [0o600, 0o700]


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        (0, []),
        (1, ["info", "error", "foreign warning"]),
        (14, ["debug", "info", "error", "foreign info", "foreign warning"]),
        (30, ["debug", "info", "error", "foreign debug", "foreign info", "foreign warning"]),
    ],
)
def test_the_level_decides_what_is_logged(paths: Paths, level: int, logged: list[str]) -> None:
    program = (
        "foreign = logging.getLogger('uvicorn.error')\n"
        "log.debug('debug'); log.info('info'); log.error('error')\n"
        "foreign.debug('foreign debug'); foreign.info('foreign info'); foreign.warning('foreign warning')"
    )
    run(paths, program, level=level)
    assert messages(paths) == logged


def test_the_level_can_be_changed_while_the_service_runs(paths: Paths) -> None:
    program = "logs.set_level(0); log.error('a'); logs.set_level(14); log.debug('b'); logs.set_level(1); log.debug('c')"
    run(paths, program)
    assert messages(paths) == ["b"]


def test_the_loggers_of_the_server_write_here_alone(paths: Paths) -> None:
    program = (
        "import uvicorn, litestar\n"
        "uvicorn.Config(None, log_config=None, access_log=True)\n"
        "for name in ('uvicorn.error', 'uvicorn.access', 'litestar', 'asyncio'):\n"
        "    logging.getLogger(name).warning('from %s', name)"
    )
    assert run(paths, program) == ""
    assert messages(paths) == [f"from {name}" for name in ("uvicorn.error", "uvicorn.access", "litestar", "asyncio")]


def test_a_library_that_sets_up_logging_itself_is_put_right(paths: Paths) -> None:
    """As Litestar does when an application is made."""
    program = (
        "ours = [*logging.getLogger().handlers]\n"
        "import litestar\nlitestar.Litestar([])\n"
        "log.info('lost')\nlogs.claim(ours)\nlog.info('found')"
    )
    run(paths, program)
    assert messages(paths) == ["found"]


def test_no_canary_reaches_the_log_by_any_road(paths: Paths) -> None:
    """Messages, arguments, exceptions with causes, threads, warnings, finalizers, and what nothing catches."""
    program = f"""
log.info("GET /api/x?sig={CANARY} 200")
log.error("cannot open %s", "/home/ada/{CANARY}.pdf")
log.warning("Authorization: Bearer {CANARY}")
warnings.warn("password={CANARY}")
try:
    try:
        open("/no/{CANARY}")
    except OSError as error:
        raise ValueError("invalid literal: '{CANARY}'") from error
except ValueError:
    log.exception("failed")
def fail():
    secret = "{CANARY}"
    raise KeyError(secret)
thread = threading.Thread(target=fail)
thread.start()
thread.join()
class Bad:
    def __del__(self):
        fail()
Bad()
fail()
"""
    stderr = run(paths, program, level=30, stderr=True)
    text = paths.log_file.read_text()
    assert CANARY not in text + stderr
    assert "ValueError: invalid literal: '[value]'" in text
    assert "because of FileNotFoundError: [Errno 2] No such file or directory" in text
    assert "CRITICAL dwtsvc: A thread ended" in text
    assert "CRITICAL dwtsvc: The service ends" in text
    assert "An exception was not raised" in text


def test_a_line_cannot_be_forged_nor_a_terminal_commanded(paths: Paths) -> None:
    program = (
        "log.info('a\\r\\n2026-01-01T00:00:00.000Z ERROR dwtsvc: forged \\x1b[2J')\n"
        "try: raise ValueError('b\\n2026-01-01T00:00:00.000Z ERROR dwtsvc: forged')\n"
        "except ValueError: log.exception('c')"
    )
    run(paths, program)
    found = logs.newest(paths.log_file, 10)
    assert [entry.message[:1] for entry in found] == ["a", "c"]
    assert "\x1b" not in paths.log_file.read_text()


def test_a_traceback_names_places_of_code_without_the_folders_above(paths: Paths) -> None:
    run(paths, "import json\ntry: json.loads('[')\nexcept ValueError: log.exception('x')")
    (entry,) = logs.newest(paths.log_file, 10)
    assert entry.detail[0].startswith("JSONDecodeError: ")
    assert entry.detail[-1].startswith("  json/decoder.py:")


def test_a_very_long_message_is_cut(paths: Paths) -> None:
    run(paths, "log.info('a b ' * 100_000)")
    assert paths.log_file.stat().st_size < 3000
    assert messages(paths)[0].endswith("more]")


def test_the_log_is_never_larger_than_its_five_files(paths: Paths) -> None:
    program = "logs.logging.getLogger().handlers[0].maxBytes = 2000\nfor n in range(500): log.info('record %d', n)"
    run(paths, program)
    files = sorted(path.name for path in paths.log.iterdir())
    assert files == ["dwtsvc.log", *(f"dwtsvc.log.{n}" for n in range(1, 5))]
    assert all(path.stat().st_size <= 2000 and path.stat().st_mode & 0o777 == 0o600 for path in paths.log.iterdir())
    assert logs.LARGEST == 10_000_000


def test_the_newest_records_come_from_older_files_where_they_must(paths: Paths) -> None:
    program = "logs.logging.getLogger().handlers[0].maxBytes = 2000\nfor n in range(60): log.info('record %d', n)"
    run(paths, program)
    assert len(list(paths.log.iterdir())) > 1
    assert messages(paths)[-40:] == [f"record {n}" for n in range(20, 60)]
    assert logs.newest(paths.log_file, 0) == []


def test_standard_error_gets_the_same_without_secrets(paths: Paths) -> None:
    stderr = run(paths, f"log.error('token={CANARY} x')", stderr=True)
    assert stderr == paths.log_file.read_text()
    assert "token=[removed] x" in stderr


def test_the_journal_gets_priorities_and_no_time(paths: Paths) -> None:
    """Standard error is the journal if it is the very stream that the variable names."""
    program = (
        "where = os.fstat(2)\n"
        "environ = {'JOURNAL_STREAM': f'{where.st_dev}:{where.st_ino}'}\n"
        "logs.set_up(Paths.from_environment(os.environ), 1, stderr=True, environ=environ)\n"
        "log.info('a')\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: log.exception('b')"
    )
    lines = run(paths, program, JOURNAL_STREAM="1:2").splitlines()
    assert lines[:3] == ["<6>dwtsvc.part: a", "<3>dwtsvc.part: b", "<3>    | ZeroDivisionError: division by zero"]
    assert all(line.startswith("<3>") for line in lines[1:])


def test_a_full_disk_loses_records_and_nothing_else(paths: Paths) -> None:
    program = (
        "logs.logging.getLogger().handlers[0].stream = open('/dev/full', 'w')\n"
        "log.info('lost')\nprint('alive', file=sys.stderr)"
    )
    assert run(paths, program).splitlines()[0] == "alive"


def test_a_log_that_cannot_be_written_is_told(paths: Paths) -> None:
    Paths.create(paths.log)
    paths.log_file.mkdir()
    before = [*logging.getLogger().handlers]
    with pytest.raises(FileAccess):
        logs.set_up(paths, 1, stderr=False, environ={})
    assert logging.getLogger().handlers == before


class Follower:
    """`follow` on a thread, and what it has found."""

    def __init__(self, path: Path, count: int) -> None:
        self.found: list[str] = []
        self._records = logs.follow(path, count)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        for entry in self._records:
            self.found.append(entry.message)

    def wait_for(self, expected: list[str]) -> None:
        deadline = time.monotonic() + 30
        while self.found != expected and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.found == expected


@pytest.fixture
def line() -> str:
    return "2026-01-01T00:00:00.000Z INFO dwtsvc: {}\n"


def test_following_shows_the_last_records_then_new_ones_through_a_change_of_the_file(paths: Paths, line: str) -> None:
    Paths.create(paths.log)
    path = paths.log_file
    path.write_text("".join(line.format(n) for n in range(5)))
    follower = Follower(path, 2)
    follower.wait_for(["3", "4"])
    with open(path, "a") as file:
        file.write(line.format(5) + line.format(6)[:20])
        file.flush()
        follower.wait_for(["3", "4", "5"])
        file.write(line.format(6)[20:])
    follower.wait_for(["3", "4", "5", "6"])
    path.rename(path.with_name("dwtsvc.log.1"))
    path.write_text(line.format(7))
    follower.wait_for(["3", "4", "5", "6", "7"])


def test_following_begins_before_there_is_a_log(paths: Paths, line: str) -> None:
    Paths.create(paths.log)
    follower = Follower(paths.log_file, 5)
    time.sleep(0.1)
    paths.log_file.write_text(line.format("first"))
    follower.wait_for(["first"])


def test_what_is_no_record_is_left_out(line: str) -> None:
    lines = ["torn", line.format(1).strip(), "    | detail", "\x00\x00", line.format(2).strip(), ""]
    assert [(entry.message, entry.detail) for entry in logs.entries(lines)] == [("1", ("detail",)), ("2", ())]


def test_the_command_shows_records_as_text_and_as_json(paths: Paths, line: str) -> None:
    program = [sys.executable, "-P", "-m", "dwtsvc_cli.main", "logs"]

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "DWTSVC_HOME": str(paths.log.parent)}
        return subprocess.run([*program, *words], env=environ, capture_output=True, text=True, timeout=60)

    assert command().returncode == 1
    Paths.create(paths.log)
    paths.log_file.write_text("".join(line.format(n) for n in range(30)))
    assert command("-n", "2").stdout == line.format(28) + line.format(29)
    record = json.loads(command("-n", "1", "--json").stdout)
    assert (record["level"], record["message"]) == ("INFO", "29")
