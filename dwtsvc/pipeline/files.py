"""Files that somebody has: what is in them, and their pages as tasks."""

from __future__ import annotations

import io
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import xxhash

from dwtsvc.errors import AlreadyHasText, FileAccess
from dwtsvc.pipeline.recipe import Original, Recipe, Task

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is in a file: how many pages; whether it is a PDF, and which of its pages have text; whether it is one
    upright JPEG of gray or RGB, which needs no encoding again; the checksum of its bytes."""

    pages: int
    pdf: bool
    texts: tuple[bool, ...] = ()
    jpeg: bool = False
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
        whole: bool = False,
    ) -> Iterator[tuple[int, Task]]:
        """The pages of the wanted indices as tasks, each with its index; their numbers count from `first`.

        With `whole` a picture of every page is wanted, changed or not.
        """
        for index in range(self.survey.pages):
            if index in wanted:
                original = Original(
                    content=self.content,
                    index=index,
                    lossy=self.survey.jpeg or self.survey.pdf,
                    whole=whole or not (self.survey.jpeg or self.survey.pdf),
                    dpi=dpi,
                    password=self.password,
                )
                checksum = f"{self.survey.checksum}:{index}"
                yield index, Task(number=first, original=original, recipe=recipe, checksum=checksum, cache=cache)
                first += 1


def survey(content: Path | bytes, password: str | None = None) -> Survey:
    """Look into a file. Parses what a stranger made: call it in a worker. Raises BadInput, Encrypted, FileAccess."""
    from dwtsvc.imaging.imagefiles import count, is_pdf

    checksum = _checksum(content)
    if is_pdf(content):
        from dwtsvc.imaging.pdfoverlay import has_text

        texts = tuple(has_text(content, password))
        return Survey(pages=len(texts), pdf=True, texts=texts, checksum=checksum)
    return Survey(pages=count(content), pdf=False, jpeg=_is_plain_jpeg(content), checksum=checksum)


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


def _is_plain_jpeg(content: Path | bytes) -> bool:
    """Whether it is a JPEG that a PDF can hold as it is and every reader shows as this program does."""
    from dwtsvc.imaging import codecs

    with codecs.opened(io.BytesIO(content) if isinstance(content, bytes) else content) as image:
        return image.format == "JPEG" and image.mode in ("L", "RGB") and image.getexif().get(0x0112, 1) == 1
