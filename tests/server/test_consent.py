"""Consent: who is allowed, who may ask, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import AsyncTestClient

from dwtsvc.config import Settings
from dwtsvc.errors import BadArguments, BadConfiguration, OriginNotAllowed, TooMany, UnknownItem, WrongState
from dwtsvc.server.gate import consent_routes
from dwtsvc.server.gate.access import OWN, SCOPES, TOOL, Access, Caller
from dwtsvc.server.gate.consent import LIFE, MOST_PENDING, MOST_SEEN, Consent, has_screen
from dwtsvc.server.gate.grants import Decision, Grants, canonical, is_origin
from dwtsvc.server.gate.once import LONGEST, SILENT
from dwtsvc.server.rest.refusals import handlers

SITE, OTHER = "https://shop.example", "https://other.example"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def consent(tmp_path: Path, clock: Clock) -> Consent:
    return Consent(tmp_path, Settings(), screen=lambda: True, clock=clock)


def configured(folder: Path, *origins: str, **given: Any) -> Consent:
    return Consent(folder, Settings(access_control_allow_origin=origins, **given), screen=lambda: True)


def scopes(consent: Consent, origin: str) -> set[Access]:
    found = consent.caller(origin.encode())
    return set(found.scopes & SCOPES) if found else set()


# ---- origins ----


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example:443/", "https://shop.example"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("moz-extension://0f2e", "moz-extension://0f2e"),
    ],
)
def test_an_origin_is_written_as_a_browser_sends_it(text: str, origin: str) -> None:
    assert canonical(text) == origin and is_origin(origin)


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "*", "shop.example", "https://", "https://a.example/path", "https://a.example?x", "file:///etc"),
        *(
            "https://user@a.example",
            "https://a.example:0",
            "https://a.example:65536",
            "https://a.example:x",
            "https://*.a",
        ),
        *(
            "https://a b",
            "https://a.example, https://b.example",
            "javascript:alert(1)",
            "https://a.example\r\nx",
            "https://straße.de",
        ),
        *(
            "https://a.example:",
            "https://[::1",
            "https://-a",
            "data://x",
            "https://a.example//",
            "chrome-extension://a:1",
        ),
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(BadArguments):
        canonical(text)


@settings(deadline=None)
@given(st.text())
def test_an_origin_is_its_own_canonical_form(text: str) -> None:
    try:
        origin = canonical("https://" + text)
    except BadArguments:
        return
    assert canonical(origin) == origin and is_origin(origin) and origin.isascii()


# ---- who is allowed ----


def test_nobody_is_allowed_at_first(consent: Consent) -> None:
    assert consent.caller(SITE.encode()) is None and consent.grants() == []


def test_what_is_allowed_for_good_is_there_after_a_restart_and_in_a_file_of_our_own(
    tmp_path: Path, consent: Consent
) -> None:
    consent.allow(SITE + ":443", ["read", "list"])
    again = Consent(tmp_path, Settings())
    assert scopes(again, SITE) == {Access.LIST, Access.READ}
    assert (tmp_path / "origins.json").stat().st_mode & 0o777 == 0o600
    for near in (
        "http://shop.example",
        SITE + ":444",
        SITE + ".evil.example",
        "https://evil-shop.example",
        "null",
        "",
        "\xff",
    ):
        assert again.caller(near.encode("latin-1")) is None


def test_allowing_more_adds_and_revoking_takes_all(consent: Consent) -> None:
    consent.allow(SITE, ["list"])
    consent.allow(SITE, ["scan"])
    assert scopes(consent, SITE) == {Access.LIST, Access.SCAN}
    assert consent.revoke(SITE) and not consent.revoke(SITE)
    assert consent.caller(SITE.encode()) is None


def test_once_ends_with_the_service_and_is_in_no_file(tmp_path: Path, consent: Consent) -> None:
    consent.allow(SITE, ["list"], once=True)
    assert scopes(consent, SITE) == {Access.LIST} and consent.grants() == []
    assert consent.once() == [(SITE, (Access.LIST,))] and consent.has(SITE) == (Access.LIST,)
    assert Consent(tmp_path, Settings()).caller(SITE.encode()) is None


def test_once_ends_when_the_pages_of_the_site_are_closed(consent: Consent, clock: Clock) -> None:
    consent.allow(SITE, ["list"], once=True)
    for _ in range(20):  # while a page is open it asks from time to time
        clock.now += SILENT - 1
        assert scopes(consent, SITE) == {Access.LIST}
    clock.now += SILENT - 1
    assert consent.once() and consent.has(SITE)  # looking at it is no sign of a page
    clock.now += 1
    assert consent.once() == [] and consent.has(SITE) == ()
    assert consent.caller(SITE.encode()) is None
    clock.now -= SILENT / 2
    assert consent.caller(SITE.encode()) is None  # over is over


def test_once_ends_after_twelve_hours_whatever_the_site_does(consent: Consent, clock: Clock) -> None:
    consent.allow(SITE, ["list"], once=True)
    end = clock.now + LONGEST
    while clock.now < end - 60:
        clock.now += 60
        assert consent.caller(SITE.encode())
    clock.now = end
    assert consent.caller(SITE.encode()) is None


def test_what_was_allowed_once_and_is_over_does_not_come_back_with_the_next_once(
    consent: Consent, clock: Clock
) -> None:
    consent.allow(SITE, ["list", "upload"], once=True)
    consent.allow(SITE, ["scan"], once=True)
    assert scopes(consent, SITE) == {Access.LIST, Access.SCAN, Access.UPLOAD}
    clock.now += SILENT
    consent.allow(SITE, ["list"], once=True)
    assert scopes(consent, SITE) == {Access.LIST}


def test_a_change_by_the_command_is_seen_at_the_next_request(tmp_path: Path, consent: Consent) -> None:
    command = Grants(tmp_path)
    for _ in range(50):
        command.put(SITE, [Access.LIST], Decision.ALWAYS)
        assert scopes(consent, SITE) == {Access.LIST}
        command.remove(SITE)
        assert consent.caller(SITE.encode()) is None


def test_changes_at_once_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda n: Grants(tmp_path).put(f"https://a{n}.example", [Access.LIST], Decision.ALWAYS), range(40))
        )
    assert len(Grants(tmp_path).read()) == 40
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 100_000, "\xff", '{"version": 2, "origins": []}', '{"origins": [{"origin": "*"}]}']
    + [
        json.dumps({"version": 1, "origins": [{"origin": o, "scopes": s, "decision": "always", "since": ""}]})
        for o, s in (("*", ["read"]), (SITE, ["admin"]), ("null", []))
    ],
)
def test_a_damaged_file_grants_nothing_and_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "origins.json").write_text(text, "latin-1")
    (tmp_path / "origins.json").chmod(0o600)
    consent = Consent(tmp_path, Settings())
    assert consent.caller(SITE.encode()) is None
    if text:
        with pytest.raises(BadConfiguration):
            consent.grants()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_grants_nothing(tmp_path: Path, consent: Consent, mode: int) -> None:
    consent.allow(SITE, ["list"])
    (tmp_path / "origins.json").chmod(mode)
    assert consent.caller(SITE.encode()) is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to give a file away")
def test_a_file_of_another_user_grants_nothing(tmp_path: Path, consent: Consent) -> None:
    consent.allow(SITE, ["list"])
    os.chown(tmp_path / "origins.json", 65534, 65534)
    assert Consent(tmp_path, Settings()).caller(SITE.encode()) is None


# ---- the configuration ----


def test_the_configuration_grants_all_scopes_but_cameras_to_the_origins_it_names(tmp_path: Path) -> None:
    consent = configured(tmp_path, SITE + ":443", "http://intranet.example:8080")
    assert scopes(consent, SITE) == scopes(consent, "http://intranet.example:8080") == SCOPES - {Access.CAMERA}
    assert consent.caller(OTHER.encode()) is None


@pytest.mark.parametrize(
    ("allowed", "cameras", "site", "other"),
    [
        ((SITE, OTHER), (SITE + ":443",), True, False),
        ((SITE, OTHER), ("*",), True, True),
        (("*",), (SITE,), True, False),
        (("*",), ("*",), False, False),
        ((), (SITE,), False, False),
    ],
)
def test_cameras_are_granted_by_the_configuration_where_it_names_them(
    tmp_path: Path, allowed: tuple[str, ...], cameras: tuple[str, ...], site: bool, other: bool
) -> None:
    consent = configured(tmp_path, *allowed, camera_origins=cameras)
    assert [Access.CAMERA in scopes(consent, each) for each in (SITE, OTHER)] == [site, other]


def test_who_was_allowed_before_there_were_cameras_has_to_ask_for_them(consent: Consent) -> None:
    before = [each for each in Access if each in SCOPES - {Access.CAMERA}]
    consent.allow(SITE, before)
    assert consent.state(consent.ask(SITE, before), SITE) == "allowed"
    asked = consent.ask(SITE, [Access.LIST, Access.CAMERA])
    assert consent.state(asked, SITE) == "pending" and Access.CAMERA not in scopes(consent, SITE)
    consent.decide(asked, "always")
    assert scopes(consent, SITE) == SCOPES


def test_a_site_that_names_no_scopes_asks_for_no_cameras() -> None:
    assert set(consent_routes.Wanted().scopes) == SCOPES - {Access.CAMERA}


def test_a_star_lets_every_web_site_in_but_not_everything_out(tmp_path: Path) -> None:
    consent = configured(tmp_path, "*")
    caller = consent.caller(OTHER.encode())
    assert caller is not None and caller.bucket == OTHER
    assert set(caller.scopes & SCOPES) == SCOPES - {Access.UPLOAD, Access.CAMERA}
    assert not caller.scopes & {Access.ADMIN, Access.PAGE}
    for stranger in (
        b"null",
        b"",
        b"file://",
        b"chrome-extension://abc",
        b"https://a.example/x",
        b"https://A.example",
        b"\xff",
    ):
        assert consent.caller(stranger) is None


def test_never_is_stronger_than_the_configuration(tmp_path: Path) -> None:
    for origins in ((SITE,), ("*",)):
        consent = configured(tmp_path, *origins)
        consent.refuse(SITE)
        assert consent.caller(SITE.encode()) is None
        assert consent.state(consent.ask(SITE, ["list"]), SITE) == "denied"
        consent.revoke(SITE)
        assert scopes(consent, SITE)


def test_any_number_of_sites_does_not_fill_the_memory(tmp_path: Path) -> None:
    consent = configured(tmp_path, "*")
    for number in range(3 * MOST_SEEN):
        consent.caller(f"https://a{number}.example".encode())
    assert len(consent._callers) <= MOST_SEEN


# ---- asking ----


@pytest.mark.parametrize(
    ("answer", "state", "kept"), [("once", "allowed", 0), ("always", "allowed", 1), ("never", "denied", 1)]
)
def test_the_user_decides(consent: Consent, answer: Any, state: str, kept: int) -> None:
    uid = consent.ask(SITE, ["list", "scan"])
    assert len(uid) == 22 and consent.state(uid, SITE) == "pending"
    assert [(each.origin, each.scopes) for each in consent.pending()] == [(SITE, (Access.LIST, Access.SCAN))]
    assert consent.decide(uid, answer) == state == consent.state(uid, SITE)
    assert scopes(consent, SITE) == ({Access.LIST, Access.SCAN} if state == "allowed" else set())
    assert len(consent.grants()) == kept and consent.pending() == []
    with pytest.raises(WrongState):
        consent.decide(uid, "always")


def test_a_request_is_nobody_elses_and_cannot_be_guessed(consent: Consent) -> None:
    uid = consent.ask(SITE, ["list"])
    errors = []
    for id, origin in ((uid, OTHER), (uid, None), ("x" * 22, SITE), ("", SITE)):
        with pytest.raises(UnknownItem) as raised:
            consent.state(id, origin)
        errors.append(str(raised.value))
    assert len(set(errors)) == 1


def test_a_site_has_one_request_at_a_time_and_cannot_change_it(consent: Consent) -> None:
    uid = consent.ask(SITE, ["list"])
    assert consent.ask(SITE, ["list"]) == uid
    with pytest.raises(TooMany):
        consent.ask(SITE, ["list", "upload"])
    assert consent.asked(uid).scopes == (Access.LIST,)


def test_five_may_wait_and_no_more(consent: Consent) -> None:
    ids = [consent.ask(f"https://a{number}.example", ["list"]) for number in range(MOST_PENDING)]
    for number in range(500):
        with pytest.raises(TooMany):
            consent.ask(f"https://b{number}.example", ["list"])
    consent.decide(ids[0], "never")
    consent.ask(SITE, ["list"])


def test_a_request_waits_ten_minutes(consent: Consent, clock: Clock) -> None:
    uid = consent.ask(SITE, ["list"])
    clock.now += LIFE - 1
    assert consent.state(uid, SITE) == "pending"
    clock.now += 1
    assert consent.state(uid, SITE) == "expired" and consent.pending() == []
    with pytest.raises(WrongState):
        consent.decide(uid, "always")
    again = consent.ask(SITE, ["list"])
    assert again != uid and consent.state(again, SITE) == "pending"
    clock.now += 2 * LIFE
    consent.pending()
    clock.now += 2 * LIFE
    with pytest.raises(UnknownItem):
        consent.state(again, SITE)


def test_who_is_allowed_or_refused_already_is_told_without_asking_the_user(consent: Consent) -> None:
    consent.allow(SITE, ["list", "scan"])
    consent.refuse(OTHER)
    assert consent.state(consent.ask(SITE, ["list"]), SITE) == "allowed"
    assert consent.state(consent.ask(SITE, ["list", "read"]), SITE) == "pending"
    for _ in range(20):
        assert consent.state(consent.ask(OTHER, ["list"]), OTHER) == "denied"
    assert len(consent._asked) == 2


@pytest.mark.parametrize(
    ("setting", "screen", "may"),
    [("auto", True, True), ("auto", False, False), ("on", False, True), ("off", True, False)],
)
def test_asking_is_off_where_nobody_can_be_asked(tmp_path: Path, setting: str, screen: bool, may: bool) -> None:
    consent = Consent(tmp_path, Settings(ask_consent=setting), screen=lambda: screen)
    assert consent.can_ask is may
    if may:
        assert consent.ask(SITE, ["list"])
    else:
        with pytest.raises(OriginNotAllowed):
            consent.ask(SITE, ["list"])


@pytest.mark.parametrize("wanted", [[], ["admin"], ["list", "page"], ["LIST"], ["*"]])
def test_only_scopes_can_be_asked_for(consent: Consent, wanted: list[str]) -> None:
    with pytest.raises(BadArguments):
        consent.ask(SITE, wanted)


def test_a_screen_is_seen_by_its_variables_or_by_its_socket(tmp_path: Path) -> None:
    assert has_screen({"DISPLAY": ":0"}, "linux") and has_screen({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    assert has_screen({}, "darwin") and has_screen({}, "win32")
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert not has_screen({}, "linux") and not has_screen(runtime, "linux")
    (tmp_path / "wayland-0").touch()
    assert has_screen(runtime, "linux")


# ---- the routes ----


def test_the_whole_way_over_the_wire(consent: Consent) -> None:
    who: dict[str, Caller] = {}

    async def walk() -> None:
        app = Litestar(
            consent_routes.routes(SimpleNamespace(consent=consent)), exception_handlers=handlers(), openapi_config=None
        )  # type: ignore[arg-type]

        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("state", {})["caller"] = who.get("now")
            await app(scope, receive, send)

        async with AsyncTestClient(wrapped) as client:  # type: ignore[type-var]
            who["now"] = Caller("nobody", SITE, frozenset({Access.ASK}))
            asked = await client.post("/consent/requests", json={"scopes": ["list"]})
            assert asked.status_code == 201 and set(asked.json()) == {"id"}
            place = f"/consent/requests/{asked.json()['id']}"
            assert (await client.get(place)).json() == {"state": "pending"}
            who["now"] = Caller("nobody", OTHER, frozenset({Access.ASK}))
            assert (await client.get(place)).status_code == 404
            who["now"] = OWN
            shown = {"id": asked.json()["id"], "origin": SITE, "scopes": ["list"], "state": "pending"}
            shown |= {"has": [], "spelled": "shop.example", "letters": []}
            assert (await client.get(place)).json() == shown
            assert (await client.get("/consent/requests")).json() == [shown]
            wrong = await client.post("/consent/decisions", json={"id": shown["id"], "decision": "perhaps"})
            assert wrong.status_code == 400
            decided = await client.post("/consent/decisions", json={"id": shown["id"], "decision": "always"})
            assert decided.json() == {"state": "allowed"}
            late = await client.post("/consent/decisions", json={"id": shown["id"], "decision": "always"})
            assert late.status_code == 409
            who["now"] = TOOL
            assert (await client.post("/consent/requests", json={})).status_code == 403
            assert (await client.post("/consent/requests", json={"scopes": "list"})).status_code == 400

    asyncio.run(walk())
    assert scopes(consent, SITE) == {Access.LIST}
