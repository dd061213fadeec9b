"""Barcodes: how many of a collection of photographs are read, and how long a page without a code takes.

The collection is a folder (`--corpus`) with `barcodes/`, pictures with their texts beside them and false positives in
folders of their own, and `pages/`, scans without a code.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import process_time

from PIL import Image

from benchmarks.rig import Bench, Row
from dwtsvc.imaging.barcode import read
from dwtsvc.model import Barcode

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
MUST = {"both": 0.93, "auto": 0.92}  # of the texts
PAGE_MUST = 0.4
TURNS = 5
WIDTH = 2480  # pixels of A4 at 300 dpi
RETAIL = ("ean13", "upca", "upce")  # whose leading zeros a text may or may not have


def photographs(bench: Bench) -> Iterator[Row]:
    """Ratios are the share that must be right to the share that is, so that less is better."""
    if bench.corpus is None:
        return
    known = list(_samples(bench.corpus / "barcodes"))
    strangers = [image for path in sorted(bench.corpus.glob("barcodes/falsepositives-*/*")) if (image := _image(path))]
    seconds = {}
    for engine in ("zxing", "auto", "both"):
        began = process_time()
        codes = [read(image, engine=engine) for image, _ in known]
        seconds[engine] = process_time() - began
        if engine not in MUST:
            continue
        right = sum(_right(text, found) for (_, text), found in zip(known, codes, strict=True))
        wrong = sum(bool(read(image, engine=engine)) for image in strangers)
        note = f"{right} of {len(known)}, {wrong} false in {len(strangers)}"
        yield Row(f"right with {engine}: goal / reached", MUST[engine], right / len(known) * (not wrong), 1.0, "", note)
    yield Row("all photographs, auto / zxing alone", seconds["auto"], seconds["zxing"], 1.5)


def page_without_code(bench: Bench) -> Iterator[Row]:
    if bench.corpus is None:
        return
    from pyzbar import pyzbar

    pages = [_page(path) for path in sorted(bench.corpus.glob("pages/*.jpg"))]
    ours = [_seconds(partial(read, page, dpi=300)) for page in pages]
    peer = [_seconds(partial(pyzbar.decode, page)) for page in pages]
    yield Row("A4 page without a code, auto / pyzbar", statistics.mean(ours), statistics.mean(peer), PAGE_MUST)


def _seconds(work: Callable[[], object]) -> float:
    """Of the processor, the least of some turns: both run on one thread."""
    taken = []
    for _ in range(TURNS):
        began = process_time()
        work()
        taken.append(process_time() - began)
    return min(taken)


def _samples(folder: Path) -> Iterator[tuple[Image.Image, str]]:
    for path in sorted(folder.glob("*/*.txt")):
        picture = next((path.with_suffix(suffix) for suffix in PICTURES if path.with_suffix(suffix).exists()), None)
        if picture and not path.parent.name.startswith("falsepositives") and (image := _image(picture)):
            yield image, path.read_bytes().decode()


def _image(path: Path) -> Image.Image | None:
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except OSError:
        return None


def _page(path: Path) -> Image.Image:
    """A scan in the pixels that A4 has at 300 dpi."""
    with Image.open(path) as image:
        return image.convert("RGB").resize((WIDTH, round(image.height * WIDTH / image.width)))


def _right(text: str, codes: list[Barcode]) -> bool:
    wanted = text.strip()
    return any(
        code.text.strip() == wanted or (code.type in RETAIL and code.text.lstrip("0") == wanted.lstrip("0"))
        for code in codes
    )
