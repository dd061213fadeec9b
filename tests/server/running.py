"""A service in a thread of the test, with a small application that says what reached it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import re
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from dwtsvc.config import Settings
from dwtsvc.locks import open_locked
from dwtsvc.paths import Paths
from dwtsvc.server.doors.sockets import Opening, open_doors
from dwtsvc.server.listen import Doors, Limits

PATIENCE = 30.0  # seconds after which a test gives up waiting; nothing here takes a tenth of it


class Echo:
    """Answers what it was asked. /large sends many bytes, /slow waits for `release`, /early answers unread."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.heads: list[dict[str, Any]] = []
        self.life: list[str] = []
        self.waiting = threading.Event()
        self.release = asyncio.Event()
        self.bodies_cut = 0
        self.started: Callable[[], None] = lambda: None

    async def start(self) -> None:
        self.life.append("start")
        self.started()

    async def stop(self) -> None:
        self.life.append("stop")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(f"{scope['method']} {scope['path']}")
        self.heads.append(scope)
        if scope["path"] == "/early":
            return await answer(send, b"early", status=413)
        if scope["path"] == "/patient":
            return await answer(send, b"unread")
        if scope["path"] == "/large":
            return await answer(send, bytes(64 << 20))
        if scope["path"] == "/slow":
            self.waiting.set()
            await self.release.wait()
        if scope["path"] == "/broken":
            raise RuntimeError("on purpose")
        body = await whole_body(receive)
        if body is None:
            self.bodies_cut += 1
            return None
        shown = {"path": scope["path"], "query": scope["query_string"].decode(), "length": len(body)}
        return await answer(send, json.dumps(shown | {"digest": hashlib.sha256(body).hexdigest()}).encode())


async def whole_body(receive: Any) -> bytes | None:
    """The body; None if it was cut."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)


async def answer(send: Any, body: bytes, status: int = 200) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass
class FakeCare:
    """A certificate in two files, and whoever wants to know of changes."""

    files: tuple[Path, Path]
    callbacks: list[Any] = field(default_factory=list)

    def pair(self) -> tuple[Path, Path]:
        return self.files

    def on_change(self, callback: Any) -> None:
        self.callbacks.append(callback)

    def changed(self) -> None:
        for callback in self.callbacks:
            callback()


@dataclass
class Running:
    app: Echo
    doors: Doors
    loop: asyncio.AbstractEventLoop
    http: int
    https: int

    def connect(self, port: int | None = None) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port or self.http), timeout=PATIENCE)

    def connect_tls(self, name: str | None = None) -> ssl.SSLSocket:
        return trusting().wrap_socket(self.connect(self.https), server_hostname=name)

    def talk(self, request: bytes) -> bytes:
        """All that the service says to these bytes until it closes or has nothing to say to a client that is done."""
        with self.connect() as client:
            client.sendall(request)
            return read_to_end(client)

    def get(self, path: str = "/", client: socket.socket | None = None) -> Answer:
        if client is None:
            with self.connect() as fresh:
                return self.get(path, fresh)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return read_answer(client)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.doors.stop)


@dataclass
class Answer:
    status: int
    head: bytes
    body: bytes


def statuses(text: bytes) -> list[int]:
    """The status of each answer in a stream. The echoing application sends none of these lines itself."""
    return [int(each) for each in re.findall(rb"^HTTP/1\.1 (\d{3}) .*\r$", text, re.MULTILINE)]


def read_to_end(client: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(1 << 20):
            parts.append(part)
    return b"".join(parts)


def read_answer(client: socket.socket) -> Answer:
    """One answer with a Content-Length from a connection that stays open."""
    text = b""
    while b"\r\n\r\n" not in text:
        part = client.recv(65536)
        if not part:
            raise ConnectionError(f"the connection was closed after {text!r}")
        text += part
    head, _, start = text.partition(b"\r\n\r\n")
    body = bytearray(start)
    found = re.search(rb"(?i)content-length: (\d+)", head)
    length = int(found[1]) if found else 0
    while len(body) < length:
        part = client.recv(1 << 20)
        if not part:
            raise ConnectionError("the connection was closed within a body")
        body += part
    return Answer(int(head[9:12]), head, bytes(body))


@contextlib.contextmanager
def running(
    folder: Path, *, limits: Limits | None = None, grace: float = 5.0, care: Any = None, uvloop: bool = True
) -> Iterator[Running]:
    """The doors of a service on free ports in a thread, until the block ends."""
    settings = Settings(http_ports=(free_port(),), https_ports=(free_port(),))
    openings = [each for each in open_doors(settings) if care or each.door.scheme == "http"]
    ready: threading.Event = threading.Event()
    made: list[Running] = []
    failed: list[BaseException] = []

    async def serve() -> None:
        app = Echo()
        paths = Paths.from_environment({"DWTSVC_HOME": str(folder)})
        doors = Doors(openings, (), paths, lambda _: app, care=care, limits=limits or Limits(), grace=grace)
        loop = asyncio.get_running_loop()
        made.append(Running(app, doors, loop, settings.http_ports[0], settings.https_ports[0]))
        app.started = ready.set
        await doors.serve()

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=_uvloop() if uvloop else None) as runner:
                runner.run(serve())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(PATIENCE) and made, failed
        yield made[0]
    finally:
        with contextlib.suppress(RuntimeError):
            made[0].stop()
        thread.join(PATIENCE)
        _close(openings)
    assert not thread.is_alive()
    assert not failed, failed


def _close(openings: list[Opening]) -> None:
    for each in openings:
        each.close()


def _uvloop() -> Any:
    import uvloop

    return uvloop.new_event_loop


BLOCK, BLOCKS = 500, 24  # ports, from 20,000 on: below those that the system gives to whoever connects
CLAIMS = tempfile.gettempdir()


@cache
def _ports() -> Iterator[int]:
    """The ports of this process, round and round. No other one of tests has them, be it of another run: a service that
    does not get its port is no error to itself, and a test would talk to somebody else's."""
    for number in range(BLOCKS):
        with contextlib.suppress(PermissionError):  # another user's
            if open_locked(Path(CLAIMS, f"dwtsvc-tests-ports-{number}")) is not None:  # until this process ends
                first = 20_000 + BLOCK * number
                return itertools.cycle(range(first, first + BLOCK))
    raise RuntimeError("too many tests run on this machine: there are no ports left")


def free_port() -> int:
    """A port that nobody has; another one each time."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            port = next(_ports())
            probe.bind(("127.0.0.1", port))
            return port


def environment(home: Path, **variables: str) -> dict[str, str]:
    """That of a program that has this home and no settings but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DWTSVC_")}
    return {**kept, "DWTSVC_HOME": str(home), **variables}


def free_pair() -> int:
    """A port that nobody has, nor the one after it."""
    first, second = free_port(), free_port()
    while second != first + 1:
        first, second = second, free_port()
    return first


@cache
def trusting() -> ssl.SSLContext:
    """A client that takes any certificate: what is tested is which one it gets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def make_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate signed by itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}_key.pem"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def name_of(client: ssl.SSLSocket) -> str:
    """The common name of the certificate that the service showed."""
    from cryptography import x509

    shown = client.getpeercert(binary_form=True)
    assert shown is not None
    subject = x509.load_der_x509_certificate(shown).subject
    return str(subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; a test that needs all of the patience has failed."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)
