"""Databases of NSS, the library in which Firefox keeps its authorities, and Chromium on Linux those of its user."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dwtsvc.certs import authority, files
from dwtsvc.certs.authority import Certificate
from dwtsvc.certs.programs import Outcome, must_run
from dwtsvc.certs.stores import Machine
from dwtsvc.errors import ChildProgramFailed, DwtsvcError, FileAccess, MissingDependency
from dwtsvc.paths import Paths

FILE = "cert9.db"
_FILES = (FILE, "key4.db", "pkcs11.txt")
_MADE_HERE = ".made-by-dwtsvc"
TRUSTED = "C,,"  # for servers; neither for mail nor for code
_ROW = re.compile(r"^(.*\S)\s+([a-zA-Z]*),[a-zA-Z]*,[a-zA-Z]*\s*$")
_OURS = re.compile(rf"{re.escape(authority.NAME)}(?: [0-9a-f]+)?(?= |$)")

# Chromium looks into ~/.pki/nssdb first, whatever its age; only where there is none, newer ones look into the other.
FIRST = ".pki/nssdb"
_BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("microsoft-edge", "microsoft-edge-stable", "brave-browser", "brave", "vivaldi", "opera"),
)
_INSIDE_SANDBOXES = (
    "snap/*/current/.pki/nssdb",
    "snap/*/current/.local/share/pki/nssdb",
    ".var/app/*/.pki/nssdb",
    ".var/app/*/data/pki/nssdb",
)
_PACKAGES = (
    ("apt", "sudo apt install libnss3-tools"),
    ("dnf", "sudo dnf install nss-tools"),
    ("pacman", "sudo pacman -S nss"),
    ("zypper", "sudo zypper install mozilla-nss-tools"),
)


class NssDatabase:
    """One database, changed with `certutil`. A folder without one gets an empty one, as the browser would make it."""

    def __init__(self, kind: str, folder: Path, machine: Machine) -> None:
        self.kind = kind
        self.folder = folder
        self.where = str(folder)
        self._machine = machine

    def obstacle(self) -> DwtsvcError | None:
        if self._machine.programs.find("certutil") is None:
            hint = f"Run: {_how_to_install(self._machine)}"
            return MissingDependency("The browsers' certificates cannot be read", why="certutil is missing", hint=hint)
        return None

    def holds(self, ca: Certificate) -> bool:
        trusting = [nickname for nickname, trust in self._called(ca.name).items() if "C" in trust]
        return any(each.sha256 == ca.sha256 for nickname in trusting for each in self._certificates(nickname))

    def names(self) -> tuple[str, ...]:
        found = (_OURS.match(nickname) for nickname in self._listed())
        return tuple(dict.fromkeys(each[0] for each in found if each))

    def install(self, ca: Certificate) -> None:
        self._raise_obstacle()
        if self.holds(ca):
            return
        self._create()
        done = self._certutil("-A", "-t", TRUSTED, "-n", ca.name, "-a", stdin=ca.pem)
        if done.code:
            # It may have stored the certificate already, and only then have been refused to trust it.
            self._certutil("-D", "-n", ca.name)
            raise self._refused(done)

    def uninstall(self, name: str) -> None:
        for nickname in self._called(name):
            must_run(self._machine.programs, "certutil", "-D", "-d", self._database, "-n", nickname)
        self._sweep(name)
        if (self.folder / _MADE_HERE).exists() and not self._listed() and not self._has_keys():
            self._destroy()

    @property
    def _database(self) -> str:
        return f"sql:{self.folder}"

    def _raise_obstacle(self) -> None:
        if error := self.obstacle():
            raise error

    def _create(self) -> None:
        if not (self.folder / FILE).exists():
            Paths.create(self.folder)
            files.write(self.folder / _MADE_HERE, "")
            must_run(self._machine.programs, "certutil", "-N", "-d", self._database, "--empty-password")

    def _sweep(self, name: str) -> None:
        """Remove the trust that `certutil -D` leaves behind where it is older than the browser.

        A new browser writes trust into objects of a class that older tools do not know (CKO_TRUST). Firefox goes
        by one although its certificate is gone, as soon as a server sends that certificate, which ours does (measured).
        The file is an SQLite database, whose columns are called after the numbers of the PKCS #11 attributes.
        """
        import sqlite3
        from contextlib import closing

        if not (self.folder / FILE).exists():
            return
        trust_of = "a0 IN (x'0000000b', x'ce534353') AND instr(a81, CAST(? AS BLOB))"  # class; issuer, as DER
        try:
            with closing(sqlite3.connect(self.folder / FILE)) as opened, opened:
                opened.execute(f"DELETE FROM nssPublic WHERE {trust_of}", (name,))
        except sqlite3.Error as error:
            raise FileAccess(f"{self.folder / FILE} cannot be changed", why=str(error)) from error

    def _destroy(self) -> None:
        """Take away a database that was made here and that nobody else has put anything into."""
        for name in (*_FILES, _MADE_HERE):
            files.remove(self.folder / name)
        for folder in (self.folder, self.folder.parent):
            with suppress(OSError):  # not empty, so it is somebody's
                folder.rmdir()

    def _has_keys(self) -> bool:
        """`certutil -K` ends in 255 where it finds none, and with an error where it cannot say."""
        done = self._certutil("-K")
        return "no keys found" not in done.output + done.fault

    def _listed(self) -> dict[str, str]:
        """Nickname -> what it is trusted for as the authority of a server; empty without a database."""
        self._raise_obstacle()
        if not (self.folder / FILE).exists():
            return {}
        rows = must_run(self._machine.programs, "certutil", "-L", "-d", self._database).splitlines()
        return {found[1]: found[2] for found in map(_ROW.match, rows) if found and not found[1].endswith("SSL")}

    def _called(self, name: str) -> dict[str, str]:
        """The nicknames of one authority. What Firefox took from a policy it calls "NAME - ORGANISATION"."""
        listed = self._listed().items()
        return {nickname: trust for nickname, trust in listed if nickname == name or nickname.startswith(f"{name} ")}

    def _certificates(self, name: str) -> tuple[Certificate, ...]:
        pem = must_run(self._machine.programs, "certutil", "-L", "-d", self._database, "-n", name, "-a")
        return authority.read_chain(pem)

    def _certutil(self, *words: str, stdin: str = "") -> Outcome:
        return self._machine.programs.run("certutil", words[0], "-d", self._database, *words[1:], stdin=stdin)

    def _refused(self, done: Outcome) -> DwtsvcError:
        said = done.fault.strip()
        if "BAD_PASSWORD" in said:
            return FileAccess(
                f"The certificates in {self.folder} cannot be changed",
                why="the browser protects them with a primary password",
                hint="Import the file of `dwtsvc cert export` in the browser's own settings.",
            )
        return ChildProgramFailed(f"{self.folder} did not take the authority", why=said[-200:])


def chromium_databases(machine: Machine) -> Iterator[NssDatabase]:
    """The databases of Chromium and its kin that exist; where there is a browser and none, the one it would find."""
    found = [folder for folder in _places(machine) if os.path.isfile(folder / FILE)]  # False where it may not look
    if not found and any(machine.programs.find(browser) for browser in _BROWSERS):
        found = [machine.home / FIRST]
    for folder in found:
        yield NssDatabase("chromium", folder, machine)


def _places(machine: Machine) -> Iterator[Path]:
    yield machine.home / FIRST
    data = machine.environ.get("XDG_DATA_HOME", "")
    yield (Path(data) if data.startswith("/") else machine.home / ".local/share") / "pki/nssdb"
    for pattern in _INSIDE_SANDBOXES:
        yield from sorted(machine.home.glob(pattern))


def _how_to_install(machine: Machine) -> str:
    return next((command for program, command in _PACKAGES if machine.programs.find(program)), _PACKAGES[0][1])
