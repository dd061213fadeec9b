"""What a page worker does: every step written out, nothing lost, and text that lies where the page shows it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont

from dwtsvc import pictures
from dwtsvc.errors import BadInput, FileAccess
from dwtsvc.imaging import codecs, edit
from dwtsvc.imaging.cleaning import Cleaning
from dwtsvc.imaging.ocr import Reading
from dwtsvc.model import Encoding, Raster
from dwtsvc.pictures import Picture
from dwtsvc.pipeline.recipe import Done, Original, Recipe, Task
from dwtsvc.pipeline.work import work
from dwtsvc.text import Text
from tests.imaging import printed

WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot")
READ = Recipe(reading=Reading())


def spread(size: tuple[int, int] = (1240, 1100), letter: int = 40) -> Image.Image:
    """Words far enough apart that each has the paper around it for itself."""
    page = Image.new("L", size, 255)
    draw = ImageDraw.Draw(page)
    for number, word in enumerate(WORDS):
        place = (size[0] // 6 + number % 2 * size[0] // 3, size[1] // 6 + number // 2 * size[1] // 5)
        draw.text(place, word, 0, ImageFont.load_default(letter))
    return page


def rows(image: Image.Image, dpi: float = 200) -> Picture:
    """An image as the rows that a scanner sends."""
    data = image.tobytes("raw", "1;I") if image.mode == "1" else image.tobytes()
    return Picture(encoding=Encoding.RAW, raster=pictures.raster_of(image, dpi), content=data)


def jpeg(image: Image.Image, dpi: float = 200) -> Picture:
    return pictures.lossy(image, dpi, 90)


def png(image: Image.Image, dpi: float = 200) -> Picture:
    return pictures.lossless(image, dpi)


def of_stored(page: Picture) -> Original:
    lossy = page.encoding is Encoding.JPEG
    return Original(content=page.content, encoding=page.encoding, raster=page.raster, lossy=lossy)


def worked(page: Picture, recipe: Recipe) -> list[Done]:
    return work(Task(number=1, original=of_stored(page), recipe=recipe))


def one(page: Picture, recipe: Recipe) -> Done:
    [done] = worked(page, recipe)
    return done


def image_of(picture: Picture) -> Image.Image:
    return pictures.load(picture.encoding, picture.raster, picture.content)[0]


def as_made_again(page: Picture, done: Done) -> Picture:
    """The original, taken through the steps that are told, and stored as pages are."""
    image, dpi = edit.apply_all(done.steps, image_of(page), page.raster.dpi)
    if page.encoding is Encoding.JPEG:
        return pictures.lossy(image, dpi, 90)
    return pictures.lossless(image, dpi)


def ink(image: Image.Image) -> tuple[int, int, int, int]:
    box = image.convert("L").point(lambda tone: 255 * (tone < 128)).getbbox()
    assert box
    return box


def check_boxes(text: Text | None, page: Image.Image, most: int = 4) -> None:
    """Every word that was drawn is found, and its box is that of its ink on the page, within `most` pixels.

    Downward tesseract leaves room for the tail of a letter that is not there.
    """
    assert text
    across, down = page.width / text.width, page.height / text.height
    assert {word.text.lower() for word in text.words} >= set(WORDS)
    for word in text.words:
        left, top, right, bottom = (side * scale for side, scale in zip(word.box, (across, down) * 2, strict=True))
        around = (round(left) - 15, round(top) - 15, round(right) + 15, round(bottom) + 15)
        seen = [side + start for side, start in zip(ink(page.crop(around)), around[:2] * 2, strict=True)]
        for told, found in zip((left, top, right), seen[:3], strict=True):
            assert abs(told - found) <= most, word
        assert -most <= bottom - seen[3] <= (seen[3] - seen[1]) / 2, word


CLEAN = Cleaning(deskew=True, crop="content", despeckle=True, whiten=True)
RECIPES = {
    "deskew": Recipe(cleaning=Cleaning(deskew=True)),
    "content": Recipe(cleaning=Cleaning(deskew=True, crop="content")),
    "all of them": Recipe(cleaning=CLEAN, store_dpi=120, judge=True),
    "black and white": Recipe(cleaning=Cleaning(deskew=True, mode="lineart", threshold="sauvola")),
    "tones": Recipe(cleaning=Cleaning(brightness=10, contrast=20, gamma=1.3), store_dpi=150),
}


@pytest.mark.parametrize("kind", ["gray rows", "colour rows", "black rows", "16 bits", "jpeg", "png"])
@pytest.mark.parametrize("name", RECIPES)
def test_the_steps_lead_from_the_original_to_exactly_this_picture(name: str, kind: str) -> None:
    leaning = spread().rotate(2, Image.Resampling.BICUBIC, fillcolor=255)
    page = {
        "gray rows": lambda: rows(leaning),
        "colour rows": lambda: rows(leaning.convert("RGB")),
        "black rows": lambda: rows(leaning.convert("1", dither=Image.Dither.NONE)),
        "16 bits": lambda: rows(
            Image.frombytes("I;16", leaning.size, bytes(b for g in leaning.tobytes() for b in (g, g)))
        ),
        "jpeg": lambda: jpeg(leaning.convert("RGB")),
        "png": lambda: png(leaning),
    }[kind]()
    done = one(page, RECIPES[name])
    if not done.steps:
        assert done.picture is None
        return
    assert done.picture == as_made_again(page, done)
    assert (done.width, done.height, done.dpi) == (
        done.picture.raster.width,
        done.picture.raster.height,
        done.picture.raster.dpi,
    )
    assert image_of(done.picture).size == (done.width, done.height)


def test_operations_come_in_their_order() -> None:
    upside_down = printed.sheet("letter", 150).convert("L").rotate(181.5, Image.Resampling.BICUBIC, fillcolor=255)
    recipe = Recipe(orient=True, cleaning=Cleaning(deskew=True, contrast=10), store_dpi=100)
    done = one(rows(upside_down, 150), recipe)
    assert [step.name for step in done.steps] == ["rotate", "deskew", "contrast", "resize"]
    assert done.steps[0].values["degrees"] == 180
    assert done.turned
    assert done.dpi == 100


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_pages_are_turned_upright(degrees: int) -> None:
    letter = printed.sheet("letter", 150).convert("L")
    done = one(rows(letter.rotate(degrees, expand=True), 150), Recipe(orient=True, reading=Reading()))
    assert [step.values["degrees"] for step in done.steps] == ([degrees] if degrees else [])
    assert (done.width, done.height) == letter.size
    assert done.text
    assert len(printed.words(done.text.plain) & printed.words_on("letter")) > 30
    if degrees:
        assert done.picture
        assert ImageChops.difference(image_of(done.picture), letter).getbbox() is None


def test_a_page_whose_text_does_not_tell_stays_as_it_lies() -> None:
    done = one(rows(spread()), Recipe(orient=True))
    assert (done.steps, done.picture, done.turned) == ((), None, 0.0)


def test_nobody_asked_is_not_the_same_as_nothing_found() -> None:
    done = one(rows(spread()), READ)
    assert (done.turned, done.judged, done.barcodes) == (None, None, ())
    assert one(rows(Image.new("L", (600, 400), 255)), Recipe(judge=True)).text is None


def test_a_glass_with_photos_becomes_a_page_for_each() -> None:
    glass = Image.new("RGB", (1200, 1600), (236, 236, 236))
    for place, colour in (((150, 150), (90, 40, 30)), ((300, 900), (20, 80, 120))):
        glass.paste(Image.effect_noise((600, 450), 50).convert("RGB"), place)
        ImageDraw.Draw(glass).rectangle((*place, place[0] + 600, place[1] + 450), outline=colour, width=60)
    page = rows(glass, 100)
    parts = worked(page, Recipe(parting="photos", judge=True))
    assert [(part.part, part.parts) for part in parts] == [(1, 2), (2, 2)]
    for part in parts:
        assert part.picture == as_made_again(page, part)
        assert abs(part.width - 600) < 20
        assert abs(part.height - 450) < 20


def test_an_open_book_becomes_its_pages_each_with_its_own_text() -> None:
    left, right = printed.typed("The left page of a book", "has its own words"), printed.typed("Quite another page")
    book = Image.new("L", (left.width * 2, left.height), 255)
    book.paste(left, (0, 0))
    book.paste(right, (left.width, 0))
    page = rows(book)
    first, second = worked(page, Recipe(parting="book", reading=Reading()))
    assert first.text and second.text
    assert "left page" in first.text.plain
    assert "another" not in first.text.plain
    assert "another page" in second.text.plain
    assert first.picture == as_made_again(page, first)
    assert abs(first.width + second.width - book.width) == 0


def test_only_what_is_richer_is_reduced() -> None:
    page = rows(spread())
    assert one(page, Recipe(store_dpi=200)).picture is None
    assert one(page, Recipe(store_dpi=300)).steps == ()
    done = one(page, Recipe(store_dpi=100))
    assert (done.width, done.height, done.dpi) == (620, 550, 100)


def test_blank_pages_are_not_read_if_so_wished(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []

    def fake(image: Image.Image, dpi: float, reading: Reading) -> Text:
        read.append(image)
        return Text(width=image.width, height=image.height, dpi=dpi, languages="eng", engine="fake")

    monkeypatch.setattr("dwtsvc.imaging.ocr.read", fake)
    blank = rows(Image.new("L", (1240, 1754), 250))
    done = one(blank, Recipe(reading=Reading(), judge=True, skip_blank=True))
    assert (done.text, len(read)) == (None, 0)
    assert done.judged
    assert done.judged.blank > 0.5
    assert one(blank, Recipe(reading=Reading(), judge=True)).text is not None
    assert one(rows(spread()), Recipe(reading=Reading(), judge=True, skip_blank=True)).text is not None
    assert len(read) == 2


def test_what_is_done_for_reading_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Image.Image] = []

    def fake(image: Image.Image, dpi: float, reading: Reading) -> Text:
        seen.append(image)
        return Text(width=image.width, height=image.height, dpi=dpi, languages="eng", engine="fake")

    monkeypatch.setattr("dwtsvc.imaging.ocr.read", fake)
    page = rows(spread().point(lambda tone: 60 + tone * 3 // 5))
    done = one(page, Recipe(reading=Reading(), for_reading=Cleaning(deskew=True, crop="content", mode="lineart")))
    assert (done.steps, done.picture) == ((), None)
    assert seen[0].mode == "1"
    assert seen[0].size == (1240, 1100)


@pytest.mark.parametrize(
    "cleaning",
    [
        Cleaning(),
        Cleaning(deskew=True),
        Cleaning(deskew=True, crop="content"),
        Cleaning(deskew=True, crop="content", mode="lineart"),
    ],
)
@pytest.mark.parametrize("store_dpi", [None, 130.0])
def test_text_lies_on_the_words_of_the_page_as_it_is_now(cleaning: Cleaning, store_dpi: float | None) -> None:
    leaning = spread().rotate(2.5 if cleaning.deskew else 0, Image.Resampling.BICUBIC, fillcolor=255)
    page = rows(leaning)
    done = one(page, Recipe(reading=Reading(), cleaning=cleaning, store_dpi=store_dpi))
    check_boxes(done.text, image_of(done.picture) if done.picture else leaning)


def test_text_lies_on_the_words_of_a_page_that_was_turned() -> None:
    letter = printed.sheet("letter", 150).convert("L")
    straight = one(rows(letter, 150), READ).text
    turned = one(rows(letter.rotate(180), 150), Recipe(orient=True, reading=Reading())).text
    assert straight and turned
    assert turned == straight


def test_text_of_a_jpeg_that_was_decoded_small_lies_on_the_whole_page() -> None:
    large = spread((3720, 3300), 120)
    page = jpeg(large, 600)
    done = one(page, READ)
    assert done.text
    assert done.text.width < 3720  # it was decoded no larger than it is read
    assert (done.width, done.height, done.dpi, done.picture) == (3720, 3300, 600, None)
    check_boxes(done.text, large, most=20)  # it was read at a third of that


@pytest.mark.parametrize(("stated", "told", "dpi"), [(600, None, 600), (600, 300.0, 300), (9999, None, 300)])
def test_the_size_of_a_page_follows_from_what_is_true_of_its_file(stated: int, told: float | None, dpi: float) -> None:
    """The dpi of the file, that of its owner, or a guess where the file lies; however small it was decoded."""
    large = spread((2480, 3508), 100)
    file = io.BytesIO()
    large.save(file, "JPEG", dpi=(stated, stated))
    original = Original(content=file.getvalue(), lossy=True, dpi=told)
    [done] = work(Task(number=1, original=original, recipe=READ))
    assert (done.width, done.height, done.dpi) == (2480, 3508, dpi)
    assert done.guessed == (stated == 9999)
    check_boxes(done.text, large, most=20)  # it was read at a third of that


@pytest.mark.parametrize("as_path", [True, False])
def test_pages_come_from_paths_and_from_memory(as_path: bool, tmp_path: Path) -> None:
    page = png(spread())
    (tmp_path / "page").write_bytes(page.content)
    content = tmp_path / "page" if as_path else page.content
    original = Original(content=content, encoding=page.encoding, raster=page.raster)
    [done] = work(Task(number=1, original=original, recipe=Recipe(store_dpi=100)))
    assert done.picture == as_made_again(page, done)


def test_pages_of_files_that_are_no_pictures_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        work(Task(number=1, original=Original(content=b"no picture"), recipe=READ))
    with pytest.raises((BadInput, FileAccess)):
        work(Task(number=1, original=Original(content=tmp_path / "nothing"), recipe=Recipe(judge=True)))


def test_16_bits_stay_16_bits_where_only_place_and_size_change() -> None:
    deep = Image.frombytes("I;16", (620, 550), bytes(b for g in spread().resize((620, 550)).tobytes() for b in (7, g)))
    page = rows(deep, 200)
    assert page.raster == Raster(width=620, height=550, channels=1, depth=16, bytes_per_line=1240, dpi=200)
    done = one(page, Recipe(store_dpi=100))
    assert done.picture
    assert (done.picture.encoding, done.picture.raster.depth) == (Encoding.PNG, 16)
    assert codecs.decode(io.BytesIO(done.picture.content)).mode.startswith("I")
