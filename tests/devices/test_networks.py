"""Scanners in a network that is one: zeroconf between two network namespaces, and a scanner behind a router."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.server.daemon import until

from .esclserver import UUID

SCANNER = """
import socket, sys
from zeroconf import ServiceInfo, Zeroconf
from tests.devices.esclserver import UUID, FakeScanner
host = sys.argv[1]
with FakeScanner(host=host) as scanner, Zeroconf(interfaces=[host]) as announcer:
    announcer.register_service(ServiceInfo(
        "_uscan._tcp.local.", "Acme._uscan._tcp.local.", port=scanner.port, addresses=[socket.inet_aton(host)],
        server="acme.local.", properties={"UUID": UUID, "rs": "eSCL", "ty": "Acme Paperlight"},
    ))
    print(scanner.port, flush=True)
    sys.stdin.read()
    announcer.unregister_all_services()
"""
ROOT = Path(__file__).parents[2]


def ip(*words: str, inside: str = "") -> None:
    netns = ["-n", inside] if inside else []
    subprocess.run(["ip", *netns, *words], check=True, capture_output=True, timeout=20)


@contextmanager
def namespaces(*names: str) -> Iterator[list[str]]:
    """Network namespaces of these names and this process; skips where the machine does not allow them."""
    if not shutil.which("ip"):
        pytest.skip("network namespaces need `ip` (Debian: iproute2)")
    made = []
    try:
        for name in names:
            full = f"dwtsvc-{name}-{os.getpid()}"
            try:
                ip("netns", "add", full)
                made.append(full)
                ip("netns", "exec", full, "true")
            except subprocess.CalledProcessError as error:
                pytest.skip(f"this machine allows no network namespaces: {error.stderr.decode().strip()}")
            ip("link", "set", "lo", "up", inside=full)
        yield made
    finally:
        for name in made:
            with contextlib.suppress(subprocess.CalledProcessError):
                ip("netns", "del", name)


def cable(one: str, one_has: str, other: str, other_has: str) -> None:
    """Join two namespaces; each end has an address of a network of 256."""
    end = f"v{os.getpid() % 100000}{one_has.split('.')[2]}"
    ip("link", "add", f"{end}a", "netns", one, "type", "veth", "peer", "name", f"{end}b", "netns", other)
    for namespace, name, address in ((one, f"{end}a", one_has), (other, f"{end}b", other_has)):
        ip("addr", "add", f"{address}/24", "dev", name, inside=namespace)
        ip("link", "set", name, "up", inside=namespace)


@contextmanager
def scanner(namespace: str, host: str) -> Iterator[int]:
    """The fake scanner there, announced; its port."""
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", SCANNER, host]
    running = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdin and running.stdout
    try:
        yield int(running.stdout.readline())
    finally:
        running.stdin.close()
        running.wait(60)
        running.stdout.close()


@pytest.fixture
def dwtsvc(tmp_path: Path) -> Callable[..., Any]:
    """Runs the command in a namespace, with a user's folders of its own; what it said as JSON."""
    (tmp_path / "sane").mkdir()
    (tmp_path / "sane" / "dll.conf").write_text("")
    folders = {"DWTSVC_HOME": str(tmp_path / "home"), "SANE_CONFIG_DIR": str(tmp_path / "sane")}
    looking = {"DWTSVC_ESCL_DISCOVERY": "on"}  # the namespaces have no other network

    def run(namespace: str, *words: str) -> Any:
        command = ["ip", "netns", "exec", namespace, sys.executable, "-m", "dwtsvc_cli.main", *words, "--json"]
        environment = {**os.environ, **folders, **looking}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout.splitlines()[-1])

    return run


def found(listed: Any) -> list[str]:
    return [each["id"] for each in listed["devices"] if not each["virtual"]]


def test_a_scanner_in_another_namespace_is_found_and_scans(dwtsvc: Callable[..., Any], tmp_path: Path) -> None:
    with ExitStack() as stack:
        here, there = stack.enter_context(namespaces("here", "there"))
        cable(here, "10.213.1.1", there, "10.213.1.2")
        stack.enter_context(scanner(there, "10.213.1.2"))
        # On a busy machine a listing may end before the answer is heard.
        until(lambda: found(dwtsvc(here, "devices")) == [f"escl:{UUID}"])
        dwtsvc(here, "scan", "-d", f"escl:{UUID}", "-r", "75", "-o", str(tmp_path / "a.pdf"))
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_scanner_behind_a_router_is_not_announced_and_works_once_it_is_added(
    dwtsvc: Callable[..., Any], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        here, router, there = stack.enter_context(namespaces("here", "router", "there"))
        cable(here, "10.213.1.1", router, "10.213.1.254")
        cable(there, "10.213.2.1", router, "10.213.2.254")
        ip("netns", "exec", router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        ip("route", "add", "default", "via", "10.213.1.254", inside=here)
        ip("route", "add", "default", "via", "10.213.2.254", inside=there)
        port = stack.enter_context(scanner(there, "10.213.2.1"))
        assert found(dwtsvc(here, "devices")) == []
        assert dwtsvc(here, "devices", "add", f"10.213.2.1:{port}")["device"] == f"escl:{UUID}"
        assert found(dwtsvc(here, "devices")) == [f"escl:{UUID}"]
        dwtsvc(here, "scan", "-d", f"escl:{UUID}", "-r", "75", "-o", str(tmp_path / "a.pdf"))
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
