"""The record of a page's text."""

from __future__ import annotations

import json

from dwtsvc.records import pack, unpack
from dwtsvc.text import Line, Text, Word


def line(words: str, *, block: int = 1, paragraph: int = 1, confidence: float = 90.0) -> Line:
    made = tuple(Word(text=word, box=(0, 0, 10, 10), confidence=confidence) for word in words.split())
    return Line(words=made, box=(0, 0, 10, 10), block=block, paragraph=paragraph)


def page(*lines: Line) -> Text:
    return Text(width=100, height=200, dpi=300.0, languages="eng", engine="test 1", lines=lines)


def test_plain_text_parts_paragraphs_by_an_empty_line() -> None:
    text = page(line("one two"), line("three"), line("four", paragraph=2), line("five", block=2, paragraph=2))
    assert text.plain == "one two\nthree\n\nfour\n\nfive\n"


def test_an_empty_page_has_no_text_and_no_confidence() -> None:
    assert page().plain == ""
    assert page().confidence is None


def test_long_words_count_more_for_the_confidence() -> None:
    assert page(line("aaa", confidence=100), line("b", confidence=0)).confidence == 75


def test_a_text_survives_json() -> None:
    text = page(line("one two"), line("three", block=2))
    assert unpack(Text, json.loads(json.dumps(text, default=pack))) == text
