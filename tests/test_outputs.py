"""Outputs: names from patterns, pages that become files, documents and standard output, on full and foreign disks."""

from __future__ import annotations

import io
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import pypdfium2
import pytest
from PIL import Image, ImageSequence

from dwtsvc.errors import BadArguments, DiskFull, FileAccess, InvalidOutput, PageDamaged
from dwtsvc.formats import PageEncoder
from dwtsvc.model import Encoding, PageInfo, Raster
from dwtsvc.outputs import Document, FileEach, NamePattern, Names, StandardOutput
from dwtsvc.parts import PartFile
from dwtsvc.store import PageStore
from tests.disks import forbid_links, names_in, needs_root, open_files

WHEN = datetime(2026, 3, 4, 5, 6, 7)
ROWS = Raster(width=40, height=30, channels=1, depth=8, bytes_per_line=40, dpi=300.0)
NOISE = Raster(width=600, height=500, channels=3, depth=8, bytes_per_line=1800, dpi=300.0)


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


def test_next_free_passes_a_name_that_is_being_written(tmp_path: Path) -> None:
    other = PartFile(tmp_path / "scan.pdf")
    part = names(tmp_path / "scan.pdf", next_free=True).reserve()
    assert part.target == tmp_path / "scan-2.pdf"
    part.abort()
    other.abort()


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
    before = open_files(tmp_path)
    empty = Document(PartFile(tmp_path / "a"), PageEncoder(format, quality=85))
    with pytest.raises(InvalidOutput):
        empty.finish()
    empty.abort()
    output = Document(PartFile(tmp_path / "a"), PageEncoder(format, quality=85))
    output.add(keep(), store)
    output.abort()
    assert names_in(tmp_path) == {"pages"}
    assert open_files(tmp_path) == before


# --- targets that cannot be written


@needs_root
def test_a_read_only_disk_is_found_before_the_first_page(read_only: Path, tmp_path: Path) -> None:
    before = open_files(tmp_path)
    for next_free in (False, True):
        with pytest.raises(FileAccess, match="Read-only file system"):
            names(read_only / "scan.pdf", next_free=next_free).reserve()
    assert open_files(tmp_path) == before


@needs_root
@pytest.mark.parametrize("format", ["jpeg", "png", "bmp", "webp", "pdf", "tiff"])
def test_a_full_disk_is_told_with_what_is_free_and_the_page_stays(
    format: str, small: Path, store: PageStore, keep: Callable[..., PageInfo], tmp_path: Path
) -> None:
    before = open_files(tmp_path)
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
    assert open_files(tmp_path) == before
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
    before = open_files(tmp_path)
    with piped(tmp_path / "out") as stream:
        output = StandardOutput(stream, PageEncoder(format, quality=90))
        assert output.add(keep(os.urandom(1800 * 500), NOISE), store) == []
        assert output.finish() == []
    assert pages_in(tmp_path / "out", format) == [(600, 500)]
    assert open_files(tmp_path) == before


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
def test_a_reader_that_goes_away_is_told(
    format: str, store: PageStore, keep: Callable[..., PageInfo], tmp_path: Path
) -> None:
    before = open_files(tmp_path)
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
    assert open_files(tmp_path) == before


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
