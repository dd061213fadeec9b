"""The root store of a Windows user, which Chrome, Edge and (from version 120 on) Firefox read.

Not tried on Windows yet: the commands are those of certutil's documentation, and the tests hold them to that. Windows
asks the user at each change, so nothing is ever installed here without being asked.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from dwtsvc.certs import authority
from dwtsvc.certs.authority import Certificate
from dwtsvc.certs.programs import Programs, must_run
from dwtsvc.errors import DwtsvcError

# The labels are in the language of the system, but the name of the hash and the subject are not.
_SHA1 = re.compile(r"\(sha1\):\s*([0-9a-fA-F ]{40,59})")
_NAME = re.compile(rf"CN=({re.escape(authority.NAME)} [0-9a-f]+)")
_BETWEEN = re.compile(r"^=+.*=+\s*$", re.MULTILINE)


class WindowsStore:
    """CurrentUser\\Root, changed with Microsoft's `certutil -user`."""

    kind = "windows"
    where = "CurrentUser\\Root"

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    def obstacle(self) -> DwtsvcError | None:
        return None

    def holds(self, ca: Certificate) -> bool:
        return ca.sha1 in self._ours()

    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._ours().values()))

    def install(self, ca: Certificate) -> None:
        if self.holds(ca):
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "ca.cer")
            file.write_bytes(ca.der())
            must_run(self._programs, "certutil", "-user", "-addstore", "Root", str(file))

    def uninstall(self, name: str) -> None:
        for sha1, each in self._ours().items():
            if each == name:
                must_run(self._programs, "certutil", "-user", "-delstore", "Root", sha1)

    def _ours(self) -> dict[str, str]:
        """SHA-1 -> name of each authority of ours in the store."""
        listing = self._programs.run("certutil", "-user", "-store", "Root").output
        blocks = ((_SHA1.search(block), _NAME.search(block)) for block in _BETWEEN.split(listing))
        return {sha1[1].replace(" ", "").lower(): name[1] for sha1, name in blocks if sha1 and name}
