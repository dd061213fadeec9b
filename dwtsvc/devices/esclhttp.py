"""HTTP with one scanner: certificates pinned at first use, redirects to the same host only, everything bounded.

No connection is kept: some scanners close theirs as they please, and what asks for a page cannot be asked twice.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin, urlsplit

from dwtsvc.connection import Connection, may_lead
from dwtsvc.devices.esclknown import address
from dwtsvc.errors import (
    Cancelled,
    DeviceLost,
    DeviceTimeout,
    DriverError,
    DwtsvcError,
    IncompletePage,
    NoRightToScanner,
)
from dwtsvc.esclxml import MOST_BYTES, clean
from dwtsvc.version import __version__

if TYPE_CHECKING:  # imported where it is used: who only lists scanners does without, and is quicker
    import httpx

HOPS = 3
LOOK_EVERY = 0.05  # seconds between two looks at the clock and at `cancelled`
_REDIRECTS = (301, 302, 303, 307, 308)
_SAME_METHOD = (307, 308)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a scanner may take of us: seconds, bytes, pages."""

    connect: float = 10.0
    silence: float = 60.0  # between two pieces of an answer
    answer: float = 20.0  # for a whole short answer
    document: float = 1800.0  # for a whole document
    busy: float = 30.0  # that a scan waits for a scanner which is busy with something else
    ready: float = 90.0  # that a page may take to be ready: lamps warm up
    wait: float = 5.0  # the longest that one Retry-After is heeded
    document_bytes: int = 512 << 20
    job_bytes: int = 64 << 30
    job_pages: int = 10_000


class Pins(Protocol):
    def check(self, certificate: bytes) -> None:
        """Raise NoRightToScanner unless this one, in DER, is what was there before, a newer one of its key, or the
        first."""


class Waiting(Protocol):
    """What `threading.Event` has of it."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class Never:
    """Nobody cancels."""

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float | None = None) -> bool:
        threading.Event().wait(timeout)
        return False


NEVER = Never()


class Link:
    """Requests to one scanner. `base` is its address with the path that eSCL has there; `name` is for errors."""

    def __init__(self, base: str, name: str, pins: Pins, limits: Limits) -> None:
        import httpx

        self.base = address(base)
        self._landed = ""
        self.name, self.limits = name, limits
        self._pins = pins
        self._client = httpx.Client(
            verify=_context(),
            timeout=httpx.Timeout(limits.silence, connect=limits.connect),
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": f"dwtsvc/{__version__}", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,  # a proxy has no business between us and a scanner
        )
        self._connection = Connection()
        self._cut_for = ""

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def place(self) -> str:
        """Where the scanner is: at `base`, or where that led to with encryption."""
        path = self.base.path
        landed = urlsplit(self._landed)
        led = landed.scheme == "https" and landed.path.startswith(f"{path}/")
        return str((landed if led else self.base)._replace(path=path, query="", fragment="").geturl())

    def ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        cancelled: Waiting = NEVER,
        within: float | None = None,
    ) -> Answer:
        """A short answer: its status, its headers, and its body up to 1 MiB.

        `path` is absolute, or else below the scanner's own. Raises DeviceLost, DeviceTimeout, DriverError,
        NoRightToScanner, Cancelled.
        """
        with self.sent(method, path, content=content, cancelled=cancelled, within=within) as response:
            body = b"".join(self.pieces(response, MOST_BYTES))
            return Answer(response.status_code, response.headers, body)

    @contextmanager
    def sent(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        cancelled: Waiting = NEVER,
        within: float | None = None,
    ) -> Generator[httpx.Response, None, None]:
        """The answer with its body still to be read by `pieces`. Raises as `ask` does."""
        url = self._url(path)
        with self._bounded(within or self.limits.answer, cancelled):
            for _ in range(HOPS + 1):
                with self._once(method, url, content) as response:
                    if response.status_code not in _REDIRECTS:
                        self._landed = url
                        yield response
                        return
                    url = self._onward(method, url, response)
        raise self._refused(f"it redirects more than {HOPS} times")

    def pieces(self, response: httpx.Response, most: int) -> Iterator[bytes]:
        """The body in pieces as they arrive. Raises as `ask` does, and IncompletePage when it ends early."""
        coding = response.headers.get("content-encoding", "identity").lower()
        if coding not in ("identity", ""):
            raise self._refused(f"it sends its answer as '{clean(coding)}', which was not asked for")
        size = 0
        for piece in response.iter_raw():
            size += len(piece)
            if size > most:
                raise self._refused(f"it sends more than {most} bytes")
            yield piece

    def _url(self, path: str) -> str:
        if path.startswith("/"):
            return self.base._replace(path="").geturl() + path
        return f"{self.base.geturl()}/{path}"

    @contextmanager
    def _once(self, method: str, url: str, content: bytes | None) -> Generator[httpx.Response, None, None]:
        import httpx

        headers = {"Content-Type": "text/xml"} if content is not None else {}
        begun = False
        try:
            with self._client.stream(
                method, url, content=content, headers=headers, extensions={"trace": self._watch}
            ) as response:
                begun = True
                yield response
        except httpx.HTTPError as error:
            raise self._broken(error, begun) from None
        except (httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            raise self._refused(f"{type(error).__name__}: {clean(str(error))}") from None

    def _broken(self, error: httpx.HTTPError, begun: bool) -> DwtsvcError:
        import httpx

        if self._cut_for == "cancel":
            return Cancelled("The scan was cancelled")
        why = clean(str(error)) or type(error).__name__
        hint = "Check that it is on and in the network, then try again."
        if self._cut_for or isinstance(error, httpx.TimeoutException):
            return DeviceTimeout(f"{self.name} did not answer in time", why=self._cut_for or why, hint=hint)
        if begun:
            return IncompletePage(f"{self.name} broke its answer off", why=why, hint="Scan the page again.")
        return DeviceLost(f"{self.name} does not answer", why=why, hint=hint)

    def _refused(self, why: str) -> DriverError:
        return DriverError(f"{self.name} gave an answer that was refused", why=why)

    def _onward(self, method: str, url: str, response: httpx.Response) -> str:
        """Where a redirect leads, if that is the same host, and no less safe."""
        here, told = urlsplit(url), response.headers.get("location", "")
        if method != "GET" and response.status_code not in _SAME_METHOD:
            raise self._refused(f"{response.status_code} in answer to {method}")
        try:
            there = urlsplit(urljoin(url, told))
            fine = may_lead(here, there)
        except ValueError:
            raise self._refused("it redirects to what is no address") from None
        if not fine:
            raise self._refused(f"it redirects to {clean(there.scheme + '://' + there.netloc)}, which is elsewhere")
        return str(there.geturl())

    # -- the clock, and the certificate --------------------------------------------------------------------------

    @contextmanager
    def _bounded(self, within: float, cancelled: Waiting) -> Iterator[None]:
        """Cut the connection at the deadline, or when the scan is cancelled."""
        if cancelled.is_set():
            raise Cancelled("The scan was cancelled")
        done, self._cut_for, self._connection = threading.Event(), "", Connection()
        arguments = (done, monotonic() + within, within, cancelled)
        watch = threading.Thread(target=self._look, args=arguments, daemon=True, name="escl-watch")
        watch.start()
        try:
            yield
        finally:
            done.set()
            watch.join()

    def _look(self, done: threading.Event, deadline: float, within: float, cancelled: Waiting) -> None:
        while not done.wait(LOOK_EVERY):
            if cancelled.is_set():
                self._cut("cancel")
            elif monotonic() >= deadline:
                self._cut(f"not whole after {within:g} s")

    def _cut(self, why: str) -> None:
        self._cut_for = why
        self._connection.cut()

    def _watch(self, event: str, info: Mapping[str, Any]) -> None:
        self._connection.watch(event, info)
        if event == "connection.start_tls.complete":
            self._check_certificate()  # before a byte of the request is sent

    def _check_certificate(self) -> None:
        certificate = self._connection.stream.get_extra_info("ssl_object").getpeercert(True)
        try:
            if not certificate:
                raise NoRightToScanner(f"{self.name} shows no certificate")
            self._pins.check(certificate)
        except DwtsvcError:
            self._connection.stream.close()
            raise


@dataclass(frozen=True, slots=True)
class Answer:
    """A short answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def retry_after(self, most: float) -> float:
        """Seconds to wait before the same is asked again, at most `most`; a date counts as `most`."""
        return retry_after(self.headers, most)


def retry_after(headers: Mapping[str, str], most: float) -> float:
    """As `Answer.retry_after`, for headers alone."""
    text = headers.get("retry-after", "1").strip()
    return min(float(text), most) if text.isascii() and text.isdigit() and len(text) < 9 else most


def patiently(cancelled: Waiting, seconds: float) -> None:
    """Wait; raises Cancelled."""
    if cancelled.wait(seconds):
        raise Cancelled("The scan was cancelled")


def _context() -> ssl.SSLContext:
    """Scanners sign their own certificates: what counts is that it stays the same, which `Pins` checks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT@SECLEVEL=1")  # keys of 1024 bits are common in scanners
    return context
