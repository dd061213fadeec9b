"""Fixtures for tests of every room."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from dwtsvc.sealing import SHARED_MEMORY, shared_folder
from tests.disks import mounted

# What stands in the network of the machine that runs the tests is none of their business.
os.environ.setdefault("DWTSVC_ESCL_DISCOVERY", "off")
SANE = Path("/etc/sane.d")
if "SANE_CONFIG_DIR" not in os.environ and (SANE / "dll.d" / "airscan").exists():  # it would look for scanners, too
    _own = tempfile.mkdtemp(prefix="sane-")
    atexit.register(shutil.rmtree, _own, ignore_errors=True)
    shutil.copytree(SANE, _own, ignore=lambda folder, names: {"airscan"} & set(names), dirs_exist_ok=True)
    os.environ["SANE_CONFIG_DIR"] = _own

# How long an example takes says more of the machine's other work than of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)  # so that the tests run without it, too
def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: much of its time a test waits for processes, timers and sockets."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session", autouse=True)
def _no_key_stays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A service's key lies in memory, outside its home, and is there for the service that comes after a killed one."""
    yield
    if SHARED_MEMORY.is_dir():
        for base, folders, _ in os.walk(tmp_path_factory.getbasetemp()):
            for state in folders:
                shutil.rmtree(shared_folder(Path(base, state)), ignore_errors=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "small", "-o", "size=256k")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "fixed", "-o", "ro")
