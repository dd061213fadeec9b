"""Stacks split over REST: separator sheets on a virtual feeder become documents, or the page map of them."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import zxingcpp
from PIL import Image, ImageDraw, ImageFont

from dwtsvc.errors import DiskFull
from dwtsvc.server.gate.access import Access, of_origin
from dwtsvc.server.looks import Ask, Look
from dwtsvc.server.rest import progress, sheets
from tests.server.faces import DOCUMENTS, JOBS, Api, Play, page_urls, scanned

SPLIT = "/api/process/split"
A, B, SEPARATOR, EMPTY = "a", "b", "separator", "empty"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A folder that the virtual scanner serves: a, separator, b, empty, b."""
    folder = tmp_path / "stack"
    folder.mkdir()
    for number, kind in enumerate((A, SEPARATOR, B, EMPTY, B), 1):
        sheet(kind).save(folder / f"{number}.png", dpi=(100, 100))
    return folder


def sheet(kind: str) -> Image.Image:
    image = Image.new("L", (850, 1100), 255)
    if kind == SEPARATOR:
        code = zxingcpp.create_barcode("PATCHT", zxingcpp.BarcodeFormat.Code128)
        image.paste(Image.fromarray(zxingcpp.write_barcode_to_image(code, scale=3)), (150, 200))
    elif kind != EMPTY:
        for row in range(10):
            words = f"Letter {kind} line {row} of a page"
            ImageDraw.Draw(image).text((100, 100 + 60 * row), words, 0, font=ImageFont.load_default(28))
    return image


async def job_of(client: httpx.AsyncClient, stack: Path) -> str:
    device = f"virtual:adf?folder={quote(str(stack))}&skew=0&noise=0"
    made = await client.post(JOBS, json={"device": device, "config": {"Resolution": 100, "PixelType": 1}})
    assert made.status_code == 201, made.text
    return str(made.json()["jobuid"])


def shape(told: Any) -> list[tuple[Any, bool]]:
    return [(row["document"], row["kept"]) for row in told["pages"]]


def test_the_page_map_is_told_of_jobs_sources_and_documents(play: Play, stack: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await job_of(client, stack)
        urls = await page_urls(client, job)
        uid = (await client.post(DOCUMENTS, json={})).json()["uid"]
        for url in urls:
            await client.post(f"{DOCUMENTS}/{uid}/pages", json={"source": url})
        expected = [(1, True), (2, False), (2, True), (2, True), (2, True)]
        for named in ({"jobuid": job}, {"sources": urls}, {"document": uid}):
            told = await client.post(SPLIT, json={**named, "separators": ["patcht"]})
            assert told.status_code == 200, told.text
            assert shape(told.json()) == expected and told.json()["documents"] == []
        rows = told.json()["pages"]
        assert [row["page"] for row in rows] == [1, 2, 3, 4, 5]
        assert "separator sheet" in rows[1]["reason"] and 0.9 < rows[1]["confidence"] <= 1
        dropped = await client.post(SPLIT, json={"jobuid": job, "separators": ["patcht"], "dropBlank": True})
        assert shape(dropped.json())[3] == (2, False)
        every = await client.post(SPLIT, json={"sources": urls[:4], "separators": ["every:1"], "duplex": True})
        assert [document for document, _ in shape(every.json())] == [1, 2, 3, 4]

    play(scene)


def test_documents_are_made_of_the_kept_pages(play: Play, stack: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await job_of(client, stack)
        urls = await page_urls(client, job)
        body = {"jobuid": job, "separators": ["patcht"], "dropBlank": True, "create": True, "password": "secret"}
        told = (await client.post(SPLIT, json=body)).json()
        assert [each["document"] for each in told["documents"]] == [1, 2]
        first, second = (each["uid"] for each in told["documents"])
        headers = {"DWT-DOC-PASSWORD": "secret"}
        for uid, kept in ((first, [0]), (second, [2, 4])):
            assert (await client.get(f"{DOCUMENTS}/{uid}")).status_code == 403
            for page, index in enumerate(kept):
                params = {"type": "image/png", "pages": str(page)}
                stored = await client.get(f"{DOCUMENTS}/{uid}/content", params=params, headers=headers)
                assert stored.content == (await client.get(urls[index])).content
            assert len((await client.get(f"{DOCUMENTS}/{uid}", headers=headers)).json()["pages"]) == len(kept)

    play(scene)


def test_progress_is_told_page_by_page(play: Play, stack: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await job_of(client, stack)
        await page_urls(client, job)
        body = {"jobuid": job, "separators": ["patcht"]}
        said = await client.post(SPLIT, json=body, headers={"accept": "text/event-stream"})
        events = re.findall(r"^event: (\w+)\ndata: (.*)\n\n", said.text, re.MULTILINE)
        assert [name for name, _ in events] == ["progress"] * 5 + ["result"]
        assert [json.loads(data)["page"] for _, data in events[:5]] == [1, 2, 3, 4, 5]
        assert json.loads(events[-1][1]) == (await client.post(SPLIT, json=body)).json()

    play(scene)


def test_text_begins_a_document_and_a_pattern_cannot_search_for_ever(
    play: Play, stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await job_of(client, stack)
        urls = await page_urls(client, job)
        told = await client.post(SPLIT, json={"sources": [urls[0], urls[2]], "separators": ["text:Letter b"]})
        assert shape(told.json()) == [(1, True), (2, True)], told.text
        # No group is repeated, and yet there are more ways to share a line out than anybody can try.
        wicked = "text:(?s)" + "(?:.|\\s)?" * 12 + ".*" * 10 + "\\Z\\A"
        began = time.monotonic()
        with monkeypatch.context() as hasty:
            hasty.setattr("dwtsvc.server.rest.splits.SEARCHING", 2.0)
            refused = await client.post(SPLIT, json={"sources": urls[:1], "separators": [wicked]})
        assert refused.status_code == 422 and "too long" in refused.json()["message"], refused.text
        assert time.monotonic() - began < 60
        assert (await client.post(SPLIT, json={"sources": urls[:1]})).status_code == 200

    play(scene)


def test_what_is_not_named_once_or_not_known_is_refused(play: Play, stack: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await job_of(client, stack)
        urls = await page_urls(client, job)
        for body in (
            {},
            {"jobuid": job, "sources": urls},
            {"sources": []},
            {"jobuid": job, "separators": ["nonsense"]},
            {"jobuid": job, "separators": ["text:(a+)+"]},
            {"jobuid": job, "separators": "patcht"},
            {"jobuid": job, "create": 1},
        ):
            refused = await client.post(SPLIT, json=body)
            assert refused.status_code == 400 and refused.json()["code"] == -2113, (body, refused.text)
        for body in ({"jobuid": "no"}, {"document": "no"}, {"sources": ["https://elsewhere.example/1.png"]}):
            assert (await client.post(SPLIT, json=body)).status_code == 404

    play(scene)


def test_a_site_that_may_only_read_sees_the_map_and_makes_nothing(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        site = "https://a.example"
        async with api.client(of_origin(site, [Access.SCAN, Access.READ])) as reader:
            job = await scanned(reader)
            await page_urls(reader, job)
            assert (await reader.post(SPLIT, json={"jobuid": job})).status_code == 200
            refused = await reader.post(SPLIT, json={"jobuid": job, "create": True})
            assert refused.status_code == 403 and refused.json()["error"] == "origin-not-allowed"
            assert (await reader.get(DOCUMENTS)).json() == []
        assert (await client.post(SPLIT, json={"jobuid": job})).status_code == 404

    play(scene)


def test_documents_for_which_there_is_no_room_are_taken_back(
    play: Play, stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await job_of(client, stack)
        await page_urls(client, job)
        create, made = api.service.documents.create, []

        def full(*arguments: Any) -> Any:
            if len(made) == 2:
                raise DiskFull("The disk is full")
            made.append(create(*arguments))
            return made[-1]

        monkeypatch.setattr(api.service.documents, "create", full)
        refused = await client.post(SPLIT, json={"jobuid": job, "separators": ["every:1"], "create": True})
        assert refused.status_code == 507 and len(made) == 2
        assert (await client.get(DOCUMENTS)).json() == []

    play(scene)


def test_who_goes_away_ends_the_work_after_its_page(play: Play, stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await job_of(client, stack)
        await page_urls(client, job)
        looked: list[int] = []
        begun, go_on = threading.Event(), threading.Event()
        of = api.service.findings.of

        def slow(whose: str, look: Any, ask: Any) -> Any:
            looked.append(look.page.number)
            begun.set()
            assert go_on.wait(30)
            return of(whose, look, ask)

        monkeypatch.setattr(api.service.findings, "of", slow)
        stream = progress._told(api.service, _split_of(api, job), lambda found: found)
        waiting = asyncio.ensure_future(anext(stream))
        assert await api.service.bridge.run(begun.wait, 30)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await stream.aclose()
        go_on.set()
        await api.service.bridge.run(_settled, looked)
        assert len(looked) < 5

    play(scene)


def _split_of(api: Api, job: str) -> Any:
    looks = [Look(page, sheets.reader(api.service.store, page)) for page in api.service.holdings.job("", job).job.pages]

    def work(tell: Any) -> int:
        number = 0
        for number, _ in enumerate(api.service.findings.each("", looks, Ask(separators=True)), 1):
            tell(number, len(looks))
        return number

    return work


def _settled(looked: list[int]) -> None:
    """Wait until no more pages are looked at."""
    before = -1
    while before != len(looked):
        before = len(looked)
        time.sleep(0.5)
