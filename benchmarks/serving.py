"""How fast the service answers: thumbnails, the version, the first page of a job; and its memory after 1,000 pages."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.rig import CHECKOUT, Bench, Row

READY_WITHIN = 20.0
SECONDS, TURNS = 4, 3
A4 = (2480, 3508)
BOX = (585, 513)
THUMBNAIL = f"/dwt/dwt_1/img?id=1&index=0&width={BOX[0]}&height={BOX[1]}&ticks=1"

# The peer: Litestar on the same server class of uvicorn, loop and parser, with the same bytes in memory.
BARE = """
import asyncio, sys, uvicorn
from litestar import Litestar, Response, get
body = open(sys.argv[2], "rb").read()
kind = sys.argv[3]
@get("/", sync_to_thread=False)
def answer() -> Response[bytes]:
    return Response(body, media_type=kind)
uvicorn.run(Litestar([answer], openapi_config=None), port=int(sys.argv[1]), loop="uvloop", http="httptools",
            log_level="error", access_log=False, server_header=False, proxy_headers=False)
"""


def thumbnails(bench: Bench) -> Iterator[Row]:
    with _service(bench) as base:
        _fill(base, _page("JPEG", quality=90))
        body, kind = _get(base + THUMBNAIL)
        with _bare(bench, body, kind) as peer:
            ours, theirs = _wrk(64, base + THUMBNAIL, peer)
    # Ratios are "ours to peer, smaller is better": seconds for each request, not requests for each second.
    yield Row(
        "thumbnail, warm / bare Litestar", 1e3 / ours, 1e3 / theirs, 1 / 0.8, "ms", f"{ours:.0f} requests a second"
    )


def crowd(bench: Bench) -> Iterator[Row]:
    with _service(bench) as base:
        url = base + "/api/server/version"
        body, kind = _get(url)
        with _bare(bench, body, kind) as peer:
            ours, theirs = _wrk(1000, url, peer)
    yield Row("1,000 clients, version / bare Litestar", 1e3 / ours, 1e3 / theirs, 1 / 0.7, "ms", f"{ours:.0f} a second")


def cold_thumbnail(bench: Bench) -> Iterator[Row]:
    from PIL import Image

    page = _page("JPEG", quality=90)
    ours: list[float] = []
    with _service(bench) as base:
        for turn in range(12):
            _fill(base, page, client=str(turn))
            began = perf_counter()
            _get(base + THUMBNAIL.replace("id=1&", f"id={turn}&"))
            ours.append(perf_counter() - began)
    peers: list[float] = []
    for _ in range(12):
        began = perf_counter()
        image = Image.open(io.BytesIO(page))
        size = (round(A4[0] * BOX[1] / A4[1]), BOX[1])
        image.draft("RGB", size)
        image.resize(size, Image.Resampling.LANCZOS).save(io.BytesIO(), "JPEG", quality=85)
        peers.append(perf_counter() - began)
    yield Row("thumbnail, cold / Pillow draft and resize", statistics.median(ours), statistics.median(peers), 1.5)


def first_page(bench: Bench) -> Iterator[Row]:
    """From POST to bytes; the peer is the command with a warm cache, less the start of `scan --help`."""
    scan = f"{CHECKOUT} scan -q -d virtual:adf?pages=1 -r 300 -o page.png"
    whole, start = bench.turns(scan, f"{CHECKOUT} scan --help", count=7)
    ours: list[float] = []
    with _service(bench) as base:
        for turn in range(8):
            body = {"device": f"virtual:adf?pages=1&seed={turn}", "config": {"Resolution": 300, "PixelType": 2}}
            began = perf_counter()
            job = json.loads(_post(f"{base}/api/device/scanners/jobs", json.dumps(body).encode()))
            _get(f"{base}/api/device/scanners/jobs/{job['jobuid']}/next-page")
            ours.append(perf_counter() - began)
    yield Row("first page of a REST job / of the command", statistics.median(ours[1:]), whole - start, 1.2)


def memory(bench: Bench) -> Iterator[Row]:
    """Growth after 1,000 pages that were scanned and fetched, against the 64 MiB that are allowed."""
    with _service(bench) as base:
        _scan_all(base, 20)
        before = _resident(bench)
        _scan_all(base, 1000)
        after = _resident(bench)
    yield Row("memory after 1,000 pages, growth / 64 MiB", (after - before) / 2**20, 64, 1.0, "MiB")


def _scan_all(base: str, pages: int) -> None:
    body = {"device": f"virtual:adf?pages={pages}", "config": {"Resolution": 100}}
    job = json.loads(_post(f"{base}/api/device/scanners/jobs", json.dumps(body).encode()))
    for _ in range(pages):
        _get(f"{base}/api/device/scanners/jobs/{job['jobuid']}/next-page?type=image/jpeg")
    request = urllib.request.Request(f"{base}/api/device/scanners/jobs/{job['jobuid']}", method="DELETE")
    urllib.request.urlopen(request).close()


def _resident(bench: Bench) -> int:
    lock = json.loads(_status(bench))
    status = Path(f"/proc/{lock['pid']}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def _status(bench: Bench) -> str:
    told = subprocess.run(
        [CHECKOUT, "status", "--json"], env=bench.environment, capture_output=True, text=True, check=True
    )
    return told.stdout


def _page(format: str, **how: Any) -> bytes:
    """An A4 page at 300 dpi in colour, with the noise of a scan."""
    from PIL import Image, ImageChops

    paper = Image.radial_gradient("L").resize(A4).convert("RGB")
    noise = Image.effect_noise(A4, 12).convert("RGB")
    file = io.BytesIO()
    ImageChops.add(paper, noise, scale=1.5).save(file, format, **how)
    return file.getvalue()


def _fill(base: str, page: bytes, client: str = "1") -> None:
    _post(f"{base}/f/LoadFile?id={client}", page, "image/jpeg")


def _post(url: str, body: bytes, kind: str = "application/json") -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": kind})) as answer:
        return bytes(answer.read())


def _get(url: str) -> tuple[bytes, str]:
    with urllib.request.urlopen(url) as answer:
        return answer.read(), answer.headers["content-type"]


def _wrk(connections: int, *urls: str) -> list[float]:
    """Requests a second at each URL, in turns; the medians. A socket error fails the measurement."""
    rates: list[list[float]] = [[] for _ in urls]
    for _ in range(TURNS):
        for index, url in enumerate(urls):
            command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "10s", url]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            if "Socket errors" in said or "Non-2xx" in said:
                raise RuntimeError(f"{url}: {said}")
            rates[index].append(float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]))  # type: ignore[index]
    return [statistics.median(each) for each in rates]


@contextmanager
def _service(bench: Bench) -> Iterator[str]:
    """The service at free ports; its base URL."""
    plain, secure = _free_port(), _free_port()
    ports = {"DWTSVC_HTTP_PORTS": str(plain), "DWTSVC_HTTPS_PORTS": str(secure)}
    with _running([CHECKOUT, "serve", "--no-monitor"], {**bench.environment, **ports}, plain) as base:
        yield base


@contextmanager
def _bare(bench: Bench, body: bytes, kind: str) -> Iterator[str]:
    file = bench.folder / "home" / "body"
    file.write_bytes(body)
    port = _free_port()
    with _running([sys.executable, "-c", BARE, str(port), str(file), kind], dict(os.environ), port) as base:
        yield base + "/"


@contextmanager
def _running(command: list[str], environment: dict[str, str], port: int) -> Iterator[str]:
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _await(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _await(port: int) -> None:
    until = time.monotonic() + READY_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
