"""Buttons of scanners: a press scans with the profile that names it, and nobody is kept from the scanner meanwhile."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep

import pytest

from dwtsvc import config, locks, profiles
from dwtsvc.buttons import Buttons, Wire, wired
from dwtsvc.devices import connect
from dwtsvc.errors import BadArguments, BadConfiguration
from dwtsvc.paths import Paths
from dwtsvc.stations import Stations, glancing, lock_path
from tests.server.daemon import running, until

from .conftest import Faulty

ADF = "sane:dwtfault:adf"
PATIENCE = 60.0
SCAN = [sys.executable, "-P", "-m", "dwtsvc_cli.main", "scan", "--quiet", "--profile"]


class Place:
    """A user's folders, the buttons of the faulty backend, and where scans go."""

    def __init__(self, folder: Path, environ: dict[str, str], faulty: Faulty) -> None:
        self.home, self.file, self.scans = folder / "home", folder / "pressed", folder / "scans"
        self.paths, self.faulty = Paths.from_environment(environ), faulty
        self.file.write_text("")
        self.scans.mkdir()

    @property
    def settings(self) -> config.Settings:
        return config.load(self.paths, {"DWTSVC_BUTTON_INTERVAL": "0.2"}).settings

    def press(self, what: str) -> None:
        """Hold buttons down until the next call; wait until the driver was asked meanwhile."""
        self.file.write_text(what)
        looked = len(self.faulty.calls("close"))
        until(lambda: len(self.faulty.calls("close")) > looked + 1, lambda: "nobody looks at the buttons")

    def profile(self, name: str, button: str, **more: str) -> None:
        output = str(self.scans / f"{name}.pdf")
        said = {"device": ADF, "button": button, "output": output, "source": "feeder", "resolution": "75", **more}
        profiles.save(self.paths, name, {**said, "area": "0,0,60,80"})

    def made(self) -> list[str]:
        return sorted(each.name for each in self.scans.glob("*.pdf"))


@pytest.fixture
def place(faulty: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    faulty(pages=2, pressed=tmp_path / "pressed")
    monkeypatch.setenv("DWTSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return Place(tmp_path, {"DWTSVC_HOME": str(tmp_path / "home")}, faulty)


@pytest.fixture
def watched(place: Place) -> Iterator[Callable[[], Buttons]]:
    """Begins to watch, with the profiles that there are then."""
    begun: list[Buttons] = []

    def begin() -> Buttons:
        begun.append(Buttons(wired(place.paths, place.settings), place.paths, place.settings, SCAN).__enter__())
        until(lambda: place.faulty.calls("close"), lambda: "nobody looks at the buttons")
        return begun[0]

    yield begin
    for each in begun:
        each.__exit__(None, None, None)


def test_a_press_scans_once_with_the_profile_of_the_button_to_its_output(
    place: Place, watched: Callable[[], Buttons]
) -> None:
    place.profile("letters", "scan")
    place.profile("receipts", "function=2")
    watched()
    place.press("scan")
    until(lambda: place.made() == ["letters.pdf"])
    place.press("scan")  # it is still held down
    place.press("")
    place.press("1")  # a number that no profile names
    place.press("2")
    until(lambda: place.made() == ["letters.pdf", "receipts.pdf"])
    place.press("")
    place.press("scan")
    until(lambda: len(place.made()) == 3)
    until(place.faulty.left_idle, lambda: "the scanner was left open")


def test_a_button_that_is_held_down_when_the_watch_begins_is_no_press(
    place: Place, watched: Callable[[], Buttons]
) -> None:
    place.profile("letters", "scan")
    place.file.write_text("scan")
    watched()
    place.press("scan")
    place.press("scan")
    assert place.made() == []
    assert not place.faulty.calls("start")


def test_a_scanner_is_open_only_while_it_is_looked_at(place: Place, watched: Callable[[], Buttons]) -> None:
    place.profile("letters", "scan")
    watched()
    place.press("")
    names = [call.name for call in place.faulty.calls() if call.name in ("open", "close", "start")]
    assert names[:4] == ["open", "close", "open", "close"]


def test_while_somebody_scans_nobody_looks(place: Place, watched: Callable[[], Buttons]) -> None:
    place.profile("letters", "scan")
    watched()
    held = None
    while held is None:  # the watch has it for a moment now and then
        held = locks.open_locked(lock_path(place.paths.locks, ADF))
    before = len(place.faulty.calls("open"))
    sleep(1.0)
    assert len(place.faulty.calls("open")) == before
    os.close(held)
    until(lambda: len(place.faulty.calls("open")) > before)


def test_who_wants_to_scan_waits_for_a_glance_and_is_not_refused(place: Place) -> None:
    stations = Stations(place.paths.create(place.paths.locks), timeout=30, cancel_grace=5)
    go_on, glanced = threading.Event(), threading.Event()

    def glance() -> None:
        with glancing(place.paths.locks, ADF) as free:
            assert free
            glanced.set()
            go_on.wait(PATIENCE)

    looking = threading.Thread(target=glance)
    looking.start()
    glanced.wait(PATIENCE)
    threading.Timer(0.5, go_on.set).start()
    station = stations.take(ADF)
    assert go_on.is_set()
    with glancing(place.paths.locks, ADF) as free:
        assert not free
    station.close()
    looking.join()


def test_a_failed_scan_is_told_in_the_log_and_the_watch_goes_on(
    place: Place, watched: Callable[[], Buttons], caplog: pytest.LogCaptureFixture
) -> None:
    place.faulty(pages=2, action="status", status=6, fail_at=1, pressed=place.file)
    place.profile("letters", "scan")
    with caplog.at_level(logging.INFO, logger="dwtsvc.buttons"):
        watched()
        place.press("scan")
        until(lambda: "failed (23)" in caplog.text)
        place.press("")


def test_a_button_that_the_scanner_has_not_is_told_with_those_it_has(
    place: Place, watched: Callable[[], Buttons], caplog: pytest.LogCaptureFixture
) -> None:
    place.profile("letters", "fax")
    watched()
    until(lambda: "no button 'fax'; it has: page-loaded, scan, function" in caplog.text)


def test_a_driver_without_buttons_says_so() -> None:
    with connect("virtual", timeout=20) as worker, pytest.raises(BadArguments, match="tells nothing of buttons"):
        worker.sensors("adf")


class Plain:
    """A worker for a scanner without buttons, or with one that is held down at every second look."""

    def __init__(self, ended: threading.Event, button: str = "") -> None:
        self.looks, self._ended, self._button = 0, ended, button

    def sensors(self, name: str) -> dict[str, str]:
        self.looks += 1
        if self.looks == 4:
            self._ended.set()
        return {self._button: "yes" if self.looks % 2 == 0 else "no"} if self._button else {}


def test_a_scanner_without_buttons_is_told_once(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire(device=ADF, button="scan", value="", profile="letters")
    buttons = Buttons([wire], place.paths, place.settings, SCAN)
    worker = Plain(buttons._ended)
    buttons._follow(ADF, "adf", worker, [wire])  # type: ignore[arg-type]
    assert worker.looks == 4 and caplog.text.count("shows no button") == 1


def test_the_watch_goes_on_when_a_scan_cannot_be_started(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    wire = Wire(device=ADF, button="scan", value="", profile="letters")
    buttons = Buttons([wire], place.paths, place.settings, SCAN)
    worker = Plain(buttons._ended, "scan")
    buttons._follow(ADF, "adf", worker, [wire])  # type: ignore[arg-type]
    assert worker.looks == 4 and caplog.text.count("cannot be started") == 2


def test_one_button_has_one_profile_and_needs_a_scanner(place: Place) -> None:
    place.profile("letters", "scan")
    place.profile("receipts", "scan")
    with pytest.raises(BadConfiguration, match="two profiles") as told:
        wired(place.paths, place.settings)
    assert str(place.paths.profiles_file) in told.value.hint
    profiles.delete(place.paths, "receipts")
    assert wired(place.paths, place.settings) == (Wire(device=ADF, button="scan", value="", profile="letters"),)
    profiles.save(place.paths, "letters", {"button": "scan"})
    with pytest.raises(BadConfiguration, match="no scanner"):
        wired(place.paths, place.settings)


@pytest.mark.timeout(180)
def test_the_service_watches_when_it_is_told_to(place: Place) -> None:
    place.profile("letters", "scan")
    with running(place.home, escl_discovery="off", watch_buttons="on", button_interval="0.2"):
        until(lambda: place.faulty.calls("close"), lambda: "nobody looks at the buttons")
        place.press("scan")
        until(lambda: place.made() == ["letters.pdf"])
    assert (place.scans / "letters.pdf").read_bytes().startswith(b"%PDF")


def test_the_command_shows_what_the_buttons_are_called(place: Place) -> None:
    command = [sys.executable, "-m", "dwtsvc_cli.main", "devices", "-c", ADF]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "Buttons and sensors" in told
    assert "  scan [no]\n  function [0]\n" in told
