"""One page as bytes: read from the store, named as a source by its address, made into what is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dwtsvc.buffer import Buffer, Leaf
from dwtsvc.errors import BadArguments, PageDamaged
from dwtsvc.model import PageInfo
from dwtsvc.pictures import Picture
from dwtsvc.server import parsing, saving
from dwtsvc.server.gate.access import caller
from dwtsvc.server.rest import pagelinks
from dwtsvc.store import PageStore

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

FORMATS = {media_type: format for format, media_type in saving.MEDIA_TYPES.items()}
IN_MEMORY = 64 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page and its bytes in memory; `page` tells what they are, and is in no store for a picture that was fetched."""

    page: PageInfo
    data: bytes


def of_job(service: Service, bucket: str, job: str, page: PageInfo) -> Sheet:
    """A page of a job. Raises JobDeleted if that went away meanwhile, PageDamaged."""
    try:
        return _read(service.store, page)
    except PageDamaged:
        service.holdings.job(bucket, job)
        raise


def _read(store: PageStore, page: PageInfo) -> Sheet:
    with store.reading(page) as data:
        return Sheet(page, bytes(data))


def reader(store: PageStore, page: PageInfo) -> Callable[[], bytes]:
    """Reads a page when its turn comes. Raises PageDamaged then."""
    return lambda: _read(store, page).data


async def of_source(service: Service, request: Any, url: str) -> Sheet:
    """The page at an address that a client names: one of its own pages, or a picture that may be fetched.

    Raises BadArguments with the reason, UnknownJob, UnknownItem.
    """
    bucket = caller(request).bucket
    link = pagelinks.parse(url, request.url.netloc)
    if link is not None:
        held = service.holdings.job(bucket, link.job)
        return await service.bridge.run(of_job, service, bucket, link.job, pagelinks.find(held.job, link))
    from dwtsvc.server.rest import bufferlinks

    if (image := bufferlinks.parse(url, request.url.netloc)) is not None:
        return await service.bridge.run(bufferlinks.read, service, bucket, *image)
    if not service.settings.fetch_sources:
        raise BadArguments(
            "The source is no page of this service",
            why="the service does not fetch from other addresses",
            hint="Take the url that next-page-info tells.",
        )
    from dwtsvc.server import fetch

    data = await service.bridge.outside(fetch.fetch, url, service.settings.upload_targets)
    name = "The source"
    return of_picture(
        await service.bridge.confined(service.confined.run, bucket, parsing.first_picture, data, name=name)
    )


def of_picture(made: Picture) -> Sheet:
    """A picture as a page that is in no store."""
    size = len(made.content)
    page = PageInfo(id="", number=1, back=False, encoding=made.encoding, raster=made.raster, size=size, checksum="")
    return Sheet(page, made.content)


def adopt(sheet: Sheet, buffer: Buffer, at: int | None) -> Leaf:
    """Copy a page into a buffer of any store, before the leaf at an index, else last. Raises DiskFull, FileAccess."""

    def add(number: int) -> PageInfo:
        page = sheet.page
        return buffer.store.put(
            buffer.owner, sheet.data, number=number, back=page.back, encoding=page.encoding, raster=page.raster
        )

    return buffer.place(add, at)


def encoded(sheet: Sheet, media_type: str, quality: int) -> bytes:
    """A page as a file of this media type: its own bytes where they are that already. Raises BadInput, TooLarge."""
    return parsing.encoded(sheet.page, sheet.data, FORMATS[media_type], quality, ())


def work_file(folder: Path, size: int, *, secret: bool) -> BinaryIO:
    """A nameless file for something of about `size` bytes: in memory if it is small or secret, else in a folder."""
    return parsing.memory_file() if secret or size <= IN_MEMORY else tempfile.TemporaryFile(dir=folder)
