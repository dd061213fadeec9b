"""Where everything lies on the disk: for a user, for a service of the system, or all below one folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dwtsvc.errors import FileAccess

APP = "dwtsvc"
HOME_VARIABLE = "DWTSVC_HOME"
SETTINGS_FILE = "DSConfiguration.ini"
PROFILES_FILE = "user_config.ini"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The folders everything is in, and each file and folder by its use. Nothing is created by asking."""

    config: Path  # what a person writes
    system_config: Path  # the same for all users of the machine
    cache: Path  # may be deleted at any time
    state: Path  # must survive a restart
    data: Path  # what a user keeps
    log: Path
    runtime: Path  # gone after a restart of the machine

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], platform: str = sys.platform) -> Paths:
        """DWTSVC_HOME puts all below one folder; else the folders systemd names to a service, else the user's."""
        if home := environ.get(HOME_VARIABLE):
            return _below(Path(home).absolute())
        if platform in ("win32", "darwin"):
            return _of_platform(platform)
        return _of_xdg(environ)

    @classmethod
    def of_system_service(cls) -> Paths:
        """The folders that systemd makes for the service of the whole machine."""
        folders = {
            "STATE_DIRECTORY": "/var/lib",
            "CACHE_DIRECTORY": "/var/cache",
            "LOGS_DIRECTORY": "/var/log",
            "RUNTIME_DIRECTORY": "/run",
            "CONFIGURATION_DIRECTORY": "/etc",
        }
        return _of_xdg({variable: f"{folder}/{APP}" for variable, folder in folders.items()})

    @staticmethod
    def create(folder: Path, mode: int = 0o700) -> Path:
        """Make a folder and those above it that are missing, closed to others; one that exists stays as it is."""
        try:
            for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
                _make(missing, mode)
        except OSError as error:
            raise FileAccess(f"The folder {folder} cannot be made", why=error.strerror or str(error)) from error
        if not folder.is_dir():
            raise FileAccess(f"The folder {folder} cannot be made", why="a file is in its place")
        return folder

    def listing(self) -> dict[str, Path]:
        """Every file and folder by its name, in the order `dwtsvc config paths` shows them."""
        return {name: getattr(self, name) for name in _LISTED}

    @property
    def config_file(self) -> Path:
        return self.config / SETTINGS_FILE

    @property
    def system_config_file(self) -> Path:
        return self.system_config / SETTINGS_FILE

    @property
    def profiles_file(self) -> Path:
        return self.config / PROFILES_FILE

    @property
    def service_file(self) -> Path:
        return self.config / "service.ini"

    @property
    def pages(self) -> Path:
        """The page store. Pages that wait to be recovered are state, not cache: no cleaner may take them."""
        return self.state / "pages"

    @property
    def buffers(self) -> Path:
        """What the service holds for its clients: jobs and image buffers, sealed."""
        return self.state / "buffers"

    @property
    def cert(self) -> Path:
        """Private keys are made by this machine for itself; a config folder is often copied to other machines."""
        return self.state / "cert"

    @property
    def dump(self) -> Path:
        return self.state / "dump"

    @property
    def upload(self) -> Path:
        return self.state / "upload"

    @property
    def network_scanners(self) -> Path:
        """Where network scanners were last, and the certificates they showed first."""
        return self.state / "network-scanners.json"

    @property
    def cases(self) -> Path:
        """Recordings of scanners that are listed like scanners."""
        return self.data / "cases"

    @property
    def share_id(self) -> Path:
        """What the UUIDs of shared scanners are made from."""
        return self.state / "share-id"

    @property
    def storage(self) -> Path:
        return self.data / "storage"

    @property
    def locks(self) -> Path:
        return self.runtime / "locks"

    @property
    def port_lock(self) -> Path:
        return self.runtime / "port.lock"

    @property
    def monitor_file(self) -> Path:
        """What the monitor says of itself while it lives."""
        return self.runtime / "monitor.json"

    @property
    def monitor_lock(self) -> Path:
        return self.runtime / "monitor.lock"

    @property
    def log_file(self) -> Path:
        return self.log / "dwtsvc.log"


_LISTED = (
    *("config_file", "system_config_file", "profiles_file", "service_file"),
    *(
        "cache",
        "pages",
        "buffers",
        "cert",
        "dump",
        "log",
        "upload",
        "storage",
        "cases",
        "runtime",
        "locks",
        "port_lock",
    ),
    *("network_scanners", "share_id", "log_file", "monitor_file", "monitor_lock"),
)


def _make(folder: Path, mode: int) -> None:
    with suppress(FileExistsError):  # another process was quicker
        folder.mkdir(mode)
        folder.chmod(mode)  # the umask may have closed it further than asked


def _below(home: Path) -> Paths:
    return Paths(
        config=home / "config",
        system_config=home / "system",
        cache=home / "cache",
        state=home / "state",
        data=home / "data",
        log=home / "log",
        runtime=home / "run",
    )


def _of_xdg(environ: Mapping[str, str]) -> Paths:
    """The XDG folders, each replaced by what systemd made for the service where it did (StateDirectory= and so on)."""
    state = _systemd(environ, "STATE_DIRECTORY") or _xdg(environ, "XDG_STATE_HOME", ".local/state")
    return Paths(
        config=_systemd(environ, "CONFIGURATION_DIRECTORY") or _xdg(environ, "XDG_CONFIG_HOME", ".config"),
        system_config=Path("/etc", APP),
        cache=_systemd(environ, "CACHE_DIRECTORY") or _xdg(environ, "XDG_CACHE_HOME", ".cache"),
        state=state,
        data=_systemd(environ, "STATE_DIRECTORY") or _xdg(environ, "XDG_DATA_HOME", ".local/share"),
        log=_systemd(environ, "LOGS_DIRECTORY") or state / "log",
        runtime=_systemd(environ, "RUNTIME_DIRECTORY") or _xdg_runtime(environ) or state / "run",
    )


def _systemd(environ: Mapping[str, str], variable: str) -> Path | None:
    """The first folder of a variable that may hold several with colons between."""
    return _absolute(environ.get(variable, "").partition(":")[0])


def _xdg(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    base = _absolute(environ.get(variable, ""))
    return (base or _home(environ) / below_home) / APP


def _xdg_runtime(environ: Mapping[str, str]) -> Path | None:
    base = _absolute(environ.get("XDG_RUNTIME_DIR", ""))
    return base / APP if base else None


def _absolute(text: str) -> Path | None:
    """The XDG rule: a path that is not absolute counts as not set."""
    return Path(text) if text.startswith("/") else None


def _home(environ: Mapping[str, str]) -> Path:
    if home := _absolute(environ.get("HOME", "")):
        return home
    import os
    import pwd  # only here, and never on Windows

    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        raise FileAccess("There is no home folder", hint=f"Set HOME, or {HOME_VARIABLE} to a folder.") from None


def _of_platform(platform: str) -> Paths:
    if platform == "darwin":
        from platformdirs.macos import MacOS as Folders
    else:
        from platformdirs.windows import Windows as Folders  # type: ignore[assignment]
    folders = Folders(APP, appauthor=False)
    return Paths(
        config=folders.user_config_path,
        system_config=folders.site_config_path,
        cache=folders.user_cache_path,
        state=folders.user_state_path,
        data=folders.user_data_path,
        log=folders.user_log_path,
        runtime=folders.user_runtime_path,
    )
