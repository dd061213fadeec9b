"""How fast shared scanners are: ten pages through the AirScan face, against ready pages and against a direct scan."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.rig import CHECKOUT, Bench, Row
from benchmarks.serving import _free_port, _running

PAGES = 10
DEVICE = "sane:test:0"  # gives 52 such pages a second: what is measured is the way from there to the client
A4 = (2480, 3508)
COUNT = 5
NAMESPACES = (
    'xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03" xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm"'
)
SETTINGS = f"""<?xml version="1.0" encoding="UTF-8"?>
<scan:ScanSettings {NAMESPACES}><pwg:Version>2.6</pwg:Version>
<pwg:ScanRegions><pwg:ScanRegion><pwg:XOffset>0</pwg:XOffset><pwg:YOffset>0</pwg:YOffset>
<pwg:Width>{A4[0]}</pwg:Width><pwg:Height>{A4[1]}</pwg:Height></pwg:ScanRegion></pwg:ScanRegions>
<pwg:InputSource>Feeder</pwg:InputSource><scan:ColorMode>RGB24</scan:ColorMode>
<pwg:DocumentFormat>image/jpeg</pwg:DocumentFormat><scan:DocumentFormatExt>image/jpeg</scan:DocumentFormatExt>
<scan:XResolution>300</scan:XResolution><scan:YResolution>300</scan:YResolution></scan:ScanSettings>""".encode()

# The peer: a scanner that has its pages ready as JPEG, on the same server class of uvicorn, loop and parser.
READY = """
import sys, uvicorn
page, capabilities, pages = open(sys.argv[2], "rb").read(), open(sys.argv[3], "rb").read(), int(sys.argv[4])
STATUS = b'''<?xml version="1.0" encoding="UTF-8"?><scan:ScannerStatus
xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03" xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm">
<pwg:Version>2.6</pwg:Version><pwg:State>Idle</pwg:State><scan:AdfState>ScannerAdfEmpty</scan:AdfState>
</scan:ScannerStatus>'''
left = 0
async def app(scope, receive, send):
    global left
    path, status, body, more = scope["path"], 200, b"", []
    while (await receive()).get("more_body"):
        pass
    if path.endswith("ScannerCapabilities"):
        body, more = capabilities, [(b"content-type", b"text/xml")]
    elif path.endswith("ScannerStatus"):
        body, more = STATUS, [(b"content-type", b"text/xml")]
    elif scope["method"] == "POST":
        left, status = pages, 201
        more = [(b"location", b"http://127.0.0.1:%d/eSCL/ScanJobs/1" % int(sys.argv[1]))]
    elif path.endswith("NextDocument"):
        status, body = (200, page) if left else (404, b"")
        left, more = left - 1, [(b"content-type", b"image/jpeg")]
    more.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": more})
    await send({"type": "http.response.body", "body": body})
uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", lifespan="off", log_level="error",
            access_log=False, server_header=False, proxy_headers=False)
"""


def by_airscan(bench: Bench) -> Iterator[Row]:
    """The same client, sane-airscan, on our face and on a server that has JPEGs ready."""
    with _shared(bench) as ours, _ready(bench, ours) as peer:
        clients = [_client(bench, name, url) for name, url in (("ours", ours), ("peer", peer))]
        commands = [f"{client} --batch=page%d.pnm; test $? -le 7" for client in clients]
        took = bench.turns(*commands, count=COUNT)
    yield Row(f"{PAGES} shared pages by sane-airscan / ready JPEGs", *took, 1.3, "s", f"{PAGES / took[0]:.1f} pages/s")


def by_http(bench: Bench) -> Iterator[Row]:
    """A bare client of HTTP, against a direct scan to JPEG by the command, its start taken off."""
    scan = f"{CHECKOUT} scan -q -d {DEVICE} --source feeder -r 300 --size a4 -o 'page-{{n}}.jpg'"
    direct, start = bench.turns(scan, f"{CHECKOUT} scan --help", count=COUNT)
    with _shared(bench) as url:
        seconds = [_fetch(url) for _ in range(COUNT + 1)][1:]
    took = statistics.median(seconds)
    yield Row(
        f"{PAGES} shared pages by HTTP / a direct scan", took, direct - start, 1.3, "s", f"{PAGES / took:.1f} a second"
    )


def discovery(bench: Bench) -> Iterator[Row]:
    """From the question to the whole list, by the driver's own look into the network; allowed is a second."""
    look = (
        "import sys, time; sys.path.insert(0, '.')\n"
        "from dwtsvc.devices.esclfind import browse\n"
        "began = time.perf_counter()\n"
        "urls = [found.url for found in browse(10)]\n"
        "took = time.perf_counter() - began\n"
        "print(took if any(url.endswith(sys.argv[1]) for url in urls) else 'not found')"
    )
    with _shared(bench) as url:
        path = url.partition("//")[2].partition("/")[2]
        told = [
            subprocess.run([sys.executable, "-c", look, path], check=True, capture_output=True).stdout
            for _ in range(COUNT)
        ]
    yield Row("discovery of a shared scanner / one second", statistics.median(map(float, told)), 1.0, 1.0)


def _fetch(url: str) -> float:
    """Seconds for a whole job."""
    began = perf_counter()
    request = urllib.request.Request(f"{url}/ScanJobs", SETTINGS, {"Content-Type": "text/xml"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        job = answer.headers["Location"]
    pages = 0
    while True:
        try:
            with urllib.request.urlopen(f"{job}/NextDocument", timeout=60) as answer:
                pages += answer.read().startswith(b"\xff\xd8")
        except urllib.error.HTTPError as end:
            if end.code != 404 or pages != PAGES:
                raise
            return perf_counter() - began


@contextmanager
def _shared(bench: Bench) -> Iterator[str]:
    """A service that shares the scanner; the address of its eSCL."""
    plain, secure, shared = _free_port(), _free_port(), _free_port()
    ports = {"DWTSVC_HTTP_PORTS": str(plain), "DWTSVC_HTTPS_PORTS": str(secure), "DWTSVC_SHARE_PORT": str(shared)}
    environment = {**bench.environment, **ports, "DWTSVC_SHARE_DEVICES": DEVICE, "DWTSVC_ESCL_DISCOVERY": "off"}
    with _running([CHECKOUT, "serve", "--no-monitor", "--share"], environment, plain):
        yield _await_shared(environment)


def _await_shared(environment: dict[str, str]) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        told = subprocess.run([CHECKOUT, "status", "--json"], env=environment, capture_output=True, text=True)
        found: list[dict[str, Any]] = json.loads(told.stdout or "{}").get("shared", [])
        if found and found[0]["announced"]:
            return str(found[0]["url"])
        time.sleep(0.2)
    raise TimeoutError("nothing is shared")


@contextmanager
def _ready(bench: Bench, url: str) -> Iterator[str]:
    """The peer, with a page of our face and what our face says of itself, but for its other formats."""
    home = bench.folder / "home"
    page, capabilities, port = home / "page.jpg", home / "capabilities.xml", _free_port()
    request = urllib.request.Request(f"{url}/ScanJobs", SETTINGS, {"Content-Type": "text/xml"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        job = answer.headers["Location"]
    page.write_bytes(_read(f"{job}/NextDocument"))
    urllib.request.urlopen(urllib.request.Request(job, method="DELETE"), timeout=60).close()
    told = _read(f"{url}/ScannerCapabilities").decode()
    for kind in ("application/pdf", "image/png"):
        for word in ("pwg:DocumentFormat", "scan:DocumentFormatExt"):
            told = told.replace(f"<{word}>{kind}</{word}>", "")
    capabilities.write_text(told)
    command = [sys.executable, "-c", READY, str(port), str(page), str(capabilities), str(PAGES)]
    with _running(command, dict(bench.environment), port) as base:
        yield f"{base}/eSCL"


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


def _client(bench: Bench, name: str, url: str) -> str:
    """A scanimage that knows one scanner by its address and no other."""
    folder = bench.folder / "home" / name
    folder.mkdir(parents=True)
    (folder / "dll.conf").write_text("airscan\n")
    options = "[options]\ndiscovery = disable\nws-discovery = off\n"
    (folder / "airscan.conf").write_text(f'[devices]\n"{name}" = {url}, eSCL\n{options}')
    scan = f"scanimage -d airscan:e0:{name} --source ADF --mode Color --resolution 300 -x 210 -y 297"
    return f"SANE_CONFIG_DIR={Path(folder)} {scan}"
