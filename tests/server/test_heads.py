"""HEAD wherever GET is, at a running service: the same head, no body, and nothing changed by it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.server.faces import DOCUMENTS, JOBS, Served, serving
from tests.server.running import read_answer
from tests.server.test_classic import packed, picture

CHANGING = {"date", "transfer-encoding"}  # RFC 9110 lets a HEAD leave out how a body would have come


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("heads")) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def job(client: httpx.Client) -> str:
    """A job with its three pages."""
    made = client.post(JOBS, json={"device": "virtual:adf?pages=3", "config": {"Resolution": 50}})
    uid = str(made.json()["jobuid"])
    while client.get(f"{JOBS}/{uid}").json()["status"] == "running":
        pass
    return uid


def said(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in CHANGING}


def addresses(client: httpx.Client, job: str) -> list[str]:
    """Every GET of the API that ends by itself, with what its address needs, and the other faces' too."""
    paths = client.get("/schema/openapi.json").json()["paths"]
    found = [path.replace("{job}", job).replace("{document}", "none") for path in paths if "get" in paths[path]]
    found = [path + ("?type=image/png&page=0" if path.endswith(f"{job}/content") else "") for path in found]
    others = ["/", "/scan", "/legal.txt", "/healthz", "/favicon.ico", "/dwtsvc.js", "/fa/VersionInfo", "/nowhere"]
    return [path for path in found if not path.endswith("/events")] + others


def test_the_head_is_that_of_get_everywhere(client: httpx.Client, job: str) -> None:
    paths = addresses(client, job)
    assert len(paths) > 20
    for path in paths:
        head, get = client.head(path), client.get(path)
        assert head.status_code == get.status_code and head.content == b"", path
        if "NextDocument" not in path and "next-page" not in path:  # GET goes on to another page
            assert said(head) == said(get), path


def test_an_event_stream_has_a_head_that_ends_and_its_connection_goes_on(served: Served, job: str) -> None:
    for path in (f"{JOBS}/{job}/events", "/api/device/scanners/events"):
        with socket.create_connection(("127.0.0.1", served.http), timeout=60) as client:
            for method in ("HEAD", "GET"):
                address = path if method == "HEAD" else "/healthz"
                client.sendall(f"{method} {address} HTTP/1.1\r\nHost: 127.0.0.1:{served.http}\r\n\r\n".encode())
                answer = read_answer(client)
                assert answer.status == 200 and (method == "GET" or b"text/event-stream" in answer.head)


def test_a_head_takes_no_page_from_whoever_fetches_them(client: httpx.Client) -> None:
    made = client.post(JOBS, json={"device": "virtual:adf?pages=2", "config": {"Resolution": 50}})
    job = f"{JOBS}/{made.json()['jobuid']}"
    heads = [client.head(f"{job}/next-page?type=image/jpeg") for _ in range(3)]
    pages = [client.get(f"{job}/next-page?type=image/jpeg") for _ in range(3)]
    assert [each.status_code for each in heads] == [200] * 3
    assert [each.status_code for each in pages] == [200, 200, 204]
    assert {each.headers["content-length"] for each in heads} == {str(len(pages[0].content))}
    infos = f"{job}/next-page-info"
    assert client.head(infos).status_code == 200
    assert [client.get(infos).status_code for _ in range(3)] == [200, 200, 204]
    assert client.head(infos).status_code == 204


def test_a_head_removes_no_images(client: httpx.Client) -> None:
    def count() -> int:
        asked = {"id": "9", "params": {}}
        return int(client.post("/f/HowManyImagesInBuffer", json=asked).json()["result"][0])

    client.post("/f/LoadImage", json={"id": "9", "params": {"file": packed(picture())}}).raise_for_status()
    head = client.head("/f/RemoveAllImages?id=9")
    assert head.status_code == 200 and count() == 1
    get = client.get("/f/RemoveAllImages?id=9")
    assert said(head) == said(get) and count() == 0


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/server", "GET, HEAD, PATCH"),
        (DOCUMENTS, "GET, HEAD, POST"),
        ("/api/process/edit", "POST"),
        ("/dwt/dwt_1/img", "GET, HEAD"),
        ("/fa/VersionInfo", "GET, HEAD"),
    ],
)
def test_allow_names_head_beside_get_and_only_there(client: httpx.Client, path: str, allowed: str) -> None:
    refused = client.put(path, json={})
    assert refused.status_code == 405 and refused.headers["allow"] == allowed
    assert refused.json()["message"].endswith(f"Allowed: {allowed.replace('GET, HEAD', 'GET')}.")
    assert client.head(path).status_code != 405 or "GET" not in allowed


def test_an_address_that_cannot_be_read_has_no_head_either(client: httpx.Client) -> None:
    refused = client.head("/api/process/edit")
    assert refused.status_code == 405 and refused.headers["allow"] == "POST" and refused.content == b""


def test_a_stranger_who_has_no_token_is_told_nothing(served: Served, job: str) -> None:
    site = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    for path in (f"{JOBS}/{job}", "/api/device/scanners", f"{JOBS}/{job}/next-page", "/f/RemoveAllImages", "/nowhere"):
        refused = httpx.head(served.url + path, headers=site, timeout=60)
        assert refused.status_code == 403 and "access-control-allow-origin" not in refused.headers
        assert said(refused) == said(httpx.get(served.url + path, headers=site, timeout=60))
