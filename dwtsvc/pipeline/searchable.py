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
from dwtsvc.pipeline.files import File, Kept, Kind
from dwtsvc.pipeline.recipe import Done
from dwtsvc.records import pack
from dwtsvc.text import Text

if TYPE_CHECKING:
    from PIL.Image import Image

    from dwtsvc.imaging.pdf import PdfWriter
    from dwtsvc.imaging.pdfoverlay import PageImage

PNG_WIDTH = slice(16, 20)  # in its header


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a PDF says of itself; `conformance` is None or what `PdfWriter` knows."""

    title: str = ""
    author: str = ""
    subject: str = ""
    keywords: str = ""
    conformance: str | None = None


class Pictures:
    """A PDF of pictures, each with its text over it: as they are in their files where that can be, also where they are
    only to be turned, and all others losslessly."""

    def __init__(self, file: BinaryIO, about: About) -> None:
        from dwtsvc.imaging.pdf import PdfWriter

        self._writer: PdfWriter = PdfWriter(file, **pack(about))

    def add(self, file: File, index: int, done: Done) -> None:
        kept = file.kept(index)
        names = {step.name for step in done.steps}
        if kept and names <= {"rotate"}:
            turn = (kept.turn + sum(int(step.values["degrees"]) for step in done.steps)) % 360
            self._add_kept(kept, file.stream(kept), done, turn)
        elif done.picture:
            self._add_made(done.picture, done.text)

    def _add_kept(self, kept: Kept, data: bytes, done: Done, turn: int) -> None:
        """A picture as it is in its file; the page may have been read from a smaller one."""
        inches = (done.height if turn % 180 else done.width) / done.dpi
        if kept.kind is Kind.JPEG:
            self._writer.add_jpeg(data, dpi=_jpeg_width(data) / inches, text=done.text, turn=turn)
        elif kept.kind is Kind.G4:
            self._writer.add_g4(
                data,
                width=kept.width,
                height=kept.height,
                dpi=kept.width / inches,
                text=done.text,
                turn=turn,
                inverted=kept.inverted,
            )
        else:
            across = int.from_bytes(data[PNG_WIDTH], "big")
            self._writer.add_png(data, dpi=across / inches, text=done.text, turn=turn)

    def _add_made(self, picture: Picture, text: Text | None) -> None:
        dpi = picture.raster.dpi
        if picture.encoding is Encoding.JPEG:
            self._writer.add_jpeg(picture.content, dpi=dpi, text=text)
        elif picture.raster.depth > 1:
            self._writer.add_png(picture.content, dpi=dpi, text=text)
        else:
            self._writer.add_image(_image(picture), dpi=dpi, text=text)

    def finish(self) -> list[str]:
        self._writer.close()
        return []

    def close(self) -> None:
        """Nothing is held."""


def _jpeg_width(data: bytes) -> int:
    from dwtsvc.imaging.streams import jpeg_header

    return jpeg_header(data).width


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

    def finish(self) -> list[str]:
        from dwtsvc.imaging import pdfoverlay

        described = {name: value or None for name, value in pack(self._about).items()}
        source = self._source
        overlaid = pdfoverlay.add_text(
            source.content,
            self._target,
            self._texts,
            replace=frozenset(self._texts) if self._redo else frozenset(),
            images=self._images,
            rotate=self._turns,
            password=source.password,
            **described,
        )
        return list(overlaid.notes)

    def close(self) -> None:
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
