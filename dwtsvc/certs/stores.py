"""The stores of trusted authorities on this machine: which there are, and what can be done with each.

A store is one place: one Firefox profile, one database of Chromium, the system's own folder. Its `kind` is what its
owner agrees to: who said yes to "firefox" once also means the profile that is made next month.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dwtsvc.certs.authority import Certificate
from dwtsvc.certs.programs import Installed, Programs
from dwtsvc.errors import DwtsvcError, FileAccess

KINDS = {
    "firefox": "Firefox profiles",
    "chromium": "Chromium, Chrome, Edge and Brave",
    "firefox-policy": "Firefox, for all users of this machine",
    "system": "the system's own store (curl, Python and others)",
    "macos": "the login keychain (Safari, Chrome, Edge)",
    "windows": "the user's root store (Chrome, Edge)",
}

# These ask their user at every change: nobody may be there when the service renews, so their owner is told instead.
ASKING = ("macos", "windows")


class Store(Protocol):
    """One place that holds trusted authorities. Everything may be done twice without harm."""

    @property
    def kind(self) -> str:
        """One of KINDS."""

    @property
    def where(self) -> str:
        """The folder or file, or the name the system gives it."""

    def obstacle(self) -> DwtsvcError | None:
        """Why this store cannot be changed now, with what to do about it; None if it can."""

    def holds(self, ca: Certificate) -> bool:
        """Whether this authority is trusted here. Raises what `obstacle` tells if that cannot be seen."""

    def names(self) -> tuple[str, ...]:
        """The names of all authorities of ours in it, also of those that were forgotten. Raises as `holds`."""

    def install(self, ca: Certificate) -> None:
        """Trust an authority. Raises DwtsvcError; then the store is as it was."""

    def uninstall(self, name: str) -> None:
        """Remove the authority of that name, if it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine and the user whose stores are meant. `root` is `/` but in tests."""

    home: Path
    environ: Mapping[str, str]
    programs: Programs
    platform: str = sys.platform
    root: Path = field(default_factory=lambda: Path("/"))

    def beneath(self, path: str) -> Path:
        """A path of the system, which begins with a slash, beneath this machine's root."""
        return self.root / path.lstrip("/")


def this_machine(environ: Mapping[str, str]) -> Machine:
    """The machine the process runs on, for the user it runs as."""
    try:
        home = Path(environ["HOME"]) if environ.get("HOME") and os.name != "nt" else Path.home()
    except RuntimeError:
        raise FileAccess("There is no home folder", hint="Set HOME.") from None
    return Machine(home=home, environ=environ, programs=Installed(environ))


def discover(machine: Machine) -> list[Store]:
    """Every store there is now. Reads folders only; runs nothing and creates nothing."""
    return list(_discover(machine))


def _discover(machine: Machine) -> Iterator[Store]:
    if machine.platform == "win32":
        from dwtsvc.certs.windows import WindowsStore

        yield WindowsStore(machine.programs)
    elif machine.platform == "darwin":
        from dwtsvc.certs.macos import Keychain

        yield Keychain(machine)
    else:
        from dwtsvc.certs import firefox, nss, system

        yield from firefox.profiles(machine)
        yield from nss.chromium_databases(machine)
        yield from firefox.policies(machine)
        yield from system.folders(machine)
