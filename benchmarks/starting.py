"""How long nothing takes: the start of the command, against the same Python's, and of a device worker."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from time import perf_counter

from benchmarks.rig import CHECKOUT, Bench, Row

TURNS = 31
WORKER_MUST = 0.150


def command(bench: Bench) -> Iterator[Row]:
    python = f"{sys.executable} -c pass"
    version, help, scan_help, peer = bench.turns(
        f"{CHECKOUT} --version", f"{CHECKOUT} --help", f"{CHECKOUT} scan --help", python, count=TURNS
    )
    yield Row("dwtsvc --version / python -c pass", version, peer, 3)
    yield Row("dwtsvc --help / python -c pass", help, peer, 8)
    yield Row("dwtsvc scan --help / python -c pass", scan_help, peer, 8)


def worker(bench: Bench) -> Iterator[Row]:
    seconds = [_spawn(bench) for _ in range(TURNS)]
    yield Row("SANE worker, spawn to ready / 150 ms", statistics.median(seconds), WORKER_MUST, 1.0)


def _spawn(bench: Bench) -> float:
    began = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "dwtsvc.devices.worker", "dwtsvc.devices.sane"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=bench.environment,
    )
    assert process.stdin and process.stdout
    assert b"ready" in process.stdout.readline()
    took = perf_counter() - began
    process.stdin.close()
    process.wait()
    return took
