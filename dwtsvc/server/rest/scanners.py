"""GET /api/device/scanners, and the events of scanners that come and go."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Stream

from dwtsvc.model import Device
from dwtsvc.server.gate.access import Access, Caller, caller
from dwtsvc.server.rest import events
from dwtsvc.server.rest.described import described, problems
from dwtsvc.server.rest.devicetext import DEFAULT_MASK, EVERY_TYPE, shown, visible
from dwtsvc.server.rest.model import Scanner

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

SCANNERS = "/api/device/scanners"
HEARTBEAT_AFTER = 5  # looks without news
LOOK_EVERY = 1.0  # seconds; what is looked at is a list that is kept, no driver is asked
SCANNER = Scanner("Epson DS-530", 256, '{"id":"sane:epsonds:libusb:001:004",...}', "sane:epsonds:libusb:001:004", False)

Mask = Annotated[
    int | None,
    QueryParameter(name="type", ge=0, le=EVERY_TYPE, description="The sum of the scanner types wanted; none is 496."),
]


async def listed(service: Service, who: Caller, mask: int | None) -> list[Scanner]:
    return [shown(each) for each in await _visible(service, who, DEFAULT_MASK if mask is None else mask)]


async def _visible(service: Service, who: Caller, mask: int = EVERY_TYPE) -> list[Device]:
    return visible(who, await service.bridge.outside(service.scanners.listed), mask)


def routes(service: Service) -> list[Any]:
    @get(
        SCANNERS,
        opt={"access": Access.LIST},
        operation_id="listScanners",
        responses=problems(),
        operation_class=described(answer=[SCANNER]),
        summary="List the scanners",
    )
    async def list_scanners(request: Request[Any, Any, Any], mask: Mask = None) -> list[Scanner]:
        return await listed(service, caller(request), mask)

    @get(
        f"{SCANNERS}/events",
        opt={"access": Access.LIST},
        operation_id="scannerEvents",
        responses=problems(),
        operation_class=described(types=("text/event-stream",)),
        summary="Watch scanners come and go, as server-sent events",
    )
    async def scanner_events(request: Request[Any, Any, Any]) -> Stream:
        told = comings_and_goings(service, caller(request), events.until_told(service, request))
        return events.answer(told)

    return [list_scanners, scanner_events]


async def comings_and_goings(service: Service, who: Caller, goes_on: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    """`scanners` with all, then `appeared` and `vanished` with one, for as long as it `goes_on`; looks only while it is
    read."""
    known = {each.id: each for each in await _visible(service, who)}
    yield events.event("scanners", [shown(each) for each in known.values()])
    quiet = 0
    async for _ in events.ticks(LOOK_EVERY):
        if not goes_on():
            return
        now = {each.id: each for each in await _visible(service, who)}
        for name in now.keys() - known.keys():
            yield events.event("appeared", shown(now[name]))
        for name in known.keys() - now.keys():
            yield events.event("vanished", shown(known[name]))
        quiet = 0 if now.keys() != known.keys() else quiet + 1
        known = now
        if quiet == HEARTBEAT_AFTER:
            quiet = 0
            yield events.HEARTBEAT
