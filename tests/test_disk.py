"""Tests of dwtsvc/disk.py."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dwtsvc.disk import sync_folder
from dwtsvc.errors import FileAccess
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
