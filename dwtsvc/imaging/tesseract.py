"""Tesseract, called through pytesseract: one process a page, one thread each, and nothing left when it fails.

What is avoided, because it was measured: pytesseract's own PNG of the page (more than a second), more than one OpenMP
thread (three times the CPU time), and PGM, which tesseract reads pixel by pixel (a tenth more time than BMP).
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dwtsvc.errors import BadArguments, ChildProgramFailed, MissingDependency
from dwtsvc.imaging.characters import legible
from dwtsvc.scratch import Scratch
from dwtsvc.text import Box, Line, Text, Word

if TYPE_CHECKING:
    from PIL import Image

    from dwtsvc.imaging.ocr import Reading

PROGRAM = "tesseract"
PATIENCE = 20.0  # seconds for a question about versions and languages
BELIEVED_DPI = 70, 2400  # others tesseract replaces by a guess of its own
LINE, WORD = "4", "5"  # levels of a row of its table


class Row(NamedTuple):
    """A row of tesseract's table; the numbers say which line of which paragraph of which block it belongs to."""

    level: str
    place: tuple[str, str, str]
    box: Box
    confidence: float
    text: str


def read(image: Image.Image, dpi: float, reading: Reading) -> Text:
    """The text of an image of mode 1 or L, with boxes in its pixels. Raises MissingDependency, ChildProgramFailed."""
    options = ["-c", "tessedit_create_tsv=1"]
    if reading.psm is not None:
        options += ["--psm", str(reading.psm)]
    table = run(
        image,
        dpi,
        "tsv",
        languages=reading.languages,
        options=options,
        tessdata=reading.tessdata,
        timeout=reading.timeout,
    )
    return Text(
        width=image.width,
        height=image.height,
        dpi=dpi,
        languages=reading.languages,
        engine=f"{PROGRAM} {version() or 'unknown'}",
        lines=tuple(_lines(_rows(table))),
    )


def run(
    image: Image.Image,
    dpi: float,
    suffix: str,
    *,
    languages: str,
    options: list[str],
    tessdata: str | None,
    timeout: float,
) -> str:
    """What tesseract writes about an image of mode 1 or L into its file with the suffix: "tsv" or "osd".

    Raises MissingDependency, ChildProgramFailed with its complaint, or when it is not done within `timeout` seconds.
    """
    from pytesseract import pytesseract

    lowest, highest = BELIEVED_DPI
    words = ["--dpi", str(min(highest, max(lowest, round(dpi)))), *options, *_models(tessdata)]
    # Its children are given this mapping; the variable is not this process's own business.
    pytesseract.environ = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    with Scratch("ocr") as folder, _bitmap(image, folder) as bitmap:
        try:
            result = folder / "page"
            pytesseract.run_tesseract(
                bitmap, str(result), suffix, lang=languages, config=shlex.join(words), timeout=timeout
            )
            return result.with_suffix(f".{suffix}").read_text("utf-8", "replace")
        except pytesseract.TesseractNotFoundError as error:
            raise _missing() from error
        except pytesseract.TesseractError as error:
            raise ChildProgramFailed("Tesseract failed", why=_complaint(error.status, error.message)) from error
        except RuntimeError as error:  # what pytesseract raises once it has killed it
            why = f"it did not end within {timeout:g} seconds"
            raise ChildProgramFailed("Tesseract was stopped", why=why, hint="Allow it more time.") from error
        except (OSError, ValueError) as error:  # no output, or a complaint in no known encoding
            raise ChildProgramFailed("Tesseract failed", why=str(error)) from error


@contextmanager
def _bitmap(image: Image.Image, folder: Path) -> Iterator[str]:
    """A path at which tesseract finds the image. On Linux the file is memory: it never outlives this process."""
    if not hasattr(os, "memfd_create") or not os.path.exists("/proc/self/fd"):
        path = folder / "page.bmp"
        image.save(path, format="BMP")
        yield str(path)
        return
    with open(os.memfd_create("page.bmp"), "wb") as file:
        image.save(file, format="BMP")
        file.flush()
        yield f"/proc/{os.getpid()}/fd/{file.fileno()}"


def _models(tessdata: str | None) -> list[str]:
    if tessdata is None:
        return []
    if not os.path.isdir(tessdata):
        raise BadArguments(f"There is no folder of language models '{tessdata}'")
    return ["--tessdata-dir", tessdata]


def _complaint(status: int, said: str) -> str:
    if status < 0:
        return f"it was ended by signal {-status}"
    return " ".join(said.split())[:300] or f"exit code {status}"


def _rows(table: str) -> Iterator[Row]:
    for line in table.split("\n")[1:]:  # a word may hold what else ends a line in Unicode
        cells = line.split("\t")
        if len(cells) == 12 and cells[0] in (LINE, WORD):
            level, _, block, paragraph, number, _, left, top, width, height, confidence, text = cells
            box = int(left), int(top), int(left) + int(width), int(top) + int(height)
            yield Row(level, (block, paragraph, number), box, float(confidence), legible(text).strip())


def _lines(rows: Iterable[Row]) -> Iterator[Line]:
    """Lines in the order of the table. Blocks and paragraphs without a word are not counted."""
    blocks: dict[str, dict[str, int]] = {}
    for (block, paragraph, _), members in groupby(rows, key=lambda row: row.place):
        head, *tail = members
        words = tuple(_word(row) for row in tail if row.text)
        if words:
            paragraphs = blocks.setdefault(block, {})
            number = paragraphs.setdefault(paragraph, len(paragraphs) + 1)
            yield Line(words=words, box=head.box, block=list(blocks).index(block) + 1, paragraph=number)


def _word(row: Row) -> Word:
    return Word(text=row.text, box=row.box, confidence=min(100.0, max(0.0, row.confidence)))


def version() -> str | None:
    """ "5.3.0"; None where tesseract is not installed or does not work."""
    path = shutil.which(PROGRAM)
    return _version_of(path) if path else None


@lru_cache(maxsize=4)
def _version_of(path: str) -> str | None:
    said = _asked(path, "--version")
    words = said.partition("\n")[0].split() if said else []
    return words[1].removeprefix("v") if len(words) > 1 else None


def _asked(path: str, *words: str) -> str | None:
    """What the program answers on either stream; None if it fails."""
    try:
        done = subprocess.run(
            [path, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.decode("utf-8", "replace")


def languages(tessdata: str | None = None) -> list[str]:
    """The languages in its folder of models, or in `tessdata`, sorted."""
    path = shutil.which(PROGRAM)
    if path is None:
        raise _missing()
    listed = _asked(path, *_models(tessdata), "--list-langs")
    if listed is None:
        raise ChildProgramFailed("Tesseract does not tell its languages", hint="Try: tesseract --list-langs")
    _, _, names = listed.replace("\r\n", "\n").partition("):\n")  # warnings may come before
    return sorted(name.strip() for name in names.splitlines() if name.strip())


def check(names: Iterable[str], tessdata: str | None) -> None:
    """Raise MissingDependency if tesseract or one of the languages is not there."""
    there = languages(tessdata)
    lacking = [name for name in dict.fromkeys(names) if name not in there]
    if lacking:
        what = f"Tesseract has no language {', '.join(lacking)}"
        raise MissingDependency(what, why=f"it has {', '.join(there) or 'none'}", hint=_install(lacking, tessdata))


def _missing() -> MissingDependency:
    return MissingDependency(
        "Tesseract is not installed",
        hint=_how(
            {
                "apt-get": "tesseract-ocr",
                "dnf": "tesseract",
                "pacman": "tesseract tesseract-data-eng",
                "brew": "tesseract",
            }
        ),
    )


def _install(names: list[str], tessdata: str | None) -> str:
    if tessdata is not None:
        files = " and ".join(f"{name}.traineddata" for name in names)
        return f"Put {files} into {tessdata}."
    return _how({program: " ".join(dict.fromkeys(map(package, names))) for program, package in PACKAGES.items()})


def _apt(name: str) -> str:
    """Debian has the scripts by their four letters, which nothing here knows."""
    return "tesseract-ocr-all" if "/" in name else f"tesseract-ocr-{name.replace('_', '-').lower()}"


PACKAGES = {
    "apt-get": _apt,
    "dnf": lambda name: "tesseract-osd" if name == "osd" else f"tesseract-langpack-{name}",
    "pacman": lambda name: f"tesseract-data-{name}",
    "brew": lambda name: "tesseract" if name in ("osd", "eng") else "tesseract-lang",
}
INSTALLERS = {
    "apt-get": "sudo apt-get install",
    "dnf": "sudo dnf install",
    "pacman": "sudo pacman -S",
    "brew": "brew install",
}


def _how(packages: dict[str, str]) -> str:
    """The command that installs packages, by the first of the system's programs that is there."""
    program = next((each for each in INSTALLERS if shutil.which(each)), "apt-get")
    return f"Install it: {INSTALLERS[program]} {packages[program]}"
