"""Classic methods for devices: list, select, what they can do, acquire."""

from __future__ import annotations

import msgspec

from dwtsvc.buffer import Leaf
from dwtsvc.formats import image_of
from dwtsvc.imaging.blank import blank
from dwtsvc.model import JobState, PageInfo
from dwtsvc.server.classic.client import Client
from dwtsvc.server.classic.methods import Group, Nothing, Result
from dwtsvc.server.gate.access import Access
from dwtsvc.server.holdings import Held
from dwtsvc.server.rest import devicetext
from dwtsvc.server.rest.jobs import begin
from dwtsvc.server.rest.model import CapabilitySettings, CreateJob, DeviceConfiguration

METHODS = Group()


class Devices(msgspec.Struct, frozen=True):
    """`deviceType` is a mask of scanner types, `refresh` asks the drivers anew."""

    deviceType: int = devicetext.DEFAULT_MASK
    refresh: bool = False


class Device(msgspec.Struct, frozen=True):
    """`device` as GetDevices gave it, or an id as `dwtsvc devices` lists it."""

    device: str


class Acquire(msgspec.Struct, frozen=True):
    """`config` and `caps` as in the REST API; `insertAt` is an index, the end without it; `removeBlank` leaves empty
    pages out. `job` is the id of a job of the REST API, in place of device, config and caps: it is started if it waits,
    its pages are taken, and it stays."""

    device: str | None = None
    config: DeviceConfiguration = msgspec.field(default_factory=DeviceConfiguration)
    insertAt: int | None = None
    removeBlank: bool = False
    caps: CapabilitySettings | None = None
    job: str = ""


@METHODS.method("GetDevices", Access.LIST, Devices, outside=True)
def listed(client: Client, wants: Devices) -> Result:
    """The scanners of some types, as the REST API lists them."""
    found = client.service.scanners.listed(refresh=wants.refresh)
    return [devicetext.shown(each) for each in devicetext.visible(client.caller, found, wants.deviceType)]


@METHODS.method("SelectDevice", Access.SCAN, Device, outside=True)
def select(client: Client, wants: Device) -> Result:
    """Choose the scanner that AcquireImage uses."""
    client.device = client.service.choice.device(client.caller, wants.device)
    return [client.device]


@METHODS.method("AcquireImage", Access.SCAN, Acquire, awaited=True)
async def acquire(client: Client, wants: Acquire) -> Result:
    """Scan into the buffer; the ids of the new images, when the last one is there. After an error those before stay."""
    client.held = held = await (_given if wants.job else _made)(client, wants)
    try:
        return [await _taken(client, held, wants)]
    finally:
        client.held = None
        if not wants.job:
            await client.service.bridge.outside(client.service.holdings.delete_job, held)


async def _made(client: Client, wants: Acquire) -> Held:
    """A job of its own for a scan."""
    service, outside = client.service, client.service.bridge.outside
    device = await outside(service.choice.device, client.caller, wants.device or client.device or None)
    body = CreateJob(config=wants.config, caps=wants.caps)
    return await outside(begin, service, client.caller, device, body, None)


async def _given(client: Client, wants: Acquire) -> Held:
    """The job that the page made. Raises UnknownJob, JobDeleted, WrongState, OriginNotAllowed."""
    held = client.service.holdings.job(client.bucket, wants.job)
    await client.service.bridge.outside(client.service.choice.permit, client.caller, held.job.request.device)
    if held.job.state is JobState.PENDING:
        await client.service.bridge.run(client.service.holdings.run_job, held)
    return held


async def _taken(client: Client, held: Held, wants: Acquire) -> list[str]:
    """The ids of the images that the pages of a job became. Raises what ended the job, after its last good page."""
    bridge = client.service.bridge
    ids, seen = list[str](), 0
    place = await bridge.run(client.place_of, wants.insertAt)
    while (page := await bridge.page(held.job, seen)) is not None:
        seen += 1
        held.touch()
        at = None if place is None else place + len(ids)
        if leaf := await bridge.run(_take, client, page, at, wants.removeBlank):
            ids.append(leaf.id)
    return ids


def _take(client: Client, page: PageInfo, at: int | None, remove_blank: bool) -> Leaf | None:
    """Copy a page of a job into what the client sees, unless nothing is on it and that is not wanted."""
    if remove_blank:
        with client.service.store.reading(page) as data:
            if blank(image_of(page, data)[0]).blank:
                return None
    return client.adopt(client.buffer.insert(page, at, tags=client.tags()))


@METHODS.method("CancelAllPendingTransfers", Access.SCAN, Nothing)
def cancel(client: Client, _: Nothing) -> Result:
    """Stop the scan that runs for this page; false if none does."""
    held = client.held
    if held is None or not held.job.active:
        return [False]
    client.service.holdings.cancel_job(held)
    return [True]
