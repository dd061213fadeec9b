"""The service's list of scanners follows what comes and goes, and asks no driver without a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from time import sleep

import pytest

from dwtsvc import devices
from dwtsvc.devices.signs import Signs
from dwtsvc.errors import DeviceTimeout, DriverError
from dwtsvc.model import Device
from dwtsvc.server import scanners
from dwtsvc.server.scanners import Combine, Scanners

from .daemon import until

PATIENCE = 30.0
TIMEOUT = 1.25  # of the scanners of these tests


class Drivers:
    """What two drivers list, and how often each was asked. `hang` makes one of them wait."""

    def __init__(self) -> None:
        self.lists = {"sane": ["sane:usb:1"], "escl": ["escl:one"]}
        self.asked: list[str | None] = []
        self.hang: set[str] = set()
        self.go_on = Event()

    def discover(self, timeout: float, only: str | None = None) -> Iterator[Device | DriverError]:
        if timeout != TIMEOUT:  # the service of another test, that looks once more
            return
        self.asked.append(only)
        for driver, names in self.lists.items():
            if only not in (None, driver):
                continue
            if driver in self.hang:
                self.go_on.wait(PATIENCE)
                error = DeviceTimeout(f"{driver} hangs")
                error.driver = driver
                yield error
            else:
                yield from (Device(id=name, vendor="", model=name) for name in names)


class Shown(Signs):
    """Signs that a test gives."""

    def __init__(self) -> None:
        self._told: SimpleQueue[str] = SimpleQueue()

    def show(self, driver: str) -> None:
        self._told.put(driver)

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def shown_by(self, driver: str) -> bool:
        return True

    def news(self, drivers: frozenset[str]) -> frozenset[str]:
        found = set()
        while not self._told.empty():
            found.add(self._told.get())
        return drivers & found


@pytest.fixture
def drivers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drivers]:
    drivers = Drivers()
    monkeypatch.setattr(devices, "discover", drivers.discover)
    monkeypatch.setattr(devices, "drivers", lambda: drivers.lists)
    monkeypatch.setattr(scanners, "LOOK_EVERY", 0.01)
    yield drivers
    drivers.go_on.set()


@contextmanager
def following(shown: Signs, combine: Combine = list) -> Iterator[Scanners]:
    followed = Scanners(TIMEOUT, combine, signs=lambda: shown)
    try:
        yield followed
    finally:
        followed.close()


def ids(followed: Scanners) -> list[str]:
    return [each.id for each in followed.listed()]


def test_a_sign_has_its_driver_asked_and_no_other(drivers: Drivers) -> None:
    shown = Shown()
    with following(shown) as followed:
        assert ids(followed) == ["escl:one", "sane:usb:1"]
        drivers.lists = {"sane": [], "escl": ["escl:one", "escl:two"]}
        shown.show("escl")
        until(lambda: "escl:two" in ids(followed))
        assert ids(followed) == ["escl:one", "escl:two", "sane:usb:1"]
        shown.show("sane")
        until(lambda: "sane:usb:1" not in ids(followed))
        assert drivers.asked == [None, "escl", "sane"]


def test_what_one_driver_tells_anew_is_looked_at_together_with_what_the_others_told(drivers: Drivers) -> None:
    def counted(found: list[Device]) -> list[Device]:
        return [replace(each, also=(*each.also, str(len(found)))) for each in found]

    shown = Shown()
    with following(shown, counted) as followed:
        assert {each.also for each in followed.listed()} == {("2",)}
        drivers.lists["escl"] = ["escl:one", "escl:two"]
        shown.show("escl")
        until(lambda: "escl:two" in ids(followed))
        assert {each.also for each in followed.listed()} == {("3",)}


def test_without_a_sign_no_driver_is_asked_however_often_the_list_is(drivers: Drivers) -> None:
    with following(Shown()) as followed:
        for _ in range(50):
            ids(followed)
            sleep(0.005)
        assert drivers.asked == [None]


def test_a_driver_that_hangs_delays_the_others_neither_nor_loses_its_error(drivers: Drivers) -> None:
    shown = Shown()
    with following(shown) as followed:
        ids(followed)
        drivers.hang.add("sane")
        shown.show("sane")
        until(lambda: "sane" in drivers.asked)
        drivers.lists["escl"] = []
        shown.show("escl")
        until(lambda: ids(followed) == ["sane:usb:1"])
        drivers.go_on.set()
        until(lambda: followed.errors)
        assert ids(followed) == []
        drivers.hang.clear()
        shown.show("sane")
        until(lambda: ids(followed) == ["sane:usb:1"])
        assert followed.errors == ()


def test_a_sign_during_an_answer_has_the_driver_asked_once_more(drivers: Drivers) -> None:
    shown = Shown()
    with following(shown) as followed:
        ids(followed)
        drivers.hang.add("sane")
        shown.show("sane")
        until(lambda: drivers.asked == [None, "sane"])
        shown.show("sane")
        until(lambda: "sane" in followed._again)
        drivers.hang.clear()
        drivers.go_on.set()
        until(lambda: drivers.asked == [None, "sane", "sane"])


def test_when_nobody_asks_any_more_the_watch_ends_and_the_next_who_asks_begins_it(
    drivers: Drivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanners, "WATCH_FOR", 0.05)
    monkeypatch.setattr(scanners, "FRESH", 0.0)
    with following(Shown()) as followed:
        ids(followed)
        watch = followed._watch
        assert watch
        watch.join(PATIENCE)
        assert not watch.is_alive()
        drivers.lists["sane"] = []
        assert ids(followed) == ["escl:one"]  # nobody watched, so it was asked
        assert followed._watch is not watch


def test_a_driver_whose_changes_show_no_sign_is_asked_when_its_answer_is_old(
    drivers: Drivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanners, "FRESH", 0.2)
    monkeypatch.setattr(Shown, "shown_by", lambda self, driver: driver != "escl")
    with following(Shown()) as followed:
        ids(followed)
        until(lambda: drivers.asked.count("escl") >= 2)
        assert "sane" not in drivers.asked


def test_the_real_signs_end_with_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DWTSVC_HOME", str(tmp_path))
    monkeypatch.setattr(devices, "discover", lambda timeout, only=None: iter(()))
    with following(Signs(usb=tmp_path)) as followed:
        ids(followed)
        watch = followed._watch
    assert watch and not watch.is_alive()
