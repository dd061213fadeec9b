"""What every check gets, the patient, and what it gives, findings."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from dwtsvc import config
from dwtsvc.certs.programs import Programs
from dwtsvc.certs.stores import Machine, this_machine
from dwtsvc.config import HostCertificate, Loaded, Settings
from dwtsvc.errors import BadConfiguration
from dwtsvc.model import Device
from dwtsvc.paths import Paths
from dwtsvc.status import Status, read


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"  # it works, and not as well as it could
    FAILED = "failed"
    SKIPPED = "skipped"  # there is nothing to look at here, or it cannot be known


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found out about one thing. `command` mends it as it stands; `advice` says what no command does."""

    check: str
    state: State
    found: str
    advice: str = ""
    command: str = ""

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def ok(check: str, found: str) -> Finding:
    return Finding(check=check, state=State.OK, found=found)


def warning(check: str, found: str, *, advice: str = "", command: str = "") -> Finding:
    return Finding(check=check, state=State.WARNING, found=found, advice=advice, command=command)


def failed(check: str, found: str, *, advice: str = "", command: str = "") -> Finding:
    return Finding(check=check, state=State.FAILED, found=found, advice=advice, command=command)


def skipped(check: str, found: str, *, advice: str = "", command: str = "") -> Finding:
    return Finding(check=check, state=State.SKIPPED, found=found, advice=advice, command=command)


@dataclass(frozen=True)
class Patient:
    """The machine, the user and the service that are looked at. Each question is asked once, however many checks ask.

    `origin` is the web site that somebody has trouble with, canonical or not; None if it is about none.
    """

    paths: Paths
    machine: Machine
    origin: str | None = None
    uid: int = field(default_factory=lambda: os.geteuid() if hasattr(os, "geteuid") else -1)

    @property
    def environ(self) -> Mapping[str, str]:
        return self.machine.environ

    @property
    def programs(self) -> Programs:
        return self.machine.programs

    def beneath(self, path: str) -> Path:
        """A path of the system such as /sys, beneath the root that is looked at."""
        return self.machine.beneath(path)

    @cached_property
    def loaded(self) -> Loaded:
        """Raises BadConfiguration."""
        return config.load(self.paths, self.environ)

    @cached_property
    def _known(self) -> Loaded:
        """As loaded, or the defaults where that cannot be, which is the finding of another check."""
        try:
            return self.loaded
        except BadConfiguration:
            return Loaded(settings=Settings(), sources={})

    @property
    def settings(self) -> Settings:
        return self._known.settings

    @property
    def hosts(self) -> tuple[HostCertificate, ...]:
        return self._known.hosts

    @cached_property
    def status(self) -> Status:
        """What the service says, or that it does not. Raises FileAccess."""
        return read(self.paths, self.settings)

    @cached_property
    def sane(self) -> tuple[list[Device], list[str]]:
        """What SANE lists, and the complaints, with what mends them."""
        from dwtsvc.devices import discover

        found: list[Device] = []
        complaints: list[str] = []
        if sys.platform != "win32":
            for each in discover(self.settings.discovery_timeout, "sane"):
                if isinstance(each, Device):
                    found.append(each)
                else:
                    complaints.append(f"{each}. {each.hint}".strip())
        return found, complaints

    def install(self, **packages: str) -> str:
        """The command that installs something, by what the system's own program calls it: apt="...", dnf="..."."""
        for program, words in _INSTALL.items():
            if program in packages and self.programs.find(program):
                return f"{words} {packages[program]}"
        return f"{_INSTALL['apt']} {packages['apt']}"


_INSTALL = {
    "apt": "sudo apt install",
    "dnf": "sudo dnf install",
    "pacman": "sudo pacman -S",
    "zypper": "sudo zypper install",
    "brew": "brew install",
}


def here(paths: Paths, environ: Mapping[str, str], *, origin: str | None = None) -> Patient:
    """The machine this process runs on, for the user it runs as."""
    return Patient(paths, this_machine(environ), origin)


def free_bytes(folder: Path) -> int:
    """The room on the disk of the nearest folder above that exists."""
    return shutil.disk_usage(existing(folder)).free


def existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that is there."""
    return next(each for each in (path, *path.parents) if each.exists())
