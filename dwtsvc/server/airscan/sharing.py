"""Sharing: which scanners are offered to other machines, where, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Callable, Sequence, Set
from ipaddress import ip_address, ip_network
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from dwtsvc import devices, kinds
from dwtsvc.devices.ways import once, share_id, shared_uuid
from dwtsvc.errors import BadArguments, DwtsvcError
from dwtsvc.model import Device
from dwtsvc.server.airscan.announce import Announcement, Announcer
from dwtsvc.server.airscan.face import Face
from dwtsvc.server.airscan.gate import Gate
from dwtsvc.server.airscan.listener import Listener
from dwtsvc.server.airscan.networks import Allowed, around
from dwtsvc.server.airscan.offers import Offer
from dwtsvc.server.airscan.orders import BUCKET, Orders
from dwtsvc.server.doors.sockets import Door
from dwtsvc.server.doors.tls import Certificates

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

LOOK_AGAIN = 300.0  # seconds between two looks for scanners; some are woken by it
TRY_AGAIN = 5.0  # seconds after which what failed is tried again: a network that is not there yet, a scanner in use
_NONE = "No scanner is shared: this machine has none of its own; others, also virtual ones, are named in share_devices"
# Ways to scanners that offer themselves in the network already. Two machines that share would pass such a one on to
# each other for ever, each time under another name.
_OF_THE_NETWORK = ("escl:", "sane:airscan:", "sane:escl:", "sane:net:")

_log = logging.getLogger(__name__)


class Care(Protocol):
    """Who looks after the certificate; see `listen.Care`."""

    def pair(self) -> tuple[Path, Path]: ...

    def on_change(self, callback: Callable[[], None]) -> object: ...


class Sharing:
    """The life of it, where the setting `share` is not off."""

    def __init__(self, service: Service, care: Care | None = None) -> None:
        settings = service.settings
        self._service = service
        host, port = ("127.0.0.1", None) if settings.share == "on" else kinds.split_address(settings.share)
        self.host, self.port = host, port or settings.share_port
        self._certificates = Certificates(care.pair) if care else None
        if care:
            care.on_change(self._load_certificates)
        self._scanners: dict[str, Orders] = {}
        self._failed: dict[str, str] = {}
        self._listener: Listener | None = None
        self._announcer: Announcer | None = None
        self._announced: frozenset[str] = frozenset()  # UUIDs
        self._looked = False
        self._none_of_its_own = False
        self._task: asyncio.Task[None] | None = None
        self._fault = ""

    @property
    def url(self) -> str:
        """Where the listener is, or will be."""
        return Door(scheme="http", host=self.host, port=self.port, state="open").url

    async def start(self) -> None:
        self._let_go_of_the_past()
        self._task = asyncio.create_task(self._follow())

    def _let_go_of_the_past(self) -> None:
        """Who ordered from an earlier service will not come for his pages."""
        for held in self._service.holdings.jobs():
            if held.bucket.startswith(BUCKET):
                held.idle_limit = self._service.settings.job_idle

    async def stop(self) -> None:
        """Take the announcements back, let documents on their way end, and close."""
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if self._announcer:
            await asyncio.to_thread(self._announcer.close)
        if self._listener:
            await self._listener.close()

    def records(self) -> list[dict[str, Any]]:
        """The scanners that are shared now, for `dwtsvc status`."""
        urls = {door.scheme: door.url for door in self._doors()}
        return [
            {
                "device": orders.offer.device.id,
                "name": orders.offer.name,
                "uuid": orders.offer.uuid,
                "url": f"{urls['http']}/{slug}/eSCL",
                "tls_url": f"{urls['https']}/{slug}/eSCL" if "https" in urls else "",
                "announced": orders.offer.uuid in self._announced,
            }
            for slug, orders in self._scanners.items()
            if "http" in urls
        ]

    def warnings(self) -> list[str]:
        """Why something that should be shared is not."""
        told = [f"No scanner is shared: {self._fault}"] if self._fault else []
        told += [_NONE] if self._none_of_its_own else []
        return told + [f"{device} is not shared: {why}" for device, why in self._failed.items()]

    def _doors(self) -> list[Door]:
        return [door for door in self._listener.doors if door.state == "open"] if self._listener else []

    def _load_certificates(self) -> None:
        assert self._certificates
        for fault in self._certificates.load():
            _log.warning("For shared scanners: %s", fault)

    async def _follow(self) -> None:
        """Share what there is, now and whenever there is something else. A fault in it is told and does not end it."""
        while True:
            done = False
            try:
                done = await self._look()
            except DwtsvcError as error:
                _log.warning("Sharing: %s", error)
            except Exception:
                _log.exception("sharing failed")
            await self._rest(LOOK_AGAIN if done else TRY_AGAIN)

    async def _rest(self, seconds: float) -> None:
        """Wait, but not when somebody else has found other scanners meanwhile."""
        scanners, known = self._service.scanners, self._service.scanners.last
        until = monotonic() + seconds
        while monotonic() < until and scanners.last == known:
            await asyncio.sleep(1)

    async def _look(self) -> bool:
        """Open what is closed, and offer what is there; whether all went well."""
        if self._listener is None and not await self._listen():
            return False
        own = await self._own()
        if not any(orders.turns.taken for orders in self._scanners.values()):  # or some backends disturb the scan
            await self._offer(own, await self._wanted())
        if self._service.settings.share_announce and self.host != "::1":  # where there is no multicast
            await self._service.bridge.outside(self._announce, own)
        return not self._failed

    async def _own(self) -> UUID:
        own = await self._service.bridge.run(share_id, self._service.paths.share_id, make=True)
        assert own is not None
        return own

    async def _listen(self) -> bool:
        """Listen, and say once why that cannot be: the network may come later."""
        if self._certificates and not self._certificates.usable:
            await self._service.bridge.run(self._load_certificates)
        listener = Listener(self.host, self.port, self._certificates)
        try:
            return await self._serve(listener)
        except BaseException:  # or its sockets would hold the port against the next try
            await listener.close()
            raise

    async def _serve(self, listener: Listener) -> bool:
        plain = listener.doors[0]
        if plain.state != "open":
            await listener.close()
            fault = (
                f"{plain.url} {'is taken by ' + plain.holder if plain.holder else 'cannot be opened: ' + plain.reason}"
            )
            if fault != self._fault:
                _log.warning("Scanners are not shared: %s", fault)
            self._fault = fault
            return False
        allow = self._service.settings.share_allow
        networks = tuple(map(ip_network, allow)) if allow else await self._service.bridge.run(around, self.host)
        names = [_host_name(await self._own())]  # some clients leave out `.local`
        face = Face(self._service.bridge, self._scanners, lambda: self._looked)
        gate = Gate(face, Allowed(networks), names)
        await listener.serve(gate)
        self._listener, self._fault = listener, ""
        _log.info("Scanners are shared at %s with %s", plain.url, ", ".join(map(str, networks)))
        return True

    async def _wanted(self) -> list[Device]:
        """The scanners that shall be shared: those that are named, or those of this machine."""
        settings = self._service.settings
        found = {each.id: each for each in await self._service.bridge.outside(self._service.scanners.listed)}
        if settings.share_devices:
            return [_named(name, found) for name in settings.share_devices]
        kept = [each for each in once(found.values()) if self._is_own(each)]
        chosen = settings.device
        if chosen and _is_private(_named(chosen, found)):
            chosen = None
        if chosen and chosen not in {each.id for each in kept}:
            base = chosen.partition("?")[0]  # a virtual scanner is one, with and without its options
            kept = [_named(chosen, found), *(each for each in kept if not each.virtual or each.id != base)]
        return sorted(kept, key=lambda each: each.id != chosen)  # that one is the one at /eSCL

    def _is_own(self, device: Device) -> bool:
        """Whether it is a scanner that only this machine has; virtual ones are for trying things out here."""
        if device.id.startswith(_OF_THE_NETWORK) or _is_private(device):
            return False
        return not device.virtual or ip_address(self.host).is_loopback

    async def _offer(self, own: UUID, wanted: Sequence[Device]) -> None:
        """Offer these, in this order; what goes on keeps its orders."""
        before = {orders.offer.device.id: orders for orders in self._scanners.values()}
        failed: dict[str, str] = {}
        made: dict[str, Orders] = {}
        for device in wanted:
            orders = before.get(device.id)
            if orders is None or orders.offer.device.label != device.label:
                try:
                    orders = await self._orders(own, device)
                except DwtsvcError as error:
                    failed[device.id] = str(error)
                    continue
            made[orders.offer.slug] = orders
        for orders in before.values():  # one that was not listed this time still has pages that somebody wants
            if orders.unfetched():
                made.setdefault(orders.offer.slug, orders)
        for name in failed.keys() - self._failed.keys():
            _log.warning("%s is not shared: %s", name, failed[name])
        self._failed, self._looked = failed, True
        self._scanners.clear()  # nothing is awaited between these two, so no request finds it empty
        self._scanners.update(made)
        self._log_changes(before.keys(), {orders.offer.device.id for orders in made.values()})

    def _log_changes(self, before: Set[str], now: Set[str]) -> None:
        for name in sorted(now - before):
            _log.info("%s is shared", name)
        for name in sorted(before - now):
            _log.info("%s is shared no longer", name)
        none = not now and not self._failed
        if none and not self._none_of_its_own:
            _log.warning(_NONE)
        self._none_of_its_own = none

    async def _orders(self, own: UUID, device: Device) -> Orders:
        """Raises what the device reports, and BadArguments for what is never shared."""
        if _is_private(device):
            raise BadArguments("Cameras and recordings are not shared", hint="Name scanners in `share_devices`.")
        capabilities = await self._service.bridge.outside(self._service.jobs.look, device.id)
        offer = Offer(device=device, uuid=shared_uuid(own, device.id), capabilities=capabilities)
        return Orders(self._service, offer)

    def _announce(self, own: UUID) -> None:
        """Blocking. Where there is no multicast, scanners are shared by address."""
        try:
            self._announcer = self._announcer or Announcer(self.host, _host_name(own))
            wanted = self._announcements()
            self._announcer.tell(wanted)
            self._announced = frozenset(dict(each.record)["uuid"] for each in wanted)
        except (OSError, RuntimeError, TimeoutError) as error:
            _log.warning("Shared scanners are not announced: %s", error)

    def _announcements(self) -> list[Announcement]:
        host = socket.gethostname().partition(".")[0]
        names = Counter(orders.offer.name for orders in self._scanners.values())
        return [
            Announcement(
                instance=orders.offer.instance(host, twin=names[orders.offer.name] > 1),
                port=door.port,
                encrypted=door.scheme == "https",
                record=tuple(orders.offer.record(door.url, host).items()),
            )
            for orders in self._scanners.values()
            for door in self._doors()
        ]


def _host_name(own: UUID) -> str:
    """By which this machine announces itself, without `.local`."""
    return f"dwtsvc-{own.hex[:8]}"


def _is_private(device: Device) -> bool:
    """What is no scanner is nobody else's business: who can reach the listener could watch a room by a camera, and see
    pages of long ago in a recording."""
    return device.kind in ("camera", "recording") or devices.is_camera(device.id) or device.id.startswith("replay:")


def _named(name: str, found: dict[str, Device]) -> Device:
    """A device by its id, also one that is in no list, such as a virtual one with options."""
    if name in found:
        return found[name]
    base = found.get(name.partition("?")[0])
    if base:
        return Device(id=name, vendor=base.vendor, model=base.model, kind=base.kind, virtual=base.virtual)
    return Device(id=name, vendor="", model=name, virtual=name.startswith("virtual:"))
