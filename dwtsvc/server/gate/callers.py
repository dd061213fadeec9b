"""Who asks: the decision table of the guard. The first row that fits is the answer.

| Origin          | Sec-Fetch-Site           | token | who it is                                             |
| --------------- | ------------------------ | ----- | ----------------------------------------------------- |
| any             | any                      | right | a tool                                                |
| any             | any                      | wrong | refused, if it was meant to be one                    |
| our own         | same-origin, none, none given | - | an own page                                           |
| with consent    | any                      | -     | that origin                                           |
| `null`, another | any                      | -     | refused; but another may ask for consent              |
| -               | same-origin              | -     | an own page                                           |
| -               | none, or a navigation    | -     | a person, who may open pages and nothing else         |
| -               | cross-site, same-site    | -     | refused; but an image with a signature is shown       |
| -               | - (and no other trace of a browser) | - | a tool, if it is this user's and no token is required |

Whoever has no token must be a program of this user, browsers too: another user could say anything in a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from dwtsvc.errors import OriginNotAllowed, TokenNeeded
from dwtsvc.server.gate.access import OWN, TOOL, Access, Caller, Scope
from dwtsvc.server.gate.grants import is_origin
from dwtsvc.server.gate.peers import Connection, Peers
from dwtsvc.server.gate.visit import FETCH, KEYS, READING, Visit

if TYPE_CHECKING:
    from dwtsvc.server.gate.consent import Consent
    from dwtsvc.server.gate.token import Token

CONNECTION = "dwtsvc.connection"  # the extension in which the HTTP protocol tells of the connection

_BEARER = b"bearer "


class Callers:
    """Finds out who sent a request. `is_exposed` says that other machines can reach the service."""

    def __init__(self, consent: Consent, token: Token, peers: Peers, *, require_token: bool) -> None:
        self._consent, self._token, self._peers = consent, token, peers
        self._require_token = require_token
        self.is_exposed = False

    def know(self, scope: Scope, visit: Visit) -> None:
        """Find out who asks. Raises if it is nobody that may ask for anything."""
        given, origin = visit.given, visit.given.get(b"origin")
        if self._has_token(given):
            visit.caller = TOOL if origin is None else Caller("tool", origin.decode("latin-1"), TOOL.scopes)
            visit.reader = origin if origin and is_origin(origin.decode("latin-1")) else None
        elif origin is not None:
            self._know_origin(scope, visit, origin)
        elif b"sec-fetch-site" in given:
            self._know_own(scope, visit, given[b"sec-fetch-site"])
        elif b"referer" in given or any(name in given for name in FETCH):  # a browser that says little
            _refuse()
        else:
            if self._require_token or self.is_exposed:
                raise TokenNeeded("The token of the service is needed", hint="`dwtsvc token` shows it.")
            self._need_same_user(scope)
            visit.caller = TOOL

    def _know_origin(self, scope: Scope, visit: Visit, origin: bytes) -> None:
        site = visit.given.get(b"sec-fetch-site")
        if origin == visit.own_origin and site in (None, b"same-origin", b"none"):
            self._need_same_user(scope)
            visit.caller = OWN
            return
        found = self._consent.caller(origin)
        if found is None:
            if visit.access is not Access.ASK or not is_origin(origin.decode("latin-1")):
                _refuse()
            found = Caller("nobody", origin.decode("latin-1"), frozenset({Access.ASK}))
        self._need_same_user(scope)
        visit.caller, visit.reader = found, origin
        if visit.method not in (*READING, "OPTIONS") and not visit.is_forced:
            raise OriginNotAllowed("A change needs the header X-DWTSVC: 1 or a JSON body")

    def _know_own(self, scope: Scope, visit: Visit, site: bytes) -> None:
        """No Origin, and the browser's word on where the request began."""
        navigated = (
            visit.given.get(b"sec-fetch-mode") == b"navigate" and visit.given.get(b"sec-fetch-dest") == b"document"
        )
        opened = visit.access is Access.PAGE and visit.method in READING and (navigated or site == b"none")
        if site != b"same-origin" and not opened:
            _refuse()
        self._need_same_user(scope)
        visit.caller = OWN

    def _need_same_user(self, scope: Scope) -> None:
        connection = scope.get("extensions", {}).get(CONNECTION) or Connection()
        if not self._peers.is_mine(connection, scope.get("client"), scope.get("server")):
            raise TokenNeeded(
                "This service belongs to another user of this machine, who must give you its token",
                hint="Send it as `Authorization: Bearer`.",
            )

    def _has_token(self, given: Mapping[bytes, bytes]) -> bool:
        """Whether the request brings the token. Raises if it brings another one in its place."""
        for name in KEYS:
            if name in given and self._token.matches(given[name]):
                return True
        named = given.get(b"x-dwtsvc-token")
        bearer = given.get(b"authorization", b"")
        if named is None and bearer[: len(_BEARER)].lower() == _BEARER:
            named = bearer[len(_BEARER) :].strip()
        if named is not None and self._token.matches(named):
            return True
        required = self._require_token or self.is_exposed
        if named is not None or (required and any(name in given for name in KEYS)):
            raise TokenNeeded("This is not the token of the service", hint="`dwtsvc token` shows it.")
        return False

    def has_signature(self, scope: Scope, visit: Visit) -> bool:
        query = scope.get("query_string", b"")
        if visit.method not in READING or b"sig=" not in query:
            return False
        bucket = self._token.check(scope["path"], query.decode("latin-1"))
        if bucket is None:
            return False
        visit.caller = Caller("image", bucket, frozenset({Access.IMAGE}))
        origin = visit.given.get(b"origin")
        if origin and self._consent.caller(origin):
            visit.reader = origin
        return True


def _refuse() -> NoReturn:
    raise OriginNotAllowed("This web site may not use the scan service", hint="The user can allow it.")
