"""Files on their way in: a small one stays in memory, a large one waits on the disk, sealed, for a child to read it.

Each large file has a key of its own, which is nowhere but in memory: what a service that was killed left behind, nobody
can open any more, and the next service deletes it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from dwtsvc.disk import private, telling
from dwtsvc.errors import TooMany
from dwtsvc.paths import Paths
from dwtsvc.sealing import KEY_BYTES, Seal

if TYPE_CHECKING:
    from dwtsvc.server.bridge import Bridge

IN_MEMORY = 1 << 20  # bytes of a file that is not put on the disk
MOST_AT_ONCE = 16  # larger ones, of everybody together: 1 GiB of the disk
SUFFIX = ".upload"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody sent, of `size` bytes: its content, or where it lies sealed with which key.

    It goes to a confined child as it is, so that the service never holds a large one.
    """

    size: int
    content: bytes = field(default=b"", repr=False)
    path: str = ""
    key: bytes = field(default=b"", repr=False)

    def read(self) -> bytes:
        """The whole file. For children: 64 MiB of memory for as long as they read it. Raises BrokenSeal, OSError."""
        if not self.path:
            return self.content
        path = Path(self.path)
        return Seal(self.key).read(path, path.name)


class Uploads:
    """Receives files on the event loop. `folder` is for nothing else: what lies in it is deleted at the start."""

    def __init__(self, folder: Path, bridge: Bridge) -> None:
        self._folder, self._bridge = folder, bridge
        self._coming = 0
        for left in folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(OSError):  # Windows, while a child of the service before still reads it
                left.unlink()

    @contextlib.asynccontextmanager
    async def receive(self, pieces: AsyncGenerator[bytes, None], length: int | None) -> AsyncIterator[Upload]:
        """A file from the pieces of a body; gone when the block ends, however it does. `length` is what was announced.

        Raises TooMany before the first piece is asked for, DiskFull, and what the pieces raise.
        """
        async with contextlib.aclosing(pieces):
            with self._place(length):
                begin = await _beginning(pieces)
                if len(begin) <= IN_MEMORY:
                    yield Upload(len(begin), bytes(begin))
                    return
                path = Paths.create(self._folder) / f"{token_hex(16)}{SUFFIX}"
                try:
                    yield await self._sealed(path, begin, pieces)
                finally:
                    with contextlib.suppress(OSError):  # Windows, while a child reads it: the next start deletes it
                        path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _place(self, length: int | None) -> Iterator[None]:
        """Count a file that is, or may be, a large one."""
        if length is not None and length <= IN_MEMORY:
            yield
            return
        if self._coming >= MOST_AT_ONCE:
            raise TooMany("Too many large files at once", why=f"{MOST_AT_ONCE} are taken", hint="Wait for one to end.")
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    async def _sealed(self, path: Path, begin: bytearray, pieces: AsyncGenerator[bytes, None]) -> Upload:
        key, size, run = os.urandom(KEY_BYTES), len(begin), self._bridge.run
        with _Written(path, key) as written:
            await run(written.add, begin)
            async for piece in pieces:
                size += len(piece)
                await run(written.add, piece)
            await run(written.end)
        return Upload(size, path=str(path), key=key)


class _Written:
    """A sealed file that grows; each call raises DiskFull or FileAccess. What is no fault of the disk passes by."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        with telling(path):
            self._file = open(path, "xb", opener=private)
            self._sealing = Seal(key).begin(self._file, path.name)

    def __enter__(self) -> _Written:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # a full disk, told already: `end` has flushed what is whole
            self._file.close()

    def add(self, piece: bytes | bytearray) -> None:
        with telling(self._path):
            self._sealing.add(piece)

    def end(self) -> None:
        with telling(self._path):
            self._sealing.end()
            self._file.flush()


async def _beginning(pieces: AsyncGenerator[bytes, None]) -> bytearray:
    """As much as shows whether a file is large, or all of it."""
    begin = bytearray()
    async for piece in pieces:
        begin += piece
        if len(begin) > IN_MEMORY:
            break
    return begin
