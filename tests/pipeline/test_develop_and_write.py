"""The pipeline: each page becomes what was asked for, and leaves the store only when it is safe in a file."""

from __future__ import annotations

import io
import os
import random
import stat
import subprocess
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat

from dwtsvc.devices.process import PageReady
from dwtsvc.errors import DiskFull, FileAccess, PageDamaged, PaperJam
from dwtsvc.formats import PageEncoder
from dwtsvc.imaging import edit, jpeg
from dwtsvc.jobs import Developed, Jobs
from dwtsvc.model import Encoding, Mode, PageInfo, Raster, ScanRequest, Source, Step
from dwtsvc.outputs import Document, FileEach, NamePattern, Names
from dwtsvc.parts import PartFile
from dwtsvc.pipeline.develop import RICHNESS, Developer
from dwtsvc.pipeline.writing import Written, collate, write_job, write_page
from dwtsvc.store import PageStore
from tests.disks import open_files

WIDTH, HEIGHT = 205, 151
REQUEST = ScanRequest(device="virtual:adf")
RAW = {"lineart": (1, 1), "gray8": (1, 8), "gray16": (1, 16), "rgb8": (3, 8), "rgb16": (3, 16)}
DELIVERED = [*RAW, "jpeg-gray", "jpeg-rgb"]
OUTPUTS = [("jpeg", "auto"), ("png", "auto"), ("pdf", "auto"), ("tiff", "auto"), ("tiff", "jpeg"), ("webp", "auto")]

Slot = Callable[..., PageReady]


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    """Puts a page of a kind into a slot file, as the worker does."""

    def fill(kind: str, picture: Image.Image | None = None, *, padding: int = 4, folder: Path = tmp_path) -> PageReady:
        image = picture or drawn()
        data, raster = (as_jpeg if kind.startswith("jpeg") else as_rows)(kind, image, padding)
        path = folder / "slot-1"
        path.touch(mode=0o600)
        path.write_bytes(data)
        encoding = Encoding.JPEG if kind.startswith("jpeg") else Encoding.RAW
        return PageReady(slot="slot-1", path=path, raster=raster, back=False, encoding=encoding, size=len(data))

    return fill


def drawn() -> Image.Image:
    image = Image.radial_gradient("L").resize((WIDTH, HEIGHT)).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 10, 90, 60), fill=(250, 20, 30))
    draw.line((3, 140, 200, 120), fill=(0, 60, 200), width=3)
    return image


def in_kind(kind: str, image: Image.Image) -> Image.Image:
    if kind == "lineart":
        return image.convert("L").point([0] * 100 + [255] * 156, "1")
    return image.convert("L" if "gray" in kind else "RGB")


def as_rows(kind: str, image: Image.Image, padding: int) -> tuple[bytes, Raster]:
    channels, depth = RAW[kind]
    image = in_kind(kind, image)
    packed = image.tobytes("raw", "1;I") if depth == 1 else image.tobytes()
    if depth == 16:
        packed = array("H", [level << 8 | 77 for level in packed]).tobytes()
    line = len(packed) // image.height
    rows = b"".join(packed[at : at + line] + b"\xa5" * padding for at in range(0, len(packed), line))
    return rows, raster_of(image, channels, depth, line + padding)


def as_jpeg(kind: str, image: Image.Image, _padding: int) -> tuple[bytes, Raster]:
    file = io.BytesIO()
    image = in_kind(kind, image)
    image.save(file, "JPEG", quality=92)
    channels = 3 if kind == "jpeg-rgb" else 1
    return file.getvalue(), raster_of(image, channels, 8, image.width * channels)


def raster_of(image: Image.Image, channels: int, depth: int, line: int) -> Raster:
    size = {"width": image.width, "height": image.height}
    return Raster(**size, channels=channels, depth=depth, bytes_per_line=line, dpi=300.0)


def seen(developed: Developed) -> Image.Image:
    """The picture in a developed page, by its raster's word; 16 bits by their high bytes."""
    data, raster = developed.file.read_bytes(), developed.raster
    if developed.encoding is Encoding.JPEG:
        image = Image.open(io.BytesIO(data))
        image.load()
        assert (image.width, image.height) == (raster.width, raster.height)
        assert image.mode == ("RGB" if raster.channels == 3 else "L")
        return image
    how = {
        (1, 1): ("1", "1;I"),
        (1, 8): ("L", "L"),
        (1, 16): ("L", "L;16"),
        (3, 8): ("RGB",) * 2,
        (3, 16): ("RGB", "RGB;16L"),
    }
    mode, raw = how[raster.channels, raster.depth]
    assert raster.height and len(data) == raster.height * raster.bytes_per_line
    return Image.frombytes(mode, (raster.width, raster.height), data, "raw", raw, raster.bytes_per_line, 1)


def difference(a: Image.Image, b: Image.Image) -> float:
    a, b = (image.convert("RGB") for image in (a, b))
    assert a.size == b.size
    return max(ImageStat.Stat(ImageChops.difference(a, b)).mean)


def developer(mode: Mode, format: str = "png", compression: str = "auto", quality: int = 90) -> Developer:
    return Developer(mode, PageEncoder(format, quality=quality, tiff_compression=compression), quality)


def held(path: Path) -> tuple[list[str], bool]:
    """What of the folder is open, and whether something of it is still mapped."""
    return open_files(path), str(path) in Path("/proc/self/maps").read_text()


# --- developing


@pytest.mark.parametrize(("format", "compression"), OUTPUTS)
@pytest.mark.parametrize("delivered", DELIVERED)
@pytest.mark.parametrize("wanted", [Mode.COLOR, Mode.GRAY, Mode.LINEART])
def test_a_page_becomes_what_was_asked_for(
    wanted: Mode, delivered: str, format: str, compression: str, slot: Slot, tmp_path: Path
) -> None:
    page = slot(delivered)
    before, original = held(tmp_path), page.path.read_bytes()
    made = developer(wanted, format, compression)(page, REQUEST)
    assert held(tmp_path) == before == (before[0], False)
    mode = min(wanted, page.raster.mode, key=RICHNESS.index)
    expected = edited(page, mode)
    assert page.path.read_bytes() == original
    if delivered.startswith("jpeg") and mode is page.raster.mode:
        assert made == Developed(page.path, Encoding.JPEG, page.raster)
    elif format == "jpeg" or (mode is not Mode.LINEART and (format == "pdf" or compression == "jpeg")):
        assert (made.encoding, made.file) == (Encoding.JPEG, tmp_path / "slot-1.jpeg")
        assert (made.raster.channels, made.raster.depth) == (3 if mode is Mode.COLOR else 1, 8)
        assert difference(seen(made), expected) < 4
    elif mode is page.raster.mode:
        assert made == Developed(page.path, Encoding.RAW, page.raster)
    else:
        assert (made.encoding, made.file) == (Encoding.RAW, tmp_path / "slot-1.rows")
        depth = 1 if mode is Mode.LINEART else 8
        assert made.raster == raster_of(expected, 1, depth, (WIDTH * depth + 7) // 8)
        assert difference(seen(made), expected) == 0
    assert stat.S_IMODE(made.file.stat().st_mode) == 0o600


def edited(page: PageReady, mode: Mode) -> Image.Image:
    """What the page shows in a mode, by the editing steps themselves."""
    shown = seen(Developed(page.path, page.encoding, page.raster))
    if mode is page.raster.mode:
        return shown
    return edit.apply(Step(name={Mode.GRAY: "gray", Mode.LINEART: "threshold"}[mode]), shown)


@pytest.mark.parametrize(("format", "compression"), OUTPUTS)
@pytest.mark.parametrize("delivered", DELIVERED)
@pytest.mark.parametrize("wanted", list(Mode))
def test_a_developed_page_is_stored_and_written(
    wanted: Mode, delivered: str, format: str, compression: str, slot: Slot, tmp_path: Path
) -> None:
    store = PageStore(tmp_path / "pages")
    owner = store.begin({})
    ready = slot(delivered, folder=store.folder(owner))
    encoder = PageEncoder(format, quality=90, tiff_compression=compression)
    made = Developer(wanted, encoder, 90)(ready, REQUEST)
    page = store.add(owner, made.file, number=1, back=False, encoding=made.encoding, raster=made.raster)
    target = tmp_path / f"out.{format}"
    with target.open("w+b") as file, store.reading(page) as data:
        encoder.write(page, data, file)
    shown = read(target)
    mode = page.raster.mode
    assert shown.size == (WIDTH, HEIGHT)
    if wanted is not Mode.AUTO and format != "jpeg":
        assert mode is min(wanted, ready.raster.mode, key=RICHNESS.index)
    if mode is Mode.LINEART:
        assert all(level in (0, 255) for level, n in enumerate(shown.convert("L").histogram()) if n)
    elif mode is Mode.GRAY and shown.mode == "RGB":
        assert difference(shown, shown.convert("L")) <= (2 if format == "webp" else 0)  # its chroma rounds
    assert (mode is Mode.COLOR) == (max(high - low for low, high in spread(shown)) > 50)


def read(path: Path) -> Image.Image:
    """The picture in a file, pixel for pixel as it lies there, in mode 1, L or RGB."""
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as pdf:
            (image,) = pdf[0].get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
            shown: Image.Image = image.get_bitmap().to_pil()
            return shown.convert("RGB") if shown.mode not in ("1", "L") else shown
    with Image.open(path) as found:
        found.load()
        if found.mode == "I;16":
            return Image.frombytes("L", found.size, found.tobytes(), "raw", "L;16")
        return found.convert("RGB") if found.mode not in ("1", "L") else found.copy()


def spread(image: Image.Image) -> list[tuple[int, int]]:
    """The extremes of what sets red, green and blue apart; all (0, 0) if there is no colour."""
    red, green, blue = image.convert("RGB").split()
    return [ImageChops.difference(a, b).getextrema() for a, b in ((red, green), (green, blue))]  # type: ignore[misc]


PAGES = {Mode.COLOR: "rgb8", Mode.GRAY: "gray8", Mode.LINEART: "lineart"}


def typical(mode: Mode) -> Image.Image:
    """An A6 page at 150 dpi, in colour: a coloured form, a photo without colour, or black text."""
    page = Image.new("RGB", (620, 874), (250, 248, 240))
    draw = ImageDraw.Draw(page)
    for line in range(40):
        draw.text((40, 20 + 20 * line), "the quick brown fox jumps over the lazy dog", fill=(15, 15, 15))
    if mode is Mode.COLOR:
        draw.rectangle((100, 100, 400, 300), fill=(200, 30, 40))
    if mode is Mode.GRAY:
        page.paste(Image.radial_gradient("L").resize((300, 300)).convert("RGB"), (100, 100))
    return page


@pytest.mark.parametrize("format", ["png", "pdf", "jpeg"])
@pytest.mark.parametrize("delivered", ["rgb8", "rgb16", "gray8", "gray16", "lineart"])
@pytest.mark.parametrize("shows", [Mode.COLOR, Mode.GRAY, Mode.LINEART])
def test_auto_keeps_each_page_as_what_it_is(shows: Mode, delivered: str, format: str, slot: Slot) -> None:
    page = slot(delivered, typical(shows))
    made = developer(Mode.AUTO, format)(page, REQUEST)
    mode = min(shows, page.raster.mode, key=RICHNESS.index)
    if format == "jpeg" or (format == "pdf" and mode is not Mode.LINEART):
        assert made.encoding is Encoding.JPEG
        assert made.raster.channels == (3 if mode is Mode.COLOR else 1)
    else:
        assert made.encoding is Encoding.RAW and made.raster.mode is mode
        assert (made.file == page.path) is (mode is page.raster.mode)
    if mode is Mode.LINEART:
        levels = [n for n in seen(made).convert("L").histogram() if n > WIDTH]
        assert len(levels) == 2 or format == "jpeg"


@pytest.mark.parametrize("kind", ["jpeg-gray", "jpeg-rgb"])
def test_what_a_device_compressed_is_not_touched_for_auto(kind: str, slot: Slot) -> None:
    page = slot(kind, typical(Mode.LINEART))
    for format, compression in OUTPUTS:
        made = developer(Mode.AUTO, format, compression)(page, REQUEST)
        assert made == Developed(page.path, Encoding.JPEG, page.raster)


@pytest.mark.parametrize("format", ["png", "pdf"])
def test_a_jpeg_of_another_size_than_announced_is_stored_as_it_is(format: str, slot: Slot) -> None:
    page = slot("jpeg-rgb")
    page = replace(page, raster=replace(page.raster, width=999, height=None))
    made = developer(Mode.GRAY, format)(page, REQUEST)
    assert (made.raster.width, made.raster.height) == (WIDTH, HEIGHT)
    assert difference(seen(made), in_kind("gray8", drawn())) < 5


def test_a_jpeg_that_lies_on_its_side_is_stored_upright(slot: Slot) -> None:
    page = slot("jpeg-rgb")
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn().save(page.path, "JPEG", quality=92, exif=exif)
    made = developer(Mode.GRAY)(page, REQUEST)
    assert (made.raster.width, made.raster.height) == (HEIGHT, WIDTH)
    assert difference(seen(made), ImageOps.exif_transpose(Image.open(page.path)).convert("L")) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_without_the_fast_encoder_the_picture_is_the_same(
    channels: int, slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = slot("rgb8" if channels == 3 else "gray8")
    fast = seen(developer(page.raster.mode, "pdf")(page, REQUEST))
    monkeypatch.setattr(jpeg, "can_encode", lambda raster: False)
    made = developer(page.raster.mode, "pdf")(page, REQUEST)
    assert difference(seen(made), fast) < 0.5
    assert made.raster.channels == channels


def test_threads_develop_side_by_side(tmp_path: Path, slot: Slot) -> None:
    pages = []
    for number in range(12):
        folder = tmp_path / str(number)
        folder.mkdir()
        kind = DELIVERED[number % len(DELIVERED)]
        pages.append(slot(kind, drawn().rotate(30 * number), folder=folder))
    develop = developer(Mode.GRAY, "pdf")
    alone = [develop(page, REQUEST).file.read_bytes() for page in pages]
    with ThreadPoolExecutor(4) as threads:
        together = [made.file.read_bytes() for made in threads.map(lambda page: develop(page, REQUEST), pages)]
    assert together == alone


# --- when developing fails


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "small"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize(
    ("mode", "kind", "format"),
    [
        (Mode.COLOR, "rgb8", "jpeg"),  # straight from the rows
        (Mode.GRAY, "gray16", "jpeg"),  # through an image
        (Mode.GRAY, "rgb8", "png"),  # rows from an image
        (Mode.LINEART, "jpeg-rgb", "png"),
    ],
)
@pytest.mark.parametrize("room", [0, 4096])
def test_a_full_disk_is_told_with_what_is_free_and_leaves_the_slot(
    room: int, mode: Mode, kind: str, format: str, slot: Slot, small: Path
) -> None:
    noise = Image.frombytes("RGB", (400, 300), random.Random(1).randbytes(360_000))
    page = slot(kind, noise, folder=small)
    with (small / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(bytes(4096))
    os.truncate(small / "filler", (small / "filler").stat().st_size - room)
    before = held(small)
    with pytest.raises(DiskFull) as caught:
        developer(mode, format, quality=100)(page, REQUEST)
    assert caught.value.what == f"The disk of {small} is full"
    assert caught.value.why == f"{room} bytes are free"
    assert held(small) == before
    assert {path.name for path in small.iterdir()} == {"slot-1", "filler"}
    os.unlink(small / "filler")
    assert developer(mode, format)(page, REQUEST).file.exists()


def test_rows_that_are_missing_are_told_and_nothing_stays_open(slot: Slot, tmp_path: Path) -> None:
    for kind, mode, format in (
        ("rgb8", Mode.COLOR, "jpeg"),
        ("rgb16", Mode.COLOR, "pdf"),
        ("gray8", Mode.LINEART, "png"),
    ):
        page = slot(kind)
        os.truncate(page.path, page.size - 1)
        before = held(tmp_path)
        with pytest.raises(PageDamaged, match="incomplete"):
            developer(mode, format)(page, REQUEST)
        assert held(tmp_path) == before
        assert [path.name for path in tmp_path.iterdir()] == ["slot-1"]


@pytest.mark.parametrize("gone", [True, False])
def test_a_slot_that_is_gone_or_empty_is_told(gone: bool, slot: Slot) -> None:
    page = slot("rgb8")
    if gone:
        page.path.unlink()
    else:
        os.truncate(page.path, 0)
    with pytest.raises(PageDamaged, match="cannot be read back"):
        developer(Mode.COLOR)(page, REQUEST)


# --- from the store into files


class Watched:
    """An output that notes what was in the store, and in the folder, when a page was added."""

    def __init__(self, output: FileEach | Document, folder: Path) -> None:
        self._output, self._folder = output, folder
        self.log: list[tuple[int, bool, set[str]]] = []

    def add(self, page: PageInfo, store: PageStore) -> list[Path]:
        files = self._output.add(page, store)
        names = {path.name for path in self._folder.iterdir() if path.is_file()}
        self.log.append(
            (page.number, store.path(page).exists() and page in store.pages(page.id.rpartition("/")[0]), names)
        )
        return files

    def finish(self) -> list[Path]:
        return self._output.finish()

    def abort(self) -> None:
        self._output.abort()


def files_each(folder: Path, format: str = "jpeg") -> FileEach:
    pattern = NamePattern(str(folder / "{n}.out"), device="x", when=datetime(2026, 3, 4))
    return FileEach(Names(pattern, force=False, next_free=False), PageEncoder(format, quality=85))


@pytest.fixture
def store(tmp_path: Path) -> PageStore:
    return PageStore(tmp_path / "pages")


@pytest.fixture
def jobs(store: PageStore, tmp_path: Path) -> Iterator[Jobs]:
    with Jobs(store, tmp_path / "locks", timeout=30, cancel_grace=1.0) as jobs:
        yield jobs


def virtual(query: str) -> ScanRequest:
    return ScanRequest(device=f"virtual:adf?{query}", source=Source.FEEDER, mode=Mode.GRAY, resolution=50)


def test_a_page_leaves_the_store_when_its_file_is_there(store: PageStore, jobs: Jobs, tmp_path: Path) -> None:
    output = Watched(files_each(tmp_path), tmp_path)
    job = jobs.start(virtual("pages=3"), develop=developer(Mode.GRAY, "jpeg"))
    written: list[Written] = []

    def note(page: Written) -> None:
        assert all(path.stat().st_size == page.page.size for path in page.files)
        assert page.page not in store.pages(job.id) and not store.path(page.page).exists()
        written.append(page)

    assert write_job(job, store, output, on_page=note) == 3
    assert [page.page.number for page in written] == [1, 2, 3]
    assert [page.files for page in written] == [(tmp_path / f"{n}.out",) for n in (1, 2, 3)]
    assert [(number, stored) for number, stored, _ in output.log] == [(1, True), (2, True), (3, True)]
    assert all(f"{number}.out" in names for number, _, names in output.log)
    assert store.pages(job.id) == []
    assert output.finish() == []


def test_pages_of_a_document_stay_in_the_store_until_it_is_finished(
    store: PageStore, jobs: Jobs, tmp_path: Path
) -> None:
    encoder = PageEncoder("pdf", quality=85)
    output = Document(PartFile(tmp_path / "scan.pdf"), encoder)
    job = jobs.start(virtual("pages=3"), develop=Developer(Mode.GRAY, encoder, 85))
    written: list[Written] = []
    assert write_job(job, store, output, on_page=written.append) == 3
    assert [page.files for page in written] == [(), (), ()]
    assert store.pages(job.id) == [page.page for page in written]
    assert not (tmp_path / "scan.pdf").exists()
    assert output.finish() == [tmp_path / "scan.pdf"]
    data = (tmp_path / "scan.pdf").read_bytes()
    assert all(store.path(page.page).read_bytes() in data for page in written)


def test_the_error_of_a_job_comes_after_its_good_pages(store: PageStore, jobs: Jobs, tmp_path: Path) -> None:
    output = files_each(tmp_path, "png")
    job = jobs.start(virtual("pages=5&jam=3"))
    written: list[Written] = []
    with pytest.raises(PaperJam):
        write_job(job, store, output, on_page=written.append)
    output.abort()
    assert [page.files for page in written] == [(tmp_path / "1.out",), (tmp_path / "2.out",)]
    for page in written:
        with Image.open(page.files[0]) as image:
            image.load()
            assert image.size == (page.page.raster.width, page.page.raster.height)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"1.out", "2.out"}


def test_a_page_that_cannot_be_written_stays_in_the_store(store: PageStore, jobs: Jobs, tmp_path: Path) -> None:
    output = files_each(tmp_path)
    (tmp_path / "2.out").write_bytes(b"mine")
    job = jobs.start(virtual("pages=3"), develop=developer(Mode.GRAY, "jpeg"))
    written: list[Written] = []
    with pytest.raises(FileAccess, match=r"2\.out exists"):
        write_job(job, store, output, on_page=written.append)
    output.abort()
    while job.next_page(timeout=30):
        pass
    assert [page.page.number for page in written] == [1]
    assert [page.number for page in store.pages(job.id)] == [2, 3]
    assert (tmp_path / "2.out").read_bytes() == b"mine"


def test_while_a_page_is_awaited_somebody_is_told(store: PageStore, jobs: Jobs, tmp_path: Path) -> None:
    waits: list[int] = []
    output = files_each(tmp_path, "png")
    job = jobs.start(virtual("pages=1&slow=1"))
    assert write_job(job, store, output, on_page=lambda _: None, on_wait=lambda: waits.append(1)) == 1
    assert waits


def test_a_stored_page_can_be_written_by_itself(store: PageStore, slot: Slot, tmp_path: Path) -> None:
    owner = store.begin({})
    ready = slot("jpeg-rgb", folder=store.folder(owner))
    page = store.add(owner, ready.path, number=1, back=False, encoding=ready.encoding, raster=ready.raster)
    data = store.path(page).read_bytes()
    assert write_page(page, store, files_each(tmp_path)) == Written(page, (tmp_path / "1.out",))
    assert (tmp_path / "1.out").read_bytes() == data
    assert store.pages(owner) == []


def test_backs_are_collated_last_first(store: PageStore, slot: Slot) -> None:
    owner = store.begin({})
    pages = []
    for number in range(1, 7):
        ready = slot("gray8", folder=store.folder(owner))
        pages.append(
            store.add(owner, ready.path, number=number, back=False, encoding=ready.encoding, raster=ready.raster)
        )
    assert [page.number for page in collate(pages[:3], pages[3:])] == [1, 6, 2, 5, 3, 4]
    assert collate([], []) == []
    with pytest.raises(ValueError, match=r"shorter|longer"):
        collate(pages[:2], pages[3:])
