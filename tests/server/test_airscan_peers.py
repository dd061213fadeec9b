"""Clients that others wrote scan from the AirScan face, and get the pixels of a direct scan."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageChops

from tests.devices.test_escl_peers import AIRSCAN, configured, needs, scanimage
from tests.server.daemon import PROGRAM
from tests.server.faces import PATIENCE
from tests.server.sharing import ADF, GLASS, PAPER, sharing

PROGRAMS = Path(sys.executable).parent
AREA = ["-x", f"{PAPER.width:g}", "-y", f"{PAPER.height:g}"]
DPI = ["--resolution", "75"]


def direct(folder: Path, device: str, *words: str) -> list[Image.Image]:
    """The same scan by the command, without loss."""
    environment = {**os.environ, "DWTSVC_HOME": str(folder / "direct")}
    command = [*PROGRAM, "scan", "-q", "-d", device, "-r", "75", *words, "-o", "direct-{n}.png"]
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=PATIENCE)
    return [Image.open(path).convert("RGB") for path in sorted(folder.glob("direct-*.png"))]


def same(one: Image.Image, other: Image.Image) -> bool:
    one = one.convert("RGB")
    return one.size == other.size and ImageChops.difference(one, other).getbbox() is None


def alike(one: Image.Image, other: Image.Image) -> bool:
    """Whether it is the same picture after JPEG, which changes pixels a little."""
    levels = ImageChops.difference(one.convert("L"), other.convert("L")).histogram()
    return one.size == other.size and sum(levels[64:]) < one.width * one.height / 100


def program(name: str) -> str:
    """The path of a client from the development environment."""
    found = PROGRAMS / name
    if not found.exists():
        pytest.skip(f"{name} is not installed: `make setup`")
    return str(found)


# -- Debian's two --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["Color", "Gray"])
def test_airscan_of_sane_gets_the_pixels_of_a_direct_scan(tmp_path: Path, mode: str) -> None:
    needs("airscan")
    with sharing(tmp_path / "home", ADF) as shared:
        env = configured(tmp_path / "sane", "airscan", AIRSCAN.format(url=shared.url))
        listed = scanimage(env, "-L")
        assert b"airscan:e0:fake" in listed.stdout, listed.stderr
        batch = [f"--batch={tmp_path}/page%d.pnm", "--source", "ADF", "--mode", mode, *DPI, *AREA]
        ran = scanimage(env, "-d", "airscan:e0:fake", *batch)
    assert ran.returncode in (0, 7), ran.stderr  # 7: no more documents
    assert b"out of documents" in ran.stderr
    pages = [Image.open(path) for path in sorted(tmp_path.glob("page*.pnm"))]
    words = ["--source", "feeder", "--size", "101.6x127mm", "--mode", mode.lower()]
    theirs = direct(tmp_path, ADF, *words)
    assert len(pages) == len(theirs) == 3
    assert all(same(one, other) for one, other in zip(pages, theirs, strict=True))


def test_airscan_scans_both_sides_and_the_glass(tmp_path: Path) -> None:
    needs("airscan")
    with sharing(tmp_path / "home", ADF) as shared:
        env = configured(tmp_path / "sane", "airscan", AIRSCAN.format(url=shared.url))
        for source in ("ADF Duplex", "Flatbed"):
            batch = [f"--batch={tmp_path}/{source}%d.pnm", "--source", source, *DPI, *AREA]
            batch += ["--batch-count", "1"] if source == "Flatbed" else []
            scanimage(env, "-d", "airscan:e0:fake", *batch)
    assert len(list(tmp_path.glob("ADF Duplex*.pnm"))) == 6
    assert len(list(tmp_path.glob("Flatbed*.pnm"))) == 1


def test_airscan_scans_over_tls(tmp_path: Path) -> None:
    needs("airscan")
    with sharing(tmp_path / "home", GLASS) as shared:
        url = shared.records[0]["tls_url"]
        env = configured(tmp_path / "sane", "airscan", AIRSCAN.format(url=url))
        ran = scanimage(env, "-d", "airscan:e0:fake", *DPI, *AREA, "--format=pnm")
    assert ran.returncode == 0, ran.stderr
    (theirs,) = direct(tmp_path, GLASS, "--size", "101.6x127mm")
    assert same(Image.open(io.BytesIO(ran.stdout)), theirs)


@pytest.mark.parametrize(("device", "code"), [("virtual:adf?jam=1", 6), ("virtual:adf?empty=1", 7)])
def test_airscan_names_a_jam_and_an_empty_feeder(tmp_path: Path, device: str, code: int) -> None:
    needs("airscan")
    with sharing(tmp_path / "home", device) as shared:
        env = configured(tmp_path / "sane", "airscan", AIRSCAN.format(url=shared.url))
        ran = scanimage(env, "-d", "airscan:e0:fake", "--source", "ADF", *DPI)
    assert ran.returncode == code, ran.stderr  # JAMMED, NO_DOCS


@pytest.mark.parametrize("source", ["Flatbed", "ADF"])
def test_the_escl_backend_of_sane_scans(tmp_path: Path, source: str) -> None:
    needs("escl")
    with sharing(tmp_path / "home", ADF) as shared:
        env = configured(tmp_path / "sane", "escl", f'device {shared.base} "fake"\n')
        batch = [f"--batch={tmp_path}/page%d.pnm", "--source", source, *DPI, *AREA]
        ran = scanimage(env, "-d", f"escl:{shared.base}", *batch, "--batch-count", "1")
    assert ran.returncode == 0, ran.stderr
    theirs = direct(tmp_path, ADF, "--source", "flatbed" if source == "Flatbed" else "feeder", "--size", "101.6x127mm")
    page = Image.open(tmp_path / "page1.pnm")
    if source == "ADF":  # from the feeder it asks for PNG, whose rows it writes from the bottom up
        assert same(page.transpose(Image.Transpose.FLIP_TOP_BOTTOM), theirs[0]) or same(page, theirs[0])
    else:  # from the glass it asks for PDF
        assert alike(page, theirs[0])


ZEROCONF = """\
set -e
ip link set lo up
mount -t tmpfs none /run
mkdir -p /run/avahi-daemon /run/dbus
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/system_bus_socket
dbus-daemon --config-file=bus.conf --nofork --nopidfile & bus=$!
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done
avahi-daemon -f avahi.conf --no-drop-root --no-chroot --no-rlimits & avahi=$!
"$@" serve --no-monitor --share & service=$!
trap 'kill $service; wait $service; kill $avahi $bus' EXIT
until "$@" status --json | grep -q '"announced": true'; do sleep 0.2; done
until device=$(SANE_CONFIG_DIR=sane scanimage -f '%d%n' | grep 'airscan:.*flatbed'); do sleep 0.2; done
SANE_CONFIG_DIR=sane scanimage -d "$device" --resolution 75 -x 101.6 -y 127 --format=pnm -o page.pnm
SANE_CONFIG_DIR=sane DWTSVC_ESCL_DISCOVERY=on "$@" devices --json > devices.json
"""
BUS = """\
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_type="method_return"/><allow send_type="error"/><allow send_destination="*"/>
<allow receive_type="method_call"/><allow receive_type="signal"/><allow receive_type="method_return"/>
<allow receive_type="error"/></policy></busconfig>
"""


def test_airscan_finds_a_shared_scanner_by_itself(tmp_path: Path) -> None:
    needs("airscan")
    for command in ("dbus-daemon", "avahi-daemon", "ip", "unshare"):
        if not shutil.which(command):
            pytest.skip(f"{command} is not here, by which sane-airscan finds scanners")
    if subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True).returncode:
        pytest.skip("this machine gives no network namespaces")
    for name, text in (("bus.conf", BUS), ("avahi.conf", "[server]\nallow-interfaces=lo\nuse-ipv6=no\n")):
        (tmp_path / name).write_text(text)
    configured(tmp_path / "sane", "airscan", "[options]\nws-discovery = off\n")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "dll.conf").write_text("")
    env = {**os.environ, "DWTSVC_HOME": str(tmp_path / "home"), "SANE_CONFIG_DIR": str(tmp_path / "none")}
    env |= {"DWTSVC_DEVICE": GLASS, "DWTSVC_ESCL_DISCOVERY": "off"}
    command = ["unshare", "-n", "-m", "sh", "-c", ZEROCONF, "sh", *PROGRAM]
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=3 * PATIENCE)
    assert ran.returncode == 0, ran.stderr
    (theirs,) = direct(tmp_path, GLASS, "--size", "101.6x127mm")
    assert same(Image.open(tmp_path / "page.pnm"), theirs)
    listed = json.loads((tmp_path / "devices.json").read_text())["devices"]
    ways = {each["id"]: sorted(way.partition(":")[0] for way in each["also"]) for each in listed}
    assert ways == {"virtual:adf": ["escl", "sane"], "virtual:flatbed": []}, "GLASS itself is not listed"


# -- PyPI's three ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "suffix"), [("png", "png"), ("jpeg", "jpg"), ("pdf", "pdf")])
def test_hpscancli_scans(tmp_path: Path, format: str, suffix: str) -> None:
    client = program("hpscancli")
    with sharing(tmp_path / "home", GLASS) as shared:
        place = shared.base.removeprefix("http://")
        words = ["scan", "-i", place, f"--{format}", "--dpi", "75", "-o", str(tmp_path / "page")]
        ran = subprocess.run([client, *words], capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (theirs,) = direct(tmp_path, GLASS, "--size", "216x297mm")
    found = (tmp_path / f"page.{suffix}").read_bytes()
    page = drawn(found) if format == "pdf" else Image.open(io.BytesIO(found))
    assert same(page, theirs) if format == "png" else alike(page, theirs)


def drawn(pdf: bytes) -> Image.Image:
    with pypdfium2.PdfDocument(pdf) as document:
        (image,) = (each for each in document[0].get_objects() if each.type == 3)
        found: Image.Image = image.get_bitmap().to_pil()
        return found


MCP = """
import sys
from scanner_mcp.backends.escl import ESCLBackend
from scanner_mcp.models import ScanOptions
options = ScanOptions(source=sys.argv[2], resolution=75, color_mode="color", output_format="png")
for number, page in enumerate(ESCLBackend().scan("escl:" + sys.argv[1], options).pages):
    open(f"page{number}.png", "wb").write(page)
"""


@pytest.mark.parametrize(("source", "pages"), [("flatbed", 1), ("adf", 3)])
def test_scanner_mcp_scans(tmp_path: Path, source: str, pages: int) -> None:
    program("scanner-mcp")
    with sharing(tmp_path / "home", ADF) as shared:
        ran = subprocess.run(
            [sys.executable, "-c", MCP, shared.url, source],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert ran.returncode == 0, ran.stderr
    ours = [Image.open(path) for path in sorted(tmp_path.glob("page*.png"))]
    # It asks for the largest place of all, which is the feeder, and gets what each place has.
    size = "216x297mm" if source == "flatbed" else "216x356mm"
    theirs = direct(tmp_path, ADF, "--source", "flatbed" if source == "flatbed" else "feeder", "--size", size)
    assert len(ours) == len(theirs) == pages
    assert all(same(one, other) for one, other in zip(ours, theirs, strict=True))


# It takes the name from the announcement and asks the system for its address, which only a system with mDNS knows. And
# it takes the first scanner that answers, so it is told of ours only; and it waits ten seconds, so it is told before.
ESCL_SCAN = """
import socket, sys, threading, zeroconf, scanner
port, known = int(sys.argv.pop(1)), socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: known(
    "127.0.0.1" if str(host).startswith("dwtsvc-") else host, *rest, **more
)
class Browser(zeroconf.ServiceBrowser):
    def __init__(self, zc, type_, listener):
        found = threading.Event()
        def add(zc, type, name):
            info = zc.get_service_info(type, name, timeout=20000)
            if info and info.port == port:
                listener.info = info
                found.set()
        ours = type("Ours", (), {"add_service": staticmethod(add), "remove_service": staticmethod(lambda *_: None),
                                 "update_service": staticmethod(lambda *_: None)})()
        super().__init__(zc, type_, listener=ours)
        found.wait(45)
zeroconf.ServiceBrowser = Browser
sys.exit(scanner.main())
"""


def test_escl_scan_finds_and_scans_into_a_pdf(tmp_path: Path) -> None:
    program("escl-scan")
    with sharing(tmp_path / "home", ADF, DWTSVC_SHARE_ANNOUNCE="on") as shared:
        command = [sys.executable, "-c", ESCL_SCAN, str(shared.port), "-o", "-q", "-r", "75", "-S", "feeder", "all.pdf"]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    with pypdfium2.PdfDocument(tmp_path / "all.pdf") as document:
        assert len(document) == 3
