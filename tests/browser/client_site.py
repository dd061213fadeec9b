"""A web site that uses dwtsvc.js: it serves the client and its own page, and takes uploads as many servers do. And what
tests do on its page."""

from __future__ import annotations

import itertools
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from dwtsvc.server.pages import CLIENT
from tests.browser.rig import ELSEWHERE, PATIENCE, Running
from tests.server.running import free_port

# As strict as a page can be that talks to a service and shows its images.
POLICY = "default-src 'none'; script-src 'self'; connect-src *; img-src * blob:; frame-ancestors 'none'"
PAGE = """<!doctype html><html lang="en"><title>A site</title><main><h1>A shop</h1><button id="go">Scan</button></main>
<script type="module" src="/page.js"></script>"""
SCRIPT = """import * as dwtsvc from "/dwtsvc.js";
import * as webtwain from "/dwtsvc-webtwain.js";
Object.assign(window, { dwtsvc, webtwain });
"""
MEDIA = {".js": "text/javascript", ".ts": "application/typescript", ".html": "text/html"}

SEEDS = itertools.count(1)  # each scan has a stack of its own: an empty feeder takes a while until it is refilled
# Not by `new Function`: the page's policy forbids that, as it should.
RUN = """async (argument) => {
  const { service } = window;
  try { return await (async () => { %s })(); }
  catch (error) {
    const { name, code, message, hint, action } = error;
    return { error: name, code, message, hint, action };
  }
}"""


@dataclass
class Site:
    """`folders` hold its files, in which `ports` are replaced; `uploads` are the method, headers and body of what was
    sent to it, after each of `refuse`, statuses, was answered once."""

    port: int = 0
    scheme: str = "http"
    folders: list[Path] = field(default_factory=lambda: [CLIENT])
    page: str = PAGE
    script: str = SCRIPT
    ports: dict[bytes, bytes] = field(default_factory=dict)
    on_allow: Callable[[], None] = lambda: None
    uploads: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    refuse: list[int] = field(default_factory=list)
    reported: threading.Event = field(default_factory=threading.Event)
    report: Any = None

    def url(self, host: str = ELSEWHERE) -> str:
        return f"{self.scheme}://{host}:{self.port}"

    def stand_for(self, service: Running) -> None:
        """Serve the client with the ports of this service for the usual ones, where another may be running."""
        for usual, ours in {
            "18622": service.http,
            "18625": service.http,
            "18623": service.https,
            "18626": service.https,
        }.items():
            self.ports[usual.encode()] = b"%d" % ours

    def forms(self) -> list[dict[str, tuple[str, bytes]]]:
        """The fields of each form that was posted: file name and content."""
        return [_fields(headers, body) for method, headers, body in self.uploads if method == "POST"]


def path_of(handler: BaseHTTPRequestHandler) -> str:
    return handler.path.partition("?")[0]


def _fields(headers: dict[str, str], body: bytes) -> dict[str, tuple[str, bytes]]:
    head = f"Content-Type: {headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser(policy=HTTP).parsebytes(head + body)
    return {
        str(part.get_param("name", header="content-disposition")): (part.get_filename() or "", _content(part))
        for part in parts.iter_parts()  # type: ignore[attr-defined]
    }


def _content(part: Any) -> bytes:
    content: bytes = part.get_payload(decode=True)
    return content


@contextmanager
def site(certificate: ssl.SSLContext | None = None) -> Iterator[Site]:
    """The site on a port of this machine, over https with a certificate."""
    made = Site(scheme="https" if certificate else "http")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = path_of(self)
            if path == "/":
                return self._answer(200, made.page.encode(), "text/html")
            if path == "/page.js":
                return self._answer(200, made.script.encode(), "text/javascript")
            files = [folder / path[1:] for folder in made.folders]
            found = next((file for file in files if file.is_file()), None)
            if found is None:
                return self._answer(404, b"", "text/plain")
            body = found.read_bytes()
            for usual, ours in made.ports.items():
                body = body.replace(usual, ours)
            return self._answer(200, body, MEDIA[found.suffix])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/report":
                made.report = json.loads(body)
                made.reported.set()
                return self._answer(204, b"", "text/plain")
            if self.path == "/allow":
                made.on_allow()
                return self._answer(204, b"", "text/plain")
            if self.path == "/canceled":  # it may come when its test is long over, and belongs to no other
                return self._answer(204, b"", "text/plain")
            with lock:
                if made.refuse:
                    return self._answer(made.refuse.pop(0), b"not now", "text/plain")
                headers = {name.lower(): value for name, value in self.headers.items()}
                made.uploads.append((self.command, headers, body))
                return self._answer(200, b"taken %d" % len(made.uploads), "text/plain")

        do_PUT = do_POST

        def _answer(self, status: int, body: bytes, media: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(body)))
            if not path_of(self).endswith(".html"):  # examples have their script in them
                self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        server.socket = certificate.wrap_socket(server.socket, server_side=True)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def allow(service: Running, origin: str, scopes: tuple[str, ...] = ("list", "scan", "read", "edit", "upload")) -> None:
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    asked = service.tool.post("/consent/requests", json={"scopes": list(scopes)}, headers=headers).json()["id"]
    if service.tool.get(f"/consent/requests/{asked}", headers=headers).json()["state"] == "pending":
        service.tool.post("/consent/decisions", json={"id": asked, "decision": "always"})


def three_pages() -> dict[str, Any]:
    device = f"virtual:adf?pages=3&seed={next(SEEDS)}"
    return {"device": device, "resolution": 75, "mode": "gray", "source": "feeder"}


def options(service: Running, **more: Any) -> dict[str, Any]:
    scopes = ["list", "scan", "read", "edit", "upload"]
    return {"ports": {"http": [service.http], "https": [service.https]}, "scopes": scopes, "heartbeat": 300, **more}


def nowhere() -> dict[str, Any]:
    """Options for ports at which nobody answers."""
    return {"ports": {"http": [free_port()], "https": [free_port()]}}


def run(page: Page, code: str, argument: Any = None) -> Any:
    return page.evaluate(RUN % code, argument)


def wait(page: Page, code: str) -> None:
    """Until the expression is true. Playwright's own way evaluates a text in the page, which its policy forbids."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(code):
        assert time.monotonic() < end, code
        page.wait_for_timeout(50)
