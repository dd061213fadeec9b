"""From scanned rows to the form in which a page is stored."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dwtsvc.devices.process import PageReady
from dwtsvc.disk import private, telling
from dwtsvc.errors import PageDamaged
from dwtsvc.formats import PageEncoder, canvas
from dwtsvc.imaging import jpeg
from dwtsvc.jobs import Developed
from dwtsvc.model import Encoding, Mode, Raster, ScanRequest, Step

if TYPE_CHECKING:
    from PIL.Image import Image

RICHNESS = (Mode.LINEART, Mode.GRAY, Mode.COLOR)


class Developer:
    """Makes each page what was asked for: the mode where the device could not, JPEG where the output is JPEG.

    A page is encoded once, before it is stored, on all cores; the output then copies bytes. No page becomes richer than
    the device made it, and what a device sends compressed stays compressed unless a poorer mode was asked for. With
    `compact` rows are kept as PNG, a third of their size: for pages that stay. Called from several threads. Raises
    DiskFull, FileAccess or PageDamaged, and then leaves no file of its own.
    """

    def __init__(self, mode: Mode, encoder: PageEncoder, quality: int, *, compact: bool = False) -> None:
        self._mode = mode
        self._encoder = encoder
        self._quality = quality
        self._compact = compact

    def __call__(self, page: PageReady, request: ScanRequest) -> Developed:
        made = self._developed(page)
        return _as_png(page, made) if self._compact and made.encoding is Encoding.RAW else made

    def _developed(self, page: PageReady) -> Developed:
        mode = self._possible(page.raster.mode)
        with _mapped(page.path) as data:
            if page.encoding is not Encoding.RAW:
                return self._from_file(page, data, mode)
            if mode is page.raster.mode and not self._encoder.makes_jpeg(mode, page.raster):
                return Developed(page.path, Encoding.RAW, page.raster)
            if mode is page.raster.mode and jpeg.can_encode(page.raster):
                return _store_jpeg(page, jpeg.encode(page.raster, data, self._quality))
            return self._from_image(page, canvas().load(page.raster, data), mode)

    def _possible(self, delivered: Mode) -> Mode:
        return Mode.AUTO if self._mode is Mode.AUTO else min(self._mode, delivered, key=RICHNESS.index)

    def _from_file(self, page: PageReady, data: mmap.mmap, mode: Mode) -> Developed:
        if mode in (Mode.AUTO, page.raster.mode):
            return Developed(page.path, page.encoding, page.raster)
        import io

        from dwtsvc.imaging import codecs

        return self._from_image(page, codecs.decode(io.BytesIO(data)), mode)

    def _from_image(self, page: PageReady, image: Image, mode: Mode) -> Developed:
        if mode is Mode.AUTO:
            from dwtsvc.imaging import judge

            mode = judge.mode_of(image)
        if self._encoder.makes_jpeg(mode, page.raster):
            return self._as_jpeg(page, _in_mode(image, mode))
        if mode is page.raster.mode:
            return Developed(page.path, Encoding.RAW, page.raster)
        return _store_rows(page, _in_mode(image, mode))

    def _as_jpeg(self, page: PageReady, image: Image) -> Developed:
        from dwtsvc.imaging import codecs

        with _beside(page, "jpeg") as (path, file):
            codecs.encode(image, "jpeg", file, dpi=page.raster.dpi, quality=self._quality)
        return Developed(path, Encoding.JPEG, _raster_of(image, 8, page.raster))


def _mapped(path: Path) -> mmap.mmap:
    """Raises PageDamaged: a TimeoutError of the disk would look like a page that is not there yet."""
    try:
        with path.open("rb") as file:
            # A private mapping counts as writable, which lets the JPEG encoder read it in place.
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError) as error:
        raise PageDamaged("A page from the scanner cannot be read back", why=str(error)) from error


@contextlib.contextmanager
def _beside(page: PageReady, kind: str) -> Iterator[tuple[Path, BinaryIO]]:
    """A file beside the slot for the store to take over, gone if it does not become whole.

    It is a real file because Pillow releases the GIL for one.
    """
    path = page.path.with_name(f"{page.slot}.{kind}")
    with telling(path.parent):  # outermost: what is free is told when the file is gone
        try:
            with open(path, "w+b", opener=private) as file:
                yield path, file
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _store_jpeg(page: PageReady, data: bytes) -> Developed:
    with _beside(page, "jpeg") as (path, file):
        file.write(data)
    return Developed(path, Encoding.JPEG, page.raster)


def _as_png(page: PageReady, made: Developed) -> Developed:
    """Rows as PNG, every bit of them."""
    from dwtsvc.imaging import codecs

    try:
        with _mapped(made.file) as data, _beside(page, "png") as (path, file):
            if made.raster.depth == 1:
                codecs.encode_rows(made.raster, data, "png", file, canvas=canvas())
            else:
                codecs.encode_rows_png(made.raster, data, file)
    finally:
        if made.file != page.path:
            made.file.unlink(missing_ok=True)
    return Developed(path, Encoding.PNG, made.raster)


def _in_mode(image: Image, mode: Mode) -> Image:
    """The image in a mode the device did not deliver; an image that is in it already stays itself."""
    from dwtsvc.imaging import edit

    if mode is Mode.COLOR:
        return image
    return edit.apply(Step(name="gray" if mode is Mode.GRAY else "threshold"), image)


def _store_rows(page: PageReady, image: Image) -> Developed:
    depth = 1 if image.mode == "1" else 8
    with _beside(page, "rows") as (path, file):
        file.write(image.tobytes("raw", "1;I") if depth == 1 else image.tobytes())
    return Developed(path, Encoding.RAW, _raster_of(image, depth, page.raster))


def _raster_of(image: Image, depth: int, raster: Raster) -> Raster:
    """What an image's packed rows, or its JPEG, hold; a decoded page may be of another size than was announced."""
    channels = 3 if image.mode == "RGB" else 1
    line = (image.width * channels * depth + 7) // 8
    return replace(raster, width=image.width, height=image.height, channels=channels, depth=depth, bytes_per_line=line)
