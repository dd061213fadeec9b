"""Who holds what: nobody sees another's jobs, idle ones end, quotas bind, and a restart loses nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from dwtsvc.buffer import Buffer
from dwtsvc.errors import (
    JobDeleted,
    PaperJam,
    ScannerBusy,
    ServiceRestarted,
    TooLarge,
    TooMany,
    UnknownItem,
    UnknownJob,
    WrongState,
)
from dwtsvc.formats import PageEncoder
from dwtsvc.jobs import Job, Jobs
from dwtsvc.model import Encoding, JobState, Mode, ScanRequest
from dwtsvc.pipeline.develop import Developer
from dwtsvc.sealing import Seal
from dwtsvc.server import holdings as holdings_module
from dwtsvc.server.holdings import ACTIVE_JOBS_OF_A_SITE, Held, Holdings, Limits
from dwtsvc.store import PageStore

SITE, OTHER = "https://a.example", "https://b.example"
DEVELOP = Developer(Mode.COLOR, PageEncoder("png", quality=85), 85, compact=True)


def request(query: str = "pages=2", resolution: int = 50) -> ScanRequest:
    return ScanRequest(device=f"virtual:adf?{query}", resolution=resolution)


def limited(**given: float) -> Limits:
    """Limits that nobody meets, but for those given."""
    whole: dict[str, float] = {"site": 1 << 30, "all": 1 << 32, "share": 100, "pages": 10_000, "seconds": 3600.0}
    return Limits(**{**whole, **given})  # type: ignore[arg-type]


class Place:
    """A service's holdings that can be taken away and come back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open()

    def open(self, **limits: float) -> Holdings:
        (self.folder / "buffers").mkdir(exist_ok=True)
        self.store = PageStore(self.folder / "buffers", Seal(bytes(32)))
        self.jobs = Jobs(self.store, self.folder / "locks", timeout=20.0)
        pending_idle = limits.pop("pending_idle", 600.0)
        self.holdings = Holdings(self.store, self.jobs, pending_idle=pending_idle, limits=limited(**limits))
        self.holdings.restore()
        return self.holdings

    def begin(self, bucket: str = SITE, query: str = "pages=2", **how: object) -> Held:
        return self.holdings.begin_job(bucket, request(query), DEVELOP, **how)  # type: ignore[arg-type]

    def forget(self) -> None:
        """What a crash leaves: the locks go with the process."""
        self.jobs.close()
        self.store.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.jobs.close()


def test_a_job_runs_and_its_pages_are_kept_sealed_and_compact(place: Place) -> None:
    held = place.begin()
    held.job.wait()
    assert [page.encoding for page in held.job.pages] == [Encoding.PNG] * 2
    assert all(page.sealed for page in held.job.pages)
    assert place.holdings.job(SITE, held.uid.upper()) is held
    place.forget()
    assert not [path for path in place.store.folder(held.job.id).iterdir() if "slot" in path.name]


def test_what_is_anothers_is_as_unknown_as_what_never_was(place: Place) -> None:
    held = place.begin()
    answers = set()
    for bucket, uid in ((OTHER, held.uid), ("", held.uid), (SITE, "no-such-job")):
        with pytest.raises(UnknownJob) as refused:
            place.holdings.job(bucket, uid)
        answers.add((type(refused.value), str(refused.value), refused.value.hint))
    assert len(answers) == 1
    assert place.holdings.jobs(OTHER) == [] and place.holdings.jobs(SITE) == [held]


def test_a_pending_job_keeps_its_scanner_until_it_is_canceled(place: Place) -> None:
    held = place.begin(run=False)
    assert held.job.state is JobState.PENDING
    assert held.pending is not None and held.pending.station.capabilities.sources
    with pytest.raises(ScannerBusy):
        place.begin()
    place.holdings.cancel_job(held)
    assert held.job.state is JobState.CANCELED
    with pytest.raises(WrongState):
        place.holdings.run_job(held)
    with pytest.raises(WrongState):
        place.holdings.cancel_job(held)
    place.begin().job.wait()


def test_a_pending_job_starts_once(place: Place) -> None:
    held = place.begin(run=False)
    place.holdings.run_job(held)
    with pytest.raises(WrongState):
        place.holdings.run_job(held)
    held.job.wait()
    assert held.job.state is JobState.COMPLETED


def test_a_deleted_job_is_told_as_such_to_its_owner_only(place: Place) -> None:
    held = place.begin(query="pages=500")
    place.holdings.delete_job(held)
    assert not place.store.folder(held.job.id).exists()
    with pytest.raises(JobDeleted):
        place.holdings.job(SITE, held.uid)
    with pytest.raises(UnknownJob) as refused:
        place.holdings.job(OTHER, held.uid)
    assert not isinstance(refused.value, JobDeleted)


def test_a_job_that_nobody_starts_ends_by_itself(place: Place) -> None:
    place.holdings = place.open(pending_idle=0.0)
    held = place.begin(run=False)
    place.holdings.end_idle()
    assert held.job.state is JobState.CANCELED


def test_an_ended_job_with_a_time_limit_is_deleted_and_one_without_stays(place: Place) -> None:
    short, long = place.begin(idle_limit=1e-9), None
    short.job.wait()
    long = place.begin()
    long.job.wait()
    place.holdings.end_idle()
    with pytest.raises(JobDeleted):
        place.holdings.job(SITE, short.uid)
    assert place.holdings.job(SITE, long.uid) is long


def test_a_restart_keeps_ended_jobs_and_their_pages(place: Place) -> None:
    good, bad = place.begin(), None
    good.job.wait()
    bad = place.begin(query="pages=5&jam=3")
    bad.job.wait()
    place.forget()
    place.open()
    again = place.holdings.job(SITE, good.uid)
    assert again.job.pages == good.job.pages and again.job.state is JobState.COMPLETED
    with place.store.reading(again.job.pages[0]) as data:
        assert bytes(data[:4]) == b"\x89PNG"
    jammed = place.holdings.job(SITE, bad.uid)
    assert len(jammed.job.pages) == 2 and isinstance(jammed.job.error, PaperJam)
    with pytest.raises(UnknownJob):
        place.holdings.job(OTHER, good.uid)


def test_a_job_that_was_cut_off_says_so(place: Place) -> None:
    held = place.begin(run=False)
    place.store.leave(held.job.id)  # as a killed process does
    later = Place(place.folder)
    again = later.holdings.job(SITE, held.uid)
    assert again.job.state is JobState.FAULTED and isinstance(again.job.error, ServiceRestarted)
    later.holdings.delete_job(again)
    later.jobs.close()


def test_a_web_site_has_so_many_jobs_and_no_more_and_tools_are_free(place: Place) -> None:
    def pending(bucket: str, number: int, site: bool) -> None:
        place.begin(bucket, query=f"seed={number}", run=False, site=site)

    for number in range(ACTIVE_JOBS_OF_A_SITE):
        pending(SITE, number, True)
    with pytest.raises(TooMany):
        pending(SITE, 90, True)
    pending(OTHER, 91, True)
    pending("", 92, False)


def test_jobs_that_are_asked_for_at_once_are_counted_before_their_scanners_are_open(place: Place) -> None:
    def begin(number: int) -> Held:
        return place.begin(query=f"seed={number}&delay-open=1", run=False, site=True)

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(begin, number) for number in range(8)]
    refused = [each.exception() for each in asked if each.exception()]
    assert len(refused) == 8 - ACTIVE_JOBS_OF_A_SITE and all(isinstance(error, TooMany) for error in refused)


def test_a_web_site_has_so_much_room_and_the_pages_before_that_are_kept(place: Place) -> None:
    place.open(site=1)
    held = place.begin(query="pages=60", site=True)
    held.job.wait()
    assert 1 <= len(held.job.pages) < 60 and held.job.state is not JobState.COMPLETED
    with pytest.raises(TooMany):
        place.begin(site=True)
    place.begin(OTHER, site=True).job.wait()


@pytest.mark.parametrize(("fed", "kept"), [(3, 3), (4, 3), (300, 3)])
def test_a_job_has_so_many_pages_and_says_why_it_was_stopped(place: Place, fed: int, kept: int) -> None:
    place.open(pages=3)
    held = place.begin(query=f"pages={fed}")
    held.job.wait()
    assert len(held.job.pages) == kept
    if fed == kept:
        assert held.job.state is JobState.COMPLETED
    else:
        with pytest.raises(TooMany, match="at most 3 pages"):
            held.job.page(kept)


@pytest.mark.parametrize(("most", "taken"), [(413 * 585, True), (413 * 585 - 1, False), (413 * 585 // 100, False)])
def test_a_page_has_so_many_pixels_and_no_more(
    place: Place, monkeypatch: pytest.MonkeyPatch, most: int, taken: bool
) -> None:
    monkeypatch.setattr(holdings_module, "PAGE_PIXELS", most)
    held = place.begin(query="pages=1")
    held.job.wait()
    assert len(held.job.pages) == taken
    if not taken:
        with pytest.raises(TooLarge, match="413 x 585 pixels"):
            held.job.page(0)


def test_a_job_that_runs_too_long_is_stopped_and_says_so(place: Place) -> None:
    place.open(seconds=0.0)
    held = place.begin(query="pages=500&slow=0.2")
    held.job.page(0, timeout=20)
    place.holdings.end_idle()
    held.job.wait()
    assert held.job.state is JobState.FAULTED and isinstance(held.job.error, TooMany)
    assert 1 <= len(held.job.pages) < 500


def test_a_job_within_its_time_and_one_that_waits_for_its_start_are_left_alone(place: Place) -> None:
    place.open(seconds=3600.0)
    running = place.begin(query="pages=2&slow=0.2")
    place.holdings.end_idle()
    running.job.wait()
    assert running.job.state is JobState.COMPLETED
    place.open(seconds=0.0)
    waiting = place.begin(query="pages=1", run=False)
    place.holdings.end_idle()
    assert waiting.job.state is JobState.PENDING


def test_all_pages_together_take_no_more_than_a_share_of_the_free_disk(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.open(share=20)
    place.begin().job.wait()
    used = place.holdings.used()
    for free, let in ((4 * used, False), (4 * used + 5, True), (used // 25, False), (400 * used, True)):
        disk = SimpleNamespace(free=free)
        monkeypatch.setattr(holdings_module.shutil, "disk_usage", lambda _, disk=disk: disk)
        if let:
            place.holdings.check_room(SITE, site=False)
        else:
            with pytest.raises(TooMany):
                place.holdings.check_room(SITE, site=False)


def test_buffers_are_each_clients_own_and_come_back(place: Place) -> None:
    held = place.begin()
    held.job.wait()
    mine = place.holdings.buffer(SITE, "1")
    leaf = mine.insert(held.job.pages[0])
    assert place.holdings.buffer(OTHER, "1").leaves == () and place.holdings.buffer(SITE, "2").leaves == ()
    place.forget()
    place.open()
    assert place.holdings.buffer(SITE, "1", create=False).leaves == (leaf,)
    with pytest.raises(UnknownItem):
        place.holdings.buffer(SITE, "3", create=False)


def test_what_was_sealed_with_a_lost_key_is_left_alone(place: Place) -> None:
    held = place.begin()
    held.job.wait()
    place.forget()
    store = PageStore(place.store.root, Seal(b"x" * 32))
    assert Holdings(store, place.jobs, pending_idle=1, limits=limited()).restore() == 0
    assert place.store.folder(held.job.id).exists()


def test_old_jobs_expire(place: Place) -> None:
    held = place.begin()
    held.job.wait()
    place.forget()
    place.open()
    folder = place.store.folder(held.job.id)
    os.utime(folder, (0, 0))
    place.holdings.expire(timedelta(days=30))
    with pytest.raises(UnknownJob):
        place.holdings.job(SITE, held.uid)
    assert not folder.exists()


def test_room_is_known_without_a_look_at_each_page_also_after_a_restart(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = place.begin()
    held.job.wait()
    buffer = place.holdings.buffer(SITE, "1")
    leaves = [buffer.insert(page) for page in (*held.job.pages, held.job.pages[0])]
    buffer.remove([leaves[0].id])
    sizes = sum(page.size for page in held.job.pages) + sum(leaf.page.size for leaf in buffer.leaves)

    def look(_: object) -> None:
        raise AssertionError("every page of every job was looked at")

    monkeypatch.setattr(Job, "pages", property(look))
    monkeypatch.setattr(Buffer, "leaves", property(look))
    assert place.holdings.used(SITE) == place.holdings.used() == sizes and place.holdings.used(OTHER) == 0
    place.holdings.check_room(SITE, site=True)
    place.forget()
    place.open()
    assert place.holdings.used(SITE) == sizes
    place.holdings.buffer(SITE, "1")
    assert place.holdings.used(SITE) == sizes


def test_a_buffer_whose_key_was_lost_begins_anew_and_holds_no_files_open(place: Place) -> None:
    held = place.begin()
    held.job.wait()
    old = place.holdings.buffer(SITE, "1")
    old.insert(held.job.pages[0])
    place.forget()
    store = PageStore(place.store.root, Seal(b"x" * 32))
    later = Holdings(store, place.jobs, pending_idle=1, limits=limited())
    later.restore()
    assert later.buffer(SITE, "1").leaves == ()
    assert list(store._locks) == [later.buffer(SITE, "1").owner] and not store.folder(old.owner).exists()
    store.leave(later.buffer(SITE, "1").owner)


def test_a_buffer_that_could_not_be_opened_is_there_the_next_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = place.begin()
    held.job.wait()
    leaf = place.holdings.buffer(SITE, "1").insert(held.job.pages[0])
    place.forget()
    place.open()

    def too_many(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(place.store, "resume", too_many)
        with pytest.raises(OSError):
            place.holdings.buffer(SITE, "1")
    assert place.holdings.buffer(SITE, "1").leaves == (leaf,)


def test_idle_buffers_hold_no_files_open_and_come_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    held = place.begin()
    held.job.wait()
    full, empty = place.holdings.buffer(SITE, "full"), place.holdings.buffer(SITE, "empty")
    leaf = full.insert(held.job.pages[0])
    place.holdings.end_idle()
    assert place.holdings.open_buffer(SITE, "full") is full
    monkeypatch.setattr(holdings_module, "BUFFER_IDLE", 0.0)
    place.holdings.end_idle()
    assert not place.store._locks and not place.store._journals
    assert place.holdings.open_buffer(SITE, "full") is None and not place.store.folder(empty.owner).exists()
    assert place.holdings.buffer(SITE, "full", create=False).leaves == (leaf,)


def test_no_client_opens_buffers_without_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings_module, "BUFFERS_OF_A_BUCKET", 2)
    for number in range(2):
        place.holdings.buffer(SITE, str(number))
    with pytest.raises(TooMany):
        place.holdings.buffer(SITE, "2")
    place.holdings.buffer(SITE, "1")
    place.holdings.buffer(OTHER, "2")
