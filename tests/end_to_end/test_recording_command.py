"""`dwtsvc scan --record` and `-d replay:`, as a person who makes a bug report uses them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.conftest import DWTSVC, Place

THREE = "virtual:adf?pages=3"


def test_a_replay_gives_the_same_files_as_the_scan(place: Place) -> None:
    scan = ("scan", "-r", "60", "--mode", "gray")
    assert place.run(*scan, "-d", THREE, "--record", "case.dwt", "-o", "live-{n}.png").code == 0
    assert place.run("scan", "-d", "replay:case.dwt", "-o", "played-{n}.png").code == 0
    for number in "123":
        assert (place / f"live-{number}.png").read_bytes() == (place / f"played-{number}.png").read_bytes()


def test_the_case_is_told_last_and_in_json_as_an_event(place: Place) -> None:
    done = place.run("scan", "-d", "virtual:flatbed", "-r", "50", "--record", "c.dwt", "--record-masked", "--json")
    assert {"event": "recorded", "file": "c.dwt", "masked": True} in done.events


@pytest.mark.parametrize(
    "options",
    [("--record-masked",), ("--record", "a.dwt", "--dry-run"), ("--record", "a.dwt", "--recover")],
    ids=" ".join,
)
def test_options_that_record_nothing_are_refused(place: Place, options: tuple[str, ...]) -> None:
    assert place.run("scan", "-d", "virtual:flatbed", *options).code == 2
    assert not (place / "a.dwt").exists()


def test_a_case_that_exists_is_kept_and_no_paper_moves(place: Place) -> None:
    (place / "a.dwt").write_bytes(b"mine")
    assert place.run("scan", "-d", "virtual:flatbed", "--record", "a.dwt", "-o", "a.png").code == 5
    assert (place / "a.dwt").read_bytes() == b"mine"
    assert not (place / "a.png").exists()


def test_kill_9_leaves_a_case_that_plays_up_to_there(place: Place) -> None:
    command = [DWTSVC, "scan", "-d", "virtual:adf?pages=500", "-r", "60", "--record", "k.dwt", "-o", "k.pdf", "--json"]
    child = subprocess.Popen(command, cwd=place.folder, env=os.environ, stdout=subprocess.PIPE)
    assert child.stdout
    for _ in range(3):
        child.stdout.readline()
    child.kill()
    child.communicate()
    played = place.run("scan", "-d", "replay:k.dwt", "-r", "60", "-o", "p-{n}.jpg")
    assert played.code == 29
    assert "The recording ends here" in played.err
    assert {"p-1.jpg", "p-2.jpg", "p-3.jpg"} <= {path.name for path in Path(place.folder).glob("p-*.jpg")}


def test_a_recording_is_a_device_that_can_be_looked_at(place: Place) -> None:
    assert place.run("scan", "-d", THREE, "-r", "50", "--record", "case.dwt", "-o", "a.pdf").code == 0
    live, played = (
        json.loads(place.run("devices", "-c", device, "--json").out) for device in ("virtual:adf", "replay:case.dwt")
    )
    assert played["sources"] == live["sources"]
    assert (played["vendor"], played["model"]) == ("dwtsvc", "Virtual document scanner")
