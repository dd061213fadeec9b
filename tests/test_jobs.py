"""Jobs: pages in order and safe, errors after the good pages, one scan a device, warm workers, late paper."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest

from dwtsvc import devices, stations
from dwtsvc.devices.process import PageReady
from dwtsvc.errors import Cancelled, DeviceLost, DiskFull, DwtsvcError, FeederEmpty, NoScanner, PaperJam, ScannerBusy
from dwtsvc.jobs import Developed, Job, Jobs, as_delivered
from dwtsvc.model import JobState, Mode, PageInfo, ScanRequest
from dwtsvc.store import PageStore
from tests.devices.rogue import PAGES, rows_of
from tests.server.daemon import until

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds; how long a loaded machine may take for what takes milliseconds


@pytest.fixture(autouse=True)
def _rogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(devices, "BUILT_IN", {"rogue": "tests.devices.rogue"})


@pytest.fixture
def store(tmp_path: Path) -> PageStore:
    return PageStore(tmp_path / "pages")


@pytest.fixture
def jobs(store: PageStore, tmp_path: Path) -> Iterator[Jobs]:
    with Jobs(store, tmp_path / "locks", timeout=PATIENCE, cancel_grace=0.5) as jobs:
        yield jobs


def request(name: str, pages: int | None = None) -> ScanRequest:
    return ScanRequest(device=f"rogue:{name}", mode=Mode.GRAY, pages=pages)


def pages_of(job: Job) -> list[PageInfo]:
    found = []
    while (page := job.next_page(timeout=PATIENCE)) is not None:
        found.append(page)
    return found


def bytes_of(store: PageStore, page: PageInfo) -> bytes:
    with store.reading(page) as data:
        return bytes(data)


def test_pages_come_in_order_and_are_in_the_store(jobs: Jobs, store: PageStore) -> None:
    job = jobs.start(request("good"))
    pages = pages_of(job)
    assert [page.number for page in pages] == list(range(1, PAGES + 1))
    assert [bytes_of(store, page) for page in pages] == [rows_of(n) for n in range(1, PAGES + 1)]
    assert store.pages(job.id) == pages
    assert job.state is JobState.COMPLETED
    assert job.next_page() is None


def test_an_error_comes_after_the_last_good_page_and_stays(jobs: Jobs, store: PageStore) -> None:
    job = jobs.start(request("jam"))
    assert [job.next_page(timeout=PATIENCE), job.next_page(timeout=PATIENCE)] == store.pages(job.id)[:2]
    for _ in range(2):
        with pytest.raises(PaperJam):
            job.next_page(timeout=PATIENCE)
    assert job.state is JobState.FAULTED
    assert len(store.pages(job.id)) == 2


@pytest.mark.parametrize(("name", "kind"), [("missing", NoScanner), ("segv", DeviceLost)])
def test_a_job_that_fails_does_not_stop_the_next(name: str, kind: type[DwtsvcError], jobs: Jobs) -> None:
    with pytest.raises(kind):
        pages_of(jobs.start(request(name)))
    assert len(pages_of(jobs.start(request("good")))) == PAGES


def test_the_device_stays_open_between_jobs_of_one_run(jobs: Jobs) -> None:
    assert len(pages_of(jobs.start(request("good", 2)))) == 2
    assert len(pages_of(jobs.start(request("good")))) == PAGES - 2  # the same stack goes on


def test_a_crashed_device_starts_anew(jobs: Jobs) -> None:
    for _ in range(2):
        with pytest.raises(DeviceLost):
            pages_of(jobs.start(request("segv")))


def test_a_second_scan_on_a_device_is_told_who_has_it(jobs: Jobs, store: PageStore, tmp_path: Path) -> None:
    first = jobs.start(request("slow"))
    first.next_page(timeout=PATIENCE)
    with (
        Jobs(store, tmp_path / "locks", timeout=PATIENCE) as others,
        pytest.raises(ScannerBusy, match=str(os.getpid())),
    ):
        pages_of(others.start(request("slow")))
    first.cancel()
    with pytest.raises(Cancelled):
        pages_of(first)


def test_a_device_that_is_only_kept_warm_is_let_go_for_another_process(
    jobs: Jobs, store: PageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stations, "PATIENCE", PATIENCE)
    pages_of(jobs.start(request("good", 1)))
    with Jobs(store, tmp_path / "locks", timeout=PATIENCE) as others:
        waiting = others.start(request("good", 1))
        while not list((tmp_path / "locks").glob("*.wanted")):
            assert waiting.active
            sleep(0.01)
        jobs.close_idle(3600)  # what a service does once a second
        assert len(pages_of(waiting)) == 1
    assert not list((tmp_path / "locks").glob("*.wanted"))


def test_a_device_that_its_holder_keeps_open_and_does_not_let_go_is_busy(
    jobs: Jobs, store: PageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stations, "PATIENCE", 0.1)
    pages_of(jobs.start(request("good", 1)))
    told = f"process {os.getpid()} keeps it open"
    with Jobs(store, tmp_path / "locks", timeout=PATIENCE) as others, pytest.raises(ScannerBusy, match=told):
        pages_of(others.start(request("good", 1)))


def test_a_dead_process_does_not_keep_a_device(store: PageStore, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.test_jobs import *; store = PageStore(Path(sys.argv[1]));"
        "devices.BUILT_IN = {'rogue': 'tests.devices.rogue'};"
        "jobs = Jobs(store, Path(sys.argv[2]), timeout=PATIENCE); job = jobs.start(request('slow'));"
        "job.next_page(); job.next_page(); print('two', flush=True); job.next_page()"
    )
    command = [sys.executable, "-c", program, str(store.root), str(tmp_path / "locks")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"two\n"
    child.kill()
    child.wait()
    (left,) = store.left_behind()
    assert [bytes_of(store, page) for page in store.resume(left.owner)] == [rows_of(1), rows_of(2)]
    with Jobs(store, tmp_path / "locks", timeout=PATIENCE) as jobs:
        assert jobs.start(request("slow", 1)).next_page(timeout=PATIENCE) is not None


@pytest.mark.parametrize("wait", [0.0, 0.3])
def test_cancel_stops_soon_and_keeps_the_finished_pages(wait: float, jobs: Jobs, store: PageStore) -> None:
    job = jobs.start(request("slow"))
    sleep(wait)  # 0: cancelled before there is anything to cancel
    job.cancel()
    job.cancel()
    with pytest.raises(Cancelled):
        pages_of(job)
    assert job.state is JobState.CANCELED
    assert not job.active
    assert [bytes_of(store, page) for page in store.pages(job.id)] == [rows_of(1), rows_of(2)][
        : len(store.pages(job.id))
    ]


def test_a_cancel_that_comes_too_late_does_not_touch_the_next_job(jobs: Jobs) -> None:
    job = jobs.start(request("good", 1))
    assert len(pages_of(job)) == 1
    job.cancel()
    assert len(pages_of(jobs.start(request("good")))) == PAGES - 1


def test_closing_cancels_what_runs(store: PageStore, tmp_path: Path) -> None:
    with Jobs(store, tmp_path / "locks", timeout=PATIENCE, cancel_grace=0.5) as jobs:
        job = jobs.start(request("hang"))
        job.next_page(timeout=PATIENCE)
    assert job.state is JobState.CANCELED


def test_next_page_gives_up_after_its_timeout(jobs: Jobs) -> None:
    job = jobs.start(request("slow"))
    with pytest.raises(TimeoutError):
        for _ in range(3):
            job.next_page(timeout=1.0)


def test_an_empty_feeder_is_looked_into_again_while_waiting_for_paper(jobs: Jobs) -> None:
    pages_of(jobs.start(request("good")))
    with pytest.raises(FeederEmpty):
        pages_of(jobs.start(request("good")))
    pages_of(jobs.start(request("good")))
    # The rogue loads new paper after it said that it was empty once.
    assert len(pages_of(jobs.start(request("good"), wait_paper=PATIENCE))) == PAGES


def test_waiting_for_paper_can_be_cancelled(jobs: Jobs) -> None:
    pages_of(jobs.start(request("good")))
    job = jobs.start(request("good"), wait_paper=PATIENCE)
    threading.Timer(0.2, job.cancel).start()
    with pytest.raises((Cancelled, FeederEmpty)):
        pages_of(job)


def test_pages_of_a_second_scan_go_on_where_the_first_ended(jobs: Jobs, store: PageStore) -> None:
    first = jobs.start(request("good", 2))
    assert len(pages_of(first)) == 2
    second = jobs.start(request("good", 2), owner=first.id, before=2)
    assert [page.number for page in pages_of(second)] == [3, 4]
    assert len(store.pages(first.id)) == 4


def test_progress_tells_the_page_and_its_height(jobs: Jobs) -> None:
    job = jobs.start(request("slow"))
    for _ in range(2):
        job.next_page(timeout=PATIENCE)
    until(lambda: (job.progress.page, job.progress.height) == (3, 40), lambda: str(job.progress))
    job.cancel()


def develop_with(action: Callable[[PageReady], None]) -> Callable[[PageReady, ScanRequest], Developed]:
    def develop(page: PageReady, asked: ScanRequest) -> Developed:
        action(page)
        return as_delivered(page, asked)

    return develop


def test_a_page_that_cannot_be_kept_ends_the_scan_and_the_ones_before_stay(jobs: Jobs, store: PageStore) -> None:
    def no_room(page: PageReady) -> None:
        if page.path.read_bytes() == rows_of(2):
            raise DiskFull("The disk is full")

    job = jobs.start(request("good"), develop=develop_with(no_room))
    assert job.next_page(timeout=PATIENCE) is not None
    with pytest.raises(DiskFull):
        pages_of(job)
    assert store.pages(job.id)[0].number == 1


def test_developing_in_any_order_keeps_the_order_of_pages(jobs: Jobs, store: PageStore) -> None:
    def first_is_slow(page: PageReady) -> None:
        if page.path.read_bytes() == rows_of(1):
            sleep(0.3)

    job = jobs.start(request("good"), develop=develop_with(first_is_slow))
    assert [bytes_of(store, page) for page in pages_of(job)] == [rows_of(n) for n in range(1, PAGES + 1)]


def test_a_cancel_that_is_under_way_does_not_reach_the_next_job_of_the_worker(store: PageStore) -> None:
    inside, ended, late = threading.Event(), threading.Event(), list[bool]()

    class Worker:
        def forget_cancel(self) -> None: ...

        def cancel(self) -> None:
            inside.set()
            late.append(ended.wait(0.2))

        def scan(self, *_: object, **__: object) -> Iterator[object]:
            cancelling.start()
            inside.wait()
            yield from ()

    job = Job(store.begin({}), ScanRequest(device="virtual:adf"), store, as_delivered, ThreadPoolExecutor(1))
    cancelling = threading.Thread(target=job.cancel)
    job.run(Worker(), wait_paper=0.0, max_bytes=1)  # type: ignore[arg-type]
    ended.set()
    cancelling.join()
    assert late == [False]
