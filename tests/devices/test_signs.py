"""Signs that scanners came or went: a folder as the kernel shows USB, routes, settings, and announcements."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest

from dwtsvc.devices import signs
from dwtsvc.devices.signs import Signs
from tests.server.daemon import parent, until
from tests.server.running import free_port

from .test_escl import announced

ALL = frozenset({"sane", "escl", "virtual", "replay", "webcam"})


@pytest.fixture
def usb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DWTSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(signs, "SETTLE", 0.05)
    folder = tmp_path / "usb"
    for name in ("usb1", "1-0:1.0"):
        (folder / name).mkdir(parents=True)
    (tmp_path / "routes").write_text("eth0 0\n")
    (tmp_path / "settings").write_text("\n")
    return folder


@pytest.fixture
def watched(usb: Path) -> Iterator[Signs]:
    with Signs(usb=usb, routes=usb.parent / "routes", settings=usb.parent / "settings") as watched:
        until(lambda: not watched.shown_by("escl"))  # its worker has nothing to hear, and has left
        watched.news(ALL)
        yield watched


def first(watched: Signs) -> frozenset[str]:
    """The next news."""
    found: list[frozenset[str]] = []
    until(lambda: found.append(watched.news(ALL)) or found[-1])
    return found[-1]


def test_a_driver_that_notices_nothing_keeps_no_process(watched: Signs) -> None:
    until(lambda: not workers())


def workers() -> list[str]:
    """The command lines of this process's workers of the eSCL driver."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        if parent(int(folder.name)) == os.getpid():
            with contextlib.suppress(OSError):
                found.append((folder / "cmdline").read_text())
    return [line for line in found if "dwtsvc.devices.escl" in line]


def test_without_a_change_there_is_no_news(watched: Signs) -> None:
    assert [watched.news(ALL) for _ in range(5)] == [frozenset()] * 5


def test_what_is_plugged_in_and_out_is_news_for_drivers_of_this_machine_once(watched: Signs, usb: Path) -> None:
    (usb / "1-2").mkdir()
    assert first(watched) == {"sane", "webcam"}
    sleep(0.1)
    assert watched.news(ALL) == frozenset()
    shutil.rmtree(usb / "1-2")
    assert first(watched) == {"sane", "webcam"}


def test_a_device_that_is_plugged_in_again_between_two_looks_is_news(watched: Signs, usb: Path) -> None:
    (usb / "1-2").mkdir()
    first(watched)
    (usb / "1-2").rename(usb.parent / "gone")  # kept, so that its number is not given to the next
    (usb / "1-2").mkdir()
    assert first(watched) == {"sane", "webcam"}


def test_the_parts_of_a_device_are_no_devices(watched: Signs, usb: Path) -> None:
    (usb / "1-2:1.0").mkdir()
    sleep(0.1)
    assert [watched.news(ALL) for _ in range(3)] == [frozenset()] * 3


@pytest.mark.parametrize("file", ["routes", "settings"])
def test_another_network_or_another_setting_is_news_for_network_scanners(watched: Signs, usb: Path, file: str) -> None:
    sleep(0.02)  # the time of a file has steps
    (usb.parent / file).write_text("wlan0 1\n")
    assert first(watched) == {"escl"}


def test_a_machine_that_does_not_show_its_devices_shows_no_sign(usb: Path) -> None:
    with Signs(usb=usb / "none") as watched:
        assert not watched.shown_by("sane")
        assert watched.shown_by("virtual")
        assert "sane" not in watched.news(ALL)


def test_an_announcement_that_comes_and_goes_is_news_for_network_scanners(
    usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DWTSVC_ESCL_DISCOVERY", "on")
    with Signs(usb=usb, routes=usb.parent / "routes") as watched:
        sleep(2)  # it hears what is there already
        watched.news(ALL)
        assert watched.shown_by("escl")
        with announced(free_port(), ty="Acme"):
            assert first(watched) == {"escl"}
        assert first(watched) == {"escl"}
