"""How long a network scanner takes to be listed that announces itself on loopback, also beside a driver that hangs."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from benchmarks.rig import DWTSVC, PYTHON, Bench, Row

TURNS = 11
MUST = 1.0  # seconds
UUID = "5a1f5a0c-0d0e-4c63-9d3e-000000000006"
HANGING = """
import time
class driver:
    def devices(self, timeout):
        time.sleep(1000)
        yield
"""
# Told are seconds from the question until the scanner is yielded.
FIRST = """
import os, sys
from time import perf_counter
from dwtsvc import devices
devices.BUILT_IN.update(dict.fromkeys(sys.argv[2:], "hanging"))
began = perf_counter()
for found in devices.discover(8):
    if getattr(found, "id", "") == sys.argv[1]:
        print(perf_counter() - began, flush=True)
        os._exit(0)
sys.exit("it was not found")
"""


def network_scanner(bench: Bench) -> Iterator[Row]:
    (bench.folder / "hanging.py").write_text(HANGING)
    with announced():
        seconds = [(_first(bench), _first(bench, "hanging"), _whole(bench)) for _ in range(TURNS)]
    alone, beside, whole = (statistics.median(each) for each in zip(*seconds, strict=True))
    yield Row("network scanner on loopback, found / 1 s", alone, MUST, 1.0)
    yield Row("the same beside a driver that hangs / 1 s", beside, MUST, 1.0)
    yield Row("dwtsvc devices --json, with SANE, whole / 1 s", whole, MUST, 1.0)


def _first(bench: Bench, *hanging: str) -> float:
    environment = {**bench.environment, "PYTHONPATH": str(bench.folder), "DWTSVC_ESCL_DISCOVERY": "on"}
    command = [PYTHON, "-c", FIRST, f"escl:{UUID}", *hanging]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def _whole(bench: Bench) -> float:
    began = perf_counter()
    environment = {**bench.environment, "DWTSVC_ESCL_DISCOVERY": "on"}
    command = [*DWTSVC.split(), "devices", "--json"]
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert f"escl:{UUID}" in [each["id"] for each in json.loads(told)["devices"]]
    return perf_counter() - began


@contextmanager
def announced() -> Iterator[None]:
    """A scanner that says it is there; nobody is, but listing asks nobody either."""
    from zeroconf import ServiceInfo, Zeroconf

    service = ServiceInfo(
        "_uscan._tcp.local.",
        f"Bench{os.getpid()}._uscan._tcp.local.",
        addresses=[socket.inet_aton("127.0.0.1")],
        port=9,
        server=f"bench{os.getpid()}.local.",
        properties={"UUID": UUID, "rs": "eSCL", "ty": "Acme Paperlight"},
    )
    with Zeroconf(interfaces=["127.0.0.1"]) as announcer:
        announcer.register_service(service)
        yield
        announcer.unregister_service(service)
