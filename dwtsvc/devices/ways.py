"""One scanner that several drivers list, listed once: a network scanner that SANE's own network backends see too, and
one of Windows that both TWAIN and WIA list."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

from dwtsvc.devices.esclknown import Record
from dwtsvc.disk import make_file, telling
from dwtsvc.model import Device

Seen = Callable[[str], Record]


def once(found: Iterable[Device], seen: Seen) -> list[Device]:
    """The devices without those that are another way to one of `escl` or TWAIN, which has their ids in `also`.

    `seen` tells where a network scanner was seen and what it announces itself as, by its UUID. Two of those are the
    same if they are at one host, and have one name or are the only ones there: behind ipp-usb several scanners are at
    127.0.0.1, and a machine that shares two has both at its address. SANE's airscan names them as they are announced.
    """
    devices = _once_on_windows(list(found))
    hosts = {each.id: _hosts(each, seen) for each in devices if each.id.startswith("escl:")}
    crowd = Counter(host for several in hosts.values() for host in several)
    others: dict[str, list[str]] = {name: [] for name in hosts}
    kept = []
    for device in devices:
        host = _host_of_sane(device)
        same = [name for name in hosts if host and host in hosts[name]]
        named = [name for name in same if _name(device.model) in _names(_by_id(devices, name), seen)]
        if best := (named or (same if crowd[host] == 1 else []))[:1]:
            others[best[0]].append(device.id)
        else:
            kept.append(device)
    return [replace(each, also=tuple(others[each.id])) if others.get(each.id) else each for each in kept]


def _once_on_windows(devices: list[Device]) -> list[Device]:
    """The devices without those of WIA that TWAIN lists, too, in whose `also` they go. Manufacturer and name tell that
    they are the same, unless there are two alike: nothing tells then which is which."""
    names = Counter((each.id.partition(":")[0], _made_as(each)) for each in devices)
    ways = {}
    for device in devices:
        name = _made_as(device)
        if device.id.startswith("wia:") and device.vendor and names["wia", name] == 1:
            best = next((driver for driver in ("twain", "twain32") if names[driver, name] == 1), None)
            ways.update({(best, name): device.id} if best else {})
    kept = (each for each in devices if each.id not in ways.values())
    found = ((each, ways.get((each.id.partition(":")[0], _made_as(each)))) for each in kept)
    return [replace(each, also=(*each.also, way)) if way else each for each, way in found]


def _made_as(device: Device) -> str:
    """Manufacturer and name, once each: a name often begins with the manufacturer's."""
    named = device.model.casefold().startswith(device.vendor.casefold())
    return " ".join((device.model if named else device.label).casefold().split())


def share_id(path: Path, *, make: bool = False) -> UUID | None:
    """What the UUIDs of this user's shared scanners are made from; None if he never shared one.

    `make` makes it, once and for all. Raises FileAccess and DiskFull then.
    """
    if make and not path.exists():
        with telling(path), contextlib.suppress(FileExistsError):
            make_file(path, str(uuid4()).encode())
    try:
        return UUID(path.read_text("ascii").strip())
    except (OSError, ValueError):
        return None


def shared_uuid(own: UUID, device: str) -> str:
    """The UUID under which a device is offered in the network: the same for as long as there is the file."""
    return str(uuid5(own, device))


def without_shared(found: Iterable[Device], own: UUID | None, seen: Seen, named: Iterable[str] = ()) -> list[Device]:
    """The devices without those that are shared by this user himself: each comes back as a scanner of the network, to
    SANE's airscan, too, and is no other than the one that it is made of, in whose `also` it goes. `named` are shared
    devices that need not be listed."""
    devices = list(found)
    if own is None:
        return devices
    owners = {f"escl:{shared_uuid(own, name)}": name for name in (*(each.id for each in devices), *named)}
    shares = {name: seen(name.removeprefix("escl:")) for name in owners}
    ways: dict[str, list[str]] = {}
    kept = []
    for device in devices:
        share = device.id if device.id in owners else _share_at(device, shares)
        if share:
            ways.setdefault(owners[share], []).extend((device.id, *device.also))
        else:
            kept.append(device)
    return [replace(each, also=(*each.also, *ways.get(each.id, ()))) for each in kept]


def _share_at(device: Device, shares: Mapping[str, Record]) -> str | None:
    """The one of these shares that SANE sees in a device: at the same host, under the name of the announcement."""
    host, name = _host_of_sane(device), _name(device.model)
    same = (share for share, seen in shares.items() if host in map(_host, seen.urls) and name == _name(seen.name))
    return next(same, None) if host and name else None


def _by_id(devices: list[Device], name: str) -> Device:
    return next(each for each in devices if each.id == name)


def _names(device: Device, seen: Seen) -> frozenset[str]:
    """What a network scanner is called: its model, and the name of its announcement, which often tells the place."""
    return frozenset(map(_name, filter(None, (device.model, seen(device.id.removeprefix("escl:")).name))))


def _name(words: str) -> str:
    return words.replace("_", " ").casefold().strip()


def _hosts(device: Device, seen: Seen) -> frozenset[str]:
    name = device.id.removeprefix("escl:")
    urls = (name,) if "://" in name else seen(name).urls
    return frozenset(filter(None, map(_host, urls)))


def _host_of_sane(device: Device) -> str:
    """The host of a scanner as SANE's backends airscan and escl tell it; nothing for all others."""
    if device.id.startswith("sane:airscan:"):
        return device.kind.removeprefix("ip=") if device.kind.startswith("ip=") else ""
    return _host(device.id.removeprefix("sane:escl:")) if device.id.startswith("sane:escl:") else ""


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
