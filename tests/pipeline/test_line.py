"""The line from worked-on pages to files: everything in order, each page once, and nothing of it stays in memory."""

from __future__ import annotations

import gc
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from dwtsvc import pictures
from dwtsvc.errors import BadInput, DwtsvcError
from dwtsvc.formats import PageEncoder
from dwtsvc.model import Encoding, PageInfo
from dwtsvc.naming import NamePattern
from dwtsvc.outputs import Output
from dwtsvc.pictures import Picture
from dwtsvc.pipeline.flow import Outcome
from dwtsvc.pipeline.line import Line, Settled
from dwtsvc.pipeline.recipe import Done, Judged, Original, Recipe, Task
from dwtsvc.separators import parse
from dwtsvc.splitting import Splitter
from dwtsvc.stacks import NamedDocuments
from dwtsvc.store import PageStore
from dwtsvc.text import Text
from tests.imaging.texts import line_of, text_of


class Sheets:
    """An output that remembers what it was given."""

    def __init__(self) -> None:
        self.pages: list[tuple[int, bytes, str]] = []

    def add(self, page: PageInfo, store: PageStore, text: Text | None = None) -> list[Path]:
        with store.reading(page) as data:
            self.pages.append((page.number, bytes(data), text.plain.strip() if text else ""))
        return []

    def finish(self) -> list[Path]:
        return [Path("finished")]

    def abort(self) -> None: ...


class Told:
    def __init__(self) -> None:
        self.rows: list[tuple[int, bool, str]] = []
        self.troubles: list[tuple[int, str]] = []

    def settled(self, settled: Settled) -> None:
        self.rows.append((settled.sheet.original.number, settled.decision.kept, settled.decision.reason))

    def trouble(self, number: int, error: DwtsvcError) -> None:
        self.troubles.append((number, str(error)))


class Bench:
    def __init__(self, folder: Path, output: Output | None = None, *separators: str, drop_blank: bool = False) -> None:
        self.store = PageStore(folder)
        self.scan, self.made = self.store.begin({}), self.store.begin({})
        self.sheets, self.told = Sheets(), Told()
        splitter = Splitter([parse(each) for each in separators], drop_blank=drop_blank)
        self.line = Line(self.store, self.made, output or self.sheets, splitter, self.told)

    def page(self, number: int) -> PageInfo:
        made = drawn(f"scanned {number}")
        return self.store.put(
            self.scan, made.content, number=number, back=False, encoding=made.encoding, raster=made.raster
        )

    def take(self, number: int, *done: Done, error: DwtsvcError | None = None) -> None:
        task = Task(number=number, original=Original(content=b""), recipe=Recipe())
        self.line.take(Outcome(task, list(done), error), self.page(number))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "store")


def drawn(words: str) -> Picture:
    image = Image.new("L", (620, 877), 255)
    ImageDraw.Draw(image).text((60, 60), words, 0)
    return pictures.lossless(image, 75)


def done(number: int, words: str = "", *, part: int = 1, parts: int = 1, made: bool = False, blank: float = 0) -> Done:
    return Done(
        number=number,
        back=False,
        width=620,
        height=877,
        dpi=75,
        part=part,
        parts=parts,
        judged=Judged(blank=blank, reason="", black=False, skew=0, sharpness=1),
        text=text_of(line_of(words, 100, 100), width=620, height=877, dpi=75) if words else None,
        picture=drawn(f"made {number}.{part}") if made else None,
    )


def test_pages_that_nothing_was_done_to_are_written_as_they_were_scanned(bench: Bench) -> None:
    bench.take(1, done(1, "one"))
    bench.take(2, done(2))
    assert bench.sheets.pages == [(1, drawn("scanned 1").content, "one"), (2, drawn("scanned 2").content, "")]
    assert bench.line.finish() == [Path("finished")]
    assert bench.store.pages(bench.made) == []


def test_what_was_made_anew_is_written_and_the_scan_stays_what_it_is(bench: Bench) -> None:
    bench.take(1, done(1, "one", made=True))
    assert bench.sheets.pages == [(1, drawn("made 1.1").content, "one")]
    [page] = bench.store.pages(bench.scan)
    with bench.store.reading(page) as data:
        assert bytes(data) == drawn("scanned 1").content
    [kept] = bench.store.pages(bench.made)
    assert (kept.encoding, kept.raster.dpi) == (Encoding.PNG, 75)


def test_the_parts_of_a_page_are_pages_of_their_own(bench: Bench) -> None:
    bench.take(1, done(1, "left", part=1, parts=2, made=True), done(1, "right", part=2, parts=2, made=True))
    bench.take(2, done(2, "next", made=True))
    assert [text for _, _, text in bench.sheets.pages] == ["left", "right", "next"]
    assert [number for number, _, _ in bench.sheets.pages] == [1, 2, 3]
    assert [number for number, _, _ in bench.told.rows] == [1, 1, 2]


def test_a_page_that_could_not_be_worked_on_is_told_and_written_as_it_is(bench: Bench) -> None:
    bench.take(1, done(1, "one"))
    bench.take(2, error=BadInput("The page took too long"))
    bench.take(3, done(3, "three"))
    assert bench.told.troubles == [(2, "The page took too long")]
    assert [text for _, _, text in bench.sheets.pages] == ["one", "", "three"]
    assert bench.sheets.pages[1][1] == drawn("scanned 2").content


def test_what_is_dropped_is_told_with_its_reason_and_not_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "store", drop_blank=True)
    for number in (1, 2, 3):
        bench.take(number, done(number, "word", blank=0.97 if number == 2 else 0.01))
    assert [number for number, _, _ in bench.sheets.pages] == [1, 3]
    assert bench.told.rows[1] == (2, False, "blank, score 0.97")
    assert [kept for _, kept, _ in bench.told.rows] == [True, False, True]


def test_decisions_that_wait_come_in_the_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "store", None, "blank:2")
    bench.take(1, done(1, "word"))
    bench.take(2, done(2, blank=0.9))
    assert [number for number, _, _ in bench.told.rows] == [1]
    bench.line.finish()
    assert [(number, kept) for number, kept, _ in bench.told.rows] == [(1, True), (2, True)]


def test_documents_are_named_by_what_is_on_their_pages(tmp_path: Path) -> None:
    pattern = NamePattern(str(tmp_path / "{text:No (\\d+)|none}.pdf"), device="", when=datetime.now(), documents=True)
    bench = Bench(tmp_path / "store", NamedDocuments(pattern, PageEncoder("pdf", quality=80)), "text:No \\d+")
    for number, words in enumerate(["No 11", "more", "No 12"], 1):
        bench.take(number, done(number, words))
    files = bench.line.finish()
    assert [path.name for path in files] == ["12.pdf"]
    assert sorted(path.name for path in tmp_path.glob("*.pdf")) == ["11.pdf", "12.pdf"]


def test_of_pages_that_are_settled_neither_texts_nor_pixels_stay_in_memory(bench: Bench) -> None:
    for number in range(1, 30):
        bench.take(number, done(number, "word", made=True))
    gc.collect()
    held = [each for each in gc.get_objects() if isinstance(each, (Text, Picture, Done))]
    assert held == []
