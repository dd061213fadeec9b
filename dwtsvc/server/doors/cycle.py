"""One request and its answer, run to an end that the client can tell from a cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from dwtsvc.errors import DwtsvcError, ServiceNotRunning

PIECE = 256 << 10  # bytes of an answer that are written at once

_FIELDS = (
    b"content-type: application/json\r\n"
    b"cache-control: no-store\r\n"
    b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n"
    b"cross-origin-resource-policy: same-origin\r\n"
    b"referrer-policy: no-referrer\r\n"
    b"x-content-type-options: nosniff\r\n"
)
_PAIRS = [tuple(line.split(b": ", 1)) for line in _FIELDS.splitlines()]
_CLOSE = (b"connection", b"close")


def error_body(status: int, error: DwtsvcError) -> bytes:
    """The error object of the REST API. What is said here comes before any face, so it names no request data."""
    message = f"{error.what}. {error.hint}".rstrip(". ") + "."
    content = {"code": error.service_code, "message": message, "statusCode": status, "error": error.word}
    return json.dumps(content).encode()


def error_answer(status: int, error: DwtsvcError) -> bytes:
    """Fields and body of an answer that ends its connection, without status line and date."""
    body = error_body(status, error)
    retry = b"retry-after: 1\r\n" if status == 503 else b""
    return _FIELDS + retry + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body


class Cycle(RequestResponseCycle):
    def send(self, message: Any) -> Coroutine[Any, Any, None]:
        """Send a large body piece by piece, each when the client has taken those before.

        In one piece TLS would encrypt all of it at once, on the loop, and hide from `pause_writing` that the client
        takes nothing. No coroutine of its own for the small ones: they are nearly all.
        """
        body = message.get("body", b"")
        if len(body) <= PIECE:
            return RequestResponseCycle.send(self, message)
        return self._send_pieces(memoryview(body), message.get("more_body", False))

    async def _send_pieces(self, body: memoryview, more: bool) -> None:
        for at in range(0, len(body), PIECE):
            last = at + PIECE >= len(body)
            piece: Any = {"type": "http.response.body", "body": body[at : at + PIECE], "more_body": more or not last}
            await super().send(piece)

    async def run_asgi(self, app: Any) -> None:
        """Run the application. Only its own faults are logged: not a client that left, not a request that was cut."""
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            await self._fail(503, ServiceNotRunning("The service is stopping"))
        except BaseException as error:
            if not self.disconnected:
                self.logger.error("A request ended with an unexpected error", exc_info=error)
            await self._fail(500, DwtsvcError("Internal error"))
        else:
            if not (self.response_complete or self.disconnected):
                self.logger.error("A request ended without a complete answer")
                await self._fail(500, DwtsvcError("Internal error"))
        finally:
            self.on_response = lambda: None

    async def _fail(self, status: int, error: DwtsvcError) -> None:
        if self.response_complete or self.disconnected:
            return
        if self.response_started:
            self.transport.close()  # before the end that was promised, so the client knows
            return
        body = error_body(status, error)
        length = (b"content-length", b"%d" % len(body))
        start: Any = {"type": "http.response.start", "status": status, "headers": [*_PAIRS, length, _CLOSE]}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body, "more_body": False})
