"""What is shared and what is not, under which names, and that it is off unless it is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dwtsvc import kinds
from dwtsvc.config import Settings
from dwtsvc.devices.esclknown import Record
from dwtsvc.devices.ways import share_id, shared_uuid, without_shared
from dwtsvc.errors import BadArguments
from dwtsvc.esclxml import Ticket
from dwtsvc.model import Area, Capabilities, Device, Mode, Range, Source, SourceCapabilities
from dwtsvc.paths import Paths
from dwtsvc.server.airscan.face import Face
from dwtsvc.server.airscan.gate import is_own
from dwtsvc.server.airscan.networks import Allowed, around
from dwtsvc.server.airscan.offers import Offer
from dwtsvc.server.airscan.sharing import Sharing
from dwtsvc.server.service import Service
from tests.server.daemon import PROGRAM
from tests.server.faces import PATIENCE, Served, await_answer, serving
from tests.server.running import environment, free_pair, free_port
from tests.server.sharing import ADF, GLASS, await_shared, sharing

OWN = UUID("7c4f3d0e-4a37-4f0e-8f0a-1d5be2c3a001")


def device(id: str, virtual: bool = False) -> Device:
    return Device(id=id, vendor="Acme", model=f"Model {id}", virtual=virtual)


def offer(*sources: SourceCapabilities) -> Offer:
    found = Capabilities(device="sane:acme", sources=sources)
    return Offer(device=device("sane:acme"), uuid=shared_uuid(OWN, "sane:acme"), capabilities=found)


def surface(source: Source, *modes: Mode, resolutions: tuple[int, ...] | Range = (100, 300)) -> SourceCapabilities:
    return SourceCapabilities(
        source=source, name="", modes=modes or (Mode.COLOR,), resolutions=resolutions, max_width=210, max_height=297
    )


# -- off, and on ---------------------------------------------------------------------------------------------------


def test_nothing_is_shared_unless_it_is_wanted(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as served:
        told = subprocess.run([*PROGRAM, "status", "--json"], env=environment(served.home), capture_output=True).stdout
        listening = sockets_of(served.process.pid)
    assert json.loads(told)["shared"] == []
    assert {port for _, port in listening} == {served.http, served.https}
    assert not Paths.from_environment({"DWTSVC_HOME": str(tmp_path / "home")}).share_id.exists()


def test_the_option_shares_on_this_machine_only(tmp_path: Path) -> None:
    port = free_pair()
    with started(tmp_path, "--share", DWTSVC_SHARE_PORT=str(port)) as (process, records):
        listening = sockets_of(process.pid)
    assert {record["device"] for record in records} == {"virtual:adf", "virtual:flatbed"}
    assert ("127.0.0.1", port) in listening and ("127.0.0.1", port + 1) in listening
    assert {host for host, _ in listening} == {"127.0.0.1", "::1"}


def test_an_address_and_a_port_may_be_said_with_the_option(tmp_path: Path) -> None:
    port = free_pair()
    with started(tmp_path, "--share", f"127.0.0.2:{port}", "--log-level", "14") as (process, records):
        assert ("127.0.0.2", port) in sockets_of(process.pid)
    assert {record["url"].split("/")[2] for record in records} == {f"127.0.0.2:{port}"}


def test_an_address_without_the_option_is_refused(tmp_path: Path) -> None:
    ran = subprocess.run(
        [*PROGRAM, "serve", "127.0.0.1"], env=environment(tmp_path), capture_output=True, text=True, timeout=PATIENCE
    )
    assert ran.returncode == 2 and "--share 127.0.0.1" in ran.stderr


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    ran = subprocess.run(
        [*PROGRAM, "serve", "--share", "everywhere"], env=environment(tmp_path), capture_output=True, timeout=PATIENCE
    )
    assert ran.returncode == 2 and b"192.168.1.2:8080" in ran.stderr


def test_the_monitor_hands_the_option_on(tmp_path: Path) -> None:
    port = free_pair()
    with started(tmp_path, "--share", f"127.0.0.1:{port}", monitor=True) as (_, records):
        assert records[0]["url"].startswith(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"), ("No", "off"), ("on", "on"), ("192.168.1.2", "192.168.1.2"),
        ("192.168.1.2:80", "192.168.1.2:80"),
        ("fd00::1", "fd00::1"), ("[fd00::1]:80", "[fd00::1]:80"),
    ],
)  # fmt: skip
def test_where_to_share_is_off_on_or_an_address(text: str, value: str) -> None:
    assert kinds.SHARE.parse(text) == value


@pytest.mark.parametrize(
    "text", ["", "desk", "192.168.1", "192.168.1.2:0", "192.168.1.2:65535", "192.168.1.2:", "1.2.3.4/8"]
)
def test_where_to_share_is_nothing_else(text: str) -> None:
    with pytest.raises(ValueError):
        kinds.SHARE.parse(text)


@pytest.mark.parametrize("text", ["everybody", "192.168.1.0/33", "192.168.1.0/24,", "*"])
def test_networks_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        kinds.NETWORKS.parse(text)


# -- which -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "shared"),
    [
        ({"share": "192.0.2.1"}, ["sane:usb"]),
        ({"share": "on"}, ["sane:usb", "virtual:adf"]),
        ({"share": "192.0.2.1", "device": "virtual:adf?pages=2"}, ["virtual:adf?pages=2", "sane:usb"]),
        ({"share": "on", "device": "virtual:adf?pages=2"}, ["virtual:adf?pages=2", "sane:usb"]),
        ({"share": "on", "device": "virtual:adf"}, ["virtual:adf", "sane:usb"]),
        ({"share": "on", "device": "webcam:/dev/video0?document=1"}, ["sane:usb", "virtual:adf"]),
        ({"share": "on", "device": "acme:cam"}, ["sane:usb", "virtual:adf"]),
        ({"share": "on", "device": "replay:/home/a/case.dwt"}, ["sane:usb", "virtual:adf"]),
        ({"share": "on", "share_devices": ("escl:far", "virtual:adf")}, ["escl:far", "virtual:adf"]),
    ],
)
def test_a_machine_shares_its_own_scanners_and_those_that_are_named(
    tmp_path: Path, settings: dict[str, Any], shared: list[str]
) -> None:
    found = [
        "acme:cam",
        "webcam:virtual",
        "replay:old",
        "sane:usb",
        "escl:far",
        "sane:airscan:e0:far",
        "sane:escl:http://far",
        "sane:net:far:usb",
        "sane:v4l:/dev/video0",
        "virtual:adf",
    ]

    async def main() -> list[str]:
        service = Service(Settings(**settings), Paths.from_environment({"DWTSVC_HOME": str(tmp_path)}))
        kinds = {"acme:cam": "camera", "webcam:virtual": "camera", "replay:old": "recording"}
        listed = tuple(
            replace(device(each, each.startswith("virtual:")), kind=kinds.get(each, "scanner")) for each in found
        )
        service.scanners.listed = lambda **_: listed  # type: ignore[method-assign]
        try:
            return [each.id for each in await Sharing(service)._wanted()]
        finally:
            await service.stop()

    assert asyncio.run(main()) == shared


def test_sharing_without_a_scanner_is_told_until_there_is_one(tmp_path: Path) -> None:
    async def main() -> list[list[str]]:
        settings = Settings(share="192.0.2.1")
        service = Service(settings, Paths.from_environment({"DWTSVC_HOME": str(tmp_path)}))
        made = Sharing(service)
        told = [made.warnings()]
        try:
            for wanted in ([], [device("virtual:adf", True)], []):
                await made._offer(OWN, wanted)
                told.append(made.warnings())
        finally:
            await service.stop()
        return told

    silent, none, some, none_again = asyncio.run(main())
    assert silent == some == [] and none == none_again
    assert len(none) == 1 and "none of its own" in none[0] and "share_devices" in none[0]


def test_a_fault_on_the_way_to_listening_does_not_keep_the_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(address: str) -> Any:
        monkeypatch.undo()
        raise OSError("no list of interfaces")

    async def main() -> None:
        settings = Settings(share=f"127.0.0.1:{free_pair()}")
        made = Sharing(Service(settings, Paths.from_environment({"DWTSVC_HOME": str(tmp_path)})))
        monkeypatch.setattr("dwtsvc.server.airscan.sharing.around", broken)
        with pytest.raises(OSError, match="no list"):
            await made._listen()
        assert await made._listen(), made.warnings()
        assert made._listener
        await made._listener.close()
        await made._service.stop()

    asyncio.run(main())


def test_orders_outlive_another_look_and_a_scanner_that_is_not_listed_for_a_while(tmp_path: Path) -> None:
    ticket = Ticket(source=Source.FLATBED, mode=Mode.COLOR, resolution=75, format="image/jpeg")
    first = Device(id="virtual:flatbed", vendor="Acme", model="Glass", virtual=True)

    async def main() -> None:
        service = Service(Settings(share="on"), Paths.from_environment({"DWTSVC_HOME": str(tmp_path)}))
        await service.start()
        try:
            made = Sharing(service)
            await made._offer(OWN, [first])
            (orders,) = made._scanners.values()
            order = await orders.begin(ticket, "a")
            await made._offer(OWN, [replace(first, also=("escl:of-ours",))])
            assert list(made._scanners.values()) == [orders]
            await made._offer(OWN, [replace(first, id="virtual:adf"), first])
            face = Face(service.bridge, made._scanners, lambda: True)
            assert face._first(["ScanJobs", order.held.uid]) is orders is not face._first([])
            await made._offer(OWN, [])
            assert list(made._scanners.values()) == [orders]
            orders.end(order)
            await made._offer(OWN, [])
            assert not made._scanners
        finally:
            await service.stop()

    asyncio.run(main())


class Visit:
    """A request for one of its addresses."""

    method, host, scheme, client = "GET", "desk", "http", "192.0.2.7"

    def __init__(self, path: str) -> None:
        self.path, self.sent = path, list[dict[str, Any]]()

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def receive(self) -> Any:
        raise AssertionError("nobody asked")

    async def body(self, most: int) -> bytes:
        raise AssertionError("nobody asked")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/eSCL/ScannerStatus", 503), ("/acme/eSCL/ScanJobs/1/NextDocument", 503), ("/acme", 404), ("/", 200)],
)
def test_until_the_scanners_were_looked_for_clients_are_told_to_come_again(
    tmp_path: Path, path: str, status: int
) -> None:
    """Or an order of before a restart would seem to be at its end, and a scanner of before to be gone."""

    async def ask(ready: bool) -> dict[str, Any]:
        service = Service(Settings(share="on"), Paths.from_environment({"DWTSVC_HOME": str(tmp_path)}))
        visit = Visit(path)
        try:
            await Face(service.bridge, {}, lambda: ready)(visit)
        finally:
            await service.stop()
        return visit.sent[0]

    head = asyncio.run(ask(False))
    assert head["status"] == status
    assert (status == 503) == any(name == b"retry-after" for name, _ in head["headers"])
    assert asyncio.run(ask(True))["status"] == (404 if status == 503 else status)


@pytest.mark.parametrize(
    "named", ["webcam:virtual?document=1", "replay:old", "acme:cam", "sane:v4l:/dev/video0", "v4l:/dev/video0"]
)
def test_a_camera_or_recording_is_not_shared_though_it_is_named_and_that_is_told(tmp_path: Path, named: str) -> None:
    async def main() -> Sharing:
        service = Service(Settings(share="on"), Paths.from_environment({"DWTSVC_HOME": str(tmp_path)}))
        sharing = Sharing(service)
        kind = "camera" if named == "acme:cam" else "scanner"
        await sharing._offer(OWN, [replace(device(named), kind=kind)])
        await service.stop()
        return sharing

    sharing = asyncio.run(main())
    assert sharing.records() == []
    (warning,) = sharing.warnings()
    assert warning.startswith(f"{named} is not shared: Cameras and recordings are not shared")


def test_a_share_is_the_same_scanner_and_listed_once() -> None:
    usb, share = device("sane:usb"), device(f"escl:{shared_uuid(OWN, 'sane:usb')}")
    named, far = device(f"escl:{shared_uuid(OWN, 'virtual:adf?pages=2')}"), device("escl:far")
    way, other = (
        replace(device("sane:airscan:e0:Acme @ desk"), kind="ip=192.0.2.1"),
        device("sane:airscan:e1:Acme @ far"),
    )
    way, other = replace(way, model="Acme @ desk"), replace(other, model="Acme @ far", kind="ip=192.0.2.1")
    seen = {share.id: Record(urls=("http://192.0.2.1:18627/acme/eSCL",), name="Acme @ desk")}

    def ask(uuid: str) -> Record:
        return seen.get(f"escl:{uuid}", Record())

    found = without_shared([share, usb, named, far, way, other], OWN, ask, ["virtual:adf?pages=2"])
    assert [each.id for each in found] == ["sane:usb", "escl:far", other.id]
    assert found[0].also == (share.id, way.id)
    assert without_shared([usb, way], OWN, ask) == [replace(usb, also=(way.id,))], "also while the other is not listed"
    assert without_shared([share, usb, way], None, ask) == [share, usb, way]


def test_the_identity_of_a_share_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "share-id"
    assert share_id(path) is None
    made = share_id(path, make=True)
    assert made is not None and share_id(path, make=True) == made == share_id(path)
    assert shared_uuid(made, "a") == shared_uuid(made, "a") != shared_uuid(made, "b")


def test_names_and_addresses_are_the_same_after_a_restart(tmp_path: Path) -> None:
    told = []
    for _ in range(2):
        with sharing(tmp_path / "home", ADF, GLASS) as shared:
            told.append([(record["uuid"], record["url"].split("/")[3]) for record in shared.records])
        shutil.rmtree(tmp_path / "home" / "sane")
    assert told[0] == told[1] and len(set(told[0])) == 2


# -- what is told ------------------------------------------------------------------------------------------------


def test_a_range_of_resolutions_is_told_one_by_one() -> None:
    made = offer(surface(Source.FLATBED, resolutions=Range(minimum=100, maximum=400, step=50)))
    assert made.description("http://x").inputs[0].resolutions == (100, 150, 200, 300, 400)
    odd = offer(surface(Source.FLATBED, resolutions=Range(minimum=301, maximum=302)))
    assert odd.description("http://x").inputs[0].resolutions == (301,)


def test_the_record_of_an_announcement_says_what_clients_choose_by() -> None:
    made = offer(surface(Source.DUPLEX, Mode.GRAY, Mode.LINEART), surface(Source.FEEDER, Mode.GRAY))
    record = made.record("http://192.0.2.1:18627", "desk")
    assert record["is"] == "adf" and record["duplex"] == "T" and record["cs"] == "grayscale,binary"
    assert record["rs"] == f"{made.slug}/eSCL" and record["uuid"] == made.uuid and record["note"] == "desk"
    assert record["adminurl"] == "http://192.0.2.1:18627/" and record["txtvers"] == "1"


def test_the_name_of_an_announcement_fits_into_the_dns_and_keeps_twins_apart() -> None:
    made = offer(surface(Source.FLATBED))
    assert made.instance("desk", twin=False) == "Acme Model sane:acme @ desk"
    assert made.uuid[:4] in made.instance("desk", twin=True)
    long = Offer(device=Device(id="x", vendor="", model="é" * 100), uuid=made.uuid, capabilities=made.capabilities)
    assert len(long.instance("desk.example", twin=True).encode()) <= 63
    assert long.instance("desk", twin=False).endswith("é @ desk")
    assert long.slug == f"scanner-{made.uuid[:6]}"


def test_an_order_without_a_place_is_for_the_feeder_of_a_scanner_without_a_glass() -> None:
    ticket = Ticket(source=Source.FLATBED, mode=Mode.COLOR, resolution=300, format="image/jpeg")
    assert offer(surface(Source.FEEDER)).request(ticket).source is Source.FEEDER
    assert offer(surface(Source.FEEDER), surface(Source.FLATBED)).request(ticket).source is Source.FLATBED


def test_an_order_that_leaves_mode_and_resolution_open_gets_what_the_scanner_has() -> None:
    ticket = Ticket(source=Source.FLATBED, mode=Mode.AUTO, resolution=0, format="image/jpeg")
    made = offer(surface(Source.FLATBED, Mode.GRAY, resolutions=(200, 600)))
    asked = made.request(ticket)
    assert (asked.mode, asked.resolution) == (Mode.GRAY, 200)
    assert made.measure(ticket) == (1654, 2339, 1654)  # 210 x 297 mm at 200 dpi, a byte for each pixel


@pytest.mark.parametrize(
    "changed",
    [
        {"source": Source.DUPLEX},
        {"mode": Mode.GRAY},
        {"resolution": 200},
        {"format": "image/tiff"},
        {"area": Area(left=209.5, width=100, height=100)},
        {"area": Area(top=500, width=100, height=100)},
    ],
)
def test_what_a_scanner_cannot_do_is_refused(changed: dict[str, Any]) -> None:
    wish: dict[str, Any] = {"source": Source.FLATBED, "mode": Mode.COLOR, "resolution": 300, "format": "image/png"}
    with pytest.raises(BadArguments):
        offer(surface(Source.FLATBED)).request(Ticket(**(wish | changed)))


# -- who is near -------------------------------------------------------------------------------------------------


def test_the_networks_around_an_address_are_those_of_its_card() -> None:
    assert {str(each) for each in around("127.0.0.1")} == {"127.0.0.0/8", "::1/128"}
    assert [str(each) for each in around("203.0.113.77")] == ["203.0.113.77/32"]


def test_the_list_of_networks_knows_mapped_addresses_and_zones() -> None:
    allowed = Allowed([ip_network("192.168.7.0/24"), ip_network("fe80::/10")])
    assert all(each in allowed for each in ("192.168.7.1", "::ffff:192.168.7.1", "fe80::1%eth0"))
    assert not any(each in allowed for each in ("192.168.8.1", "::ffff:8.8.8.8", "fd00::1", "", "nobody"))


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:80", "x.local.example", "[x]", "a b", "127.1/", "1" * 300]
)
def test_a_host_that_is_not_surely_ours_is_refused(host: str) -> None:
    assert not is_own(host, frozenset({"desk"}))


@pytest.mark.parametrize("host", ["desk", "desk:18627", "desk.local", "10.0.0.1", "[fd00::1]:80"])
def test_a_host_that_can_only_be_ours_is_taken(host: str) -> None:
    assert is_own(host, frozenset({"desk"}))


# -- helpers -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def started(folder: Path, *words: str, monitor: bool = False, **variables: str) -> Iterator[tuple[Any, list[Any]]]:
    """`dwtsvc serve` with these words and no scanners but the virtual ones; its process, and what it shares."""
    home = folder / "home"
    (home / "sane").mkdir(parents=True)
    (home / "sane" / "dll.conf").write_text("")
    quiet = {"DWTSVC_ESCL_DISCOVERY": "off", "DWTSVC_SHARE_ANNOUNCE": "off", "SANE_CONFIG_DIR": str(home / "sane")}
    http, https = free_port(), free_port()
    ports = ["--http-port", str(http), "--https-port", str(https)]
    command = [*PROGRAM, "serve", *([] if monitor else ["--no-monitor"]), *ports, *words]
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment(home, **{**quiet, **variables}), stdout=log, stderr=log)
    try:
        await_answer(http, process, home / "serve.log")
        yield process, await_shared(Served(home, http, https, process))
    finally:
        process.terminate()
        process.wait(PATIENCE)


def sockets_of(pid: int) -> set[tuple[str, int]]:
    """The addresses that a process listens at."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(file).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table, family in (("tcp", 4), ("tcp6", 16)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                host, _, port = fields[1].partition(":")
                found.add((address_of(bytes.fromhex(host), family), int(port, 16)))
    return found


def address_of(packed: bytes, family: int) -> str:
    words = b"".join(packed[at : at + 4][::-1] for at in range(0, family, 4))
    if sys.byteorder == "big":
        words = packed
    return socket.inet_ntop(socket.AF_INET if family == 4 else socket.AF_INET6, words)
