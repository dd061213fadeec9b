"""`dwtsvc devices add` and `remove`: scanners by address, their certificates, and what is said when it goes wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dwtsvc import config
from dwtsvc.devices import byaddress, discover
from dwtsvc.devices.esclknown import Known
from dwtsvc.errors import BadArguments, BadConfiguration, DriverError, NoRightToScanner, NoScanner
from dwtsvc.model import Device
from dwtsvc.paths import Paths

from .esclserver import UUID, FakeScanner, Setup
from .test_escl import certificate

COMMAND = [sys.executable, "-m", "dwtsvc_cli.main", "devices"]
NOWHERE = "127.0.0.1:1"  # nobody listens there


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("DWTSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DWTSVC_ESCL_DISCOVERY", "off")
    return Paths.from_environment(os.environ)


@pytest.fixture
def known(paths: Paths) -> Known:
    return Known(paths.network_scanners)


def ask(text: str, known: Known) -> byaddress.Asked:
    return byaddress.ask(text, known, timeout=30)


def configured(paths: Paths) -> tuple[str, ...]:
    return config.load(paths, os.environ).settings.escl_devices


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=60, check=False)


def told(*words: str) -> Any:
    return json.loads(run(*words, "--json").stdout)


def test_the_command_adds_a_scanner_once_lists_it_and_removes_it(paths: Paths) -> None:
    with FakeScanner() as scanner:
        added = told("add", scanner.url.removesuffix("/eSCL"))
        assert added == {
            "device": f"escl:{UUID}",
            "name": "Acme Paperlight 300",
            "uuid": UUID,
            "address": scanner.url,
            "certificate": "",
            "added": True,
            "file": str(paths.config_file),
        }
        assert told("add", scanner.url)["added"] is False
        assert configured(paths) == (scanner.url,)
        assert f"escl:{UUID}" in [each["id"] for each in told()["devices"]]
        assert told("remove", f"escl:{UUID}") == {
            "removed": [scanner.url],
            "forgotten": [UUID],
            "file": str(paths.config_file),
        }
        assert configured(paths) == ()
        assert run("remove", UUID).stdout == f"{UUID} was not known\n"


def test_a_bare_host_is_asked_with_encryption_first_and_its_certificate_counts_from_then_on(
    known: Known, tmp_path: Path
) -> None:
    with FakeScanner(certificate=certificate(tmp_path, "first")) as scanner:
        found = ask(f"127.0.0.1:{scanner.port}", known)
    assert found.address == scanner.url
    assert len(found.certificate) == 64
    assert known.get(UUID).certificate == known.get(f"127.0.0.1:{scanner.port}").certificate == found.certificate


def test_a_scanner_that_shows_another_certificate_is_refused_until_the_old_one_is_forgotten(
    known: Known, paths: Paths, tmp_path: Path
) -> None:
    with FakeScanner(certificate=certificate(tmp_path, "first")) as scanner:
        before = ask(scanner.url, known).certificate
    with FakeScanner(certificate=certificate(tmp_path, "second")) as scanner:
        with pytest.raises(NoRightToScanner, match="another certificate") as refused:
            ask(f"127.0.0.1:{scanner.port}", known)
        assert f"dwtsvc devices remove {UUID}" in refused.value.hint
        byaddress.forget(UUID, paths, os.environ, known)
        byaddress.forget(scanner.url, paths, os.environ, known)
        assert ask(scanner.url, known).certificate not in ("", before)


def test_a_scanner_that_was_encrypted_is_not_added_in_the_clear(known: Known, tmp_path: Path) -> None:
    with FakeScanner(certificate=certificate(tmp_path, "it")) as scanner:
        ask(scanner.url, known)
    with FakeScanner() as scanner, pytest.raises(NoRightToScanner, match="was encrypted before"):
        ask(scanner.url, known)


def test_a_scanner_that_leads_to_encryption_is_added_by_its_encrypted_address(known: Known, tmp_path: Path) -> None:
    with FakeScanner(certificate=certificate(tmp_path, "it")) as safe, FakeScanner() as plain:
        plain.setup.hooks["ScannerCapabilities"] = lambda request: request.answer(
            307, headers={"Location": safe.url.removesuffix("/eSCL") + request.path}
        )
        assert ask(plain.url, known).address == safe.url


def test_a_scanner_without_a_uuid_is_added_under_its_address(known: Known, paths: Paths) -> None:
    with FakeScanner(Setup(uuid="")) as scanner:
        found = ask(scanner.url, known)
        assert (found.device, found.uuid) == (f"escl:{scanner.url}", "")
        assert byaddress.keep(found, paths, os.environ)
        (device,) = discover(20, "escl")
        assert isinstance(device, Device)
        assert device.id == found.device


def test_what_answers_and_is_no_scanner_is_not_added(known: Known) -> None:
    with FakeScanner() as scanner:
        scanner.setup.hooks["ScannerCapabilities"] = lambda request: request.answer(200, b"<html/>", "text/html")
        with pytest.raises(DriverError, match="describes itself"):
            ask(scanner.url, known)
        scanner.setup.hooks["ScannerCapabilities"] = lambda request: request.answer(404)
        with pytest.raises(NoScanner, match="404"):
            ask(scanner.url, known)
    assert not known.keys()


@pytest.mark.parametrize(
    "address", ["a b", "ftp://x/", "http://user@host/", "", "::1::2", "../etc", "virtual:adf", "a" * 64]
)
def test_what_is_no_address_is_refused_without_asking_anybody(known: Known, address: str) -> None:
    with pytest.raises(BadArguments, match=re.escape(f"'{address}' is no address")):
        ask(address, known)


def test_an_address_where_nobody_answers_is_told_and_nothing_is_kept(paths: Paths) -> None:
    ran = run("add", NOWHERE)
    assert ran.returncode == 20
    assert f"There is no scanner at {NOWHERE}" in ran.stderr
    assert "https://" in ran.stderr and "http://" in ran.stderr
    assert not paths.config_file.exists()


def test_where_the_environment_decides_nothing_is_written(
    known: Known, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DWTSVC_ESCL_DEVICES", "http://10.0.0.1/eSCL")
    with FakeScanner() as scanner, pytest.raises(BadConfiguration, match="environment"):
        byaddress.keep(ask(scanner.url, known), paths, os.environ)


def test_an_ipv6_address_may_be_bare(known: Known) -> None:
    with pytest.raises(NoScanner, match=r"http://\[::1\]/eSCL"):
        ask("::1", known)
