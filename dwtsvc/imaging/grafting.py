"""What is grafted onto the pages of another PDF: text layers, and pages that are an image.

All of it comes from a PDF that our own writer makes in a temporary file. pikepdf holds what it copies out of it until
the other PDF is written: a few kB for a text, and every image that replaces a page in whole.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import pikepdf
from PIL import Image

from dwtsvc.imaging import textlayer
from dwtsvc.imaging.glyphless import Codes
from dwtsvc.imaging.pdf import LAYER_LEVEL, PdfWriter
from dwtsvc.text import Line, Text, Word

FONT = "DwtsvcText"
BOXES = ("/BleedBox", "/TrimBox", "/ArtBox", "/UserUnit", "/Group")
TURNS = {  # from the page as shown to the page as written, by the degrees it is shown turned clockwise
    0: "1 0 0 1 {left:.4f} {bottom:.4f}",
    90: "0 1 -1 0 {right:.4f} {bottom:.4f}",
    180: "-1 0 0 -1 {right:.4f} {top:.4f}",
    270: "0 -1 1 0 {left:.4f} {top:.4f}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageImage:
    """A picture in place of a page, as it is to be shown: a JPEG, or with `g4` a group 4 stream whose black is black.

    The page becomes `width` x `height` pixels at `dpi` in size.
    """

    data: bytes
    width: int
    height: int
    dpi: float
    g4: bool = False


class Donor:
    """Texts and images, ready to be grafted. Close it when the other PDF is written, not before."""

    def __init__(self, file: BinaryIO, texts: Mapping[int, Text], images: Mapping[int, PageImage]) -> None:
        """Write all to the file, asking for one image after another."""
        self._texts = texts
        self._codes = Codes()
        self._numbers = {index: number for number, index in enumerate(sorted(images), 1)}
        letters = sorted({letter for text in texts.values() for word in text.words for letter in word.text} | {" "})
        with PdfWriter(file) as writer:
            writer.add_image(Image.new("1", (8, 8)), dpi=72, text=_alphabet(letters))
            for index in self._numbers:
                _add(writer, images[index], texts.get(index))
        self._codes.encode("".join(letters))  # the same letters in the same order: the same codes as in the font
        self._pdf = pikepdf.open(file)
        self._font: Any = None

    def close(self) -> None:
        self._pdf.close()

    def replace(self, pdf: pikepdf.Pdf, index: int) -> None:
        """Make a page of the PDF the image that is meant for it, with its text."""
        given, page = self._pdf.pages[self._numbers[index]].obj, pdf.pages[index].obj
        for key in BOXES:
            if key in page:
                del page[key]
        page.MediaBox = page.CropBox = pikepdf.Array(list(given.MediaBox))
        page.Rotate = 0
        if "/UserUnit" in given:
            page.UserUnit = given.UserUnit
        page.Resources = pdf.copy_foreign(self._pdf.make_indirect(given.Resources))
        page.Contents = pdf.copy_foreign(given.Contents)

    def layer(self, pdf: pikepdf.Pdf, index: int) -> bool:
        """Lay the text over a page of the PDF as that is shown; whether there was a word.

        The layer is drawn first, before any command of the page changes the ground; being invisible, it can.
        """
        page = pdf.pages[index]
        matrix, width, height = _shown(page)
        name = self._name(pdf, page)
        content = textlayer.content(self._texts[index], width, height, codes=self._codes, font=name)
        if not content:
            return False
        packed = zlib.compress(b"q %b cm\n%bQ\n" % (matrix.encode(), content), LAYER_LEVEL)
        page.contents_add(pdf.make_stream(packed, {"/Filter": pikepdf.Name.FlateDecode}), prepend=True)
        self._lend_font(page, name)
        return True

    def _name(self, pdf: pikepdf.Pdf, page: pikepdf.Page) -> str:
        """A name for our font that no other font has on the page."""
        if self._font is None:
            self._font = pdf.copy_foreign(self._pdf.pages[0].obj.Resources.Font[f"/{textlayer.FONT}"])
        fonts: Any = page.resources.get("/Font", {})
        name, number = FONT, 1
        while f"/{name}" in fonts:
            name, number = f"{FONT}{number}", number + 1
        return name

    def _lend_font(self, page: pikepdf.Page, name: str) -> None:
        """Resources may be shared with other pages: this one gets its own."""
        resources = copy.copy(page.resources)
        resources.Font = copy.copy(resources.get("/Font", pikepdf.Dictionary()))
        resources.Font[f"/{name}"] = self._font
        page.obj.Resources = resources


def _add(writer: PdfWriter, image: PageImage, text: Text | None) -> None:
    if image.g4:
        writer.add_g4(image.data, width=image.width, height=image.height, dpi=image.dpi, text=text)
    else:
        writer.add_jpeg(image.data, width=image.width, height=image.height, dpi=image.dpi, text=text)


def _alphabet(letters: list[str]) -> Text:
    """Every letter as a word, so that the font that is made for it knows all of them, in their order."""
    words = tuple(Word(text=letter, box=(0, 0, 1, 1), confidence=0) for letter in letters)
    line = Line(words=words, box=(0, 0, 1, 1), block=1, paragraph=1)
    return Text(width=8, height=8, dpi=72, languages="", engine="", lines=(line,))


def _shown(page: pikepdf.Page) -> tuple[str, float, float]:
    """The matrix from the page as shown, whose origin is its lower left, and its width and height in its own units."""
    left, bottom, right, top = _visible(page)
    turn = int(page.rotation) % 360
    matrix = TURNS.get(turn, TURNS[0]).format(left=left, bottom=bottom, right=right, top=top)
    across, up = right - left, top - bottom
    return (matrix, up, across) if turn in (90, 270) else (matrix, across, up)


def _visible(page: pikepdf.Page) -> tuple[float, float, float, float]:
    """The crop box as far as it lies on the paper, or the paper where it does not."""
    paper, crop = _ordered(page.mediabox), _ordered(page.cropbox)
    left, bottom = max(paper[0], crop[0]), max(paper[1], crop[1])
    right, top = min(paper[2], crop[2]), min(paper[3], crop[3])
    return (left, bottom, right, top) if left < right and bottom < top else paper


def _ordered(box: Any) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(side) for side in box)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
