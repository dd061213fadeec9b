"""Fixtures of the service's tests: scenes against its faces, and the whole service in a process of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from dwtsvc.devices.process import PageReady
from dwtsvc.jobs import Developed
from dwtsvc.model import ScanRequest
from dwtsvc.pipeline.develop import Developer
from tests.server.faces import PATIENCE, Api, Play, Served, api, serving
from tests.server.guarded import House

T = TypeVar("T")


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a scene, an async function of an Api and a tool's client, against a service of its own."""

    def run(scene: Callable[[Api, httpx.AsyncClient], Awaitable[T]], **settings: Any) -> T:
        async def main() -> T:
            async with api(tmp_path / "home", **settings) as made, made.client() as client:
                return await scene(made, client)

        return asyncio.run(main())

    return run


@pytest.fixture
def held_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Pages are scanned, but none is finished before this is set."""
    may, finish = threading.Event(), Developer.__call__

    def patient(self: Developer, page: PageReady, request: ScanRequest) -> Developed:
        may.wait(PATIENCE)
        return finish(self, page, request)

    monkeypatch.setattr(Developer, "__call__", patient)
    yield may
    may.set()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for all tests that only use it."""
    with serving(tmp_path_factory.mktemp("served") / "home") as served:
        yield served


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)
