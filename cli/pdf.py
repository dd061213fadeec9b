"""`dwtsvc pdf`: put PDFs together and take them apart, protect them, and look into them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dwtsvc_cli.pdfoptions import Each, Force, Input, Json, NextFree, Output, Pages, Password, Undoable, Which

if TYPE_CHECKING:
    from dwtsvc_cli.pdffiles import Target

app = typer.Typer(
    help="Put PDFs together and take them apart, protect them, and look into them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
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

    if output is None:
        raise BadArguments("Where to write the result is not said", hint="Give -o FILE.")
    target = _target(output, force, next_free, json, undoable and "merge")
    named = [_pages_of(text) for text in inputs]
    _edit("merge", [path for path, _ in named], password, target, *(pages for _, pages in named))


@app.command()
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

    pdfparts.split(pdf, password, every, _target(_not_a_pipe(output), force, next_free, json))


@app.command()
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
    target = _target(output, force, next_free, json, undoable and f"extract {pages}")
    _edit("extract", [pdf], password, target, pages)


@app.command()
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
    target = _target(output, force, next_free, json, undoable and f"delete {pages}")
    _edit("delete", [pdf], password, target, pages)


@app.command()
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
    target = _target(output, force, next_free, json, undoable and f"reorder {pages}")
    _edit("reorder", [pdf], password, target, pages)


@app.command()
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

    turns = {"right": 90, "left": 270, "90": 90, "180": 180, "270": 270}
    if turn not in turns:
        raise BadArguments(f"A page cannot be turned by '{turn}'", hint=f"Choose one of: {', '.join(turns)}.")
    target = _target(output, force, next_free, json, undoable and f"rotate {turn} --pages {pages}")
    _edit("rotate", [pdf], password, target, turns[turn], pages)


@app.command()
def encrypt(
    pdf: Input,
    output: Output = None,
    password: Annotated[
        str | None,
        typer.Option(
            "--password", metavar="TEXT", help="What will open it. Without it: DWTSVC_PDF_PASSWORD, or you are asked."
        ),
    ] = None,
    owner_password: Annotated[
        str | None, typer.Option("--owner-password", metavar="TEXT", help="What will allow all; needed by --allow.")
    ] = None,
    allow: Annotated[
        str, typer.Option("--allow", metavar="LIST", help="print,modify,copy,annotate or none: a request to readers.")
    ] = "print,modify,copy,annotate",
    force: Force = False,
    next_free: NextFree = False,
    json: Json = False,
) -> None:
    """Encrypt a PDF with AES-256.

    Other users of this machine can see the options of a running command: better be asked, or use the environment. An
    empty --password with an --owner-password lets everybody open it.

    Examples:

      dwtsvc pdf encrypt payslip.pdf -o locked.pdf

      dwtsvc pdf encrypt offer.pdf --password see --owner-password own --allow print -o locked.pdf
    """
    from dwtsvc.errors import BadArguments
    from dwtsvc_cli.pdffiles import PASSWORD_VARIABLE, new_password

    target = _target(output, force, next_free, json)
    chosen = new_password(password)
    if chosen is None:
        hint = f"Give it with --password, or in the environment as {PASSWORD_VARIABLE}."
        raise BadArguments("To encrypt a PDF needs a password", hint=hint)
    words = [word.strip() for word in allow.split(",") if word.strip() not in ("", "none")]
    _edit("encrypt", [pdf], None, target, chosen, owner_password or "", words)


@app.command()
def decrypt(
    pdf: Input,
    output: Output = None,
    password: Password = None,
    force: Force = False,
    next_free: NextFree = False,
    undoable: Undoable = True,
    json: Json = False,
) -> None:
    """Write a PDF without its encryption.

    Examples:

      dwtsvc pdf decrypt locked.pdf -o open.pdf
    """
    _edit("decrypt", [pdf], password, _target(output, force, next_free, json, undoable and "decrypt"))


@app.command()
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
        target = _target(output, force, next_free, json, undoable and "metadata")
        _edit("metadata", [pdf], password, target, changes, clear)
    else:
        from dwtsvc_cli import pdflooks

        pdflooks.show_metadata(pdf, password, json)


@app.command()
def info(pdf: Input, password: Password = None, json: Json = False) -> None:
    """Show what a PDF is: pages, sizes, version, encryption, metadata, damage.

    Examples:

      dwtsvc pdf info letter.pdf

      dwtsvc pdf info letter.pdf --json
    """
    from dwtsvc_cli import pdflooks

    pdflooks.show_facts(pdf, password, json)


@app.command()
def images(
    pdf: Input,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="The files to write: 'image-{n:03}', no suffix."),
    ] = None,
    pages: Pages = "all",
    password: Password = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """List the images inside a PDF, or write them as files.

    JPEG, JPEG 2000, fax and JBIG2 images are written as the bytes that they are; what has no file format of its own
    becomes PNG (CMYK: TIFF), without loss. Each is written once, also if many pages show it.

    Examples:

      dwtsvc pdf images scan.pdf

      dwtsvc pdf images scan.pdf --pages 1-3 -o 'photo-{n:03}'
    """
    from dwtsvc_cli import pdfparts

    target = _target(_not_a_pipe(output), force, False, json) if output else None
    pdfparts.images(pdf, password, pages, target, json)


@app.command()
def rasterize(
    pdf: Input,
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="FILE", help="'page-{n:03}.png'; the suffix is the format. TIFF and PDF hold all."
        ),
    ],
    resolution: Annotated[int, typer.Option("-r", "--resolution", metavar="DPI", min=1, help="Dots per inch.")] = 200,
    mode: Annotated[str, typer.Option(metavar="color|gray|lineart", help="Of the images.")] = "color",
    quality: Annotated[int, typer.Option(metavar="1..100", min=1, max=100, help="Quality of JPEG and WebP.")] = 75,
    pages: Pages = "all",
    password: Password = None,
    force: Force = False,
    next_free: NextFree = False,
    json: Json = False,
) -> None:
    """Draw the pages of a PDF as images.

    This is the one verb that makes new pixels. For the images that a scanned PDF already has, take `dwtsvc pdf images`.

    Examples:

      dwtsvc pdf rasterize report.pdf -o 'page-{n:03}.png'

      dwtsvc pdf rasterize report.pdf -r 300 --mode lineart -o fax.tiff
    """
    from dwtsvc_cli import pdfdraw

    target = _target(_not_a_pipe(output), force, next_free, json)
    pdfdraw.rasterize(pdf, password, pages, target, resolution=resolution, mode=mode, quality=quality)


@app.command()
def optimize(
    pdf: Input,
    output: Output = None,
    lossy: Annotated[bool, typer.Option("--lossy", help="Encode images again, with loss, and say which.")] = False,
    quality: Annotated[
        int | None, typer.Option(metavar="1..100", min=1, max=100, help="Of images with --lossy; 75 without it.")
    ] = None,
    max_dpi: Annotated[
        int | None, typer.Option("--max-dpi", metavar="DPI", min=10, help="With --lossy: reduce images that have more.")
    ] = None,
    password: Password = None,
    force: Force = False,
    next_free: NextFree = False,
    undoable: Undoable = True,
    json: Json = False,
) -> None:
    """Make a PDF smaller, without loss: no pixel changes, and text, links and attached files stay.

    What is there twice becomes one, JPEG and deflate are packed better, black and white becomes fax group 4. With
    --lossy images are encoded again, and each is told. The result is never larger: then it is the PDF as it was.

    Examples:

      dwtsvc pdf optimize scan.pdf -o small.pdf

      dwtsvc pdf optimize scan.pdf --lossy --quality 60 --max-dpi 150 -o mail.pdf
    """
    from dwtsvc.errors import BadArguments
    from dwtsvc_cli import pdfsmaller

    if not lossy and (quality or max_dpi):
        raise BadArguments("--quality and --max-dpi mean loss", hint="Add --lossy if you want it.")
    target = _target(output, force, next_free, json, undoable and ("optimize --lossy" if lossy else "optimize"))
    pdfsmaller.optimize(pdf, password, target, quality=(quality or 75) if lossy else None, max_dpi=max_dpi)


@app.command()
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

    target = _target(_not_a_pipe(draw), force, False, json) if draw else None
    if not pdfchecks.compare(a, b, password, dpi=resolution, tolerance=tolerance, target=target, json=json):
        raise typer.Exit(1)


@app.command()
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


@app.command()
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


def _edit(verb: str, pdfs: Sequence[Path], password: str | None, target: Target, *how: Any) -> None:
    """A verb of `pdfwork.edit` with the words of its command."""
    from dwtsvc_cli.pdfchild import PdfChild

    with PdfChild(pdfs) as child:
        target.deliver(lambda place: child.edit(verb, pdfs, password, how, place), pdfs[0])


def _target(
    output: str | None, force: bool, next_free: bool, json: bool, change: str | Literal[False] = False
) -> Target:
    from dwtsvc_cli.pdffiles import Target

    return Target(output=output, force=force, next_free=next_free, json=json, change=change or "")


def _not_a_pipe(output: str) -> str:
    from dwtsvc.errors import BadArguments

    if output == "-":
        raise BadArguments("Several files cannot go to standard output", hint="Give -o with {n} in the name.")
    return output


def _pages_of(text: str) -> tuple[Path, str]:
    """`a.pdf:1-3` as a file and its pages; a file that has exactly this name comes first."""
    name, colon, pages = text.rpartition(":")
    if colon and pages and not Path(text).exists() and "/" not in pages and "\\" not in pages:
        return Path(name), pages
    return Path(text), "all"
