"""macOS: an agent of the user, started at log-in. launchd runs the monitor, which knows when a restart is of no use."""

from __future__ import annotations

import os
import plistlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from dwtsvc.install.files import Run, UnitFile, check, put, run, take_away
from dwtsvc.paths import HOME_VARIABLE, Paths


class Launchd:
    """The agent `name` in ~/Library/LaunchAgents."""

    def __init__(
        self, name: str, command: Sequence[str], paths: Paths, environ: Mapping[str, str], *, run: Run = run
    ) -> None:
        self._name, self._command, self._paths, self._environ, self._run = name, command, paths, environ, run
        self._domain = f"gui/{os.getuid() if hasattr(os, 'getuid') else 0}"

    def files(self) -> list[UnitFile]:
        folder = Path(self._environ.get("HOME", "/")) / "Library/LaunchAgents"
        return [UnitFile(folder / f"{self._name}.plist", plistlib.dumps(self._agent(), sort_keys=False))]

    def install(self, *, start: bool) -> list[str]:
        (agent,) = self.files()
        changed = put(agent)
        done = [f"{agent.path} written" if changed else f"{agent.path} is already installed"]
        if not start:
            return [*done, "It starts when you log in."]
        if changed:
            self._stop()
        if changed or not self._is_loaded():
            check(self._run, ["launchctl", "bootstrap", self._domain, str(agent.path)])
        return [*done, "It is running."]

    def uninstall(self) -> list[str]:
        (agent,) = self.files()
        self._stop()
        return [f"{agent.path} removed" if take_away(agent.path) else f"{agent.path} is not installed"]

    def purge(self) -> list[str]:
        return []

    def _is_loaded(self) -> bool:
        return self._run(["launchctl", "print", f"{self._domain}/{self._name}"]).code == 0

    def _stop(self) -> None:
        if self._is_loaded():
            check(self._run, ["launchctl", "bootout", f"{self._domain}/{self._name}"])

    def _agent(self) -> dict[str, object]:
        home = self._environ.get(HOME_VARIABLE)
        return {
            "Label": self._name,
            "ProgramArguments": [*self._command],
            **({"EnvironmentVariables": {HOME_VARIABLE: home}} if home else {}),
            "RunAtLoad": True,
            # Only if the monitor itself crashes: an exit code of its own is final.
            "KeepAlive": {"Crashed": True},
            "ThrottleInterval": 10,
            "ExitTimeOut": 20,
            "ProcessType": "Background",
            "LowPriorityIO": False,
            "Umask": 0o077,
            "SoftResourceLimits": {"NumberOfFiles": 4096, "Core": 0},
            "HardResourceLimits": {"NumberOfFiles": 4096, "Core": 0},
        }
