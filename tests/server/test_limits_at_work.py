"""Limits that no client comes near by accident: what is let through at each, one above it, and a hundred times it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from dwtsvc.buffer import Leaf
from dwtsvc.errors import BadInput, TooLarge, TooMany
from dwtsvc.jobs import Jobs
from dwtsvc.model import Encoding, PageInfo, Raster
from dwtsvc.sealing import Seal
from dwtsvc.server.holdings import ACTIVE_JOBS, ACTIVE_JOBS_OF_A_SITE, Holdings, Limits
from dwtsvc.server.parsing import file_pictures, first_picture
from dwtsvc.server.thumbs import PAGE_PIXELS, Thumbs
from dwtsvc.server.uploads import Upload
from dwtsvc.store import PageStore

AT, ABOVE, FAR_ABOVE = (16_000, 10_000), (10_171, 15_731), (160_000, 100_000)
BOX = (585, 513)
SITE, OTHER = "https://a.example", "https://b.example"


@pytest.fixture
def store(tmp_path: Path) -> PageStore:
    (tmp_path / "pages").mkdir()
    return PageStore(tmp_path / "pages", Seal(bytes(32)))


@pytest.fixture
def holdings(tmp_path: Path, store: PageStore) -> Iterator[Holdings]:
    limits = Limits(site=1 << 30, all=1 << 32, share=100, pages=10_000, seconds=3600.0)
    with Jobs(store, tmp_path / "locks", timeout=20.0) as jobs:
        yield Holdings(store, jobs, pending_idle=600.0, limits=limits)


def png(width: int = 4, height: int = 4) -> bytes:
    file = io.BytesIO()
    Image.new("1", (width, height), 1).save(file, "png")
    return file.getvalue()


def sent(content: bytes) -> Upload:
    return Upload(len(content), content)


def claiming(width: int, height: int) -> bytes:
    """A small PNG that says it is large."""
    file = png()
    head = b"IHDR" + struct.pack(">II", width, height) + file[24:29]
    return file[:12] + head + struct.pack(">I", zlib.crc32(head)) + file[33:]


def test_the_sizes_are_those_of_the_limit() -> None:
    pixels = [width * height for width, height in (AT, ABOVE, FAR_ABOVE)]
    assert pixels == [PAGE_PIXELS, PAGE_PIXELS + 1, 100 * PAGE_PIXELS]


def test_a_file_is_loaded_up_to_so_many_pixels_a_page_and_above_not_decoded() -> None:
    for size in (ABOVE, FAR_ABOVE):
        with pytest.raises(BadInput, match="too large"):
            next(file_pictures(sent(claiming(*size)), 200.0, False, None))
        with pytest.raises(BadInput, match="too large"):
            first_picture(claiming(*size))  # of another site, fetched
    [picture] = file_pictures(sent(png(*AT)), 200.0, False, None)
    assert (picture.raster.width, picture.raster.height) == AT


@pytest.mark.parametrize("box", [BOX, (0, 0)])
def test_a_page_is_shown_up_to_so_many_pixels_and_above_not_decoded(store: PageStore, box: tuple[int, int]) -> None:
    thumbs = Thumbs(1 << 20)
    owner = store.begin({})
    leaves = [
        Leaf(id=str(number), page=page_of(store, owner, number, *size)) for number, size in enumerate((AT, ABOVE))
    ]
    far = Leaf(id="far", page=page_of(store, owner, 3, *FAR_ABOVE))
    for leaf in (leaves[1], far):
        with pytest.raises(TooLarge, match="pixels"):
            thumbs.make(leaf, store, *box)
    assert thumbs.make(leaves[0], store, *box)[0]


def page_of(store: PageStore, owner: str, number: int, width: int, height: int) -> PageInfo:
    """A page that says it has so many pixels; its few bytes are those of a smaller one."""
    raster = Raster(width=width, height=height, channels=1, depth=1, bytes_per_line=width // 8 + 1, dpi=300.0)
    return store.put(owner, png(), number=number, back=False, encoding=Encoding.PNG, raster=raster)


@pytest.mark.parametrize(("site", "most"), [(True, ACTIVE_JOBS_OF_A_SITE), (False, ACTIVE_JOBS)])
def test_so_many_jobs_are_under_way_and_not_one_more(holdings: Holdings, site: bool, most: int) -> None:
    with ExitStack() as under_way:
        for _ in range(most):
            under_way.enter_context(holdings._starting_one(SITE, site))
        for _ in range(100 * most):
            with pytest.raises(TooMany), holdings._starting_one(SITE, site):
                pass
        if site:
            under_way.enter_context(holdings._starting_one(OTHER, site))
    with holdings._starting_one(SITE, site):
        pass
