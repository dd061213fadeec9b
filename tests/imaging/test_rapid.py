"""RapidOCR: its lines and words made ours, and itself where it is installed."""

from __future__ import annotations

import pytest
from PIL import Image

from dwtsvc.errors import MissingDependency
from dwtsvc.imaging import ocr, rapid
from dwtsvc.imaging.ocr import Reading
from tests.imaging import printed

LINE = ("two words", (100, 10, 190, 30), 90.0)


def installed() -> None:
    pytest.importorskip("rapidocr", reason="RapidOCR is not installed: pip install 'dwtsvc[ocr-pro]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'dwtsvc[ocr-pro]'")


def test_words_have_the_boxes_that_the_engine_told() -> None:
    told = [("two", (101, 11, 131, 29), 80.0), ("words", (140, 12, 188, 30), 70.0)]
    words = rapid.words_of(LINE, told)
    assert [(word.text, word.box, word.confidence) for word in words] == told


def test_parts_of_words_are_joined() -> None:
    told = [("tw", (101, 11, 120, 29), 80.0), ("o", (121, 9, 131, 28), 60.0), ("words", (140, 12, 188, 30), 70.0)]
    words = rapid.words_of(LINE, told)
    assert [(word.text, word.box, word.confidence) for word in words] == [
        ("two", (101, 9, 131, 29), 70.0),
        ("words", (140, 12, 188, 30), 70.0),
    ]


@pytest.mark.parametrize(
    "told", [[], [("other", (0, 0, 5, 5), 1.0)], [("twowo", (0, 0, 5, 5), 1.0), ("rds", (6, 0, 9, 5), 1.0)]]
)
def test_words_share_the_line_where_the_engine_told_no_boxes_of_theirs(told: list[rapid.Piece]) -> None:
    words = rapid.words_of(LINE, told)
    assert [(word.text, word.box, word.confidence) for word in words] == [
        ("two", (100, 10, 130, 30), 90.0),
        ("words", (140, 10, 190, 30), 90.0),
    ]


def test_pieces_beside_each_other_are_one_line_and_empty_ones_none() -> None:
    pieces = [("2.50", (400, 12, 440, 30), 90.0), ("", (0, 0, 5, 5), 90.0), ("Tea", (10, 10, 60, 30), 80.0)]
    (line,) = rapid.lines_of(pieces, [[], [], []])
    assert line.text == "Tea 2.50"
    assert line.box == (10, 10, 440, 30)


def test_where_it_is_not_installed_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rapid, "PACKAGES", ("no-such-package-at-all",))
    for attempt in (
        lambda: ocr.check(Reading(engine="rapidocr")),
        lambda: ocr.read(printed.typed("word"), 200, Reading(engine="rapidocr")),
    ):
        with pytest.raises(MissingDependency) as caught:
            attempt()
        assert "pip install 'dwtsvc[ocr-pro]'" in caught.value.hint
    assert ocr.engines()["rapidocr"] is None


def test_it_reads_a_document() -> None:
    installed()
    image = printed.sheet("letter", 200)
    text = ocr.read(image, 200, Reading(engine="rapidocr"))
    wanted = printed.words_on("letter")
    assert len(wanted & printed.words(text.plain)) >= 0.9 * len(wanted)
    assert text.engine.startswith("rapidocr 3")
    assert all(0 <= word.confidence <= 100 for word in text.words)
    for word in text.words:
        assert word.box[0] < word.box[2] <= image.width and word.box[1] < word.box[3] <= image.height


def test_it_reads_columns_one_after_the_other() -> None:
    installed()
    left = ["The harbour is calm today", "and the boats are coming", "home with fish for all", "who live in this town"]
    right = [
        "Winter came early over",
        "the mountains and valleys",
        "covering every meadow in",
        "deep and silent white snow",
    ]
    page = printed.typed(*left, size=(1300, 400), at=(20, 40))
    page.paste(printed.typed(*right, size=(640, 400), at=(20, 40)), (660, 0))
    text = ocr.read(page, 200, Reading(engine="rapidocr"))
    assert [line.text for line in text.lines] == [*left, *right]


def test_a_blank_page_has_no_text_for_it() -> None:
    installed()
    assert ocr.read(Image.new("L", (800, 1000), 255), 100, Reading(engine="rapidocr")).lines == ()
    assert ocr.read(Image.new("L", (1, 1), 255), 100, Reading(engine="rapidocr")).lines == ()
