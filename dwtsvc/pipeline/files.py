"""Files that somebody has: what is in them, and their pages as tasks."""

from __future__ import annotations

import io
from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

from dwtsvc.errors import AlreadyHasText, BadInput, FileAccess
from dwtsvc.pipeline.recipe import Original, Recipe, Task

if TYPE_CHECKING:
    from PIL.Image import Image

CHUNK = 1 << 20
MAX_PAGES = 10_000  # of a TIFF: each may be in a circle that leads back to the one before
ORIENTATION, UPRIGHT = 0x0112, 1  # of EXIF
TURNS = {UPRIGHT: 0, 3: 180, 6: 90, 8: 270}  # the others are mirrored


class Kind(StrEnum):
    """How a picture is packed that a PDF can hold as it is."""

    JPEG = "jpeg"
    PNG = "png"
    G4 = "g4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A picture that needs no packing again: a JPEG or PNG is its whole file; a G4 stream of `width` x `height` pixels
    is `size` bytes of it, from `start`, `inverted` if its black runs are white. It is to be shown turned clockwise by
    `turn`, a multiple of 90 degrees."""

    kind: Kind
    turn: int = 0
    start: int = 0
    size: int = 0
    width: int = 0
    height: int = 0
    inverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is in a file: how many pages; whether it is a PDF, which of its pages have text, and on which of them it is
    to be seen; of each picture, how a PDF can hold it as it is, or None; the checksum of its bytes."""

    pages: int
    pdf: bool
    texts: tuple[bool, ...] = ()
    visible: frozenset[int] = frozenset()
    kept: tuple[Kept | None, ...] = ()
    checksum: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file by the name that its owner knows it by."""

    name: str
    content: Path | bytes
    survey: Survey
    password: str | None = None

    def refuse_text(self, wanted: Container[int]) -> None:
        """Raise AlreadyHasText if a page, by its index, has text already."""
        with_text = [index + 1 for index, text in enumerate(self.survey.texts) if text and index in wanted]
        if with_text:
            raise AlreadyHasText(
                f"'{self.name}' has text already",
                why=f"on page {with_text[0]}" + (f" and {len(with_text) - 1} more" if with_text[1:] else ""),
                hint="--skip-text leaves such pages as they are, --redo-ocr reads them anew, --force-ocr makes images.",
            )

    def tasks(
        self,
        recipe: Recipe,
        wanted: Container[int],
        *,
        first: int,
        cache: Path | None,
        dpi: float | None = None,
        pictures: bool = False,
        force: bool = False,
    ) -> Iterator[tuple[int, Task]]:
        """The pages of the wanted indices as tasks, each with its index; their numbers count from `first`.

        With `pictures` one is wanted of every page that a PDF cannot hold as it is, with `force` of every page. `dpi`
        is what pictures have, against their own word; pages of PDFs have a size of their own.
        """
        for index in range(self.survey.pages):
            if index in wanted:
                kept = self.kept(index)
                original = Original(
                    content=self.content,
                    index=index,
                    lossy=self.survey.pdf or (kept is not None and kept.kind is Kind.JPEG),
                    whole=force or (pictures and kept is None and not self.survey.pdf),
                    dpi=None if self.survey.pdf else dpi,
                    password=self.password,
                )
                checksum = f"{self.survey.checksum}:{index}"
                yield index, Task(number=first, original=original, recipe=recipe, checksum=checksum, cache=cache)
                first += 1

    def kept(self, index: int) -> Kept | None:
        """How a PDF can hold a picture as it is; None if it cannot, and for the pages of PDFs."""
        return self.survey.kept[index] if self.survey.kept else None

    def stream(self, kept: Kept) -> bytes:
        """The bytes of such a picture. Raises FileAccess."""
        if isinstance(self.content, bytes):
            return self.content[kept.start : kept.start + kept.size] if kept.size else self.content
        try:
            with self.content.open("rb") as file:
                file.seek(kept.start)
                return file.read(kept.size or -1)
        except OSError as error:
            raise FileAccess(f"'{self.content}' cannot be read", why=error.strerror or str(error)) from error


def survey(content: Path | bytes, password: str | None = None) -> Survey:
    """Look into a file. Parses what a stranger made: call it in a worker. Raises BadInput, Encrypted, FileAccess."""
    from dwtsvc.imaging.imagefiles import is_pdf

    checksum = _checksum(content)
    if is_pdf(content):
        from dwtsvc.imaging.pdfoverlay import has_text, visible_text

        texts = tuple(has_text(content, password))
        seen = visible_text(content, password) if any(texts) else []
        visible = frozenset(index for index, shown in enumerate(seen) if shown and texts[index])
        return Survey(pages=len(texts), pdf=True, texts=texts, visible=visible, checksum=checksum)
    kept = _pictures(content)
    return Survey(pages=len(kept), pdf=False, kept=kept, checksum=checksum)


def _checksum(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return xxhash.xxh3_128_hexdigest(content)
    found = xxhash.xxh3_128()
    try:
        with content.open("rb") as file:
            while chunk := file.read(CHUNK):
                found.update(chunk)
    except OSError as error:
        raise FileAccess(f"'{content}' cannot be read", why=error.strerror or str(error)) from error
    return found.hexdigest()


def _pictures(content: Path | bytes) -> tuple[Kept | None, ...]:
    """Of each picture how a PDF can hold it as it is, and every reader shows it as this program does."""
    from dwtsvc.imaging import codecs
    from dwtsvc.imaging.imagefiles import SEVERAL

    with codecs.opened(io.BytesIO(content) if isinstance(content, bytes) else content) as image:
        pages = getattr(image, "n_frames", 1) if image.format in SEVERAL else 1
        if pages > MAX_PAGES:
            raise BadInput("The file has too many pictures", why=f"{pages}, the limit is {MAX_PAGES:,}")
        if image.format == "TIFF":
            return tuple(_strip(image, number) for number in range(pages))
        return (_whole_file(image, content),) if pages == 1 else (None,) * pages


def _strip(image: Image, number: int) -> Kept | None:
    from dwtsvc.imaging.streams import g4_strip

    image.seek(number)
    place = g4_strip(image)
    if place is None:
        return None
    start, size, inverted = place
    return Kept(kind=Kind.G4, start=start, size=size, width=image.width, height=image.height, inverted=inverted)


def _whole_file(image: Image, content: Path | bytes) -> Kept | None:
    turn = TURNS.get(image.getexif().get(ORIENTATION, UPRIGHT))
    if turn is None:
        return None
    if image.format in ("JPEG", "MPO"):
        return Kept(kind=Kind.JPEG, turn=turn) if image.mode in ("L", "RGB") else None
    if image.format != "PNG":
        return None
    from dwtsvc.imaging.png import deflated_rows

    data = content if isinstance(content, bytes) else content.read_bytes()
    return Kept(kind=Kind.PNG) if deflated_rows(data) else None
