from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dwtsvc import scratch
from dwtsvc.locks import holding
from dwtsvc.scratch import LOCK, Scratch, sweep

OWNER = """
import sys
from dwtsvc.scratch import Scratch
folder = Scratch("test")
folder.path.joinpath("page").write_text("private")
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def owner() -> tuple[subprocess.Popen[str], Path]:
    """Another process with a folder."""
    process = subprocess.Popen([sys.executable, "-c", OWNER], stdin=-1, stdout=-1, text=True)
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_there_for_a_block_and_gone_after_it(temporary: Path) -> None:
    with Scratch("test") as folder:
        assert folder.parent == temporary and folder.name.startswith("dwtsvc-test-")
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("hidden", [False, True])
def test_a_folder_within_another_one_sweeps_there_and_nowhere_else(temporary: Path, hidden: bool) -> None:
    within = temporary / "cache"
    for left in (temporary / "dwtsvc-here", within / "dwtsvc-there", within / ".dwtsvc-hidden"):
        left.mkdir(parents=True)
        (left / LOCK).touch()
    with Scratch("test", within, hidden=hidden) as folder:
        assert folder.name.startswith(".") == hidden
        assert list(within.iterdir()) == [folder]
    assert sorted(path.name for path in temporary.iterdir()) == ["cache", "dwtsvc-here"]


def test_what_a_killed_owner_left_is_taken_away_by_the_next_one_and_not_before() -> None:
    process, left = owner()
    with process:
        with Scratch("other"):
            assert (left / "page").read_text() == "private"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (left / "page").exists()
        with Scratch("other"):
            assert not left.exists()


def test_a_folder_of_our_own_is_not_taken_away() -> None:
    with Scratch("one") as one, Scratch("two") as two:
        sweep(one.parent)
        assert one.exists() and two.exists()


def test_only_folders_of_ours_are_taken_away(temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    for folder in (elsewhere, temporary / "other-1"):
        folder.mkdir()
        folder.joinpath(LOCK).touch()
    temporary.joinpath("dwtsvc-link").symlink_to(elsewhere)
    temporary.joinpath("dwtsvc-file").touch()
    temporary.joinpath("dwtsvc-plain").mkdir()  # by somebody who knows of no lock
    before = sorted(temporary.rglob("*"))
    sweep(temporary)
    assert sorted(temporary.rglob("*")) == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs a second user")
def test_the_folder_of_another_user_is_left_alone(temporary: Path) -> None:
    foreign = temporary / "dwtsvc-pages-1"
    foreign.mkdir()
    foreign.joinpath(LOCK).touch()
    os.chown(foreign, 65534, 65534)
    sweep(temporary)
    assert foreign.exists()


def test_a_sweep_that_comes_between_the_folder_and_its_lock_costs_a_second_try(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the three ways in which a sweeper can be faster."""
    honest, tried = scratch.open_locked, list[Path]()

    def overtaken(path: Path) -> int | None:
        tried.append(path.parent)
        if len(tried) == 1:
            shutil.rmtree(path.parent)
            return honest(path)
        if len(tried) == 2:
            with holding(path):
                return honest(path)
        file = honest(path)
        if len(tried) == 3:
            path.unlink()
        return file

    monkeypatch.setattr(scratch, "open_locked", overtaken)
    with Scratch("test") as folder:
        assert len(tried) == 4 and folder == tried[3]
        assert list(temporary.iterdir()) == [folder]


def test_many_that_come_and_sweep_at_once_take_nothing_from_each_other(temporary: Path) -> None:
    lost = []

    def work() -> None:
        for _ in range(50):
            with Scratch("busy") as folder:
                folder.joinpath("page").touch()
                if not folder.joinpath("page").exists():
                    lost.append(folder)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == [] and list(temporary.iterdir()) == []
