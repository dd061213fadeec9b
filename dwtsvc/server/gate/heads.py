"""HEAD: what GET would say, without its body, and without what a GET of the old protocols changes."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from dwtsvc.server.gate.access import Scope, Send

_MARK = "head"


def as_get(scope: Scope) -> Scope:
    """The scope of a HEAD as an app sees it that knows GET only."""
    return {**scope, "method": "GET", "state": {**scope.get("state", {}), _MARK: True}}


def only_looks(request: Any) -> bool:
    """Whether a GET is a HEAD in truth: it may change nothing, also where GET does."""
    return bool(request.scope.get("state", {}).get(_MARK))


def without_body(send: Send) -> Send:
    """A `send` that ends an answer with its head, at once: the body of an event stream would not."""

    async def head_only(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})

    return head_only
