"""Consent, from a foreign page's first refusal to its list of scanners, and what keeps the answer a deliberate one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dwtsvc.server import pages
from tests.browser.consent_states import ALL, SHOP, STATES, Desk, forget, granted, request
from tests.browser.consent_states import question as asking
from tests.browser.rig import Pages, Running
from tests.browser.test_welcome import violations

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
    forget(service, foreign.url())


@pytest.fixture
def site(page: Page, foreign: Pages) -> Page:
    page.goto(foreign.url())
    return page


def ask(site: Page, service: Running, scopes: list[str] | None = None) -> str:
    status, said = site.evaluate(ASK, [service.url, scopes or SCOPES])
    assert status == 201 and list(said) == ["id"]
    return str(said["id"])


def question(site: Page, service: Running, scopes: list[str] | None = None, *, closes: bool = False) -> Page:
    """The page asks and opens the window, as dwtsvc.js does. It stays, because a busy test may come to look at it when
    it would have closed itself, unless it `closes`."""
    uid = ask(site, service, scopes)
    with site.context.expect_page() as opened:
        site.evaluate("(url) => void window.open(url)", f"{service.url}/consent#{uid}")
    popup = opened.value
    expect(popup.get_by_role("heading", level=1)).to_have_text("Allow this web site to use your scanners?")
    if not closes:
        popup.evaluate("window.close = () => {}")
    return popup


def scanners(site: Page, service: Running) -> Any:
    return site.evaluate(GET, f"{service.url}/api/device/scanners")


def state(site: Page, service: Running, popup: Page) -> Any:
    return site.evaluate(GET, f"{service.url}/consent/requests/{popup.url.partition('#')[2]}")


def test_a_foreign_page_lists_the_scanners_once_the_user_allowed_it(
    site: Page, service: Running, foreign: Pages
) -> None:
    assert scanners(site, service) == [0, "TypeError"]
    popup = question(site, service, closes=True)
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
    expect(popup.get_by_role("heading", level=1)).to_have_text("Allowed once")
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
    expect(popup.get_by_role("heading", level=1)).to_have_text("Allowed once")
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
    ("origin", "cautions"),
    [
        ("https://xn--mnchen-3ya.example", ["“münchen.example”, which can pass for another name: ü (latin small"]),
        (
            "https://xn--80ak6aa92e.com",
            ["“аррӏе.com”, which can pass for another name: а (cyrillic small letter a), р"],
        ),
        ("https://xn--99999999999.example", ["letters beyond a to z"]),  # which no browser could read
        ("http://shop.example", ["not encrypted"]),
        ("http://shop.example:8080", ["not encrypted", "at port 8080"]),
        ("https://shop.example.sign-in.evil.test", ["“sign-in.evil.test”"]),
        ("https://192.0.2.7", ["a number instead of a name"]),
        ("https://[2001:db8::7]", ["a number instead of a name"]),
        ("http://localhost:8080", ["a program on this computer"]),
        ("chrome-extension://abcdefghijklmnop", ["an extension of your browser"]),
        ("https://shop.example", []),
    ],
)
def test_the_name_is_shown_exactly_with_what_to_think_of(
    page: Page, service: Running, origin: str, cautions: list[str]
) -> None:
    page.goto(f"{service.url}/consent#{request(service, origin, ['list'])}")
    expect(page.locator("#origin")).to_have_text(origin)
    expect(page.locator(".caution")).to_have_count(len(cautions))
    for at, caution in enumerate(cautions):
        expect(page.locator(".caution").nth(at)).to_contain_text(caution)


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
    site: Page, service: Running, browser: Browser
) -> None:
    popup, other = question(site, service), site.context.new_page()
    late = browser.new_context().new_page()
    for each in (other, late):
        each.goto(popup.url)
        expect(each.locator("#asking")).to_be_visible()
    expect(late.get_by_role("button", name="Allow once")).to_be_enabled()
    late.route("**/consent/requests/*", lambda route: None)  # when it looks again, it hears nothing
    popup.get_by_role("button", name="Never allow").click()
    expect(popup.get_by_role("heading", level=1)).to_have_text("Not allowed")
    expect(other.get_by_role("heading", level=1)).to_have_text("Already answered: not allowed")
    late.get_by_role("button", name="Allow once").click()
    expect(late.get_by_role("heading", level=1)).to_have_text("The answer was not taken")
    late.context.close()
    assert scanners(site, service) == [0, "TypeError"]


def test_whoever_types_while_the_window_comes_up_answers_nothing(site: Page, service: Running) -> None:
    uid = ask(site, service)
    popup = site.context.new_page()
    popup.clock.install()
    popup.goto(f"{service.url}/consent#{uid}")
    popup.clock.pause_at(popup.evaluate("Date.now() + 60000"))
    expect(popup.locator("#asking")).to_be_visible()
    popup.evaluate("window.dispatchEvent(new Event('blur'))")  # as if it came up now
    for _ in range(3):
        popup.clock.run_for(400)
        popup.keyboard.press("a")
        popup.keyboard.press("Enter")
    popup.clock.run_for(499)
    expect(popup.get_by_role("button", name="Allow once")).to_be_disabled()
    popup.clock.run_for(1)
    expect(popup.get_by_role("button", name="Allow once")).to_be_enabled()
    assert [each["id"] for each in service.tool.get("/consent/requests").json()] == [uid]


def test_a_key_that_is_held_down_answers_nothing(site: Page, service: Running) -> None:
    popup = question(site, service)
    expect(popup.get_by_role("button", name="Allow once")).to_be_enabled()
    popup.get_by_role("button", name="Allow once").focus()
    held = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r", "autoRepeat": True}
    keyboard = popup.context.new_cdp_session(popup)
    keyboard.send("Input.dispatchKeyEvent", {"type": "keyDown", **held})
    keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **held, "text": ""})
    assert state(site, service, popup) == [200, {"state": "pending"}]
    keyboard.send("Input.dispatchKeyEvent", {"type": "keyDown", **held, "autoRepeat": False})
    expect(popup.get_by_role("heading", level=1)).to_have_text("Allowed once")


def test_the_three_answers_are_alike_and_all_in_view_when_the_window_opens(browser: Browser, service: Running) -> None:
    for locale in ("en-GB", "de-DE"):
        context = browser.new_context(locale=locale, viewport={"width": 560, "height": 760})
        page = asking(Desk(context, service), SHOP, ("list", "scan", "read", "edit"))
        looks = """(all) => all.map((each) => {
          const { width, height, bottom } = each.getBoundingClientRect(), style = getComputedStyle(each);
          return [bottom, [width, Math.round(height), style.backgroundColor, style.borderColor, style.fontSize]];
        })"""
        seen = page.locator("[data-decision]").evaluate_all(looks)
        assert len(seen) == 3 and seen[0][1] == seen[1][1] == seen[2][1]
        assert max(bottom for bottom, _ in seen) < 760
        context.close()
        forget(service)


def test_a_site_that_wants_more_is_shown_with_what_it_has(page: Page, service: Running) -> None:
    uid = request(service, SHOP, ["list"])
    service.tool.post("/consent/decisions", json={"id": uid, "decision": "always"})
    page.goto(f"{service.url}/consent#{request(service, SHOP, ['list', 'upload'])}")
    expect(page.locator("#if-allowed")).to_contain_text("now asks for more")
    expect(page.locator("#scopes li")).to_have_text(
        ["Have this computer send them to the site, or to a server that was set up here"]
    )
    expect(page.locator("#has")).to_have_text(
        "You allowed it before: See which scanners there are, and what they can do."
    )


def test_the_next_question_is_offered_after_an_answer(page: Page, service: Running) -> None:
    request(service, "https://first.example", ["list"])
    request(service, "https://second.example", ["list"])
    page.goto(f"{service.url}/consent")
    expect(page.locator("#origin")).to_have_text("https://first.example")
    expect(page.locator("#more")).to_have_text("1 more web site is waiting for an answer.")
    page.get_by_role("button", name="Never allow").click()
    page.get_by_role("button", name="Show the next question").click()
    expect(page.locator("#origin")).to_have_text("https://second.example")
    expect(page.locator("#more")).to_be_hidden()
    page.get_by_role("button", name="Never allow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Not allowed")
    expect(page.get_by_role("button", name="Show the next question")).to_be_hidden()


def test_the_page_says_where_an_answer_is_taken_back(site: Page, service: Running, foreign: Pages) -> None:
    popup = question(site, service)
    expect(popup.locator("#afterwards code")).to_have_text(f"dwtsvc origins revoke {foreign.url()}")
    popup.get_by_role("button", name="Allow once").click()
    with popup.context.expect_page() as opened:
        popup.get_by_role("link", name="Overview of the service").click()
    overview = opened.value
    overview.get_by_role("button", name=f"Forget {foreign.url()}").click()
    expect(overview.locator("#said")).to_contain_text("Forgotten")
    assert scanners(site, service) == [0, "TypeError"]


def test_every_state_is_accessible_and_fits_and_keeps_the_policy(browser: Browser, service: Running) -> None:
    for state in STATES:
        context = browser.new_context(viewport={"width": 360, "height": 760}, reduced_motion="reduce")
        complaints: list[str] = []
        context.on("console", lambda message, said=complaints: said.append(message.text))  # type: ignore[misc]
        page = state(Desk(context, service))
        expect(page.locator("h1:visible")).not_to_have_text("One moment")
        assert violations(page) == [], state.__name__
        page.emulate_media(color_scheme="dark")
        assert violations(page, "color-contrast") == [], state.__name__  # the one rule that colours matter to
        for width in (360, 560, 3840):
            page.set_viewport_size({"width": width, "height": 760})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [each for each in complaints if "Content Security" in each] == []
        context.close()
        forget(service, SHOP)


def test_the_page_speaks_german_and_changes_at_once(browser: Browser, service: Running) -> None:
    context = browser.new_context(locale="de-DE")
    page = asking(Desk(context, service))
    expect(page.get_by_role("heading", level=1)).to_have_text("Darf diese Website Ihre Scanner benutzen?")
    expect(page.get_by_role("button", name="Nie erlauben")).to_be_enabled()
    page.get_by_label("Sprache").select_option("en")
    expect(page.get_by_role("heading", level=1)).to_have_text("Allow this web site to use your scanners?")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="Never allow").click()
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nicht erlaubt")
    context.close()


def test_every_text_is_there_in_both_languages() -> None:
    web = Path(pages.__file__).parent / "web"
    source, script = (web / "consent-texts.js").read_text(), (web / "consent.js").read_text()
    lines = dict(re.findall(r"^  (\w+): \[(.*)\],$", source, re.MULTILINE))
    assert {len(re.findall(r'"(?:[^"\\]|\\.)*"', line)) for line in lines.values()} == {2}
    used = set(re.findall(r'\bt\("(\w+)"', script)) | set(
        re.findall(r'data-(?:t|label)="(\w+)"', (web / "consent.html").read_text())
    )
    used |= {f"scope{each.capitalize()}" for each in ALL}
    words = set(re.findall(r'show\("(\w+)"', script)) | {"once", "always", "never", "allowed", "denied", "expired"}
    used |= {f"word{each.capitalize()}{part}" for each in words for part in ("", "Text")}
    shared = re.findall(r"^  (\w+): \[", (web / "scan" / "i18n.js").read_text(), re.MULTILINE)
    assert used - set(lines) == {"language"} and "language" in shared
    assert set(lines) - used <= {"consentWants", "consentWantsMore"}
    assert not set(lines) & set(shared)
