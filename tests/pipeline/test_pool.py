"""The pool of page workers: whatever a page does, it ends one child and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from PIL import Image

from dwtsvc import pictures
from dwtsvc.errors import BadArguments, BadInput, DwtsvcError, ServiceNotRunning
from dwtsvc.imaging.cleaning import Cleaning
from dwtsvc.imaging.ocr import Reading
from dwtsvc.pipeline import pool
from dwtsvc.pipeline.pool import NICE, ConfinedPool
from dwtsvc.pipeline.recipe import Done, Original, Recipe, Task
from dwtsvc.pipeline.work import work
from tests.imaging import printed
from tests.pipeline.chores import crash, double, eat, give_up, group_of, hang, number, priority, run_a_program
from tests.server.daemon import lives, until

MIB = 2**20


def gone(pid: int) -> bool:
    until(lambda: not lives(pid))
    return True


def written(path: Path) -> int:
    until(lambda: path.exists() and path.read_text())
    return int(path.read_text())


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (crash, "broke the program that read it: signal 11"),
        (hang, "took too long: more than 5 seconds"),
        (eat, "needs too much memory: more than 600 MiB"),
        (give_up, "needs too much memory"),
    ],
)
def test_a_page_that_goes_wrong_is_told_and_the_next_one_is_worked_on(
    function: Callable[[], object], words: str
) -> None:
    with ConfinedPool(1, timeout=5 if function is hang else 60, memory=600 * MIB) as workers:
        broken, next_one = workers.submit(function), workers.submit(double, 21)
        with pytest.raises(BadInput, match=f"The page {words}"):
            broken.result()
        assert next_one.result() == 42


def test_a_fault_of_ours_is_an_error_and_the_child_lives_on() -> None:
    with ConfinedPool(1) as workers:
        before = workers.submit(number).result()
        with pytest.raises(DwtsvcError, match="TypeError"):
            workers.submit(double, None).result()
        assert workers.submit(number).result() == before


def test_one_child_a_thread_serves_page_after_page() -> None:
    with ConfinedPool(2) as workers:
        numbers = {future.result() for future in [workers.submit(number) for _ in range(12)]}
    assert 1 <= len(numbers) <= 2
    assert os.getpid() not in numbers


def test_the_scanner_comes_first() -> None:
    before = priority()
    with ConfinedPool(1) as workers:
        assert workers.submit(priority).result() == min(19, max(before, NICE))
    assert priority() == before


def test_ctrl_c_means_nothing_to_a_child() -> None:
    with ConfinedPool(1) as workers:
        pid, group = workers.submit(group_of).result()
    assert group == pid != os.getpgid(0)  # a terminal sends it to the group in front


@pytest.mark.timeout(60)
def test_a_shutdown_does_not_wait_and_leaves_no_process(tmp_path: Path) -> None:
    workers = ConfinedPool(2)
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
    running_ones = [workers.submit(run_a_program, str(tmp_path / place)) for place in ("one", "two")]
    waiting = [workers.submit(double, 1) for _ in range(20)]
    pids = [written(tmp_path / place / name) for place in ("one", "two") for name in ("child", "program")]
    assert all(map(lives, pids))
    workers.shutdown(wait=True, cancel_futures=True)
    assert all(map(gone, pids))
    assert all(future.cancelled() for future in waiting)
    assert all(isinstance(future.exception(), BadInput) for future in running_ones)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", ["late", "killed"])
def test_the_program_of_a_child_that_ends_ends_with_it(how: str, tmp_path: Path) -> None:
    with ConfinedPool(1, timeout=8 if how == "late" else 60) as workers:
        page = workers.submit(run_a_program, str(tmp_path))
        child, program = written(tmp_path / "child"), written(tmp_path / "program")
        if how == "killed":
            os.kill(child, signal.SIGKILL)
        words = "took too long" if how == "late" else "broke the program that read it: signal 9"
        with pytest.raises(BadInput, match=words):
            page.result()
        assert gone(program)
        assert workers.submit(double, 4).result() == 8


@pytest.mark.timeout(60)
def test_children_of_a_program_that_is_killed_end_too() -> None:
    code = (
        "import sys\nfrom dwtsvc.pipeline.pool import ConfinedPool\nimport os, time\n"
        "pool = ConfinedPool(1)\nprint(pool.submit(os.getpid).result(), flush=True)\ntime.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert lives(child)
    parent.kill()
    parent.wait()
    assert gone(child)
    parent.stdout.close()


def test_a_pool_that_is_closed_takes_nothing_more() -> None:
    workers = ConfinedPool(1)
    workers.shutdown(cancel_futures=True)
    with pytest.raises(RuntimeError):
        workers.submit(double, 1)


def page_task() -> Task:
    """A page that leans, with a text and a barcode."""
    image = printed.sheet("invoice", 150).convert("RGB").rotate(1.5, Image.Resampling.BICUBIC, fillcolor="white")
    page = pictures.lossy(image, 150, 90)
    return Task(
        number=3,
        back=True,
        original=Original(content=page.content, encoding=page.encoding, raster=page.raster, lossy=True),
        recipe=Recipe(cleaning=Cleaning(deskew=True), judge=True, barcodes=(), reading=Reading(), store_dpi=100),
    )


def here(_: None = None) -> Executor:
    return ThreadPoolExecutor(1)


def processes() -> Executor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


@pytest.fixture(scope="module")
def known() -> list[Done]:
    return work(page_task())


def confined() -> Executor:
    return ConfinedPool(1)


@pytest.mark.parametrize("made", [confined, here, processes])
def test_every_executor_makes_the_same_of_a_page(made: Callable[[], Executor], known: list[Done]) -> None:
    [expected] = known
    assert expected.text
    assert "Invoice" in expected.text.plain
    assert {step.name for step in expected.steps} == {"deskew", "resize"}
    assert expected.barcodes
    with made() as executor:
        assert executor.submit(work, page_task()).result() == known


def test_what_is_no_address_of_an_executor_is_told() -> None:
    with pytest.raises(BadArguments, match="no executor 'spark://a'"):
        pool.executor("spark://a")


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CONNECT_TIMEOUT", 0.5)
    with pytest.raises(ServiceNotRunning, match="No Dask scheduler answers at"):
        pool.executor("dask://127.0.0.1:1")


@pytest.mark.timeout(110)
def test_pages_go_through_the_workers_of_a_dask_scheduler(known: list[Done]) -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        executor = pool.executor(cluster.scheduler_address.replace("tcp://", "dask://"))
        assert pool.is_elsewhere(executor)
        found = [executor.submit(work, page_task()) for _ in range(2)]
        assert [future.result(timeout=100) for future in found] == [known, known]
        executor.shutdown(wait=True, cancel_futures=True)
    assert not pool.is_elsewhere(ConfinedPool(1))
