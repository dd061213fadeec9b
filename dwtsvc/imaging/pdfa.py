"""What PDF/A asks of a document beyond plain PDF: metadata said twice alike, and colours that mean something.

Written by the rules of ISO 19005-2 and -3, level B; not validated by veraPDF.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from dwtsvc.errors import BadArguments, ChildProgramFailed, InvalidOutput, MissingDependency

CONFORMANCES = {"pdfa-2b": 2, "pdfa-3b": 3}  # and the part of ISO 19005
SHORTEST_SIDE = 3  # units of a page, by the limits of PDF/A
PATIENCE = 600.0  # seconds for Ghostscript
GHOSTSCRIPT = ("gs", "gswin64c", "gswin32c")
MOST_SAID = 500  # characters of what a program complains about
BY_GHOSTSCRIPT = "Ghostscript makes PDF/A of most PDFs, but encodes pages again."

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

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


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


def by_ghostscript(source: Path, target: Path, *, timeout: float = PATIENCE) -> None:
    """Let Ghostscript write a PDF as PDF/A-2b. It makes every page anew: pictures other than JPEG are encoded again,
    and pictures that are not RGB or gray are converted.

    Raises MissingDependency without Ghostscript, ChildProgramFailed where it fails or takes longer than `timeout`
    seconds, and InvalidOutput where it gave up on PDF/A. The target is then not there.
    """
    program = next(filter(None, map(shutil.which, GHOSTSCRIPT)), None)
    if program is None:
        hint = "Install it: apt install ghostscript, dnf install ghostscript, brew install ghostscript."
        raise MissingDependency("Ghostscript is not installed", hint=hint)
    import tempfile  # with what it imports it costs a millisecond, at the start of every PDF

    with tempfile.TemporaryDirectory() as folder:
        profile, prefix = Path(folder, "srgb.icc"), Path(folder, "pdfa.ps")
        profile.write_bytes(srgb_profile())
        prefix.write_text(_prefix(profile))
        try:
            said = _converted(program, source.resolve(), target, prefix, profile, timeout)
            if "reverting to normal PDF output" in said:
                raise InvalidOutput(f"Ghostscript cannot make PDF/A of '{source}'", why=said.strip()[-MOST_SAID:])
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _converted(program: str, source: Path, target: Path, prefix: Path, profile: Path, timeout: float) -> str:
    """What Ghostscript said. It may read nothing but the PDF and what was written for it."""
    command = [program, "-dSAFER", "-dBATCH", "-dNOPAUSE", "-dQUIET", "-sDEVICE=pdfwrite", "-dPDFA=2"]
    command += ["-dPDFACompatibilityPolicy=2", "-sColorConversionStrategy=RGB", "-dPassThroughJPEGImages=true"]
    command += [f"--permit-file-read={profile}", f"-sOutputFile={os.fspath(target).replace('%', '%%')}"]
    try:
        done = subprocess.run(
            [*command, os.fspath(prefix), os.fspath(source)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise ChildProgramFailed("Ghostscript was stopped", why=f"it took longer than {timeout:g} s") from error
    said = done.stdout.decode(errors="replace")
    if done.returncode:
        raise ChildProgramFailed(f"Ghostscript cannot convert '{source}'", why=said.strip()[-MOST_SAID:])
    return said


def _prefix(profile: Path) -> str:
    """PostScript that gives the document the sRGB profile as its output intent."""
    return (
        "[/_objdef {profile} /type /stream /OBJ pdfmark\n"
        "[{profile} << /N 3 >> /PUT pdfmark\n"
        f"[{{profile}} ({profile.as_posix()}) (r) file /PUT pdfmark\n"
        "[/_objdef {intent} /type /dict /OBJ pdfmark\n"
        "[{intent} << /Type /OutputIntent /S /GTS_PDFA1 /DestOutputProfile {profile}\n"
        " /OutputConditionIdentifier (sRGB) >> /PUT pdfmark\n"
        "[{Catalog} << /OutputIntents [ {intent} ] >> /PUT pdfmark\n"
    )
