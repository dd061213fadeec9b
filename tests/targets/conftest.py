"""A user with a file, a store of secrets without a keyring, and little patience."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dwtsvc.paths import Paths
from dwtsvc.secrets import Secrets
from dwtsvc.targets import Patience
from tests.targets.peers import WebServer


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backends.fail import Keyring

    monkeypatch.setattr(keyring, "get_keyring", Keyring)
    monkeypatch.setenv("DWTSVC_HOME", str(tmp_path / "home"))
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"DWTSVC_HOME": str(tmp_path / "home")})


@pytest.fixture
def secrets(paths: Paths) -> Secrets:
    return Secrets.of(paths)


@pytest.fixture
def quick() -> Patience:
    return Patience(first=0.01, longest=0.02, total=30)


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "Letter of May.pdf"
    path.write_bytes(b"%PDF-1.7 " + bytes(range(256)) * 800)
    return path


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server
