"""The doctor himself: his table, his command, and that no check keeps another from being done."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dwtsvc import doctor
from dwtsvc.certs.programs import Outcome
from dwtsvc.certs.stores import Machine
from dwtsvc.doctor import CHECKS, Finding, Patient, State, examine
from dwtsvc.errors import BadArguments
from dwtsvc.paths import Paths
from dwtsvc_cli.doctor import app

DOCUMENT = Path(__file__).parents[2] / "docs" / "doctor.md"


class Programs:
    """A machine with these programs, which say nothing."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def find(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.names else None

    def run(self, *words: str, stdin: str = "") -> Outcome:
        return Outcome(1, "", "no")


def patient(folder: Path, *programs: str, origin: str | None = None, **environ: str) -> Patient:
    """In a machine whose whole disk is a folder."""
    named = Programs(*programs)
    machine = Machine(home=folder, environ=environ, programs=named, platform="linux", root=folder)
    return Patient(Paths.from_environment({"DWTSVC_HOME": str(folder)}), machine, origin)


def only(found: list[Finding], name: str) -> list[tuple[State, str, str]]:
    """The findings about one browser."""
    return [(each.state, each.found, each.command) for each in found if each.found.startswith(f"{name}:")]


def file(folder: Path, path: str, content: Any) -> None:
    made = folder / path
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text(json.dumps(content))


def test_every_check_can_be_loaded_and_stands_in_the_document() -> None:
    for check in CHECKS.values():
        assert callable(check.load())
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == [(check.name, check.looks_at) for check in CHECKS.values()]


def test_an_unknown_check_is_told_before_any_is_done(tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match="'port'"):
        next(examine(patient(tmp_path), ["disk", "port"]))


def test_a_check_that_breaks_is_a_finding_and_the_next_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Patient) -> list[Finding]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dwtsvc.doctor.disks.disk", broken)
    first, *rest = examine(patient(tmp_path), ["disk", "folders"])
    assert (first.state, "Permission denied" in first.found) == (State.FAILED, True)
    assert [each.check for each in rest] == ["folders"]


def run(monkeypatch: pytest.MonkeyPatch, found: list[Finding], *words: str) -> Result:
    monkeypatch.setattr(doctor, "examine", lambda patient, names: iter(found))
    return CliRunner().invoke(app, list(words))


FINE = Finding(check="disk", state=State.OK, found="There is room")
ODD = Finding(check="monitor", state=State.WARNING, found="It crashed", command="dwtsvc logs")
BROKEN = Finding(
    check="running", state=State.FAILED, found="It is not running", advice="Run it.", command="dwtsvc serve"
)


def test_warnings_are_no_fault_and_faults_end_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, [FINE, ODD]).exit_code == 0
    assert run(monkeypatch, [FINE, BROKEN]).exit_code == 1
    assert run(monkeypatch, [FINE, BROKEN], "--json").exit_code == 1


def test_a_finding_is_a_line_and_below_it_stands_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = run(monkeypatch, [FINE, BROKEN])
    assert said.stdout.splitlines() == [
        "ok       disk           There is room",
        "failed   running        It is not running",
        "                        Run it.",
        "                        $ dwtsvc serve",
    ]
    assert said.stderr == "1 failed.\n"


def test_json_is_one_object_with_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    said = json.loads(run(monkeypatch, [ODD, BROKEN], "--json").stdout)
    assert (said["failed"], said["warnings"]) == (1, 1)
    assert said["checks"][1] == {
        "check": "running",
        "state": "failed",
        "found": "It is not running",
        "advice": "Run it.",
        "command": "dwtsvc serve",
    }


SHOP = "https://shop.example"
PREFERENCES = ".config/chromium/Default/Preferences"


def decided(key: str, setting: int, origin: str = SHOP) -> Any:
    entry = {f"{origin}:443,*": {"setting": setting}}
    return {"profile": {"content_settings": {"exceptions": {key: entry}}}}


@pytest.mark.parametrize(
    ("key", "setting", "state"),
    [("loopback_network", 1, "ok"), ("loopback_network", 2, "failed"), ("local_network_access", 1, "ok")],
)
def test_what_the_user_decided_in_chromium_is_found(tmp_path: Path, key: str, setting: int, state: str) -> None:
    file(tmp_path, PREFERENCES, decided(key, setting))
    ((found, said, command),) = only(list(examine(patient(tmp_path, origin=SHOP), ["local-network"])), "Chromium")
    assert (found, "Default" in said) == (state, True)
    assert (f"siteDetails?site={SHOP}" in command) == (state == "failed")
    other = list(examine(patient(tmp_path, origin="https://other.example"), ["local-network"]))
    assert [each.state for each in other] == ["skipped"]


def test_without_a_site_in_question_refused_ones_are_told(tmp_path: Path) -> None:
    file(tmp_path, PREFERENCES, decided("loopback_network", 2))
    (found,) = examine(patient(tmp_path), ["local-network"])
    assert found.state == "warning" and SHOP in found.found


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        (SHOP, True),
        ("shop.example", True),
        ("https://[*.]example", True),
        ("https://shop.example:443", True),
        ("https://shop.example:8443", False),
        ("http://shop.example", False),
        ("https://workshop.example", False),
        ("https://[*.]shop.example.org", False),
    ],
)
def test_a_policy_lets_in_what_its_pattern_means(tmp_path: Path, pattern: str, fits: bool) -> None:
    file(tmp_path, "etc/opt/chrome/policies/managed/a.json", {"LoopbackNetworkAllowedForUrls": [pattern]})
    found = list(examine(patient(tmp_path, "google-chrome", origin=SHOP), ["local-network"]))
    ((state, _, _),) = only(found, "Chrome")
    assert state == ("ok" if fits else "skipped")


def test_a_policy_that_refuses_counts_before_everything_else(tmp_path: Path) -> None:
    file(tmp_path, PREFERENCES, decided("loopback_network", 1))
    policy = {"LoopbackNetworkBlockedForUrls": [SHOP], "LoopbackNetworkAllowedForUrls": ["*"]}
    file(tmp_path, "etc/chromium/policies/managed/a.json", policy)
    ((state, said, command),) = only(list(examine(patient(tmp_path, origin=SHOP), ["local-network"])), "Chromium")
    assert (state, command) == ("failed", "") and "policies/managed/a.json" in said


def test_firefox_is_asked_by_its_policy_only(tmp_path: Path) -> None:
    def found() -> str:
        found = examine(patient(tmp_path, "firefox", origin=SHOP), ["local-network"])
        return next(str(each.state) for each in found if "Firefox" in each.found)

    assert found() == "skipped"
    policy: dict[str, Any] = {"LocalNetworkAccess": {"SkipDomains": ["*.example"]}}
    file(tmp_path, "etc/firefox/policies/policies.json", {"policies": policy})
    assert found() == "ok"
    policy["LocalNetworkAccess"] = {"Enabled": False}
    file(tmp_path, "etc/firefox/policies/policies.json", {"policies": policy})
    assert found() == "ok"


def test_a_site_without_encryption_never_gets_in_and_this_machine_itself_always(tmp_path: Path) -> None:
    def states(origin: str) -> list[str]:
        return [str(each.state) for each in examine(patient(tmp_path, "firefox", origin=origin), ["local-network"])]

    assert states("http://shop.example") == ["failed"]
    assert states("http://localhost:8080") == ["ok"]


def test_files_of_browsers_that_make_no_sense_decide_nothing(tmp_path: Path) -> None:
    for content in ("[", "[]", '{"profile": 3}', '{"profile": {"content_settings": {"exceptions": [1]}}}'):
        (tmp_path / PREFERENCES).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / PREFERENCES).write_text(content)
        (found,) = examine(patient(tmp_path, origin=SHOP), ["local-network"])
        assert found.state == "skipped"
    file(tmp_path, PREFERENCES, decided("loopback_network", 1) | {"x": {"": []}})


def test_network_backends_of_sane_are_read_from_its_files(tmp_path: Path) -> None:
    made = patient(tmp_path, "apt")
    vars(made)["sane"] = ([], [])
    assert [each.state for each in examine(made, ["scanners"])] == ["warning"]
    (tmp_path / "etc/sane.d/dll.d").mkdir(parents=True)
    (tmp_path / "etc/sane.d/dll.conf").write_text("# escl\nepson2\n")
    assert list(examine(made, ["scanners"]))[1].command == "sudo apt install sane-airscan"
    (tmp_path / "etc/sane.d/dll.d/airscan").write_text("airscan\n")
    assert "airscan" in list(examine(made, ["scanners"]))[1].found


def test_a_driver_that_complains_is_told_with_what_installs_it(tmp_path: Path) -> None:
    made = patient(tmp_path, "apt")
    vars(made)["sane"] = ([], ["libsane is not installed. Install it: sudo apt-get install libsane1"])
    (found,) = examine(made, ["driver"])
    assert (found.state, found.command) == ("failed", "sudo apt install libsane1 sane-utils")
    assert [each.state for each in examine(made, ["scanners"])] == ["skipped"]
