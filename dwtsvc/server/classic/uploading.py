"""Uploading a file from here: only to the site that asks, or to one that the owner of the machine named.

Over https, whose certificate proves that the name leads where it says; without it only to this machine's own names,
for pages under development. No redirect is followed.
"""

from __future__ import annotations

import http.client
import os
import re
import secrets
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import SplitResult, urlsplit

from dwtsvc.errors import BadArguments, BadInput

SECONDS = 60.0  # of silence
MOST_SECONDS = 900.0  # of it all: a site that answers a byte a minute would keep a thread for weeks
CHUNK = 1 << 18
MOST_REPLY = 1 << 16
MOST_FIELDS = 64
METHODS = ("POST", "PUT")
OWN_NAMES = ("localhost", "127.0.0.1", "::1")
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
OURS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "expect", "upgrade", "te"}
)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent, and how: `method` PUT sends the file alone, POST sends it as the field of a form."""

    url: str
    media_type: str
    method: str = "POST"
    field_name: str = "RemoteFile"
    file_name: str = "scan"
    fields: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the site answered; the text is cut at 64 KiB."""

    status: int
    text: str


def upload(parcel: Parcel, file: BinaryIO, allowed: Iterable[str], *, context: ssl.SSLContext | None = None) -> Reply:
    """Send a seekable file to a URL of one of the `allowed` origins. Blocking.

    Raises BadArguments for what may not be sent, BadInput where the site cannot be reached.
    """
    parts = checked(parcel, allowed)
    head, tail, media_type = _around(parcel)
    size = len(head) + file.seek(0, os.SEEK_END) + len(tail)
    file.seek(0)
    headers = {**parcel.headers, "Content-Type": media_type, "Content-Length": str(size), "Connection": "close"}
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(_connection(parts, context)) as connection, _bounded(connection):
            connection.request(parcel.method, path, _pieces(head, file, tail), headers)
            response = connection.getresponse()
            return Reply(response.status, response.read(MOST_REPLY).decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise BadInput(
            "The file could not be uploaded", why=why, hint="Look whether the site can be reached."
        ) from error


@contextmanager
def _bounded(connection: http.client.HTTPConnection) -> Iterator[None]:
    """Connect, and cut the connection after MOST_SECONDS. Raises TimeoutError then."""
    connection.connect()
    late = threading.Event()

    def cut(plain: socket.socket) -> None:
        late.set()
        with suppress(OSError):
            plain.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(MOST_SECONDS, cut, (connection.sock,))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        if late.is_set():  # an answer that was cut looks like one that has ended
            raise TimeoutError


def checked(parcel: Parcel, allowed: Iterable[str]) -> SplitResult:
    """The parts of the URL of a parcel that may be sent. Raises BadArguments."""
    parts = _parts(parcel.url)
    if parts is None:
        raise BadArguments("The target is no plain https address", hint="Write it as https://host/path.")
    if f"{parts.scheme}://{parts.netloc}".lower() not in {each.lower().rstrip("/") for each in allowed}:
        raise BadArguments("The target may not be uploaded to", hint="The owner sets `upload_targets`.")
    if parcel.method not in METHODS:
        raise BadArguments(f"There is no way '{parcel.method}' to upload", hint="Choose POST or PUT.")
    if len(parcel.headers) > MOST_FIELDS or len(parcel.fields) > MOST_FIELDS:
        raise BadArguments(f"At most {MOST_FIELDS} headers and fields can be sent")
    for name, value in parcel.headers.items():
        if not HEADER.fullmatch(name) or name.lower() in OURS or not (value.isascii() and value.isprintable()):
            raise BadArguments("A header cannot be sent like this", why=name[:64] if name.isprintable() else "")
    return parts


def _parts(url: str) -> SplitResult | None:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or "@" in url:
        return None
    try:
        parts = urlsplit(url)
        valid = parts.port is None or parts.port > 0
    except ValueError:
        return None
    own = parts.scheme == "http" and parts.hostname in OWN_NAMES
    return parts if valid and parts.hostname and (parts.scheme == "https" or own) else None


def _connection(parts: SplitResult, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
    secure = context or ssl.create_default_context()
    return http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=secure)


def _around(parcel: Parcel) -> tuple[bytes, bytes, str]:
    """What stands before and after the file, and the media type of the whole."""
    if parcel.method == "PUT":
        return b"", b"", parcel.media_type
    boundary = secrets.token_hex(16)
    texts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'
        for name, value in parcel.fields.items()
    ]
    about = f'form-data; name="{_quoted(parcel.field_name)}"; filename="{_quoted(parcel.file_name)}"'
    texts.append(f"--{boundary}\r\nContent-Disposition: {about}\r\nContent-Type: {parcel.media_type}\r\n\r\n")
    return "".join(texts).encode(), f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _quoted(text: str) -> str:
    """As browsers write names in forms."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _pieces(head: bytes, file: BinaryIO, tail: bytes) -> Iterator[bytes]:
    yield head
    while piece := file.read(CHUNK):
        yield piece
    yield tail
