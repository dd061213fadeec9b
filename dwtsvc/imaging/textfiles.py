"""The texts of pages as files: plain text, hOCR, ALTO 4, tesseract's table, JSON.

Each is written page by page: `stream` holds no more than one page of text, the other functions give the whole at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.characters import legible
from dwtsvc.imaging.textmarkup import ALTO_4, HOCR, around, blocks, written
from dwtsvc.text import Box, Line, Text

__all__ = ["FORMATS", "alto", "hocr", "json_text", "stream", "text", "tsv"]

PAGE_END = "\f"
COLUMNS = "level page_num block_num par_num line_num word_num left top width height conf text".split()


def text(pages: Iterable[Text]) -> str:
    """Plain text: line by line, an empty line between paragraphs, a form feed at the end of every page."""
    return "".join(stream("txt", pages))


def hocr(pages: Iterable[Text], title: str = "") -> str:
    """hOCR 1.2 as XHTML: pages, blocks, paragraphs, lines and words with boxes; the confidence of words as x_wconf."""
    return "".join(stream("hocr", pages, title))


def alto(pages: Iterable[Text]) -> str:
    """ALTO 4 in pixels; WC, the confidence of a word, is 0 to 1. The engine named is that of the first page."""
    return "".join(stream("alto", pages))


def tsv(pages: Iterable[Text]) -> str:
    """Tesseract's table: tab-separated, a heading, a row each for pages, blocks, paragraphs, lines and words."""
    return "".join(stream("tsv", pages))


def json_text(pages: Iterable[Text]) -> str:
    """{"pages": [...]}: a page has its number, width, height, dpi, languages, engine, confidence, text and lines."""
    return "".join(stream("json", pages))


def stream(format: str, pages: Iterable[Text], title: str = "") -> Iterator[str]:
    """The parts of a file, in order; its encoding is UTF-8. `title` is for hOCR. BadArguments for an unknown format."""
    if format not in FORMATS:
        raise BadArguments(f"There is no text format '{format}'", hint=f"Choose one of: {', '.join(FORMATS)}.")
    return FORMATS[format](pages, title)


def _text(pages: Iterable[Text], _: str) -> Iterator[str]:
    for page in pages:
        yield _plain(page) + PAGE_END


def _hocr(pages: Iterable[Text], title: str) -> Iterator[str]:
    return written(HOCR, pages, title)


def _alto(pages: Iterable[Text], title: str) -> Iterator[str]:
    return written(ALTO_4, pages, title)


def _tsv(pages: Iterable[Text], _: str) -> Iterator[str]:
    yield "\t".join(COLUMNS) + "\n"
    for number, page in enumerate(pages, 1):
        yield "".join(_tsv_rows(number, page))


def _tsv_rows(number: int, page: Text) -> Iterator[str]:
    yield _tsv_row(1, (number, 0, 0, 0, 0), (0, 0, page.width, page.height))
    for block, members in enumerate(blocks(page), 1):
        yield _tsv_row(2, (number, block, 0, 0, 0), around([*chain(*members)]))
        for paragraph, lines in enumerate(members, 1):
            yield _tsv_row(3, (number, block, paragraph, 0, 0), around(lines))
            for row, line in enumerate(lines, 1):
                yield _tsv_row(4, (number, block, paragraph, row, 0), line.box)
                for place, word in enumerate(line.words, 1):
                    at = number, block, paragraph, row, place
                    yield _tsv_row(5, at, word.box, f"{word.confidence:.6f}", legible(word.text))


def _tsv_row(level: int, at: tuple[int, ...], box: Box, confidence: str = "-1", words: str = "") -> str:
    left, top, right, bottom = box
    cells = (level, *at, left, top, right - left, bottom - top, confidence, words)
    return "\t".join(map(str, cells)) + "\n"


def _json(pages: Iterable[Text], _: str) -> Iterator[str]:
    yield '{"pages": ['
    for number, page in enumerate(pages, 1):
        yield ("\n" if number == 1 else ",\n") + json.dumps(_json_page(number, page), ensure_ascii=False)
    yield "\n]}\n"


def _json_page(number: int, page: Text) -> dict[str, object]:
    sure = page.confidence
    return {
        "number": number,
        "width": page.width,
        "height": page.height,
        "dpi": round(page.dpi, 2) if math.isfinite(page.dpi) else None,
        "languages": page.languages,
        "engine": page.engine,
        "confidence": None if sure is None else round(sure, 2),
        "text": _plain(page),
        "lines": [_json_line(line) for line in page.lines],
    }


def _json_line(line: Line) -> dict[str, object]:
    words = [
        {"text": legible(each.text), "box": each.box, "confidence": round(each.confidence, 2)} for each in line.words
    ]
    return {"box": line.box, "words": words}


def _plain(page: Text) -> str:
    return "\n".join(map(legible, page.plain.split("\n")))


FORMATS: dict[str, Callable[[Iterable[Text], str], Iterator[str]]] = {
    "txt": _text,
    "hocr": _hocr,
    "alto": _alto,
    "tsv": _tsv,
    "json": _json,
}
