"""Waiting for paper, and several scanners at once: the same for SANE, network and virtual scanners."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dwtsvc.jobs import Job, Jobs
from dwtsvc.model import JobState, Mode, ScanRequest, Source
from dwtsvc.store import PageStore
from tests.devices.esclserver import FakeScanner, Setup
from tests.server.daemon import until

from .conftest import Faulty

PATIENCE = 60.0
SHEETS = 2


@dataclass(frozen=True, slots=True)
class Empty:
    """A scanner without paper: `asked` is how often somebody began a scan, `load` puts two sheets in."""

    device: str
    asked: Callable[[], int]
    load: Callable[[], object]


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setenv("DWTSVC_HOME", str(tmp_path / "home"))
    with Jobs(PageStore(tmp_path / "pages"), tmp_path / "locks", timeout=60) as jobs:
        yield jobs


@pytest.fixture(params=["sane", "escl"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Empty]:
    if request.param == "sane":
        faulty: Faulty = request.getfixturevalue("faulty")
        faulty(pages=SHEETS, loaded=tmp_path / "loaded")
        yield Empty("sane:dwtfault:adf", lambda: len(faulty.calls("start")), (tmp_path / "loaded").touch)
        return
    with FakeScanner(Setup(sheets=0)) as scanner:
        load = lambda: setattr(scanner, "sheets", SHEETS)  # noqa: E731
        yield Empty(f"escl:{scanner.url}", lambda: len(scanner.orders), load)


def wish(device: str, source: Source = Source.FEEDER) -> ScanRequest:
    return ScanRequest(device=device, source=source, mode=Mode.GRAY, resolution=75)


def count(job: Job) -> int:
    pages = 0
    while job.next_page(PATIENCE):
        pages += 1
    return pages


def test_a_scan_waits_until_somebody_loads_the_feeder(jobs: Jobs, empty: Empty) -> None:
    job = jobs.start(wish(empty.device), wait_paper=PATIENCE)
    until(lambda: empty.asked() >= 2)
    assert job.state is JobState.RUNNING
    empty.load()
    assert count(job) == SHEETS
    assert job.state is JobState.COMPLETED


def test_auto_takes_the_glass_while_there_is_no_paper_and_the_feeder_when_there_is(jobs: Jobs, empty: Empty) -> None:
    assert count(jobs.start(wish(empty.device, Source.AUTO), wait_paper=PATIENCE)) == 1
    empty.load()
    jobs.close_idle(0.0)  # dwtfault counts the page of the glass, too, until it is opened anew
    assert count(jobs.start(wish(empty.device, Source.AUTO))) == SHEETS


def test_several_scanners_scan_at_once(jobs: Jobs, faulty: Faulty) -> None:
    faulty(pages=5, row_delay_us=300)
    with FakeScanner(Setup(sheets=5, slow=0.01)) as one, FakeScanner(Setup(sheets=5, slow=0.01)) as other:
        devices = [f"escl:{one.url}", f"escl:{other.url}", "sane:dwtfault:adf", "virtual:adf?pages=5"]
        running = [jobs.start(wish(device)) for device in devices]
        first = [job.next_page(PATIENCE) for job in running]  # all of them have begun before one is read on
        assert all(first)
        assert [1 + count(job) for job in running] == [5] * 4
        assert {job.state for job in running} == {JobState.COMPLETED}
