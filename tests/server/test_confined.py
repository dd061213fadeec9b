"""Hostile files and pages against the service: each ends one child and one request, and everybody else goes on."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import os
import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from dwtsvc import limits
from dwtsvc.errors import BadInput, DwtsvcError, ServiceNotRunning, WrongPassword
from dwtsvc.server import confined as confined_module
from dwtsvc.server.confined import Confined
from tests.server.faces import JOBS, Api, Play, Served, page_urls, scanned
from tests.server.hostile import choke, count, crash, eat, pid, refuse, sleep, spin
from tests.server.test_classic import Page, page, pages, picture

__all__ = ["page", "pages"]


@pytest.fixture
def confined() -> Iterator[Confined]:
    made = Confined(cores=1)
    yield made
    made.close()


def test_children_start_on_demand_are_used_again_and_end_when_idle(confined: Confined) -> None:
    assert confined.children == []
    first = confined.run("a", pid)
    assert confined.run("b", pid) == first != os.getpid()
    confined.close_idle(60.0)
    assert len(confined.children) == 1
    confined.close_idle(0.0)
    assert confined.children == [] and not _is_alive(first)


@pytest.mark.parametrize(("fault", "words"), [(crash, "broke"), (eat, "memory"), (spin, "too long")])
def test_what_goes_wrong_in_a_child_is_its_callers_alone(
    confined: Confined, fault: Callable[[], Any], words: str
) -> None:
    before = confined.run("a", pid)
    with pytest.raises(BadInput, match=words):
        confined.run("a", fault, timeout=0.5 if fault is spin else 30.0)
    after = confined.run("a", pid)
    assert (after == before) == (fault is eat)  # memory is refused, and the child lives


def test_an_error_of_a_library_is_bad_input_and_its_text_is_not_told(confined: Confined) -> None:
    with pytest.raises(BadInput) as told:
        confined.run("a", choke, name="The file")
    assert str(told.value) == "The file cannot be worked on: ValueError"
    with pytest.raises(WrongPassword):
        confined.run("a", refuse)


def test_a_child_that_was_killed_while_idle_costs_nobody_anything(confined: Confined) -> None:
    first = confined.run("a", pid)
    os.kill(first, signal.SIGKILL)
    _wait(lambda: not confined.children[0].alive)
    assert confined.run("a", pid) != first


def test_items_before_a_crash_are_good_and_who_stops_frees_the_child(confined: Confined) -> None:
    found = confined.iterate("a", count, 2)
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(BadInput):
        next(found)
    stopped = confined.iterate("a", count, 50)
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    assert confined.run("a", pid)


def test_one_caller_cannot_have_all_children(confined: Confined) -> None:
    """With one core two children are there, one for each bucket."""
    done: list[str] = []

    def work(whose: str, seconds: float) -> None:
        with contextlib.suppress(DwtsvcError):
            confined.run(whose, sleep, seconds)
        done.append(whose)

    greedy = [threading.Thread(target=work, args=("greedy", 30.0)) for _ in range(3)]
    for each in greedy:
        each.start()
    _wait(lambda: confined.children)
    work("other", 0.0)
    assert done == ["other"] and len(confined.children) == 2
    confined.close()
    for each in greedy:
        each.join(30)
    assert done.count("greedy") == 3 and confined.children == []
    with pytest.raises(ServiceNotRunning):
        confined.run("other", pid)


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def _wait(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


# --- hostile files through the faces


def bomb() -> bytes:
    """A PNG of a few KiB that says it has 60,000 x 60,000 pixels, and has them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = (60_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    rows = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def spinning_pdf() -> bytes:
    """A PDF whose one page is filled with a pattern of tiles, each a thousandth of a point apart."""
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 600] /Contents 4 0 R"
        b" /Resources << /Pattern << /P 5 0 R >> >> >>",
        b"<< /Length 42 >>\nstream\n/Pattern cs /P scn 0 0 600 600 re f      \nendstream",
        b"<< /Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 9 9] /XStep 0.001 /YStep 0.001"
        b" /Resources << >> /Length 24 >>\nstream\n1 0 0 rg 0 0 9 9 re f   \nendstream",
    ]
    text = b"%PDF-1.4\n" + b"".join(b"%d 0 obj\n%b\nendobj\n" % each for each in enumerate(bodies, 1))
    return text + b"trailer << /Root 1 0 R /Size %d >>\n%%%%EOF" % (len(bodies) + 1)


def load(page: Page, file: bytes, status: int) -> Any:
    return page.ask("LoadImage", status, file=base64.b64encode(file).decode())


def test_a_bomb_and_a_pdf_that_spins_are_refused_and_the_next_file_is_loaded(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = load(page, bomb(), 422)
    assert refused["error"] == "bad-input"
    with monkeypatch.context() as hasty:
        hasty.setattr(confined_module.Confined.iterate, "__kwdefaults__", {"timeout": 2.0, "name": "The file"})
        refused = load(page, spinning_pdf(), 422)
    assert refused["error"] == "bad-input" and "too long" in refused["message"], refused
    page.load(picture())
    assert page.ask("HowManyImagesInBuffer") == [1]


def test_others_are_served_while_a_file_spins(running: Served) -> None:
    """Two files that spin take all that one caller may have; pages, thumbnails and other calls go on."""
    with httpx.Client(base_url=running.url, timeout=60) as client:
        small = io.BytesIO()
        Image.new("L", (300, 300), 90).save(small, "png")
        client.post("/f/LoadFile?id=calm", content=small.getvalue(), headers={"x-dwtsvc": "1"}).raise_for_status()
        answers: list[httpx.Response] = []

        def hostile() -> None:
            answers.append(httpx.post(f"{running.url}/f/LoadFile?id=wild", content=spinning_pdf(), timeout=90))

        threads = [threading.Thread(target=hostile) for _ in range(2)]
        for each in threads:
            each.start()
        began = time.monotonic()
        shown = client.get("/dwt/dwt_1/img?id=calm&index=0&width=200&height=200")
        assert shown.status_code == 200 and client.get("/api/server/version").status_code == 200
        job = client.post(JOBS, json={"device": "virtual:adf?pages=1&seed=8", "config": {"Resolution": 50}}).json()
        assert client.get(f"{JOBS}/{job['jobuid']}/next-page").status_code == 200
        assert not answers, "the files came to an end before anybody else was served"
        for each in threads:
            each.join(90)
        assert [each.status_code for each in answers] == [422, 422] and time.monotonic() - began < 80


def test_a_child_killed_at_work_is_told_to_its_caller_alone(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        source = (await page_urls(client, await scanned(client)))[0]
        assert (await client.post("/api/process/check-blank", json={"source": source})).status_code == 200
        [child] = api.service.confined.children
        at_work = threading.Event()
        call = limits.Child.call

        def killed(self: Any, *arguments: Any, **named: Any) -> Any:
            if not at_work.is_set():
                at_work.set()
                os.kill(child._process.pid, signal.SIGKILL)
            return call(self, *arguments, **named)

        monkeypatch.setattr(limits.Child, "call", killed)
        one = await client.post("/api/process/check-blank", json={"source": source})
        assert one.status_code == 422 and one.json()["error"] == "bad-input"
        others = [client.post("/api/process/check-blank", json={"source": source}) for _ in range(3)]
        assert [each.status_code for each in await asyncio.gather(*others)] == [200] * 3

    play(scene)


def test_nothing_is_started_before_it_is_needed_and_nothing_is_left(play: Play, tmp_path: Path) -> None:
    numbers: list[int] = []

    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        urls = await page_urls(client, await scanned(client, config={"Resolution": 75}))
        await client.get(urls[0])
        assert api.service.confined.children == []
        read = await client.post("/api/process/ocr", json={"source": urls[0]})
        assert read.status_code == 200
        numbers.extend(each._process.pid for each in api.service.confined.children)
        left = tmp_path / "home" / "run" / "findings" / "dwtsvc-ocr-left"
        left.mkdir()  # what a child that was killed would leave

    play(scene)
    assert numbers and not any(map(_is_alive, numbers))
    assert list((tmp_path / "home" / "run" / "findings").iterdir()) == []
