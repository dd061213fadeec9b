"""Disks and folders as tests want them."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def mounted(folder: Path, *options: str) -> Iterator[Path]:
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", *options, "none", str(folder)], capture_output=True).returncode:
        pytest.skip("no right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def open_files(within: Path) -> list[str]:
    """What this process has open in a folder. Not all that it has: threads of other tests open and close things."""
    gc.collect()
    return sorted(name for name in _open_files() if name.startswith(str(within)))


def _open_files() -> Iterator[str]:
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # closed since
            yield os.readlink(f"/proc/self/fd/{number}")


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def forbid_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
