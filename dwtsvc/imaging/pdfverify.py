"""Whether a PDF is the one that its receipt speaks of, and on which page it is not.

A receipt beside the file covers every byte of it. One that is attached to the PDF cannot cover the file that it is a
part of: it covers the images of the pages, as the bytes that the PDF holds, and how many pages there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pikepdf

from dwtsvc.errors import BadInput, FileAccess, NothingFound
from dwtsvc.imaging import qpdf
from dwtsvc.receipt import (
    ATTACHMENT,
    LARGEST,
    Receipt,
    ReceiptFile,
    ReceiptPage,
    beside,
    count,
    describe,
    read,
    stream_digest,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was compared: `receipt` is its file or "attached"; `whole` tells whether every byte of the PDF was covered.

    `images` is how many pages have an image that was compared. Without `faults` all of it agrees.
    """

    receipt: str
    whole: bool
    pages: int
    images: int
    faults: tuple[str, ...]


def verify(path: str | os.PathLike[str], receipt: str | os.PathLike[str] | None = None, password: str = "") -> Verdict:
    """Compare a PDF with the receipt given, the one beside it, or the one inside it, in this order; any other file by
    its bytes.

    Raises NothingFound where there is none, and BadInput for a receipt that is none or was changed.
    """
    place = Path(path)
    given = Path(receipt) if receipt else beside(place)
    if receipt or given.exists():
        return _by_file(place, given, password)
    with qpdf.opened(place, password) as pdf:
        held = _attached(pdf)
        if held is None:
            hint = f"It is looked for as {given}, and inside the PDF as {ATTACHMENT}; or give --receipt FILE."
            raise NothingFound(f"There is no receipt of '{place}'", hint=hint)
        told = read(held, f"The receipt inside '{place}'")
        faults, images = _pages(told, _document(told, place.name), pdf)
        return _verdict("attached", False, len(pdf.pages), images, [*_sums(told), *faults])


def image_digests(pdf: pikepdf.Pdf) -> Iterable[str]:
    """`ReceiptPage.stream_sha256` of each page; "" for a page without an image."""
    for page in pdf.pages:
        resources: Any = page.obj.get("/Resources", {})
        drawn = resources.get("/XObject", {})
        images = [drawn[name] for name in sorted(drawn.keys()) if drawn[name].get("/Subtype") == "/Image"]
        yield stream_digest([image.read_raw_bytes() for image in images]) if images else ""


def _by_file(path: Path, receipt: Path, password: str) -> Verdict:
    told = read(_read(receipt), f"'{receipt}'")
    faults = _sums(told)
    try:
        found = describe(path)
    except OSError as error:
        raise FileAccess(f"'{path}' cannot be read", why=error.strerror or str(error)) from error
    document = _document(told, found.name, found.sha256)
    if document is None:
        names = ", ".join(file.name for file in told.files) or "none"
        return _verdict(str(receipt), True, 0, 0, [*faults, f"{found.name} is not in the receipt, which names {names}"])
    faults += _whole(told.files[document - 1], found)
    if path.suffix.lower() != ".pdf":  # a TIFF or an image: its bytes are all there is to compare
        return _verdict(str(receipt), True, 0, 0, faults)
    try:
        with qpdf.opened(path, password) as pdf:
            wrong, images = _pages(told, document, pdf)
            return _verdict(str(receipt), True, len(pdf.pages), images, [*faults, *wrong])
    except BadInput as error:
        if not faults:
            raise
        return _verdict(str(receipt), True, 0, 0, [*faults, f"the pages cannot be compared: {error}"])


def _verdict(receipt: str, whole: bool, pages: int, images: int, faults: list[str]) -> Verdict:
    return Verdict(receipt=receipt, whole=whole, pages=pages, images=images, faults=tuple(faults))


def _read(receipt: Path) -> bytes:
    try:
        with open(receipt, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise FileAccess(f"'{receipt}' cannot be read", why=error.strerror or str(error)) from error
    if len(data) > LARGEST:
        raise BadInput(f"'{receipt}' is no receipt", why=f"it has more than {LARGEST:,} bytes")
    return data


def _attached(pdf: pikepdf.Pdf) -> bytes | None:
    if ATTACHMENT not in pdf.attachments:
        return None
    held: Any = pdf.attachments[ATTACHMENT].get_file()
    return bytes(held.read_bytes())


def _document(receipt: Receipt, name: str, sha256: str = "") -> int | None:
    """Which of the receipt's documents a file is: by its name, by its bytes if it was renamed, or the only one."""
    for number, file in enumerate(receipt.files, 1):
        if file.name == name:
            return number
    for number, file in enumerate(receipt.files, 1):
        if file.sha256 == sha256:
            return number
    return 1 if len(receipt.files) == 1 or not (receipt.files or sha256) else None


def _sums(receipt: Receipt) -> list[str]:
    """What does not add up in the receipt itself."""
    told, found = receipt.counts, count(receipt.pages)
    if told.fed != told.kept + told.dropped:
        return [f"{told.fed} pages fed are not {told.kept} kept and {told.dropped} dropped"]
    if receipt.pages and told != found:
        return [f"the receipt counts {told.kept} of {told.fed} pages as kept, and lists {found.kept} of {found.fed}"]
    return []


def _whole(told: ReceiptFile, found: ReceiptFile) -> list[str]:
    if told.size != found.size:
        return [f"{found.name} has {found.size:,} bytes, the receipt says {told.size:,}"]
    return [] if told.sha256 == found.sha256 else [f"{found.name} is not what was written: its SHA-256 is another"]


def _pages(receipt: Receipt, document: int | None, pdf: pikepdf.Pdf) -> tuple[list[str], int]:
    """What is wrong with single pages, and how many images were compared."""
    kept = {page.page: page for page in receipt.pages if page.kept and page.document in (document, None)}
    there = len(pdf.pages)
    faults = []
    if receipt.pages and sorted(kept, key=str) != sorted(range(1, there + 1), key=str):
        faults.append(f"the PDF has {there} pages, the receipt says {len(kept)}")
    listed = {number: page for number, page in kept.items() if page.stream_sha256}
    found = dict(enumerate(image_digests(pdf), 1)) if listed else {}
    compared = {number: page for number, page in listed.items() if number in found}
    faults += [_differs(number, page) for number, page in compared.items() if page.stream_sha256 != found[number]]
    return faults, len(compared)


def _differs(number: int | None, page: ReceiptPage) -> str:
    return f"page {number} (fed as number {page.number}) does not have the image that was written"
