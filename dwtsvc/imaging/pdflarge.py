"""The edits of `pdfedit` on PDFs that are too large for the memory: by qpdf, which copies streams from disk to disk.

A file of 736 MB takes 36 MB of memory here, and 1.5 GB with pypdf. Below that size pypdf is the better one: it keeps
outlines and forms of pages that are picked, and reads what qpdf gives up. `pdfedit` checks what is asked and says what
is lost; here it is only done.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

from dwtsvc.imaging import qpdf
from dwtsvc.imaging.pdf import PRODUCER
from dwtsvc.imaging.pdfshare import reached, refer

if TYPE_CHECKING:
    import pikepdf

LARGE = 100_000_000  # bytes, of all that is to be held together
STAYS = {"/Type", "/Pages", "/Version", "/Extensions", "/ViewerPreferences", "/PageLayout", "/Lang"}
XMP = {
    "title": "dc:title",
    "author": "dc:creator",
    "subject": "dc:description",
    "keywords": "pdf:Keywords",
    "creator": "xmp:CreatorTool",
}
ALLOWED = {
    "print": ("print_lowres", "print_highres"),
    "modify": ("modify_other", "modify_assembly"),
    "copy": ("extract",),
    "annotate": ("modify_annotation", "modify_form"),
}


class LargeSource:
    """A PDF open for editing where it lies; `len` is its number of pages. Close it, or use it as a context.

    Opening raises what `PdfSource` raises. It may be picked from again; other edits change it: open it anew for them.
    """

    def __init__(self, source: str | os.PathLike[str], password: str | None = None) -> None:
        self.name = f"'{os.fspath(source)}'"
        self._how = source, password
        with ExitStack() as stack:
            self.pdf = stack.enter_context(qpdf.opened(source, password))
            self.notes = qpdf.notes(self.pdf, self.name)
            self.size = os.stat(source).st_size
            self.encrypted = bool(self.pdf.is_encrypted)
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.pdf.pages)

    def again(self) -> LargeSource:
        """The same PDF, opened once more."""
        return LargeSource(*self._how)

    def close(self) -> None:
        """Let go of the file; twice does no harm."""
        self._open.close()


@dataclass(slots=True)
class LargeEdited:
    """A PDF ready to be written, once, as `pdfedit.Edited`. The sources must still be open; `own` are closed then."""

    pdf: pikepdf.Pdf
    name: str
    notes: list[str]
    how: dict[str, Any] = field(default_factory=dict)
    own: Sequence[LargeSource] = ()

    def __len__(self) -> int:
        return len(self.pdf.pages)

    def write(self, file: BinaryIO) -> None:
        with qpdf.speaking_of(self.name):
            self.pdf.save(file, **{"encryption": False, **self.how})
        for source in self.own:
            source.close()


def merge(parts: Sequence[tuple[LargeSource, Sequence[int]]], notes: list[str]) -> LargeEdited:
    """A page named again is a page of its own.

    The pages are put together in the largest of the sources, for qpdf holds what comes from another in memory.
    """
    own = {id(source): source.again() for source, _ in parts}  # for what is put together here is changed
    parts = [(own[id(source)], indices) for source, indices in parts]
    first = parts[0][0]
    base = max(own.values(), key=lambda source: source.size)
    version = max(source.pdf.pdf_version for source in own.values())
    with qpdf.speaking_of(base.name):
        for source in own.values():
            _fields_to_looks(source.pdf)
        if first is not base and "/Info" in first.pdf.trailer:
            described: Any = first.pdf.make_indirect(first.pdf.trailer.Info)
            base.pdf.docinfo = cast("pikepdf.Dictionary", base.pdf.copy_foreign(described))
        _arrange(base.pdf, [source.pdf.pages[index] for source, indices in parts for index in indices])
        base.pdf.docinfo["/Producer"] = PRODUCER
    return LargeEdited(base.pdf, first.name, notes, {"min_version": version}, tuple(own.values()))


def _arrange(pdf: pikepdf.Pdf, wanted: Sequence[pikepdf.Page]) -> None:
    """Let a PDF have these pages and no others, and nothing that leads to others."""
    old = [page.obj.objgen for page in pdf.pages]
    for page in wanted:
        pdf.pages.append(page)  # one that is there already is added as a copy
    added = list(pdf.pages)[len(old) :]
    del pdf.pages[: len(old)]
    for key in set(pdf.Root.keys()) - STAYS:
        del pdf.Root[key]
    # links that led to a page lead to its copy, or nowhere
    instead: dict[tuple[int, int], Any] = dict.fromkeys(old)
    for page, copy in reversed(list(zip(wanted, added, strict=True))):
        if page.obj.is_owned_by(pdf):
            instead[page.obj.objgen] = copy.obj
    for holder in reached(pdf):
        refer(holder, instead)
    pdf.remove_unreferenced_resources()


def rotate(source: LargeSource, indices: Iterable[int], degrees: int, notes: list[str]) -> LargeEdited:
    with qpdf.speaking_of(source.name):
        for index in sorted(set(indices)):
            source.pdf.pages[index].rotate(degrees, relative=True)
    return whole(source, notes)


def encrypt(source: LargeSource, password: str, owner: str, allow: Iterable[str], notes: list[str]) -> LargeEdited:
    import pikepdf

    granted = {name for word in allow for name in ALLOWED[word]}
    rights = {name: name in granted for names in ALLOWED.values() for name in names}
    how = pikepdf.Encryption(user=password, owner=owner, R=6, allow=pikepdf.Permissions(**rights))
    return LargeEdited(source.pdf, source.name, notes, {"encryption": how})


def whole(source: LargeSource, notes: list[str]) -> LargeEdited:
    """The same PDF, without encryption."""
    return LargeEdited(source.pdf, source.name, notes)


def set_metadata(source: LargeSource, changes: Mapping[str, str], clear: bool, notes: list[str]) -> LargeEdited:
    pdf = source.pdf
    with qpdf.speaking_of(source.name):
        if clear:
            del pdf.docinfo
            _set(pdf.Root, "/Metadata", None)
        for name, text in changes.items():
            _set(pdf.docinfo, f"/{name.capitalize()}", text)
        pdf.docinfo["/Producer"] = PRODUCER
        if "/Metadata" in pdf.Root:
            _update_xmp(pdf, changes)
    return whole(source, notes)


def _update_xmp(pdf: pikepdf.Pdf, changes: Mapping[str, str]) -> None:
    with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as packet:
        for name, text in changes.items():
            value: Any = [text] if name == "author" and text else text
            _set(packet, XMP[name], value)
        packet["pdf:Producer"] = PRODUCER


def _set(held: Any, key: str, value: Any) -> None:
    if value:
        held[key] = value
    elif key in held:
        del held[key]


def _fields_to_looks(pdf: pikepdf.Pdf) -> None:
    """A form's fields lead to all other pages; what was typed into them becomes a part of the pages that show it."""
    import pikepdf

    if "/AcroForm" not in pdf.Root:
        return
    pdf.Root.AcroForm.NeedAppearances = True  # or qpdf trusts that there are some
    pdf.generate_appearance_streams()
    pdf.flatten_annotations("all")
    for page in pdf.pages:
        held: Any = page.obj.get("/Annots", [])
        rest = [each for each in held if each.get("/Subtype") != "/Widget"]
        if len(rest) < len(held):
            page.obj["/Annots"] = pikepdf.Array(rest)
