"""`dwtsvc barcode`: the barcodes of images, PDFs and folders, as lines, as JSON, and drawn; `sheet` is apart."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer._click import Context
from typer.core import TyperGroup

from dwtsvc.imaging.pagecodes import PageCodes
from dwtsvc_cli import choices, options
from dwtsvc_cli.barcodesheet import sheet

if TYPE_CHECKING:
    from pathlib import Path

    from dwtsvc.errors import DwtsvcError
    from dwtsvc.model import Barcode
    from dwtsvc.outputs import Names
    from dwtsvc.parts import PartFile


class _Reader(TyperGroup):
    """A command with files as its arguments that has a subcommand, too: only a first word can be one."""

    allow_interspersed_args = True

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if args[:1] and args[0] in self.commands:
            super().parse_args(ctx, [])
            ctx._protected_args, ctx.args = args[:1], args[1:]
            return ctx.args
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_Reader, invoke_without_command=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command()(sheet)


@app.callback()
def barcode(
    context: typer.Context,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Images, PDFs, folders of them, and '-' for standard input."),
    ] = None,
    types: Annotated[
        str | None,
        typer.Option(
            "-t",
            "--types",
            metavar="TYPE,TYPE",
            help="Only these types of codes, as code128,qr; a wrong one lists all. Without it: every type.",
            autocompletion=choices.barcode_types,
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="auto|zxing|zbar|both",
            help="Who reads: auto is zxing, then zbar where there are bars it could not read; both joins the two and "
            "looks again where neither read any.",
            autocompletion=choices.barcode_engine,
        ),
    ] = "auto",
    dpi: Annotated[
        int, typer.Option(metavar="DPI", min=36, max=1200, help="At what resolution PDF pages are drawn.")
    ] = 300,
    draw: Annotated[
        str | None,
        typer.Option(
            metavar="OUT.png",
            help="Also write each picture that has codes, with them framed: OUT.png, OUT-2.png...; {n} is the number.",
        ),
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="DWTSVC_PDF_PASSWORD",
            show_envvar=False,
            help="What opens the PDFs. Without it: DWTSVC_PDF_PASSWORD.",
        ),
    ] = None,
    force: options.Force = False,
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each input.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but codes and errors.")] = False,
) -> None:
    """Read the barcodes of images and PDFs.

    A line for each code: the file, the page, the type and the text, from top to bottom. An input that cannot be read
    is told on standard error and does not stop the others; the exit code is then the one of the first such error. It
    is 1 when no code was found.

    Examples:

      dwtsvc barcode letter.pdf

      dwtsvc barcode --types code128,qr --json scans/ | jq -r '.barcodes[].text'

      dwtsvc scan --format png -n 1 -o - | dwtsvc barcode -

      dwtsvc barcode --engine both --draw found.png photo.jpg

      dwtsvc barcode sheet PATCHT -o separator.pdf
    """
    from dwtsvc.errors import BadArguments
    from dwtsvc_cli import output
    from dwtsvc_cli.barcodelanes import Lanes, Reading
    from dwtsvc_cli.inputs import inputs as listed

    if context.invoked_subcommand:
        return
    if not inputs:
        raise BadArguments("No file was named", hint="For example: dwtsvc barcode letter.pdf")
    wanted = None if types is None else types.lower().replace(",", " ").split()
    if wanted == []:
        raise BadArguments("--types names no type", hint="For example: --types code128,qr")
    if wanted or engine != "auto":
        _check(wanted, engine)
    found, code = False, 0
    with _Drawings(draw, force) as drawings:
        named = listed(inputs)
        how = Reading(types=wanted, engine=engine, dpi=dpi, draw=drawings.format, password=password)
        with Lanes(named, how) as lanes:
            for index, each in enumerate(named):
                result = _Result(each.name)
                for page in lanes.pages(index):
                    result.add(page, drawings)
                    if not json and isinstance(page, PageCodes):
                        _say_lines(each.name, page)
                _finish(result, json=json, quiet=quiet)
                found = found or bool(result.barcodes)
                code = code or (result.error.exit_code if result.error else 0)
    if not (found or code or quiet or json):
        output.tell("dwtsvc: No barcode was found")
    raise typer.Exit(code or (0 if found else 1))


@dataclass(slots=True)
class _Result:
    """What became of one input so far."""

    name: str
    barcodes: list[dict[str, Any]] = field(default_factory=list)
    drawn: list[str] = field(default_factory=list)
    error: DwtsvcError | None = None

    def add(self, page: PageCodes | DwtsvcError, drawings: _Drawings) -> None:
        if not isinstance(page, PageCodes):
            self.error = page
            return
        self.barcodes += [_plain(code, page) for code in page.barcodes]
        if page.drawn:
            self.drawn.append(str(drawings.add(page)))


def _check(types: list[str] | None, engine: str) -> None:
    """Refuse wrong words before anything is read. Nothing else of the readers is needed in this process."""
    from dwtsvc.imaging.barcode import checked

    checked(types, engine)


def _plain(code: Barcode, page: PageCodes) -> dict[str, Any]:
    from dwtsvc.imaging.pagecodes import in_mm

    return {
        "text": code.text,
        "bytes": base64.b64encode(code.bytes).decode(),
        "type": code.type,
        "corners": {"pixels": code.corners, "mm": in_mm(code, page.dpi)},
        "angle": code.angle,
        "page": page.number,
        "engine": code.engine,
    }


def _say_lines(name: str, page: PageCodes) -> None:
    from dwtsvc_cli import output

    for code in page.barcodes:
        output.say(f"{_one_line(name)}:{page.number}: {code.type} {_one_line(code.text)}")


def _one_line(text: str) -> str:
    """Text with line ends and control characters written out: a code's text must not move a terminal's cursor."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _finish(result: _Result, *, json: bool, quiet: bool) -> None:
    from dwtsvc_cli import output

    if json:
        output.say_json(_line(result))
        return
    if not quiet:
        for path in result.drawn:
            output.tell(f"Drawn: {_one_line(path)}")
    if error := result.error:
        output.tell(f"dwtsvc: {_one_line(result.name)}: {_one_line(str(error))}")
        if error.hint:
            output.tell(f"  {error.hint}")


def _line(result: _Result) -> dict[str, Any]:
    said: dict[str, Any] = {"input": result.name, "barcodes": result.barcodes}
    if result.drawn:
        said["drawn"] = result.drawn
    if error := result.error:
        said |= {"error": error.word, "code": error.exit_code}
        said |= {"what": error.what, "why": error.why, "hint": error.hint}
    return said


class _Drawings:
    """The files of `--draw`. The first name is reserved before anything is read, so that it is refused at once."""

    def __init__(self, name: str | None, force: bool) -> None:
        self.format = ""
        self._names: Names | None = None
        self._next: PartFile | None = None
        if name is not None:
            self._reserve(name, force)

    def _reserve(self, name: str, force: bool) -> None:
        from datetime import datetime

        from dwtsvc.outputs import NamePattern, Names
        from dwtsvc.suffixes import format_of

        self.format = format_of(name)
        self._names = Names(NamePattern(name, device="barcode", when=datetime.now()), force=force, next_free=False)
        self._next = self._names.reserve()

    def __enter__(self) -> _Drawings:
        return self

    def __exit__(self, *_: object) -> None:
        if self._next:
            self._next.abort()

    def add(self, page: PageCodes) -> Path:
        from dwtsvc.parts import writing

        assert self._names is not None
        self._next = part = self._next or self._names.reserve()
        with writing(part.target):
            part.file.write(page.drawn)
        part.commit()
        self._next = None
        return part.target
