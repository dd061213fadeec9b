"""What is in a PDF twice, byte for byte, becomes one: images, fonts, profiles, and what describes them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pikepdf

ROUNDS = 5  # fonts are equal only when what they refer to has become one
SHARED_TYPES = ("/Font", "/FontDescriptor", "/Encoding", "/ExtGState")
ALONE = ("/ObjStm", "/XRef", "/Metadata")
Key = tuple[int, int]


def share(pdf: pikepdf.Pdf) -> None:
    """Let everything refer to the first of equal objects. The others are reached no more, and saving drops them."""
    gone: set[Key] = set()
    for _ in range(ROUNDS):
        twins = _twins(pdf, gone)
        if not twins:
            break
        for holder in [*pdf.objects, pdf.trailer]:
            refer(holder, twins)
        gone |= set(twins)


def reached(pdf: pikepdf.Pdf) -> list[Any]:
    """The objects that saving keeps, each once, by their numbers."""
    found: dict[Key, Any] = {}
    waiting: list[Any] = [pdf.trailer]
    while waiting:
        for _, child in _children(waiting.pop()):
            if child.is_indirect:
                if child.objgen in found:
                    continue
                found[child.objgen] = child
            waiting.append(child)
    return [found[key] for key in sorted(found)]


def _twins(pdf: pikepdf.Pdf, gone: set[Key]) -> dict[Key, Any]:
    """For each object that is there already, the one to take instead."""
    candidates = [held for held in pdf.objects if _may_be_shared(held) and held.objgen not in gone]
    lengths = Counter(int(held.get("/Length", 0)) for held in candidates if isinstance(held, pikepdf.Stream))
    first: dict[bytes, Any] = {}
    twins: dict[Key, Any] = {}
    for held in candidates:
        if isinstance(held, pikepdf.Stream) and lengths[int(held.get("/Length", 0))] < 2:
            continue
        same = first.setdefault(_fingerprint(held), held)
        if same.objgen != held.objgen:
            twins[held.objgen] = same
    return twins


def _may_be_shared(held: Any) -> bool:
    if isinstance(held, pikepdf.Stream):
        return held.get("/Type") not in ALONE and "/StructParent" not in held
    if isinstance(held, pikepdf.Dictionary):
        return str(held.get("/Type")) in SHARED_TYPES
    # widths of fonts, and colour spaces
    return isinstance(held, pikepdf.Array) and len(held) > 0 and all(_is_plain(each) for each in held)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, pikepdf.Stream)) or str(type(value).__name__) in ("Decimal", "Name")


def _fingerprint(held: Any) -> bytes:
    if isinstance(held, pikepdf.Stream):
        described = pikepdf.Dictionary({key: value for key, value in held.stream_dict.items() if key != "/Length"})
        return b"stream" + hashlib.sha256(described.unparse() + b"\0" + held.read_raw_bytes()).digest()
    return hashlib.sha256(held.unparse(resolved=True)).digest()


def refer(holder: Any, instead: Mapping[Key, Any]) -> None:
    """Change the references in an object and in what is written inside it; None takes a reference away."""
    for key, child in _children(holder):
        if not child.is_indirect:
            refer(child, instead)
        elif child.objgen in instead:
            holder[key] = instead[child.objgen]


def _children(holder: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(holder, pikepdf.Stream):
        holder = holder.stream_dict
    if isinstance(holder, pikepdf.Dictionary):
        pairs: list[tuple[Any, Any]] = list(holder.items())
    elif isinstance(holder, pikepdf.Array):
        pairs = list(enumerate(holder))
    else:
        return
    for key, child in pairs:
        if isinstance(child, pikepdf.Object):
            yield key, child
