"""WIA by `pyinsane2.wia._rawapi`, the compiled part of pyinsane2. Imported only inside the WIA worker.

Its Python parts are not used: their transfer waits for ever for a page that failed.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterator
from typing import Any

from dwtsvc.devices.wialib import Item, Property, failure, words
from dwtsvc.errors import DriverError, NoScanner
from dwtsvc.model import Source

os.environ["PYINSANE_SINGLE_THREAD"] = "1"  # before the import: else it starts a thread that nobody ends
from pyinsane2.wia import _rawapi

BUFFER = 512_000  # bytes that the layer hands over at a time
_FEEDER_WORDS = ("feeder", "adf")


class _Words:
    """Takes what the layer logs, because it tells causes nowhere else."""

    def __init__(self) -> None:
        self.last: deque[str] = deque(maxlen=3)

    def warning(self, text: str, *_: object) -> None:
        self.last.append(text)

    error = warning

    def debug(self, *_: object) -> None:
        pass

    info = debug


class RawLayer:
    def __init__(self) -> None:
        self._words = _Words()
        _rawapi.register_logger(0, self._words)
        _rawapi.init()

    def devices(self) -> Iterator[tuple[str, str, str]]:
        for name, model in _rawapi.get_devices() or ():
            yield name, "", model

    def open(self, name: str) -> RawScanner:
        device = _rawapi.open(name)
        if device is None:
            why = "; ".join(self._words.last)
            raise NoScanner(f"The WIA scanner '{name}' cannot be opened", why=why, hint="Check its cable and power.")
        return RawScanner(device, self._words)


class RawScanner:
    def __init__(self, device: Any, words: _Words) -> None:
        self._device, self._words = device, words

    def items(self) -> dict[Source, Item]:
        found: dict[Source, Item] = {}
        for name, handle in _rawapi.get_sources(self._device) or ():
            feeder = any(word in name.lower() for word in _FEEDER_WORDS)
            found.setdefault(Source.FEEDER if feeder else Source.FLATBED, RawItem(name, handle, self))
        # Some feeders have no sources at all: the device is what is scanned.
        return found or {Source.FEEDER: RawItem("device", self._device, self)}

    def properties(self) -> dict[str, Property]:
        return _properties(self._device)

    def failure(self) -> DriverError:
        status = self.properties().get("document_handling_status")
        return failure(words(status.value if status else None), "; ".join(self._words.last))

    def forget_words(self) -> None:
        self._words.last.clear()

    def close(self) -> None:
        self._device = None
        with contextlib.suppress(Exception):  # of a library that ends with this process
            _rawapi.exit()


class RawItem:
    def __init__(self, name: str, handle: Any, scanner: RawScanner) -> None:
        self.name, self._handle, self._scanner = name, handle, scanner

    def properties(self) -> dict[str, Property]:
        return _properties(self._handle)

    def set(self, name: str, value: int | str) -> bool:
        return bool(_rawapi.set_property(self._handle, name, value))

    def page(self) -> bytes | None:
        self.set("pages", 1)  # one after the other: with more some drivers never say that the feeder is empty
        buffer, page, ended = bytearray(BUFFER), bytearray(), False

        def take(count: int) -> None:
            page.extend(memoryview(buffer)[:count])

        def end() -> None:
            nonlocal ended
            ended = True

        self._scanner.forget_words()
        done = _rawapi.download(self._handle, take, end, lambda: None, buffer)
        if done is None:
            return None
        # Some drivers report a failure after a whole page.
        if not done and not ended:
            raise self._scanner.failure()
        return bytes(page)


def _properties(handle: Any) -> dict[str, Property]:
    constraints = dict(_rawapi.get_constraints(handle) or ())
    found = {}
    for name, value, access, _ in _rawapi.get_properties(handle) or ():
        limits, choices = _constraint(constraints.get(name))
        found[name] = Property(name=name, value=value, choices=choices, limits=limits, settable=access == "rw")
    return found


def _constraint(told: Any) -> tuple[tuple[int, int, int] | None, tuple[int, ...]]:
    """A range comes as (least, usual, most, step), a list as [count, usual, values...]."""
    if isinstance(told, tuple) and len(told) == 4:
        return (told[0], told[2], told[3]), ()
    if isinstance(told, list) and all(isinstance(each, int) for each in told):
        return None, tuple(told[2:] if len(told) > 2 and told[0] == len(told) - 2 else told)
    return None, ()
