"""What a command is given to read: files, the pictures in folders, and `-` for standard input."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

STDIN = "-"
MORE_SUFFIXES = (".gif", ".pnm", ".pbm", ".pgm", ".ppm")  # read, but never written
LARGEST_STDIN = 2**30  # bytes; it is held in memory, for PDF and TIFF are not read from front to back


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to read, by the name that the user knows it by."""

    name: str

    def load(self) -> Path | bytes:
        """The file, or the bytes of standard input. FileAccess and BadInput say why there are none."""
        from dwtsvc.errors import BadInput

        if self.name == STDIN:
            return _standard_input()
        path = Path(self.name)
        if path.is_dir():  # one with pictures has become its files
            raise BadInput(f"The folder '{self.name}' has no picture and no PDF in it")
        return path


def inputs(names: Iterable[str]) -> list[Input]:
    """The inputs in order; a folder becomes its pictures and PDFs, page-2 before page-10, or itself if it has none.

    Hidden files, other files and folders in it are passed over.
    """
    return [Input(found) for name in names for found in (_pictures(name) or [name])]


def _pictures(name: str) -> list[str]:
    from dwtsvc.suffixes import FORMATS

    known = {suffix for suffixes in FORMATS.values() for suffix in suffixes} | set(MORE_SUFFIXES)
    try:
        files = [Path(entry.path) for entry in os.scandir(name) if entry.is_file() and entry.name[0] != "."]
    except OSError:  # no folder, or one that cannot be listed: told when it is its turn
        return []
    return [str(file) for file in sorted(files, key=_by_number) if file.suffix.lower() in known]


def _by_number(file: Path) -> tuple[list[str | int], str]:
    """Text and numbers in turn, so that they compare with their like."""
    parts = re.split(r"(\d+)", file.name)
    return [int(part) if odd % 2 else part.lower() for odd, part in enumerate(parts)], file.name


def _standard_input() -> bytes:
    from dwtsvc.errors import BadArguments, BadInput

    if sys.stdin is None or sys.stdin.isatty():
        raise BadArguments("There is nothing on standard input", hint="Send a file: dwtsvc barcode - < page.png")
    data = sys.stdin.buffer.read(LARGEST_STDIN + 1)
    if len(data) > LARGEST_STDIN:
        raise BadInput("Standard input is too large", why=f"the limit is {LARGEST_STDIN:,} bytes")
    return data
