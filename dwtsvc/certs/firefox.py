"""Where Firefox keeps its profiles, and the policy with which an administrator gives an authority to all of them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dwtsvc.certs import authority, files, splice
from dwtsvc.certs.authority import Certificate
from dwtsvc.certs.nss import FILE, NssDatabase
from dwtsvc.certs.stores import Machine
from dwtsvc.errors import BadInput, DwtsvcError, FileAccess
from dwtsvc.paths import Paths

# From version 147 on a new profile lies below XDG_CONFIG_HOME, an old one stays where it was. snap and flatpak have a
# home of their own for it.
_HOMES = (
    ".mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    "snap/firefox/common/.config/mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/config/mozilla/firefox",
)
_PATH = re.compile(r"^Path=(.*?)\s*$", re.MULTILINE)

POLICY_FOLDER = "/etc/firefox/policies"
_POLICY = "policies.json"
_LIST = ("policies", "Certificates", "Install")
_PREFIX = authority.NAME.replace(" ", "-")
_INSTALLATIONS = (
    *("/usr/lib/firefox", "/usr/lib/firefox-esr", "/usr/lib64/firefox", "/usr/lib64/firefox-esr"),
    *("/opt/firefox", "/usr/local/lib/firefox", "/usr/local/firefox"),
)


def profiles(machine: Machine) -> Iterator[NssDatabase]:
    """The profiles that Firefox has been started with: before that, there is nothing to put an authority into."""
    config = machine.environ.get("XDG_CONFIG_HOME", "")
    modern = (Path(config) if config.startswith("/") else machine.home / ".config") / "mozilla/firefox"
    homes = [modern, *(machine.home / each for each in _HOMES)]
    folders = [folder for home in homes for folder in _profiles_of(home)]
    for folder in dict.fromkeys(folders):
        if os.path.isfile(folder / FILE):  # False, not an error, where it may not look
            yield NssDatabase("firefox", folder, machine)


def _profiles_of(home: Path) -> list[Path]:
    """What profiles.ini names, which may lie anywhere, and what lies beside it: a person may have moved the file."""
    try:
        listed = _PATH.findall((home / "profiles.ini").read_text("utf-8", errors="replace"))
        beside = sorted(each for each in home.iterdir() if each.is_dir())
    except OSError:
        return []
    return [*(home / path for path in listed), *beside]


def policies(machine: Machine) -> Iterator[PolicyStore]:
    """The policy files to write to.

    Firefox reads one file only, the one in /etc if it is there. To make that one where an administrator keeps the
    policies beside the program would switch all of those off; then the authority goes into the files that are used.
    """
    in_etc = machine.beneath(POLICY_FOLDER) / _POLICY
    beside = [machine.beneath(each) / "distribution" / _POLICY for each in _INSTALLATIONS]
    used = [in_etc] if os.path.isfile(in_etc) else [path for path in beside if os.path.isfile(path)]
    installed = any(os.path.isdir(machine.beneath(each)) for each in (*_INSTALLATIONS, "/snap/firefox"))
    if not used and (installed or machine.programs.find("firefox")):
        used = [in_etc]
    for path in used:
        yield PolicyStore(path)


class PolicyStore:
    """One policies.json, into which entries are merged, and beside it the authorities that the entries name.

    The copies lie there because a user's own folder is closed to the other users' browsers.
    """

    kind = "firefox-policy"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.where = str(path)

    def obstacle(self) -> DwtsvcError | None:
        if not os.access(_existing(self._path), os.W_OK):
            hint = "Run `dwtsvc cert export ca.pem`, and as administrator name that file in the policy."
            return FileAccess(f"{self._path} cannot be changed", why="only the administrator may", hint=hint)
        try:
            self._items()
        except DwtsvcError as error:
            return error
        return None

    def holds(self, ca: Certificate) -> bool:
        return str(self._file(ca.name)) in self._items() and files.read(self._file(ca.name)) == ca.pem

    def names(self) -> tuple[str, ...]:
        named = [Path(item) for item in self._items() if Path(item).parent == self._path.parent]
        found = [*named, *sorted(self._path.parent.glob(f"{_PREFIX}*.pem"))]
        return tuple(dict.fromkeys(each.stem.replace("-", " ") for each in found if each.name.startswith(_PREFIX)))

    def install(self, ca: Certificate) -> None:
        if self.holds(ca):
            return
        if error := self.obstacle():
            raise error
        Paths.create(self._path.parent, 0o755)
        files.write(self._file(ca.name), ca.pem, 0o644)  # first: an entry that leads nowhere is an error in Firefox
        self._change(splice.add, ca.name)

    def uninstall(self, name: str) -> None:
        self._change(splice.remove, name)
        files.remove(self._file(name))

    def _change(self, change: Callable[[str, Sequence[str], str], str], name: str) -> None:
        before = files.read(self._path) or ""
        after = change(before, _LIST, str(self._file(name)))
        if after and after != before:
            files.write(self._path, after, 0o644)
        elif after != before:
            files.remove(self._path)

    def _items(self) -> list[str]:
        text = files.read(self._path) or "{}"
        try:
            value = json.loads(text)
            for key in _LIST:
                value = value.get(key, {})
            return [str(each) for each in value]
        except (ValueError, AttributeError, TypeError) as error:
            hint = "Correct the file first; Firefox does not read it as it is."
            raise BadInput(f"{self._path} is not understood", why=str(error), hint=hint) from error

    def _file(self, name: str) -> Path:
        return self._path.parent / f"{name.replace(' ', '-')}.pem"


def _existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that is there."""
    return next(each for each in (path, *path.parents) if os.path.exists(each))
