"""The welcome page in Chromium and Firefox: looks, access, keyboard, and what its buttons do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Playwright, expect

from tests.browser.rig import PATIENCE, Running, environment, launch, serving
from tests.certs.rig import needs


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service whose pages may change settings, with something to show in every part of them."""
    with serving(tmp_path_factory.mktemp("service"), enable_web_setup="on") as running:
        fill(running)
        yield running


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The same as it is by default: its pages change no setting."""
    with serving(tmp_path_factory.mktemp("service")) as running:
        fill(running)
        yield running


def fill(service: Running) -> None:
    service.tool.post("/api/device/scanners/jobs", json={"device": "virtual:adf?pages=2", "autoRun": False})
    for origin, decision in (("https://allowed.example", "always"), ("https://refused.example", "never")):
        uid = asked(service, origin)
        said = service.tool.post("/consent/decisions", json={"id": uid, "decision": decision})
        assert said.status_code == 200, said.text


def asked(service: Running, origin: str) -> str:
    """A web site has asked; the id of its question."""
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    answer = service.tool.post("/consent/requests", json={"scopes": ["list", "scan"]}, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def opened(context: BrowserContext, url: str) -> tuple[Page, list[str]]:
    """A page that has come to rest, and what it has complained of: a broken policy is such a complaint."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page = context.new_page()
    page.on("console", note)
    page.goto(url)
    return page, complaints


def violations(page: Page, *rules: str) -> list[tuple[str, list[str]]]:
    """What axe-core finds against WCAG and good practice; by these rules only, if there are any."""
    found: dict[str, Any] = page.evaluate(
        f"(rules) => {{ {axe()}; return axe.run(rules.length ? {{ runOnly: rules }} : {{}}) }}", rules
    )
    assert len(found["passes"]) > (0 if rules else 15)
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]


def axe() -> str:
    spec = find_spec("axe_playwright_python")
    if spec is None or not spec.submodule_search_locations:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("axe-playwright-python is not installed")
    return Path(spec.submodule_search_locations[0], "axe.min.js").read_text()


@pytest.mark.parametrize("width", [360, 1280, 3840])
def test_the_page_is_accessible_and_fits_from_a_phone_to_a_large_screen(
    browser: Browser, service: Running, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, reduced_motion="reduce")
    asked(service, "http://asks.example:8080")
    page, complaints = opened(context, service.url)
    expect(page.locator("#devices-list li").first).to_be_visible()
    assert violations(page) == [] and complaints == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, "color-contrast") == []  # the one rule that colours matter to
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_the_page_that_changes_nothing_is_accessible_and_fits(browser: Browser, read_only: Running, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page, complaints = opened(context, read_only.url)
    expect(page.locator("#devices-list li").first).to_be_visible()
    expect(page.get_by_role("button", name="Forget")).to_have_count(0)
    expect(page.get_by_role("button", name="Copy: dwtsvc origins revoke https://allowed.example")).to_be_visible()
    assert violations(page) == [] and complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_axe_would_find_a_fault(page: Page, service: Running) -> None:
    page.goto(service.url)
    page.evaluate(
        "document.querySelector('h1').insertAdjacentHTML('afterend', '<button></button><img src=/favicon.svg>')"
    )
    assert {"button-name", "image-alt"} <= {name for name, _ in violations(page)}
    page.emulate_media(color_scheme="dark")
    assert violations(page, "color-contrast") == []
    page.evaluate("document.querySelector('h1').style.color = 'color-mix(in srgb, var(--card), var(--text) 20%)'")
    assert [name for name, _ in violations(page, "color-contrast")] == ["color-contrast"]


def test_the_page_shows_the_scanners_without_being_asked_and_looks_again(page: Page, service: Running) -> None:
    page.goto(service.url)
    expect(page.locator("#devices-list")).to_contain_text("virtual:flatbed")
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_role("status")).to_have_text("Found 2 scanners.")


def test_the_page_takes_over_what_changes(page: Page, service: Running) -> None:
    page.goto(service.url)
    expect(page.locator("#jobs")).to_contain_text("pending")
    assert page.locator("#attention").get_by_role("link", name="late.example").count() == 0
    asked(service, "https://late.example")
    expect(page.get_by_role("link", name="late.example")).to_be_visible(timeout=PATIENCE * 1000)
    page.get_by_role("link", name="late.example").click()
    expect(page.locator("#origin")).to_have_text("https://late.example")
    page.get_by_role("button", name="Never allow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Not allowed")


def test_a_decision_is_taken_back_by_its_button(page: Page, service: Running) -> None:
    uid = asked(service, "https://once.example")
    service.tool.post("/consent/decisions", json={"id": uid, "decision": "always"})
    page.goto(service.url)
    page.get_by_role("button", name="Forget https://once.example").click()
    expect(page.get_by_role("status")).to_have_text("Forgotten: https://once.example has to ask again.")
    expect(page.locator("#origins")).not_to_contain_text("once.example")
    expect(page.locator("#origins")).to_contain_text("allowed.example")
    expect(page.locator("#origins-title")).to_be_focused()


def test_the_log_level_is_changed_where_web_setup_is_enabled(page: Page, service: Running) -> None:
    page.goto(service.url)
    page.get_by_label("How much is logged").select_option("14")
    expect(page.get_by_role("status")).to_have_text("The log level was changed.")
    assert service.tool.get("/api/server").json() == {"logLevel": 14}
    service.tool.patch("/api/server", json={"logLevel": 1})


def test_a_command_is_copied(context: BrowserContext, service: Running) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page, _ = opened(context, service.url)
    page.get_by_role("button", name="Copy: dwtsvc scan -o letter.pdf").click()
    expect(page.get_by_role("status")).to_have_text("Copied: dwtsvc scan -o letter.pdf")
    assert page.evaluate("navigator.clipboard.readText()") == "dwtsvc scan -o letter.pdf"


def test_everything_can_be_reached_by_keyboard(page: Page, service: Running) -> None:
    page.goto(service.url)
    expect(page.locator("#devices-list li").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")
        )
    for name in ("Look again", "Forget https://allowed.example", "Licences of all parts", "Copy: dwtsvc doctor"):
        assert name in reached


def test_without_a_script_all_facts_are_there(browser: Browser, service: Running) -> None:
    context = browser.new_context(java_script_enabled=False)
    page, _ = opened(context, service.url)
    expect(page.locator("#status")).to_contain_text(str(service.process.pid))
    expect(page.locator("#doors")).to_contain_text(f"http://127.0.0.1:{service.http}")
    expect(page.locator("#certificate")).to_contain_text("valid")
    expect(page.locator("#origins")).to_contain_text("https://allowed.example")
    expect(page.get_by_role("button")).to_have_count(0)  # none that would do nothing
    context.close()


def test_an_inline_script_would_not_run(page: Page, service: Running) -> None:
    page.goto(service.url)
    run = """() => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      document.body.insertAdjacentHTML("beforeend", "<img src=/none.png onerror='window.ran = true'>");
      return new Promise((done) => setTimeout(() => done(window.ran ?? false), 300));
    }"""
    assert page.evaluate(run) is False


def test_the_legal_notice_opens_as_text(page: Page, service: Running) -> None:
    page.goto(service.url)
    page.get_by_role("link", name="Licences of all parts").click()
    expect(page.locator("body")).to_contain_text("Permission is hereby granted, free of charge")


def test_a_service_that_is_gone_is_told_and_its_return_too(browser: Browser, home: Path) -> None:
    context = browser.new_context()
    with serving(home) as first:
        page, _ = opened(context, first.url)
        expect(page.locator("#alive")).to_have_text("running")
        first.kill()
        expect(page.locator("#alive")).to_have_text("not answering", timeout=PATIENCE * 1000)
        expect(page.get_by_role("status")).to_contain_text("dwtsvc serve")
    with serving(home, http_ports=str(first.http)):
        expect(page.locator("#alive")).to_have_text("running", timeout=PATIENCE * 1000)
    context.close()


def test_chromium_opens_the_page_over_https_without_a_warning_after_cert_install(
    driver: Playwright, home: Path
) -> None:
    needs("certutil")
    with serving(home) as service:
        assert opens_over_https(driver, home, service) == ["net::ERR_CERT_AUTHORITY_INVALID"] * 3
        dwtsvc = str(Path(sys.executable).with_name("dwtsvc"))
        command = [dwtsvc, "cert", "install", "--yes", "--store", "chromium"]
        subprocess.run(command, env=environment(home), check=True, timeout=PATIENCE, capture_output=True)
        assert opens_over_https(driver, home, service) == ["dwtsvc: your scanners"] * 3


def opens_over_https(driver: Playwright, home: Path, service: Running) -> list[str]:
    """For each name of this machine the title of the page, or the browser's word against it."""
    chromium, said = launch(driver, home), []
    for host in ("localhost", "127.0.0.1", "[::1]"):
        page = chromium.new_page()
        try:
            page.goto(f"https://{host}:{service.https}/")
            expect(page.locator("#devices-list")).to_contain_text("virtual:adf")  # its scripts and requests work, too
            said.append(page.title() if page.evaluate("isSecureContext") else "not secure")
        except Error as error:
            said.append(error.message.split(" at ")[0].rpartition(": ")[2])
    chromium.close()
    return said
