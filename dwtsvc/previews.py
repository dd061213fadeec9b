"""What a camera sees, picture after picture, for as long as somebody looks.

A preview is a scan that does not end by itself: each picture is a small JPEG page in one of two slots, so a camera
waits for who looks, and nothing of it is kept. The device is taken like for a scan: nobody else gets it meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from time import monotonic

from dwtsvc.devices.process import PageReady
from dwtsvc.errors import DwtsvcError
from dwtsvc.model import ScanRequest
from dwtsvc.scratch import Scratch
from dwtsvc.stations import Stations

MOST_BYTES = 4 << 20  # of a picture
LONGEST = 600.0  # seconds: a page that was forgotten does not film the room all night
UNSEEN = 10.0  # seconds after which a picture that nobody fetched ends it


class Preview:
    """An open camera. `next` belongs to one thread at a time, `close` to any; pictures that nobody fetches end it."""

    def __init__(self, stations: Stations, device: str, *, width: int, rate: int, folder: Path) -> None:
        """`width` in pixels and `rate` a second are bounds. Raises NoScanner, ScannerBusy, MissingDependency, ..."""
        self._stations, self._device = stations, device
        self._folder = Scratch("preview", folder)
        try:
            self._station = stations.take(device)
        except BaseException:
            self._folder.cleanup()
            raise
        worker = self._station.worker
        worker.forget_cancel()
        request = ScanRequest(device=device, options=(("preview", f"{width}@{rate}"),))
        self._events = worker.scan(request, self._folder.path, slots=2, max_bytes=MOST_BYTES)
        self._using = threading.Lock()
        self._closing = threading.Lock()
        self._closed = False
        self._until = monotonic() + LONGEST
        self._watch = self._watching()

    def next(self) -> bytes | None:
        """The next picture, as JPEG; None at the end. Raises what the device reports. Blocking."""
        self._watch.cancel()
        with self._using:
            picture = None if self._closed or monotonic() > self._until else self._picture()
        self._watch = self._watching()
        return picture

    def _watching(self) -> threading.Timer:
        watch = threading.Timer(UNSEEN, self.close)
        watch.daemon = True
        watch.start()
        return watch

    def _picture(self) -> bytes | None:
        for event in self._events:
            if isinstance(event, PageReady):
                data = event.path.read_bytes()
                self._station.worker.release(event.slot, kept=False)
                return data
        return None

    def close(self) -> None:
        """Close the camera and let the device go. Blocking, at most as long as a cancelled scan."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._watch.cancel()
            self._station.worker.cancel()
            with self._using:
                self._drain()
            self._stations.put_back(self._device, self._station)
            self._folder.cleanup()

    def _drain(self) -> None:
        with contextlib.suppress(DwtsvcError):  # that it was cancelled, as it was
            for event in self._events:
                if isinstance(event, PageReady):
                    self._station.worker.release(event.slot, kept=False)
