"""One scanner that several drivers list, listed once: a network scanner that SANE's own network backends see too, and
one of Windows that both TWAIN and WIA list."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

from dwtsvc.devices.esclknown import Known, Record
from dwtsvc.disk import make_file, telling
from dwtsvc.model import Device

if TYPE_CHECKING:
    from dwtsvc.config import Settings
    from dwtsvc.paths import Paths

Seen = Callable[[str], Record]


def as_known(found: Iterable[Device], settings: Settings, paths: Paths) -> list[Device]:
    """The devices without this user's own that are shared, each with the other ways to it."""
    seen = Known(paths.network_scanners).seen
    named = filter(None, (settings.device, *settings.share_devices))
    return without_shared(with_ways(found, seen), share_id(paths.share_id), seen, named)


def once(found: Iterable[Device]) -> list[Device]:
    """The devices without those that another of them names in its `also`: each scanner by its best way there."""
    devices = list(found)
    others = {name for each in devices for name in each.also}
    return [each for each in devices if each.id not in others]


def with_ways(found: Iterable[Device], seen: Seen) -> list[Device]:
    """The same devices; those of `escl` and TWAIN have in `also` the ids of others that are the same scanner.

    `seen` tells where a network scanner was seen and what it announces itself as, by its UUID.
    """
    devices = list(found)
    ways = {**_ways_in_the_network(devices, seen), **_ways_on_windows(devices)}
    return [replace(each, also=(*each.also, *ways.get(each.id, ()))) for each in devices]


def _ways_in_the_network(devices: list[Device], seen: Seen) -> dict[str, list[str]]:
    """What SANE's network backends list, by the id of the scanner of `escl` that it is.

    Two are the same if they are at one host, and have one name or are the only ones there: behind ipp-usb several
    scanners are at 127.0.0.1, and a machine that shares two has both at its address. SANE's airscan names them as they
    are announced.
    """
    direct = [each for each in devices if each.id.startswith("escl:")]
    hosts = {each.id: _hosts(each, seen) for each in direct}
    names = {each.id: _names(each, seen) for each in direct}
    crowd = Counter(host for several in hosts.values() for host in several)
    ways: dict[str, list[str]] = {}
    for device in devices:
        host = _host_of_sane(device)
        same = [best for best in hosts if host and host in hosts[best]]
        named = [best for best in same if _name(device.model) in names[best]]
        for best in (named or (same if crowd[host] == 1 else []))[:1]:
            ways.setdefault(best, []).append(device.id)
    return ways


def _ways_on_windows(devices: list[Device]) -> dict[str, list[str]]:
    """What WIA lists, by the id of the scanner of TWAIN that it is. Manufacturer and name tell that they are the same,
    unless there are two alike: nothing tells then which is which."""
    alike: dict[tuple[str, str], list[str]] = {}
    for each in devices:
        alike.setdefault((each.id.partition(":")[0], _made_as(each)), []).append(each.id)
    ways = {}
    for device in devices:
        name = _made_as(device)
        if device.vendor and alike.get(("wia", name)) == [device.id]:
            twins = (alike.get((driver, name), []) for driver in ("twain", "twain32"))
            if best := next((each for each in twins if len(each) == 1), None):
                ways[best[0]] = [device.id]
    return ways


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
    return [replace(each, also=tuple(dict.fromkeys((*each.also, *ways.get(each.id, ()))))) for each in kept]


def _share_at(device: Device, shares: Mapping[str, Record]) -> str | None:
    """The one of these shares that SANE sees in a device: at the same host, under the name of the announcement."""
    host, name = _host_of_sane(device), _name(device.model)
    same = (share for share, seen in shares.items() if host in map(_host, seen.urls) and name == _name(seen.name))
    return next(same, None) if host and name else None


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
