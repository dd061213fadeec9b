"""How shared scanners are announced in their network, and in no other."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf

from tests.server.daemon import PROGRAM
from tests.server.faces import PATIENCE
from tests.server.running import environment
from tests.server.sharing import ADF, GLASS, sharing

TYPES = ["_uscan._tcp.local.", "_uscans._tcp.local."]


class Seen:
    """What is announced at an address of this machine right now, by type and name."""

    def __init__(self, host: str) -> None:
        self.names: set[tuple[str, str]] = set()
        self.changed = threading.Condition()
        self.zeroconf = Zeroconf(interfaces=[host])
        ServiceBrowser(self.zeroconf, TYPES, handlers=[self._change])

    def _change(self, service_type: str, name: str, state_change: ServiceStateChange, **_: object) -> None:
        with self.changed:
            if state_change is ServiceStateChange.Removed:
                self.names.discard((service_type, name))
            else:
                self.names.add((service_type, name))
            self.changed.notify_all()

    def of(self, uuids: set[str]) -> dict[tuple[str, str], Any]:
        """The announcements of these scanners."""
        found = {each: self.zeroconf.get_service_info(*each, timeout=3000) for each in tuple(self.names)}
        return {each: info for each, info in found.items() if info and info.decoded_properties.get("uuid") in uuids}


def test_scanners_are_announced_as_long_as_they_are_shared(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        shared = stack.enter_context(sharing(tmp_path / "home", ADF, GLASS, DWTSVC_SHARE_ANNOUNCE="on"))
        seen = Seen("127.0.0.1")
        stack.callback(seen.zeroconf.close)
        uuids = {record["uuid"] for record in shared.records}
        until = time.monotonic() + PATIENCE
        while len(found := seen.of(uuids)) < 4:
            assert time.monotonic() < until, found
            time.sleep(0.1)
        for (service_type, _), info in found.items():
            record = next(each for each in shared.records if each["uuid"] == info.decoded_properties["uuid"])
            url = record["tls_url" if service_type.startswith("_uscans") else "url"]
            assert info.parsed_addresses() == ["127.0.0.1"]
            assert url.endswith(f":{info.port}/{info.decoded_properties['rs']}")
            assert info.server.endswith(".local.") and info.name.startswith(record["name"])
        shared.served.process.send_signal(signal.SIGTERM)
        shared.served.process.wait(PATIENCE)
        with seen.changed:
            assert seen.changed.wait_for(lambda: not seen.names & found.keys(), PATIENCE)


def test_a_scanner_is_found_in_another_network_namespace_and_scanned_from_there(tmp_path: Path) -> None:
    with namespaces() as (inside, outside):
        home = tmp_path / "home"
        (home / "sane").mkdir(parents=True)
        (home / "sane" / "dll.conf").write_text("")
        shared = {"DWTSVC_SHARE": "10.77.77.1", "DWTSVC_SHARE_DEVICES": GLASS, "DWTSVC_ESCL_DISCOVERY": "off"}
        ours = environment(home, SANE_CONFIG_DIR=str(home / "sane"), **shared)
        with (home / "serve.log").open("wb") as log:
            command = ["ip", "netns", "exec", inside, *PROGRAM, "serve", "--no-monitor"]
            process = subprocess.Popen(command, env=ours, stdout=log, stderr=log)
        try:
            client = ["ip", "netns", "exec", outside, *PROGRAM]
            theirs = environment(tmp_path / "other", SANE_CONFIG_DIR=str(home / "sane"))
            until, found = time.monotonic() + PATIENCE, list[str]()
            while not found:
                assert time.monotonic() < until, (home / "serve.log").read_text()
                told = subprocess.run([*client, "devices", "--json"], env=theirs, capture_output=True, timeout=PATIENCE)
                found = [each["id"] for each in json.loads(told.stdout)["devices"] if each["id"].startswith("escl:")]
            words = ["scan", "-q", "-d", found[0], "-r", "75", "-o", str(tmp_path / "page.jpg")]
            subprocess.run([*client, *words], env=theirs, check=True, timeout=PATIENCE)
        finally:
            process.terminate()
            process.wait(PATIENCE)
    assert (tmp_path / "page.jpg").read_bytes().startswith(b"\xff\xd8")


TELL = """
import sys
from dwtsvc.server.airscan.announce import Announcement, Announcer
announcers = []
for host in sys.argv[1:]:
    record = (("ty", "Acme"), ("uuid", f"00000000-0000-0000-0000-{len(announcers):012}"))
    announcers.append(Announcer(host, f"acme-{len(announcers)}"))
    told = Announcement(instance=f"Acme at {host}", port=9, encrypted=False, record=record)
    announcers[-1].tell([told])
print("told", flush=True)
sys.stdin.read()
for each in announcers:
    each.close()
"""
# On a busy machine one look misses what answers late. What must be found ends it, and what else is found is told, too.
LOOK = """
import sys
from dwtsvc.devices.esclfind import browse
wanted, found = set(sys.argv[1:]), set()
while not wanted <= found:
    found |= {each.announced for each in browse(10.0, frozenset(["nobody, so all the time is waited"]))}
print(*sorted(found), sep="\\n")
"""


def test_what_is_shared_on_this_machine_only_is_not_announced_to_others_that_ask() -> None:
    """Linux gives each socket what any program of the machine has joined, so the question of another one comes in."""
    with namespaces() as (inside, outside):
        python = [sys.executable, "-c"]
        command = ["ip", "netns", "exec", inside, *python, TELL, "127.0.0.1", "10.77.77.1"]
        telling = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert telling.stdin and telling.stdout
        with telling:
            assert telling.stdout.readline() == "told\n"
            near, far = "Acme at 127.0.0.1", "Acme at 10.77.77.1"
            for place, there in ((inside, [far, near]), (outside, [far])):
                command = ["ip", "netns", "exec", place, *python, LOOK, *there]
                ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
                assert ran.stdout.splitlines() == there
            telling.stdin.close()


@contextlib.contextmanager
def namespaces() -> Iterator[tuple[str, str]]:
    """Two networks with a cable between them, 10.77.77.1 and .2."""
    if not shutil.which("ip"):
        pytest.skip("the command ip is not here")
    names = [f"dwtsvc-{os.getpid()}-{side}" for side in "ab"]
    made = [subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0 for name in names]
    try:
        if not all(made):
            pytest.skip("this machine gives no network namespaces")
        ends = [f"dw{os.getpid() % 10**6}{side}" for side in "ab"]
        cable = ["ip", "link", "add", ends[0], "netns", names[0], "type", "veth"]
        if subprocess.run([*cable, "peer", "name", ends[1], "netns", names[1]], capture_output=True).returncode:
            pytest.skip("this machine gives no virtual network cards")
        for number, (name, end) in enumerate(zip(names, ends, strict=True), 1):
            for words in (
                ["addr", "add", f"10.77.77.{number}/24", "dev", end],
                ["link", "set", end, "up"],
                ["link", "set", "lo", "up"],
            ):
                subprocess.run(["ip", "-n", name, *words], check=True)
        yield names[0], names[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
