"""Thirteen ways in which a page acts on an address that never allowed it: none has an effect on the service.

Each is first turned on a server that allows everything, where it must arrive and, where it can read at all, read. Then
it is turned on the service, at every address worth attacking: nothing may be readable, and nothing may have changed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Request, Route

from tests.browser.rig import ELSEWHERE, PATIENCE, REBOUND, SECRET, Pages, Running, small_png

GADGETS = (Path(__file__).parent / "gadgets.js").read_text()
VICTIM = "victim"
# What each gadget reads at a server that allows it; those that are not named can only send.
READS = {
    "img": "3x2",
    "script": SECRET,
    "link": f'"{SECRET}"',
    "WebSocket": SECRET,
    "EventSource": SECRET,
    "fetch": SECRET,
}
FROM_A_PAGE = ["img", "script", "link", "form GET", "form POST", "no-cors fetch", "beacon", "iframe", "WebSocket"]
FROM_A_PAGE += ["EventSource", "popup"]
OPEN_WINDOWS = ("form GET", "form POST", "popup")
SENDS_POST = {"form POST", "no-cors fetch", "beacon", "fetch"}


@pytest.fixture(scope="module")
def scanned(service: Running) -> str:
    """A job of a program, with a page, and a buffer with an image: what an attacker would like to see or destroy."""
    tool = service.tool
    made = tool.post("/api/device/scanners/jobs", json={"device": "virtual:adf?pages=1", "autoRun": True})
    assert made.status_code == 201, made.text
    uid = str(made.json()["jobuid"])
    assert tool.get(f"/api/device/scanners/jobs/{uid}/next-page").status_code == 200
    assert tool.get(f"/api/device/scanners/jobs/{uid}/next-page").status_code == 204
    load(service)
    return uid


def load(service: Running) -> None:
    png = {"Content-Type": "image/png"}
    loaded = service.tool.post("/f/LoadFile", params={"id": VICTIM}, content=small_png(), headers=png)
    assert loaded.status_code == 200, loaded.text


@pytest.fixture
def asked(service: Running) -> str:
    """A question of another site that waits for the user: an attacker would like to answer it."""
    headers = {"Origin": "https://attacker.example", "Sec-Fetch-Site": "cross-site"}
    answer = service.tool.post("/consent/requests", json={"scopes": ["list", "scan", "read"]}, headers=headers)
    return str(answer.json()["id"])


@pytest.fixture
def targets(service: Running, scanned: str) -> list[str]:
    """Where a request that is let through reads something or changes something."""
    version = service.tool.get("/api/server/status").json()["version"].replace(".", "")
    return [
        f"/f/RemoveAllImages?id={VICTIM}",
        f"/dwt/dwt_{version}/img?id={VICTIM}&index=0&width=10&height=10&t=1",
        "/fa/VersionInfo",
        "/api/server",
        "/api/server/status",
        "/api/device/scanners",
        "/api/device/scanners/events",
        "/api/device/scanners/jobs",
        f"/api/device/scanners/jobs/{scanned}",
        f"/api/device/scanners/jobs/{scanned}/content?page=0&type=image/png",
        "/api/storage/documents",
        "/consent/decisions",
        "/web/devices",
        "/web/targets",
        "/web/origins?origin=https://shop.example",
        "/DWTAPI/ScanJobs",
    ]


def state(service: Running) -> dict[str, Any]:
    """All that an attack could change, as a program of the user sees it."""
    tool = service.tool
    status = tool.get("/api/server/status").json()
    count = tool.post("/f/HowManyImagesInBuffer", json={"id": VICTIM})
    decided = service.paths.state / "origins.json"
    return {
        "status": {name: status[name] for name in ("pid", "jobs", "log_level", "ports", "warnings")},
        "jobs": tool.get("/api/device/scanners/jobs").json(),
        "documents": tool.get("/api/storage/documents").json(),
        "images": count.json()["result"],
        "questions": tool.get("/consent/requests").json(),
        "decided": decided.read_text() if decided.exists() else "",
    }


class Attack:
    """A page that runs gadgets, and what left the browser meanwhile."""

    def __init__(self, page: Page, pending: str) -> None:
        self.page, self.requests = page, [""][1:]
        page.context.on("request", self._note)
        page.on("websocket", lambda socket: self.requests.append(socket.url.replace("ws://", "http://")))
        page.evaluate("(id) => void (window.pending = id)", pending)

    def _note(self, request: Request) -> None:
        self.requests.append(request.url)

    def run(self, gadget: str, url: str) -> str:
        """What the gadget read there. The windows that it opened have loaded, and are closed again."""
        address = url.partition("?")[0]
        before = self._made(address)
        read = self.page.evaluate(f"([name, url]) => {_body()}[name](url)", [gadget, url])
        if gadget in (*OPEN_WINDOWS, "beacon"):  # they are sent after the script has ended
            self.wait(lambda: self._made(address) > before)
        if gadget in OPEN_WINDOWS:
            self.wait(lambda: all(other.url != "about:blank" for other in self._others))
        for other in self._others:
            other.wait_for_load_state()
            other.close()
        return str(read)

    @property
    def _others(self) -> list[Page]:
        return [other for other in self.page.context.pages if other is not self.page]

    def _made(self, address: str) -> int:
        return len([each for each in self.requests if each.partition("?")[0] == address])

    def wait(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, self.requests[-5:]
            self.page.wait_for_timeout(20)


def _body() -> str:
    """The gadgets as an expression, without the comment and the semicolon at the ends of the file."""
    return GADGETS.partition("\n")[2].strip().removesuffix(";")


def arrived(requests: list[tuple[str, str]], path: str) -> list[str]:
    """The methods with which an address of the open server was asked for."""
    return [method for method, asked in requests if asked == path]


def assert_it_works_on_the_open_server(attack: Attack, gadget: str, trusting: Pages, base: str) -> None:
    path = f"/control/{gadget.replace(' ', '-')}?id=1"
    read = attack.run(gadget, base + path)
    if gadget in READS:
        assert READS[gadget] in read
    wanted = {"POST"} if gadget in SENDS_POST else set()
    attack.wait(lambda: arrived(trusting.requests, path) and wanted <= {*arrived(trusting.requests, path)})


def assert_it_has_no_effect(attack: Attack, gadget: str, service: Running, base: str, targets: list[str]) -> None:
    before = state(service)
    assert before["images"] == [1] and before["jobs"] and before["questions"]
    attack.requests.clear()
    for target in targets:
        assert attack.run(gadget, base + target) == "", target
    assert len([each for each in attack.requests if each.startswith(base)]) >= len(targets)  # they were really made
    assert state(service) == before


@pytest.mark.parametrize("host", [ELSEWHERE, "localhost"])
@pytest.mark.parametrize("gadget", FROM_A_PAGE)
def test_a_gadget_in_another_page_has_no_effect(
    page: Page,
    service: Running,
    foreign: Pages,
    trusting: Pages,
    targets: list[str],
    asked: str,
    gadget: str,
    host: str,
) -> None:
    page.goto(foreign.url(host))
    attack = Attack(page, asked)
    assert_it_works_on_the_open_server(attack, gadget, trusting, trusting.url("127.0.0.1"))
    assert_it_has_no_effect(attack, gadget, service, service.url, targets)


@pytest.mark.parametrize("host", [ELSEWHERE, "localhost", "127.0.0.1"])
def test_a_page_of_another_site_or_another_port_of_this_machine_can_fetch_nothing(
    page: Page, service: Running, foreign: Pages, trusting: Pages, targets: list[str], asked: str, host: str
) -> None:
    page.goto(foreign.url(host))
    attack = Attack(page, asked)
    assert_it_works_on_the_open_server(attack, "fetch", trusting, trusting.url("127.0.0.1"))
    assert_it_has_no_effect(attack, "fetch", service, service.url, targets)


def attackers_page(context: BrowserContext, port: int) -> Page:
    """A page that came from the attacker's server under a name and port that now lead to another server."""
    page = context.new_page()
    address = f"http://{REBOUND}:{port}/attack"

    def answer(route: Route) -> None:
        route.fulfill(body="<!doctype html><p>Hello.", content_type="text/html")

    page.route(address, answer)
    page.goto(address)
    return page


@pytest.mark.parametrize("gadget", ["fetch", "img", "EventSource", "iframe", "popup"])
def test_a_rebound_host_name_opens_nothing(
    context: BrowserContext, service: Running, trusting: Pages, targets: list[str], asked: str, gadget: str
) -> None:
    control = Attack(attackers_page(context, trusting.port), asked)
    assert_it_works_on_the_open_server(control, gadget, trusting, trusting.url(REBOUND))
    control.page.close()
    attack = Attack(attackers_page(context, service.http), asked)
    before = state(service)
    for target in [*targets, "/", "/consent", "/welcome.js", "/healthz", "/legal.txt"]:
        read = attack.run(gadget, f"http://{REBOUND}:{service.http}{target}")
        for text in filter(None, read.split("}")):
            said = json.loads(text + "}")  # to itself the page may read an answer: it is always the same refusal
            assert (said["statusCode"], said["error"]) == (403, "service-refused")
    assert state(service) == before


def test_a_rebound_host_name_shows_no_page_of_ours(page: Page, service: Running) -> None:
    answer = page.goto(f"http://{REBOUND}:{service.http}/")
    assert answer and answer.status == 403
    assert "dwtsvc: your scanners" not in page.content()


def test_a_page_without_consent_can_ask_and_nothing_else(
    page: Page, service: Running, foreign: Pages, scanned: str
) -> None:
    page.goto(foreign.url())
    before = state(service)
    ask = """async (url) => {
      const answer = await fetch(url, { method: "POST", headers: { "X-DWTSVC": "1" }, body: '{"scopes":["list"]}' });
      return answer.status;
    }"""
    assert page.evaluate(ask, f"{service.url}/consent/requests") in (201, 400)
    after = state(service)
    new = [each for each in after["questions"] if each not in before["questions"]]
    assert [each["origin"] for each in new] in ([foreign.url()], [])
    assert {**after, "questions": 0} == {**before, "questions": 0}


def test_the_same_requests_have_an_effect_when_a_program_of_the_user_makes_them(
    service: Running, scanned: str, targets: list[str], asked: str
) -> None:
    """Else the attacks would be aimed at nothing."""
    before = state(service)
    for target in reversed(targets):  # the first one removes what the second one shows
        if not target.endswith(("/events", "/decisions", "/devices", "shop.example", "ScanJobs")):
            answer = service.tool.get(target)
            assert answer.status_code == 200 and answer.content, target
    assert state(service)["images"] == [0]
    load(service)
    assert service.tool.patch("/api/server", json={"logLevel": 14}).status_code == 200
    assert service.tool.post("/consent/decisions", json={"id": asked, "decision": "always"}).status_code == 200
    after = state(service)
    assert (before["status"]["log_level"], after["status"]["log_level"]) == (1, 14)
    assert after["questions"] != before["questions"] and "attacker.example" in after["decided"]
