"""PDFs: pages drawn against pdftoppm, and JPEG files put together against img2pdf, as whole processes."""

from __future__ import annotations

import random
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pikepdf

from benchmarks.rig import DWTSVC, PYTHON, Bench, Row

DPI = 200
PAGES = 40
TURNS = 3
SHEETS = 1_000
PEAK_MIB = 64
WORDS = "paper scanner feeder glass lamp sensor margin column invoice letter minute annex total sum copy page".split()

# What `scan` and the service do with JPEG pages: each file mapped, its bytes written, its dpi taken from its header.
TOGETHER = r"""\
import mmap, sys
from dwtsvc.imaging.pdf import PdfWriter
with open(sys.argv[1], "wb") as file, PdfWriter(file) as writer:
    for name in open(sys.argv[2]).read().split("\0"):
        with open(name, "rb") as page, mmap.mmap(page.fileno(), 0, access=mmap.ACCESS_READ) as data:
            writer.add_jpeg(data, dpi=300)
"""


def rasterizing(bench: Bench) -> Iterator[Row]:
    """Pages at 200 dpi as JPEG files of quality 75, against pdftoppm doing the same."""
    kept = bench.folder / "home"  # survives the clearing between turns
    kept.mkdir(exist_ok=True)
    for name, path, gray in (
        ("colour JPEG pages", _scanned(bench, kept / "color.pdf", "color"), False),
        ("group 4 pages", _scanned(bench, kept / "lineart.pdf", "lineart"), True),
        ("vector pages", _vector(kept / "vector.pdf"), False),
    ):
        source = shlex.quote(str(path))
        ours = f"{DWTSVC} pdf rasterize {source} -r {DPI} --mode {'gray' if gray else 'color'} -o 'p-{{n}}.jpg'"
        peer = f"pdftoppm -r {DPI} -jpeg -jpegopt quality=75 {'-gray' if gray else ''} {source} p"
        took = bench.turns(ours, peer, count=TURNS)
        yield Row(f"pdf: {PAGES} {name} drawn / pdftoppm", *took, must=1.0)


def together(bench: Bench) -> Iterator[Row]:
    """A thousand JPEG files of A4 at 300 dpi into one PDF, against img2pdf, and the memory that takes."""
    kept = bench.folder / "home"
    kept.mkdir(exist_ok=True)
    listed, program = kept / "names", kept / "together.py"
    listed.write_text("\0".join([str(_jpeg(kept))] * SHEETS))
    program.write_text(TOGETHER)
    img2pdf = Path(sys.executable).with_name("img2pdf")
    ours = [PYTHON, str(program), "out.pdf", str(listed)]
    took = bench.turns(shlex.join(ours), f"{img2pdf} --from-file {listed} -o out.pdf", count=3)
    yield Row(f"pdf: {SHEETS} JPEG pages together / img2pdf", *took, must=0.5)
    yield Row("pdf: its peak memory / 64 MiB", bench.peak(ours) / 2**20, PEAK_MIB, must=1.0, unit="MiB")


def _scanned(bench: Bench, path: Path, mode: str) -> Path:
    device = f"virtual:adf?pages={PAGES}"
    command = [DWTSVC, "scan", "-d", device, "--source", "feeder", "--mode", mode, "-r", "300", "-o", str(path)]
    subprocess.run(command, check=True, env=bench.environment, cwd=bench.folder, capture_output=True)
    return path


def _vector(path: Path) -> Path:
    """Pages of text in small type, with rules and curves: nothing that was scanned."""
    dice = random.Random(20)
    name = pikepdf.Name
    with pikepdf.new() as pdf:
        font = pdf.make_indirect(pikepdf.Dictionary(Type=name.Font, Subtype=name.Type1, BaseFont=name.Helvetica))
        for _ in range(PAGES):
            page = pdf.add_blank_page(page_size=(595, 842))
            page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
            page.Contents = pdf.make_stream("\n".join(_commands(dice)).encode())
        pdf.save(path)
    return path


def _commands(dice: random.Random) -> Iterator[str]:
    for line in range(70):
        words = " ".join(dice.choices(WORDS, k=14))
        yield f"BT /F 9 Tf 40 {800 - 11 * line} Td ({words}) Tj ET"
    for _ in range(40):
        x, y, wide, high = (dice.randint(20, 500) for _ in range(4))
        yield f"{dice.random():.2f} 0.4 0.6 RG 0.5 w {x} {y} m {x} {y + high} {x + wide} {y} {wide} {high} c S"


def _jpeg(folder: Path) -> Path:
    """A page of 700 KB, as a scanner sends it."""
    from PIL import Image

    path = folder / "page.jpg"
    coarse = Image.frombytes("RGB", (620, 877), random.Random(7).randbytes(620 * 877 * 3))
    coarse.resize((2480, 3508), Image.Resampling.BICUBIC).save(path, "JPEG", quality=30, dpi=(300, 300))
    return path
