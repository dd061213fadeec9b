"""Orders at their edges: a scanner that somebody else has, pages that take long, clients that leave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dwtsvc.config import Settings
from dwtsvc.errors import JobDeleted, ScannerBusy, TooMany
from dwtsvc.esclxml import JPEG, Ticket
from dwtsvc.model import Area, Device, Mode, ScanRequest, Source
from dwtsvc.paths import Paths
from dwtsvc.server.airscan import orders as module
from dwtsvc.server.airscan.face import Face
from dwtsvc.server.airscan.gate import Request
from dwtsvc.server.airscan.offers import Offer
from dwtsvc.server.airscan.orders import Order, Orders
from dwtsvc.server.holdings import Held
from dwtsvc.server.service import Service
from tests.server.daemon import PATIENCE, until

AREA = Area(width=50, height=50)
TICKET = Ticket(source=Source.FEEDER, mode=Mode.COLOR, resolution=75, format=JPEG, area=AREA)
Scene = Callable[[Service, Orders], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[str, Scene], None]:
    """Run a scene with the orders for a virtual scanner."""

    async def main(device: str, scene: Scene) -> None:
        service = Service(Settings(), Paths.from_environment({"DWTSVC_HOME": str(tmp_path)}))
        await service.start()
        try:
            found = Device(id=device, vendor="", model="Virtual", virtual=True)
            capabilities = await service.bridge.outside(service.jobs.look, device)
            await scene(service, Orders(service, Offer(device=found, uuid="0" * 32, capabilities=capabilities)))
        finally:
            await service.stop()

    return lambda device, scene: asyncio.run(main(device, scene))


async def fetched(orders: Orders, order: Order, wait: float = 60.0) -> int:
    """The size of the next document, taken; 0 at the end."""
    async with orders.next_document(order, wait) as document:
        if document is None:
            return 0
        size = len(document.read(document.size))
        document.taken = True
        return size


def test_a_scanner_that_another_face_has_is_waited_for(
    play: Callable[[str, Scene], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 60.0)

    async def scene(service: Service, orders: Orders) -> None:
        request = ScanRequest(device=orders.offer.device.id)
        mine = await service.bridge.outside(
            service.holdings.begin_job, "tool", request, service.develop(Mode.COLOR), run=False
        )
        ordering = asyncio.create_task(orders.begin(TICKET, "a"))
        await asyncio.sleep(0.3)
        assert not ordering.done()
        await service.bridge.outside(service.holdings.delete_job, mine)
        assert await fetched(orders, await ordering)

    play("virtual:adf?pages=1", scene)


def test_a_scanner_that_another_face_keeps_is_busy_and_then_free_for_the_next(
    play: Callable[[str, Scene], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)

    async def scene(service: Service, orders: Orders) -> None:
        request = ScanRequest(device=orders.offer.device.id)
        mine = await service.bridge.outside(
            service.holdings.begin_job, "tool", request, service.develop(Mode.COLOR), run=False
        )
        with pytest.raises(ScannerBusy):
            await orders.begin(TICKET, "a")
        assert not orders.turns.taken
        await service.bridge.outside(service.holdings.delete_job, mine)
        assert await fetched(orders, await orders.begin(TICKET, "a"))

    play("virtual:adf?pages=1", scene)


def test_orders_that_still_wait_for_the_scanner_count_among_those_of_a_client(
    play: Callable[[str, Scene], None],
) -> None:
    async def scene(service: Service, orders: Orders) -> None:
        await orders.turns.take("somebody", 1)
        waiting = [asyncio.create_task(orders.begin(TICKET, "a")) for _ in range(module.MOST_OF_A_CLIENT)]
        await asyncio.sleep(0)
        assert orders.turns.waiting("a") == module.MOST_OF_A_CLIENT
        with pytest.raises(TooMany, match="too many jobs"):
            await orders.begin(TICKET, "a")
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert orders.turns.waiting("a") == 0

    play("virtual:adf?pages=1", scene)


def test_a_page_that_takes_long_is_asked_for_again(
    play: Callable[[str, Scene], None], held_back: threading.Event
) -> None:
    async def scene(service: Service, orders: Orders) -> None:
        order = await orders.begin(TICKET, "a")
        with pytest.raises(ScannerBusy):
            await fetched(orders, order, wait=0.01)
        held_back.set()
        assert await fetched(orders, order)
        assert await fetched(orders, order) == 0

    play("virtual:adf?pages=1", scene)


async def asked(face: Face, path: str, agent: bytes) -> int:
    """The status that a client of that name gets."""
    told: list[Any] = []
    scope = {"method": "GET", "path": path, "scheme": "http", "client": ("127.0.0.1", 1)}

    async def send(message: Any) -> None:
        told.append(message)

    await face(Request({**scope, "headers": [(b"user-agent", agent)]}, asyncio.Event().wait, send))
    return int(told[0]["status"])


@pytest.mark.parametrize(("agent", "status"), [(b"okhttp/4.9.1", 503), (b"ktor-client", 503), (b"Other", 200)])
def test_clients_of_android_are_told_to_come_again_before_they_give_up(
    play: Callable[[str, Scene], None],
    monkeypatch: pytest.MonkeyPatch,
    held_back: threading.Event,
    agent: bytes,
    status: int,
) -> None:
    assert max(module.HASTY_WAIT, module.PATIENCE) < 10  # seconds: okhttp, and orders of NAPS2
    monkeypatch.setattr(module, "HASTY_WAIT", 0.01)

    async def scene(service: Service, orders: Orders) -> None:
        order = await orders.begin(TICKET, "127.0.0.1")
        face = Face(service.bridge, {orders.offer.slug: orders}, lambda: True)
        asking = asyncio.create_task(asked(face, f"/eSCL/ScanJobs/{order.held.uid}/NextDocument", agent))
        done, _ = await asyncio.wait([asking], timeout=None if status == 503 else 0.3)
        assert bool(done) == (status == 503)
        held_back.set()
        assert await asking == status

    play("virtual:adf?pages=1", scene)


def test_an_order_is_not_completed_while_its_last_page_is_on_its_way(
    play: Callable[[str, Scene], None], held_back: threading.Event
) -> None:
    async def scene(service: Service, orders: Orders) -> None:
        order = await orders.begin(TICKET, "a")
        while order.held.job.active:
            await asyncio.sleep(0.01)
        assert order.status("/eSCL").state == "Processing"
        held_back.set()
        assert await fetched(orders, order)
        assert order.status("/eSCL").state == "Completed"

    play("virtual:adf?pages=1", scene)


async def scanned(orders: Orders) -> Order:
    """An order whose scan has ended, and nothing of it is fetched."""
    order = await orders.begin(TICKET, "a")
    while not order.held.job.finished:
        await asyncio.sleep(0.01)
    return order


def test_pages_before_a_jam_are_fetched_before_the_order_is_aborted(play: Callable[[str, Scene], None]) -> None:
    async def scene(service: Service, orders: Orders) -> None:
        order = await scanned(orders)
        assert order.status("/eSCL").state == "Processing"
        assert await fetched(orders, order)
        assert order.status("/eSCL").state == "Aborted"

    play("virtual:adf?pages=3&jam=2", scene)


def test_an_order_that_was_taken_back_is_canceled_though_it_was_scanned(play: Callable[[str, Scene], None]) -> None:
    async def scene(service: Service, orders: Orders) -> None:
        order = await scanned(orders)
        orders.end(order)
        assert order.status("/eSCL").state == "Canceled"

    play("virtual:adf?pages=1", scene)


def test_the_age_of_an_order_is_counted_from_when_its_client_last_came(play: Callable[[str, Scene], None]) -> None:
    async def scene(service: Service, orders: Orders) -> None:
        order = await orders.begin(TICKET, "a")
        order.held.used -= 70
        assert 70 <= order.status("/eSCL").age < 100
        await fetched(orders, order)
        assert order.status("/eSCL").age < 30

    play("virtual:adf?pages=1", scene)


def test_a_document_that_was_not_taken_comes_again(play: Callable[[str, Scene], None]) -> None:
    async def scene(service: Service, orders: Orders) -> None:
        order = await orders.begin(TICKET, "a")
        async with orders.next_document(order) as first:
            assert first is not None
            lost = first.read(first.size)
        async with orders.next_document(order) as again:
            assert again is not None and again.read(again.size) == lost
        assert order.sent == 0

    play("virtual:adf?pages=2", scene)


def test_what_is_opened_for_a_client_that_leaves_is_closed_and_feeds_no_paper(
    play: Callable[[str, Scene], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(service: Service, orders: Orders) -> None:
        opening, may, begin = threading.Event(), threading.Event(), service.holdings.begin_job
        held: list[Held] = []

        def patient(*given: Any, **how: Any) -> Held:
            opening.set()
            may.wait(PATIENCE)
            held.append(begin(*given, **how))
            return held[-1]

        monkeypatch.setattr(service.holdings, "begin_job", patient)
        ordering = asyncio.create_task(orders.begin(TICKET, "a"))
        assert await asyncio.to_thread(opening.wait, PATIENCE)
        ordering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ordering
        assert not orders.turns.taken
        may.set()
        await asyncio.to_thread(until, lambda: held and service.holdings.jobs() == [])
        assert orders.of_client("a") == [] and not held[0].job.pages
        assert await fetched(orders, await orders.begin(TICKET, "b"))

    play("virtual:adf?pages=1", scene)


def test_a_job_that_was_deleted_meanwhile_is_gone(play: Callable[[str, Scene], None]) -> None:
    async def scene(service: Service, orders: Orders) -> None:
        order = await orders.begin(TICKET, "a")
        await service.bridge.outside(service.holdings.delete_job, order.held)
        with pytest.raises(JobDeleted):
            await fetched(orders, order)

    play("virtual:adf?pages=1", scene)


def test_orders_that_are_over_are_not_remembered_for_ever(
    play: Callable[[str, Scene], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)

    async def scene(service: Service, orders: Orders) -> None:
        for _ in range(4):
            order = await orders.begin(replace(TICKET, source=Source.FLATBED), "a")
            while await fetched(orders, order):
                pass
        assert len(orders.of_client("a")) == 2

    play("virtual:adf", scene)
