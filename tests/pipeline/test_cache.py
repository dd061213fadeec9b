"""What was found out about pages is kept: a hit is what the reading would be, and nothing in the folder is believed."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import xxhash
from PIL import Image

from dwtsvc import pictures
from dwtsvc.imaging.cleaning import Cleaning
from dwtsvc.imaging.ocr import Reading
from dwtsvc.model import Area, Raster
from dwtsvc.pipeline import cache
from dwtsvc.pipeline.recipe import Original, Recipe, Task
from dwtsvc.pipeline.work import work
from dwtsvc.text import Text
from tests.imaging import printed

RECIPE = Recipe(cleaning=Cleaning(deskew=True), reading=Reading(), judge=True)


@pytest.fixture
def page(tmp_path: Path) -> Task:
    image = printed.typed("The quick brown fox", "jumps over the lazy dog").rotate(
        2, Image.Resampling.BICUBIC, fillcolor=255
    )
    made = pictures.lossless(image, 200)
    original = Original(content=made.content, encoding=made.encoding, raster=made.raster)
    return Task(number=1, original=original, recipe=RECIPE, checksum="abc", cache=tmp_path / "a" / "cache")


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every reading of a page, and a text that says which it was."""
    made: list[float] = []

    def read(image: Image.Image, dpi: float, reading: Reading) -> Text:
        made.append(dpi)
        engine = f"reading {len(made)}"
        return Text(width=image.width, height=image.height, dpi=dpi, languages=reading.languages, engine=engine)

    monkeypatch.setattr("dwtsvc.imaging.ocr.read", read)
    return made


def files(task: Task) -> list[Path]:
    assert task.cache
    return sorted(path for path in task.cache.rglob("*") if path.is_file())


def test_what_is_known_is_not_read_again_and_is_the_same(page: Task, readings: list[float]) -> None:
    [first], [again] = work(page), work(page)
    assert len(readings) == 1
    assert (first.cached, again.cached) == (False, True)
    assert again == replace(first, cached=True)
    assert again.picture
    assert again.picture.content == first.picture.content  # type: ignore[union-attr]


def test_the_number_of_a_page_is_that_of_its_new_scan(page: Task, readings: list[float]) -> None:
    work(page)
    [found] = work(replace(page, number=9, back=True))
    assert (found.number, found.back, found.cached) == (9, True, True)


@pytest.mark.parametrize(
    "other",
    [
        lambda task: replace(task, checksum="xyz"),
        lambda task: replace(task, recipe=replace(RECIPE, reading=Reading(languages="deu"))),
        lambda task: replace(task, recipe=replace(RECIPE, cleaning=Cleaning(deskew=True, whiten=True))),
        lambda task: replace(task, recipe=replace(RECIPE, judge=False)),
        lambda task: replace(task, original=replace(task.original, dpi=150)),
        lambda task: replace(task, checksum=""),
        lambda task: replace(task, cache=None),
    ],
)
def test_another_page_or_another_wish_is_read(other: Callable[[Task], Task], page: Task, readings: list[float]) -> None:
    work(page)
    [found] = work(other(page))
    assert (found.cached, len(readings)) == (False, 2)


def test_the_same_rows_that_lie_otherwise_are_another_page(tmp_path: Path, readings: list[float]) -> None:
    """An empty page has the same bytes upright and on its side."""
    for number, (width, height, dpi) in enumerate([(1200, 1600, 200), (1600, 1200, 200), (1200, 1600, 100)], 1):
        raster = Raster(width=width, height=height, channels=1, depth=8, bytes_per_line=width, dpi=dpi)
        original = Original(content=b"\xff" * width * height, encoding=pictures.Encoding.RAW, raster=raster)
        task = Task(number=1, original=original, recipe=Recipe(reading=Reading()), checksum="white", cache=tmp_path)
        [found] = work(task)
        assert (found.width, found.height, found.dpi, found.cached) == (width, height, dpi, False)
        assert len(readings) == number


class Attack:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.mark),)


def with_checksum(data: bytes) -> bytes:
    return xxhash.xxh3_128_digest(data) + data


@pytest.mark.parametrize("kind", ["nothing", "noise", "cut", "one bit", "foreign", "wrong record", "no list", "none"])
def test_nonsense_in_the_folder_is_as_good_as_nothing(
    kind: str, page: Task, readings: list[float], tmp_path: Path
) -> None:
    [first] = work(page)
    [file] = files(page)
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        {
            "nothing": b"",
            "noise": bytes(range(256)) * 9,
            "cut": whole[:-1],
            "one bit": whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :],
            "foreign": with_checksum(pickle.dumps([Attack(tmp_path / "attacked")])),
            "wrong record": with_checksum(pickle.dumps([Area(width=1, height=1)])),
            "no list": with_checksum(pickle.dumps(7)),
            "none": with_checksum(pickle.dumps(None)),
        }[kind]
    )
    [found] = work(page)
    assert not found.cached
    assert len(readings) == 2
    assert found.picture == first.picture
    assert not (tmp_path / "attacked").exists()
    assert work(page)[0].cached  # and it was mended


def test_the_files_are_private_whatever_the_mask(page: Task, readings: list[float], tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        work(page)
    finally:
        os.umask(before)
    assert page.cache
    [file] = files(page)
    assert file.stat().st_mode & 0o777 == 0o600
    for folder in (file.parent, page.cache, page.cache.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_pixels_are_not_kept(page: Task, readings: list[float]) -> None:
    [found] = work(page)
    assert found.picture
    assert sum(path.stat().st_size for path in files(page)) < len(found.picture.content) / 4


def test_a_cache_that_cannot_be_written_is_no_error(page: Task, readings: list[float], read_only: Path) -> None:
    task = replace(page, cache=read_only / "cache")
    assert work(task)[0].steps
    assert not work(task)[0].cached


def test_a_full_disk_is_no_error_and_holds_no_halves(page: Task, readings: list[float], small: Path) -> None:
    with open(small / "filler", "wb", buffering=0) as filler:
        try:
            while filler.write(bytes(4096)):
                pass
        except OSError:
            pass
    task = replace(page, cache=small / "cache")
    assert work(task)[0].steps
    assert not work(task)[0].cached
    assert [path for path in small.rglob("*") if path.is_file()] == [small / "filler"]


def test_what_is_in_the_way_of_the_folder_is_no_error(page: Task, readings: list[float], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert work(replace(page, cache=tmp_path / "file"))[0].steps


def test_what_is_old_goes_and_so_do_the_oldest_of_too_many(
    page: Task, readings: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        work(replace(page, checksum=str(number)))
        file = max(files(page), key=lambda path: path.stat().st_ctime_ns)
        old = time.time() - (number if number < 5 else cache.KEEP_DAYS + 1) * 86400
        os.utime(file, (old, old))
    assert page.cache
    (page.cache / "stray").write_text("of somebody else")
    monkeypatch.setattr(cache, "MOST_FILES", 3)
    cache.prune(page.cache)
    kept = [number for number in range(6) if work(replace(page, checksum=str(number)))[0].cached]
    assert kept == [0, 1, 2]
    cache.prune(page.cache / "nowhere")
