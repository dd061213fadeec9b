"""`dwtsvc pdf`: its verbs in order. Those on pages, keys, facts and images each have a file."""

from __future__ import annotations

import typer

from dwtsvc_cli import pdffacts, pdfimages, pdfkeys, pdfpages
from dwtsvc_cli.verbs import Verbs

app = typer.Typer(
    cls=Verbs,
    help="Put PDFs together and take them apart, protect them, and look into them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
VERBS = (  # in the order in which help lists them
    *(pdfpages.merge, pdfpages.split, pdfpages.extract, pdfpages.delete, pdfpages.reorder, pdfpages.rotate),
    *(pdfkeys.encrypt, pdfkeys.decrypt),
    *(pdffacts.metadata, pdffacts.info),
    *(pdfimages.images, pdfimages.rasterize, pdfimages.optimize),
    *(pdffacts.compare, pdfpages.undo, pdffacts.verify),
)

for verb in VERBS:
    app.command()(verb)
