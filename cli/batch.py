"""`dwtsvc batch`: the options of a batch. batchplan.py checks them, batchwork.py does what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dwtsvc_cli import options

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def batch(
    inputs: Annotated[list[str], typer.Argument(metavar="FILE|FOLDER...", help="Images, TIFFs, PDFs, and folders.")],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATTERN",
            help="The files to write, or their folder: {name} is the input's name without its suffix; {barcode}, {asn},"
            " {text:REGEX}, {doc}, {n}, {date} and {time} are filled in, too.",
        ),
    ] = None,
    join: Annotated[bool, typer.Option("--join", help="Take all inputs together as one stack.")] = False,
    duplex: Annotated[bool, typer.Option("--duplex", help="Every second page is the back of the one before.")] = False,
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
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="TARGET", help="Send each file on: a target's name, a URL, a folder. Repeatable."),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--exec", metavar="COMMAND", help="Run this for each file; {file}, {name}, {title}, {pages}."),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            metavar="keep|move|delete",
            help="What becomes of inputs that are done; default: keep, and with --watch move.",
        ),
    ] = None,
    done: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where --after move puts them; default: done/ by the results.")
    ] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where inputs that failed go, each with NAME.error.json; default: quarantine/ by the results.",
        ),
    ] = None,
    dropped: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN", help="Where pages that were left out go; default: {name}.dropped.pdf in quarantine/."
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The report; default: report.jsonl by the results.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume/--again", help="Pass over inputs that the report says are done; or do all of them."),
    ] = True,
    watch: Annotated[bool, typer.Option("--watch", help="Wait for files in one folder, until Ctrl-C.")] = False,
    settle: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="A file is complete when it did not change for so long.")
    ] = 2.0,
    poll: Annotated[
        bool, typer.Option("--poll", help="Look into the folder from time to time: for network drives.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the page map; nothing is written.")] = False,
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each input.")] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Work on many files: read, clean, split, name and send them on.

    Each input is a stack of pages that becomes one file or several. Files appear whole or not at all, and none is
    replaced. One that fails does not stop the others; the exit code is that of the first error. What was done is in
    the report, so that the same command goes on after a crash or Ctrl-C.

    Examples:

      dwtsvc batch scans/ -o results/ --ocr -l deu+eng --deskew

      dwtsvc batch stack.pdf --split-on patcht --drop-blank -o 'letters/{barcode|letter}.pdf'

      dwtsvc batch stack.pdf --split-on blank --dry-run

      dwtsvc batch --watch /srv/inbox -o /srv/archive/ --ocr --to paperless+https://paperless.example
    """
    from dwtsvc.errors import BadArguments
    from dwtsvc_cli.batchplan import DEFAULT_NAME, plan
    from dwtsvc_cli.batchvoice import Voice
    from dwtsvc_cli.batchwork import Batch
    from dwtsvc_cli.wishes import Wishes

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
    if watch and (dry_run or len(inputs) != 1):
        raise BadArguments("--watch takes one folder, and no --dry-run")
    asked = plan(
        output or (DEFAULT_NAME if dry_run else None),
        wishes,
        language=language,
        join=join,
        duplex=duplex,
        after=after,
        watch=watch,
        resume=resume,
        to=to or [],
        command=command,
        done=done,
        quarantine=quarantine,
        dropped=dropped,
        report=report,
    )
    voice = Voice(json=json, quiet=quiet, verbose=verbose)
    work = Batch(asked, voice, dry_run=dry_run)
    if watch:
        work.watch(Path(inputs[0]), settle=settle, poll=poll)
    else:
        work.listed(inputs)
    raise typer.Exit(voice.code)
