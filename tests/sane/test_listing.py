"""A backend of SANE that hangs while it lists delays no network scanner, and is an error beside the list."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from dwtsvc.devices import discover
from dwtsvc.errors import DeviceTimeout
from dwtsvc.model import Device
from tests.devices.esclserver import UUID, FakeScanner

from .conftest import Faulty


@pytest.fixture
def hanging(faulty: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faulty:
    faulty(list="hang")
    monkeypatch.setenv("DWTSVC_HOME", str(tmp_path / "home"))
    return faulty


def test_a_network_scanner_is_listed_before_the_time_of_a_backend_that_hangs_is_over(
    hanging: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeScanner() as scanner:
        monkeypatch.setenv("DWTSVC_ESCL_DEVICES", scanner.url)
        found = list(discover(12.0))
    names = [each.id if isinstance(each, Device) else each.driver for each in found]
    assert f"escl:{UUID}" in names
    assert names[-1] == "sane"
    assert isinstance(found[-1], DeviceTimeout)


def test_the_command_lists_the_error_beside_the_scanners(hanging: Faulty) -> None:
    command = [sys.executable, "-m", "dwtsvc_cli.main", "devices", "--json", "--wait", "10"]
    with FakeScanner() as scanner:
        env = {**os.environ, "DWTSVC_ESCL_DEVICES": scanner.url}
        ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    told = json.loads(ran.stdout)
    assert {f"escl:{UUID}", "virtual:adf"} <= {each["id"] for each in told["devices"]}
    (error,) = told["errors"]
    assert (error["driver"], error["error"]) == ("sane", "device-timeout")
    assert "sane" in error["what"] and "discovery_timeout" in error["hint"]


def test_on_a_terminal_the_others_are_seen_while_a_backend_hangs(hanging: Faulty) -> None:
    with FakeScanner() as scanner:
        env = {**os.environ, "DWTSVC_ESCL_DEVICES": scanner.url, "DWTSVC_DISCOVERY_TIMEOUT": "600"}
        child = pexpect.spawn(sys.executable, ["-m", "dwtsvc_cli.main", "devices"], env=env, timeout=60)
        child.expect(f"escl:{UUID}")
        child.expect("Still looking")
        child.sendintr()
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == 130
    assert b"Traceback" not in child.before


@pytest.mark.parametrize(
    ("name", "told", "kind"),
    [
        ("v4l:/dev/video0", "virtual device", "camera"),
        ("net:[fd00::1]:v4l:/dev/video0", "virtual device", "camera"),
        ("acme:1", "still camera", "camera"),
        ("test:0", "virtual device", "virtual device"),
        ("net:v4l.example:epson2:usb", "flatbed scanner", "flatbed scanner"),
    ],
)
def test_what_sane_has_of_cameras_is_listed_as_cameras(
    monkeypatch: pytest.MonkeyPatch, name: str, told: str, kind: str
) -> None:
    from dwtsvc.devices import sane

    monkeypatch.setattr(sane.sanelib, "list_devices", lambda: [(name, "Acme", "Eye", told)])
    assert [each.kind for each in sane.SaneDriver().devices(1)] == [kind]
