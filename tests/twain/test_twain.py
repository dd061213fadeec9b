"""The TWAIN driver every day: the suite of suite.py with a source manager for Linux, in a pytest of its own.

pytwain is GPLv2 and pyinsane2 GPLv3: no process has both.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.twain import wine

SUITE = Path(__file__).with_name("suite.py")


def test_the_twain_driver_conforms_in_a_process_of_its_own() -> None:
    if importlib.util.find_spec("twain") is None:
        pytest.skip("pytwain is not installed")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SUITE)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout


def test_what_is_missing_for_the_tests_in_wine_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wine, "PLACES", ())
    monkeypatch.setenv("PATH", "")
    with pytest.raises(wine.Missing) as told:
        wine.check()
    assert "sudo apt-get install wine64 gcc-mingw-w64-x86-64" in str(told.value)
