"""The AirScan face as a client meets it: what it offers, pages, errors, the end of jobs, and what is given to whom."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pypdfium2
import pytest
from PIL import Image, ImageChops

from dwtsvc import esclxml
from dwtsvc.devices.escl import EsclDriver
from dwtsvc.devices.esclknown import Known
from dwtsvc.esclxml import JPEG, PDF, PNG
from dwtsvc.model import Mode, ScanRequest, Source
from tests.devices.conformance import collected
from tests.server.daemon import until
from tests.server.faces import serving
from tests.server.sharing import ADF, GLASS, PAPER, PATIENCE, Shared, begun, documents, order, sharing

DPI = 75


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One service for all tests that only scan from it."""
    with sharing(tmp_path_factory.mktemp("shared") / "home", ADF, GLASS) as made:
        yield made


def direct(folder: Path, device: str, source: str, suffix: str, *more: str) -> list[bytes]:
    """The same scan by the command, a file for each page."""
    environment = {**os.environ, "DWTSVC_HOME": str(folder / "direct")}
    size = f"{PAPER.width:g}x{PAPER.height:g}mm"
    words = [
        "scan",
        "-q",
        "-d",
        device,
        "-r",
        str(DPI),
        "--source",
        source,
        "--size",
        size,
        "-o",
        f"page-{{n}}.{suffix}",
    ]
    command = [sys.executable, "-m", "dwtsvc_cli.main", *words, *more]
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=PATIENCE)
    return [path.read_bytes() for path in sorted(folder.glob(f"page-*.{suffix}"))]


def same(one: bytes, other: bytes) -> bool:
    left, right = (Image.open(io.BytesIO(each)) for each in (one, other))
    return left.size == right.size and left.mode == right.mode and not ImageChops.difference(left, right).getbbox()


def test_what_is_offered_is_what_the_scanner_can_do(shared: Shared) -> None:
    with shared.client() as client:
        answer = client.get("/ScannerCapabilities")
    told = esclxml.description(answer.content)
    assert answer.headers["content-type"] == "text/xml"
    assert (told.vendor, told.model, told.uuid) == ("dwtsvc", "Virtual document scanner", shared.records[0]["uuid"])
    assert [each.source for each in told.inputs] == [Source.FLATBED, Source.FEEDER, Source.DUPLEX]
    glass = told.inputs[0]
    assert set(glass.modes) == {Mode.COLOR, Mode.GRAY, Mode.LINEART}
    assert set(glass.formats) == {JPEG, PNG, PDF}
    assert isinstance(glass.resolutions, tuple)
    assert {75, 300, 1200} <= set(glass.resolutions) and min(glass.resolutions) >= 50
    assert (glass.max_width, glass.max_height) == (pytest.approx(216, abs=0.05), pytest.approx(297, abs=0.05))


def test_the_first_scanner_is_at_the_short_address_too_and_each_at_its_own(shared: Shared) -> None:
    models = []
    for base in (f"{shared.base}/eSCL", *(record["url"] for record in shared.records)):
        with shared.client(url=base) as client:
            models.append(esclxml.description(client.get("/ScannerCapabilities").content).model)
    assert models == ["Virtual document scanner", "Virtual document scanner", "Virtual flatbed scanner"]


@pytest.mark.parametrize("mode", ["color", "gray", "lineart"])
def test_png_pages_have_the_pixels_of_a_direct_scan(tmp_path: Path, mode: str) -> None:
    with sharing(tmp_path / "home", ADF) as shared, shared.client() as client:
        pages = documents(client, begun(client, order(format=PNG, mode=Mode(mode))))
    theirs = direct(tmp_path, ADF, "feeder", "png", "--mode", mode)
    assert len(pages) == len(theirs) == 3
    assert all(page.headers["content-type"] == PNG for page in pages)
    assert all(same(page.content, other) for page, other in zip(pages, theirs, strict=True))


def test_jpeg_pages_are_byte_for_byte_those_that_are_stored(tmp_path: Path) -> None:
    with sharing(tmp_path / "home", ADF) as shared, shared.client() as client:
        pages = [each.content for each in documents(client, begun(client, order()))]
    assert pages == direct(tmp_path, ADF, "feeder", "jpg")


def test_a_pdf_of_the_feeder_is_one_document_with_all_pages(tmp_path: Path) -> None:
    with sharing(tmp_path / "home", ADF) as shared, shared.client() as client:
        (whole,) = documents(client, begun(client, order(format=PDF)))
    assert whole.headers["content-type"] == PDF
    with pypdfium2.PdfDocument(whole.content) as document:
        assert len(document) == 3
        width, height = document[0].get_size()
    assert (width / 72 * 25.4, height / 72 * 25.4) == (pytest.approx(101.6, abs=0.4), pytest.approx(127, abs=0.4))


def test_our_own_driver_scans_from_our_own_face(tmp_path: Path) -> None:
    png = (("document-format", "png"),)
    request = ScanRequest(device="any", source=Source.FEEDER, resolution=DPI, area=PAPER, options=png)
    driver = EsclDriver(Known(tmp_path / "known.json"), look=False)
    with sharing(tmp_path / "home", ADF) as shared, driver.open(shared.url) as opened:
        pages = [page.data for page in collected(opened.scan(request, Event()))]
    theirs = direct(tmp_path, ADF, "feeder", "png")
    assert len(pages) == 3
    assert all(same(page, other) for page, other in zip(pages, theirs, strict=True))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_address_of_a_job_is_absolute_and_its_field_has_a_capital(shared: Shared, scheme: str) -> None:
    port = shared.port + (scheme == "https")
    if scheme == "http":
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    else:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=context)
    connection.request("POST", "/eSCL/ScanJobs", order(Source.FLATBED), {"Host": f"scanner.local:{port}"})
    answer = connection.getresponse()
    answer.read()
    fields = dict(answer.headers.items())
    assert answer.status == 201
    assert fields["Location"].startswith(f"{scheme}://scanner.local:{port}/eSCL/ScanJobs/")
    path = fields["Location"].partition(str(port))[2]
    connection.request("GET", f"{path}/NextDocument")
    assert connection.getresponse().read().startswith(b"\xff\xd8")
    connection.close()


def test_a_scan_of_the_glass_is_one_page_and_its_job_is_gone_when_it_was_fetched(shared: Shared) -> None:
    with shared.client() as client:
        job = begun(client, order(Source.FLATBED))
        assert len(documents(client, job)) == 1
        told = esclxml.status(client.get("/ScannerStatus").content)
        mine = next(each for each in told.jobs if job.endswith(each.path))
    assert (mine.state, mine.reasons, mine.completed, mine.waiting) == (
        "Completed",
        ("JobCompletedSuccessfully",),
        1,
        0,
    )
    uid = job.rpartition("/")[2]
    until(lambda: uid not in [each["id"] for each in shared.status()["jobs"]])


def test_a_page_is_deleted_when_its_client_asks_for_the_next(tmp_path: Path) -> None:
    def stored() -> int:
        return len(list((tmp_path / "home" / "state" / "buffers").glob("*/page-*")))

    with sharing(tmp_path / "home", ADF) as shared, shared.client() as client:
        job = begun(client, order())
        counts = []
        until(lambda: stored() >= 3)
        for _ in range(3):
            client.get(f"{job}/NextDocument").raise_for_status()
            counts.append(stored())
    assert counts == [3, 2, 1]


def test_a_look_at_a_document_does_not_take_it(shared: Shared) -> None:
    with shared.client() as client:
        job = begun(client, order(Source.FLATBED))
        assert client.head(f"{job}/NextDocument").status_code == 404
        assert len(documents(client, job)) == 1


def test_a_document_whose_client_left_in_the_middle_is_sent_again(tmp_path: Path) -> None:
    body = order(format=PNG, dpi=600).replace(b"<pwg:Height>1500<", b"<pwg:Height>3500<")
    with sharing(tmp_path / "home", "virtual:adf?pages=1&noise=1") as shared, shared.client() as client:
        job = begun(client, body)
        path = job.removeprefix(shared.base)
        with socket.socket() as impatient:
            impatient.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            impatient.connect(("127.0.0.1", shared.port))
            impatient.sendall(f"GET {path}/NextDocument HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert impatient.recv(4096).startswith(b"HTTP/1.1 200 ")
        (page,) = documents(client, job)
    assert len(page.content) > 4 << 20  # more than the system takes off our hands
    assert Image.open(io.BytesIO(page.content)).size[0] == 2400


def test_what_a_client_scans_is_not_told_to_another_nor_given_to_it(shared: Shared) -> None:
    with shared.client() as mine, shared.client("127.0.0.9") as theirs:
        job = begun(mine, order(Source.FLATBED))
        assert job.rpartition("/")[2].encode() not in theirs.get("/ScannerStatus").content
        assert theirs.get(f"{job}/NextDocument").status_code == 410
        assert theirs.get(f"{job}/ScanImageInfo").status_code == 410
        assert theirs.delete(job).status_code == 410
        assert mine.get(f"{job}/NextDocument").status_code == 200


def test_a_job_that_is_deleted_stops_and_has_no_documents(tmp_path: Path) -> None:
    with sharing(tmp_path / "home", "virtual:adf?pages=50&slow=1") as shared, shared.client() as client:
        job = begun(client, order())
        client.get(f"{job}/NextDocument").raise_for_status()
        assert esclxml.status(client.get("/ScannerStatus").content).state == "Processing"
        assert client.delete(job).status_code == 200
        assert client.get(f"{job}/NextDocument").status_code == 404
        until(lambda: esclxml.status(client.get("/ScannerStatus").content).state == "Idle")


@pytest.mark.parametrize(
    ("mishap", "status", "feeder"),
    [
        ("jam=2", 409, "ScannerAdfJam"),
        ("cover=2", 409, "ScannerAdfHatchOpen"),
        ("multifeed=2", 409, "ScannerAdfMultipickDetected"),
        ("crash=2", 502, "ScannerAdfLoaded"),
    ],
)
def test_a_mishap_is_told_after_the_pages_before_it(tmp_path: Path, mishap: str, status: int, feeder: str) -> None:
    with sharing(tmp_path / "home", f"virtual:adf?pages=3&{mishap}") as shared, shared.client() as client:
        job = begun(client, order())
        assert client.get(f"{job}/NextDocument").status_code == 200
        assert client.get(f"{job}/NextDocument").status_code == status
        told = esclxml.status(client.get("/ScannerStatus").content)
        assert client.get(f"{job}/NextDocument").status_code == 404
        assert told.feeder == feeder
        assert (told.jobs[0].state, told.jobs[0].completed) == ("Aborted", 1)


def test_an_empty_feeder_is_told(tmp_path: Path) -> None:
    with sharing(tmp_path / "home", "virtual:adf?empty=1") as shared, shared.client() as client:
        job = begun(client, order())
        assert client.get(f"{job}/NextDocument").status_code == 404
        assert esclxml.status(client.get("/ScannerStatus").content).feeder == "ScannerAdfEmpty"


def test_pages_before_a_jam_make_a_pdf(tmp_path: Path) -> None:
    with sharing(tmp_path / "home", "virtual:adf?pages=4&jam=3") as shared, shared.client() as client:
        job = begun(client, order(format=PDF))
        answer = client.get(f"{job}/NextDocument")
        with pypdfium2.PdfDocument(answer.content) as document:
            assert len(document) == 2
        assert client.get(f"{job}/NextDocument").status_code == 409


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><ScanSettings>&b;</ScanSettings>'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b"<ScanSettings>", 400),
        (b"<Else/>", 400),
        (BOMB, 400),
        (b"<ScanSettings>" + b"<a>" * 40 + b"</a>" * 40 + b"</ScanSettings>", 400),
        (b"<ScanSettings>" + b"<a/>" * 15_000 + b"</ScanSettings>", 201),
        (b"<ScanSettings>" + b"<a/>" * 16_500 + b"</ScanSettings>", 413),
        (b"<ScanSettings><ColorMode>RGB99</ColorMode></ScanSettings>", 400),
        (order(dpi=76, source=Source.FLATBED), 201),
        (order(dpi=1201), 409),
        (order(format="image/tiff"), 409),
        (b"\n  " + order(Source.FLATBED), 201),
        (b"<ScanSettings/>", 201),
    ],
)
def test_an_order_is_taken_or_refused(shared: Shared, body: bytes, status: int) -> None:
    with shared.client() as client:
        answer = client.post("/ScanJobs", content=body)
        assert answer.status_code == status, answer.text
        if status == 201:
            client.delete(answer.headers["location"])


def test_a_body_without_a_length_is_counted_too(shared: Shared) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield bytes(1024)

    with shared.client() as client:
        assert client.post("/ScanJobs", content=endless()).status_code == 413


def test_an_area_is_cut_to_the_place_for_paper(shared: Shared) -> None:
    body = order(Source.FLATBED).replace(b"<pwg:Height>1500<", b"<pwg:Height>99999<")
    assert b"99999" in body
    with shared.client() as client:
        (page,) = documents(client, begun(client, body))
    assert Image.open(io.BytesIO(page.content)).size == (300, 877)  # 101.6 x 297 mm at 75 dpi


def test_the_size_of_a_page_is_told_before_and_after_the_scan(shared: Shared) -> None:
    with shared.client() as client:
        told = client.put("/ScanBufferInfo", content=order(Source.FLATBED))
        job = begun(client, order(Source.FLATBED))
        size = Image.open(io.BytesIO(client.get(f"{job}/NextDocument").content)).size
        info = client.get(f"{job}/ScanImageInfo")
        client.delete(job)
    assert told.status_code == info.status_code == 200
    for document, words in ((told.text, ("ImageWidth", "ImageHeight")), (info.text, ("ActualWidth", "ActualHeight"))):
        assert all(f"{word}>{side}<" in document for word, side in zip(words, size, strict=True)), document


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/eSCL/Nothing", 404),
        ("GET", "/nobody/eSCL/ScannerStatus", 404),
        ("GET", "/api/server/version", 404),
        ("GET", "/eSCL/../../etc/passwd", 404),
        ("GET", "/eSCL/ScanJobs/4e2eb0a5-8cbc-4c78-8b1e-b8a0e2b1b5a1/NextDocument", 410),
        ("DELETE", "/eSCL/ScanJobs/4e2eb0a5-8cbc-4c78-8b1e-b8a0e2b1b5a1", 410),
        ("POST", "/eSCL/ScannerCapabilities", 404),
        ("PATCH", "/eSCL/ScanJobs", 404),
        ("HEAD", "/eSCL/ScannerCapabilities", 200),
        ("HEAD", "/eSCL/ScannerStatus", 200),
        ("HEAD", "/eSCL/ScanJobs", 404),
        ("GET", "/eSCL//ScannerStatus/", 200),
        ("GET", "/favicon.ico", 200),
        ("GET", "/", 200),
    ],
)
def test_nothing_else_is_at_the_listener(shared: Shared, method: str, path: str, status: int) -> None:
    with shared.client(url=shared.base) as client:
        assert client.request(method, path).status_code == status


def begun_in_turn(client: httpx.Client, body: bytes) -> str:
    """The address of a new job, of a client that comes again as long as others have the scanner."""
    head = {"content-type": "text/xml"}
    while (made := client.post("/ScanJobs", content=body, headers=head)).status_code == 503:
        time.sleep(float(made.headers["retry-after"]))
    assert made.status_code == 201, made.text
    return str(made.headers["location"])


def test_many_clients_at_once_are_all_served(tmp_path: Path) -> None:
    answers: list[bytes] = []

    def one(number: int) -> None:
        with shared.client(f"127.0.1.{number}") as client:
            answers.extend(each.content for each in documents(client, begun_in_turn(client, order(Source.FLATBED))))

    with sharing(tmp_path / "home", GLASS) as shared:
        threads = [threading.Thread(target=one, args=(number,)) for number in range(1, 13)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert len(answers) == 12
    assert len(set(answers)) == 12  # each page of the virtual scanner has its own serial: nobody got another's


def test_a_client_has_a_limit_of_jobs(tmp_path: Path) -> None:
    with sharing(tmp_path / "home", GLASS) as shared, shared.client() as client:
        jobs = [begun(client, order(Source.FLATBED)) for _ in range(8)]
        answer = client.post("/ScanJobs", content=order(Source.FLATBED))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        client.delete(jobs[0])
        assert client.post("/ScanJobs", content=order(Source.FLATBED)).status_code == 201


@pytest.mark.timeout(300)
def test_a_job_that_nobody_fetches_goes_away_and_does_not_count(tmp_path: Path) -> None:
    with sharing(tmp_path / "home", GLASS, DWTSVC_JOB_IDLE="1") as shared, shared.client() as client:
        job = begun(client, order(Source.FLATBED))
        until(lambda: not shared.status()["jobs"])
        assert client.get(f"{job}/NextDocument").status_code == 410
        for _ in range(9):  # more than a client may leave lying about
            begun(client, order(Source.FLATBED))
            until(lambda: not shared.status()["jobs"])


def test_pages_of_an_order_from_before_a_restart_go_away(tmp_path: Path) -> None:
    with sharing(tmp_path / "home", GLASS) as shared, shared.client() as client:
        begun(client, order(Source.FLATBED))
        until(lambda: [each["state"] for each in shared.status()["jobs"]] == ["completed"])
    shutil.rmtree(tmp_path / "home" / "sane")
    with sharing(tmp_path / "home", GLASS, DWTSVC_JOB_IDLE="1") as shared:
        until(lambda: not shared.status()["jobs"])


def test_heads_are_small(shared: Shared) -> None:
    with shared.client() as client:
        assert client.get("/ScannerStatus", headers={"x-long": "a" * (15 << 10)}).status_code == 200
        assert client.get("/ScannerStatus", headers={"x-long": "a" * (16 << 10)}).status_code == 431
        many = {f"x-{number}": "1" for number in range(64)}
        assert client.get("/ScannerStatus", headers=many).status_code == 431
        assert client.get("/" + "a" * 2048).status_code == 414


def test_one_address_does_not_take_all_connections(tmp_path: Path) -> None:
    with sharing(tmp_path / "home", GLASS) as shared, contextlib.ExitStack() as held:
        for _ in range(64):
            held.enter_context(socket.create_connection(("127.0.0.1", shared.port), source_address=("127.0.0.5", 0)))
        with shared.client("127.0.0.5") as same, shared.client("127.0.0.6") as other:
            assert same.get("/ScannerStatus").status_code == 503
            assert other.get("/ScannerStatus").status_code == 200


def test_a_busy_client_is_told_to_wait(shared: Shared) -> None:
    source, told, end = ("127.0.0.77", 0), set[int](), time.monotonic() + PATIENCE
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=PATIENCE, source_address=source)
    with contextlib.closing(connection):  # one alone, and nothing between: its share must not grow again meanwhile
        while 503 not in told and time.monotonic() < end:
            connection.request("GET", "/eSCL/ScannerStatus")
            answer = connection.getresponse()
            answer.read()
            told.add(answer.status)
    assert told == {200, 503}
    with shared.client("127.0.0.78") as other:
        assert other.get("/ScannerStatus").status_code == 200


def refused(shared: Shared, **fields: str) -> int:
    head = {name.replace("_", "-"): value for name, value in fields.items()}
    return httpx.get(f"{shared.base}/eSCL/ScannerStatus", headers=head, timeout=PATIENCE).status_code


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:18622"},
        {"referer": "http://evil.example/page"},
        {"cookie": "a=b"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-origin"},
        {"host": "evil.example"},
        {"host": "scanner.local.evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "a.b.local"},
        {"host": "local"},
        {"host": "user@127.0.0.1"},
    ],
)
def test_web_pages_and_foreign_names_are_refused(shared: Shared, fields: dict[str, str]) -> None:
    assert refused(shared, **fields) == 403


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "192.168.7.7:99", "[fe80::1%25eth0]:80", "[::1]", "localhost", "Scanner.local", "scanner.local.:80"],
)
def test_addresses_and_names_that_no_stranger_can_point_here_are_taken(shared: Shared, host: str) -> None:
    assert refused(shared, host=host) == 200


def test_a_page_cannot_even_ask_whether_it_may(shared: Shared) -> None:
    head = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = httpx.options(f"{shared.base}/eSCL/ScanJobs", headers=head, timeout=PATIENCE)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_person_may_open_the_address_and_sees_names_only(shared: Shared) -> None:
    head = {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}
    answer = httpx.get(f"{shared.base}/", headers=head, timeout=PATIENCE)
    assert answer.status_code == 200 and "Virtual document scanner" in answer.text
    assert shared.records[0]["url"].split("/")[3] not in answer.text


def test_another_network_is_refused(tmp_path: Path) -> None:
    allowed = "127.0.5.0/24, 10.0.0.0/8"
    with (
        sharing(tmp_path / "home", GLASS, DWTSVC_SHARE_ALLOW=allowed) as shared,
        shared.client("127.0.5.7") as near,
        shared.client("127.0.6.7") as far,
    ):
        assert near.get("/ScannerStatus").status_code == 200
        assert far.get("/ScannerStatus").status_code == 403
        assert far.get("/").status_code == 403


def test_the_service_itself_is_not_at_the_listener_nor_the_listener_at_the_service(shared: Shared) -> None:
    assert httpx.get(f"{shared.base}/healthz", timeout=PATIENCE).status_code == 404
    assert httpx.get(f"{shared.served.url}/eSCL/ScannerStatus", timeout=PATIENCE).status_code == 404


def test_the_status_lists_what_is_shared(shared: Shared) -> None:
    environment = {**os.environ, "DWTSVC_HOME": str(shared.served.home)}
    command = [sys.executable, "-m", "dwtsvc_cli.main", "status"]
    ran: list[subprocess.CompletedProcess[str]] = []

    def answered() -> bool:  # it waits two seconds for the service, which may be long for a busy machine
        ran.append(subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE))
        return ran[-1].returncode == 0

    until(answered, lambda: ran[-1].stderr)
    told = ran[-1].stdout
    assert [record["device"] for record in shared.records] == [ADF, GLASS]
    assert all(f"shared: {record['device']} at {record['url']}" in told for record in shared.records)
    assert all(record["url"].startswith(f"{shared.base}/") for record in shared.records)
    assert all(record["tls_url"].startswith(f"https://127.0.0.1:{shared.port + 1}/") for record in shared.records)


def test_a_port_that_is_taken_is_told_and_the_service_runs(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serving(tmp_path / "home", DWTSVC_SHARE=f"127.0.0.1:{port}") as served:

            def told() -> Any:
                return httpx.get(f"{served.url}/api/server/status", timeout=PATIENCE).json()

            until(lambda: f"127.0.0.1:{port} is taken by" in str(told()["warnings"]), lambda: str(told()))
            assert told()["shared"] == []
