"""The verbs of `dwtsvc pdf` on pages: which are there, in which order, which way up; and taking that back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dwtsvc_cli.pdfoptions import (
    Each,
    Force,
    Input,
    Json,
    NextFree,
    Output,
    Pages,
    Password,
    Undoable,
    Which,
    not_a_pipe,
    target_of,
)


def merge(
    inputs: Annotated[
        list[str], typer.Argument(metavar="PDF[:PAGES]...", help="The PDFs in order; a.pdf:1-3,7 takes some pages.")
    ],
    output: Output = None,
    password: Password = None,
    force: Force = False,
    next_free: NextFree = False,
    undoable: Undoable = True,
    json: Json = False,
) -> None:
    """Merge PDFs, or some of their pages, into one.

    Title and author are those of the first.

    Examples:

      dwtsvc pdf merge letter.pdf annex.pdf -o all.pdf

      dwtsvc pdf merge cover.pdf report.pdf:2-5,9- -o sent.pdf
    """
    from dwtsvc.errors import BadArguments
    from dwtsvc_cli.pdfchild import edit

    if output is None:
        raise BadArguments("Where to write the result is not said", hint="Give -o FILE.")
    target = target_of(output, force, next_free, json, undoable and "merge")
    named = [_pages_of(text) for text in inputs]
    edit("merge", [path for path, _ in named], password, target, *(pages for _, pages in named))


def split(
    pdf: Input,
    output: Each,
    every: Annotated[int, typer.Option("--every", metavar="N", min=1, help="Pages in each file.")] = 1,
    password: Password = None,
    force: Force = False,
    next_free: NextFree = False,
    json: Json = False,
) -> None:
    """Split a PDF into files of one page, or of N.

    Examples:

      dwtsvc pdf split stack.pdf -o 'page-{n:03}.pdf'

      dwtsvc pdf split stack.pdf --every 2 -o 'sheet-{n}.pdf'
    """
    from dwtsvc_cli import pdfparts

    pdfparts.split(pdf, password, every, target_of(not_a_pipe(output), force, next_free, json))


def extract(
    pdf: Input,
    pages: Which,
    output: Output = None,
    password: Password = None,
    force: Force = False,
    next_free: NextFree = False,
    undoable: Undoable = True,
    json: Json = False,
) -> None:
    """Write some pages, in the order in which you name them. A page may come twice.

    Nothing of the other pages stays in the file.

    Examples:

      dwtsvc pdf extract report.pdf 2-4,last -o part.pdf

      dwtsvc pdf extract report.pdf odd -o fronts.pdf
    """
    from dwtsvc_cli.pdfchild import edit

    target = target_of(output, force, next_free, json, undoable and f"extract {pages}")
    edit("extract", [pdf], password, target, pages)


def delete(
    pdf: Input,
    pages: Which,
    output: Output = None,
    password: Password = None,
    force: Force = False,
    next_free: NextFree = False,
    undoable: Undoable = True,
    json: Json = False,
) -> None:
    """Write all pages but some. What is deleted is not in the file any more.

    Examples:

      dwtsvc pdf delete report.pdf 3,8- -o short.pdf

      dwtsvc pdf delete report.pdf last --force
    """
    from dwtsvc_cli.pdfchild import edit

    target = target_of(output, force, next_free, json, undoable and f"delete {pages}")
    edit("delete", [pdf], password, target, pages)


def reorder(
    pdf: Input,
    pages: Which,
    output: Output = None,
    password: Password = None,
    force: Force = False,
    next_free: NextFree = False,
    undoable: Undoable = True,
    json: Json = False,
) -> None:
    """Write the pages in another order, each once.

    Examples:

      dwtsvc pdf reorder stack.pdf reverse -o right-way.pdf

      dwtsvc pdf reorder stack.pdf last,rest -o last-first.pdf
    """
    from dwtsvc_cli.pdfchild import edit

    target = target_of(output, force, next_free, json, undoable and f"reorder {pages}")
    edit("reorder", [pdf], password, target, pages)


def rotate(
    pdf: Input,
    turn: Annotated[str, typer.Argument(metavar="90|180|270|left|right", help="Degrees clockwise, or a word.")],
    pages: Pages = "all",
    output: Output = None,
    password: Password = None,
    force: Force = False,
    next_free: NextFree = False,
    undoable: Undoable = True,
    json: Json = False,
) -> None:
    """Turn pages. Only the note of how a page is shown changes, never an image.

    Examples:

      dwtsvc pdf rotate scan.pdf right -o upright.pdf

      dwtsvc pdf rotate scan.pdf 180 --pages even -o upright.pdf
    """
    from dwtsvc.errors import BadArguments
    from dwtsvc_cli.pdfchild import edit

    turns = {"right": 90, "left": 270, "90": 90, "180": 180, "270": 270}
    if turn not in turns:
        raise BadArguments(f"A page cannot be turned by '{turn}'", hint=f"Choose one of: {', '.join(turns)}.")
    target = target_of(output, force, next_free, json, undoable and f"rotate {turn} --pages {pages}")
    edit("rotate", [pdf], password, target, turns[turn], pages)


def undo(
    pdf: Input,
    list_: Annotated[bool, typer.Option("--list", help="Show what can be undone, and undo nothing.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Let go of all that is kept, and undo nothing.")] = False,
    json: Json = False,
) -> None:
    """Undo the latest change that replaced a PDF, byte for byte. Again, and it is the one before.

    What delete, rotate, reorder, extract, merge, decrypt, metadata and optimize replace is kept in a folder beside it,
    PDF.undo, until it is put back or --forget lets it go. What encrypt replaces is not kept.

    Examples:

      dwtsvc pdf undo scan.pdf

      dwtsvc pdf undo scan.pdf --list

      dwtsvc pdf undo scan.pdf --forget
    """
    from dwtsvc_cli import pdfundoing

    if list_:
        pdfundoing.show(pdf, json)
    elif forget:
        pdfundoing.forget(pdf, json)
    else:
        pdfundoing.undo(pdf, json)


def _pages_of(text: str) -> tuple[Path, str]:
    """`a.pdf:1-3` as a file and its pages; a file that has exactly this name comes first."""
    name, colon, pages = text.rpartition(":")
    if colon and pages and not Path(text).exists() and "/" not in pages and "\\" not in pages:
        return Path(name), pages
    return Path(text), "all"
