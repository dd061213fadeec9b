"""How much the guard lets in: sizes of bodies, rates, and what may be open at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dwtsvc.server.gate.access import Scope
from dwtsvc.server.gate.bodies import MOST_JSON, MOST_UPLOAD
from dwtsvc.server.gate.quotas import Limits
from tests.server.guarded import JSON, OWN, SITE, Answer, House

# ---- bodies ----


def chunks(size: int, count: int = 7) -> list[bytes]:
    return [b" " * (size // count)] * (count - 1) + [b" " * (size - size // count * (count - 1))]


@pytest.mark.parametrize(("path", "most"), [("/api/jobs", MOST_JSON), ("/f/LoadFile", MOST_UPLOAD)])
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_is_taken_up_to_its_limit_and_not_a_byte_more(
    house: House, path: str, most: int, announced: bool
) -> None:
    kind = (b"content-type", b"application/octet-stream" if most == MOST_UPLOAD else b"application/json")
    for size, status in ((most, 200), (most + 1, 413)):
        length = [(b"content-length", b"%d" % size)] if announced else [(b"transfer-encoding", b"chunked")]
        answer = house.ask("POST", path, [*length, kind], body=chunks(size))
        assert answer.status == status
        assert answer.get(b"connection") == (b"close" if status == 413 else None)
    assert house.behind.received <= 2 * most


@pytest.mark.parametrize(("path", "most"), [("/api/jobs", MOST_JSON), ("/f/LoadFile", MOST_UPLOAD)])
def test_a_hundred_times_too_much_is_not_even_read(house: House, path: str, most: int) -> None:
    piece = b" " * (most // 16)
    endless = [piece] * 1600
    assert house.ask("POST", path, [(b"transfer-encoding", b"chunked")], body=endless).status == 413
    assert house.behind.received <= most
    before = len(house.behind.callers)
    assert house.ask("POST", path, [(b"content-length", b"%d" % (100 * most))]).status == 413
    for nonsense in (b"-1", b"1e3", b"", b"9" * 400):
        assert house.ask("POST", path, [(b"content-length", nonsense)]).status in (400, 413)
    assert len(house.behind.callers) == before


def test_json_to_a_route_that_takes_files_is_still_json(house: House) -> None:
    assert house.ask("POST", "/f/LoadFile", [JSON], body=chunks(MOST_JSON + 1)).status == 413


@pytest.mark.parametrize(("depth", "status"), [(64, 200), (65, 400), (6400, 400)])
def test_json_is_taken_up_to_a_depth(house: House, depth: int, status: int) -> None:
    text = b"[" * depth + b"]" * depth
    assert house.ask("POST", "/api/jobs", [JSON], body=[text[:7], text[7:]]).status == status


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"identity, gzip", b"x"])
def test_a_compressed_body_is_refused_unseen(house: House, coding: bytes) -> None:
    assert house.ask("POST", "/api/jobs", [(b"content-encoding", coding), JSON]).status == 415
    assert not house.was_reached


def test_an_app_that_answers_a_broken_body_in_its_own_way_does_not_get_a_word_in(house: House) -> None:
    async def stubborn(scope: Scope, receive: Any, send: Any) -> None:
        try:
            while True:
                await receive()
        except Exception:
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b"oops"})

    house.guard._app = stubborn
    answer = house.ask("POST", "/api/jobs", [JSON], body=chunks(MOST_JSON + 1))
    assert answer.status == 413 and json.loads(answer.body)["error"] == "too-large"


# ---- quotas ----


def test_a_site_has_its_rate_and_tools_own_pages_and_images_have_none(tmp_path: Path) -> None:
    house = House(tmp_path, limits=Limits(rate=0.001, burst=100))
    as_site = [house.ask("GET", "/api/device/scanners", [(b"origin", SITE)]).status for _ in range(105)]
    assert as_site == [200] * 100 + [429] * 5
    refused = house.ask("GET", "/api/device/scanners", [(b"origin", SITE)])
    assert refused.get(b"retry-after") == b"1" and refused.get(b"access-control-allow-origin") == SITE
    for headers, path in (([(b"origin", SITE)], "/dwt/dwt_1/img"), ([], "/api/jobs/4/page"), ([(b"origin", OWN)], "/")):
        assert {house.ask("GET", path, headers).status for _ in range(150)} == {200}


def test_those_without_consent_share_one_rate_for_asking(tmp_path: Path) -> None:
    house = House(tmp_path, limits=Limits(rate=0.001, burst=10))
    found = [
        house.ask("POST", "/consent/requests", [(b"origin", b"https://a%d.example" % number), JSON]).status
        for number in range(15)
    ]
    assert found == [200] * 10 + [429] * 5


async def held_open(house: House, requests: list[tuple[str, str, list[tuple[bytes, bytes]]]]) -> list[Answer]:
    """Send requests of which none ends before all were begun."""
    gate = asyncio.Event()
    house.behind.act = gate.wait
    tasks = [asyncio.create_task(house.asked(*request)) for request in requests]
    for _ in range(20):
        await asyncio.sleep(0)
    gate.set()
    return await asyncio.gather(*tasks)


def test_a_site_has_so_many_open_requests_and_uploads_and_all_have_a_limit(tmp_path: Path) -> None:
    house = House(tmp_path, limits=Limits(all_requests=20))
    site = (b"origin", SITE)
    answers = asyncio.run(held_open(house, [("GET", "/api/device/scanners", [site])] * 10))
    assert sorted(each.status for each in answers) == [200] * 8 + [429] * 2
    answers = asyncio.run(held_open(house, [("POST", "/f/HTTPUpload", [site, JSON])] * 3))
    assert sorted(each.status for each in answers) == [200] * 2 + [429]
    answers = asyncio.run(held_open(house, [("GET", "/dwt/dwt_1/img", [])] * 21))
    assert sorted(each.status for each in answers) == [200] * 20 + [503]
    assert next(each for each in answers if each.status == 503).get(b"retry-after") == b"1"
    assert house.guard.open_requests == 0 and house.guard._quotas.open_requests(SITE.decode()) == 0


def test_counts_go_back_when_a_request_is_broken_off_or_fails(house: House) -> None:
    site = [(b"origin", SITE), JSON]

    async def broken_off() -> None:
        house.behind.act = asyncio.Event().wait
        tasks = [asyncio.create_task(house.asked("POST", "/f/HTTPUpload", site)) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert house.guard._quotas.open_requests(SITE.decode()) == 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def failing() -> None:
        raise RuntimeError

    asyncio.run(broken_off())
    house.behind.act = failing
    assert house.ask("POST", "/f/HTTPUpload", site).status == 500
    assert house.guard.open_requests == 0 and house.guard._quotas.open_requests(SITE.decode()) == 0
    house.behind.act = None
    assert house.ask("POST", "/f/HTTPUpload", site).status == 200
