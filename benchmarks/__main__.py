"""`python -m benchmarks [NAME...] [--json]`: measure, print ratios against peers, and say what missed its goal."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict

from benchmarks import pdfs, scanning, serving, starting
from benchmarks.rig import Measure, Row, bench, install

MEASURES: dict[str, Measure] = {
    "feeder-jpeg": scanning.feeder_to_jpeg,
    "glass-jpeg": scanning.glass_to_jpeg,
    "glass-pdf": scanning.glass_to_pdf,
    "raw-store": scanning.raw_to_store,
    "memory": scanning.memory,
    "start": starting.command,
    "worker": starting.worker,
    "thumbnail": serving.thumbnails,
    "cold-thumbnail": serving.cold_thumbnail,
    "first-page": serving.first_page,
    "crowd": serving.crowd,
    "service-memory": serving.memory,
    "pdf-rasterize": pdfs.rasterizing,
    "pdf-together": pdfs.together,
}


def main() -> int:
    names = [name for name in sys.argv[1:] if not name.startswith("-")] or list(MEASURES)
    rows: list[Row] = []
    load = os.getloadavg()[0]
    install()
    for name in names:
        with bench() as place:
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


def line(row: Row) -> str:
    verdict = "" if row.ratio <= row.must else "  MISSED"
    figures = f"{row.ours:9.3f} {row.peer:9.3f} {row.unit:3} {row.ratio:6.2f}  <= {row.must:g}"
    return f"{row.name:<42} {figures}{verdict}" + (f"  ({row.note})" if row.note else "")


if __name__ == "__main__":
    sys.exit(main())
