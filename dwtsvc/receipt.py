"""The receipt of a scan: what became of every page that was fed, in JSON beside the file or inside the PDF.

The `sha256` at its end is that of the rest, so that a receipt that was changed by accident is told from one that was
not. It is no signature: who wants to deceive can write another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from dwtsvc.errors import BadInput
from dwtsvc.records import BadRecord, plain, unpack

ATTACHMENT = "receipt.json"
SUFFIX = ".receipt.json"
LARGEST = 256 * 2**20  # bytes: a million pages
CHUNK = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFile:
    """A file that was written, by its name without folders."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptPage:
    """A side of a sheet, in the order fed, from 1.

    `document` (from 1) and `page` (from 1, in it) say where a kept page went; `reason` why it was dropped or what was
    done to it. `checksum` is the stored page's. `stream_sha256` is that of the page's image in the PDF, as the bytes
    that the PDF holds; where a page has several images, of all, in the order of their names. Of what was not measured
    there is None: dpi as measured, skew in degrees clockwise, `blur` and `blank` from 0 to 1, `confidence` of the text
    from 0 to 100.
    """

    number: int
    kept: bool
    document: int | None = None
    page: int | None = None
    reason: str = ""
    checksum: str = ""
    stream_sha256: str = ""
    width: int | None = None
    height: int | None = None
    dpi: float | None = None
    skew: float | None = None
    blur: float | None = None
    blank: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    fed: int
    kept: int
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """`dwtsvc` is the version, `created` an ISO time with its zone; `files` in the order of `ReceiptPage.document`."""

    dwtsvc: str
    created: str
    counts: Counts
    source: dict[str, Any] = field(default_factory=dict)
    files: tuple[ReceiptFile, ...] = ()
    pages: tuple[ReceiptPage, ...] = ()
    tools: dict[str, str] = field(default_factory=dict)


def count(pages: Iterable[ReceiptPage]) -> Counts:
    """The sums of pages."""
    kept = [page.kept for page in pages]
    return Counts(fed=len(kept), kept=sum(kept), dropped=len(kept) - sum(kept))


def beside(path: Path) -> Path:
    """Where the receipt of a file lies if it is not inside: `scan.receipt.json` for `scan.pdf`."""
    return path.with_name(path.stem + SUFFIX)


def describe(path: Path, name: str = "") -> ReceiptFile:
    """A file as a receipt names it. OSError is the file's own."""
    with open(path, "rb") as file:
        size, sha256 = digest(file)
    return ReceiptFile(name=name or path.name, size=size, sha256=sha256)


def digest(file: BinaryIO) -> tuple[int, str]:
    """Length and SHA-256 of what is left to read."""
    found, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        found.update(chunk)
        size += len(chunk)
    return size, found.hexdigest()


def stream_digest(streams: Sequence[bytes]) -> str:
    """`ReceiptPage.stream_sha256` of a page with these images."""
    found = hashlib.sha256()
    for stream in streams:
        found.update(stream)
    return found.hexdigest()


def write(receipt: Receipt) -> bytes:
    """The receipt as JSON, with its own checksum."""
    held = _as_values(receipt)
    return json.dumps({**held, "sha256": _checksum(held)}, indent=1, ensure_ascii=False).encode() + b"\n"


def read(data: bytes, name: str = "The receipt") -> Receipt:
    """The receipt that `write` wrote; what a later version added is passed over. BadInput for anything else."""
    try:
        held = json.loads(data)
        told = held.pop("sha256")
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
        raise BadInput(f"{name} is no receipt", why=str(error) or type(error).__name__) from error
    if told != _checksum(held):
        raise BadInput(f"{name} was changed after it was written", why="its checksum is another")
    try:
        return unpack(Receipt, _known(held))
    except BadRecord as error:
        raise BadInput(f"{name} is no receipt", why=str(error)) from error


def _as_values(receipt: Receipt) -> dict[str, Any]:
    held: dict[str, Any] = json.loads(json.dumps(receipt, default=plain))
    held["pages"] = [{name: value for name, value in page.items() if value not in (None, "")} for page in held["pages"]]
    return held


def _checksum(held: dict[str, Any]) -> str:
    """Over the values, not their layout: a receipt may be indented anew."""
    return hashlib.sha256(json.dumps(held, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _known(held: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _of(Receipt, held)
    for name, kind in (("files", ReceiptFile), ("pages", ReceiptPage)):
        if isinstance(found.get(name), list):
            found[name] = [_of(kind, each) for each in found[name]]
    if "counts" in found:
        found["counts"] = _of(Counts, found["counts"])
    return found


def _of(kind: Any, held: Any) -> Any:
    names = {each.name for each in fields(kind)}
    return {name: held[name] for name in held if name in names} if isinstance(held, dict) else held
