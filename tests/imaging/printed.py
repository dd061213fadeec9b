"""Pages with known text, and engines that behave as a test wants."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from dwtsvc.devices import documents
from dwtsvc.text import Line, Text, Word


def sheet(kind: str, dpi: int, serial: int = 7) -> Image.Image:
    """A document of the virtual scanner as an image of mode P or RGB."""
    drawn = documents.sheet(kind, serial, dpi)
    if drawn.palette:
        drawn.image.putpalette(drawn.palette)
    return drawn.image


def words_on(kind: str, serial: int = 7) -> set[str]:
    return words(documents.text_of(kind, serial))


def words(text: str) -> set[str]:
    """Its words of letters alone, of three letters or more."""
    return set(re.findall(r"[^\W\d_]{3,}", text))


def typed(*lines: str, size: tuple[int, int] = (1240, 600), at: tuple[int, int] = (80, 60)) -> Image.Image:
    """Lines of 12 point at 200 dpi on a white page."""
    page = Image.new("L", size, 255)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((at[0], at[1] + 56 * number), line, 0, ImageFont.load_default(34))
    return page


def line(text: str, top: int = 0, *, block: int = 1, paragraph: int = 1, confidence: float = 90.0) -> Line:
    """A line 20 pixels high; a word is 40 pixels wide, with a gap of 10 behind it."""
    made = tuple(
        Word(text=word, box=(50 * place, top, 50 * place + 40, top + 20), confidence=confidence)
        for place, word in enumerate(text.split(" "))
    )
    return Line(words=made, box=(0, top, 50 * len(made) - 10, top + 20), block=block, paragraph=paragraph)


def page(*lines: Line) -> Text:
    return Text(width=1000, height=1400, dpi=120.0, languages="eng", engine="tesseract 5.3.0", lines=lines)


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str, name: str = "tesseract") -> None:
    """Put a program of the test's own before all others: $1 is the image it is given, $2.tsv where it must write."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f'#!/bin/sh\n[ "$1" != --version ] || {{ echo {name} 9.9; exit; }}\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
