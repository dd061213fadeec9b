"""What PDF/A asks of a document beyond plain PDF: metadata said twice alike, and colours that mean something.

Written by the rules of ISO 19005-2 and -3, level B. The tests hold real files against those rules and, where it is
installed, against Apache PDFBox Preflight, which knows PDF/A-1b; not validated by veraPDF.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from html import escape

from dwtsvc.errors import BadArguments, InvalidOutput

CONFORMANCES = {"pdfa-2b": 2, "pdfa-3b": 3}  # and the part of ISO 19005
SHORTEST_SIDE = 3  # units of a page, by the limits of PDF/A
ELSEWHERE = "Write a plain PDF, or draw its pages anew with --force-ocr; Ghostscript, too, converts most PDFs."
PROFILE_VERSION = b"\x04\x20\0\0"  # the newest that PDF 1.7 knows: ICC.1:2004-10

PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
{rows}
</rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
ALTERNATIVES = '<rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a document says of itself, in its information dictionary and, as PDF/A, in its XMP packet too."""

    title: str = ""
    author: str = ""
    subject: str = ""
    keywords: str = ""
    producer: str
    created: datetime

    def info(self) -> bytes:
        """The information dictionary. Empty texts are left out."""
        texts = {
            "Title": self.title,
            "Author": self.author,
            "Subject": self.subject,
            "Keywords": self.keywords,
            "Producer": self.producer,
        }
        rows = [b"/%b %b" % (key.encode(), text_string(text)) for key, text in texts.items() if text]
        date = date_string(self.created)
        return b"<< %b /CreationDate %b /ModDate %b >>" % (b" ".join(rows), date, date)

    def xmp(self, conformance: str) -> bytes:
        """The same as an XMP packet, with the part and level of PDF/A."""
        when = self.created.isoformat(timespec="seconds")
        rows = [f"<pdfaid:part>{CONFORMANCES[conformance]}</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>"]
        rows += [f"<xmp:{name}>{when}</xmp:{name}>" for name in ("CreateDate", "ModifyDate", "MetadataDate")]
        texts = {
            "dc:title": (self.title, ALTERNATIVES),
            "dc:creator": (self.author, "<rdf:Seq><rdf:li>{}</rdf:li></rdf:Seq>"),
            "dc:description": (self.subject, ALTERNATIVES),
            "pdf:Keywords": (self.keywords, "{}"),
            "pdf:Producer": (self.producer, "{}"),
        }
        rows += [f"<{key}>{form.format(xml_text(text))}</{key}>" for key, (text, form) in texts.items() if text]
        return PACKET.format(rows="\n".join(rows)).encode()


def checked(conformance: str | None) -> str | None:
    """The conformance if there is such a one, else BadArguments."""
    if conformance is not None and conformance not in CONFORMANCES:
        raise BadArguments(f"There is no conformance '{conformance}'", hint=f"Choose from: {', '.join(CONFORMANCES)}.")
    return conformance


@functools.cache
def srgb_profile() -> bytes:
    """The ICC profile of sRGB, about 600 bytes. What is gray is measured by it too."""
    from PIL import ImageCms

    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Little CMS says version 4.4, which PDF 1.7 does not know; what it uses is all of 4.2.
    return made[:8] + min(made[8:12], PROFILE_VERSION) + made[12:]


def output_intent(profile: int) -> bytes:
    """The output intent whose profile is the object of that number."""
    return (
        b"<< /Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /Info (sRGB IEC61966-2.1) "
        b"/RegistryName (http://www.color.org) /DestOutputProfile %d 0 R >>" % profile
    )


def check_page(width: float, height: float, components: int) -> None:
    """InvalidOutput for a page that PDF/A with an sRGB output intent cannot hold; sizes in units of the page."""
    if components == 4:
        hint = "Convert it to RGB first, or write a plain PDF."
        raise InvalidOutput("A CMYK picture does not fit in PDF/A with colours of sRGB", hint=hint)
    if min(width, height) < SHORTEST_SIDE:
        raise InvalidOutput(
            f"A page of {width:g} x {height:g} points is too small for PDF/A", hint="State its true dpi."
        )


def text_string(text: str) -> bytes:
    """A text string in hexadecimal UTF-16, which needs no escapes. Lone surrogates become question marks."""
    return b"<FEFF" + text.encode("utf-16-be", "replace").hex().upper().encode() + b">"


def date_string(when: datetime) -> bytes:
    zone = when.strftime("%z") or "+0000"
    return f"(D:{when:%Y%m%d%H%M%S}{zone[:3]}'{zone[3:5]}')".encode()


def xml_text(text: str) -> str:
    """Text for XML, without the control characters that XML cannot hold."""
    clean = text.encode("utf-16", "replace").decode("utf-16")
    held = "".join(letter for letter in clean if letter >= " " or letter in "\t\n\r")
    return escape(held.translate({0xFFFE: None, 0xFFFF: None}), quote=False)
