"""A service that shares a virtual scanner, in a process of its own, and a bare client of its eSCL."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dwtsvc.esclxml import JPEG, Ticket, ticket_document
from dwtsvc.model import Area, Mode, Source
from tests.server.faces import PATIENCE, Served, serving
from tests.server.running import free_pair

ADF = "virtual:adf?pages=3&seed=3"
GLASS = "virtual:flatbed?seed=3"
PAPER = Area(width=101.6, height=127)  # whole numbers of 1/300 inch, so that a direct scan can be the same


@dataclass(frozen=True, slots=True)
class Shared:
    """What a service shares. `records` are those of `dwtsvc status`."""

    served: Served
    port: int
    records: list[dict[str, Any]]

    @property
    def url(self) -> str:
        """The eSCL of the first scanner."""
        return str(self.records[0]["url"])

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.served.url}/api/server/status", timeout=PATIENCE).json()
        return found

    def client(self, source: str = "127.0.0.1", url: str = "") -> httpx.Client:
        """A client at an address of the loopback; another address is another client."""
        transport = httpx.HTTPTransport(local_address=source)
        return httpx.Client(base_url=url or self.url, transport=transport, timeout=PATIENCE)


@contextlib.contextmanager
def sharing(home: Path, *devices: str, **variables: str) -> Iterator[Shared]:
    """The real service, sharing these devices on this machine, until the block ends."""
    (home / "sane").mkdir(parents=True)
    (home / "sane" / "dll.conf").write_text("")  # no other scanner: looking for them takes seconds
    port = free_pair()
    named = {"DWTSVC_SHARE": f"127.0.0.1:{port}", "DWTSVC_SHARE_DEVICES": ",".join(devices)}
    quiet = {"DWTSVC_ESCL_DISCOVERY": "off", "DWTSVC_SHARE_ANNOUNCE": "off", "SANE_CONFIG_DIR": str(home / "sane")}
    with serving(home, **{**named, **quiet, **variables}) as served:
        yield Shared(served, port, await_shared(served))


def await_shared(served: Served) -> list[dict[str, Any]]:
    """The scanners that a service shares, as soon as it does."""
    until = time.monotonic() + PATIENCE
    while True:
        told = httpx.get(f"{served.url}/api/server/status", timeout=PATIENCE).json()
        if told["shared"]:
            found: list[dict[str, Any]] = told["shared"]
            return found
        assert time.monotonic() < until, told["warnings"]
        time.sleep(0.05)


def order(source: Source = Source.FEEDER, format: str = JPEG, mode: Mode = Mode.COLOR, dpi: int = 75) -> bytes:
    """The body of an order."""
    return ticket_document(Ticket(source=source, mode=mode, resolution=dpi, format=format, area=PAPER))


def begun(client: httpx.Client, body: bytes) -> str:
    """The address of a new job."""
    made = client.post("/ScanJobs", content=body, headers={"content-type": "text/xml"})
    assert made.status_code == 201, made.text
    return str(made.headers["location"])


def documents(client: httpx.Client, job: str) -> list[httpx.Response]:
    """All documents of a job, up to the 404 that ends them."""
    found = []
    while (answer := client.get(f"{job}/NextDocument")).status_code == 200:
        found.append(answer)
    assert answer.status_code == 404, answer.text
    return found
