"""What the owner agreed to, and what was done: the kinds of stores, and each place an authority was put into.

A kind, once agreed to, holds for every store of that kind, also for one that appears later. A place where an authority
was put and is no longer was cleaned by a person, and nothing puts it back but a new `install`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from dwtsvc.certs import files
from dwtsvc.certs.stores import KINDS, Store
from dwtsvc.errors import BadInput
from dwtsvc.records import BadRecord, pack, unpack

FILE = "stores.json"


@dataclass(frozen=True, slots=True)
class Place:
    """An authority of ours in a store. Written down before it is put there, `done` once it was."""

    kind: str
    where: str
    name: str
    done: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """The content of stores.json. A value: each change gives a new one, which `write` makes the file."""

    kinds: tuple[str, ...] = ()
    places: tuple[Place, ...] = field(default_factory=tuple)

    def agreed(self, store: Store) -> bool:
        return store.kind in self.kinds

    def put(self, store: Store, name: str) -> bool:
        """Whether the authority of that name was put there for sure."""
        return Place(store.kind, store.where, name, True) in self.places

    def names(self, store: Store) -> list[str]:
        """Every authority that was or may have been put there, the oldest first."""
        return [each.name for each in self.places if (each.kind, each.where) == (store.kind, store.where)]

    def agreeing(self, kind: str) -> Agreement:
        return self if kind in self.kinds else replace(self, kinds=(*self.kinds, kind))

    def refusing(self, kind: str) -> Agreement:
        return replace(self, kinds=tuple(each for each in self.kinds if each != kind))

    def with_place(self, store: Store, name: str, *, done: bool) -> Agreement:
        kept = self.without_place(store, name)
        return replace(kept, places=(*kept.places, Place(store.kind, store.where, name, done)))

    def without_place(self, store: Store, name: str) -> Agreement:
        this = (store.kind, store.where, name)
        return replace(self, places=tuple(each for each in self.places if (each.kind, each.where, each.name) != this))

    def forgetting(self, kind: str) -> Agreement:
        """Without what is known of the places of a kind."""
        return replace(self, places=tuple(each for each in self.places if each.kind != kind))


def read(folder: Path) -> Agreement:
    """What stands in the folder; nothing was agreed to where there is no file, or one that nobody can understand."""
    try:
        found = unpack(Agreement, json.loads(files.read(folder / FILE) or "{}"))
    except (ValueError, BadRecord, BadInput):
        return Agreement()
    return replace(found, kinds=tuple(each for each in found.kinds if each in KINDS))


def write(folder: Path, agreement: Agreement) -> None:
    """Raises FileAccess, DiskFull."""
    if agreement != read(folder):
        files.write(folder / FILE, json.dumps(agreement, default=pack, indent=1) + "\n")
