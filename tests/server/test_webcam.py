"""Cameras over the service: listed by their own number, scanned into a straight page, watched, and let go."""

from __future__ import annotations

import asyncio
import io
from contextlib import aclosing
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest
from PIL import Image

from dwtsvc import previews
from dwtsvc.errors import NoScanner, OriginNotAllowed, ScannerBusy
from dwtsvc.model import Device
from dwtsvc.paths import Paths
from dwtsvc.server.gate.access import SCOPES, TOOL, Access, of_origin
from dwtsvc.server.gate.grants import Decision, Grants
from dwtsvc.server.rest import scanners
from dwtsvc.server.rest.devicetext import visible
from dwtsvc.server.rest.scanners import comings_and_goings
from dwtsvc.server.rest.webcam import PREVIEW, pictures
from tests.server.faces import DOCUMENTS, JOBS, PATIENCE, Api, Play, Served, serving

SITE = of_origin("https://shop.example", {Access.LIST, Access.SCAN, Access.READ, Access.CAMERA})
BLIND = of_origin("https://blind.example", SCOPES - {Access.CAMERA})
CAMERA = "webcam:virtual"


@pytest.fixture(autouse=True)
def _virtual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DWTSVC_WEBCAMS", "virtual")


def test_a_camera_is_listed_to_whoever_asks_for_cameras_and_to_nobody_else(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        asked = {mask: (await client.get("/api/device/scanners", params=mask)).json() for mask in ("", "type=4096")}
        assert not [each for each in asked[""] if each["id"].startswith("webcam:")]
        assert [(each["id"], each["type"]) for each in asked["type=4096"]] == [(CAMERA, 4096)]

    play(scene)


def test_a_site_scans_the_sheet_under_a_camera_into_a_straight_pdf_page(play: Play, tmp_path: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        async with api.client(SITE) as site:
            made = await site.post(JOBS, json={"device": f"{CAMERA}?document=1"})
            assert made.status_code == 201, made.text
            job = made.json()["jobuid"]
            page = (await site.get(f"{JOBS}/{job}/next-page-info")).json()[0]["url"]
            document = f"{DOCUMENTS}/{(await site.post(DOCUMENTS, json={})).json()['uid']}"
            assert (await site.post(f"{document}/pages", json={"source": page})).status_code == 200
            (tmp_path / "page.pdf").write_bytes((await site.get(f"{document}/content")).content)

    play(scene)
    import pikepdf

    with pikepdf.open(tmp_path / "page.pdf") as pdf:
        box = [float(side) for side in pdf.pages[0].mediabox]
    assert (box[2] / 72 * 25.4, box[3] / 72 * 25.4) == pytest.approx((210, 297), abs=1)


def test_a_site_may_name_no_other_camera_than_a_listed_one(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        async with api.client(SITE) as site:
            for name in ("webcam:lavfi:movie=/etc/passwd", "webcam:/dev/video7", "webcam:lavfi:testsrc"):
                assert (await site.post(JOBS, json={"device": name})).status_code == 404
                assert (await site.get(PREVIEW, params={"device": name})).status_code == 404

    play(scene)


def test_a_site_without_consent_for_cameras_finds_none_in_any_list(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        lists = ("/api/device/scanners?type=4096", "/DWTAPI/Scanners?type=4096")
        seen = {}
        for who in (SITE, BLIND):
            async with api.client(who) as site:
                listed = [(await site.get(each)).json() for each in lists]
            async for told in comings_and_goings(api.service, who, lambda: True):
                seen[who] = [*map(bool, listed), CAMERA.encode() in told]
                break
        assert seen == {SITE: [True] * 3, BLIND: [False] * 3}
        assert [each.id for each in visible(BLIND, api.service.scanners.last)].count("virtual:adf") == 1

    play(scene)


def test_events_of_scanners_end_with_the_consent(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        monkeypatch.setattr(scanners, "LOOK_EVERY", 0.0)
        assert SITE.origin
        api.service.consent.allow(SITE.origin, [scope.value for scope in SITE.scopes & SCOPES])
        told = comings_and_goings(api.service, SITE, lambda: api.service.consent.still(SITE))
        await anext(told)
        api.service.consent.revoke(SITE.origin)
        assert [each async for each in told] == []

    play(scene)


@pytest.mark.parametrize("name", [CAMERA, f"{CAMERA}?document=1", "webcam:/dev/video7", "webcam:lavfi:testsrc"])
def test_a_site_without_consent_for_cameras_opens_and_watches_none_and_learns_nothing(play: Play, name: str) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        async with api.client(BLIND) as site:
            answers = [
                await site.post(JOBS, json={"device": name}),
                await site.post("/DWTAPI/ScanJobs", json={"device": name}),
                await site.get(PREVIEW, params={"device": name}),
            ]
        assert {answer.status_code for answer in answers} == {403}
        assert {answer.json()["error"] for answer in answers} == {"origin-not-allowed"}
        assert all("no consent to use cameras" in answer.json()["message"] for answer in answers)

    play(scene)


def test_a_camera_of_another_driver_is_known_by_its_kind(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Device(id="acme:one", vendor="Acme", model="Eye", kind="camera")

    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        monkeypatch.setattr(api.service.scanners, "listed", lambda: (camera,))
        for name in ("acme:one", "acme:one?size=1x1"):
            api.service.choice.permit(SITE, name)
            with pytest.raises(OriginNotAllowed):
                api.service.choice.permit(BLIND, name)
        assert visible(BLIND, [camera]) == []

    play(scene)


@pytest.mark.parametrize("name", ["sane:v4l:/dev/video0", "v4l:/dev/video0", "sane:net:pi:v4l:/dev/video0"])
def test_a_camera_that_sane_lists_as_something_else_is_one_all_the_same(play: Play, name: str) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        api.service.choice.permit(SITE, name)
        with pytest.raises(OriginNotAllowed):
            api.service.choice.permit(BLIND, name)

    play(scene)


def test_a_camera_by_sanes_own_word_for_it_is_no_scanner_to_a_site(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Device(id="sane:eye:0", vendor="Acme", model="Eye", kind="camera")
    scanner = Device(id="sane:epson:0", vendor="Acme", model="Glass", kind="flatbed scanner")

    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        monkeypatch.setattr(api.service.scanners, "listed", lambda: (camera, scanner))
        api.service.choice.permit(BLIND, scanner.id)
        with pytest.raises(OriginNotAllowed):
            api.service.choice.permit(BLIND, camera.id)

    play(scene)


def test_a_site_is_not_given_the_camera_that_the_user_scans_with_by_habit(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        assert api.service.choice.device(TOOL, None) == CAMERA
        assert api.service.choice.device(SITE, None) == CAMERA
        with pytest.raises(NoScanner):
            api.service.choice.device(BLIND, None)
        api.service.choice.used(BLIND.bucket, CAMERA)  # when it still had consent
        with pytest.raises(NoScanner):
            api.service.choice.device(BLIND, None)

    play(scene, device=CAMERA)


def test_a_job_that_waits_does_not_begin_when_the_consent_for_cameras_is_gone(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        async with api.client(SITE) as site:
            job = (await site.post(JOBS, json={"device": CAMERA, "autoRun": False})).json()["jobuid"]
        async with api.client(of_origin("https://shop.example", SCOPES - {Access.CAMERA})) as site:
            assert (await site.patch(f"{JOBS}/{job}", json={"status": "running"})).status_code == 403
            assert (await site.get(f"{JOBS}/{job}")).json()["status"] == "pending"
            assert (await site.delete(f"{JOBS}/{job}")).status_code == 204

    play(scene)


def test_a_camera_is_never_the_scanner_that_nobody_named(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        answer = await client.post(JOBS, json={})
        assert answer.status_code == 404
        assert "No scanner" in answer.text

    play(scene, device="")


@pytest.mark.parametrize("wrong", [{"device": "virtual:adf"}, {"width": 99999}, {"rate": 0}, {"rate": "fast"}])
def test_a_preview_is_of_a_camera_and_within_limits(play: Play, wrong: dict[str, str]) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        assert (await client.get(PREVIEW, params={"device": CAMERA, **wrong})).status_code == 400

    play(scene)


def opened(api: Api) -> previews.Preview:
    service = api.service
    folder = service.paths.create(service.paths.runtime)
    return service.jobs.preview(CAMERA, width=320, rate=15, folder=folder)


async def free_again(api: Api) -> bool:
    """Whether the camera can be had again, within the time that letting it go may take."""
    until = monotonic() + PATIENCE
    while monotonic() < until:
        try:
            again = await api.service.bridge.outside(opened, api)
        except ScannerBusy:
            await asyncio.sleep(0.05)
        else:
            await api.service.bridge.outside(again.close)
            return not list(api.service.paths.runtime.glob("dwtsvc-preview-*"))
    return False


def test_a_preview_is_jpegs_in_parts_and_its_end_lets_the_camera_go(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        live = await api.service.bridge.outside(opened, api)
        parts = []
        async with aclosing(pictures(api.service, live, lambda: True)) as stream:
            async for part in stream:
                parts.append(part)
                if len(parts) == 3:
                    break
            with pytest.raises(ScannerBusy):
                await api.service.bridge.outside(opened, api)
        for part in parts:
            head, _, body = part.partition(b"\r\n\r\n")
            assert head.startswith(b"--picture\r\ncontent-type: image/jpeg\r\n")
            assert Image.open(io.BytesIO(body)).size == (320, 240)
        assert await free_again(api)

    play(scene)


def test_a_preview_whose_pictures_nobody_fetches_ends_by_itself(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        live = await api.service.bridge.outside(opened, api)
        monkeypatch.setattr(previews, "UNSEEN", 0.5)  # from the first picture on, which may take longer
        assert await api.service.bridge.outside(live.next)
        assert await free_again(api)
        assert await api.service.bridge.outside(live.next) is None

    play(scene)


def test_a_preview_has_a_longest_time(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "LONGEST", -1.0)

    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        answer = await client.get(PREVIEW, params={"device": CAMERA})
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("multipart/x-mixed-replace")
        assert await free_again(api)

    play(scene)


def asking(served: Served) -> httpx.Client:
    return httpx.Client(base_url=served.url, timeout=PATIENCE)


def test_a_client_that_goes_lets_the_camera_go_and_who_has_no_consent_sees_nothing(tmp_path: Path) -> None:
    with serving(tmp_path / "home", DWTSVC_WEBCAMS="virtual") as served, asking(served) as client:
        stranger = {"origin": "https://stranger.example"}
        assert client.get(PREVIEW, params={"device": CAMERA}, headers=stranger).status_code == 403
        with client.stream("GET", PREVIEW, params={"device": CAMERA, "rate": 15}) as watched:
            assert watched.status_code == 200
            pieces = watched.iter_bytes(100)  # kept: the stream ends with it
            assert b"content-type: image/jpeg" in next(pieces)
            assert client.post(JOBS, json={"device": CAMERA}).status_code == 423
            assert client.head(PREVIEW, params={"device": CAMERA}).status_code == 200  # opens no camera
        until = monotonic() + PATIENCE
        while (status := client.post(JOBS, json={"device": CAMERA}).status_code) == 423 and monotonic() < until:
            sleep(0.1)
        assert status == 201


def test_a_site_watches_for_as_long_as_it_has_consent_for_cameras(tmp_path: Path) -> None:
    site = "https://shop.example"
    head = {"origin": site}
    with serving(tmp_path / "home", DWTSVC_WEBCAMS="virtual") as served, asking(served) as client:
        grants = Grants(Paths.from_environment({"DWTSVC_HOME": str(served.home)}).state)
        grants.put(site, [Access.LIST, Access.SCAN], Decision.ALWAYS)
        refused = client.get(PREVIEW, params={"device": CAMERA}, headers=head)
        assert (refused.status_code, refused.json()["error"]) == (403, "origin-not-allowed")
        listing = {"json": {"params": {"deviceType": 4096}}, "headers": head}
        assert client.post("/f/GetDevices", **listing).json()["result"] == []
        grants.put(site, [Access.LIST, Access.SCAN, Access.CAMERA], Decision.ALWAYS)
        assert [each["kind"] for each in client.post("/f/GetDevices", **listing).json()["result"]] == ["camera"]
        with client.stream("GET", PREVIEW, params={"device": CAMERA, "rate": 15}, headers=head) as watched:
            parts = watched.iter_bytes()
            assert b"content-type: image/jpeg" in next(parts)
            grants.put(site, [Access.LIST, Access.SCAN], Decision.ALWAYS)
            for _ in parts:  # they end
                pass


def test_a_service_that_stops_ends_answers_without_an_end_in_order_and_cuts_none(tmp_path: Path) -> None:
    with serving(tmp_path / "home", DWTSVC_WEBCAMS="virtual") as served, asking(served) as client:
        watching = client.stream("GET", PREVIEW, params={"device": CAMERA, "rate": 5})
        listening = client.stream("GET", "/api/device/scanners/events")
        with watching as watched, listening as heard:
            told = [watched.iter_bytes(100), heard.iter_bytes(100)]
            assert all(next(each) for each in told)
            served.process.terminate()
            for each in told:
                list(each)  # raises if the stream is cut
    assert "were cut" not in (tmp_path / "home" / "serve.log").read_text()
