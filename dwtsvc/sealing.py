"""Files and notes sealed for the disk with AES-256-GCM, and the two places their keys come from: memory and a password.

A sealed file is a header (4 bytes of magic, 8 random bytes) and frames of at most 1 MiB of content, each with its
16-byte tag. The nonce of a frame is the random bytes and its number; its name and whether it is the last one are bound
to it, so that no frame can be moved, left out or taken from another file.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import os
import stat
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"dws1"
FRAME = 1 << 20
TAG = 16
KEY_BYTES = 32
SHARED_MEMORY = Path("/dev/shm")
IN_MEMORY = ("tmpfs", "ramfs")


class BrokenSeal(ValueError):
    """What was read is not what was sealed under this name with this key."""


class Seal:
    """Seals and opens with one key. Safe to use from several threads."""

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key)

    @classmethod
    def of_password(cls, password: str, salt: bytes) -> Seal:
        """A seal that only who knows the password can make again; takes 50 ms on purpose. `salt` is 16 bytes."""
        import hashlib  # 3 ms that a scan from the command line need not spend

        return cls(hashlib.scrypt(password.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=KEY_BYTES))

    def write(self, content: BinaryIO, target: BinaryIO, name: str) -> None:
        """Seal a stream to its end; `name` must be said again to open it. Needs a few frames of memory."""
        sealing = self.begin(target, name)
        while piece := content.read(FRAME):
            sealing.add(piece)
        sealing.end()

    def begin(self, target: BinaryIO, name: str) -> Sealing:
        """The same for content that comes piece by piece. Raises OSError, as what it returns does."""
        return Sealing(self._cipher, target, name)

    def read(self, path: Path, name: str) -> bytes:
        """The content of a sealed file. Raises BrokenSeal or OSError."""
        with path.open("rb") as file:
            header = file.read(len(MAGIC) + 8)
            left = os.fstat(file.fileno()).st_size - len(header)
            if header[:4] != MAGIC or left < TAG:
                raise BrokenSeal(f"{path.name} is not sealed")
            frames: list[bytes] = []
            while left > 0:
                sealed = file.read(FRAME + TAG)
                left -= len(sealed)
                frames.append(self._open(_nonce(header[4:], len(frames)), sealed, _bound(name, left <= 0)))
        return b"".join(frames)

    def seal_note(self, text: str, name: str) -> str:
        """A short text sealed, as base64."""
        nonce = os.urandom(12)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), name.encode())).decode()

    def open_note(self, sealed: str, name: str) -> str:
        try:
            data = base64.b64decode(sealed, validate=True)
        except binascii.Error as error:
            raise BrokenSeal("a note that is no base64") from error
        return self._open(data[:12], data[12:], name.encode()).decode()

    def _open(self, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(nonce, sealed, bound)
        except (InvalidTag, ValueError) as error:
            raise BrokenSeal("damaged, or sealed with another key") from error


class Sealing:
    """Content sealed into a file as it comes; nothing opens what was not brought to its `end`. For one thread."""

    def __init__(self, cipher: AESGCM, target: BinaryIO, name: str) -> None:
        self._cipher, self._target, self._name = cipher, target, name
        self._prefix, self._number = os.urandom(8), 0
        self._held = bytearray()  # a frame is told from the last one only when more comes
        target.write(MAGIC + self._prefix)

    def add(self, piece: bytes | bytearray) -> None:
        self._held += piece
        while len(self._held) > FRAME:
            self._put(self._held[:FRAME], last=False)
            del self._held[:FRAME]

    def end(self) -> None:
        self._put(self._held, last=True)

    def _put(self, frame: bytearray, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._prefix, self._number), bytes(frame), _bound(self._name, last))
        self._target.write(sealed)
        self._number += 1


def _nonce(prefix: bytes, number: int) -> bytes:
    return prefix + number.to_bytes(4, "big")


def _bound(name: str, last: bool) -> bytes:
    return b"%d %s" % (last, name.encode())


class MemoryKey:
    """The key for what this user's service keeps below `state`: made once, held by memory alone, gone with the machine.

    It lies in a file of a memory file system, so that a service that was killed and started again finds its pages, and
    a disk that was stolen does not help to read them. Where there is no such file system (Windows, macOS), the key
    lives as long as this process.
    """

    def __init__(self, runtime: Path, state: Path) -> None:
        """Raises OSError where the file is another user's."""
        self._folder = _memory_folder(runtime, state)
        self.bytes = os.urandom(KEY_BYTES) if self._folder is None else _key_of(self._folder)

    def keep(self, age: timedelta) -> None:
        """Say that what it seals lives for `age` from now; more than once a day. Raises OSError.

        The time of the file is the one until which the key may be needed. A key whose time is over opens nothing that
        is still kept, and is removed. Before that it stays, even without its `state`: an unmounted disk comes back.
        """
        if self._folder is None:
            return
        _key_of(self._folder, self.bytes)  # who empties such folders at a logout takes it from a service that runs
        until = time.time() + (age + timedelta(days=1)).total_seconds()
        os.utime(self._folder / "key", (until, until))
        if self._folder.parent == SHARED_MEMORY:
            for each in SHARED_MEMORY.glob(f"dwtsvc-{os.getuid()}-*"):
                _remove_if_over(each)


def _key_of(folder: Path, key: bytes | None = None) -> bytes:
    """The key in a folder, which is this one or a new one where there is none."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_foreign(folder.lstat(), stat.S_ISDIR)
    path = folder / "key"
    with contextlib.suppress(FileExistsError):
        _make_key(path, key or os.urandom(KEY_BYTES))
    return _read_key(path)


def _remove_if_over(folder: Path) -> None:
    with contextlib.suppress(OSError):  # another service was quicker, or it is no folder of ours
        _refuse_foreign(folder.lstat(), stat.S_ISDIR)
        found = (folder / "key").lstat()
        if found.st_ctime < found.st_mtime < time.time():  # a new key has no time ahead yet
            (folder / "key").unlink()
            folder.rmdir()


def _memory_folder(runtime: Path, state: Path) -> Path | None:
    if _is_memory(runtime):
        return runtime
    return shared_folder(state) if _is_memory(SHARED_MEMORY) else None


def shared_folder(state: Path) -> Path:
    """Where the key for `state` lies if its own folder for what runs is on a disk."""
    import hashlib

    place = hashlib.sha256(os.fsencode(state)).hexdigest()[:16]
    return SHARED_MEMORY / f"dwtsvc-{os.getuid()}-{place}"


def _is_memory(folder: Path) -> bool:
    """Whether a folder, or where it would be made, lies in a file system without a disk."""
    try:
        mounts = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return False
    kinds = {fields[1]: fields[2] for fields in map(str.split, mounts)}
    whole = folder.resolve()  # a link may lead from memory to a disk
    place = next((str(above) for above in (whole, *whole.parents) if str(above) in kinds), "/")
    return kinds.get(place) in IN_MEMORY


def _make_key(path: Path, key: bytes) -> None:
    """Whole under its name or not there at all: two services that start at once must not read half a key."""
    # No process number: in a container the next process has the same one, and finds the draft of the killed one.
    draft = path.with_name(f"key.{os.urandom(8).hex()}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb", buffering=0) as whole:
            if os.write(whole.fileno(), key) != KEY_BYTES:
                raise OSError(errno.ENOSPC, "there is no room for a key")
        os.link(draft, path)
    finally:
        draft.unlink()


def _read_key(path: Path) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        _refuse_foreign(os.fstat(file), stat.S_ISREG)
        key = os.read(file, KEY_BYTES)
        if len(key) != KEY_BYTES:
            raise OSError(errno.EINVAL, "the file of the key holds no key")
        return key
    finally:
        os.close(file)


def _refuse_foreign(found: os.stat_result, of_kind: object) -> None:
    """/dev/shm is open to all: a folder that another user laid there for us must not be trusted."""
    assert callable(of_kind)
    if not of_kind(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError("the folder or file of the key belongs to another user, or is open to others")
