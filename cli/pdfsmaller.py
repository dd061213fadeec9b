"""How `dwtsvc pdf optimize` speaks: what became smaller on standard error, and each image that lost something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dwtsvc.imaging import pdfwork
from dwtsvc.imaging.pdfwork import Place, Written
from dwtsvc_cli import output
from dwtsvc_cli.pdfchild import PdfChild
from dwtsvc_cli.pdffiles import Target

PATIENCE = 30  # each image is decoded and packed more than once


def optimize(pdf: Path, password: str | None, target: Target, *, quality: int | None, max_dpi: int | None) -> None:
    with PdfChild([pdf], patience=PATIENCE) as child:

        def make(place: Place) -> Written:
            return child.read(pdfwork.optimize, pdf, password, quality, max_dpi, place)[0]

        written = target.deliver(make, pdf)
    if not target.json:
        _tell(written.more)


def _tell(smaller: dict[str, Any]) -> None:
    for said in smaller["lossy"]:
        output.tell(f"dwtsvc: {said}")
    if smaller["kept"]:
        output.tell("dwtsvc: nothing made it smaller: the result is the PDF as it was")
        return
    for part in smaller["sizes"]:
        count = f"{part['count']} " if part["count"] else ""
        output.tell(f"  {count}{part['kind']}: {part['before']:,} to {part['after']:,} bytes")
    before, after = smaller["before"], smaller["after"]
    output.tell(f"dwtsvc: {before:,} to {after:,} bytes, {1 - after / before:.1%} less")
