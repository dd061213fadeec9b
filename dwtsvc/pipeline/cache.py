"""What was found out about pages, by what they are and what was asked: read text does not change from run to run.

One small file a page, private, in a folder that may be deleted at any time; pixels are not kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import time
from dataclasses import replace
from pathlib import Path

import xxhash

from dwtsvc.disk import private
from dwtsvc.limits import loads
from dwtsvc.pipeline.recipe import Done, Task
from dwtsvc.records import pack
from dwtsvc.version import __version__

KEEP_DAYS = 30
MOST_FILES = 20_000
CHECKSUM = 16  # bytes


def load(task: Task) -> list[Done] | None:
    """What an earlier run found out about this page with this recipe; None if nothing is known."""
    file = _file(task)
    if file is None:
        return None
    try:
        found: list[Done] = loads(_checked(file.read_bytes()))
        return [replace(done, number=task.number, back=task.back) for done in found]
    except Exception:  # nonsense in the file is as good as no file
        return None


def save(task: Task, found: list[Done]) -> None:
    """Remember it. A cache that cannot be written is no cache, and no error."""
    file = _file(task)
    if file is None:
        return
    data = pickle.dumps([replace(done, picture=None) for done in found])
    part = file.with_name(f"{file.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        _make_folders(file.parent)
        try:
            with open(part, "wb", opener=private) as out:
                out.write(xxhash.xxh3_128_digest(data) + data)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


def prune(folder: Path) -> None:
    """Delete what is old, and the oldest of too many."""
    with contextlib.suppress(OSError):
        parts = [part for part in folder.iterdir() if part.is_dir()]
        files = sorted((entry.stat().st_mtime, entry.path) for part in parts for entry in os.scandir(part))
        oldest = time.time() - KEEP_DAYS * 86400
        for number, (when, path) in enumerate(reversed(files)):
            if when < oldest or number >= MOST_FILES:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def _checked(data: bytes) -> bytes:
    """What follows the checksum. Raises ValueError: a flipped bit in a text would be believed."""
    if xxhash.xxh3_128_digest(data[CHECKSUM:]) != data[:CHECKSUM]:
        raise ValueError("its checksum does not fit")
    return data[CHECKSUM:]


def _make_folders(folder: Path) -> None:
    """A folder and those above it, private; `mkdir(parents=True)` would let others read those above."""
    if not folder.is_dir():
        _make_folders(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _file(task: Task) -> Path | None:
    """Two pages may have the same bytes: what says how they lie, and in what resolution, is part of the name."""
    if task.cache is None or not task.checksum:
        return None
    kind = {**pack(task.original), "content": None, "password": None}
    asked = json.dumps([__version__, task.checksum, kind, task.recipe], default=pack, sort_keys=True)
    name = xxhash.xxh3_128_hexdigest(asked.encode())
    return task.cache / name[:2] / name[2:]
