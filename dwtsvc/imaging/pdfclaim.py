"""Whether a PDF that is there already may be called PDF/A, and saying so.

No converter: what is allowed are pages that are pictures, in gray or RGB, with our own invisible text. For all else
there is Ghostscript.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pikepdf

from dwtsvc.errors import InvalidOutput
from dwtsvc.imaging import glyphless, pdfa

HARMLESS = {"q", "Q", "cm", "Do", "BT", "ET", "Tf", "Tm", "Td", "TD", "T*", "Tj", "TJ", "Tr", "Tz", "Tc", "Tw", "TL"}
FILTERS = {"/DCTDecode", "/CCITTFaxDecode", "/FlateDecode", "/JBIG2Decode"}
COLOURS = {"/DeviceGray": 1, "/DeviceRGB": 3}
PAGE_KEYS = {"/Annots": "notes or links", "/AA": "actions", "/Group": "transparency", "/PieceInfo": "private data"}
DOCUMENT_KEYS = {
    "/AcroForm": "a form",
    "/Names": "attached files or scripts",
    "/OpenAction": "an action for its opening",
    "/AA": "actions",
    "/OCProperties": "layers",
    "/AF": "attached files",
    "/Perms": "signatures",
    "/Requirements": "requirements",
}
DICTIONARY_XMP = {
    "title": "dc:title",
    "author": "dc:creator",
    "subject": "dc:description",
    "keywords": "pdf:Keywords",
    "producer": "pdf:Producer",
}
CLAIM = ("pdfaid:part", "pdfaid:conformance")


def declare(pdf: pikepdf.Pdf, conformance: str) -> list[str]:
    """Make the PDF one of PDF/A, which its pages must allow already; else InvalidOutput says what does not."""
    why = next(_obstacles(pdf), "")
    if why:
        raise InvalidOutput("This PDF cannot be written as PDF/A as it is", why=why, hint=pdfa.ELSEWHERE)
    profile = pdf.make_stream(pdfa.srgb_profile(), {"/N": 3})
    intent: Any = pikepdf.Object.parse(pdfa.output_intent(0).replace(b"/DestOutputProfile 0 0 R ", b""))
    intent.DestOutputProfile = profile
    pdf.Root.OutputIntents = pikepdf.Array([pdf.make_indirect(intent)])
    described = _described(pdf)
    packet = pdf.make_stream(described.xmp(conformance))
    packet.Type, packet.Subtype = pikepdf.Name.Metadata, pikepdf.Name.XML
    pdf.Root.Metadata = packet
    info: Any = pdf.make_indirect(pikepdf.Object.parse(described.info()))
    pdf.docinfo = info
    return []


def withdraw(pdf: pikepdf.Pdf, replaced: bool) -> list[str]:
    """A PDF/A whose pages were replaced by pictures is not known to be one any more: its claim goes."""
    if not replaced or "/Metadata" not in pdf.Root:
        return []
    with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as packet:
        claimed = [key for key in CLAIM if key in packet]
        for key in claimed:
            del packet[key]
    return ["the PDF was PDF/A; with other pages it does not say so any more"] if claimed else []


def as_xmp(described: Mapping[str, str]) -> dict[str, Any]:
    """Metadata by the names of XMP."""
    return {DICTIONARY_XMP[key]: [value] if key == "author" else value for key, value in described.items()}


def _described(pdf: pikepdf.Pdf) -> pdfa.Description:
    said = {name: str(pdf.docinfo.get(f"/{name.capitalize()}", "")) for name in DICTIONARY_XMP}
    return pdfa.Description(**said, created=_created(str(pdf.docinfo.get("/CreationDate", ""))))


def _created(date: str) -> datetime:
    """When the PDF says it was made, or now where it does not say so rightly."""
    try:
        return pikepdf.models.metadata.decode_pdf_date(date).astimezone()
    except ValueError:
        return datetime.now().astimezone()


def _obstacles(pdf: pikepdf.Pdf) -> Any:
    """Sentences on what is in the way, as they are found."""
    yield from (f"it has {what}" for key, what in DOCUMENT_KEYS.items() if key in pdf.Root)
    for number, page in enumerate(pdf.pages, 1):
        yield from (f"page {number} has {what}" for what in _of_page(page))


def _of_page(page: pikepdf.Page) -> Any:
    yield from (what for key, what in PAGE_KEYS.items() if key in page.obj)
    left, bottom, right, top = (float(side) for side in page.mediabox)
    if not min(right - left, top - bottom) >= pdfa.SHORTEST_SIDE:
        yield "hardly any size"
    others = set(page.resources.keys()) - {"/XObject", "/Font", "/ProcSet"}
    if others:
        yield f"resources of other kinds ({', '.join(sorted(others))})"
    fonts: Any = page.resources.get("/Font", {})
    if any(str(fonts[name].get("/BaseFont")) != f"/{glyphless.NAME}" for name in fonts.keys()):  # noqa: SIM118
        yield "fonts of its own"
    images: Any = page.resources.get("/XObject", {})
    for name in images.keys():  # noqa: SIM118
        yield from _of_image(images[name])
    used = {str(command.operator) for command in pikepdf.parse_content_stream(page)}
    if used - HARMLESS:
        yield f"more than pictures and text ({', '.join(sorted(used - HARMLESS))})"


def _of_image(image: Any) -> Any:
    if image.get("/Subtype") != "/Image":
        yield "drawings"
        return
    if any(key in image for key in ("/SMask", "/Mask", "/Alternates", "/OPI")) or image.get("/ImageMask", False):
        yield "a picture with a mask"
    if image.get("/Interpolate", False):
        yield "a picture to be smoothed"
    if str(image.get("/ColorSpace")) not in COLOURS:
        yield "a picture in other colours than gray and RGB"
    filters = image.get("/Filter")
    names = {str(name) for name in filters} if isinstance(filters, pikepdf.Array) else {str(filters)}
    if filters is not None and names - FILTERS:
        yield f"a picture compressed in another way ({', '.join(sorted(names - FILTERS))})"
