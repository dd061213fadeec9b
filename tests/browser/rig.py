"""What the browser tests stand on: the real service as a process, a page server of an attacker, an open server.

The open server is the control: it trusts everybody, so a gadget that has no effect on it would prove nothing.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Playwright

from dwtsvc.paths import Paths
from tests.certs.rig import needs
from tests.server.running import free_port

PATIENCE = 60.0  # seconds until a test gives up on a service or a browser
CHROMIUM_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
# Browsers of today keep public pages away from this machine. The service must stand without that help, too.
UNPROTECTED = "--disable-features=LocalNetworkAccessChecks"
SECRET = "the secret of an open server"
ELSEWHERE = "elsewhere.example"  # a web site
REBOUND = "rebound.example"  # a host name that an attacker lets point at this machine
RESOLVED = f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1, MAP {REBOUND} 127.0.0.1"


@dataclass
class Running:
    """`dwtsvc serve` with a home of its own. Requests of `tool` are those of a program of the same user."""

    home: Path
    http: int
    https: int
    process: subprocess.Popen[bytes]
    tool: httpx.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    @property
    def paths(self) -> Paths:
        return Paths.from_environment({"DWTSVC_HOME": str(self.home)})

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def environment(home: Path, **settings: str) -> dict[str, str]:
    """Nothing of the user who runs the tests but the programs he has."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    named = {f"DWTSVC_{name.upper()}": value for name, value in settings.items()}
    # No configuration of SANE, no look into the network: the scanners of the tests' machine are not ours to touch.
    closed = {"HOME": str(home), "DWTSVC_HOME": str(home), "SANE_CONFIG_DIR": str(home), "DWTSVC_ESCL_DISCOVERY": "off"}
    return {**kept, **closed, **named}


@contextmanager
def serving(home: Path, **settings: str) -> Iterator[Running]:
    """The service on free ports, until the block ends."""
    home.mkdir(parents=True, exist_ok=True)
    ports = {"http_ports": str(free_port()), "https_ports": str(free_port()), **settings}
    http, https = int(ports["http_ports"]), int(ports["https_ports"])
    command = [sys.executable, "-m", "dwtsvc_cli.main", "serve", "--no-monitor"]
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment(home, **{"ask_consent": "on", **ports}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    tool = httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=PATIENCE)
    running = Running(home, http, https, process, tool)
    try:
        _await(running)
        yield running
    finally:
        tool.close()
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            running.kill()


def launch(playwright: Playwright, home: Path, *more: str) -> Browser:
    """Chromium with the certificates of this home."""
    return playwright.chromium.launch(
        executable_path=needs("chromium"),
        args=[*CHROMIUM_ARGUMENTS, *more],
        env={**environment(home), "XDG_RUNTIME_DIR": str(home)},
        timeout=PATIENCE * 1000,
    )


def _await(running: Running) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert running.process.poll() is None, (running.home / "output").read_text()
        try:
            running.tool.get("/healthz").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError((running.home / "output").read_text())


@dataclass
class Pages:
    """A server of web pages. It notes what it was asked for."""

    port: int
    requests: list[tuple[str, str]] = field(default_factory=list)

    def url(self, host: str = ELSEWHERE) -> str:
        return f"http://{host}:{self.port}"


@contextmanager
def web_site() -> Iterator[Pages]:
    """Empty pages, as of any site in the web."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, b"<!doctype html><title>A site</title><p>Hello.</p>", "text/html")

        def log_message(self, *_: Any) -> None:
            pass

    with _threaded(Site) as port:
        yield Pages(port)


@contextmanager
def open_server() -> Iterator[Pages]:
    """A server as the service must not be: whoever asks, from whatever page, under whatever host name, is answered."""
    requests: list[tuple[str, str]] = []

    class Open(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # Firefox opens no WebSocket otherwise

        def _note(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            requests.append((self.command, self.path))
            if self.headers.get("Upgrade", "").lower() == "websocket":
                self.close_connection = True
                _talk(self)
            else:
                _answer(self, *_content(self))

        def log_message(self, *_: Any) -> None:
            pass

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _note

        def do_OPTIONS(self) -> None:
            _answer(self, b"", "text/plain")

    with _threaded(Open) as port:
        yield Pages(port, requests)


@contextmanager
def _threaded(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, body: bytes, media: str) -> None:
    handler.send_response(200)
    headers = {
        "Content-Type": media,
        "Content-Length": str(len(body)),
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": "Content-Type, X-DWTSVC",
    }
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def _content(handler: BaseHTTPRequestHandler) -> tuple[bytes, str]:
    """What the browser wants there, each with the secret in it."""
    wanted = handler.headers.get("Sec-Fetch-Dest", "")
    if wanted == "image" or handler.headers.get("Accept", "").startswith("image/"):
        return small_png(), "image/png"
    if wanted == "script":
        return f"window.leaked = '{SECRET}'".encode(), "text/javascript"
    if wanted == "style":
        return f"#probe {{ font-family: '{SECRET}' }}".encode(), "text/css"
    if "text/event-stream" in handler.headers.get("Accept", ""):
        return f"data: {SECRET}\n\n".encode(), "text/event-stream"
    return f"<!doctype html><title>{SECRET}</title>{SECRET}".encode(), "text/html"


def _talk(handler: BaseHTTPRequestHandler) -> None:
    """Open a WebSocket, say the secret, and leave when the browser has heard it."""
    key = handler.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    handler.send_response(101)
    for name, value in {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(bytes([0x81, len(SECRET)]) + SECRET.encode() + b"\x88\x00")
    handler.connection.settimeout(5)
    with suppress(OSError):
        handler.rfile.read(6)  # its own goodbye, masked


def small_png(width: int = 3, height: int = 2) -> bytes:
    """A white picture of a few pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
