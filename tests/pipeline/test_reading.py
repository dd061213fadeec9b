"""Files as tasks, pictures as a PDF can hold them, and PDFs that grow with what is read; nothing is recognised."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
from PIL import Image, ImageChops

from dwtsvc.errors import AlreadyHasText, BadArguments, BadInput, FileAccess
from dwtsvc.imaging.pdf import TURNS, PdfWriter
from dwtsvc.imaging.pdfread import Pages
from dwtsvc.imaging.treatment import Cleaning
from dwtsvc.pipeline.files import File, Kept, Kind, survey
from dwtsvc.pipeline.pool import ConfinedPool
from dwtsvc.pipeline.reading import Existing, Job, read, searchable
from dwtsvc.pipeline.recipe import Original, Recipe, Task
from dwtsvc.pipeline.searchable import About
from dwtsvc.pipeline.work import work
from tests.imaging import pdfs

RECIPE = Recipe()  # nothing is asked of the pages


def picture(mode: str = "RGB", size: tuple[int, int] = (90, 60)) -> Image.Image:
    """One whose corners differ."""
    image = Image.linear_gradient("L").resize(size).rotate(20, fillcolor=200)
    return image.convert(mode)


def packed(image: Image.Image, format: str, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **how)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    return made


def a_file(content: bytes, name: str = "a") -> File:
    return File(name=name, content=content, survey=survey(content))


def kind(content: bytes) -> list[Kind | None]:
    return [kept and kept.kind for kept in survey(content).kept]


@pytest.mark.parametrize("turn", sorted(TURNS))
def test_a_turned_png_is_drawn_as_pillow_turns_it(tmp_path: Path, turn: int) -> None:
    path = tmp_path / "turned.pdf"
    with path.open("wb") as file, PdfWriter(file) as writer:
        writer.add_png(packed(picture(), "PNG"), dpi=72, turn=turn)
    with Pages(path) as pages:
        drawn = pages.image(0, 72)
    wanted = picture().rotate(-turn, expand=True)
    assert drawn.size == wanted.size
    assert max(high for _, high in ImageChops.difference(drawn, wanted).getextrema()) <= 2


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (packed(picture(), "JPEG"), [Kind.JPEG]),
        (packed(picture("CMYK"), "JPEG"), [None]),
        (packed(picture(), "PNG"), [Kind.PNG]),
        (packed(picture("RGBA"), "PNG"), [None]),
        (packed(picture(), "BMP"), [None]),
        (packed(picture("1"), "TIFF", compression="group4", tiffinfo={278: 60}), [Kind.G4]),
        (packed(picture("1"), "TIFF", compression="group3"), [None]),
        (packed(picture(), "TIFF", save_all=True, append_images=[picture("L")]), [None, None]),
    ],
)
def test_a_survey_tells_how_a_pdf_can_hold_each_picture(data: bytes, found: list[Kind | None]) -> None:
    assert kind(data) == found


def test_a_turn_in_the_exif_is_told_and_a_mirrored_picture_is_not_kept() -> None:
    turns = {number: survey(packed(picture(), "JPEG", exif=exif(number))).kept[0] for number in range(1, 9)}
    assert {number: kept and kept.turn for number, kept in turns.items()} == {
        1: 0,
        2: None,
        3: 180,
        4: None,
        5: None,
        6: 90,
        7: None,
        8: 270,
    }


def test_a_file_that_went_away_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "gone.jpg"
    path.write_bytes(packed(picture(), "JPEG"))
    file = File(name="gone.jpg", content=path, survey=survey(path))
    path.unlink()
    with pytest.raises(FileAccess, match=r"gone\.jpg"):
        file.stream(Kept(kind=Kind.JPEG))
    with pytest.raises(FileAccess):
        survey(path)


def test_a_picture_is_asked_for_only_where_a_pdf_cannot_hold_it_as_it_is() -> None:
    kept, other = a_file(packed(picture(), "JPEG")), a_file(packed(picture(), "BMP"))
    for pictures in (False, True):
        whole = [task.original.whole for _, _, task in Job(recipe=RECIPE).tasks([kept, other], pictures=pictures)]
        assert whole == [False, pictures]


def test_pages_with_text_are_refused_skipped_or_taken() -> None:
    scanned = a_file(pdfs.scanned(pdfs.jpeg_of(picture()), pdfs.jpeg_of(picture())))
    file = replace(scanned, survey=replace(scanned.survey, texts=(True, False)))
    numbers = {
        way: [index for _, index, _ in Job(recipe=RECIPE, existing=way).tasks([file], pictures=True)]
        for way in (Existing.SKIP, Existing.REDO, Existing.FORCE)
    }
    assert numbers == {Existing.SKIP: [1], Existing.REDO: [0, 1], Existing.FORCE: [0, 1]}
    with pytest.raises(AlreadyHasText, match="on page 1"):
        list(Job(recipe=RECIPE).tasks([file], pictures=True))
    assert len(list(Job(recipe=RECIPE, pages="2").tasks([file], pictures=True))) == 1
    with pytest.raises(BadArguments):
        list(Job(recipe=RECIPE, pages="3").tasks([file], pictures=True))


def test_a_stated_resolution_is_for_pictures_and_not_for_pages_of_pdfs() -> None:
    files = [a_file(packed(picture(), "JPEG")), a_file(pdfs.scanned(pdfs.jpeg_of(picture())))]
    tasks = Job(recipe=RECIPE, dpi=400).tasks(files, pictures=True)
    assert [task.original.dpi for _, _, task in tasks] == [400, None]


def written(*files: File, about: About | None = None) -> bytes:
    target, job = io.BytesIO(), Job(recipe=RECIPE)
    pdf = searchable(files, target, about or About(), job)
    with ThreadPoolExecutor(2) as executor:
        assert list(read(files, job, executor, window=2, pdf=pdf)) == []
    pdf.close()
    return target.getvalue()


def test_pictures_and_pdfs_keep_their_order_and_their_streams_also_when_one_comes_twice() -> None:
    jpegs = [pdfs.jpeg_of(picture(size=(30 + number, 20))) for number in range(3)]
    one, two = a_file(jpegs[0]), a_file(pdfs.scanned(jpegs[1], jpegs[2]))
    again = a_file(jpegs[0])
    data = written(one, again, two, a_file(jpegs[0]), about=About(title="Käse"))
    with pikepdf.open(io.BytesIO(data)) as pdf:
        found = [bytes(page.Resources.XObject["/P"].read_raw_bytes()) for page in pdf.pages]
        assert found == [jpegs[0], jpegs[0], jpegs[1], jpegs[2], jpegs[0]]
        assert str(pdf.docinfo.Title) == "Käse"


def test_several_files_with_a_pdf_among_them_cannot_be_pdfa() -> None:
    files = [a_file(pdfs.jpeg_of(picture())), a_file(pdfs.scanned(pdfs.jpeg_of(picture())))]
    with pytest.raises(BadArguments, match="PDF/A"):
        searchable(files, io.BytesIO(), About(conformance="pdfa-2b"), Job(recipe=RECIPE))


def done(image: Image.Image, dpi: float, recipe: Recipe = RECIPE, *, stated: float | None = None):
    content = packed(image, "JPEG", dpi=(dpi, dpi))
    [result] = work(Task(number=1, original=Original(content=content, dpi=stated), recipe=recipe))
    return result


@pytest.mark.parametrize(("told", "stated", "wanted"), [(300, None, 300), (300, 600, 600), (9600, None, 200)])
def test_a_page_has_the_resolution_that_is_stated_or_told_or_likely(
    told: float, stated: float | None, wanted: float
) -> None:
    result = done(Image.new("L", (1654, 2339), 255), told, stated=stated)
    assert (result.dpi, result.guessed) == (wanted, told == 9600)


def test_a_page_that_nothing_is_done_to_does_not_load_opencv() -> None:
    pool = ConfinedPool(1)
    try:
        task = Task(number=1, original=Original(content=packed(picture(), "JPEG")), recipe=RECIPE)
        pool.submit(work, task).result()
        assert not pool.submit(loaded, "cv2").result()
        cleaned = replace(task, recipe=Recipe(cleaning=Cleaning(whiten=True)))
        pool.submit(work, cleaned).result()
        assert pool.submit(loaded, "cv2").result()
    finally:
        pool.shutdown()


def loaded(name: str) -> bool:
    import sys

    return name in sys.modules


def test_what_a_killed_page_worker_leaves_in_its_folder_goes_with_the_pool(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pool = ConfinedPool(1)
    with pytest.raises(BadInput, match="broke the program"):
        pool.submit(leave_a_file_and_die).result()
    assert len(list(tmp_path.glob("dwtsvc-*/left-*"))) == 1
    pool.shutdown()
    assert list(tmp_path.iterdir()) == []


def leave_a_file_and_die() -> None:
    import os
    import signal
    import tempfile

    tempfile.mkstemp(prefix="left-")
    os.kill(os.getpid(), signal.SIGKILL)
