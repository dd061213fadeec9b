"""What the SANE tests stand on: closed configuration folders, our own faulty backend, scanimage as the reference.

Nothing here knows pytest. An environment is a dict of the variables to set, complete for one case.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from dwtsvc.devices import connect
from dwtsvc.devices.process import DeviceProcess, PageReady, PageStarted, RowsRead
from dwtsvc.errors import DwtsvcError
from dwtsvc.model import Capabilities, Raster, ScanRequest

HERE = Path(__file__).parent
SANE_FOLDERS = ("/usr/lib/x86_64-linux-gnu/sane", "/usr/lib/aarch64-linux-gnu/sane", "/usr/lib64/sane", "/usr/lib/sane")
HEADERS = ("/usr/include/sane/sane.h", "/usr/local/include/sane/sane.h")
MM_PER_INCH = 25.4

# Stock test.conf limits the glass to 200 mm, too small for A4.
TEST_CONF = """\
number_of_devices 3
mode Color
depth 8
resolution_min 50
resolution_max 1200
resolution 300
test-picture "Color pattern"
geometry_min 0.0
geometry_max 500.0
geometry_quant 0.01
br_x 210
br_y 297
"""

# The reader thread of the test backend can be cancelled in its pthread_exit while that sets up stack unwinding: the
# loader's lock is then taken for ever, and scanimage hangs at its end (rare; its stack shows that lock).
# A constructor in dwtfault.c sets it up before. Only scanimage is given it: our worker has to stand without.
PRELOAD = "RIG_SCANIMAGE_PRELOAD"

STATUSES = {
    1: "UNSUPPORTED",
    2: "CANCELLED",
    3: "DEVICE_BUSY",
    4: "INVAL",
    5: "EOF",
    6: "JAMMED",
    7: "NO_DOCS",
    8: "COVER_OPEN",
    9: "IO_ERROR",
    10: "NO_MEM",
    11: "ACCESS_DENIED",
}


def missing() -> list[str]:
    """What this machine lacks for the SANE tests, in words for a reader; empty when all is there."""
    parts = {
        "scanimage (Debian: sane-utils)": shutil.which("scanimage") is not None,
        "gcc": shutil.which("gcc") is not None,
        "sane/sane.h (Debian: libsane-dev)": any(map(os.path.exists, HEADERS)),
        "SANE's test backend (Debian: libsane1)": any(
            Path(folder, "libsane-test.so.1").exists() for folder in SANE_FOLDERS
        ),
    }
    return [name for name, there in parts.items() if not there]


def build(folder: Path) -> Path:
    """Compile dwtfault.c, warnings being errors, to folder/libsane-dwtfault.so.1; RuntimeError says what gcc said."""
    library = folder / "libsane-dwtfault.so.1"
    flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
    gcc = subprocess.run(
        ["gcc", *flags, "-o", library, HERE / "dwtfault.c"], capture_output=True, text=True, timeout=120, check=False
    )
    if gcc.returncode:
        raise RuntimeError(f"dwtfault.c does not compile:\n{gcc.stderr}")
    return library


def configure(folder: Path, *backends: str) -> Path:
    """A SANE_CONFIG_DIR with these backends only. It has no dll.d, through which others could come in."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dll.conf").write_text("".join(f"{backend}\n" for backend in backends))
    (folder / "test.conf").write_text(TEST_CONF)
    return folder


def environment_of_test(folder: Path, library: Path) -> dict[str, str]:
    """Variables for SANE's own test backend: devices test:0, test:1, test:2. `library`: see PRELOAD."""
    return {"SANE_CONFIG_DIR": str(configure(folder, "test")), PRELOAD: str(library)}


def environment_of_dwtfault(folder: Path, library: Path, **settings: object) -> dict[str, str]:
    """Variables for dwtfault:adf and dwtfault:glass; `pages=3, fail_at=2` is DWTFAULT_PAGES=3, DWTFAULT_FAIL_AT=2."""
    return {
        "SANE_CONFIG_DIR": str(configure(folder, "dwtfault")),
        "LD_LIBRARY_PATH": str(library.parent),
        "DWTFAULT_LOG": str(folder / "calls.log"),
        **{f"DWTFAULT_{name.upper()}": str(value) for name, value in settings.items()},
    }


# ---- what dwtfault sends ----


def expected_size(width: int, height: int, page: int) -> tuple[int, int]:
    """The size of a page of DWTFAULT_SIZES=vary, from that of page 1."""
    return max(width - 16 * ((page - 1) % 3), 8), max(height - 32 * ((page - 1) % 4), 8)


def expected_rows(page: int, width: int, height: int, mode: str = "Color") -> bytes:
    """The bytes of a page without padding; the formula stands at the top of dwtfault.c."""
    length = {"Color": width * 3, "Gray": width, "Lineart": (width + 7) // 8}[mode]
    slope = bytes(7 * x % 256 for x in range(256 + length))
    rows = [_row(page, y, length, slope) for y in range(height)]
    return without_spare_bits(b"".join(rows), width) if mode == "Lineart" else b"".join(rows)


def _row(page: int, y: int, length: int, slope: bytes) -> bytes:
    # 7 has the inverse 183 modulo 256: adding k to every byte is the same slope begun 183 k further on.
    begin = 183 * (37 * page + 3 * y) % 256
    return (bytes([page % 256, y // 256 % 256, y % 256]) + slope[begin + 3 : begin + length])[:length]


def pixels(millimetres: float, dpi: int) -> int:
    """Pixels of dwtfault in that length, which is a multiple of its 0.1 mm; SANE's numbers are 16.16 fixed point."""
    quantum = int(0.1 * 65536)
    fixed = (round(millimetres * 65536) + quantum // 2) // quantum * quantum
    return int(fixed / 65536 * dpi / MM_PER_INCH)


A4 = (210.0, 297.0)


def a4_pixels(dpi: int) -> tuple[int, int]:
    """Width and height of dwtfault's default area in pixels."""
    return pixels(A4[0], dpi), pixels(A4[1], dpi)


# ---- what dwtfault logged ----


@dataclass(frozen=True, slots=True)
class Call:
    """One line of the log: when (seconds of CLOCK_MONOTONIC, comparable with time.monotonic()), who, what."""

    when: float
    pid: int
    name: str
    words: tuple[str, ...]


def calls(log: Path, name: str | None = None) -> list[Call]:
    """The calls logged so far, all or those of one name, in order."""
    lines = log.read_text().splitlines() if log.exists() else []
    found = [_call(line) for line in lines]
    return [call for call in found if name in (None, call.name)]


def _call(line: str) -> Call:
    when, pid, name, *words = line.split()
    return Call(float(when), int(pid), name, tuple(words))


def left_idle(log: Path) -> bool:
    """Whether each process that got a sane_start cancelled after its last start or read and then closed."""
    started = {call.pid for call in calls(log, "start")}
    return bool(started) and all(_idle([call.name for call in calls(log) if call.pid == pid]) for pid in started)


def _idle(names: list[str]) -> bool:
    last_start = max(index for index, name in enumerate(names) if name == "start")
    after = names[last_start:]
    return "cancel" in after and "close" in after and after.index("cancel") < after.index("close")


# ---- PNM ----


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows as `dwtsvc.model.Raster` has them: no padding, 16-bit samples in the machine's order, 1 = black in 1 bit."""

    width: int
    height: int
    channels: int
    depth: int
    rows: bytes

    @property
    def bytes_per_row(self) -> int:
        return (self.width * self.channels * self.depth + 7) // 8


def parse_pnm(data: bytes) -> Picture:
    """One binary PNM file (P4, P5 or P6); ValueError when it is not one or not exactly as long as it says."""
    kind, numbers, start = _pnm_header(data)
    width, height = numbers[:2]
    channels = 3 if kind == b"P6" else 1
    depth = 1 if kind == b"P4" else 16 if numbers[2] > 255 else 8
    rows = data[start:]
    if len(rows) != height * ((width * channels * depth + 7) // 8):
        raise ValueError(f"a {width} x {height} picture of {depth} bits holds {len(rows)} bytes")
    return Picture(width, height, channels, depth, _comparable(rows, width, depth))


def _pnm_header(data: bytes) -> tuple[bytes, list[int], int]:
    tokens = _tokens(data)
    kind, position = next(tokens, (b"", 0))
    if kind not in (b"P4", b"P5", b"P6"):
        raise ValueError(f"not a binary PNM file: {data[:16]!r}")
    numbers = []
    for _ in range(2 if kind == b"P4" else 3):
        token, position = next(tokens, (b"0", 0))
        numbers.append(int(token))
    return kind, numbers, position + 1


def _tokens(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The words of a PNM header, each with the place where it ends; comments run from # to the end of the line."""
    position = 0
    while position < len(data):
        if data[position : position + 1] == b"#":
            position = data.index(b"\n", position)
        if data[position : position + 1].isspace():
            position += 1
            continue
        end = position
        while end < len(data) and not data[end : end + 1].isspace():
            end += 1
        yield data[position:end], end
        position = end


def _comparable(rows: bytes, width: int, depth: int) -> bytes:
    return _native(rows) if depth == 16 else without_spare_bits(rows, width) if depth == 1 else rows


def without_spare_bits(rows: bytes, width: int) -> bytes:
    """1-bit rows with the bits right of the last pixel cleared: backends leave there what was in their memory."""
    length, mask = (width + 7) // 8, 0xFF << -width % 8 & 0xFF
    cleared = bytearray(rows)
    cleared[length - 1 :: length] = bytes(byte & mask for byte in rows[length - 1 :: length])
    return bytes(cleared)


def _native(rows: bytes) -> bytes:
    samples = array("H", rows)
    if sys.byteorder == "little":
        samples.byteswap()
    return samples.tobytes()


# ---- scanimage ----


@dataclass(frozen=True, slots=True)
class Scan:
    """What a run of scanimage gave: `code` is the SANE status it ended with, `pages` the whole pages, in order."""

    code: int
    stderr: str
    pages: tuple[Picture, ...]


def scanimage(args: list[str], env: dict[str, str], folder: Path, *, batch: bool = False, timeout: float = 60) -> Scan:
    """Run Debian's scanimage to PNM files in `folder`, a fresh one for each run. A hung one is killed at `timeout`."""
    folder.mkdir(parents=True)
    target = "--batch=page%06d.pnm" if batch else "--output-file=page.pnm"
    code, stderr = _run(["scanimage", "--format=pnm", target, *args], env, folder, timeout)
    pages = [_whole(file.read_bytes(), strict=code == 0) for file in sorted(folder.glob("page*.pnm"))]
    return Scan(code, stderr, tuple(page for page in pages if page))


def _run(command: list[str], env: dict[str, str], folder: Path, timeout: float) -> tuple[int, str]:
    preload = {"LD_PRELOAD": env[PRELOAD]} if PRELOAD in env else {}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **env, **preload},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()  # it catches SIGTERM and then waits for the backend
        _, stderr = process.communicate()
    return process.returncode, stderr


def _whole(data: bytes, strict: bool) -> Picture | None:
    """A page that scanimage left half written because it failed is no page; one it called good must be whole."""
    try:
        return parse_pnm(data)
    except ValueError:
        if strict:
            raise
        return None


# ---- our own driver, seen from the parent ----


@dataclass(slots=True)
class Taken:
    """What our driver gave: the whole pages, and the error that ended the scan with the moment it was raised."""

    capabilities: Capabilities | None = None
    pages: list[Picture] = field(default_factory=list)
    dpis: list[float] = field(default_factory=list)
    backs: list[bool] = field(default_factory=list)
    rows_seen: list[int] = field(default_factory=list)
    error: DwtsvcError | None = None
    when: float = 0.0


def take(device: str, folder: Path, *, timeout: float = 30, cancel_at: int | None = None, **request: Any) -> Taken:
    """Scan with a worker of our own; `request` are fields of ScanRequest. Cancels when page `cancel_at` begins."""
    taken = Taken()
    folder.mkdir(parents=True, exist_ok=True)
    with connect("sane", timeout=timeout) as worker:
        try:
            taken.capabilities = worker.open(device)
            _collect(worker, ScanRequest(device=f"sane:{device}", **request), folder, cancel_at, taken)
        except DwtsvcError as error:
            taken.error = error
        taken.when = monotonic()
    return taken


def _collect(worker: DeviceProcess, request: ScanRequest, folder: Path, cancel_at: int | None, taken: Taken) -> None:
    begun = 0
    for event in worker.scan(request, folder):
        if isinstance(event, PageStarted):
            begun += 1
            if begun == cancel_at:
                worker.cancel()
        elif isinstance(event, RowsRead):
            taken.rows_seen.append(event.rows)
        elif isinstance(event, PageReady):
            taken.pages.append(picture(event.raster, event.path.read_bytes()))
            taken.dpis.append(event.raster.dpi)
            taken.backs.append(event.back)
            worker.release(event.slot, kept=False)


def picture(raster: Raster, data: bytes) -> Picture:
    """A page of ours without the padding of its rows, to compare with one of scanimage."""
    used = (raster.width * raster.channels * raster.depth + 7) // 8
    rows = b"".join(data[at : at + used] for at in range(0, len(data), raster.bytes_per_line))
    cleared = without_spare_bits(rows, raster.width) if raster.depth == 1 else rows
    return Picture(raster.width, raster.height or 0, raster.channels, raster.depth, cleared)
