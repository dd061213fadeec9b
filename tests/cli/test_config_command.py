from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dwtsvc import config
from dwtsvc.errors import BadArguments, BadConfiguration, DwtsvcError, FileAccess
from dwtsvc.paths import Paths
from dwtsvc.portlock import hold
from dwtsvc_cli.config import app


@pytest.fixture(autouse=True)
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    for setting in config.SETTINGS.values():
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.delenv("SANE_DEFAULT_DEVICE", raising=False)
    environ = {"DWTSVC_HOME": str(tmp_path)}
    monkeypatch.setenv("DWTSVC_HOME", str(tmp_path))
    return Paths.from_environment(environ)


def run(*arguments: str) -> Result:
    """The command's result; an error of dwtsvc is raised, since the main command is what tells it."""
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, DwtsvcError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def rows(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split(maxsplit=2)[1:] for line in text.splitlines()}


def test_without_a_command_every_setting_is_shown_with_its_source(paths: Paths) -> None:
    run("set", "quality", "70")
    table = rows(run().stdout)
    assert table.pop("NAME") == ["VALUE", "SOURCE"]
    assert set(table) == set(config.SETTINGS)
    assert table["quality"] == ["70", f"{paths.config_file}:2"]
    assert table["keep_days"] == ["30", "default"]
    assert table["Server"] == ["-", "default"]


def test_show_prints_one_json_object_with_values_of_their_own_types(paths: Paths) -> None:
    paths.create(paths.config)
    paths.config_file.write_text("Odd = 1\n[host]\ncert_name = a\nkey_name = b\n[dwtsvc]\nresolution = 200\n")
    result = run("show", "--json")
    record = json.loads(result.stdout)
    assert list(record) == ["settings", "hosts", "warnings"]
    assert list(record["settings"]) == list(config.SETTINGS)
    assert record["settings"]["resolution"] == {"value": 200, "source": f"{paths.config_file}:6"}
    assert record["settings"]["device"] == {"value": None, "source": "default"}
    assert record["settings"]["EnableWebSetup"]["value"] is False
    assert record["hosts"] == [{"host": "host", "cert_name": "a", "key_name": "b"}]
    assert len(record["warnings"]) == 1
    assert "unknown key 'Odd'" in result.stderr


def test_a_value_set_is_got_and_unset(paths: Paths) -> None:
    assert run("set", "size", "a5").stdout == f"size = a5 in {paths.config_file}\n"
    assert run("get", "SIZE").stdout == "a5\n"
    assert run("unset", "size").stdout == f"size removed from {paths.config_file}\n"
    assert run("get", "size").stdout == "auto\n"
    assert run("unset", "size").stdout == f"size was not set in {paths.config_file}\n"


def test_a_change_beside_a_service_that_runs_says_when_it_holds(paths: Paths) -> None:
    said = "The service that runs takes it over at its next start."
    assert said not in run("set", "ask_consent", "on").stderr
    with hold(paths) as lock:
        lock.write({"pid": 1})
        assert said in run("set", "ask_consent", "off").stderr
        assert said in run("unset", "ask_consent").stderr


def test_unset_without_a_file_makes_none(paths: Paths) -> None:
    assert "was not set" in run("unset", "size").stdout
    with pytest.raises(BadArguments):
        run("unset", "nonsense")
    assert not paths.config.exists()


def test_your_file_is_private_and_the_systems_can_be_read_by_all(paths: Paths) -> None:
    run("set", "quality", "1")
    run("set", "quality", "2", "--system")
    assert paths.config_file.stat().st_mode & 0o777 == 0o600
    assert paths.config.stat().st_mode & 0o777 == 0o700
    assert paths.system_config_file.stat().st_mode & 0o777 == 0o644
    assert paths.system_config.stat().st_mode & 0o777 == 0o755
    assert run("get", "quality").stdout == "1\n"
    assert run("unset", "quality", "--system").stdout == f"quality removed from {paths.system_config_file}\n"


def test_setting_what_a_stronger_place_overrides_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DWTSVC_QUALITY", "5")
    assert run("set", "quality", "6").stderr == "warning: quality is still taken from environment DWTSVC_QUALITY\n"
    assert run("set", "size", "a4").stderr == ""


def test_a_fault_elsewhere_does_not_stop_a_setting_from_being_set(paths: Paths) -> None:
    paths.create(paths.config)
    paths.config_file.write_text("[dwtsvc]\nmode = sepia\n")
    result = run("set", "quality", "6")
    assert f"warning: the configuration still has a fault: {paths.config_file}:2: mode" in result.stderr
    assert paths.config_file.read_text() == "[dwtsvc]\nmode = sepia\nquality = 6\n"


def test_a_wrong_value_lists_what_is_allowed_and_makes_no_file(paths: Paths) -> None:
    with pytest.raises(BadArguments) as caught:
        run("set", "mode", "sepia")
    assert caught.value.hint == "Allowed: color, gray, lineart, auto."
    with pytest.raises(BadArguments) as caught:
        run("set", "qualty", "5")
    assert "quality" in caught.value.hint
    assert not paths.config.exists()


def test_check_tells_each_file_and_raises_at_the_first_fault(paths: Paths) -> None:
    assert run("check").stdout.count("not there, defaults") == 3
    run("set", "quality", "5")
    run("profile", "save", "a", "pages=1")
    lines = run("check").stdout.splitlines()
    assert lines == [
        f"{paths.system_config_file}: not there, defaults",
        f"{paths.config_file}: ok",
        f"{paths.profiles_file}: ok, profiles: a",
    ]
    paths.profiles_file.write_text("[profile a]\npages = many\n")
    with pytest.raises(BadConfiguration, match=f"{paths.profiles_file}:2: pages cannot be 'many'"):
        run("check")


def test_check_warns_once_and_checks_the_environment_too(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    paths.create(paths.config)
    paths.config_file.write_text("Odd = 1\n")
    assert run("check").stderr.count("unknown key 'Odd'") == 1
    monkeypatch.setenv("DWTSVC_QUALITY", "x")
    with pytest.raises(BadConfiguration, match="DWTSVC_QUALITY"):
        run("check")


def test_check_of_one_file_looks_at_that_file_alone(paths: Paths, tmp_path: Path) -> None:
    paths.create(paths.config)
    paths.config_file.write_text("broken\n")
    other = tmp_path / "other.ini"
    other.write_text("LogLevel = 14\n")
    assert run("check", str(other)).stdout == f"{other}: ok\n"
    with pytest.raises(BadConfiguration):
        run("check", str(paths.config_file))
    with pytest.raises(FileAccess):
        run("check", str(tmp_path / "absent.ini"))


def test_paths_are_shown_as_a_table_and_as_json(paths: Paths) -> None:
    expected = {name: str(path) for name, path in paths.listing().items()}
    assert json.loads(run("paths", "--json").stdout) == expected
    assert dict(line.split() for line in run("paths").stdout.splitlines()) == expected


def test_a_profile_is_saved_shown_listed_and_deleted(paths: Paths) -> None:
    assert run("profile", "list").stdout == ""
    saved = run("profile", "save", "letters", "mode=gray", "option.note=a=b", "resolution=300")
    assert saved.stdout == f"profile letters saved in {paths.profiles_file}\n"
    assert run("profile", "list").stdout == "letters\n"
    assert json.loads(run("profile", "list", "--json").stdout) == {"profiles": ["letters"]}
    shown = dict(line.split() for line in run("profile", "show", "letters").stdout.splitlines())
    assert shown == {"mode": "gray", "resolution": "300", "option.note": "a=b"}
    record = json.loads(run("profile", "show", "letters", "--json").stdout)
    assert (record["name"], record["resolution"], record["device"]) == ("letters", 300, None)
    assert record["options"] == {"note": "a=b"}
    run("profile", "delete", "letters")
    assert run("profile", "list").stdout == ""


@pytest.mark.parametrize(("values", "why"), [(["mode"], "not KEY=VALUE"), (["mode=gray", "mode=color"], "given twice")])
def test_a_profile_is_given_as_pairs(values: list[str], why: str) -> None:
    with pytest.raises(BadArguments, match=why):
        run("profile", "save", "a", *values)


def test_showing_an_empty_profile_prints_nothing(paths: Paths) -> None:
    paths.create(paths.config)
    paths.profiles_file.write_text("[profile a]\n")
    assert run("profile", "show", "a").stdout == ""
