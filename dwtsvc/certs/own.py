"""A pair that a user brings: checked before it is put in place, for with a bad one the service would have no TLS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dwtsvc.certs import authority, files
from dwtsvc.certs.authority import Certificate
from dwtsvc.errors import BadInput, FileAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPair:
    """A user's certificate chain and key, as PEM, that fit each other and the day."""

    chain: str
    key: str
    leaf: Certificate


def read_own(certificate: Path, key: Path, now: datetime, hosts: Sequence[str] | None = None) -> OwnPair:
    """Read and check a pair: key, order of the chain, life, and names.

    It must be made for all of `hosts`; without them, for one of this machine's own names. Raises FileAccess, and
    BadInput that says what is wrong.
    """
    chain, secret = _text(certificate), _text(key)
    leaf = authority.read_chain(chain)[0]
    if not authority.matches(chain, secret):
        what = f"{key} is not the key of the first certificate in {certificate}"
        raise BadInput(what, hint="The server's own certificate comes first.")
    if not authority.in_order(chain):
        hint = "First your certificate, then the one that signed it, and so on."
        raise BadInput(f"{certificate} is not in order", hint=hint)
    _check_life(certificate, leaf, now)
    _check_hosts(certificate, leaf, hosts)
    return OwnPair(chain=chain, key=secret, leaf=leaf)


def _check_life(certificate: Path, leaf: Certificate, now: datetime) -> None:
    if now >= leaf.not_after:
        raise BadInput(f"{certificate} cannot be used", why=f"it ended on {leaf.not_after:%Y-%m-%d}")
    if now < leaf.not_before:
        raise BadInput(f"{certificate} cannot be used yet", why=f"it begins on {leaf.not_before:%Y-%m-%d}")


def _check_hosts(certificate: Path, leaf: Certificate, hosts: Sequence[str] | None) -> None:
    missing = [name for name in hosts or authority.HOSTS if not authority.allows(leaf, name)]
    if not missing or (not hosts and len(missing) < len(authority.HOSTS)):
        return
    made_for = ", ".join(leaf.hosts) or "no host at all"
    hint = "" if hosts else "If the service is called by another name, say it: --host NAME."
    raise BadInput(f"{certificate} is not made for {', '.join(missing)}", why=f"it is made for {made_for}", hint=hint)


def _text(path: Path) -> str:
    text = files.read(path)
    if text is None:
        raise FileAccess(f"{path} cannot be read", why="there is no such file")
    return text
