from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dwtsvc.errors import DiskFull, FileAccess
from dwtsvc.secrets import Secrets
from dwtsvc.targets import Facts, Receipt, send
from dwtsvc.targets.parcel import Parcel
from dwtsvc.targets.patience import Deadline
from dwtsvc.targets.target import of_address
from tests.disks import names_in
from tests.targets.peers import sha256


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder


def test_a_file_arrives_with_a_receipt_that_fits_it(letter: Path, archive: Path, secrets: Secrets) -> None:
    receipt = send(of_address(f"folder:{archive}"), letter, secrets=secrets)
    there = archive / letter.name
    assert there.read_bytes() == letter.read_bytes()
    assert receipt == Receipt(
        target=f"folder:{archive}",
        location=str(there),
        id="",
        bytes=letter.stat().st_size,
        sha256=sha256(letter),
        when=receipt.when,
        attempts=1,
        verified="sha256",
        already_there=False,
    )
    assert names_in(archive) == {letter.name}


def test_the_same_file_a_second_time_changes_nothing(letter: Path, archive: Path, secrets: Secrets) -> None:
    target = of_address(str(archive))
    send(target, letter, secrets=secrets)
    before = (archive / letter.name).stat()
    receipt = send(target, letter, secrets=secrets)
    assert receipt.already_there and receipt.location == str(archive / letter.name)
    assert (archive / letter.name).stat().st_mtime_ns == before.st_mtime_ns
    assert names_in(archive) == {letter.name}


def test_another_file_of_the_same_name_stays_and_ours_gets_the_next_name(
    letter: Path, archive: Path, secrets: Secrets
) -> None:
    (archive / letter.name).write_bytes(b"x" * letter.stat().st_size)
    (archive / "Letter of May-2.pdf").mkdir()
    receipt = send(of_address(str(archive)), letter, secrets=secrets)
    assert receipt.location == str(archive / "Letter of May-3.pdf")
    assert (archive / letter.name).read_bytes()[:1] == b"x"


def test_a_missing_folder_is_told_and_not_made(letter: Path, tmp_path: Path, secrets: Secrets) -> None:
    with pytest.raises(FileAccess, match="no folder"):
        send(of_address(str(tmp_path / "none")), letter, secrets=secrets)
    assert not (tmp_path / "none").exists()


def test_a_full_disk_is_told_and_leaves_nothing_behind(letter: Path, small: Path, secrets: Secrets) -> None:
    (small / "filler").write_bytes(b"x" * 200_000)
    with pytest.raises(DiskFull):
        send(of_address(str(small)), letter, secrets=secrets)
    assert names_in(small) == {"filler"}
    (small / "filler").unlink()
    assert send(of_address(str(small)), letter, secrets=secrets).bytes == letter.stat().st_size


def test_a_folder_that_cannot_be_written_is_told(letter: Path, read_only: Path, secrets: Secrets) -> None:
    with pytest.raises(FileAccess):
        send(of_address(str(read_only)), letter, secrets=secrets)


@pytest.mark.parametrize("name", ["none.pdf", ".", "pipe"])
def test_what_is_no_file_is_not_sent(tmp_path: Path, archive: Path, secrets: Secrets, name: str) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileAccess):
        send(of_address(str(archive)), tmp_path / name, secrets=secrets)
    assert names_in(archive) == set()


@pytest.mark.parametrize("change", [b"shorter", b"x" * 204_809, b"y" * 300_000])
def test_a_file_that_changes_on_the_way_never_arrives(letter: Path, archive: Path, change: bytes) -> None:
    from dwtsvc.targets.folder import Folder

    deadline = Deadline(60)
    parcel = Parcel.of(letter, Facts(), "0" * 32)
    assert parcel.size == 204_809
    letter.write_bytes(change)
    with pytest.raises(FileAccess, match="was not sent"):
        Folder(of_address(str(archive)), deadline).carry(parcel)
    assert names_in(archive) == set()


KILLED = """
import sys, time
from pathlib import Path
from dwtsvc.targets import folder, parcel
from dwtsvc.targets.target import of_address
from dwtsvc.targets.patience import Deadline

folder.CHUNK = 4096
read = parcel.Watched.read
left = 2
def stopping(self, size=-1):
    global left
    print("read", flush=True)
    if not left:
        time.sleep(600)
    left -= 1
    return read(self, size)
parcel.Watched.read = stopping
sent = parcel.Parcel.of(Path(sys.argv[1]), parcel.Facts(), "0" * 32)
folder.Folder(of_address(sys.argv[2]), Deadline(60)).carry(sent)
"""


def test_a_sender_that_is_killed_leaves_no_half_file_and_the_next_one_succeeds(
    letter: Path, archive: Path, secrets: Secrets
) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, letter, archive], stdout=subprocess.PIPE)
    assert child.stdout is not None
    for _ in range(3):
        assert child.stdout.readline() == b"read\n"
    child.kill()
    child.wait()
    child.stdout.close()
    assert names_in(archive) == {f".{letter.name}.part"}
    receipt = send(of_address(str(archive)), letter, secrets=secrets)
    assert sha256(archive / letter.name) == receipt.sha256
    assert names_in(archive) == {letter.name}
