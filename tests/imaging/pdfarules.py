"""The rules of ISO 19005-2 and -3, level B, that can be looked up in a file of ours; and Apache PDFBox Preflight.

Not a validator: annotations, forms and fonts other than composite TrueType are refused instead of being judged.
Preflight is one, but of PDF/A-1b: what parts 2 and 3 allow beyond that it calls errors; `BEYOND_PART_1` lists them.
"""

from __future__ import annotations

import functools
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pikepdf
from pikepdf.models.metadata import decode_pdf_date

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
PDFAID = "{http://www.aiim.org/pdfa/ns/id/}"
KNOWN_SCHEMAS = (  # those of the standard itself; another needs a description of its own in the packet
    "http://www.aiim.org/pdfa/ns/id/",
    "http://purl.org/dc/elements/1.1/",
    "http://ns.adobe.com/xap/1.0/",
    "http://ns.adobe.com/pdf/1.3/",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "adobe:ns:meta/",
)
TEXTS = {
    "/Title": "{http://purl.org/dc/elements/1.1/}title",
    "/Author": "{http://purl.org/dc/elements/1.1/}creator",
    "/Subject": "{http://purl.org/dc/elements/1.1/}description",
    "/Keywords": "{http://ns.adobe.com/pdf/1.3/}Keywords",
    "/Producer": "{http://ns.adobe.com/pdf/1.3/}Producer",
    "/Creator": "{http://ns.adobe.com/xap/1.0/}CreatorTool",
}
DATES = {
    "/CreationDate": "{http://ns.adobe.com/xap/1.0/}CreateDate",
    "/ModDate": "{http://ns.adobe.com/xap/1.0/}ModifyDate",
}
FILTERS = {"/FlateDecode", "/DCTDecode", "/CCITTFaxDecode", "/JBIG2Decode", "/ASCIIHexDecode", "/ASCII85Decode"}
FORBIDDEN = ("/JS", "/AA", "/OPI", "/Alternates", "/FFilter", "/FDecodeParms", "/TR", "/HTP", "/PS", "/Encrypt")
NOT_JUDGED = ("/Annots", "/AcroForm", "/OCProperties", "/OpenAction", "/Perms", "/Requirements")
RELATIONS = {"/Source", "/Data", "/Alternative", "/Supplement", "/Unspecified"}
COMPONENTS = {b"RGB ": 3, b"GRAY": 1, b"CMYK": 4}
NEWEST_PROFILE = 0x0420  # the version that PDF 1.7 knows: ICC.1:2004-10
LARGEST, SMALLEST = 14400, 3  # units, of a side of a page
LONGEST_STRING, LONGEST_NAME, DEEPEST = 32767, 127, 28

JARS = ("preflight", "pdfbox2", "fontbox2", "xmpbox", "commons-io", "commons-logging", "javax.activation", "jaxb-api")
JAVA_LIBRARIES = Path("/usr/share/java")
BEYOND_PART_1 = {
    "2": {"7.11.2", "2.1.6"},  # it says that it is part 2; a colour profile of version 4
    "3": {"7.11.2", "2.1.6", "1.2.9", "1.4.7"},  # and attached files
}


def broken_rules(path: Path, part: str) -> list[str]:
    """What a file that says it is PDF/A of this part does not keep to; empty where nothing was found."""
    with pikepdf.open(path) as pdf:
        return [*_layout(path.read_bytes()), *(broken for rule in RULES for broken in rule(pdf, part))]


def _layout(data: bytes) -> Iterator[str]:
    first, _, rest = data.partition(b"\n")
    if not re.fullmatch(rb"%PDF-1\.[0-7]\r?", first):
        yield "the header is not the first line"
    if rest[:1] != b"%" or len(rest) < 5 or any(byte < 128 for byte in rest[1:5]):
        yield "no comment of four bytes above 127 after the header"
    if not re.search(rb"%%EOF(\r\n|\r|\n)?\Z", data):
        yield "something comes after the end"


def _trailer(pdf: pikepdf.Pdf, _part: str) -> Iterator[str]:
    held = pdf.trailer.get("/ID")
    if not isinstance(held, pikepdf.Array) or len(held) != 2 or not all(map(bytes, held)):
        yield "the trailer has no ID"
    if pdf.is_encrypted:
        yield "it is encrypted"


def _identification(pdf: pikepdf.Pdf, part: str) -> Iterator[str]:
    packet = _packet(pdf)
    if packet is None:
        yield "no XMP packet that is XML"
        return
    if (_said(packet, f"{PDFAID}part"), _said(packet, f"{PDFAID}conformance")) != ([part], ["B"]):
        yield f"it does not say that it is PDF/A-{part}B"
    used = {node.tag[1:].partition("}")[0] for node in packet.iter()}
    yield from (f"a schema without description: {name}" for name in sorted(used - set(KNOWN_SCHEMAS)))


def _agreement(pdf: pikepdf.Pdf, _part: str) -> Iterator[str]:
    packet = _packet(pdf)
    if packet is None:
        return
    for key, name in TEXTS.items():
        if key in pdf.docinfo and _said(packet, name) != [str(pdf.docinfo[key])]:
            yield f"{key} is not what the XMP packet says"
    for key, name in DATES.items():
        said = [decode_pdf_date(each) if each.startswith("D:") else _moment(each) for each in _said(packet, name)]
        if key in pdf.docinfo and said != [decode_pdf_date(str(pdf.docinfo[key]))]:
            yield f"{key} is not what the XMP packet says"


def _moment(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)


def _packet(pdf: pikepdf.Pdf) -> ElementTree.Element | None:
    held: Any = pdf.Root.get("/Metadata")
    if held is None or held.get("/Type") != "/Metadata" or held.get("/Subtype") != "/XML":
        return None
    try:
        return ElementTree.fromstring(held.read_bytes().decode("utf-8"))
    except (ElementTree.ParseError, UnicodeDecodeError):
        return None


def _said(packet: ElementTree.Element, name: str) -> list[str]:
    """The texts of a property, of which lists have several."""
    found = []
    for node in packet.iter(name):
        items = [item.text or "" for item in node.iter(f"{RDF}li")]
        found += items or [node.text or ""]
    return found


def _intent(pdf: pikepdf.Pdf, _part: str) -> Iterator[str]:
    intents = [each for each in pdf.Root.get("/OutputIntents", []) if each.get("/S") == "/GTS_PDFA1"]
    if len(intents) != 1 or "/DestOutputProfile" not in intents[0]:
        yield "not one output intent with a profile"
        return
    if "/OutputConditionIdentifier" not in intents[0]:
        yield "the output intent has no name"
    held = intents[0].DestOutputProfile
    profile = held.read_bytes()
    if profile[36:40] != b"acsp" or profile[12:16] not in (b"mntr", b"prtr") or len(profile) != _count(profile):
        yield "the output profile is no profile of a display or printer"
    elif COMPONENTS.get(profile[16:20]) != held.get("/N"):
        yield "the output profile has other colours than it says"
    if int.from_bytes(profile[8:10], "big") > NEWEST_PROFILE:
        yield "the output profile is newer than PDF 1.7"


def _count(profile: bytes) -> int:
    return int.from_bytes(profile[:4], "big")


def _objects(pdf: pikepdf.Pdf, _part: str) -> Iterator[str]:
    for thing in pdf.objects:
        yield from _of_value(thing)
        if isinstance(thing, pikepdf.Stream):
            yield from _of_stream(thing)


def _of_value(value: Any) -> Iterator[str]:
    if isinstance(value, pikepdf.Dictionary | pikepdf.Stream):
        yield from (f"{key} in an object" for key in (*FORBIDDEN, *NOT_JUDGED) if key in value)
        if value.get("/S") in ("/JavaScript", "/Launch", "/Sound", "/Movie", "/ResetForm", "/ImportData"):
            yield f"an action {value.S}"
        for key, inner in value.items():
            if len(key.encode()) - 1 > LONGEST_NAME:
                yield "a name is too long"
            yield from _of_direct(inner)
    elif isinstance(value, pikepdf.Array):
        for inner in value:
            yield from _of_direct(inner)


def _of_direct(value: Any) -> Iterator[str]:
    if isinstance(value, pikepdf.Object) and value.is_indirect:
        return
    if isinstance(value, int) and not -(2**31) <= value < 2**31:
        yield "a number is too large"
    elif isinstance(value, pikepdf.String) and len(bytes(value)) > LONGEST_STRING:
        yield "a string is too long"
    else:
        yield from _of_value(value)


def _of_stream(stream: pikepdf.Stream) -> Iterator[str]:
    named: Any = stream.get("/Filter", pikepdf.Array())
    filters = {str(each) for each in (named if isinstance(named, pikepdf.Array) else [named])}
    yield from (f"compressed by {name}" for name in sorted(filters - FILTERS))
    if "/F" in stream:
        yield "a stream that lies elsewhere"
    if stream.get("/Subtype") == "/Image":
        yield from _of_image(stream)
    elif stream.get("/Subtype") == "/Form" and stream.get("/Subtype2") == "/PS":
        yield "PostScript"


def _of_image(image: pikepdf.Stream) -> Iterator[str]:
    if image.get("/Interpolate"):
        yield "a picture that is smoothed"
    colours: Any = image.get("/ColorSpace", pikepdf.Name.DeviceGray)
    if isinstance(colours, pikepdf.Array) and colours[0] == "/Indexed":
        colours = colours[1]
    if colours not in ("/DeviceGray", "/DeviceRGB") and not image.get("/ImageMask"):
        yield f"a picture in colours that the output intent does not give: {colours}"
    if image.get("/BitsPerComponent", 1) not in (1, 2, 4, 8, 16):
        yield "a picture of an odd depth"


def _pages(pdf: pikepdf.Pdf, _part: str) -> Iterator[str]:
    for number, page in enumerate(pdf.pages, 1):
        left, bottom, right, top = (float(side) for side in page.mediabox)
        if not all(SMALLEST <= side <= LARGEST for side in (abs(right - left), abs(top - bottom))):
            yield f"page {number} is too small or too large"
        deep = deepest = 0
        for command in pikepdf.parse_content_stream(page):
            deep += {"q": 1, "Q": -1}.get(str(command.operator), 0)
            deepest = max(deepest, deep)
            if str(command.operator) in ("K", "k", "PS", "ri"):
                yield f"page {number} uses {command.operator}"
        if deep or deepest > DEEPEST:
            yield f"page {number} saves and restores its state unevenly"


def _fonts(pdf: pikepdf.Pdf, _part: str) -> Iterator[str]:
    for thing in pdf.objects:
        if isinstance(thing, pikepdf.Dictionary) and thing.get("/Type") == "/Font" and "/DescendantFonts" in thing:
            yield from _of_font(thing)
        elif isinstance(thing, pikepdf.Dictionary) and thing.get("/Type") == "/Font" and "/CIDSystemInfo" not in thing:
            yield f"the font {thing.get('/BaseFont')} is not judged"


def _of_font(font: Any) -> Iterator[str]:
    below = font.DescendantFonts[0]
    described = below.get("/FontDescriptor", {})
    if "/FontFile2" not in described:
        yield f"the font {font.BaseFont} is not embedded"
        return
    if not font.BaseFont == below.BaseFont == described.FontName:
        yield "the font has several names"
    if font.Encoding not in ("/Identity-H", "/Identity-V") or "/CIDToGIDMap" not in below:
        yield "codes do not lead to glyphs"
    if "/ToUnicode" not in font or b"beginbfchar" not in font.ToUnicode.read_bytes():
        yield "codes do not lead to characters"
    if "/W" in below or {int(below.get("/DW", 1000))} != set(_advances(described.FontFile2.read_bytes())):
        yield "widths are not those of the font program"


def _advances(program: bytes) -> list[int]:
    """How far each glyph of a TrueType program goes, in thousandths of the font size."""
    tables = {}
    for number in range(int.from_bytes(program[4:6], "big")):
        tag, _, offset, length = struct.unpack_from(">4sIII", program, 12 + 16 * number)
        tables[tag] = program[offset : offset + length]
    em, count = int.from_bytes(tables[b"head"][18:20], "big"), int.from_bytes(tables[b"hhea"][34:36], "big")
    return [int.from_bytes(tables[b"hmtx"][4 * n : 4 * n + 2], "big") * 1000 // em for n in range(count)]


def _transparency(pdf: pikepdf.Pdf, _part: str) -> Iterator[str]:
    """Where there is an output intent it is what colours blend in; a group must still not want others."""
    for thing in pdf.objects:
        if not isinstance(thing, pikepdf.Dictionary | pikepdf.Stream):
            continue
        group: Any = thing.get("/Group", {})
        if group and group.get("/CS", pikepdf.Name.DeviceRGB) not in ("/DeviceRGB", "/DeviceGray"):
            yield "a group blends in colours that the output intent does not give"
        if (("/SMask" in thing and thing.SMask != "/None") or group) and "/OutputIntents" not in pdf.Root:
            yield "transparency without a space to blend in"


def _attached(pdf: pikepdf.Pdf, part: str) -> Iterator[str]:
    specs = [each for each in pdf.objects if isinstance(each, pikepdf.Dictionary) and "/EF" in each]
    listed = len(pdf.attachments)
    if part == "2" and (specs or listed):
        yield "files are attached to part 2"
    if len(specs) != listed:
        yield "attached files are not all listed by name"
    associated = list(pdf.Root.get("/AF", []))
    for spec in specs:
        if "/F" not in spec or "/UF" not in spec or spec.get("/AFRelationship") not in RELATIONS:
            yield "an attached file has no names or no relation"
        file: Any = spec.EF.get("/F")
        if file is None or "/" not in str(file.get("/Subtype", ""))[1:] or "/ModDate" not in file.get("/Params", {}):
            yield "an attached file has no type or date"
        if not any(each.objgen == spec.objgen for each in associated):
            yield "an attached file belongs to nothing"


RULES: tuple[Callable[[pikepdf.Pdf, str], Iterator[str]], ...] = (
    _trailer,
    _identification,
    _agreement,
    _intent,
    _objects,
    _pages,
    _fonts,
    _transparency,
    _attached,
)


@functools.cache
def preflight_jars() -> str:
    """Where Preflight lies; empty where it does not (Debian: libpdfbox2-java libactivation-java libjaxb-api-java)."""
    jars = [JAVA_LIBRARIES / f"{name}.jar" for name in JARS]
    return ":".join(map(str, jars)) if shutil.which("java") and all(jar.exists() for jar in jars) else ""


def preflight(path: Path) -> dict[str, str]:
    """The errors that Preflight finds, by their codes."""
    program = ["java", "-cp", preflight_jars(), "org.apache.pdfbox.preflight.Validator_A1b", str(path)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100)
    assert "PDF/A-1b file" in done.stdout, done.stdout + done.stderr
    rows = re.findall(r"^\s*(\d+(?:\.\d+)*) : (.*)$", done.stdout, re.MULTILINE)
    assert rows or "is a valid" in done.stdout, done.stdout
    return dict(rows)
