"""Turns at a scanner: who was served longest ago comes first, then who asked first; places are kept and given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dwtsvc.errors import ScannerBusy, TooMany
from dwtsvc.server.airscan import turns
from dwtsvc.server.airscan.turns import Turns

LONG = 60.0


def played(scene: Callable[[Turns], Awaitable[None]]) -> None:
    async def main() -> None:
        await scene(Turns())

    asyncio.run(main())


async def queued(made: Turns, *clients: str) -> tuple[list[str], list[asyncio.Task[None]]]:
    """Clients that wait, and the list in which they are noted when it is their turn, which each gives on at once."""
    served: list[str] = []

    async def one(client: str) -> None:
        await made.take(client, LONG)
        served.append(client)
        made.free()

    tasks = []
    for client in clients:
        tasks.append(asyncio.create_task(one(client)))
        await asyncio.sleep(0)
    return served, tasks


def test_a_free_scanner_is_had_at_once_and_a_taken_one_when_it_is_free() -> None:
    async def scene(made: Turns) -> None:
        await made.take("a", LONG)
        assert made.taken
        served, tasks = await queued(made, "b")
        await asyncio.sleep(0.01)
        assert served == []
        made.free()
        await asyncio.gather(*tasks)
        assert served == ["b"] and not made.taken

    played(scene)


def test_one_that_orders_much_does_not_keep_the_others_waiting() -> None:
    async def scene(made: Turns) -> None:
        await made.take("greedy", LONG)
        served, tasks = await queued(made, "greedy", "greedy", "greedy", "modest", "late")
        made.free()
        await asyncio.gather(*tasks)
        assert served == ["modest", "late", "greedy", "greedy", "greedy"]

    played(scene)


def test_who_was_served_longest_ago_is_next() -> None:
    async def scene(made: Turns) -> None:
        for client in ("a", "b", "c"):
            await made.take(client, LONG)
            made.free()
        await made.take("other", LONG)
        served, tasks = await queued(made, "c", "b", "a")
        made.free()
        await asyncio.gather(*tasks)
        assert served == ["a", "b", "c"]

    played(scene)


@pytest.mark.parametrize(("kept", "order"), [(30.0, ["first", "second"]), (0.0, ["second", "first"])])
def test_one_that_was_told_to_come_again_has_the_place_it_had_for_a_while(
    monkeypatch: pytest.MonkeyPatch, kept: float, order: list[str]
) -> None:
    monkeypatch.setattr(turns, "KEPT", kept)

    async def scene(made: Turns) -> None:
        await made.take("other", LONG)
        with pytest.raises(ScannerBusy):
            await made.take("first", 0.01)
        served, tasks = await queued(made, "second", "first")
        made.free()
        await asyncio.gather(*tasks)
        assert served == order

    played(scene)


def test_the_scanner_does_not_wait_for_one_that_is_not_there() -> None:
    async def scene(made: Turns) -> None:
        await made.take("other", LONG)
        with pytest.raises(ScannerBusy):
            await made.take("gone", 0.01)
        made.free()
        assert not made.taken
        await made.take("here", LONG)

    played(scene)


def test_who_leaves_while_he_waits_loses_nobody_the_scanner() -> None:
    async def scene(made: Turns) -> None:
        await made.take("other", LONG)
        served, tasks = await queued(made, "leaves", "stays")
        tasks[0].cancel()
        await asyncio.sleep(0)  # it leaves before it is called
        made.free()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert served == ["stays"] and not made.taken

    played(scene)


def test_who_is_called_and_leaves_in_the_same_moment_gives_the_scanner_on() -> None:
    async def scene(made: Turns) -> None:
        await made.take("other", LONG)
        served, tasks = await queued(made, "leaves", "stays")
        made.free()  # calls the first, which has not run since
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert served == ["stays"] and not made.taken

    played(scene)


def test_a_queue_has_an_end() -> None:
    async def scene(made: Turns) -> None:
        await made.take("other", LONG)
        served, tasks = await queued(made, *(f"client {number}" for number in range(turns.MOST_WAITING)))
        with pytest.raises(TooMany):
            await made.take("one more", LONG)
        made.free()
        await asyncio.gather(*tasks)
        assert len(served) == turns.MOST_WAITING

    played(scene)
