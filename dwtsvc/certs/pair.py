"""The files of the folder `cert`: a certificate with its key, whose they are, and how they change under readers.

A reader opens two files, one after the other, so no rename can hand it both at once. Therefore a renewal keeps the key:
whichever certificate a reader meets then belongs to the key it meets. Where a key must change (at the first start, or
when an owner brings a pair), both files are written beside the old ones first, then the key is put in its place and
after it the certificate; `settle` finishes what a crash between the two interrupted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dwtsvc.certs import authority, files
from dwtsvc.certs.authority import Certificate, Issued
from dwtsvc.config import HostCertificate
from dwtsvc.disk import part_of, sync_folder
from dwtsvc.errors import BadConfiguration, BadInput, FileAccess

CERTIFICATE = "server.pem"
KEY = "server_key.pem"
AUTHORITY = "ca.pem"
RECORD = "issued.json"
_REMEMBERED = 4


class Owner(StrEnum):
    NOBODY = "nobody"  # there is no certificate
    SERVICE = "dwtsvc"  # made here, and renewed here
    USER = "user"  # put there by a person, and never touched


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key, by path. The certificate file holds the leaf first, then what signed it."""

    certificate: Path
    key: Path

    def read(self) -> tuple[str, str]:
        """Both texts, belonging together. Raises FileAccess, and BadInput if they do not.

        Files that are being replaced right now are read again, for half a second.
        """
        for _ in range(10):
            texts = self._texts()
            if authority.matches(*texts):
                return texts
            time.sleep(0.05)
        raise BadInput(
            f"{self.certificate} and {self.key} do not belong together",
            hint="Put the key that the certificate was made for beside it: `dwtsvc cert replace CERT KEY`.",
        )

    def _texts(self) -> tuple[str, str]:
        chain, key = files.read(self.certificate), files.read(self.key)
        if chain is None or key is None:
            missing = self.certificate if chain is None else self.key
            raise FileAccess(f"{missing} is missing", hint="`dwtsvc cert status` tells what is there.")
        return chain, key

    def leaf(self) -> Certificate:
        """What the certificate says. Raises as `read`."""
        return authority.read_chain(self.read()[0])[0]


def pair_in(folder: Path) -> Pair:
    return Pair(certificate=folder / CERTIFICATE, key=folder / KEY)


def host_pairs(folder: Path, hosts: tuple[HostCertificate, ...]) -> Mapping[str, Pair]:
    """The pair of each host that the configuration names, by lower-case host; their files lie in `folder`.

    Raises BadConfiguration for a name that leads out of it. Whether the files are there is for the reader to see.
    """
    return {each.host.lower(): _host_pair(folder, each) for each in hosts}


def _host_pair(folder: Path, host: HostCertificate) -> Pair:
    for name in (host.cert_name, host.key_name):
        if not name or Path(name).name != name or "\\" in name or name.startswith("."):
            hint = f"Put the file into {folder} and give its name alone."
            raise BadConfiguration(f"[{host.host}] names '{name}', which is not a file's name", hint=hint)
    return Pair(certificate=folder / host.cert_name, key=folder / host.key_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """The fingerprints of one certificate that was made here, and of the key it was made for."""

    leaf: str
    key: str


class CertificateFolder:
    """The folder's two files and the record beside them. Changes are made under `files.locked(folder)`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pair = pair_in(path)
        self._record = path / RECORD

    def owner(self) -> Owner:
        """Whose the pair is. What has no entry in the record was not made here: then both files are a person's."""
        chain, key = files.read(self.pair.certificate), files.read(self.pair.key)
        if chain is None and (key is None or self._is_our_key(key)):
            return Owner.NOBODY
        if chain is None or not self._is_our_certificate(chain) or (key is not None and not self._is_our_key(key)):
            return Owner.USER
        return Owner.SERVICE

    def authority(self) -> Certificate | None:
        """The authority that signed the certificate made here; None if there is no such certificate."""
        chain = files.read(self.pair.certificate) if self.owner() is Owner.SERVICE else None
        return authority.read_chain(chain)[-1] if chain else None

    def key(self) -> str | None:
        """The key that the next certificate shall be made for, if there is one of ours."""
        text = files.read(self.pair.key)
        return text if text is not None and self._is_our_key(text) else None

    def keep(self, issued: Issued) -> None:
        """Put what was issued in its place. The record goes first: a crash never makes our own files look foreign."""
        leaf = authority.read_chain(issued.chain)[0]
        self._remember(Print(leaf=leaf.sha256, key=authority.key_fingerprint(issued.key)))
        self.replace(issued.chain, issued.key)
        self._copy_authority()

    def replace(self, chain: str, key: str) -> None:
        """Change the pair in the one order that `settle` can finish."""
        part = files.prepare(self.pair.certificate, chain, 0o644)
        if files.read(self.pair.key) != key:
            files.write(self.pair.key, key, 0o600)
        with files.faults(self.pair.certificate):
            part.replace(self.pair.certificate)
            sync_folder(self.path)

    def settle(self) -> None:
        """Finish a change that a crash interrupted between the key and the certificate; clear away any other."""
        part = part_of(self.pair.certificate)
        waiting, key = files.read(part), files.read(self.pair.key)
        if waiting is not None and key is not None and _belong(waiting, key):
            with files.faults(self.pair.certificate):
                part.replace(self.pair.certificate)
        files.remove(part)
        files.remove(part_of(self.pair.key))
        self._copy_authority()

    def _copy_authority(self) -> None:
        """Hold ca.pem, which is there for people to import, equal to what the chain ends in."""
        made = self.authority()
        if made is None:
            files.remove(self.path / AUTHORITY)
        elif files.read(self.path / AUTHORITY) != made.pem:
            files.write(self.path / AUTHORITY, made.pem, 0o644)

    def _is_our_certificate(self, chain: str) -> bool:
        try:
            leaf = authority.read_chain(chain)[0].sha256
        except BadInput:
            return False
        return any(each.leaf == leaf for each in self._prints())

    def _is_our_key(self, key: str) -> bool:
        try:
            found = authority.key_fingerprint(key)
        except BadInput:
            return False
        return any(each.key == found for each in self._prints())

    def _prints(self) -> list[Print]:
        """An unreadable record counts as none: then the files are taken for a person's, and left alone."""
        try:
            record = json.loads(files.read(self._record) or "[]")
            return [Print(leaf=str(each["leaf"]), key=str(each["key"])) for each in record]
        except (ValueError, TypeError, KeyError, BadInput):
            return []

    def _remember(self, made: Print) -> None:
        known = [each for each in self._prints() if each != made][1 - _REMEMBERED :]
        record = [{"leaf": each.leaf, "key": each.key} for each in (*known, made)]
        files.write(self._record, json.dumps(record, indent=1) + "\n")


def _belong(chain: str, key: str) -> bool:
    try:
        return authority.matches(chain, key)
    except BadInput:
        return False
