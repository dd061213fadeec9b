"""The service as something that the system starts by itself: systemd, launchd, the task scheduler of Windows."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dwtsvc import ini
from dwtsvc.errors import BadArguments, BadConfiguration, FileAccess
from dwtsvc.install.files import Run, UnitFile, run
from dwtsvc.paths import HOME_VARIABLE, Paths

NAME = "dwtsvc"
_SECTION, _KEY = "service", "name"


class Manager(Protocol):
    """What starts the service. Methods return what was done, a sentence each; done twice is no fault."""

    def files(self) -> list[UnitFile]: ...

    def install(self, *, start: bool) -> list[str]: ...

    def uninstall(self) -> list[str]: ...

    def purge(self) -> list[str]: ...


def manager(
    paths: Paths,
    command: Sequence[str],
    reload: Sequence[str],
    environ: Mapping[str, str],
    *,
    system: bool = False,
    allow: Sequence[str] = (),
    run: Run = run,
    platform: str = sys.platform,
) -> Manager:
    """The manager of this platform. `command` is `dwtsvc serve` by its full path, `reload` sends it a SIGHUP.

    Raises BadArguments for what the platform does not have, BadConfiguration for a bad service.ini.
    """
    name = service_name(paths)
    if platform not in ("darwin", "win32"):
        from dwtsvc.install.systemd import Systemd

        command = [*command, "--no-monitor"]
        return Systemd(name, command, reload, environ, system=system, allow=allow, run=run)
    if system or allow:
        raise BadArguments("Here the service is always that of a user", hint="Leave --system and --allow out.")
    if platform == "darwin":
        from dwtsvc.install.launchd import Launchd

        return Launchd(name, command, paths, environ, run=run)
    from dwtsvc.install.windows import Task

    return Task(name, command, paths, environ, run=run)


def service_name(paths: Paths) -> str:
    """What the service is called, by service.ini: the name of its unit, agent or task. Raises BadConfiguration."""
    entry = ini.read(paths.service_file).find(_SECTION, _KEY)
    name = entry.value if entry else NAME
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,62}", name):
        hint = "Use letters, digits, - and _."
        raise BadConfiguration(f"{paths.service_file}: a service cannot be called '{name}'", hint=hint)
    return name


def write_service_name(paths: Paths, *, system: bool = False) -> None:
    """Make service.ini, so that the name of the service can be seen, and changed before the next installation."""
    Paths.create(paths.service_file.parent, 0o755 if system else 0o700)
    with ini.editing(paths.service_file, mode=0o644 if system else 0o600) as document:
        document.set(_SECTION, _KEY, service_name(paths))


def remains(paths: Paths) -> list[Path]:
    """The folders that the service leaves behind, those that exist, none inside another."""
    folders = {paths.config, paths.cache, paths.state, paths.data, paths.log, paths.runtime}
    outermost = [each for each in folders if not any(above in folders for above in each.parents)]
    return sorted(each for each in outermost if each.is_dir())


def remove(folders: Sequence[Path], environ: Mapping[str, str]) -> list[str]:
    """Delete these folders with everything in them, and the folder above all if that is empty then."""
    for folder in folders:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise FileAccess(f"{folder} cannot be removed", why=error.strerror or str(error)) from error
    home = environ.get(HOME_VARIABLE)
    if home and Path(home).is_dir() and not any(Path(home).iterdir()):
        Path(home).rmdir()
    return [f"{folder} removed" for folder in folders]
