"""The verbs of `dwtsvc pdf` on pixels: images that are inside, pages drawn as images, and images made smaller."""

from __future__ import annotations

from typing import Annotated

import typer

from dwtsvc_cli.pdfoptions import Force, Input, Json, NextFree, Output, Pages, Password, Undoable, not_a_pipe, target_of


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

    target = target_of(not_a_pipe(output), force, False, json) if output else None
    pdfparts.images(pdf, password, pages, target, json)


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

    target = target_of(not_a_pipe(output), force, next_free, json)
    pdfdraw.rasterize(pdf, password, pages, target, resolution=resolution, mode=mode, quality=quality)


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
    target = target_of(output, force, next_free, json, undoable and ("optimize --lossy" if lossy else "optimize"))
    pdfsmaller.optimize(pdf, password, target, quality=(quality or 75) if lossy else None, max_dpi=max_dpi)
