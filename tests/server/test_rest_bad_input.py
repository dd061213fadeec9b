"""What is wrong is answered with the one error object, never with a 5xx, and says nothing of the machine."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.server.faces import DOCUMENTS, JOBS, Api, Play

UNKNOWN = "4e2eb0a5-8cbc-4c78-8b1e-b8a0e2b1b5a1"
EVIL = (
    "..",
    "../../etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "a" * 5000,
    "\\..\\",
    "x;y",
    "nul%00",
    "%ff",
    "‮",
    "*",
    "{}",
)
ENDPOINTS = {
    "/api/server": "GET, PATCH",
    "/api/server/version": "GET",
    "/api/server/status": "GET",
    "/api/device/scanners": "GET",
    "/api/device/scanners/events": "GET",
    "/api/device/webcam/preview": "GET",
    JOBS: "GET, POST",
    f"{JOBS}/{UNKNOWN}": "GET, PATCH, DELETE",
    f"{JOBS}/{UNKNOWN}/events": "GET",
    f"{JOBS}/{UNKNOWN}/next-page": "GET",
    f"{JOBS}/{UNKNOWN}/next-page-info": "GET",
    f"{JOBS}/{UNKNOWN}/content": "GET",
    f"{JOBS}/{UNKNOWN}/scanner/capabilities": "GET",
    f"{JOBS}/{UNKNOWN}/scanner/settings": "GET",
    DOCUMENTS: "GET, POST",
    f"{DOCUMENTS}/x": "GET, PATCH, DELETE",
    f"{DOCUMENTS}/x/content": "GET",
    f"{DOCUMENTS}/x/pages": "POST",
    f"{DOCUMENTS}/x/pages/0": "DELETE",
    "/api/process/read-barcode": "POST",
    "/api/process/check-blank": "POST",
    "/api/process/edit": "POST",
    "/api/process/ocr": "POST",
    "/api/process/ocr/languages": "GET",
    "/api/process/split": "POST",
    "/DWTAPI/Scanners": "GET",
    "/DWTAPI/ScanJobs": "POST",
    f"/DWTAPI/ScanJobs/{UNKNOWN}": "DELETE",
    f"/DWTAPI/ScanJobs/{UNKNOWN}/NextDocument": "GET",
}
BODIES = [b"{", b"[", b"[]", b'"text"', b"7", b"\xff\xfe", b"{}{}", b"\x00", b"{'a':1}", b"NaN", b'{"a":' * 60 + b"1"]


def problem(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """The error object of an answer, checked for its shape and for what it must not say."""
    assert answer.status_code in statuses, (answer.request.url, answer.text[:300])
    said: dict[str, Any] = answer.json()
    assert said["statusCode"] == answer.status_code and said["code"] < 0 and said["message"]
    for secret in ("Traceback", "/site-packages/", ".py", "/root", "/tmp"):
        assert secret not in answer.text
    return said


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_wrong_method_is_told_the_right_ones(play: Play, path: str) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"} - set(ENDPOINTS[path].split(", ")):
            refused = await client.request(method, path)
            said = problem(refused, 405)
            assert said["code"] == -2112 and f"Allowed: {ENDPOINTS[path]}" in said["message"]
            assert refused.headers["allow"] == ENDPOINTS[path].replace("GET", "GET, HEAD")

    play(scene)


def test_bodies_that_are_no_json_or_of_another_shape_are_400(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        takers = [(method, path) for path, methods in ENDPOINTS.items() for method in methods.split(", ")]
        for method, path in takers:
            for body in BODIES if method in ("POST", "PATCH") else ():
                said = problem(await client.request(method, path, content=body), 400)
                assert said["code"] == -2113
        assert (await client.get(JOBS)).json() == []

    play(scene)


@pytest.mark.parametrize(
    "body",
    [
        {"autoRun": "yes"},
        {"autoRun": None},
        {"scannerFailureTimeout": 0},
        {"scannerFailureTimeout": 1e400},
        {"scannerFailureTimeout": 10**30},
        {"jobTimeout": -1},
        {"device": 5},
        {"device": "x" * 5000},
        {"device": "{"},
        {"device": '{"id":7}'},
        {"device": '{"id":"a\\u0000b"}'},
        {"device": '{"a":' + "[" * 4000},
        {"config": []},
        {"config": {"Resolution": "300"}},
        {"config": {"Resolution": 1e308}},
        {"config": {"Resolution": 100.5}},
        {"config": {"PixelType": 1.5}},
        {"config": {"IfFeederEnabled": 1}},
        {"caps": {"capabilities": [{"curValue": 1}]}},
        {"caps": {"exception": "never"}},
        {"settings": "%%%"},
        {"settings": "W10="},
        {"settings": "W" * 600_000},
    ],
)
def test_a_job_of_wrong_types_is_400_and_none_is_left(play: Play, body: dict[str, Any]) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        text = json.dumps(body).replace("Infinity", "1e400")
        said = problem(await client.post(JOBS, content=text.encode()), 400)
        assert said["code"] == -2113
        assert (await client.get(JOBS)).json() == []

    play(scene)


def test_unknown_and_evil_ids_are_404_everywhere(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        for name in (UNKNOWN, *EVIL):
            for path in (
                f"{JOBS}/{name}",
                f"{JOBS}/{name}/next-page",
                f"{DOCUMENTS}/{name}",
                f"{DOCUMENTS}/{name}/content",
            ):
                answer = await client.get(path)
                if httpx.URL(path).path.count("/") == path.count("/") and ".." not in path:
                    problem(answer, 404)
                assert answer.status_code < 500
            problem(await client.get(f"{JOBS}/{UNKNOWN}/next-page", params={"page": name[:64]}), 404)

    play(scene)


def test_names_of_scanners_that_do_not_exist_are_404_and_leave_no_job(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        for device in ("virtual:nothing", "sane:no-such:1", "../../etc/passwd"):
            said = problem(await client.post(JOBS, json={"device": device}), 404)
            assert said["code"] == -1003
        wrong = problem(await client.post(JOBS, json={"device": "virtual:adf?pages=-1"}), 400)
        assert wrong["code"] == -2113
        assert (await client.get(JOBS)).json() == []

    play(scene)


def test_an_unknown_address_is_404(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        for path in ("/api", "/api/nothing", "/apiserver", "/api/device/scanners/jobs/x/y/z"):
            assert problem(await client.get(path), 404)["code"] == -1040

    play(scene)


def test_the_openapi_document_is_whole_and_needs_nothing_from_elsewhere(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        document = (await client.get("/schema/openapi.json")).json()
        assert (await client.get("/schema")).json() == document
        assert document["info"]["title"] == "dwtsvc" and document["openapi"].startswith("3.1")
        described = {
            path.replace("{job}", UNKNOWN).replace("{document}", "x").replace("{page}", "0")
            for path in document["paths"]
        }
        assert described == set(ENDPOINTS)
        create = document["paths"][JOBS]["post"]
        assert create["requestBody"]["content"]["application/json"]["examples"]["example"]["value"]["device"]
        assert "jsdelivr" not in json.dumps(document)

    play(scene)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/api/device/scanners?type=x", "type: Expected"),
        (f"{JOBS}/none/next-page?type=image/webp", "type: Invalid"),
        ("/api/storage/documents/none/content?pageType=x", "pageType: Expected"),
        (f"{JOBS}/none/content?page=7&sig=secret", "query parameter 'type'"),
    ],
)
def test_a_parameter_is_called_as_the_caller_calls_it_and_no_query_comes_back(
    play: Play, address: str, said: str
) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        answer = await client.get(address)
        cause = answer.json()["cause"]["message"]
        assert answer.status_code == 400 and said in cause
        assert "?" not in cause and "secret" not in answer.text

    play(scene)
