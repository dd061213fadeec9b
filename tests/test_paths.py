from __future__ import annotations

import os
from pathlib import Path

import pytest

from dwtsvc.errors import FileAccess
from dwtsvc.paths import Paths

USER = {"HOME": "/home/ada"}


def test_a_user_has_the_xdg_folders() -> None:
    paths = Paths.from_environment(USER, "linux")
    assert paths.config_file == Path("/home/ada/.config/dwtsvc/DSConfiguration.ini")
    assert paths.profiles_file == Path("/home/ada/.config/dwtsvc/user_config.ini")
    assert paths.service_file == Path("/home/ada/.config/dwtsvc/service.ini")
    assert paths.system_config_file == Path("/etc/dwtsvc/DSConfiguration.ini")
    assert paths.cache == Path("/home/ada/.cache/dwtsvc")
    assert paths.pages == Path("/home/ada/.local/state/dwtsvc/pages")
    assert paths.log == Path("/home/ada/.local/state/dwtsvc/log")
    assert paths.storage == Path("/home/ada/.local/share/dwtsvc/storage")
    assert paths.locks == Path("/home/ada/.local/state/dwtsvc/run/locks")


def test_the_xdg_variables_move_them_and_a_relative_one_counts_as_not_set() -> None:
    environ = {
        **USER,
        "XDG_CONFIG_HOME": "/c",
        "XDG_STATE_HOME": "/s",
        "XDG_RUNTIME_DIR": "/run/user/7",
        "XDG_CACHE_HOME": "rel",
    }
    paths = Paths.from_environment(environ, "linux")
    assert paths.config == Path("/c/dwtsvc")
    assert paths.pages == Path("/s/dwtsvc/pages")
    assert paths.locks == Path("/run/user/7/dwtsvc/locks")
    assert paths.cache == Path("/home/ada/.cache/dwtsvc")


def test_a_service_has_the_folders_systemd_made_for_it() -> None:
    environ = {
        "CONFIGURATION_DIRECTORY": "/etc/dwtsvc",
        "STATE_DIRECTORY": "/var/lib/dwtsvc:/var/lib/more",
        "CACHE_DIRECTORY": "/var/cache/dwtsvc",
        "LOGS_DIRECTORY": "/var/log/dwtsvc",
        "RUNTIME_DIRECTORY": "/run/dwtsvc",
    }
    paths = Paths.from_environment(environ, "linux")
    assert paths.config_file == paths.system_config_file == Path("/etc/dwtsvc/DSConfiguration.ini")
    assert paths.pages == Path("/var/lib/dwtsvc/pages")
    assert paths.storage == Path("/var/lib/dwtsvc/storage")
    assert paths.cache == Path("/var/cache/dwtsvc")
    assert paths.log == Path("/var/log/dwtsvc")
    assert paths.locks == Path("/run/dwtsvc/locks")


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_one_variable_puts_everything_below_one_folder(platform: str, tmp_path: Path) -> None:
    environ = {**USER, "STATE_DIRECTORY": "/var/lib/dwtsvc", "DWTSVC_HOME": str(tmp_path)}
    places = Paths.from_environment(environ, platform).listing()
    assert all(place.is_relative_to(tmp_path) for place in places.values())
    assert len(set(places.values())) == len(places)


def test_without_home_the_password_file_says_where_it_is() -> None:
    import pwd

    home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    assert Paths.from_environment({}, "linux").config == home / ".config/dwtsvc"


def test_macos_has_its_own_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/Users/ada")
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    paths = Paths.from_environment(os.environ, "darwin")
    assert paths.config == Path("/Users/ada/Library/Application Support/dwtsvc")
    assert paths.log == Path("/Users/ada/Library/Logs/dwtsvc")


def test_every_file_and_folder_is_listed() -> None:
    properties = {name for name, value in vars(Paths).items() if isinstance(value, property)}
    assert set(Paths.from_environment(USER, "linux").listing()) == properties | {"cache", "log", "runtime"}


def test_folders_are_made_private_whatever_the_umask_and_old_ones_stay(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for umask in (0, 0o777):
        before = os.umask(umask)
        try:
            folder = Paths.create(tmp_path / f"umask-{umask}" / "b")
        finally:
            os.umask(before)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert Paths.create(tmp_path) == tmp_path
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_file_in_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FileAccess, match="cannot be made"):
            Paths.create(folder)
