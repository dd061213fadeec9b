"""Options that several commands have, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

from dwtsvc_cli import choices

Ocr = Annotated[bool, typer.Option("--ocr", help="Read the text; a PDF becomes searchable.")]
Language = Annotated[
    str | None,
    typer.Option(
        "-l",
        "--language",
        metavar="LANG+LANG",
        help="As tesseract names them: deu+eng. Without it: the setting `language`.",
        autocompletion=choices.language,
    ),
]
Fast = Annotated[bool, typer.Option("--fast", help="Read at 150 dpi: quicker, for ordinary print.")]
RotatePages = Annotated[bool, typer.Option("--rotate-pages", help="Turn pages upright, by their text.")]
Deskew = Annotated[bool, typer.Option("--deskew", help="Straighten pages that lean.")]
Crop = Annotated[
    str | None,
    typer.Option(
        metavar="paper|content", help="Cut pages to the paper, or to what is on it.", autocompletion=choices.crop
    ),
]
Clean = Annotated[
    bool, typer.Option("--clean", help="Make the background white, and take away specks, dark edges and punch holes.")
]
Dropout = Annotated[
    str | None, typer.Option(metavar="COLOR", help="Take away the colour of a form: red, green, blue or #RRGGBB.")
]
Adjust = Annotated[
    str | None,
    typer.Option(metavar="B,C,G", help="Brightness and contrast in percent (-100 to 100) and gamma: 10,20,1.2."),
]
Threshold = Annotated[
    str | None,
    typer.Option(
        metavar="otsu|sauvola",
        help="Make pages black and white; sauvola for stains and shadows.",
        autocompletion=choices.threshold,
    ),
]
Parts = Annotated[
    str | None,
    typer.Option(
        metavar="photos|book|document",
        help="Make a page of each photo on the glass, of each half of a book, or of the sheet in a camera's picture.",
        autocompletion=choices.parts,
    ),
]
StoreResolution = Annotated[
    float | None, typer.Option(metavar="DPI", min=50, max=2400, help="Keep pages with no more dots per inch than this.")
]
DropBlank = Annotated[bool, typer.Option("--drop-blank", help="Leave out blank pages; what was left out is told.")]
SplitOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SIGN",
        help="Begin a new document at: patch, patcht, barcode, code128:REGEX, qr:REGEX, asn, text:REGEX, black, blank,"
        " blank:2, size, every:N. May be repeated; see docs/splitting.md.",
    ),
]
OutputType = Annotated[
    str | None, typer.Option(metavar="pdf|pdfa|pdfa-2|pdfa-3", help="The kind of PDF; pdfa is PDF/A-2b.")
]
Title = Annotated[str, typer.Option(metavar="TEXT", help="The PDF's title.")]
Author = Annotated[str, typer.Option(metavar="TEXT", help="The PDF's author.")]
Subject = Annotated[str, typer.Option(metavar="TEXT", help="The PDF's subject.")]
Keywords = Annotated[str, typer.Option(metavar="TEXT", help="The PDF's keywords.")]
Receipt = Annotated[
    bool,
    typer.Option(
        "--receipt",
        help="Write NAME.receipt.json beside each file: what became of every page. In PDF/A-3 it also lies inside.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("-j", "--jobs", metavar="N", min=1, max=256, help="Pages worked on at once; default: the cores."),
]
Executor = Annotated[
    str, typer.Option(metavar="dask://HOST:PORT", help="Work on the machines of a Dask scheduler, not on this one.")
]
Force = Annotated[bool, typer.Option("-f", "--force", help="Replace files that exist.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say what is being done.")]
Progress = Annotated[
    bool | None, typer.Option("--progress/--no-progress", help="Show progress; by default on a terminal only.")
]
