"""A service without doors and guard, its clients, and the whole service in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from litestar import Litestar

from dwtsvc.config import Settings
from dwtsvc.paths import Paths
from dwtsvc.server import rest
from dwtsvc.server.gate.access import Caller
from dwtsvc.server.rest import dwtapi, refusals
from dwtsvc.server.rest.openapi import document
from dwtsvc.server.service import Service
from tests.server.running import environment, free_port

T = TypeVar("T")

ADF = "virtual:adf?pages=2&seed=3"
JOBS = "/api/device/scanners/jobs"
DOCUMENTS = "/api/storage/documents"


def rest_app(service: Service) -> Litestar:
    """The REST faces alone, as `create_app` puts them together."""
    return Litestar(
        [*rest.routes(service), *dwtapi.routes(service)],
        openapi_config=document(service),
        exception_handlers=refusals.handlers(),
        request_max_body_size=None,
        logging_config=None,
    )


class Api:
    """A running service's REST faces, and clients of it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.app = rest_app(service)

    def client(self, who: Caller | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=as_caller(self.app, who or Caller("tool")), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:18622", timeout=60)


def as_caller(app: Any, who: Caller) -> Any:
    """What the guard does once it has let somebody in."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["caller"] = who
        await app(scope, receive, send)

    return wrapped


@contextlib.asynccontextmanager
async def api(folder: Path, **settings: Any) -> AsyncIterator[Api]:
    paths = Paths.from_environment({"DWTSVC_HOME": str(folder)})
    service = Service(Settings(**{"device": ADF, **settings}), paths)
    await service.start()
    try:
        yield Api(service)
    finally:
        await service.stop()


Play = Callable[..., Any]


async def scanned(client: httpx.AsyncClient, **body: Any) -> str:
    """Begin a job of the small default kind; its id."""
    config = {"Resolution": 50, **body.pop("config", {})}
    made = await client.post(JOBS, json={"device": ADF, "config": config, **body})
    assert made.status_code == 201, made.text
    return str(made.json()["jobuid"])


async def page_urls(client: httpx.AsyncClient, job: str) -> list[str]:
    """The addresses of all pages of a job, waited for."""
    urls = []
    while (told := await client.get(f"{JOBS}/{job}/next-page-info")).status_code == 200:
        urls.append(told.json()[0]["url"])
    assert told.status_code == 204, told.text
    return urls


PATIENCE = 60.0  # seconds after which a test gives up waiting for the service to answer


@dataclass(frozen=True, slots=True)
class Served:
    """`dwtsvc serve` in a process of its own."""

    home: Path
    http: int
    https: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"


@contextlib.contextmanager
def serving(home: Path, **variables: str) -> Iterator[Served]:
    """The real service on free ports, with its guard, until the block ends; its output is in home/serve.log."""
    home.mkdir(parents=True, exist_ok=True)
    ours = {"DWTSVC_DEVICE": "virtual:adf?pages=3", "DWTSVC_ESCL_DISCOVERY": "off"}
    http, https = free_port(), free_port()
    words = ["serve", "--no-monitor", "--http-port", str(http), "--https-port", str(https)]
    with (home / "serve.log").open("wb") as log:
        command = [sys.executable, "-P", "-m", "dwtsvc_cli.main", *words]
        process = subprocess.Popen(command, env=environment(home, **{**ours, **variables}), stdout=log, stderr=log)
    try:
        await_answer(http, process, home / "serve.log")
        yield Served(home, http, https, process)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()


def await_answer(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5)
            return
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(
                    f"the service does not answer: {log.read_text(errors='replace')[-2000:]}"
                ) from None
        time.sleep(0.05)
