"""How fast the scan page is in Chromium: from the click to the first thumbnail, and 1,000 pages that are scrolled."""

from __future__ import annotations

import io
import json
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any
from urllib.parse import quote

from benchmarks.rig import Bench, Row
from benchmarks.serving import _get, _post, _service

TURNS = 7
SHARE, ALLOWANCE = 1.3, 0.150  # of the time of a REST client, and seconds besides
PAGES, FRAME = 1000, 0.050  # seconds that no frame may take
ARGUMENTS = ["--no-sandbox", "--no-first-run", "--disable-sync", "--disable-background-networking"]

# From the click until the frame after the first image is there.
FIRST = """() => new Promise((done) => {
  const began = performance.now();
  const look = () => {
    const image = document.querySelector("#pages .loaded img[src]");
    if (!image?.complete || !image.naturalWidth) return requestAnimationFrame(look);
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
  };
  document.getElementById("scan").click();
  look();
})"""
# From one end to the other in about six seconds, and the milliseconds between each two frames.
SCROLL = """() => new Promise((done) => {
  const stage = document.getElementById("stage");
  const by = stage.scrollHeight / 360;
  const frames = [];
  let last = performance.now();
  const step = (now) => {
    frames.push(now - last);
    last = now;
    stage.scrollTop += by;
    if (stage.scrollTop + stage.clientHeight < stage.scrollHeight - 2) requestAnimationFrame(step);
    else done(frames.slice(3));
  };
  requestAnimationFrame(step);
})"""


def first_thumbnail(bench: Bench) -> Iterator[Row]:
    """The peer is a program that scans the same into the buffer, and fetches the same image."""
    ours: list[float] = []
    peers: list[float] = []
    with _service(bench) as base, _chromium() as browser:
        for turn in range(TURNS + 1):
            peers.append(_by_program(base, turn))
            ours.append(_by_click(browser, base, turn + 100))
    ours, peers = ours[1:], peers[1:]
    limit = SHARE * statistics.median(peers) + ALLOWANCE
    note = f"a REST client {statistics.median(peers):.3f} s"
    yield Row("click to first thumbnail / 1.3 x REST + 150 ms", statistics.median(ours), limit, 1.0, note=note)


def scroll(bench: Bench) -> Iterator[Row]:
    """The longest task of a run from one end of 1,000 pages to the other, the median of three."""
    with _service(bench) as base, _chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{base}/scan")
        page.wait_for_selector("html[data-ready]", state="attached")
        _fill(base, page.evaluate("localStorage.getItem('dwtsvc.client')"))
        page.reload()
        page.wait_for_selector("#pages .loaded")
        assert page.get_attribute("#pages [role=option]", "aria-setsize") == str(PAGES)
        page.wait_for_timeout(3000)
        frames: list[float] = []
        tasks: list[float] = []
        for _ in range(3):
            page.evaluate("document.getElementById('stage').scrollTop = 0")
            page.wait_for_timeout(500)
            browser.start_tracing(page=page, categories=["toplevel", "disabled-by-default-devtools.timeline"])
            frames.append(max(page.evaluate(SCROLL)) / 1000)
            tasks.append(_longest_task(browser.stop_tracing()))
    note = f"longest time between two frames {statistics.median(frames) * 1000:.0f} ms"
    yield Row("1,000 pages scrolled, longest task / 50 ms", statistics.median(tasks), FRAME, 1.0, note=note)


def _longest_task(trace: bytes) -> float:
    """Seconds of processor time that the longest task of the page's own thread took: the time that others had the
    processor for is none of the page's."""
    events = json.loads(trace)["traceEvents"]
    main = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    return max(each.get("tdur", 0) for each in events if (each["pid"], each["tid"]) in main) / 1e6


def _by_program(base: str, turn: int) -> float:
    device = f"virtual:adf?pages=1&seed={turn}"
    wanted = {"id": f"program-{turn}", "params": {"device": device, "config": {"Resolution": 300, "PixelType": 2}}}
    began = perf_counter()
    _post(f"{base}/f/AcquireImage", json.dumps(wanted).encode())
    _get(f"{base}/dwt/dwt_1/img?id=program-{turn}&index=0&width=320&height=320")
    return perf_counter() - began


def _by_click(browser: Any, base: str, turn: int) -> float:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{base}/scan?device={quote(f'virtual:adf?pages=1&seed={turn}')}")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_timeout(1500)  # it has seen what the scanner can do
    took: float = page.evaluate(FIRST) / 1000
    context.close()
    return took


def _fill(base: str, client: str) -> None:
    """Small pages, into the buffer of the page: it is known by its origin."""
    import urllib.request

    from PIL import Image

    sheets = [Image.effect_noise((240, 320), 40) for _ in range(PAGES // 4)]
    file = io.BytesIO()
    sheets[0].save(file, "tiff", save_all=True, append_images=sheets[1:])
    headers = {"Content-Type": "image/tiff", "Origin": base, "Sec-Fetch-Site": "same-origin"}
    for _ in range(4):
        request = urllib.request.Request(f"{base}/f/LoadFile?id={client}", file.getvalue(), headers)
        urllib.request.urlopen(request).close()


@contextmanager
def _chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
