"""Announcing shared scanners by zeroconf (mDNS), so that phones and desktops find them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from dwtsvc.server.airscan.hearing import hear_only
from dwtsvc.server.airscan.networks import around

WITHIN = 10.0  # seconds for all announcements; one takes two

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A scanner at a port; `instance` is what people see, `record` the TXT record."""

    instance: str
    port: int
    encrypted: bool
    record: tuple[tuple[str, str], ...]

    @property
    def type(self) -> str:
        return "_uscans._tcp.local." if self.encrypted else "_uscan._tcp.local."


class Announcer:
    """Announces at one address of this machine, under a host name of its own. Blocking; from one thread at a time."""

    def __init__(self, host: str, name: str) -> None:
        """`name` is the host name without `.local`: another one than the system's, for which the system answers.

        Raises OSError where there is no multicast.
        """
        from zeroconf import IPVersion, Zeroconf

        version = IPVersion.V6Only if ":" in host else IPVersion.V4Only
        self._host, self._server = host, f"{name}.local."
        self._zeroconf = Zeroconf(interfaces=[host], ip_version=version)
        self._hear_that_network_only()
        self._told: dict[Announcement, Any] = {}

    def _hear_that_network_only(self) -> None:
        address = ip_address(self._host)
        if sys.platform != "linux" or (address.version == 6 and not address.is_loopback):  # asked from fe80::/10 there
            return
        network = next(each for each in around(self._host) if address in each)
        for reader in self._zeroconf.engine.readers:
            with contextlib.suppress(OSError):  # then others learn of it whom the listener does not let in
                hear_only(reader.sock, network)

    def tell(self, wanted: Iterable[Announcement]) -> None:
        """Announce these, and take back what was announced and is not among them."""
        wanted = set(wanted)
        gone = [self._told.pop(each) for each in list(self._told) if each not in wanted]
        self._all(self._zeroconf.async_unregister_service, gone)
        new = {each: self._info(each) for each in wanted if each not in self._told}
        self._all(self._register, list(new.values()))
        self._told |= new

    def close(self) -> None:
        """Say good-bye to all."""
        self._zeroconf.unregister_all_services()
        self._zeroconf.close()

    def _info(self, told: Announcement) -> Any:
        from zeroconf import ServiceInfo

        record: dict[Any, Any] = dict(told.record)
        return ServiceInfo(
            told.type,
            f"{told.instance}.{told.type}",
            port=told.port,
            properties=record,
            server=self._server,
            addresses=[ip_address(self._host).packed],
        )

    async def _register(self, info: Any) -> Any:
        return await self._zeroconf.async_register_service(info, allow_name_change=True)

    def _all(self, work: Callable[[Any], Coroutine[Any, Any, Any]], infos: list[Any]) -> None:
        """Side by side, on zeroconf's own thread: each takes a while, for it asks first whether the name is free."""

        async def one(info: Any) -> None:
            sent = await work(info)
            await sent

        async def every() -> list[Any]:
            return await asyncio.gather(*map(one, infos), return_exceptions=True)

        if infos:
            loop = self._zeroconf.loop
            assert loop is not None
            for fault in asyncio.run_coroutine_threadsafe(every(), loop).result(WITHIN):
                if fault is not None:
                    _log.warning("A shared scanner could not be announced: %s", fault)
