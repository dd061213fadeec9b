"""Reading the text of a page: what is found, where, and what is asked of the engine."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from dwtsvc.errors import BadArguments, BadInput
from dwtsvc.imaging import ocr
from dwtsvc.imaging.ocr import Reading
from dwtsvc.text import Box, Text
from tests.imaging import printed

WORDS = ("The quick brown fox jumps over the lazy dog", "Fourteen sailors waited beside the harbour wall")


def once(text: Text) -> dict[str, Box]:
    """The boxes of the words that stand on a page once."""
    said = [word.text for word in text.words]
    return {word.text: word.box for word in text.words if said.count(word.text) == 1}


def dark_in(image: Image.Image, box: Box) -> bool:
    return any(image.convert("L").crop(box).histogram()[:100])


@pytest.mark.parametrize("kind", ["letter", "form", "invoice"])
def test_the_words_of_a_document_are_read(kind: str) -> None:
    text = ocr.read(printed.sheet(kind, 200), 200, Reading())
    wanted = printed.words_on(kind)
    assert len(wanted & printed.words(text.plain)) >= 0.95 * len(wanted)
    assert text.confidence is not None and text.confidence > 80
    assert text.engine.startswith("tesseract 5") and text.languages == "eng"


def test_boxes_are_pixels_of_the_page_that_was_given_though_it_was_read_smaller() -> None:
    image = printed.sheet("letter", 300)
    small, whole = ocr.read(image, 300, Reading()), ocr.read(image, 300, Reading(full=True))
    assert (small.width, small.height, small.dpi) == (image.width, image.height, 300)
    assert all(dark_in(image, word.box) for word in small.words)
    places, others = once(small), once(whole)
    shared = [word for word in places if word in others and len(word) > 5]
    assert len(shared) > 10
    for word in shared:
        assert all(abs(one - other) <= 6 for one, other in zip(places[word], others[word], strict=True)), word


def test_words_lie_in_their_lines_and_lines_on_the_page() -> None:
    text = ocr.read(printed.sheet("letter", 150), 150, Reading())
    for line in text.lines:
        left, top, right, bottom = line.box
        assert 0 <= left < right <= text.width and 0 <= top < bottom <= text.height
        for word in line.words:
            assert word.box[0] < word.box[2] and word.box[1] < word.box[3]
            assert left <= word.box[0] and word.box[2] <= right
            assert 0 <= word.confidence <= 100


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16", "RGB", "RGBA", "LA", "CMYK"])
def test_a_page_of_any_mode_is_read(mode: str) -> None:
    image = printed.typed(*WORDS)
    if mode == "I;16":
        made = image.convert("I").point(lambda level: level * 257).convert("I;16")
    else:
        made = image.convert("RGB").convert(mode)
    assert printed.words(ocr.read(made, 200, Reading()).plain) == printed.words(" ".join(WORDS))


def test_what_is_transparent_is_paper() -> None:
    ink = printed.typed(*WORDS).point(lambda level: 255 - level)
    image = Image.new("RGBA", ink.size, (0, 0, 0, 0))
    image.putalpha(ink)
    assert printed.words(ocr.read(image, 200, Reading()).plain) == printed.words(" ".join(WORDS))


def test_several_languages_are_read_together() -> None:
    image = printed.typed("The harbour wall is grey", "Nous avons vu des pommes hier soir")
    text = ocr.read(image, 200, Reading(languages="fra+eng"))
    assert {"harbour", "grey", "avons", "pommes", "soir"} <= printed.words(text.plain)
    assert text.languages == "fra+eng"


def test_a_blank_page_has_no_text() -> None:
    text = ocr.read(Image.new("L", (1654, 2339), 255), 200, Reading())
    assert text.lines == () and text.plain == ""


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 900), (900, 3)])
def test_a_tiny_image_has_no_text_and_is_no_error(size: tuple[int, int]) -> None:
    assert ocr.read(Image.new("L", size, 255), 300, Reading()).lines == ()


def test_an_image_that_the_engine_cannot_take_is_bad_input() -> None:
    with pytest.raises(BadInput):
        ocr.read(Image.new("1", (40_000, 8), 1), 200, Reading())


@pytest.mark.parametrize("dpi", [0, -1, math.nan, math.inf])
def test_a_page_without_a_resolution_is_refused(dpi: float) -> None:
    with pytest.raises(BadArguments):
        ocr.read(printed.typed("word"), dpi, Reading())


def test_two_pages_are_read_at_once() -> None:
    images = [printed.typed(WORDS[0]), printed.typed(WORDS[1])]
    with ThreadPoolExecutor(2) as threads:
        texts = list(threads.map(lambda image: ocr.read(image, 200, Reading()), images * 2))
    assert [text.plain.strip() for text in texts] == [*WORDS, *WORDS]


def test_a_reading_can_be_sent_to_another_process() -> None:
    reading = Reading(languages="eng+fra", psm=6, fast=True, timeout=9)
    assert pickle.loads(pickle.dumps(reading)) == reading


def test_a_page_is_never_enlarged_and_shrunk_as_much_as_was_asked() -> None:
    assert ocr.reduction(300, Reading()) == pytest.approx(2 / 3)
    assert ocr.reduction(300, Reading(fast=True)) == 0.5
    assert ocr.reduction(300, Reading(full=True)) == 1
    assert ocr.reduction(180, Reading()) == 1
    assert ocr.reduction(75, Reading(fast=True)) == 1


def test_a_text_moves_to_a_page_of_another_size() -> None:
    text = printed.page(printed.line("one two", 100))
    moved = ocr.resized(text, 2000, 4200, 240)
    assert (moved.width, moved.height, moved.dpi) == (2000, 4200, 240)
    assert moved.lines[0].box == (0, 300, 180, 360)
    assert [word.box for word in moved.words] == [(0, 300, 80, 360), (100, 300, 180, 360)]
    assert [word.text for word in moved.words] == ["one", "two"]


def test_a_text_made_smaller_keeps_every_box_on_the_page_and_not_empty() -> None:
    tiny = ocr.resized(printed.page(printed.line("one two three", 1380)), 10, 14, 1)
    for word in tiny.words:
        left, top, right, bottom = word.box
        assert 0 <= left < right <= 10 and 0 <= top < bottom <= 14


@pytest.mark.parametrize(
    "reading",
    [
        Reading(engine="abbyy"),
        Reading(psm=0),
        Reading(psm=2),
        Reading(psm=14),
        Reading(psm=-1),
        Reading(fast=True, full=True),
        Reading(timeout=0),
        Reading(timeout=math.inf),
        Reading(timeout=math.nan),
        Reading(languages=""),
        Reading(languages="eng+"),
        Reading(languages="--psm"),
        Reading(languages="eng deu"),
        Reading(languages="../../etc/passwd"),
        Reading(languages="eng;reboot"),
        Reading(languages="eng\n"),
        Reading(languages="e" * 50),
        Reading(languages="+".join(["eng"] * 13)),
        Reading(languages="osd"),
        Reading(tessdata="/nowhere/models"),
    ],
    ids=repr,
)
def test_nonsense_is_refused(reading: Reading) -> None:
    with pytest.raises(BadArguments):
        ocr.check(reading)


@pytest.mark.parametrize("psm", [None, 1, 3, 4, 6, 11, 12, 13])
def test_segmentation_modes_that_read_text_are_taken(psm: int | None) -> None:
    reading = Reading(psm=psm)
    ocr.check(reading)
    assert isinstance(ocr.read(printed.typed("harbour"), 200, reading), Text)


def test_the_segmentation_mode_reaches_the_engine() -> None:
    image = printed.typed("harbour", size=(1200, 300))
    image.paste(printed.typed("lighthouse", size=(400, 300)), (800, 0))
    one_line = ocr.read(image, 200, Reading(psm=7))
    assert [line.text for line in one_line.lines] == ["harbour lighthouse"]
    scattered = ocr.read(image, 200, Reading(psm=11))
    assert sorted(line.text for line in scattered.lines) == ["harbour", "lighthouse"]


def test_the_engines_are_told_with_their_versions() -> None:
    engines = ocr.engines()
    assert set(engines) == {"tesseract", "rapidocr"}
    assert engines["tesseract"] is not None and engines["tesseract"][0].isdigit()
