"""Cameras in Chromium: on the scan page, and for a web site that asks for them by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.client_site import Site, allow, options, wait
from tests.browser.consent_states import SHOP, request
from tests.browser.rig import Running, serving
from tests.browser.scanpage import sizes
from tests.browser.test_welcome import violations

CAMERA = "webcam:virtual"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with FFmpeg's virtual camera."""
    with serving(tmp_path_factory.mktemp("cameras"), webcams="virtual") as running:
        yield running


def test_a_page_under_a_camera_is_watched_and_taken_straight(page: Page, service: Running) -> None:
    page.goto(f"{service.url}/scan")
    choice = page.locator("#device")
    expect(choice.locator(f"option[value='{CAMERA}']")).to_be_attached()
    assert not choice.input_value().startswith("webcam:")
    expect(page.locator("#straight")).to_be_hidden()
    choice.select_option(CAMERA)
    expect(page.locator("#straight")).to_be_checked()
    expect(page.locator("#sources")).to_be_hidden()
    page.locator("#preview").click()
    live = page.locator(".preview img")
    expect(live).to_have_js_property("naturalWidth", 1280)
    assert not violations(page)
    page.get_by_role("button", name="Take the picture").click()
    taken = page.locator("#pages [role=option]")
    expect(taken).to_have_count(1)
    expect(page.locator("#scan")).to_be_visible()
    page.locator("#straight").uncheck()
    page.locator("#scan").click()
    expect(taken).to_have_count(2)
    straight, whole = sizes(page)
    assert straight[1] / straight[0] == pytest.approx(297 / 210, rel=0.02)  # the sheet
    assert whole == (1600, 1200)  # all that it sees


def test_the_preview_of_a_camera_that_is_in_use_says_so(page: Page, service: Running) -> None:
    page.goto(f"{service.url}/scan?device={CAMERA}")
    expect(page.locator("#scan")).to_be_enabled()
    with service.tool.stream("GET", "/api/device/webcam/preview", params={"device": CAMERA}) as watched:
        parts = watched.iter_bytes()  # kept: with it the stream would be closed
        next(parts)
        page.locator("#preview").click()
        expect(page.locator(".preview .problem .what")).to_contain_text("busy")


def test_the_question_for_cameras_is_in_plain_words_in_both_languages(page: Page, service: Running) -> None:
    page.goto(f"{service.url}/consent#{request(service, SHOP, ['list', 'camera'])}")
    means = page.locator("#scopes li").nth(1)
    expect(means).to_have_text("Find the cameras of this computer, watch through them, and take pictures")
    assert not violations(page)
    page.locator("#language").select_option("de")
    expect(means).to_have_text("Die Kameras dieses Rechners finden, durch sie zusehen und Bilder aufnehmen")
    assert not violations(page)


def test_a_site_finds_cameras_once_it_was_allowed_the_scope_that_it_named(
    page: Page, service: Running, shop: Site
) -> None:
    page.goto(shop.url())
    wait(page, "window.webtwain")
    kinds = """async (o) => {
      const service = await dwtsvc.connect(o);
      const found = await service.devices();
      service.close();
      return found.filter(({ virtual }) => virtual).map(({ kind, type }) => [kind, type]);
    }"""
    allow(service, shop.url())
    assert ["camera", 4096] not in page.evaluate(kinds, options(service))
    with page.expect_popup() as opened:
        page.evaluate("(o) => void (window.connecting = dwtsvc.connect(o))", options(service, scopes=["camera"]))
    popup = opened.value
    expect(popup.locator("#if-allowed")).to_contain_text("now asks for more")
    popup.get_by_role("button", name="Allow once").click()
    page.evaluate("async () => void (await connecting).close()")
    found = page.evaluate(kinds, options(service, scopes=["list", "camera"]))
    assert ["camera", 4096] in found and ["scanner", 256] in found
