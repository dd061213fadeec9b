"""A text layer for the pages of a PDF that is there already, and which of its pages have text.

Pages stay as they are: no stream is encoded again, the layer is a small stream before the others. Pages can also be
turned, freed of invisible text, or replaced by an image.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pikepdf

from dwtsvc.errors import BadArguments, BadInput, DwtsvcError, Encrypted, FileAccess, WrongPassword
from dwtsvc.imaging import pdfa, pdfclaim
from dwtsvc.imaging.grafting import Donor, PageImage
from dwtsvc.imaging.invisible import Stripper
from dwtsvc.imaging.pdf import PRODUCER
from dwtsvc.imaging.pdftexts import UNSEEN, shown_modes
from dwtsvc.text import Text

__all__ = ["Overlaid", "PageImage", "add_text", "has_text", "visible_text"]

MOST_NOTES = 5
SIGNED = 1  # the bit of SigFlags
LEAST_VERSION = "1.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaid:
    """What was done, by page index from 0; `notes` are sentences on what was mended or could not be kept."""

    texts: tuple[int, ...] = ()
    stripped: tuple[int, ...] = ()
    images: tuple[int, ...] = ()
    rotated: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def add_text(
    source: Path | bytes,
    target: BinaryIO | Path,
    texts: Mapping[int, Text],
    *,
    replace: Collection[int] = frozenset(),
    images: Mapping[int, PageImage] | None = None,
    rotate: Mapping[int, int] | None = None,
    title: str | None = None,
    author: str | None = None,
    subject: str | None = None,
    keywords: str | None = None,
    conformance: str | None = None,
    password: str | None = None,
) -> Overlaid:
    """Write the source with texts on its pages, which count from 0, to the target, which must be another file.

    A text's boxes are in pixels of the page as PDFium shows it, after it was turned by `rotate` (degrees clockwise,
    added to what the page says) or replaced by one of `images`. Out of pages in `replace` invisible text is taken
    first. Images are asked for one after another, but held compressed until the target is written; where every page is
    replaced, a `PdfWriter` needs no such memory. Metadata that is None stays as it is.

    Raises Encrypted, WrongPassword, BadInput and FileAccess for the source, BadArguments for pages that there are not,
    and InvalidOutput where a conformance is asked for that the pages do not allow. OSError is the target's own.
    """
    images, rotate = images or {}, rotate or {}
    pdfa.checked(conformance)
    with _opened(source, password) as (pdf, name), tempfile.TemporaryFile() as file:
        _check(len(pdf.pages), {*texts, *replace, *images, *rotate}, {*images} & {*rotate}, rotate.values())
        with contextlib.closing(Donor(file, texts, images)) as donor, _speaking_of(name):
            for index in sorted(images):
                donor.replace(pdf, index)
            for index, degrees in rotate.items():
                pdf.pages[index].rotate(degrees, relative=True)
            stripper = Stripper(pdf)
            stripped = [index for index in sorted({*replace} - {*images}) if stripper.strip(pdf.pages[index])]
            texted = [index for index in sorted(texts) if _texted(donor, pdf, index, index in images, texts[index])]
            said = {"title": title, "author": author, "subject": subject, "keywords": keywords}
            notes = _describe(pdf, {key: value for key, value in said.items() if value is not None})
            notes += pdfclaim.declare(pdf, conformance) if conformance else pdfclaim.withdraw(pdf, bool(images))
            _save(pdf, target, conformance)
        notes = [*_notes(pdf, name), *notes]
    return Overlaid(
        texts=tuple(texted),
        stripped=tuple(stripped),
        images=tuple(sorted(images)),
        rotated=tuple(sorted(rotate)),
        notes=tuple(notes),
    )


def has_text(source: Path | bytes, password: str | None = None) -> list[bool]:
    """For each page, whether it carries any text, visible or not. Errors as of `add_text` for the source."""
    return _of_pages(source, password, lambda modes: any(True for _ in modes))


def visible_text(source: Path | bytes, password: str | None = None) -> list[bool]:
    """For each page, whether text is drawn on it to be seen, as on pages that were made by a program."""
    return _of_pages(source, password, lambda modes: any(mode not in UNSEEN for mode in modes))


def _of_pages(source: Path | bytes, password: str | None, told: Callable[[Iterator[int]], bool]) -> list[bool]:
    with _opened(source, password) as (pdf, name), _speaking_of(name):
        return [told(shown_modes(page)) for page in pdf.pages]


def _texted(donor: Donor, pdf: pikepdf.Pdf, index: int, replaced: bool, text: Text) -> bool:
    return bool(text.words) if replaced else donor.layer(pdf, index)


def _check(count: int, named: Collection[int], twice: Collection[int], turns: Collection[int]) -> None:
    missing = [index for index in named if not 0 <= index < count]
    if missing:
        raise BadArguments(f"There is no page {min(missing) + 1}", why=f"the PDF has {count}")
    if twice:
        raise BadArguments(f"Page {min(twice) + 1} cannot be replaced and turned", hint="Turn the picture itself.")
    if any(turn % 90 for turn in turns):
        raise BadArguments("Pages can be turned by 90, 180 and 270 degrees only")


@contextlib.contextmanager
def _opened(source: Path | bytes, password: str | None) -> Iterator[tuple[pikepdf.Pdf, str]]:
    name = "The PDF" if isinstance(source, bytes) else f"'{source}'"
    try:
        with _speaking_of(name, password):
            pdf = pikepdf.open(io.BytesIO(source) if isinstance(source, bytes) else source, password=password or "")
    except OSError as error:
        raise FileAccess(f"{name} cannot be read", why=error.strerror or str(error)) from error
    with pdf:
        if not len(pdf.pages):
            raise BadInput(f"{name} has no pages")
        yield pdf, name


@contextlib.contextmanager
def _speaking_of(name: str, password: str | None = None) -> Iterator[None]:
    """What pikepdf raises as our errors; on broken files it raises nearly anything, from KeyError to recursion."""
    try:
        yield
    except (DwtsvcError, OSError, MemoryError):
        raise
    except pikepdf.PasswordError as error:
        if password:
            raise WrongPassword(f"The password does not open {name}") from error
        raise Encrypted(f"{name} is encrypted", hint="Give its password.") from error
    except Exception as error:
        raise BadInput(f"{name} is no PDF that can be read", why=str(error) or type(error).__name__) from error


def _notes(pdf: pikepdf.Pdf, name: str) -> list[str]:
    notes = [f"{name} is damaged and was mended: {warning}" for warning in dict.fromkeys(pdf.get_warnings())]
    if len(notes) > MOST_NOTES:
        notes[MOST_NOTES:] = [f"{name} is damaged in {len(notes) - MOST_NOTES} more places"]
    if pdf.is_encrypted:
        notes.append(f"{name} is encrypted, the result is not")
    form: Any = pdf.Root.get("/AcroForm", {})
    if int(form.get("/SigFlags", 0)) & SIGNED:
        notes.append(f"{name} is signed; the signatures do not fit the result")
    return notes


def _describe(pdf: pikepdf.Pdf, changes: Mapping[str, str]) -> list[str]:
    """Change what the PDF says of itself, in its XMP packet too where there is one."""
    for key, value in {**changes, "producer": PRODUCER}.items():
        pdf.docinfo[f"/{key.capitalize()}"] = value
    if "/Metadata" not in pdf.Root:
        return []
    try:
        with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False, strict=True) as packet:
            for key, value in pdfclaim.as_xmp({**changes, "producer": PRODUCER}).items():
                packet[key] = value
    except Exception as error:  # XMP is XML by anybody: what cannot be changed must not contradict
        del pdf.Root.Metadata
        return [f"the XMP metadata could not be changed and were removed: {error}"]
    return []


def _save(pdf: pikepdf.Pdf, target: BinaryIO | Path, conformance: str | None) -> None:
    """Streams as they are: qpdf would else unpack and pack those of old kinds."""
    version = {"force_version": "1.7"} if conformance else {"min_version": LEAST_VERSION}
    pdf.save(target, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none, **version)  # type: ignore[arg-type]
