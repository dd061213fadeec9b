"""HTTP/1.1 on one connection, with the limits that uvicorn's parser does not know.

A head has a size and a number of fields; the receipt of head and body, the idle time and the client's taking of the
answer have deadlines; what a proxy could read otherwise than we do is refused. Requests are taken one at a time: what
follows a request before its answer is never read as a second one. The answer to the first says that the connection
closes, as HTTP lets a server do, so there is nothing to smuggle a request into.

Deadlines are kept by one sweep over all connections, not by a timer for each request: that costs nothing a request.
"""

from __future__ import annotations

import asyncio
import time
import urllib.parse
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from dwtsvc.errors import BadArguments, DwtsvcError, TooLarge, TooMany
from dwtsvc.server.doors import head
from dwtsvc.server.doors.connections import EXTENSION, Connection, Connections
from dwtsvc.server.doors.cycle import Cycle, error_answer
from dwtsvc.server.doors.head import Refused

NEVER = float("inf")
_ASGI = {"version": "3.0", "spec_version": "2.3"}
SPARE = 256  # connections above the limit that still get a 503; those above are dropped unheard
FRAMING = 64 << 10  # bytes of chunk sizes, extensions and trailers that a body may have, besides 8 for each of its own
UNREAD = 256 << 10  # bytes of a body read to its end although the answer is given, to keep the connection


class _Phase(Enum):
    HEAD = auto()  # between requests, or within a head
    BODY = auto()  # the head is whole, the body is not
    ANSWER = auto()  # the request is whole, the answer is not
    LAST = auto()  # nothing is read any more


HEAD, BODY, ANSWER, LAST = _Phase


class Outlet:
    """The transport as a request's answer sees it: closing waits for what the client still sends."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class Protocol(HttpToolsProtocol):
    cycle: Cycle | None  # type: ignore[assignment]

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], *, connections: Connections
    ) -> None:
        super().__init__(config, server_state, app_state, asyncio.get_running_loop())
        self._crowd = connections
        self._limits = connections.limits
        self.read_deadline = self.write_deadline = NEVER
        self._phase = HEAD
        self._head_bytes = 0
        self._begun = False
        self._surplus = False
        # With TLS this is before the handshake: the client's process may be gone when it is done.
        self._extensions = {EXTENSION: Connection(time.monotonic(), connections.stopping)}

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._outlet = Outlet(transport, self._finish)
        self._crowd.all.add(self)
        excess = len(self._crowd.all) - self._limits.connections
        if excess > SPARE:
            transport.abort()
        self._surplus = excess > 0 or (self.client is not None and self._crowd.too_many(self.client[0]))
        self._expect_by(self._limits.linger if self._surplus else self._limits.head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.all.discard(self)
        self.read_deadline = self.write_deadline = NEVER
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._close()
        else:
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        super().pause_writing()
        self._take_by()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self.write_deadline = NEVER

    def late(self) -> None:
        """The client did not send in time what was due."""
        if self._phase is HEAD and self._begun:
            self._refuse(408, BadArguments("The head of the request did not arrive in time"))
        elif self._phase is BODY and self.flow.read_paused:  # the application is slow, not the client
            self._expect_by(1)
            self._body_began = self.read_deadline - self._received / self._limits.rate  # whose time begins anew
        elif self._phase is BODY:
            self._refuse(408, BadArguments("The body of the request did not arrive in time"))
        else:
            self._close()

    # Input

    def data_received(self, data: bytes) -> None:
        if self._phase is HEAD:
            if not self._head_bytes:
                self._head_begins(data)
            self._head_bytes += len(data)
            if self._head_bytes <= self._limits.head_bytes:
                self._feed(data)
            else:
                self._feed_within_limit(data, len(data) - self._head_bytes + self._limits.head_bytes)
        elif self._phase is BODY:
            self._feed(data)
        elif self._phase is ANSWER and data.strip(b"\r\n"):  # old clients end a body with a line end too many
            self._read_no_more()
        if self._phase is BODY:
            self._body_received(len(data))

    def _head_begins(self, data: bytes) -> None:
        self._opening = data
        if self.cycle is not None:  # the first one's time runs since the connection was made
            self._expect_by(self._limits.head)

    def _feed_within_limit(self, data: bytes, room: int) -> None:
        """The head may end in the first `room` bytes and a body follow; else it is too large."""
        if room:
            self._feed(data[:room])
        if self._phase is HEAD:
            self._refuse(431, TooLarge("The head of the request is too large"))
        else:
            self.data_received(data[room:])

    def _body_received(self, count: int) -> None:
        """Move the deadline of the body; refuse one that is mostly chunk sizes, extensions or trailers."""
        if not self._received:
            self._body_began = self.loop.time()
        self._received += count
        self.read_deadline = self._body_began + self._limits.body + self._received / self._limits.rate
        if self._received > FRAMING + 9 * self._body_bytes:
            self._refuse(400, BadArguments("The body of the request is hardly any data"))

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # answered in HTTP/1.1; what follows may be another protocol
            self._read_no_more()
        except httptools.HttpParserError as error:
            self._not_understood(error.__context__)

    def _not_understood(self, cause: BaseException | None) -> None:
        """The parser stopped: by itself, or because one of the methods below raised `cause`."""
        if self._phase is ANSWER:
            self._read_no_more()
        elif isinstance(cause, Refused):
            self._refuse(cause.status, cause.error)
        else:
            self._refuse(400, BadArguments("The request is not valid HTTP/1.1"))

    # What the parser found

    def on_message_begin(self) -> None:
        if self._phase is not HEAD:
            raise head.refused("One request at a time")
        self._begun = True
        self.url = b""
        self.headers = []
        self._single: dict[bytes, bytes] = {}

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > self._limits.target_bytes:
            raise Refused(414, TooLarge("The address of the request is too long"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is not HEAD:  # a trailer; nobody reads them
            return
        if len(self.headers) == self._limits.fields:
            raise Refused(431, TooLarge("The request has too many header fields"))
        name = name.lower()
        self.headers.append((name, value))
        if name in head.SINGLE:
            if name in self._single:
                raise head.refused(f"The header field {name.decode()} stands twice")
            self._single[name] = value

    def on_headers_complete(self) -> None:
        version, method = self.parser.get_http_version(), self.parser.get_method()
        single = self._single
        if version == "1.0" and b" HTTP/1.0\r\n" not in self._opening:  # the parser takes RTSP/1.0 for it
            raise head.refused("The request is not HTTP")
        head.check_version(version, method, single)
        if len(single) > 1 or version != "1.1":  # there is more than Host
            head.check_framing(version, single, upgrades=self.parser.should_upgrade())
            head.check_expectation(single)
        if self._surplus:
            raise Refused(503, TooMany("The service has too many connections", hint="Try again in a second."))
        self.scope = self._make_scope(version, method.decode("ascii"))
        self.cycle = Cycle(
            scope=self.scope,
            transport=self._outlet,  # type: ignore[arg-type]
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,  # an address can hold a token
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=b"expect" in single,
            keep_alive=version == "1.1" and not self._crowd.closing and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        self._phase = BODY
        self._received = self._body_bytes = 0
        self._start_asgi_task(self.cycle, self.app)

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        assert cycle is not None
        self._body_bytes += len(body)
        if cycle.response_complete:
            self._unread += len(body)
            if self._unread > UNREAD:
                raise head.refused("The body of the request is not wanted")
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        cycle = self.cycle
        assert cycle is not None
        cycle.more_body = False
        cycle.message_event.set()
        self._phase = ANSWER
        self.read_deadline = NEVER
        if cycle.response_complete:
            self._await_next()

    def _make_scope(self, version: str, method: str) -> Any:
        target = httptools.parse_url(self.url)
        if not self.url.startswith(b"/"):
            head.check_authority(self.url, target.schema, self.scheme, self._single)
        raw_path = target.path or b"/"
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": method,
            "root_path": "",
            "path": urllib.parse.unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": target.query or b"",
            "headers": self.headers,
            "state": {},
            "extensions": self._extensions,
        }

    # The end of a request, and of the connection

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self._phase is ANSWER and not self.transport.is_closing():
            self._await_next()
        elif self._phase is BODY:  # answered early: the rest is read and forgotten, if it is little
            self._unread = 0
            self.flow.resume_reading()

    def _await_next(self) -> None:
        self._phase = HEAD
        self._head_bytes = 0
        self._begun = False
        self.read_deadline = self.loop.time() + self._limits.idle
        self.flow.resume_reading()

    def _read_no_more(self) -> None:
        """The present request is the last; what the client sent behind it is not looked at."""
        self._phase = LAST
        self.read_deadline = NEVER
        if self.cycle is not None:
            self.cycle.keep_alive = False
        self.flow.pause_reading()

    def _refuse(self, status: int, error: DwtsvcError) -> None:
        """Answer in place of the application; a request half received never looks whole to it."""
        cycle = self.cycle if self._phase is BODY else None
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_complete:
                return self._linger()
            if cycle.response_started:
                return self.transport.abort()
        self.logger.debug("Refused with %d: %s", status, error)
        self.transport.write(b"".join((STATUS_LINE[status], *self._common_fields(), error_answer(status, error))))
        return self._linger()

    def _common_fields(self) -> list[bytes]:
        return [b"%s: %s\r\n" % each for each in self.server_state.default_headers]

    def _finish(self) -> None:
        """The answer is given and the connection shall end."""
        if self._phase is ANSWER:
            self._close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Close when the client has: closing on what it still sends would reset the connection, the answer with it."""
        self._phase = LAST
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._take_by()
        self._expect_by(self._limits.linger)

    def _close(self) -> None:
        self._phase = LAST
        self.read_deadline = NEVER
        if not self.transport.is_closing():
            self.transport.close()
        self._take_by()

    def _expect_by(self, seconds: float) -> None:
        self.read_deadline = self.loop.time() + seconds

    def _take_by(self) -> None:
        """The client must take what is written; a closed connection otherwise stays as long as it does not."""
        waiting = self.transport.get_write_buffer_size()
        self.write_deadline = self.loop.time() + self._limits.write + waiting / self._limits.rate
