"""Texts for tests: built by hand, or read by tesseract."""

from __future__ import annotations

import csv
import io
import os
import subprocess

from PIL import Image

from dwtsvc.text import Box, Line, Text, Word


def text_of(*lines: Line, width: int = 1000, height: int = 1400, dpi: float = 120) -> Text:
    return Text(width=width, height=height, dpi=dpi, languages="eng", engine="hand", lines=lines)


def line_of(
    words: str, left: int, top: int, *, letter: int = 12, size: int = 24, gap: int = 12, block: int = 1
) -> Line:
    """Words on a line from left to right, each letter `letter` pixels wide and each space `gap`."""
    made, at = [], left
    for word in words.split():
        right = at + letter * len(word)
        made.append(Word(text=word, box=(at, top, right, top + size), confidence=90))
        at = right + gap
    return Line(words=tuple(made), box=around([word.box for word in made]), block=block, paragraph=1)


def around(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def read_by_tesseract(image: Image.Image, dpi: float, languages: str = "eng") -> Text:
    """The TSV of tesseract as it comes; lines are told apart by block, paragraph and line number."""
    file = io.BytesIO()
    image.save(file, "PPM")
    command = ["tesseract", "-", "-", "-l", languages, "--dpi", f"{dpi:.0f}", "tsv"]
    limits = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(command, input=file.getvalue(), capture_output=True, check=True, timeout=110, env=limits)
    rows = csv.DictReader(io.StringIO(done.stdout.decode()), delimiter="\t", quoting=csv.QUOTE_NONE)
    found: dict[tuple[int, int, int], list[Word]] = {}
    boxes: dict[tuple[int, int, int], Box] = {}
    for row in rows:
        key = int(row["block_num"]), int(row["par_num"]), int(row["line_num"])
        left, top, across, down = (int(row[name]) for name in ("left", "top", "width", "height"))
        box = (left, top, left + across, top + down)
        if row["level"] == "4":
            boxes[key] = box
        elif row["level"] == "5" and row["text"].strip():
            found.setdefault(key, []).append(Word(text=row["text"], box=box, confidence=float(row["conf"])))
    lines = [Line(words=tuple(words), box=boxes[key], block=key[0], paragraph=key[1]) for key, words in found.items()]
    return Text(
        width=image.width, height=image.height, dpi=dpi, languages=languages, engine="tesseract", lines=tuple(lines)
    )
