"""Scanners at USB in a machine made of files: which devices are scanners, and the right that is missing for each."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dwtsvc.certs.stores import Machine
from dwtsvc.doctor import examine
from dwtsvc.doctor.patient import Finding, Patient
from dwtsvc.paths import Paths
from tests.certs.rig import needs
from tests.disks import needs_root

pytestmark = needs_root

NOBODY = pwd.getpwnam("nobody")
SCANNER = ("04b8", "0142")


class Programs:
    """Those that a test says are there."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def find(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.names else None

    def run(self, *words: str, stdin: str = "") -> Any:
        raise AssertionError(words)


class Bus:
    """/sys, /dev and /run of a machine, beneath a folder that another user may look into."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.machine = Machine(home=root, environ={}, programs=Programs("apt"), platform="linux", root=root)
        self.patient = Patient(Paths.from_environment({"DWTSVC_HOME": str(root)}), self.machine)

    def file(self, path: str, text: str) -> Path:
        made = self.root / path
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(text)
        return made

    def plug(self, number: int, ids: tuple[str, str] = SCANNER, interface: str = "ff 00 00", mode: int = 0o600) -> Path:
        """A device with one interface; its device file."""
        folder = f"sys/bus/usb/devices/1-{number}"
        said = {"idVendor": ids[0], "idProduct": ids[1], "busnum": "1", "devnum": str(number), "dev": f"189:{number}"}
        for name, text in {**said, "manufacturer": "Acme", "product": f"Machine {number}"}.items():
            self.file(f"{folder}/{name}", f"{text}\n")
        names = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
        for name, text in zip(names, interface.split(), strict=True):
            self.file(f"{folder}/1-{number}:1.0/{name}", text)
        node = self.file(f"dev/bus/usb/001/{number:03}", "")
        node.chmod(mode)
        return node

    def seen(self, *groups: int) -> list[Finding]:
        """What the user nobody is told, who is in these groups."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setgroups(groups)
                os.setgid(NOBODY.pw_gid)
                os.setuid(NOBODY.pw_uid)
                found = list(examine(replace(self.patient, uid=NOBODY.pw_uid), ["rights"]))
                os.write(write, json.dumps([each.record() for each in found]).encode())
            finally:
                os._exit(0)
        os.close(write)
        os.waitpid(child, 0)
        with open(read, "rb") as answer:
            return [Finding(**each) for each in json.loads(answer.read())]

    def one(self, *groups: int) -> Finding:
        (found,) = self.seen(*groups)
        return found


@pytest.fixture
def bus() -> Iterator[Bus]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Bus(Path(folder))
        made.file("usr/lib/udev/hwdb.d/20-sane.hwdb", "# known\nusb:v04B8p0142*\n libsane_matched=yes\n")
        list(examine(made.patient, ["rights"]))  # loads what another user could not read any more
        yield made


def test_without_a_scanner_at_usb_there_is_nothing_to_tell(bus: Bus) -> None:
    bus.plug(1, ("1d6b", "0002"), "09 00 00")
    assert bus.one().state == "skipped"


def test_a_scanner_that_nobody_but_root_may_use_gets_a_rule(bus: Bus) -> None:
    node = bus.plug(4)
    found = bus.one()
    assert found.state == "failed"
    assert f"Acme Machine 4 (04b8:0142): nobody may not write to {node} (-rw------- root root)" in found.found
    assert 'ATTRS{idVendor}=="04b8", ATTRS{idProduct}=="0142"' in found.command
    assert "/etc/udev/rules.d/60-dwtsvc-scanner.rules" in found.command and "udevadm trigger" in found.command
    node.chmod(0o666)
    assert bus.one().state == "ok"


def test_a_scanner_for_a_group_says_which_group_and_how_to_get_into_it(bus: Bus) -> None:
    node = bus.plug(4, mode=0o660)
    group = grp.getgrnam("games")
    os.chown(node, 0, group.gr_gid)
    found = bus.one()
    assert (found.state, found.command) == ("failed", "sudo usermod -aG games nobody")
    assert bus.one(group.gr_gid).state == "ok"


def test_an_access_list_that_udev_set_is_read_with_its_mask(bus: Bus) -> None:
    node = bus.plug(4)
    group = grp.getgrnam("games")
    subprocess.run([needs("setfacl"), "-m", "g:games:rw", str(node)], check=True)
    found = bus.one()
    assert "group games rw-" in found.found and found.command == "sudo usermod -aG games nobody"
    assert bus.one(group.gr_gid).state == "ok"
    subprocess.run(["setfacl", "-m", "m::r", str(node)], check=True)
    masked = bus.one(group.gr_gid)
    assert masked.state == "failed" and "group games r--" in masked.found and "udev" in masked.command


def test_a_user_who_joined_the_group_after_the_login_is_told_to_log_in_again(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = bus.plug(4, mode=0o660)
    os.chown(node, 0, grp.getgrnam("games").gr_gid)
    joined = grp.struct_group(("games", "x", grp.getgrnam("games").gr_gid, ["nobody"]))
    monkeypatch.setattr(grp, "getgrgid", lambda _: joined)
    assert "log out and in again" in bus.one().advice


def test_a_group_of_root_is_never_advised(bus: Bus) -> None:
    bus.plug(4, mode=0o660)
    assert "usermod" not in bus.one().command


def test_what_udev_holds_for_a_scanner_is_one(bus: Bus) -> None:
    bus.plug(7, ("abcd", "0001"))
    assert bus.one().state == "skipped"
    bus.file("run/udev/data/c189:7", "I:1\nE:libsane_matched=yes\n")
    assert bus.one().state == "failed"


def test_a_printer_may_have_a_scanner_in_it(bus: Bus) -> None:
    node = bus.plug(5, ("03f0", "1234"), "07 01 04")
    assert bus.one().state == "warning"
    node.chmod(0o666)
    needed = bus.one()
    assert (needed.state, needed.command) == ("warning", "sudo apt install ipp-usb sane-airscan")
    bus.file("usr/sbin/ipp-usb", "")
    assert bus.one().state == "ok"


def test_a_device_file_that_is_not_there_is_told(bus: Bus) -> None:
    bus.plug(4).unlink()
    assert "is not there" in bus.one().found


def test_a_device_that_makes_no_sense_does_no_harm(bus: Bus) -> None:
    bus.plug(4, mode=0o666)
    for name, text in (("busnum", "x"), ("1-4:1.0/bInterfaceClass", "zz"), ("product", "\x00\xff")):
        bus.file(f"sys/bus/usb/devices/1-4/{name}", text)
    assert [each.state for each in bus.seen()] != []
