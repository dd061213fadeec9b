"""The shared suite against the drivers that run here.

SANE is loaded once a process and reads its configuration then, so its turn is a pytest of its own.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dwtsvc.model import Encoding, Mode, Raster
from tests.sane.rig import configure

from .conformance import Conformance, Rig, image_of
from .esclserver import FakeScanner

SANE_TURN = "DWTSVC_TEST_SANE_CONFORMANCE"


def serial_of(raster: Raster, data: bytes) -> int:
    from dwtsvc.devices.documents import read_serial

    return read_serial(image_of(raster, data), raster.dpi)


def virtual_rig() -> Rig:
    from dwtsvc.devices import virtual

    return Rig(
        driver=virtual.driver,
        prefix="virtual",
        feeder="adf",
        sheets=7,
        flatbed="flatbed",
        lasting="adf",
        unknown="nowhere",
        option=("brightness", "-40"),
        duplex=True,
        read_serial=serial_of,
    )


class TestVirtual(Conformance):
    @pytest.fixture
    def rig(self) -> Rig:
        return virtual_rig()


class TestReplay(Conformance):
    @pytest.fixture
    def rig(self, request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
        """The case in which the same test with the virtual scanner was recorded."""
        from dwtsvc.devices import cases, virtual
        from dwtsvc.devices.recording import Recording
        from dwtsvc.devices.replay import ReplayDriver

        case = tmp_path / "case.dwt"
        cases.create(case)
        with closing(cases.CaseWriter(case, "virtual")) as writer:
            live = replace(virtual_rig(), driver=lambda: Recording(virtual.driver(), writer))
            arguments = getattr(getattr(request.node, "callspec", None), "params", {})
            request.function(rig=live, **arguments)
        played = dict.fromkeys(("feeder", "flatbed", "lasting"), case.name)
        return replace(live, driver=lambda: ReplayDriver(tmp_path), prefix="replay", **played)


class TestWebcam(Conformance):
    @pytest.fixture
    def rig(self) -> Rig:
        from dwtsvc.devices.webcam import WebcamDriver

        card = "lavfi:testsrc=size=1600x1200"
        return Rig(
            driver=lambda: WebcamDriver(virtual=True),
            prefix="webcam",
            feeder=card,
            sheets=0,
            flatbed=card,
            lasting=card,
            unknown="/dev/no-such-camera",
            option=("rotate", "180"),
            modes=(Mode.COLOR, Mode.GRAY),
        )


class TestEscl(Conformance):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        from dwtsvc.devices.escl import EsclDriver
        from dwtsvc.devices.esclknown import Known

        known = Known(tmp_path / "known.json")
        with FakeScanner() as scanner:
            yield Rig(
                driver=lambda: EsclDriver(known, addresses=(scanner.url,), look=False),
                prefix="escl",
                feeder=scanner.url,
                sheets=scanner.sheets,
                flatbed=scanner.url,
                lasting=scanner.url,
                unknown="http://127.0.0.1:1/eSCL",
                option=("brightness", "-40"),
                duplex=True,
                read_serial=serial_of,
                encodings=(Encoding.JPEG, Encoding.PNG),
            )
            assert scanner.idle


if SANE_TURN in os.environ:

    class TestSane(Conformance):
        @pytest.fixture
        def rig(self) -> Rig:
            from dwtsvc.devices import sane

            return Rig(
                driver=sane.driver,
                prefix="sane",
                feeder="test:0",
                sheets=10,
                flatbed="test:0",
                lasting="test:0",
                unknown="test:99",
                option=("test-picture", "Grid"),
            )


def test_the_sane_driver_conforms_in_a_process_of_its_own(tmp_path: Path) -> None:
    if importlib.util.find_spec("pyinsane2") is None:
        pytest.skip("pyinsane2 is not installed")
    folder = configure(tmp_path, "test")
    env = {**os.environ, SANE_TURN: "1", "SANE_CONFIG_DIR": str(folder), "PYINSANE_SINGLE_THREAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::TestSane"]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=110, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
