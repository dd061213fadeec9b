"""What `dwtsvc pdf info` and `dwtsvc pdf metadata` show of a PDF."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from dwtsvc.imaging import pdfwork
from dwtsvc.imaging.pdfinfo import Facts, Sheet
from dwtsvc_cli import output
from dwtsvc_cli.pdfchild import PdfChild
from dwtsvc_cli.pdffiles import tell_notes, unlocked


def show_facts(pdf: Path, password: str | None, json: bool) -> None:
    """The PDF is read in a child with limits: it may be anybody's."""
    from dwtsvc.imaging.pdfinfo import facts_of
    from dwtsvc.limits import run_limited
    from dwtsvc.records import pack

    def read(path: Path, secret: str | None) -> Facts:
        return run_limited(facts_of, str(path), secret, name=f"'{path}'")

    found = unlocked(read, pdf, password)
    if json:
        output.say_json({"input": str(pdf), **pack(found)})
        return
    tell_notes(found.notes)
    rows = [
        ["Pages", str(found.pages)],
        *[["Size", text] for text in _sizes(found.sheets)],
        ["Version", found.version],
        ["Encryption", found.encryption or "none"],
        *([["Allows", ", ".join(found.allows) or "none"]] if found.encryption else []),
        *[[name.capitalize(), value] for name, value in found.metadata.items()],
        ["Tagged", "yes" if found.tagged else "no"],
        ["Form", "yes" if found.form else "no"],
    ]
    output.table(["What", "Value"], rows)


def _sizes(sheets: list[Sheet]) -> list[str]:
    counted = Counter(f"{sheet.width:.0f} x {sheet.height:.0f} mm" for sheet in sheets)
    return [text if len(counted) == 1 else f"{text} ({count})" for text, count in counted.most_common()]


def show_metadata(pdf: Path, password: str | None, json: bool) -> None:
    with PdfChild([pdf]) as child:
        (found, notes), _ = child.read(pdfwork.metadata, pdf, password)
    if json:
        output.say_json({"input": str(pdf), "metadata": found, "notes": notes})
    else:
        tell_notes(notes)
        output.table(["Name", "Value"], [[name, value] for name, value in found.items()])
