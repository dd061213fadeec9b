"""PageStore: pages on disk first. A page that `add` has acknowledged survives a crash, kill -9 and power loss.

One folder an owner (a job, a client's buffer or a stored document):

    <root>/<owner>/lock       locked while the owner is alive; free means: left behind, to be recovered
    <root>/<owner>/journal    a line a record: JSON and its CRC-32; the first bad line ends it (a torn write)
    <root>/<owner>/page-N     the bytes of page N, as the record of page N describes them
    <root>/<owner>/slot-N     pages on their way; they count for nothing

The journal decides: a page file without a record is no page. The order of writes is: page file, fsync, rename, fsync
of the folder, record, fsync of the journal, and only then the acknowledgement.

With a seal the bytes of pages, and what is noted beside them, are encrypted; the records of pages are not.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import mmap
import os
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import xxhash

from dwtsvc import locks
from dwtsvc.disk import open_file, private, sync_folder, telling
from dwtsvc.errors import BadArguments, PageDamaged
from dwtsvc.model import Encoding, PageInfo, Raster
from dwtsvc.records import BadRecord, pack, unpack
from dwtsvc.sealing import BrokenSeal, Seal

SETTLED = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """An owner whose process is gone, with what it had said about itself."""

    owner: str
    begun: datetime
    about: dict[str, Any]
    pages: int
    size: int  # bytes of the pages


class PageStore:
    """All pages below one root folder (0700, files 0600). Safe to use from several threads.

    `seal` is for owners that bring none of their own.
    """

    def __init__(self, root: Path, seal: Seal | None = None) -> None:
        self.root = root
        self._seal = seal
        self._lock = threading.Lock()
        self._journals: dict[str, int] = {}
        self._locks: dict[str, int] = {}
        self._seals: dict[str, Seal] = {}

    def begin(self, about: dict[str, Any], *, seal: Seal | None = None) -> str:
        """A new owner; `about` (JSON) is what a recovery shows. It is alive until `discard` or `leave`."""
        begun = datetime.now(UTC)
        owner = f"{begun:%Y%m%d-%H%M%S}-{os.urandom(3).hex()}"
        with telling(self.root):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder(owner).mkdir(mode=0o700)
            try:
                self._claim(owner)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
                self._journals[owner] = open_file(self.folder(owner) / "journal", flags)
                self._record(owner, {"begun": begun.isoformat(), "about": about})
                if seal:
                    self._seals[owner] = seal
                sync_folder(self.folder(owner))
                sync_folder(self.root)
            except BaseException:
                self.discard(owner)
                raise
        return owner

    def _claim(self, owner: str) -> None:
        lock = locks.open_locked(self.folder(owner) / "lock")
        if lock is None:
            raise BadArguments(f"The pages of {owner} are in use by another process")
        self._locks[owner] = lock

    def folder(self, owner: str) -> Path:
        """The owner's folder; files in it that are not pages may be used as slots."""
        return self.root / owner

    def add(self, owner: str, file: Path, *, number: int, back: bool, encoding: Encoding, raster: Raster) -> PageInfo:
        """Take over a file in the owner's folder as a page. When this returns, the page is safe, and the file gone.

        Raises DiskFull or FileAccess; the page then does not exist, and the file stays.
        """
        seal = self._seal_of(owner)
        with telling(file):
            if seal is None:
                return self._keep(owner, file, number, back, encoding, raster)
            with file.open("rb") as content:
                sealed = _sealed_copy(seal, content, self.folder(owner), _id(owner, number))
            page = self._keep(owner, sealed, number, back, encoding, raster)
            file.unlink(missing_ok=True)
        return page

    def _keep(self, owner: str, whole: Path, number: int, back: bool, encoding: Encoding, raster: Raster) -> PageInfo:
        """Make a file a page; where the owner's are sealed it is that already. Raises OSError."""
        target = self.folder(owner) / f"page-{number}"
        size, checksum = _sync_and_sum(whole)
        os.rename(whole, target)
        sync_folder(target.parent)
        page = PageInfo(
            id=_id(owner, number),
            number=number,
            back=back,
            encoding=encoding,
            raster=raster,
            size=size,
            checksum=checksum,
            sealed=self._seal_of(owner) is not None,
        )
        self._record(owner, {"page": page})
        return page

    def put(
        self, owner: str, data: bytes | mmap.mmap, *, number: int, back: bool, encoding: Encoding, raster: Raster
    ) -> PageInfo:
        """Store the bytes of a page that lies in no file yet; as safe as `add` makes it, and raises as that.

        Where pages are sealed, no byte of it is on the disk before.
        """
        seal, folder = self._seal_of(owner), self.folder(owner)
        draft = folder / f"draft-{number}"
        with telling(draft):
            try:
                if seal:
                    draft = _sealed_copy(seal, io.BytesIO(data), folder, _id(owner, number))
                else:
                    with open(draft, "xb", opener=private) as file:
                        file.write(data)
                return self._keep(owner, draft, number, back, encoding, raster)
            finally:
                draft.unlink(missing_ok=True)

    def copy(self, page: PageInfo, owner: str, number: int) -> PageInfo:
        """The same page for another owner, as safe as the first. Raises PageDamaged, DiskFull or FileAccess."""
        with self.reading(page) as data:
            return self.put(owner, data, number=number, back=page.back, encoding=page.encoding, raster=page.raster)

    def note(self, owner: str, text: str) -> None:
        """Append a text to what is known of an owner. When this returns, it is safe. Raises DiskFull or FileAccess."""
        seal = self._seal_of(owner)
        record = {"sealed": seal.seal_note(text, owner)} if seal else {"note": text}
        with telling(self.folder(owner)):
            self._record(owner, record)

    def notes(self, owner: str) -> Iterator[str]:
        """What was noted of an owner, in order. Raises BrokenSeal where the key is another one."""
        for record in self._records(owner):
            if "note" in record:
                yield record["note"]
            elif "sealed" in record:
                seal = self._seal_of(owner)
                if seal is None:
                    raise BrokenSeal("a sealed note, and no key")
                yield seal.open_note(record["sealed"], owner)

    def _seal_of(self, owner: str) -> Seal | None:
        return self._seals.get(owner, self._seal)

    def used(self, owner: str) -> int:
        """Bytes of an owner's acknowledged pages."""
        return sum(page.size for page in self.pages(owner))

    def _record(self, owner: str, record: dict[str, Any]) -> None:
        line = _line(record)
        with self._lock:
            journal = self._journals[owner]
            written = os.write(journal, line)
            # A short write is a full disk; the torn line is cut off so that later records can still be read.
            if written != len(line):
                os.ftruncate(journal, os.fstat(journal).st_size - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            _sync_data(journal)

    def pages(self, owner: str, *, dropped: bool = False) -> list[PageInfo]:
        """The acknowledged pages of an owner, in order; those that were dropped since only if asked for."""
        found = {}
        for record in self._records(owner):
            if "page" in record:
                page = _page(record["page"])
                found[page.number] = page
            elif "dropped" in record and not dropped:
                found.pop(record["dropped"], None)
        return [found[number] for number in sorted(found)]

    def path(self, page: PageInfo) -> Path:
        owner, _, number = page.id.rpartition("/")
        return self.folder(owner) / f"page-{number}"

    @contextlib.contextmanager
    def reading(self, page: PageInfo) -> Iterator[mmap.mmap | bytes]:
        """The bytes of a page, checked: mapped, or opened where they were sealed. Raises PageDamaged."""
        owner = page.id.rpartition("/")[0]
        try:
            data = self._opened(page, owner) if page.sealed else _mapped(self.path(page))
        except OSError as error:  # its own text names the file, which is nobody else's business
            raise _damaged(page, error.strerror or type(error).__name__) from error
        except ValueError as error:
            raise _damaged(page, str(error)) from error
        try:
            if isinstance(data, mmap.mmap) and (len(data) != page.size or _checksum(data) != page.checksum):
                raise _damaged(page, "its checksum does not fit its bytes")
            yield data
        finally:
            if isinstance(data, mmap.mmap):
                data.close()

    def _opened(self, page: PageInfo, owner: str) -> bytes:
        seal = self._seal_of(owner)
        if seal is None:
            raise BrokenSeal("it is sealed, and there is no key")
        return seal.read(self.path(page), page.id)

    def drop(self, page: PageInfo) -> None:
        """Forget a page that is safe elsewhere. Not synced: coming back after a crash harms nobody."""
        owner, _, number = page.id.rpartition("/")
        line = _line({"dropped": int(number)})
        with self._lock, contextlib.suppress(OSError, KeyError):  # a full disk, or an owner that ended, forgets it
            journal = self._journals[owner]
            written = os.write(journal, line)
            if written != len(line):
                os.ftruncate(journal, os.fstat(journal).st_size - written)
        self.path(page).unlink(missing_ok=True)

    def leave(self, owner: str) -> None:
        """End an owner and keep its pages for a recovery; nothing may be on its way to it any more."""
        self.sweep(owner)
        self._seals.pop(owner, None)
        # Another thread may be writing a record: the number of a closed file is soon that of somebody else's journal.
        with self._lock:
            for held in (self._journals, self._locks):
                if owner in held:
                    os.close(held.pop(owner))

    def close(self) -> None:
        """Leave every owner that is alive."""
        for owner in list(self._locks):
            self.leave(owner)

    def sweep(self, owner: str) -> None:
        """Delete what lies beside an owner's pages: slots that were read into, copies that did not become whole."""
        with contextlib.suppress(OSError):
            for path in self.folder(owner).iterdir():
                if path.name not in ("journal", "lock") and not path.name.startswith("page-"):
                    path.unlink(missing_ok=True)

    def discard(self, owner: str) -> None:
        """End an owner and delete its pages."""
        # Without its journal a folder holds no pages: a crash in the middle leaves nothing that looks whole.
        (self.folder(owner) / "journal").unlink(missing_ok=True)
        self.leave(owner)
        _remove(self.folder(owner))

    def resume(self, owner: str, *, seal: Seal | None = None) -> list[PageInfo]:
        """Take over what a dead process left; its pages. Raises BadArguments if it is unknown or alive."""
        if os.sep in owner or not (self.folder(owner) / "journal").is_file():
            names = ", ".join(left.owner for left in self.left_behind()) or "nothing"
            raise BadArguments(f"There are no pages under '{owner}'", hint=f"There is: {names}.")
        self._claim(owner)
        try:
            self._journals[owner] = open_file(self.folder(owner) / "journal", os.O_WRONLY | os.O_APPEND)
            self._cut_torn(owner)
            if seal:
                self._seals[owner] = seal
            return self.pages(owner)
        except BaseException:
            self.leave(owner)
            raise

    def _cut_torn(self, owner: str) -> None:
        """Cut off what follows the last good record: a record after a torn one would never be read again."""
        good = 0
        with (self.folder(owner) / "journal").open("rb") as journal:
            for line in journal:
                if _parse(line) is None:
                    os.ftruncate(self._journals[owner], good)
                    _sync_data(self._journals[owner])
                    return
                good += len(line)

    def left_behind(self, *, empty: bool = False) -> list[LeftBehind]:
        """The owners of dead processes that hold pages, or also those that hold none, newest first."""
        owners = self.root.iterdir() if self.root.is_dir() else ()
        found = (self._left(folder.name) for folder in owners if (folder / "journal").is_file())
        return sorted(
            (left for left in found if left and (left.pages or empty)), key=lambda left: left.begun, reverse=True
        )

    def _left(self, owner: str) -> LeftBehind | None:
        with locks.holding(self.folder(owner) / "lock") as dead:
            if not dead:
                return None
            first = next(self._records(owner), {})
            if "begun" not in first:
                return None
            begun = datetime.fromisoformat(first["begun"])
            try:
                pages = self.pages(owner)
            except BadRecord:  # of another version
                return None
            size = sum(page.size for page in pages)
            return LeftBehind(owner=owner, begun=begun, about=first["about"], pages=len(pages), size=size)

    def expire(self, age: timedelta) -> list[str]:
        """Delete what dead processes left longer ago than `age`, and their folders without pages; the owners' names."""
        gone = []
        for folder in list(self.root.iterdir()) if self.root.is_dir() else ():
            with contextlib.suppress(OSError, BadRecord):  # it has just gone, is no folder, or is of another version
                if self._expired(folder, age):
                    gone.append(folder.name)
        return gone

    def _expired(self, folder: Path, age: timedelta) -> bool:
        """Whether an owner's folder was old enough to be deleted, and is gone now."""
        idle = datetime.now(UTC) - datetime.fromtimestamp(folder.stat().st_mtime, UTC)
        if idle < SETTLED:  # another process may be about to claim it
            return False
        with locks.holding(folder / "lock") as dead:
            if not dead or (idle <= age and self.pages(folder.name)):
                return False
            _remove(folder)
        with contextlib.suppress(OSError):  # on Windows the lock is in the folder until it is closed
            folder.rmdir()
        return True

    def _records(self, owner: str) -> Iterator[dict[str, Any]]:
        path = self.folder(owner) / "journal"
        if not path.is_file():
            return
        with path.open("rb") as journal:
            for line in journal:
                record = _parse(line)
                if record is None:
                    return
                yield record


def _remove(folder: Path) -> None:
    """Delete an owner's folder, which holds files only."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()


def _line(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, default=pack, separators=(",", ":")).encode()
    return b"%s %08x\n" % (text, zlib.crc32(text))


def _parse(line: bytes) -> dict[str, Any] | None:
    """A journal line's record, or None for a torn or damaged line."""
    text, _, checksum = line.rstrip(b"\n").rpartition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
        return None
    record: dict[str, Any] = json.loads(text)
    return record


def _page(fields: dict[str, Any]) -> PageInfo:
    return unpack(PageInfo, fields)


def _damaged(page: PageInfo, why: str) -> PageDamaged:
    return PageDamaged(f"Page {page.number} in the store is damaged", why=why, hint="Scan this page again.")


def _id(owner: str, number: int) -> str:
    return f"{owner}/{number}"


def _sealed_copy(seal: Seal, content: BinaryIO, folder: Path, id: str) -> Path:
    """The content sealed in a file of its own, not yet synced; nothing is left of one that did not become whole."""
    target = folder / f"sealed-{id.rpartition('/')[2]}"
    try:
        with open(target, "wb", opener=private) as sealed:
            seal.write(content, sealed, id)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _sync_and_sum(path: Path) -> tuple[int, str]:
    """Size and checksum of a file that is on disk when this returns."""
    # Windows syncs only what may be written.
    file = open_file(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        size = os.fstat(file).st_size
        if size == 0:
            raise OSError(errno.EIO, "an empty page file")
        with mmap.mmap(file, size, access=mmap.ACCESS_READ) as data:
            checksum = _checksum(data)
        os.fsync(file)
        return size, checksum
    finally:
        os.close(file)


def _checksum(data: mmap.mmap) -> str:
    """XXH3-128: finds what disks and cables break, at a tenth of the time of SHA-256. It is no guard against forgers;
    who can write into this folder is its owner."""
    return str(xxhash.xxh3_128_hexdigest(data))


def _sync_data(file: int) -> None:
    getattr(os, "fdatasync", os.fsync)(file)
