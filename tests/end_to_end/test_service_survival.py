"""The service is killed while clients use it: what they were told is there afterwards, and there is one service again.

`make storm` does the same for hundreds of kills.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.clients import JOBS
from tests.faults.storm import Storm
from tests.server.daemon import Running, lives, processes, running, until

KILLS = 10


@pytest.mark.timeout(600)
def test_no_confirmed_page_or_edit_is_lost_in_a_storm_of_kills(tmp_path: Path) -> None:
    report = Storm(tmp_path / "home", seed=7).run(KILLS)
    assert report.kills.total() == KILLS
    assert len(report.kills) == 5, "every kind of kill"
    assert report.checked > 10 * KILLS, "the clients had time to be told something"
    assert report.rivals


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "home") as made:
        yield made


def scanned(service: Running, device: str = "virtual:adf?pages=3&seed=1") -> tuple[str, list[bytes]]:
    """A job, and its pages as they were told and fetched."""
    made = service.client.post(JOBS, json={"device": device, "config": {"Resolution": 50}})
    job, pages = made.json()["jobuid"], []
    while (told := service.client.get(f"{JOBS}/{job}/next-page-info")).status_code == 200:
        pages.append(service.client.get(told.json()[0]["url"]).content)
    return job, pages


def fetched(service: Running, job: str, count: int) -> list[bytes]:
    path = f"{JOBS}/{job}/content"
    return [service.client.get(path, params={"type": "image/png", "page": at}).content for at in range(count)]


def test_after_a_crash_the_service_answers_again_with_its_pages_and_leaves_a_dump(service: Running) -> None:
    job, pages = scanned(service)
    pid = service.pid
    service.kill(signal.SIGSEGV)
    assert service.await_answer(other_than=pid) != pid
    assert fetched(service, job, 3) == pages
    assert service.client.get(f"{JOBS}/{job}").json()["status"] == "completed"
    assert any("Segmentation fault" in dump.read_text() for dump in service.paths.dump.iterdir())


def test_a_job_that_a_kill_interrupted_is_ended_and_says_so_with_the_pages_before_it(service: Running) -> None:
    body = {"device": "virtual:adf?pages=5000&seed=1&slow=0.2", "config": {"Resolution": 50}}
    job = service.client.post(JOBS, json=body).json()["jobuid"]
    first = service.client.get(f"{JOBS}/{job}/next-page", params={"type": "image/png"})
    pid, workers = service.pid, service.workers
    assert first.status_code == 200 and workers
    service.kill()
    until(lambda: not any(map(lives, workers)), service.said)
    service.await_answer(other_than=pid)
    assert fetched(service, job, 1) == [first.content]
    said = service.client.get(f"{JOBS}/{job}").json()
    assert said["status"] == "faulted" and "restarted" in str(said)
    assert scanned(service)[1], "the scanner is free again"


def test_without_its_monitor_the_service_ends_and_the_next_one_finds_every_page(service: Running) -> None:
    job, pages = scanned(service)
    service.kill_monitor()
    until(lambda: not processes(service.home), service.said)
    service.start()
    assert fetched(service, job, 3) == pages


def test_a_worker_that_is_killed_ends_its_job_only(service: Running) -> None:
    done, pages = scanned(service, "virtual:flatbed?seed=4")
    body = {"device": "virtual:adf?pages=5000&slow=0.2", "config": {"Resolution": 50}}
    before = set(service.workers)
    job = service.client.post(JOBS, json=body).json()["jobuid"]
    assert service.client.get(f"{JOBS}/{job}/next-page-info").status_code == 200
    pid = service.pid
    (worker,) = set(service.workers) - before
    service.kill_one(worker)
    until(lambda: service.client.get(f"{JOBS}/{job}").json()["status"] == "faulted", service.said)
    assert service.pid == pid
    assert fetched(service, job, 1)[0].startswith(b"\x89PNG")
    assert fetched(service, done, len(pages)) == pages
    assert len(scanned(service)[1]) == 3
