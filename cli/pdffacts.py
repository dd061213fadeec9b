"""The verbs of `dwtsvc pdf` on what a PDF says and is, and whether it is what it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dwtsvc_cli.pdfoptions import Force, Input, Json, NextFree, Output, Password, Undoable, not_a_pipe, target_of


def metadata(
    pdf: Input,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="'' removes it.")] = None,
    author: Annotated[str | None, typer.Option("--author", metavar="TEXT", help="'' removes it.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="TEXT", help="'' removes it.")] = None,
    keywords: Annotated[str | None, typer.Option("--keywords", metavar="TEXT", help="'' removes them.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all there is first.")] = False,
    output: Output = None,
    password: Password = None,
    force: Force = False,
    next_free: NextFree = False,
    undoable: Undoable = True,
    json: Json = False,
) -> None:
    """Show title, author, subject and keywords of a PDF, or change them.

    Examples:

      dwtsvc pdf metadata letter.pdf

      dwtsvc pdf metadata letter.pdf --title 'Offer 12' --author Ada -o titled.pdf

      dwtsvc pdf metadata letter.pdf --clear --force
    """
    given = {"title": title, "author": author, "subject": subject, "keywords": keywords}
    changes = {name: text for name, text in given.items() if text is not None}
    if changes or clear:
        from dwtsvc_cli.pdfchild import edit

        target = target_of(output, force, next_free, json, undoable and "metadata")
        edit("metadata", [pdf], password, target, changes, clear)
    else:
        from dwtsvc_cli import pdflooks

        pdflooks.show_metadata(pdf, password, json)


def info(pdf: Input, password: Password = None, json: Json = False) -> None:
    """Show what a PDF is: pages, sizes, version, encryption, metadata, damage.

    Examples:

      dwtsvc pdf info letter.pdf

      dwtsvc pdf info letter.pdf --json
    """
    from dwtsvc_cli import pdflooks

    pdflooks.show_facts(pdf, password, json)


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A PDF.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The PDF to compare it with.")],
    resolution: Annotated[
        int, typer.Option("-r", "--resolution", metavar="DPI", min=10, max=1200, help="To compare the pages at.")
    ] = 100,
    tolerance: Annotated[
        int, typer.Option(metavar="0..254", min=0, max=254, help="How far a colour may be off, of 255.")
    ] = 8,
    draw: Annotated[
        str | None,
        typer.Option("--draw", metavar="FILE", help="A PDF, or 'page-{n}.png', of both side by side, marked."),
    ] = None,
    password: Password = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Compare two PDFs page by page: how they look, their text, sizes and titles. Exit code 1 says that they differ.

    Prints what differs, and nothing where they are the same. How a PDF is made, its producer and its dates do not
    count.

    Examples:

      dwtsvc pdf compare before.pdf after.pdf

      dwtsvc pdf compare before.pdf after.pdf --tolerance 30 --draw differences.pdf
    """
    from dwtsvc_cli import pdfchecks

    target = target_of(not_a_pipe(draw), force, False, json) if draw else None
    if not pdfchecks.compare(a, b, password, dpi=resolution, tolerance=tolerance, target=target, json=json):
        raise typer.Exit(1)


def verify(
    pdf: Input,
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--receipt", metavar="FILE", help="Without it: NAME.receipt.json beside the PDF, or the one in it."
        ),
    ] = None,
    password: Password = None,
    json: Json = False,
) -> None:
    """Compare a PDF with its receipt. Exit code 1 says that it is not what was written, or has no receipt.

    A receipt beside the PDF covers every byte, one that is attached to it the images of its pages.

    Examples:

      dwtsvc pdf verify scan.pdf

      dwtsvc pdf verify scan.pdf --receipt archive/scan.receipt.json --json
    """
    from dwtsvc_cli import pdfchecks

    if not pdfchecks.verify(pdf, receipt, password, json):
        raise typer.Exit(1)
