"""Every state of the consent page, and how it comes by: for the tests that look at all of them, and for pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.rig import Running

SHOP = "https://scan.shop.example"
LOOK_ALIKE = "https://xn--mnchen-3ya.example:8443"
ALL = ["list", "scan", "read", "edit", "upload", "camera"]


@dataclass
class Desk:
    """A fresh profile, and the service."""

    context: BrowserContext
    service: Running

    def page(self, fragment: str = "") -> Page:
        page = self.context.new_page()
        page.goto(f"{self.service.url}/consent{fragment}")
        return page


def granted(service: Running) -> dict[str, str]:
    """Origin -> decision, of those kept on the disk."""
    file = service.paths.state / "origins.json"
    if not file.exists():
        return {}
    return {each["origin"]: each["decision"] for each in json.loads(file.read_text())["origins"]}


def forget(service: Running, *origins: str) -> None:
    """No decision and no question any more; `origins` are those that were allowed once."""
    for asked in service.tool.get("/consent/requests").json():
        decided(service, asked["id"], "never")
    for origin in (*origins, *granted(service)):
        service.tool.delete("/web/origins", params={"origin": origin})


def request(service: Running, origin: str, scopes: list[str]) -> str:
    """A web site has asked; the id of its question."""
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    answer = service.tool.post("/consent/requests", json={"scopes": scopes}, headers=headers)
    return str(answer.raise_for_status().json()["id"])


def decided(service: Running, uid: str, answer: str) -> None:
    service.tool.post("/consent/decisions", json={"id": uid, "decision": answer}).raise_for_status()


def question(desk: Desk, origin: str = SHOP, scopes: tuple[str, ...] = ("list", "scan", "read")) -> Page:
    page = desk.page("#" + request(desk.service, origin, list(scopes)))
    expect(page.locator("[data-decision=never]")).to_be_enabled()
    return page


def asked(desk: Desk) -> Page:
    return question(desk)


def look_alike(desk: Desk) -> Page:
    return question(desk, LOOK_ALIKE, tuple(ALL))


def more(desk: Desk) -> Page:
    decided(desk.service, request(desk.service, SHOP, ["list", "scan"]), "once")
    request(desk.service, "https://other.example", ["list"])
    return question(desk, SHOP, ("list", "scan", "upload"))


def answered(desk: Desk, answer: str) -> Page:
    page = question(desk)
    page.locator(f"[data-decision={answer}]").click()
    expect(page.locator("#outcome")).to_be_visible()
    return page


def once(desk: Desk) -> Page:
    return answered(desk, "once")


def always(desk: Desk) -> Page:
    request(desk.service, "https://other.example", ["list"])
    page = answered(desk, "always")
    expect(page.locator("#next")).to_be_visible()
    return page


def never(desk: Desk) -> Page:
    return answered(desk, "never")


def refused(desk: Desk) -> Page:
    uid = request(desk.service, SHOP, ["list"])
    decided(desk.service, uid, "never")
    return desk.page("#" + uid)


def expired(desk: Desk) -> Page:
    """The service's answer after ten minutes, for which nobody waits here."""
    page = desk.context.new_page()
    page.route("**/consent/requests/x", lambda route: route.fulfill(json={"state": "expired", "origin": SHOP}))
    page.goto(f"{desk.service.url}/consent#x")
    return page


def allowed(desk: Desk) -> Page:
    uid = request(desk.service, SHOP, ["list"])
    decided(desk.service, uid, "always")
    return desk.page("#" + uid)


def unknown(desk: Desk) -> Page:
    return desk.page("#nothing")


def nobody(desk: Desk) -> Page:
    return desk.page()


def silent(desk: Desk) -> Page:
    page = desk.context.new_page()
    page.route("**/consent/requests/*", lambda route: route.abort())
    page.goto(f"{desk.service.url}/consent#x")
    return page


State = Callable[[Desk], Page]
STATES: list[State] = [asked, look_alike, more, once, always, never, allowed, refused, expired, unknown, nobody, silent]
