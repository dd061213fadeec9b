"""Part files: whole or not at all, one winner for a name, nothing replaced, nothing left behind."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dwtsvc.errors import FileAccess
from dwtsvc.parts import PartFile
from tests.disks import forbid_links, names_in, needs_root, open_files

HOLDER = """
import sys, time
from pathlib import Path
from dwtsvc.parts import PartFile
part = PartFile(Path(sys.argv[1]))
part.file.write(b"theirs")
part.file.flush()
print("held", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def holder() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Starts another process that is writing a target."""
    running = []

    def hold(target: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", HOLDER, str(target)], stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout and process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in running:
        process.kill()
        process.communicate(timeout=20)


# --- a part file becomes a file


def test_the_part_is_there_from_the_start_and_the_target_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "scan.pdf"
    part = PartFile(target)
    part.file.write(b"whole")
    part.file.flush()
    assert names_in(tmp_path) == {".scan.pdf.part"}
    assert part.commit() == target
    assert names_in(tmp_path) == {"scan.pdf"} and target.read_bytes() == b"whole"


def test_bytes_are_on_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    target = tmp_path / "scan.pdf"

    def recorded(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            kind = name
            if name == "fsync":
                kind += " folder" if stat.S_ISDIR(os.fstat(args[0]).st_mode) else f" {os.fstat(args[0]).st_size}"  # type: ignore[arg-type]
            done.append(kind)
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    part = PartFile(target)
    part.file.write(b"12345")
    for name in ("fsync", "link", "replace"):
        recorded(name)
    part.commit()
    assert done == ["fsync 5", "link", "fsync folder"]
    done.clear()
    part = PartFile(target, force=True)
    part.file.write(b"123456")
    part.commit()
    assert done == ["fsync 6", "replace", "fsync folder"]


def test_an_existing_file_is_refused_and_stays(tmp_path: Path) -> None:
    target = tmp_path / "scan.pdf"
    target.write_bytes(b"mine")
    with pytest.raises(FileAccess, match="exists") as caught:
        PartFile(target)
    assert "--force" in caught.value.hint
    assert names_in(tmp_path) == {"scan.pdf"} and target.read_bytes() == b"mine"


def test_force_replaces_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "scan.pdf"
    target.write_bytes(b"old")
    reader = target.open("rb")
    part = PartFile(target, force=True)
    part.file.write(b"new")
    part.file.flush()
    assert target.read_bytes() == b"old"
    part.commit()
    assert (reader.read(), target.read_bytes()) == (b"old", b"new")
    assert names_in(tmp_path) == {"scan.pdf"}
    reader.close()


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "scan.pdf"
    part = PartFile(target)
    target.write_bytes(b"theirs")
    with pytest.raises(FileAccess, match="exists"):
        part.commit()
    assert names_in(tmp_path) == {"scan.pdf"} and target.read_bytes() == b"theirs"


def test_abort_leaves_nothing_and_harms_nobody_later(tmp_path: Path) -> None:
    target = tmp_path / "scan.pdf"
    before = open_files(tmp_path)
    first = PartFile(target)
    first.abort()
    assert names_in(tmp_path) == set()
    second = PartFile(target)
    first.abort()
    assert names_in(tmp_path) == {".scan.pdf.part"}
    second.file.write(b"2")
    second.commit()
    third = PartFile(target, force=True)
    second.abort()
    assert names_in(tmp_path) == {"scan.pdf", ".scan.pdf.part"}
    third.abort()
    assert target.read_bytes() == b"2"
    assert open_files(tmp_path) == before


# --- part files of others


def test_the_part_of_a_dead_process_makes_room(tmp_path: Path, holder: Callable[[Path], subprocess.Popen[str]]) -> None:
    target = tmp_path / "scan.pdf"
    process = holder(target)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    assert (tmp_path / ".scan.pdf.part").read_bytes() == b"theirs"
    part = PartFile(target)
    part.file.write(b"me")
    part.commit()
    assert target.read_bytes() == b"me" and names_in(tmp_path) == {"scan.pdf"}


def test_the_part_of_a_living_process_is_refused(
    tmp_path: Path, holder: Callable[[Path], subprocess.Popen[str]]
) -> None:
    before = open_files(tmp_path)
    target = tmp_path / "scan.pdf"
    holder(target)
    with pytest.raises(FileAccess, match="another scan"):
        PartFile(target)
    assert (tmp_path / ".scan.pdf.part").read_bytes() == b"theirs"
    assert open_files(tmp_path) == before


def test_a_crash_between_link_and_unlink_does_not_cost_the_finished_file(tmp_path: Path) -> None:
    finished = tmp_path / "moved-away.pdf"
    finished.write_bytes(b"finished")
    os.link(finished, tmp_path / ".scan.pdf.part")
    part = PartFile(tmp_path / "scan.pdf")
    part.file.write(b"next")
    part.commit()
    assert finished.read_bytes() == b"finished"
    assert (tmp_path / "scan.pdf").read_bytes() == b"next"


def test_a_link_planted_under_the_parts_name_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / ".scan.pdf.part").symlink_to(victim)
    with pytest.raises(FileAccess):
        PartFile(tmp_path / "scan.pdf")
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize("links", [True, False])
def test_of_many_threads_that_want_one_name_one_gets_it(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        forbid_links(monkeypatch)
    before = open_files(tmp_path)
    for round in range(30):
        target = tmp_path / f"{round}.pdf"
        start = threading.Barrier(4)
        won: list[bytes] = []
        lost: list[FileAccess] = []

        def write(
            text: bytes,
            target: Path = target,
            start: threading.Barrier = start,
            won: list[bytes] = won,
            lost: list[FileAccess] = lost,
        ) -> None:
            start.wait(20)
            try:
                part = PartFile(target)
                part.file.write(text)
                part.commit()
                won.append(text)
            except FileAccess as error:
                lost.append(error)

        threads = [threading.Thread(target=write, args=(b"%d" % n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert (len(won), len(lost)) == (1, 3)
        assert target.read_bytes() == won[0]
    assert not [name for name in names_in(tmp_path) if name.endswith(".part")]
    assert open_files(tmp_path) == before


def test_of_many_processes_that_want_one_name_one_gets_it(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from dwtsvc.errors import FileAccess
from dwtsvc.parts import PartFile
sys.stdin.readline()
for n in range(50):
    try:
        part = PartFile(Path(sys.argv[1], f"{n}.pdf"))
        part.file.write(sys.argv[2].encode())
        part.commit()
        print(n)
    except FileAccess:
        pass
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen([*command, str(n)], stdin=pipe, stdout=pipe, text=True) for n in range(3)]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    won = [process.communicate(timeout=60)[0].split() for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert sorted((n for files in won for n in files), key=int) == [str(n) for n in range(50)]
    for winner, files in enumerate(won):
        assert all((tmp_path / f"{n}.pdf").read_text() == str(winner) for n in files)
    assert len(names_in(tmp_path)) == 50


# --- file systems without links


def test_without_links_a_file_appears_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_links(monkeypatch)
    part = PartFile(tmp_path / "scan.pdf")
    part.file.write(b"whole")
    part.commit()
    assert names_in(tmp_path) == {"scan.pdf"} and (tmp_path / "scan.pdf").read_bytes() == b"whole"


def test_without_links_nothing_is_replaced_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_links(monkeypatch)
    part = PartFile(tmp_path / "scan.pdf")
    (tmp_path / "scan.pdf").write_bytes(b"theirs")
    with pytest.raises(FileAccess, match="exists"):
        part.commit()
    assert names_in(tmp_path) == {"scan.pdf"} and (tmp_path / "scan.pdf").read_bytes() == b"theirs"


def test_without_links_a_failure_leaves_no_empty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_links(monkeypatch)
    part = PartFile(tmp_path / "scan.pdf")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(FileAccess, match="Input/output error"):
        part.commit()
    part.abort()
    assert names_in(tmp_path) == set()


# --- targets that cannot be written


@pytest.mark.parametrize("force", [False, True])
def test_a_missing_folder_is_named(force: bool, tmp_path: Path) -> None:
    with pytest.raises(FileAccess) as caught:
        PartFile(tmp_path / "no" / "such" / "scan.pdf", force=force)
    assert str(tmp_path / "no" / "such") in caught.value.what
    assert "no folder" in caught.value.what


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileAccess, match="Not a directory"):
        PartFile(tmp_path / "file" / "scan.pdf")


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    for length in (250, 300):  # the part's name is too long, or the name itself
        with pytest.raises(FileAccess, match="too long"):
            PartFile(tmp_path / ("x" * length))


@needs_root
def test_a_folder_one_may_not_enter_is_told_not_a_fault_of_ours(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from dwtsvc.errors import FileAccess
from dwtsvc.parts import PartFile
os.setuid(65534)
for name in ("scan.pdf", "below/scan.pdf"):
    try:
        PartFile(Path(sys.argv[1], name), force=True)
    except FileAccess as error:
        print(error)
"""
    closed = tmp_path / "closed"
    (closed / "below").mkdir(parents=True)
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if folder.stat().st_mode & 0o005 != 0o005 and folder != closed:
            folder.chmod(folder.stat().st_mode | 0o005)
    closed.chmod(0o700)
    ran = subprocess.run([sys.executable, "-c", code, str(closed)], capture_output=True, text=True, timeout=60)
    assert ran.stdout.count("Permission denied") == 2, ran.stderr


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_is_not_a_file(force: bool, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    with pytest.raises(FileAccess, match="is a folder"):
        PartFile(tmp_path / "scans", force=force)
    assert names_in(tmp_path) == {"scans"}


@pytest.mark.parametrize("force", [False, True])
def test_a_device_is_not_replaced(force: bool, tmp_path: Path) -> None:
    for target in (Path("/dev/null"), tmp_path / "pipe"):
        if target.parent == tmp_path:
            os.mkfifo(target)
        with pytest.raises(FileAccess) as caught:
            PartFile(target, force=force)
        assert not (force and "--force" in caught.value.hint)
        assert not (target.parent / f".{target.name}.part").exists()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize("force", [False, True])
def test_a_link_to_nowhere_is_refused_at_once(force: bool, tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").symlink_to(tmp_path / "gone.pdf")
    with pytest.raises(FileAccess):
        PartFile(tmp_path / "scan.pdf", force=force)
    assert names_in(tmp_path) == {"scan.pdf"}


def test_force_replaces_the_file_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "real.pdf").write_bytes(b"old")
    (tmp_path / "scan.pdf").symlink_to("archive/real.pdf")
    part = PartFile(tmp_path / "scan.pdf", force=True)
    part.file.write(b"new")
    assert part.commit() == tmp_path / "scan.pdf"
    assert (tmp_path / "scan.pdf").is_symlink()
    assert (tmp_path / "archive" / "real.pdf").read_bytes() == b"new"
    assert names_in(tmp_path / "archive") == {"real.pdf"}


@needs_root
def test_a_read_only_disk_is_told_at_once(read_only: Path, tmp_path: Path) -> None:
    before = open_files(tmp_path)
    with pytest.raises(FileAccess, match="Read-only file system"):
        PartFile(read_only / "scan.pdf")
    assert open_files(tmp_path) == before
