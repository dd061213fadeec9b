"""The camera driver through FFmpeg's virtual camera, and what it asks of Linux, answered as the kernel answers."""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image

from dwtsvc.devices import v4l2, webcam
from dwtsvc.devices.driver import Frame, PageEnd, PageStart
from dwtsvc.devices.webcam import Camera, WebcamDriver
from dwtsvc.errors import BadArguments, Cancelled, DriverError, MissingDependency, NoRightToScanner, NoScanner
from dwtsvc.model import Area, Encoding, Mode, ScanRequest

from .conformance import Clock, Page, collected, image_of

CARD = "lavfi:testsrc=size=1600x1200"


def scan(name: str, **wish: Any) -> list[Page]:
    with WebcamDriver().open(name) as source:
        request = source.capabilities().resolve(ScanRequest(device="any", **wish))
        return list(collected(source.scan(request, Event())))


def picture(page: Page) -> Image.Image:
    return image_of(page.raster, page.data)


def test_a_still_has_the_full_size_of_the_camera() -> None:
    (page,) = scan(CARD)
    assert (page.raster.width, page.raster.height, page.raster.mode) == (1600, 1200, Mode.COLOR)


def test_the_picture_is_the_one_that_ffmpeg_draws() -> None:
    (page,) = scan("lavfi:color=0x204080:size=640x480")
    assert picture(page).getpixel((320, 240)) == pytest.approx((0x20, 0x40, 0x80), abs=3)


def test_the_view_is_as_high_as_a4() -> None:
    with WebcamDriver().open(CARD) as source:
        (view,) = source.capabilities().sources
    assert view.max_height == pytest.approx(297, abs=3)
    assert view.max_width == pytest.approx(297 * 4 / 3, abs=4)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_camera_that_is_turned_can_be_turned_back(turn: int) -> None:
    straight, turned = (picture(scan(CARD, options=options)[0]) for options in ((), (("rotate", str(turn)),)))
    assert turned.tobytes() == straight.rotate(-turn, expand=True).tobytes()


def test_document_takes_the_sheet_and_knows_its_size() -> None:
    (page,) = scan("virtual?document=1", mode=Mode.GRAY)
    size = [side / page.raster.dpi * 25.4 for side in (page.raster.width, page.raster.height or 0)]
    assert size == pytest.approx([210, 297], abs=1)
    image = picture(page)
    assert min(image.getpixel(at) for at in ((3, 110), (image.width - 4, 110), (110, 12))) > 200  # type: ignore[type-var]


def test_an_area_is_a_part_of_the_straight_sheet() -> None:
    whole = picture(scan("virtual?document=1")[0])
    a4, part = (
        picture(scan("virtual?document=1", area=area)[0])
        for area in (Area(width=210, height=297), Area(left=21, top=29.7, width=42, height=59.4))
    )
    assert a4.size == pytest.approx(whole.size, abs=2)
    left, top = round(whole.width / 10), round(whole.height / 10)
    of_whole = whole.crop((left, top, left + part.width, top + part.height))
    assert part.size == pytest.approx((whole.width / 5, whole.height / 5), abs=2)
    assert part.tobytes() == of_whole.tobytes()


def test_an_area_beside_the_sheet_is_refused() -> None:
    with pytest.raises(BadArguments, match="beside the sheet"):
        scan("virtual?document=1", area=Area(left=250, top=10, width=50, height=50))


def test_the_camera_settles_before_a_still_is_taken() -> None:
    counting = "lavfi:testsrc2=size=320x240:rate=10"
    first, later, again = (scan(counting, options=(("settle", n),))[0].data for n in ("0", "15", "15"))
    assert first != later
    assert later == again


def test_a_broken_picture_is_a_failure_of_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    from av.error import InvalidDataError

    class Broken:
        def decode(self, video: int) -> Any:
            raise InvalidDataError(1, "Invalid data found when processing input")

        def close(self) -> None:
            pass

    with WebcamDriver().open(CARD) as source:
        monkeypatch.setattr(Camera, "_opened", lambda self: Broken())
        with pytest.raises(DriverError, match="The camera failed"):
            list(source.scan(ScanRequest(device="any"), Event()))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("lavfi:nonsense", NoScanner),
        ("lavfi:movie=/nowhere.png", NoScanner),
        ("lavfi:", NoScanner),
        ("lavfi:anullsrc", NoScanner),
        ("/dev/null", NoScanner),
        ("/etc/passwd", NoScanner),
        ("", NoScanner),
        ("virtual?size=huge", BadArguments),
        ("virtual?zoom=3", BadArguments),
        ("virtual?preview=640@5", BadArguments),
        ("virtual?document=yes", BadArguments),
        ("virtual?settle=99999999999", BadArguments),
    ],
)
def test_what_is_no_camera_or_no_wish_is_refused(name: str, error: type[Exception]) -> None:
    with pytest.raises(error), WebcamDriver().open(name):
        pass


def test_a_camera_that_ends_too_early_is_an_error() -> None:
    with pytest.raises(DriverError):
        scan("lavfi:testsrc=size=320x240:rate=5:duration=1", options=(("settle", "50"),))


def test_cameras_can_be_switched_off() -> None:
    off = WebcamDriver(allowed=False, virtual=True)
    assert list(off.devices(1.0)) == []
    with pytest.raises(NoScanner, match="switched off"), off.open("virtual"):
        pass


def test_without_pyav_nothing_is_listed_and_opening_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(webcam, "find_spec", lambda name: None)
    assert list(WebcamDriver(virtual=True).devices(1.0)) == []
    with pytest.raises(MissingDependency) as missing, WebcamDriver().open("virtual"):
        pass
    assert "dwtsvc[webcam]" in missing.value.hint


class Watched:
    """A camera that notes when it is open, in place of FFmpeg's container."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def __call__(self, camera: Camera) -> Watched:
        self.log.append("open")
        return self

    def decode(self, video: int) -> Any:
        while True:
            yield self

    def to_image(self) -> Image.Image:
        return Image.new("RGB", (640, 480), "gray")

    def close(self) -> None:
        self.log.append("close")


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    camera = Watched()
    monkeypatch.setattr(Camera, "_opened", lambda self: camera(self))
    monkeypatch.setattr(v4l2, "name_of", lambda path: "Watched")
    monkeypatch.setattr(v4l2, "forms", lambda path: [v4l2.Form("MJPG", 640, 480)])
    return camera


def test_the_lamp_is_on_for_as_long_as_a_scan_lasts_and_no_longer(watched: Watched) -> None:
    with WebcamDriver().open("/dev/video0") as source:
        request = source.capabilities().resolve(ScanRequest(device="any"))
        assert watched.log == []
        for _ in source.scan(request, Event()):
            assert watched.log == ["open"]
        assert watched.log == ["open", "close"]


@pytest.mark.parametrize("taken", [1, 2])
def test_the_lamp_goes_off_when_nobody_reads_on(watched: Watched, taken: int) -> None:
    with WebcamDriver().open("/dev/video0") as source:
        frames = source.scan(source.capabilities().resolve(ScanRequest(device="any")), Event())
        for _ in range(taken):
            next(frames)
        frames.close()
        assert watched.log == ["open", "close"]


def test_the_lamp_goes_off_when_a_preview_is_cancelled(watched: Watched) -> None:
    cancelled = Event()
    with WebcamDriver().open("/dev/video0") as source:
        frames = previewed(source, "320@15", cancelled)
        next(frames)
        cancelled.set()
        with pytest.raises(Cancelled):
            list(frames)
    assert watched.log == ["open", "close"]


def previewed(source: Any, wish: str, cancelled: Event) -> Any:
    request = source.capabilities().resolve(ScanRequest(device="any", options=(("preview", wish),)))
    return source.scan(request, cancelled)


def test_a_preview_is_small_jpegs_no_faster_than_asked_for() -> None:
    frames: list[Frame] = []
    clock = Clock()
    with WebcamDriver().open(CARD) as source:
        preview = previewed(source, "320@2", clock)
        while sum(isinstance(frame, PageEnd) for frame in frames) < 3:
            frames.append(next(preview))
        preview.close()
    starts = [frame for frame in frames if isinstance(frame, PageStart)]
    assert {(start.raster.width, start.raster.height, start.encoding) for start in starts} == {
        (320, 240, Encoding.JPEG)
    }
    assert [bool(wait) for wait in clock.waits] == [False, True, True]
    assert max(wait or 0 for wait in clock.waits) <= 0.5


@pytest.mark.parametrize("wish", ["", "640", "9999@5", "640@99", "640@0", "8@1", "-1@5", "a@b"][1:])
def test_a_preview_that_is_too_much_is_refused(wish: str) -> None:
    with WebcamDriver().open(CARD) as source, pytest.raises(BadArguments):
        next(previewed(source, wish, Event()))


# --- Linux


class Kernel:
    """A camera with two formats, answering as the documentation of V4L2 says."""

    FORMATS = {b"YUYV": [(640, 480), (320, 240)], b"MJPG": [(640, 480), (1920, 1080)]}

    def __init__(self, able: int = 0x84200001, own: int = 0x04200001) -> None:
        self._able, self._own = able, own

    def __call__(self, file: int, request: int, data: bytearray) -> int:
        codes = list(self.FORMATS)
        if request == v4l2.QUERY:
            data[16:32] = b"HD Camera: HD Ca"
            struct.pack_into("=II", data, 84, self._able, self._own)
        elif request == v4l2.FORMATS:
            index, kind = struct.unpack_from("=II", data)
            assert kind == 1
            data[44:48] = self._nth(codes, index)
        else:
            index, code = struct.unpack_from("=I4s", data)
            struct.pack_into("=III", data, 8, 1, *self._nth(self.FORMATS[code], index))
        return 0

    def _nth(self, items: list[Any], index: int) -> Any:
        if index >= len(items):
            raise OSError(errno.EINVAL, "that were all")
        return items[index]


def test_a_camera_tells_its_name_and_sizes(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    assert v4l2.name_of(str(device), Kernel()) == "HD Camera: HD Ca"
    assert v4l2.forms(str(device), Kernel())[0] == v4l2.Form("MJPG", 1920, 1080)
    assert len(v4l2.forms(str(device), Kernel())) == 4


def test_the_second_file_of_a_camera_is_no_camera(tmp_path: Path) -> None:
    device = tmp_path / "video1"
    device.touch()
    assert v4l2.name_of(str(device), Kernel(own=0x04A00000)) is None
    assert v4l2.name_of(str(device), Kernel(able=0x04200001, own=0)) == "HD Camera: HD Ca"


def test_a_range_of_sizes_counts_by_its_largest(tmp_path: Path) -> None:
    class Steps(Kernel):
        def __call__(self, file: int, request: int, data: bytearray) -> int:
            if request != v4l2.SIZES:
                return super().__call__(file, request, data)
            struct.pack_into("=7I", data, 8, 3, 16, 4096, 16, 16, 2160, 16)
            return 0

    device = tmp_path / "video0"
    device.touch()
    assert {(form.width, form.height) for form in v4l2.forms(str(device), Steps())} == {(4096, 2160)}


def test_the_largest_picture_of_a_camera_is_asked_of_it_or_the_one_that_was_wished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [v4l2.Form("MJPG", 1920, 1080), v4l2.Form("YUYV", 640, 480)]
    monkeypatch.setattr(v4l2, "name_of", lambda path: "Camera")
    monkeypatch.setattr(v4l2, "forms", lambda path: found)
    best = Camera.named("/dev/video0")
    assert (best.size, best.options) == ((1920, 1080), {"video_size": "1920x1080", "input_format": "mjpeg"})
    assert Camera.named("/dev/video0?size=640x480").options == {"video_size": "640x480", "input_format": "yuyv422"}
    with pytest.raises(BadArguments) as refused:
        Camera.named("/dev/video0?size=800x600")
    assert "1920x1080, 640x480" in refused.value.hint


def test_a_camera_that_may_not_be_used_says_who_may(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(v4l2, "name_of", refuse)
    with pytest.raises(NoRightToScanner) as refused:
        Camera.named("/dev/video0")
    assert "`video`" in refused.value.hint


@pytest.mark.parametrize(
    ("platform", "kind", "file"), [("win32", "dshow", "video=HD Camera"), ("darwin", "avfoundation", "HD Camera")]
)
def test_other_systems_are_asked_in_their_own_words(
    monkeypatch: pytest.MonkeyPatch, platform: str, kind: str, file: str
) -> None:
    monkeypatch.setattr(webcam.sys, "platform", platform)
    camera = Camera.named("HD Camera?size=1280x720&document=1")
    assert (camera.kind, camera.file, camera.options) == (kind, file, {"video_size": "1280x720"})
