"""The system's own store, which curl, Python and most programs that are no browsers read. Only root may change it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dwtsvc.certs import authority, files
from dwtsvc.certs.authority import Certificate
from dwtsvc.certs.programs import must_run
from dwtsvc.certs.stores import Machine
from dwtsvc.errors import DwtsvcError, FileAccess

_PREFIX = authority.NAME.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Custom:
    """How a family of systems does it: the folder for what the administrator adds, and the program that reads it."""

    folder: str
    suffix: str
    command: tuple[str, ...]
    fresh: tuple[str, ...] = ()  # what it needs besides to notice that a file is gone


# The first whose folder and program are both there is the system's own.
CUSTOMS = (
    Custom(
        "/usr/local/share/ca-certificates", ".crt", ("update-ca-certificates",), ("--fresh",)
    ),  # Debian, Ubuntu, Alpine
    Custom("/etc/pki/ca-trust/source/anchors", ".pem", ("update-ca-trust", "extract")),  # Fedora, RHEL
    Custom("/etc/ca-certificates/trust-source/anchors", ".crt", ("update-ca-trust", "extract")),  # Arch
    Custom("/etc/pki/trust/anchors", ".pem", ("update-ca-certificates",), ("--fresh",)),  # SUSE
)


class SystemStore:
    """The folder of one custom. An authority of ours is a file of its own in it, called after it."""

    kind = "system"

    def __init__(self, custom: Custom, machine: Machine) -> None:
        self._custom = custom
        self._machine = machine
        self._folder = machine.beneath(custom.folder)
        self.where = str(self._folder)

    def obstacle(self) -> DwtsvcError | None:
        if os.access(self._folder, os.W_OK):
            return None
        copy = f"sudo cp ca.pem {self._folder}/{_PREFIX}{self._custom.suffix}"
        hint = f"Run: dwtsvc cert export ca.pem && {copy} && sudo {self._custom.command[0]}"
        return FileAccess("The system's store cannot be changed", why="only the administrator may", hint=hint)

    def holds(self, ca: Certificate) -> bool:
        return any(files.read(file) == ca.pem for file in self._ours())

    def names(self) -> tuple[str, ...]:
        return tuple(file.stem.replace("-", " ") for file in self._ours())

    def install(self, ca: Certificate) -> None:
        if self.holds(ca):
            return
        if error := self.obstacle():
            raise error
        files.write(self._file(ca.name), ca.pem, 0o644)
        try:
            must_run(self._machine.programs, *self._custom.command)
        except DwtsvcError:
            files.remove(self._file(ca.name))
            raise

    def uninstall(self, name: str) -> None:
        if self._file(name).exists():
            files.remove(self._file(name))
            must_run(self._machine.programs, *self._custom.command, *self._custom.fresh)

    def _ours(self) -> list[Path]:
        return sorted(self._folder.glob(f"{_PREFIX}*{self._custom.suffix}"))

    def _file(self, name: str) -> Path:
        return self._folder / (name.replace(" ", "-") + self._custom.suffix)


def folders(machine: Machine) -> Iterator[SystemStore]:
    """The system's store, none on a system of another kind."""
    for custom in CUSTOMS:
        if os.path.isdir(machine.beneath(custom.folder)) and machine.programs.find(custom.command[0]):
            yield SystemStore(custom, machine)
            return
