"""What a PDF gets after its pages: metadata, a paper size, a version, a password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, BinaryIO

from dwtsvc.errors import BadArguments, MissingDependency
from dwtsvc.model import MM_PER_INCH

if TYPE_CHECKING:
    from pypdf import PdfWriter

POINTS_PER_MM = 72 / MM_PER_INCH
A4, A3, LETTER, LEGAL = (210.0, 297.0), (297.0, 420.0), (215.9, 279.4), (215.9, 355.6)
PAPERS = {  # PDFW page types: each upright, then lying
    number + turned: (paper[::-1] if turned else paper)
    for number, paper in ((2, A4), (4, A3), (6, LETTER), (8, LEGAL))
    for turned in (0, 1)
}
DATES = ("CreationDate", "ModDate")
ENCRYPTION, ITS_VERSION = "AES-256", "1.7"

_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(Z|[+-]\d\d'?(?:\d\d'?)?)?")
_BOUNDS = ((1, 12), (1, 31), (0, 23), (0, 59), (0, 59))


def check(about: dict[str, str], page_type: int) -> None:
    """Raises BadArguments for a date that is none, and for a paper that is not known."""
    if page_type not in (0, *PAPERS):
        raise BadArguments(
            f"The page type {page_type} is not known here", hint=f"Choose one of: {', '.join(map(str, (0, *PAPERS)))}."
        )
    for name in DATES:
        if name in about and not _is_date(about[name]):
            raise BadArguments(f"The {name} is no date", hint="Write it as D:YYYYMMDD or D:YYYYMMDDHHmmSS.")


def _is_date(text: str) -> bool:
    match = _DATE.fullmatch(text)
    if not match:
        return False
    parts = zip(match.groups()[1:6], _BOUNDS, strict=True)
    return all(part is None or low <= int(part) <= high for part, (low, high) in parts)


def finish(
    file: BinaryIO, target: BinaryIO, about: dict[str, str], password: str, version: str, page_type: int
) -> bool:
    """Write the PDF with all that into another file; False, and nothing written, where nothing of it is asked for."""
    if not (about or password or version or page_type):
        return False
    writer = _writer(file)
    if page_type:
        for page in writer.pages:
            _put_on_paper(page, *PAPERS[page_type])
    if about:
        writer.add_metadata({f"/{name}": _value(name, text) for name, text in about.items()})
    if version or password:
        writer.pdf_header = f"%PDF-{max(version, ITS_VERSION) if password else version}"
    if password:
        writer.encrypt(password, algorithm=ENCRYPTION)
    writer.write(target)
    return True


def _writer(file: BinaryIO) -> PdfWriter:
    try:
        from pypdf import PdfWriter
    except ImportError as error:
        raise MissingDependency(
            "pypdf is not installed", why=str(error), hint="Install it: pip install pypdf"
        ) from error
    return PdfWriter(clone_from=file)


def _value(name: str, text: str) -> str:
    return text if name not in DATES or text.startswith("D:") else f"D:{text}"


def _put_on_paper(page: Any, width: float, height: float) -> None:
    """Scale a page to fit on a paper (mm) and put it in the middle."""
    from pypdf import Transformation
    from pypdf.generic import RectangleObject

    across, down = width * POINTS_PER_MM, height * POINTS_PER_MM
    scale = min(across / float(page.mediabox.width), down / float(page.mediabox.height))
    left = (across - scale * float(page.mediabox.width)) / 2
    bottom = (down - scale * float(page.mediabox.height)) / 2
    page.add_transformation(Transformation().scale(scale).translate(left, bottom))
    for box in ("mediabox", "cropbox", "trimbox", "bleedbox", "artbox"):
        setattr(page, box, RectangleObject((0, 0, across, down)))
    page.pop("/UserUnit", None)
