"""Buffer: an ordered, editable list of pages over a PageStore; a client's image buffer, or a stored document.

Every change is noted in the owner's journal before it counts, so a buffer comes back after a crash as it was. Edits are
steps that lie beside a page: its pixels stay as they are, and `undo` gives them back byte for byte.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from dwtsvc.errors import BadArguments, UnknownItem
from dwtsvc.model import PageInfo, Step
from dwtsvc.records import pack, unpack
from dwtsvc.store import PageStore

Change = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A page in a buffer, and what lies beside it. `undone` are steps taken back, the last one first to come again."""

    id: str
    page: PageInfo
    steps: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()
    tags: tuple[str, ...] = ()
    document: str = ""


def new_id() -> str:
    """22 characters that nobody can guess."""
    return secrets.token_urlsafe(16)


class Buffer:
    """The leaves of one owner. Safe to use from several threads; a change that was told is on the disk."""

    def __init__(self, store: PageStore, owner: str) -> None:
        """Over an owner that is alive in the store. Raises BrokenSeal where its key is another one."""
        self.store, self.owner = store, owner
        self.metadata: Any = None
        self.size = 0  # bytes of all pages on the disk
        self.loaded = 0  # bytes of the files that somebody loaded since it was opened, or since it was empty
        self.touched = monotonic()
        self._leaves: list[Leaf] = []
        self._pages = {page.number: page for page in store.pages(owner, dropped=True)}
        self._next = max(self._pages, default=0) + 1
        self._lock = threading.RLock()
        for note in store.notes(owner):
            self._apply(json.loads(note))

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return tuple(self._leaves)

    def __len__(self) -> int:
        return len(self._leaves)

    def touch(self) -> None:
        """Somebody works with it: it is not idle."""
        self.touched = monotonic()

    def at(self, index: int) -> Leaf:
        """The leaf at an index from 0. Raises UnknownItem."""
        if not 0 <= index < len(self._leaves):
            raise UnknownItem("There is no such page", hint=f"The buffer has {len(self)} pages, counted from 0.")
        return self._leaves[index]

    def leaf(self, id: str) -> Leaf:
        return self._leaves[self.index(id)]

    def index(self, id: str) -> int:
        """Where a leaf stands, from 0. Raises UnknownItem."""
        for index, leaf in enumerate(self._leaves):
            if leaf.id == id:
                return index
        raise UnknownItem("There is no such page", hint="It was removed, or was never here.")

    def insert(self, page: PageInfo, at: int | None = None, *, tags: Iterable[str] = ()) -> Leaf:
        """Copy a stored page into the buffer before the leaf at an index, else at the end."""
        return self.place(lambda number: self.store.copy(page, self.owner, number), at, tags=tags)

    def place(
        self, add: Callable[[int], PageInfo], at: int | None = None, *, tags: Iterable[str] = (), id: str = ""
    ) -> Leaf:
        """Let `add` store a page under the number it is given, and show it before the leaf at an index, else last."""
        self.touch()
        with self._lock:
            number, self._next = self._next, self._next + 1
        page = add(number)
        with self._lock:
            self._pages[number] = page
            id = id or new_id()
            at = len(self._leaves) if at is None else min(max(at, 0), len(self._leaves))
            self._change({"do": "insert", "leaf": id, "page": number, "at": at, "tags": sorted(set(tags))})
        return self.leaf(id)

    def remove(self, ids: Iterable[str]) -> None:
        """Take leaves out; their pages are gone for good."""
        with self._lock:
            gone = [self.leaf(id) for id in ids]
            self._change({"do": "remove", "leaves": [leaf.id for leaf in gone]})
        for leaf in gone:
            self.store.drop(leaf.page)

    def move(self, id: str, to: int) -> None:
        """Put a leaf where the index `to` is afterwards."""
        with self._lock:
            self._change({"do": "move", "leaf": self.leaf(id).id, "to": min(max(to, 0), len(self) - 1)})

    def swap(self, first: str, second: str) -> None:
        with self._lock:
            self._change({"do": "swap", "leaves": [self.leaf(first).id, self.leaf(second).id]})

    def edit(self, id: str, *steps: Step) -> Leaf:
        """Lay steps beside a page; what was undone before cannot be done again then."""
        with self._lock:
            leaf = self.leaf(id)
            return self._beside(replace(leaf, steps=(*leaf.steps, *steps), undone=()))

    def undo(self, id: str) -> Leaf:
        """Take back the last step. Raises BadArguments where there is none."""
        with self._lock:
            leaf = self.leaf(id)
            if not leaf.steps:
                raise BadArguments("There is nothing to undo on this page")
            return self._beside(replace(leaf, steps=leaf.steps[:-1], undone=(*leaf.undone, leaf.steps[-1])))

    def redo(self, id: str) -> Leaf:
        """Do the last undone step again. Raises BadArguments where there is none."""
        with self._lock:
            leaf = self.leaf(id)
            if not leaf.undone:
                raise BadArguments("There is nothing to do again on this page")
            return self._beside(replace(leaf, steps=(*leaf.steps, leaf.undone[-1]), undone=leaf.undone[:-1]))

    def tag(self, id: str, tags: Iterable[str]) -> Leaf:
        """Give a leaf these tags, and no others."""
        with self._lock:
            return self._beside(replace(self.leaf(id), tags=tuple(sorted(set(tags)))))

    def assign(self, id: str, document: str) -> Leaf:
        """Say to which named document of its client a leaf belongs."""
        with self._lock:
            return self._beside(replace(self.leaf(id), document=document))

    def describe(self, metadata: Any) -> None:
        """Replace the metadata (JSON) wholly."""
        self._change({"do": "describe", "metadata": metadata})

    def _beside(self, leaf: Leaf) -> Leaf:
        beside = {"steps": leaf.steps, "undone": leaf.undone, "tags": leaf.tags, "document": leaf.document}
        self._change({"do": "beside", "leaf": leaf.id, **beside})
        return self.leaf(leaf.id)

    def _change(self, change: Change) -> None:
        self.touch()
        with self._lock:
            text = json.dumps(change, default=pack, separators=(",", ":"))
            self.store.note(self.owner, text)
            self._apply(json.loads(text))

    def _apply(self, change: Change) -> None:
        """One change, when it is made and when the journal is read again."""
        leaves = self._leaves
        match change["do"]:
            case "insert":
                page = self._pages[change["page"]]
                leaves.insert(change["at"], Leaf(id=change["leaf"], page=page, tags=tuple(change["tags"])))
                self.size += page.size
            case "remove":
                self.size -= sum(leaf.page.size for leaf in leaves if leaf.id in change["leaves"])
                leaves[:] = [leaf for leaf in leaves if leaf.id not in change["leaves"]]
            case "move":
                leaf = leaves.pop(self.index(change["leaf"]))
                leaves.insert(change["to"], leaf)
            case "swap":
                first, second = map(self.index, change["leaves"])
                leaves[first], leaves[second] = leaves[second], leaves[first]
            case "beside":
                at = self.index(change["leaf"])
                leaves[at] = replace(leaves[at], **_beside(change))
            case "describe":
                self.metadata = change["metadata"]


def _beside(change: Change) -> dict[str, Any]:
    steps = {name: tuple(unpack(Step, step) for step in change[name]) for name in ("steps", "undone")}
    return {**steps, "tags": tuple(change["tags"]), "document": change["document"]}
