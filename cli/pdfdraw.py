"""How `dwtsvc pdf rasterize` works: pages drawn by PDFium in children with limits, few in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.imaging.pdfread import draw, draw_files
from dwtsvc.imaging.tiff import TiffWriter
from dwtsvc.limits import iterate_limited
from dwtsvc.suffixes import DOCUMENTS, format_of
from dwtsvc_cli import output
from dwtsvc_cli.pdffiles import Target, finishing, pattern_of, unlocked

if TYPE_CHECKING:
    from dwtsvc.parts import PartFile

T = TypeVar("T")
MOST_CHILDREN = 4  # each may need the memory of a large page
MODES = ("color", "gray", "lineart")


def rasterize(
    pdf: Path, password: str | None, pages: str, target: Target, *, resolution: int, mode: str, quality: int
) -> None:
    """Write the pages as a file each, or all into one TIFF or PDF whose name has no {n}."""
    if mode not in MODES:
        raise BadArguments(f"There is no mode '{mode}'", hint=f"Choose one of: {', '.join(MODES)}.")
    name = target.output or ""
    format, pattern, names = format_of(name), pattern_of(name), target.names(name)
    how = (pages, resolution, mode)
    if format in DOCUMENTS and not pattern.numbered:
        with closing(_spread(draw, pdf, password, how)) as drawn:
            images = (Image.frombytes(*page) for page in drawn if isinstance(page, tuple))
            _write_all(images, names.reserve(), format, resolution, target.json)
        return
    with closing(_spread(draw_files, pdf, password, how, format, quality)) as encoded:
        count = next(encoded)
        assert isinstance(count, int)
        target.refuse_taken([pattern.path(number) for number in range(1, count + 1)])
        for data in encoded:
            assert isinstance(data, bytes)
            part = names.reserve()
            with finishing(part):
                part.file.write(data)
            _tell(part, 1, target.json)


def _spread(
    work: Callable[..., Iterator[T]], pdf: Path, password: str | None, how: tuple[str, int, str], *more: Any
) -> Generator[T, None, None]:
    """The number of pages, then what becomes of each, in order, from as many children with limits as there are cores.

    The first child finds out whether the PDF can be read at all; it draws already while the others start.
    """
    spread = min(MOST_CHILDREN, os.cpu_count() or 1)
    name = f"A page of '{pdf}'"

    def begin(path: Path, secret: str | None) -> tuple[T, Generator[T, None, None], str | None]:
        started = iterate_limited(work, str(path), secret, *how, (0, spread), *more, name=name)
        return next(started), started, secret

    count, first, secret = unlocked(begin, pdf, password)
    assert isinstance(count, int)
    pages: int = count
    yield count
    children = [first]
    for number in range(1, min(spread, pages)):
        children.append(iterate_limited(work, str(pdf), secret, *how, (number, spread), *more, name=name))
        next(children[-1])
    with ExitStack() as stack:
        for child in children:
            stack.callback(child.close)
        for number in range(pages):
            yield next(children[number % spread])


def _write_all(drawn: Iterator[Image.Image], part: PartFile, format: str, dpi: int, json: bool) -> None:
    """One document, without loss: deflate, or group 4 for lineart."""
    pages = 0
    with finishing(part), TiffWriter(part.file) if format == "tiff" else PdfWriter(part.file) as writer:
        for image in drawn:
            writer.add_image(image, dpi=dpi)
            pages += 1
    _tell(part, pages, json)


def _tell(part: PartFile, pages: int, json: bool) -> None:
    if json:
        output.say_json({"output": str(part.target), "pages": pages})
    else:
        output.say(str(part.target))
