"""From scanned rows to the form in which a page is stored, and from stored pages to an output."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dwtsvc.buffer import PageStore, storage_error
from dwtsvc.devices.process import PageReady
from dwtsvc.formats import PageEncoder, canvas
from dwtsvc.imaging import jpeg
from dwtsvc.jobs import Developed, Job
from dwtsvc.model import Encoding, Mode, PageInfo, Raster, ScanRequest, Step
from dwtsvc.outputs import Output

if TYPE_CHECKING:
    from PIL.Image import Image


class Developer:
    """Makes each page what was asked for: the mode where the device could not, JPEG where the output is JPEG.

    A page is encoded once, before it is stored, on all cores; the output then copies bytes. Called from several threads.
    """

    def __init__(self, mode: Mode, encoder: PageEncoder, quality: int) -> None:
        self._mode = mode
        self._jpeg = encoder.stores_jpeg
        # An image file must be JPEG if its name says so; a document takes lineart as it is.
        self._lineart_as_jpeg = encoder.format == "jpeg"
        self._quality = quality

    def __call__(self, page: PageReady, request: ScanRequest) -> Developed:
        with page.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if page.encoding is Encoding.JPEG:
                return self._from_jpeg(page, data)
            if self._mode is page.raster.mode and not self._becomes_jpeg(self._mode):
                return Developed(page.path, Encoding.RAW, page.raster)
            if self._mode is page.raster.mode and jpeg.can_encode(page.raster):
                return _store(page, "jpeg", jpeg.encode(page.raster, data, self._quality), Encoding.JPEG, page.raster)
            return self._from_image(page, canvas().load(page.raster, data))  # type: ignore[arg-type]

    def _becomes_jpeg(self, mode: Mode) -> bool:
        return self._jpeg and (mode is not Mode.LINEART or self._lineart_as_jpeg)

    def _from_jpeg(self, page: PageReady, data: mmap.mmap) -> Developed:
        """What a device sends compressed stays compressed, unless another mode was asked for."""
        if self._mode in (Mode.AUTO, page.raster.mode):
            return Developed(page.path, Encoding.JPEG, page.raster)
        import io

        from dwtsvc.imaging import codecs

        return self._from_image(page, codecs.decode(io.BytesIO(data)))

    def _from_image(self, page: PageReady, image: Image) -> Developed:
        mode = self._mode
        if mode is Mode.AUTO:
            from dwtsvc.imaging import judge

            mode = judge.mode_of(image)
        if self._becomes_jpeg(mode):
            return self._as_jpeg(page, _in_mode(image, mode), mode)
        if mode is page.raster.mode:
            return Developed(page.path, Encoding.RAW, page.raster)
        return _store_rows(page, _in_mode(image, mode))

    def _as_jpeg(self, page: PageReady, image: Image, mode: Mode) -> Developed:
        import tempfile

        from dwtsvc.imaging import codecs

        with tempfile.TemporaryFile(dir=page.path.parent) as file:  # a real file, so that Pillow releases the GIL
            codecs.encode(image, "jpeg", file, dpi=page.raster.dpi, quality=self._quality)
            file.seek(0)
            raster = _packed(page.raster, 3 if mode is Mode.COLOR else 1, 8)
            return _store(page, "jpeg", file.read(), Encoding.JPEG, raster)


def _store(page: PageReady, kind: str, data: bytes, encoding: Encoding, raster: Raster) -> Developed:
    """Write the bytes beside the slot, for the store to take over."""
    path = page.path.with_name(f"{page.slot}.{kind}")
    try:
        with open(path, "wb", buffering=0, opener=_private) as file:
            written = file.write(data)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise storage_error(error, path) from error
    return Developed(path, encoding, raster)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _in_mode(image: Image, mode: Mode) -> Image:
    """The image in a mode the device did not deliver; an image that is in it already stays itself."""
    from dwtsvc.imaging import edit

    if mode is Mode.COLOR:
        return image
    return edit.apply(Step(name="gray" if mode is Mode.GRAY else "threshold"), image)


def _store_rows(page: PageReady, image: Image) -> Developed:
    depth = 1 if image.mode == "1" else 16 if image.mode.startswith("I") else 8
    rows = image.tobytes("raw", "1;I") if depth == 1 else image.tobytes()
    return _store(page, "rows", rows, Encoding.RAW, _packed(page.raster, 1, depth))


def _packed(raster: Raster, channels: int, depth: int) -> Raster:
    """The raster of rows without padding."""
    return replace(raster, channels=channels, depth=depth, bytes_per_line=(raster.width * channels * depth + 7) // 8)


@dataclass(frozen=True, slots=True)
class Written:
    """A page that reached the output, and the files that it completed."""

    page: PageInfo
    files: tuple[Path, ...]


def write_job(
    job: Job,
    store: PageStore,
    output: Output,
    *,
    on_page: Callable[[Written], object],
    on_wait: Callable[[], object] = lambda: None,
) -> int:
    """Put the job's pages into the output as they come; how many. `on_wait` is called a few times a second.

    Raises what the job or the output reports; pages before that were written.
    """
    count = 0
    while True:
        try:
            page = job.next_page(timeout=0.1)
        except TimeoutError:
            on_wait()
            continue
        if page is None:
            return count
        on_page(write_page(page, store, output))
        count += 1


def write_page(page: PageInfo, store: PageStore, output: Output) -> Written:
    """One stored page into the output; a page that is safe in a file of its own leaves the store."""
    files = output.add(page, store)
    if files:
        store.drop(page)
    return Written(page, tuple(files))


def collate(fronts: list[PageInfo], backs: list[PageInfo]) -> list[PageInfo]:
    """The pages of a stack in reading order: scanned front by front, turned over, and scanned back by back."""
    return [page for sheet in zip(fronts, reversed(backs), strict=True) for page in sheet]
