"""Pictures of the consent page and of the dialog of dwtsvc.js, every state in light and dark, as WebP:
`python -m tests.browser.consent_pictures FOLDER`. `make pictures` draws those of docs/images/."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.client_site import Site, site, wait
from tests.browser.consent_states import SHOP, STATES, Desk, State, asked, forget, look_alike, once
from tests.browser.rig import Running, launch, serving
from tests.browser.scan_pictures import kept

CAUSES = ["not-installed", "not-running", "origin-not-allowed", "permission-blocked", "certificate-untrusted"]
CAUSES += ["page-insecure", "version-too-old"]
ACROSS = {"width": 620, "height": 560}


def consent(
    browser: Browser, service: Running, folder: Path, name: str, states: Sequence[State] = STATES, **look: Any
) -> None:
    """States of the page, as a window of the size in which dwtsvc.js opens it, or longer."""
    for state in states:
        context = browser.new_context(reduced_motion="reduce", **{"locale": "en-GB", **look})
        page = state(Desk(context, service))
        expect(page.locator("h1:visible")).not_to_have_text("One moment")
        whole(page)
        kept(page, folder / f"consent-{state.__name__.replace('_', '-')}-{name}.webp")
        context.close()
        forget(service, SHOP)


def whole(page: Page) -> None:
    """A window in which all of the page has room, which makes its buttons wait anew."""
    size = page.viewport_size
    assert size
    page.set_viewport_size({**size, "height": page.evaluate("document.documentElement.scrollHeight")})
    for button in page.locator("button:visible").all():
        expect(button).to_be_enabled()


def causes(browser: Browser, shop: Site, folder: Path, scheme: Any) -> None:
    """What a page of others shows when there is no service to use."""
    context = browser.new_context(viewport=ACROSS, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    for cause in CAUSES:
        page.goto(shop.url("127.0.0.1"))
        wait(page, "window.webtwain")
        page.evaluate(
            """(code) => void dwtsvc.installPrompt({
              error: new dwtsvc.DwtsvcError(code), appName: "The shop", reconnect: () => {} })""",
            cause,
        )
        expect(page.get_by_role("dialog")).to_be_visible()
        kept(page, folder / f"client-{cause}-{scheme}.webp")
    context.close()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as place,
        sync_playwright() as playwright,
        serving(Path(place) / "home") as service,
        site() as shop,
    ):
        browser = launch(playwright, Path(place))
        for scheme in ("light", "dark"):
            consent(browser, service, folder, scheme, color_scheme=scheme, viewport={"width": 560, "height": 760})
            causes(browser, shop, folder, scheme)
        small = {"width": 360, "height": 740}
        consent(browser, service, folder, "360-german", [asked, look_alike, once], viewport=small, locale="de-DE")
        browser.close()


if __name__ == "__main__":
    main()
