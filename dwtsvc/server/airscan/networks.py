"""Who is near: the networks that a listener's address is in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)

Network = IPv4Network | IPv6Network

LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


def around(address: str) -> tuple[Network, ...]:
    """The networks that this machine is in with an address: loopback for one of its own, else each with its mask.

    An address that this machine has not is a network of itself alone.
    """
    wanted = ip_address(address)
    if wanted.is_loopback:
        return LOOPBACK
    found = tuple(each.network for each in _interfaces() if each.ip == wanted)
    return found or (ip_network(address),)


def _interfaces() -> Iterator[IPv4Interface | IPv6Interface]:
    import ifaddr  # comes with zeroconf

    for adapter in ifaddr.get_adapters():
        for each in adapter.ips:
            text = each.ip if isinstance(each.ip, str) else each.ip[0]
            yield ip_interface(f"{text.partition('%')[0]}/{each.network_prefix}")


class Allowed:
    """The access list of a listener."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)
        self._known = lru_cache(1024)(self._look)

    def __contains__(self, host: str) -> bool:
        return self._known(host)

    def _look(self, host: str) -> bool:
        address = plain(host)
        return address is not None and any(address in each for each in self._networks)


def plain(host: str) -> IPv4Address | IPv6Address | None:
    """An address without zone, and as IPv4 where it is that; None for what is no address."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
