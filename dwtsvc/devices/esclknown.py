"""What is remembered of network scanners: where each was last, and its certificate.

One small file that several workers share. A record is kept by UUID, or by "host:port" for a scanner that has none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import SplitResult, urlsplit

from dwtsvc import locks
from dwtsvc.disk import private, telling
from dwtsvc.errors import BadArguments, DriverError, NoRightToScanner
from dwtsvc.esclxml import clean
from dwtsvc.records import BadRecord, pack, unpack

MOST = 256  # records; the oldest goes first
MOST_BYTES = 1 << 20
LOCK_WITHIN = 5.0  # seconds
ROOT = "/eSCL"


def address(text: str, *, said: str | None = None) -> SplitResult:
    """A scanner's address as people write it; without a path it is /eSCL. Raises BadArguments, about what was `said`
    where that is not the whole of it."""
    try:
        parts = urlsplit(text.strip())
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
        (parts.hostname or "").encode("idna")  # what no DNS can be asked for
    except ValueError:
        fine = False
    if not fine or not text.isprintable() or " " in text.strip():
        raise BadArguments(
            f"'{clean(text if said is None else said)}' is no address of a scanner",
            hint="Write http://HOST/eSCL or https://HOST:PORT/eSCL.",
        )
    return parts._replace(path=parts.path.rstrip("/") or ROOT, query="", fragment="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`urls` are the best first; `certificate` is the SHA-256 of the one that counts, `key` that of its public key, and
    `name` the name of its announcement, each empty where there is none."""

    urls: tuple[str, ...] = ()
    certificate: str = ""
    key: str = ""
    name: str = ""


class Known:
    """The file. Raises FileAccess, DiskFull where it cannot be written, DriverError where it is damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, key: str) -> Record:
        """A scanner's record; an empty one if it is not known."""
        return self._read().get(key, Record())

    def seen(self, key: str) -> Record:
        """As `get`, by one look at the file for all keys, and an empty record where it cannot be read: whoever uses the
        scanner says so."""
        return self._looked.get(key, Record())

    @cached_property
    def _looked(self) -> dict[str, Record]:
        with contextlib.suppress(DriverError):
            return self._read()
        return {}

    def keys(self) -> list[str]:
        return list(self._read())

    def at(self, url: str) -> list[str]:
        """The scanners that were seen at an address, by their keys."""
        return [key for key, record in self._read().items() if url in record.urls]

    def forget(self, keys: Collection[str]) -> list[str]:
        """Forget scanners, with their certificates; those that were known."""
        gone = [key for key in self._read() if key in keys]
        if gone:
            with self._changing() as records:
                for key in gone:
                    records.pop(key, None)
        return gone

    def remember_urls(self, key: str, urls: tuple[str, ...], name: str = "") -> None:
        """Keep where a scanner was seen, and the name that it announces itself by, if it does."""
        held = self.get(key)
        if (held.urls, held.name) != (urls, name or held.name):
            with self._changing() as records:
                before = records.pop(key, Record())
                records[key] = replace(before, urls=urls, name=name or before.name)

    def pin(self, key: str, certificate: bytes) -> str:
        """The SHA-256 of the certificate that counts for a scanner: the first one that was seen, which is this, in DER,
        if there was none; and then each other one of the same key."""
        shown = hashlib.sha256(certificate).hexdigest()
        if self.get(key).certificate == shown:
            return shown
        public = _digest_of_key(certificate)
        with self._changing() as records:
            before = records.pop(key, Record())
            renewed = bool(public) and before.key == public
            new = renewed or not before.certificate
            records[key] = replace(before, certificate=shown, key=public) if new else before
            return records[key].certificate

    def _read(self) -> dict[str, Record]:
        try:
            with self.path.open("rb") as file:
                held = json.loads(file.read(MOST_BYTES))
            return {key: _record(value) for key, value in held.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            # Not taken for empty: every certificate would be trusted anew.
            raise DriverError(
                f"What is known of network scanners cannot be read from {self.path}",
                why=str(error),
                hint="If the file is damaged, delete it; certificates are then trusted anew.",
            ) from error

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Record]]:
        with telling(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                records = self._read()
                yield records
                part = self.path.with_name(f".{self.path.name}.part")
                kept = dict(list(records.items())[-MOST:])
                with open(part, "w", encoding="utf-8", opener=private) as file:
                    json.dump(kept, file, default=pack, indent=1)
                os.replace(part, self.path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        deadline = monotonic() + LOCK_WITHIN
        while (lock := locks.open_locked(self.path.with_suffix(".lock"))) is None:
            if monotonic() > deadline:
                raise DriverError(f"{self.path} stays locked", hint="Another dwtsvc hangs; end it.")
            sleep(0.01)
        try:
            yield
        finally:
            os.close(lock)


def _digest_of_key(certificate: bytes) -> str:
    """The SHA-256 of a certificate's public key; nothing for one that cannot be read, as those of some scanners."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        public = x509.load_der_x509_certificate(certificate).public_key()
        return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        return ""


def _record(value: object) -> Record:
    if isinstance(value, dict):
        value = {**value, "urls": value.get("urls", [])}
    try:
        return unpack(Record, value)
    except BadRecord as error:
        raise ValueError(str(error)) from error


class KnownPins:
    """The pin of one scanner in that file."""

    def __init__(self, known: Known, key: str, name: str) -> None:
        self._known, self._key, self._name = known, key, name
        self._seen = b""

    def check(self, certificate: bytes) -> None:
        self._seen = certificate
        self._compare(self._key)

    def also(self, key: str) -> None:
        """The scanner turned out to be one with a name of its own: what was seen must be that one's certificate."""
        if self._seen:
            self._compare(key)

    def _compare(self, key: str) -> None:
        held, shown = self._known.pin(key, self._seen), hashlib.sha256(self._seen).hexdigest()
        if held != shown:
            raise NoRightToScanner(
                f"{self._name} shows another certificate than before",
                why=f"SHA-256 {shown}, and not {held}",
                hint=f"If the scanner was reset or replaced, forget the old one with `dwtsvc devices remove {key}`; "
                "if not, somebody else may be answering for it.",
            )
