"""`dwtsvc doctor` on set-ups that are broken, each in one way: it names the cause, and its command mends it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dwtsvc.certs.care import Care
from tests.certs.rig import needs
from tests.disks import mounted, needs_root
from tests.server.daemon import PATIENCE, PROGRAM, Running, until
from tests.server.running import free_pair, free_port

Found = list[dict[str, Any]]


class Patient(Running):
    """A machine of which the doctor is asked."""

    def doctor(self, *words: str) -> tuple[int, Found]:
        said = self.command("doctor", "--json", *words)
        assert said.returncode in (0, 1), said.stderr
        found = json.loads(said.stdout)
        assert found["failed"] == sum(each["state"] == "failed" for each in found["checks"])
        return said.returncode, found["checks"]

    def fault(self, *words: str) -> dict[str, Any]:
        """The one thing that failed."""
        code, found = self.doctor(*words)
        failed = [each for each in found if each["state"] == "failed"]
        assert (code, len(failed)) == (1, 1), found
        return failed[0]

    def states(self, *words: str) -> set[str]:
        return {each["state"] for each in self.doctor(*words)[1]}

    def obey(self, command: str, *more: str) -> None:
        """Type a command as it was shown."""
        words = shlex.split(command)
        assert words[0] == "dwtsvc", command
        subprocess.run([*PROGRAM, *words[1:], *more], env=self.environment, check=True, timeout=PATIENCE)


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    made = Patient(tmp_path / "home")
    yield made
    made.close()


def test_not_running_is_told_with_the_command_that_starts_it(patient: Patient) -> None:
    fault = patient.fault("running")
    assert (fault["found"], fault["command"]) == ("The service is not running", "dwtsvc serve")
    patient.start()
    until(lambda: patient.states("running", "monitor", "ports") == {"ok"})


def test_a_service_that_hangs_is_not_taken_for_one_that_is_stopped(patient: Patient) -> None:
    patient.start()
    patient.kill(19)  # SIGSTOP
    fault = patient.fault("running")
    assert "does not answer" in fault["found"] and "kill -USR1" in fault["advice"]
    patient.kill(18)
    until(lambda: patient.states("running") == {"ok"})


def test_a_taken_port_is_told_with_its_holder_and_the_others_are_open(patient: Patient) -> None:
    taken, free = free_port(), free_port()
    with socket.create_server(("127.0.0.1", taken)):
        for name in ("DWTSVC_HTTP_PORTS", "DWTSVC_HTTPS_PORTS"):  # the command writes into the file
            del patient.environment[name]
        patient.obey(f"dwtsvc config set http_ports {taken},{patient.http}")
        patient.obey(f"dwtsvc config set https_ports {free},{patient.https}")
        before = patient.fault("ports")
        assert f"taken by process {os.getpid()} (" in before["found"]
        patient.start()
        code, found = patient.doctor("ports")
        assert code == 1
        states = {each["found"].split()[0]: each["state"] for each in found}
        assert [url for url, state in states.items() if state == "failed"] == [f"http://127.0.0.1:{taken}"]
        assert states[f"http://127.0.0.1:{patient.http}"] == states[f"https://127.0.0.1:{free}"] == "ok"
        fault = patient.fault("ports")
        assert f"kill {os.getpid()}" in fault["advice"]
        patient.obey(fault["command"])
        patient.restart()
        assert patient.states("ports") == {"ok"}


def test_a_port_is_not_advised_that_a_connection_has(patient: Patient) -> None:
    """Whoever connects has a port, and does not listen at it."""
    taken = free_pair()
    with socket.create_server(("127.0.0.1", taken)) as server, socket.socket() as connected:
        connected.bind(("127.0.0.1", taken + 1))
        connected.connect(server.getsockname())
        patient.environment |= {"DWTSVC_HTTP_PORTS": f"{taken}"}
        command = patient.fault("ports")["command"]
    advised = int(command.split()[-1])
    assert taken + 1 < advised < taken + 100


def test_a_certificate_that_a_browser_does_not_trust_is_told_for_that_browser(patient: Patient) -> None:
    database = patient.home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    subprocess.run([needs("certutil"), "-N", "-d", f"sql:{database}", "--empty-password"], check=True)
    patient.obey("dwtsvc cert create")
    fault = patient.fault("trust")
    assert "Chromium" in fault["found"] and str(database) in fault["found"]
    patient.obey(fault["command"], "--yes")
    assert "failed" not in patient.states("trust")
    assert any(str(database) in each["found"] for each in patient.doctor("trust")[1] if each["state"] == "ok")


def certified(patient: Patient, now: datetime) -> None:
    """A certificate made at another time."""
    Care(patient.paths, list).ensure(now)


@pytest.mark.parametrize(("days", "word"), [(-3650, "expired"), (365, "not valid before")])
def test_a_certificate_that_is_not_valid_now_is_told_and_renewed(patient: Patient, days: int, word: str) -> None:
    certified(patient, datetime.now(UTC) + timedelta(days=days))
    fault = patient.fault("certificate")
    assert word in fault["found"] and fault["command"] == "dwtsvc cert renew"
    patient.obey(fault["command"])
    assert patient.states("certificate") == {"ok"}


def test_a_missing_certificate_and_one_with_another_key_are_told_and_made(patient: Patient) -> None:
    fault = patient.fault("certificate")
    patient.obey(fault["command"])
    assert patient.states("certificate") == {"ok"}
    other = Care(Running(patient.home.with_name("other")).paths, list)
    shutil.copy(other.ensure().key, patient.paths.cert / "server_key.pem")
    assert "cannot be read" in patient.fault("certificate")["found"]


def test_a_site_that_is_not_allowed_is_told_and_allowed(patient: Patient) -> None:
    about = ("origin", "--origin", "https://shop.example")
    fault = patient.fault(*about)
    assert "https://shop.example is not allowed" in fault["found"]
    patient.obey(fault["command"])
    assert patient.states(*about) == {"ok"}


def test_a_site_that_the_configuration_allows_is_allowed(patient: Patient) -> None:
    patient.obey("dwtsvc config set Access-Control-Allow-Origin https://Shop.example:443")
    assert patient.states("origin", "--origin", "https://shop.example/") == {"ok"}
    patient.obey("dwtsvc config set Access-Control-Allow-Origin *")
    assert "warning" in patient.states("origin")
    assert patient.command("doctor", "origin", "--origin", "shop").returncode == 1


def test_a_missing_tesseract_is_told_with_how_to_install_it(patient: Patient, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    patient.environment["PATH"] = str(programs)
    assert patient.fault("tesseract")["command"] == "sudo apt install tesseract-ocr"
    (programs / "dnf").symlink_to("/bin/true")
    assert patient.fault("tesseract")["command"] == "sudo dnf install tesseract"
    script = programs / "tesseract"
    script.write_text("#!/bin/sh\necho 'List of available languages (0):'\n")
    script.chmod(0o755)
    assert "no language" in patient.fault("tesseract")["found"]
    script.write_text("#!/bin/sh\n[ $1 = --version ] && echo tesseract 5 || printf 'List:\\neng\\nosd\\n'\n")
    found = patient.doctor("tesseract")[1]
    assert [(each["state"], each["found"]) for each in found] == [("ok", "tesseract 5 reads eng")]


@pytest.fixture
def tight(tmp_path: Path) -> Iterator[Path]:
    """A disk of 100 MB."""
    yield from mounted(tmp_path / "tight", "-o", "size=100m")


def test_a_full_disk_of_the_cache_is_told_with_what_may_be_deleted(patient: Patient, tight: Path) -> None:
    del patient.environment["DWTSVC_HOME"]
    patient.environment["XDG_CACHE_HOME"] = str(tight)
    cache = tight / "dwtsvc"
    cache.mkdir(mode=0o700)
    (cache / "thumbnails").write_bytes(bytes(90 << 20))
    fault = patient.fault("disk")
    assert f"cache ({cache}) is full: 10.0 MB are free; on it cache 90.0 MB" in fault["found"]
    subprocess.run(["sh", "-c", fault["command"]], check=True)
    assert "failed" not in patient.states("disk")


@needs_root
def test_a_folder_that_is_read_only_open_to_others_or_somebody_elses_is_told(patient: Patient, tight: Path) -> None:
    patient.paths.create(patient.paths.state)
    patient.paths.state.chmod(0o755)
    fault = patient.fault("folders")
    assert "open to other users (mode 755)" in fault["found"]
    subprocess.run(["sh", "-c", fault["command"]], check=True)
    assert patient.states("folders") == {"ok"}
    patient.environment["DWTSVC_HOME"] = str(tight)
    subprocess.run(["mount", "-o", "remount,ro", str(tight)], check=True)
    code, found = patient.doctor("folders")
    assert code == 1
    assert {each["command"] for each in found} == {f"sudo mount -o remount,rw {tight}"}


def test_a_configuration_with_a_fault_is_told_with_its_line_and_hinders_no_other_check(patient: Patient) -> None:
    patient.paths.create(patient.paths.config)
    patient.obey("dwtsvc cert create")
    patient.paths.config_file.write_text("[dwtsvc]\n\nresolution = many\n")
    fault = patient.fault("configuration", "disk", "certificate", "proxy")
    assert fault["check"] == "configuration"
    assert "resolution" in fault["found"] and ":3: " in fault["found"]


def test_a_proxy_for_this_machine_itself_is_told(patient: Patient) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "https_proxy"):
        patient.environment.pop(name, None)
    assert patient.states("proxy") == {"ok"}
    patient.environment |= {"http_proxy": "http://proxy.example:3128", "no_proxy": ".example,localhost"}
    (found,) = patient.doctor("proxy")[1]
    assert (found["state"], found["command"]) == ("warning", "export no_proxy=example,localhost,127.0.0.1")
    patient.environment["no_proxy"] = found["command"].partition("=")[2]
    assert patient.states("proxy") == {"ok"}


def test_a_monitor_that_waits_says_why_and_until_when(patient: Patient) -> None:
    patient.start()
    for _ in range(5):
        pid = patient.pid
        patient.kill()
        patient.await_answer(other_than=pid)
    fault: dict[str, Any] = {}
    while not fault:  # a look may still find the service that was killed, and a late one that which came after it
        if patient.pid:
            patient.kill()
        failed = [each for each in patient.doctor("monitor")[1] if each["state"] == "failed"]
        fault = failed[0] if failed else {}
    assert "killed by SIGKILL" in fault["found"] and fault["command"] == f"kill -HUP {patient.monitor_pid}"
    subprocess.run(["sh", "-c", fault["command"]], check=True)
    patient.await_answer()
    assert patient.states("monitor") == {"warning"}
