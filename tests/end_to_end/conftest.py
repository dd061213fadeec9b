"""The installed command in a folder of its own, with a home of its own, against real SANE backends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.sane.conftest import fault_library, faulty, sane_parts, sane_test

__all__ = ["fault_library", "faulty", "sane_parts", "sane_test"]

DWTSVC = str(Path(sys.executable).with_name("dwtsvc"))


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


class Place:
    """A working folder; `run` runs dwtsvc in it and waits."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home

    def run(self, *arguments: str, timeout: float = 120, **environment: str) -> Ran:
        done = subprocess.run(
            [DWTSVC, *arguments],
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
        )
        return Ran(done.returncode, done.stdout, done.stderr.decode())

    def files(self) -> list[str]:
        """What lies in the folder, hidden files too."""
        return sorted(path.name for path in self.folder.iterdir())

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("DWTSVC_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("SANE_DEFAULT_DEVICE", "DWTSVC_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    return Place(folder, home)
