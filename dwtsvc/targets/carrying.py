"""Who brings a parcel to a target: one carrier a kind, and the way of those that know folders and names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

from dwtsvc.errors import DwtsvcError, FileAccess, ServiceRefused
from dwtsvc.redaction import escape
from dwtsvc.targets.parcel import Arrival, Parcel, numbered
from dwtsvc.targets.patience import Deadline, Transient
from dwtsvc.targets.target import Target

MOST_NAMES = 1000


class Carrier(Protocol):
    """One way to bring files to a target; used by one thread, for one delivery."""

    def carry(self, parcel: Parcel) -> Arrival:
        """One attempt. Raises Transient, Overdue, or the error that ends the delivery."""


class Shelf(Protocol):
    """A folder elsewhere. Its methods raise as a carrier does."""

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none, -1 if it does not tell."""

    def sha256(self, name: str) -> str:
        """Of a file that is there, read back in pieces."""

    def write(self, name: str, parcel: Parcel) -> None:
        """Make or replace a file."""

    def move(self, name: str, to: str) -> bool:
        """Give a file its name, replacing none; False if the name is taken."""

    def remove(self, name: str) -> None:
        """Remove a file; none is fine."""

    def location(self, name: str) -> str: ...


def carrier(target: Target, secret: str | None, deadline: Deadline) -> AbstractContextManager[Carrier]:
    """The carrier for a target. Raises MissingDependency where an extra is not installed, BadConfiguration."""
    match target.kind:
        case "folder":
            from dwtsvc.targets.folder import Folder

            return Folder(target, deadline)
        case "http":
            from dwtsvc.targets.http import Form

            return Form(target, secret, deadline)
        case "paperless":
            from dwtsvc.targets.paperless import Paperless

            return Paperless(target, secret, deadline)
        case "webdav":
            from dwtsvc.targets.webdav import WebDav

            return WebDav(target, secret, deadline)
        case "s3":
            from dwtsvc.targets.s3 import Bucket

            return Bucket(target, secret, deadline)
    from dwtsvc.targets.sftp import Sftp

    return Sftp(target, secret, deadline)


def place(shelf: Shelf, parcel: Parcel) -> Arrival:
    """Write under a hidden name, compare the size, and give the next name that is free.

    A file with the parcel's name and content counts as the delivery: the answer to an earlier attempt was lost, or
    somebody sends a file twice.
    """
    with _leaving_nothing(shelf, parcel):
        written = False
        for number in range(1, MOST_NAMES):
            name = numbered(parcel.name, number)
            there = shelf.size(name)
            if there is None:
                verified = "size" if written else _write(shelf, parcel)
                written = True
                if shelf.move(parcel.part_name, name):
                    _check_name(shelf, name, parcel)
                    return Arrival(location=shelf.location(name), verified=verified)
                there = shelf.size(name)
            if there == parcel.size and shelf.sha256(name) == parcel.sha256:
                shelf.remove(parcel.part_name)
                return Arrival(location=shelf.location(name), verified="sha256", already_there=True)
    raise no_name(parcel)


def no_name(parcel: Parcel) -> FileAccess:
    return FileAccess(f"No name is free for {parcel.name}", why=f"{MOST_NAMES} others are there", hint="Rename it.")


def refused(target: Target, why: str, hint: str = "") -> ServiceRefused:
    return ServiceRefused(f"{target.name} did not take the file", why=escape(why), hint=hint)


def _write(shelf: Shelf, parcel: Parcel) -> str:
    """Write the part; how it was verified. Raises Transient if it has another size there."""
    shelf.write(parcel.part_name, parcel)
    size = shelf.size(parcel.part_name)
    if size == -1:
        return "answer"
    if size != parcel.size:
        shelf.remove(parcel.part_name)
        why = f"{parcel.size} bytes were sent, and {size or 0} are there; its disk may be full"
        raise Transient(ServiceRefused(f"{parcel.name} did not arrive whole", why=why))
    return "size"


def _check_name(shelf: Shelf, name: str, parcel: Parcel) -> None:
    """Raise ServiceRefused if a file is not where it was moved to: some servers mistake signs in names."""
    if shelf.size(name) not in (parcel.size, -1):
        raise ServiceRefused(
            f"{name} did not get its name there",
            why="it is not found under it",
            hint="Give it a name of plain letters.",
        )


@contextmanager
def _leaving_nothing(shelf: Shelf, parcel: Parcel) -> Iterator[None]:
    """Remove the part when the delivery ends in an error. A broken connection cannot do it: the next attempt will."""
    try:
        yield
    except DwtsvcError:
        with suppress(Exception):
            shelf.remove(parcel.part_name)
        raise
