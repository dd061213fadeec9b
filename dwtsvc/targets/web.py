"""Asking a web server: encryption, who we are, redirects, time limits, and its refusals as our errors."""

from __future__ import annotations

import base64
import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import httpx

from dwtsvc.connection import Connection, may_lead
from dwtsvc.errors import BadArguments, BadConfiguration, DwtsvcError
from dwtsvc.targets.carrying import refused
from dwtsvc.targets.parcel import Parcel, Watched
from dwtsvc.targets.patience import RETRIED, Deadline, Overdue, Transient
from dwtsvc.targets.target import Target
from dwtsvc.version import __version__

CONNECT = 15.0  # seconds
SILENCE = 60.0
MOST_REPLY = 1 << 16
MOST_SHOWN = 200
HOPS = 4
CHUNK = 1 << 18
_SAME_METHOD = (307, 308)  # the other redirects would make a GET of it
_HINTS = {
    401: "Store the right secret with `dwtsvc config secret set {secret}`; a user belongs into the address.",
    403: "Look what the user or token may do there; `dwtsvc config secret set {secret}` stores another.",
    404: "Check the address.",
    405: "Check the address: nothing can be sent to it.",
    409: "Check the address: the folder must exist.",
    413: "The file is too large for the other side.",
    423: "Somebody has locked it there.",
}

Body = Callable[[Watched], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server answered; `url` is the one that did, the text is cut at 64 KiB."""

    status: int
    url: str
    headers: Mapping[str, str]
    text: str


class Web:
    """Requests to one target, as its user. A context manager; nothing is asked of another host."""

    def __init__(self, target: Target, secret: str | None, deadline: Deadline, *, scheme: str = "Bearer") -> None:
        self._target, self._deadline = target, deadline
        self._headers = {"User-Agent": f"dwtsvc/{__version__}", **_authorization(target, secret, scheme)}
        self._hidden = _hidden(target, secret)
        self._client = httpx.Client(
            verify=_context(target), timeout=httpx.Timeout(SILENCE, connect=CONNECT), follow_redirects=False
        )
        self._connection = Connection()

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        parcel: Parcel | None = None,
        body: Body | None = None,
        also: tuple[int, ...] = (),
    ) -> Reply:
        """The answer of 2xx, or of a status in `also`. `body` makes httpx's arguments from the file of the parcel.

        Raises Transient, Overdue, ServiceRefused, BadConfiguration.
        """
        for _ in range(HOPS):
            if parcel and body:
                with parcel.opened(self._deadline) as file:
                    reply = self._ask(method, url, headers, body(file))
            else:
                reply = self._ask(method, url, headers, {})
            if reply.status not in _SAME_METHOD:
                return self._accepted(reply, also)
            url = self._onward(url, reply)
        raise refused(self._target, "it redirects in a circle", "Check the address.")

    def sha256(self, url: str) -> str:
        """The checksum of what lies at a URL, read in pieces. Raises as `ask` does."""
        digest = hashlib.sha256()
        with self._sent("GET", url, {"Accept-Encoding": "identity"}, {}) as response:
            if response.status_code != 200:
                self._accepted(_reply(response), ())
            for piece in response.iter_raw(CHUNK):
                self._deadline.check()
                digest.update(piece)
        return digest.hexdigest()

    def refused(self, why: str, hint: str = "") -> DwtsvcError:
        """The error for an answer, without any secret that it repeats."""
        for each in self._hidden:
            why = why.replace(each, "[removed]")
        return refused(self._target, why, hint)

    def _ask(self, method: str, url: str, headers: Mapping[str, str] | None, extra: dict[str, Any]) -> Reply:
        with self._sent(method, url, {**(headers or {}), **extra.pop("headers", {})}, extra) as response:
            return _reply(response)

    @contextmanager
    def _sent(
        self, method: str, url: str, headers: Mapping[str, str], extra: dict[str, Any]
    ) -> Iterator[httpx.Response]:
        trace = {"trace": self._connection.watch}
        try:
            with (
                self._bounded(),
                self._client.stream(
                    method, url, headers={**headers, **self._headers}, extensions=trace, **extra
                ) as response,
            ):
                yield response
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise BadArguments(f"{self._target.name} cannot be asked", why=type(error).__name__) from None
        except httpx.HTTPError as error:
            if not self._deadline.left:
                raise Overdue from None
            raise self._broken(error) from None

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """Cut the connection at the deadline."""
        self._deadline.check()
        timer = threading.Timer(self._deadline.left, self._connection.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _broken(self, error: httpx.HTTPError) -> Exception:
        if _of_certificate(error):
            hint = "If the certificate is of an authority of your own, save a named target with ca=FILE."
            return self.refused(f"its certificate is not trusted: {error}", hint)
        hint = "Look whether it can be reached; `dwtsvc send --retry` tries again what waits."
        return Transient(self.refused(f"{error}" or type(error).__name__, hint))

    def _accepted(self, reply: Reply, also: tuple[int, ...]) -> Reply:
        if 200 <= reply.status < 300 or reply.status in also:
            return reply
        if 300 <= reply.status < 400:
            where = led_to(reply)._replace(query="", fragment="").geturl()
            why = f"{reply.status}: it points to {where[:MOST_SHOWN]}"
            raise self.refused(why, "If that is the right address, or a page to log in, correct the target.")
        error = self.refused(_words(reply), _HINTS.get(reply.status, "").format(secret=self._target.secret))
        if reply.status in RETRIED:
            raise Transient(error, _after(reply.headers.get("retry-after", "")))
        raise error

    def _onward(self, url: str, reply: Reply) -> str:
        """Where a redirect leads, if that is the same host and no less safe; our secret goes nowhere else."""
        here, there = urlsplit(url), led_to(reply)
        if not may_lead(here, there):
            why = f"{reply.status}: it redirects to {there.scheme}://{there.netloc.rpartition('@')[2]}"[:MOST_SHOWN]
            raise self.refused(why, "A file is not sent on to another host. If it belongs there, correct the target.")
        return there.geturl()


def led_to(reply: Reply) -> SplitResult:
    """Where the Location of an answer leads; all empty if that is no address."""
    try:
        parts = urlsplit(urljoin(reply.url, reply.headers.get("location", "")))
        return parts if parts.port != 0 else urlsplit("")
    except ValueError:
        return urlsplit("")


def _reply(response: httpx.Response) -> Reply:
    text = b""
    for piece in response.iter_bytes():
        text += piece[: MOST_REPLY - len(text)]
        if len(text) >= MOST_REPLY:
            break
    return Reply(
        status=response.status_code,
        url=str(response.url),
        headers=response.headers,
        text=text.decode("utf-8", "replace"),
    )


def _words(reply: Reply) -> str:
    """What a refusal says; a page for a browser says nothing that helps."""
    from http.client import responses

    phrase = responses.get(reply.status, "")
    text = "" if "html" in reply.headers.get("content-type", "html") else " ".join(reply.text.split())[:MOST_SHOWN]
    return f"{reply.status} {phrase}".strip() + (f": {text}" if text else "")


def _authorization(target: Target, secret: str | None, scheme: str) -> dict[str, str]:
    if secret is None:
        return {}
    if target.user:
        return {"Authorization": f"Basic {_basic(target, secret)}"}
    if not secret.isascii():
        raise BadConfiguration(f"The secret '{target.secret}' cannot be sent as a token", why="it is not ASCII")
    if target.token_header:
        return {target.token_header: secret}
    return {"Authorization": f"{scheme} {secret}"}


def _basic(target: Target, secret: str) -> str:
    return base64.b64encode(f"{target.user}:{secret}".encode()).decode()


def _hidden(target: Target, secret: str | None) -> list[str]:
    """The spellings in which an answer might repeat a secret."""
    if not secret:
        return []
    return sorted({secret, quote(secret), quote(secret, safe=""), _basic(target, secret)}, key=len, reverse=True)


def _context(target: Target) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if target.ca:
        try:
            context.load_verify_locations(target.ca)
        except (OSError, ssl.SSLError) as error:
            raise BadConfiguration(
                f"{target.ca} cannot be used as the authority of {target.name}", why=error.strerror or "it is no PEM"
            ) from None
    return context


def _of_certificate(error: BaseException | None) -> bool:
    while error:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _after(text: str) -> float | None:
    """Seconds that a Retry-After asks for: a number, or a date."""
    from datetime import UTC, datetime

    if text.strip().isascii() and text.strip().isdigit():
        return float(text.strip()[:9])
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when.astimezone(UTC) - datetime.now(UTC)).total_seconds())
