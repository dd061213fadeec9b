"""The scan page and the owner's targets, what takes its time and can be ended, and a service that goes and comes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from pypdf import PdfReader

from dwtsvc.targets import named
from tests.browser.rig import Running, serving
from tests.browser.scanpage import at, loaded, opened, options, order, picture, scan, sizes, tool
from tests.browser.test_welcome import violations
from tests.certs.rig import needs
from tests.server.test_sending import forms

__all__ = ["forms"]


@pytest.fixture
def archive(service: Running, forms: Any) -> Iterator[Any]:
    """A server that takes files in forms, as the target "Office"."""
    named.save(service.paths, "Office", {"url": f"http://127.0.0.1:{forms.port}/in"})
    yield forms
    named.delete(service.paths, "Office")


def saving(page: Page, form: str, target: str) -> None:
    page.locator("#save").click()
    page.locator(f"dialog [value={form}]").check(force=True)
    page.locator("dialog [name=where]").select_option(target)


def sent(page: Page) -> None:
    page.locator("dialog").get_by_role("button", name="Send").click()


def test_without_targets_there_is_only_this_computer(page: Page, service: Running) -> None:
    opened(page, service)
    loaded(page, picture(600, 800))
    page.locator("#save").click()
    expect(page.locator("dialog").get_by_role("button", name="Save")).to_be_visible()
    expect(page.locator("dialog [name=where]")).to_have_count(0)


def test_pages_are_sent_to_a_folder_as_a_searchable_pdf(page: Page, service: Running, tmp_path: Path) -> None:
    if service.tool.get("/api/process/ocr/languages").status_code != 200:
        pytest.skip("no text recognition is installed")
    named.save(service.paths, "Shelf", {"url": f"folder:{tmp_path}"})
    opened(page, service, "virtual:adf?pages=2&document=letter")
    page.locator("#dpi").select_option("150")
    scan(page)
    page.locator("#name").fill("Letters")
    saving(page, "searchable", "Shelf")
    sent(page)
    file = tmp_path / "Letters.pdf"
    expect(page.locator("#toast-text")).to_have_text(f"Sent to Shelf: {file}")
    expect(page.locator("dialog")).to_have_count(0)
    text = subprocess.run([needs("pdftotext"), str(file), "-"], check=True, capture_output=True, text=True).stdout
    assert len(PdfReader(file).pages) == 2 and "Thornbury" in text
    page.locator("#save").click()
    expect(page.locator("dialog [name=where]")).to_have_value("Shelf")
    named.delete(service.paths, "Shelf")


def test_what_a_target_refuses_is_told_and_sent_when_it_is_tried_again(
    page: Page, service: Running, archive: Any
) -> None:
    opened(page, service)
    loaded(page, picture(600, 800), picture(610, 800))
    at(page, 2).click()
    tool(page, "divide").click()
    expect(at(page, 2)).to_have_attribute("aria-label", "Page 2 of 2, begins a document")
    archive.refuse.append(403)
    saving(page, "tiff", "Office")
    sent(page)
    expect(page.locator("dialog .problem .what")).to_have_text("The file did not arrive.")
    expect(page.locator("dialog .problem")).to_contain_text("Office")
    assert archive.taken == []
    page.locator("dialog .problem").get_by_role("button", name="Try again").click()
    expect(page.locator("#toast-text")).to_have_text("2 files sent to Office.")
    assert len(archive.taken) == 2 and all(b"II*\0" in each for each in archive.taken)


def test_a_page_in_german_says_what_went_wrong_there_too(browser: Browser, service: Running, tmp_path: Path) -> None:
    named.save(service.paths, "Ablage", {"url": f"folder:{tmp_path / 'nirgends'}"})
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    opened(page, service)
    loaded(page, picture(600, 800))
    saving(page, "pdf", "Ablage")
    page.locator("dialog").get_by_role("button", name="Senden").click()
    expect(page.locator("dialog .problem .what")).to_have_text("Die Datei kam nicht an.")
    expect(page.locator("dialog .problem")).to_contain_text(str(tmp_path / "nirgends"))
    named.delete(service.paths, "Ablage")
    context.close()


def test_reading_can_be_ended_and_begun_again(page: Page, service: Running) -> None:
    if service.tool.get("/api/process/ocr/languages").status_code != 200:
        pytest.skip("no text recognition is installed")
    held: list[Route] = []
    page.route("**/api/process/ocr", lambda route: held.append(route))
    opened(page, service)
    loaded(page, picture(600, 800))
    at(page, 1).dblclick()
    with page.expect_request("**/api/process/ocr"):  # it can be ended before anything is asked
        page.locator(".viewer [data-tool=content]").click()
    text = page.locator(".viewer .found").first
    text.get_by_role("button", name="Cancel").click()
    expect(text).to_contain_text("Cancelled.")
    assert len(held) == 1
    page.unroute("**/api/process/ocr")
    text.get_by_role("button", name="Read it").click()
    expect(text.locator("textarea, .hint")).to_be_visible()


def test_a_searchable_pdf_that_is_ended_is_not_saved(page: Page, service: Running) -> None:
    if service.tool.get("/api/process/ocr/languages").status_code != 200:
        pytest.skip("no text recognition is installed")
    page.route("**/f/Recognize", lambda route: None)
    opened(page, service)
    loaded(page, picture(600, 800))
    downloads: list[Any] = []
    page.on("download", lambda download: downloads.append(download))
    page.locator("#save").click()
    page.locator("dialog [value=searchable]").check(force=True)
    page.locator("dialog").get_by_role("button", name="Save").click()
    page.locator("dialog .working").get_by_role("button", name="Cancel").click()
    expect(page.locator("dialog").get_by_role("button", name="Save")).to_be_focused()
    assert downloads == []


def test_a_thumbnail_shows_its_page_wherever_another_tab_has_moved_it(
    context: BrowserContext, page: Page, service: Running
) -> None:
    opened(page, service)
    loaded(page, picture(600, 800), picture(700, 500))
    address = at(page, 1).locator("img").get_attribute("src")
    width, height = sizes(page)[0]
    other = context.new_page()
    opened(other, service)
    at(other, 2).click()
    other.locator("#pages").press("Alt+ArrowLeft")
    expect(other.locator("#said")).to_have_text("Moved to place 1 of 2.")
    shown = page.evaluate(
        """async (src) => { const image = new Image(); image.src = `${src}&again`; await image.decode();
          return [image.naturalWidth, image.naturalHeight]; }""",
        address,
    )
    assert sizes(page)[0] == (700, 500) and shown[0] < shown[1] and width < height


def test_a_page_is_cropped_by_its_handles(page: Page, service: Running) -> None:
    opened(page, service)
    loaded(page, picture(800, 1000))
    at(page, 1).dblclick()
    page.locator(".viewer [data-tool=crop]").click()
    for side, x, y in (("nw", 0.25, 0.25), ("se", 0.75, 0.5)):
        image, handle = page.locator(".viewer .holder img").bounding_box(), page.locator(f".handle.{side}")
        assert image
        handle.hover()
        page.mouse.down()
        page.mouse.move(image["x"] + x * image["width"], image["y"] + y * image["height"], steps=5)
        page.mouse.up()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".area")).to_have_count(0)
    (width, height), *_ = sizes(page)
    assert abs(width - 400) < 12 and abs(height - 250) < 12


def test_a_service_that_dies_in_the_middle_of_a_scan_keeps_what_came_before(browser: Browser, home: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    with serving(home) as first:
        opened(page, first, "virtual:adf?pages=50&slow=0.5")
        page.locator("#scan").click()
        expect(options(page).nth(1)).to_be_visible()
        first.kill()
        expect(page.locator("#problem .what")).to_have_text("The service does not answer.")
        expect(page.locator("#scan")).to_be_visible()
        before = order(page)
    with serving(home, http_ports=str(first.http)):
        expect(page.locator("#toast-text")).to_have_text("The service is back, with all pages.")
        assert order(page)[: len(before)] == before and len(before) >= 2
        page.reload()
        expect(options(page).first).to_be_visible()
        assert order(page)[: len(before)] == before
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_sending_and_reading_are_accessible_and_fit(
    browser: Browser, service: Running, archive: Any, scheme: Any, width: int
) -> None:
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    )
    page = context.new_page()

    def sound(state: str) -> None:
        page.wait_for_timeout(200)
        assert violations(page) == [], state
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state

    opened(page, service)
    loaded(page, picture(600, 800))
    saving(page, "pdf", "Office")
    sound("choosing")
    archive.refuse.append(403)
    sent(page)
    expect(page.locator("dialog .problem")).to_be_visible()
    sound("refused")
    page.route("**/web/targets", lambda route: None if route.request.method == "POST" else route.continue_())
    sent(page)
    expect(page.locator("dialog .working")).to_be_visible()
    sound("sending")
    context.close()
