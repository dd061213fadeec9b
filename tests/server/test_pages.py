"""The pages as the service renders them, without a browser: what they say, what they escape, what they may change."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from dwtsvc.config import Settings
from dwtsvc.errors import DriverError
from dwtsvc.model import Device
from dwtsvc.paths import Paths
from dwtsvc.server import pages, scanners
from dwtsvc.server.doors.sockets import Door
from dwtsvc.server.gate import access
from dwtsvc.server.gate.access import OWN, TOOL, Access, Caller
from dwtsvc.server.rest.refusals import handlers
from dwtsvc.server.service import Service
from tests.server.running import PATIENCE, wait_for

EVIL = '"><script>alert(1)</script>&amp;'
CERTIFICATE = {
    "name": "dwtsvc on this machine",
    "hosts": ["localhost", "127.0.0.1", "::1"],
    "fingerprint": "AB:CD",
    "not_before": "2026-11-21T06:00:00+00:00",
    "not_after": "2029-02-22T06:00:00+00:00",
    "renew_after": "2028-05-23T06:00:00+00:00",
}


class FakeCare:
    """Findings as a look at the certificate leaves them."""

    def __init__(self, state: str, *, trusted: bool, warnings: tuple[str, ...] = ()) -> None:
        store = {"store": "firefox", "where": "/home/a/profile", "trusted": trusted, "removed": False, "why": ""}
        self.findings = {
            "state": state,
            "owner": "dwtsvc",
            "certificate": CERTIFICATE,
            "stores": [store],
            "warnings": list(warnings),
        }


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(scanners.devices, "discover", lambda timeout, only=None: iter(()))
    made = Service(Settings(ask_consent="on"), Paths.from_environment({"DWTSVC_HOME": str(tmp_path)}))
    yield made
    asyncio.run(made.stop())
    for each in threading.enumerate():  # one that comes late would ask the drivers of the next test
        if each.name.startswith("scanners"):
            each.join(PATIENCE)


def ask(service: Service, path: str = "/", method: str = "GET", caller: Caller = OWN) -> httpx.Response:
    """A request as the guard lets it through. Each has an event loop of its own."""
    app = Litestar(pages.routes(service), exception_handlers=handlers(), openapi_config=None)
    access.routes(app)

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["caller"] = caller
        await app(scope, receive, send)

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=guarded)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path)

    return asyncio.run(asked())


class Outline(HTMLParser):
    """What a page is made of: its elements, and the text of each element with an id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def welcome(service: Service) -> Outline:
    answer = ask(service)
    assert answer.status_code == 200, answer.text
    return Outline(answer.text)


def test_the_welcome_page_says_all_its_facts_without_a_script(service: Service) -> None:
    service.doors = (
        Door(scheme="http", host="127.0.0.1", port=18622, state="open"),
        Door(scheme="http", host="::1", port=18622, state="open"),
        Door(scheme="https", host="127.0.0.1", port=18623, state="taken", holder="nginx (4711)"),
        Door(scheme="https", host="::1", port=18623, state="failed", reason="no such address"),
    )
    service.care = FakeCare("valid", trusted=False)  # type: ignore[assignment]
    service.scanners._found = (Device(id="sane:epjitsu:1", vendor="Fujitsu", model="fi-60F"),)
    service.scanners._when = 0.0
    service.consent.allow("https://shop.example", ["list", "scan"])
    service.consent.refuse("https://bad.example")
    text = welcome(service).text
    for said in (
        f"Version {service.version}",
        "http://127.0.0.1:18622 and ::1 open",
        "https://127.0.0.1:18623 taken by nginx (4711)",
        "https://[::1]:18623 failed : no such address",
        "Port 18623 of 127.0.0.1 is taken by nginx (4711).",
        "Fujitsu fi-60F sane:epjitsu:1",
        "https://shop.example may list, scan",
        "https://bad.example refused for good",
        "Valid until 22 February 2029, 06:00 UTC",
        "Firefox not trusted",
        "dwtsvc cert install",
        "No scan is under way.",
    ):
        assert said in text


def test_once_a_browser_trusts_the_certificate_nobody_is_told_to_install_it(service: Service) -> None:
    service.care = FakeCare("valid", trusted=True)  # type: ignore[assignment]
    assert "dwtsvc cert install" not in welcome(service).text


@pytest.mark.parametrize("state", ["valid", "ending", "expired", "not yet valid", "missing", "broken"])
def test_every_state_of_the_certificate_is_shown(service: Service, state: str) -> None:
    service.care = FakeCare(state, trusted=True, warnings=("The store is read-only",))  # type: ignore[assignment]
    text = welcome(service).text
    assert "The store is read-only" in text
    assert {"ending": "ends soon", "broken": "cannot be used"}.get(state, state) in text


def test_what_others_named_cannot_become_markup(service: Service) -> None:
    service.scanners._found = (Device(id=f"sane:{EVIL}", vendor=EVIL, model=EVIL, virtual=True),)
    service.scanners._when = 0.0
    service.scanners._errors = (DriverError(EVIL, why=EVIL, hint=EVIL),)
    service.warnings = (EVIL,)
    service.doors = (Door(scheme="http", host="127.0.0.1", port=1, state="taken", holder=EVIL),)
    page = welcome(service)
    assert [each.get("src") for each in page.all("script")] == ["/welcome.js"]
    assert page.text.count(EVIL) >= 6


def test_a_site_that_waits_for_an_answer_comes_first(service: Service) -> None:
    uid = service.consent.ask("https://shop.example", ["list"])
    page = welcome(service)
    assert {"href": f"/consent#{uid}"} in page.all("a")
    assert "https://shop.example asks to use the scanners" in page.text


def test_a_damaged_list_of_web_sites_is_said_and_breaks_nothing(service: Service) -> None:
    service.consent.allow("https://shop.example", ["list"])
    (service.paths.state / "origins.json").write_text("{")
    text = welcome(service).text
    assert "The list of web sites cannot be read" in text and "shop.example" not in text


@pytest.mark.parametrize("setup", [False, True])
def test_the_page_changes_settings_only_where_web_setup_is_enabled(service: Service, setup: bool) -> None:
    service.settings = replace(service.settings, enable_web_setup=setup)
    service.consent.allow("https://shop.example", ["list"])
    page = welcome(service)
    revoking = [each for each in page.all("button") if "data-revoke" in each]
    assert bool(page.all("select")) == bool(revoking) == setup
    assert ("dwtsvc origins revoke https://shop.example" in page.text) != setup


def test_a_decision_is_forgotten_from_the_page_only_with_web_setup(service: Service) -> None:
    service.consent.allow("https://shop.example", ["list"])
    path = "/web/origins?origin=https://shop.example"
    refused = ask(service, path, "DELETE")
    assert refused.status_code == 403 and refused.json()["error"] == "service-refused"
    assert [each.origin for each in service.consent.grants()] == ["https://shop.example"]
    service.settings = replace(service.settings, enable_web_setup=True)
    assert ask(service, path, "DELETE").status_code == 204
    assert service.consent.grants() == []
    assert ask(service, path, "DELETE").status_code == 404
    assert ask(service, "/web/origins?origin=nonsense", "DELETE").status_code == 400
    assert ask(service, "/web/origins", "DELETE").status_code == 400


@pytest.mark.parametrize("setup", [False, True])
def test_a_site_that_was_allowed_once_is_shown_and_taken_back_from_the_page(service: Service, setup: bool) -> None:
    service.settings = replace(service.settings, enable_web_setup=setup)
    service.consent.allow("https://shop.example", ["list"], once=True)
    page = welcome(service)
    assert "No web site may use your scanners" not in page.text
    assert [each["data-revoke"] for each in page.all("button") if "data-revoke" in each] == ["https://shop.example"]
    assert ask(service, "/web/origins?origin=https://shop.example", "DELETE").status_code == 204
    assert service.consent.once() == [] and service.consent.caller(b"https://shop.example") is None
    assert "No web site may use your scanners" in welcome(service).text


def test_taking_back_what_was_allowed_once_leaves_what_was_allowed_for_good(service: Service) -> None:
    service.consent.allow("https://shop.example", ["list"])
    service.consent.allow("https://shop.example", ["scan"], once=True)
    assert ask(service, "/web/origins?origin=https://shop.example", "DELETE").status_code == 204
    assert [each.scopes for each in service.consent.grants()] == [("list",)]
    assert service.consent.once() == []


def test_a_program_forgets_a_decision_as_the_command_does(service: Service) -> None:
    service.consent.refuse("https://shop.example")
    assert ask(service, "/web/origins?origin=https://shop.example", "DELETE", TOOL).status_code == 204


def test_the_page_says_that_it_looks_until_the_drivers_have_answered_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, asked = threading.Event(), []

    def slow(timeout: float) -> Iterator[Device]:
        asked.append(timeout)
        answer.wait(30)
        yield from found

    found: list[Device] = []
    monkeypatch.setattr(scanners.devices, "discover", slow)
    for _ in range(3):
        said = welcome(service).text
        assert "Looking for scanners" in said and "No scanner" not in said
    answer.set()
    wait_for(lambda: not service.scanners.looking)
    assert len(asked) == 1
    assert "No scanner was found" in welcome(service).text
    found.append(Device(id="sane:x:1", vendor="Fujitsu", model="fi-60F"))
    assert ask(service, "/web/devices", "POST").json() == {"count": 1} and len(asked) == 2
    assert "Fujitsu fi-60F" in welcome(service).text


def test_whoever_asks_during_the_first_look_gets_its_answer(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, asked = threading.Event(), []

    def slow(timeout: float) -> Iterator[Device]:
        asked.append(timeout)
        answer.wait(30)
        yield Device(id="sane:x:1", vendor="Fujitsu", model="fi-60F")

    monkeypatch.setattr(scanners.devices, "discover", slow)
    service.scanners.begin()
    wait_for(lambda: asked)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(service.scanners.listed, refresh=True)
        answer.set()
        assert [each.model for each in waiting.result(30)] == ["fi-60F"]


def test_a_screen_reader_hears_what_was_found(service: Service) -> None:
    assert '<div id="devices-list" aria-live="polite">' in ask(service).text


def test_looking_again_asks_the_drivers(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def discover(timeout: float) -> list[Device]:
        asked.append(timeout)
        return [Device(id="virtual:one", vendor="Virtual", model="One", virtual=True)]

    monkeypatch.setattr("dwtsvc.devices.discover", discover)
    for _ in range(2):
        assert ask(service, "/web/devices", "POST").json() == {"count": 1}
    assert len(asked) == 2
    assert "Virtual One" in welcome(service).text


@pytest.mark.parametrize("path", ["/", "/consent"])
def test_no_page_has_a_script_or_a_style_inside_or_anything_from_elsewhere(service: Service, path: str) -> None:
    answer = ask(service, path)
    page = Outline(answer.text)
    for tag, attributes in page.elements:
        assert tag != "style" and "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert (attributes.get(name) or "/")[:1] in "/#"
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy and "default-src 'none'" in policy


@pytest.mark.parametrize("path", ["/", "/consent"])
def test_every_file_that_a_page_names_is_there_with_its_type(service: Service, path: str) -> None:
    page = Outline(ask(service, path).text)
    named = {each["href"] for each in page.all("link")} | {each["src"] for each in page.all("script") + page.all("img")}
    types = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for file in sorted(filter(None, named)):
        answer = ask(service, file)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(types[Path(file).suffix])


def test_ids_are_unique_and_every_label_points_at_one(service: Service) -> None:
    service.settings = replace(service.settings, enable_web_setup=True)
    for path in ("/", "/consent"):
        page = Outline(ask(service, path).text)
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        for _, attributes in page.elements:
            for name in ("for", "aria-labelledby", "aria-describedby"):
                assert attributes.get(name) is None or attributes[name] in ids


def test_the_script_refreshes_parts_that_the_page_has(service: Service) -> None:
    script = (pages.WEB / "welcome.js").read_text()
    listed = re.search(r"PARTS = \[(.*?)\]", script)
    assert listed
    ids = [attributes.get("id") for _, attributes in welcome(service).elements]
    assert set(re.findall(r'"([\w-]+)"', listed[1])) <= set(ids)


def test_the_consent_page_knows_a_meaning_for_every_scope() -> None:
    texts = (pages.WEB / "consent-texts.js").read_text()
    known = [each.lower() for each in re.findall(r"^  scope(\w+):", texts, re.MULTILINE)]
    assert known == [each for each in Access if each in access.SCOPES]


def test_healthz_says_that_the_service_answers_and_nothing_else(service: Service) -> None:
    assert ask(service, "/healthz").text == "ok\n"


def test_the_icons_are_public_and_are_pictures(service: Service) -> None:
    svg, ico = ask(service, "/favicon.svg"), ask(service, "/favicon.ico")
    assert svg.text.startswith("<svg") and "max-age" in svg.headers["cache-control"]
    assert ico.content[:4] == b"\0\0\1\0"
    table = access.routes(Litestar(pages.routes(service), openapi_config=None)).paths()
    client = {f"/{path.relative_to(pages.CLIENT).as_posix()}" for path in pages.client_files()}
    assert {path for path, methods in table.items() if Access.PUBLIC in methods.values()} == {
        "/favicon.svg",
        "/favicon.ico",
        *client,
    }
