"""The texts of pages as files: plain text, hOCR, ALTO 4, tesseract's table, JSON.

Each is written page by page: `stream` holds no more than one page of text, the other functions give the whole at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from xml.sax.saxutils import escape, quoteattr

from dwtsvc.errors import BadArguments
from dwtsvc.imaging.characters import legible
from dwtsvc.text import Box, Line, Text

__all__ = ["FORMATS", "alto", "hocr", "json_text", "stream", "text", "tsv"]

PAGE_END = "\f"
COLUMNS = "level page_num block_num par_num line_num word_num left top width height conf text".split()
ALTO = "http://www.loc.gov/standards/alto/ns-v4#"
CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word"
HOCR_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{title}</title>
  <meta http-equiv="Content-Type" content="text/html; charset=utf-8"/>
  <meta name="ocr-system" content={engine}/>
  <meta name="ocr-capabilities" content="{capabilities}"/>
 </head>
 <body>
"""
ALTO_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="{namespace}" SCHEMAVERSION="4.4">
 <Description>
  <MeasurementUnit>pixel</MeasurementUnit>
  <Processing ID="OCR">
   <processingCategory>contentGeneration</processingCategory>
   <processingSoftware>
    <softwareName>{name}</softwareName>
    <softwareVersion>{version}</softwareVersion>
   </processingSoftware>
  </Processing>
 </Description>
 <Layout>
"""


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
    number = 0
    for number, page in enumerate(pages, 1):
        if number == 1:
            yield _hocr_head(title, page.engine)
        yield _hocr_page(number, page)
    if not number:
        yield _hocr_head(title, "")
    yield " </body>\n</html>\n"


def _hocr_head(title: str, engine: str) -> str:
    return HOCR_HEAD.format(title=_safe(title), engine=_quoted(engine), capabilities=CAPABILITIES)


def _hocr_page(number: int, page: Text) -> str:
    dpi = round(page.dpi) if math.isfinite(page.dpi) else 0
    facts = f"bbox 0 0 {page.width} {page.height}; ppageno {number - 1}; scan_res {dpi} {dpi}"
    parts = [f'  <div class="ocr_page" id="page_{number}" title="{facts}">\n']
    paragraphs = lines = words = 0
    for block, members in enumerate(_blocks(page), 1):
        parts.append(
            f'   <div class="ocr_carea" id="block_{number}_{block}" title="{_bbox(_around([*chain(*members)]))}">\n'
        )
        for paragraph in members:
            paragraphs += 1
            title = _bbox(_around(paragraph))
            parts.append(f'    <p class="ocr_par" id="par_{number}_{paragraphs}" title="{title}">\n')
            for line in paragraph:
                lines += 1
                parts.append(f'     <span class="ocr_line" id="line_{number}_{lines}" title="{_bbox(line.box)}">\n')
                for word in line.words:
                    words += 1
                    title = f"{_bbox(word.box)}; x_wconf {round(word.confidence)}"
                    start = f'      <span class="ocrx_word" id="word_{number}_{words}" title="{title}">'
                    parts.append(f"{start}{_safe(word.text)}</span>\n")
                parts.append("     </span>\n")
            parts.append("    </p>\n")
        parts.append("   </div>\n")
    return "".join([*parts, "  </div>\n"])


def _alto(pages: Iterable[Text], _: str) -> Iterator[str]:
    number = 0
    for number, page in enumerate(pages, 1):
        if number == 1:
            yield _alto_head(page.engine)
        yield _alto_page(number, page)
    if not number:
        yield _alto_head("")
    yield " </Layout>\n</alto>\n"


def _alto_head(engine: str) -> str:
    name, _, version = _safe(engine).partition(" ")
    return ALTO_HEAD.format(namespace=ALTO, name=name, version=version)


def _alto_page(number: int, page: Text) -> str:
    sure = f' ACCURACY="{page.confidence:.2f}"' if page.confidence is not None else ""
    size = f'WIDTH="{page.width}" HEIGHT="{page.height}"'
    parts = [
        f'  <Page ID="page_{number}" PHYSICAL_IMG_NR="{number}" {size} PROCESSINGREFS="OCR"{sure}>\n',
        f'   <PrintSpace HPOS="0" VPOS="0" {size}>\n',
    ]
    paragraphs = lines = words = 0
    for block, members in enumerate(_blocks(page), 1):
        parts.append(f'    <ComposedBlock ID="block_{number}_{block}" {_place(_around([*chain(*members)]))}>\n')
        for paragraph in members:
            paragraphs += 1
            parts.append(f'     <TextBlock ID="par_{number}_{paragraphs}" {_place(_around(paragraph))}>\n')
            for line in paragraph:
                lines += 1
                parts.append(f'      <TextLine ID="line_{number}_{lines}" {_place(line.box)}>\n')
                for place, word in enumerate(line.words):
                    words += 1
                    said = f'WC="{min(1.0, max(0.0, word.confidence / 100)):.2f}" CONTENT={_quoted(word.text)}'
                    parts.append("       <SP/>\n" if place else "")
                    parts.append(f'       <String ID="word_{number}_{words}" {_place(word.box)} {said}/>\n')
                parts.append("      </TextLine>\n")
            parts.append("     </TextBlock>\n")
        parts.append("    </ComposedBlock>\n")
    return "".join([*parts, "   </PrintSpace>\n  </Page>\n"])


def _tsv(pages: Iterable[Text], _: str) -> Iterator[str]:
    yield "\t".join(COLUMNS) + "\n"
    for number, page in enumerate(pages, 1):
        yield "".join(_tsv_rows(number, page))


def _tsv_rows(number: int, page: Text) -> Iterator[str]:
    yield _tsv_row(1, (number, 0, 0, 0, 0), (0, 0, page.width, page.height))
    for block, members in enumerate(_blocks(page), 1):
        yield _tsv_row(2, (number, block, 0, 0, 0), _around([*chain(*members)]))
        for paragraph, lines in enumerate(members, 1):
            yield _tsv_row(3, (number, block, paragraph, 0, 0), _around(lines))
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


def _blocks(page: Text) -> Iterator[list[list[Line]]]:
    """The paragraphs of each block, each a list of lines. An engine may count paragraphs on from block to block."""
    for _, in_block in groupby(page.lines, key=lambda line: line.block):
        yield [list(lines) for _, lines in groupby(in_block, key=lambda line: line.paragraph)]


def _around(lines: Sequence[Line]) -> Box:
    lefts, tops, rights, bottoms = zip(*(line.box for line in lines), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _bbox(box: Box) -> str:
    return "bbox " + " ".join(map(str, box))


def _place(box: Box) -> str:
    left, top, right, bottom = box
    return f'HPOS="{left}" VPOS="{top}" WIDTH="{right - left}" HEIGHT="{bottom - top}"'


def _safe(words: str) -> str:
    return escape(legible(words))


def _quoted(words: str) -> str:
    return quoteattr(legible(words))


FORMATS: dict[str, Callable[[Iterable[Text], str], Iterator[str]]] = {
    "txt": _text,
    "hocr": _hocr,
    "alto": _alto,
    "tsv": _tsv,
    "json": _json,
}
