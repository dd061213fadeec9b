"""Outputs: names from patterns, files that appear whole or not at all, on full and foreign disks."""

from __future__ import annotations

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import pypdfium2
import pytest
from PIL import Image, ImageSequence

from dwtsvc.store import PageStore
from dwtsvc.errors import BadArguments, DiskFull, FileAccess, InvalidOutput, PageDamaged
from dwtsvc.formats import PageEncoder
from dwtsvc.model import Encoding, PageInfo, Raster
from dwtsvc.outputs import Document, FileEach, NamePattern, Names, PartFile, StandardOutput

WHEN = datetime(2026, 3, 4, 5, 6, 7)
ROWS = Raster(width=40, height=30, channels=1, depth=8, bytes_per_line=40, dpi=300.0)
NOISE = Raster(width=600, height=500, channels=3, depth=8, bytes_per_line=1800, dpi=300.0)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

HOLDER = """
import sys, time
from pathlib import Path
from dwtsvc.outputs import PartFile
part = PartFile(Path(sys.argv[1]))
part.file.write(b"theirs")
part.file.flush()
print("held", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def store(tmp_path: Path) -> PageStore:
    return PageStore(tmp_path / "pages")


@pytest.fixture
def keep(store: PageStore) -> Callable[..., PageInfo]:
    """Puts a page into the store: a JPEG, or raw rows if a raster is given."""
    owner = store.begin({})
    count = 0

    def add(data: bytes | None = None, raster: Raster | None = None) -> PageInfo:
        nonlocal count
        count += 1
        slot = store.folder(owner) / f"slot-{count}"
        slot.touch(mode=0o600)
        slot.write_bytes(data or jpeg(count))
        encoding = Encoding.RAW if raster else Encoding.JPEG
        return store.add(owner, slot, number=count, back=False, encoding=encoding, raster=raster or ROWS)

    return add


def jpeg(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (40, 30), shade % 256).save(file, "JPEG", dpi=(300, 300))
    return file.getvalue()


def mounted(folder: Path, *options: str) -> Iterator[Path]:
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", *options, "none", str(folder)], capture_output=True).returncode:
        pytest.skip("no right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "small", "-o", "size=256k")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "fixed", "-o", "ro")


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


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def pattern(text: str, device: str = "sane:test:0") -> NamePattern:
    return NamePattern(text, device=device, when=WHEN)


def names(text: str | Path, *, force: bool = False, next_free: bool = False) -> Names:
    return Names(pattern(str(text)), force=force, next_free=next_free)


def each(text: str | Path, format: str = "jpeg", **how: bool) -> FileEach:
    return FileEach(names(text, **how), PageEncoder(format, quality=85))


# --- names


@pytest.mark.parametrize(
    ("text", "number", "name"),
    [
        ("scan-{n}.png", 7, "scan-7.png"),
        ("scan-{n:03}.png", 7, "scan-007.png"),
        ("scan-{n:3}.png", 1234, "scan-1234.png"),
        ("{date}_{time}.pdf", 1, "2026-03-04_050607.pdf"),
        ("{device}/{n}.png", 2, "sane-test-0/2.png"),
        ("scan.pdf", 1, "scan.pdf"),
        ("scan.pdf", 2, "scan-2.pdf"),
        ("a.b/scan.tar.pdf", 12, "a.b/scan.tar-12.pdf"),
    ],
)
def test_a_pattern_makes_the_name_of_a_page(text: str, number: int, name: str) -> None:
    assert pattern(text).path(number) == Path(name)


@pytest.mark.parametrize("field", ["page", "N", "", "datum"])
def test_an_unknown_field_lists_those_there_are(field: str) -> None:
    with pytest.raises(BadArguments) as caught:
        pattern(f"scan-{{{field}}}.pdf")
    assert f"{{{field}}}" in caught.value.what
    assert all(known in caught.value.hint for known in ("{n}", "{date}", "{time}", "{device}", "{n:03}"))


@pytest.mark.parametrize(
    "device", ["virtual:../../etc/cron.d", "..", "/", "a/../../b", "x\0y\n", "escl:http://[::1]/ä"]
)
def test_a_device_cannot_lead_out_of_the_folder(device: str) -> None:
    path = pattern("out/{device}.pdf", device).path(1)
    assert path.parent == Path("out")
    assert path.stem.strip(".-") and not path.name.startswith(".")


@pytest.mark.parametrize("text", ["", ".", "/", "./"])
def test_a_pattern_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(BadArguments):
        pattern(text)


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
    before = open_files()
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
    assert open_files() == before


def test_a_file_has_the_rights_of_the_umask(tmp_path: Path, store: PageStore, keep: Callable[..., PageInfo]) -> None:
    before = os.umask(0o027)
    try:
        page = keep()
        assert stat.S_IMODE(store.path(page).stat().st_mode) == 0o600
        (adopted,) = each(tmp_path / "a.jpg").add(page, store)
        (written,) = each(tmp_path / "b.png", "png").add(keep(), store)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (adopted, written)] == [0o640, 0o640]


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
    before = open_files()
    target = tmp_path / "scan.pdf"
    holder(target)
    now = open_files()
    with pytest.raises(FileAccess, match="another scan"):
        PartFile(target)
    assert (tmp_path / ".scan.pdf.part").read_bytes() == b"theirs"
    assert open_files() == now == before + 1  # the pipe to the holder


def test_next_free_passes_a_name_that_is_being_written(
    tmp_path: Path, holder: Callable[[Path], subprocess.Popen[str]]
) -> None:
    holder(tmp_path / "scan.pdf")
    part = names(tmp_path / "scan.pdf", next_free=True).reserve()
    assert part.target == tmp_path / "scan-2.pdf"
    part.abort()


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
    before = open_files()
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
    assert open_files() == before


def test_of_many_processes_that_want_one_name_one_gets_it(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from dwtsvc.errors import FileAccess
from dwtsvc.outputs import PartFile
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


def forbid_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


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


# --- pages of the store become files


def test_a_jpeg_page_is_the_file_without_a_copy(
    tmp_path: Path, store: PageStore, keep: Callable[..., PageInfo]
) -> None:
    page = keep()
    inode = store.path(page).stat().st_ino
    output = each(tmp_path / "scan.jpg")
    assert output.add(page, store) == [tmp_path / "scan.jpg"]
    assert (tmp_path / "scan.jpg").stat().st_ino == inode
    assert output.finish() == []
    assert (tmp_path / "scan.jpg").read_bytes() == jpeg(1)


@needs_root
@pytest.mark.parametrize("why", ["other file system", "no links", "force", "group of the folder"])
def test_where_a_page_cannot_be_linked_it_is_copied(
    why: str,
    small: Path,
    tmp_path: Path,
    store: PageStore,
    keep: Callable[..., PageInfo],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = small if why == "other file system" else tmp_path / "out"
    folder.mkdir(exist_ok=True)
    if why == "no links":
        forbid_links(monkeypatch)
    if why == "group of the folder":
        os.chown(folder, 0, 12345)
        folder.chmod(0o2775)
    page = keep()
    assert each(folder / "scan.jpg", force=why == "force").add(page, store) == [folder / "scan.jpg"]
    assert names_in(folder) == {"scan.jpg"}
    assert (folder / "scan.jpg").read_bytes() == store.path(page).read_bytes() == jpeg(1)
    assert (folder / "scan.jpg").stat().st_ino != store.path(page).stat().st_ino
    assert stat.S_IMODE(store.path(page).stat().st_mode) == 0o600
    assert (folder / "scan.jpg").stat().st_gid == (12345 if why == "group of the folder" else os.getegid())


def test_a_page_is_not_linked_over_a_file_that_appeared(
    tmp_path: Path, store: PageStore, keep: Callable[..., PageInfo]
) -> None:
    output = each(tmp_path / "scan.jpg")
    (tmp_path / "scan.jpg").write_bytes(b"theirs")
    page = keep()
    with pytest.raises(FileAccess, match="exists"):
        output.add(page, store)
    output.abort()
    assert (tmp_path / "scan.jpg").read_bytes() == b"theirs"
    assert not (tmp_path / ".scan.jpg.part").exists()
    assert store.path(page).read_bytes() == jpeg(1)


@pytest.mark.parametrize("format", ["jpeg", "png"])
def test_a_damaged_page_becomes_no_file(
    format: str, tmp_path: Path, store: PageStore, keep: Callable[..., PageInfo]
) -> None:
    page = keep()
    data = bytearray(store.path(page).read_bytes())
    data[-20] ^= 1
    store.path(page).write_bytes(data)
    output = each(tmp_path / "out.img", format)
    with pytest.raises(PageDamaged):
        output.add(page, store)
    output.abort()
    assert names_in(tmp_path) == {"pages"}


def test_every_page_is_a_file_with_its_number(tmp_path: Path, store: PageStore, keep: Callable[..., PageInfo]) -> None:
    output = each(tmp_path / "{n:03}.png", "png")
    assert names_in(tmp_path) == {"pages", ".001.png.part"}
    files = [output.add(keep(), store) for _ in range(3)]
    assert files == [[tmp_path / f"{n:03}.png"] for n in (1, 2, 3)]
    output.finish()
    assert names_in(tmp_path) == {"pages", "001.png", "002.png", "003.png"}


def test_without_a_number_in_the_name_later_pages_get_one(
    tmp_path: Path, store: PageStore, keep: Callable[..., PageInfo]
) -> None:
    output = each(tmp_path / "scan.jpg")
    files = [output.add(keep(), store)[0].name for _ in range(3)]
    assert files == ["scan.jpg", "scan-2.jpg", "scan-3.jpg"]


def test_next_free_finds_the_first_gap_among_many(tmp_path: Path) -> None:
    for number in range(1, 3001):
        (tmp_path / (f"scan-{number}.pdf" if number > 1 else "scan.pdf")).touch()
    (tmp_path / "scan-1500.pdf").unlink()
    finder = names(tmp_path / "scan.pdf", next_free=True)
    parts = [finder.reserve(), finder.reserve()]
    assert [part.target.name for part in parts] == ["scan-1500.pdf", "scan-3001.pdf"]
    for part in parts:
        part.abort()


def test_without_next_free_a_taken_number_is_told(
    tmp_path: Path, store: PageStore, keep: Callable[..., PageInfo]
) -> None:
    (tmp_path / "2.jpg").write_bytes(b"mine")
    output = each(tmp_path / "{n}.jpg")
    output.add(keep(), store)
    with pytest.raises(FileAccess, match=r"2\.jpg exists"):
        output.add(keep(), store)
    output.abort()
    assert names_in(tmp_path) == {"pages", "1.jpg", "2.jpg"}
    assert (tmp_path / "2.jpg").read_bytes() == b"mine"


def test_a_document_appears_at_the_end(tmp_path: Path, store: PageStore, keep: Callable[..., PageInfo]) -> None:
    part = names(tmp_path / "scan.pdf").reserve()
    output = Document(part, PageEncoder("pdf", quality=85))
    assert [output.add(keep(), store) for _ in range(3)] == [[], [], []]
    assert names_in(tmp_path) == {"pages", ".scan.pdf.part"}
    assert output.finish() == [tmp_path / "scan.pdf"]
    output.abort()
    assert names_in(tmp_path) == {"pages", "scan.pdf"}
    with pypdfium2.PdfDocument(tmp_path / "scan.pdf") as document:
        assert len(document) == 3


@pytest.mark.parametrize("format", ["pdf", "tiff"])
def test_a_document_without_pages_or_given_up_leaves_nothing(
    format: str, tmp_path: Path, store: PageStore, keep: Callable[..., PageInfo]
) -> None:
    before = open_files()
    empty = Document(PartFile(tmp_path / "a"), PageEncoder(format, quality=85))
    with pytest.raises(InvalidOutput):
        empty.finish()
    empty.abort()
    output = Document(PartFile(tmp_path / "a"), PageEncoder(format, quality=85))
    output.add(keep(), store)
    output.abort()
    assert names_in(tmp_path) == {"pages"}
    assert open_files() == before


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
def test_a_read_only_disk_is_found_before_the_first_page(read_only: Path) -> None:
    before = open_files()
    for next_free in (False, True):
        with pytest.raises(FileAccess, match="Read-only file system"):
            names(read_only / "scan.pdf", next_free=next_free).reserve()
    assert open_files() == before


@needs_root
def test_a_folder_one_may_not_enter_is_told_not_a_fault_of_ours(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from dwtsvc.errors import FileAccess
from dwtsvc.outputs import PartFile
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


@needs_root
@pytest.mark.parametrize("format", ["jpeg", "png", "bmp", "webp", "pdf", "tiff"])
def test_a_full_disk_is_told_with_what_is_free_and_the_page_stays(
    format: str, small: Path, store: PageStore, keep: Callable[..., PageInfo]
) -> None:
    before = open_files()
    page = keep(os.urandom(1800 * 500), NOISE)
    output: Document | FileEach
    encoder = PageEncoder(format, quality=100)
    (small / "filler").write_bytes(bytes(192 << 10))
    if format in ("pdf", "tiff"):
        output = Document(PartFile(small / "a"), encoder)
    else:
        output = FileEach(names(small / "a"), encoder)
    with pytest.raises(DiskFull) as caught:
        output.add(page, store)
        output.finish()
    assert f"The disk of {small} is full" in caught.value.what
    free = int(caught.value.why.split()[0])
    assert caught.value.why == f"{free} bytes are free" and free < 256 << 10
    output.abort()
    assert names_in(small) == {"filler"}
    assert open_files() == before
    with store.reading(page) as data:
        assert len(data) == page.size


@needs_root
def test_a_full_disk_while_replacing_keeps_the_old_file(
    small: Path, store: PageStore, keep: Callable[..., PageInfo]
) -> None:
    (small / "a.png").write_bytes(b"old" * 100)
    output = each(small / "a.png", "png", force=True)
    with pytest.raises(DiskFull) as caught:
        output.add(keep(os.urandom(1800 * 500), NOISE), store)
    output.abort()
    assert "needed" not in caught.value.why  # the old file's size says nothing
    assert (small / "a.png").read_bytes() == b"old" * 100 and names_in(small) == {"a.png"}


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


# --- standard output


@contextmanager
def piped(file: Path) -> Iterator[BinaryIO]:
    """A pipe to another program that puts what comes into a file."""
    with file.open("wb") as stdout, subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=stdout) as cat:
        yield cat.stdin  # type: ignore[misc]


def pages_in(file: Path, format: str) -> list[tuple[int, int]]:
    """The pixel size of each page in a file, read by others."""
    if format == "pdf":
        with pypdfium2.PdfDocument(file) as document:
            return [(round(page.get_width() * 300 / 72), round(page.get_height() * 300 / 72)) for page in document]
    with Image.open(file) as image:
        assert image.format == format.upper()
        return [frame.size for frame in ImageSequence.Iterator(image) if frame.copy()]


@pytest.mark.parametrize("format", ["jpeg", "png", "bmp", "webp", "pdf", "tiff"])
def test_a_page_goes_through_a_pipe(
    format: str, store: PageStore, keep: Callable[..., PageInfo], tmp_path: Path
) -> None:
    before = open_files()
    with piped(tmp_path / "out") as stream:
        output = StandardOutput(stream, PageEncoder(format, quality=90))
        assert output.add(keep(os.urandom(1800 * 500), NOISE), store) == []
        assert output.finish() == []
    assert pages_in(tmp_path / "out", format) == [(600, 500)]
    assert open_files() == before


@pytest.mark.parametrize("format", ["pdf", "tiff"])
def test_a_document_of_many_pages_goes_through_a_pipe(
    format: str, store: PageStore, keep: Callable[..., PageInfo], tmp_path: Path
) -> None:
    with piped(tmp_path / "out") as stream:
        output = StandardOutput(stream, PageEncoder(format, quality=90))
        for _ in range(3):
            output.add(keep(), store)
        output.finish()
    assert pages_in(tmp_path / "out", format) == [(40, 30)] * 3


@pytest.mark.parametrize("format", ["jpeg", "png", "bmp", "webp", "pdf", "tiff"])
def test_a_reader_that_goes_away_is_told(format: str, store: PageStore, keep: Callable[..., PageInfo]) -> None:
    before = open_files()
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "wb")
    output = StandardOutput(stream, PageEncoder(format, quality=90))
    with pytest.raises(FileAccess, match="Standard output cannot be written: Broken pipe"):
        output.add(keep(os.urandom(1800 * 500), NOISE), store)
        output.finish()
    output.abort()
    with suppress(BrokenPipeError):
        stream.close()
    assert open_files() == before


@needs_root
@pytest.mark.parametrize("format", ["jpeg", "pdf", "tiff"])
def test_a_full_disk_behind_standard_output_is_a_full_disk(
    format: str, small: Path, store: PageStore, keep: Callable[..., PageInfo]
) -> None:
    stream = (small / "out").open("wb")
    output = StandardOutput(stream, PageEncoder(format, quality=100))
    with pytest.raises(DiskFull):
        output.add(keep(os.urandom(1800 * 500), NOISE), store)
        output.finish()
    output.abort()
    with suppress(OSError):
        stream.close()


@needs_root
def test_a_full_disk_for_the_tiff_before_standard_output_is_named(
    small: Path, store: PageStore, keep: Callable[..., PageInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(small))
    output = StandardOutput(io.BytesIO(), PageEncoder("tiff", quality=100))
    with pytest.raises(DiskFull, match=str(small)):
        output.add(keep(os.urandom(1800 * 500), NOISE), store)
        output.finish()
    output.abort()
