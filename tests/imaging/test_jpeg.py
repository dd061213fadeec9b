"""Rows straight to JPEG: the pixels and the header Pillow's own encoder would make, from any buffer and any thread."""

from __future__ import annotations

import io
import mmap
import threading
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from dwtsvc.errors import InvalidOutput, PageDamaged
from dwtsvc.imaging import jpeg
from dwtsvc.imaging.streams import jpeg_header
from dwtsvc.model import Raster

AsRows = Callable[..., tuple[Raster, bytes]]

pytestmark = pytest.mark.skipif(jpeg._library() is None, reason="TurboJPEG is not installed")


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def packed(raster: Raster, rows: bytes) -> tuple[Raster, bytes]:
    """The same rows without their padding."""
    line, size = raster.bytes_per_line, raster.width * raster.channels
    return replace(raster, bytes_per_line=size), b"".join(rows[at : at + size] for at in range(0, len(rows), line))


def by_pillow(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return opened(file.getvalue())


def difference(a: Image.Image, b: Image.Image) -> float:
    return max(ImageStat.Stat(ImageChops.difference(a, b)).mean)


@contextmanager
def mapped(path: Path, data: bytes, access: int) -> Iterator[mmap.mmap]:
    path.write_bytes(data)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=access) as rows:
        yield rows


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("quality", [30, 85, 100])
def test_the_picture_is_what_pillow_would_make(
    mode: str, padded: bool, quality: int, picture: Image.Image, as_rows: AsRows
) -> None:
    image = picture.convert(mode)
    raster, rows = as_rows(image) if padded else packed(*as_rows(image))
    assert jpeg.can_encode(raster)
    made = opened(jpeg.encode(raster, rows, quality))
    assert (made.format, made.mode, made.size) == ("JPEG", mode, image.size)
    assert difference(made, by_pillow(image, quality)) < 0.01


def test_a_lower_quality_makes_a_smaller_file(picture: Image.Image, as_rows: AsRows) -> None:
    sizes = [len(jpeg.encode(*as_rows(picture), quality)) for quality in (10, 50, 90)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1] / 3


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(("dpi", "said"), [(300, 300), (75.4, 75), (100_000, 65_535), (1, 1), (0, None)])
def test_the_header_says_the_resolution(
    mode: str, dpi: float, said: int | None, picture: Image.Image, as_rows: AsRows
) -> None:
    data = jpeg.encode(*as_rows(picture.convert(mode), dpi), 85)
    made = opened(data)
    assert made.info.get("dpi") == (None if said is None else (said, said))
    header = jpeg_header(data)
    assert ((header.width, header.height), header.components, header.dpi) == (picture.size, len(mode), said)
    assert data[6:11] == b"JFIF\0" and data[-2:] == b"\xff\xd9"


@pytest.mark.parametrize("access", [mmap.ACCESS_READ, mmap.ACCESS_COPY])
def test_every_kind_of_buffer_gives_the_same_and_is_left_as_it_was(
    access: int, picture: Image.Image, as_rows: AsRows, tmp_path: Path
) -> None:
    raster, rows = as_rows(picture)
    expected = jpeg.encode(raster, rows, 85)
    for kind in (bytearray, memoryview):
        assert jpeg.encode(raster, kind(rows), 85) == expected
    with mapped(tmp_path / "rows", rows, access) as data:
        assert jpeg.encode(raster, data, 85) == expected
        assert data[:] == rows
    assert (tmp_path / "rows").read_bytes() == rows


@pytest.mark.parametrize("access", [mmap.ACCESS_READ, mmap.ACCESS_COPY])
def test_a_map_can_be_closed_after_an_error(access: int, picture: Image.Image, as_rows: AsRows, tmp_path: Path) -> None:
    raster, rows = as_rows(picture)
    with pytest.raises(PageDamaged), mapped(tmp_path / "short", rows[:-1], access) as data:
        jpeg.encode(raster, data, 85)
    with pytest.raises(InvalidOutput), mapped(tmp_path / "rows", rows, access) as data:
        jpeg.encode(raster, data, 1000)
    assert opened(jpeg.encode(raster, rows, 85)).size == picture.size


@pytest.mark.parametrize(
    "nonsense", [{"height": None}, {"height": 0}, {"width": 0}, {"bytes_per_line": 3}, {"height": 152}]
)
def test_rows_that_are_not_there_are_not_encoded(
    nonsense: dict[str, int | None], picture: Image.Image, as_rows: AsRows
) -> None:
    raster, rows = as_rows(picture)
    with pytest.raises(PageDamaged):
        jpeg.encode(replace(raster, **nonsense), rows, 85)  # type: ignore[arg-type]


def test_other_depths_and_pages_too_long_are_left_to_others(
    letter: Image.Image, as_rows: AsRows, deep_rows: Callable[[int], tuple[Raster, bytes, array[int]]]
) -> None:
    assert not jpeg.can_encode(as_rows(letter)[0])
    assert not any(jpeg.can_encode(deep_rows(channels)[0]) for channels in (1, 3))
    strip = Raster(width=8, height=jpeg.LONGEST_SIDE, channels=1, depth=8, bytes_per_line=8, dpi=300.0)
    assert jpeg.can_encode(strip)
    assert opened(jpeg.encode(strip, bytes(8 * jpeg.LONGEST_SIDE), 85)).size == (8, jpeg.LONGEST_SIDE)
    assert not jpeg.can_encode(replace(strip, height=jpeg.LONGEST_SIDE + 1))
    assert not jpeg.can_encode(replace(strip, width=jpeg.LONGEST_SIDE + 1, height=8))


def test_threads_do_not_mix_their_pages(as_rows: AsRows) -> None:
    pages = [as_rows(Image.effect_noise((64 + 8 * n, 200 - n), 10 + n)) for n in range(24)]
    expected = [jpeg.encode(*page, 85) for page in pages]
    assert len(set(expected)) == len(pages)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda page: jpeg.encode(*page, 85), pages * 4)) == expected * 4


def test_a_smaller_page_after_a_larger_one_holds_nothing_of_it(as_rows: AsRows) -> None:
    large, small = (as_rows(Image.effect_noise((side, side), 80)) for side in (500, 17))
    first = jpeg.encode(*small, 85)
    jpeg.encode(*large, 95)
    assert jpeg.encode(*small, 85) == first


def test_a_threads_encoder_ends_with_its_thread(
    monkeypatch: pytest.MonkeyPatch, picture: Image.Image, as_rows: AsRows
) -> None:
    made: list[int] = []
    ended: list[int] = []
    library = jpeg._library()
    destroy = library.tjDestroy

    def end(handle: int) -> None:
        ended.append(handle)
        destroy(handle)

    def encode() -> None:
        jpeg.encode(*as_rows(picture), 85)
        made.append(jpeg._encoder().handle)

    monkeypatch.setattr(library, "tjDestroy", end)
    thread = threading.Thread(target=encode)
    thread.start()
    thread.join()
    own = [each for each in ended if each in made]  # threads of other tests may end meanwhile, too
    assert made and own == made


def test_without_the_library_pillow_is_asked(
    monkeypatch: pytest.MonkeyPatch, picture: Image.Image, as_rows: AsRows
) -> None:
    raster, _ = as_rows(picture)
    assert jpeg.can_encode(raster)
    monkeypatch.setattr(jpeg, "LIBRARIES", ("libno-such-library.so.0",))
    jpeg._library.cache_clear()
    try:
        assert not jpeg.can_encode(raster)
    finally:
        monkeypatch.undo()
        jpeg._library.cache_clear()
    assert jpeg.can_encode(raster)
