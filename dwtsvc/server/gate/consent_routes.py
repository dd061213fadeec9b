"""The addresses of consent: a web page asks and waits, the service's own page shows the request and decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec
from litestar import Request, get, post
from litestar.params import FromPath, JSONBody

from dwtsvc.errors import ServiceRefused
from dwtsvc.server.gate import access, spelling
from dwtsvc.server.gate.access import USUAL, Access
from dwtsvc.server.gate.consent import Asked, Consent

if TYPE_CHECKING:
    from dwtsvc.server.service import Service


class Wanted(msgspec.Struct, frozen=True):
    """What a page asks for: any of list, scan, read, edit, upload, camera; all but the last if it does not say."""

    scopes: list[str] = msgspec.field(default_factory=lambda: sorted(USUAL))


class Decided(msgspec.Struct, frozen=True):
    """The user's answer to a request."""

    id: str
    decision: Literal["once", "always", "never"]


def routes(service: Service) -> list[Any]:
    """The handlers, over the service's consent."""
    consent: Consent = service.consent

    @post(
        "/consent/requests", opt={"access": Access.ASK}, include_in_schema=False, sync_to_thread=False, status_code=201
    )
    def ask(request: Request[Any, Any, Any], data: JSONBody[Wanted]) -> dict[str, str]:
        """Ask the user to let the calling web origin in."""
        return {"id": consent.ask(_origin(request), data.scopes)}

    @get("/consent/requests/{uid:str}", opt={"access": Access.ASK}, include_in_schema=False, sync_to_thread=False)
    def look(request: Request[Any, Any, Any], uid: FromPath[str]) -> dict[str, Any]:
        """What became of a request: pending, allowed, denied or expired. An own page is also told who asks."""
        caller = access.caller(request)
        if caller.kind in ("own", "tool"):
            return _shown(consent, consent.asked(uid))
        return {"state": consent.state(uid, caller.origin)}

    @get("/consent/requests", opt={"access": Access.ADMIN}, include_in_schema=False, sync_to_thread=False)
    def pending() -> list[dict[str, Any]]:
        """Every request that waits for the user."""
        return [_shown(consent, each) for each in consent.pending()]

    @post(
        "/consent/decisions",
        opt={"access": Access.ADMIN},
        include_in_schema=False,
        sync_to_thread=True,
        status_code=200,
    )
    def decide(data: JSONBody[Decided]) -> dict[str, str]:
        """The user's answer to a request; it is kept in a file unless it is for once."""
        return {"state": consent.decide(data.id, data.decision)}

    return [ask, look, pending, decide]


def _origin(request: Request[Any, Any, Any]) -> str:
    caller = access.caller(request)
    if caller.kind in ("own", "tool") or caller.origin is None:
        raise ServiceRefused("Only a web site asks for consent", hint="Programs and own pages need none.")
    return caller.origin


def _shown(consent: Consent, asked: Asked) -> dict[str, Any]:
    """A request as a person is to see it: `has` is what the site may do by now, `spelled` how its name reads."""
    host = urlsplit(asked.origin).hostname or ""
    return {
        "id": asked.id,
        "origin": asked.origin,
        "scopes": list(asked.scopes),
        "state": asked.state,
        "has": list(consent.has(asked.origin)),
        "spelled": spelling.spelled(host),
        "letters": [each._asdict() for each in spelling.letters(host)],
    }
