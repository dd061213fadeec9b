"""Tests of dwtsvc/disk.py."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dwtsvc.disk import make_file, sync_folder, write_error
from dwtsvc.errors import DiskFull, FileAccess
from dwtsvc.ini import editing
from dwtsvc.store import PageStore

AS_NOBODY = """
import os, sys
from pathlib import Path
from dwtsvc.disk import sync_folder
os.setuid(65534)
folder = Path(sys.argv[1])
try:
    os.listdir(folder)
except PermissionError:
    sync_folder(folder)
    print("done")
"""


def refuse_folders(monkeypatch: pytest.MonkeyPatch, number: int) -> list[str]:
    """Make fsync fail for folders as some file systems do; the folders that were refused."""
    real, refused = os.fsync, list[str]()

    def fsync(file: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{file}"))
        if not path.is_dir():
            return real(file)
        refused.append(path.name)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    return refused


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
def test_a_file_system_that_cannot_sync_a_folder_serves_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refused = refuse_folders(monkeypatch, number)
    store = PageStore(tmp_path / "pages")
    owner = store.begin({})
    assert refused == [owner, "pages"]
    with editing(tmp_path / "settings.ini") as document:
        document.set("", "device", "virtual")
    assert refused[2:] == [tmp_path.name]
    assert (tmp_path / "settings.ini").read_text() == "device = virtual\n"


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
def test_a_failing_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    refuse_folders(monkeypatch, number)
    with pytest.raises(FileAccess, match=os.strerror(number)):
        PageStore(tmp_path / "pages").begin({})
    with pytest.raises(FileAccess, match=os.strerror(number)), editing(tmp_path / "settings.ini") as document:
        document.set("", "device", "virtual")


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "gone")


@pytest.mark.skipif(os.geteuid() != 0, reason="a second user needs root")
def test_a_folder_to_write_to_but_not_to_read_is_good_enough(tmp_path: Path) -> None:
    for above in tmp_path.parents[:3]:
        if above.name.startswith("pytest-"):
            above.chmod(0o711)
    tmp_path.chmod(0o333)
    child = subprocess.run([sys.executable, "-c", AS_NOBODY, tmp_path], capture_output=True, text=True, timeout=60)
    assert (child.stdout, child.stderr) == ("done\n", "")


def test_a_file_is_made_for_its_owner_alone_and_takes_rights_while_it_is_empty(tmp_path: Path) -> None:
    sizes = list[int]()

    def take_rights(file: int) -> None:
        sizes.append(os.fstat(file).st_size)
        os.fchmod(file, 0o644)

    before = os.umask(0)
    try:
        make_file(tmp_path / "private", b"secret")
        make_file(tmp_path / "open", b"told", take_rights)
    finally:
        os.umask(before)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o644
    assert ((tmp_path / "open").read_bytes(), sizes) == (b"told", [0])


def test_a_file_is_never_made_in_the_place_of_another_nor_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("there", "link"):
        with pytest.raises(FileExistsError):
            make_file(tmp_path / name, b"new")
    assert (tmp_path / "there").read_bytes() == b"old"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EACCES, FileAccess)]
)
def test_a_failed_write_is_told_in_the_words_of_the_system(number: int, kind: type[Exception]) -> None:
    told = write_error(OSError(number, os.strerror(number)), Path("/etc/some.ini"))
    assert type(told) is kind
    assert "/etc/some.ini" in str(told) and os.strerror(number) in str(told)
