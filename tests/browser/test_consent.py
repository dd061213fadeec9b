"""Consent, from a foreign page's first refusal to its list of scanners, and what keeps the answer a deliberate one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.rig import Pages, Running

SCOPES = ["list", "scan", "read"]
ASK = """async ([service, scopes]) => {
  const answer = await fetch(service + "/consent/requests", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ scopes }) });
  return [answer.status, await answer.json()];
}"""
GET = """async (url) => {
  try {
    const answer = await fetch(url);
    return [answer.status, await answer.json()];
  } catch (error) {
    return [0, error.name];
  }
}"""
BUTTONS = ["Allow once", "Always allow", "Never allow"]


@pytest.fixture(autouse=True)
def _nothing_decided(service: Running, foreign: Pages) -> Iterator[None]:
    """Each test begins and ends without decisions and questions."""
    yield
    for asked in service.tool.get("/consent/requests").json():
        service.tool.post("/consent/decisions", json={"id": asked["id"], "decision": "never"})
    for origin in [*granted(service), foreign.url()]:
        service.tool.delete("/web/origins", params={"origin": origin})


@pytest.fixture
def site(page: Page, foreign: Pages) -> Page:
    page.goto(foreign.url())
    return page


def granted(service: Running) -> dict[str, str]:
    """Origin -> decision, of those kept on the disk."""
    file = service.paths.state / "origins.json"
    return (
        {each["origin"]: each["decision"] for each in json.loads(file.read_text())["origins"]} if file.exists() else {}
    )


def ask(site: Page, service: Running, scopes: list[str] | None = None) -> str:
    status, said = site.evaluate(ASK, [service.url, scopes or SCOPES])
    assert status == 201 and list(said) == ["id"]
    return str(said["id"])


def question(site: Page, service: Running, scopes: list[str] | None = None) -> Page:
    """The page asks and opens the window, as dwtsvc.js does."""
    uid = ask(site, service, scopes)
    with site.context.expect_page() as opened:
        site.evaluate("(url) => void window.open(url)", f"{service.url}/consent#{uid}")
    popup = opened.value
    expect(popup.get_by_role("heading", level=1)).to_have_text("Allow this web site to use your scanners?")
    return popup


def scanners(site: Page, service: Running) -> Any:
    return site.evaluate(GET, f"{service.url}/api/device/scanners")


def state(site: Page, service: Running, popup: Page) -> Any:
    return site.evaluate(GET, f"{service.url}/consent/requests/{popup.url.partition('#')[2]}")


def test_a_foreign_page_lists_the_scanners_once_the_user_allowed_it(
    site: Page, service: Running, foreign: Pages
) -> None:
    assert scanners(site, service) == [0, "TypeError"]
    popup = question(site, service)
    assert state(site, service, popup) == [200, {"state": "pending"}]
    expect(popup.locator("#origin")).to_have_text(foreign.url())
    expect(popup.locator("#scopes li")).to_have_count(len(SCOPES))
    assert scanners(site, service) == [0, "TypeError"]
    with popup.expect_event("close"):
        popup.get_by_role("button", name="Allow once").click()
    status, listed = scanners(site, service)
    assert status == 200 and "virtual:adf" in [each["id"] for each in listed]
    assert granted(service) == {}


def test_what_was_not_asked_for_stays_refused(site: Page, service: Running) -> None:
    popup = question(site, service, ["list"])
    popup.get_by_role("button", name="Allow once").click()
    expect(popup.get_by_role("heading", level=1)).to_have_text("Allowed")
    assert scanners(site, service)[0] == 200
    status, said = site.evaluate(GET, f"{service.url}/api/device/scanners/jobs")
    assert status == 403 and said["error"] == "origin-not-allowed"
    assert site.evaluate(GET, f"{service.url}/api/server/status")[0] in (0, 403)


def test_always_is_kept_and_shown_on_the_welcome_page(site: Page, service: Running, foreign: Pages) -> None:
    popup = question(site, service)
    popup.get_by_role("button", name="Always allow").click()
    expect(popup.get_by_role("heading", level=1)).to_have_text("Allowed")
    assert granted(service) == {foreign.url(): "always"}
    welcome = site.context.new_page()
    welcome.goto(service.url)
    expect(welcome.locator("#origins")).to_contain_text(f"{foreign.url()}may list, scan, read")


def test_never_is_kept_and_the_site_cannot_ask_again(site: Page, service: Running, foreign: Pages) -> None:
    popup = question(site, service)
    popup.get_by_role("button", name="Never allow").click()
    expect(popup.get_by_role("heading", level=1)).to_have_text("Not allowed")
    assert granted(service) == {foreign.url(): "never"}
    assert scanners(site, service) == [0, "TypeError"]
    uid = ask(site, service)
    assert site.evaluate(GET, f"{service.url}/consent/requests/{uid}") == [200, {"state": "denied"}]
    assert service.tool.get("/consent/requests").json() == []


def test_another_site_gains_nothing_by_it(site: Page, service: Running, foreign: Pages) -> None:
    popup = question(site, service)
    popup.get_by_role("button", name="Allow once").click()
    expect(popup.get_by_role("heading", level=1)).to_have_text("Allowed")
    site.goto(foreign.url("localhost"))
    assert scanners(site, service) == [0, "TypeError"]


def test_the_page_that_asks_cannot_answer_or_see_the_window(site: Page, service: Running) -> None:
    uid = ask(site, service)
    decide = """async ([url, id]) => {
      try {
        const headers = { "Content-Type": "application/json", "X-DWTSVC": "1" };
        return (await fetch(url, { method: "POST", headers, body: JSON.stringify({ id, decision: "always" }) })).status;
      } catch (error) { return error.name; }
    }"""
    assert site.evaluate(decide, [f"{service.url}/consent/decisions", uid]) == "TypeError"
    look = """async (url) => {
      const popup = window.open(url);
      await new Promise((done) => setTimeout(done, 500));
      try { return popup.document.title; } catch (error) { return error.name; }
    }"""
    with site.context.expect_page() as opened:
        seen = site.evaluate(look, f"{service.url}/consent#{uid}")
    expect(opened.value.get_by_role("heading", level=1)).to_have_text("Allow this web site to use your scanners?")
    assert seen in ("SecurityError", "")  # "": what is left of a window that has gone to another group
    assert opened.value.evaluate("window.opener") is None
    assert [each["id"] for each in service.tool.get("/consent/requests").json()] == [uid]


def test_the_buttons_wait_until_the_window_was_in_front_for_half_a_second(site: Page, service: Running) -> None:
    uid = ask(site, service)
    popup = site.context.new_page()
    popup.clock.install()
    popup.add_init_script("window.front = true; document.hasFocus = () => window.front")
    popup.goto(f"{service.url}/consent#{uid}")
    popup.clock.pause_at(popup.evaluate("Date.now() + 60000"))
    popup.evaluate("window.dispatchEvent(new Event('blur'))")
    expect(popup.locator("#asking")).to_be_visible()
    for name in BUTTONS:
        expect(popup.get_by_role("button", name=name)).to_be_disabled()
    popup.clock.run_for(499)
    for name in BUTTONS:
        expect(popup.get_by_role("button", name=name)).to_be_disabled()
    popup.evaluate("window.front = false; window.dispatchEvent(new Event('blur'))")  # another window came before it
    popup.clock.run_for(10_000)
    expect(popup.get_by_role("button", name="Allow once")).to_be_disabled()
    popup.evaluate("window.front = true; window.dispatchEvent(new Event('focus'))")
    popup.clock.run_for(499)
    expect(popup.get_by_role("button", name="Allow once")).to_be_disabled()
    popup.clock.run_for(1)
    for name in BUTTONS:
        expect(popup.get_by_role("button", name=name)).to_be_enabled()


def test_a_script_cannot_press_the_buttons(site: Page, service: Running) -> None:
    popup = question(site, service)
    expect(popup.get_by_role("button", name="Always allow")).to_be_enabled()
    popup.evaluate("document.querySelector('[data-decision=always]').click()")
    assert state(site, service, popup) == [200, {"state": "pending"}]


def test_the_question_can_be_answered_by_keyboard(site: Page, service: Running) -> None:
    popup = question(site, service)
    expect(popup.get_by_role("button", name="Never allow")).to_be_enabled()
    popup.keyboard.press("Enter")  # nothing has the focus that an Enter would press
    assert state(site, service, popup) == [200, {"state": "pending"}]
    for _ in range(3):
        popup.keyboard.press("Tab")
    expect(popup.get_by_role("button", name="Never allow")).to_be_focused()
    popup.keyboard.press("Enter")
    expect(popup.get_by_role("heading", level=1)).to_have_text("Not allowed")
    expect(popup.get_by_role("heading", level=1)).to_be_focused()


@pytest.mark.parametrize(
    ("origin", "caution"),
    [
        ("https://xn--mnchen-3ya.example", "letters beyond a to z"),
        ("http://shop.example", "not encrypted"),
        ("http://localhost:8080", "a program on this computer"),
        ("chrome-extension://abcdefghijklmnop", "an extension of your browser"),
        ("https://shop.example", None),
    ],
)
def test_the_name_is_shown_exactly_with_what_to_think_of(
    page: Page, service: Running, origin: str, caution: str
) -> None:
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    uid = service.tool.post("/consent/requests", json={"scopes": ["list"]}, headers=headers).json()["id"]
    page.goto(f"{service.url}/consent#{uid}")
    expect(page.locator("#origin")).to_have_text(origin)
    if caution:
        expect(page.locator(".caution")).to_contain_text(caution)
    else:
        expect(page.locator(".caution")).to_have_count(0)


@pytest.mark.parametrize("fragment", ["#AAAAAAAAAAAAAAAAAAAAAA", "#../../api/server/status", "#%3Cimg%20src=x%3E"])
def test_an_unknown_question_is_said_to_be_none(page: Page, service: Running, fragment: str) -> None:
    page.goto(f"{service.url}/consent{fragment}")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such question")
    expect(page.get_by_role("button")).to_have_count(0)


def test_without_a_question_the_page_says_that_nobody_asks(page: Page, service: Running) -> None:
    page.goto(f"{service.url}/consent")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nobody asks")


@pytest.mark.parametrize("path", ["/consent", "/"])
def test_no_page_of_ours_can_be_put_into_a_frame(site: Page, service: Running, trusting: Pages, path: str) -> None:
    frame = """(url) => new Promise((done) => {
      const frame = document.createElement("iframe");
      frame.onload = () => done();
      frame.src = url;
      document.body.append(frame);
    })"""
    site.evaluate(frame, trusting.url("127.0.0.1"))
    site.evaluate(frame, service.url + path)
    control, ours = site.frames[1:]
    assert "secret" in control.content()
    assert not re.search("dwtsvc", ours.content())


def test_a_second_window_for_the_same_question_learns_that_it_was_answered(
    site: Page, service: Running, context: BrowserContext
) -> None:
    popup, other = question(site, service), context.new_page()
    other.goto(popup.url)
    expect(other.get_by_role("button", name="Allow once")).to_be_enabled()
    popup.get_by_role("button", name="Never allow").click()
    expect(popup.get_by_role("heading", level=1)).to_have_text("Not allowed")
    other.get_by_role("button", name="Allow once").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("The answer was not taken")
    assert scanners(site, service) == [0, "TypeError"]
