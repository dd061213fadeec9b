"""One request on its way through the guard: what its head says, and what has been found out so far."""

from __future__ import annotations

from collections.abc import Iterable

from dwtsvc.errors import BadArguments
from dwtsvc.server.gate.access import NOBODY, Access, Route

READING = ("GET", "HEAD")
KEYS = (b"dwt-product-key", b"x-dics-license-key")
FETCH = (b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest", b"sec-fetch-user")

# Each of these makes a browser ask first whether the page may send it.
_FORCING = (b"x-dwtsvc", b"x-dwtsvc-token", b"authorization", *KEYS)
_OTHERS = (b"host", b"origin", b"referer", b"access-control-request-method")
_OF_BODY = (b"content-type", b"content-encoding", b"content-length", b"transfer-encoding")
_WANTED = frozenset((*FETCH, *_FORCING, *_OTHERS, *_OF_BODY))


class Visit:
    """What is known of a request so far; a refusal at any point is answered from it."""

    __slots__ = ("access", "caller", "given", "method", "own_origin", "reader", "route", "takes_files")

    def __init__(self, method: str) -> None:
        self.method = method
        self.given: dict[bytes, bytes] = {}
        self.own_origin = b""
        self.route: Route | None = None
        self.access: Access | None = None
        self.takes_files = False
        self.caller = NOBODY
        self.reader: bytes | None = None  # the origin whose pages may read the answer

    @property
    def is_upload(self) -> bool:
        """It moves files, from the page to us or from us to a server."""
        return self.takes_files or self.access is Access.UPLOAD

    @property
    def has_body(self) -> bool:
        return b"transfer-encoding" in self.given or self.given.get(b"content-length", b"0") != b"0"

    @property
    def is_json(self) -> bool:
        return self.given.get(b"content-type", b"").partition(b";")[0].strip().lower() == b"application/json"

    @property
    def is_forced(self) -> bool:
        """Whether a browser had to ask before it sent this for a page: by a header of ours, or JSON."""
        return self.is_json or any(name in self.given for name in _FORCING)


def read_head(listed: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers that matter here. One that is given twice is refused: another reader might take the other one."""
    given: dict[bytes, bytes] = {}
    for name, value in listed:
        if name in _WANTED:
            if name in given:
                raise BadArguments("A header of the request is given twice")
            given[name] = value
    return given
