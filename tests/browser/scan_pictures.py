"""Pictures of the scan page, every state in light and dark, as WebP:
`python -m tests.browser.scan_pictures FOLDER [WIDTH...]`. `make pictures` draws those of docs/images/."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from dwtsvc.targets import named
from tests.browser.client_site import wait
from tests.browser.rig import PATIENCE, launch, serving

SIZES = {360: 740, 1280: 800, 2560: 1440}
DEVICE = "virtual:adf?pages=6&seed=3"
Scheme = Literal["light", "dark"]


def scanned(page: Page, count: int) -> None:
    """Scan, and wait until so many pages are shown."""
    page.locator("#scan").click()
    expect(page.locator("#cancel")).to_be_visible(timeout=PATIENCE * 1000)
    expect(page.locator("#scan")).to_be_visible(timeout=PATIENCE * 1000)
    expect(page.locator("#pages [role=option]").first).to_be_visible()
    assert page.evaluate("document.querySelectorAll('#pages [role=option]').length") >= min(count, 4)
    page.wait_for_timeout(900)


def empty(page: Page) -> None:
    expect(page.locator("#empty")).to_be_visible()
    page.wait_for_timeout(600)


def pages(page: Page) -> None:
    scanned(page, 6)
    options = page.locator("#pages [role=option]")
    options.nth(1).click()
    options.nth(2).click(modifiers=["Shift"])
    page.wait_for_timeout(300)


def removed(page: Page) -> None:
    page.locator("[data-tool=remove]").first.click()
    expect(page.locator("#toast-undo")).to_be_visible()


def viewer(page: Page) -> None:
    page.locator("#pages [role=option]").first.dblclick()
    page.locator(".viewer [data-tool=crop]").click()
    wait(page, "document.querySelector('.viewer .holder img').naturalWidth > 0")
    page.wait_for_timeout(300)


def content(page: Page) -> None:
    page.locator(".viewer [data-tool=content]").click()
    expect(page.get_by_text("Reading…")).to_have_count(0, timeout=PATIENCE * 1000)


def saving(page: Page) -> None:
    page.keyboard.press("Escape")
    page.locator("#save").click()
    page.wait_for_timeout(300)


def problem(page: Page) -> None:
    # A scanner of its own each time: a sheet jams once.
    own = page.evaluate("Math.floor(Math.random() * 1e6)")
    page.goto(page.url.split("?")[0] + f"?device=virtual:adf%3Fjam%3D2%26seed%3D{own}")
    page.locator("#scan").click()
    expect(page.locator("#problem")).to_be_visible(timeout=PATIENCE * 1000)


def preview(page: Page) -> None:
    page.goto(page.url.split("?")[0] + "?device=virtual:flatbed")
    page.locator("#preview").click()
    expect(page.locator(".preview .area")).to_be_visible(timeout=PATIENCE * 1000)
    page.wait_for_timeout(400)


STATES: list[Callable[[Page], None]] = [empty, pages, removed, viewer, content, saving, problem, preview]


def kept(page: Page, path: Path) -> None:
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(path, "webp", quality=82, method=6)


def draw(browser: Browser, url: str, folder: Path, width: int, scheme: Scheme) -> None:
    """Every state of the page in one size and one scheme, as files named after both."""
    size = {"width": width, "height": SIZES.get(width, 900)}
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce", locale="en-GB")  # type: ignore[arg-type]
    page = context.new_page()
    page.on("pageerror", lambda error: print("error", error, file=sys.stderr))
    page.goto(f"{url}/scan?device={DEVICE.replace('?', '%3F').replace('&', '%26').replace('=', '%3D')}")
    for state in STATES:
        state(page)
        kept(page, folder / f"scan-{state.__name__}-{width}-{scheme}.webp")
    context.close()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    widths = [int(word) for word in sys.argv[2:]] or list(SIZES)
    with (
        tempfile.TemporaryDirectory() as place,
        sync_playwright() as playwright,
        serving(Path(place) / "home") as service,
    ):
        named.save(service.paths, "Archive", {"url": "paperless+https://paperless.example"})
        browser = launch(playwright, Path(place))
        for width in widths:
            for scheme in ("light", "dark"):
                draw(browser, service.url, folder, width, scheme)  # type: ignore[arg-type]
        browser.close()


if __name__ == "__main__":
    main()
