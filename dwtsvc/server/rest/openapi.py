"""The OpenAPI document of the service, as JSON at /schema and /schema/openapi.json; no page, and nobody's scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import License, Server

from dwtsvc.server.gate.access import Access

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

ABOUT = (
    "Scanners of this machine, for programs and web pages. A web page needs the user's consent first; a program of the"
    " same user needs nothing, or the token of the service in DWT-PRODUCT-KEY, X-DWTSVC-Token or as Bearer."
)


def document(service: Service) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="dwtsvc",
        version=service.version,
        summary="Scan over HTTP",
        description=ABOUT,
        license=License("MIT", identifier="MIT"),
        servers=[Server(url="/")],
        render_plugins=[JsonRenderPlugin(path=["/openapi.json", "/"])],
        openapi_router=Router(
            path="/schema", route_handlers=[], include_in_schema=False, opt={"access": Access.HEALTH}
        ),
    )
