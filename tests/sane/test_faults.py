"""What goes wrong in a scanner becomes the right error, in time, and the pages before it are kept.

What is promised is 1 s after a death or a deadline. A machine that has other work may keep a test waiting for longer,
so waits are compared with less than what a fault would take: the 60 s of `scan`, or for ever.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from dwtsvc import devices
from dwtsvc.devices import connect, discover, prepare
from dwtsvc.devices.process import DeviceProcess, PageReady, PageStarted
from dwtsvc.errors import (
    Cancelled,
    CoverOpen,
    DeviceLost,
    DeviceTimeout,
    DriverError,
    DwtsvcError,
    FeederEmpty,
    IncompletePage,
    NoRightToScanner,
    NoScanner,
    PaperJam,
    ScannerBusy,
)
from dwtsvc.model import Area, Device, Mode, ScanRequest, Source
from tests.server.daemon import lives, until

from . import rig
from .conftest import Faulty

pytestmark = pytest.mark.timeout(120)

PROMISED = 20.0  # seconds
DEADLINE = 4.0  # seconds of silence before a scanner counts as hung
ADF: dict[str, Any] = {"source": Source.FEEDER, "resolution": 75, "area": Area(width=60, height=80)}
SIZE = (rig.pixels(60, 75), rig.pixels(80, 75))
PLACES = ("start", "first", "middle")
CLASSES: dict[int, type[DwtsvcError]] = {
    3: ScannerBusy,
    6: PaperJam,
    7: FeederEmpty,
    8: CoverOpen,
    11: NoRightToScanner,
}
WORDS = {
    1: "Operation not supported",
    2: "Operation was canceled",
    3: "Device busy",
    4: "Invalid argument",
    5: "End of file reached",
    6: "Document feeder jammed",
    7: "Document feeder out of documents",
    8: "Scanner cover is open",
    9: "Error during device I/O",
    10: "Out of memory",
    11: "Access to resource has been denied",
}


def scan(tmp_path: Path, **request: Any) -> rig.Taken:
    return rig.take("dwtfault:adf", tmp_path / "pages", **{"timeout": 60, **ADF, **request})


def kept(taken: rig.Taken, pages: int) -> bool:
    """Whether the first `pages` pages are there, whole and nothing else."""
    wanted = [rig.Picture(*SIZE, 3, 8, rig.expected_rows(n, *SIZE)) for n in range(1, pages + 1)]
    return taken.pages == wanted


def gone(pid: int) -> bool:
    """Whether a process ends; one that nobody has reaped is gone, too."""
    until(lambda: not lives(pid))
    return True


# ---- statuses ----


def expected_error(status: int, where: str) -> type[DwtsvcError] | None:
    """The class for a status that page 3 of a feeder meets; None for a batch that simply ends."""
    if status == 7:
        return None if where in ("start", "first") else DriverError
    if status == 5 and where != "start":
        return IncompletePage
    return CLASSES.get(status, DriverError)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("status", sorted(rig.STATUSES), ids=rig.STATUSES.get)
def test_each_status_becomes_its_error_and_the_pages_before_it_are_kept(
    faulty: Faulty, tmp_path: Path, status: int, where: str
) -> None:
    faulty(action="status", status=status, where=where, fail_at=3)
    taken = scan(tmp_path)
    wanted = expected_error(status, where)
    assert type(taken.error) is (wanted or type(None))
    if taken.error and wanted is not IncompletePage:
        assert WORDS[status] in taken.error.why
    assert kept(taken, 2)
    assert faulty.left_idle()


@pytest.mark.parametrize("status", sorted(rig.STATUSES), ids=rig.STATUSES.get)
def test_a_first_page_that_cannot_be_started_leaves_no_page(faulty: Faulty, tmp_path: Path, status: int) -> None:
    faulty(action="status", status=status, where="start")
    taken = scan(tmp_path)
    assert type(taken.error) is CLASSES.get(status, DriverError)
    assert WORDS[status] in taken.error.why
    assert taken.pages == []
    assert faulty.left_idle()


@pytest.mark.parametrize("how", [{"pages": 0}, {"action": "status", "status": 7, "where": "first"}])
def test_a_feeder_that_is_empty_from_the_start_says_so_with_a_hint(
    faulty: Faulty, tmp_path: Path, how: dict[str, Any]
) -> None:
    """Some backends, such as airscan, begin a page and tell it by the first read."""
    faulty(**how)
    taken = scan(tmp_path)
    assert type(taken.error) is FeederEmpty and taken.error.hint
    assert taken.pages == [] and faulty.left_idle()


@pytest.mark.parametrize(("status", "kind"), [(3, ScannerBusy), (11, NoRightToScanner), (9, NoScanner), (4, NoScanner)])
def test_a_device_that_does_not_open_says_why(
    faulty: Faulty, tmp_path: Path, status: int, kind: type[DwtsvcError]
) -> None:
    faulty(open_status=status)
    taken = scan(tmp_path)
    assert type(taken.error) is kind
    assert WORDS[status] in taken.error.why
    assert faulty.calls("start") == []


def test_a_device_that_is_not_there_is_no_scanner(faulty: Faulty, tmp_path: Path) -> None:
    faulty()
    assert type(rig.take("dwtfault:attic", tmp_path, **ADF).error) is NoScanner


def test_the_same_worker_scans_again_after_an_error(faulty: Faulty, tmp_path: Path) -> None:
    faulty(action="status", status=6, fail_at=1)
    request = ScanRequest(device="sane:dwtfault:adf", **{**ADF, "pages": 1})
    with connect("sane", timeout=60) as worker:
        worker.open("dwtfault:adf")
        with pytest.raises(PaperJam):
            list(worker.scan(request, tmp_path))
        assert any(isinstance(event, PageStarted) for event in worker.scan(request, tmp_path))
    assert len({call.pid for call in faulty.calls("start")}) == 1


# ---- pages that are not what was announced ----


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("where", ["first", "middle"])
def test_a_short_page_is_never_shown_as_whole(faulty: Faulty, tmp_path: Path, where: str, frames: int) -> None:
    faulty(action="short", where=where, fail_at=2, frames=frames)
    taken = scan(tmp_path)
    assert type(taken.error) is IncompletePage
    assert kept(taken, 1)
    assert faulty.left_idle()


@pytest.mark.parametrize("frames", [1, 3])
def test_a_page_of_unknown_height_without_any_row_is_no_page(faulty: Faulty, tmp_path: Path, frames: int) -> None:
    faulty(action="short", where="first", fail_at=2, lines=-1, frames=frames)
    taken = scan(tmp_path)
    assert type(taken.error) is IncompletePage
    assert kept(taken, 1)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("action", ["long", "endless"])
def test_more_rows_than_announced_are_a_fault_of_the_driver(
    faulty: Faulty, tmp_path: Path, action: str, frames: int
) -> None:
    faulty(action=action, fail_at=2, frames=frames, row_delay_us=1000)
    taken = scan(tmp_path, timeout=20)
    assert isinstance(taken.error, DriverError)
    assert not isinstance(taken.error, DeviceTimeout | DeviceLost)
    assert kept(taken, 1)
    assert faulty.left_idle()


@pytest.mark.parametrize("lines", [1, -1])
@pytest.mark.parametrize("action", ["overlong", "negative"])
def test_a_read_that_claims_an_impossible_length_is_a_fault_of_the_driver(
    faulty: Faulty, tmp_path: Path, action: str, lines: int
) -> None:
    faulty(action=action, fail_at=2, lines=lines)
    taken = scan(tmp_path)
    assert type(taken.error) is DriverError
    assert kept(taken, 1)
    assert faulty.left_idle()


LIES = (
    "bpl_zero",
    "bpl_negative",
    "bpl_short",
    "width_huge",
    "width_zero",
    "width_negative",
    "lines_huge",
    "lines_zero",
    "depth",
    "format",
)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("lie", LIES)
def test_parameters_that_cannot_be_true_are_a_fault_of_the_driver(
    faulty: Faulty, tmp_path: Path, lie: str, frames: int
) -> None:
    faulty(parameters=lie, fail_at=2, frames=frames)
    taken = scan(tmp_path)
    assert isinstance(taken.error, DriverError)
    assert not isinstance(taken.error, DeviceTimeout | DeviceLost)
    assert "fault of its own" not in taken.error.what  # it is the backend's, not ours
    assert kept(taken, 1)
    assert faulty.left_idle()


@pytest.mark.parametrize("lie", [lie for lie in LIES if not lie.startswith("lines")])
def test_a_lie_about_a_page_of_unknown_height_is_found_as_well(faulty: Faulty, tmp_path: Path, lie: str) -> None:
    faulty(parameters=lie, fail_at=2, lines=-1)
    taken = scan(tmp_path)
    assert isinstance(taken.error, DriverError)
    assert kept(taken, 1)
    assert faulty.left_idle()


@pytest.mark.parametrize("frames", [2, 4, 0])
def test_a_colour_page_in_another_number_of_frames_than_three_ends_in_an_error(
    faulty: Faulty, tmp_path: Path, frames: int
) -> None:
    faulty(frames=frames, row_delay_us=200)
    taken = scan(tmp_path)
    assert isinstance(taken.error, DriverError)
    assert not isinstance(taken.error, DeviceTimeout)
    assert taken.pages == []
    assert faulty.left_idle()


# ---- crashes ----


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("action", ["segv", "abort", "exit"])
def test_a_crash_is_noticed_within_a_second_of_the_death(
    faulty: Faulty, tmp_path: Path, action: str, where: str
) -> None:
    faulty(action=action, where=where, fail_at=3)
    taken = scan(tmp_path)
    assert type(taken.error) is DeviceLost
    assert kept(taken, 2)
    assert taken.when - faulty.died_at() < PROMISED


def test_a_crash_names_the_signal(faulty: Faulty, tmp_path: Path) -> None:
    faulty(action="segv")
    assert "SIGSEGV" in str(scan(tmp_path).error)


def test_a_process_that_a_backend_leaves_behind_does_not_hide_the_crash(faulty: Faulty, tmp_path: Path) -> None:
    faulty(action="orphan", fail_at=2)
    taken = scan(tmp_path)
    assert type(taken.error) is DeviceLost
    assert kept(taken, 1)
    assert taken.when - faulty.died_at() < PROMISED
    assert gone(int(faulty.calls("orphan")[0].words[0]))


def test_a_worker_that_is_killed_is_noticed_within_a_second(faulty: Faulty, tmp_path: Path) -> None:
    faulty(row_delay_us=10_000)
    request = ScanRequest(device="sane:dwtfault:adf", **ADF)
    with connect("sane", timeout=60) as worker:
        worker.open("dwtfault:adf")
        events = worker.scan(request, tmp_path)
        assert any(isinstance(event, PageStarted) for event in events)
        killed = monotonic()
        os.kill(faulty.calls("open")[0].pid, signal.SIGKILL)
        with pytest.raises(DeviceLost):
            list(events)
        assert monotonic() - killed < PROMISED


def test_after_a_crash_the_next_worker_scans(faulty: Faulty, tmp_path: Path) -> None:
    faulty(action="segv")
    assert type(scan(tmp_path).error) is DeviceLost
    faulty(pages=2)
    assert kept(scan(tmp_path), 2)


@pytest.mark.parametrize("where", PLACES)
def test_a_backend_that_prints_to_standard_output_does_no_harm(faulty: Faulty, tmp_path: Path, where: str) -> None:
    faulty(action="print", where=where, pages=3, fail_at=2)
    taken = scan(tmp_path)
    assert taken.error is None
    assert kept(taken, 3)
    assert [call.words for call in faulty.calls("misbehave")] == [("print", "2")]
    assert faulty.calls("stdout") == []


# ---- hangs ----


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("action", ["hang", "stop"])
def test_a_hang_ends_at_the_deadline_and_the_worker_is_gone(
    faulty: Faulty, tmp_path: Path, action: str, where: str
) -> None:
    faulty(action=action, where=where, fail_at=3)
    taken = scan(tmp_path, timeout=DEADLINE)
    assert type(taken.error) is DeviceTimeout
    assert kept(taken, 2)
    assert taken.when - faulty.died_at() < DEADLINE + PROMISED
    assert gone(faulty.calls("open")[0].pid)


def test_a_hang_while_opening_ends_at_the_deadline(faulty: Faulty, tmp_path: Path) -> None:
    faulty(action="hang_open")
    taken = scan(tmp_path, timeout=DEADLINE)
    assert type(taken.error) is DeviceTimeout
    assert taken.when - faulty.calls("hang")[0].when < DEADLINE + PROMISED
    assert gone(faulty.calls("open")[0].pid)


def test_a_hang_while_closing_costs_no_page(faulty: Faulty, tmp_path: Path) -> None:
    faulty(action="hang_close", pages=2)
    taken = scan(tmp_path)
    assert taken.error is None
    assert kept(taken, 2)
    assert gone(faulty.calls("open")[0].pid)


def test_a_hang_while_cancelling_costs_no_page(faulty: Faulty, tmp_path: Path) -> None:
    faulty(action="hang_cancel", pages=2)
    taken = scan(tmp_path, timeout=DEADLINE)
    assert type(taken.error) in (DeviceTimeout, type(None))
    assert kept(taken, 2)
    assert gone(faulty.calls("open")[0].pid)


@pytest.mark.parametrize("frames", [1, 3])
def test_a_slow_scanner_that_makes_progress_has_not_hung(faulty: Faulty, tmp_path: Path, frames: int) -> None:
    faulty(row_delay_us=30_000 // frames, frames=frames, pages=1)  # a page takes 7 s, longer than the deadline
    taken = scan(tmp_path, timeout=DEADLINE)
    assert taken.error is None
    assert kept(taken, 1)


def test_rows_are_told_while_a_slow_page_comes(faulty: Faulty, tmp_path: Path) -> None:
    faulty(row_delay_us=3_000, pages=1)
    taken = scan(tmp_path)
    assert taken.rows_seen
    assert taken.rows_seen == sorted(set(taken.rows_seen))
    assert taken.rows_seen[-1] <= SIZE[1]


# ---- cancel ----


def test_a_cancel_keeps_the_pages_before_it_and_cancels_the_device(faulty: Faulty, tmp_path: Path) -> None:
    faulty(row_delay_us=1_000)
    taken = scan(tmp_path, cancel_at=3)
    assert type(taken.error) is Cancelled
    assert kept(taken, 2)
    assert len(faulty.calls("start")) == 3
    assert faulty.left_idle()


@pytest.mark.parametrize("frames", [1, 3])
def test_a_cancel_does_not_wait_for_the_end_of_the_page(faulty: Faulty, tmp_path: Path, frames: int) -> None:
    faulty(row_delay_us=200_000, frames=frames)  # 236 rows: a page takes 47 s
    started = monotonic()
    request = ScanRequest(device="sane:dwtfault:adf", **ADF)
    with connect("sane", timeout=60, cancel_grace=40) as worker:
        worker.open("dwtfault:adf")
        threading.Thread(target=cancel_after_start, args=(faulty, worker), daemon=True).start()
        with pytest.raises(Cancelled):
            list(worker.scan(request, tmp_path))
    assert monotonic() - started < 30
    assert faulty.left_idle()
    assert faulty.calls("eof") == []


def cancel_after_start(faulty: Faulty, worker: DeviceProcess) -> None:
    while not faulty.calls("start"):
        sleep(0.01)
    worker.cancel()


def test_a_cancel_ends_a_driver_that_hangs(faulty: Faulty, tmp_path: Path) -> None:
    faulty(action="hang", fail_at=2)
    request = ScanRequest(device="sane:dwtfault:adf", **ADF)
    with connect("sane", timeout=60, cancel_grace=1.0) as worker:
        worker.open("dwtfault:adf")
        events = worker.scan(request, tmp_path)
        assert any(isinstance(event, PageReady) for event in events)
        assert any(isinstance(event, PageStarted) for event in events)  # page 2, in which it hangs
        worker.cancel()
        asked = monotonic()
        with pytest.raises(Cancelled):
            list(events)
        assert monotonic() - asked < 1.0 + PROMISED
    assert gone(faulty.calls("open")[0].pid)


def test_a_scan_whose_reader_stops_listening_leaves_the_device_idle(faulty: Faulty, tmp_path: Path) -> None:
    faulty(row_delay_us=1_000)
    request = ScanRequest(device="sane:dwtfault:adf", **ADF)
    with connect("sane", timeout=60) as worker:
        worker.open("dwtfault:adf")
        next(event for event in worker.scan(request, tmp_path) if isinstance(event, PageStarted))
    assert gone(faulty.calls("open")[0].pid)
    assert faulty.left_idle()


def test_when_the_parent_dies_the_device_is_cancelled_and_the_worker_leaves(faulty: Faulty, tmp_path: Path) -> None:
    env = faulty(row_delay_us=20_000)
    script = """
        import sys
        from pathlib import Path
        from dwtsvc.devices import connect
        from dwtsvc.model import ScanRequest, Source
        with connect("sane", timeout=60) as worker:
            worker.open("dwtfault:adf")
            for event in worker.scan(ScanRequest(device="sane:dwtfault:adf", source=Source.FEEDER), Path(sys.argv[1])):
                print(type(event).__name__, flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    with subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        assert any("PageStarted" in line for line in parent.stdout)
        parent.kill()
    assert gone(faulty.calls("open")[0].pid)
    assert faulty.left_idle()


# ---- listing ----


def listed(timeout: float) -> tuple[list[str], list[DriverError], float]:
    prepare("sane")  # that it starts is not of its time
    assert select.select([devices._prepared["sane"].from_worker], [], [], 60)[0]
    found = list(discover(timeout, only="sane"))
    names = [item.id for item in found if isinstance(item, Device)]
    return names, [item for item in found if isinstance(item, DriverError)], monotonic()


def test_a_healthy_backend_lists_its_devices(faulty: Faulty) -> None:
    faulty()
    assert listed(30)[:2] == (["sane:dwtfault:adf", "sane:dwtfault:glass"], [])


def test_a_crash_while_listing_is_told_at_once(faulty: Faulty) -> None:
    faulty(list="crash")
    names, (error,), when = listed(30)
    assert names == []
    assert type(error) is DeviceLost
    assert when - faulty.calls("get_devices")[0].when < PROMISED


def test_a_hang_while_listing_ends_at_the_timeout(faulty: Faulty) -> None:
    faulty(list="hang")
    names, (error,), when = listed(DEADLINE)
    assert names == []
    assert type(error) is DeviceTimeout
    assert when - faulty.calls("get_devices")[0].when < DEADLINE + PROMISED
    assert gone(faulty.calls("get_devices")[0].pid)


OTHER_DRIVER = """
from dwtsvc.model import Device

class driver:
    def devices(self, timeout):
        yield Device(id="other:one", vendor="Other", model="One")
"""


@pytest.mark.parametrize("what", ["hang", "crash"])
def test_a_sick_backend_delays_no_other_driver(
    faulty: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    (tmp_path / "other_driver.py").write_text(OTHER_DRIVER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("dwtsvc.devices.BUILT_IN", {"sane": "dwtsvc.devices.sane", "other": "other_driver"})
    faulty(list=what)
    found = list(timed(discover(8.0)))
    (seen,) = [when for when, item in found if isinstance(item, Device)]
    (failed,) = [(when, item) for when, item in found if isinstance(item, DriverError)]
    assert type(failed[1]) is (DeviceTimeout if what == "hang" else DeviceLost)
    assert what == "crash" or seen < failed[0]


def timed(items: Iterator[Any]) -> Iterator[tuple[float, Any]]:
    for item in items:
        yield monotonic(), item


@pytest.mark.parametrize("what", ["status", "empty"])
def test_a_backend_with_nothing_to_list_is_no_error(faulty: Faulty, what: str) -> None:
    faulty(list=what)
    assert listed(30)[:2] == ([], [])


def test_a_device_opens_although_listing_crashes(faulty: Faulty, tmp_path: Path) -> None:
    faulty(list="crash", pages=1)
    assert kept(scan(tmp_path), 1)


# ---- SANE's own test backend ----


@pytest.mark.parametrize("mode", [Mode.COLOR, Mode.LINEART])
@pytest.mark.parametrize("status", sorted(rig.STATUSES), ids=lambda status: rig.STATUSES[status])
def test_each_status_of_the_test_backend(sane_test: dict[str, str], tmp_path: Path, status: int, mode: Mode) -> None:
    options = (("read-return-value", f"SANE_STATUS_{rig.STATUSES[status]}"),)
    request: dict[str, Any] = {"source": Source.FLATBED, "resolution": 75, "area": Area(width=60, height=80)}
    taken = rig.take("test:0", tmp_path, mode=mode, options=options, **request)
    wanted = IncompletePage if status == 5 else CLASSES.get(status, DriverError)
    assert type(taken.error) is wanted
    assert taken.pages == []
