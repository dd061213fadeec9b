"""What was found out about pages, text and barcodes: found in confined children, and remembered in memory."""

from __future__ import annotations

import pickle
import shutil
import threading
import zlib
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from dwtsvc.errors import BadInput, ChildProgramFailed
from dwtsvc.server import parsing
from dwtsvc.server.confined import PARSING, Confined
from dwtsvc.server.looks import Ask, Found, Look

KEPT = 64 << 20  # bytes: the text of ten thousand pages
ASKING = 35.0  # seconds: the question which way up a page is ends after 30


class Findings:
    """Safe to use from several threads; blocking. `folder` is for what the programs that are called write, no pages."""

    def __init__(self, confined: Confined, folder: Path, limit: int = KEPT) -> None:
        self._confined, self._folder = confined, folder
        self._limit, self._used = limit, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self.clear()

    def clear(self) -> None:
        """Take away what children that were killed have left."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def scratch(self) -> str:
        return str(self._folder)

    def of(self, whose: str, look: Look, ask: Ask) -> Found:
        """What there is on a page, for a bucket. Raises BadInput, MissingDependency, PageDamaged."""
        key = _key(whose, look, ask)
        if key and (known := self._find(key)):
            return unpacked(known)
        found = self._made(whose, look, ask)
        if key and found.picture is None:
            self._keep(key, packed(found))
        return found

    def each(self, whose: str, looks: Iterable[Look], ask: Ask) -> Iterator[Found]:
        """The same of many pages, in order; as many are worked on at once as a bucket has children."""
        working: deque[Future[Found]] = deque()
        with ThreadPoolExecutor(self._confined.share, thread_name_prefix="findings") as threads:
            try:
                for look in looks:
                    working.append(threads.submit(self.of, whose, look, ask))
                    if len(working) > self._confined.share:
                        yield working.popleft().result()
                while working:
                    yield working.popleft().result()
            finally:
                for future in working:
                    future.cancel()

    def _made(self, whose: str, look: Look, ask: Ask) -> Found:
        reading = ask.reading
        timeout = PARSING + (reading.timeout if reading else 0.0) + (ASKING if ask.rotate else 0.0)
        try:
            return self._confined.run(
                whose, parsing.developed, look.page, look.read(), look.steps, ask, self.scratch, timeout=timeout
            )
        except ChildProgramFailed as error:
            raise BadInput("The page cannot be read", why=error.why) from error

    def _find(self, key: str) -> bytes | None:
        with self._lock:
            if found := self._kept.get(key):
                self._kept.move_to_end(key)
            return found

    def _keep(self, key: str, data: bytes) -> None:
        with self._lock:
            self._used += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self._used > self._limit and self._kept:
                self._used -= len(self._kept.popitem(last=False)[1])


def packed(found: Found) -> bytes:
    """A tenth of what it takes as objects."""
    return zlib.compress(pickle.dumps(found), 1)


def unpacked(data: bytes) -> Found:
    found: Found = pickle.loads(zlib.decompress(data))  # of this process's own making
    return found


def _key(whose: str, look: Look, ask: Ask) -> str:
    """Nobody gets another bucket's findings, though the checksum could be forged; a fetched picture has none."""
    return f"{whose}\n{look.page.checksum}\n{look.steps!r}\n{ask!r}" if look.page.checksum else ""
