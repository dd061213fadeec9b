"""Pages that are read: what is asked for, checked, and what was read as a file of some format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from dwtsvc.formats import PageEncoder
from dwtsvc.imaging import ocr, textfiles
from dwtsvc.imaging.ocr import Reading
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


def searchable(look: Look, found: Found, quality: int) -> bytes:
    """A page as a PDF with its text: as it is, or as it became when it was read."""
    page, data, steps = look.page, look.read(), look.steps
    if found.picture:
        made = found.picture
        page, data, steps = replace(page, encoding=made.encoding, raster=made.raster), made.content, ()
    with parsing.memory_file() as file:
        PageEncoder("pdf", quality=quality).write(page, data, file, steps, found.text)
        file.seek(0)
        return file.read()
