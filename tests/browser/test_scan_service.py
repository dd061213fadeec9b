"""The scan page and what it stands on: SANE's own test feeder, and a service that is killed in the middle of a scan."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from tests.browser.rig import Running, serving
from tests.browser.scanpage import opened, options, order, saved
from tests.certs.rig import needs
from tests.sane.conftest import demand
from tests.sane.rig import configure, missing


@pytest.fixture
def with_sane(home: Path) -> Iterator[Running]:
    """A service that sees the scanners of SANE's test backend, and no others of this machine."""
    demand(missing(), in_ci=os.environ.get("CI") == "true")
    configure(home, "test")
    with serving(home) as running:
        yield running


def test_ten_pages_from_the_test_feeder_of_sane_become_a_pdf(page: Page, with_sane: Running, tmp_path: Path) -> None:
    page.goto(f"{with_sane.url}/scan?device=sane:test:0")
    expect(page.locator("html[data-ready]")).to_be_attached()
    page.locator("#source").get_by_text("Feeder").click()
    page.locator("#mode").get_by_text("Gray").click()
    page.locator("#scan").click()
    expect(options(page)).to_have_count(10)
    expect(page.locator("#scan")).to_be_visible()
    first, *others = order(page)
    page.locator("#pages").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Alt+End")
    expect(page.locator("#said")).to_have_text("Moved to place 10 of 10.")
    assert order(page) == [*others, first]
    path = tmp_path / "feeder.pdf"
    saved(page).save_as(path)
    subprocess.run([needs("qpdf"), "--check", str(path)], check=True, capture_output=True)
    assert len(PdfReader(path).pages) == 10


def test_a_service_that_is_killed_in_the_middle_of_a_scan_has_every_page_that_was_shown(
    browser: Browser, home: Path
) -> None:
    context = browser.new_context()
    page = context.new_page()
    with serving(home) as first:
        opened(page, first, "virtual:adf?pages=100&slow=0.3")
        page.locator("#scan").click()
        expect(options(page).nth(2)).to_be_visible()
        before = order(page)
        first.kill()
        expect(page.locator("#problem .what")).to_have_text("The service does not answer.")
    with serving(home, http_ports=str(first.http)):
        page.reload()
        expect(options(page).nth(2)).to_be_visible()
        expect(page.locator("#scan")).to_be_enabled()
        kept = order(page)
        assert kept[: len(before)] == before and len(kept) < 100
        page.locator("#scan").click()
        expect(page.locator("#cancel")).to_be_visible()
        expect(page.locator("#count")).not_to_have_text(re.compile(rf"^{len(kept)} pages"))
        assert order(page)[: len(kept)] == kept
        page.locator("#cancel").click()
        expect(page.locator("#scan")).to_be_visible()
    context.close()
