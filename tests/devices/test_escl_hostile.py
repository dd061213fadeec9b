"""A scanner that misbehaves in every way its protocol allows: one failed job at most, nothing followed elsewhere, and
the next scan works."""

from __future__ import annotations

import contextlib
import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from dwtsvc.devices.driver import PageEnd
from dwtsvc.devices.escl import EsclDriver
from dwtsvc.devices.esclhttp import Limits
from dwtsvc.devices.esclknown import Known
from dwtsvc.errors import (
    DeviceLost,
    DeviceTimeout,
    DriverError,
    IncompletePage,
    NoRightToScanner,
    NoScanner,
    PaperJam,
    ScannerBusy,
)
from dwtsvc.model import Mode, ScanRequest, Source
from tests.server.daemon import until

from .esclserver import FakeScanner, Request, Setup, encoded, picture
from .test_escl import certificate

QUICK = Limits(
    connect=2, silence=2, answer=1, document=2, busy=0.5, ready=0.5, wait=0.1, document_bytes=1 << 20, job_pages=20
)
PATIENT = replace(QUICK, connect=30, silence=30, answer=30, document=60)  # which a busy machine does not try
TAKES_LONG = {"a byte now and then", "silence", "100 Continue for ever", "headers drop by drop"}
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><ScannerCapabilities><MakeAndModel>&c;</MakeAndModel>'
)
OUTSIDE = b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><ScannerCapabilities><UUID>&f;</UUID>'
SETTINGS = {"InputSource": "Platen", "XResolution": "75", "ColorMode": "RGB24"}
JPEG = encoded([picture(SETTINGS, 1)], "image/jpeg", 75)
PNG = encoded([picture(SETTINGS, 1)], "image/png", 75)
PDF = encoded([picture(SETTINGS, 1)], "application/pdf", 75)


def say(status: int, body: bytes = b"", kind: str = "text/xml", **more: object) -> Callable[[Request], object]:
    return lambda request: request.answer(status, body, kind, **more)  # type: ignore[arg-type]


def elsewhere(status: int, place: str) -> Callable[[Request], object]:
    return lambda request: request.answer(status, headers={"Location": place})


def in_a_circle(request: Request) -> None:
    request.answer(302, headers={"Location": request.path})


def to_the_other_port(request: Request) -> None:
    request.answer(302, headers={"Location": f"http://127.0.0.1:{request.scanner.port % 60000 + 1}/eSCL/x"})


def nonsense(request: Request) -> None:
    request.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")


def endless_headers(request: Request) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 200_000 + b"\r\n")


def bad_chunks(request: Request) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\nabc\r\n")


def continue_for_ever(request: Request) -> None:
    with contextlib.suppress(OSError):
        while not request.scanner.closing.wait(0.01):
            request.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def headers_drop_by_drop(request: Request) -> None:
    with contextlib.suppress(OSError):
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not request.scanner.closing.wait(0.2):
            request.wfile.write(b"x")


def silence(request: Request) -> None:
    request.scanner.closing.wait(4)


def huge_png() -> bytes:
    header = struct.pack(">IIBBBBB", 65_000, 65_000, 8, 2, 0, 0, 0)
    return PNG[:8] + struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))


def jpeg_of_size(width: int, height: int) -> bytes:
    place = JPEG.index(b"\xff\xc0")
    return JPEG[: place + 5] + struct.pack(">HH", height, width) + JPEG[place + 9 :]


OPENING: dict[str, tuple[Callable[[Request], object], type[DriverError]]] = {
    "an entity bomb": (say(200, BOMB + b"</ScannerCapabilities>"), DriverError),
    "an entity from a file": (say(200, OUTSIDE + b"</ScannerCapabilities>"), DriverError),
    "XML that never ends": (lambda r: r.endless(b"<a>b</a>" * 100, b"<ScannerCapabilities>"), DriverError),
    "XML of 100,000 levels": (say(200, b"<ScannerCapabilities>" + b"<a>" * 100_000), DriverError),
    "XML of 100,000 elements": (say(200, b"<ScannerCapabilities>" + b"<a/>" * 100_000), DriverError),
    "XML cut short": (lambda r: r.answer(200, r.scanner.capabilities()[:900], "text/xml"), DriverError),
    "another document": (lambda r: r.answer(200, r.scanner.status(), "text/xml"), DriverError),
    "a page of HTML": (say(200, b"<html><body>Log in</body></html>", "text/html"), DriverError),
    "nothing": (say(200), DriverError),
    "bytes that are no text": (say(200, bytes(range(256)) * 10), DriverError),
    "an encoding that is none": (say(200, b'<?xml version="1.0" encoding="x-no"?><ScannerCapabilities/>'), DriverError),
    "no place for paper": (say(200, b"<ScannerCapabilities><UUID>1</UUID></ScannerCapabilities>"), DriverError),
    "a length that is too long": (lambda r: r.answer(200, b"<a/>", length=5000), DriverError),
    "a length of a million": (lambda r: r.answer(200, b"<a/>", length=1 << 40), DriverError),
    "a byte now and then": (lambda r: r.drip(r.scanner.capabilities(), 0.2), DeviceTimeout),
    "silence": (silence, DeviceTimeout),
    "100 Continue for ever": (continue_for_ever, DeviceTimeout),
    "headers drop by drop": (headers_drop_by_drop, DeviceTimeout),
    "a reset": (lambda r: r.reset(), NoScanner),
    "no HTTP": (nonsense, NoScanner),
    "headers without an end": (endless_headers, NoScanner),
    "chunks that are none": (bad_chunks, DriverError),
    "zipped, unasked": (
        lambda r: r.answer(200, gzip.compress(r.scanner.capabilities()), headers={"Content-Encoding": "gzip"}),
        DriverError,
    ),
    "a redirect to another host": (elsewhere(302, "http://localhost:1/eSCL/ScannerCapabilities"), DriverError),
    "a redirect to another port": (to_the_other_port, DriverError),
    "a redirect to a file": (elsewhere(302, "file:///etc/passwd"), DriverError),
    "a redirect in a circle": (in_a_circle, DriverError),
    "a redirect to nowhere": (elsewhere(302, "http://[::1"), DriverError),
    "a redirect with a user": (elsewhere(302, "http://a@127.0.0.1/eSCL/x"), DriverError),
    "401": (say(401), NoRightToScanner),
    "404": (say(404), NoScanner),
    "500": (say(500), DriverError),
    "503 for ever": (say(503), ScannerBusy),
}

STARTING: dict[str, tuple[Callable[[Request], object], type[DriverError]]] = {
    "no Location": (say(201), DriverError),
    "a Location that is no path": (lambda r: r.answer(201, headers={"Location": "http://127.0.0.1"}), DriverError),
    "a redirect": (elsewhere(307, "http://localhost:1/eSCL/ScanJobs"), DriverError),
    "a redirect that would lose the settings": (elsewhere(302, "/eSCL/ScanJobs"), DriverError),
    "400": (say(400), DriverError),
    "403": (say(403), NoRightToScanner),
    "409": (say(409), DriverError),
    "503 for ever": (say(503, headers={"Retry-After": "99999999"}), ScannerBusy),
    "a reset": (lambda r: r.reset(), DeviceLost),
    "an endless answer": (lambda r: r.endless(b"x" * 8192), DriverError),
}

SENDING: dict[str, tuple[Callable[[Request], object], type[DriverError]]] = {
    "a page without an end": (lambda r: r.endless(b"\0" * 65536, JPEG, "image/jpeg"), DriverError),
    "half a JPEG": (say(200, JPEG[: len(JPEG) // 2], "image/jpeg"), IncompletePage),
    "half a PNG": (say(200, PNG[: len(PNG) // 2], "image/png"), IncompletePage),
    "half a PDF": (say(200, PDF[: len(PDF) // 2], "application/pdf"), IncompletePage),
    "half of what it announced": (say(200, JPEG[:9000], "image/jpeg", length=len(JPEG)), IncompletePage),
    "the head of a JPEG": (say(200, JPEG[:20], "image/jpeg"), IncompletePage),
    "nothing": (say(200, b"", "image/jpeg"), IncompletePage),
    "HTML as a JPEG": (say(200, b"<html>Out of order</html>", "image/jpeg"), DriverError),
    "a JPEG without height": (say(200, jpeg_of_size(638, 0), "image/jpeg"), DriverError),
    "a PNG of four thousand million pixels": (say(200, huge_png(), "image/png"), DriverError),
    "a JPEG of four thousand million pixels": (say(200, jpeg_of_size(65_500, 65_500), "image/jpeg"), DriverError),
    "a reset in the page": (lambda r: (r.drip(JPEG[:20], 0), r.reset()), IncompletePage),
    "a byte now and then": (lambda r: r.drip(JPEG, 0.2, "image/jpeg"), DeviceTimeout),
    "silence": (silence, DeviceTimeout),
    "a redirect to another host": (elsewhere(302, "http://localhost:1/page.jpg"), DriverError),
    "500": (say(500), DriverError),
    "503 for ever": (say(503, headers={"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}), DeviceTimeout),
    "pages without an end": (say(200, JPEG, "image/jpeg"), DriverError),
}


@pytest.fixture
def scanner() -> Iterator[FakeScanner]:
    with FakeScanner(Setup(sheets=2)) as scanner:
        yield scanner


@pytest.fixture
def known(tmp_path: Path) -> Known:
    return Known(tmp_path / "known.json")


@pytest.fixture
def driver(known: Known) -> EsclDriver:
    return EsclDriver(known, look=False, limits=PATIENT)


@pytest.fixture
def used(known: Known, driver: EsclDriver, what: str) -> EsclDriver:
    """A driver that does not wait for what takes its time."""
    return EsclDriver(known, look=False, limits=QUICK) if what in TAKES_LONG else driver


def scan(driver: EsclDriver, scanner: FakeScanner, source: Source = Source.FEEDER) -> int:
    """Scan in colour at 75 dpi; the number of whole pages."""
    request = ScanRequest(device="any", source=source, mode=Mode.COLOR, resolution=75)
    with driver.open(scanner.url) as opened:
        frames = opened.scan(opened.capabilities().resolve(request), Event())
        return sum(isinstance(frame, PageEnd) for frame in frames)


def check_that_it_recovers(driver: EsclDriver, scanner: FakeScanner) -> None:
    scanner.setup.hooks.clear()
    until(lambda: scanner.idle)
    assert scan(driver, scanner, Source.FLATBED) == 1


@pytest.mark.parametrize("what", OPENING)
def test_a_scanner_that_describes_itself_badly_is_one_error(
    used: EsclDriver, driver: EsclDriver, scanner: FakeScanner, what: str
) -> None:
    hook, error = OPENING[what]
    scanner.setup.hooks["ScannerCapabilities"] = hook
    with pytest.raises(error) as told:
        scan(used, scanner)
    assert told.value.why.isprintable()
    check_that_it_recovers(driver, scanner)


@pytest.mark.parametrize("what", STARTING)
def test_a_scanner_that_starts_badly_is_one_error(driver: EsclDriver, scanner: FakeScanner, what: str) -> None:
    hook, error = STARTING[what]
    scanner.setup.hooks["ScanJobs"] = hook
    with pytest.raises(error):
        scan(driver, scanner)
    check_that_it_recovers(driver, scanner)


@pytest.mark.parametrize("what", SENDING)
def test_a_scanner_that_sends_badly_is_one_error_and_the_job_is_ended(
    used: EsclDriver, driver: EsclDriver, scanner: FakeScanner, what: str
) -> None:
    hook, error = SENDING[what]
    scanner.setup.hooks["NextDocument"] = hook
    with pytest.raises(error):
        scan(used, scanner)
    check_that_it_recovers(driver, scanner)


@pytest.mark.parametrize("what", sorted(OPENING.keys() - TAKES_LONG))
def test_a_status_that_makes_no_sense_changes_nothing(driver: EsclDriver, scanner: FakeScanner, what: str) -> None:
    scanner.setup.hooks["ScannerStatus"] = OPENING[what][0]
    assert scan(driver, scanner) == 2


def test_pages_before_a_fault_are_whole(driver: EsclDriver, scanner: FakeScanner) -> None:
    scanner.setup.jam_after = 1
    request = ScanRequest(device="any", source=Source.FEEDER, resolution=75)
    ends = []
    with driver.open(scanner.url) as opened, pytest.raises(PaperJam) as told:
        for frame in opened.scan(request, Event()):
            ends += [frame] if isinstance(frame, PageEnd) else []
    assert told.value.why == "ScannerAdfJam"
    assert len(ends) == 1 and scanner.idle


def test_a_job_at_another_host_is_looked_for_at_the_scanner_itself(driver: EsclDriver, scanner: FakeScanner) -> None:
    scanner.setup.location = "misnamed"
    assert scan(driver, scanner) == 2


def test_a_certificate_that_changes_in_the_middle_of_a_scan_ends_it(driver: EsclDriver, tmp_path: Path) -> None:
    one, other = certificate(tmp_path, "one"), certificate(tmp_path, "other")
    with FakeScanner(Setup(sheets=3), certificate=one) as scanner:
        request = ScanRequest(device="any", source=Source.FEEDER, resolution=75)
        with driver.open(scanner.url) as opened:
            frames = opened.scan(request, Event())
            assert any(isinstance(frame, PageEnd) for frame in frames)
            documents = len(scanner.documents)
            scanner.certify(other)
            with pytest.raises(NoRightToScanner, match="another certificate"):
                list(frames)
        assert len(scanner.documents) == documents  # it was asked for nothing any more
