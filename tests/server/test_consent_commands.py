"""`dwtsvc origins` and `dwtsvc token`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dwtsvc.config import Settings
from dwtsvc.errors import BadArguments, BadConfiguration, DwtsvcError, NothingFound
from dwtsvc.server.gate.access import SCOPES
from dwtsvc.server.gate.consent import Consent
from dwtsvc.server.gate.token import Token
from dwtsvc_cli import origins, token

SITE = "https://shop.example"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DWTSVC_HOME", str(tmp_path))
    monkeypatch.delenv("DWTSVC_ACCESS_CONTROL_ALLOW_ORIGIN", raising=False)
    return tmp_path / "state"


def run(app: object, *arguments: str) -> Result:
    """The command's result; an error of dwtsvc is raised, since the main command is what tells it."""
    result = CliRunner().invoke(app, list(arguments))  # type: ignore[arg-type]
    if isinstance(result.exception, DwtsvcError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_a_site_is_allowed_listed_and_revoked(state: Path) -> None:
    assert run(origins.app, "allow", SITE + ":443/").stdout == f"{SITE} may list, scan, read, edit, upload\n"
    service = Consent(state, Settings())
    assert service.caller(SITE.encode()) is not None
    (row,) = json.loads(run(origins.app, "list", "--json").stdout)["origins"]
    assert row["since"] and {**row, "since": ""} == {
        "origin": SITE,
        "decision": "always",
        "scopes": ["list", "scan", "read", "edit", "upload"],
        "source": "user",
        "since": "",
    }
    assert run(origins.app, "list").stdout == f"{SITE}\talways\tlist, scan, read, edit, upload\tuser\n"
    run(origins.app, "revoke", SITE)
    assert service.caller(SITE.encode()) is None
    with pytest.raises(NothingFound):
        run(origins.app, "revoke", SITE)


def test_a_site_that_was_refused_for_good_is_listed_and_may_ask_again_once_that_is_revoked(state: Path) -> None:
    state.mkdir()
    service = Consent(state, Settings(ask_consent="on"))
    service.decide(service.ask(SITE, ["list"]), "never")
    assert run(origins.app, "list").stdout == f"{SITE}\tnever\t\tuser\n"
    assert service.state(service.ask(SITE, ["list"]), SITE) == "denied"
    run(origins.app, "revoke", SITE)
    assert service.state(service.ask(SITE, ["list"]), SITE) == "pending"


def test_scopes_are_as_said_and_said_anew(state: Path) -> None:
    run(origins.app, "allow", SITE)
    said = json.loads(run(origins.app, "allow", SITE, "-s", "read", "--scope", "list", "--json").stdout)
    assert said == {"origin": SITE, "scopes": ["list", "read"], "decision": "always"}
    found = Consent(state, Settings()).caller(SITE.encode())
    assert found is not None and set(found.scopes & SCOPES) == {"list", "read"}


def test_cameras_are_allowed_by_their_name_only(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "camera" not in run(origins.app, "allow", SITE).stdout
    assert run(origins.app, "allow", SITE, "-s", "list", "-s", "camera").stdout == f"{SITE} may list, camera\n"
    run(origins.app, "revoke", SITE)
    monkeypatch.setenv("DWTSVC_ACCESS_CONTROL_ALLOW_ORIGIN", f"{SITE},https://other.example")
    monkeypatch.setenv("DWTSVC_CAMERA_ORIGINS", SITE)
    rows = json.loads(run(origins.app, "list", "--json").stdout)["origins"]
    seen = {row["origin"]: "camera" in row["scopes"] for row in rows}
    assert seen == {SITE: True, "https://other.example": False}


@pytest.mark.parametrize("arguments", [("shop.example",), ("https://a.example/x",), (SITE, "-s", "admin"), ("null",)])
def test_what_is_no_origin_or_scope_is_refused_and_nothing_is_written(state: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(BadArguments):
        run(origins.app, "allow", *arguments)
    assert not (state / "origins.json").exists()


def test_the_configuration_is_listed_beside_and_cannot_be_revoked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DWTSVC_ACCESS_CONTROL_ALLOW_ORIGIN", SITE)
    (row,) = json.loads(run(origins.app, "list", "--json").stdout)["origins"]
    assert row["source"] == "configuration" and row["origin"] == SITE
    with pytest.raises(NothingFound, match="configuration"):
        run(origins.app, "revoke", SITE)
    run(origins.app, "allow", SITE)
    revoked = run(origins.app, "revoke", SITE)
    assert "still allowed by the configuration" in revoked.stderr


def test_listing_makes_nothing(state: Path) -> None:
    assert json.loads(run(origins.app, "list", "--json").stdout) == {"origins": []}
    assert not state.exists()


def test_a_damaged_file_is_told(state: Path) -> None:
    run(origins.app, "allow", SITE)
    (state / "origins.json").write_text("{")
    for command in (("list",), ("allow", SITE), ("revoke", SITE)):
        with pytest.raises(BadConfiguration, match="damaged"):
            run(origins.app, *command)


def test_the_token_is_shown_and_replaced(state: Path) -> None:
    first = run(token.app).stdout.strip()
    service = Token(state / "token")
    assert service.matches(first.encode()) and run(token.app).stdout.strip() == first
    second = json.loads(run(token.app, "--new", "--json").stdout)["token"]
    assert second != first and service.matches(second.encode()) and not service.matches(first.encode())
