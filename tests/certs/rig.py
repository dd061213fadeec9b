"""What the certificate tests share: authorities that kept their key, programs that only listen, stores in memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dwtsvc.certs import authority
from dwtsvc.certs.authority import Certificate
from dwtsvc.certs.programs import Installed, Outcome
from dwtsvc.certs.stores import Machine
from dwtsvc.errors import DwtsvcError, FileAccess

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)


def needs(program: str) -> str:
    """Skip where a person's machine lacks a program; in CI a test that silently does not run is a failure."""
    found = shutil.which(program)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")
    return str(found)


class Signer:
    """An authority exactly as the service makes it, but for the key, which an attacker has kept."""

    def __init__(self, now: datetime = NOW) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._root = authority._authority(self._key, now)
        self.pem = authority._pem(self._root)
        self.ca = authority.read_chain(self.pem)[0]

    def sign(self, *names: x509.GeneralName, common_name: str = "a leaf", now: datetime = NOW) -> tuple[str, str]:
        """A chain and its key for any names at all; none gives a certificate without alternative names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = (
            authority._builder(subject, self._root.subject, key, now)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(authority._usage(signs_certificates=False), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        leaf = builder.sign(self._key, hashes.SHA256())
        return authority._pem(leaf) + self.pem, authority._key_pem(key)


@dataclass(frozen=True)
class Evil:
    """A name that the authority must not vouch for, and the host an attacker would use it for."""

    names: tuple[x509.GeneralName, ...]
    host: str
    common_name: str = "a leaf"


EVIL = {
    "another host": Evil((x509.DNSName("bank.example"),), "bank.example"),
    "a host below": Evil((x509.DNSName("localhost.bank.example"),), "localhost.bank.example"),
    "a wildcard": Evil((x509.DNSName("*.localhost.evil"),), "a.localhost.evil"),
    "a private address": Evil((x509.IPAddress(ip_address("192.168.1.1")),), "192.168.1.1"),
    "a public address": Evil((x509.IPAddress(ip_address("8.8.8.8")),), "8.8.8.8"),
    "an IPv6 address": Evil((x509.IPAddress(ip_address("::2")),), "::2"),
    "an allowed name beside": Evil((x509.DNSName("localhost"), x509.DNSName("bank.example")), "bank.example"),
    "a common name only": Evil((), "bank.example", "bank.example"),
}


def own_pair(*names: str, days: int = 365, start: datetime = NOW - timedelta(days=1)) -> tuple[str, str]:
    """A self-signed certificate as a user may bring, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody's own")])
    alternative = x509.SubjectAlternativeName([authority._general_name(name) for name in names])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    return authority._pem(certificate), authority._key_pem(key)


@dataclass
class Listening:
    """Programs that do nothing but write down how they were called; `answer` may say something."""

    installed: tuple[str, ...] = ()
    answer: Callable[[tuple[str, ...]], Outcome] = lambda words: Outcome(0, "", "")
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def find(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.installed else None

    def run(self, *words: str, stdin: str = "") -> Outcome:
        self.calls.append(words)
        return self.answer(words)


@dataclass
class MemoryStore:
    """A store as simple as can be. `broken` makes every change fail, as a folder without rights does."""

    kind: str = "chromium"
    where: str = "here"
    held: dict[str, Certificate] = field(default_factory=dict)
    broken: bool = False

    def obstacle(self) -> DwtsvcError | None:
        return FileAccess("The store is closed", why="it is broken") if self.broken else None

    def holds(self, ca: Certificate) -> bool:
        return self.held.get(ca.name) == ca

    def names(self) -> tuple[str, ...]:
        return tuple(self.held)

    def install(self, ca: Certificate) -> None:
        if self.broken:
            raise FileAccess("The store is closed", why="it is broken")
        self.held[ca.name] = ca

    def uninstall(self, name: str) -> None:
        self.held.pop(name, None)


def linux(folder: Path, programs: object = None, **environ: str) -> Machine:
    """A machine of its own in a folder, with this machine's programs or other ones."""
    for name in ("home", "root"):
        (folder / name).mkdir(exist_ok=True)
    real = Installed({"PATH": os.environ["PATH"], "HOME": str(folder / "home")})
    chosen = programs or real
    return Machine(home=folder / "home", root=folder / "root", environ=environ, programs=chosen, platform="linux")  # type: ignore[arg-type]
