"""The virtual scanner: its documents can be read, its mishaps happen, and the user's own pages come as they are."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Timer
from typing import Any
from urllib.parse import quote

import pikepdf
import pytest
from PIL import Image, ImageStat

from dwtsvc.devices import documents, virtual, virtual_setup
from dwtsvc.devices.driver import Frame, PageEnd, PageStart, ScanSource, Strip
from dwtsvc.errors import (
    BadArguments,
    BadInput,
    Cancelled,
    CoverOpen,
    DriverError,
    Encrypted,
    FeederEmpty,
    FileAccess,
    MultiFeed,
    NoRightToScanner,
    PaperJam,
    ScannerBusy,
)
from dwtsvc.model import Area, Encoding, Mode, ScanRequest
from dwtsvc.model import Source as From

from .conformance import Page, collected, image_of

MODES = (Mode.COLOR, Mode.GRAY, Mode.LINEART)


@contextmanager
def opened(name: str) -> Iterator[ScanSource]:
    with virtual.driver().open(name) as source:
        yield source


def frames(source: ScanSource, cancelled: Event | None = None, /, **request: Any) -> Generator[Frame, None, None]:
    values: dict[str, Any] = {"device": "any", "resolution": 100, "mode": Mode.GRAY, **request}
    return source.scan(ScanRequest(**values), cancelled or Event())


def scan(source: ScanSource, /, **request: Any) -> list[Page]:
    return list(collected(frames(source, **request)))


def picture(page: Page) -> Image.Image:
    return image_of(page.raster, page.data)


def serials(pages: list[Page]) -> list[int]:
    return [documents.read_serial(picture(page), page.raster.dpi) for page in pages]


def one(name: str, **request: Any) -> Image.Image:
    with opened(name) as source:
        return picture(scan(source, pages=1, **request)[0])


# ---- the feeder ----


def test_the_feeder_holds_as_many_sheets_as_asked_for() -> None:
    with opened("adf?pages=12") as source:
        assert serials(scan(source)) == list(range(1, 13))


def test_serials_count_up_across_scans_and_sources() -> None:
    with opened("adf") as source:
        pages = scan(source, pages=2) + scan(source, source=From.FLATBED) + scan(source, source=From.DUPLEX, pages=2)
    assert serials(pages) == [1, 2, 3, 4, 5]


def test_a_back_says_of_which_sheet_it_is() -> None:
    assert "Back of sheet 000016" in documents.text_of("back", 17)
    with opened("adf?skew=0&noise=0") as source:
        front, back = scan(source, source=From.DUPLEX, pages=2)
    assert (front.start.back, back.start.back) == (False, True)
    drawn = documents.sheet("back", 2, 100).image.point([max(0, ink - 8) * 255 // 247 for ink in range(256)])
    assert back.data == drawn.tobytes()


def test_one_kind_of_document_can_be_asked_for() -> None:
    with opened("adf?document=receipt&pages=2&skew=0&noise=0") as source:
        first, second = (picture(page).crop((0, 110, 827, 1169)).tobytes() for page in scan(source))
    assert first == second
    assert first != one("adf?document=letter&skew=0&noise=0").crop((0, 110, 827, 1169)).tobytes()


def test_an_empty_feeder_leaves_the_glass() -> None:
    for name in ("adf?empty=1", "adf?pages=0"):
        with opened(name) as source:
            with pytest.raises(FeederEmpty):
                scan(source, source=From.FEEDER)
            assert len(scan(source)) == 1


def test_without_an_area_a_page_is_a4_and_the_feeder_takes_longer_ones() -> None:
    assert one("adf").size == (827, 1169)
    assert one("adf", area=Area(width=216, height=356)).size == (850, 1402)


def test_brightness_and_threshold_do_what_they_say() -> None:
    dark = one("adf?document=photo", options=(("brightness", "-50"),))
    light = one("adf?document=photo", options=(("brightness", "50"),))
    assert sum(dark.histogram()[:128]) > sum(light.histogram()[:128])
    black = one("adf?document=photo", mode=Mode.LINEART, options=(("threshold", "200"),))
    white = one("adf?document=photo", mode=Mode.LINEART, options=(("threshold", "20"),))
    assert black.histogram()[0] > white.histogram()[0]


@pytest.mark.parametrize("option", [("brightness", "101"), ("brightness", "bright"), ("threshold", "nan")])
def test_an_option_outside_its_range_is_refused_with_the_range(option: tuple[str, str]) -> None:
    with opened("adf") as source, pytest.raises(BadArguments, match="cannot be") as refused:
        scan(source, options=(option,))
    assert ".." in refused.value.hint


# ---- mishaps ----


@pytest.mark.parametrize(
    ("mishap", "error"), [("jam", PaperJam), ("cover", CoverOpen), ("multifeed", MultiFeed), ("error", DriverError)]
)
def test_a_mishap_keeps_the_pages_before_it_and_its_sheet_can_be_fed_again(
    mishap: str, error: type[DriverError]
) -> None:
    done: list[Page] = []
    with opened(f"adf?pages=4&{mishap}=3") as source:
        with pytest.raises(error) as raised:
            for page in collected(frames(source)):
                done.append(page)
        assert type(raised.value) is error
        assert raised.value.hint
        assert serials(done) == [1, 2]
        assert serials(scan(source)) == [3, 4]


def test_a_jam_comes_half_way() -> None:
    sent = 0
    with opened("adf?jam=1") as source, pytest.raises(PaperJam):
        for frame in frames(source):
            sent += len(frame.data) if isinstance(frame, Strip) else 0
    assert 0.3 < sent / (827 * 1169) < 0.7


def test_a_jam_of_a_back_puts_the_whole_sheet_back() -> None:
    with opened("adf?pages=2&jam=4") as source:
        with pytest.raises(PaperJam):
            scan(source, source=From.DUPLEX)
        assert serials(scan(source, source=From.DUPLEX)) == [3, 4]


def test_a_sheet_that_was_cancelled_is_gone() -> None:
    cancelled = Event()
    with opened("adf?pages=3") as source:
        scanning = frames(source, cancelled)
        next(scanning)
        cancelled.set()
        with pytest.raises(Cancelled):
            next(scanning)
        assert serials(scan(source)) == [2, 3]


def test_a_cancel_ends_a_slow_page_at_once() -> None:
    cancelled = Event()
    Timer(0.05, cancelled.set).start()
    with opened("adf?slow=3000") as source, pytest.raises(Cancelled):
        list(frames(source, cancelled))


def test_a_short_page_ends_early_and_claims_to_be_whole() -> None:
    with opened("adf?pages=3&short=2") as source:
        lengths = [len(page.data) for page in scan(source)]
    assert lengths[0] == lengths[2] == 827 * 1169 > lengths[1] > 0


def test_the_height_of_a_hand_scan_is_not_told() -> None:
    with opened("adf?unknown-height=1") as source:
        (page,) = scan(source, pages=1)
    assert page.raster.height is None
    assert picture(page).size == (827, 1169)


def test_a_device_can_refuse_to_open() -> None:
    for name, error in (("adf?busy=1", ScannerBusy), ("flatbed?denied=1", NoRightToScanner)):
        with pytest.raises(error), opened(name):
            pass


SCAN_THREE = """
import sys
from threading import Event
from dwtsvc.devices import virtual
from dwtsvc.model import Mode, ScanRequest
with virtual.driver().open(sys.argv[1]) as source:
    for frame in source.scan(ScanRequest(device="any", resolution=50, mode=Mode.GRAY, pages=3), Event()):
        print(type(frame).__name__, file=sys.stderr, flush=True)
"""


def run(name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCAN_THREE, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_crash_is_a_crash_in_the_middle_of_a_page() -> None:
    with run("adf?crash=2") as child:
        _, told = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGSEGV
    assert (told.count("PageStart"), told.count("PageEnd")) == (2, 1)
    assert told.split()[-1] == "Strip"


class Slept(BaseException):
    """Raised where the driver would sleep for ever."""


def test_a_hang_sleeps_in_the_middle_of_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        raise Slept(seconds)

    seen: list[Frame] = []
    with opened("adf?hang=2") as source:
        monkeypatch.setattr(time, "sleep", sleep)
        with pytest.raises(Slept, match="3600"):
            seen.extend(frames(source))  # a list keeps what came before the error
    assert [isinstance(frame, PageStart) for frame in seen].count(True) == 2
    assert isinstance(seen[-1], Strip)


def test_print_writes_to_standard_output_and_the_scan_goes_on() -> None:
    with run("adf?print=1") as child:
        printed, told = child.communicate(timeout=60)
    assert child.returncode == 0
    assert printed.count("virtual scanner") == told.count("PageEnd") == 3


# ---- names ----


@pytest.mark.parametrize(
    "query",
    [
        "pages=-1",
        "pages=many",
        "document=novel",
        "skew=6",
        "skew=nan",
        "noise=1.5",
        "jam=0",
        "busy=yes",
        "slow=-1",
        "folder=",
        "sheets=3",
        "folder=/a&file=/b",
    ],
)
def test_a_name_that_asks_for_something_else_is_refused_with_what_there_is(query: str) -> None:
    with pytest.raises(BadArguments) as refused, opened(f"adf?{query}"):
        pass
    if "&" not in query:
        assert all(name in refused.value.hint for name in virtual_setup.PARAMETERS)


def test_no_picture_library_is_loaded_before_a_page_is_drawn() -> None:
    code = """
import sys
from dwtsvc.devices import virtual
with virtual.driver().open("adf") as source:
    source.capabilities()
print("PIL" in sys.modules, "numpy" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"


# ---- the user's own pages ----


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pages 1, 2 and 10 in the gray of their number, with names that sort wrongly as text, and a file that is none."""
    place = tmp_path / "my pages"
    place.mkdir()
    for number, suffix in ((10, "png"), (2, "tiff"), (1, "jpg")):
        Image.new("RGB", (400, 300), (number * 20,) * 3).save(place / f"page{number}.{suffix}", dpi=(100, 100))
    (place / "notes.txt").write_text("no page")
    return place


def name_of(kind: str, path: Path) -> str:
    return f"adf?{kind}={quote(str(path))}"


def test_the_images_of_a_folder_come_in_the_order_a_person_means(folder: Path) -> None:
    with opened(name_of("folder", folder)) as source:
        pages = [picture(page) for page in scan(source)]
    assert [page.size for page in pages] == [(400, 300)] * 3
    assert [round(ImageStat.Stat(page).mean[0]) for page in pages] == [20, 40, 200]


def test_an_image_is_scanned_at_its_size_in_millimetres(folder: Path) -> None:
    assert one(name_of("folder", folder), resolution=50).size == (200, 150)
    assert one(name_of("folder", folder), resolution=200).size == (800, 600)
    assert one(name_of("folder", folder), area=Area(width=25.4, height=25.4)).size == (100, 100)


def test_an_image_of_no_stated_size_is_taken_for_a4(tmp_path: Path) -> None:
    Image.new("L", (2480, 3508), 90).save(tmp_path / "a.png")
    image = one(name_of("folder", tmp_path))
    assert image.size == (827, 1169)
    assert image.getextrema() == (90, 90)


def test_a_jpeg_is_passed_on_untouched_where_it_is_what_was_asked_for(folder: Path) -> None:
    with opened(name_of("folder", folder)) as source:
        (page,) = scan(source, pages=1, mode=Mode.COLOR)
    assert page.start.encoding is Encoding.JPEG
    assert page.data == (folder / "page1.jpg").read_bytes()
    assert (page.raster.width, page.raster.height, page.raster.channels) == (400, 300, 3)


@pytest.mark.parametrize(
    ("query", "request_"),
    [
        ("", {"mode": Mode.GRAY}),
        ("", {"resolution": 150}),
        ("", {"area": Area(width=20, height=20)}),
        ("", {"options": (("brightness", "10"),)}),
        ("&skew=1", {}),
    ],
)
def test_a_jpeg_is_scanned_where_it_is_not(folder: Path, query: str, request_: dict[str, Any]) -> None:
    with opened(name_of("folder", folder) + query) as source:
        (page,) = scan(source, pages=1, **{"mode": Mode.COLOR, **request_})
    assert page.start.encoding is Encoding.RAW


def test_images_have_no_backs_so_two_of_them_make_a_sheet(folder: Path) -> None:
    with opened(name_of("folder", folder)) as source:
        pages = scan(source, source=From.DUPLEX)
    assert [page.start.back for page in pages] == [False, True, False, True]
    assert [round(ImageStat.Stat(picture(page)).mean[0]) for page in pages[:3]] == [20, 40, 200]
    assert documents.read_serial(picture(pages[3]), 100) == 4  # a blank page stands in for the last back


def test_a_photo_that_was_taken_sideways_is_scanned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 300)).save(tmp_path / "a.jpg", dpi=(100, 100), exif=exif)
    assert one(name_of("folder", tmp_path), mode=Mode.COLOR).size == (300, 400)


def test_the_pages_of_a_pdf_come_in_order(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (400, 600), (gray,) * 3) for gray in (30, 130, 230)]
    pages[0].save(tmp_path / "a.pdf", save_all=True, append_images=pages[1:], resolution=100)
    with opened(name_of("file", tmp_path / "a.pdf")) as source:
        scanned = [picture(page) for page in scan(source)]
    assert [page.size for page in scanned] == [(400, 600)] * 3
    assert [round(ImageStat.Stat(page).median[0] / 10) for page in scanned] == [3, 13, 23]


def test_what_cannot_be_served_is_said_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"no PDF")
    for name, error in (
        (name_of("folder", tmp_path / "none"), FileAccess),
        (name_of("file", tmp_path / "none.pdf"), FileAccess),
        (name_of("folder", tmp_path), BadArguments),
        (name_of("file", tmp_path / "broken.pdf"), BadInput),
    ):
        with pytest.raises(error, match=str(tmp_path)), opened(name):
            pass


def test_a_page_as_long_as_a_corridor_is_refused_with_the_resolution_that_would_do(tmp_path: Path) -> None:
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(612, 14400))
    pdf.save(tmp_path / "long.pdf")
    name = name_of("file", tmp_path / "long.pdf")
    with opened(name) as source, pytest.raises(BadInput, match="too large") as caught:
        scan(source, resolution=600)
    assert caught.value.hint == "Scan it at 306 dpi."
    with opened(name) as source:
        [page] = scan(source, resolution=72)
    assert (page.raster.width, page.raster.height) == (612, 14400)


def test_a_pdf_with_a_password_is_told_from_a_broken_one(tmp_path: Path) -> None:
    pdf = pikepdf.new()
    pdf.add_blank_page()
    pdf.save(tmp_path / "secret.pdf", encryption=pikepdf.Encryption(owner="a", user="b"))
    with pytest.raises(Encrypted), opened(name_of("file", tmp_path / "secret.pdf")):
        pass


def test_a_broken_image_is_named_and_those_behind_it_can_still_be_scanned(folder: Path) -> None:
    (folder / "page1.jpg").write_bytes((folder / "page1.jpg").read_bytes()[:300])
    with opened(name_of("folder", folder)) as source:
        with pytest.raises(BadInput, match=r"page1\.jpg"):
            scan(source)
        assert len(scan(source)) == 2


def test_someone_puts_the_paper_back_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    with virtual.driver().open("adf?pages=2") as source:
        request = ScanRequest(device="virtual:adf", source=From.FEEDER, resolution=50)
        pages = lambda: sum(isinstance(frame, PageEnd) for frame in source.scan(request, Event()))  # noqa: E731
        assert pages() == 2
        with pytest.raises(FeederEmpty):
            pages()
        monkeypatch.setattr(virtual, "REFILL_AFTER", 0.0)
        assert pages() == 2
