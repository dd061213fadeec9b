"""How `dwtsvc pdf split` and `images` take a PDF apart: many files out of one, made by one child with limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dwtsvc.errors import NothingFound
from dwtsvc.imaging import pdfwork
from dwtsvc.imaging.pdfwork import Locked, Place
from dwtsvc.parts import PartFile
from dwtsvc_cli import output
from dwtsvc_cli.pdfchild import PdfChild
from dwtsvc_cli.pdffiles import Target, finishing, pattern_of, tell_notes


def split(pdf: Path, password: str | None, every: int, target: Target) -> None:
    name = target.output or ""
    names, pattern = target.names(name), pattern_of(name)
    with PdfChild([pdf]) as child:
        chunks, source = child.read(pdfwork.chunks, pdf, password, every)
        target.refuse_taken([pattern.path(number) for number in range(1, len(chunks) + 1)])
        told: set[str] = set()
        for chunk in chunks:
            _write_chunk(child, source, chunk, target, names.reserve(), told)


def _write_chunk(
    child: PdfChild, source: Locked, chunk: list[int], target: Target, part: PartFile, told: set[str]
) -> None:
    written = target.write(lambda place: child.call(pdfwork.write_chunk, source, chunk, place), part, told)
    told.update(written.notes)


def images(pdf: Path, password: str | None, pages: str, target: Target | None, json: bool) -> None:
    """List them, or write them as files. Raises NothingFound where there is no image."""
    with PdfChild([pdf]) as child:
        (found, notes), source = child.read(pdfwork.pictures, pdf, password, pages)
        tell_notes(notes)
        if not found:
            raise NothingFound(f"'{pdf}' has no images on these pages")
        if target is not None:
            _write_images(child, source, pages, found, target)
            return
    if json:
        for picture in found:
            output.say_json(picture)
        return
    output.table(["Page", "Image", "Pixels", "Encoding", "Written as"], [_row(picture) for picture in found])


def _row(picture: dict[str, Any]) -> list[str]:
    size = f"{picture['width']} x {picture['height']}"
    return [str(picture["page"]), str(picture["number"]), size, picture["encoding"], picture["suffix"]]


def _write_images(child: PdfChild, source: Locked, pages: str, found: list[dict[str, Any]], target: Target) -> None:
    """One after another, so that one image is in memory. A damaged one is an error after those before it."""
    patterns = [pattern_of(f"{target.output}.{picture['suffix']}") for picture in found]
    paths = [pattern.path(number) for number, pattern in enumerate(patterns, 1)]
    target.refuse_taken(paths)
    for index, (path, picture) in enumerate(zip(paths, found, strict=True)):
        part = PartFile(path, force=target.force)
        with finishing(part):
            place = Place(file=str(part.path), name=str(part.target))
            child.call(pdfwork.write_picture, source, pages, index, place)
        if target.json:
            output.say_json({"output": str(part.target), **picture})
        else:
            output.say(str(part.target))
        if picture["masked"]:
            output.tell(f"dwtsvc: {part.target} is without the mask that makes parts of it transparent in the PDF")
