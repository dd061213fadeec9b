"""The cameras of Linux and the sizes of their pictures, asked of the kernel: that starts no camera, lights no lamp."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("/sys/class/video4linux")
MOST = 64  # formats of a camera, and sizes of a format

# _IOR('V', 0, struct v4l2_capability), _IOWR('V', 2, struct v4l2_fmtdesc), _IOWR('V', 74, struct v4l2_frmsizeenum)
QUERY, FORMATS, SIZES = 0x80685600, 0xC0405602, 0xC02C564A
CAPTURE = 1  # V4L2_CAP_VIDEO_CAPTURE, and V4L2_BUF_TYPE_VIDEO_CAPTURE
HAS_OWN = 0x80000000  # V4L2_CAP_DEVICE_CAPS
DISCRETE = 1

Ioctl = Callable[[int, int, bytearray], object]


@dataclass(frozen=True, slots=True)
class Form:
    """What a camera can send: `code` is the format's four letters."""

    code: str
    width: int
    height: int


def paths(folder: Path = FOLDER) -> list[str]:
    """The device files of all that may be a camera."""
    return [f"/dev/{each.name}" for each in sorted(folder.glob("video*"))]


def name_of(path: str, ioctl: Ioctl | None = None) -> str | None:
    """The camera's name; None if it is no camera (a second file of one, a decoder). Raises OSError."""
    data = bytearray(104)
    with _Opened(path, ioctl) as ask:
        ask(QUERY, data)
    card = bytes(data[16:48]).split(b"\0")[0].decode(errors="replace")
    able, own = struct.unpack_from("=II", data, 84)
    return card if (own if able & HAS_OWN else able) & CAPTURE else None


def forms(path: str, ioctl: Ioctl | None = None) -> list[Form]:
    """All that a camera can send, the largest first. Raises OSError."""
    with _Opened(path, ioctl) as ask:
        found = [Form(code.decode(errors="replace"), *size) for code in _codes(ask) for size in _sizes(ask, code)]
    return sorted(found, key=lambda form: form.width * form.height, reverse=True)


class _Opened:
    def __init__(self, path: str, ioctl: Ioctl | None) -> None:
        self._path, self._ioctl = path, ioctl or _system()

    def __enter__(self) -> Callable[[int, bytearray], object]:
        self._file = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        return lambda request, data: self._ioctl(self._file, request, data)

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def _system() -> Ioctl:
    from fcntl import ioctl

    return ioctl


def _codes(ask: Callable[[int, bytearray], object]) -> Iterator[bytes]:
    for index in range(MOST):
        data = bytearray(64)
        struct.pack_into("=II", data, 0, index, CAPTURE)
        try:
            ask(FORMATS, data)
        except OSError:  # EINVAL: that were all
            return
        yield bytes(data[44:48])


def _sizes(ask: Callable[[int, bytearray], object], code: bytes) -> Iterator[tuple[int, int]]:
    for index in range(MOST):
        data = bytearray(44)
        struct.pack_into("=I4s", data, 0, index, code)
        try:
            ask(SIZES, data)
        except OSError:
            return
        kind, width, height = struct.unpack_from("=III", data, 8)
        if kind != DISCRETE:  # any size within limits: the largest is what counts
            _, width, _, _, height = struct.unpack_from("=IIIII", data, 12)
            yield width, height
            return
        yield width, height
