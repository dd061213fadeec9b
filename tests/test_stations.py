"""The lock of a device: who uses it, who only keeps it, and the moment in which its file does not say so yet."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dwtsvc import locks, stations
from dwtsvc.errors import ScannerBusy
from dwtsvc.stations import glancing, lock_path

DEVICE = "virtual:adf"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return lock_path(tmp_path, DEVICE)


def test_a_device_that_is_in_use_is_busy_and_its_user_is_told(path: Path) -> None:
    held = locks.open_locked(path)
    assert held is not None
    path.write_text("123")
    with pytest.raises(ScannerBusy, match="process 123 is scanning"):
        stations._lock_device(DEVICE, path)
    os.close(held)


def test_a_glance_that_has_not_signed_yet_is_not_taken_for_the_scan_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("123")  # a scan that is over
    held = locks.open_locked(path)
    assert held is not None

    def meanwhile(_: float) -> None:
        os.close(held)

    monkeypatch.setattr(stations, "sleep", meanwhile)
    os.close(stations._lock_device(DEVICE, path))
    with glancing(path.parent, DEVICE) as free:
        assert free
