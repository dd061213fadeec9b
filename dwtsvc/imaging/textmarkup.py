"""The texts of pages as XML: hOCR 1.2 and ALTO 4, which differ in words; their elements lie in each other alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count, groupby
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from dwtsvc.imaging.characters import legible
from dwtsvc.text import Box, Line, Text, Word

ALTO = "http://www.loc.gov/standards/alto/ns-v4#"
HOCR_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{title}</title>
  <meta http-equiv="Content-Type" content="text/html; charset=utf-8"/>
  <meta name="ocr-system" content={engine}/>
  <meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word"/>
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


class Markup(NamedTuple):
    """The words of a format: how a file begins, how it says a box, its elements by level, what parts two words."""

    head: Callable[[str, str], str]  # of title and engine
    page: Callable[[int, Text], str]
    place: Callable[[Box], str]
    block: str
    paragraph: str
    line: str
    word: Callable[[str, Word], str]
    gap: str
    ends: tuple[str, str, str, str, str]  # of line, paragraph, block, page, file


def written(markup: Markup, pages: Iterable[Text], title: str) -> Iterator[str]:
    """The parts of a file: a page at a time. The engine that it names is that of the first page."""
    number = 0
    for number, page in enumerate(pages, 1):
        yield markup.head(title, page.engine) if number == 1 else ""
        yield "".join(_page(markup, number, page))
    yield markup.ends[4] if number else markup.head(title, "") + markup.ends[4]


def _page(markup: Markup, number: int, page: Text) -> Iterator[str]:
    names = {level: _names(level, number) for level in ("block", "par", "line", "word")}
    yield markup.page(number, page)
    for block in blocks(page):
        yield markup.block.format(name=next(names["block"]), place=markup.place(around([*chain(*block)])))
        for paragraph in block:
            yield markup.paragraph.format(name=next(names["par"]), place=markup.place(around(paragraph)))
            for line in paragraph:
                yield markup.line.format(name=next(names["line"]), place=markup.place(line.box))
                yield markup.gap.join(markup.word(next(names["word"]), word) for word in line.words)
                yield markup.ends[0]
            yield markup.ends[1]
        yield markup.ends[2]
    yield markup.ends[3]


def _names(level: str, number: int) -> Iterator[str]:
    return (f"{level}_{number}_{place}" for place in count(1))


def blocks(page: Text) -> Iterator[list[list[Line]]]:
    """The paragraphs of each block, each a list of lines."""
    for _, in_block in groupby(page.lines, key=lambda line: line.block):
        yield [list(lines) for _, lines in groupby(in_block, key=lambda line: line.paragraph)]


def around(lines: Sequence[Line]) -> Box:
    """The box around at least one line."""
    lefts, tops, rights, bottoms = zip(*(line.box for line in lines), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _hocr_head(title: str, engine: str) -> str:
    return HOCR_HEAD.format(title=escape(legible(title)), engine=quoteattr(legible(engine)))


def _hocr_page(number: int, page: Text) -> str:
    dpi = round(page.dpi) if math.isfinite(page.dpi) else 0
    facts = f"bbox 0 0 {page.width} {page.height}; ppageno {number - 1}; scan_res {dpi} {dpi}"
    return f'  <div class="ocr_page" id="page_{number}" title="{facts}">\n'


def _hocr_place(box: Box) -> str:
    return "bbox " + " ".join(map(str, box))


def _hocr_word(name: str, word: Word) -> str:
    facts = f"{_hocr_place(word.box)}; x_wconf {round(word.confidence)}"
    said = escape(legible(word.text))
    return f'      <span class="ocrx_word" id="{name}" title="{facts}">{said}</span>\n'


def _alto_head(_: str, engine: str) -> str:
    name, _, version = escape(legible(engine)).partition(" ")
    return ALTO_HEAD.format(namespace=ALTO, name=name, version=version)


def _alto_page(number: int, page: Text) -> str:
    sure = "" if page.confidence is None else f' ACCURACY="{page.confidence:.2f}"'
    size = f'WIDTH="{page.width}" HEIGHT="{page.height}"'
    start = f'  <Page ID="page_{number}" PHYSICAL_IMG_NR="{number}" {size} PROCESSINGREFS="OCR"{sure}>\n'
    return f'{start}   <PrintSpace HPOS="0" VPOS="0" {size}>\n'


def _alto_place(box: Box) -> str:
    left, top, right, bottom = box
    return f'HPOS="{left}" VPOS="{top}" WIDTH="{right - left}" HEIGHT="{bottom - top}"'


def _alto_word(name: str, word: Word) -> str:
    sure = min(1.0, max(0.0, word.confidence / 100))
    said = quoteattr(legible(word.text))
    return f'       <String ID="{name}" {_alto_place(word.box)} WC="{sure:.2f}" CONTENT={said}/>\n'


HOCR = Markup(
    head=_hocr_head,
    page=_hocr_page,
    place=_hocr_place,
    block='   <div class="ocr_carea" id="{name}" title="{place}">\n',
    paragraph='    <p class="ocr_par" id="{name}" title="{place}">\n',
    line='     <span class="ocr_line" id="{name}" title="{place}">\n',
    word=_hocr_word,
    gap="",
    ends=("     </span>\n", "    </p>\n", "   </div>\n", "  </div>\n", " </body>\n</html>\n"),
)
ALTO_4 = Markup(
    head=_alto_head,
    page=_alto_page,
    place=_alto_place,
    block='    <ComposedBlock ID="{name}" {place}>\n',
    paragraph='     <TextBlock ID="{name}" {place}>\n',
    line='      <TextLine ID="{name}" {place}>\n',
    word=_alto_word,
    gap="       <SP/>\n",
    ends=(
        "      </TextLine>\n",
        "     </TextBlock>\n",
        "    </ComposedBlock>\n",
        "   </PrintSpace>\n  </Page>\n",
        " </Layout>\n</alto>\n",
    ),
)
