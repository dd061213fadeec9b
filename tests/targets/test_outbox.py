from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dwtsvc.errors import BadArguments, BadConfiguration, FileAccess, ServiceRefused, UnknownItem
from dwtsvc.paths import Paths
from dwtsvc.secrets import Secrets
from dwtsvc.targets import Facts, Receipt, new_id, parse, send
from dwtsvc.targets.outbox import Carry, Outbox, Waiting
from tests.disks import names_in
from tests.targets.peers import WebServer, sha256

FACTS = Facts(title="Mai", tags=("a", "b"), asn=7)


@pytest.fixture
def outbox(paths: Paths) -> Outbox:
    return Outbox.of(paths)


@pytest.fixture
def carry(paths: Paths, secrets: Secrets) -> Carry:
    def really(waiting: Waiting, file: Path) -> Receipt:
        target = parse(waiting.target, paths)
        return send(target, file, waiting.facts, secrets=secrets, id=waiting.id, name=waiting.name)

    return really


def failing(error: Exception) -> Carry:
    def carry(waiting: Waiting, file: Path) -> Receipt:
        raise error

    return carry


def failed(outbox: Outbox, letter: Path, target: str) -> str:
    id = new_id()
    with pytest.raises(ServiceRefused):
        outbox.deliver(id, target, letter, FACTS, failing(ServiceRefused("no", why="busy", hint="wait")))
    return id


def test_what_arrives_leaves_nothing_behind(
    outbox: Outbox, letter: Path, tmp_path: Path, carry: Carry, paths: Paths
) -> None:
    (tmp_path / "out").mkdir()
    receipt = outbox.deliver(new_id(), str(tmp_path / "out"), letter, FACTS, carry)
    assert sha256(tmp_path / "out" / letter.name) == receipt.sha256
    assert outbox.waiting() == []
    assert names_in(paths.state / "outbox") == set()


def test_what_fails_waits_with_a_copy_and_arrives_later_though_the_file_is_gone(
    outbox: Outbox, letter: Path, tmp_path: Path, carry: Carry, paths: Paths
) -> None:
    checksum = sha256(letter)
    id = failed(outbox, letter, str(tmp_path / "out"))
    (waiting,) = outbox.waiting()
    assert (waiting.id, waiting.file, waiting.facts, waiting.tries) == (id, str(letter), FACTS, 1)
    assert (waiting.problem, waiting.hint, waiting.kept) == ("no: busy", "wait", True)
    letter.unlink()
    with pytest.raises(FileAccess, match="no folder"):
        outbox.retry(id, carry)
    assert outbox.waiting()[0].tries == 2
    (tmp_path / "out").mkdir()
    receipt = outbox.retry(id, carry)
    assert (receipt.location, receipt.sha256) == (str(tmp_path / "out" / letter.name), checksum)
    assert names_in(paths.state / "outbox") == set()


def test_nobody_else_can_read_what_waits(outbox: Outbox, letter: Path, paths: Paths) -> None:
    failed(outbox, letter, "/nowhere")
    folder = paths.state / "outbox"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_wrong_arguments_and_files_that_are_not_there_do_not_wait(
    outbox: Outbox, letter: Path, tmp_path: Path, carry: Carry, paths: Paths
) -> None:
    with pytest.raises(BadArguments):
        outbox.deliver(new_id(), str(tmp_path), letter, FACTS, failing(BadArguments("no such tag")))
    with pytest.raises(FileAccess):
        outbox.deliver(new_id(), str(tmp_path), tmp_path / "none.pdf", FACTS, carry)
    assert names_in(paths.state / "outbox") == set()


def test_a_configuration_that_is_wrong_can_be_corrected_meanwhile(outbox: Outbox, letter: Path) -> None:
    with pytest.raises(BadConfiguration):
        outbox.deliver(new_id(), "x", letter, FACTS, failing(BadConfiguration("no token")))
    assert len(outbox.waiting()) == 1


def test_without_room_for_a_copy_the_original_counts(letter: Path, small: Path, tmp_path: Path, carry: Carry) -> None:
    (small / "filler").write_bytes(b"x" * 150_000)
    outbox = Outbox(small / "outbox")
    id = failed(outbox, letter, str(tmp_path / "out"))
    assert not outbox.waiting()[0].kept
    assert not list((small / "outbox").glob("*.part"))
    (tmp_path / "out").mkdir()
    assert outbox.retry(id, carry).sha256 == sha256(letter)


def test_a_delivery_can_be_given_up(outbox: Outbox, letter: Path, paths: Paths) -> None:
    id = failed(outbox, letter, "/nowhere")
    assert outbox.find(id[:6]) == id
    assert outbox.forget(id).file == str(letter)
    assert names_in(paths.state / "outbox") == set()
    for unknown in (id, "", "../../etc/passwd", "x" * 32):
        with pytest.raises(UnknownItem):
            outbox.find(unknown)
        with pytest.raises(UnknownItem):
            outbox.forget(unknown)


def test_one_delivery_is_tried_by_one_process_at_a_time(outbox: Outbox, letter: Path, carry: Carry) -> None:
    id = failed(outbox, letter, "/nowhere")
    inside, leave = threading.Event(), threading.Event()

    def slow(waiting: Waiting, file: Path) -> Receipt:
        inside.set()
        leave.wait(60)
        raise ServiceRefused("no")

    def first() -> None:
        with pytest.raises(ServiceRefused):
            outbox.retry(id, slow)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(60)
    for use in (lambda: outbox.retry(id, carry), lambda: outbox.forget(id)):
        with pytest.raises(FileAccess, match="another process"):
            use()
    leave.set()
    thread.join()
    assert outbox.waiting()[0].tries == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 7}', '{"colour": "red"}', "\xff"])
def test_a_damaged_record_is_told(outbox: Outbox, letter: Path, paths: Paths, text: str) -> None:
    id = failed(outbox, letter, "/nowhere")
    (paths.state / "outbox" / f"{id}.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(FileAccess, match="damaged"):
        outbox.waiting()


def test_a_record_holds_no_secret(
    outbox: Outbox, letter: Path, paths: Paths, secrets: Secrets, web: WebServer, carry: Carry
) -> None:
    from tests.targets.peers import Answer

    web.answer = lambda request: Answer(401, {"Content-Type": "text/plain"}, request.headers["authorization"])
    secrets.set(f"127.0.0.1:{web.port}", "hunter2")
    with pytest.raises(ServiceRefused):
        outbox.deliver(new_id(), web.url, letter, FACTS, carry)
    (record,) = (paths.state / "outbox").glob("*.json")
    assert "[removed]" in json.loads(record.read_text())["problem"]
    assert "hunter2" not in record.read_text()


def test_a_sender_that_is_killed_leaves_a_delivery_that_the_next_one_makes(
    letter: Path, paths: Paths, outbox: Outbox, carry: Carry, web: WebServer
) -> None:
    web.hold = threading.Event()
    with letter.open("ab") as file:
        file.truncate(32 << 20)  # more than the buffers of a connection take
    command = [sys.executable, "-m", "dwtsvc_cli.main", "send", letter, "--to", web.url + "/in", "--title", "Mai"]
    environment = {**os.environ, "DWTSVC_HOME": str(paths.state.parent)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as sender:
        assert web.came.wait(60)
        sender.send_signal(signal.SIGKILL)
    (waiting,) = outbox.waiting()
    assert (waiting.problem, waiting.kept, waiting.facts.title) == ("it was interrupted", False, "Mai")
    web.hold.set()
    receipt = outbox.retry(waiting.id, carry)
    assert receipt.sha256 == sha256(letter)
    assert web.requests[-1].bytes > letter.stat().st_size
    assert web.requests[-1].headers["idempotency-key"] == waiting.id
    assert outbox.waiting() == []
