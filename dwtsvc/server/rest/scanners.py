"""GET /api/device/scanners, and the events of scanners that come and go."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated, Any

from litestar import get
from litestar.params import QueryParameter
from litestar.response import Stream

from dwtsvc.model import Device
from dwtsvc.server.gate.access import Access
from dwtsvc.server.rest import events
from dwtsvc.server.rest.described import described, problems
from dwtsvc.server.rest.devicetext import DEFAULT_MASK, shown, type_of
from dwtsvc.server.rest.model import Scanner

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

SCANNERS = "/api/device/scanners"
HEARTBEAT_AFTER = 5  # looks without news
LOOK_EVERY = 1.0  # seconds; what is looked at is a list that is kept, no driver is asked
SCANNER = Scanner("Epson DS-530", 256, '{"id":"sane:epsonds:libusb:001:004",...}', "sane:epsonds:libusb:001:004", False)

Mask = Annotated[
    int | None,
    QueryParameter(name="type", ge=0, le=0xFFFFFFFF, description="The sum of the scanner types wanted; none is 496."),
]


async def listed(service: Service, mask: int | None) -> list[Scanner]:
    wanted = DEFAULT_MASK if mask is None else mask
    found = await service.bridge.outside(service.scanners.listed)
    return [shown(each) for each in found if type_of(each.id) & wanted]


def routes(service: Service) -> list[Any]:
    @get(
        SCANNERS,
        opt={"access": Access.LIST},
        operation_id="listScanners",
        responses=problems(),
        operation_class=described(answer=[SCANNER]),
        summary="List the scanners",
    )
    async def list_scanners(mask: Mask = None) -> list[Scanner]:
        return await listed(service, mask)

    @get(
        f"{SCANNERS}/events",
        opt={"access": Access.LIST},
        operation_id="scannerEvents",
        responses=problems(),
        operation_class=described(types=("text/event-stream",)),
        summary="Watch scanners come and go, as server-sent events",
    )
    async def scanner_events() -> Stream:
        return events.answer(comings_and_goings(service))

    return [list_scanners, scanner_events]


async def comings_and_goings(service: Service) -> AsyncGenerator[bytes, None]:
    """`scanners` with all, then `appeared` and `vanished` with one; looks only while it is read."""
    known: dict[str, Device] = {each.id: each for each in await service.bridge.outside(service.scanners.listed)}
    yield events.event("scanners", [shown(each) for each in known.values()])
    quiet = 0
    async for _ in events.ticks(LOOK_EVERY):
        now = {each.id: each for each in await service.bridge.outside(service.scanners.listed)}
        for name in now.keys() - known.keys():
            yield events.event("appeared", shown(now[name]))
        for name in known.keys() - now.keys():
            yield events.event("vanished", shown(known[name]))
        quiet = 0 if now.keys() != known.keys() else quiet + 1
        known = now
        if quiet == HEARTBEAT_AFTER:
            quiet = 0
            yield events.HEARTBEAT
