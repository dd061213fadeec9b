"""Scanned pages to searchable PDFs, against OCRmyPDF: time, errors in the text, what is left after a scan, memory."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import perf_counter

from benchmarks.rig import DWTSVC, Bench, Row

PEER = shlex.quote(str(Path(sys.executable).with_name("ocrmypdf")))
PEER_OPTIONS = "-q -l fra -j 2 --output-type pdf --optimize 0"
TURNS = 3
# Our page workers step back by 10 so that a scanner comes first. On a machine with other work that would be a
# handicap, on an idle one it is nothing: so both start there.
MODEST = "nice -n 10"
MARKS = re.compile(r"[_^]|~~~")  # of the transcribers
SCAN = "-r 300 --mode color --source feeder -q"
FEED = 1.5  # seconds a page: 40 a minute
LIMIT = 64.0  # MiB


def searchable(bench: Bench) -> Iterator[Row]:
    """Eight JPEG pages to one PDF. The peer takes one file only: its PDF of the same JPEGs is made before."""
    assert bench.corpus
    pages = sorted((bench.corpus / "pages").glob("typescript-*.jpg"))
    kept = bench.folder / "home" / "kept"
    kept.mkdir(parents=True)
    _as_pdf(pages, kept / "in.pdf")
    cache = bench.folder / "home" / "cache"
    named = " ".join(shlex.quote(str(page.absolute())) for page in pages)
    ours, peer = bench.turns(
        f"rm -rf {cache} && {MODEST} {DWTSVC} ocr -q -f -l fra {named} -o {kept}/ours.pdf",
        f"{MODEST} {PEER} {PEER_OPTIONS} {kept}/in.pdf {kept}/peer.pdf",
        count=TURNS,
    )
    yield Row("8 JPEG pages to searchable PDF / ocrmypdf", ours, peer, 1 / 3, note=f"{60 * 8 / ours:.0f} pages/min")
    errors = [_error_rate(kept / name, pages) for name in ("ours.pdf", "peer.pdf")]
    yield Row("errors in its text by pdftotext / ocrmypdf", *errors, 1.0, "%")


def behind_a_feeder(bench: Bench) -> Iterator[Row]:
    """100 letters fed at 40 a minute: how long after the last one is in the store the PDF is there, against 3 s."""
    bench.clear()
    command = f"{DWTSVC} scan {SCAN} -d 'virtual:adf?document=letter&pages=100&slow={FEED}' --ocr -l eng -o all.pdf"
    with subprocess.Popen(command, shell=True, cwd=bench.folder, env=bench.environment) as running:
        while running.poll() is None and not list(bench.folder.glob("home/state/pages/*/page-100")):
            time.sleep(0.02)
        fed = perf_counter()
        running.wait()
        took = perf_counter() - fed
    text = subprocess.run(["pdftotext", str(bench.folder / "all.pdf"), "-"], check=True, capture_output=True).stdout
    words = len(text.split()) / 100
    yield Row("100 pages at 40 ppm, after the last one / 3 s", took, 3.0, 1.0, note=f"{words:.0f} words a page")


def memory(bench: Bench) -> Iterator[Row]:
    """The largest memory of all processes but tesseract, for 100 pages and for 2,000; the peer is the smaller job plus
    64 MiB. The pages are links to one, so that tesseract reads once and the cache knows the rest."""
    from PIL import Image, ImageDraw, ImageFont

    sheet = Image.new("L", (1654, 2339), 255)
    for line in range(40):
        text = f"Line {line} of a page that comes again and again"
        ImageDraw.Draw(sheet).text((150, 150 + 50 * line), text, 0, ImageFont.load_default(32))
    peaks = []
    for count in (100, 2000):
        bench.clear()
        folder = bench.folder / "pages"
        folder.mkdir()
        sheet.save(folder / "0000.jpg", quality=75, dpi=(200, 200))
        for number in range(1, count):
            (folder / f"{number:04}.jpg").hardlink_to(folder / "0000.jpg")
        peaks.append(_peak(bench, [DWTSVC, "ocr", "-q", "-l", "eng", "pages", "-o", "all.pdf"]))
    small, large = peaks
    yield Row("memory of OCR, 2,000 pages / 100 + 64 MiB", large, small + LIMIT, 1.0, "MiB", f"100: {small:.0f}")


def _as_pdf(pages: list[Path], target: Path) -> None:
    """The JPEGs in a PDF, at the dpi that their names tell, for not all of them tell it themselves."""
    import img2pdf
    import pikepdf

    with pikepdf.new() as pdf:
        for page in pages:
            dpi = int(re.findall(r"(\d+)dpi", page.name)[0])
            made = target.with_name("page.pdf")
            made.write_bytes(img2pdf.convert(str(page), layout_fun=img2pdf.get_fixed_dpi_layout_fun((dpi, dpi))))
            with pikepdf.open(made) as single:
                pdf.pages.extend(single.pages)
        pdf.save(target)


def _error_rate(pdf: Path, pages: list[Path]) -> float:
    """Percent of the characters of the truth that are wrong, missing or too many in the PDF's text; the pages' mean."""
    rates = []
    for number, page in enumerate(pages, 1):
        words = ["pdftotext", "-enc", "UTF-8", "-f", str(number), "-l", str(number), str(pdf), "-"]
        read = _plain(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        truth = _plain(page.with_suffix(".fra.txt").read_text("utf-8"))
        rates.append(100 * _distance(read, truth) / len(truth))
    return sum(rates) / len(rates)


def _plain(text: str) -> str:
    return " ".join(MARKS.sub("", text).split())


def _distance(one: str, other: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        above, row = row, [place]
        for (corner, over), wanted in zip(pairwise(above), other, strict=True):
            row.append(min(over + 1, row[-1] + 1, corner + (letter != wanted)))
    return row[-1]


def _peak(bench: Bench, command: list[str]) -> float:
    """The largest sum of what the command's processes, but tesseract, hold in memory, in MiB."""
    shutil.rmtree(bench.folder / "home", ignore_errors=True)
    peak = 0
    with subprocess.Popen(command, cwd=bench.folder, env=bench.environment) as running:
        while running.poll() is None:
            peak = max(peak, sum(_held(process) for process in _family(running.pid)))
            time.sleep(0.05)
    if running.returncode:
        raise RuntimeError(f"{command} ended with {running.returncode}")
    return peak / 1024


def _family(root: int) -> list[int]:
    """A process and all that descend from it."""
    found = [root]
    for process in found:
        try:
            tasks = Path(f"/proc/{process}/task").iterdir()
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:  # it has ended
            continue
    return found


def _held(process: int) -> int:
    """KiB in memory, what is shared counted in shares; none for tesseract."""
    try:
        if Path(f"/proc/{process}/comm").read_text().strip() == "tesseract":
            return 0
        return int(Path(f"/proc/{process}/smaps_rollup").read_text().split("Pss:")[1].split()[0])
    except (OSError, IndexError):
        return 0
