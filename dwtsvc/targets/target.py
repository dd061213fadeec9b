"""Targets: where results may go, written as a URL or a path, and what the configuration says of one by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from dwtsvc.errors import BadArguments

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SCHEMES = {
    "folder": "folder",
    "http": "http",
    "https": "http",
    "paperless+http": "paperless",
    "paperless+https": "paperless",
    "webdav+http": "webdav",
    "webdav+https": "webdav",
    "s3": "s3",
    "sftp": "sftp",
}
_WITHOUT_HOST = ("folder",)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FORMS = "folder:/path, https://host/path, paperless+https://host, webdav+https://host/folder/, s3://bucket/prefix, "
_FORMS += "sftp://user@host/folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a file goes. Holds no secret, only the name under which one is kept.

    `kind` is folder, http, paperless, webdav, s3 or sftp. `url` is without user and, for paperless and WebDAV, without
    the word before the plus; of a folder it is the path. `form` are fixed fields of an HTTP form.
    """

    name: str
    kind: str
    url: str
    secret: str
    user: str = ""
    insecure: bool = False
    ca: Path | None = None
    file_field: str = "file"
    token_header: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    key: Path | None = None
    known_hosts: Path | None = None
    tags: tuple[str, ...] = ()
    correspondent: str = ""
    document_type: str = ""
    storage_path: str = ""
    timeout: float = 600.0
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def shown(self) -> str:
        """The URL for people: without its query, in which some services want a key."""
        return self.url.partition("?")[0]


def is_address(text: str) -> bool:
    """Whether a text is a URL or a path, and not the name of a target."""
    return "://" in text or text.startswith(("folder:", ".", "~")) or "/" in text or "\\" in text


def of_address(text: str, name: str = "", **said: Any) -> Target:
    """The target at a URL or path; `said` are further fields. Raises BadArguments, without quoting a secret."""
    if "://" not in text:
        return Target(name=name or text, kind="folder", url=str(_path(text)), secret="", **_own(said))
    scheme, parts = _split(text)
    kind = SCHEMES[scheme]
    user = _user(parts)
    plain = parts._replace(scheme=scheme.rpartition("+")[2], netloc=parts.netloc.rpartition("@")[2])
    own = _own({"user": user, **said} if user else said)
    secret = str(own.pop("secret", "") or (name or secret_name(plain.netloc)))
    target = Target(name=name or plain._replace(query="").geturl(), kind=kind, url=plain.geturl(), secret=secret, **own)
    _check_security(target)
    return target


def secret_name(host: str) -> str:
    """The name of the secret for a host (with its port) that is written as a URL."""
    return host.lower().replace("[", "").replace("]", "")


def check_endpoint(target: Target) -> None:
    """Raises BadArguments for an endpoint of S3 that is no address of a server, or one without encryption."""
    if not target.endpoint:
        return
    parts = urlsplit(target.endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise BadArguments("The endpoint of a target is not understood", hint="Write it as https://host.")
    if parts.scheme == "http":
        _refuse_open(target, parts.hostname)


def _own(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value is not None}


def _path(text: str) -> Path:
    path = text.removeprefix("folder:")
    if not path or "\0" in path:
        raise BadArguments("The folder of a target has no name", hint="Write it as folder:/path.")
    return Path(path).expanduser().absolute()


def _split(text: str) -> tuple[str, SplitResult]:
    plain = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    try:
        parts = urlsplit(text) if plain else None
        good = parts is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        parts, good = None, False
    if parts is None or not good or not parts.hostname or parts.fragment:
        raise BadArguments(
            "The address of a target is not understood", hint=f"Write {_FORMS}; other signs as %20 and so on."
        )
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES or scheme in _WITHOUT_HOST:
        raise BadArguments(f"There is no way to send to {scheme}://", hint=f"Write {_FORMS}.")
    if scheme == "s3" and not _BUCKET.fullmatch(parts.netloc):
        raise BadArguments("The bucket of a target is not understood", hint="Write s3://bucket/prefix.")
    return scheme, parts


def _user(parts: SplitResult) -> str:
    """The user of a URL. Raises BadArguments if a password stands there: command lines are seen by every process."""
    from urllib.parse import unquote

    if parts.password is not None:
        host = secret_name(parts.netloc.rpartition("@")[2])
        raise BadArguments(
            "A password does not belong into the address of a target",
            why="others can read command lines and histories",
            hint=f"Run `dwtsvc config secret set {host}`, which asks for it, and leave it out of the address.",
        )
    return unquote(parts.username or "")


def _check_security(target: Target) -> None:
    if target.parts.scheme == "http":
        _refuse_open(target, target.parts.hostname or "")
    check_endpoint(target)


def _refuse_open(target: Target, host: str) -> None:
    if not target.insecure and host not in LOOPBACK:
        raise BadArguments(
            f"Nothing is sent to {host} without encryption",
            why="the address begins with http",
            hint="Write https, or save a named target with insecure=on if nobody else is on that network.",
        )
