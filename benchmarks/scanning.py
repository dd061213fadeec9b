"""Pages from SANE's `test` backend to files, against Debian's scanimage and img2pdf."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.rig import CHECKOUT, DWTSVC, PYTHON, Bench, Row

PICTURE = "--mode Color --resolution 300 --test-picture 'Color pattern'"
FEEDER = f"scanimage -d test:0 --source 'Automatic Document Feeder' {PICTURE}"
GLASS = f"scanimage -d test:0 --source Flatbed {PICTURE} --batch-count=50"
SCAN = "scan -q -d sane:test:0 --mode color -r 300 --option 'test-picture=Color pattern' --quality 75"
OURS = f"{DWTSVC} {SCAN}"
IMG2PDF = shlex.quote(str(Path(sys.executable).with_name("img2pdf")))
TURNS = 7


def feeder_to_jpeg(bench: Bench) -> Iterator[Row]:
    pages = "--source feeder -o 'p{n}.jpg'"
    ours, editable, peer = bench.turns(
        f"{OURS} {pages}", f"{CHECKOUT} {SCAN} {pages}", f"{FEEDER} --batch=p%d.jpg --format=jpeg", count=2 * TURNS
    )
    yield Row("10 pages, feeder to JPEG / scanimage", ours, peer, 1.2)
    yield Row("the same from an editable checkout", editable, peer, 1.2)


def glass_to_jpeg(bench: Bench) -> Iterator[Row]:
    ours, peer = bench.turns(
        f"{OURS} --source flatbed -n 50 -o 'p{{n}}.jpg'", f"{GLASS} --batch=p%d.jpg --format=jpeg", count=TURNS
    )
    yield Row("50 pages, glass to JPEG / scanimage", ours, peer, 0.8)


def glass_to_pdf(bench: Bench) -> Iterator[Row]:
    ours, peer = bench.turns(
        f"{OURS} --source flatbed -n 50 -o all.pdf",
        f"{GLASS} --batch=p%02d.jpg --format=jpeg && {IMG2PDF} p*.jpg -o all.pdf",
        count=TURNS,
    )
    yield Row("50 pages, glass to PDF / scanimage, img2pdf", ours, peer, 1.0)


# The road without developing and without an output: worker, slot, store. `sync` says whether it waits for the disk.
TO_STORE = """
import os, sys
from pathlib import Path
if sys.argv[1] == "unsynced":
    os.fsync = os.fdatasync = lambda file: None
from dwtsvc import devices
devices.prepare("sane")
from dwtsvc.store import PageStore
from dwtsvc.jobs import Jobs
from dwtsvc.model import ScanRequest, Source
store = PageStore(Path("pages").absolute())
with Jobs(store, Path("locks"), timeout=60) as jobs:
    request = ScanRequest(device="sane:test:0", source=Source.FLATBED, resolution=300, pages=50)
    job = jobs.start(request)
    count = 0
    while job.next_page():
        count += 1
assert count == 50, count
sys.stdout.flush()
os._exit(0)  # as the command does
"""


def raw_to_store(bench: Bench) -> Iterator[Row]:
    python = shlex.quote(PYTHON)
    program = shlex.quote(TO_STORE)
    synced, unsynced, peer = bench.turns(
        f"{python} -c {program} synced",
        f"{python} -c {program} unsynced",
        f"{GLASS} --batch=p%d.pnm --format=pnm",
        count=TURNS,
    )
    yield Row("50 raw pages to the store / scanimage to PNM", synced, peer, 1.3, note="safe on disk")
    yield Row(
        "the same without fsync", unsynced, peer, 1.3, note=f"fsync costs {(synced - unsynced) * 20:.1f} ms a page"
    )


def memory(bench: Bench) -> Iterator[Row]:
    """The parent's peak for 1,000 and 10,000 pages at 100 dpi; the peer is the smaller job plus 64 MiB.

    From the virtual scanner: SANE's `test` backend cancels its reader threads asynchronously and hangs about once in
    5,000 pages.
    """
    peaks = []
    for pages in (1000, 10000):
        command = [DWTSVC, "scan", "-q", "-d", f"virtual:adf?pages={pages}", "--source", "feeder"]
        peaks.append(bench.peak([*command, "-r", "100", "-o", "all.pdf"]) / (1 << 20))
    yield Row(
        "peak memory, 10,000 pages / 1,000 + 64 MiB", peaks[1], peaks[0] + 64, 1.0, "MiB", f"1,000: {peaks[0]:.0f}"
    )
