"""What the scan page does with pages beside scanning and saving: paste, straighten, read, and live progress."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.browser.rig import Running
from tests.browser.scanpage import at, loaded, opened, options, picture, scan, sizes, tool


def leaning(degrees: float) -> bytes:
    """A page of lines that leans."""
    image = Image.new("L", (800, 1000), 255)
    for top in range(150, 850, 30):
        ImageDraw.Draw(image).rectangle((120, top, 680, top + 8), fill=0)
    file = io.BytesIO()
    image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255).save(file, "png", dpi=(100, 100))
    return file.getvalue()


def steps(page: Page) -> list[list[str]]:
    """The names of the edits of every page, as the service has them."""
    found: list[list[str]] = page.evaluate(
        """import("/scan/service.js").then(({ buffer }) => buffer.look())
          .then((list) => list.map((each) => each.steps.map(({ name }) => name)))"""
    )
    return found


def test_pictures_are_pasted(page: Page, service: Running) -> None:
    opened(page, service)
    paste = """(bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "a.png", { type: "image/png" }));
      const about = { clipboardData: data, bubbles: true, cancelable: true };
      document.body.dispatchEvent(new ClipboardEvent("paste", about));
    }"""
    page.evaluate(paste, list(picture(300, 400)))
    expect(options(page)).to_have_count(1)
    assert sizes(page) == [(300, 400)]


def test_pages_that_lean_are_straightened_and_lean_again(page: Page, service: Running) -> None:
    opened(page, service)
    loaded(page, leaning(3), leaning(-2))
    page.locator("#pages").press("Control+a")
    tool(page, "deskew").click()
    expect(tool(page, "undo")).to_have_attribute("aria-disabled", "false")
    assert [len(each) for each in steps(page)] == [1, 1]
    leans = """import("/scan/service.js").then(({ buffer }) => Promise.all([buffer.skew(0), buffer.skew(1)]))"""
    assert all(abs(degrees) < 0.5 for degrees in page.evaluate(leans))
    tool(page, "undo").click()
    expect(page.locator("#said")).to_have_text("Undone.")
    assert steps(page) == [[], []]


def test_the_text_of_a_page_stands_beside_its_image_and_can_be_copied(page: Page, service: Running) -> None:
    if service.tool.get("/api/process/ocr/languages").status_code != 200:
        pytest.skip("no text recognition is installed")
    opened(page, service, "virtual:adf?pages=1&document=letter")
    page.locator("#dpi").select_option("200")
    scan(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    at(page, 1).dblclick()
    page.locator(".viewer [data-tool=content]").click()
    text = page.locator(".viewer textarea")
    expect(text).to_have_value(re.compile("Thornbury"))
    page.locator(".viewer .found").first.get_by_role("button", name="Copy").click()
    expect(page.locator("#said")).to_have_text("Copied.")
    assert "Thornbury" in page.evaluate("navigator.clipboard.readText()")


def test_a_scan_says_which_page_it_is_at_while_the_others_are_shown(page: Page, service: Running) -> None:
    opened(page, service, "virtual:adf?pages=3&slow=2")  # so slow that a busy test does not miss it
    page.locator("#scan").click()
    expect(page.locator("#running-text")).to_have_text(re.compile("Scanning page [12]…"))
    expect(options(page).first).to_be_visible()
    expect(page.locator("#running-text")).to_have_text(re.compile("Scanning page [23]…"))
    expect(options(page)).to_have_count(3)
    expect(page.locator("#running")).to_be_hidden()


def test_the_viewer_goes_from_page_to_page_and_removes_what_is_shown(page: Page, service: Running) -> None:
    opened(page, service)
    loaded(page, *(picture(600 + 10 * each, 800) for each in range(3)))
    at(page, 1).dblclick()
    heading = page.locator(".viewer h2")
    page.keyboard.press("ArrowRight")
    expect(heading).to_have_text("Page 2 of 3")
    page.locator(".viewer [data-tool=remove]").click()
    expect(heading).to_have_text("Page 2 of 2")
    page.locator(".viewer [data-tool=undo]").click()
    expect(page.locator("#said")).to_have_text("Undone.")
    page.keyboard.press("Escape")
    expect(options(page)).to_have_count(3)
    assert [width for width, _ in sizes(page)] == [600, 610, 620]
