"""The TWAIN driver against the source in fakeds.c: the shared suite, and what only TWAIN has.

It runs in a process of its own: in Wine, with pytwain as it is, by `make test-twain`; on Linux, every day, with
pytwain given another data source manager (linux/dsm.c) and another message loop.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer
from time import monotonic

import pytest
from PIL import Image

from dwtsvc.devices.driver import UserTurn
from dwtsvc.errors import BadArguments, Cancelled, DriverError, FeederEmpty, MultiFeed, NoScanner, PaperJam
from dwtsvc.model import Encoding, Mode, Source
from tests.devices.conformance import Conformance, Opened, Page, Rig, collected, image_of, is_whole, serial_in_shade

NAME = "Fake feeder"
SHEETS = 3
DAMAGED = "bm90IHpsaWI="


@pytest.fixture(scope="session", autouse=True)
def _source_manager(tmp_path_factory: pytest.TempPathFactory) -> None:
    if sys.platform != "win32":
        from tests.twain import fakedsm

        fakedsm.install(tmp_path_factory.mktemp("dsm"))


def make_rig() -> Rig:
    from dwtsvc.devices import twain

    return Rig(
        driver=twain.driver,
        prefix="twain",
        feeder=NAME,
        sheets=SHEETS,
        flatbed=NAME,
        lasting=NAME,
        unknown="Nobody's scanner",
        option=("brightness", "-400"),
        duplex=True,
        read_serial=serial_in_shade,
    )


@pytest.fixture(autouse=True)
def _sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKEDS_SHEETS", str(SHEETS))


@pytest.fixture
def device() -> Iterator[Opened]:
    rig = make_rig()
    with rig.driver().open(NAME) as source:
        yield Opened(source, rig)


class TestTwain(Conformance):
    @pytest.fixture
    def rig(self) -> Rig:
        return make_rig()


def serials(pages: list[Page]) -> list[int]:
    return [serial_in_shade(page.raster, page.data) for page in pages]


def test_colours_and_the_top_of_the_page_are_where_they_belong(device: Opened) -> None:
    (page,) = device.scan(Source.FLATBED, mode=Mode.COLOR)
    seen = image_of(page.raster, page.data)
    y = round(25 / 25.4 * 75)
    assert [seen.getpixel((round(x / 25.4 * 75), y)) for x in (35, 105, 175)] == [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
    ]


def test_black_is_black_in_lineart(device: Opened) -> None:
    (page,) = device.scan(Source.FLATBED, mode=Mode.LINEART)
    seen = image_of(page.raster, page.data)
    light, dark = (seen.getpixel((round(x / 25.4 * 75), round(45 / 25.4 * 75))) for x in (5, 15))
    # image_of reads 1 as black, and Pillow's 0 is black
    assert (light, dark) == (255, 0)


def test_pages_by_file_are_those_that_come_in_memory(device: Opened) -> None:
    by_memory = device.scan(Source.FEEDER, pages=1)
    by_file = device.scan(Source.FEEDER, pages=1, options=(("transfer", "file"),))
    assert serials(by_memory) == [1] and serials(by_file) == [2]
    half = len(by_memory[0].data) // 2
    assert by_file[0].raster == by_memory[0].raster
    assert by_file[0].data[half:] == by_memory[0].data[half:]


def test_a_jpeg_file_is_kept_as_the_driver_wrote_it(
    device: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = io.BytesIO()
    Image.new("RGB", (320, 200), "teal").save(made, "JPEG")
    (tmp_path / "made.jpg").write_bytes(made.getvalue())
    monkeypatch.setenv("FAKEDS_JPEG", str(tmp_path / "made.jpg"))
    options = (("transfer", "file"), ("file-format", "jpeg"))
    (page,) = collected(device.frames(Source.FLATBED, mode=Mode.COLOR, options=options))
    assert page.start.encoding is Encoding.JPEG
    assert (page.raster.width, page.raster.height, page.raster.channels) == (320, 200, 3)
    assert page.data == made.getvalue()


@pytest.mark.parametrize(("mishap", "error"), [("JAM", PaperJam), ("DOUBLE", MultiFeed)])
@pytest.mark.parametrize("way", ["native", "file"])
def test_a_mishap_in_the_feeder_keeps_the_pages_before_it_and_leaves_the_source_ready(
    device: Opened, monkeypatch: pytest.MonkeyPatch, mishap: str, error: type[DriverError], way: str
) -> None:
    monkeypatch.setenv(f"FAKEDS_{mishap}_AT", "3")
    pages = []
    with pytest.raises(error) as told:
        for page in collected(device.frames(Source.FEEDER, options=(("transfer", way),))):
            pages.append(page)
    assert serials(pages) == [1, 2]
    assert "TWCC_PAPER" in told.value.why
    # The source refuses everything with a sequence error unless the transfer was reset and the source disabled.
    monkeypatch.delenv(f"FAKEDS_{mishap}_AT")
    assert serials(device.scan(Source.FEEDER)) == [3]


@pytest.mark.parametrize("blind", ["0", "1"])
def test_an_empty_feeder_is_told_whether_or_not_the_source_can_look(
    blind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKEDS_SHEETS", "0")
    monkeypatch.setenv("FAKEDS_BLIND", blind)
    rig = make_rig()
    with rig.driver().open(NAME) as source:
        with pytest.raises(FeederEmpty) as told:
            next(Opened(source, rig).frames(Source.FEEDER))
        assert "29" in told.value.why
        assert len(Opened(source, rig).scan(Source.AUTO)) == 1


def test_a_source_that_stays_silent_can_be_cancelled(device: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKEDS_NEVER_READY", "1")
    cancelled = Event()
    Timer(0.3, cancelled.set).start()
    with pytest.raises(Cancelled):
        next(device.frames(Source.FEEDER, cancelled=cancelled))
    monkeypatch.delenv("FAKEDS_NEVER_READY")
    assert serials(device.scan(Source.FEEDER)) == [1, 2, 3]


def test_its_own_window_is_waited_for_and_closing_it_is_a_cancel(
    device: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = device.frames(Source.FLATBED, options=(("show-ui", "yes"),))
    assert isinstance(next(frames), UserTurn)
    (page,) = collected(frames)
    assert is_whole(page)
    monkeypatch.setenv("FAKEDS_CLOSES", "1")
    with pytest.raises(Cancelled) as told:
        list(device.frames(Source.FLATBED, options=(("show-ui", "yes"),)))
    assert "window" in told.value.why


def test_a_source_that_closes_without_a_window_says_so(device: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKEDS_CLOSES", "1")
    with pytest.raises(DriverError) as told:
        list(device.frames(Source.FLATBED))
    assert "show-ui" in told.value.hint


def test_the_drivers_own_settings_can_be_kept_and_given_back(device: Opened) -> None:
    def kept() -> str:
        return next(each.value for each in device.source.capabilities().options if each.name == "driver-data")

    (plain,) = device.scan(Source.FLATBED)
    plain_settings = kept()
    (darker,) = device.scan(Source.FLATBED, options=(("brightness", "-400"),))
    settings = kept()
    assert settings != plain_settings
    middle = len(plain.data) // 2
    (again,) = device.scan(Source.FLATBED, options=(("driver-data", settings),))
    assert again.data[middle:] == darker.data[middle:]
    (back,) = device.scan(Source.FLATBED, options=(("driver-data", plain_settings),))
    assert back.data[middle:] == plain.data[middle:]


def test_an_option_of_one_scan_is_not_that_of_the_next(device: Opened) -> None:
    (plain,) = device.scan(Source.FLATBED)
    device.scan(Source.FLATBED, options=(("brightness", "-400"),))
    (after,) = device.scan(Source.FLATBED)
    assert after.data[len(after.data) // 2 :] == plain.data[len(plain.data) // 2 :]


@pytest.mark.parametrize(
    ("option", "allowed"),
    [
        (("brightness", "4000"), "-1000..1000"),
        (("brightness", "dark"), "-1000..1000"),
        (("brightness", "nan"), "-1000..1000"),
        (("brightness", "1e30"), "-1000..1000"),
        (("transfer", "memory"), "native, file"),
        (("show-ui", "perhaps"), "yes, no"),
        (("autofeed", "perhaps"), "yes, no"),
        (("driver-data", DAMAGED), "capabilities"),
        (("physicalwidth", "9"), "brightness"),
    ],
)
def test_an_option_with_an_impossible_value_is_refused_with_what_is_allowed(
    device: Opened, option: tuple[str, str], allowed: str
) -> None:
    with pytest.raises(BadArguments) as refused:
        device.scan(Source.FLATBED, options=(option,))
    assert allowed in refused.value.hint


def test_a_capability_of_the_makers_own_in_an_unknown_form_is_no_option_and_no_harm(device: Opened) -> None:
    names = [each.name for each in device.source.capabilities().options]
    assert "brightness" in names and "cap-8001" not in names


def test_a_scan_of_fewer_images_than_the_source_has_ready_ends_in_time(device: Opened) -> None:
    begun = monotonic()
    assert serials(device.scan(Source.DUPLEX, pages=3)) == [1, 2, 3]
    assert serials(device.scan(Source.FEEDER)) == [4]
    assert monotonic() - begun < 100  # it would wait for ever


def test_a_name_that_no_source_has_is_no_scanner() -> None:
    with pytest.raises(NoScanner) as told, make_rig().driver().open("Fake"):
        pass
    assert "Fake" in told.value.what
