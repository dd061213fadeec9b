"""What a page of the classic protocol sees: its image buffer, what it selected, its filter, its device."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dwtsvc.buffer import Buffer, Leaf
from dwtsvc.errors import BadArguments, UnknownItem
from dwtsvc.imaging import edit
from dwtsvc.model import Step
from dwtsvc.server.gate.access import Caller

if TYPE_CHECKING:
    from dwtsvc.server.holdings import Held
    from dwtsvc.server.service import Service

REMEMBERED = 256  # pages whose selection is kept; the images themselves are on the disk


@dataclass(slots=True)
class Client:
    """One page by its bucket and its own id. The buffer survives everything; the rest lives as long as the service."""

    service: Service
    caller: Caller
    id: str
    device: str = ""
    selected: list[str] = field(default_factory=list)
    current: str = ""
    default_tag: str = ""
    filter: str = ""
    document: str = ""
    documents: list[str] = field(default_factory=list)
    held: Held | None = None

    @property
    def bucket(self) -> str:
        return self.caller.bucket

    @property
    def foreign(self) -> bool:
        """Whether it is a web site, whose quotas bind."""
        return self.caller.kind == "origin"

    @property
    def buffer(self) -> Buffer:
        return self.service.holdings.buffer(self.bucket, self.id)

    @property
    def leaves(self) -> list[Leaf]:
        """The images of the open document that the filter lets through, in order."""
        mine = (leaf for leaf in self.buffer.leaves if leaf.document == self.document)
        return [leaf for leaf in mine if not self.filter or self.filter in leaf.tags]

    def leaf(self, index: int) -> Leaf:
        """The image at an index of what the page sees. Raises UnknownItem."""
        leaves = self.leaves
        if not 0 <= index < len(leaves):
            raise UnknownItem("There is no such image", hint=f"The page sees {len(leaves)} images, counted from 0.")
        return leaves[index]

    def chosen(self, indices: Sequence[int] | None) -> list[Leaf]:
        """The images at these indices; without any, the selected ones, else the current one."""
        if indices is not None:
            return self.named(indices)
        leaves = {leaf.id: leaf for leaf in self.leaves}
        picked = [leaves[id] for id in self.selected if id in leaves]
        return picked or [self.leaf(self.current_index)]

    def named(self, indices: Sequence[int]) -> list[Leaf]:
        """The images at these indices. Raises UnknownItem, and BadArguments for more than there are: one request
        must not be the work of a million."""
        leaves = self.leaves
        found = [leaves[index] if 0 <= index < len(leaves) else self.leaf(index) for index in indices]
        if len(found) > len(leaves):
            raise BadArguments("More images are named than there are")
        return found

    @property
    def current_index(self) -> int:
        """Where the current image stands; the first if there is none, -1 without images."""
        ids = [leaf.id for leaf in self.leaves]
        return ids.index(self.current) if self.current in ids else min(0, len(ids) - 1)

    def content(self, leaf: Leaf) -> bytes:
        """The bytes of an image as it was scanned or loaded. Raises PageDamaged."""
        with self.buffer.store.reading(leaf.page) as data:
            return bytes(data)

    def place_of(self, index: int | None) -> int | None:
        """Where in the whole buffer an image must be inserted to stand at `index` of what the page sees."""
        leaves = self.leaves
        if index is None or not 0 <= index < len(leaves):
            return None
        return self.buffer.index(leaves[index].id)

    def tags(self) -> list[str]:
        """What new images are tagged with."""
        return [self.default_tag] if self.default_tag else []

    def adopt(self, leaf: Leaf) -> Leaf:
        """A new image becomes the current one, and part of the open document."""
        self.current = leaf.id
        return self.buffer.assign(leaf.id, self.document) if self.document else leaf

    def change(self, leaf: Leaf, *steps: Step) -> None:
        """Lay steps beside an image, if they can be done. Raises BadArguments or TooLarge."""
        size_of(leaf, *steps)
        self.buffer.edit(leaf.id, *steps)


def size_of(leaf: Leaf, *more: Step) -> tuple[int, int, float]:
    """Width and height in pixels and dpi of an image with its edits, and more of them. Raises as `edit.size_after`."""
    raster = leaf.page.raster
    return edit.size_after((*leaf.steps, *more), raster.width, raster.height or 1, raster.dpi)


class Clients:
    """The pages that were heard of lately. Safe to use from several threads."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], Client] = OrderedDict()

    def find(self, caller: Caller, id: str) -> Client:
        key = caller.bucket, id
        with self._lock:
            client = self._known.setdefault(key, Client(self._service, caller, id))
            client.caller = caller  # a site may have got another consent meanwhile
            self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return client
