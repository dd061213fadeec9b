"""Classic methods for devices: list, select, what they can do, acquire."""

from __future__ import annotations

import msgspec

from dwtsvc.server import devicetext
from dwtsvc.server.access import Access
from dwtsvc.server.client import Client
from dwtsvc.server.methods import Group, Result

METHODS = Group()


class Devices(msgspec.Struct, frozen=True):
    """`deviceType` is a mask of scanner types, `refresh` asks the drivers anew."""

    deviceType: int = devicetext.DEFAULT_MASK
    refresh: bool = False


class Device(msgspec.Struct, frozen=True):
    """`device` as GetDevices gave it, or an id as `dwtsvc devices` lists it."""

    device: str


@METHODS.method("GetDevices", Access.LIST, Devices)
def listed(client: Client, wants: Devices) -> Result:
    """The scanners of some types, as the REST API lists them."""
    found = client.service.scanners.listed(refresh=wants.refresh)
    return [devicetext.shown(each) for each in found if devicetext.type_of(each.id) & wants.deviceType]


@METHODS.method("SelectDevice", Access.SCAN, Device)
def select(client: Client, wants: Device) -> Result:
    """Choose the scanner that AcquireImage uses."""
    client.device = client.service.choice.device(client.caller, wants.device)
    return [client.device]
