"""The buttons of scanners: a press scans with the profile that names the button.

No scanner is kept open for it. Each is opened, read and closed once in every interval; whoever scans comes first.
"""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dwtsvc import devices, profiles
from dwtsvc.config import Settings
from dwtsvc.devices.process import DeviceProcess
from dwtsvc.errors import BadArguments, BadConfiguration, DwtsvcError
from dwtsvc.paths import Paths
from dwtsvc.stations import glancing

UP = ("", "no", "0")  # what a button shows that is not pressed
AGAIN = 10.0  # seconds until a scanner that could not be opened is tried again
CLOSE_WITHIN = 3.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A button, and the profile that its press scans with. `value` is which it must show; empty: any but "not"."""

    device: str
    button: str
    value: str
    profile: str

    def pressed(self, before: dict[str, str], now: dict[str, str]) -> bool:
        """Whether it was pressed between two looks. One that was pressed already at the first is not."""
        if self.button not in now or self.button not in before:
            return False
        return self._down(now) and not self._down(before)

    def _down(self, shown: dict[str, str]) -> bool:
        return shown[self.button] == self.value if self.value else shown[self.button] not in UP


def wired(paths: Paths, settings: Settings) -> tuple[Wire, ...]:
    """The buttons that profiles name. Raises BadConfiguration for one without a scanner, or with two profiles."""
    found: dict[tuple[str, str, str], Wire] = {}
    for name in profiles.names(paths):
        profile = profiles.profile(paths, name)
        if not profile.button:
            continue
        device = profile.device or settings.device
        if not device:
            hint = f"Name it: device=ID in [profile {name}]."
            raise BadConfiguration(f"The profile '{name}' has a button, and no scanner that has it", hint=hint)
        button, _, value = profile.button.partition("=")
        wire = Wire(device=device, button=button.strip(), value=value.strip(), profile=name)
        first = found.setdefault((wire.device, wire.button, wire.value), wire)
        if first is not wire:
            why = f"both '{first.profile}' and '{name}' name it"
            hint = f"Take `button` out of one of them, in {paths.profiles_file}."
            raise BadConfiguration(f"The button '{profile.button}' of {device} has two profiles", why=why, hint=hint)
    return tuple(found.values())


class Buttons:
    """Watches in `with`. `command` is what a press starts, with the name of the profile as its last word."""

    def __init__(self, wires: Sequence[Wire], paths: Paths, settings: Settings, command: Sequence[str]) -> None:
        self._paths, self._settings, self._command = paths, settings, command
        self._ended = threading.Event()
        by_device: dict[str, list[Wire]] = {}
        for wire in wires:
            by_device.setdefault(wire.device, []).append(wire)
        self._threads = [
            threading.Thread(target=self._watch, args=each, name="buttons", daemon=True) for each in by_device.items()
        ]

    def __enter__(self) -> Buttons:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(CLOSE_WITHIN)

    def _watch(self, device: str, wires: list[Wire]) -> None:
        """Follow one scanner, also when it is off for a while."""
        told = ""
        while not self._ended.is_set():
            try:
                driver, name = devices.split_id(device)
                with devices.connect(driver, timeout=self._settings.scanner_timeout) as worker:
                    self._follow(device, name, worker, wires)
            except BadArguments as error:
                log.error("The buttons of %s cannot be watched: %s", device, error)
                return
            except (DwtsvcError, OSError) as error:
                if str(error) != told:
                    log.warning("The buttons of %s are not seen: %s", device, error)
                told = str(error)
                self._ended.wait(AGAIN)

    def _follow(self, device: str, name: str, worker: DeviceProcess, wires: list[Wire]) -> None:
        before: dict[str, str] | None = None
        while not self._ended.wait(self._settings.button_interval):
            with glancing(self._paths.create(self._paths.locks), device) as free:
                if not free:  # somebody scans
                    continue
                now = worker.sensors(name)
            if before is None and (missing := [each.button for each in wires if each.button not in now]):
                log.warning("%s shows no button '%s'; it has: %s", device, missing[0], ", ".join(now) or "none")
            pressed = [each for each in wires if each.pressed(before or {}, now)]
            before = now
            for wire in pressed:
                self._scan(wire)

    def _scan(self, wire: Wire) -> None:
        """Scan, and wait for the end: the scanner is busy so long. What is pressed meanwhile is not kept."""
        log.info("The button '%s' of %s: profile '%s'", wire.button, wire.device, wire.profile)
        try:
            done = subprocess.run(
                [*self._command, wire.profile],
                cwd=Path.home(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except (OSError, RuntimeError) as error:  # no home, or no room for another process: the next press may do
            log.error("The scan with the profile '%s' cannot be started: %s", wire.profile, error)
            return
        if done.returncode:
            log.error(
                "The scan with the profile '%s' failed (%d): %s", wire.profile, done.returncode, done.stderr.strip()
            )
