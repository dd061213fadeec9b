"""The report of a batch: a line of JSON for each input, what became of it, and so what need not be done again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from dwtsvc.disk import telling
from dwtsvc.errors import DwtsvcError, FileAccess
from dwtsvc.parts import PartFile
from dwtsvc.pipeline.entries import Entry, free_names
from dwtsvc.version import __version__

NAME = "report.jsonl"
LIBRARIES = ("pypdfium2", "pikepdf", "pypdf", "Pillow", "zxing-cpp", "opencv-python-headless")

Key = tuple[str, str, str]


class Report:
    """The lines of earlier runs, and those of this one. Several processes may write into the same file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done = {_key(line): line for line in self._lines() if not line.get("error")}
        self.ids = {line["id"] for line in self._done.values() if "id" in line}

    def done(self, entries: Sequence[Entry], settings: str) -> list[dict[str, Any]] | None:
        """The lines of these inputs if all of them are done with these settings."""
        found = [self._done.get((str(entry.path), entry.sha256, settings)) for entry in entries]
        return [line for line in found if line] if all(found) else None

    def add(self, lines: Sequence[dict[str, Any]]) -> None:
        """Write lines; when this returns they are safe. Raises DiskFull and FileAccess."""
        data = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
        with telling(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                if file.tell() and not self._is_whole(file.fileno()):
                    data = b"\n" + data
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for line in lines:
            if not line.get("error"):
                self._done[_key(line)] = line

    def _is_whole(self, file: int) -> bool:
        """Whether its last line was written to its end."""
        return os.pread(file, 1, os.fstat(file).st_size - 1) == b"\n"

    def _lines(self) -> list[dict[str, Any]]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise FileAccess(f"{self.path} cannot be read", why=error.strerror or str(error)) from error
        return [line for text in data.splitlines() if (line := _parsed(text))]


def fingerprint(asked: Any) -> str:
    """What was asked for, as a word that is another one when anything of it is."""
    from dwtsvc.records import plain

    said = json.dumps(asked, default=plain, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def told(error: DwtsvcError) -> dict[str, Any]:
    """An error for programs."""
    return {
        "word": error.word,
        "code": error.exit_code,
        "what": error.what,
        "why": error.why,
        "hint": error.hint,
    }


def write_error(folder: Path, name: str, line: dict[str, Any]) -> Path:
    """Write NAME.error.json with why an input failed, and with what; its path. Of the same input it is written anew."""
    data = json.dumps({**line, "versions": versions()}, indent=1, ensure_ascii=False).encode() + b"\n"
    path = folder / f"{name}.error.json"
    with telling(path):
        folder.mkdir(parents=True, exist_ok=True)
        part = PartFile(path, force=True) if _is_of(path, line) else PartFile(next(free_names(path)))
        try:
            part.file.write(data)
            return part.commit()
        finally:
            part.abort()


def _is_of(path: Path, line: dict[str, Any]) -> bool:
    """Whether a record is of the same input."""
    try:
        held = json.loads(path.read_bytes())
        return all(held[name] == line[name] for name in ("path", "sha256"))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def versions() -> dict[str, str]:
    """dwtsvc and what it reads files with."""
    import platform

    found = {"dwtsvc": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _parsed(text: bytes) -> dict[str, Any] | None:
    """A line of the report; None for one that was torn, or is somebody else's."""
    try:
        line = json.loads(text)
        return line if isinstance(line, dict) and all(_key(line)) else None
    except (ValueError, KeyError):
        return None


def _key(line: dict[str, Any]) -> Key:
    return str(line["path"]), str(line["sha256"]), str(line["settings"])
