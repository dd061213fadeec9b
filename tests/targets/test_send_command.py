from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from dwtsvc.paths import Paths
from dwtsvc.secrets import Secrets
from tests.disks import names_in
from tests.targets.peers import PAPERLESS_TASK, Answer, WebServer, paperless

TOKEN = "0123456789abcdef"
ENVIRONMENT = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}


def run(*words: object, code: int = 0, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dwtsvc_cli.main", *map(str, words)]
    done = subprocess.run(
        command, env={**os.environ, **ENVIRONMENT}, input=given, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_named_paperless_takes_a_document_with_all_that_is_said_of_it(web: WebServer, letter: Path) -> None:
    web.answer = paperless({"scan": 1, "post": 2}, TOKEN)
    saved = run("config", "target", "save", "archive", f"url=paperless+{web.url}", "tags=scan")
    assert "config secret set 'archive'" in saved.stderr
    assert TOKEN not in "".join(run("config", "secret", "set", "archive", given=TOKEN + "\n").stdout)
    about = ["--title", "Mai", "--tag", "post", "--asn", 7, "--correspondent", 3, "--created", "2026-05-31"]
    (sent,) = lines(run("send", letter, "--to", "archive", "--json", *about).stdout)
    assert (sent["event"], sent["target"], sent["id"]) == ("sent", "archive", PAPERLESS_TASK)
    form = web.requests[-1].form()
    assert [part.text for part in form["tags"] + form["title"] + form["correspondent"]] == ["1", "2", "Mai", "3"]


def test_one_file_that_fails_does_not_stop_the_others_and_gives_the_exit_code(letter: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = run("send", tmp_path / "none.pdf", letter, "--to", tmp_path / "out", code=5)
    assert done.stdout == f"{letter} -> {tmp_path}/out/{letter.name}\n"
    assert "none.pdf cannot be read" in done.stderr
    assert run("send", "--waiting").stdout == ""


def test_what_waits_is_listed_tried_again_and_given_up(web: WebServer, letter: Path, tmp_path: Path) -> None:
    web.answers = [Answer(403)]
    (failed,) = lines(run("send", letter, "--to", web.url, "--json", code=42).stdout)
    assert failed["error"] == "service-refused"
    (waiting,) = lines(run("send", "--waiting", "--json").stdout)
    assert (waiting["id"], waiting["target"]) == (failed["waiting"], web.url)
    assert str(waiting["id"])[:8] in run("send", "--waiting").stdout
    assert "-> " + web.url in run("send", "--retry").stdout
    assert run("send", "--retry").stdout == run("send", "--waiting").stdout == ""
    web.answers = [Answer(403)]
    (failed,) = lines(run("send", letter, "--to", web.url, "--json", code=42).stdout)
    run("send", "--forget", str(failed["waiting"])[:10])
    assert run("send", "--waiting").stdout == ""
    run("send", "--retry", "abc", code=1)


def test_without_keeping_nothing_waits(web: WebServer, letter: Path) -> None:
    web.answers = [Answer(403)]
    assert "waits" not in run("send", letter, "--to", web.url, "--no-keep", code=42).stderr
    assert run("send", "--waiting").stdout == ""


def test_a_folder_that_is_named_from_here_is_found_again_from_elsewhere(letter: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    command = [sys.executable, "-m", "dwtsvc_cli.main", "send", letter, "--to", "./out"]
    assert subprocess.run(command, cwd=here, capture_output=True).returncode == 5
    (here / "out").mkdir()
    run("send", "--retry")
    assert names_in(here / "out") == {letter.name}


def test_a_command_runs_after_the_file_was_sent_and_only_then(letter: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = run("send", letter, "--to", tmp_path / "out", "--exec", "echo ran {name}")
    assert (done.stdout.count("\n"), done.stderr) == (1, f"ran {letter.name}\n")
    done = run("send", letter, "--to", tmp_path / "none", "--exec", "echo ran", "--no-keep", code=5)
    assert "ran" not in done.stderr
    assert run("send", letter, "--exec", "false", code=7).stdout == ""
    assert letter.exists()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a.pdf"],
        ["--to", "/tmp"],
        ["a.pdf", "--to", "/tmp", "--retry"],
        ["--waiting", "--retry"],
        ["--forget"],
        ["a.pdf", "--to", "nowhere"],
        ["a.pdf", "--to", "http://host.example/"],
        ["a.pdf", "--to", "/tmp", "--created", "yesterday"],
        ["a.pdf", "--exec", "lp {page}"],
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(words: list[str]) -> None:
    run("send", *words, code=2)
    assert run("send", "--waiting").stdout == ""


def test_targets_are_listed_shown_checked_and_deleted() -> None:
    run("config", "target", "save", "nas", "url=sftp://ada@nas.lan/scans", "key=/home/ada/key")
    assert run("config", "target", "list").stdout == "nas\n"
    shown = run("config", "target", "show", "NAS")
    assert shown.stdout == "url = sftp://ada@nas.lan/scans\nkey = /home/ada/key\n"
    assert "not stored" in shown.stderr
    run("config", "secret", "set", "nas", given="x")
    (said,) = lines(run("config", "target", "show", "nas", "--json").stdout)
    assert (said["kind"], said["secret_stored"]) == ("sftp", True)
    assert "targets: nas" in run("config", "check").stdout
    run("config", "secret", "delete", "nas")
    run("config", "secret", "delete", "nas", code=1)
    run("config", "target", "delete", "nas")
    run("config", "target", "show", "nas", code=2)


def test_a_password_on_the_command_line_is_refused_and_not_repeated() -> None:
    for words in (
        ["send", "a.pdf", "--to", "https://ada:hunter2@host/"],
        ["config", "target", "save", "x", "url=https://ada:hunter2@host/"],
        ["config", "target", "save", "x", "url=https://host/", "password=hunter2"],
        ["config", "target", "save", "x", "hunter2"],
    ):
        done = run(*words, code=2)
        assert "hunter2" not in done.stdout + done.stderr


def test_on_a_terminal_a_secret_is_asked_for_and_not_shown(paths: Paths, secrets: Secrets) -> None:
    words = ["-m", "dwtsvc_cli.main", "config", "secret", "set", "archive"]
    child = pexpect.spawn(sys.executable, words, env={**os.environ, **ENVIRONMENT}, encoding="utf-8", timeout=60)
    child.expect("Secret for archive: ")
    child.sendline("hunter2")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "hunter2" not in child.before
    assert secrets.get("archive") == "hunter2"
