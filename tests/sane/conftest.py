"""Fixtures for everything that talks to SANE: real backends in closed configuration folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from . import rig


def demand(missing: list[str], in_ci: bool) -> None:
    """Skip where a person's machine lacks parts; in CI a test that silently does not run is a failure."""
    if not missing:
        return
    reason = f"the SANE tests need {', '.join(missing)}"
    if in_ci:
        pytest.fail(reason)
    pytest.skip(reason)


class Faulty:
    """The faulty backend in a folder of its own: `faulty(action="segv", fail_at=3)` arms it for this process."""

    def __init__(self, folder: Path, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._library, self._patch = folder, library, monkeypatch
        self.log = folder / "calls.log"

    def __call__(self, **settings: object) -> dict[str, str]:
        """Set the variables, forgetting those of an earlier call, and return them."""
        for name in [name for name in os.environ if name.startswith("DWTFAULT_")]:
            self._patch.delenv(name)
        env = rig.environment_of_dwtfault(self._folder, self._library, **settings)
        for name, value in env.items():
            self._patch.setenv(name, value)
        return env

    def calls(self, name: str | None = None) -> list[rig.Call]:
        return rig.calls(self.log, name)

    def died_at(self) -> float:
        """When the fault struck, in seconds of time.monotonic()."""
        return self.calls("misbehave")[-1].when

    def left_idle(self) -> bool:
        return rig.left_idle(self.log)


@pytest.fixture(scope="session")
def sane_parts() -> None:
    """The system parts that the tests here stand on."""
    demand(rig.missing(), in_ci=os.environ.get("CI") == "true")


@pytest.fixture(scope="session")
def fault_library(sane_parts: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dwtfault.c, compiled once."""
    return rig.build(tmp_path_factory.mktemp("dwtfault"))


@pytest.fixture
def faulty(fault_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faulty:
    return Faulty(tmp_path / "sane.d", fault_library, monkeypatch)


@pytest.fixture
def sane_test(fault_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """SANE's own test backend (test:0, test:1, test:2) for this process and those it starts."""
    env = rig.environment_of_test(tmp_path / "sane.d", fault_library)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return env
