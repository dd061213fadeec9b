"""The service on localhost: `create_app` puts its faces together and the guard around them. Nothing runs at import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dwtsvc.server.airscan.sharing import Care, Sharing
    from dwtsvc.server.service import Service


class App:
    """The whole service as one ASGI application with a life: `start`, requests, `stop`."""

    def __init__(self, service: Service, care: Care | None = None) -> None:
        """`care` gives the certificate of the listener for shared scanners."""
        self.service = service
        self.sharing: Sharing | None = None
        if service.settings.share != "off":
            from dwtsvc.server.airscan.sharing import Sharing

            self.sharing = Sharing(service, care)
            service.shared, service.share_warnings = self.sharing.records, self.sharing.warnings
        self._asgi = create_app(service)

    async def start(self) -> None:
        await self.service.start()
        if self.sharing:
            await self.sharing.start()

    async def stop(self) -> None:
        if self.sharing:
            await self.sharing.stop()
        await self.service.stop()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._asgi(scope, receive, send)


def create_app(service: Service) -> Any:
    """Every face behind the guard. Raises where a route does not say who may use it."""
    from litestar import Litestar

    from dwtsvc.server import classic, pages, rest, sending
    from dwtsvc.server.classic import images
    from dwtsvc.server.gate import access, consent_routes
    from dwtsvc.server.guard import Guard
    from dwtsvc.server.rest import dwtapi
    from dwtsvc.server.rest.openapi import document
    from dwtsvc.server.rest.refusals import handlers

    faces = (rest, dwtapi, classic, consent_routes, pages, sending)
    routes = [route for face in faces for route in face.routes(service)]
    app = Litestar(
        routes,
        openapi_config=document(service),
        exception_handlers=handlers(),
        request_max_body_size=None,
        logging_config=None,
    )
    table = access.routes(app)
    images.mount(table, service)
    return Guard(app, service=service, table=table, names=[each.host.lower() for each in service.hosts])
