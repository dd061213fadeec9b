"""Two stand-ins for WIA, one for each way to it, around one scanner that they share: no Windows is in either.

`raw_layer` is pyinsane2's compiled module, `automation` the objects of WIA automation. Both are written after the
documents and sources of what they stand for, which nobody has compared with a real Windows.
"""

from __future__ import annotations

import io
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 8500, 11700  # thousandths of an inch
RESOLUTIONS = [75, 100, 200, 300]
MODES = {1: "1", 8: "L", 24: "RGB"}
SCANNER_ID, MODEL = r"{6BDD1FC6-810F-11D0-BEC7-08002BE2092F}\0001", "Fake WIA scanner"


class ComError(Exception):
    """As comtypes' COMError: a signed number."""

    def __init__(self, number: int, text: str = "") -> None:
        super().__init__(number, text)
        self.hresult, self.text = number - (1 << 32), text


@dataclass
class Machine:
    """The scanner: `mishap` is what goes wrong at image `mishap_at`."""

    sheets: int = 3
    detects: bool = True
    mishap: str = ""
    mishap_at: int = 0
    images: int = 0
    status: set[str] = field(default_factory=set)
    values: dict[str, int] = field(
        default_factory=lambda: {
            "xres": 100,
            "yres": 100,
            "xpos": 0,
            "ypos": 0,
            "xextent": 850,
            "yextent": 1170,
            "depth": 24,
            "brightness": 0,
        }
    )

    def flags(self) -> set[str]:
        return self.status | ({"feed_ready"} if self.sheets else set())

    def scan(self, feeder: bool) -> bytes | None:
        """The next page as a BMP file; None from an empty feeder."""
        if feeder and not self.sheets:
            return None
        self.images += 1
        if self.images == self.mishap_at:
            self.images -= 1
            self.status = {self.mishap}
            raise ComError(0x80210001, "general error")
        self.sheets -= feeder
        return self._picture()

    def _picture(self) -> bytes:
        at = self.values
        mode, scale = MODES[at["depth"]], at["xres"] / 25.4
        whole = Image.new("RGB", (round(WIDTH / 1000 * at["xres"]), round(HEIGHT / 1000 * at["yres"])), "white")
        draw = ImageDraw.Draw(whole)
        draw.rectangle((0, 0, 10 * scale, 10 * scale), fill=(self.images * 8,) * 3)
        level = max(0, min(255, 120 + at["brightness"] // 10))
        draw.rectangle((0, 20 * scale, 200 * scale, 40 * scale), fill=(level, level, 255 - level))
        box = (at["xpos"], at["ypos"], at["xpos"] + at["xextent"], at["ypos"] + at["yextent"])
        file = io.BytesIO()
        whole.crop(box).convert(mode).save(file, "BMP", dpi=(at["xres"],) * 2)
        return file.getvalue()

    def set(self, name: str, value: object) -> bool:
        if name not in self.values or not isinstance(value, int) or value == -1:
            return False
        if name in ("xres", "yres") and value not in RESOLUTIONS:
            return False
        self.values[name] = value
        return True


# ---- pyinsane2's compiled module ----


def raw_layer(machine: Machine) -> types.ModuleType:
    """A module with the functions of pyinsane2.wia._rawapi, and their habits: False and None for failures."""
    module = types.ModuleType("pyinsane2.wia._rawapi")
    flatbed, feeder = "source 0", "source 1"
    logged: list[Any] = []

    def get_properties(item: str) -> list[tuple[str, object, str, object]]:
        if item == "device":
            capable = "feed,flat,detect_feed" if machine.detects else "feed,flat"
            status = ",".join(sorted(machine.flags())) or 0
            told = {"document_handling_capabilities": capable, "document_handling_status": status, "dev_name": MODEL}
            return [(name, value, "ro", None) for name, value in told.items()]
        sizes = {"max_horizontal_size": WIDTH, "max_vertical_size": HEIGHT}
        return [
            *((name, value, "rw", None) for name, value in machine.values.items()),
            *((name, value, "ro", None) for name, value in sizes.items()),
        ]

    def get_constraints(item: str) -> list[tuple[str, object]] | None:
        if item == "device":
            return None
        resolutions = [len(RESOLUTIONS), RESOLUTIONS[0], *RESOLUTIONS]
        return [
            ("xres", resolutions),
            ("yres", resolutions),
            ("depth", [3, 24, 1, 8, 24]),
            ("brightness", (-1000, 0, 1000, 1)),
        ]

    def download(
        item: str, take: Callable[[int], None], end: Callable[[], None], done: Callable[[], None], into: Any
    ) -> bool | None:
        try:
            page = machine.scan(item == feeder)
        except ComError as error:
            logged[-1].warning(f"source->transfer->Download() failed: {error.text}")
            return False
        if page is None:
            done()
            return None
        for at in range(0, len(page), len(into)):
            piece = page[at : at + len(into)]
            into[: len(piece)] = piece
            take(len(piece))
        end()
        return True

    module.init = module.exit = lambda: None
    module.register_logger = lambda level, logger: logged.append(logger)
    module.get_devices = lambda: [(SCANNER_ID, MODEL)]
    module.open = lambda name: "device" if name == SCANNER_ID else None
    module.get_sources = lambda device: [(r"0000\Root\Flatbed", flatbed), (r"0000\Root\Feeder", feeder)]
    module.get_properties, module.get_constraints, module.download = get_properties, get_constraints, download
    module.set_property = lambda item, name, value: machine.set(name, value)
    return module


# ---- the objects of WIA automation ----

STATUS_BITS = {"feed_ready": 1, "path_cover_up": 16, "paper_jam": 32, "multiple_feed": 512}
ITEM_NUMBERS = {
    "xres": 6147,
    "yres": 6148,
    "xpos": 6149,
    "ypos": 6150,
    "xextent": 6151,
    "yextent": 6152,
    "brightness": 6154,
    "depth": 4104,
}


class ItemProperty:
    def __init__(self, machine: Machine, name: str) -> None:
        self._machine, self._name = machine, name
        self.PropertyID, self.IsReadOnly, self.Name = ITEM_NUMBERS[name], False, name
        lists = {"xres": RESOLUTIONS, "yres": RESOLUTIONS, "depth": list(MODES)}
        self.SubType = 1 if name == "brightness" else 2 if name in lists else 0
        self.SubTypeMin, self.SubTypeMax, self.SubTypeStep = -1000, 1000, 1
        self.SubTypeValues = lists.get(name, [])

    @property
    def Value(self) -> int:
        return self._machine.values[self._name]

    @Value.setter
    def Value(self, value: object) -> None:
        if not self._machine.set(self._name, value):
            raise ComError(0x80070057, "the parameter is incorrect")


@dataclass
class DeviceProperty:
    PropertyID: int
    Value: Any
    IsReadOnly: bool = True
    SubType: int = 0
    Name: str = ""


class Picture:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def SaveFile(self, path: str) -> None:
        Path(path).write_bytes(self._data)


class AutomationDevice:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._select = DeviceProperty(3088, 2, IsReadOnly=False)
        self.Items = [self]

    @property
    def Properties(self) -> list[Any]:
        capable = 1 | 2 | (16 if self._machine.detects else 0)
        status = sum(STATUS_BITS[word] for word in self._machine.flags())
        sizes = [DeviceProperty(3074 + at, (WIDTH, HEIGHT)[at % 2]) for at in range(4)]
        about = [DeviceProperty(3086, capable), DeviceProperty(3087, status), self._select, *sizes]
        return [*about, *(ItemProperty(self._machine, name) for name in ITEM_NUMBERS)]

    def Transfer(self, format: str) -> Picture:
        assert format == "{B96B3CAB-0728-11D3-9D7B-0000F81EF32E}"
        page = self._machine.scan(self._select.Value == 1)
        if page is None:
            raise ComError(0x80210003, "paper empty")
        return Picture(page)


class Info:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.Type, self.DeviceID = 1, SCANNER_ID
        self.Properties = [
            DeviceProperty(7, MODEL, Name="Name"),
            DeviceProperty(3, "dwtsvc", Name="Manufacturer"),
        ]

    def Connect(self) -> AutomationDevice:
        return AutomationDevice(self._machine)


@dataclass
class Camera:
    Type: int = 2
    DeviceID: str = "camera"


class DeviceManager:
    def __init__(self, make: Callable[[], Machine]) -> None:
        self._make = make

    @property
    def DeviceInfos(self) -> Iterator[Any]:
        return iter([Camera(), Info(self._make())])
