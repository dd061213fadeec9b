"""Scanners as the REST API shows them, and which scanner a request means."""

from __future__ import annotations

import base64
import json
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from dwtsvc import devices
from dwtsvc.devices.ways import once
from dwtsvc.errors import BadArguments, NoScanner
from dwtsvc.model import Device
from dwtsvc.server.gate.access import Access, Caller, no_consent
from dwtsvc.server.rest.model import Scanner
from dwtsvc.version import __version__

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

TYPES = {"twain32": 16, "wia": 32, "twain": 64, "ica": 128, "sane": 256, "virtual": 256, "escl": 512, "webcam": 4096}
OTHER = 256  # a driver of somebody else's
DEFAULT_MASK = 16 | 32 | 64 | 128 | 256
EVERY_TYPE = 0xFFFFFFFF
_KINDS = ("camera", "recording")  # what is not a scanner; drivers have many words for those
REMEMBERED = 256  # buckets whose last scanner is kept in mind
OFF_LIMITS = frozenset({"folder", "file"})  # what a web page may not ask of the virtual scanner: the user's own files


def type_of(device: str) -> int:
    """The ScannerType of a device id."""
    return TYPES.get(device.partition(":")[0], OTHER)


def visible(caller: Caller, found: Iterable[Device], mask: int = EVERY_TYPE) -> list[Device]:
    """The devices of some types that a caller may know of, each scanner by its best way among those."""
    may = (each for each in found if each.kind != "camera" or caller.sees_cameras)
    return once(each for each in may if type_of(each.id) & mask)


def shown(device: Device) -> Scanner:
    name = device.label or device.id
    kind = device.kind if device.kind in _KINDS else "scanner"
    return Scanner(name, type_of(device.id), text_of(device), device.id, device.virtual, kind, list(device.also))


def text_of(device: Device) -> str:
    """What a client sends back to mean this scanner: the published keys, whose strings are base64, and our id."""
    major, _, minor = __version__.partition(".")
    about = {
        "id": device.id,
        "deviceInfo": {
            "Manufacturer": _packed(device.vendor),
            "ProductFamily": _packed(device.kind),
            "ProductName": _packed(device.label or device.id),
            "ProtocolMajor": 2,
            "ProtocolMinor": 4,
            "SupportedGroups": 3,
            "Version": {
                "Country": 1,
                "Info": _packed(f"dwtsvc {__version__}"),
                "Language": 13,
                "MajorNum": int(major),
                "MinorNum": int(minor.partition(".")[0] or 0),
            },
        },
        "deviceType": type_of(device.id),
        "isSystemDefaultPrinter": False,
        "name": _packed(device.label or device.id),
    }
    return json.dumps(about, separators=(",", ":"))


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def id_of(text: str) -> str:
    """The device id in a `device` text, which may be the bare id. Raises BadArguments, NoScanner."""
    name: Any = text
    if text.lstrip().startswith("{"):
        try:
            about = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadArguments("The device is no JSON text", why=str(error)) from error
        name = about.get("id")
    if not isinstance(name, str) or not name or not name.isprintable():
        raise BadArguments("The device names no scanner", hint="Send `device` as the list of scanners has it.")
    return ":".join(devices.split_id(name))


class Choice:
    """Which scanner a request means: the one it names, else the last one used, the one of the settings, the first."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._last: OrderedDict[str, str] = OrderedDict()

    def device(self, caller: Caller, text: str | None) -> str:
        """The id of the scanner. Blocking. Raises NoScanner, BadArguments, OriginNotAllowed."""
        if text:
            found = id_of(text)
            self.permit(caller, found)
            if caller.kind == "origin":
                self._check_site(found)
            return found
        meant = filter(None, (self._used(caller.bucket), self._service.settings.device))
        return next((each for each in meant if self._may_open(caller, each)), None) or self._first()

    def permit(self, caller: Caller, device: str) -> None:
        """Raises OriginNotAllowed where a web site without consent for cameras means one, whether there is that one
        or not. Blocking."""
        if not self._may_open(caller, device):
            raise no_consent(Access.CAMERA)

    def used(self, bucket: str, device: str) -> None:
        """Keep in mind what a client scanned with last."""
        self._last[bucket] = device
        self._last.move_to_end(bucket)
        while len(self._last) > REMEMBERED:
            self._last.popitem(last=False)

    def scanner(self, device: str) -> Scanner:
        """A scanner by its id, also one that was not listed."""
        for each in self._service.scanners.last:
            if each.id == device.partition("?")[0]:
                return shown(
                    Device(id=device, vendor=each.vendor, model=each.model, kind=each.kind, virtual=each.virtual)
                )
        return shown(Device(id=device, vendor="", model=device, virtual=device.startswith("virtual:")))

    def _may_open(self, caller: Caller, device: str) -> bool:
        return caller.sees_cameras or not self._is_camera(device)

    def _is_camera(self, device: str) -> bool:
        if devices.is_camera(device):
            return True
        driver = device.partition(":")[0]
        if driver in TYPES and driver != "sane":
            return False
        names = (device, device.partition("?")[0])
        return any(each.id in names and each.kind == "camera" for each in self._service.scanners.listed())

    def _check_site(self, device: str) -> None:
        """A web site may use scanners that were found, and no other address: it would have us look at networks and
        files that are none of its business."""
        base, _, query = device.partition("?")
        known = {each.id for each in self._service.scanners.listed()}
        if device not in known and (
            base not in known or not device.startswith(("virtual:", "webcam:")) or OFF_LIMITS & set(parse_qs(query))
        ):
            raise NoScanner("There is no such scanner", hint="Take one from the list of scanners.")

    def _used(self, bucket: str) -> str | None:
        if bucket in self._last:
            return self._last[bucket]
        return next((held.job.request.device for held in self._service.holdings.jobs(bucket)), None)

    def _first(self) -> str:
        listed = self._service.scanners.listed()
        found = next((each.id for each in listed if not each.virtual and each.kind != "camera"), None)
        if found is None:
            hint = "Connect one, or name one as `device`: virtual:adf is on every machine."
            raise NoScanner("No scanner was found", hint=hint)
        return found
