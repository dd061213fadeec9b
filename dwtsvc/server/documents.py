"""Stored documents: buffers that persist, each by its id and whose it is; with a password they are sealed with it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from dwtsvc.buffer import Buffer, new_id
from dwtsvc.errors import BadArguments, UnknownItem, WrongPassword
from dwtsvc.sealing import BrokenSeal, Seal
from dwtsvc.store import LeftBehind, PageStore

LONGEST_PASSWORD = 32
KEPT_OPEN = 32  # each costs two file descriptors
IN_USE = 60.0  # seconds since it was asked for: a request may still be working on it
CHECK = "dwtsvc document"


@dataclass(frozen=True, slots=True)
class Stored:
    """A document on the disk: where it lies, whose it is, and how its password is checked."""

    uid: str
    bucket: str
    owner: str
    salt: str = ""
    check: str = ""


@dataclass(slots=True)
class Opened:
    buffer: Buffer
    digest: bytes  # of its password
    used: float  # monotonic seconds


class Documents:
    """All stored documents of a service. Blocking; safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self._store = PageStore(root)
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Opened] = OrderedDict()
        self._secret = secrets.token_bytes(16)
        found = [(_stored(left), left.size) for left in self._store.left_behind(empty=True)]
        self._known = {stored.uid: stored for stored, _ in found if stored}
        self._sizes = {stored.uid: size for stored, size in found if stored}  # of those that are not open

    def close(self) -> None:
        with self._lock:
            for uid in list(self._open):
                self._let_go(uid)

    def create(self, bucket: str, password: str = "") -> tuple[str, Buffer]:
        """A new, empty document; its id and its pages. Raises BadArguments for a password that is too long."""
        if len(password) > LONGEST_PASSWORD:
            raise BadArguments(f"A password has at most {LONGEST_PASSWORD} characters")
        uid, salt = new_id(), os.urandom(16)
        seal = Seal.of_password(password, salt) if password else None
        about = {"kind": "document", "uid": uid, "bucket": bucket}
        if seal:
            about |= {"salt": salt.hex(), "check": seal.seal_note(CHECK, uid)}
        owner = self._store.begin(about, seal=seal)
        stored = Stored(uid, bucket, owner, about.get("salt", ""), about.get("check", ""))
        with self._lock:
            self._known[uid] = stored
            return uid, self._keep(uid, Buffer(self._store, owner), password)

    def listed(self, bucket: str) -> list[Stored]:
        """What a bucket has, newest first."""
        mine = [stored for stored in list(self._known.values()) if stored.bucket == bucket]
        return sorted(mine, key=lambda stored: stored.owner, reverse=True)

    def open(self, bucket: str, uid: str, password: str = "") -> Buffer:
        """The pages of a document. Raises UnknownItem, also for somebody else's, and WrongPassword."""
        with self._lock:
            stored = self._find(bucket, uid)
            if uid in self._open:
                opened = self._open[uid]
                if stored.check and not hmac.compare_digest(opened.digest, self._digest(password)):
                    raise _refused()
                self._open.move_to_end(uid)
                opened.used = monotonic()
                return opened.buffer
            seal = _seal(stored, password)
            if not self._store.folder(stored.owner).is_dir():  # somebody deleted it by hand
                del self._known[uid]
                self._find(bucket, uid)
            self._store.resume(stored.owner, seal=seal)
            return self._keep(uid, Buffer(self._store, stored.owner), password)

    def delete(self, bucket: str, uid: str, password: str = "") -> None:
        self.open(bucket, uid, password)
        with self._lock:
            stored = self._find(bucket, uid)  # of two who delete it, one comes too late
            del self._known[uid]
            self._open.pop(uid, None)
            self._sizes.pop(uid, None)
            self._store.discard(stored.owner)

    def used(self, bucket: str) -> int:
        """Bytes that a bucket's documents take on the disk."""
        return sum(self._size(stored.uid) for stored in self.listed(bucket))

    def _size(self, uid: str) -> int:
        opened = self._open.get(uid)
        return opened.buffer.size if opened else self._sizes.get(uid, 0)

    def _find(self, bucket: str, uid: str) -> Stored:
        stored = self._known.get(uid)
        if stored is None or stored.bucket != bucket:
            raise UnknownItem("There is no such document", hint="It was deleted, or is not yours.")
        return stored

    def _keep(self, uid: str, buffer: Buffer, password: str) -> Buffer:
        self._open[uid] = Opened(buffer, self._digest(password), monotonic())
        while len(self._open) > KEPT_OPEN:
            oldest = next(iter(self._open))
            if monotonic() - self._open[oldest].used < IN_USE:
                break
            self._let_go(oldest)
        return buffer

    def _let_go(self, uid: str) -> None:
        buffer = self._open[uid].buffer
        self._sizes[uid] = buffer.size
        del self._open[uid]
        self._store.leave(buffer.owner)

    def _digest(self, password: str) -> bytes:
        """Lets a password be checked again without the 50 ms of its key, and without keeping it."""
        return hashlib.blake2b(password.encode(), key=self._secret).digest()


def _stored(left: LeftBehind) -> Stored | None:
    about = left.about
    if about.get("kind") != "document":
        return None
    return Stored(about["uid"], about["bucket"], left.owner, about.get("salt", ""), about.get("check", ""))


def _seal(stored: Stored, password: str) -> Seal | None:
    """The seal of a document, if the password is right. Raises WrongPassword."""
    if not stored.check:
        return None
    seal = Seal.of_password(password[: LONGEST_PASSWORD + 1], bytes.fromhex(stored.salt))
    try:
        seal.open_note(stored.check, stored.uid)
    except BrokenSeal:
        raise _refused() from None
    return seal


def _refused() -> WrongPassword:
    return WrongPassword("The password of the document is wrong", hint="Send it in the header DWT-DOC-PASSWORD.")
