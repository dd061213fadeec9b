"""`python -m benchmarks [NAME...] [--corpus FOLDER] [--json]`: measure, print ratios against peers, say what missed."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks import barcodes, browsing, finding, judging, pdfs, reading, scanning, serving, sharing, starting
from benchmarks.rig import Measure, Row, bench, install

MEASURES: dict[str, Measure] = {
    "feeder-jpeg": scanning.feeder_to_jpeg,
    "glass-jpeg": scanning.glass_to_jpeg,
    "glass-pdf": scanning.glass_to_pdf,
    "raw-store": scanning.raw_to_store,
    "memory": scanning.memory,
    "start": starting.command,
    "worker": starting.worker,
    "find": finding.network_scanner,
    "thumbnail": serving.thumbnails,
    "cold-thumbnail": serving.cold_thumbnail,
    "first-page": serving.first_page,
    "crowd": serving.crowd,
    "service-memory": serving.memory,
    "shared-airscan": sharing.by_airscan,
    "shared-http": sharing.by_http,
    "shared-found": sharing.discovery,
    "page-first": browsing.first_thumbnail,
    "page-scroll": browsing.scroll,
    "pdf-rasterize": pdfs.rasterizing,
    "pdf-together": pdfs.together,
    "barcodes": barcodes.photographs,
    "barcode-page": barcodes.page_without_code,
    "blanks": judging.blanks,
    "lean": judging.leaning,
    "ocr": reading.searchable,
    "ocr-feeder": reading.behind_a_feeder,
    "ocr-memory": reading.memory,
}
NEED_CORPUS = ("barcodes", "barcode-page", "lean", "ocr")
CORPUS = Path("../shared/data")


def main() -> int:
    words = sys.argv[1:]
    corpus = Path(_taken(words, "--corpus") or CORPUS)
    names = [name for name in words if not name.startswith("-")] or list(MEASURES)
    rows: list[Row] = []
    load = os.getloadavg()[0]
    install()
    for name in names:
        if name in NEED_CORPUS and not corpus.is_dir():
            print(f"{name}: skipped, it needs real inputs: --corpus FOLDER", file=sys.stderr)
            continue
        with bench(corpus if corpus.is_dir() else None) as place:
            for row in MEASURES[name](place):
                rows.append(row)
                if "--json" not in sys.argv:
                    print(line(row), flush=True)
    if "--json" in sys.argv:
        machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
        print(
            json.dumps({**machine, "load_before": load, "rows": [asdict(row) | {"ratio": row.ratio} for row in rows]})
        )
    elif load > 0.5:
        print(f"The machine was busy (load {load:.1f}): compare ratios with care.")
    return 0


def _taken(words: list[str], option: str) -> str | None:
    """The value of an option, which is taken out of the words."""
    if option not in words:
        return None
    at = words.index(option)
    value = "".join(words[at + 1 : at + 2])
    del words[at : at + 2]
    return value


def line(row: Row) -> str:
    verdict = "" if row.ratio <= row.must else "  MISSED"
    figures = f"{row.ours:9.3f} {row.peer:9.3f} {row.unit:3} {row.ratio:6.2f}  <= {row.must:g}"
    return f"{row.name:<42} {figures}{verdict}" + (f"  ({row.note})" if row.note else "")


if __name__ == "__main__":
    sys.exit(main())
