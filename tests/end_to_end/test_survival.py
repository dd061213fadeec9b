"""Kill -9, full disks, targets that cannot be written: what was finished is kept, and the message says what to do."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import pytest
from PIL import Image

from tests.end_to_end.conftest import DWTSVC, Place
from tests.sane.conftest import Faulty
from tests.sane.rig import expected_rows

FEEDER = ("scan", "-d", "dwtfault:adf", "--source", "feeder", "-r", "75", "--mode", "gray")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """A scan that is not over before the block is, and keeps what it has."""
    process.send_signal(signal.SIGSTOP)
    assert process.poll() is None
    yield
    process.send_signal(signal.SIGCONT)


def test_kill_9_loses_no_page_that_was_told(place: Place, faulty: Faulty) -> None:
    faulty(pages=400, row_delay_us=20)  # more than come before the kill, however late that is
    chance = random.Random(11)
    for _ in range(5):
        child = subprocess.Popen(
            [DWTSVC, *FEEDER, "-o", "a.tiff", "--json"], cwd=place.folder, env=os.environ, stdout=subprocess.PIPE
        )
        assert child.stdout
        child.stdout.readline()
        sleep(chance.uniform(0, 0.4))
        child.kill()
        told = 1 + len(child.stdout.read().splitlines())
        child.wait()
        assert not (place / "a.tiff").exists()
        listed = place.run("scan", "--recover", "--dry-run", "--json").events
        assert len(listed) == 1
        assert listed[0]["pages"] >= told
        assert place.run("scan", "--recover", "-o", "r.tiff").code == 0
        with Image.open(place / "r.tiff") as image:
            assert image.n_frames >= told
            for number in range(image.n_frames):
                image.seek(number)
                assert image.tobytes() == expected_rows(number + 1, image.width, image.height, "Gray")
        (place / "r.tiff").unlink()


def test_a_scan_after_a_kill_takes_over_the_unfinished_file(place: Place, faulty: Faulty) -> None:
    (place / ".a.tiff.part").write_bytes(b"left by a process that died")
    faulty(pages=2)
    assert place.run(*FEEDER, "-o", "a.tiff").code == 0
    assert place.files() == ["a.tiff"]


def test_two_scans_to_one_name_do_not_mix(place: Place, faulty: Faulty) -> None:
    faulty(pages=6, row_delay_us=500)
    first = subprocess.Popen([DWTSVC, *FEEDER, "-o", "a.tiff"], cwd=place.folder, env=os.environ)
    while not (place / ".a.tiff.part").exists():
        sleep(0.02)
    with stopped(first):
        second = place.run("scan", "-d", "dwtfault:glass", "-r", "75", "-o", "a.tiff")
    assert (second.code, "another scan" in second.err) == (5, True)
    assert first.wait(60) == 0
    with Image.open(place / "a.tiff") as image:
        assert image.n_frames == 6


def test_a_full_target_disk_keeps_the_pages_and_a_recovery_writes_them_elsewhere(
    place: Place, faulty: Faulty, mount: Path
) -> None:
    faulty(pages=6)
    ran = place.run(*FEEDER, "--tiff-compression", "none", "-o", str(mount / "a.tiff"))
    assert ran.code == 40
    assert "bytes are free" in ran.err
    assert "kept" in ran.err
    assert list(mount.iterdir()) == []
    assert place.run("scan", "--recover", "-o", "a.tiff").code == 0
    with Image.open(place / "a.tiff") as image:
        assert image.n_frames >= 3


def test_a_full_store_disk_keeps_what_is_stored(place: Place, faulty: Faulty, mount: Path) -> None:
    faulty(pages=8)
    ran = place.run(*FEEDER, "-o", "a.tiff", DWTSVC_HOME=str(mount))
    assert ran.code == 40, ran.err
    assert "kept" in ran.err
    assert not (place / "a.tiff").exists()
    recovered = place.run("scan", "--recover", "-o", "a.tiff", DWTSVC_HOME=str(mount))
    assert recovered.code == 0, recovered.err
    with Image.open(place / "a.tiff") as image:
        assert image.n_frames >= 1
        assert image.tobytes() == expected_rows(1, image.width, image.height, "Gray")


def test_a_target_that_cannot_be_written_is_found_before_a_page_is_fed(
    place: Place, faulty: Faulty, mount: Path
) -> None:
    faulty(pages=3)
    subprocess.run(["mount", "-o", "remount,ro", str(mount)], check=True)
    ran = place.run(*FEEDER, "-o", str(mount / "a.tiff"))
    assert ran.code == 5
    assert "Read-only file system" in ran.err
    assert not faulty.calls("start")


def test_a_recovery_that_fails_keeps_its_pages(place: Place, faulty: Faulty, mount: Path) -> None:
    faulty(pages=6, action="status", status=6, fail_at=6)
    assert place.run(*FEEDER, "-o", "a.tiff").code == 23
    full = place.run("scan", "--recover", "--tiff-compression", "none", "-o", str(mount / "a.tiff"))
    assert full.code == 40
    assert place.run("scan", "--recover", "-o", "a.tiff").code == 0
    with Image.open(place / "a.tiff") as image:
        assert image.n_frames == 5


def test_one_of_several_can_be_recovered_by_its_id(place: Place, faulty: Faulty) -> None:
    for failing in (3, 5):
        faulty(pages=6, action="status", status=6, fail_at=failing)
        place.run(*FEEDER, "-o", "a.tiff")
    newest, older = place.run("scan", "--recover", "--dry-run", "--json").events
    assert (newest["pages"], older["pages"]) == (4, 2)
    assert place.run("scan", "--recover", "--recover-id", older["id"], "-o", "older.pdf").code == 0
    assert [each["id"] for each in place.run("scan", "--recover", "--dry-run", "--json").events] == [newest["id"]]
    wrong = place.run("scan", "--recover-id", "nonsense", "-o", "x.pdf")
    assert (wrong.code, newest["id"] in wrong.err) == (2, True)


def test_a_damaged_page_is_told_and_not_written(place: Place, faulty: Faulty) -> None:
    faulty(pages=6, action="status", status=6, fail_at=3)
    place.run(*FEEDER, "-o", "a.tiff")
    (page,) = place.home.glob("state/pages/*/page-2")
    data = bytearray(page.read_bytes())
    data[1000] ^= 1
    page.write_bytes(data)
    ran = place.run("scan", "--recover", "-o", "a.tiff")
    assert (ran.code, "Page 2" in ran.err) == (4, True)
    assert place.files() == []


def test_a_busy_scanner_is_told_with_who_has_it(place: Place, faulty: Faulty) -> None:
    faulty(pages=6, row_delay_us=500)
    first = subprocess.Popen([DWTSVC, *FEEDER, "-o", "a{n}.png"], cwd=place.folder, env=os.environ, stdout=-1)
    assert first.stdout
    first.stdout.readline()
    with stopped(first):
        second = place.run(*FEEDER, "-o", "b.tiff")
    assert second.code == 21
    assert str(first.pid) in second.err
    assert first.wait(60) == 0


def test_store_and_outputs_have_the_right_modes(place: Place, faulty: Faulty) -> None:
    faulty(pages=6, action="status", status=6, fail_at=3)
    ran = subprocess.run(
        ["sh", "-c", f'umask 027; "{DWTSVC}" {" ".join(FEEDER)} -o p{{n}}.jpg'],
        cwd=place.folder,
        env=os.environ,
        capture_output=True,
    )
    assert ran.returncode == 23
    assert {path.stat().st_mode & 0o777 for path in place.folder.iterdir()} == {0o640}
    place.run(*FEEDER, "-o", "a.pdf")
    pages = place.home / "state" / "pages"
    modes = {path.stat().st_mode & 0o777 for path in pages.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (pages, *pages.iterdir())} == {0o700}
