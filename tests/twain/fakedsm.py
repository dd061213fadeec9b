"""Gives pytwain a data source manager for Linux, at the one place where it loads one, and a message loop.

Everything of pytwain and of the driver above these runs as on Windows; the loading of the real manager, Windows' memory
and its messages do not: those are for `make test-twain`.
"""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import twain

HERE = Path(__file__).parent


def build(folder: Path) -> Path:
    """Compile linux/dsm.c, with fakeds.c in it."""
    library = folder / "libfakedsm.so"
    sources = ["-I", str(HERE / "linux"), str(HERE / "linux" / "dsm.c")]
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", *sources, "-o", library], check=True
    )
    return library


def install(folder: Path) -> None:
    """Make it this process's TWAIN."""
    library = ctypes.CDLL(str(build(folder)))

    def get_message(message: Any, *_: object) -> int:
        return int(library.next_message(message))

    twain._get_dsm = lambda name, protocol_major_version: library
    twain.windows.GetMessage = get_message
    twain.windows.TranslateMessage = twain.windows.DispatchMessage = lambda message: 0
