"""How `dwtsvc pdf rasterize` works: pages drawn by PDFium, one in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PIL.Image import Dither

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.codecs import encode
from dwtsvc.imaging.pageranges import parse
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.imaging.pdfread import Pages
from dwtsvc.imaging.tiff import TiffWriter
from dwtsvc.suffixes import DOCUMENTS, format_of
from dwtsvc_cli import output
from dwtsvc_cli.pdffiles import Target, finishing, pattern_of, unlocked

if TYPE_CHECKING:
    from PIL import Image

    from dwtsvc.parts import PartFile

MODES = ("color", "gray", "lineart")


def rasterize(
    pdf: Path, password: str | None, pages: str, target: Target, *, resolution: int, mode: str, quality: int
) -> None:
    """Write the pages as a file each, or all into one TIFF or PDF whose name has no {n}."""
    if mode not in MODES:
        raise BadArguments(f"There is no mode '{mode}'", hint=f"Choose one of: {', '.join(MODES)}.")
    name = target.output or ""
    format, pattern, names = format_of(name), pattern_of(name), target.names(name)
    with unlocked(Pages, pdf, password) as document:
        indices = parse(pages, len(document))
        drawn = (_drawn(document, index, resolution, mode) for index in indices)
        if format in DOCUMENTS and not pattern.numbered:
            _write_all(drawn, names.reserve(), format, resolution, target.json)
            return
        target.refuse_taken([pattern.path(number) for number in range(1, len(indices) + 1)])
        for image in drawn:
            part = names.reserve()
            with finishing(part):
                encode(image, format, part.file, dpi=resolution, quality=quality)
            _tell(part, 1, target.json)


def _drawn(document: Pages, index: int, dpi: int, mode: str) -> Image.Image:
    image = document.image(index, dpi, gray=mode != "color")
    return image.convert("1", dither=Dither.NONE) if mode == "lineart" else image


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
