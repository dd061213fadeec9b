from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dwtsvc import config
from dwtsvc.config import SETTINGS, HostCertificate, Settings
from dwtsvc.errors import BadArguments, BadConfiguration
from dwtsvc.kinds import paper_area
from dwtsvc.model import Area, Mode, Source
from dwtsvc.paths import Paths

DOCUMENT = Path(__file__).parent.parent / "docs" / "configuration.md"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths.from_environment({"DWTSVC_HOME": str(tmp_path)})
    paths.create(paths.config)
    paths.create(paths.system_config)
    return paths


def test_without_any_source_every_setting_has_its_default(paths: Paths) -> None:
    loaded = config.load(paths, {})
    assert loaded.settings == Settings()
    assert set(loaded.sources) == set(SETTINGS)
    assert set(loaded.sources.values()) == {"default"}
    assert loaded.settings.scanner_timeout == 120
    assert loaded.settings.max_page_bytes == 2**31
    assert loaded.settings.keep_days == 30


def test_each_source_is_stronger_than_the_one_before_and_is_named(paths: Paths) -> None:
    paths.system_config_file.write_text(
        "[dwtsvc]\n" + "".join(f"{n} = 1\n" for n in ("quality", "resolution", "keep_days"))
    )
    paths.config_file.write_text("\n[dwtsvc]\nresolution = 2\nkeep_days = 2\n")
    environ = {"DWTSVC_KEEP_DAYS": "3", "DWTSVC_CANCEL_GRACE": "3"}
    loaded = config.load(paths, environ, {"cancel_grace": 4, "mode": Mode.GRAY, "size": None})
    got = loaded.settings
    assert (got.quality, got.resolution, got.keep_days, got.cancel_grace, got.mode) == (1, 2, 3, 4, Mode.GRAY)
    assert {name: at for name, at in loaded.sources.items() if at != "default"} == {
        "quality": f"{paths.system_config_file}:2",
        "resolution": f"{paths.config_file}:3",
        "keep_days": "environment DWTSVC_KEEP_DAYS",
        "cancel_grace": "option --cancel-grace",
        "mode": "option --mode",
    }


def test_the_default_device_of_sane_counts_below_our_own_variable(paths: Paths) -> None:
    paths.config_file.write_text("[dwtsvc]\ndevice = virtual:adf\n")
    environ = {"SANE_DEFAULT_DEVICE": "test:0"}
    loaded = config.load(paths, environ)
    assert loaded.settings.device == "sane:test:0"
    assert loaded.sources["device"] == "environment SANE_DEFAULT_DEVICE"
    assert config.load(paths, {**environ, "DWTSVC_DEVICE": "sane:x"}).settings.device == "sane:x"
    assert config.load(paths, {**environ, "DWTSVC_DEVICE": "auto"}).settings.device is None


def test_an_empty_variable_counts_as_not_set(paths: Paths) -> None:
    assert config.load(paths, {"DWTSVC_QUALITY": ""}).sources["quality"] == "default"


def test_a_misspelt_variable_is_warned_about_and_a_foreign_one_is_not(paths: Paths) -> None:
    loaded = config.load(paths, {"DWTSVC_QUALTY": "5", "DWTSVC_SOMETHING_ELSE": "5", "DWTSVC_HOME": "/x"})
    assert loaded.warnings == ("environment DWTSVC_QUALTY is not used; did you mean DWTSVC_QUALITY?",)


PUBLISHED = """\
Server = 0.0.0.0
LOGLEVEL = 14
[anything]
Access-Control-Allow-Origin = https://Shop.example, http://other.example:8080
EnableWebSetup=TRUE
[scan.example.com]
cert_name = scan.pem
key_name = scan_key.pem
"""


def test_published_keys_count_anywhere_outside_our_section(paths: Paths) -> None:
    paths.config_file.write_text(PUBLISHED)
    loaded = config.load(paths, {"DWTSVC_ENABLE_SCANNER_ACCESS_AUTH": "yes"})
    got = loaded.settings
    assert (got.server, got.log_level, got.enable_web_setup) == ("0.0.0.0", 14, True)
    assert got.access_control_allow_origin == ("https://shop.example", "http://other.example:8080")
    assert got.enable_scanner_access_auth
    assert loaded.hosts == (HostCertificate(host="scan.example.com", cert_name="scan.pem", key_name="scan_key.pem"),)
    assert loaded.sources["LogLevel"] == f"{paths.config_file}:2"
    assert loaded.warnings == ()


def test_unknown_keys_outside_our_section_are_warned_about(paths: Paths) -> None:
    paths.config_file.write_text("Port = 1\n[x]\nquality = 5\n")
    loaded = config.load(paths, {})
    assert loaded.settings == Settings()
    first, second = loaded.warnings
    assert first == f"{paths.config_file}:1: unknown key 'Port' outside [dwtsvc] is kept and not used"
    assert second.startswith(f"{paths.config_file}:3: unknown key 'quality'")
    assert second.endswith("it counts only in the section [dwtsvc]")


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("[dwtsvc]\nqualty = 5\n", 2, ["'qualty'", "Did you mean quality?"]),
        ("[dwtsvc]\nzzz = 5\n", 2, ["'zzz'"]),
        ("[dwtsvc]\nLogLevel = 1\n", 2, ["'LogLevel'", "outside [dwtsvc]"]),
        ("[dwtsvc]\n\nquality = 900\n", 3, ["quality", "'900'", "1 to 100", "85"]),
        ("[dwtsvc]\nmode = sepia\n", 2, ["mode", "'sepia'", "color, gray, lineart, auto"]),
        ("[dwtsvc]\nscanner_timeout = nan\n", 2, ["scanner_timeout", "0.1 to 86400"]),
        ("LogLevel = 2\n", 1, ["LogLevel", "0, 1, 14, 30"]),
        ("Server = example.com\n", 1, ["Server", "IP address"]),
        ("Access-Control-Allow-Origin = shop.example\n", 1, ["'shop.example'", "https://"]),
        ("Access-Control-Allow-Origin = *, https://a.example\n", 1, ["'*, https://a.example'"]),
        ("LogLevel = 1\n[x]\nloglevel = 1\n", 3, ["given twice", "line 1"]),
        ("[host]\ncert_name = a.pem\n", 2, ["key_name"]),
        ("[host]\ncert_name = a.pem\nkey_name =\n", 2, ["key_name"]),
    ],
)
def test_a_fault_is_told_with_file_line_key_and_what_to_do(
    paths: Paths, content: str, line: int, words: list[str]
) -> None:
    paths.config_file.write_text(content)
    with pytest.raises(BadConfiguration) as caught:
        config.load(paths, {})
    assert caught.value.what.startswith(f"{paths.config_file}:{line}: ")
    said = f"{caught.value} {caught.value.hint}"
    assert [word for word in words if word not in said] == []


def test_a_wrong_variable_is_bad_configuration_and_a_wrong_option_bad_arguments(paths: Paths) -> None:
    with pytest.raises(BadConfiguration, match=r"DWTSVC_QUALITY cannot be 'x'.*1 to 100"):
        config.load(paths, {"DWTSVC_QUALITY": "x"})
    with pytest.raises(BadArguments, match="--quality cannot be '0'") as caught:
        config.load(paths, {}, {"quality": 0})
    assert "1 to 100" in caught.value.hint


def test_every_setting_reads_what_it_shows_and_has_a_default_that_is_allowed() -> None:
    for setting in SETTINGS.values():
        assert setting.kind.parse(setting.show(setting.default)) == setting.default
        assert setting.meaning.endswith(".")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("resolution", "auto", None),
        ("source", "Duplex", Source.DUPLEX),
        ("format", "JPG", "jpeg"),
        ("max_page_bytes", "500 MiB", 500 << 20),
        ("max_page_bytes", "1000000", 1_000_000),
        ("scanner_timeout", "0.5", 0.5),
        ("size", "8.5x11in", "8.5x11in"),
        ("Server", "::1", "::1"),
        ("Server", "", None),
        ("Access-Control-Allow-Origin", "*", ("*",)),
        ("EnableWebSetup", "TRUE", True),
        ("EnableWebSetup", "0", False),
    ],
)
def test_a_value_is_read_as_people_write_it(name: str, text: str, value: object) -> None:
    kind = SETTINGS[name].kind
    assert kind.parse(text) == value
    assert kind.parse(kind.show(value)) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("device", ""),
        ("resolution", "0"),
        ("quality", "85.5"),
        ("size", "a44"),
        ("size", "0x10mm"),
        ("size", "10x10furlong"),
        ("max_page_bytes", "2 TiB"),
        ("max_page_bytes", "-1"),
        ("scanner_timeout", "inf"),
        ("progress", "maybe"),
        ("EnableWebSetup", ""),
        ("Access-Control-Allow-Origin", "https://a.example/path"),
    ],
)
def test_a_value_out_of_bounds_is_refused(name: str, text: str) -> None:
    with pytest.raises(BadArguments, match=f"{name} cannot be '{text}'"):
        SETTINGS[name].kind.argument(name, text)


def test_a_paper_size_becomes_an_area_in_millimetres() -> None:
    assert paper_area("A4") == Area(width=210, height=297)
    assert paper_area("8.5x11in") == paper_area("letter") == Area(width=215.9, height=279.4)
    assert paper_area("10 x 15cm") == paper_area("100x150") == Area(width=100, height=150)
    assert paper_area("auto") is None


def test_a_setting_is_written_where_it_belongs_and_where_it_already_stands(paths: Paths) -> None:
    path = paths.config_file
    path.write_text("[common]\nLogLevel = 1\n")
    config.write_setting(path, "QUALITY", " 70 ")
    config.write_setting(path, "loglevel", "14")
    config.write_setting(path, "EnableWebSetup", "on")
    assert path.read_text() == "EnableWebSetup = on\n[common]\nLogLevel = 14\n\n[dwtsvc]\nquality = 70\n"
    got = config.load(paths, {}).settings
    assert (got.quality, got.log_level, got.enable_web_setup) == (70, 14, True)


def test_a_wrong_value_or_name_is_not_written(paths: Paths) -> None:
    with pytest.raises(BadArguments, match="quality cannot be '101'"):
        config.write_setting(paths.config_file, "quality", "101")
    with pytest.raises(BadArguments, match="no setting 'qualty'") as caught:
        config.write_setting(paths.config_file, "qualty", "1")
    assert "quality" in caught.value.hint
    assert not paths.config_file.exists()


def test_a_wrong_line_can_be_mended_and_a_misspelt_one_removed(paths: Paths) -> None:
    paths.config_file.write_text("[dwtsvc]\nquality = 900\nqualty = 5\n")
    config.write_setting(paths.config_file, "quality", "90")
    assert config.remove_setting(paths.config_file, "qualty")
    assert paths.config_file.read_text() == "[dwtsvc]\nquality = 90\n"
    assert config.load(paths, {}).settings.quality == 90


def test_removing_a_setting_says_whether_it_was_there(paths: Paths) -> None:
    paths.config_file.write_text("LogLevel = 14\n")
    assert config.remove_setting(paths.config_file, "loglevel")
    assert not config.remove_setting(paths.config_file, "LogLevel")
    with pytest.raises(BadArguments):
        config.remove_setting(paths.config_file, "nonsense")


def test_the_document_shows_the_table_as_it_is() -> None:
    shown = DOCUMENT.read_text().partition("<!-- settings -->\n")[2].partition("<!-- end of settings -->")[0]
    command = "python -c 'from dwtsvc import config; print(config.settings_table())'"
    assert shown.strip() == config.settings_table().strip(), f"replace the table by what this prints: {command}"


def test_the_examples_in_the_document_are_right(paths: Paths) -> None:
    blocks = [block.partition("```")[0] for block in DOCUMENT.read_text().split("```ini\n")[1:]]
    settings_example, profile_example = blocks
    paths.config_file.write_text(settings_example)
    loaded = config.load(paths, {})
    assert loaded.warnings == ()
    assert loaded.settings.resolution == 200
    assert loaded.hosts[0].host == "scan.example.com"

    from dwtsvc import profiles

    paths.profiles_file.write_text(profile_example)
    assert profiles.profile(paths, "letters").options == (("swdespeck", "2"),)


def test_loading_imports_nothing_heavy() -> None:
    code = """if True:
        import sys
        from dwtsvc import config, profiles
        config.load(config.Paths.from_environment({"DWTSVC_HOME": "/nowhere"}), {})
        print(*sys.modules)
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"platformdirs", "typer", "click", "rich", "PIL", "json", "difflib", "tempfile", "configparser"}
    assert heavy & set(run.stdout.split()) == set()
