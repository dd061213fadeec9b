"""Edits of whole PDFs: merge, pick pages, rotate, encrypt, decrypt, metadata.

Nothing is decoded or encoded again: streams are copied as they are, so that JPEG, JPEG 2000, group 4 and JBIG2 images
come out byte for byte. What does not survive an edit is a sentence in `Edited.notes`. Memory is about once the file,
so a `LargeSource` is edited by qpdf: what is asked is checked here for both, what is done there is in `pdflarge`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pypdf
from pypdf.constants import UserAccessPermissions
from pypdf.generic import DictionaryObject, NameObject

from dwtsvc.errors import BadArguments
from dwtsvc.imaging import pdflarge
from dwtsvc.imaging.pdf import PRODUCER
from dwtsvc.imaging.pdflarge import LargeEdited, LargeSource
from dwtsvc.imaging.pdfsource import PdfSource, speaking_of

METADATA = ("title", "author", "subject", "keywords", "creator")
DATES = {"/CreationDate": "created", "/ModDate": "modified"}  # as the PDF writes them: D:20260131120000+01'00'
PERMISSIONS = {
    "print": UserAccessPermissions.PRINT | UserAccessPermissions.PRINT_TO_REPRESENTATION,
    "modify": UserAccessPermissions.MODIFY | UserAccessPermissions.ASSEMBLE_DOC,
    "copy": UserAccessPermissions.EXTRACT,  # not the bit for screen readers, which PDF 2.0 wants set always
    "annotate": UserAccessPermissions.ADD_OR_MODIFY | UserAccessPermissions.FILL_FORM_FIELDS,
}
CHOOSABLE = UserAccessPermissions(sum(PERMISSIONS.values()))
PREFIXES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "pdf": "http://ns.adobe.com/pdf/1.3/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}
HEADER = re.compile(r"%PDF-[12]\.\d")
LEAST_HEADER = "%PDF-1.4"
AES_256_HEADER = "%PDF-1.7"
PASSWORD_BYTES = 127  # what AES-256 looks at; it would ignore the rest
DOCUMENT_WIDE = {  # entries of the catalog that belong to no page, and are left behind when pages are picked
    "/StructTreeRoot": "the tags that screen readers use",
    "/PageLabels": "the page labels",
    "/OCProperties": "the layers' settings",
    "/AF": "the associated files",
    "/OutputIntents": "the colour profile of PDF/A and PDF/X",
}
NOT_BY_QPDF = {"/Outlines": "the outline", "/AcroForm": "the form's fields, which became part of the pages"}
NAME = re.compile(rb"/([^\s()<>\[\]{}/%]+)")
ESCAPE = re.compile(rb"#([0-9a-fA-F]{2})")
SIGNED = 1  # the bit of SigFlags


@dataclass(slots=True)
class Edited:
    """A PDF ready to be written; `notes` are sentences on what was mended or left behind."""

    writer: pypdf.PdfWriter
    name: str
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.writer.pages)

    def write(self, file: BinaryIO) -> None:
        """Write it whole. The sources must still be open. OSError is the file's own."""
        with speaking_of(self.name):
            self.writer.write_stream(file)


Source = PdfSource | LargeSource


def merge(parts: Sequence[tuple[Source, Sequence[int]]]) -> Edited | LargeEdited:
    """The given pages, from 0, of several PDFs one after another; title and author are the first one's.

    A page named again is a page of its own. A source may be picked from again, but open it anew for other edits: what
    its pages do not need was taken from it.
    """
    if not parts:
        raise BadArguments("There is no PDF to merge")
    large = [(source, indices) for source, indices in parts if isinstance(source, LargeSource)]
    if large and len(large) < len(parts):
        raise BadArguments("PDFs that are open in two ways cannot be merged")
    if large:
        mended = [note for source, _ in large for note in (*source.notes, *_left_behind(source))]
        return pdflarge.merge(large, list(dict.fromkeys(mended)))
    return _merge([(source, indices) for source, indices in parts if isinstance(source, PdfSource)])


def _merge(parts: Sequence[tuple[PdfSource, Sequence[int]]]) -> Edited:
    writer = pypdf.PdfWriter()
    writer.pdf_header = max(_header(source) for source, _ in parts)
    edited = Edited(writer, parts[0][0].name)
    for source, indices in parts:
        with source.working():
            edited.notes += _left_behind(source)
            _append(writer, source, indices)
    first = parts[0][0]
    with first.working():
        writer.metadata = first.reader.metadata
        _stamp(writer)
    mended = [note for source, _ in parts for note in source.notes]
    edited.notes = list(dict.fromkeys([*mended, *edited.notes]))
    return edited


def pick(source: Source, indices: Sequence[int]) -> Edited | LargeEdited:
    """The given pages in the given order. Nothing of the other pages stays in the file."""
    return merge([(source, indices)])


def split(count: int, *, every: int = 1) -> list[list[int]]:
    """The pages, from 0, of each file when there is a new one after every so many."""
    if every < 1:
        raise BadArguments(f"A file cannot have {every} pages")
    return [list(range(start, min(start + every, count))) for start in range(0, count, every)]


def rotate(source: Source, indices: Iterable[int], degrees: int) -> Edited | LargeEdited:
    """Turn pages clockwise by a multiple of 90 degrees, by their note of it: no content changes."""
    if degrees % 90:
        raise BadArguments(f"A page cannot be turned by {degrees} degrees", hint="Choose 90, 180 or 270.")
    if isinstance(source, LargeSource):
        return pdflarge.rotate(source, indices, degrees, _notes(source))
    edited = _whole(source)
    with source.working():
        for index in sorted(set(indices)):
            page = edited.writer.pages[index]
            page.rotate(_turned(page, degrees))
    return edited


def encrypt(
    source: Source, password: str, *, owner: str = "", allow: Iterable[str] = PERMISSIONS
) -> Edited | LargeEdited:
    """Encrypt with AES-256. `password` opens the PDF, and may be empty where `owner` is not; `owner` permits all.

    `allow` holds words of PERMISSIONS: what readers that obey let others do. It is no protection, only a request.
    """
    if source.encrypted:
        raise BadArguments(f"{source.name} is encrypted already", hint="Decrypt it first: dwtsvc pdf decrypt.")
    if not password and not owner:
        raise BadArguments("To encrypt a PDF needs a password")
    if max(len(secret.encode()) for secret in (password, owner)) > PASSWORD_BYTES:
        raise BadArguments(f"A password of a PDF has at most {PASSWORD_BYTES} bytes")
    words = list(allow)
    allowed = _permissions(words)
    if CHOOSABLE & ~allowed and owner in ("", password):
        hint = "Give an owner's password that differs from the one to open it."
        raise BadArguments("Whoever opens the PDF with the owner's password may do all", hint=hint)
    if isinstance(source, LargeSource):
        return pdflarge.encrypt(source, password, owner or password, words, _notes(source))
    edited = _whole(source)
    with source.working():
        edited.writer.pdf_header = max(_header(source), AES_256_HEADER)
        edited.writer.encrypt(password, owner or password, permissions_flag=allowed, algorithm="AES-256")
    return edited


def decrypt(source: Source) -> Edited | LargeEdited:
    """The same PDF without encryption. BadArguments if it has none."""
    if not source.encrypted:
        raise BadArguments(f"{source.name} is not encrypted", hint="There is nothing to do.")
    if isinstance(source, LargeSource):
        return pdflarge.whole(source, _notes(source, decrypted=True))
    return _whole(source, decrypted=True)


def set_metadata(source: Source, changes: Mapping[str, str], *, clear: bool = False) -> Edited | LargeEdited:
    """Change what METADATA names; an empty text removes. `clear` removes all that is there first, XMP included."""
    unknown = sorted(set(changes) - set(METADATA))
    if unknown:
        raise BadArguments(f"There is no metadata '{unknown[0]}'", hint=f"Choose from: {', '.join(METADATA)}.")
    if isinstance(source, LargeSource):
        return pdflarge.set_metadata(source, changes, clear, _notes(source))
    edited = _whole(source)
    with source.working():
        writer = edited.writer
        if clear:
            writer.metadata = None
            writer.xmp_metadata = None
        held: dict[str, Any] = {} if clear else {**(writer.metadata or {})}
        held.update({f"/{name.capitalize()}": text for name, text in changes.items()})
        writer.metadata = {key: value for key, value in held.items() if value != ""}
        _stamp(writer)
        edited.notes += _update_xmp(writer, changes)
        writer.compress_identical_objects(remove_duplicates=False, remove_unreferenced=True)  # what was removed is gone
    return edited


def metadata(source: PdfSource) -> dict[str, str]:
    """What the document says of itself: METADATA, producer, created and modified, where there is any."""
    with source.working():
        held: Any = source.reader.metadata or {}
        names = {**{f"/{name.capitalize()}": name for name in (*METADATA, "producer")}, **DATES}
        found = {name: held.get(key) for key, name in names.items()}
        return {name: str(value.get_object()) for name, value in found.items() if value is not None}


def _whole(source: PdfSource, *, decrypted: bool = False) -> Edited:
    """All of a document, what belongs to no page too."""
    with source.working():
        writer = pypdf.PdfWriter(clone_from=source.reader)
        writer.pdf_header = _header(source)
        notes = _changed_anyway(source, decrypted=decrypted)
    return Edited(writer, source.name, [*source.notes, *notes])


def _header(source: PdfSource) -> str:
    """The version to write: the one told by the file's first line, if it is one that there is."""
    told = source.reader.pdf_header
    return max(told, LEAST_HEADER) if HEADER.fullmatch(told) else AES_256_HEADER


def _append(writer: pypdf.PdfWriter, source: PdfSource, indices: Sequence[int]) -> None:
    some = len(set(indices)) < len(source)
    # the XFA packet holds what was typed on every page, and fits these pages only
    _dictionary(source.reader.root_object.get("/AcroForm")).pop("/XFA", None)
    run: list[int] = []  # pypdf takes a page that comes again for the same one
    for index in indices:
        if index in run:
            writer.append(source.reader, pages=run, import_outline=True)
            run = []
        if some:
            _drop_unused_images(source.reader.pages[index])
        run.append(index)
    writer.append(source.reader, pages=run, import_outline=True)


def _turned(page: Any, degrees: int) -> int:
    """The angle to turn by, from a note that may be no multiple of 90 (readers then take it for 0)."""
    return degrees % 360 - int(page.rotation) % 90


def _permissions(words: Iterable[str]) -> UserAccessPermissions:
    flags = ~CHOOSABLE & UserAccessPermissions.all()
    for word in words:
        if word not in PERMISSIONS:
            raise BadArguments(f"'{word}' is nothing to allow", hint=f"Choose from: {', '.join(PERMISSIONS)}, none.")
        flags |= PERMISSIONS[word]
    return flags


def _stamp(writer: pypdf.PdfWriter) -> None:
    writer.add_metadata({"/Producer": PRODUCER})


def _update_xmp(writer: pypdf.PdfWriter, changes: Mapping[str, str]) -> list[str]:
    """Say the same in the XMP packet, where there is one; else readers that prefer it would show the old title."""
    if "/Metadata" not in writer.root_object:
        return []
    try:
        packet = writer.xmp_metadata
        if packet is None:
            raise ValueError("no packet")
        for prefix, space in PREFIXES.items():  # pypdf writes them without, which is no XML
            packet.rdf_root.setAttribute(f"xmlns:{prefix}", space)
        if "title" in changes:
            packet.dc_title = {"x-default": changes["title"]} if changes["title"] else None
        if "author" in changes:
            packet.dc_creator = [changes["author"]] if changes["author"] else None
        if "subject" in changes:
            packet.dc_description = {"x-default": changes["subject"]} if changes["subject"] else None
        if "keywords" in changes:
            packet.pdf_keywords = changes["keywords"] or None
        if "creator" in changes:
            packet.xmp_creator_tool = changes["creator"] or None
        packet.pdf_producer = PRODUCER
        writer.xmp_metadata = packet
    except Exception as error:  # XMP is XML by anybody: what cannot be changed must not contradict
        writer.xmp_metadata = None
        return [f"the XMP metadata could not be changed and were removed: {error}"]
    return []


def _notes(source: LargeSource, *, decrypted: bool = False) -> list[str]:
    return [*source.notes, *_changed_anyway(source, decrypted=decrypted)]


def _root(source: Source) -> Any:
    """The catalog: a dictionary of pypdf or of pikepdf, whose values are read in the same way."""
    return source.pdf.Root if isinstance(source, LargeSource) else source.reader.root_object


def _changed_anyway(source: Source, *, decrypted: bool = False) -> list[str]:
    """What any rewriting changes; not told when to be `decrypted` is what was asked for."""
    notes = []
    if source.encrypted and not decrypted:
        notes.append(f"{source.name} is encrypted, the result is not")
    form = _held(_root(source).get("/AcroForm"))
    if int(form.get("/SigFlags", 0)) & SIGNED:
        notes.append(f"{source.name} is signed; the signatures do not fit the result")
    return notes


def _left_behind(source: Source) -> list[str]:
    root = _root(source)
    lost = [meaning for key, meaning in DOCUMENT_WIDE.items() if key in root]
    if "/EmbeddedFiles" in _held(root.get("/Names")):
        lost.append("the attached files")
    if "/XFA" in _held(root.get("/AcroForm")):
        lost.append("the XFA form")
    if isinstance(source, LargeSource):
        lost += [meaning for key, meaning in NOT_BY_QPDF.items() if key in root]
    notes = _changed_anyway(source)
    return [*notes, f"of {source.name} was left behind: {', '.join(lost)}"] if lost else notes


def _held(value: Any) -> Any:
    """What there is under a key, by either library; an empty dictionary for nothing."""
    held = value.get_object() if hasattr(value, "get_object") else value
    return held if hasattr(held, "get") else {}


def _drop_unused_images(page: Any) -> None:
    """Take from a page's resources what it does not draw: some programs give every page the images of all.

    Without it a page that was taken out would still carry the pages that were left out.
    """
    resources = _dictionary(page.get("/Resources"))
    held = _dictionary(resources.get("/XObject"))
    if len(held) < 2 or _draws_by_others(resources, held):
        return
    contents = page.get_contents()
    data = contents.get_data() if contents is not None else b""
    used = {b"/" + ESCAPE.sub(lambda code: bytes([int(code[1], 16)]), name) for name in NAME.findall(data)}
    kept = DictionaryObject({name: held.raw_get(name) for name in held if str(name).encode() in used})
    own = DictionaryObject({name: resources.raw_get(name) for name in resources})
    own[NameObject("/XObject")] = kept
    page[NameObject("/Resources")] = own


def _draws_by_others(resources: DictionaryObject, held: DictionaryObject) -> bool:
    """Whether something that the page draws may itself draw by the page's resources: a form or font without its own."""
    forms = (_dictionary(held[name]) for name in held)
    fonts = _dictionary(resources.get("/Font"))
    glyphs = (_dictionary(fonts[name]) for name in fonts)
    return any(each.get("/Subtype") == "/Form" and "/Resources" not in each for each in forms) or any(
        each.get("/Subtype") == "/Type3" and "/Resources" not in each for each in glyphs
    )


def _dictionary(value: Any) -> DictionaryObject:
    held = value.get_object() if value is not None else None
    return held if isinstance(held, DictionaryObject) else DictionaryObject()
