"""What is done with pages and files in confined children. Each function takes and gives plain values and records.

A child imports this module: nothing here, and nothing that it imports, may know the network or the faces.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from dwtsvc import pictures
from dwtsvc.errors import BadInput, InvalidOutput
from dwtsvc.facts import PageFacts
from dwtsvc.formats import PageEncoder, image_of
from dwtsvc.model import Barcode, Encoding, PageInfo, Step
from dwtsvc.pictures import Picture
from dwtsvc.server.looks import Ask, Found
from dwtsvc.server.thumbs import PAGE_PIXELS

if TYPE_CHECKING:
    from dwtsvc.imaging.blank import Blank
    from dwtsvc.imaging.orientation import Orientation
    from dwtsvc.server.uploads import Upload
    from dwtsvc.splitting import Row

UNSTATED_DPI = 200.0  # of files that somebody loads
UNKNOWN_DPI = 300.0  # of pictures that are fetched
MOST_PAGES = 1000

Steps = Sequence[Step]


def file_pictures(upload: Upload, dpi: float, gray: bool, password: str | None) -> Iterator[Picture]:
    """Every picture of a file: a JPEG as it is, others lossless. `dpi` and `gray` are for PDF pages that are drawn."""
    from dwtsvc.imaging.imagefiles import images

    file = upload.read()  # whole: a JPEG stays the bytes it is, and the reader of PDFs wants all of them
    if whole := pictures.as_it_is(file, UNSTATED_DPI, max_pixels=PAGE_PIXELS):
        yield whole
        return
    for image, stated in images(
        file, dpi=dpi, gray=gray, password=password, max_pixels=PAGE_PIXELS, max_pages=MOST_PAGES
    ):
        yield pictures.lossless(image, stated or dpi)


def first_picture(file: bytes) -> Picture:
    """The first picture of an image file. Raises BadInput."""
    return pictures.of_file(file, UNKNOWN_DPI, max_pixels=PAGE_PIXELS)


def barcodes(page: PageInfo, data: bytes, engine: str) -> list[Barcode]:
    from dwtsvc.imaging import barcode

    image, dpi = image_of(page, data)
    # A picture that was fetched is in no store, and may have told no dpi: 300 stands there then.
    return barcode.read(image, engine=engine, dpi=dpi if page.id else None)


def blank(page: PageInfo, data: bytes, steps: Steps, least: float | None, most: float | None) -> Blank:
    """Whether a page is blank; marks from `least` to `most` pixels high are content."""
    from dwtsvc.imaging.blank import blank as judged

    return judged(image_of(page, data, steps)[0], min_block=least, max_block=most)


def skew(page: PageInfo, data: bytes, steps: Steps) -> float:
    """The degrees by which a page leans."""
    from dwtsvc.imaging.skew import skew as angle

    return angle(image_of(page, data, steps)[0])


def orientation(page: PageInfo, data: bytes, steps: Steps, tessdata: str | None, folder: str) -> Orientation | None:
    """Which way up a page is; None where its text does not tell."""
    from dwtsvc.imaging.orientation import orientation as found

    tempfile.tempdir = folder
    image, dpi = image_of(page, data, steps)
    return found(image, dpi, tessdata=tessdata)


def encoded(page: PageInfo, data: bytes, format: str, quality: int, steps: Steps) -> bytes:
    """A page as a file of a format: its own bytes where they are that already. Raises BadInput, TooLarge."""
    encoder = PageEncoder(format, quality=quality)
    if encoder.copies(page) and not steps:
        return data
    with memory_file() as file:
        try:
            encoder.write(page, data, file, steps)
        except InvalidOutput as error:
            raise BadInput(error.what, why=error.why, hint=error.hint) from error
        file.seek(0)
        return file.read()


def developed(page: PageInfo, data: bytes, steps: Steps, ask: Ask, folder: str) -> Found:
    """All that is asked about a page with its edits; programs that are called put their files into a folder.

    Raises BadInput, MissingDependency, ChildProgramFailed.
    """
    from dwtsvc.imaging.cleaning import Cleaning
    from dwtsvc.pipeline.recipe import Original, Recipe, Task
    from dwtsvc.pipeline.work import work

    tempfile.tempdir = folder
    content, encoding, raster = data, page.encoding, page.raster
    if steps:
        made = pictures.lossless(*image_of(page, data, steps))
        content, encoding, raster = made.content, made.encoding, made.raster
    original = Original(content=content, encoding=encoding, raster=raster, lossy=page.encoding is Encoding.JPEG)
    recipe = Recipe(
        orient=ask.rotate,
        cleaning=Cleaning(deskew=ask.deskew),
        judge=ask.separators,
        barcodes=() if ask.separators else None,
        reading=ask.reading,
    )
    [done] = work(Task(number=1, original=original, recipe=recipe, back=page.back))
    return Found(
        width=done.width,
        height=done.height,
        dpi=done.dpi,
        text=done.text,
        picture=done.picture,
        barcodes=done.barcodes,
        blank=done.blank,
        black=done.black,
    )


def split(facts: Sequence[PageFacts], separators: Sequence[str], duplex: bool, drop_blank: bool) -> list[Row]:
    """The page map of a stack. Here because a pattern that somebody wrote may search for ever."""
    from dwtsvc.separators import parse
    from dwtsvc.splitting import Splitter, page_map

    splitter = Splitter([parse(each) for each in separators], duplex=duplex, drop_blank=drop_blank)
    decisions = [decision for each in facts for decision in splitter.feed(each)]
    return page_map([*decisions, *splitter.finish()])


def memory_file() -> BinaryIO:
    """A file that is not on the disk, where the system has such, and yet lets an encoder work beside other threads."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("dwtsvc", os.MFD_CLOEXEC), "w+b")
    return tempfile.TemporaryFile()
