"""Classic methods on the image buffer: count, look, move, remove, select, tags, named documents."""

from __future__ import annotations

from typing import Any

import msgspec

from dwtsvc.buffer import Leaf
from dwtsvc.errors import BadArguments
from dwtsvc.server.classic.client import Client, size_of
from dwtsvc.server.classic.methods import Group, Index, Indices, Nothing, Result
from dwtsvc.server.gate.access import Access

METHODS = Group()
LONGEST_NAME = 128


class FromTo(msgspec.Struct, frozen=True):
    source: int
    target: int


class Tag(msgspec.Struct, frozen=True):
    tag: str
    indices: list[int] | None = None


class Renamed(msgspec.Struct, frozen=True):
    name: str
    to: str


class Named(msgspec.Struct, frozen=True):
    name: str


class ToDocument(msgspec.Struct, frozen=True):
    name: str
    indices: list[int] | None = None


class Id(msgspec.Struct, frozen=True):
    id: str


@METHODS.method("HowManyImagesInBuffer", Access.READ, Nothing)
def count(client: Client, _: Nothing) -> Result:
    """How many images the page sees."""
    return [len(client.leaves)]


@METHODS.method("GetImages", Access.READ, Indices)
def look(client: Client, wants: Indices) -> Result:
    """The images with id, size in pixels, dpi, bit depth, bytes on disk, tags, steps and URL; all without `indices`."""
    leaves = client.leaves
    places = {leaf.id: place for place, leaf in enumerate(client.buffer.leaves)}
    chosen = range(len(leaves)) if wants.indices is None else wants.indices
    named = leaves if wants.indices is None else client.named(wants.indices)
    return [_shown(client, leaf, index, places.get(leaf.id, -1)) for index, leaf in zip(chosen, named, strict=True)]


def _shown(client: Client, leaf: Leaf, index: int, place: int) -> dict[str, Any]:
    raster = leaf.page.raster
    width, height, dpi = size_of(leaf)
    return {
        "id": leaf.id,
        "index": index,
        "width": width,
        "height": height,
        "dpi": dpi,
        "bitDepth": raster.channels * raster.depth,
        "size": leaf.page.size,
        "tags": leaf.tags,
        "steps": [{"name": step.name, "values": step.values} for step in leaf.steps],
        "url": client.service.image_url(client.bucket, client.id, place, leaf.id),
    }


@METHODS.method("IndexToImageID", Access.READ, Index)
def id_of(client: Client, wants: Index) -> Result:
    """The id of the image at an index; it stays the same wherever the image is moved to."""
    return [client.leaf(wants.index).id]


@METHODS.method("ImageIDToIndex", Access.READ, Id)
def index_of(client: Client, wants: Id) -> Result:
    """Where the image with this id stands, -1 if the page does not see it."""
    ids = [leaf.id for leaf in client.leaves]
    return [ids.index(wants.id) if wants.id in ids else -1]


@METHODS.method("CurrentImageIndexInBuffer", Access.READ, Nothing)
def current(client: Client, _: Nothing) -> Result:
    """The index of the current image, -1 without images."""
    return [client.current_index]


@METHODS.method("SetCurrentImageIndexInBuffer", Access.EDIT, Index)
def set_current(client: Client, wants: Index) -> Result:
    """Make an image the current one."""
    client.current = client.leaf(wants.index).id
    return [wants.index]


@METHODS.method("RemoveImages", Access.EDIT, Indices)
def remove(client: Client, wants: Indices) -> Result:
    """Remove images for good."""
    client.buffer.remove([leaf.id for leaf in client.chosen(wants.indices)])
    return [True]


@METHODS.method("RemoveAllImages", Access.EDIT, Nothing)
def remove_all(client: Client, _: Nothing) -> Result:
    """Remove all images that the page sees, for good."""
    client.buffer.remove([leaf.id for leaf in client.leaves])
    return [True]


@METHODS.method("MoveImage", Access.EDIT, FromTo)
def move(client: Client, wants: FromTo) -> Result:
    """Put the image at `source` where the one at `target` is."""
    client.buffer.move(client.leaf(wants.source).id, client.buffer.index(client.leaf(wants.target).id))
    return [True]


@METHODS.method("SwitchImage", Access.EDIT, FromTo)
def switch(client: Client, wants: FromTo) -> Result:
    """Exchange two images."""
    client.buffer.swap(client.leaf(wants.source).id, client.leaf(wants.target).id)
    return [True]


@METHODS.method("SelectImages", Access.EDIT, Indices)
def select(client: Client, wants: Indices) -> Result:
    """Select these images and no others; none without `indices`."""
    client.selected = [leaf.id for leaf in client.named(wants.indices or ())]
    return [wants.indices or []]


@METHODS.method("SelectAllImages", Access.EDIT, Nothing)
def select_all(client: Client, _: Nothing) -> Result:
    """Select every image that the page sees."""
    client.selected = [leaf.id for leaf in client.leaves]
    return [list(range(len(client.selected)))]


@METHODS.method("GetSelectedImages", Access.READ, Nothing)
def selected(client: Client, _: Nothing) -> Result:
    """The indices of the selected images, in the order of selection."""
    ids = [leaf.id for leaf in client.leaves]
    return [[ids.index(id) for id in client.selected if id in ids]]


@METHODS.method("TagImages", Access.EDIT, Tag)
def tag(client: Client, wants: Tag) -> Result:
    """Give images one more tag."""
    name = _name(wants.tag)
    for leaf in client.chosen(wants.indices):
        client.buffer.tag(leaf.id, (*leaf.tags, name))
    return [True]


@METHODS.method("RemoveTag", Access.EDIT, Tag)
def untag(client: Client, wants: Tag) -> Result:
    """Take a tag from images; from all without `indices`."""
    leaves = client.buffer.leaves if wants.indices is None else client.chosen(wants.indices)
    for leaf in leaves:
        if wants.tag in leaf.tags:
            client.buffer.tag(leaf.id, [each for each in leaf.tags if each != wants.tag])
    return [True]


@METHODS.method("RenameTag", Access.EDIT, Renamed)
def rename_tag(client: Client, wants: Renamed) -> Result:
    """Call a tag something else, on all images."""
    name = _name(wants.to)
    for leaf in client.buffer.leaves:
        if wants.name in leaf.tags:
            client.buffer.tag(leaf.id, [name if each == wants.name else each for each in leaf.tags])
    client.filter = name if client.filter == wants.name else client.filter
    return [True]


@METHODS.method("GetTagList", Access.READ, Nothing)
def tags(client: Client, _: Nothing) -> Result:
    """Every tag with the ids of its images."""
    found: dict[str, list[str]] = {}
    for leaf in client.buffer.leaves:
        for name in leaf.tags:
            found.setdefault(name, []).append(leaf.id)
    return [{"name": name, "imageIds": ids} for name, ids in found.items()]


@METHODS.method("SetDefaultTag", Access.EDIT, Named)
def default_tag(client: Client, wants: Named) -> Result:
    """Tag new images with this; with nothing if it is empty."""
    client.default_tag = _name(wants.name) if wants.name else ""
    return [True]


@METHODS.method("FilterImagesByTag", Access.READ, Named)
def filter_by(client: Client, wants: Named) -> Result:
    """From now on the page sees the images with this tag only; how many they are."""
    client.filter = wants.name
    return [len(client.leaves)]


@METHODS.method("ClearFilter", Access.READ, Nothing)
def clear_filter(client: Client, _: Nothing) -> Result:
    """From now on the page sees all images of the open document again."""
    client.filter = ""
    return [len(client.leaves)]


@METHODS.method("CreateDocument", Access.EDIT, Named)
def create_document(client: Client, wants: Named) -> Result:
    """Make an empty document of this name. The images that belong to none are the document with the empty name."""
    name = _name(wants.name)
    if name in _documents(client):
        raise BadArguments("There is a document of that name")
    client.documents.append(name)
    return [True]


@METHODS.method("OpenDocument", Access.READ, Named)
def open_document(client: Client, wants: Named) -> Result:
    """From now on the page sees the images of this document; how many they are."""
    client.document, client.filter, client.selected = _known(client, wants.name), "", []
    return [len(client.leaves)]


@METHODS.method("RenameDocument", Access.EDIT, Renamed)
def rename_document(client: Client, wants: Renamed) -> Result:
    """Give a document another name."""
    old, new = _known(client, wants.name), _name(wants.to)
    if new in _documents(client):
        raise BadArguments("There is a document of that name")
    for leaf in client.buffer.leaves:
        if leaf.document == old:
            client.buffer.assign(leaf.id, new)
    client.documents = [new if each == old else each for each in client.documents]
    client.document = new if client.document == old else client.document
    return [True]


@METHODS.method("RemoveDocument", Access.EDIT, Named)
def remove_document(client: Client, wants: Named) -> Result:
    """Remove a document and its images, for good."""
    name = _known(client, wants.name)
    client.buffer.remove([leaf.id for leaf in client.buffer.leaves if leaf.document == name])
    client.documents = [each for each in client.documents if each != name]
    client.document = "" if client.document == name else client.document
    return [True]


@METHODS.method("GetDocumentInfoList", Access.READ, Nothing)
def documents(client: Client, _: Nothing) -> Result:
    """Every document with the ids of its images."""
    leaves = client.buffer.leaves
    return [
        {"name": name, "imageIds": [leaf.id for leaf in leaves if leaf.document == name]} for name in _documents(client)
    ]


@METHODS.method("CopyToDocument", Access.EDIT, ToDocument)
def copy_to(client: Client, wants: ToDocument) -> Result:
    """Copy images with their edits into another document; the ids of the copies."""
    name, copies = _known(client, wants.name), []
    for leaf in client.chosen(wants.indices):
        copy = client.buffer.insert(leaf.page, tags=leaf.tags)
        client.buffer.edit(copy.id, *leaf.steps)
        copies.append(client.buffer.assign(copy.id, name).id)
    return [copies]


@METHODS.method("MoveToDocument", Access.EDIT, ToDocument)
def move_to(client: Client, wants: ToDocument) -> Result:
    """Move images into another document."""
    name = _known(client, wants.name)
    for leaf in client.chosen(wants.indices):
        client.buffer.assign(leaf.id, name)
    return [True]


def _documents(client: Client) -> list[str]:
    """The names there are: the nameless first, then those of images, then those that were made empty."""
    named = [leaf.document for leaf in client.buffer.leaves if leaf.document]
    return list(dict.fromkeys(["", *named, *client.documents]))


def _known(client: Client, name: str) -> str:
    if name not in _documents(client):
        raise BadArguments("There is no document of that name", hint="GetDocumentInfoList names them.")
    return name


def _name(text: str) -> str:
    if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
        raise BadArguments(f"A name has 1 to {LONGEST_NAME} printable characters")
    return text
