"""The login keychain of macOS, which Safari, Chrome, Edge and (from version 120 on) Firefox read.

Not tried on a Mac yet: the commands are those of the manual page security(1), and the tests hold them to that.
macOS asks for the user's password at each change, so nothing is ever installed here without being asked.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from dwtsvc.certs import authority
from dwtsvc.certs.authority import Certificate
from dwtsvc.certs.programs import must_run
from dwtsvc.certs.stores import Machine
from dwtsvc.errors import DwtsvcError

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


class Keychain:
    """The keychain that a login opens, with the user's own settings of trust."""

    kind = "macos"

    def __init__(self, machine: Machine) -> None:
        self._programs = machine.programs
        self._path = str(machine.home / "Library/Keychains/login.keychain-db")
        self.where = self._path

    def obstacle(self) -> DwtsvcError | None:
        return None

    def holds(self, ca: Certificate) -> bool:
        return any(each.sha256 == ca.sha256 for each in self._ours())

    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.name for each in self._ours()))

    def install(self, ca: Certificate) -> None:
        if self.holds(ca):
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "ca.pem")
            file.write_text(ca.pem)
            trusted = ("-r", "trustRoot", "-p", "ssl", "-p", "basic")
            must_run(self._programs, "security", "add-trusted-cert", *trusted, "-k", self._path, str(file))

    def uninstall(self, name: str) -> None:
        for each in self._ours():
            if each.name == name:  # -t takes the user's settings of trust away with it
                must_run(self._programs, "security", "delete-certificate", "-Z", each.sha1.upper(), "-t", self._path)

    def _ours(self) -> list[Certificate]:
        """Those whose name begins as ours do; `-c` finds what contains it. Finding none is an error to `security`."""
        words = ("security", "find-certificate", "-a", "-p", "-c", authority.NAME, self._path)
        found = [authority.read_chain(pem)[0] for pem in _PEM.findall(self._programs.run(*words).output)]
        return [each for each in found if each.name.startswith(authority.NAME)]
