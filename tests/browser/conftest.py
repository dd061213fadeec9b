"""Fixtures of all browser tests: a running service, a foreign site, an open server as the control, Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.browser.client_site import Site, allow, options, site, wait
from tests.browser.firefox import Firefox, firefox
from tests.browser.rig import PATIENCE, RESOLVED, UNPROTECTED, Pages, Running, launch, open_server, serving, web_site


@pytest.fixture(scope="session", autouse=True)
def _patience() -> None:
    expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`dwtsvc serve` with the virtual scanners, asking its user for consent."""
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def foreign() -> Iterator[Pages]:
    """A web site that the user has open. It has two names: that of another site, and another port of this machine."""
    with web_site() as pages:
        yield pages


@pytest.fixture(scope="module")
def trusting() -> Iterator[Pages]:
    """The control: a server that does what any page asks for."""
    with open_server() as pages:
        yield pages


@pytest.fixture(scope="module")
def driver() -> Iterator[Playwright]:
    """Playwright itself. A thread can have one only, and no event loop of its own meanwhile."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(driver: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Debian's Chromium. Two host names lead to this machine; all others lead nowhere."""
    chromium = launch(driver, tmp_path_factory.mktemp("browser"), RESOLVED, UNPROTECTED)
    yield chromium
    chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile without history. What goes wrong in one of our pages fails the test."""
    made = browser.new_context()
    made.set_default_timeout(PATIENCE * 1000)
    errors: list[str] = []
    made.on("weberror", lambda error: errors.append(str(error.error)))
    yield made
    made.close()
    assert not errors


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="module")
def shops() -> Iterator[Site]:
    """A web site that uses dwtsvc.js."""
    with site() as made:
        yield made


@pytest.fixture
def shop(shops: Site) -> Site:
    """It, before anything was sent to it."""
    shops.uploads.clear()
    shops.refuse.clear()
    return shops


@pytest.fixture
def visitor(page: Page, service: Running, shop: Site) -> Iterator[Page]:
    """A page of that site, which its user has allowed nothing."""
    page.goto(shop.url())
    wait(page, "window.webtwain")
    yield page
    service.tool.delete("/web/origins", params={"origin": shop.url()})


@pytest.fixture
def connected(visitor: Page, service: Running, shop: Site) -> Page:
    """A page that is connected to the service, which its user has allowed with all scopes."""
    allow(service, shop.url())
    visitor.evaluate("async (o) => void (window.service = await dwtsvc.connect(o))", options(service))
    visitor.evaluate("async () => void await (await service.buffer()).clear()")
    return visitor


@pytest.fixture(scope="session")
def _firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """One for all: it takes seconds to start. Sites of tests have ports of their own, so none knows another's past."""
    with firefox(tmp_path_factory.mktemp("firefox")) as steered:
        yield steered


@pytest.fixture
def fox(_firefox: Firefox) -> Iterator[Firefox]:
    """Debian's Firefox with one empty window."""
    window = _firefox.window()
    _firefox.go("about:blank")
    for file in _firefox.downloads.iterdir():
        file.unlink()
    yield _firefox
    _firefox.only(window)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
