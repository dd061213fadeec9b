"""/api/server: settings, version, status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, get, patch
from litestar.params import JSONBody

from dwtsvc import logs
from dwtsvc.errors import ServiceRefused
from dwtsvc.server.gate.access import Access, caller
from dwtsvc.server.rest.body import strict
from dwtsvc.server.rest.described import described, problems
from dwtsvc.server.rest.model import ChangeServer, ServerSettings, Version

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

API_DATE = "20261101"  # of the API that is spoken here; later is newer


def routes(service: Service) -> list[Any]:
    @get(
        "/api/server",
        opt={"access": Access.LIST},
        operation_id="serverSettings",
        responses=problems(),
        summary="The settings that may be changed",
    )
    async def server_settings() -> ServerSettings:
        return ServerSettings(service.log_level)

    @patch(
        "/api/server",
        opt={"access": Access.ADMIN},
        operation_id="changeServer",
        responses=problems(),
        operation_class=described(body={"logLevel": 14}, answer=ServerSettings(14)),
        summary="Change how much is logged until the service ends",
    )
    async def change_server(request: Request[Any, Any, Any], data: JSONBody[ChangeServer]) -> ServerSettings:
        if caller(request).kind == "own" and not service.settings.enable_web_setup:
            raise ServiceRefused("The pages of the service may not change settings", hint="Set EnableWebSetup to on.")
        level = (await strict(request, data)).logLevel
        await service.bridge.run(logs.set_level, level)
        service.log_level = level
        return ServerSettings(service.log_level)

    @get(
        "/api/server/version",
        opt={"access": Access.LIST},
        operation_id="version",
        responses=problems(),
        operation_class=described(answer=Version(API_DATE, True, {"core": ["0.1.0"]})),
        summary="The version of the API, and of the parts",
    )
    async def version() -> Version:
        return Version(API_DATE, True, {"core": [service.version]})

    @get(
        "/api/server/status",
        opt={"access": Access.ADMIN},
        operation_id="status",
        responses=problems(),
        summary="What `dwtsvc status` tells",
    )
    async def status() -> dict[str, Any]:
        return await service.bridge.run(service.status)

    return [server_settings, change_server, version, status]
