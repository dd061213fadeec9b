"""How `dwtsvc pdf compare` and `verify` speak. PDFs are read in a child with limits: they may be anybody's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.pdfcompare import PageDifference, Size, metadata, pages
from dwtsvc.limits import iterate_limited, run_limited
from dwtsvc.model import MM_PER_INCH
from dwtsvc_cli import output
from dwtsvc_cli.pdffiles import Target, finishing, unlocked

if TYPE_CHECKING:
    from dwtsvc.imaging.pdf import PdfWriter

FORMATS = {"png": "PNG", "pdf": "JPEG"}
HALF_HOUR = 1_800.0  # seconds: a receipt may cover gigabytes
Described = dict[str, tuple[str | None, str | None]]


def verify(pdf: Path, receipt: Path | None, password: str | None, json: bool) -> bool:
    """Whether all agrees."""
    from dwtsvc.imaging.pdfverify import Verdict
    from dwtsvc.imaging.pdfverify import verify as verified

    def read(path: Path, secret: str | None) -> Verdict:
        told = str(receipt) if receipt else None
        return run_limited(verified, str(path), told, secret or "", timeout=HALF_HOUR, name=f"'{path}'")

    found = unlocked(read, pdf, password)
    if json:
        output.say_json({"input": str(pdf), "same": not found.faults, **_values(found)})
        return not found.faults
    for fault in found.faults:
        output.say(fault)
    if not found.faults:
        covered = "every byte" if found.whole else "the images"
        pages = f" of {found.pages} pages" if found.pages else ""
        output.say(f"{pdf} agrees with its receipt: {covered}{pages}")
    return not found.faults


def compare(
    a: Path, b: Path, password: str | None, *, dpi: int, tolerance: int, target: Target | None, json: bool
) -> bool:
    """Whether both are the same. Draws what differs, if there is a target."""
    draw = _format(target)

    def described(path: Path, secret: str | None) -> tuple[Described, tuple[str | None, str | None]]:
        both = (secret, secret)
        return run_limited(metadata, str(a), str(b), both, name=f"'{a}' or '{b}'"), both

    differs, passwords = unlocked(described, a, password)
    told = (str(a), str(b), passwords, dpi, tolerance, draw)
    found = iterate_limited(pages, *told, name=f"A page of '{a}' or '{b}'")
    with ExitStack() as stack:
        drawn = stack.enter_context(_Drawing(target, dpi)) if target else None
        kept = list(_differing(found, drawn))
    if json:
        same = not (differs or kept)
        output.say_json(
            {"a": str(a), "b": str(b), "same": same, "metadata": differs, "pages": list(map(_record, kept))}
        )
    else:
        _tell(kept, differs, (a, b), dpi)
    return not (kept or differs)


class _Drawing:
    """Where the images of pages that differ go: one PDF, or a PNG each. Nothing is written where nothing differs."""

    def __init__(self, target: Target, dpi: int) -> None:
        self._names = target.names(target.output or "")
        self._pdf = (target.output or "").lower().endswith(".pdf")
        self._dpi, self._stack = dpi, ExitStack()
        self._writer: PdfWriter | None = None

    def __enter__(self) -> _Drawing:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def add(self, image: bytes) -> None:
        if not self._pdf:
            part = self._names.reserve()
            with finishing(part):
                part.file.write(image)
            output.tell(f"dwtsvc: drawn in {part.target}")
            return
        if self._writer is None:
            self._writer = self._begin()
        self._writer.add_jpeg(image, dpi=self._dpi)

    def _begin(self) -> PdfWriter:
        from dwtsvc.imaging.pdf import PdfWriter

        part = self._names.reserve()
        self._stack.callback(output.tell, f"dwtsvc: drawn in {part.target}")
        self._stack.enter_context(finishing(part))
        return self._stack.enter_context(PdfWriter(part.file))


def _format(target: Target | None) -> str:
    if target is None:
        return ""
    suffix = Path(target.output or "").suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise BadArguments(f"Differences are not drawn as '{suffix}'", hint="Give a name that ends in .pdf or .png.")
    return FORMATS[suffix]


def _differing(found: Iterable[PageDifference], drawn: _Drawing | None) -> Iterator[PageDifference]:
    for page in found:
        if drawn and page.drawn:
            drawn.add(page.drawn)
        if not page.same:
            yield page


def _record(page: PageDifference) -> dict[str, object]:
    return {name: value for name, value in _values(page).items() if name != "drawn"}


def _values(record: object) -> dict[str, object]:
    from dwtsvc.records import pack

    return pack(record)


def _tell(found: list[PageDifference], differs: Described, names: tuple[Path, Path], dpi: int) -> None:
    """Nothing where both are the same, like diff."""
    for name, (one, other) in differs.items():
        output.say(f"{name}: {_quoted(one)} and {_quoted(other)}")
    for page in found:
        for line in _lines(page, names, dpi):
            output.say(f"page {page.page}: {line}")
        for line in page.text:
            if not line.startswith("@@"):
                output.say(f"  {line}")


def _lines(page: PageDifference, names: tuple[Path, Path], dpi: int) -> Iterator[str]:
    if page.only:
        yield f"only in {names['ab'.index(page.only)]}"
    if page.sizes:
        yield f"{_size(page.sizes[0])} and {_size(page.sizes[1])} mm"
    if page.box:
        left, top, right, bottom = (round(side / dpi * MM_PER_INCH) for side in page.box)
        share = f"{page.share:.2%}" if page.share >= 0.0001 else "less than 0.01%"
        yield f"{page.pixels} pixels differ ({share}), from {left}, {top} to {right}, {bottom} mm"
    if page.text:
        yield "the text differs"


def _size(size: Size) -> str:
    return f"{size[0]:g} x {size[1]:g}"


def _quoted(text: str | None) -> str:
    return "none" if text is None else f"'{text}'"
