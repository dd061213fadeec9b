"""Named targets: sections [target NAME] of user_config.ini, beside the scan profiles. No secret stands there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dwtsvc import config, ini, kinds
from dwtsvc.errors import BadArguments, BadConfiguration
from dwtsvc.kinds import Kind
from dwtsvc.paths import Paths
from dwtsvc.targets.target import Target, is_address, of_address

FAMILY = ini.Family(word="target", making="Make one with `dwtsvc config target save NAME url=...`.")
_FORM = "form."
_NAME = re.compile(r"[\w .:@-]{1,200}")  # as of secrets, which are named after targets
_FILE = Kind("the absolute path of a file", lambda text: _absolute(text))
_TAGS: Kind[tuple[str, ...]] = Kind(
    "names or ids with commas between", lambda text: tuple(part.strip() for part in text.split(",") if part.strip())
)
_WEB = ("http", "paperless", "webdav")
KEYS: Mapping[str, tuple[Kind[Any], tuple[str, ...]]] = {  # what it may be, and the kinds of targets that have it
    "user": (kinds.TEXT, (*_WEB, "sftp")),
    "secret": (kinds.TEXT, (*_WEB, "s3", "sftp")),
    "insecure": (kinds.SWITCH, (*_WEB, "s3")),
    "ca": (_FILE, (*_WEB, "s3")),
    "token_header": (kinds.TEXT, ("http",)),
    "file_field": (kinds.TEXT, ("http",)),
    "endpoint": (kinds.TEXT, ("s3",)),
    "region": (kinds.TEXT, ("s3",)),
    "access_key": (kinds.TEXT, ("s3",)),
    "key": (_FILE, ("sftp",)),
    "known_hosts": (_FILE, ("sftp",)),
    "tags": (_TAGS, ("http", "paperless")),
    "correspondent": (kinds.TEXT, ("http", "paperless")),
    "document_type": (kinds.TEXT, ("paperless",)),
    "storage_path": (kinds.TEXT, ("paperless",)),
    "timeout": (kinds.seconds(1, 86400), (*_WEB, "s3", "sftp", "folder")),
}


def names(paths: Paths) -> list[str]:
    """The names of all targets, in the order of the file."""
    return FAMILY.names(ini.read(paths.profiles_file))


def target(paths: Paths, name: str) -> Target:
    """The target of a name, without regard to case; it is what somebody who is trusted with names only may use.

    Raises BadArguments with the names there are, BadConfiguration.
    """
    document = ini.read(paths.profiles_file)
    return _saved(document, FAMILY.known(document, name, _folder_too(name)))


def said(paths: Paths, name: str) -> dict[str, str]:
    """The keys of a target as the file says them."""
    document = ini.read(paths.profiles_file)
    return values(document, FAMILY.known(document, name, _folder_too(name)))


def save(paths: Paths, name: str, given: Mapping[str, str]) -> Target:
    """Make `given` (texts by key) all that a target says; BadArguments for a wrong name, key or value."""
    _check_name(name)
    texts = {key.lower(): value.strip() for key, value in given.items()}
    made = _target(name.strip(), texts)
    if made.kind == "folder":  # the service runs in another folder than the one where somebody types ./archive
        texts["url"] = f"folder:{made.url}"
    Paths.create(paths.config)
    with ini.editing(paths.profiles_file) as document:
        document.replace(FAMILY.heading(document, name), texts)
    return made


def delete(paths: Paths, name: str) -> None:
    """Remove a target; BadArguments with the names there are if it does not exist."""
    FAMILY.delete(paths.profiles_file, name, _folder_too(name))


def check(path: Path) -> list[str]:
    """The names of the targets in a file; BadConfiguration at the first fault."""
    document = ini.read(path)
    return [_saved(document, name).name for name in FAMILY.names(document)]


def values(document: ini.Document, name: str) -> dict[str, str]:
    """Key -> text for one target."""
    return {entry.key.lower(): entry.value for entry in FAMILY.entries(document, name)}


def _saved(document: ini.Document, name: str) -> Target:
    try:
        return _target(name, values(document, name))
    except BadArguments as error:
        what = f"{document.path}: [{FAMILY.word} {name}]: {error.what}"
        raise BadConfiguration(what, why=error.why, hint=error.hint) from None


def _target(name: str, texts: Mapping[str, str]) -> Target:
    given = dict(texts)
    url = given.pop("url", "")
    if not url or not is_address(url):
        raise BadArguments(f"The target '{name}' has no url", hint="For example url=paperless+https://host.")
    form = {key[len(_FORM) :]: given.pop(key) for key in list(given) if key.startswith(_FORM) and key != _FORM}
    read = {key: _kind(key)[0].argument(key, text) for key, text in given.items()}
    made = of_address(url, name, **read, form=form)
    for key in (*given, *(["form"] if form else [])):
        _check_belongs(made, key)
    return made


def _check_belongs(made: Target, key: str) -> None:
    owners = ("http",) if key == "form" else _kind(key)[1]
    if made.kind not in owners:
        raise BadArguments(
            f"The target '{made.name}' has no use for the key '{key}'", hint=f"It is for: {', '.join(owners)}."
        )


def _kind(key: str) -> tuple[Kind[Any], tuple[str, ...]]:
    if found := KEYS.get(key):
        return found
    if any(word in key for word in ("passw", "token", "secret_key")):
        raise BadArguments(
            f"A target has no key '{key}'",
            why="secrets are kept apart",
            hint="`dwtsvc config secret set NAME` asks for the secret of the target NAME.",
        )
    near = config.nearest(key, (*KEYS, "url"))
    allowed = ", ".join(("url", *KEYS, _FORM + "NAME"))
    raise BadArguments(f"A target has no key '{key}'", hint=f"Did you mean {near}?" if near else f"Allowed: {allowed}.")


def _folder_too(name: str) -> str:
    return f" A folder is written as ./{name}."


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name.strip()) or is_address(name):
        raise BadArguments(f"'{name}' cannot be the name of a target", hint="Use letters, digits and blanks.")


def _absolute(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_absolute():
        raise ValueError(text)
    return path
