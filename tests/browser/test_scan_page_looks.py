"""The scan page for everybody: its languages, small and large windows, touch, and without a mouse or eyes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from tests.browser.rig import Running
from tests.browser.scanpage import at, loaded, opened, options, picture, scan, tool
from tests.browser.test_welcome import violations


def test_the_page_speaks_german(browser: Browser, service: Running) -> None:
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    opened(page, service)
    expect(page.locator("#scan")).to_have_text("Scannen")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.locator("#scan").click()
    expect(options(page)).to_have_count(3)
    expect(page.locator("#count")).to_have_text("3 Seiten")
    assert page.locator("#scan").evaluate("(button) => button.scrollWidth <= button.clientWidth")  # its longest text
    expect(at(page, 1)).to_have_attribute("aria-label", "Seite 1 von 3")
    page.locator("#language").select_option("en")
    expect(page.locator("#count")).to_have_text("3 pages")
    expect(at(page, 1)).to_have_attribute("aria-label", "Page 1 of 3")
    context.close()


def test_every_text_is_there_in_both_languages(page: Page, service: Running) -> None:
    page.goto(f"{service.url}/scan")
    source = page.evaluate("fetch('/scan/i18n.js').then((answer) => answer.text())")
    known = set(re.findall(r"^  (\w+): \[", source, re.MULTILINE))
    lines = re.findall(r'^  (?:  "[\w-]+"|\w+): \[(.*)\],?$', source, re.MULTILINE)
    assert len(lines) > 120 and {len(re.findall(r'"(?:[^"\\]|\\.)*"', line)) for line in lines} == {2, 4}
    folder = Path("dwtsvc/server/web/scan")
    used = set(re.findall(r'data-(?:t|label)="(\w+)"', (folder / "scan.html").read_text()))
    for script in folder.glob("*.js"):
        used |= set(re.findall(r'\bt\("(\w+)"', script.read_text()))
    assert used <= known, used - known


@pytest.mark.parametrize("width", [360, 1280, 3840])
def test_every_state_is_accessible_and_fits(browser: Browser, service: Running, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)

    def sound(state: str) -> None:
        page.wait_for_timeout(200)  # images and transitions
        assert violations(page) == [], state
        page.emulate_media(color_scheme="dark")
        assert violations(page, "color-contrast") == [], state  # the one rule that colours matter to
        page.emulate_media(color_scheme="light")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state

    opened(page, service, "virtual:adf?pages=2&jam=2")
    expect(page.locator("#device-hint")).to_be_empty()
    sound("empty")
    scan(page)
    expect(page.locator("#problem")).to_be_visible()
    sound("problem")
    loaded(page, picture(600, 800), picture(800, 600))
    at(page, 2).click()
    sound("selected")
    tool(page, "remove").click()
    sound("removed")
    page.locator("#save").click()
    sound("saving")
    page.keyboard.press("Escape")
    at(page, 1).dblclick()
    sound("viewer")
    for name in ("crop", "adjust", "content"):
        page.locator(f".viewer [data-tool={name}]").click()
        page.wait_for_timeout(400 if name == "content" else 0)
        sound(name)
    # What a service does not have is answered 404, and a jam 409: Chromium writes both into its console.
    assert [each for each in complaints if "404" not in each and "409" not in each] == []
    context.close()


def test_a_phone_scans_and_saves_by_touch(browser: Browser, service: Running, tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = context.new_page()
    opened(page, service)
    page.locator("#scan").tap()
    expect(options(page)).to_have_count(3)
    at(page, 1).locator(".mark").tap()
    at(page, 2).locator(".mark").tap()
    expect(tool(page, "remove")).to_have_attribute("aria-disabled", "false")
    tool(page, "remove").tap()
    expect(options(page)).to_have_count(1)
    page.locator("#fold").tap()
    expect(page.locator("#dpi")).to_be_visible()
    page.locator("#save").tap()
    with page.expect_download() as waiting:
        page.locator("dialog").get_by_role("button", name="Save").tap()
    waiting.value.save_as(tmp_path / "phone.pdf")
    assert len(PdfReader(tmp_path / "phone.pdf").pages) == 1
    context.close()
