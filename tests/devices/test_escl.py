"""The eSCL driver against a fake scanner: what it asks, what it takes, and what it keeps."""

from __future__ import annotations

import datetime
import io
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image

from dwtsvc.devices import connect, discover, escl, esclfind
from dwtsvc.devices.driver import PageEnd, PageStart, Strip
from dwtsvc.devices.escl import EsclDriver
from dwtsvc.devices.esclhttp import Limits
from dwtsvc.devices.esclknown import Known
from dwtsvc.devices.process import PageReady
from dwtsvc.errors import (
    BadArguments,
    Cancelled,
    CoverOpen,
    DeviceLost,
    DriverError,
    FeederEmpty,
    MultiFeed,
    NoRightToScanner,
    NoScanner,
    PaperJam,
)
from dwtsvc.model import Area, Device, Encoding, Mode, ScanRequest, Source
from tests.server.daemon import until
from tests.server.running import free_port

from .conformance import Page, collected, decoded
from .esclserver import UUID, FakeScanner, Request, Setup

QUICK = Limits(connect=20, silence=30, answer=30, busy=5, ready=5, wait=0.05)


@pytest.fixture
def known(tmp_path: Path) -> Known:
    return Known(tmp_path / "known.json")


@pytest.fixture
def driver(known: Known) -> EsclDriver:
    return EsclDriver(known, look=False, limits=QUICK)


def scan(driver: EsclDriver, name: str, **wish: object) -> list[Page]:
    wish = {"resolution": 75, "source": Source.FEEDER, **wish}
    with driver.open(name) as opened:
        request = opened.capabilities().resolve(ScanRequest(device="any", **wish))  # type: ignore[arg-type]
        return list(collected(opened.scan(request, Event())))


def certificate(folder: Path, name: str, like: Path | None = None) -> Path:
    """A certificate that signed itself, with its key, as scanners have them: a new one, or the key of another."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key: Any = ec.generate_private_key(ec.SECP256R1())
    if like:
        key = serialization.load_pem_private_key(like.read_bytes(), None)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


# -- pages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "encoding"), [("auto", Encoding.JPEG), ("jpeg", Encoding.JPEG), ("png", Encoding.PNG)]
)
@pytest.mark.parametrize("chunked", [False, True])
def test_jpeg_and_png_are_kept_byte_for_byte(driver: EsclDriver, name: str, encoding: Encoding, chunked: bool) -> None:
    with FakeScanner(Setup(chunked=chunked)) as scanner:
        pages = scan(driver, scanner.url, options=(("document-format", name),))
        assert [page.data for page in pages] == scanner.documents
    assert len(pages) == 4
    assert {page.start.encoding for page in pages} == {encoding}


@pytest.mark.parametrize("one_pdf", [False, True])
def test_the_jpegs_inside_pdf_documents_are_kept_byte_for_byte(driver: EsclDriver, one_pdf: bool) -> None:
    with FakeScanner(Setup(formats=("application/pdf",), one_pdf=one_pdf)) as scanner:
        pages = scan(driver, scanner.url, source=Source.DUPLEX)
        sent = b"".join(scanner.documents)
        assert len(scanner.documents) == (1 if one_pdf else 8)
        assert scanner.idle
    assert len(pages) == 8
    assert [page.start.back for page in pages] == [False, True] * 4
    assert all(page.start.encoding is Encoding.JPEG and page.data in sent for page in pages)


def test_a_black_and_white_page_of_a_scanner_without_png_is_drawn_from_its_pdf(driver: EsclDriver) -> None:
    with FakeScanner(Setup(formats=("application/pdf", "image/jpeg"))) as scanner:
        (page,) = scan(driver, scanner.url, source=Source.FLATBED, mode=Mode.LINEART)
        assert b"application/pdf" in scanner.orders[0]
    assert (page.raster.mode, page.start.encoding) == (Mode.LINEART, Encoding.RAW)
    height = page.raster.height or 0
    assert len(page.data) == page.raster.bytes_per_line * height
    image = Image.frombytes("1", (page.raster.width, height), page.data, "raw", "1;I")
    assert 0.4 < sum(image.convert("L").histogram()[128:]) / (image.width * image.height) < 1


def test_a_scanner_is_asked_for_what_was_wished(driver: EsclDriver) -> None:
    with FakeScanner() as scanner:
        area = Area(left=25.4, top=12.7, width=50.8, height=76.2)
        options = (("brightness", "20"), ("document-format", "png"))
        (page,) = scan(driver, scanner.url, source=Source.FLATBED, area=area, mode=Mode.GRAY, options=options)
        told = scanner.orders[0].decode()
    for part in (
        "<pwg:XOffset>300<",
        "<pwg:YOffset>150<",
        "<pwg:Width>600<",
        "<pwg:Height>900<",
        "<scan:ColorMode>Grayscale8<",
        "<scan:XResolution>75<",
        "<pwg:InputSource>Platen<",
        "<scan:Brightness>20<",
        "<scan:DocumentFormatExt>image/png<",
        "<pwg:Version>2.63<",
    ):
        assert part in told
    assert decoded(page).raster.width == 150


def test_an_option_out_of_its_range_is_refused_before_anything_is_asked(driver: EsclDriver) -> None:
    with FakeScanner() as scanner:
        for option in (("brightness", "101"), ("brightness", "light"), ("document-format", "tiff")):
            with pytest.raises(BadArguments):
                scan(driver, scanner.url, options=(option,))
        assert not scanner.orders


# -- jobs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["absolute", "relative", "bare", "misnamed"])
def test_a_job_is_found_however_its_address_is_told(driver: EsclDriver, location: str) -> None:
    with FakeScanner(Setup(location=location)) as scanner:
        assert len(scan(driver, scanner.url)) == 4


def test_a_busy_scanner_and_a_page_that_is_not_ready_are_waited_for(driver: EsclDriver) -> None:
    with FakeScanner(Setup(busy=2, warming=3)) as scanner:
        assert len(scan(driver, scanner.url)) == 4
        assert [method for method, _ in scanner.asked].count("POST") == 3


@pytest.mark.parametrize("status", [404, 409])
def test_an_empty_feeder_is_told_as_such(driver: EsclDriver, status: int) -> None:
    with FakeScanner(Setup(sheets=0, empty_is=status)) as scanner:
        with pytest.raises(FeederEmpty):
            scan(driver, scanner.url)
        assert len(scan(driver, scanner.url, source=Source.AUTO)) == 1
        assert scanner.idle


def test_a_scanner_that_was_started_anew_in_the_middle_of_a_stack_does_not_seem_to_have_finished_it(
    driver: EsclDriver,
) -> None:
    def forgetful(request: Request) -> None:
        scanner = request.scanner
        if scanner.serial < 2:
            request.next_document(scanner.job)
        else:
            scanner.job = None
            request.answer(410)

    with FakeScanner(Setup(hooks={"NextDocument": forgetful})) as scanner:
        with pytest.raises(DeviceLost, match="knows the scan no more"):
            scan(driver, scanner.url)
        assert scanner.serial == 2


def test_a_fault_on_the_glass_is_not_blamed_on_an_empty_feeder(driver: EsclDriver) -> None:
    with FakeScanner(Setup(sheets=0, hooks={"NextDocument": lambda request: request.answer(500)})) as scanner:
        with pytest.raises(DriverError) as told:
            scan(driver, scanner.url, source=Source.FLATBED)
        assert (type(told.value), told.value.why) == (DriverError, "500")


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ("ScannerAdfJam", PaperJam),
        ("ScannerAdfMispick", PaperJam),
        ("ScannerAdfHatchOpen", CoverOpen),
        ("ScannerAdfMultipickDetected", MultiFeed),
        ("ScannerAdfInputTrayFailed", DriverError),
    ],
)
@pytest.mark.parametrize("after", [0, 2])
def test_trouble_in_the_feeder_has_its_name(
    driver: EsclDriver, trouble: str, error: type[DriverError], after: int
) -> None:
    with FakeScanner(Setup(jam_after=after, trouble=trouble)) as scanner:
        ends = []
        request = ScanRequest(device="any", source=Source.FEEDER, resolution=75)
        with driver.open(scanner.url) as opened, pytest.raises(error) as told:
            for frame in opened.scan(request, Event()):
                ends += [frame] if isinstance(frame, PageEnd) else []
        assert (type(told.value), told.value.why, len(ends)) == (error, trouble, after)


def test_a_cancel_in_a_page_that_comes_slowly_ends_the_job_at_the_scanner(driver: EsclDriver) -> None:
    cancelled = Event()
    with FakeScanner(Setup(slow=0.2)) as scanner:
        request = ScanRequest(device="any", source=Source.FEEDER, resolution=75)
        with driver.open(scanner.url) as opened:
            frames = opened.scan(request, cancelled)
            assert isinstance(next(frames), PageStart)
            cancelled.set()
            with pytest.raises(Cancelled):
                for frame in frames:
                    assert isinstance(frame, Strip)
        assert scanner.asked[-1][0] == "DELETE"
        assert scanner.idle


def test_the_job_is_ended_when_no_more_pages_are_wanted(driver: EsclDriver) -> None:
    with FakeScanner() as scanner:
        assert len(scan(driver, scanner.url, pages=2)) == 2
        assert (scanner.idle, scanner.sheets) == (True, 2)


# -- finding it again ----------------------------------------------------------------------------------------------


def test_a_scanner_by_address_is_listed_by_its_uuid_and_opens_by_it(known: Known) -> None:
    with FakeScanner() as scanner:
        driver = EsclDriver(known, addresses=(scanner.url, scanner.url), look=False)
        (device,) = driver.devices(5)
        assert device == Device(id=f"escl:{UUID}", vendor="Acme", model="Paperlight 300", kind="network scanner")
        assert len(scan(driver, UUID, source=Source.FLATBED)) == 1


def test_another_scanner_at_the_old_address_is_not_taken_for_it(known: Known) -> None:
    with FakeScanner(Setup(uuid="11111111-2222-3333-4444-555555555555")) as scanner:
        known.remember_urls(UUID, (scanner.url,))
        with pytest.raises(NoScanner, match="11111111"), EsclDriver(known, look=False).open(UUID):
            pass


def test_an_address_that_does_not_answer_is_told_beside_those_that_do(known: Known) -> None:
    with FakeScanner() as scanner:
        found = EsclDriver(known, addresses=("http://127.0.0.1:1/eSCL", scanner.url), look=False).devices(5)
        assert next(found).id == f"escl:{UUID}"
        with pytest.raises(NoScanner, match=":1/eSCL"):
            next(found)


@pytest.mark.parametrize(
    "name", ["ftp://x/", "http://", "http://a b/", "http://user@host/", "http://h:0/", "http://[::1", "http://h:x/"]
)
def test_what_is_no_address_is_refused(driver: EsclDriver, name: str) -> None:
    with pytest.raises(BadArguments), driver.open(name):
        pass


@contextmanager
def announced(port: int, **told: str) -> Iterator[None]:
    """An announcement on the loopback interface; nobody else's has its name."""
    from zeroconf import ServiceInfo, Zeroconf

    name = f"Acme{port}-{os.getpid()}"
    place = {"addresses": [socket.inet_aton("127.0.0.1")], "port": port, "server": f"{name}.local."}
    with Zeroconf(interfaces=["127.0.0.1"]) as announcer:
        service = ServiceInfo("_uscan._tcp.local.", f"{name}._uscan._tcp.local.", properties=told, **place)  # type: ignore[arg-type]
        announcer.register_service(service)
        yield
        announcer.unregister_service(service)


def heard(driver: EsclDriver, id: str) -> Device:
    """What is listed under an id. A listing ends when all is quiet, which on a busy machine it may be too early."""
    found: list[Device] = []
    until(lambda: found.extend(each for each in driver.devices(10) if each.id == id) or found)
    return found[0]


def test_an_announced_scanner_is_found_and_opened_by_its_uuid(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esclfind, "NOTHING", 30.0)
    monkeypatch.setattr(escl, "LOOK_AGAIN", 30.0)
    own = str(uuid.uuid4())  # other tests announce theirs meanwhile
    told = {"UUID": own, "rs": "eSCL", "ty": "Acme\x07 Paperlight"}
    with FakeScanner(Setup(uuid=own)) as scanner, announced(scanner.port, **told):
        driver = EsclDriver(known, limits=QUICK)
        assert heard(driver, f"escl:{own}").label == "Acme Paperlight"
        assert not scanner.asked  # listing asks no scanner anything
        known.path.unlink()  # it must be looked for again
        assert len(scan(driver, own, source=Source.FLATBED)) == 1


def test_an_announcement_of_a_stranger_is_cut_and_cleaned(known: Known) -> None:
    told = {"UUID": "../../x", "rs": "../admin?a=b", "ty": "A\x1b[2J\u202e" + "b" * 150}
    with announced(port := free_port(), **told):
        device = heard(EsclDriver(known), f"escl:http://127.0.0.1:{port}/eSCL")
    assert device.label.isprintable()
    assert len(device.label) <= 128
    assert not known.path.exists()


# -- certificates --------------------------------------------------------------------------------------------------


def test_a_certificate_counts_from_its_first_use_and_another_is_refused(known: Known, tmp_path: Path) -> None:
    first, second = certificate(tmp_path, "first"), certificate(tmp_path, "second")
    driver = EsclDriver(known, look=False, limits=QUICK)
    with FakeScanner(certificate=first) as scanner:
        known.remember_urls(UUID, (scanner.url,))
        assert len(scan(driver, UUID)) == 4
        assert len(scan(driver, UUID, source=Source.FLATBED)) == 1
    with FakeScanner(certificate=second) as scanner:
        known.remember_urls(UUID, (scanner.url,))
        with pytest.raises(NoRightToScanner, match="another certificate"):
            scan(driver, UUID)
        assert not scanner.asked  # it got to see no request


def test_a_newer_certificate_of_the_same_key_counts_from_then_on(known: Known, tmp_path: Path) -> None:
    first = certificate(tmp_path, "first")
    renewed = certificate(tmp_path, "renewed", like=first)
    driver = EsclDriver(known, look=False, limits=QUICK)
    counted = []
    for each in (first, renewed, first):
        with FakeScanner(certificate=each) as scanner:
            known.remember_urls(UUID, (scanner.url,))
            assert len(scan(driver, UUID, source=Source.FLATBED)) == 1
            counted.append(known.get(UUID).certificate)
    assert counted[0] == counted[2] != counted[1]


def test_a_certificate_whose_key_cannot_be_read_is_itself_what_counts(known: Known) -> None:
    counts = known.pin("it", b"no certificate")
    assert known.pin("it", b"another one") == counts == known.pin("it", b"no certificate")
    assert known.get("it").key == ""


def test_a_scanner_that_was_encrypted_once_is_never_asked_in_the_clear(known: Known, tmp_path: Path) -> None:
    driver = EsclDriver(known, look=False, limits=QUICK)
    with FakeScanner(certificate=certificate(tmp_path, "it")) as scanner:
        known.remember_urls(UUID, (scanner.url,))
        scan(driver, UUID, source=Source.FLATBED)
    with FakeScanner() as scanner:
        known.remember_urls(UUID, (scanner.url,))
        with pytest.raises(NoScanner):
            scan(driver, UUID)
        assert not scanner.asked


def test_a_redirect_of_the_same_host_to_encryption_is_followed(known: Known, tmp_path: Path) -> None:
    with FakeScanner(certificate=certificate(tmp_path, "it")) as safe, FakeScanner() as plain:
        for each in ("ScannerCapabilities", "ScannerStatus", "ScanJobs", "NextDocument"):
            plain.setup.hooks[each] = lambda request: request.answer(
                307, headers={"Location": safe.url.removesuffix("/eSCL") + request.path}
            )
        assert len(scan(EsclDriver(known, look=False, limits=QUICK), plain.url)) == 4
    assert known.get(f"127.0.0.1:{plain.port}").certificate


def test_a_damaged_memory_of_certificates_is_no_empty_one(known: Known, tmp_path: Path) -> None:
    known.path.write_text("{")
    with FakeScanner(certificate=certificate(tmp_path, "it")) as scanner:
        with pytest.raises(DriverError, match="cannot be read"):
            scan(EsclDriver(known, look=False), scanner.url)
        assert not scanner.asked


def test_what_is_remembered_is_bounded_and_private(known: Known) -> None:
    for number in range(300):
        known.remember_urls(f"host:{number}", ("http://a/eSCL",))
    assert known.keys() == [f"host:{number}" for number in range(44, 300)]
    assert known.path.stat().st_mode & 0o777 == 0o600


# -- the worker ----------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeScanner]:
    """A user's folders with one scanner by address, and nothing looked for in the network."""
    with FakeScanner() as scanner:
        monkeypatch.setenv("DWTSVC_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("DWTSVC_ESCL_DISCOVERY", "off")
        monkeypatch.setenv("DWTSVC_ESCL_DEVICES", scanner.url)
        yield scanner


def test_the_worker_lists_and_scans(home: FakeScanner, tmp_path: Path) -> None:
    (device,) = discover(10, "escl")
    assert isinstance(device, Device)
    pages = []
    with connect("escl", timeout=20) as worker:
        worker.open(device.id.partition(":")[2])
        request = ScanRequest(device=device.id, source=Source.FEEDER, resolution=75)
        for event in worker.scan(request, tmp_path):
            if isinstance(event, PageReady):
                pages.append(event.path.read_bytes())
                worker.release(event.slot, kept=False)
    assert pages == home.documents
    assert Image.open(io.BytesIO(pages[0])).size == (638, 1050)


def test_the_command_lists_it(home: FakeScanner) -> None:
    command = [sys.executable, "-m", "dwtsvc_cli.main", "devices"]
    ran = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=True)
    assert f"escl:{UUID}" in [each["id"] for each in json.loads(ran.stdout)["devices"]]


def test_the_parent_loads_no_http_no_zeroconf_and_no_driver(home: FakeScanner) -> None:
    program = (
        "import sys; from dwtsvc.devices import discover; print([each.id for each in discover(10, 'escl')])\n"
        "print([name for name in ('httpx', 'zeroconf', 'dwtsvc.devices.escl') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines() == [f"['escl:{UUID}']", "[]"]


def scan_command(scanner: FakeScanner, *arguments: str) -> None:
    command = [sys.executable, "-m", "dwtsvc_cli.main", "scan", "-d", f"escl:{scanner.url}", "--resolution", "75"]
    subprocess.run([*command, *arguments], capture_output=True, timeout=60, check=True)


def test_the_jpegs_of_the_scanner_are_in_the_pdf_byte_for_byte(home: FakeScanner, tmp_path: Path) -> None:
    scan_command(home, "-o", str(tmp_path / "a.pdf"))
    written = (tmp_path / "a.pdf").read_bytes()
    assert len(home.documents) == 4
    assert all(document in written for document in home.documents)


@pytest.mark.parametrize(("mode", "pixels"), [("lineart", "1"), ("gray", "L"), ("color", "RGB")])
def test_the_pngs_of_a_scanner_are_pages_like_others(home: FakeScanner, tmp_path: Path, mode: str, pixels: str) -> None:
    home.setup.formats = ("image/png",)
    scan_command(home, "--mode", mode, "-o", str(tmp_path / "page-{n}.png"))
    for number, document in enumerate(home.documents, 1):
        with Image.open(tmp_path / f"page-{number}.png") as written, Image.open(io.BytesIO(document)) as sent:
            assert (written.mode, written.tobytes()) == (pixels, sent.tobytes())


def test_a_wrong_address_in_the_settings_is_an_error_beside_the_list(
    home: FakeScanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DWTSVC_ESCL_DEVICES", f"http:///eSCL,{home.url}")
    device, error = discover(10, "escl")
    assert isinstance(device, Device)
    assert isinstance(error, DriverError)
    assert "http:///eSCL" in error.what


def test_the_service_lists_it_under_its_own_type() -> None:
    from dwtsvc.server.rest.devicetext import DEFAULT_MASK, type_of

    assert type_of(f"escl:{UUID}") == 512
    assert not DEFAULT_MASK & 512
