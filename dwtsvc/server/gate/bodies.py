"""What a request may bring: how many bytes, and how deeply nested, counted while it arrives."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from dwtsvc.errors import BadArguments, DwtsvcError, TooLarge, UnknownCoding
from dwtsvc.server.gate.access import Receive
from dwtsvc.server.gate.visit import READING, Visit

MOST_JSON = 1 << 20  # bytes
MOST_UPLOAD = 64 << 20
DEEPEST = 64

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(each for each in range(256) if each not in b"[]{}")


class Body:
    """A `receive` that raises when a body is more than it may be; `fault` is what it raised.

    `plain` bodies are not looked into: they are files, and bounded by their size alone.
    """

    __slots__ = ("_chunks", "_left", "_most", "_plain", "_receive", "fault")

    def __init__(self, receive: Receive, most: int, *, plain: bool) -> None:
        self._receive, self._most, self._left, self._plain = receive, most, most, plain
        self._chunks: list[bytes] = []
        self.fault: DwtsvcError | None = None

    async def __call__(self) -> MutableMapping[str, Any]:
        if self.fault:
            raise self.fault
        message = await self._receive()
        if message["type"] == "http.request":
            self._count(message.get("body", b""), last=not message.get("more_body", False))
        return message

    def _count(self, chunk: bytes, *, last: bool) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            self._fail(_too_large(self._most))
        if self._plain:
            return
        self._chunks.append(chunk)
        if last:
            whole, self._chunks = b"".join(self._chunks), []
            if is_too_deep(whole):
                self._fail(BadArguments("The JSON text is nested too deeply", why=f"{DEEPEST} levels are allowed"))

    def _fail(self, fault: DwtsvcError) -> None:
        self._chunks = []
        self.fault = fault
        raise fault


def of(receive: Receive, visit: Visit) -> Body | None:
    """The body as it may be read; None if there is none. Raises what can be said before the first byte."""
    coding = visit.given.get(b"content-encoding", b"identity")
    if coding.strip().lower() != b"identity":
        raise UnknownCoding("Compressed bodies are not taken", hint="Send the body as it is.")
    if visit.method in READING and not visit.has_body:
        return None
    is_file = visit.takes_files and not visit.is_json
    most = MOST_UPLOAD if is_file else MOST_JSON
    length = visit.given.get(b"content-length", b"0")
    if not length.isdigit():
        raise BadArguments("The Content-Length header is malformed")
    if len(length) > 18 or int(length) > most:
        raise _too_large(most)
    return Body(receive, most, plain=is_file)


def _too_large(most: int) -> TooLarge:
    return TooLarge("The body of the request is too large", why=f"{most} bytes are allowed")


def is_too_deep(text: bytes) -> bool:
    """Whether a JSON text has more than DEEPEST brackets open at once. One that ends too early may have twice that."""
    if text.count(b"[") + text.count(b"{") <= DEEPEST:
        return False
    brackets = _STRING.sub(b"", text).translate(_BRACKETS, _OTHERS)
    for _ in range(DEEPEST):  # each round takes the innermost level away, of every branch at once
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    return b"[]" in brackets or brackets.count(b"[") > DEEPEST
