"""Orders of the AirScan face in the forms that clients give them: with hardly a word, and by all of HTTP and XML."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image

from dwtsvc.model import Source
from tests.server.sharing import GLASS, PATIENCE, Shared, begun, documents, order, sharing

BODY = order(Source.FLATBED)
WIDE = BODY.decode().replace("UTF-8", "UTF-16").encode("utf-16")
HALF, REST = BODY[:200], BODY[200:]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    with sharing(tmp_path_factory.mktemp("forms") / "home", GLASS) as made:
        yield made


@pytest.mark.parametrize(
    "parts",
    [
        b"<Version>2.0</Version>",
        b"<Intent>Document</Intent>",
        b"<Version>2.6</Version><InputSource>Platen</InputSource><Intent>Preview</Intent>",  # OpenAirScan, in a hurry
        b"<ScanRegions/><ColorMode/><XResolution>0</XResolution>",
    ],
)
def test_an_order_that_says_little_is_a_whole_page_of_the_glass(shared: Shared, parts: bytes) -> None:
    with shared.client() as client:
        (page,) = documents(client, begun(client, b"<ScanSettings>" + parts + b"</ScanSettings>"))
    made = Image.open(io.BytesIO(page.content))
    assert (made.size, made.mode) == ((2480, 3508), "RGB")  # A4 at 300 dpi


@pytest.mark.parametrize(
    ("fields", "pieces"),
    [
        ("Transfer-Encoding: chunked", [b"%x\r\n%b\r\n" % (len(each), each) for each in (HALF, REST, b"")]),
        (f"Expect: 100-continue\r\nContent-Length: {len(BODY)}", [BODY]),
        (f"Connection: close\r\nContent-Length: {len(BODY) + 3}", [b"\xef\xbb\xbf" + BODY]),
        (f"Content-Type: text/xml; charset=utf-16\r\nContent-Length: {len(WIDE)}", [WIDE]),
        (f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(BODY)}", [HALF, REST]),
    ],
    ids=["chunked", "continue", "byte-order-mark", "utf-16", "in-pieces"],
)
def test_an_order_may_come_in_any_form_that_http_and_xml_allow(
    shared: Shared, fields: str, pieces: list[bytes]
) -> None:
    place = ("127.0.0.1", shared.port)
    with socket.create_connection(place, timeout=PATIENCE) as line, line.makefile("rb") as answers:
        line.sendall(f"POST /eSCL/ScanJobs HTTP/1.1\r\nHost: 127.0.0.1:{shared.port}\r\n{fields}\r\n\r\n".encode())
        if "100-continue" in fields:
            assert (answers.readline(), answers.readline()) == (b"HTTP/1.1 100 Continue\r\n", b"\r\n")
        for piece in pieces:
            line.sendall(piece)
        assert answers.readline() == b"HTTP/1.1 201 Created\r\n"
        head = dict(each.decode().strip().split(": ", 1) for each in iter(answers.readline, b"\r\n"))
    httpx.delete(head["Location"], timeout=PATIENCE).raise_for_status()
