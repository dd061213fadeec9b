"""systemd: a unit of the user, or a hardened one of the whole machine that runs as a user of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from dwtsvc.errors import BadArguments, FileAccess, MissingDependency
from dwtsvc.install.files import Run, UnitFile, check, put, run, take_away
from dwtsvc.paths import HOME_VARIABLE

DROP_INS = ("network-scanners", "upload-targets")
USER = "dwtsvc"  # also its group; who the service of the machine runs as
GROUP = "scanner"  # who may use scanners, by the rules that SANE brings for udev
STEPS_SINCE = 254  # the version of systemd that can wait longer with every restart

_FEW = "StartLimitIntervalSec=60\nStartLimitBurst=6"
_EVER_LATER = "StartLimitIntervalSec=0"
_STEPS = "\nRestartSteps=8\nRestartMaxDelaySec=60"


class Systemd:
    """The unit `name`.service. `command` starts the service without a monitor, `reload` gets its process id appended.

    Methods return what was done, a sentence each, and raise FileAccess, MissingDependency and ChildProgramFailed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        reload: Sequence[str],
        environ: Mapping[str, str],
        *,
        system: bool,
        allow: Sequence[str] = (),
        run: Run = run,
        root: Path = Path("/"),
    ) -> None:
        for each in allow:
            if each not in DROP_INS:
                raise BadArguments(f"There is no drop-in '{each}'", hint=f"Choose among: {', '.join(DROP_INS)}.")
            if not system:
                hint = "Only the service of the whole machine is held back: add --system."
                raise BadArguments("The service of a user reaches the network anyway", hint=hint)
        self._unit = f"{name}.service"
        self._command, self._reload, self._environ = command, reload, environ
        self._system, self._allow, self._run, self._root = system, allow, run, root
        self._control = ["systemctl", *([] if system else ["--user"])]

    def files(self) -> list[UnitFile]:
        """The unit, and the drop-ins and the file for systemd-sysusers of a system service."""
        folder = self._folder()
        unit = UnitFile(folder / self._unit, self._text().encode())
        if not self._system:
            return [unit]
        return [unit, *(self._drop_in(each) for each in DROP_INS), self._sysusers()]

    def install(self, *, start: bool) -> list[str]:
        self._check_right()
        version = self._version()
        if self._system:
            self._check_reachable()
            self._make_user()
        done = [f"{each.path} written" for each in self.files() if each.wanted and put(each)]
        dropped = [each for each in self.files() if not each.wanted and take_away(each.path)]
        changed = bool(done or dropped)
        running = self._manager_runs()
        if changed and running:
            check(self._run, [*self._control, "daemon-reload"])
        check(self._run, [*self._control, "enable", self._unit])
        if not changed:
            done.append(f"{self._unit} is already installed (systemd {version})")
        return done + self._started(start, changed, running)

    def uninstall(self) -> list[str]:
        self._check_right()
        unit = self._folder() / self._unit
        running = self._manager_runs()
        if unit.exists():
            check(self._run, [*self._control, "disable", *(["--now"] if running else []), self._unit])
        done = [f"{each.path} removed" for each in self.files()[: 1 + len(DROP_INS)] if take_away(each.path)]
        if done and running:
            check(self._run, [*self._control, "daemon-reload"])
            self._run([*self._control, "reset-failed", self._unit])  # fails if it never failed
        return done or [f"{self._unit} is not installed"]

    def purge(self) -> list[str]:
        """After `uninstall` and when its files are gone: the user, and the group if an installation made it."""
        if not self._system:
            return []
        conf = self._sysusers_path()
        made_group = conf.is_file() and f"\ng {GROUP} " in conf.read_text("utf-8")
        done = [f"{conf} removed"] if take_away(conf) else []
        if self._run(["getent", "passwd", USER]).code == 0:
            check(self._run, ["userdel", USER])
            done.append(f"user {USER} removed")
        if made_group and self._run(["groupdel", GROUP]).code == 0:
            done.append(f"group {GROUP} removed")
        return done

    def _folder(self) -> Path:
        if self._system:
            return self._root / "etc/systemd/system"
        configured = self._environ.get("XDG_CONFIG_HOME", "")
        home = Path(configured) if configured.startswith("/") else Path(self._environ.get("HOME", "/")) / ".config"
        return home / "systemd/user"

    def _text(self) -> str:
        steps = self._version() >= STEPS_SINCE
        text = _read("system.service" if self._system else "user.service")
        home = self._environ.get(HOME_VARIABLE)
        environment = f"Environment={_word(f'{HOME_VARIABLE}={home}')}\n" if home else ""
        return (
            text.replace("@LIMIT@", _EVER_LATER if steps else _FEW)
            .replace("RestartSec=200ms", "RestartSec=200ms" + (_STEPS if steps else ""))
            .replace("@COMMAND@", " ".join(map(_word, self._command)))
            .replace("@RELOAD@", " ".join([*map(_word, self._reload), "$MAINPID"]))
            .replace("@ENVIRONMENT@\n", environment)
        )

    def _drop_in(self, name: str) -> UnitFile:
        path = self._folder() / f"{self._unit}.d" / f"{name}.conf"
        return UnitFile(path, _read(path.name).encode(), offer="" if name in self._allow else f"--allow {name}")

    def _sysusers_path(self) -> Path:
        return self._root / "etc/sysusers.d/dwtsvc.conf"

    def _sysusers(self) -> UnitFile:
        """A file that is there stays: it says whether the group was there before."""
        path = self._sysusers_path()
        if path.is_file():
            return UnitFile(path, path.read_bytes())
        group = "" if self._run(["getent", "group", GROUP]).code == 0 else f"g {GROUP} -\n"
        text = f'# Written by dwtsvc install-service\n{group}u {USER} - "Document scanning service" /var/lib/dwtsvc\n'
        return UnitFile(path, f"{text}m {USER} {GROUP}\n".encode())

    def _make_user(self) -> None:
        file = self._sysusers()
        put(file)
        check(self._run, ["systemd-sysusers", str(file.path)], hint="It makes the user that the service runs as.")

    def _started(self, start: bool, changed: bool, running: bool) -> list[str]:
        when = "the machine starts" if self._system else "you log in"
        if not start:
            return [f"It starts when {when}."]
        if not running:
            return [f"systemd is not running here: it starts when {when}."]
        journal = f"journalctl {'' if self._system else '--user '}-u {self._unit} -n 20"
        check(self._run, [*self._control, "restart" if changed else "start", self._unit], hint=f"See `{journal}`.")
        return ["It is running."]

    def _manager_runs(self) -> bool:
        return self._run([*self._control, "show-environment"]).code == 0

    def _version(self) -> int:
        try:
            found = re.match(r"systemd (\d+)", self._run(["systemctl", "--version"]).output)
        except MissingDependency:
            hint = "Have what starts programs on this machine run `dwtsvc serve`."
            raise MissingDependency("There is no systemd on this machine", hint=hint) from None
        return int(found[1]) if found else 0

    def _check_right(self) -> None:
        if self._system and self._root == Path("/") and os.geteuid() != 0:
            hint = "Use sudo, or leave --system out to have a service of your own."
            raise FileAccess("The service of the whole machine cannot be changed", why="only root may", hint=hint)

    def _check_reachable(self) -> None:
        """ProtectHome= hides these folders from the service, and other users may not look into them anyway."""
        program = Path(self._command[0])
        if any(program.is_relative_to(folder) for folder in ("/home", "/root", "/run/user")):
            hint = "Install dwtsvc for all users, for example into /opt/dwtsvc with `python3 -m venv`."
            raise BadArguments(
                f"The service of the whole machine cannot use {program}", why="it is a user's", hint=hint
            )


def _read(name: str) -> str:
    return (resources.files("dwtsvc.install") / "units" / name).read_text("utf-8")


def _word(text: str) -> str:
    """A word of a unit's command line as systemd reads it."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise BadArguments("A path with control characters cannot be written into a unit")
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return text if re.fullmatch(r"[\w./:=@%+,$-]+", text) else f'"{text}"'
