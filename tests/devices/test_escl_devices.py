"""The driver with answers like those of real devices. They are reconstructed: see escldevices.py."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from dwtsvc.devices.escl import EsclDriver
from dwtsvc.devices.esclhttp import Limits
from dwtsvc.devices.esclknown import Known
from dwtsvc.model import Capabilities, Mode, Range, ScanRequest, Source

from .conformance import collected
from .escldevices import BROTHER_DS940, HP_OFFICEJET, HP_PHOTOSMART, KYOCERA_M5526, XEROX_B235, Model
from .esclserver import FakeScanner, Hook, Request

QUICK = Limits(connect=5, silence=20, answer=20, busy=5, ready=5, wait=0.05)
MODELS = {
    "Xerox B235": XEROX_B235,
    "Brother DS-940DW": BROTHER_DS940,
    "HP Photosmart": HP_PHOTOSMART,
    "HP OfficeJet": HP_OFFICEJET,
    "Kyocera M5526cdw": KYOCERA_M5526,
}


@pytest.fixture
def driver(tmp_path: Path) -> EsclDriver:
    return EsclDriver(Known(tmp_path / "known.json"), look=False, limits=QUICK)


def become(scanner: FakeScanner, model: Model) -> None:
    """Have the fake answer as that device does."""

    def tell(document: str) -> Hook:
        def answer(request: Request) -> None:
            request.answer(200, document.encode(), "text/xml", headers=dict(model.headers))

        return answer

    scanner.setup.hooks["ScannerCapabilities"] = tell(model.capabilities)
    if model.status:
        scanner.setup.hooks["ScannerStatus"] = tell(model.status)


def described(driver: EsclDriver, model: Model) -> Capabilities:
    with FakeScanner() as scanner:
        become(scanner, model)
        with driver.open(scanner.url) as opened:
            return opened.capabilities()


@pytest.mark.parametrize("name", MODELS)
def test_it_scans_from_every_source_in_every_mode_it_names(driver: EsclDriver, name: str) -> None:
    with FakeScanner() as scanner:
        become(scanner, MODELS[name])
        with driver.open(scanner.url) as opened:
            able = opened.capabilities()
            for source in able.sources:
                for mode in source.modes:
                    scanner.sheets = 1
                    wish = ScanRequest(
                        device="any", source=source.source, mode=mode, resolution=source.nearest_resolution(1)
                    )
                    pages = list(collected(opened.scan(able.resolve(wish), Event())))
                    assert len(pages) == (2 if source.source is Source.DUPLEX else 1)
                    assert scanner.idle


def test_what_each_can_do_is_understood(driver: EsclDriver) -> None:
    told = {name: described(driver, model) for name, model in MODELS.items()}
    assert {name: [str(each.source) for each in able.sources] for name, able in told.items()} == {
        "Xerox B235": ["flatbed", "feeder"],
        "Brother DS-940DW": ["feeder"],
        "HP Photosmart": ["feeder"],
        "HP OfficeJet": ["flatbed", "feeder", "duplex"],
        "Kyocera M5526cdw": ["flatbed"],
    }
    assert {name: f"{able.vendor}|{able.model}" for name, able in told.items()} == {
        "Xerox B235": "Xerox|Xerox(R) B235 MFP",
        "Brother DS-940DW": "|DS-940DW",
        "HP Photosmart": "|Hewlett Packard Photosmart C4760",
        "HP OfficeJet": "HP|OfficeJet Pro 9120e Series",
        "Kyocera M5526cdw": "|Kyocera ECOSYS M5526cdw",
    }


def test_the_limits_of_each_are_understood(driver: EsclDriver) -> None:
    xerox = described(driver, XEROX_B235)
    assert xerox.for_source(Source.FLATBED).resolutions == (75, 150, 200, 300, 400, 600)
    assert next(each.range for each in xerox.options if each.name == "brightness") == Range(
        minimum=1, maximum=9, step=1
    )
    brother = described(driver, BROTHER_DS940).for_source(Source.FEEDER)
    assert round(brother.max_height) == 3099
    assert set(brother.modes) == {Mode.COLOR, Mode.GRAY, Mode.LINEART}
    kyocera = described(driver, KYOCERA_M5526).for_source(Source.FLATBED)
    assert kyocera.resolutions == Range(minimum=200, maximum=600, step=100)
    assert described(driver, HP_PHOTOSMART).device.startswith("escl:http://")  # its UUID is none


def test_an_old_job_of_somebody_else_is_not_taken_for_ours(driver: EsclDriver) -> None:
    with FakeScanner() as scanner:
        scanner.setup.hooks["ScannerStatus"] = lambda request: request.answer(200, KYOCERA_M5526.status.encode())
        with driver.open(scanner.url) as opened:  # the fake's first job ends in -1, and the cancelled one is called 1
            wish = ScanRequest(device="any", source=Source.FEEDER, resolution=75)
            assert len(list(collected(opened.scan(opened.capabilities().resolve(wish), Event())))) == 4
