"""`dwtsvc cert` as a person and a script use it, with a home of its own and stores that hold what they are given."""

from __future__ import annotations

import json
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dwtsvc.certs import authority
from dwtsvc.certs.stores import Machine
from dwtsvc.errors import BadArguments, BadInput, Cancelled, DwtsvcError, FileAccess, MissingDependency, NothingFound
from dwtsvc.paths import Paths
from dwtsvc_cli import cert as command
from dwtsvc_cli import output
from tests.certs.rig import NOW, MemoryStore, own_pair


class Closed(MemoryStore):
    """A database for which a program is missing."""

    def obstacle(self) -> DwtsvcError | None:
        return MissingDependency(
            "It cannot be read", why="certutil is missing", hint="Run: sudo apt install libnss3-tools"
        )

    def holds(self, ca: authority.Certificate) -> bool:
        raise MissingDependency(
            "It cannot be read", why="certutil is missing", hint="Run: sudo apt install libnss3-tools"
        )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[MemoryStore]:
    """The stores of the machine, which a test may fill."""
    monkeypatch.setenv("DWTSVC_HOME", str(tmp_path))
    found: list[MemoryStore] = [MemoryStore("firefox", "a profile"), MemoryStore("chromium", "a database")]

    def discover(_: Machine) -> list[MemoryStore]:
        return found

    monkeypatch.setattr(command, "discover", discover)
    monkeypatch.setattr("dwtsvc.certs.care.discover", discover)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Paths.from_environment({"DWTSVC_HOME": str(tmp_path)}).cert


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(command.app, list(arguments))
    if isinstance(result.exception, DwtsvcError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def run_json(*arguments: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return said


def test_status_before_anything_says_what_to_do_and_makes_nothing(here: list[MemoryStore], folder: Path) -> None:
    result = run("status")
    assert "missing" in result.stdout and "dwtsvc cert create" in result.stderr
    assert not folder.exists()
    assert run_json("status")["state"] == "missing"


def test_create_makes_a_pair_once(here: list[MemoryStore], folder: Path) -> None:
    assert run_json("create")["created"] is True
    before = (folder / "server.pem").read_text()
    assert run_json("create")["created"] is False
    assert "is there already" in run("create").stdout
    assert (folder / "server.pem").read_text() == before
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / "server.pem", folder / "server_key.pem")


def test_install_tells_fingerprint_names_and_stores_before_it_asks(
    here: list[MemoryStore], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(output, "ask", lambda question: asked.append(question) or "no")
    told: list[str] = []
    monkeypatch.setattr(command, "tell", told.append)
    with pytest.raises(Cancelled):
        run("install")
    ca = authority.read_chain((folder / "ca.pem").read_text())[0]
    for expected in (ca.shown_fingerprint, "localhost, 127.0.0.0/8, ::1/128", "a profile", "a database", ca.name):
        assert expected in told[0]
    assert asked and [store.held for store in here] == [{}, {}]
    assert not (folder / "stores.json").exists()


def test_install_goes_where_a_person_says_yes(here: list[MemoryStore], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "ask", lambda question: "y")
    run("install", "--store", "firefox")
    assert [bool(store.held) for store in here] == [True, False]
    assert run_json("status")["agreed"] == ["firefox"]


def test_a_script_without_yes_is_told_and_changes_nothing(here: list[MemoryStore]) -> None:
    with pytest.raises(BadArguments) as raised:
        run("install")
    assert "--yes" in raised.value.hint
    assert [store.held for store in here] == [{}, {}]
    with pytest.raises(BadArguments):
        run("uninstall")


def test_installing_twice_says_so_and_asks_no_more(here: list[MemoryStore]) -> None:
    first = run_json("install", "--yes")
    assert [row["result"] for row in first["stores"]] == ["trusts it now"] * 2
    second = run_json("install")
    assert [row["result"] for row in second["stores"]] == ["trusts it already"] * 2
    assert second["authority"]["fingerprint"] == first["authority"]["fingerprint"]


def test_a_restart_of_the_browser_is_advised_only_where_something_changed(here: list[MemoryStore]) -> None:
    assert command.RESTART in run("install", "--yes", "--store", "firefox").stderr
    again = run("install", "--store", "firefox").stderr
    assert "trusted already" in again and command.RESTART not in again
    some = run("install", "--yes").stderr
    assert command.RESTART in some and "nothing was changed" not in some
    assert command.RESTART in run("uninstall", "--yes").stderr
    assert command.RESTART not in run("uninstall", "--yes").stderr


def test_a_missing_program_is_an_error_with_the_command_after_all_else_is_done(here: list[MemoryStore]) -> None:
    here.append(Closed("chromium", "closed"))
    with pytest.raises(MissingDependency) as raised:
        run("install", "--yes")
    assert raised.value.hint == "Run: sudo apt install libnss3-tools"
    assert all(store.held for store in here[:2])
    result = run("status")
    assert "sudo apt install libnss3-tools" in result.stderr and "cannot" in result.stdout


def test_a_store_for_the_administrator_is_no_fault_unless_it_was_named(here: list[MemoryStore]) -> None:
    here.append(MemoryStore("system", "/etc", broken=True))
    rows = run_json("install", "--yes")["stores"]
    assert [row["result"] for row in rows] == ["trusts it now", "trusts it now", "not changed"]
    with pytest.raises(FileAccess):
        run("install", "--yes", "--store", "system")


def test_an_unknown_kind_and_one_that_is_not_here_are_told_apart(here: list[MemoryStore]) -> None:
    with pytest.raises(BadArguments, match="no kind of store 'netscape'"):
        run("install", "--yes", "--store", "netscape")
    with pytest.raises(NothingFound, match="'macos' here"):
        run("install", "--yes", "--store", "macos")
    with pytest.raises(BadArguments, match="no kind of store 'netscape'"):
        run("uninstall", "--yes", "--store", "netscape")


def test_uninstall_takes_back_what_was_agreed_to_for_stores_that_are_not_there(here: list[MemoryStore]) -> None:
    here.clear()
    run("install", "--yes")
    assert run_json("status")["agreed"] == ["firefox", "chromium"]
    run("uninstall", "--yes", "--store", "firefox")
    assert run_json("status")["agreed"] == ["chromium"]
    run("uninstall", "--yes")
    assert run_json("status")["agreed"] == []


def test_uninstall_takes_all_of_ours_also_without_a_certificate(here: list[MemoryStore], folder: Path) -> None:
    run("install", "--yes")
    for file in folder.iterdir():
        file.unlink()
    rows = run_json("uninstall", "--yes")["stores"]
    assert [len(row["removed"]) for row in rows] == [1, 1]
    assert [store.held for store in here] == [{}, {}]
    assert "nothing of dwtsvc in it" in run("uninstall", "--yes").stdout


def test_renew_gives_a_new_certificate_and_takes_the_stores_along(here: list[MemoryStore], folder: Path) -> None:
    run("install", "--yes", "--store", "chromium")
    before = run_json("status")
    after = run_json("renew")
    assert after["certificate"]["fingerprint"] != before["certificate"]["fingerprint"]
    assert [row["trusted"] for row in after["stores"]] == [False, True]
    assert len(here[1].held) == 1
    key = (folder / "server_key.pem").read_text()
    assert "renewed, valid until" in run("renew", "--new-key").stdout
    assert (folder / "server_key.pem").read_text() != key


def written(folder: Path, chain: str, key: str) -> tuple[str, str]:
    (folder / "own.pem").write_text(chain)
    (folder / "own.key").write_text(key)
    return str(folder / "own.pem"), str(folder / "own.key")


def test_replace_takes_a_pair_that_fits_and_never_renews_it(
    here: list[MemoryStore], folder: Path, tmp_path: Path
) -> None:
    run("create")
    own = own_pair("localhost")
    result = run("replace", *written(tmp_path, *own))
    assert "valid until" in result.stdout
    assert "not made for 127.0.0.1" in result.stderr
    assert ((folder / "server.pem").read_text(), (folder / "server_key.pem").read_text()) == own
    said = run_json("status")
    assert said["owner"] == "user" and said["authority"] is None
    for words in (["renew"], ["install", "--yes"], ["export"]):
        with pytest.raises(DwtsvcError, match="your own"):
            run(*words)
    assert run_json("create")["created"] is False


def bad_pairs() -> dict[str, tuple[str, str, str]]:
    """What is wrong -> chain, key, what is said."""
    good, other = own_pair("localhost"), own_pair("localhost")
    past, future = NOW - timedelta(days=10), NOW + timedelta(days=10)
    issued = authority.issue(NOW)
    leaf, root = (each.pem for each in authority.read_chain(issued.chain))
    return {
        "another key": (good[0], other[1], "is not the key"),
        "no certificate": ("text", good[1], "no certificate"),
        "no key": (good[0], "text", "no private key"),
        "ended": (*own_pair("localhost", days=1, start=past), "it ended on"),
        "not yet": (*own_pair("localhost", start=future), "it begins on"),
        "another host": (*own_pair("scan.example"), "not made for localhost"),
        "no host": (*own_pair(), "no host at all"),
        "wrong order": (leaf + good[0] + root, issued.key, "not in order"),
    }


@pytest.mark.parametrize("wrong", list(bad_pairs()))
def test_replace_refuses_a_bad_pair_and_keeps_what_was_there(
    here: list[MemoryStore], folder: Path, tmp_path: Path, wrong: str
) -> None:
    run("create")
    before = (folder / "server.pem").read_text(), (folder / "server_key.pem").read_text()
    chain, key, said = bad_pairs()[wrong]
    with pytest.raises(BadInput) as raised:
        run("replace", *written(tmp_path, chain, key))
    assert said in str(raised.value)
    assert ((folder / "server.pem").read_text(), (folder / "server_key.pem").read_text()) == before


def test_replace_takes_another_host_when_it_is_said(here: list[MemoryStore], tmp_path: Path) -> None:
    files = written(tmp_path, *own_pair("scan.example"))
    with pytest.raises(BadInput, match=r"other\.example"):
        run("replace", *files, "--host", "scan.example", "--host", "other.example")
    run("replace", *files, "--host", "scan.example")
    with pytest.raises(FileAccess, match="no such file"):
        run("replace", str(tmp_path / "missing"), files[1])


def test_export_writes_the_authority_in_either_form_and_no_secret(
    here: list[MemoryStore], folder: Path, tmp_path: Path
) -> None:
    run("create")
    pem = (folder / "ca.pem").read_text()
    assert run("export").stdout == pem
    run("export", str(tmp_path / "ca.pem"))
    run("export", str(tmp_path / "ca.der"))
    run("export", "--format", "der", str(tmp_path / "ca.bin"))
    assert (tmp_path / "ca.pem").read_text() == pem
    der = ssl.PEM_cert_to_DER_cert(pem)
    assert (tmp_path / "ca.der").read_bytes() == (tmp_path / "ca.bin").read_bytes() == der
    with pytest.raises(FileAccess, match="exists"):
        run("export", str(tmp_path / "ca.pem"))
    with pytest.raises(BadArguments, match="no form"):
        run("export", "--format", "p12")


def test_export_without_a_certificate_says_how_to_get_one(here: list[MemoryStore]) -> None:
    with pytest.raises(NothingFound) as raised:
        run("export")
    assert "dwtsvc cert create" in raised.value.hint


def test_every_subcommand_shows_an_example() -> None:
    for each in command.app.registered_commands:
        assert each.callback and "Example: dwtsvc cert" in (each.callback.__doc__ or ""), each.name
