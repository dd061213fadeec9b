"""The page store: what it acknowledged is there after kill -9, torn writes and full disks; what is damaged is told."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import sleep

import pytest

from dwtsvc import disk
from dwtsvc import store as store_module
from dwtsvc.errors import BadArguments, DiskFull, FileAccess, PageDamaged
from dwtsvc.model import Encoding, PageInfo, Raster
from dwtsvc.sealing import BrokenSeal, Seal
from dwtsvc.store import PageStore, _line

RASTER = Raster(width=10, height=5, channels=1, depth=8, bytes_per_line=10, dpi=300.0)


def rows(number: int) -> bytes:
    return bytes((number * 7 + i) % 256 for i in range(50))


def add(store: PageStore, owner: str, number: int, data: bytes | None = None) -> PageInfo:
    slot = store.folder(owner) / f"slot-{number}"
    slot.write_bytes(rows(number) if data is None else data)
    return store.add(owner, slot, number=number, back=False, encoding=Encoding.RAW, raster=RASTER)


def bytes_of(store: PageStore, page: PageInfo) -> bytes:
    with store.reading(page) as data:
        return bytes(data)


@pytest.fixture
def store(tmp_path: Path) -> PageStore:
    return PageStore(tmp_path / "pages")


def test_pages_come_back_in_order_as_they_were(store: PageStore) -> None:
    owner = store.begin({"device": "x"})
    added = {number: add(store, owner, number) for number in (2, 1, 3)}
    assert store.pages(owner) == [added[1], added[2], added[3]]
    assert [bytes_of(store, page) for page in store.pages(owner)] == [rows(1), rows(2), rows(3)]


def test_nobody_else_can_look_into_the_store(store: PageStore) -> None:
    owner = store.begin({})
    page = add(store, owner, 1)
    assert {path.stat().st_mode & 0o777 for path in (store.root, store.folder(owner))} == {0o700}
    private = [path for path in store.folder(owner).iterdir() if path != store.path(page)]
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_the_acknowledgement_comes_after_everything_is_synced(
    store: PageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = store.begin({})
    slot = store.folder(owner) / "slot-1"
    slot.write_bytes(rows(1))
    calls: list[str] = []
    names = {"fsync": os.fsync, "fdatasync": os.fdatasync, "rename": os.rename, "write": os.write}
    for name, real in names.items():

        def watched(*args: object, name: str = name, real: object = real) -> object:
            target = os.readlink(f"/proc/self/fd/{args[0]}") if isinstance(args[0], int) else str(args[1])
            calls.append(f"{name} {Path(target).name}")
            return real(*args)  # type: ignore[operator]

        monkeypatch.setattr(os, name, watched)
    store.add(owner, slot, number=1, back=False, encoding=Encoding.RAW, raster=RASTER)
    assert calls == ["fsync slot-1", "rename page-1", f"fsync {owner}", "write journal", "fdatasync journal"]


def test_a_process_that_dies_loses_no_acknowledged_page(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from tests.test_store import *; store = PageStore(Path(sys.argv[1])); owner = store.begin({'device': 'x'});\n"
        "for n in range(1, 10**6): print(add(store, owner, n).number, flush=True)"
    )
    root = str(Path(__file__).parents[1])
    chance = random.Random(7)
    for turn in range(6):
        store = PageStore(tmp_path / f"pages-{turn}")
        child = subprocess.Popen([sys.executable, "-c", program, str(store.root), root], stdout=subprocess.PIPE)
        assert child.stdout
        child.stdout.readline()
        sleep(chance.uniform(0, 0.2))
        child.send_signal(signal.SIGKILL)
        told = [1, *map(int, child.stdout.read().split(b"\n")[:-1])]
        child.wait()
        (left,) = store.left_behind()
        assert left.about == {"device": "x"}
        pages = store.resume(left.owner)
        assert [page.number for page in pages][: len(told)] == told
        assert all(bytes_of(store, page) == rows(page.number) for page in pages)
        assert add(store, left.owner, len(pages) + 1).number == len(pages) + 1
        store.discard(left.owner)


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_record_ends_the_journal_and_the_pages_before_it_stay(store: PageStore, cut: int) -> None:
    owner = store.begin({})
    first = add(store, owner, 1)
    add(store, owner, 2)
    journal = store.folder(owner) / "journal"
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert store.pages(owner) == [first]


def test_a_flipped_bit_in_the_journal_is_noticed(store: PageStore) -> None:
    owner = store.begin({})
    add(store, owner, 1)
    journal = store.folder(owner) / "journal"
    whole = journal.read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        journal.write_bytes(damaged)
        assert store.pages(owner) == [], place


def test_every_flipped_bit_in_a_page_is_told(store: PageStore) -> None:
    page = add(store, store.begin({}), 1)
    for place in range(page.size):
        damaged = bytearray(rows(1))
        damaged[place] ^= 0x10
        store.path(page).write_bytes(damaged)
        with pytest.raises(PageDamaged):
            bytes_of(store, page)


@pytest.mark.parametrize("damage", ["gone", "short", "empty"])
def test_a_page_that_is_gone_or_cut_is_told(store: PageStore, damage: str) -> None:
    page = add(store, store.begin({}), 1)
    if damage == "gone":
        store.path(page).unlink()
    else:
        store.path(page).write_bytes(rows(1)[:10] if damage == "short" else b"")
    with pytest.raises(PageDamaged, match="Page 1"):
        bytes_of(store, page)


@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
def test_a_page_whose_sync_failed_is_not_acknowledged(
    store: PageStore, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = store.begin({})

    def failing(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    slot = store.folder(owner) / "slot-1"
    slot.write_bytes(rows(1))
    monkeypatch.setattr(os, call, failing)
    with pytest.raises(FileAccess, match="Input/output error"):
        store.add(owner, slot, number=1, back=False, encoding=Encoding.RAW, raster=RASTER)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "small"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_keeps_what_is_stored_and_says_what_is_free(small_disk: Path) -> None:
    store = PageStore(small_disk / "pages")
    owner = store.begin({})
    stored = []
    with pytest.raises((DiskFull, OSError)) as full:
        for number in range(1, 10_000):
            (small_disk / "filler").open("ab").write(b"x" * 3000)
            stored.append(add(store, owner, number))
    assert isinstance(full.value, DiskFull) or full.value.errno == errno.ENOSPC
    assert stored
    (small_disk / "filler").unlink()
    assert store.pages(owner) == stored
    assert all(bytes_of(store, page) == rows(page.number) for page in stored)
    assert add(store, owner, 20_000).number == 20_000  # room is back, no restart needed


def test_a_full_disk_is_told_with_numbers(small_disk: Path) -> None:
    error = disk.storage_error(OSError(errno.ENOSPC, "No space left on device"), small_disk / "page")
    assert isinstance(error, DiskFull)
    assert "262144 bytes are free" in error.why or "bytes are free" in error.why


def test_a_journal_line_that_did_not_fit_is_cut_off_again(store: PageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = store.begin({})
    add(store, owner, 1)
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[: len(data) // 2]))
    slot = store.folder(owner) / "slot-2"
    slot.write_bytes(rows(2))
    with pytest.raises(DiskFull):
        store.add(owner, slot, number=2, back=False, encoding=Encoding.RAW, raster=RASTER)
    monkeypatch.undo()
    third = add(store, owner, 3)
    assert [page.number for page in store.pages(owner)] == [1, 3]
    assert bytes_of(store, third) == rows(3)


def test_a_living_owner_is_not_left_behind_and_cannot_be_taken(store: PageStore) -> None:
    owner = store.begin({})
    add(store, owner, 1)
    assert store.left_behind() == []
    with pytest.raises(BadArguments, match="in use"):
        PageStore(store.root).resume(owner)
    store.leave(owner)
    (left,) = store.left_behind()
    assert (left.owner, left.pages) == (owner, 1)


def test_an_unknown_owner_lists_those_there_are(store: PageStore) -> None:
    owner = store.begin({})
    add(store, owner, 1)
    store.leave(owner)
    for wrong in ("nothing", "../pages", "a/b"):
        with pytest.raises(BadArguments) as refused:
            store.resume(wrong)
        assert owner in refused.value.hint


def test_a_dropped_page_stays_dropped(store: PageStore) -> None:
    owner = store.begin({})
    pages = [add(store, owner, number) for number in (1, 2)]
    store.drop(pages[0])
    assert store.pages(owner) == pages[1:]
    assert not store.path(pages[0]).exists()


def test_discard_leaves_nothing(store: PageStore) -> None:
    owner = store.begin({})
    add(store, owner, 1)
    store.discard(owner)
    assert list(store.root.iterdir()) == []


def age(folder: Path, hours: float) -> None:
    then = folder.stat().st_mtime - hours * 3600
    os.utime(folder, (then, then))


def test_old_pages_expire_and_living_or_young_ones_do_not(store: PageStore) -> None:
    old, young, alive, empty = (store.begin({"n": n}) for n in range(4))
    for owner in (old, young, alive):
        add(store, owner, 1)
    for owner in (old, young, empty):
        store.leave(owner)
    age(store.folder(old), 49)
    age(store.folder(young), 47)
    age(store.folder(alive), 49)
    age(store.folder(empty), 2)
    assert set(store.expire(timedelta(days=2))) == {old, empty}
    assert {folder.name for folder in store.root.iterdir()} == {young, alive}


def test_a_store_whose_folder_was_deleted_begins_anew(store: PageStore) -> None:
    import shutil

    owner = store.begin({})
    page = add(store, owner, 1)
    shutil.rmtree(store.root)
    with pytest.raises(PageDamaged):
        bytes_of(store, page)
    again = store.begin({})
    assert bytes_of(store, add(store, again, 1)) == rows(1)


def test_several_threads_may_add_at_once(store: PageStore) -> None:
    owner = store.begin({})
    threads = [
        threading.Thread(target=lambda start=start: [add(store, owner, n) for n in range(start, 100, 4)])
        for start in (1, 2, 3, 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [page.number for page in store.pages(owner)] == list(range(1, 100))


def test_sealed_pages_and_notes_are_unreadable_on_the_disk_and_survive_their_process(tmp_path: Path) -> None:
    key = os.urandom(32)
    sealing_store = PageStore(tmp_path, Seal(key))
    owner = sealing_store.begin({"device": "x"})
    page = add(sealing_store, owner, 1)
    sealing_store.note(owner, "a secret note")
    assert page.sealed and bytes_of(sealing_store, page) == rows(1)
    sealing_store.leave(owner)
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / owner).iterdir())
    assert rows(1)[:32] not in on_disk and b"secret" not in on_disk

    later = PageStore(tmp_path, Seal(key))
    assert later.resume(owner) == [page]
    assert bytes_of(later, page) == rows(1) and list(later.notes(owner)) == ["a secret note"]
    later.leave(owner)
    stranger = PageStore(tmp_path, Seal(os.urandom(32)))
    (found,) = stranger.pages(owner)
    with pytest.raises(PageDamaged):
        bytes_of(stranger, found)
    with pytest.raises(BrokenSeal):
        list(stranger.notes(owner))


@pytest.mark.parametrize("full", [False, True])
def test_of_a_page_that_is_sealed_from_memory_no_byte_was_ever_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    store, lying = PageStore(tmp_path, Seal(os.urandom(32))), []
    owner, sync = store.begin({}), store_module._sync_and_sum

    def looking(path: Path) -> tuple[int, str]:
        lying.extend(each.read_bytes() for each in (tmp_path / owner).iterdir())
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return sync(path)

    monkeypatch.setattr(store_module, "_sync_and_sum", looking)
    how = {"number": 1, "back": False, "encoding": Encoding.RAW, "raster": RASTER}
    if full:
        with pytest.raises(DiskFull):
            store.put(owner, rows(1), **how)
        assert {each.name for each in (tmp_path / owner).iterdir()} == {"lock", "journal"}
    else:
        assert bytes_of(store, store.put(owner, rows(1), **how)) == rows(1)
    assert len(lying) == 3 and not any(rows(1)[:32] in each for each in lying)


def test_a_copied_page_is_the_same_for_another_owner_with_a_seal_of_its_own(tmp_path: Path) -> None:
    store = PageStore(tmp_path, Seal(os.urandom(32)))
    job = store.begin({})
    page = add(store, job, 1)
    document = store.begin({}, seal=Seal.of_password("secret", b"salt" * 4))
    copy = store.copy(page, document, 7)
    store.discard(job)
    assert copy.id == f"{document}/7" and bytes_of(store, copy) == rows(1)
    store.leave(document)
    with pytest.raises(PageDamaged):
        bytes_of(store, copy)


def test_an_error_of_the_reader_is_not_taken_for_a_damaged_page(store: PageStore) -> None:
    owner = store.begin({})
    page = add(store, owner, 1)
    with pytest.raises(OSError, match="pipe"), store.reading(page):
        raise OSError("the reader's pipe")


def test_what_is_added_after_a_torn_record_is_there_the_next_time(store: PageStore) -> None:
    owner = store.begin({})
    add(store, owner, 1)
    store.leave(owner)
    with (store.folder(owner) / "journal").open("ab") as journal:
        journal.write(b'{"page":{"id')  # the power went
    assert [page.number for page in store.resume(owner)] == [1]
    add(store, owner, 2)
    store.note(owner, "after it")
    store.leave(owner)
    assert [page.number for page in store.resume(owner)] == [1, 2]
    assert list(store.notes(owner)) == ["after it"]


def test_an_owner_that_could_not_begin_holds_nothing(store: PageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(owner: str, record: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(store, "_record", full)
    with pytest.raises(DiskFull):
        store.begin({})
    assert not store._locks and not store._journals and not list(store.root.iterdir())


def test_a_record_of_another_version_hides_its_owner_and_no_other(store: PageStore) -> None:
    good, strange = store.begin({}), store.begin({})
    for owner in (good, strange):
        add(store, owner, 1)
        store.leave(owner)
    with (store.folder(strange) / "journal").open("ab") as journal:
        journal.write(_line({"page": {"id": "x", "from": "the future"}}))
    assert [left.owner for left in store.left_behind()] == [good]
    with pytest.raises(ValueError, match="PageInfo"):
        store.resume(strange)
    assert not store._locks and not store._journals


def test_something_strange_in_the_root_does_not_keep_old_pages(store: PageStore) -> None:
    owner = store.begin({})
    add(store, owner, 1)
    store.leave(owner)
    (store.root / "a file").write_bytes(b"")
    for path in store.root.iterdir():
        os.utime(path, (0, 0))
    assert store.expire(timedelta(days=30)) == [owner]


def test_a_journal_is_not_closed_while_a_record_is_written(store: PageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of a closed file is soon that of another journal, into which the rest would go."""
    owner = store.begin({})
    inside, closed, write = threading.Event(), threading.Event(), os.write

    def slow(file: int, data: bytes) -> int:
        inside.set()
        assert not closed.wait(0.2), "closed in the middle"
        return write(file, data)

    monkeypatch.setattr(os, "write", slow)
    writer = threading.Thread(target=store.note, args=(owner, "a text"))
    writer.start()
    inside.wait()
    store.leave(owner)
    closed.set()
    writer.join()
    assert list(store.notes(owner)) == ["a text"]


def test_a_missing_page_does_not_tell_where_pages_lie(store: PageStore) -> None:
    page = add(store, store.begin({}), 1)
    store.path(page).unlink()
    with pytest.raises(PageDamaged) as damaged, store.reading(page):
        pass
    assert damaged.value.why == "No such file or directory"
