"""Results go on to where they are needed: a folder, a web form, paperless-ngx, WebDAV, S3, SFTP, a program."""

from __future__ import annotations

import secrets as randomness
from datetime import UTC, datetime
from pathlib import Path

from dwtsvc.paths import Paths
from dwtsvc.secrets import Secrets
from dwtsvc.targets import named
from dwtsvc.targets.carrying import carrier
from dwtsvc.targets.parcel import Facts, Parcel, Receipt
from dwtsvc.targets.patience import Deadline, Patience, patiently
from dwtsvc.targets.target import Target, is_address, of_address

__all__ = ["Facts", "Patience", "Receipt", "Target", "is_address", "new_id", "parse", "send"]


def parse(text: str, paths: Paths) -> Target:
    """The target that a name, a URL or a path means. Raises BadArguments, BadConfiguration."""
    return of_address(text) if is_address(text) else named.target(paths, text)


def send(
    target: Target,
    file: Path,
    facts: Facts | None = None,
    *,
    secrets: Secrets,
    patience: Patience | None = None,
    id: str = "",
    name: str = "",
) -> Receipt:
    """Deliver a file and return the receipt; blocking, for at most `patience.total` seconds and one silence.

    `id` names the delivery if it was tried before, `name` what the file is called there. Raises ServiceRefused,
    BadConfiguration, BadArguments (a tag that is not there), FileAccess, DiskFull, MissingDependency.
    """
    parcel = Parcel.of(file, facts or Facts(), id or new_id(), name)
    patience = patience or Patience(total=target.timeout)
    deadline = Deadline(patience.total)
    secret = secrets.get(target.secret) if target.secret else None
    with carrier(target, secret, deadline) as carrying:
        arrival, attempts = patiently(lambda: carrying.carry(parcel), patience, deadline)
    return Receipt(
        target=target.name,
        location=arrival.location,
        id=arrival.id,
        bytes=parcel.size,
        sha256=parcel.sha256,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        attempts=attempts,
        verified=arrival.verified,
        already_there=arrival.already_there,
    )


def new_id() -> str:
    """An id for a delivery."""
    return randomness.token_hex(16)
