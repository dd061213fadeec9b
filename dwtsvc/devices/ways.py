"""One scanner that several drivers list, listed once: a network scanner that SANE's own network backends see too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from urllib.parse import urlsplit

from dwtsvc.model import Device

Places = Callable[[str], tuple[str, ...]]


def once(found: Iterable[Device], places: Places) -> list[Device]:
    """The devices without those that are another way to one of `escl`, which has their ids in `also`.

    `places` tells the addresses at which a network scanner was seen, by its UUID. Two are the same if they are at one
    host, and have one name or are the only ones there: behind ipp-usb several scanners are at 127.0.0.1.
    """
    devices = list(found)
    hosts = {each.id: _hosts(each, places) for each in devices if each.id.startswith("escl:")}
    crowd = Counter(host for several in hosts.values() for host in several)
    others: dict[str, list[str]] = {name: [] for name in hosts}
    kept = []
    for device in devices:
        host = _host_of_sane(device)
        same = [name for name in hosts if host and host in hosts[name]]
        named = [name for name in same if _name(device) == _name(_by_id(devices, name))]
        if best := (named or (same if crowd[host] == 1 else []))[:1]:
            others[best[0]].append(device.id)
        else:
            kept.append(device)
    return [replace(each, also=tuple(others[each.id])) if others.get(each.id) else each for each in kept]


def _by_id(devices: list[Device], name: str) -> Device:
    return next(each for each in devices if each.id == name)


def _name(device: Device) -> str:
    return device.model.replace("_", " ").casefold().strip()


def _hosts(device: Device, places: Places) -> frozenset[str]:
    name = device.id.removeprefix("escl:")
    urls = (name,) if "://" in name else places(name)
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
