"""What `dwtsvc pdf info` and `dwtsvc pdf images` show of a PDF, and the images written as files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from dwtsvc.errors import NothingFound
from dwtsvc.imaging.pageranges import parse
from dwtsvc.imaging.pdfinfo import Facts, Picture, Sheet, picture_data, pictures
from dwtsvc.imaging.pdfsource import PdfSource
from dwtsvc.parts import PartFile
from dwtsvc_cli import output
from dwtsvc_cli.pdffiles import Target, finishing, pattern_of, tell_notes, unlocked


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


def show_or_write_images(source: PdfSource, pages: str, target: Target | None, json: bool) -> None:
    """Raises NothingFound where there is no image."""
    found = list(pictures(source, sorted(set(parse(pages, len(source))))))
    tell_notes(source.notes)
    if not found:
        raise NothingFound(f"{source.name} has no images on these pages")
    if target is not None:
        _write(source, found, target)
    elif json:
        for picture in found:
            output.say_json(_record(picture))
    else:
        headings = ["Page", "Image", "Pixels", "Encoding", "Written as"]
        output.table(headings, [_row(picture) for picture in found])


def _row(picture: Picture) -> list[str]:
    size = f"{picture.width} x {picture.height}"
    return [str(picture.page), str(picture.number), size, picture.encoding, picture.suffix]


def _record(picture: Picture) -> dict[str, Any]:
    names = ("page", "number", "width", "height", "encoding", "suffix", "masked")
    return {name: getattr(picture, name) for name in names}


def _write(source: PdfSource, found: list[Picture], target: Target) -> None:
    """One after another, so that one image is in memory. A damaged one is an error after those before it."""
    patterns = [pattern_of(f"{target.output}.{picture.suffix}") for picture in found]
    paths = [pattern.path(number) for number, pattern in enumerate(patterns, 1)]
    target.refuse_taken(paths)
    for path, picture in zip(paths, found, strict=True):
        data = picture_data(source, picture)
        part = PartFile(path, force=target.force)
        with finishing(part):
            part.file.write(data)
        if target.json:
            output.say_json({"output": str(part.target), **_record(picture)})
        else:
            output.say(str(part.target))
        if picture.masked:
            output.tell(f"dwtsvc: {part.target} is without the mask that makes parts of it transparent in the PDF")
