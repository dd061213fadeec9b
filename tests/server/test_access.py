"""The table of routes: nothing goes undeclared, and it finds the route that Litestar would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar import Controller, Litestar, Router, delete, get, post
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.params import FromPath
from litestar.utils import normalize_path

from dwtsvc.errors import DwtsvcError
from dwtsvc.server.gate import access
from dwtsvc.server.gate.access import NOBODY, OWN, SCOPES, TOOL, Access, Caller, RouteTable, of_origin


class Jobs(Controller):
    path = "/api/jobs"
    opt = {"access": Access.SCAN}

    @get("/")
    async def listed(self) -> str:
        return ""

    @get("/{uid:str}", opt={"access": Access.READ})
    async def one(self, uid: FromPath[str]) -> str:
        return uid

    @delete("/{uid:str}")
    async def end(self, uid: FromPath[str]) -> None:
        return None

    @get("/{uid:str}/pages/{page:int}", opt={"access": Access.IMAGE})
    async def page(self, uid: FromPath[str], page: FromPath[int]) -> str:
        return uid

    @get("/busy", opt={"access": Access.LIST})
    async def busy(self) -> str:
        return ""


@get("/", opt={"access": Access.PAGE})
async def welcome() -> str:
    return ""


@get("/files/{rest:path}", opt={"access": Access.PUBLIC})
async def files(rest: FromPath[Path]) -> str:
    return str(rest)


@post("/load", opt={"access": Access.EDIT, "files": True})
async def load() -> str:
    return ""


APP = Litestar([Jobs, welcome, files, Router("/x", route_handlers=[load])], openapi_config=None)
TABLE = access.routes(APP)


def test_each_method_has_the_class_of_its_handler_or_of_what_stands_above_it() -> None:
    declared = {
        "/": {"GET": Access.PAGE},
        "/api/jobs": {"GET": Access.SCAN},
        "/api/jobs/busy": {"GET": Access.LIST},
        "/api/jobs/{}": {"GET": Access.READ, "DELETE": Access.SCAN},
        "/api/jobs/{}/pages/{}": {"GET": Access.IMAGE},
        "/files/{rest}": {"GET": Access.PUBLIC},
        "/x/load": {"POST": Access.EDIT},
    }
    for methods in declared.values():
        if "GET" in methods:
            methods["HEAD"] = methods["GET"]  # whoever may fetch may ask whether there is something to fetch
    assert TABLE.paths() == declared
    found = TABLE.find("/x/load")
    assert found is not None and found.files == {"POST"}


@pytest.mark.parametrize("opt", [None, {}, {"access": "read"}, {"access": None}])
def test_an_app_with_a_route_that_does_not_say_its_class_does_not_start(opt: Any) -> None:
    @get("/forgotten", opt=opt)
    async def forgotten() -> str:
        return ""

    with pytest.raises(DwtsvcError, match="/forgotten does not say who may call it"):
        access.routes(Litestar([welcome, forgotten], openapi_config=None))


def test_the_schema_of_litestar_must_say_its_class_too() -> None:
    with pytest.raises(DwtsvcError, match="/schema"):
        access.routes(Litestar([welcome], openapi_config=OpenAPIConfig(title="x", version="1")))


def test_a_route_cannot_be_declared_twice() -> None:
    table = RouteTable()
    table.add("/dwt/{version}/img", {"GET": Access.IMAGE})
    with pytest.raises(DwtsvcError, match="twice"):
        table.add("/dwt/{other}/img", {"GET": Access.READ})


def test_a_route_may_have_an_app_of_its_own() -> None:
    async def images(scope: Any, receive: Any, send: Any) -> None:
        return None

    table = RouteTable()
    table.add("/dwt/{version}/img", {"GET": Access.IMAGE}, app=images)
    found = table.find("/dwt/dwt_16100728/img")
    assert found is not None and found.app is images
    assert table.find("/dwt/dwt_16100728/img/x") is None and table.find("/dwt/img") is None


@pytest.mark.parametrize(
    "path", ["", "api/jobs", "/api//jobs", "/./", "/files/../api/jobs", "/api/jobs/a\nb", "//", "/a\\b"]
)
def test_a_path_of_a_strange_form_is_no_route(path: str) -> None:
    assert TABLE.find(path) is None


def test_one_slash_at_the_end_makes_no_difference() -> None:
    assert TABLE.find("/api/jobs/") is TABLE.find("/api/jobs") is not None


PARTS = st.sampled_from(
    ["api", "jobs", "busy", "pages", "files", "x", "load", "1", "..", "", "a b", "jobs ", "JOBS", "%2f"]
)


@settings(max_examples=1500, deadline=None)
@given(st.lists(PARTS, max_size=7), st.sampled_from(["GET", "POST", "DELETE"]))
def test_the_guard_judges_the_route_that_litestar_takes(parts: list[str], method: str) -> None:
    path = "/" + "/".join(parts)
    found = TABLE.find(path)
    judged = found.methods.get(method) if found else None
    try:
        _, handler, *_ = APP.asgi_router.handle_routing(path=normalize_path(path), method=method)  # type: ignore[arg-type]
    except HTTPException:
        return
    if found is not None:
        assert judged is handler.opt["access"]


def test_a_bucket_is_nobody_elses() -> None:
    callers = [TOOL, OWN, NOBODY, of_origin("https://a.example", SCOPES), of_origin("https://b.example", SCOPES)]
    assert len({each.bucket for each in callers}) == len(callers)
    assert Caller("nobody", "https://a.example").bucket == NOBODY.bucket
    assert Caller("tool", "https://a.example").bucket == TOOL.bucket
    assert Caller("image", "https://a.example").bucket == "https://a.example"


def test_no_consent_reaches_pages_or_administration() -> None:
    caller = of_origin("https://a.example", Access)
    assert not caller.scopes & {Access.ADMIN, Access.PAGE}
    assert Access.IMAGE not in of_origin("https://a.example", [Access.LIST]).scopes
