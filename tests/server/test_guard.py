"""The guard as a whole, driven as a server drives it: whatever is not allowed never reaches the app behind it."""

from __future__ import annotations

import asyncio
import json
import logging
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwtsvc.errors import PaperJam
from dwtsvc.server.gate.access import Access, Caller, Scope
from dwtsvc.server.gate.quotas import Limits
from tests.server.guarded import JSON, OTHER, OWN, PATHS, SITE, Answer, House

# ---- who asks: the table ----

YES = {200}
NO = {401, 403}
NAVIGATE = [(b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document")]
FRAME = [(b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"iframe")]

OPEN = {Access.PUBLIC, Access.HEALTH}
CONSENTED = {*OPEN, Access.ASK, Access.LIST, Access.SCAN, Access.READ, Access.EDIT, Access.UPLOAD, Access.IMAGE}
ALL = set(Access)

# Origin, Sec-Fetch-Site, more headers, what may be reached without a token. Requests carry what forces a preflight.
TABLE: list[tuple[bytes | None, bytes | None, list[tuple[bytes, bytes]], set[Access]]] = [
    (OWN, b"same-origin", [], ALL),
    (OWN, b"none", [], ALL),
    (OWN, None, [], ALL),
    (OWN, b"same-site", [], {*OPEN, Access.ASK}),
    (OWN, b"cross-site", [], {*OPEN, Access.ASK}),
    (b"http://localhost:18622", b"cross-site", [], {*OPEN, Access.ASK}),
    (b"https://127.0.0.1:18623", b"same-site", [], {*OPEN, Access.ASK}),
    (b"http://127.0.0.1:18999", b"same-site", [], {*OPEN, Access.ASK}),
    (SITE, b"cross-site", [], CONSENTED),
    (SITE, b"same-site", [], CONSENTED),
    (SITE, None, [], CONSENTED),
    (SITE + b".evil.example", b"cross-site", [], {*OPEN, Access.ASK}),
    (SITE + b":444", b"cross-site", [], {*OPEN, Access.ASK}),
    (b"http://shop.example", b"cross-site", [], {*OPEN, Access.ASK}),
    (b"https://SHOP.example", b"cross-site", [], OPEN),
    (SITE + b"/", b"cross-site", [], OPEN),
    (SITE + b" " + SITE, b"cross-site", [], OPEN),
    (OTHER, b"cross-site", [], {*OPEN, Access.ASK}),
    (OTHER, b"same-origin", [], {*OPEN, Access.ASK}),
    (OTHER, None, [], {*OPEN, Access.ASK}),
    (OTHER, b"none", NAVIGATE, {*OPEN, Access.ASK}),
    (b"null", b"cross-site", [], OPEN),
    (b"null", None, [], OPEN),
    (b"", None, [], OPEN),
    (b"file://", None, [], OPEN),
    (None, b"cross-site", [], OPEN),
    (None, b"same-site", [], OPEN),
    (None, b"cross-site", [(b"sec-fetch-mode", b"no-cors"), (b"sec-fetch-dest", b"image")], OPEN),
    (None, b"cross-site", FRAME, OPEN),
    (None, b"same-site", FRAME, OPEN),
    (None, b"cross-site", NAVIGATE, {*OPEN, Access.PAGE}),
    (None, b"same-site", NAVIGATE, {*OPEN, Access.PAGE}),
    (None, b"none", NAVIGATE, {*OPEN, Access.PAGE}),
    (None, b"none", [], {*OPEN, Access.PAGE}),
    (None, b"same-origin", [], ALL),
    (None, b"same-origin", NAVIGATE, ALL),
    (None, b"whatever", [], OPEN),
    (None, None, [(b"sec-fetch-mode", b"no-cors")], OPEN),
    (None, None, [(b"sec-fetch-dest", b"image")], OPEN),
    (None, None, [(b"referer", b"http://evil.example/")], OPEN),
    (None, None, [], ALL),
]


def head(origin: bytes | None, site: bytes | None, more: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    named = [(b"origin", origin), (b"sec-fetch-site", site)]
    return [(name, value) for name, value in named if value is not None] + more + [JSON]


@pytest.mark.parametrize(("origin", "site", "more", "may"), TABLE)
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_the_table_of_decisions(
    house: House, origin: bytes | None, site: bytes | None, more: Any, may: set[Access], method: str, path: str
) -> None:
    route = house.guard._table.find(path)
    assert route is not None
    expected = YES if route.methods[method] in may else NO
    assert house.ask(method, path, head(origin, site, more)).status in expected
    assert house.was_reached is (expected is YES)


@pytest.mark.parametrize(("origin", "site", "more", "may"), TABLE)
def test_the_token_opens_every_row(house: House, origin: bytes, site: bytes, more: Any, may: set[Access]) -> None:
    token = house.token.text.encode()
    spellings = [(b"dwt-product-key", token), (b"x-dics-license-key", token), (b"x-dwtsvc-token", token)]
    house.peers.mine = False
    for spelling in (*spellings, (b"authorization", b"Bearer " + token), (b"authorization", b"bearer " + token)):
        for method, path in PATHS:
            assert house.ask(method, path, [*head(origin, site, more), spelling]).status == 200
    assert {each.bucket for each in house.behind.callers} <= {"", "nobody"}


@pytest.mark.parametrize(("origin", "site", "more", "may"), TABLE)
def test_another_user_of_the_machine_gets_nothing_whatever_he_says(
    house: House, origin: bytes, site: bytes, more: Any, may: set[Access]
) -> None:
    house.peers.mine = False
    for method, path in PATHS:
        route = house.guard._table.find(path)
        assert route is not None
        expected = YES if route.methods[method] in OPEN else NO
        assert house.ask(method, path, head(origin, site, more)).status in expected


def test_a_wrong_token_is_refused_but_a_product_key_that_is_none_is_ignored(house: House) -> None:
    for wrong in ((b"x-dwtsvc-token", b"no"), (b"authorization", b"Bearer no"), (b"authorization", b"Bearer ")):
        assert house.ask("GET", "/api/device/scanners", [wrong]).status == 401
    assert house.ask("GET", "/api/device/scanners", [(b"authorization", b"Basic abc")]).status == 200
    assert house.ask("GET", "/api/device/scanners", [(b"dwt-product-key", b"t0068xyz")]).status == 200
    assert house.ask("GET", "/api/device/scanners", [(b"origin", OTHER), (b"dwt-product-key", b"t0068")]).status == 403


def test_where_the_token_is_required_tools_need_it_and_consented_sites_do_not(tmp_path: Path) -> None:
    house = House(tmp_path, require_token=True)
    assert house.ask("GET", "/api/device/scanners").status == 401
    assert house.ask("GET", "/api/device/scanners", [(b"dwt-product-key", b"t0068xyz")]).status == 401
    token = house.token.text.encode()
    assert house.ask("GET", "/api/device/scanners", [(b"dwt-product-key", token)]).status == 200
    assert house.ask("GET", "/api/device/scanners", [(b"origin", SITE)]).status == 200
    assert house.ask("GET", "/", [(b"sec-fetch-site", b"none")]).status == 200


def test_each_caller_has_its_own_bucket(house: House) -> None:
    house.consent.allow(OTHER.decode(), ["list"])
    token = (b"x-dwtsvc-token", house.token.text.encode())
    for headers in ([], [token, (b"origin", SITE)], [(b"origin", SITE)], [(b"origin", OTHER)], [(b"origin", OWN)]):
        assert house.ask("GET", "/api/device/scanners", headers).status == 200
    assert [each.bucket for each in house.behind.callers] == ["", "", SITE.decode(), OTHER.decode(), "own"]
    assert house.behind.callers[1].origin == SITE.decode()


def test_a_site_may_do_what_it_has_consent_for_and_no_more(house: House) -> None:
    house.consent.revoke(SITE.decode())
    house.consent.allow(SITE.decode(), ["list", "read"])
    reached = {path for method, path in PATHS if house.ask(method, path, [(b"origin", SITE), JSON]).status == 200}
    assert reached == {
        *("/dwtsvc.js", "/healthz", "/consent/requests", "/api/device/scanners", "/api/jobs/4/page", "/dwt/dwt_1/img"),
    }
    refused = house.ask("POST", "/api/jobs", [(b"origin", SITE), JSON])
    assert refused.status == 403 and refused.get(b"access-control-allow-origin") == SITE
    house.consent.refuse(SITE.decode())
    assert house.ask("GET", "/api/device/scanners", [(b"origin", SITE)]).status == 403


def test_unknown_addresses_and_methods_are_told_to_those_only_who_may_ask(house: House) -> None:
    assert house.ask("GET", "/none").status == 404
    assert house.ask("DELETE", "/api/device/scanners").status == 200  # the app itself says which methods there are
    assert house.ask("GET", "/none", [(b"origin", SITE)]).status == 404
    refused = [
        house.ask(method, path, [(b"origin", OTHER)])
        for method, path in (("GET", "/none"), ("DELETE", "/api/device/scanners"), ("GET", "/api/device/scanners"))
    ]
    assert {(each.status, each.body) for each in refused} == {(403, refused[0].body)}
    for hostile in ("/../etc/passwd", "/api//device/scanners", "/api/./server", "/dwt/../img", "/a\\b", "/a\x00"):
        assert house.ask("GET", hostile).status == 404


def test_a_websocket_is_refused_before_it_opens(house: House) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"127.0.0.1:18622"), (b"origin", SITE)]}
    asyncio.run(house.guard(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}] and not house.was_reached


# ---- cross-origin rules ----


def preflight(house: House, origin: bytes, path: str, method: bytes = b"POST") -> Answer:
    asked = (b"access-control-request-method", method), (b"access-control-request-headers", b"x-dwtsvc")
    return house.ask("OPTIONS", path, [(b"origin", origin), (b"sec-fetch-site", b"cross-site"), *asked])


def test_a_preflight_of_a_consented_origin_is_answered_with_exactly_it(house: House) -> None:
    answer = preflight(house, SITE, "/api/jobs")
    assert answer.status == 204 and not house.was_reached
    assert answer.get(b"access-control-allow-origin") == SITE
    assert int(answer.get(b"access-control-max-age") or 0) <= 600
    assert answer.get(b"vary") == b"Origin"
    assert answer.get(b"access-control-allow-credentials") is None
    assert b"*" not in (answer.get(b"access-control-allow-headers") or b"*")


@pytest.mark.parametrize("origin", [OTHER, b"null", b"http://127.0.0.1:18999", SITE + b"."])
def test_a_preflight_without_consent_is_refused_without_a_word_of_cors(house: House, origin: bytes) -> None:
    for path in ("/api/jobs", "/none", "/api/server", "/dwtsvc.js"):
        answer = preflight(house, origin, path)
        assert answer.status == 403
        assert not [name for name, _ in answer.headers if name.startswith(b"access-control")]


def test_asking_for_consent_is_the_one_thing_that_any_site_may_ask_for(house: House) -> None:
    answer = preflight(house, OTHER, "/consent/requests")
    assert answer.status == 204 and answer.get(b"access-control-allow-origin") == OTHER
    asked = house.ask("POST", "/consent/requests", [(b"origin", OTHER), JSON])
    assert asked.status == 200 and asked.get(b"access-control-allow-origin") == OTHER
    assert house.behind.callers[-1] == Caller("nobody", OTHER.decode(), frozenset({Access.ASK}))
    assert house.behind.callers[-1].bucket == "nobody"
    assert house.ask("POST", "/consent/requests", [(b"origin", OTHER)]).status == 403  # a form could send this


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([JSON], 200),
        ([(b"content-type", b"Application/JSON; charset=utf-8")], 200),
        ([(b"x-dwtsvc", b"1")], 200),
        ([(b"dwt-product-key", b"t0068")], 200),
        ([], 403),
        ([(b"content-type", b"text/plain")], 403),
        ([(b"content-type", b"text/plain; application/json")], 403),
        ([(b"content-type", b"multipart/form-data; boundary=x")], 403),
        ([(b"content-type", b"application/x-www-form-urlencoded")], 403),
    ],
)
def test_a_change_by_a_site_needs_what_a_form_cannot_send(house: House, headers: Any, status: int) -> None:
    for method, path in (("POST", "/api/jobs"), ("DELETE", "/api/jobs/4/page"), ("POST", "/f/LoadFile")):
        assert house.ask(method, path, [(b"origin", SITE), *headers]).status == status


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_every_answer_has_the_headers_of_security_once(house: House, method: str, path: str) -> None:
    house.behind.headers += [
        (b"server", b"x/1"),
        (b"x-content-type-options", b"no"),
        (b"access-control-allow-origin", b"*"),
    ]
    route = house.guard._table.find(path)
    assert route is not None
    access = route.methods[method]
    for headers in ([JSON], [(b"origin", SITE), JSON], [(b"origin", OTHER), JSON], [(b"origin", OWN), JSON]):
        answer = house.ask(method, path, headers)
        policy = answer.get(b"content-security-policy") or b""
        assert b"frame-ancestors 'none'" in policy and b"unsafe" not in policy
        assert policy.startswith(
            b"default-src 'self'" if access is Access.PAGE and answer.status == 200 else b"default-src 'none'"
        )
        assert answer.get(b"x-content-type-options") == b"nosniff"
        assert answer.get(b"referrer-policy") == b"no-referrer"
        assert answer.get(b"cross-origin-opener-policy") == b"same-origin"
        assert answer.get(b"cache-control") == b"no-store"
        assert answer.get(b"server") is None
        assert answer.get(b"cross-origin-resource-policy") == (
            b"cross-origin" if access is Access.PUBLIC else b"same-origin"
        )
        reader = answer.get(b"access-control-allow-origin")
        assert reader in ((b"*",) if access is Access.PUBLIC else (None, SITE, OTHER if access is Access.ASK else None))


def test_a_page_says_its_own_policy_and_a_public_file_how_long_it_keeps(house: House) -> None:
    house.behind.headers += [
        (b"content-security-policy", b"default-src 'self'; img-src blob:"),
        (b"cache-control", b"max-age=60"),
    ]
    page, public, data = (house.ask("GET", path) for path in ("/", "/dwtsvc.js", "/api/device/scanners"))
    assert page.get(b"content-security-policy") == b"default-src 'self'; img-src blob:"
    assert page.get(b"cache-control") == data.get(b"cache-control") == b"no-store"
    assert public.get(b"cache-control") == b"max-age=60"
    assert data.get(b"content-security-policy") == b"default-src 'none'; frame-ancestors 'none'"


# ---- signed images ----


def no_cors(more: list[tuple[bytes, bytes]] | None = None) -> list[tuple[bytes, bytes]]:
    return [(b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"no-cors"), *(more or [])]


def test_a_signed_image_is_shown_to_whoever_holds_its_address(house: House) -> None:
    url = house.token.signed(SITE.decode(), "/dwt/dwt_1/img?id=7&index=2&width=200")
    house.peers.mine = False
    answer = house.ask("GET", url, no_cors())
    assert answer.status == 200 and answer.get(b"cross-origin-resource-policy") is None
    assert house.behind.callers[-1].bucket == SITE.decode()
    assert house.behind.callers[-1].kind == "image"


def test_a_signature_is_good_for_one_image_of_one_route_and_for_nothing_else(house: House) -> None:
    url = house.token.signed(SITE.decode(), "/dwt/dwt_1/img?id=7&index=2")
    signature = url.partition("sig=")[2]
    for other in (
        f"/dwt/dwt_1/img?id=7&index=3&sig={signature}",
        f"/dwt/dwt_1/img?id=8&index=2&sig={signature}",
        f"/dwt/dwt_2/img?id=7&index=2&sig={signature}",
        f"/dwt/dwt_1/img?id=7&index=2&index=3&sig={signature}",
        f"/dwt/dwt_1/img?id=7&index=2&page=1&sig={signature}",
        f"/dwt/dwt_1/img?id=7&index=2&sig={signature}&sig={signature}",
        f"/api/jobs/4/page?id=7&index=2&sig={signature}",
        f"/api/device/scanners?id=7&index=2&sig={signature}",
        f"/?id=7&index=2&sig={signature}",
    ):
        assert house.ask("GET", other, no_cors()).status == 403, other
    assert house.ask("POST", url, [*no_cors(), JSON]).status == 403
    assert not house.was_reached


# ---- HEAD ----

READ = [path for method, path in PATHS if method == "GET"]
WHO: list[list[tuple[bytes, bytes]]] = [
    [],
    [(b"origin", SITE)],
    [(b"origin", OTHER)],
    [(b"origin", b"null")],
    [(b"origin", OWN), (b"sec-fetch-site", b"same-origin")],
    [(b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"no-cors"), (b"sec-fetch-dest", b"image")],
    [(b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document")],
    [(b"sec-fetch-site", b"none"), (b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document")],
    [(b"referer", OTHER)],
    [(b"x-dwtsvc-token", b"wrong")],
]


@pytest.mark.parametrize("mine", [True, False])
@pytest.mark.parametrize("who", WHO)
def test_head_says_to_everybody_what_get_says_and_no_body(house: House, who: Any, mine: bool) -> None:
    house.peers.mine = mine
    house.behind.headers.append((b"content-length", b"7"))
    for path in [*READ, "/nowhere"]:
        get, head = (house.ask(method, path, who) for method in ("GET", "HEAD"))
        assert (head.status, sorted(head.headers), head.body) == (get.status, sorted(get.headers), b"")


def test_a_signature_shows_the_head_of_its_image_and_a_scope_that_is_missing_is_missed(house: House) -> None:
    image = house.token.signed(SITE.decode(), "/dwt/dwt_1/img?id=1&index=0")
    assert house.ask("HEAD", image, WHO[5]).status == 200
    assert house.ask("HEAD", "/dwt/dwt_1/img?id=1&index=0", WHO[5]).status == 403
    house.consent.allow(OTHER.decode(), ["list"])
    for path, status in (("/api/device/scanners", 200), ("/api/jobs/4/page", 403), ("/f/RemoveAllImages", 403)):
        assert house.ask("HEAD", path, WHO[2]).status == status


def test_the_app_is_asked_with_get_and_told_that_it_may_change_nothing(house: House) -> None:
    asked = []
    before = house.guard._app

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        asked.append((scope["method"], scope["state"].get("head", False)))
        await before(scope, receive, send)

    house.guard._app = noting
    for method, path in (("HEAD", READ[0]), ("GET", READ[0]), ("HEAD", "/api/jobs"), ("POST", "/api/jobs")):
        house.ask(method, path)
    assert asked == [("GET", True), ("GET", False), ("HEAD", False), ("POST", False)]


def test_head_counts_for_the_rate_of_a_site(tmp_path: Path) -> None:
    house = House(tmp_path, limits=Limits(rate=0.001, burst=3))
    found = [house.ask("HEAD", "/api/device/scanners", WHO[1]).status for _ in range(4)]
    assert found == [200, 200, 200, 429]


# ---- errors ----


def test_an_exception_of_the_app_tells_the_client_nothing_and_the_log_no_words(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing() -> None:
        raise ValueError("canary-7 in /home/ada/letter.pdf")

    house.behind.act = failing
    with caplog.at_level(logging.DEBUG):
        answer = house.ask("GET", "/api/device/scanners")
    assert answer.status == 500 and json.loads(answer.body)["message"] == "Internal error"
    assert "ValueError" in caplog.text and "failing" in caplog.text
    assert "canary" not in caplog.text and "ada" not in caplog.text


def test_one_of_our_errors_is_the_documented_object(house: House) -> None:
    async def jam() -> None:
        raise PaperJam("Paper jam", why="SANE_STATUS_JAMMED", hint="Clear it.")

    house.behind.act = jam
    answer = house.ask("GET", "/api/device/scanners")
    assert json.loads(answer.body) == {
        "code": -1020,
        "message": "Paper jam. Clear it.",
        "statusCode": 409,
        "cause": {"code": 0, "message": "SANE_STATUS_JAMMED"},
        "error": "paper-jam",
    }


def test_an_answer_that_has_begun_is_broken_and_not_completed(house: House) -> None:
    async def halfway(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("canary")

    house.guard._app = halfway
    with pytest.raises(Exception) as raised:
        house.ask("GET", "/api/device/scanners")
    assert "canary" not in repr(raised.value) and raised.value.__suppress_context__


def test_no_token_query_or_address_is_in_a_log_or_an_error(house: House, caplog: pytest.LogCaptureFixture) -> None:
    canary = b"canary-" + house.token.text[:12].encode()
    named = (b"x-dwtsvc-token", b"authorization", b"dwt-product-key", b"origin", b"referer", b"content-type", b"cookie")
    hosts = (b"127.0.0.1:18622", canary + b":18622", canary)
    with caplog.at_level(logging.DEBUG):
        for name, (method, path), host in product(named, [*PATHS, ("GET", "/none")], hosts):
            value = b"Bearer " + canary if name == b"authorization" else canary
            answer = house.ask(
                method, f"{path}?secret={canary.decode()}&sig={canary.decode()}", [(name, value)], host=host
            )
            assert canary not in answer.body and canary not in b"".join(value for _, value in answer.headers)
        house.ask("GET", f"/{canary.decode()}")
    assert canary.decode() not in caplog.text


def test_a_refused_origin_is_named_once_in_the_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            house.ask("GET", "/api/device/scanners", [(b"origin", OTHER)])
            house.ask("GET", "/api/device/scanners", [(b"origin", b"https://x\r\nfake: line")])
    assert caplog.text.count(OTHER.decode()) == 1 and "fake" not in caplog.text


ORIGINS = [None, b"null", b"", SITE, OTHER, OWN, b"http://127.0.0.1:18999", SITE + b":443", b"https://[::1]"]
SITES = [None, b"none", b"same-origin", b"same-site", b"cross-site", b"", b"x"]
MODES = [None, b"navigate", b"cors", b"no-cors", b"websocket"]


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    route=st.sampled_from(PATHS),
    origin=st.sampled_from(ORIGINS[:3] + ORIGINS[4:5] + ORIGINS[6:]),
    site=st.sampled_from(["none", "same-site", "cross-site", "", "x"]),
    mode=st.sampled_from(MODES),
    more=st.lists(st.tuples(st.sampled_from([b"cookie", b"user-agent", b"x-forwarded-host"]), st.binary(max_size=8))),
)
def test_no_mixture_of_a_foreign_page_reaches_anything_but_what_is_open(
    house: House, route: tuple[str, str], origin: bytes | None, site: str, mode: bytes | None, more: Any
) -> None:
    named = [(b"origin", origin), (b"sec-fetch-site", site.encode()), (b"sec-fetch-mode", mode)]
    house.behind.callers.clear()
    house.ask(*route, [*((name, value) for name, value in named if value is not None), *more, JSON])
    found = house.guard._table.find(route[1])
    assert found is not None
    if found.methods[route[0]] not in {*OPEN, Access.ASK, Access.PAGE}:
        assert not house.was_reached
