"""Pages that are read: what is asked for, checked, and what was read as a file of some format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from dwtsvc.formats import PageEncoder
from dwtsvc.imaging import ocr, textfiles
from dwtsvc.imaging.ocr import Reading
from dwtsvc.model import PageInfo, Step
from dwtsvc.server import parsing
from dwtsvc.server.looks import Ask, Found, Look

if TYPE_CHECKING:
    from dwtsvc.config import Settings

MEDIA_TYPES = {
    "json": "application/json",
    "text": "text/plain",
    "hocr": "text/vnd.hocr+html",
    "alto": "application/xml",
    "tsv": "text/tab-separated-values",
    "pdf": "application/pdf",
}


def asked(
    settings: Settings,
    languages: str = "",
    *,
    fast: bool = False,
    full: bool = False,
    psm: int | None = None,
    rotate: bool = False,
    deskew: bool = False,
) -> Ask:
    """How pages are to be read, `languages` in place of those of the settings; blank in a URL stands for its plus.

    Blocking. Raises BadArguments, and MissingDependency that tells how to install what is not there.
    """
    named = languages.strip().replace(" ", "+") or settings.language
    reading = Reading(languages=named, tessdata=settings.tessdata, fast=fast, full=full, psm=psm)
    ocr.check(reading)
    return Ask(reading=reading, rotate=rotate, deskew=deskew)


def file_of(pages: Iterable[Found], format: str) -> bytes:
    """What was read, as the text file that `dwtsvc ocr` writes."""
    name = "txt" if format == "text" else format
    return "".join(textfiles.stream(name, (each.text for each in pages if each.text))).encode()


def searchable(pages: Iterable[tuple[Look, Found]], quality: int, conformance: str | None = None) -> bytes:
    """Pages as a PDF with their text: each as it is, or as it became when it was read."""
    encoder = PageEncoder("pdf", quality=quality, conformance=conformance)
    with parsing.memory_file() as file:
        with encoder.document(file) as document:
            for look, found in pages:
                page, data, steps = _as_read(look, found)
                encoder.append(page, data, document, steps, found.text)
        file.seek(0)
        return file.read()


def _as_read(look: Look, found: Found) -> tuple[PageInfo, bytes, tuple[Step, ...]]:
    made = found.picture
    if made is None:
        return look.page, look.read(), look.steps
    return replace(look.page, encoding=made.encoding, raster=made.raster), made.content, ()
