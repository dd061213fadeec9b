"""What every driver must do, as one suite: a subclass of `Conformance` says through `rig` which driver it is.

The driver is driven in this process and by its protocol alone, so the suite finds what the worker would hide.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event

import pytest
from PIL import Image

from dwtsvc.devices.driver import Driver, Frame, PageEnd, PageStart, ScanSource, Strip
from dwtsvc.errors import BadArguments, Cancelled, FeederEmpty, NoScanner
from dwtsvc.model import MM_PER_INCH, Area, Encoding, Mode, Raster, ScanRequest, Source

FRAMES_AFTER_CANCEL = 4
A4_MM = (210, 297)


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A driver and names of its devices, each without the "driver:" part.

    `feeder` holds `sheets` sheets when it is opened: none if the device has no feeder, and any device then.
    `lasting` is a device whose pages come in many frames.
    `option` is a raw option with a value that leaves nothing as it was.
    """

    driver: Callable[[], Driver]
    prefix: str
    feeder: str
    sheets: int
    flatbed: str
    lasting: str
    unknown: str
    option: tuple[str, str]
    resolution: int = 75
    impossible: int = 7
    duplex: bool = False
    read_serial: Callable[[Raster, bytes], int] | None = None
    encodings: tuple[Encoding, ...] = (Encoding.RAW,)
    modes: tuple[Mode, ...] = (Mode.COLOR, Mode.GRAY, Mode.LINEART)


@dataclass(frozen=True)
class Page:
    start: PageStart
    data: bytes

    @property
    def raster(self) -> Raster:
        return self.start.raster


def decoded(page: Page) -> Page:
    """A page that came as JPEG or PNG as the rows that are in it, which must be as large as was announced."""
    if page.start.encoding is Encoding.RAW:
        return page
    told = page.raster
    image = Image.open(io.BytesIO(page.data))
    image.load()
    assert image.size == (told.width, told.height)
    assert {"1": 1, "L": 8, "RGB": 24}[image.mode] == told.channels * told.depth
    rows = image.tobytes("raw", "1;I") if image.mode == "1" else image.tobytes()
    return Page(page.start, rows)


class Clock(Event):
    """A cancel that never comes, and notes how long it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return False


class Opened:
    """An open device of a rig."""

    def __init__(self, source: ScanSource, rig: Rig) -> None:
        self.source, self._rig = source, rig

    def frames(
        self,
        source: Source,
        *,
        mode: Mode = Mode.GRAY,
        pages: int | None = None,
        area: Area | None = None,
        options: tuple[tuple[str, str], ...] = (),
        cancelled: Event | None = None,
    ) -> Generator[Frame, None, None]:
        request = ScanRequest(
            device="any",
            source=source,
            mode=mode,
            resolution=self._rig.resolution,
            pages=pages,
            area=area,
            options=options,
        )
        return self.source.scan(self.source.capabilities().resolve(request), cancelled or Event())

    def scan(
        self,
        source: Source,
        *,
        mode: Mode = Mode.GRAY,
        pages: int | None = None,
        area: Area | None = None,
        options: tuple[tuple[str, str], ...] = (),
    ) -> list[Page]:
        frames = self.frames(source, mode=mode, pages=pages, area=area, options=options)
        return [decoded(page) for page in collected(frames)]


def collected(frames: Iterator[Frame]) -> Iterator[Page]:
    """The pages of a scan; every strip lies between a PageStart and its PageEnd."""
    start: PageStart | None = None
    data = bytearray()
    for frame in frames:
        if isinstance(frame, PageStart):
            assert start is None, "a page began before the one before it ended"
            start, data = frame, bytearray()
        elif isinstance(frame, Strip):
            assert start is not None, "rows came outside of a page"
            data += frame.data
        else:
            assert isinstance(frame, PageEnd)
            assert start is not None, "a page ended that never began"
            yield Page(start, bytes(data))
            start = None
    assert start is None, "the scan ended in the middle of a page without an error"


def is_whole(page: Page) -> bool:
    height = page.raster.height
    return height is not None and len(page.data) == page.raster.bytes_per_line * height


def image_of(raster: Raster, data: bytes) -> Image.Image:
    size = raster.width, len(data) // raster.bytes_per_line
    if raster.mode is Mode.LINEART:
        return Image.frombytes("1", size, data, "raw", "1;I")
    return Image.frombytes("RGB" if raster.mode is Mode.COLOR else "L", size, data)


def serial_in_shade(raster: Raster, data: bytes) -> int:
    """The number of a page whose first square is eight times as light as that."""
    level = image_of(raster, data).convert("L").getpixel((5, 5))
    assert isinstance(level, int)
    return round(level / 8)


def least_bytes_per_line(raster: Raster) -> int:
    return (raster.width * raster.channels * raster.depth + 7) // 8


class Conformance:
    """Subclass it as `Test...` with a fixture `rig`."""

    @pytest.fixture
    def rig(self) -> Rig:
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _with_what_it_needs(self, request: pytest.FixtureRequest, rig: Rig) -> None:
        parameters = getattr(getattr(request.node, "callspec", None), "params", {})
        feeding = "feeder" in request.node.name or parameters.get("source") is Source.FEEDER
        if not rig.sheets and (feeding or "pages_come_in_order" in request.node.name):
            pytest.skip("the device has no feeder")
        if parameters.get("mode", Mode.GRAY) not in rig.modes:
            pytest.skip("the device has no such mode")

    @contextmanager
    def opened(self, rig: Rig, name: str) -> Iterator[Opened]:
        with rig.driver().open(name) as source:
            yield Opened(source, rig)

    def test_devices_have_ids_that_open(self, rig: Rig) -> None:
        found = list(rig.driver().devices(5.0))
        assert found
        for device in found:
            driver, _, name = device.id.partition(":")
            assert driver == rig.prefix
            assert device.label
            with self.opened(rig, name) as device_opened:
                assert device_opened.source.capabilities().sources

    def test_an_unknown_device_is_no_scanner(self, rig: Rig) -> None:
        with pytest.raises(NoScanner), self.opened(rig, rig.unknown):
            pass

    def test_a_device_opens_again_after_it_was_closed(self, rig: Rig) -> None:
        for _ in range(2):
            with self.opened(rig, rig.flatbed) as device:
                assert len(device.scan(Source.FLATBED)) == 1

    def test_every_source_names_its_modes_resolutions_and_size(self, rig: Rig) -> None:
        with self.opened(rig, rig.feeder) as device:
            sources = device.source.capabilities().sources
        words = [each.source for each in sources]
        assert Source.FLATBED in words
        assert (Source.FEEDER in words) == bool(rig.sheets)
        assert (Source.DUPLEX in words) == rig.duplex
        assert len(words) == len(set(words))
        for each in sources:
            assert each.name
            assert each.modes
            assert rig.resolution in each.resolutions
            assert each.max_width + 1.5 >= A4_MM[0]
            assert each.max_height + 1.5 >= A4_MM[1]

    def test_a_resolution_that_the_device_lacks_is_refused_with_those_it_has(self, rig: Rig) -> None:
        with self.opened(rig, rig.feeder) as device:
            capabilities = device.source.capabilities()
            with pytest.raises(BadArguments) as refused:
                capabilities.resolve(ScanRequest(device="any", resolution=rig.impossible))
            assert capabilities.for_source(Source.AUTO).describe_resolutions() in refused.value.hint

    @pytest.mark.parametrize("mode", [Mode.COLOR, Mode.GRAY, Mode.LINEART])
    @pytest.mark.parametrize("source", [Source.FLATBED, Source.FEEDER])
    def test_each_mode_gives_every_row_it_announced(self, rig: Rig, source: Source, mode: Mode) -> None:
        with self.opened(rig, rig.feeder) as device:
            (page,) = device.scan(source, mode=mode, pages=1)
        assert page.start.encoding in rig.encodings
        assert page.raster.mode is mode
        assert page.raster.dpi == pytest.approx(rig.resolution)
        assert page.raster.bytes_per_line >= least_bytes_per_line(page.raster)
        assert is_whole(page)

    def test_the_glass_is_read_once_when_nobody_says_how_often(self, rig: Rig) -> None:
        with self.opened(rig, rig.flatbed) as device:
            assert len(device.scan(Source.FLATBED)) == 1

    @pytest.mark.parametrize("source", [Source.FLATBED, Source.FEEDER])
    def test_as_many_pages_come_as_were_asked_for(self, rig: Rig, source: Source) -> None:
        with self.opened(rig, rig.feeder) as device:
            assert len(device.scan(source, pages=2)) == 2

    def test_a_feeder_gives_all_that_is_in_it(self, rig: Rig) -> None:
        with self.opened(rig, rig.feeder) as device:
            pages = device.scan(Source.FEEDER)
        assert len(pages) == rig.sheets
        assert all(map(is_whole, pages))

    # The two below ask for the exact number: SANE's test feeder is full again once it has said that it is empty.
    def test_a_feeder_that_gave_its_last_sheet_is_empty(self, rig: Rig) -> None:
        with self.opened(rig, rig.feeder) as device:
            assert len(device.scan(Source.FEEDER, pages=rig.sheets)) == rig.sheets
            with pytest.raises(FeederEmpty):
                next(device.frames(Source.FEEDER))

    def test_auto_takes_the_feeder_first_and_the_glass_when_it_is_empty(self, rig: Rig) -> None:
        with self.opened(rig, rig.feeder) as device:
            assert len(device.scan(Source.AUTO, pages=rig.sheets)) == rig.sheets
            assert len(device.scan(Source.AUTO)) == 1

    def test_what_one_scan_leaves_in_the_feeder_is_there_for_the_next(self, rig: Rig) -> None:
        with self.opened(rig, rig.feeder) as device:
            first = device.scan(Source.FEEDER, pages=2)
            rest = device.scan(Source.FEEDER)
        assert len(first) + len(rest) == rig.sheets

    def test_the_modes_of_two_scans_in_one_session_are_their_own(self, rig: Rig) -> None:
        with self.opened(rig, rig.flatbed) as device:
            modes = [device.scan(Source.FLATBED, mode=mode)[0].raster.mode for mode in (Mode.COLOR, Mode.GRAY)]
        assert modes == [Mode.COLOR, Mode.GRAY]

    def test_pages_come_in_order_and_none_twice(self, rig: Rig) -> None:
        if rig.read_serial is None:
            pytest.skip("the pages of this device are all alike")
        with self.opened(rig, rig.feeder) as device:
            pages = device.scan(Source.FEEDER, pages=2) + device.scan(Source.FEEDER)
        assert [rig.read_serial(page.raster, page.data) for page in pages] == list(range(1, rig.sheets + 1))

    def test_duplex_gives_the_back_behind_its_front(self, rig: Rig) -> None:
        if not rig.duplex:
            pytest.skip("the device has no duplex unit")
        with self.opened(rig, rig.feeder) as device:
            assert [page.start.back for page in device.scan(Source.DUPLEX, pages=4)] == [False, True, False, True]

    def test_a_cancel_in_mid_page_ends_the_scan_soon_and_the_device_scans_again(self, rig: Rig) -> None:
        cancelled = Event()
        with self.opened(rig, rig.lasting) as device:
            frames = device.frames(Source.FLATBED, cancelled=cancelled)
            assert isinstance(next(frames), PageStart)
            assert isinstance(next(frames), Strip)
            cancelled.set()
            with pytest.raises(Cancelled):
                self.drain(frames, FRAMES_AFTER_CANCEL)
            assert is_whole(device.scan(Source.FLATBED)[0])

    def drain(self, frames: Iterator[Frame], most: int) -> None:
        for count, frame in enumerate(frames, 1):
            assert not isinstance(frame, PageEnd), "the page was finished in spite of the cancel"
            assert count <= most, f"{count} frames came after the cancel"

    def test_a_cancel_before_the_scan_gives_no_page(self, rig: Rig) -> None:
        cancelled = Event()
        cancelled.set()
        with self.opened(rig, rig.lasting) as device:
            with pytest.raises(Cancelled):
                self.drain(device.frames(Source.FLATBED, cancelled=cancelled), FRAMES_AFTER_CANCEL)
            assert is_whole(device.scan(Source.FLATBED)[0])

    @pytest.mark.parametrize("taken", [0, 1, 2])
    def test_a_scan_that_nobody_reads_on_leaves_the_device_usable(self, rig: Rig, taken: int) -> None:
        with self.opened(rig, rig.lasting) as device:
            frames = device.frames(Source.FLATBED)
            for _ in range(taken):
                next(frames)
            frames.close()
            assert is_whole(device.scan(Source.FLATBED)[0])

    @pytest.mark.parametrize(
        "area",
        [Area(width=100, height=50), Area(left=20.3, top=31.7, width=61.3, height=40.9)],
        ids=["corner", "middle"],
    )
    def test_an_area_has_the_size_that_was_asked_for(self, rig: Rig, area: Area) -> None:
        with self.opened(rig, rig.flatbed) as device:
            (page,) = device.scan(Source.FLATBED, area=area)
        assert is_whole(page)
        assert abs(page.raster.width - area.width / MM_PER_INCH * rig.resolution) <= 1.5
        assert abs((page.raster.height or 0) - area.height / MM_PER_INCH * rig.resolution) <= 1.5

    def test_an_area_of_one_scan_is_not_that_of_the_next(self, rig: Rig) -> None:
        with self.opened(rig, rig.flatbed) as device:
            before = device.scan(Source.FLATBED)[0].raster
            device.scan(Source.FLATBED, area=Area(width=40, height=30))
            assert device.scan(Source.FLATBED)[0].raster == before

    def test_a_raw_option_changes_the_picture_and_is_listed(self, rig: Rig) -> None:
        with self.opened(rig, rig.flatbed) as device:
            assert rig.option[0] in [option.name for option in device.source.capabilities().options]
            (plain,) = device.scan(Source.FLATBED)
        with self.opened(rig, rig.flatbed) as device:
            (changed,) = device.scan(Source.FLATBED, options=(rig.option,))
        assert changed.data != plain.data

    def test_the_same_scan_of_a_device_opened_anew_gives_the_same_picture(self, rig: Rig) -> None:
        pages = []
        for _ in range(2):
            with self.opened(rig, rig.flatbed) as device:
                pages += device.scan(Source.FLATBED)
        assert pages[0].data == pages[1].data

    def test_a_raw_option_that_the_device_lacks_is_refused_and_the_device_scans_on(self, rig: Rig) -> None:
        with self.opened(rig, rig.flatbed) as device:
            with pytest.raises(BadArguments) as refused:
                device.scan(Source.FLATBED, options=(("no-such-option", "1"),))
            assert rig.option[0] in refused.value.hint
            assert is_whole(device.scan(Source.FLATBED)[0])

    def test_a_source_that_the_device_lacks_is_refused_with_those_it_has(self, rig: Rig) -> None:
        with self.opened(rig, rig.feeder) as device:
            capabilities = device.source.capabilities()
        only_glass = [each for each in capabilities.sources if each.source is Source.FLATBED]
        with pytest.raises(BadArguments) as refused:
            replace(capabilities, sources=tuple(only_glass)).resolve(ScanRequest(device="any", source=Source.FEEDER))
        assert "flatbed" in refused.value.hint
