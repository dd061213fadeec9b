"""`dwtsvc ocr`: the options of reading text. ocrwork.py does what they say."""

from __future__ import annotations

from typing import Annotated

import typer

from dwtsvc_cli import options

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def ocr(
    inputs: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Images, PDFs, folders of them, '-' for standard input.")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The file to write: .pdf, .txt, .hocr, .alto, .tsv or .json; several inputs make one. A folder (with"
            " a slash at its end) gets a file for each input. Without it: text on standard output.",
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(metavar="pdf|txt|hocr|alto|tsv|json", help="The format, if the file's name does not say."),
    ] = None,
    language: options.Language = None,
    rotate_pages: Annotated[
        bool, typer.Option("-r", "--rotate-pages", help="Turn pages upright, by their text.")
    ] = False,
    deskew: Annotated[bool, typer.Option("-d", "--deskew", help="Straighten pages that lean.")] = False,
    clean: Annotated[
        bool, typer.Option("-c", "--clean", help="Clean pages before they are read; the output keeps them as they are.")
    ] = False,
    clean_final: Annotated[bool, typer.Option("-i", "--clean-final", help="Clean pages for the output, too.")] = False,
    output_type: Annotated[
        str, typer.Option(metavar="pdf|pdfa|pdfa-2|pdfa-3", help="The kind of PDF; pdfa is PDF/A-2b.")
    ] = "pdf",
    sidecar: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.txt",
            help="Also write the text to a file, or with - to standard output. A folder where the output is one.",
        ),
    ] = None,
    pages: Annotated[str, typer.Option(metavar="PAGES", help="Read these pages of each file only, as 1-3,5,8-.")] = "",
    skip_text: Annotated[bool, typer.Option("--skip-text", help="Leave pages that have text as they are.")] = False,
    redo_ocr: Annotated[bool, typer.Option("--redo-ocr", help="Replace the invisible text of pages.")] = False,
    force_ocr: Annotated[bool, typer.Option("--force-ocr", help="Make an image of every page, and read that.")] = False,
    fast: options.Fast = False,
    full: Annotated[
        bool, typer.Option("--full", help="Read at the scan's own resolution: for small print and forms.")
    ] = False,
    psm: Annotated[
        int | None,
        typer.Option(metavar="N", help="Page layout as tesseract numbers it: 4 is one column, 6 one block, 11 sparse."),
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="tesseract|rapidocr", help="Who reads; rapidocr is the extra dwtsvc[ocr-pro].")
    ] = "tesseract",
    image_dpi: Annotated[
        float | None,
        typer.Option(metavar="DPI", min=10, max=4800, help="The resolution of images; theirs is not asked."),
    ] = None,
    title: options.Title = "",
    author: options.Author = "",
    subject: options.Subject = "",
    keywords: options.Keywords = "",
    password: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What opens the PDFs. Without it: DWTSVC_PDF_PASSWORD, or you are asked."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", metavar="N", min=1, max=256, help="Pages at once; default: the cores.")
    ] = None,
    executor: Annotated[
        str, typer.Option(metavar="dask://HOST:PORT", help="Work on the machines of a Dask scheduler.")
    ] = "",
    force: options.Force = False,
    next_free: Annotated[
        bool, typer.Option("--next-free", help="Take the next free name where the file exists.")
    ] = False,
    progress: options.Progress = None,
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each file written.")] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Read the text of images and PDFs.

    It becomes text, or the invisible layer of a searchable PDF. Scanned images go into the PDF byte for byte; pages of
    a PDF stay what they are and get a layer of text. Most exit codes mean what they mean in OCRmyPDF; 6 is for pages
    that have text already.

    Examples:

      dwtsvc ocr letter.jpg

      dwtsvc ocr -l deu+eng page-*.tif -o contract.pdf

      dwtsvc ocr -l fra --rotate-pages --deskew scan.pdf -o searchable.pdf --sidecar text.txt

      dwtsvc ocr scans/ -o read/ --format pdf --output-type pdfa

      dwtsvc ocr --format json invoice.png | jq '.pages[].confidence'
    """
    from dataclasses import replace

    from dwtsvc.errors import BadArguments
    from dwtsvc.imaging.ocr import Reading
    from dwtsvc.imaging.treatment import Cleaning
    from dwtsvc.pipeline.reading import Existing, Job
    from dwtsvc.pipeline.recipe import Recipe
    from dwtsvc.pipeline.searchable import About
    from dwtsvc_cli import ocrwork
    from dwtsvc_cli.ocrtarget import Target
    from dwtsvc_cli.ocrvoice import Voice

    chosen = [mode for mode, on in zip(Existing, (False, skip_text, redo_ocr, force_ocr), strict=True) if on]
    if len(chosen) > 1:
        raise BadArguments("--skip-text, --redo-ocr and --force-ocr exclude each other")
    if json and output in (None, "-"):
        raise BadArguments("--json needs a file to write", hint="Give -o; or --format json for the text as JSON.")
    paths, settings = ocrwork.settings(language)
    reading = Reading(
        languages=settings.language, tessdata=settings.tessdata, engine=engine, psm=psm, fast=fast, full=full
    )
    tidy = Cleaning(despeckle=True, whiten=True, edges=True)
    recipe = Recipe(
        orient=rotate_pages,
        cleaning=replace(tidy if clean_final else Cleaning(), deskew=deskew),
        for_reading=tidy if clean and not clean_final else Cleaning(),
        reading=reading,
    )
    existing = chosen[0] if chosen else Existing.REFUSE
    job = Job(recipe=recipe, existing=existing, pages=pages, dpi=image_dpi, cache=paths.cache / "pages")
    target = Target(
        output=output,
        format=format,
        sidecar=sidecar,
        about=About(title=title, author=author, subject=subject, keywords=keywords),
        output_type=output_type,
        force=force,
        next_free=next_free,
    )
    voice = Voice(json=json, quiet=quiet, verbose=verbose, progress=progress)
    raise typer.Exit(ocrwork.perform(inputs, password, job, target, voice, workers=jobs, address=executor))
