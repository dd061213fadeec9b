"""Scan jobs over REST: their life, their pages in order and again, and what they answer when something goes wrong."""

from __future__ import annotations

import asyncio
import base64
import errno
import io
import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from dwtsvc.disk import storage_error
from dwtsvc.model import Device
from dwtsvc.server.gate.access import TOOL, Access, of_origin
from dwtsvc.server.rest import scanners as rest_scanners
from tests.server.faces import ADF, JOBS, PATIENCE, Api, Play, page_urls, scanned

SITE = of_origin("https://a.example", [Access.LIST, Access.SCAN, Access.READ])


def test_the_list_of_scanners_has_the_published_shape_and_heeds_the_mask(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        found = (await client.get("/api/device/scanners")).json()
        assert {each["id"] for each in found} >= {"virtual:adf", "virtual:flatbed"}
        about = json.loads(found[-1]["device"])
        assert base64.b64decode(about["name"]).decode() == found[-1]["name"]
        assert base64.b64decode(about["deviceInfo"]["Manufacturer"]) == b"dwtsvc"
        assert about["deviceType"] == found[-1]["type"] == 256
        assert (await client.get("/api/device/scanners?type=256")).json() == found
        assert (await client.get("/api/device/scanners?type=80")).json() == []
        assert (await client.get("/api/device/scanners?type=sane")).status_code == 400

    play(scene)


def test_a_job_gives_its_pages_in_order_and_then_nothing(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client)
        pages = []
        while (answer := await client.get(f"{JOBS}/{job.upper()}/next-page")).status_code == 200:
            assert answer.headers["content-type"] == "image/png"
            pages.append(answer.content)
        assert answer.status_code == 204 and answer.content == b""
        assert len(pages) == 2 and len(set(pages)) == 2
        done = (await client.get(f"{JOBS}/{job}")).json()
        assert done == {"status": "completed", "code": 0, "message": "Successful", "pages": 2}

    play(scene)


def test_the_device_text_comes_back_verbatim_and_the_last_scanner_is_remembered(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        scanners = (await client.get("/api/device/scanners")).json()
        flatbed = next(each for each in scanners if each["id"] == "virtual:flatbed")
        body = {"device": flatbed["device"], "config": {"Resolution": 50}, "license": "x", "unknown": {"key": 1}}
        made = await client.post(JOBS, json=body, headers={"DWT-PRODUCT-KEY": "anything"})
        assert made.status_code == 201 and made.json()["scanner"] == flatbed
        assert len(await page_urls(client, made.json()["jobuid"])) == 1
        await client.delete(f"{JOBS}/{made.json()['jobuid']}")
        again = await client.post(JOBS)
        assert again.json()["scanner"]["id"] == "virtual:flatbed" and again.json()["status"] == "running"

    play(scene)


def test_without_any_scanner_there_is_none(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        refused = await client.post(JOBS)
        assert refused.status_code == 404 and refused.json()["code"] == -1003

    play(scene, device=None)


def test_the_two_cursors_are_apart_and_a_page_address_moves_none(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client)
        info = (await client.get(f"{JOBS}/{job}/next-page-info")).json()
        assert isinstance(info, list) and info[0]["imageId"] == 1
        first = (await client.get(info[0]["url"])).content
        assert (await client.get(info[0]["url"])).content == first
        assert (await client.get(f"{JOBS}/{job}/next-page")).content == first
        second = (await client.get(f"{JOBS}/{job}/next-page-info")).json()[0]
        assert second["imageId"] == 2 and (await client.get(second["url"])).content != first
        assert (await client.get(f"{JOBS}/{job}/next-page-info")).status_code == 204
        assert (await client.get(f"{JOBS}/{job}/next-page")).status_code == 200
        for wrong in ("00ff", "", "-1", "0"):
            unknown = await client.get(f"{JOBS}/{job}/next-page?page={wrong}")
            assert unknown.status_code == 404 and unknown.json()["code"] == -1040

    play(scene)


def test_the_information_of_a_page_is_that_of_its_image(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client, config={"PixelType": 1, "PageSize": 1, "XferCount": 1, "Resolution": 100})
        told = (await client.get(f"{JOBS}/{job}/next-page-info")).json()[0]
        image = Image.open(io.BytesIO((await client.get(told["url"])).content))
        info = told["imageInfo"]
        assert image.mode == "L" and (info["ImageWidth"], info["ImageLength"]) == image.size
        assert (info["BitsPerPixel"], info["SamplesPerPixel"], info["PixelType"]) == (8, 1, 1)
        assert len(info["BitsPerSample"]) == 8 and info["XResolution"] == 100
        frame = info["ImageLayout"]["Frame"]
        assert abs(frame["Right"] - 210 / 25.4) < 0.05 and abs(frame["Bottom"] - 297 / 25.4) < 0.05
        assert len(await page_urls(client, job)) == 0

    play(scene)


def test_a_page_is_converted_on_demand_and_jpeg_is_asked_for_by_type(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client)
        url = (await page_urls(client, job))[0]
        jpeg = await client.get(url + "&type=image/jpeg")
        assert jpeg.headers["content-type"] == "image/jpeg" and Image.open(io.BytesIO(jpeg.content)).format == "JPEG"
        refused = await client.get(url + "&type=image/gif")
        assert refused.status_code == 400 and refused.json()["code"] == -2113

    play(scene)


def test_content_is_by_index_and_never_waits(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client, autoRun=False)
        pending = await client.get(f"{JOBS}/{job}/content?type=image/png&page=0")
        assert pending.status_code == 409 and pending.json()["code"] == -1011
        await client.patch(f"{JOBS}/{job}")
        urls = await page_urls(client, job)
        for index, url in enumerate(urls):
            there = await client.get(f"{JOBS}/{job}/content?type=image/png&page={index}")
            assert there.content == (await client.get(url)).content
        assert (await client.get(f"{JOBS}/{job}/content?type=image/png&page=2")).status_code == 204
        for query in ("", "?page=0", "?type=image/png", "?type=image/png&page=x", "?type=image/png&page=-1"):
            assert (await client.get(f"{JOBS}/{job}/content{query}")).status_code == 400, query

    play(scene)


def test_content_of_a_page_that_is_not_there_yet_is_204(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await _begun(client, "virtual:adf?pages=1&hang=1")
        answer = await client.get(f"{JOBS}/{job}/content?type=image/png&page=0")
        assert answer.status_code == 204
        assert (await client.delete(f"{JOBS}/{job}")).status_code == 204

    play(scene, cancel_grace=0.1)


async def _begun(client: httpx.AsyncClient, device: str, **body: object) -> str:
    made = await client.post(JOBS, json={"device": device, "config": {"Resolution": 50}, **body})
    assert made.status_code == 201, made.text
    return str(made.json()["jobuid"])


def test_a_pending_job_waits_tells_its_capabilities_and_starts_once(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client, autoRun=False)
        assert (await client.get(f"{JOBS}/{job}")).json()["status"] == "pending"
        busy = await client.post(JOBS, json={"device": ADF})
        assert busy.status_code == 423 and busy.json()["code"] == -1004
        for path in ("next-page", "next-page-info"):
            assert (await client.get(f"{JOBS}/{job}/{path}")).status_code == 409
        caps = (await client.get(f"{JOBS}/{job}/scanner/capabilities?caps=257,4376")).json()
        assert [each["capability"]["value"] for each in caps] == [257, 4376]
        assert caps[0]["enums"] == [0, 1, 2] and caps[0]["conType"] == {"value": 4, "label": "enumeration"}
        assert (caps[1]["minValue"], caps[1]["maxValue"]) == (50, 1200)
        every = (await client.get(f"{JOBS}/{job}/scanner/capabilities")).json()
        listed = next(each for each in every if each["capability"]["value"] == 4101)
        assert sorted(listed["values"]) == sorted(each["capability"]["value"] for each in every)
        assert (await client.patch(f"{JOBS}/{job}", json={"status": "running"})).json() == {"status": "running"}
        again = await client.patch(f"{JOBS}/{job}", json={"status": "running"})
        assert again.status_code == 409 and again.json()["code"] == -1011
        assert (await client.get(f"{JOBS}/{job}/scanner/capabilities")).status_code == 409
        assert len(await page_urls(client, job)) == 2

    play(scene)


def test_settings_of_a_driver_are_kept_and_sent_back(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client, autoRun=False)
        said = (await client.get(f"{JOBS}/{job}/scanner/settings?showui=false")).json()["settings"]
        options = json.loads(base64.b64decode(said))["options"]
        assert options == {"brightness": "0", "threshold": "128"}
        await client.delete(f"{JOBS}/{job}")
        options["brightness"] = "100"
        bright = base64.b64encode(json.dumps({"options": options}).encode()).decode()
        pages = []
        for settings in (said, bright):
            url = (await page_urls(client, await scanned(client, settings=settings)))[0]
            image = Image.open(io.BytesIO((await client.get(url)).content)).convert("L")
            pages.append(image.resize((1, 1)).tobytes()[0])
        assert pages[1] > pages[0]
        for wrong in ("!", "e30=", base64.b64encode(b'{"options":{"no-such":"1"}}').decode()):
            assert (await client.post(JOBS, json={"device": ADF, "settings": wrong})).status_code == 400

    play(scene)


def test_capabilities_are_set_and_what_cannot_be_is_ignored_or_refused(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        def caps(exception: str, *settings: Any) -> dict[str, object]:
            return {"device": ADF, "caps": {"exception": exception, "capabilities": list(settings)}}

        good = [
            {"capability": 257, "curValue": 0},
            {"capability": 4376, "values": [60]},
            {"capability": 1, "curValue": 1},
        ]
        wrong = [{"capability": 4376, "curValue": 7}, {"capability": 9999, "curValue": 1}, {"capability": 4098}]
        made = await client.post(JOBS, json=caps("ignore", *good, *wrong))
        assert made.status_code == 201, made.text
        job = made.json()["jobuid"]
        info = (await client.get(f"{JOBS}/{job}/next-page-info")).json()[0]["imageInfo"]
        assert info["BitsPerPixel"] == 1 and info["XResolution"] == 60
        assert await page_urls(client, job) == []
        for each in wrong:
            refused = await client.post(JOBS, json=caps("fail", each))
            assert refused.status_code == 400 and refused.json()["code"] == -2113
            own = await client.post(JOBS, json=caps("ignore", {**each, "exception": "fail"}))
            assert own.status_code == 400

    play(scene)


def test_the_configuration_wins_over_capabilities(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        caps = {"capabilities": [{"capability": 4376, "curValue": 60}, {"capability": 257, "curValue": 0}]}
        job = await scanned(client, caps=caps, config={"Resolution": 75, "PixelType": 2})
        info = (await client.get(f"{JOBS}/{job}/next-page-info")).json()[0]["imageInfo"]
        assert info["XResolution"] == 75 and info["BitsPerPixel"] == 24

    play(scene)


def test_what_the_scanner_cannot_do_is_refused_with_what_it_can_and_leaves_no_job(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        for config in ({"Resolution": 7}, {"PixelType": 5}, {"PageSize": 11}, {"PageSize": 999}, {"XferCount": 0}):
            refused = await client.post(JOBS, json={"device": ADF, "config": config})
            assert refused.status_code == 400 and refused.json()["code"] == -2113, config
        duplex = {"device": "virtual:flatbed", "config": {"IfFeederEnabled": True, "IfDuplexEnabled": True}}
        assert (await client.post(JOBS, json=duplex)).status_code == 400
        assert (await client.get(JOBS)).json() == []
        assert (await scanned(client)) != ""

    play(scene)


def test_a_feeder_or_glass_that_is_not_there_means_what_there_is(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        body = {"device": "virtual:flatbed", "config": {"IfFeederEnabled": True, "Resolution": 50}}
        made = await client.post(JOBS, json=body)
        assert len(await page_urls(client, made.json()["jobuid"])) == 1

    play(scene)


def test_pages_before_a_fault_come_first_and_then_the_fault(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await _begun(client, "virtual:adf?pages=5&jam=3")
        for path in ("next-page", "next-page-info"):
            seen = [await client.get(f"{JOBS}/{job}/{path}") for _ in range(4)]
            assert [each.status_code for each in seen] == [200, 200, 409, 409]
            assert seen[2].json()["code"] == -1020 and seen[2].json()["error"] == "paper-jam"
        told = (await client.get(f"{JOBS}/{job}")).json()
        assert told["status"] == "faulted" and told["code"] == -1020 and told["pages"] == 2
        assert told["error"] == "paper-jam"
        assert (await client.get(f"{JOBS}/{job}/content?type=image/png&page=1")).status_code == 200
        assert (await client.get(f"{JOBS}/{job}/content?type=image/png&page=2")).status_code == 204

    play(scene)


def test_a_running_job_is_canceled_and_only_once(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await _begun(client, "virtual:adf?pages=500")
        await client.get(f"{JOBS}/{job}/next-page")
        stopped = await client.patch(f"{JOBS}/{job}", json={"status": "canceled"})
        assert stopped.json() == {"status": "canceled"}
        assert (await client.patch(f"{JOBS}/{job}", json={"status": "canceled"})).status_code == 409
        while (last := await client.get(f"{JOBS}/{job}/next-page")).status_code == 200:
            pass
        assert last.status_code == 204

    play(scene)


def test_a_deleted_job_is_gone_and_its_pages_with_it(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client)
        url = (await page_urls(client, job))[0]
        assert (await client.delete(f"{JOBS}/{job}")).status_code == 204
        for answer in (await client.get(url), await client.get(f"{JOBS}/{job}"), await client.delete(f"{JOBS}/{job}")):
            assert answer.status_code == 410 and answer.json()["code"] == -1034
        assert (await client.get(f"{JOBS}/no-such-job")).status_code == 404

    play(scene)


def test_another_origin_sees_nothing(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client)
        async with api.client(SITE) as site:
            answers = [await site.get(f"{JOBS}/{name}") for name in (job, "4e2eb0a5-8cbc-4c78-8b1e-b8a0e2b1b5a1")]
            assert [each.status_code for each in answers] == [404, 404] and answers[0].content == answers[1].content
            assert (await site.get(JOBS)).json() == []
        assert [each["jobuid"] for each in (await client.get(JOBS)).json()] == [job]

    play(scene)


def test_a_site_may_not_have_the_virtual_scanner_read_the_users_files(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        async with api.client(SITE) as site:
            for device in (
                "virtual:adf?folder=/etc",
                "virtual:adf?pages=1&file=/x.pdf",
                "sane:net:10.0.0.1:x",
                "replay:/x.dwt",
            ):
                assert (await site.post(JOBS, json={"device": device})).status_code == 404
            assert (await site.post(JOBS, json={"device": ADF, "config": {"Resolution": 50}})).status_code == 201

    play(scene)


def test_an_address_for_a_web_page_is_signed_and_still_a_source(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        async with api.client(SITE) as site:
            job = await scanned(site)
            url = (await page_urls(site, job))[0]
            assert "&sig=" in url and (await site.get(url)).status_code == 200
            path, _, query = url.removeprefix("http://127.0.0.1:18622").partition("?")
            assert api.service.token.check(path, query) == "https://a.example"
            assert (await site.post("/api/process/check-blank", json={"source": url})).status_code == 200

    play(scene)


def test_a_job_that_is_deleted_while_it_is_read_is_gone_and_no_fault(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        async def later(seconds: float, method: str, path: str) -> httpx.Response:
            await asyncio.sleep(seconds)
            return await client.request(method, path)

        for number in range(12):
            job = await _begun(client, f"virtual:adf?pages=6&seed={number}")
            told = await asyncio.gather(
                *(client.get(f"{JOBS}/{job}/next-page") for _ in range(4)),
                client.get(f"{JOBS}/{job}/content?type=image/jpeg&page=0"),
                *(later(number * 0.01, "DELETE", f"{JOBS}/{job}") for _ in range(2)),
            )
            assert {each.status_code for each in told} <= {200, 204, 410}, [each.text[:200] for each in told]

    play(scene)


def test_several_that_wait_at_once_get_a_page_each(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client)
        told = await asyncio.gather(*(client.get(f"{JOBS}/{job}/next-page-info") for _ in range(4)))
        assert sorted(each.status_code for each in told) == [200, 200, 204, 204]
        assert sorted(each.json()[0]["imageId"] for each in told if each.content) == [1, 2]

    play(scene)


def test_a_client_that_goes_away_takes_no_page_with_it(play: Play, held_back: threading.Event) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await _begun(client, "virtual:adf?pages=1&seed=7")
        left = asyncio.Event()
        sent: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": f"{JOBS}/{job}/next-page",
            "query_string": b"",
            "headers": [],
            "state": {"caller": TOOL},
            "scheme": "http",
            "root_path": "",
            "http_version": "1.1",
            "server": ("127.0.0.1", 18622),
            "client": ("127.0.0.1", 1),
        }
        waiting = asyncio.create_task(api.app(scope, receive, send))  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        left.set()
        await waiting
        assert sent[0]["status"] == 204
        held_back.set()
        assert (await client.get(f"{JOBS}/{job}/next-page")).status_code == 200

    play(scene)


def test_job_events_tell_state_pages_and_the_end(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client)
        told = (await client.get(f"{JOBS}/{job}/events")).text
        names = [line.removeprefix("event: ") for line in told.splitlines() if line.startswith("event: ")]
        assert names[0] == "state" and names[-1] == "end" and names.count("page") == 2
        ends = json.loads(told.rstrip().rpartition("data: ")[2])
        assert ends["status"] == "completed" and ends["pages"] == 2

    play(scene)


def test_a_page_of_a_job_without_pages_is_unknown(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client, autoRun=False)
        for wrong in ("", "00ff"):
            assert (await client.get(f"{JOBS}/{job}/next-page?page={wrong}")).status_code == 404

    play(scene)


def test_scanners_that_appear_and_vanish_are_told(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver of the tests can lose a scanner, so the list of what was found is changed instead."""

    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        one, two = (Device(id=f"sane:test:{n}", vendor="Noname", model=f"test {n}") for n in (1, 2))
        answers = [(one,), (one, two), (two,)]
        monkeypatch.setattr(rest_scanners, "LOOK_EVERY", 0.0)
        monkeypatch.setattr(api.service.scanners, "listed", lambda: answers.pop(0) if len(answers) > 1 else answers[0])
        told = []
        async for piece in rest_scanners.comings_and_goings(api.service, TOOL, lambda: True):
            told += [piece.decode()] if piece.startswith(b"event") else []
            if len(told) == 3:
                break
        assert [each.partition("\n")[0] for each in told] == ["event: scanners", "event: appeared", "event: vanished"]
        assert "test:2" in told[1] and "test:1" in told[2]

    play(scene)


def test_an_idle_pending_job_ends_by_itself(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client, autoRun=False, jobTimeout=1)
        held = api.service.holdings.job("", job)
        held.used -= 2
        await asyncio.to_thread(api.service.holdings.end_idle)
        assert (await client.get(f"{JOBS}/{job}")).json()["status"] == "canceled"

    play(scene)


def test_the_older_api_scans(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        assert (await client.get("/DWTAPI/Scanners?type=256")).status_code == 200
        body = {"license": "x", "device": ADF, "config": {"Resolution": 50}}
        made = await client.post("/DWTAPI/ScanJobs?timeout=30", json=body)
        assert made.status_code == 201
        job = made.text
        pages = [await client.get(f"/DWTAPI/ScanJobs/{job}/NextDocument") for _ in range(3)]
        assert [each.status_code for each in pages] == [200, 200, 204]
        assert Image.open(io.BytesIO(pages[0].content)).size[0] > 100
        assert (await client.delete(f"/DWTAPI/ScanJobs/{job}")).status_code == 200
        assert (await client.get(f"/DWTAPI/ScanJobs/{job}/NextDocument")).status_code == 410

    play(scene)


def test_a_web_page_is_not_told_which_file_ended_its_job(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await _begun(client, ADF)
        held = api.service.holdings.job("", job)
        await asyncio.to_thread(held.job.wait)
        held.job.error = storage_error(OSError(errno.EIO, "Input/output error"), Path("/home/somebody/secret/page-1"))
        told = await client.get(f"{JOBS}/{job}")
        events = await client.get(f"{JOBS}/{job}/events")
        assert told.json()["code"] == held.job.error.service_code
        assert "somebody" not in told.text + events.text

    play(scene)


def test_pixels_do_not_wait_for_devices(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        answering = threading.Event()

        def listed(*, refresh: bool = False) -> tuple[Device, ...]:
            answering.wait()
            return ()

        api.service.scanners.listed = listed  # type: ignore[method-assign]
        asking = [asyncio.ensure_future(client.get("/api/device/scanners")) for _ in range(16)]
        try:
            await asyncio.sleep(0.2)
            assert await asyncio.wait_for(api.service.bridge.run(lambda: "done"), PATIENCE / 4) == "done"
        finally:
            answering.set()
            await asyncio.gather(*asking)

    play(scene)
