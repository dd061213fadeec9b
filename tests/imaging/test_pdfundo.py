"""What an edit replaces comes back byte for byte, and nothing else is ever overwritten."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from dwtsvc.errors import BadInput, DiskFull, FileAccess, NothingFound, WrongState
from dwtsvc.imaging import pdfundo


def edit(path: Path, data: bytes, command: str = "rotate left") -> None:
    """As a command does it: keep, then replace by a new file."""
    pdfundo.keep(path, hashlib.sha256(data).hexdigest(), command)
    part = path.with_name("part")
    part.write_bytes(data)
    os.replace(part, os.path.realpath(path))


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.pdf"
    path.write_bytes(b"first")
    return path


def test_two_changes_are_undone_by_two_undos_and_nothing_is_left_behind(scan: Path) -> None:
    os.chmod(scan, 0o640)
    edit(scan, b"second", "rotate left")
    edit(scan, b"third", "delete 3")
    assert [change.command for change in pdfundo.changes(scan)] == ["delete 3", "rotate left"]
    assert (pdfundo.undo(scan).command, scan.read_bytes()) == ("delete 3", b"second")
    assert (pdfundo.undo(scan).command, scan.read_bytes()) == ("rotate left", b"first")
    assert scan.stat().st_mode & 0o777 == 0o640
    assert list(scan.parent.iterdir()) == [scan]
    with pytest.raises(NothingFound):
        pdfundo.undo(scan)


def test_keeping_copies_nothing_where_a_second_name_will_do(scan: Path) -> None:
    number = scan.stat().st_ino
    edit(scan, b"second")
    assert (pdfundo.folder(scan) / "0001.pdf").stat().st_ino == number


def test_without_links_the_original_is_copied(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", refuse)
    edit(scan, b"second")
    pdfundo.undo(scan)
    assert scan.read_bytes() == b"first"


def test_a_file_that_somebody_else_changed_is_left_as_it_is(scan: Path) -> None:
    edit(scan, b"second")
    scan.write_bytes(b"theirs")
    with pytest.raises(WrongState, match="changed since") as caught:
        pdfundo.undo(scan)
    assert "0001.pdf" in caught.value.hint and scan.read_bytes() == b"theirs"
    assert len(pdfundo.changes(scan)) == 1


def test_an_original_that_was_changed_is_not_put_back(scan: Path) -> None:
    edit(scan, b"second")
    (pdfundo.folder(scan) / "0001.pdf").write_bytes(b"false")
    with pytest.raises(WrongState, match="not the file that was kept"):
        pdfundo.undo(scan)
    assert scan.read_bytes() == b"second"


def test_a_file_that_was_deleted_comes_back(scan: Path) -> None:
    edit(scan, b"second")
    scan.unlink()
    pdfundo.undo(scan)
    assert scan.read_bytes() == b"first"


def test_an_edit_that_broke_off_before_it_replaced_the_file_is_passed_over(scan: Path) -> None:
    edit(scan, b"second", "rotate left")
    pdfundo.keep(scan, hashlib.sha256(b"never written").hexdigest(), "delete 3")
    assert (pdfundo.undo(scan).command, scan.read_bytes()) == ("rotate left", b"first")


def test_half_a_change_is_none_and_takes_no_number(scan: Path) -> None:
    held = pdfundo.folder(scan)
    held.mkdir()
    os.link(scan, held / "0001.pdf")
    assert pdfundo.changes(scan) == []
    edit(scan, b"second")
    assert [change.number for change in pdfundo.changes(scan)] == [2]
    pdfundo.undo(scan)
    assert scan.read_bytes() == b"first"


def test_what_is_kept_is_let_go_of(scan: Path) -> None:
    edit(scan, b"second")
    edit(scan, b"third")
    assert (pdfundo.forget(scan), list(scan.parent.iterdir())) == (2, [scan])
    assert (scan.read_bytes(), pdfundo.forget(scan)) == (b"third", 0)


def test_behind_a_link_it_is_the_file_that_has_its_originals(scan: Path) -> None:
    link = scan.with_name("link.pdf")
    link.symlink_to(scan.name)
    edit(link, b"second")
    assert pdfundo.changes(scan)
    pdfundo.undo(link)
    assert link.is_symlink() and scan.read_bytes() == b"first"


def test_a_record_that_cannot_be_read_is_told(scan: Path) -> None:
    edit(scan, b"second")
    (pdfundo.folder(scan) / "0001.json").write_text("{}")
    with pytest.raises(BadInput, match=r"0001\.json"):
        pdfundo.undo(scan)


def test_a_full_disk_and_one_that_is_read_only_are_told(small: Path, read_only: Path) -> None:
    path = small / "scan.pdf"
    path.write_bytes(b"first")
    with pytest.raises(OSError), open(small / "filler", "wb", buffering=0) as filler:
        while filler.write(bytes(1_000)):
            pass
    with pytest.raises(DiskFull):
        for _ in range(300):
            pdfundo.keep(path, "", "delete 1")
    assert path.read_bytes() == b"first"
    with pytest.raises(FileAccess):
        pdfundo.keep(read_only / "scan.pdf", "", "delete 1")
