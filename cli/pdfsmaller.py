"""How `dwtsvc pdf optimize` speaks: what became smaller on standard error, and each image that lost something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dwtsvc.imaging.pdfoptimize import Optimized
from dwtsvc_cli import output
from dwtsvc_cli.pdffiles import Target, unlocked


def optimize(pdf: Path, password: str | None, target: Target, *, quality: int | None, max_dpi: int | None) -> None:
    def opened(path: Path, secret: str | None) -> Optimized:
        return Optimized(path, secret, quality=quality, max_dpi=max_dpi)

    with unlocked(opened, pdf, password) as smaller:
        target.deliver(smaller, pdf, lambda: _record(smaller))
        if not target.json:
            _tell(smaller)


def _tell(smaller: Optimized) -> None:
    for said in smaller.lossy:
        output.tell(f"dwtsvc: {said}")
    if smaller.kept:
        output.tell("dwtsvc: nothing made it smaller: the result is the PDF as it was")
        return
    for part in smaller.sizes:
        count = f"{part.count} " if part.count else ""
        output.tell(f"  {count}{part.kind}: {part.before:,} to {part.after:,} bytes")
    saved = 1 - smaller.after / smaller.before
    output.tell(f"dwtsvc: {smaller.before:,} to {smaller.after:,} bytes, {saved:.1%} less")


def _record(smaller: Optimized) -> dict[str, Any]:
    names = ("before", "after", "kept", "sizes", "lossy")
    return {name: getattr(smaller, name) for name in names}
