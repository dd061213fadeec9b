"""The parent's side of a worker: whatever a driver does, the parent gets a typed error and keeps good pages."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from dwtsvc import devices
from dwtsvc.devices.process import DeviceProcess, PageReady, PageStarted, ProcessChild, Resolved, ThreadChild
from dwtsvc.errors import (
    BadArguments,
    Cancelled,
    DeviceLost,
    DeviceTimeout,
    DriverError,
    DwtsvcError,
    FeederEmpty,
    IncompletePage,
    MissingDependency,
    NoScanner,
    PaperJam,
)
from dwtsvc.model import ScanRequest
from tests.devices.rogue import HEIGHT, PAGES, WIDTH, Wire, rows_of
from tests.server.daemon import lives, until

ROOT = Path(__file__).parents[2]
MODULE = "tests.devices.rogue"
# The promise is 1 s after the death or the deadline. On a machine that has other work a test may be kept waiting for
# longer; what is wrong takes three times as long at least, or for ever.
SOON, FAULT = 20.0, 60.0


@pytest.fixture(autouse=True)
def stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is there when the driver, which can be imported, is where it stays."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("ROGUE_STAYS", str(tmp_path / "stays"))
    return tmp_path / "stays"


@pytest.fixture(params=[ProcessChild, ThreadChild])
def worker(request: pytest.FixtureRequest) -> Iterator[DeviceProcess]:
    with DeviceProcess(request.param(MODULE), timeout=10) as worker:
        yield worker


def request(name: str, pages: int | None = None) -> ScanRequest:
    return ScanRequest(device=f"rogue:{name}", mode="gray", pages=pages)  # type: ignore[arg-type]


def pages_of(worker: DeviceProcess, name: str, folder: Path, pages: int | None = None) -> list[bytes]:
    """The pages of a scan; on an error they are in its `pages`."""
    found: list[bytes] = []
    try:
        for event in worker.scan(request(name, pages), folder):
            if isinstance(event, PageReady):
                found.append(event.path.read_bytes())
                worker.release(event.slot, kept=False)
    except DwtsvcError as error:
        error.pages = found  # type: ignore[attr-defined]
        raise
    return found


def failing(name: str, folder: Path, kind: type[DwtsvcError], timeout: float = FAULT) -> DwtsvcError:
    """The error of a scan that fails in its third page, after two good ones."""
    with DeviceProcess(ProcessChild(MODULE), timeout=timeout) as worker:
        worker.open(name)
        with pytest.raises(kind) as failed:
            pages_of(worker, name, folder)
    assert failed.value.pages == [rows_of(1), rows_of(2)]  # type: ignore[attr-defined]
    return failed.value


def test_a_good_driver_is_the_same_in_a_process_and_in_a_thread(worker: DeviceProcess, tmp_path: Path) -> None:
    assert [device.id for device in worker.devices(5)] == ["rogue:good"]
    assert worker.open("good").device == "rogue:good"
    assert pages_of(worker, "good", tmp_path) == [rows_of(n) for n in range(1, PAGES + 1)]
    with pytest.raises(FeederEmpty):
        pages_of(worker, "good", tmp_path)
    assert len(pages_of(worker, "good", tmp_path, pages=2)) == 2
    assert len(pages_of(worker, "good", tmp_path)) == PAGES - 2


def test_what_the_device_makes_of_a_request_is_told_first(worker: DeviceProcess, tmp_path: Path) -> None:
    worker.open("good")
    events = worker.scan(request("good", 1), tmp_path)
    resolved = next(events)
    assert isinstance(resolved, Resolved)
    assert resolved.request.resolution == 300
    started = next(events)
    assert isinstance(started, PageStarted)
    assert (started.raster.width, started.raster.height) == (WIDTH, HEIGHT)
    list(events)


def test_back_sides_are_told(worker: DeviceProcess, tmp_path: Path) -> None:
    worker.open("duplex")
    backs = []
    for event in worker.scan(request("duplex"), tmp_path):
        if isinstance(event, PageReady):
            backs.append(event.back)
            worker.release(event.slot, kept=False)
    assert backs == [False, True] * 3


def test_pages_wait_for_a_free_slot_and_no_more_files_than_slots_are_made(tmp_path: Path) -> None:
    with DeviceProcess(ProcessChild(MODULE), timeout=10) as worker:
        worker.open("good")
        held: list[PageReady] = []
        found = []
        for event in worker.scan(request("good"), tmp_path, slots=2):
            if isinstance(event, PageReady):
                held.append(event)
            if len(held) == 2:
                # Both slots are here: from now on the worker waits.
                first = held.pop(0)
                found.append(first.path.read_bytes())
                threading.Timer(0.05, worker.release, (first.slot,), {"kept": False}).start()
        found += [page.path.read_bytes() for page in held]
    assert found == [rows_of(n) for n in range(1, PAGES + 1)]
    assert len(list(tmp_path.iterdir())) == 2


def test_waiting_for_slots_is_no_hang(tmp_path: Path) -> None:
    with DeviceProcess(ProcessChild(MODULE), timeout=5) as worker:
        worker.open("good")
        count = 0
        for event in worker.scan(request("good"), tmp_path, slots=1):
            if isinstance(event, PageReady):
                count += 1
                threading.Timer(0 if count > 1 else 6, worker.release, (event.slot,), {"kept": False}).start()
    assert count == PAGES


def test_a_slot_that_was_kept_is_not_written_again(tmp_path: Path) -> None:
    with DeviceProcess(ProcessChild(MODULE), timeout=10) as worker:
        worker.open("good")
        for number, event in enumerate(e for e in worker.scan(request("good"), tmp_path) if isinstance(e, PageReady)):
            event.path.rename(tmp_path / f"kept-{number}")
            worker.release(event.slot, kept=True)
    assert [(tmp_path / f"kept-{n}").read_bytes() for n in range(PAGES)] == [rows_of(n + 1) for n in range(PAGES)]


@pytest.mark.parametrize(("name", "how"), [("segv", "SIGSEGV"), ("kill", "SIGKILL"), ("exit", "status 3")])
def test_a_crash_is_told_within_a_second_and_the_pages_before_it_are_whole(name: str, how: str, tmp_path: Path) -> None:
    began = monotonic()
    error = failing(name, tmp_path, DeviceLost)
    assert how in error.why
    assert monotonic() - began < SOON + 20  # with the start of the process


def test_the_last_words_of_a_driver_are_told(tmp_path: Path) -> None:
    assert "Assertion failed: paper != NULL" in failing("last-words", tmp_path, DeviceLost).why


def test_a_hang_ends_at_the_deadline_though_the_driver_ignores_signals(tmp_path: Path) -> None:
    with DeviceProcess(ProcessChild(MODULE), timeout=FAULT) as worker:
        worker.open("hang")
        worker.timeout = 0.5
        began = monotonic()
        with pytest.raises(DeviceTimeout, match=r"0\.5 s"):
            pages_of(worker, "hang", tmp_path)
        assert 0.5 <= monotonic() - began < 0.5 + SOON
        with pytest.raises(DeviceTimeout):  # a dead worker stays dead
            worker.open("good")


def test_a_dead_worker_leaves_no_process(tmp_path: Path) -> None:
    child = ProcessChild(MODULE)
    with DeviceProcess(child, timeout=FAULT) as worker:
        worker.open("hang")
        worker.timeout = 0.3
        with pytest.raises(DeviceTimeout):
            pages_of(worker, "hang", tmp_path)
    assert child.wait(FAULT) == -9


def test_a_device_may_take_a_while_to_come_to_rest(stays: Path) -> None:
    with DeviceProcess(ProcessChild(MODULE), timeout=FAULT) as worker:
        worker.open("lingers")
    assert stays.exists()


@pytest.mark.parametrize("name", ["short", "no-end"])
def test_a_page_with_missing_rows_is_no_page(name: str, tmp_path: Path) -> None:
    assert "20 of 40 rows" in failing(name, tmp_path, IncompletePage).why or name == "no-end"


def test_more_rows_than_announced_are_refused(tmp_path: Path) -> None:
    assert "more than it announced" in failing("long", tmp_path, DriverError).what


def test_a_reported_error_keeps_its_words(tmp_path: Path) -> None:
    error = failing("jam", tmp_path, PaperJam)
    assert (error.what, error.why, error.hint) == ("Paper jam", "status 6", "Clear it.")


def test_a_bug_in_a_driver_becomes_words(tmp_path: Path) -> None:
    assert "ZeroDivisionError" in failing("bug", tmp_path, DriverError).why


def test_what_a_driver_prints_does_no_harm(worker: DeviceProcess, tmp_path: Path) -> None:
    if isinstance(worker._child, ThreadChild):
        pytest.skip("a thread shares our standard output")
    worker.open("print")
    assert len(pages_of(worker, "print", tmp_path)) == PAGES


def test_a_page_over_the_limit_is_refused_before_it_is_written(tmp_path: Path) -> None:
    with DeviceProcess(ProcessChild(MODULE), timeout=10) as worker:
        worker.open("good")
        with pytest.raises(DriverError, match="larger than allowed"):
            list(worker.scan(request("good"), tmp_path, max_bytes=100))


def test_errors_of_opening_are_told_and_the_worker_lives_on(worker: DeviceProcess, tmp_path: Path) -> None:
    with pytest.raises(NoScanner) as missing:
        worker.open("missing")
    assert missing.value.hint == "Look elsewhere."
    with pytest.raises(DriverError, match="fault of its own"):
        worker.open("open-bug")
    with pytest.raises(BadArguments):
        list(worker.scan(request("good"), tmp_path))
    worker.open("good")
    assert len(pages_of(worker, "good", tmp_path)) == PAGES


def test_a_request_the_device_cannot_fulfil_is_refused_there(worker: DeviceProcess, tmp_path: Path) -> None:
    worker.open("good")
    asked = ScanRequest(device="rogue:good", mode="gray", resolution=9999)  # type: ignore[arg-type]
    with pytest.raises(BadArguments, match="9999"):
        list(worker.scan(asked, tmp_path))


def test_a_driver_that_cannot_be_imported_is_a_missing_dependency() -> None:
    child = ProcessChild("tests.devices.no_such_driver")
    with DeviceProcess(child, timeout=10) as worker, pytest.raises(MissingDependency):
        list(worker.devices(5))


def cancel_when(worker: DeviceProcess, file: Path) -> None:
    """Cancel from another thread, as soon as a file is there."""

    def cancel() -> None:
        until(file.exists)
        worker.cancel()

    threading.Thread(target=cancel).start()


def test_a_cancelled_scan_keeps_its_pages_and_the_device_scans_again(
    worker: DeviceProcess, tmp_path: Path, stays: Path
) -> None:
    worker.open("slow")
    cancel_when(worker, stays)
    with pytest.raises(Cancelled) as cancelled:
        pages_of(worker, "slow", tmp_path)
    assert len(cancelled.value.pages) == 2  # type: ignore[attr-defined]
    worker.forget_cancel()
    worker.open("good")
    assert len(pages_of(worker, "good", tmp_path)) == PAGES


def test_a_driver_that_ignores_cancel_is_killed_after_the_grace(tmp_path: Path, stays: Path) -> None:
    with DeviceProcess(ProcessChild(MODULE), timeout=FAULT, cancel_grace=0.3) as worker:
        worker.open("hang")
        cancel_when(worker, stays)
        began = monotonic()
        with pytest.raises(Cancelled):
            pages_of(worker, "hang", tmp_path)
        assert monotonic() - began < 0.3 + SOON
        assert worker.dead


@pytest.mark.parametrize("word", list(Wire.WORDS))
def test_nonsense_on_the_wire_is_a_lost_device(word: str, tmp_path: Path) -> None:
    class Nonsense(ProcessChild):
        def __init__(self) -> None:
            super().__init__(MODULE)
            self.kill()
            self.wait(FAULT)
            script = [sys.executable, str(Path(__file__).with_name("rogue.py")), word]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                script, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, start_new_session=True
            )
            self.to_worker, self.from_worker = self._process.stdin, self._process.stdout  # type: ignore[assignment]

    (tmp_path / "secret").write_bytes(b"x")
    folder = tmp_path / "slots"
    folder.mkdir()
    with DeviceProcess(Nonsense(), timeout=10) as worker, pytest.raises(DeviceLost, match="broke the protocol"):
        pages_of(worker, "good", folder)


def test_a_worker_leaves_when_its_parent_dies(tmp_path: Path, stays: Path) -> None:
    program = (
        "import os, sys; from dwtsvc.devices.process import *; from dwtsvc.model import ScanRequest;"
        f"child = ProcessChild('{MODULE}'); worker = DeviceProcess(child, timeout=60); worker.open('hang');"
        "print(child._process.pid, flush=True);"
        f"list(worker.scan(ScanRequest(device='x', mode='gray'), __import__('pathlib').Path({str(tmp_path)!r})))"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout
    worker = int(parent.stdout.readline())
    until(stays.exists)
    parent.kill()
    parent.wait()
    until(lambda: not lives(worker))


def started(*drivers: str) -> None:
    """Have workers ready, so that the time of a listing is not spent on their start."""
    for name in drivers:
        devices.prepare(name)
        assert select.select([devices._prepared[name].from_worker], [], [], FAULT)[0]


def test_a_driver_that_hangs_or_crashes_while_listing_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "BUILT_IN", {"rogue": MODULE, "gone": "tests.devices.no_such_driver"})
    monkeypatch.setenv("ROGUE_LIST", "hang")
    started("rogue")
    began = monotonic()
    found = list(devices.discover(timeout=5.0))
    assert monotonic() - began < 5.0 + SOON
    assert [item.id for item in found if not isinstance(item, DriverError)] == ["rogue:good"]
    assert {type(item) for item in found if isinstance(item, DriverError)} == {DeviceTimeout, DriverError}
    monkeypatch.setenv("ROGUE_LIST", "crash")
    assert DeviceLost in {type(item) for item in devices.discover(timeout=FAULT)}


def test_a_driver_that_never_ends_its_list_is_told_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "BUILT_IN", {"rogue": MODULE, "virtual": "dwtsvc.devices.virtual"})
    monkeypatch.setenv("ROGUE_LIST", "endless")
    started("rogue", "virtual")
    *found, error = devices.discover(timeout=3.0)
    assert {item.id for item in found if not isinstance(item, DriverError)} >= {"rogue:good", "virtual:adf"}
    assert isinstance(error, DeviceTimeout)
    assert (error.driver, "rogue" in error.what, "3 s" in error.what) == ("rogue", True, True)


def test_ids_name_a_driver_and_bare_sane_names_are_understood() -> None:
    assert devices.split_id("virtual:adf?pages=3") == ("virtual", "adf?pages=3")
    assert devices.split_id("sane:test:0") == ("sane", "test:0")
    assert devices.split_id("epson2:libusb:001:004") == ("sane", "epson2:libusb:001:004")
    with pytest.raises(NoScanner):
        devices.split_id("")


def test_the_sane_worker_loads_no_heavy_library(tmp_path: Path) -> None:
    program = (
        "import sys, dwtsvc.devices.worker, dwtsvc.devices.sane;"
        "print([n for n in ('numpy', 'typer', 'rich', 'litestar', 'uvicorn', 'msgspec', 'simplejpeg',"
        "'dwtsvc.devices.virtual', 'dwtsvc.imaging', 'dwtsvc.jobs', 'asyncio') if n in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ}, timeout=30
    )
    assert told.stdout.strip() == "[]"


def test_while_the_user_is_at_the_drivers_window_silence_is_no_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROGUE_WINDOW", "6")
    with DeviceProcess(ProcessChild(MODULE), timeout=5) as worker:
        worker.open("window")
        assert len(pages_of(worker, "window", tmp_path)) == PAGES


def test_a_cancel_ends_the_wait_for_a_user_who_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROGUE_WINDOW", "1000")
    with DeviceProcess(ProcessChild(MODULE), timeout=10, cancel_grace=0.2) as worker:
        worker.open("window")
        threading.Timer(0.5, worker.cancel).start()
        with pytest.raises(Cancelled):
            pages_of(worker, "window", tmp_path)
