"""A stored document as one file: PDF or TIFF of its pages, or one page as PNG or JPEG."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

from litestar import Response
from litestar.response import Stream

from dwtsvc.buffer import Buffer, Leaf
from dwtsvc.errors import BadArguments, BadInput, InvalidOutput, UnknownItem
from dwtsvc.formats import PageEncoder
from dwtsvc.model import Mode, Step
from dwtsvc.server import saving
from dwtsvc.server.looks import Look
from dwtsvc.server.rest import finishing, sheets

DocumentType = Literal["application/pdf", "image/tiff", "image/png", "image/jpeg"]
PdfaLevel = Literal["2b", "3b"]
PdfVersion = Literal["1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7"]
TYPES = ("application/pdf", "image/tiff", "image/png", "image/jpeg")

# The protocol's numbers, and 8 of our own. There is no JBIG2 (7): no library writes it, and group 4 data wrapped as its
# MMR regions is shown with wrong pixels by Poppler 22.12.
PDF_COMPRESSIONS = {0: "auto", 2: "fax4", 3: "lzw", 5: "jpeg", 6: "jpeg2000"}
TIFF_COMPRESSIONS = {
    0: "auto", 1: "none", 2: "rle", 3: "g3", 4: "g4", 5: "lzw", 7: "jpeg", 8: "deflate", 32_773: "packbits",
}  # fmt: skip
MADE_ANEW = ("lzw", "jpeg2000")
# What the writer says in the two places where PDF/A wants it; the others come from a second hand.
PDFA_ABOUT = {"Title": "title", "Author": "author", "Subject": "subject", "Keywords": "keywords"}
BLACK_AND_WHITE = Step(name="threshold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a document's file is to be. `about` is the PDF's metadata by its own names, `page_type` its paper, `pdfa`
    the part and level of PDF/A that it is to keep to, "2b" or "3b"."""

    media_type: str
    compression: int = 0
    quality: int = 80
    page_type: int = 0
    password: str = ""
    about: dict[str, str] = field(default_factory=dict)
    version: str = ""
    pdfa: str = ""

    @property
    def one_page(self) -> bool:
        return self.media_type in ("image/png", "image/jpeg")


def leaf_of(buffer: Buffer, name: str) -> Leaf:
    """A page by its id or its index from 0. Raises UnknownItem."""
    found = next((leaf for leaf in buffer.leaves if leaf.id == name), None)
    if found is None and name.isascii() and name.isdigit() and len(name) < 10:
        leaves = buffer.leaves
        found = leaves[int(name)] if int(name) < len(leaves) else None
    if found is None:
        raise UnknownItem("There is no such page in the document", hint="Name it by its uid, or its index from 0.")
    return found


def chosen(buffer: Buffer, pages: str, wanted: Wanted) -> list[Leaf]:
    """The pages of a comma list; none is all, or the first for a file of one page. Raises UnknownItem, BadArguments."""
    named = [part.strip() for part in pages.split(",") if part.strip()]
    leaves = [leaf_of(buffer, name) for name in named] or list(buffer.leaves[: 1 if wanted.one_page else None])
    if not leaves:
        raise BadArguments("The document has no pages", hint="Insert one first.")
    if wanted.one_page and len(leaves) > 1:
        raise BadArguments(f"A file of {wanted.media_type} holds one page", hint="Name one, or take a PDF or TIFF.")
    return leaves


def looks(buffer: Buffer, leaves: Sequence[Leaf]) -> list[Look]:
    """The pages, to be read."""
    return [Look(leaf.page, sheets.reader(buffer.store, leaf.page), leaf.steps) for leaf in leaves]


def write(
    buffer: Buffer, leaves: Sequence[Leaf], wanted: Wanted, folder: Path, texts: saving.Texts = (), *, secret: bool
) -> BinaryIO:
    """The file, at its beginning; see `sheets.work_file` for where, and `saving.write` for `texts`.

    Raises BadArguments for what cannot be done.
    """
    check(wanted)
    size = sum(leaf.page.size for leaf in leaves)
    file = sheets.work_file(folder, size, secret=secret)
    try:
        prepared = [replace(leaf, steps=(*leaf.steps, *_steps(leaf, wanted))) for leaf in leaves]
        saving.write(prepared, buffer.store, _encoder(wanted), file, texts)
        file.seek(0)
        if wanted.media_type == "application/pdf":
            return _finished(file, wanted, sheets.work_file(folder, size, secret=secret))
    except InvalidOutput as error:
        file.close()
        raise BadInput(error.what, why=error.why, hint=error.hint) from error
    except BaseException:
        file.close()
        raise
    return file


def _finished(file: BinaryIO, wanted: Wanted, target: BinaryIO) -> BinaryIO:
    """The PDF with what it gets after its pages; the one of the two files that is not needed is closed."""
    try:
        about = {} if wanted.pdfa else wanted.about
        changed = finishing.finish(file, target, about, wanted.password, wanted.version, wanted.page_type)
    except BaseException:
        target.close()
        raise
    made, other = (target, file) if changed else (file, target)
    other.close()
    made.seek(0)
    return made


def check(wanted: Wanted) -> None:
    """Raises BadArguments for what cannot be done."""
    if wanted.pdfa:
        _check_pdfa(wanted)
    if wanted.media_type == "application/pdf":
        _refuse_unknown(wanted.compression, PDF_COMPRESSIONS, "A PDF")
        finishing.check(wanted.about, wanted.page_type)
    elif wanted.media_type == "image/tiff":
        _refuse_unknown(wanted.compression, TIFF_COMPRESSIONS, "A TIFF")


def _check_pdfa(wanted: Wanted) -> None:
    if wanted.media_type != "application/pdf":
        raise BadArguments("Only a PDF can be PDF/A", hint="Leave `type` or `pdfa` out.")
    lzw = PDF_COMPRESSIONS.get(wanted.compression) == "lzw"
    named = {"password": wanted.password, "version": wanted.version, "pageType": wanted.page_type, "LZW": lzw}
    said = [name for name, value in named.items() if value] + sorted(wanted.about.keys() - PDFA_ABOUT)
    if said:
        hint = "It cannot be encrypted; title, author, subject and keywords may be said."
        raise BadArguments(f"PDF/A does not go with {', '.join(said)}", hint=hint)


def _refuse_unknown(compression: int, known: dict[int, str], what: str) -> None:
    if compression not in known:
        words = ", ".join(f"{number} ({word})" for number, word in known.items())
        raise BadArguments(f"{what} cannot be compressed by {compression} here", hint=f"Choose one of: {words}.")


def _encoder(wanted: Wanted) -> PageEncoder:
    compression = TIFF_COMPRESSIONS[wanted.compression] if wanted.media_type == "image/tiff" else "auto"
    pdf = PDF_COMPRESSIONS[wanted.compression] if wanted.media_type == "application/pdf" else "auto"
    described: dict[str, Any] = {PDFA_ABOUT[name]: text for name, text in wanted.about.items()} if wanted.pdfa else {}
    return PageEncoder(
        sheets.FORMATS[wanted.media_type],
        quality=wanted.quality,
        tiff_compression=compression,
        pdf_compression=pdf if pdf in MADE_ANEW else "auto",
        conformance=f"pdfa-{wanted.pdfa}" if wanted.pdfa else None,
        **described,
    )


def _steps(leaf: Leaf, wanted: Wanted) -> tuple[Step, ...]:
    """What a compression needs of a page: fax is black and white, and JPEG is not."""
    if wanted.media_type != "application/pdf":
        return ()
    bitonal = leaf.page.raster.mode is Mode.LINEART
    if wanted.compression == 2 and not (bitonal and not leaf.steps):
        return (BLACK_AND_WHITE,)
    return (Step(name="gray"),) if wanted.compression == 5 and bitonal else ()


def answer(file: BinaryIO, media_type: str) -> Response[bytes] | Stream:
    """The file at once, or a large one in pieces; it is closed after the last.

    Pieces come without Content-Length: with it a client has all before the last message is sent, and its next request
    would come into the middle of this answer.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    if length > sheets.IN_MEMORY:
        return Stream(_pieces(file), media_type=media_type)
    with file:
        return Response(file.read(), media_type=media_type)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(saving.CHUNK):
            yield piece
