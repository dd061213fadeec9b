"""What tests do on the scan page, and what they see there."""

from __future__ import annotations

import io
import itertools
from typing import Any
from urllib.parse import quote

from PIL import Image, ImageDraw
from playwright.sync_api import Download, Locator, Page, expect

from tests.browser.rig import Running

_seeds = itertools.count(100)


def opened(page: Page, service: Running, device: str = "virtual:adf?pages=3") -> None:
    """The page with a scanner of its own: a virtual one counts its sheets while it is open."""
    own = f"{device}{'&' if '?' in device else '?'}seed={next(_seeds)}"
    page.goto(f"{service.url}/scan?device={quote(own)}")
    expect(page.locator("html[data-ready]")).to_be_attached()


def scan(page: Page) -> None:
    """To its end. That it began is seen by its request: a short one is over before a busy test looks for Cancel."""
    expect(page.locator("#scan")).to_be_enabled()
    with page.expect_response(lambda said: said.request.method == "POST" and said.url.endswith("/scanners/jobs")):
        page.locator("#scan").click()
    expect(page.locator("#scan")).to_be_visible()


def options(page: Page) -> Locator:
    return page.locator("#pages [role=option]")


def order(page: Page) -> list[str]:
    """The ids of the pages that are in the document, in their order."""
    found: list[str] = page.evaluate(
        """[...document.querySelectorAll("#pages [role=option]")]
          .sort((one, other) => one.ariaPosInSet - other.ariaPosInSet).map((each) => each.dataset.id)"""
    )
    return found


def at(page: Page, number: int) -> Locator:
    return page.locator(f"#pages [role=option][aria-posinset='{number}']")


def tool(page: Page, name: str) -> Locator:
    return page.locator(f"#bar [data-tool={name}]")


def saved(page: Page, form: str = "pdf") -> Download:
    page.locator("#save").click()
    page.locator(f"dialog [value={form}]").check(force=True)
    with page.expect_download() as waiting:
        page.locator("dialog").get_by_role("button", name="Save").click()
    expect(page.locator("dialog")).to_have_count(0)
    return waiting.value


def picture(width: int, height: int, *, ink: bool = True) -> bytes:
    """A page of 100 dpi with a heading, or with nothing on it."""
    image = Image.new("L", (width, height), 255)
    if ink:
        for top in range(40, height - 40, 24):
            ImageDraw.Draw(image).rectangle((40, top, width - 40, top + 8), fill=0)
    file = io.BytesIO()
    image.save(file, "png", dpi=(100, 100))
    return file.getvalue()


def loaded(page: Page, *files: bytes) -> None:
    before = len(order(page))
    named = [{"name": f"{at}.png", "mimeType": "image/png", "buffer": file} for at, file in enumerate(files)]
    page.locator("#files").set_input_files(named)  # type: ignore[arg-type]
    expect(options(page)).to_have_count(before + len(files))


def sizes(page: Page) -> list[tuple[int, int]]:
    """Width and height in pixels of every page, as the service has them."""
    found: list[Any] = page.evaluate(
        """import("/scan/service.js").then(({ buffer }) => buffer.look())
          .then((list) => list.map((each) => [each.width, each.height]))"""
    )
    return [(width, height) for width, height in found]
