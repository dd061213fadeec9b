"""A scanner that several drivers see is listed once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dwtsvc.devices.esclknown import Record
from dwtsvc.devices.ways import once, with_ways
from dwtsvc.model import Device

ONE = Device(id="escl:u1", vendor="", model="Acme Paperlight", kind="network scanner")
TWO = Device(id="escl:u2", vendor="", model="Brand Two", kind="network scanner")
USB = Device(id="sane:epson2:libusb:001:004", vendor="Epson", model="GT", kind="flatbed scanner")
PLACES = {
    "u1": Record(urls=("https://192.168.1.7:443/eSCL", "http://192.168.1.7:80/eSCL")),
    "u2": Record(urls=("http://192.168.1.8/eSCL",)),
}


def airscan(model: str, host: str) -> Device:
    return Device(id=f"sane:airscan:e0:{model}", vendor="eSCL", model=model, kind=f"ip={host}")


def listed(*found: Device, places: dict[str, Record] = PLACES) -> list[Device]:
    return once(with_ways(found, lambda uuid: places.get(uuid, Record())))


@pytest.mark.parametrize(
    "way",
    [
        airscan("Acme Paperlight", "192.168.1.7"),
        airscan("whatever it is called", "192.168.1.7"),
        Device(id="sane:escl:http://192.168.1.7:80", vendor="Acme", model="Paperlight", kind="flatbed scanner"),
    ],
)
def test_what_sane_sees_at_the_same_host_is_the_same_scanner(way: Device) -> None:
    assert listed(USB, way, ONE, TWO) == [USB, replace(ONE, also=(way.id,)), TWO]


def test_a_scanner_at_another_host_or_by_cable_is_another() -> None:
    others = [USB, airscan("Acme Paperlight", "192.168.1.9"), replace(USB, id="sane:airscan:w0:x", kind="WSD")]
    assert listed(ONE, *others) == [ONE, *others]


def test_of_several_at_one_host_the_name_decides() -> None:
    places = {key: Record(urls=(f"http://127.0.0.1:{port}/eSCL",)) for key, port in (("u1", 60000), ("u2", 60001))}
    second, third = airscan("Brand_Two", "127.0.0.1"), airscan("Something else", "127.0.0.1")
    assert listed(ONE, TWO, second, third, places=places) == [ONE, replace(TWO, also=(second.id,)), third]


def test_of_several_that_one_machine_shares_the_name_of_the_announcement_decides() -> None:
    urls = ("http://192.168.1.5:18627/eSCL",)
    places = {"u1": Record(urls=urls, name="Acme Paperlight @ office"), "u2": Record(urls=urls, name="Two @ office")}
    first, second = airscan("Acme Paperlight @ office", "192.168.1.5"), airscan("Two @ office", "192.168.1.5")
    third = airscan("Acme Paperlight @ cellar", "192.168.1.5")
    found = listed(first, second, third, ONE, TWO, places=places)
    assert found == [third, replace(ONE, also=(first.id,)), replace(TWO, also=(second.id,))]


def test_a_scanner_by_address_is_known_by_its_host() -> None:
    here = replace(ONE, id="escl:http://192.168.1.7/eSCL")
    way = airscan("Acme", "192.168.1.7")
    assert listed(way, here) == [replace(here, also=(way.id,))]


def test_an_address_that_is_none_is_the_same_as_nothing() -> None:
    strange = replace(USB, id="sane:escl:http://[::1")
    assert listed(ONE, strange, places={"u1": Record(urls=("http://[",))}) == [ONE, strange]


TWAIN = Device(id="twain:Acme Flat 300", vendor="", model="Acme Flat 300")
WIA = Device(id="wia:{6BDD}0001", vendor="Acme", model="Flat  300")


@pytest.mark.parametrize("wia", [WIA, replace(WIA, model="ACME Flat 300")])
@pytest.mark.parametrize(
    "twain", [TWAIN, replace(TWAIN, id="twain32:x"), replace(TWAIN, vendor="Acme", model="Flat 300")]
)
def test_what_wia_and_twain_name_alike_is_one_scanner(twain: Device, wia: Device) -> None:
    assert listed(wia, USB, twain) == [USB, replace(twain, also=(wia.id,))]


def test_a_source_of_64_bits_is_taken_before_one_of_32() -> None:
    small = replace(TWAIN, id="twain32:Acme Flat 300")
    assert listed(small, TWAIN, WIA) == [small, replace(TWAIN, also=(WIA.id,))]


@pytest.mark.parametrize(
    "others",
    [
        [TWAIN, replace(WIA, vendor="Other")],
        [TWAIN, replace(WIA, model="Flat 301")],
        [TWAIN, replace(WIA, vendor="", model="Acme Flat 300")],
        [TWAIN, WIA, replace(WIA, id="wia:{6BDD}0002")],
        [TWAIN, replace(TWAIN, id="twain:second"), WIA],
        [replace(WIA, id="sane:acme:1"), TWAIN],
    ],
)
def test_what_is_named_otherwise_by_nobody_or_twice_stays_apart(others: list[Device]) -> None:
    assert listed(*others) == others
