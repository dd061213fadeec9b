"""`dwtsvc scan`: the options of a scan. planning.py checks them, scanning.py does what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dwtsvc_cli import choices, options

if TYPE_CHECKING:
    from dwtsvc.devices.cases import RecordTo

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def scan(
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The file to write, '-' for standard output. {n:03}, {date}, {time} and {device} are filled in;"
            " with {n} every page is a file. Without it: scan.pdf or the next free name.",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option("-d", "--device", metavar="DEVICE", help="The scanner; see `dwtsvc devices`.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="auto|flatbed|feeder|duplex",
            help="Where the paper lies; auto is the feeder if it is loaded, else the glass.",
            autocompletion=choices.source,
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="color|gray|lineart|auto", help="auto keeps each page as what it is.", autocompletion=choices.mode
        ),
    ] = None,
    resolution: Annotated[int | None, typer.Option("-r", "--resolution", metavar="DPI", help="Dots per inch.")] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="a4|letter|WxHmm", help="The paper's size.", autocompletion=choices.size),
    ] = None,
    area: Annotated[
        str | None, typer.Option(metavar="L,T,W,H", help="The area in mm from the top left; instead of --size.")
    ] = None,
    pages: Annotated[
        int | None,
        typer.Option(
            "-n", "--pages", metavar="N", min=1, help="Stop after N pages. From the glass: N pages without asking."
        ),
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Ask for the next page or stack until you say that is all.")
    ] = False,
    manual_duplex: Annotated[
        bool,
        typer.Option(
            "--manual-duplex", help="Scan the fronts, ask to turn the stack, scan the backs, put them in order."
        ),
    ] = False,
    wait_paper: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Wait so long for paper in an empty feeder.")
    ] = 0.0,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="An option of the driver; see `dwtsvc devices -c DEVICE`."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "-p", "--profile", metavar="NAME", help="A named set of these options; see `dwtsvc config profile`."
        ),
    ] = None,
    or_virtual: Annotated[
        bool, typer.Option("--or-virtual", help="Use the built-in virtual scanner when there is no other.")
    ] = False,
    ocr: options.Ocr = False,
    language: options.Language = None,
    fast: options.Fast = False,
    rotate_pages: options.RotatePages = False,
    deskew: options.Deskew = False,
    crop: options.Crop = None,
    clean: options.Clean = False,
    dropout: options.Dropout = None,
    adjust: options.Adjust = None,
    threshold: options.Threshold = None,
    parts: options.Parts = None,
    store_resolution: options.StoreResolution = None,
    drop_blank: options.DropBlank = False,
    split_on: options.SplitOn = None,
    output_type: options.OutputType = None,
    title: options.Title = "",
    author: options.Author = "",
    subject: options.Subject = "",
    keywords: options.Keywords = "",
    receipt: options.Receipt = False,
    workers: options.Workers = None,
    executor: options.Executor = "",
    format: Annotated[
        str | None,
        typer.Option(
            metavar="jpeg|png|tiff|bmp|webp|pdf",
            help="The format, if the file's name does not say.",
            autocompletion=choices.format,
        ),
    ] = None,
    quality: Annotated[
        int | None, typer.Option(metavar="1..100", help="Quality of JPEG and WebP, also inside PDF.")
    ] = None,
    tiff_compression: Annotated[
        str | None,
        typer.Option(
            metavar="auto|g4|lzw|deflate|jpeg|none",
            help="Compression of TIFF.",
            autocompletion=choices.tiff_compression,
        ),
    ] = None,
    force: options.Force = False,
    next_free: Annotated[
        bool, typer.Option("--next-free", help="Take the next free name where the file exists: scan-2.pdf.")
    ] = False,
    progress: options.Progress = None,
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each page, and one at the end.")] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; no paper moves.")] = False,
    record: Annotated[
        str | None,
        typer.Option(
            metavar="CASE.dwt",
            help="Record what the scanner does, also how it fails, for bug reports: `-d replay:CASE.dwt` plays it.",
        ),
    ] = None,
    record_masked: Annotated[
        bool, typer.Option("--record-masked", help="Record white paper in place of what is on the pages.")
    ] = False,
    recover: Annotated[
        bool, typer.Option("--recover", help="Write the pages that a scan left behind when it failed or was cancelled.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="The same, under the name and with the options that the scan had.")
    ] = False,
    recover_id: Annotated[
        str | None, typer.Option("--recover-id", metavar="ID", help="Which of them; without it the newest.")
    ] = None,
    undo: Annotated[
        bool,
        typer.Option(
            "--undo",
            help="Write every page of a finished scan as it was scanned, if pages were changed or left out;"
            " with --dry-run: list such scans.",
        ),
    ] = False,
) -> None:
    """Scan pages into files.

    From a feeder the scan runs until it is empty, from the glass it is one page. Files appear whole or not at all, and
    none is replaced without --force. Ctrl-C stops the scanner and keeps the finished pages; a second one ends at once.

    Examples:

      dwtsvc scan -o letter.pdf

      dwtsvc scan -d sane:test:0 --source feeder -r 300 --mode gray -o 'page-{n:03}.jpg'

      dwtsvc scan --source duplex --mode lineart --size a4 -o contract.tiff

      dwtsvc scan -o - --format png > page.png

      dwtsvc scan --ocr -l deu+eng --deskew --drop-blank -o contract.pdf

      dwtsvc scan --split-on patcht --ocr -o '{barcode|letter}.pdf'

      dwtsvc scan --recover -o rescued.pdf

      dwtsvc scan --undo -o as-scanned.pdf

      dwtsvc scan --record case.dwt --record-masked -o letter.pdf
    """
    from dwtsvc.errors import BadArguments
    from dwtsvc_cli import planning, scanning, undoing
    from dwtsvc_cli.voice import Voice
    from dwtsvc_cli.wishes import Wishes

    if json and output == "-":
        raise BadArguments("--json and -o - exclude each other", hint="Both would be written to standard output.")
    flags = {
        "device": device,
        "language": language,
        "source": source,
        "mode": mode,
        "resolution": resolution,
        "size": size,
        "format": format,
        "quality": quality,
        "tiff_compression": tiff_compression,
        "progress": None if progress is None else "on" if progress else "off",
    }
    wishes = Wishes(
        ocr=ocr,
        fast=fast,
        rotate_pages=rotate_pages,
        deskew=deskew,
        crop=crop,
        clean=clean,
        dropout=dropout,
        adjust=adjust,
        threshold=threshold,
        parts=parts,
        store_resolution=store_resolution,
        drop_blank=drop_blank,
        split_on=tuple(split_on or ()),
        output_type=output_type,
        receipt=receipt,
        title=title,
        author=author,
        subject=subject,
        keywords=keywords,
        workers=workers,
        executor=executor,
    )
    plan = planning.plan(
        flags,
        area=area,
        pages=pages,
        options=option or [],
        profile=profile,
        output=output,
        or_virtual=or_virtual,
        wishes=wishes,
    )
    voice = Voice(json=json, quiet=quiet, verbose=verbose, progress=plan.settings.progress)
    names = scanning.Naming(force=force, next_free=next_free or output is None)
    if record_masked and not record:
        raise BadArguments("--record-masked needs --record CASE.dwt")
    if record and (dry_run or undo or recover or recover_id or resume):
        raise BadArguments("--record records a scan, and with these options no paper moves")
    if undo and (recover or resume):
        raise BadArguments("--undo is for finished scans, --recover and --resume are for interrupted ones")
    if undo:
        undoing.undo(plan, names, voice, owner=recover_id, dry_run=dry_run)
    elif recover or recover_id or resume:
        scanning.recover(plan, names, voice, owner=recover_id, dry_run=dry_run, resume=resume)
    elif dry_run:
        scanning.rehearse(plan, voice)
    else:
        paper = scanning.Paper(batch=batch, manual_duplex=manual_duplex, wait=wait_paper)
        scanning.perform(plan, names, voice, paper, _recording(record, record_masked, force))


def _recording(case: str | None, masked: bool, force: bool) -> RecordTo | None:
    """The case to record into, made before any paper moves."""
    if not case:
        return None
    from pathlib import Path

    from dwtsvc.devices import cases

    cases.create(Path(case), force=force)
    return cases.RecordTo(Path(case), masked)
