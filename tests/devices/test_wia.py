"""The WIA driver over fakes of both ways to WIA. No test here says anything about a real Windows."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest

from dwtsvc.devices import wia, wiaauto, wialib
from dwtsvc.errors import (
    BadArguments,
    CoverOpen,
    DriverError,
    FeederEmpty,
    MissingDependency,
    MultiFeed,
    NoScanner,
    PaperJam,
)
from dwtsvc.model import Source

from .conformance import Conformance, Opened, Rig, serial_in_shade
from .wiafakes import MODEL, SCANNER_ID, DeviceManager, Machine, raw_layer

WAYS = ("raw", "automation")


@pytest.fixture(params=WAYS)
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """The scanner, new each time it is opened, behind one of the two ways."""
    made = Machine()

    def anew() -> Machine:
        made.images, made.sheets = 0, made.sheets or 3
        made.values = Machine().values
        return made

    if request.param == "automation":
        from dwtsvc.devices import wiaauto

        monkeypatch.setitem(sys.modules, "pyinsane2", None)
        monkeypatch.setattr(wiaauto, "manager", lambda: DeviceManager(anew))
    else:
        module = raw_layer(made)
        opening = module.open
        module.open = lambda name: opening(name) and anew() and "device"
        package = types.ModuleType("pyinsane2.wia")
        package._rawapi = module  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "pyinsane2", types.ModuleType("pyinsane2"))
        monkeypatch.setitem(sys.modules, "pyinsane2.wia", package)
    monkeypatch.delitem(sys.modules, "dwtsvc.devices.wiaraw", raising=False)
    yield made
    sys.modules.pop("dwtsvc.devices.wiaraw", None)


def make_rig() -> Rig:
    return Rig(
        driver=wia.driver,
        prefix="wia",
        feeder=SCANNER_ID,
        sheets=3,
        flatbed=SCANNER_ID,
        lasting=SCANNER_ID,
        unknown="nowhere",
        option=("brightness", "-400"),
        read_serial=serial_in_shade,
    )


@pytest.fixture
def device(machine: Machine) -> Iterator[Opened]:
    rig = make_rig()
    with rig.driver().open(SCANNER_ID) as source:
        yield Opened(source, rig)


class TestWia(Conformance):
    @pytest.fixture
    def rig(self, machine: Machine) -> Rig:
        return make_rig()


def test_a_scanner_is_listed_by_its_name_and_a_camera_is_not(machine: Machine) -> None:
    (found,) = wia.driver().devices(5)
    assert (found.id, found.model) == (f"wia:{SCANNER_ID}", MODEL)


@pytest.mark.parametrize(
    ("word", "error"), [("paper_jam", PaperJam), ("multiple_feed", MultiFeed), ("path_cover_up", CoverOpen)]
)
def test_the_device_itself_says_why_a_page_did_not_come(
    device: Opened, machine: Machine, word: str, error: type[DriverError]
) -> None:
    machine.mishap, machine.mishap_at = word, 2
    frames = device.frames(Source.FEEDER)
    with pytest.raises(error):
        list(frames)
    machine.mishap_at, machine.status = 0, set()
    assert len(device.scan(Source.FEEDER)) == 2


def test_a_failure_that_the_device_does_not_explain_has_the_words_of_wia(device: Opened, machine: Machine) -> None:
    machine.mishap, machine.mishap_at = "feed_ready", 1
    with pytest.raises(DriverError) as told:
        list(device.frames(Source.FEEDER))
    assert "general error" in told.value.why


@pytest.mark.parametrize("detects", [True, False])
def test_an_empty_feeder_is_told_whether_or_not_it_can_be_seen(device: Opened, machine: Machine, detects: bool) -> None:
    machine.sheets, machine.detects = 0, detects
    with pytest.raises(FeederEmpty):
        next(device.frames(Source.FEEDER))
    assert len(device.scan(Source.AUTO)) == 1


def test_a_header_without_a_page_is_an_empty_feeder(device: Opened, machine: Machine) -> None:
    machine.scan = lambda feeder: b"BM" + bytes(54)  # type: ignore[method-assign]
    with pytest.raises(FeederEmpty):
        next(device.frames(Source.FEEDER))


@pytest.mark.parametrize("value", ["4000", "dark"])
def test_an_option_with_an_impossible_value_is_refused_with_what_is_allowed(device: Opened, value: str) -> None:
    with pytest.raises(BadArguments) as refused:
        device.scan(Source.FLATBED, options=(("brightness", value),))
    assert "-1000..1000" in refused.value.hint


def test_an_option_of_one_scan_is_not_that_of_the_next(device: Opened, machine: Machine) -> None:
    device.scan(Source.FLATBED, options=(("brightness", "-400"),))
    device.scan(Source.FLATBED)
    assert machine.values["brightness"] == 0


def test_the_raw_layer_is_taken_where_it_is_there(machine: Machine, request: pytest.FixtureRequest) -> None:
    expected = {"raw": "RawLayer", "automation": "AutomationLayer"}
    assert type(wialib.layer()).__name__ == expected[request.node.callspec.params["machine"]]


def test_without_windows_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyinsane2", None)
    monkeypatch.setitem(sys.modules, "comtypes.client", None)
    with pytest.raises(MissingDependency):
        list(wia.driver().devices(5))


def test_a_device_with_nothing_to_scan_from_is_no_scanner() -> None:
    class Bare:
        Items: tuple[object, ...] = ()

    with pytest.raises(NoScanner, match="nothing to scan from"):
        wiaauto.AutomationScanner(Bare())
