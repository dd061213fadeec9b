"""`dwtsvc barcode sheet`: separators and numbered labels to print."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dwtsvc_cli import choices

if TYPE_CHECKING:
    from PIL import Image

    from dwtsvc.parts import PartFile


def sheet(
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="FILE", help="The file to write: PDF, TIFF, or an image of one page."),
    ],
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...", help="A separator sheet for each; without any: PATCHT, or T as a patch code."
        ),
    ] = None,
    type: Annotated[
        str | None,
        typer.Option(
            "-t",
            "--type",
            metavar="TYPE",
            help="The type of the codes; code128 for separators and qr for labels if you say nothing; patch is 1, 2, "
            "3, 4, 6 or T.",
            autocompletion=choices.barcode_types,
        ),
    ] = None,
    asn: Annotated[
        int | None,
        typer.Option(metavar="FIRST", min=0, help="Labels with numbers from this one on, instead of separators."),
    ] = None,
    count: Annotated[int, typer.Option(metavar="N", min=1, max=18900, help="How many labels.")] = 189,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="What stands before the number on a label.")] = "ASN",
    size: Annotated[
        str, typer.Option(metavar="a4|letter", help="The paper of separators.", autocompletion=choices.size)
    ] = "a4",
    force: Annotated[bool, typer.Option("-f", "--force", help="Replace a file that exists.")] = False,
) -> None:
    """Make separator sheets and numbered labels to print.

    A separator has its code twice and its text. Labels are A4 sheets of 7 x 27 labels of 25.4 x 10 mm, with a code and
    its number: print them at 100 percent.

    Examples:

      dwtsvc barcode sheet -o separator.pdf

      dwtsvc barcode sheet INVOICES LETTERS -o separators.pdf

      dwtsvc barcode sheet --type patch T -o patch-t.pdf

      dwtsvc barcode sheet --asn 1 --count 378 -o labels.pdf
    """
    from dwtsvc.errors import BadArguments
    from dwtsvc.imaging.barcodesheet import labels, numbers, separator
    from dwtsvc.kinds import PAPERS
    from dwtsvc_cli import output as voice

    if asn is not None and texts:
        raise BadArguments("--asn and texts exclude each other", hint="Make labels and separators one after the other.")
    if size.lower() not in PAPERS:
        raise BadArguments(f"There is no paper '{size}'", hint=f"Choose one of: {', '.join(PAPERS)}.")
    if asn is not None:
        pages = labels(numbers(prefix, asn, count), type or "qr")
    else:
        pages = (
            separator(text, type or "code128", PAPERS[size.lower()])
            for text in texts or ["T" if type == "patch" else "PATCHT"]
        )
    voice.say(str(_write(Path(output), pages, force)))


def _write(target: Path, pages: Iterator[Image.Image], force: bool) -> Path:
    """The pages as one file, which is there whole or not at all."""
    from dwtsvc.parts import PartFile, writing
    from dwtsvc.suffixes import format_of

    format = format_of(str(target))
    part = PartFile(target, force=force)
    try:
        with writing(target):
            _fill(part, format, pages)
        return part.commit()
    finally:
        part.abort()


def _fill(part: PartFile, format: str, pages: Iterator[Image.Image]) -> None:
    from dwtsvc.errors import BadArguments
    from dwtsvc.imaging.barcodesheet import DPI
    from dwtsvc.imaging.codecs import encode
    from dwtsvc.imaging.pdf import PdfWriter
    from dwtsvc.imaging.tiff import TiffWriter

    if format in ("pdf", "tiff"):
        with (PdfWriter if format == "pdf" else TiffWriter)(part.file) as writer:
            for page in pages:
                writer.add_image(page, dpi=DPI)
        return
    encode(next(pages), format, part.file, dpi=DPI)
    if next(pages, None) is not None:
        raise BadArguments(f"A {format} file holds one page", hint="Write a PDF or TIFF.")
