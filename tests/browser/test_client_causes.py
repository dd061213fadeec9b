"""Why dwtsvc.js has no service to give: each cause has its own word, text and way out; and the dialog for them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from cryptography import x509
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.browser.client_site import Site, allow, nowhere, options, run, site, wait
from tests.browser.rig import ELSEWHERE, RESOLVED, Running, launch, serving
from tests.certs.rig import Signer
from tests.server.running import free_port

CONNECT = "return (await dwtsvc.connect(argument)).state"


@pytest.fixture
def visitor(page: Page, shop: Site) -> Page:
    """On a page of this machine, which is a secure context without https."""
    return opened(page, shop.url("127.0.0.1"))


def opened(page: Page, url: str) -> Page:
    page.goto(url)
    wait(page, "window.webtwain")
    return page


def test_a_service_that_was_never_seen_is_to_be_installed(visitor: Page) -> None:
    said = run(visitor, CONNECT, nowhere())
    assert (said["error"], said["code"], said["action"]) == ("DwtsvcError", "not-installed", "install")


def test_a_service_that_was_seen_before_is_to_be_started(visitor: Page, service: Running, shop: Site) -> None:
    assert run(visitor, CONNECT, options(service, ask=False))["code"] == "origin-not-allowed"
    said = run(visitor, CONNECT, nowhere())
    assert (said["code"], said["action"]) == ("not-running", "start") and "dwtsvc serve" in said["hint"]


def test_a_page_that_is_not_allowed_is_told_so_and_may_ask(visitor: Page, service: Running) -> None:
    said = run(visitor, CONNECT, options(service, ask=False))
    assert (said["code"], said["action"]) == ("origin-not-allowed", "ask")
    assert service.tool.get("/consent/requests").json() == []


def test_where_nobody_can_be_asked_the_service_says_what_to_do(tmp_path: Path, visitor: Page) -> None:
    with serving(tmp_path / "home", ask_consent="off") as unattended:
        said = run(visitor, CONNECT, options(unattended))
    assert said["code"] == "origin-not-allowed" and "dwtsvc origins allow" in said["message"]


def test_a_blocked_window_is_told_from_an_answer(visitor: Page, service: Running, shop: Site) -> None:
    visitor.evaluate("window.opens = window.open; window.open = () => null")
    said = run(visitor, CONNECT, options(service))
    assert (said["code"], said["action"]) == ("popup-blocked", "ask")
    with visitor.expect_popup():  # asking again is the same question
        visitor.evaluate("window.open = window.opens")
        visitor.evaluate("(o) => void dwtsvc.connect(o).catch(() => {})", options(service))
    assert len(service.tool.get("/consent/requests").json()) == 1
    for asked in service.tool.get("/consent/requests").json():
        service.tool.post("/consent/decisions", json={"id": asked["id"], "decision": "never"})
    service.tool.delete("/web/origins", params={"origin": shop.url("127.0.0.1")})


def test_a_certificate_that_is_not_trusted_is_told_from_an_absent_service(visitor: Page, service: Running) -> None:
    said = run(visitor, CONNECT, options(service, https=True))
    assert (said["code"], said["action"]) == ("certificate-untrusted", "trust") and "dwtsvc cert" in said["hint"]
    assert run(visitor, CONNECT, {**nowhere(), "https": True})["code"] in ("not-installed", "not-running")


# ---- the browser's own permission: a page that the browser takes for one of the public web ----


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder = tmp_path_factory.mktemp("certificate")
    chain, key = Signer().sign(x509.DNSName(ELSEWHERE))
    (folder / "chain.pem").write_text(chain)
    (folder / "key.pem").write_text(key)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return made


@pytest.fixture(scope="module")
def public(certificate: ssl.SSLContext) -> Iterator[Site]:
    with site(certificate) as made:
        yield made


@pytest.fixture(scope="module")
def careful(
    driver: Playwright, shops: Site, public: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """Chromium as it is delivered: pages of the web reach this machine only with its user's permission."""
    spaces = ",".join(f"127.0.0.1:{each.port}=public" for each in (shops, public))
    more = (RESOLVED, f"--ip-address-space-overrides={spaces}", "--ignore-certificate-errors")
    chromium = launch(driver, tmp_path_factory.mktemp("careful"), *more)
    yield chromium
    chromium.close()


def test_a_permission_that_was_denied_is_told_from_an_absent_service(
    careful: Browser, public: Site, service: Running
) -> None:
    context = careful.new_context(ignore_https_errors=True)
    context.grant_permissions(["geolocation"], origin=public.url())  # which denies all others
    page = opened(context.new_page(), public.url())
    assert page.evaluate("dwtsvc.permission()") == "denied"
    said = run(page, CONNECT, options(service))
    context.close()
    assert (said["code"], said["action"]) == ("permission-blocked", "permit")


def test_a_page_learns_that_the_browser_will_ask_and_connects_once_it_is_permitted(
    careful: Browser, public: Site, service: Running
) -> None:
    context = careful.new_context(ignore_https_errors=True)
    page = opened(context.new_page(), public.url())
    told = page.evaluate(
        """async (options) => {
          const told = [];
          const onPermission = (state) => told.push(state);
          await dwtsvc.connect({ ...options, onPermission }).catch((error) => told.push(error.code));
          return told;
        }""",
        options(service),
    )
    assert told[0] == "prompt"
    context.grant_permissions(["local-network-access"], origin=public.url())
    allow(service, public.url())
    said = run(
        page, "const found = await dwtsvc.connect(argument); return [found.state, found.encrypted]", options(service)
    )
    context.close()
    service.tool.delete("/web/origins", params={"origin": public.url()})
    assert said == ["connected", True]  # the certificate does not matter to this browser


def test_a_page_without_https_is_told_to_be_the_cause(careful: Browser, shop: Site, service: Running) -> None:
    page = opened(careful.new_page(), shop.url())
    said = run(page, CONNECT, options(service))
    page.close()
    assert (said["code"], said["action"]) == ("page-insecure", "secure")


# ---- the dialog ----


def show(page: Page, more: str = "") -> None:
    page.evaluate(
        f"""async (options) => {{
          const reconnect = () => dwtsvc.connect(options), error = await reconnect().catch((reason) => reason);
          const shown = dwtsvc.installPrompt({{ error, reconnect, appName: "The shop", {more} }});
          shown.then((found) => {{ window.found = found; }});
        }}""",
        nowhere(),
    )


def test_the_dialog_says_what_to_do_and_holds_the_focus(visitor: Page) -> None:
    refused: list[str] = []
    visitor.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)
    visitor.get_by_role("button", name="Scan").focus()
    show(visitor)
    dialog = visitor.get_by_role("dialog", name="The shop cannot reach your scanners")
    expect(dialog.get_by_role("status")).to_contain_text("was not found on this computer")
    expect(dialog).to_contain_text("On Linux, run this in a terminal")
    expect(dialog.locator("code")).to_have_text("pip install dwtsvc && dwtsvc serve")
    expect(dialog.get_by_role("link")).to_have_attribute("href", "https://pypi.org/project/dwtsvc/")
    button = dialog.get_by_role("button", name="Reconnect to the service")
    expect(button).to_be_focused()
    expect(button).to_have_css("background-color", "rgb(11, 87, 208)")  # the style is there in spite of the policy
    visitor.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(visitor.get_by_role("button", name="Scan")).to_be_focused()
    wait(visitor, "window.found === null")
    assert refused == []


@pytest.mark.parametrize(
    ("cause", "command", "link"),
    [
        ("version-too-old", "pip install --upgrade dwtsvc", True),
        ("not-running", "dwtsvc serve", False),
        ("page-insecure", None, False),
    ],
)
def test_the_dialog_shows_only_what_helps(visitor: Page, cause: str, command: str | None, link: bool) -> None:
    code = "(code) => void dwtsvc.installPrompt({ error: new dwtsvc.DwtsvcError(code), reconnect: () => {} })"
    visitor.evaluate(code, cause)
    dialog = visitor.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("link")).to_have_count(int(link))
    if command:
        expect(dialog.locator("code")).to_have_text(command)
    expect(dialog.locator("code")).to_be_visible(visible=bool(command))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dialog_has_no_fault_that_axe_finds(visitor: Page, scheme: str) -> None:
    visitor.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    show(visitor, 'link: "/help"')
    expect(visitor.get_by_role("link")).to_have_attribute("href", "/help")
    found = Axe().run(visitor)
    assert [each["id"] for each in found.response["violations"]] == []


def test_the_dialog_connects_when_the_service_was_started_meanwhile(tmp_path: Path, visitor: Page, shop: Site) -> None:
    ports = {"http": free_port(), "https": free_port()}
    visitor.evaluate(
        """async (ports) => {
          const reconnect = () => dwtsvc.connect({ ports });
          const texts = { reconnect: "Nochmals verbinden" };
          dwtsvc.installPrompt({ reconnect, texts }).then((found) => { window.found = found; });
        }""",
        {name: [port] for name, port in ports.items()},
    )
    again = visitor.get_by_role("button", name="Nochmals verbinden")
    again.click()
    expect(again).to_be_enabled()
    expect(visitor.get_by_role("status")).to_contain_text("was not found")
    with serving(tmp_path / "home", **{f"{name}_ports": str(port) for name, port in ports.items()}) as started:
        allow(started, shop.url("127.0.0.1"), ("list", "scan", "read", "edit"))
        again.click()
        wait(visitor, "window.found?.state === 'connected'")
        expect(visitor.get_by_role("dialog")).to_have_count(0)
