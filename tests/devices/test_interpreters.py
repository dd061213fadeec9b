"""Which Python drives which source: a bare one without any package is enough for the worker of 32 bits."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from dwtsvc.devices import interpreters
from dwtsvc.devices.process import DeviceProcess, ProcessChild


@pytest.fixture(autouse=True)
def _forget() -> None:
    interpreters.python32.cache_clear()


def test_every_other_driver_runs_in_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(interpreters.NAMED, "/opt/python32/python")
    assert interpreters.command("dwtsvc.devices.twain")[0] == sys.executable
    assert interpreters.command(interpreters.TWAIN32)[0] == "/opt/python32/python"


def test_without_another_python_this_one_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(interpreters.NAMED, raising=False)
    assert interpreters.command(interpreters.TWAIN32)[0] == sys.executable


def test_a_bare_python_runs_the_worker_with_the_packages_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("twain") is None:
        pytest.skip("pytwain is not installed")
    # Isolated and without its own packages, as the small Python for Windows is, which is unpacked and not installed.
    bare = tmp_path / "python32"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setenv(interpreters.NAMED, str(bare))
    with DeviceProcess(ProcessChild(interpreters.TWAIN32), timeout=20) as worker:
        assert list(worker.devices(20)) == []  # there is no TWAIN here, which is no error of a list


@pytest.mark.parametrize(("driver", "number"), [("twain32", 16), ("wia", 32), ("twain", 64), ("sane", 256)])
def test_a_driver_has_its_number_in_the_rest_api(driver: str, number: int) -> None:
    from dwtsvc.server.rest.devicetext import type_of

    assert type_of(f"{driver}:some scanner") == number
