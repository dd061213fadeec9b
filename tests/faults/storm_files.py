"""Files that were made to break their readers, given to everything that reads: commands, batches and the service.

    python -m tests.faults.storm_files [FILES] [SEED] [commands] [batches] [service]

Every hand-made kind through every command that takes it, then so many mutations, each through one command; all of them
in folders through `dwtsvc batch`; and all of them through a running service. What fails is kept.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.faults.badfiles import KINDS, mutated
from tests.faults.batchstorm import batches
from tests.faults.filestorm import LONG_READS, Storm, every_kind, mutations, through
from tests.faults.servicestorm import through_service

PARTS = ("commands", "batches", "service")


def by_commands(root: Path, files: int, seed: int) -> list[str]:
    storm = Storm(root / "commands")
    through(storm, every_kind())
    through(storm, mutations(seed, files))
    return _told(storm)


def by_batches(root: Path, files: int, seed: int) -> list[str]:
    storm = Storm(root / "batches")
    batches(storm, seed, files)
    return _told(storm)


def by_service(root: Path, files: int, seed: int) -> list[str]:
    kinds = [(name, make()) for name, make in KINDS.items() if name not in LONG_READS]
    report = through_service(root / "service", [*kinds, *mutated(seed, files)])
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(report.statuses.items()))
    print(f"service: {report.asked} requests, {len(report.faults)} faults; statuses {statuses}")
    print(f"  its most memory {report.largest >> 20} MiB, its most children {report.most_children}")
    return report.faults


def _told(storm: Storm) -> list[str]:
    report = storm.report
    codes = ", ".join(f"{code}: {count}" for code, count in sorted(report.codes.items()))
    print(f"{storm.work.parent.name}: {report.runs} runs, {len(report.faults)} faults; exit codes {codes}")
    print(f"  slowest: {report.slowest[0]:.1f} s, {report.slowest[1]}")
    print(f"  most memory: {report.largest[0] >> 20} MiB, {report.largest[1]}", flush=True)
    return report.faults


def main(files: int = 1000, seed: int = 1, *parts: str) -> int:
    root = Path(tempfile.mkdtemp(prefix="filestorm-"))
    print(f"{files} files, seed {seed}; what fails is kept in {root}", flush=True)
    ways = dict(zip(PARTS, (by_commands, by_batches, by_service), strict=True))
    faults = [fault for part in parts or PARTS for fault in ways[part](root, files, seed)]
    print("\n".join(faults), end="\n" if faults else "")
    if not faults:
        shutil.rmtree(root)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3]), *sys.argv[3:]))
