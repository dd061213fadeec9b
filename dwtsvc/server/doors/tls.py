"""Certificates of the TLS doors: one for the service, one for each host name that the configuration gives its own.

A context that serves is never changed. OpenSSL loads a certificate and its key in two steps, and a context that got
only the first answers every client with "no shared cipher" (measured). So each load fills a new context, and only a
whole one takes the place of the old. Connections meet the front context, which hands each handshake to the present
context of its host; OpenSSL asks it also for clients that send no name, as those that connect to 127.0.0.1 do.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

from dwtsvc.config import HostCertificate
from dwtsvc.errors import DwtsvcError

_log = logging.getLogger(__name__)

Pair = tuple[Path, Path]  # certificate with its chain, key; PEM


class Certificates:
    """The front context, and the pairs it answers with. `load` may be called as often as files change."""

    def __init__(self, pair: Callable[[], Pair], hosts: Sequence[HostCertificate] = (), folder: Path = Path()) -> None:
        self._pair = pair
        self._hosts = {each.host.lower(): (folder / each.cert_name, folder / each.key_name) for each in hosts}
        self._default: ssl.SSLContext | None = None
        self._by_host: dict[str, ssl.SSLContext] = {}
        self.front = _context()
        self.front.sni_callback = self._choose

    @property
    def usable(self) -> bool:
        """Whether there is a certificate for clients without a name; without one every handshake is refused."""
        return self._default is not None

    def load(self) -> list[str]:
        """Take what the files hold now; a pair that cannot be used keeps the old one. Returns what was wrong."""
        faults = []
        try:
            self._default = _loaded(self._pair())
        except (DwtsvcError, OSError, ValueError) as error:  # ssl.SSLError is an OSError
            faults.append(f"the certificate of the service cannot be used: {_reason(error)}")
        for host, pair in self._hosts.items():
            try:
                self._by_host[host] = _loaded(pair)
            except (OSError, ValueError) as error:
                faults.append(f"the certificate of {host} cannot be used: {_reason(error)}")
        return faults

    def _choose(self, connection: ssl.SSLObject, name: str | None, front: ssl.SSLContext) -> int | None:
        context = self._by_host.get((name or "").lower().rstrip("."), self._default)
        if context is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = context
        return None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    return context


def _loaded(pair: Pair) -> ssl.SSLContext:
    """A new context with a pair; the password is refused because OpenSSL would ask for it on the terminal."""
    context = _context()
    context.load_cert_chain(*pair, password=_no_password)
    return context


def _no_password() -> bytes:
    raise ValueError("the key has a password; the service can only use one without")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return {"KEY_VALUES_MISMATCH": "certificate and key do not belong together"}.get(error.reason or "", str(error))
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
