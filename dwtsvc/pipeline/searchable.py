"""Searchable PDFs from files that were read: of pictures a new one, of a PDF the same one with a layer of text."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dwtsvc.model import Encoding
from dwtsvc.pipeline.files import File
from dwtsvc.pipeline.recipe import Done
from dwtsvc.records import pack, unpack
from dwtsvc.text import Text

if TYPE_CHECKING:
    from dwtsvc.imaging.pdf import PdfWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a PDF says of itself; `conformance` is None or what `PdfWriter` knows."""

    title: str = ""
    author: str = ""
    subject: str = ""
    keywords: str = ""
    conformance: str | None = None


class Pictures:
    """A PDF of pictures: those of JPEG files byte for byte, all others losslessly, each with its text over it."""

    def __init__(self, file: BinaryIO, about: About) -> None:
        from dwtsvc.imaging.pdf import PdfWriter

        self._writer: PdfWriter = PdfWriter(file, **pack(about))

    def add(self, file: File, index: int, done: Done) -> None:
        picture = done.picture
        if picture is None:
            content = file.content if isinstance(file.content, bytes) else file.content.read_bytes()
            self._writer.add_jpeg(content, dpi=done.dpi, text=done.text)
        elif picture.encoding is Encoding.JPEG:
            self._writer.add_jpeg(picture.content, dpi=done.dpi, text=done.text)
        else:
            self._writer.add_png(picture.content, dpi=done.dpi, text=done.text)

    def finish(self) -> None:
        self._writer.close()


class Layered:
    """The PDF that was read, page by page as it is, with what was read over it.

    A page that was cleaned becomes the picture that it was made; one that was only turned is shown turned.
    """

    def __init__(self, target: BinaryIO, source: File, about: About, *, redo: bool) -> None:
        self._target, self._source, self._about, self._redo = target, source, about, redo
        self._texts: Spool[Text] = Spool(Text)
        self._images: Spool[Picture] = Spool(Picture)
        self._turns: dict[int, int] = {}

    def add(self, file: File, index: int, done: Done) -> None:
        if done.text:
            self._texts[index] = done.text
        names = {step.name for step in done.steps}
        if names == {"rotate"}:
            self._turns[index] = int(done.steps[0].values["degrees"])
        elif done.picture:
            self._images[index] = done.picture

    def finish(self) -> None: ...
