"""The other sides of the tests: a web server that does what it is told, and real ones for WebDAV, S3 and SFTP."""

from __future__ import annotations

import email
import hashlib
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.server.daemon import until
from tests.server.running import free_port


@dataclass
class Request:
    """What came in. `body` is kept up to 1 MiB; `bytes` counts all of it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    bytes: int

    def form(self) -> dict[str, list[Part]]:
        """The parts of a form by name, read by the parser of the standard library's e-mail."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        found: dict[str, list[Part]] = {}
        for part in email.message_from_bytes(head + self.body).get_payload():
            name = str(part.get_param("name", header="content-disposition"))
            found.setdefault(name, []).append(
                Part(part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
            )
        return found


@dataclass
class Part:
    file_name: str | None
    media_type: str
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


@dataclass
class Answer:
    """`reset` cuts the connection instead of answering; `trickle` sends a byte of the head every so many seconds."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    reset: bool = False
    trickle: float = 0.0


class WebServer:
    """Answers with `answers`, one after another, and then 200; `answer` may be replaced to decide by the request."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        self.answer: Callable[[Request], Answer] = self._next
        self.hold: threading.Event | None = None  # what arrives waits for it, after its first piece
        self.came = threading.Event()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = peer._read(self)
                peer.requests.append(request)
                answer = peer.answer(request)
                if answer.reset:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    self.connection.close()
                    return
                if answer.trickle:
                    self._trickle(answer.trickle)
                    return
                data = answer.body.encode()
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(data)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_HEAD = do_POST

            def _trickle(self, seconds: float) -> None:
                try:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                    while True:
                        self.wfile.write(b"x")
                        time.sleep(seconds)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that went away
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        scheme, host = ("https", "localhost") if context else ("http", "127.0.0.1")
        self.url = f"{scheme}://{host}:{self.port}"

    def __enter__(self) -> WebServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _next(self, _: Request) -> Answer:
        return self.answers.pop(0) if self.answers else Answer()

    def _read(self, handler: BaseHTTPRequestHandler) -> Request:
        length, body, read = int(handler.headers.get("Content-Length") or 0), b"", 0
        while read < length:
            piece = handler.rfile.read(min(1 << 16, length - read))
            if not piece:
                break
            read += len(piece)
            body += piece if len(body) < 1 << 20 else b""
            self.came.set()
            if self.hold:
                self.hold.wait(60)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        return Request(handler.command, handler.path, headers, body, read)


PAPERLESS_FIELDS = {  # as the documentation of paperless-ngx lists them
    *("document", "title", "created", "correspondent", "document_type", "storage_path", "tags"),
    *("archive_serial_number", "custom_fields"),
}
PAPERLESS_TASK = "0a1b2c3d-1111-4222-8333-444455556666"


def paperless(tags: dict[str, int], token: str) -> Callable[[Request], Answer]:
    """No paperless-ngx, but a fake of its two documented calls: it takes documented fields only, and ids as ids."""
    names = {"tags": tags, "correspondents": {"Ada & Sons": 3}, "document_types": {"Invoice": 5}}

    def answer(request: Request) -> Answer:
        if request.headers.get("authorization") != f"Token {token}":
            return Answer(401, {"Content-Type": "application/json"}, '{"detail": "Invalid token."}')
        path, _, query = request.path.partition("?")
        if request.method == "GET":
            return _listed(names[path.removeprefix("/api/").rstrip("/")], query)
        if path != "/api/documents/post_document/":
            return Answer(404)
        return _posted(request)

    return answer


def _listed(known: dict[str, int], query: str) -> Answer:
    from urllib.parse import parse_qs

    (wanted,) = parse_qs(query)["name__iexact"]
    results = [{"id": id, "name": name} for name, id in known.items() if name.lower() == wanted.lower()]
    return Answer(headers={"Content-Type": "application/json"}, body=json.dumps({"results": results}))


def _posted(request: Request) -> Answer:
    form = request.form()
    ids = [part.text for name in ("tags", "correspondent", "document_type") for part in form.get(name, [])]
    numbers = [part.text for part in form.get("archive_serial_number", [])]
    good = set(form) <= PAPERLESS_FIELDS and len(form["document"]) == 1 and form["document"][0].file_name
    if not good or not all(each.isdigit() for each in ids + numbers):
        return Answer(400, {"Content-Type": "application/json"}, '{"tags": ["Incorrect type."]}')
    return Answer(headers={"Content-Type": "application/json"}, body=json.dumps(PAPERLESS_TASK))


@contextmanager
def webdav(folder: Path, user: str, password: str, around: Callable[[Any], Any] = lambda app: app) -> Iterator[str]:
    """A WsgiDAV server over a folder; its URL. `around` may wrap the application."""
    from cheroot import wsgi
    from wsgidav.wsgidav_app import WsgiDAVApp

    app = WsgiDAVApp(
        {
            "provider_mapping": {"/dav": str(folder)},
            "simple_dc": {"user_mapping": {"*": {user: {"password": password}}}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
            "verbose": 0,
            "logging": {"enable": False},
        }
    )
    server = wsgi.Server(("127.0.0.1", 0), around(app))
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.bind_addr[1]}/dav/"
    finally:
        server.stop()
        thread.join()


@dataclass(frozen=True)
class Sshd:
    port: int
    host_key: Path
    client_key: Path
    known_hosts: Path


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """OpenSSH's server as a process of this user, with keys of its own; it lets this user in with a key."""
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    if not Path(program).exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("sshd is not installed")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # which sshd wants as root
    folder.mkdir()
    for name in ("host", "client"):
        _key(folder / name)
    (folder / "authorized").write_text((folder / "client.pub").read_text())
    port = free_port()
    known = f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}"
    (folder / "known_hosts").write_text(known)
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
        f"PermitRootLogin prohibit-password\nPidFile none\nSubsystem sftp internal-sftp\n"
    )
    process = subprocess.Popen([program, "-D", "-e", "-f", folder / "config"], stderr=(folder / "log").open("wb"))
    try:
        _wait_for(port, process, folder / "log")
        yield Sshd(port, folder / "host", folder / "client", folder / "known_hosts")
    finally:
        process.terminate()
        process.wait()


def _key(path: Path, password: str = "") -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", password, "-f", path], check=True)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0

    until(answers, log.read_text)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
