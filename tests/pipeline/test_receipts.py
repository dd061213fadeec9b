"""Receipts of a run: every page is in one, none holds on to what it is about, and none costs a document."""

from __future__ import annotations

import gc
import io
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from dwtsvc.errors import DiskFull, DwtsvcError, FileAccess
from dwtsvc.formats import PageEncoder
from dwtsvc.imaging.pdfverify import verify
from dwtsvc.model import Barcode, Encoding, Mode, PageInfo, Raster, ScanRequest, Source, Step
from dwtsvc.naming import NamePattern
from dwtsvc.outputs import Document, FileEach, Names, Output, StandardOutput
from dwtsvc.parts import PartFile
from dwtsvc.pipeline.flow import Outcome
from dwtsvc.pipeline.line import Line, Settled
from dwtsvc.pipeline.receipts import DocumentReceipts, Receipts, RunReceipt, receipts_for
from dwtsvc.pipeline.recipe import Done, Judged, Original, Recipe, Task
from dwtsvc.receipt import ATTACHMENT, Receipt, beside, describe, read
from dwtsvc.splitting import Splitter, parse
from dwtsvc.stacks import NamedDocuments, NamedPages
from dwtsvc.store import PageStore
from dwtsvc.text import Line as TextLine
from dwtsvc.text import Text, Word
from tests.disks import needs_root

RASTER = Raster(width=40, height=30, channels=1, depth=8, bytes_per_line=40, dpi=300.0)
SHARP = Judged(blank=0.1, reason="", black=False, skew=-0.51239, sharpness=0.75)
BLANK = Judged(blank=0.9, reason="", black=False, skew=0.0, sharpness=1.0)
PATCH = Barcode(text="T", bytes=b"T", type="Patch", corners=((0, 0),) * 4, angle=0, engine="zxing")


def jpeg(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (40, 30), shade * 10 % 256).save(file, "JPEG", dpi=(300, 300))
    return file.getvalue()


def done(number: int, judged: Judged | None = SHARP, **how: object) -> Done:
    return Done(number=number, back=False, width=40, height=30, dpi=300.0, judged=judged, **how)  # type: ignore[arg-type]


def read_text(letters: str, confidence: float, engine: str = "tesseract 5.3.0") -> Text:
    word = Word(text=letters, box=(1, 1, 30, 10), confidence=confidence)
    line = TextLine(words=(word,), box=word.box, block=1, paragraph=1)
    return Text(width=40, height=30, dpi=300, languages="eng", engine=engine, lines=(line,))


@dataclass
class Watcher:
    """Passes on what the command's bench does."""

    receipts: Receipts
    files: list[Path] = field(default_factory=list)

    def settled(self, settled: Settled) -> None:
        self.files += settled.files
        self.receipts.settled(settled)

    def trouble(self, number: int, error: DwtsvcError) -> None:
        self.receipts.facts.trouble(number, error)


Run = Callable[..., list[Path]]
Found = Done | DwtsvcError


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Pages with what was found on them through the line into an output; its files."""
    store = PageStore(tmp_path_factory.mktemp("store"))
    owner = store.begin({})

    def keep(number: int) -> PageInfo:
        slot = store.folder(owner) / f"slot-{number}"
        slot.touch(mode=0o600)
        slot.write_bytes(jpeg(number))
        return store.add(owner, slot, number=number, back=False, encoding=Encoding.JPEG, raster=RASTER)

    def through(
        output: Output, receipts: Receipts, pages: Iterable[Found | list[Done]], *separators: str
    ) -> list[Path]:
        watcher = Watcher(receipts)
        splitter = Splitter([parse(each) for each in separators], drop_blank=True)
        line = Line(store, owner, output, splitter, watcher)
        for number, page in enumerate(pages, 1):
            task = Task(number=number, original=Original(content=b""), recipe=Recipe())
            found = page if isinstance(page, list) else [page] if isinstance(page, Done) else []
            error = page if isinstance(page, DwtsvcError) else None
            line.take(Outcome(task, found, error), keep(number))
        files = line.finish()
        receipts.finish(files)
        return watcher.files + files

    return through


def encoder(format: str = "pdf", **how: object) -> PageEncoder:
    return PageEncoder(format, quality=85, digests=True, **how)  # type: ignore[arg-type]


def pattern(path: Path) -> NamePattern:
    return NamePattern(str(path), device="virtual:adf", when=datetime(2026, 1, 2), documents=True)


def receipt_of(path: Path) -> Receipt:
    return read(beside(path).read_bytes())


def test_a_document_has_its_receipt_beside_it_with_every_page(tmp_path: Path, run: Run) -> None:
    output = Document(PartFile(tmp_path / "a.pdf"), encoder())
    receipts = receipts_for(output)
    receipts.facts.resolved(ScanRequest(device="virtual:adf", source=Source.DUPLEX, mode=Mode.GRAY, resolution=300))
    pages = [
        done(1, text=read_text("word", 91.23456), steps=(Step(name="deskew"), Step(name="crop"))),
        done(2, BLANK),
        DwtsvcError("No luck"),
    ]
    [path] = run(output, receipts, pages)
    told = receipt_of(path)
    assert (told.counts.fed, told.counts.kept, told.counts.dropped) == (3, 2, 1)
    assert told.source == {"device": "virtual:adf", "source": "duplex", "mode": "gray", "resolution": 300}
    assert told.files == (describe(path),)
    assert [(page.number, page.kept, page.document, page.page) for page in told.pages] == [
        (1, True, 1, 1),
        (2, False, None, None),
        (3, True, 1, 2),
    ]
    first, blank, third = told.pages
    assert (first.skew, first.blur, first.blank, first.confidence) == (-0.5124, 0.25, 0.1, 91.2346)
    assert (first.width, first.height, first.dpi) == (40, 30, 300.0)
    assert first.reason == "deskew, crop" and "blank" in blank.reason and "No luck" in third.reason
    assert len(first.checksum) == 32 and (third.skew, third.confidence) == (None, None)
    assert told.tools.keys() == {"opencv-python-headless", "pillow", "tesseract"}
    assert verify(path).images == 2 and verify(path).faults == ()


def test_tools_are_named_only_where_they_worked(tmp_path: Path, run: Run) -> None:
    plain = Document(PartFile(tmp_path / "plain.pdf"), encoder())
    assert receipt_of(*run(plain, receipts_for(plain), [DwtsvcError("No luck")])).tools == {}
    read = Document(PartFile(tmp_path / "read.pdf"), encoder())
    pages = [done(1, None, barcodes=(PATCH,), text=read_text("a", 50, "rapidocr 3.10.1"))]
    tools = receipt_of(*run(read, receipts_for(read), pages)).tools
    assert tools.keys() == {"pillow", "rapidocr", "zxing-cpp"} and tools["rapidocr"] == "3.10.1"


def test_a_page_that_was_parted_is_there_with_each_part(tmp_path: Path, run: Run) -> None:
    output = Document(PartFile(tmp_path / "a.pdf"), encoder())
    parts = [done(1, part=1, parts=2), done(1, part=2, parts=2)]
    told = receipt_of(*run(output, receipts_for(output), [parts, done(2)]))
    assert [(page.number, page.page, page.reason) for page in told.pages] == [
        (1, 1, "part 1 of 2"),
        (1, 2, "part 2 of 2"),
        (2, 3, ""),
    ]


SHEET = (PATCH,)


@pytest.mark.parametrize("format", ["pdf", "tiff"])
def test_of_a_stack_each_page_is_in_the_receipt_of_one_document(format: str, tmp_path: Path, run: Run) -> None:
    output = NamedDocuments(pattern(tmp_path / f"x-{{doc}}.{format}"), encoder(format), receipts=True)
    pages = [
        done(1),
        done(2, BLANK),
        done(3),
        done(4, BLANK, barcodes=SHEET),
        done(5),
        done(6, BLANK, barcodes=SHEET),
        done(7, BLANK, barcodes=SHEET),
    ]
    files = run(output, receipts_for(output), pages, "patcht")
    assert [path.name for path in files] == [f"x-1.{format}", f"x-2.{format}"]
    told = [receipt_of(path) for path in files]
    assert [[page.number for page in each.pages] for each in told] == [[1, 2, 3], [4, 5, 6, 7]]
    assert [(each.counts.fed, each.counts.kept) for each in told] == [(3, 2), (4, 1)]
    assert [[page.page for page in each.pages if page.kept] for each in told] == [[1, 2], [1]]
    assert [each.files for each in told] == [(describe(path),) for path in files]
    if format == "pdf":
        assert [verify(path).images for path in files] == [2, 1]


@pytest.mark.parametrize("named", [False, True])
def test_page_files_have_one_receipt_that_names_all(named: bool, tmp_path: Path, run: Run) -> None:
    plan = pattern(tmp_path / ("{barcode}-{n}.jpg" if named else "x-{n}.jpg"))
    output = (
        NamedPages(plan, encoder("jpeg"), receipts=True)
        if named
        else FileEach(Names(plan, force=False, next_free=False, receipt=True), encoder("jpeg"))
    )
    pages = [done(1), done(2, BLANK), done(3), done(4)]
    files = run(output, receipts_for(output), pages)
    told = receipt_of(files[0])
    assert len(files) == 3 and [path.name for path in tmp_path.glob("*.json")] == [beside(files[0]).name]
    assert told.files == tuple(map(describe, files))
    assert [(page.number, page.document) for page in told.pages] == [(1, 1), (2, None), (3, 2), (4, 3)]
    assert (told.counts.fed, told.counts.kept) == (4, 3)


def test_pdf_a_3_holds_its_receipt_inside_too(tmp_path: Path, run: Run) -> None:
    output = Document(PartFile(tmp_path / "a.pdf"), encoder(conformance="pdfa-3b"))
    [path] = run(output, receipts_for(output, attach=True), [done(1), done(2, BLANK), done(3)])
    outside = receipt_of(path)
    with pikepdf.open(path) as pdf:
        inside = read(pdf.attachments[ATTACHMENT].get_file().read_bytes())
    assert inside.pages == outside.pages and inside.counts == outside.counts and inside.files == ()
    beside(path).unlink()
    found = verify(path)
    assert (found.receipt, found.images, found.faults) == ("attached", 2, ())


def test_a_document_that_tells_of_no_images_has_its_receipt_all_the_same(tmp_path: Path, run: Run) -> None:
    output = NamedDocuments(pattern(tmp_path / "x-{doc}.pdf"), encoder(), receipts=True)
    receipts = receipts_for(output)
    output.before_close = None
    files = run(output, receipts, [done(1), done(2, BLANK, barcodes=SHEET), done(3), done(4)], "patcht")
    assert [[page.number for page in receipt_of(path).pages] for path in files] == [[1], [2, 3, 4]]
    assert [verify(path).images for path in files] == [0, 0] and not any(verify(path).faults for path in files)


def test_what_goes_to_standard_output_can_hold_its_receipt(run: Run) -> None:
    stream = io.BytesIO()
    output = StandardOutput(stream, encoder(conformance="pdfa-3b"))
    assert run(output, receipts_for(output, attach=True), [done(1)]) == []
    with pikepdf.open(io.BytesIO(stream.getvalue())) as pdf:
        assert read(pdf.attachments[ATTACHMENT].get_file().read_bytes()).counts.kept == 1


def test_the_receipt_comes_after_its_file(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks off in between leaves a whole file, and no receipt that speaks of none."""
    output = Document(PartFile(tmp_path / "a.pdf"), encoder())
    receipts = receipts_for(output)
    monkeypatch.setattr(receipts, "_write", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(output, receipts, [done(1)])
    assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"]
    with pikepdf.open(tmp_path / "a.pdf") as pdf:
        assert len(pdf.pages) == 1


def test_a_receipt_whose_name_was_taken_meanwhile_replaces_nothing(tmp_path: Path, run: Run) -> None:
    output = Document(PartFile(tmp_path / "a.pdf"), encoder())
    receipts = receipts_for(output)
    beside(tmp_path / "a.pdf").write_text("mine")
    [path] = run(output, receipts, [done(1)])
    assert beside(path).read_text() == "mine"
    with pytest.raises(FileAccess, match=r"a\.pdf has no receipt"):
        receipts.check()
    with pikepdf.open(path) as pdf:
        assert len(pdf.pages) == 1


@needs_root
def test_a_receipt_for_which_the_disk_has_no_room_costs_no_document(
    small: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Document(PartFile(small / "a.pdf"), encoder("pdf"))
    receipts = receipts_for(output)
    finish = receipts.finish

    def full(files: Iterable[Path]) -> None:  # the document is there, and the disk is full then
        with suppress(OSError), open(small / "filler", "wb", buffering=0) as file:
            while file.write(bytes(512)):
                pass
        finish(files)

    monkeypatch.setattr(receipts, "finish", full)
    [path] = run(output, receipts, [done(number) for number in range(1, 30)])
    with pytest.raises(DiskFull, match=r"a\.pdf has no receipt"):
        receipts.check()
    assert sorted(file.name for file in small.iterdir()) == ["a.pdf", "filler"]
    with pikepdf.open(path) as pdf:
        assert len(pdf.pages) == 29


def test_receipts_that_were_written_raise_nothing(tmp_path: Path, run: Run) -> None:
    output = Document(PartFile(tmp_path / "a.pdf"), encoder())
    receipts = receipts_for(output)
    run(output, receipts, [done(1)])
    receipts.check()


def test_a_name_whose_receipt_is_taken_is_no_free_name(tmp_path: Path) -> None:
    beside(tmp_path / "a.pdf").touch()
    plan = pattern(tmp_path / "a.pdf")
    with pytest.raises(FileAccess, match=r"a\.receipt\.json exists"):
        Names(plan, force=False, next_free=False, receipt=True).reserve()
    assert [path.name for path in tmp_path.iterdir()] == ["a.receipt.json"]
    part = Names(plan, force=False, next_free=True, receipt=True).reserve()
    assert part.target.name == "a-2.pdf"
    part.abort()
    Names(plan, force=True, next_free=False, receipt=True).reserve().abort()
    Names(plan, force=False, next_free=False).reserve().abort()


def test_documents_of_a_stack_pass_names_whose_receipt_is_taken(tmp_path: Path, run: Run) -> None:
    beside(tmp_path / "x-1.pdf").write_text("mine")
    output = NamedDocuments(pattern(tmp_path / "x-{doc}.pdf"), encoder(), receipts=True)
    [path] = run(output, receipts_for(output), [done(1)])
    assert path.name == "x-1-2.pdf" and receipt_of(path).files == (describe(path),)
    assert beside(tmp_path / "x-1.pdf").read_text() == "mine"


@pytest.mark.parametrize("kind", [DocumentReceipts, RunReceipt])
def test_two_thousand_pages_are_a_few_megabytes(kind: type, tmp_path: Path, run: Run) -> None:
    receipts = kind(force=False, attach=False) if kind is DocumentReceipts else kind(force=False)
    grown: list[int] = []

    class Nowhere:
        """Only the pages count."""

        def add(self, page: PageInfo, store: PageStore, text: Text | None = None) -> list[Path]:
            return []

        def finish(self) -> list[Path]:
            gc.collect()  # after many other tests Python rarely does by itself
            grown.append(tracemalloc.get_traced_memory()[0])
            return [path]

        def abort(self) -> None: ...

    def pages() -> Iterator[Done]:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1, 2001):
            yield done(number, text=read_text(f"{number:09}" * 10_000, 90))  # 90 KB of letters a page
        grown.append(before)

    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    tracemalloc.start()
    try:
        run(Nowhere(), receipts, pages())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    before, after = grown
    assert after - before < 4 * 2**20
    assert peak - before < 24 * 2**20  # while it is made into JSON
    assert receipt_of(path).counts.kept == 2000
