"""What people do on our pages, in Firefox with a clean profile: scan and save, answer a site's question, be told why
there is no service. Chromium's tests go into every corner; these go the main roads once more."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from tests.browser.client_site import SEEDS, Site, nowhere, options, site
from tests.browser.consent_states import forget, granted, request
from tests.browser.firefox import Firefox
from tests.browser.rig import ELSEWHERE, Running
from tests.browser.test_welcome import axe
from tests.certs.rig import needs

READY = "document.documentElement.dataset.ready !== undefined"
IDLE = "document.querySelector('#cancel').hidden && !document.querySelector('#scan').hidden"
SIZES = """const { buffer } = await import("/scan/service.js");
return (await buffer.look()).map(({ id, width, height }) => [id, width, height]);"""
PENDING = [200, {"state": "pending"}]


@pytest.fixture(scope="module")
def shop() -> Iterator[Site]:
    with site() as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_decided(service: Running, shop: Site) -> Iterator[None]:
    yield
    forget(service, shop.url())


def opened(fox: Firefox, service: Running, pages: int, more: str = "") -> None:
    fox.go(f"{service.url}/scan?device=virtual:adf%3Fpages%3D{pages}%26seed%3D{next(SEEDS)}{more}")
    fox.wait(READY)


def counted(count: int) -> str:
    return f"document.querySelector('#pages [role=option]')?.ariaSetSize === '{count}'"


def faults(fox: Firefox) -> Any:
    """What axe-core finds."""
    passed, found = fox.run(
        f"{axe()}; const found = await axe.run(); return [found.passes.length, found.violations.map(({{ id }}) => id)]"
    )
    assert passed > 10
    return found


def test_the_welcome_page_shows_its_scanners(fox: Firefox, service: Running) -> None:
    fox.go(service.url)
    fox.wait("document.querySelector('#devices-list').textContent.includes('virtual:adf')")
    fox.wait("document.querySelector('.top img').naturalWidth > 0")
    assert faults(fox) == []


def test_ten_pages_are_scanned_put_in_order_cropped_and_saved(fox: Firefox, service: Running, tmp_path: Path) -> None:
    opened(fox, service, 10)
    fox.click("#scan")
    fox.wait(counted(10))
    fox.wait(IDLE)
    before = [id for id, *_ in fox.run(SIZES)]
    fox.run("document.querySelector('#pages').focus()")
    fox.press("Home", "Alt+Right", "Alt+Right")
    fox.wait("document.querySelector('#said').textContent === 'Moved to place 3 of 10.'")
    assert [id for id, *_ in fox.run(SIZES)] == [before[1], before[2], before[0], *before[3:]]
    fox.press("r")  # the page that was moved
    fox.press("Home", "Enter")
    crop(fox, left=10, top=10, width=100, height=50)
    fox.press("Escape", "Right", "Enter")
    crop(fox, left=0, top=0, width=30, height=30)
    cropped = fox.run(SIZES)
    fox.click(".viewer [data-tool=undo]")
    fox.wait("document.querySelector('#said').textContent === 'Undone.'")
    assert cropped[1] != fox.run(SIZES)[1]
    fox.press("Escape")
    assert faults(fox) == []
    fox.type("#name", "Ten pages")
    fox.click("#save")
    fox.click("dialog footer button.primary, dialog [type=submit]")
    file = fox.downloaded()
    assert file.name == "Ten pages.pdf"
    subprocess.run([needs("qpdf"), "--check", str(file)], check=True, capture_output=True)
    subprocess.run([needs("pdftotext"), str(file), str(tmp_path / "text")], check=True)
    boxes = [each.mediabox for each in PdfReader(file).pages]
    millimetres = [(round(float(box.width) / 72 * 25.4), round(float(box.height) / 72 * 25.4)) for box in boxes]
    assert abs(millimetres[0][0] - 100) <= 1 and abs(millimetres[0][1] - 50) <= 1
    assert [width > height for width, height in millimetres] == [True, False, True, *[False] * 7]
    file.unlink()


def crop(fox: Firefox, **millimetres: int) -> None:
    fox.click(".viewer [data-tool=crop]")
    for name, value in millimetres.items():
        fox.type(f".viewer [name={name}]", str(value))
        fox.press("Tab")
    before = fox.run(SIZES)
    fox.run(
        "[...document.querySelectorAll('.viewer button')].find((each) => each.textContent === 'Apply').id = 'apply'"
    )
    fox.click("#apply")
    fox.wait("!document.querySelector('.area')")
    assert fox.run(SIZES) != before


def test_a_reload_in_the_middle_of_a_scan_loses_nothing(fox: Firefox, service: Running) -> None:
    opened(fox, service, 6, "%26slow%3D0.4")
    held = len(fox.run(SIZES))
    fox.click("#scan")
    fox.wait(f"Number(document.querySelector('#pages [role=option]')?.ariaSetSize) > {held}")
    fox.reload()
    fox.wait(counted(held + 6))
    fox.wait(IDLE)
    assert len(fox.run(SIZES)) == held + 6


def question(fox: Firefox, service: Running, shop: Site) -> str:
    """The site's page connects from its own window and looks at the one that opens; the former's name."""
    fox.go(shop.url())
    fox.wait("window.dwtsvc")
    page, before = fox.window(), fox.windows()
    fox.run(
        """const [options] = arguments;
        window.said = "";
        const say = (word) => { window.said = word; };
        dwtsvc.connect(options).then(({ state }) => say(state), ({ code }) => say(code));""",
        options(service),
    )
    fox.opened(before)
    fox.wait("!document.querySelector('#asking').hidden")
    return page


def test_a_site_asks_and_is_allowed_once(fox: Firefox, service: Running, shop: Site) -> None:
    page = question(fox, service, shop)
    assert fox.text("#origin") == shop.url()
    fox.press("Enter")  # nothing has the focus that it would press
    assert len(service.tool.get("/consent/requests").json()) == 1
    assert faults(fox) == []
    fox.run("document.querySelector('[data-decision=always]').click()")  # a script's click is nobody's answer
    assert len(service.tool.get("/consent/requests").json()) == 1
    fox.click("[data-decision=once]")
    fox.look_at(page)
    assert fox.wait("window.said") == "connected"
    assert granted(service) == {}


def test_a_site_is_refused_for_good_by_keyboard(fox: Firefox, service: Running, shop: Site) -> None:
    page = question(fox, service, shop)
    fox.wait("!document.querySelector('[data-decision=never]').disabled")
    fox.press("Tab", "Tab", "Tab")
    assert fox.run("return document.activeElement.dataset.decision") == "never"
    fox.press("Enter")
    fox.look_at(page)
    assert fox.wait("window.said") == "consent-denied"
    assert granted(service) == {shop.url(): "never"}
    assert (
        fox.run("return dwtsvc.connect(arguments[0]).catch(({ code }) => code)", options(service)) == "consent-denied"
    )


def test_a_look_alike_is_named_and_the_page_has_no_fault_in_the_dark(fox: Firefox, service: Running) -> None:
    uid = request(service, "https://xn--80ak6aa92e.com:8443", ["list", "upload"])
    fox.go(f"{service.url}/consent#{uid}")
    fox.wait("document.querySelectorAll('.caution').length === 2")
    assert "“аррӏе.com”" in fox.text("#cautions") and "cyrillic small letter a" in fox.text("#cautions")
    fox.go(f"{service.url}/consent#nothing")
    fox.wait("document.querySelector('#outcome-title').textContent === 'There is no such question'")
    assert faults(fox) == []


def test_each_cause_has_its_word(fox: Firefox, service: Running, shop: Site) -> None:
    def cause(url: str, asked: dict[str, Any]) -> Any:
        fox.go(url)
        fox.wait("window.dwtsvc")
        return fox.run("return dwtsvc.connect(arguments[0]).catch(({ code, action }) => [code, action])", asked)

    here = shop.url("127.0.0.1")  # a secure context without https
    assert cause(here, nowhere()) == ["not-installed", "install"]
    assert cause(here, options(service, ask=False)) == ["origin-not-allowed", "ask"]
    assert cause(here, nowhere()) == ["not-running", "start"]
    assert cause(here, options(service, https=True)) == ["certificate-untrusted", "trust"]
    assert cause(shop.url(ELSEWHERE), nowhere()) == ["page-insecure", "secure"]


def test_the_dialog_leads_back_to_the_page(fox: Firefox, shop: Site) -> None:
    fox.go(shop.url("127.0.0.1"))
    fox.wait("window.dwtsvc")
    fox.run(
        """window.found = "";
        const reconnect = () => dwtsvc.connect(arguments[0]);
        document.querySelector("#go").focus();
        dwtsvc.installPrompt({ reconnect }).then((found) => { window.found = found; });""",
        nowhere(),
    )
    fox.wait("document.querySelector('dwtsvc-dialog').shadowRoot.querySelector('dialog').open")
    assert faults(fox) == []
    fox.press("Escape")
    fox.wait("window.found === null && document.activeElement.id === 'go'")
