"""Raw rows straight to JPEG with the system's TurboJPEG, and no image between: the fast path of a scan.

Pillow needs the rows unpacked to four bytes a pixel and packs them again to encode: 37 ms for an A4 page at 300 dpi in
colour against 29 ms here. The library is called through ctypes because its Python packages load numpy first, which
takes longer than two pages. Where it is not installed, `can_encode` says no and Pillow does the work.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from functools import cache
from typing import Any

from dwtsvc.errors import InvalidOutput
from dwtsvc.imaging.rows import Rows, page_bytes
from dwtsvc.model import Raster

LIBRARIES = ("libturbojpeg.so.0", "libturbojpeg.0.dylib", "turbojpeg.dll")
LONGEST_SIDE = 65_500
SAMPLING_GRAY, SAMPLING_420 = 3, 2  # TJSAMP_GRAY, TJSAMP_420
PIXELS_RGB, PIXELS_GRAY = 0, 6  # TJPF_RGB, TJPF_GRAY
NO_REALLOC = 1024  # TJFLAG_NOREALLOC: write into our buffer
# TJFLAG_ACCURATEDCT: below quality 96 TurboJPEG would else take a rougher transform, which is no faster on today's
# machines (23.5 and 23.8 ms a page), and at quality 95 is 1.5 dB worse.
ACCURATE = 4096
PROGRESSIVE = 32  # TJXOPT_PROGRESSIVE
STOP_ON_WARNING = 8192  # TJFLAG_STOPONWARNING
DENSITY = slice(13, 18)  # in the JFIF header: unit, and dots across and down in it
INCH = b"\x01"

_threads = threading.local()


@cache
def _library() -> Any:
    """TurboJPEG with the types of the calls we make, or None."""
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.tjInitCompress.restype = ctypes.c_void_p
        library.tjDestroy.argtypes = [ctypes.c_void_p]
        library.tjBufSize.restype = ctypes.c_ulong
        library.tjGetErrorStr.restype = ctypes.c_char_p
        number, address = ctypes.c_int, ctypes.c_void_p
        library.tjInitTransform.restype = ctypes.c_void_p
        library.tjFree.argtypes = [ctypes.c_void_p]
        # handle, pixels, width, bytes a row, height, format, where the JPEG goes, its size, sampling, quality, flags
        library.tjCompress2.argtypes = [address, address, *[number] * 4, address, address, *[number] * 3]
        # handle, JPEG, its size, how many results, where they go, their sizes, the transforms, flags
        library.tjTransform.argtypes = [address, ctypes.c_char_p, ctypes.c_ulong, number, *[address] * 3, number]
        return library
    return None


def can_encode(raster: Raster) -> bool:
    """Whether rows of this kind can be encoded here: 8 bits, not too long, and the library installed."""
    short = 0 < max(raster.width, raster.height or 0) <= LONGEST_SIDE
    return raster.depth == 8 and short and _library() is not None


class _Encoder:
    """A thread's own encoder and buffer: 13 MB that need not be had anew for every page."""

    def __init__(self) -> None:
        library = _library()
        self.handle = library.tjInitCompress()
        self.buffer = bytearray()
        weakref.finalize(self, library.tjDestroy, self.handle)  # when its thread has ended

    def room(self, size: int) -> bytearray:
        if len(self.buffer) < size:
            self.buffer = bytearray(size)
        return self.buffer


def _encoder() -> _Encoder:
    if not hasattr(_threads, "encoder"):
        _threads.encoder = _Encoder()
    found: _Encoder = _threads.encoder
    return found


def encode(raster: Raster, rows: Rows, quality: int) -> bytes:
    """Rows that `can_encode` as a JPEG with 4:2:0 chroma and its dpi. Raises PageDamaged if rows are missing.

    A writable buffer (a private mapping of a file will do) is read in place, another is copied first.
    """
    height = raster.height or 0
    page_bytes(raster, rows)
    colour = raster.channels == 3
    sampling = SAMPLING_420 if colour else SAMPLING_GRAY
    encoder = _encoder()
    room = encoder.room(_library().tjBufSize(raster.width, height, sampling))
    target, size = ctypes.c_void_p(_address(room)), ctypes.c_ulong(len(room))
    pixels = rows if _writable(rows) else bytearray(rows)
    status = _library().tjCompress2(
        *(encoder.handle, _address(pixels), raster.width, raster.bytes_per_line, height),
        *(PIXELS_RGB if colour else PIXELS_GRAY, ctypes.byref(target), ctypes.byref(size)),
        *(sampling, quality, NO_REALLOC | ACCURATE),
    )
    if status:
        raise InvalidOutput("A page could not be encoded as JPEG", why=_library().tjGetErrorStr().decode())
    _set_density(room, raster.dpi)
    return bytes(memoryview(room)[: size.value])


class _Transform(ctypes.Structure):
    """TurboJPEG's tjtransform: a region, an operation (0: none), options, and two pointers that are not used."""

    _fields_ = [
        *[(name, ctypes.c_int) for name in ("x", "y", "width", "height", "operation", "options")],
        *[(name, ctypes.c_void_p) for name in ("data", "filter")],
    ]


def can_repack() -> bool:
    """Whether TurboJPEG is installed."""
    return _library() is not None


def repacked(data: bytes) -> bytes:
    """The same JPEG, its coefficients coded anew as a progressive one: 4 to 12 % smaller, and no pixel differs.

    Markers stay. InvalidOutput for what TurboJPEG cannot read whole: a damaged JPEG must stay as it is.
    """
    library = _library()
    handle = library.tjInitTransform()
    target, size = ctypes.c_void_p(), ctypes.c_ulong()
    try:
        how = _Transform(options=PROGRESSIVE)
        places = ctypes.byref(target), ctypes.byref(size), ctypes.byref(how)
        if library.tjTransform(handle, data, len(data), 1, *places, STOP_ON_WARNING):
            raise InvalidOutput("A JPEG could not be packed anew", why=library.tjGetErrorStr().decode())
        return ctypes.string_at(target, size.value)
    finally:
        library.tjFree(target)
        library.tjDestroy(handle)


def _set_density(data: bytearray, dpi: float) -> None:
    dots = min(round(dpi), 0xFFFF)
    if dots > 0:
        data[DENSITY] = INCH + dots.to_bytes(2, "big") * 2


def _writable(rows: Rows) -> bool:
    return not memoryview(rows).readonly


def _address(buffer: Rows) -> int:
    # The ctypes view ends with this expression: one that lived on would keep a memory map from closing.
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
