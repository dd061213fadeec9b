"""Texts as files: their structure, their escapes, and that they are written page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from dwtsvc.errors import BadArguments
from dwtsvc.imaging import ocr, textfiles
from dwtsvc.text import Text
from tests.imaging import printed
from tests.imaging.printed import line, page

NASTY = "<b>&\"'\x00\x0b\x1b\ud800\ufffe\U0001ffff]]>--ünïcødé漢"
HELD = "<b>&\"']]>--ünïcødé漢"
XHTML = {"h": "http://www.w3.org/1999/xhtml"}
ALTO = {"a": "http://www.loc.gov/standards/alto/ns-v4#"}


@pytest.fixture
def pages() -> list[Text]:
    first = page(
        line("one two", 10),
        line("three", 40, confidence=55.5),
        line("four", 90, paragraph=2),
        line(f"five {NASTY}", 140, block=2),
    )
    return [first, page(), page(line("last", 10))]


def by_class(root: Element, name: str) -> list[Element]:
    return [each for each in root.iter() if each.get("class") == name]


def test_plain_text_has_a_form_feed_after_every_page(pages: list[Text]) -> None:
    assert textfiles.text(pages[1:]) == "\flast\n\f"
    assert textfiles.text(pages[:1]).startswith("one two\nthree\n\nfour\n\nfive ")


def test_hocr_has_pages_blocks_paragraphs_lines_and_words_in_each_other(pages: list[Text]) -> None:
    root = ElementTree.fromstring(textfiles.hocr(pages, f"A title {NASTY}"))
    assert root.findtext("h:head/h:title", namespaces=XHTML) == f"A title {HELD}"
    levels = ("ocr_page", "ocr_carea", "ocr_par", "ocr_line", "ocrx_word")
    assert [len(by_class(root, level)) for level in levels] == [3, 3, 4, 5, 7]
    for outer, inner in pairwise(levels):
        inside = [each for one in by_class(root, outer) for each in one if each.get("class") == inner]
        assert len(inside) == len(by_class(root, inner))
    assert ["".join(word.itertext()) for word in by_class(root, "ocrx_word")][-2:] == [HELD, "last"]


def test_hocr_tells_boxes_and_confidence(pages: list[Text]) -> None:
    root = ElementTree.fromstring(textfiles.hocr(pages))
    titles = {
        level: by_class(root, level)[0].get("title") for level in ("ocr_page", "ocr_carea", "ocr_par", "ocr_line")
    }
    assert titles == {
        "ocr_page": "bbox 0 0 1000 1400; ppageno 0; scan_res 120 120",
        "ocr_carea": "bbox 0 10 90 110",
        "ocr_par": "bbox 0 10 90 60",
        "ocr_line": "bbox 0 10 90 30",
    }
    words = by_class(root, "ocrx_word")
    assert [word.get("title") for word in words[:3]] == [
        "bbox 0 10 40 30; x_wconf 90",
        "bbox 50 10 90 30; x_wconf 90",
        "bbox 0 40 40 60; x_wconf 56",
    ]


def test_every_name_in_a_file_is_given_once(pages: list[Text]) -> None:
    for made, attribute in ((textfiles.hocr(pages), "id"), (textfiles.alto(pages), "ID")):
        names = [each.get(attribute) for each in ElementTree.fromstring(made).iter() if each.get(attribute)]
        assert len(names) > 20 and len(names) == len(set(names))


def test_alto_has_strings_in_lines_in_blocks(pages: list[Text]) -> None:
    root = ElementTree.fromstring(textfiles.alto(pages))
    assert root.tag == f"{{{ALTO['a']}}}alto"
    assert root.findtext("a:Description/a:MeasurementUnit", namespaces=ALTO) == "pixel"
    software = root.find("a:Description/a:Processing/a:processingSoftware", ALTO)
    assert software is not None and [each.text for each in software] == ["tesseract", "5.3.0"]
    path = "a:Layout/a:Page/a:PrintSpace/a:ComposedBlock/a:TextBlock/a:TextLine/a:String"
    strings = root.findall(path, ALTO)
    assert [each.get("CONTENT") for each in strings] == ["one", "two", "three", "four", "five", HELD, "last"]
    assert strings[1].attrib == {
        "ID": "word_1_2", "HPOS": "50", "VPOS": "10", "WIDTH": "40", "HEIGHT": "20", "WC": "0.90", "CONTENT": "two"
    }  # fmt: skip
    assert len(root.findall(".//a:SP", ALTO)) == 2
    shown = root.findall("a:Layout/a:Page", ALTO)
    assert [(each.get("PHYSICAL_IMG_NR"), each.get("ACCURACY")) for each in shown][1] == ("2", None)


def test_the_table_is_tesseracts(pages: list[Text]) -> None:
    heading, *rows = [each.split("\t") for each in textfiles.tsv(pages).rstrip("\n").split("\n")]
    assert " ".join(heading) == "level page_num block_num par_num line_num word_num left top width height conf text"
    assert all(len(row) == 12 for row in rows)
    assert [int(row[0]) for row in rows[:5]] == [1, 2, 3, 4, 5]
    assert rows[5] == ["5", "1", "1", "1", "1", "2", "50", "10", "40", "20", "90.000000", "two"]
    assert [row[1] for row in rows if row[0] == "1"] == ["1", "2", "3"]


def test_a_table_read_back_is_the_same_text() -> None:
    from dwtsvc.imaging.tesseract import _lines, _rows

    text = ocr.read(printed.sheet("letter", 150), 150, ocr.Reading())
    assert tuple(_lines(_rows(textfiles.tsv([text])))) == text.lines


def test_json_tells_everything(pages: list[Text]) -> None:
    told = json.loads(textfiles.json_text([pages[1], pages[2]]))
    assert told["pages"][0] == {
        "number": 1, "width": 1000, "height": 1400, "dpi": 120.0, "languages": "eng", "engine": "tesseract 5.3.0",
        "confidence": None, "text": "", "lines": [],
    }  # fmt: skip
    assert told["pages"][1]["text"] == "last\n"
    assert told["pages"][1]["confidence"] == 90
    assert told["pages"][1]["lines"] == [
        {"box": [0, 10, 40, 30], "words": [{"text": "last", "box": [0, 10, 40, 30], "confidence": 90.0}]}
    ]


def test_json_can_be_encoded_whatever_a_text_holds(pages: list[Text]) -> None:
    assert HELD in json.loads(textfiles.json_text(pages).encode("utf-8"))["pages"][0]["lines"][-1]["words"][1]["text"]


@pytest.mark.parametrize("format", sorted(textfiles.FORMATS))
def test_a_file_of_no_pages_is_whole(format: str) -> None:
    made = "".join(textfiles.stream(format, []))
    if format in ("hocr", "alto"):
        assert ElementTree.fromstring(made).tag.endswith(("html", "alto"))
    elif format == "json":
        assert json.loads(made) == {"pages": []}
    else:
        assert made.count("\n") == (format == "tsv")


@pytest.mark.parametrize("format", sorted(textfiles.FORMATS))
def test_a_page_is_written_before_the_next_one_is_asked_for(format: str) -> None:
    asked = []

    def pages() -> Iterator[Text]:
        for number in range(3):
            asked.append(number)
            yield page(line(f"word{number}"))

    for part in textfiles.stream(format, pages()):
        if "word1" in part:
            assert asked == [0, 1]
            return
    pytest.fail("the second page never came")


@pytest.mark.parametrize("format", sorted(textfiles.FORMATS))
def test_every_format_can_be_written_as_utf_8(format: str, pages: list[Text]) -> None:
    assert "".join(textfiles.stream(format, pages, NASTY)).encode("utf-8")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(BadArguments):
        textfiles.stream("docx", [])


def test_hocr_is_understood_by_ocrmypdf(tmp_path: Path) -> None:
    parser = pytest.importorskip("ocrmypdf.hocrtransform", reason="ocrmypdf is not installed").HocrParser
    text = ocr.read(printed.sheet("letter", 150), 150, ocr.Reading())
    path = tmp_path / "page.hocr"
    path.write_text(textfiles.hocr([text]), "utf-8")
    said = str(parser(path).parse())
    assert all(repr(word.text) in said for word in text.words)
    assert f"dpi={text.dpi}" in said
