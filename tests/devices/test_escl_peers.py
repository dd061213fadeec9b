"""The fake scanner is believable: Debian's two own eSCL clients scan from it, and find in it what our driver finds."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest
from PIL import Image, ImageChops

from dwtsvc.devices.escl import EsclDriver
from dwtsvc.devices.esclknown import Known
from dwtsvc.model import Area, Mode, ScanRequest, Source
from tests.sane.rig import SANE_FOLDERS

from .conformance import collected
from .esclserver import UUID, FakeScanner, Setup

AIRSCAN = """\
[devices]
"fake" = {url}, eSCL
[options]
discovery = disable
ws-discovery = off
"""


PNG = (("document-format", "png"),)  # what airscan asks for: without loss, the pixels must be equal


def needs(backend: str) -> None:
    there = any(Path(folder, f"libsane-{backend}.so.1").exists() for folder in SANE_FOLDERS)
    if not there or not shutil.which("scanimage"):
        pytest.skip(f"SANE's backend {backend} or scanimage is not here (Debian: sane-airscan, libsane1, sane-utils)")


def configured(folder: Path, backend: str, text: str) -> dict[str, str]:
    """The variables of a SANE that has this backend and no other."""
    folder.mkdir()
    (folder / "dll.conf").write_text(f"{backend}\n")
    (folder / f"{backend}.conf").write_text(text)
    return {**os.environ, "SANE_CONFIG_DIR": str(folder)}


def scanimage(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["scanimage", *arguments], env=env, capture_output=True, timeout=60, check=False)


def ours(scanner: FakeScanner, folder: Path, source: Source) -> list[Image.Image]:
    area = Area(width=203.2, height=254)
    request = ScanRequest(device="any", source=source, mode=Mode.COLOR, resolution=75, area=area, options=PNG)
    with EsclDriver(Known(folder / "known.json"), look=False).open(scanner.url) as opened:
        pages = list(collected(opened.scan(request, Event())))
    return [Image.open(io.BytesIO(page.data)).convert("RGB") for page in pages]


def test_airscan_of_sane_scans_the_same_pages_from_the_fake_feeder(tmp_path: Path) -> None:
    needs("airscan")
    with FakeScanner(Setup(sheets=3)) as scanner:
        env = configured(tmp_path / "sane", "airscan", AIRSCAN.format(url=scanner.url))
        listed = scanimage(env, "-L")
        assert b"airscan:e0:fake" in listed.stdout, listed.stderr
        batch = [f"--batch={tmp_path}/page%d.pnm", "--source", "ADF", "--mode", "Color", "--resolution", "75"]
        batch += ["-x", "203.2", "-y", "254"]
        ran = scanimage(env, "-d", "airscan:e0:fake", *batch)
        theirs = [Image.open(path) for path in sorted(tmp_path.glob("page*.pnm"))]
        assert ran.returncode in (0, 7), ran.stderr  # 7: no more documents
        assert scanner.idle
        assert b"image/png" in scanner.orders[0]
        scanner.sheets, scanner.serial = 3, 0
        mine = ours(scanner, tmp_path, Source.FEEDER)
    assert len(theirs) == len(mine) == 3
    for one, other in zip(theirs, mine, strict=True):
        assert one.size == other.size
        assert (ImageChops.difference(one, other).getextrema()) == ((0, 0),) * 3


def test_airscan_and_the_driver_name_a_jam_alike(tmp_path: Path) -> None:
    needs("airscan")
    with FakeScanner(Setup(jam_after=0)) as scanner:
        env = configured(tmp_path / "sane", "airscan", AIRSCAN.format(url=scanner.url))
        ran = scanimage(env, "-d", "airscan:e0:fake", "--source", "ADF", "--resolution", "75")
        assert ran.returncode == 6, ran.stderr  # JAMMED


def test_an_empty_feeder_that_airscan_tells_late_is_one_and_auto_takes_the_glass(tmp_path: Path) -> None:
    needs("airscan")
    with FakeScanner(Setup(sheets=0)) as scanner:
        env = configured(tmp_path / "sane", "airscan", AIRSCAN.format(url=scanner.url))
        env |= {"DWTSVC_HOME": str(tmp_path / "home"), "DWTSVC_ESCL_DISCOVERY": "off"}
        command = [sys.executable, "-m", "dwtsvc_cli.main", "scan", "-q", "-d", "sane:airscan:e0:fake", "-r", "75"]
        empty = subprocess.run(
            [*command, "--source", "feeder", "-o", tmp_path / "no.jpg"], env=env, capture_output=True, timeout=60
        )
        assert empty.returncode == 22 and b"The feeder is empty" in empty.stderr
        subprocess.run([*command, "-o", tmp_path / "glass.jpg"], env=env, check=True, timeout=60)
    assert Image.open(tmp_path / "glass.jpg").size == (637, 877)  # airscan rounds down


def test_the_escl_backend_of_sane_scans_from_the_fake_glass(tmp_path: Path) -> None:
    needs("escl")
    with FakeScanner() as scanner:
        address = scanner.url.removesuffix("/eSCL")
        env = configured(tmp_path / "sane", "escl", f'device {address} "fake"\n')
        ran = scanimage(env, "-d", f"escl:{address}", "--resolution", "75", "--mode", "Color", "--format=pnm")
        assert ran.returncode == 0, ran.stderr
        assert Image.open(io.BytesIO(ran.stdout)).size == (638, 877)


def test_a_scanner_that_airscan_sees_too_is_listed_once(tmp_path: Path) -> None:
    needs("airscan")
    with FakeScanner() as scanner:
        env = configured(tmp_path / "sane", "airscan", AIRSCAN.format(url=scanner.url))
        env |= {"DWTSVC_HOME": str(tmp_path / "home"), "DWTSVC_ESCL_DEVICES": scanner.url}
        command = [sys.executable, "-m", "dwtsvc_cli.main", "devices"]
        listed = subprocess.run([*command, "--json"], env=env, capture_output=True, timeout=60, check=True).stdout
        shown = subprocess.run(command, env=env, capture_output=True, timeout=60, check=True).stdout.decode()
    (found,) = (each for each in json.loads(listed)["devices"] if not each["virtual"])
    assert (found["id"], found["also"]) == (f"escl:{UUID}", ["sane:airscan:e0:fake"])
    assert "  sane:airscan:e0:fake" in shown


def test_a_damaged_memory_of_network_scanners_is_one_error_beside_the_other_scanners(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "network-scanners.json").write_text("{")
    with FakeScanner() as scanner:
        env = {**os.environ, "DWTSVC_HOME": str(tmp_path), "DWTSVC_ESCL_DEVICES": scanner.url}
        command = [sys.executable, "-m", "dwtsvc_cli.main", "devices", "--json"]
        ran = subprocess.run(command, env=env, capture_output=True, timeout=60, check=True)
    told = json.loads(ran.stdout)
    assert "virtual:adf" in [each["id"] for each in told["devices"]]
    assert any("network-scanners.json" in each["what"] for each in told["errors"])
