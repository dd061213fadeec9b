"""WIA automation, which every Windows has, through comtypes. Imported only inside the WIA worker.

It is the WIA of before Windows Vista: one item is scanned, and a property of the device says whether from the glass or
from the feeder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dwtsvc.devices import mishaps
from dwtsvc.devices.mishaps import Mishap
from dwtsvc.devices.wialib import Item, Property, failure, words
from dwtsvc.errors import MissingDependency, NoScanner
from dwtsvc.model import Source
from dwtsvc.scratch import Scratch

BMP = "{B96B3CAB-0728-11D3-9D7B-0000F81EF32E}"
SCANNER, RANGE, LIST = 1, 1, 2
SELECT, PAGES = 3088, 3096
FEEDER, FLATBED = 1, 2
NAMES = {
    3074: "horizontal_bed_size",
    3075: "vertical_bed_size",
    3076: "horizontal_sheet_feed_size",
    3077: "vertical_sheet_feed_size",
    3086: "document_handling_capabilities",
    3087: "document_handling_status",
    SELECT: "document_handling_select",
    PAGES: "pages",
    4103: "datatype",
    4104: "depth",
    6146: "current_intent",
    6147: "xres",
    6148: "yres",
    6149: "xpos",
    6150: "ypos",
    6151: "xextent",
    6152: "yextent",
    6154: "brightness",
    6155: "contrast",
    6159: "threshold",
}
NUMBERS = {name: number for number, name in NAMES.items()}
FLAGS = {
    "document_handling_status": {
        1: "feed_ready",
        2: "flat_ready",
        8: "flat_cover_up",
        16: "path_cover_up",
        32: "paper_jam",
        512: "multiple_feed",
    },
    "document_handling_capabilities": {1: "feed", 2: "flat", 4: "dup", 16: "detect_feed"},
}
DATA_TYPES = {"threshold": 0, "grayscale": 2, "color": 3}
PAPER_EMPTY = 0x80210003
ERRORS: dict[int, Mishap] = {
    0x80210002: mishaps.JAM,
    0x80210005: mishaps.SILENT,
    0x80210006: mishaps.BUSY,
    0x8021000A: mishaps.SILENT,
    0x8021000D: mishaps.BUSY,
    0x80210010: mishaps.COVER,
    0x80210014: mishaps.DOUBLE,
    0x80210015: mishaps.SILENT,
}


def manager() -> Any:
    """Windows' own list of WIA devices. Raises MissingDependency, or NoScanner where Windows has no WIA."""
    try:
        from comtypes.client import CreateObject
    except ImportError as error:
        raise MissingDependency(
            "WIA needs comtypes", why=str(error), hint="Install it: pip install comtypes"
        ) from error
    try:
        return CreateObject("WIA.DeviceManager", dynamic=True)
    except OSError as error:
        raise NoScanner("This Windows has no WIA", why=str(error), hint="Use a network or TWAIN scanner.") from error


class AutomationLayer:
    def __init__(self) -> None:
        self._manager = manager()

    def _infos(self) -> Iterator[Any]:
        yield from (info for info in self._manager.DeviceInfos if info.Type == SCANNER)

    def devices(self) -> Iterator[tuple[str, str, str]]:
        for info in self._infos():
            about = {each.Name: each.Value for each in info.Properties}
            yield info.DeviceID, str(about.get("Manufacturer", "")), str(about.get("Name", ""))

    def open(self, name: str) -> AutomationScanner:
        info = next((info for info in self._infos() if info.DeviceID == name), None)
        if info is None:
            raise NoScanner(f"There is no WIA scanner '{name}'", hint="`dwtsvc devices` lists the scanners.")
        try:
            return AutomationScanner(info.Connect())
        except Exception as error:
            raise _error(error, frozenset()) from error


class AutomationScanner:
    def __init__(self, device: Any) -> None:
        self._device, self._item = device, next(iter(device.Items), None)
        if self._item is None:
            raise NoScanner("The WIA device has nothing to scan from", hint="`dwtsvc devices` lists the scanners.")

    def items(self) -> dict[Source, Item]:
        told = self.properties().get("document_handling_capabilities")
        capable = words(told.value if told else None)
        found: dict[Source, Item] = {}
        if "flat" in capable or "feed" not in capable:
            found[Source.FLATBED] = AutomationItem("flatbed", self._device, self._item, FLATBED)
        if "feed" in capable:
            found[Source.FEEDER] = AutomationItem("feeder", self._device, self._item, FEEDER)
        return found

    def properties(self) -> dict[str, Property]:
        return _properties(self._device)

    def close(self) -> None:
        self._device = self._item = None


class AutomationItem:
    def __init__(self, name: str, device: Any, item: Any, select: int) -> None:
        self.name, self._device, self._item, self._select = name, device, item, select

    def properties(self) -> dict[str, Property]:
        return _properties(self._item)

    def set(self, name: str, value: int | str) -> bool:
        number = NUMBERS.get(name)
        if number is None:
            return False
        wanted = DATA_TYPES.get(value, value) if isinstance(value, str) else value
        return _set(self._item, number, wanted)

    def page(self) -> bytes | None:
        _set(self._device, SELECT, self._select)
        _set(self._device, PAGES, 1)
        try:
            image = self._item.Transfer(BMP)
        except Exception as error:
            if _hresult(error) == PAPER_EMPTY:
                return None
            told = _properties(self._device).get("document_handling_status")
            raise _error(error, words(told.value if told else None)) from error
        return _bytes_of(image)


def _bytes_of(image: Any) -> bytes:
    # Not by its FileData: comtypes makes a number of each byte.
    with Scratch("page") as folder:
        path = folder / "page.bmp"
        image.SaveFile(str(path))
        return path.read_bytes()


def _set(target: Any, number: int, value: Any) -> bool:
    for each in target.Properties:
        if each.PropertyID == number and not each.IsReadOnly:
            try:
                each.Value = value
            except Exception as error:
                if _hresult(error) is None:
                    raise
                return False
            return True
    return False


def _properties(target: Any) -> dict[str, Property]:
    return {NAMES[each.PropertyID]: _property(each) for each in target.Properties if each.PropertyID in NAMES}


def _property(each: Any) -> Property:
    name = NAMES[each.PropertyID]
    flags = FLAGS.get(name)
    value = each.Value
    if flags is not None:
        value = ",".join(word for bit, word in flags.items() if value & bit)
    limits = (each.SubTypeMin, each.SubTypeMax, each.SubTypeStep) if each.SubType == RANGE else None
    choices = tuple(map(int, each.SubTypeValues)) if each.SubType == LIST else ()
    return Property(name=name, value=value, choices=choices, limits=limits, settable=not each.IsReadOnly)


def _hresult(error: Exception) -> int | None:
    """The unsigned number of a COMError; None for other exceptions."""
    number = getattr(error, "hresult", None)
    return number & 0xFFFFFFFF if isinstance(number, int) else None


def _error(error: Exception, status: frozenset[str]) -> Exception:
    number = _hresult(error)
    if number is None:
        return error
    why = f"{getattr(error, 'text', None) or 'WIA'} ({number:#010x})"
    if number in ERRORS:
        return mishaps.told(ERRORS[number], why)
    return failure(status, why)
