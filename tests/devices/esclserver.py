"""A fake eSCL scanner for the tests: one device, one job at a time, whose every answer can be made a bad one.

It is a fake of our own, written from the protocol and from what real devices are known to answer; it shares no code
with the driver, and `test_escl_peers.py` has Debian's own clients scan from it. `with FakeScanner() as scanner:` serves
at `scanner.url` from a thread.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from xml.etree import ElementTree

from PIL import Image, ImageDraw

from dwtsvc.devices import marks

UUID = "67bbb526-3a17-474f-a567-2ca5f6156613"
NAMESPACES = (
    'xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03" xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm"'
)
RESOLUTIONS = (75, 100, 150, 300)
SIZES = {"Platen": (2550, 3508), "Feeder": (2550, 4200)}  # 1/300 inch
FORMATS = ("application/pdf", "image/jpeg", "image/png")
MODES = {"RGB24": "RGB", "Grayscale8": "L", "BlackAndWhite1": "1"}

Hook = Callable[["Request"], object]


@dataclass
class Setup:
    """What the fake is like. `hooks` answer in the place of the right answer, by the last word of the path; one that
    returns a true value leaves it to the right answer after all."""

    sheets: int = 4
    duplex: bool = True
    formats: tuple[str, ...] = FORMATS
    location: str = "absolute"  # or relative, bare, misnamed, none
    chunked: bool = False
    busy: int = 0  # times that ScanJobs is refused with 503
    warming: int = 0  # times that a document is not ready yet
    jam_after: int | None = None  # pages
    trouble: str = "ScannerAdfJam"
    empty_is: int = 404  # what says that the feeder is empty
    one_pdf: bool = False  # a PDF of the whole stack
    uuid: str = UUID
    slow: float = 0.0  # seconds between the pieces of a document
    hooks: dict[str, Hook] = field(default_factory=dict)


@dataclass
class Job:
    """A job that a client asked for."""

    path: str
    settings: dict[str, str]
    sent: int = 0

    @property
    def fed(self) -> bool:
        return "Feeder" in self.settings.get("InputSource", "")

    @property
    def sides(self) -> int:
        return 2 if self.fed and self.settings.get("Duplex") == "true" else 1


class FakeScanner:
    """The device and its server."""

    def __init__(self, setup: Setup | None = None, certificate: Path | None = None, host: str = "127.0.0.1") -> None:
        self.setup = setup or Setup()
        self.sheets, self.serial = self.setup.sheets, 0
        self.job: Job | None = None
        self.asked: list[tuple[str, str]] = []  # (method, path) of every request
        self.orders: list[bytes] = []  # every ScanSettings
        self.documents: list[bytes] = []  # every document that was sent
        self.jammed = False
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self.connections: set[socket.socket] = set()
        self._server = _Server((host, 0), type("Bound", (Request,), {"scanner": self}))
        scheme = "http"
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
            self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.port = self._server.server_address[1]
        self.url = f"{scheme}://{host}:{self.port}/eSCL"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        for each in list(self.connections):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        self._server.server_close()  # waits for every request's thread, so that nothing of a test outlives it

    def certify(self, certificate: Path) -> None:
        """Show another certificate from the next connection on."""
        self._context.load_cert_chain(certificate)

    @property
    def idle(self) -> bool:
        return self.job is None

    # -- documents -----------------------------------------------------------------------------------------------

    def capabilities(self) -> bytes:
        feeder = _caps("AdfSimplexInputCaps", "Feeder", self.setup.formats)
        if self.setup.duplex:
            feeder += _caps("AdfDuplexInputCaps", "Feeder", self.setup.formats)
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<scan:ScannerCapabilities {NAMESPACES}>
<pwg:Version>2.63</pwg:Version>
<pwg:MakeAndModel>Acme Paperlight 300</pwg:MakeAndModel>
<pwg:SerialNumber>A1</pwg:SerialNumber>
<scan:Manufacturer>Acme</scan:Manufacturer>
<scan:UUID>{self.setup.uuid}</scan:UUID>
<scan:Platen>{_caps("PlatenInputCaps", "Platen", self.setup.formats)}</scan:Platen>
<scan:Adf>{feeder}
<scan:FeederCapacity>50</scan:FeederCapacity>
<scan:AdfOptions><scan:AdfOption>DetectPaperLoaded</scan:AdfOption></scan:AdfOptions>
</scan:Adf>
<scan:BrightnessSupport><scan:Min>-100</scan:Min><scan:Max>100</scan:Max><scan:Normal>0</scan:Normal><scan:Step>1</scan:Step></scan:BrightnessSupport>
<scan:NobodyKnowsThis><scan:Min>1</scan:Min></scan:NobodyKnowsThis>
</scan:ScannerCapabilities>""".encode()

    def status(self) -> bytes:
        feeder = self.setup.trouble if self.jammed else "ScannerAdfLoaded" if self.sheets else "ScannerAdfEmpty"
        jobs = ""
        if self.job:
            jobs = f"""<scan:Jobs><scan:JobInfo><pwg:JobUri>{self.job.path}</pwg:JobUri>
<pwg:ImagesCompleted>{self.job.sent}</pwg:ImagesCompleted><pwg:JobState>Processing</pwg:JobState>
<pwg:JobStateReasons><pwg:JobStateReason>JobScanning</pwg:JobStateReason></pwg:JobStateReasons></scan:JobInfo></scan:Jobs>"""
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<scan:ScannerStatus {NAMESPACES}><pwg:Version>2.63</pwg:Version>
<pwg:State>{"Processing" if self.job else "Idle"}</pwg:State>
<scan:AdfState>{feeder}</scan:AdfState>{jobs}</scan:ScannerStatus>""".encode()

    def next_pages(self, job: Job) -> list[Image.Image]:
        """The pages of the job's next document: none when there are no more."""
        if self.setup.jam_after is not None and job.fed and job.sent >= self.setup.jam_after:
            self.jammed = True
            return []
        pages: list[Image.Image] = []
        whole = self.setup.one_pdf and _asked_for(job.settings) == "application/pdf"
        while (whole or not pages) and self._feed(job):
            self.serial += job.fed
            job.sent += 1
            pages.append(picture(job.settings, self.serial))
        return pages

    def _feed(self, job: Job) -> bool:
        """Whether there is one more side to scan; a new sheet is drawn in when both sides of one are done."""
        if not job.fed:
            return job.sent == 0
        if job.sent % job.sides:
            return True
        drawn = self.sheets > 0
        self.sheets -= drawn
        return drawn


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no fault of the fake."""


class Request(BaseHTTPRequestHandler):
    """One request, with what the hooks need to answer it."""

    scanner: FakeScanner
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "FakeScanner", ""

    def setup(self) -> None:
        self.scanner.connections.add(self.request)
        super().setup()

    def finish(self) -> None:
        self.scanner.connections.discard(self.request)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._route({"ScannerCapabilities": self.tell_capabilities, "ScannerStatus": self.tell_status})

    def do_POST(self) -> None:
        self._route({"ScanJobs": self.start_job})

    def do_DELETE(self) -> None:
        self._route({})

    def _route(self, routes: dict[str, Callable[[], None]]) -> None:
        self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = urlsplit(self.path).path
        last = path.rpartition("/")[2]
        self.scanner.asked.append((self.command, path))
        hook = self.scanner.setup.hooks.get("DELETE" if self.command == "DELETE" else last)
        if hook and not hook(self):
            self.close_connection = True
            return
        job = self.scanner.job
        if last == "NextDocument":
            self.next_document(job if job and path == f"{job.path}/NextDocument" else None)
        elif self.command == "DELETE":
            found = job is not None and path == job.path
            self.scanner.job = None if found else job
            self.answer(200 if found else 404)
        else:
            routes.get(last, lambda: self.answer(404))()

    def tell_capabilities(self) -> None:
        self.answer(200, self.scanner.capabilities(), "text/xml")

    def tell_status(self) -> None:
        self.answer(200, self.scanner.status(), "text/xml")

    def start_job(self) -> None:
        scanner = self.scanner
        with scanner.lock:
            scanner.orders.append(self.body)
            settings = _flat(self.body)
            scanner.setup.busy -= 1
            if scanner.job or scanner.setup.busy >= 0:
                self.answer(503, headers={"Retry-After": "1"})
            elif settings.get("InputSource") == "Feeder" and not scanner.sheets and scanner.setup.empty_is == 409:
                self.answer(409)
            else:
                number = len(scanner.orders)
                scanner.job = Job(f"/eSCL/ScanJobs/{UUID}-{number}", settings)
                self.answer(201, headers=self._location(scanner.job.path))

    def _location(self, path: str) -> dict[str, str]:
        origin = self.scanner.url.removesuffix("/eSCL")
        told = {
            "absolute": origin + path,
            "relative": path,
            "bare": "ScanJobs/" + path.rpartition("/")[2],
            "misnamed": "http://scanner.invalid:8080" + path,
            "none": "",
        }[self.scanner.setup.location]
        return {"Location": told} if told else {}

    def next_document(self, job: Job | None) -> None:
        scanner = self.scanner
        with scanner.lock:
            scanner.setup.warming -= 1
            if job and scanner.setup.warming >= 0:
                self.answer(503, headers={"Retry-After": "1"})
                return
            pages = scanner.next_pages(job) if job else []
            if not job or not pages:
                scanner.job = None
                self.answer(409 if scanner.jammed else 404)
                return
        mime = _asked_for(job.settings)
        document = encoded(pages, mime, int(job.settings["XResolution"]))
        scanner.documents.append(document)
        self.answer(200, document, mime, slow=scanner.setup.slow)

    def answer(
        self,
        status: int,
        body: bytes = b"",
        kind: str = "",
        *,
        headers: dict[str, str] | None = None,
        length: int | None = None,
        slow: float = 0.0,
    ) -> None:
        """An answer; `length` is a lie about the body's."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if kind:
            self.send_header("Content-Type", kind)
        chunked = self.scanner.setup.chunked and bool(body)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        for start in range(0, len(body), 8192):
            piece = body[start : start + 8192]
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" if chunked else piece)
            self.wfile.flush()
            self.scanner.closing.wait(slow)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def reset(self) -> None:
        """Break the connection as a device does that is switched off."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def endless(self, piece: bytes, head: bytes = b"", kind: str = "text/xml") -> None:
        """A body that never ends, until the client has enough."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(head)
            while True:
                self.wfile.write(piece)

    def drip(self, body: bytes, every: float, kind: str = "text/xml") -> None:
        """A byte now and then."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            for place in range(len(body)):
                self.wfile.write(body[place : place + 1])
                self.wfile.flush()
                if self.scanner.closing.wait(every):
                    return


def _caps(name: str, source: str, formats: tuple[str, ...]) -> str:
    width, height = SIZES[source]
    kinds = "".join(f"<pwg:DocumentFormat>{each}</pwg:DocumentFormat>" for each in formats)
    kinds += "".join(f"<scan:DocumentFormatExt>{each}</scan:DocumentFormatExt>" for each in formats)
    dpis = "".join(
        f"<scan:DiscreteResolution><scan:XResolution>{dpi}</scan:XResolution>"
        f"<scan:YResolution>{dpi}</scan:YResolution></scan:DiscreteResolution>"
        for dpi in RESOLUTIONS
    )
    modes = "".join(f"<scan:ColorMode>{mode}</scan:ColorMode>" for mode in MODES)
    return f"""<scan:{name}>
<scan:MinWidth>16</scan:MinWidth><scan:MaxWidth>{width}</scan:MaxWidth>
<scan:MinHeight>16</scan:MinHeight><scan:MaxHeight>{height}</scan:MaxHeight>
<scan:MaxScanRegions>1</scan:MaxScanRegions>
<scan:SettingProfiles><scan:SettingProfile>
<scan:ColorModes>{modes}</scan:ColorModes>
<scan:DocumentFormats>{kinds}</scan:DocumentFormats>
<scan:SupportedResolutions><scan:DiscreteResolutions>{dpis}</scan:DiscreteResolutions></scan:SupportedResolutions>
</scan:SettingProfile></scan:SettingProfiles>
<scan:MaxOpticalXResolution>300</scan:MaxOpticalXResolution>
</scan:{name}>"""


def _flat(document: bytes) -> dict[str, str]:
    """Every element with a text, by its local name."""
    tree = ElementTree.fromstring(document)
    return {str(each.tag).rpartition("}")[2]: each.text.strip() for each in tree.iter() if (each.text or "").strip()}


def _asked_for(settings: dict[str, str]) -> str:
    return settings.get("DocumentFormatExt") or settings.get("DocumentFormat") or "image/jpeg"


def picture(settings: dict[str, str], serial: int) -> Image.Image:
    """What the scanner sees: white paper with the serial as a row of cells, lines, and colours; cut and in the mode
    that was asked for."""
    dpi = int(settings["XResolution"])
    width, height = SIZES["Feeder" if "Feeder" in settings.get("InputSource", "") else "Platen"]
    page = Image.new("RGB", (round(width * dpi / 300), round(height * dpi / 300)), (250, 250, 250))
    draw, scale = ImageDraw.Draw(page), dpi / 25.4
    for place, black in enumerate(marks.serial_cells(serial)):
        if black:
            left, top = marks.CELLS_LEFT_MM + place * marks.CELL_MM, marks.CELLS_TOP_MM
            box = (left, top, left + marks.CELL_MM, top + marks.CELLS_HEIGHT_MM)
            draw.rectangle(tuple(round(each * scale) - (index > 1) for index, each in enumerate(box)), fill=(0, 0, 0))
    for row in range(40, 250, 6):
        colour = (row, 255 - row, (row * 7) % 256)
        draw.rectangle((round(20 * scale), round(row * scale), round(180 * scale), round((row + 2) * scale)), colour)
    left, top = (round(int(settings.get(name, 0)) * dpi / 300) for name in ("XOffset", "YOffset"))
    size = (round(int(settings.get(name, most)) * dpi / 300) for name, most in (("Width", width), ("Height", height)))
    right, bottom = (begin + length for begin, length in zip((left, top), size, strict=True))
    light = int(settings.get("Brightness", 0))
    page = page.crop((left, top, min(right, page.width), min(bottom, page.height)))
    page = page.point(lambda level: max(0, min(255, level + light)))
    gray = page.convert("L")
    mode = MODES[settings.get("ColorMode", "RGB24")]
    return (
        page if mode == "RGB" else gray if mode == "L" else gray.point(lambda level: 255 * (level > 127)).convert("1")
    )


def encoded(pages: list[Image.Image], mime: str, dpi: int) -> bytes:
    file = io.BytesIO()
    if mime == "application/pdf":
        quality = {} if pages[0].mode == "1" else {"quality": 80}
        pages[0].save(file, "PDF", resolution=dpi, save_all=True, append_images=pages[1:], **quality)
    elif mime == "image/png":
        pages[0].save(file, "PNG", dpi=(dpi, dpi))
    else:
        page = pages[0].convert("L") if pages[0].mode == "1" else pages[0]
        page.save(file, "JPEG", quality=80, dpi=(dpi, dpi))
    return file.getvalue()
