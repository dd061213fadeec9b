"""Searchable PDFs from files that were read: of pictures a new one, of a PDF the same one with a layer of text."""

from __future__ import annotations

import io
import os
import pickle
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from dwtsvc.model import Encoding
from dwtsvc.pictures import Picture
from dwtsvc.pipeline.files import File
from dwtsvc.pipeline.recipe import Done
from dwtsvc.records import pack
from dwtsvc.text import Text

if TYPE_CHECKING:
    from PIL.Image import Image

    from dwtsvc.imaging.pdf import PdfWriter
    from dwtsvc.imaging.pdfoverlay import PageImage


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
            self._writer.add_image(_image(picture), dpi=done.dpi, text=done.text)

    def finish(self) -> None:
        self._writer.close()


class Layered:
    """The PDF that was read, page by page as it is, with what was read over it.

    A page that was cleaned becomes the picture that it was made; one that was only turned is shown turned.
    """

    def __init__(self, target: BinaryIO, source: File, about: About, *, redo: bool) -> None:
        self._target, self._source, self._about, self._redo = target, source, about, redo
        self._texts: Spool[Text] = Spool()
        self._images: Spool[PageImage] = Spool()
        self._turns: dict[int, int] = {}

    def add(self, file: File, index: int, done: Done) -> None:
        if done.text:
            self._texts[index] = done.text
        names = {step.name for step in done.steps}
        if names == {"rotate"}:
            self._turns[index] = int(done.steps[0].values["degrees"])
        elif done.picture:
            self._images[index] = _page_image(done.picture)

    def finish(self) -> None:
        from dwtsvc.imaging import pdfoverlay

        described = {name: value or None for name, value in pack(self._about).items()}
        source = self._source
        pdfoverlay.add_text(
            source.content,
            self._target,
            self._texts,
            replace=frozenset(self._texts) if self._redo else frozenset(),
            images=self._images,
            rotate=self._turns,
            password=source.password,
            **described,
        )
        self._texts.close()
        self._images.close()


def _image(picture: Picture) -> Image:
    from dwtsvc.imaging import codecs

    return codecs.decode(io.BytesIO(picture.content))


def _page_image(picture: Picture) -> PageImage:
    from dwtsvc.imaging.pdfoverlay import PageImage
    from dwtsvc.imaging.streams import encode_g4

    raster, g4 = picture.raster, picture.encoding is not Encoding.JPEG
    data = encode_g4(_image(picture)) if g4 else picture.content
    return PageImage(data=data, width=raster.width, height=raster.height or 0, dpi=raster.dpi, g4=g4)


Record = TypeVar("Record")


class Spool(Mapping[int, Record]):
    """Records by a number, in a file: those of two thousand pages would fill memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()
        self._places: dict[int, tuple[int, int]] = {}

    def __setitem__(self, number: int, record: Record) -> None:
        data = pickle.dumps(record)
        self._places[number] = self._file.seek(0, os.SEEK_END), len(data)
        self._file.write(data)

    def __getitem__(self, number: int) -> Record:
        start, size = self._places[number]
        self._file.seek(start)
        record: Record = pickle.loads(self._file.read(size))  # written by this process, into a file that has no name
        return record

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def close(self) -> None:
        self._file.close()
