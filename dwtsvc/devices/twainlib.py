"""TWAIN through pytwain: the sources there are, and an open one. Imported only inside a TWAIN worker.

pytwain loads the data source manager, keeps the states and runs the message loop. Containers, identities, condition
codes and custom data go by its one entry point, `_call`, because it tells too little of them or does not know them.
It has no memory transfer. Replacing pytwain by plain ctypes would touch this file only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import twain
from twain import exceptions
from twain.lowlevel import constants, structs

from dwtsvc.devices import bitmap, containers, mishaps
from dwtsvc.devices.containers import CODE_PAGE, Container, Value
from dwtsvc.devices.mishaps import Mishap
from dwtsvc.errors import Cancelled, DriverError, MissingDependency, NoScanner

# The manager of the TWAIN Working Group, of either width; then the one that Windows has for 32 bits, and Wine for both.
MANAGERS = ("twaindsm.dll", "twain_32.dll")
LOOK_EVERY = 100  # milliseconds between two looks whether a scan was cancelled, while the source says nothing
_MOST_CUSTOM_DATA = 512 << 10

CONDITIONS: dict[int, Mishap] = {
    3: mishaps.SILENT,
    4: mishaps.BUSY,
    20: mishaps.JAM,
    21: mishaps.DOUBLE,
    23: mishaps.SILENT,
    24: mishaps.COVER,
    29: mishaps.EMPTY,
}
HINTS = {
    1: "Scan again; if it fails again, restart the scanner.",
    2: "Scan a smaller area or at a lower resolution.",
    5: "The driver shows more in its own window: try --option show-ui=yes.",
    10: "The driver refused a value; `dwtsvc devices --capabilities` shows what it allows.",
    16: "The driver refuses it now; another program may have it.",
}
WORDS = {
    **{getattr(constants, name): name for name in dir(constants) if name.startswith("TWCC_")},
    24: "TWCC_INTERLOCK",
    25: "TWCC_DAMAGEDCORNER",
    26: "TWCC_FOCUSERROR",
    27: "TWCC_DOCTOOLIGHT",
    28: "TWCC_DOCTOODARK",
    29: "TWCC_NOMEDIA",
}
NO_MEDIA = 29
CRASHED = 70  # the exit status of a worker whose data source crashed
UNKNOWN_CAPABILITY = frozenset({6, 9, 13, 14, 15})  # so sources say, of any age, that one cannot be asked or set now
NAMES: dict[int, str] = {
    getattr(constants, name): name.partition("_")[2].lower()
    for name in dir(constants)
    if name.startswith(("CAP_", "ICAP_")) and isinstance(getattr(constants, name), int)
}


class Refused(exceptions.TwainError):  # type: ignore[misc]
    """A data source's answer with its condition code. A TwainError, because pytwain catches those when it closes."""

    def __init__(self, condition: int) -> None:
        super().__init__(word(condition))
        self.condition = condition


def word(condition: int) -> str:
    return f"{WORDS.get(condition, 'an unknown condition')} (TWAIN condition {condition})"


def condition_error(condition: int, doing: str) -> DriverError:
    """The typed error for a condition code, with TWAIN's own word for it."""
    if condition in CONDITIONS:
        return mishaps.told(CONDITIONS[condition], word(condition))
    return DriverError(f"The scanner's driver failed while {doing}", why=word(condition), hint=HINTS.get(condition, ""))


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Turn what TWAIN and pytwain say meanwhile into errors of dwtsvc."""
    try:
        yield
    except Refused as refused:
        raise condition_error(refused.condition, what) from refused
    except exceptions.DSTransferCancelled as cancelled:
        raise Cancelled("The scan was cancelled", why="in the driver's own window") from cancelled
    except (exceptions.TwainError, RuntimeError) as error:
        why = str(error) or type(error).__name__
        raise DriverError(f"The scanner's driver failed while {what}", why=why) from error


@contextlib.contextmanager
def not_surviving() -> Iterator[None]:
    """Let a crash of the data source be one: on Windows ctypes makes an access violation an OSError, and goes on with
    memory of which nobody knows what is left of it. The parent tells of this process as of any that crashed."""
    try:
        yield
    except OSError as error:
        os.write(2, f"{error}\n".encode(errors="replace"))
        os._exit(CRASHED)


class _CustomData(ctypes.Structure):
    _pack_ = 2
    _fields_ = [("length", ctypes.c_uint32), ("handle", ctypes.c_void_p)]


class _Manager(twain.SourceManager):  # type: ignore[misc]
    """pytwain's manager, which keeps the number of a condition: its own errors know only some of them."""

    def _call(self, to: Any, group: int, kind: int, message: int, data: Any, expected: Any = ()) -> int:
        with not_surviving():
            answer: int = self._entry(self._app_id, to, group, kind, message, data)
        if answer == constants.TWRC_SUCCESS or answer in expected:
            return answer
        if answer != constants.TWRC_FAILURE:
            raise RuntimeError(f"an unexpected answer {answer}")
        status = structs.TW_STATUS()
        self._entry(
            self._app_id, to, constants.DG_CONTROL, constants.DAT_STATUS, constants.MSG_GET, ctypes.byref(status)
        )
        raise Refused(status.ConditionCode)


class Manager:
    """The data source manager, open. Raises MissingDependency where there is none."""

    def __init__(self) -> None:
        self._window = Window()
        self._open = self._load()

    def _load(self) -> _Manager:
        for name in MANAGERS:
            try:
                with doing("it was started"):
                    return _Manager(
                        self._window.handle,
                        dsm_name=name,
                        ProductName="dwtsvc",
                        ProductFamily="dwtsvc",
                        Manufacturer="",
                    )
            except OSError:
                continue
        self._window.close()
        bits = 64 if sys.maxsize > 2**32 else 32
        raise MissingDependency(
            f"There is no TWAIN for {bits} bits here",
            why=f"none of {', '.join(MANAGERS)} can be loaded",
            hint="Install the scanner's TWAIN driver, or the TWAIN Data Source Manager.",
        )

    def sources(self) -> Iterator[tuple[str, str]]:
        """(manufacturer, product name) of every installed source; none of them is started."""
        for identity in self._identities():
            yield _text(identity.Manufacturer), _text(identity.ProductName)

    def _identities(self) -> Iterator[Any]:
        identity, message = structs.TW_IDENTITY(), constants.MSG_GETFIRST
        while self._identify(message, identity):
            yield identity
            message = constants.MSG_GETNEXT

    def _identify(self, message: int, identity: Any) -> bool:
        try:
            with doing("the scanners were listed"):
                answer = self._open._call(
                    None,
                    constants.DG_CONTROL,
                    constants.DAT_IDENTITY,
                    message,
                    ctypes.byref(identity),
                    (constants.TWRC_ENDOFLIST,),
                )
        except NoScanner:  # so a manager says that there are no sources at all
            return False
        return bool(answer != constants.TWRC_ENDOFLIST)

    def open(self, name: str) -> Handle:
        """Open a source by its product name. Raises NoScanner where none has it."""
        # Not by pytwain's open_source: it spells names in UTF-8, and sources have them in the code page of Windows.
        identity = next((each for each in self._identities() if _text(each.ProductName) == name), None)
        if identity is None:
            raise NoScanner(f"There is no TWAIN scanner '{name}'", hint="`dwtsvc devices` lists the scanners.")
        with doing("the device was opened"):
            self._open._open_ds(identity)
        return Handle(twain.Source(self._open, identity))

    def close(self) -> None:
        with contextlib.suppress(exceptions.TwainError, RuntimeError):
            self._open.close()
        self._window.close()


class Handle:
    """An open data source in TWAIN's state 4, to which `idle` brings it back from wherever a scan left it."""

    def __init__(self, source: Any) -> None:
        self._source = source

    # -- capabilities --------------------------------------------------------------------------------------------

    def get(self, capability: int, message: int = constants.MSG_GET) -> Container | None:
        """What the source tells of a capability; None where it does not know it."""
        asked = structs.TW_CAPABILITY(capability, constants.TWON_DONTCARE16, 0)
        try:
            self._control(constants.DAT_CAPABILITY, message, asked)
        except Refused as refused:
            if refused.condition in UNKNOWN_CAPABILITY:
                return None
            raise condition_error(refused.condition, "it was asked what it can do") from refused
        return self._contained(asked) if asked.hContainer else None

    def _contained(self, asked: Any) -> Container:
        try:
            with self._locked(asked.hContainer) as address:
                size = containers.size_of(asked.ConType, ctypes.string_at(address, containers.HEAD))
                return containers.unpack(asked.ConType, ctypes.string_at(address, size))
        finally:
            self._source._free(asked.hContainer)

    def current(self, capability: int) -> Value | None:
        told = self.get(capability, constants.MSG_GETCURRENT) or self.get(capability)
        return told.current if told else None

    def settable(self, capability: int) -> bool | None:
        """Whether the source lets it be set; None where it does not tell."""
        told = self.get(capability, constants.MSG_QUERYSUPPORT)
        return None if told is None or told.current is None else bool(int(told.current) & constants.TWQC_SET)

    def set(self, capability: int, type: int, value: Value) -> bool:
        """Set one value; False where the source does not know the capability, or does not let it be set now.

        A value that the source makes a possible one of its own counts as set. Raises DriverError for one it refuses.
        """
        packed = containers.pack(type, value)
        handle = self._filled(packed)
        asked = structs.TW_CAPABILITY(capability, constants.TWON_ONEVALUE, handle)
        try:
            self._control(constants.DAT_CAPABILITY, constants.MSG_SET, asked, (constants.TWRC_CHECKSTATUS,))
        except Refused as refused:
            if refused.condition in UNKNOWN_CAPABILITY:
                return False
            name = NAMES.get(capability, hex(capability))
            raise condition_error(refused.condition, f"setting {name} to {value}") from refused
        finally:
            self._source._free(handle)
        return True

    def _control(self, kind: int, message: int, data: Any, expected: tuple[int, ...] = ()) -> int:
        answer: int = self._source._call(constants.DG_CONTROL, kind, message, ctypes.byref(data), expected)
        return answer

    @contextlib.contextmanager
    def _locked(self, handle: Any) -> Iterator[int]:
        try:
            yield self._source._lock(handle)
        finally:
            self._source._unlock(handle)

    def _filled(self, data: bytes) -> Any:
        handle = self._source._alloc(len(data))
        with self._locked(handle) as address:
            ctypes.memmove(address, data, len(data))
        return handle

    # -- the driver's own settings, and the area -----------------------------------------------------------------

    def custom_data(self) -> bytes | None:
        """All settings of the source as it keeps them itself; None where it has no such thing."""
        told = _CustomData()
        try:
            self._control(constants.DAT_CUSTOMDSDATA, constants.MSG_GET, told)
        except Refused:
            return None
        if not told.handle:
            return None
        try:
            with self._locked(told.handle) as address:
                return ctypes.string_at(address, told.length) if told.length <= _MOST_CUSTOM_DATA else None
        finally:
            self._source._free(told.handle)

    def set_custom_data(self, data: bytes) -> None:
        handle = self._filled(data)
        try:
            with doing("its own settings were set"):
                self._control(constants.DAT_CUSTOMDSDATA, constants.MSG_SET, _CustomData(len(data), handle))
        finally:
            self._source._free(handle)

    def set_frame(self, frame: tuple[float, float, float, float]) -> None:
        """The area to be scanned: left, top, right and bottom, in inches."""
        with doing("the area was set"), contextlib.suppress(exceptions.CheckStatus):
            self._source.set_image_layout(frame)

    def reset_frame(self) -> None:
        """Whatever the source scans when nobody says; one that cannot be told is left as it is."""
        with contextlib.suppress(Refused):
            self._source.reset_image_layout()

    # -- pages ---------------------------------------------------------------------------------------------------

    def enable(self, *, show_ui: bool, cancelled: Event) -> bool:
        """Begin to scan, and wait until an image is ready; False if the source was closed instead.

        Raises Cancelled soon after `cancelled` is set.
        """
        seen: list[int] = []

        def hear(message: int) -> None:
            seen.append(message)
            if cancelled.is_set():
                raise Cancelled("The scan was cancelled")

        with doing("the scan was started"):
            self._source.request_acquire(show_ui=show_ui, modal_ui=False)
        self._source._sm.set_callback(hear)
        with ticking(), not_surviving(), doing("it waited for the scanner"):
            self._source.modal_loop()
        return bool(seen) and seen[-1] == constants.MSG_XFERREADY

    def resolution(self) -> float:
        """The dots per inch of the image that is ready; 0 where the source does not tell."""
        with contextlib.suppress(Refused):
            return float(self._source.image_info["XResolution"])
        return 0.0

    @contextlib.contextmanager
    def native(self) -> Iterator[tuple[memoryview, bool]]:
        """The next image as a bitmap without a file header, and whether there is another behind it."""
        with doing("a page was read"):
            handle, more = self._source.xfer_image_natively()
        try:
            with self._locked(handle) as address:
                yield _bitmap_at(address, self._size(handle)), bool(more)
        finally:
            self._source._free(handle)

    def _size(self, handle: Any) -> int | None:
        """The bytes behind a handle; None where they are the source manager's, and nobody tells."""
        return None if self._source.is_twain2() else int(twain.windows.GlobalSize(handle))

    def to_file(self, path: Path, format: int) -> bool:
        """Have the next image written to a file; whether there is another behind it."""
        with doing("a page was read"):
            setup = structs.TW_SETUPFILEXFER(_raw(str(path)), format, 0)
            self._control(constants.DAT_SETUPFILEXFER, constants.MSG_SET, setup)
            return bool(self._source.xfer_image_by_file())

    def idle(self) -> None:
        """Give up what was not transferred, and disable the source: a failed transfer leaves it where it was."""
        if self._source._state == "ready":
            with contextlib.suppress(exceptions.TwainError, RuntimeError):
                self._source._end_all_xfers()
        if self._source._state == "enabled":
            with contextlib.suppress(exceptions.TwainError, RuntimeError):
                self._source.hide_ui()

    def close(self) -> None:
        with contextlib.suppress(exceptions.TwainError, RuntimeError):
            self._source.close()


def _bitmap_at(address: int, size: int | None) -> memoryview:
    """The memory of a bitmap. Where nobody tells its size it is what its header says."""
    if size is None:
        before_rows = bitmap.before_rows(ctypes.string_at(address, bitmap.HEADER_SIZE))
        size = bitmap.header(ctypes.string_at(address, before_rows)).size
    return memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")


def _text(raw: bytes) -> str:
    return raw.decode(CODE_PAGE, errors="replace")


def _raw(text: str) -> bytes:
    return text.encode(CODE_PAGE, errors="replace")


if sys.platform == "win32":
    _USER = ctypes.WinDLL("user32", use_last_error=True)
    _USER.CreateWindowExW.restype = ctypes.c_void_p
    _USER.SetTimer.restype = ctypes.c_void_p
    _USER.KillTimer.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    _MESSAGES_ONLY = ctypes.c_void_p(-3)
    _POPUP = 0x80000000

    class Window:
        """The hidden window that data sources want as their parent. Without a desktop it only takes messages."""

        def __init__(self) -> None:
            self.handle: int = self._make(_POPUP, None) or self._make(0, _MESSAGES_ONLY) or 0

        def _make(self, style: int, parent: Any) -> int | None:
            make = _USER.CreateWindowExW
            made: int | None = make(0, "STATIC", "dwtsvc", style, 0, 0, 1, 1, parent, None, None, None)
            return made

        def close(self) -> None:
            if self.handle:
                _USER.DestroyWindow(ctypes.c_void_p(self.handle))

    @contextlib.contextmanager
    def ticking() -> Iterator[None]:
        """Have the message loop hear a timer, so that it looks around even when nothing else happens."""
        timer = _USER.SetTimer(None, None, LOOK_EVERY, None)
        try:
            yield
        finally:
            _USER.KillTimer(None, timer)

else:

    class Window:
        """There are no windows here; TWAIN is spoken to a fake in tests only."""

        handle = 0

        def close(self) -> None:
            pass

    @contextlib.contextmanager
    def ticking() -> Iterator[None]:
        yield
