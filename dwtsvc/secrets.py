"""Secrets by name: in the keyring of the system where it has one, else in a file that nobody else can read.

A secret never stands in a configuration file, on a command line, in an error or in a log.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dwtsvc import ini
from dwtsvc.errors import BadArguments, BadConfiguration, FileAccess
from dwtsvc.paths import APP, Paths

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_SECTION = "secrets"
_NAME = re.compile(r"[\w .:@-]{1,200}")
MOST = 16_384


class Secrets:
    """The secrets of this user. `folder` holds the file; it is made when a secret is stored in it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "secrets.ini"

    @classmethod
    def of(cls, paths: Paths) -> Secrets:
        return cls(paths.config / "secrets")

    def get(self, name: str) -> str | None:
        """The secret, or None. Raises BadConfiguration for a file that others can read, FileAccess for a keyring
        that is there and does not answer."""
        self._check()  # the file first: a secret that is set anew leaves the other place
        with self._discreetly():
            entry = ini.read(self.file).find(_SECTION, _key(name))
        if entry:
            return entry.value
        backend = _keyring()
        if not backend:
            return None
        with _asking(name):
            return backend.get_password(APP, _key(name))

    def set(self, name: str, secret: str) -> str:
        """Store a secret; says where: "keyring" or the path of the file. Raises BadArguments, FileAccess."""
        if not secret or len(secret) > MOST or not secret.isprintable():
            raise BadArguments(
                f"This cannot be the secret '{name}'",
                why=f"it is empty, has more than {MOST} signs, or holds a control character",
            )
        self._check()
        if backend := _keyring():
            with _asking(name):
                backend.set_password(APP, _key(name), secret)
            self._forget(name)
            return "keyring"
        Paths.create(self.file.parent)
        with self._discreetly(), ini.editing(self.file) as document:
            document.set(_SECTION, _key(name), secret)
        return str(self.file)

    def delete(self, name: str) -> bool:
        """Forget a secret in both places; False if there was none."""
        self._check()
        there = self._forget(name)
        backend = _keyring()
        if backend:
            with _asking(name):
                if backend.get_password(APP, _key(name)) is not None:
                    backend.delete_password(APP, _key(name))
                    there = True
        return there

    def _forget(self, name: str) -> bool:
        if not self.file.exists():
            return False
        with self._discreetly(), ini.editing(self.file) as document:
            return document.unset(_SECTION, _key(name))

    def _check(self) -> None:
        """Refuse a file or folder that others can read, change or own."""
        if os.name == "nt":  # the rights of the user's folder count there
            return
        for path in (self.file.parent, self.file):
            try:
                found = os.lstat(path)
            except FileNotFoundError:
                return
            except OSError as error:
                raise BadConfiguration(f"{path} cannot be read", why=error.strerror or str(error)) from error
            if why := _distrust(found):
                mode = "700" if path is self.file.parent else "600"
                hint = f"If the secrets in it are still yours alone: chmod {mode} {path}"
                raise BadConfiguration(f"{path} is not to be trusted with secrets", why=why, hint=hint)

    @contextmanager
    def _discreetly(self) -> Iterator[None]:
        """What is wrong with the file, without the line that is: it may hold a secret."""
        try:
            yield
        except BadConfiguration as error:
            place = re.match(re.escape(str(self.file)) + r"(?::\d+)?", error.what)
            what = f"{place[0] if place else self.file}: the file of secrets is damaged"
            raise BadConfiguration(what, hint="Mend or remove it, and store the secrets again.") from None


def _distrust(found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "it is a link"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    return "others can read it" if stat.S_IMODE(found.st_mode) & 0o077 else ""


def _key(name: str) -> str:
    if not _NAME.fullmatch(name.strip()):
        raise BadArguments(f"'{name}' cannot be the name of a secret", hint="Use letters, digits, blanks and .:_-@.")
    return name.strip().lower()


def _keyring() -> KeyringBackend | None:
    """The keyring of the system; None where there is none that keeps a secret secret."""
    import keyring

    backend = keyring.get_keyring()
    return backend if backend.priority >= 1 else None  # below 1: no keyring at all, or one in clear text


@contextmanager
def _asking(name: str) -> Iterator[None]:
    from keyring.errors import KeyringError

    try:
        yield
    except (KeyringError, OSError, RuntimeError) as error:
        raise FileAccess(
            f"The keyring does not hand out or take '{name}'",
            why=type(error).__name__,
            hint="Unlock it, and try again.",
        ) from None
