"""Cameras, for what lies under one or in front of one: by PyAV, which brings the input devices of FFmpeg.

    webcam:/dev/video0                       a camera of Linux; DEVICE NAME on Windows, a number on macOS
    webcam:/dev/video0?document=1            the sheet in its view, as if seen from straight above
    webcam:virtual                           a test picture of a sheet on a desk
    webcam:lavfi:testsrc=size=1600x1200      any picture that FFmpeg can make

A camera knows no sizes. Its view is taken to be 297 mm high (at its shorter side), so that A4 lies in it either way;
that makes the resolution of a view of 1080 rows 92 dpi. The camera is opened when a scan or a preview begins and
closed when it ends: no listing and no question about what it can do lights its lamp.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from dwtsvc.config import load
from dwtsvc.devices import v4l2
from dwtsvc.devices.driver import Driver, Frame, PageEnd, PageStart, ScanSource, Strip
from dwtsvc.errors import (
    BadArguments,
    Cancelled,
    DriverError,
    MissingDependency,
    NoRightToScanner,
    NoScanner,
    ScannerBusy,
)
from dwtsvc.model import (
    MM_PER_INCH,
    Capabilities,
    Device,
    DriverOption,
    Encoding,
    Mode,
    Range,
    Raster,
    ScanRequest,
    Source,
    SourceCapabilities,
)
from dwtsvc.paths import Paths

if TYPE_CHECKING:
    from av.container import InputContainer
    from PIL import Image

VIEW_MM = 297.0  # of the shorter side of what the camera sees
LEAST_DPI = 10
ASSUMED = (1920, 1080)  # where a system does not tell the sizes without starting the camera
MOST_SIDE = 16_384  # pixels
SETTLE = 12  # pictures that a camera needs to find exposure, focus and colours
PREVIEW_QUALITY = 70
MOST_PREVIEW, MOST_RATE = 1280, 15
CHUNK = 64 << 10
LAVFI = "lavfi:"
VIRTUAL = "virtual"
_SHEET = (
    "color=white:s=640x905:r=15[sheet];testsrc2=s=500x375:r=15[picture];[sheet][picture]overlay=70:120,"
    "drawgrid=x=69:y=560:w=500:h=24:c=black@0.6,rotate=0.1:ow=rotw(0.1):oh=roth(0.1):c=0x604830[askew];"
    "color=0x604830:s=1600x1200:r=15[desk];[desk][askew]overlay=420:90"
)
_KINDS = {"linux": "v4l2", "win32": "dshow", "darwin": "avfoundation"}
_CODECS = {"MJPG": "mjpeg", "YUYV": "yuyv422", "NV12": "nv12"}
_OPTIONS = (
    DriverOption(name="document", title="Cut out the sheet and make it straight", type="bool", value="0",
                 choices=("0", "1")),
    DriverOption(name="rotate", title="How the camera is turned, in degrees clockwise", type="int", value="0",
                 choices=("0", "90", "180", "270")),
    DriverOption(name="settle", title="Pictures to wait for exposure and focus", type="int", value=str(SETTLE),
                 range=Range(minimum=0, maximum=100, step=1)),
    DriverOption(name="preview", title="Endless small JPEG pictures, WIDTH@RATE, at most 1280@15", type="string"),
)  # fmt: skip


def driver() -> Driver:
    wish = load(Paths.from_environment(os.environ), os.environ).settings.webcams
    return WebcamDriver(allowed=wish != "off", virtual=wish == "virtual")


class WebcamDriver:
    """`virtual` lists the test picture, too; where cameras are not `allowed` none is listed or opened."""

    def __init__(self, *, allowed: bool = True, virtual: bool = False) -> None:
        self._allowed, self._virtual = allowed, virtual

    def devices(self, timeout: float) -> Iterator[Device]:
        if not self._allowed or find_spec("av") is None:  # who has no use for cameras need not hear of the extra
            return
        for name, label in _listed():
            yield Device(id=f"webcam:{name}", vendor="", model=label, kind="camera")
        if self._virtual:
            yield Device(id=f"webcam:{VIRTUAL}", vendor="dwtsvc", model="Virtual camera", kind="camera", virtual=True)

    @contextmanager
    def open(self, name: str) -> Generator[ScanSource, None, None]:
        if not self._allowed:
            raise NoScanner("Cameras are switched off", hint="Switch them on: dwtsvc config set webcams on")
        yield WebcamSource(f"webcam:{name}", Camera.named(name))


def _listed() -> Iterator[tuple[str, str]]:
    """Each camera's name and label."""
    if _KINDS.get(sys.platform) == "v4l2":
        for path in v4l2.paths():
            with suppress(OSError):  # gone, or not ours: `open` says which
                if label := v4l2.name_of(path):
                    yield path, label
        return
    av = _library()
    for each in av.device.enumerate_input_devices(_KINDS.get(sys.platform, "")):
        if "video" in (each.media_types or ["video"]):
            yield each.name, each.description or each.name


def _library() -> Any:
    try:
        import av
        import av.device
        import av.error
    except ImportError as error:
        hint = "Install it: pip install 'dwtsvc[webcam]'"
        raise MissingDependency("Cameras need PyAV", why=str(error), hint=hint) from error
    return av


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What is opened, and how: `kind` and `file` are FFmpeg's, `size` is the largest picture, as far as is known."""

    kind: str
    file: str
    size: tuple[int, int]
    options: dict[str, str]
    wishes: tuple[tuple[str, str], ...] = ()

    @classmethod
    def named(cls, name: str) -> Camera:
        """Raises NoScanner, NoRightToScanner, BadArguments."""
        if name.startswith(LAVFI):
            return _drawn(name.removeprefix(LAVFI), ())
        base, _, query = name.partition("?")
        wishes = dict(parse_qsl(query, keep_blank_values=True))
        size = _size(wishes.pop("size")) if "size" in wishes else None
        if "preview" in wishes:  # a scan without an end is asked for on purpose, not by a name
            raise BadArguments("A preview is no part of a camera's name")
        kept = tuple(wishes.items())
        _checked(kept)
        if base == VIRTUAL:
            return _drawn(_SHEET, kept)
        kind = _KINDS.get(sys.platform)
        if kind is None:
            raise NoScanner("There are no cameras on this system", why=sys.platform)
        return _on_linux(base, size, kept) if kind == "v4l2" else _elsewhere(kind, base, size, kept)

    def pictures(self) -> Generator[Any, None, None]:
        """Pictures as they come, from a camera that is open as long as this generator."""
        with closing(self._opened()) as container:
            try:
                yield from container.decode(video=0)
            except (OSError, _library().error.FFmpegError) as error:  # of which only some are an OSError
                raise DriverError("The camera failed", why=str(error)) from error

    def _opened(self) -> InputContainer:
        av = _library()
        try:
            return av.open(self.file, format=self.kind, options=self.options)  # type: ignore[no-any-return]
        except PermissionError as error:
            raise NoRightToScanner(f"No right to use the camera {self.file}", why=str(error)) from error
        except FileNotFoundError as error:
            raise _no_camera(self.file, error.strerror or str(error)) from error
        except OSError as error:
            busy = error.errno in (16, 11)  # EBUSY, EAGAIN
            kind = ScannerBusy if busy else DriverError
            raise kind(f"The camera {self.file} cannot be opened", why=str(error)) from error
        except (av.error.FFmpegError, ValueError) as error:
            raise _no_camera(self.file, str(error)) from error


def _no_camera(name: str, why: str) -> NoScanner:
    return NoScanner(f"There is no camera {name}", why=why, hint="`dwtsvc devices` lists the cameras.")


def _drawn(graph: str, wishes: tuple[tuple[str, str], ...]) -> Camera:
    """A picture of FFmpeg's own. Opening it lights no lamp, so its size is looked at."""
    camera = Camera(kind="lavfi", file=graph, size=ASSUMED, options={}, wishes=(("settle", "0"), *wishes))
    with closing(camera._opened()) as container:
        stream = container.streams.video[0] if container.streams.video else None
        if stream is None:
            raise _no_camera(graph, "it has no picture")
        size = stream.width, stream.height
    return Camera(kind="lavfi", file=graph, size=size, options={}, wishes=camera.wishes)


def _on_linux(path: str, size: tuple[int, int] | None, wishes: tuple[tuple[str, str], ...]) -> Camera:
    try:
        if v4l2.name_of(path) is None:
            raise _no_camera(path, "it is no camera")
        forms = v4l2.forms(path)
    except PermissionError as error:
        hint = "Who may use cameras is in the group `video`."
        raise NoRightToScanner(f"No right to use the camera {path}", why=str(error), hint=hint) from error
    except OSError as error:
        raise _no_camera(path, error.strerror or str(error)) from error
    chosen = next((form for form in forms if size in (None, (form.width, form.height))), None)
    if chosen is None and size:
        sizes = ", ".join(dict.fromkeys(f"{form.width}x{form.height}" for form in forms))
        raise BadArguments(f"The camera has no size {size[0]}x{size[1]}", hint=f"Choose one of: {sizes}.")
    options = {}
    if chosen:
        size = chosen.width, chosen.height
        options = {"video_size": f"{size[0]}x{size[1]}"}
        if codec := _CODECS.get(chosen.code):
            options["input_format"] = codec
    return Camera(kind="v4l2", file=path, size=size or ASSUMED, options=options, wishes=wishes)


def _elsewhere(kind: str, name: str, size: tuple[int, int] | None, wishes: tuple[tuple[str, str], ...]) -> Camera:
    file = f"video={name}" if kind == "dshow" else name
    options = {"video_size": f"{size[0]}x{size[1]}"} if size else {}
    return Camera(kind=kind, file=file, size=size or ASSUMED, options=options, wishes=wishes)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if width.isdecimal() and height.isdecimal() and 0 < int(width) <= MOST_SIDE and 0 < int(height) <= MOST_SIDE:
        return int(width), int(height)
    raise BadArguments(f"A camera has no size '{text}'", hint="Write size=WIDTHxHEIGHT in pixels: size=1920x1080.")


def _checked(wishes: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """All options with their values. Raises BadArguments for one that is none."""
    values = {option.name: option.value for option in _OPTIONS}
    for name, text in wishes:
        option = next((each for each in _OPTIONS if each.name == name), None)
        if option is None:
            raise BadArguments(f"A camera has no option '{name}'", hint=f"Choose one of: {', '.join(values)}, size.")
        whole = text.isdecimal() and len(text) < 9
        fits = text in option.choices if option.choices else name == "preview" or (
            option.range is not None and whole and int(text) in option.range
        )  # fmt: skip
        if not fits:
            allowed = ", ".join(option.choices) or str(option.range)
            raise BadArguments(f"Option {name} cannot be '{text}'", hint=f"Choose one of: {allowed}.")
        values[name] = text
    return values


def _dpi(size: tuple[int, int]) -> int:
    return max(LEAST_DPI, int(min(size) / VIEW_MM * MM_PER_INCH))


class WebcamSource:
    """A camera that may be opened: each scan opens it and closes it again."""

    def __init__(self, device: str, camera: Camera) -> None:
        self._device, self._camera = device, camera

    def capabilities(self) -> Capabilities:
        dpi = _dpi(self._camera.size)
        width, height = (side / dpi * MM_PER_INCH for side in self._camera.size)
        view = SourceCapabilities(
            source=Source.FLATBED,
            name="Camera",
            modes=(Mode.COLOR, Mode.GRAY),
            resolutions=Range(minimum=min(50, dpi), maximum=dpi, step=1),
            max_width=width,
            max_height=height,
        )
        return Capabilities(device=self._device, sources=(view,), options=_OPTIONS)

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        request = self.capabilities().resolve(request)
        values = _checked((*self._camera.wishes, *request.options))
        with closing(self._camera.pictures()) as pictures:
            if values["preview"]:
                yield from _preview(pictures, values["preview"], cancelled)
                return
            for _ in range(request.pages or 1):
                image = _still(pictures, int(values["settle"]), cancelled)
                yield from _page(_View(image, request, values).page(), cancelled)


def _still(pictures: Iterator[Any], settle: int, cancelled: Event) -> Image.Image:
    """The next picture after those in which the camera settles. Raises Cancelled, DriverError."""
    for picture in islice(pictures, settle, None):
        _heed(cancelled)
        return picture.to_image()  # type: ignore[no-any-return]
    raise DriverError("The camera sent no picture")


def _heed(cancelled: Event) -> None:
    if cancelled.is_set():
        raise Cancelled("The scan was cancelled")


@dataclass(frozen=True, slots=True)
class _View:
    """A still, and what is wanted of it."""

    image: Image.Image
    request: ScanRequest
    values: dict[str, str]

    def page(self) -> tuple[Image.Image, float]:
        """The page and its dpi."""
        image, dpi = self.image.convert("RGB"), float(_dpi(self.image.size))
        if turn := int(self.values["rotate"]):
            image = image.rotate(-turn, expand=True)
        image, dpi = self._scaled(image, dpi)
        if self.values["document"] == "1":
            image, dpi = _straight(image, dpi)
        image = self._cut(image, dpi)
        return (image.convert("L") if self.request.mode is Mode.GRAY else image), dpi

    def _scaled(self, image: Image.Image, dpi: float) -> tuple[Image.Image, float]:
        wanted = float(self.request.resolution or dpi)
        if wanted >= dpi:
            return image, dpi
        width, height = (max(1, round(side * wanted / dpi)) for side in image.size)
        return image.resize((width, height)), wanted

    def _cut(self, image: Image.Image, dpi: float) -> Image.Image:
        """The area that was asked for: of the straight sheet, which may be smaller, or of the view."""
        area = self.request.area
        if area is None:
            return image
        left, top, right, bottom = (
            round(mm / MM_PER_INCH * dpi)
            for mm in (area.left, area.top, area.left + area.width, area.top + area.height)
        )
        width, height = image.size
        if left >= width or top >= height:
            why = f"it is {width / dpi * MM_PER_INCH:.0f} x {height / dpi * MM_PER_INCH:.0f} mm"
            raise BadArguments("The area lies beside the sheet", why=why, hint="Choose an area of the sheet.")
        return image.crop((left, top, min(max(left + 1, right), width), min(max(top + 1, bottom), height)))


def _straight(image: Image.Image, dpi: float) -> tuple[Image.Image, float]:
    from dwtsvc.imaging import document, edit

    (steps,) = document.find(image, dpi)
    return edit.apply_all(steps, image, dpi)


def _page(page: tuple[Image.Image, float], cancelled: Event) -> Iterator[Frame]:
    image, dpi = page
    channels = len(image.getbands())
    raster = Raster(
        width=image.width, height=image.height, channels=channels, depth=8,
        bytes_per_line=image.width * channels, dpi=dpi,
    )  # fmt: skip
    _heed(cancelled)
    yield PageStart(raster=raster)
    rows = memoryview(image.tobytes())
    for start in range(0, len(rows), CHUNK):
        _heed(cancelled)
        yield Strip(rows[start : start + CHUNK])
    _heed(cancelled)
    yield PageEnd()


def _preview(pictures: Iterator[Any], wish: str, cancelled: Event) -> Iterator[Frame]:
    """Small JPEG pictures, each a page, until the scan is cancelled; those that come too fast are left out."""
    width, rate = _preview_wish(wish)
    due = monotonic()
    for picture in pictures:
        if cancelled.wait(0.0 if monotonic() >= due else min(1.0 / rate, due - monotonic())):
            raise Cancelled("The preview was ended")
        due = max(due + 1.0 / rate, monotonic())
        image = picture.to_image()
        image.thumbnail((width, width))
        yield from _jpeg(image)


def _preview_wish(wish: str) -> tuple[int, float]:
    width, _, rate = wish.partition("@")
    fits = width.isdecimal() and rate.isdecimal() and len(wish) < 12
    if not fits or not 16 <= int(width) <= MOST_PREVIEW or not 1 <= int(rate) <= MOST_RATE:
        raise BadArguments(f"Option preview cannot be '{wish}'", hint="Write WIDTH@RATE, at most 1280@15: 640@5.")
    return int(width), float(rate)


def _jpeg(image: Image.Image) -> Iterator[Frame]:
    file = io.BytesIO()
    image.save(file, "jpeg", quality=PREVIEW_QUALITY)
    width, height = image.size
    raster = Raster(
        width=width, height=height, channels=3, depth=8, bytes_per_line=3 * width, dpi=_dpi(image.size)
    )  # fmt: skip
    yield PageStart(raster=raster, encoding=Encoding.JPEG)
    yield Strip(file.getvalue())
    yield PageEnd()
