"""The token that lets a program in, and the signatures that let one image out."""

from __future__ import annotations

import base64
import hmac
import os
import secrets
import time
from pathlib import Path
from urllib.parse import parse_qsl, quote

from dwtsvc.errors import BadConfiguration
from dwtsvc.server.gate import private

LONGEST = 600  # seconds that a signature may be good for
_LENGTH = 43  # 256 bits in base64
_SIGNED = ("id", "index", "page", "image")  # what a query says of which image is meant; the rest (size, time) is free


class Token:
    """The token of this user's service, in a file that only this user may read, and a key of our own for signatures.

    The token is made once and stays; the key lives in memory and dies with the service.
    Raises BadConfiguration if the file is not ours alone, FileAccess if it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = secrets.token_bytes(32)
        self._mark: tuple[int, ...] | None = None
        self._text = b""
        self._refresh()

    @property
    def text(self) -> str:
        self._refresh()
        return self._text.decode()

    def matches(self, text: bytes) -> bool:
        """Whether this is the token, in a time that tells nothing of how much of it was right."""
        self._refresh()
        return hmac.compare_digest(text, self._text)

    def renew(self) -> str:
        """Make a new token: the old one is worth nothing from now on, in a running service too."""
        private.write(self._path, secrets.token_urlsafe(32))
        return self.text

    def _refresh(self) -> None:
        """Take over a token that another process made. A look at the file takes a microsecond."""
        mark = private.mark(self._path)
        if mark is None:
            private.make(self._path, secrets.token_urlsafe(32))
            mark = private.mark(self._path)
        if mark != self._mark:
            self._text, self._mark = _read(self._path), mark

    def signed(self, bucket: str, url: str, *, seconds: int = LONGEST) -> str:
        """A URL for an `<img>`: the path and query given, with a signature that shows this one image to its holder."""
        path, _, query = url.partition("?")
        expires = int(time.time()) + min(seconds, LONGEST)
        signature = self.sign(bucket, *_meant(path, _values(query)), expires)
        return f"{url}{'&' if query else '?'}sig={quote(signature, safe='')}"

    def sign(self, bucket: str, identity: str, page: str, expires: int) -> str:
        """A signature for one image of one bucket, until `expires` (seconds of the epoch)."""
        return f"{expires:x}.{_encode(bucket.encode())}.{_encode(self._mac(bucket, identity, page, expires))}"

    def check(self, path: str, query: str) -> str | None:
        """The bucket of the image that a request with `sig` in its query may see; None if it may not."""
        try:
            values = _values(query)
            expires, bucket, _ = _claimed(values.get("sig", ""))
        except ValueError:
            return None
        if not 0 < expires - time.time() <= LONGEST + 1:
            return None
        # The whole text is compared, because other texts decode to the same bytes.
        right = self.sign(bucket, *_meant(path, values), expires)
        return bucket if hmac.compare_digest(values["sig"].encode("utf-8", "replace"), right.encode()) else None

    def _mac(self, bucket: str, identity: str, page: str, expires: int) -> bytes:
        """Each part goes in with its length, so that no two claims are the same bytes."""
        parts = [part.encode("utf-8", "surrogateescape") for part in (bucket, identity, page, str(expires))]
        return hmac.digest(self._key, b"".join(b"%d:%s" % (len(part), part) for part in parts), "sha256")


def _read(path: Path) -> bytes:
    text = private.read(path, 1024).strip()
    if len(text) != _LENGTH:
        raise BadConfiguration(f"{path} holds no token", hint="Remove it; a new one is made.")
    if os.name != "nt" and path.stat().st_mode & 0o077:
        raise BadConfiguration(f"{path} can be read by other users", hint="Remove it; a new one is made.")
    return text


def _meant(path: str, values: dict[str, str]) -> tuple[str, str]:
    """Which image a URL means: its address with the id, and its page."""
    said = [quote(values.get(name, ""), safe="") for name in ("index", "page", "image")]
    return f"{path}?{values.get('id', '')}", "/".join(said if said[2] else said[:2])


def _claimed(signature: str) -> tuple[int, str, str]:
    """Expiry, bucket and the rest of a signature. Raises ValueError if it is not made like one."""
    expires, bucket, mac = signature.split(".")
    if len(expires) > 16:
        raise ValueError(expires)
    return int(expires, 16), _decode(bucket).decode(), mac


def _values(query: str) -> dict[str, str]:
    """What a query says of the image it means. Raises ValueError if it says one thing twice."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=32, errors="surrogateescape"):
        if name in (*_SIGNED, "sig"):
            if name in found:  # the guard and the route behind it might each take another one
                raise ValueError(name)
            found[name] = value
    return found


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
