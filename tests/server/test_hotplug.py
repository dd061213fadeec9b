"""A whole service: a network scanner that announces itself appears in the events, and vanishes when it says goodbye."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.devices.test_escl import announced

from .daemon import running
from .running import free_port

PORT = free_port()  # nobody listens there; the name of the scanner is made of it


def told(stream: Any) -> Iterator[tuple[str, Any]]:
    """The events and what they tell."""
    name = ""
    for line in stream:
        word, _, rest = line.decode().rstrip("\n").partition(": ")
        name = rest if word == "event" else name
        if word == "data":
            yield name, json.loads(rest)


def the(events: Iterator[tuple[str, Any]], wanted: Callable[[str, Any], bool]) -> Any:
    """What the first event tells that is wanted; others' scanners may come and go meanwhile."""
    return next(value for name, value in events if wanted(name, value))


def ours(value: Any) -> bool:
    return str(PORT) in value["id"]


@pytest.mark.timeout(180)
def test_a_scanner_that_announces_itself_appears_and_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sane").mkdir()
    (tmp_path / "sane" / "dll.conf").write_text("")
    monkeypatch.setenv("SANE_CONFIG_DIR", str(tmp_path / "sane"))
    with running(tmp_path / "home", monitor=False, escl_discovery="on") as service:
        url = f"{service.url}/api/device/scanners/events"
        with urllib.request.urlopen(url, timeout=90) as stream:
            events = told(stream)
            first = the(events, lambda name, _: name == "scanners")
            assert not [each for each in first if ours(each)]
            with announced(PORT, ty="Acme Paperlight", rs="eSCL"):
                found = the(events, lambda name, value: name == "appeared" and ours(value))
                assert found["name"] == "Acme Paperlight"
            the(events, lambda name, value: name == "vanished" and ours(value))
