"""Files and programs of the system, as an installation changes them: the same again is no change."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dwtsvc.disk import part_of
from dwtsvc.errors import ChildProgramFailed, FileAccess, MissingDependency

PATIENCE = 120  # seconds for one program; a start waits until the service is ready


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended, and all that it printed."""

    code: int
    output: str


Run = Callable[[Sequence[str]], Outcome]


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A file that an installation puts in place; one that is not `wanted` is offered only, see `offer`."""

    path: Path
    data: bytes
    offer: str = ""

    @property
    def wanted(self) -> bool:
        return not self.offer

    @property
    def text(self) -> str:
        return self.data.decode("utf-16" if self.data.startswith(b"\xff\xfe") else "utf-8")


def run(command: Sequence[str]) -> Outcome:
    """Run a program to its end. Raises MissingDependency, ChildProgramFailed if it does not end."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE
        )
    except FileNotFoundError:
        raise MissingDependency(f"The program {command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ChildProgramFailed(f"`{' '.join(command)}` did not end", why=f"{PATIENCE} s were over") from None
    return Outcome(done.returncode, done.stdout.decode(errors="replace").strip())


def check(run: Run, command: Sequence[str], hint: str = "") -> Outcome:
    """Run a program that must succeed. Raises ChildProgramFailed with what it printed."""
    outcome = run(command)
    if outcome.code:
        raise ChildProgramFailed(
            f"`{' '.join(command)}` failed", why=outcome.output or f"exit {outcome.code}", hint=hint
        )
    return outcome


def put(file: UnitFile) -> bool:
    """Write a file whole, readable by all, with its folders; False if it is there already. Raises FileAccess."""
    part = part_of(file.path)
    try:
        if file.path.is_file() and file.path.read_bytes() == file.data:
            return False
        file.path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(file.data)
        part.chmod(0o644)
        os.replace(part, file.path)
    except OSError as error:
        raise FileAccess(f"{file.path} cannot be written", why=error.strerror or str(error)) from error
    return True


def take_away(path: Path) -> bool:
    """Remove a file, and the folder it leaves empty if that is one for drop-ins; False if there is none."""
    try:
        path.unlink()
        if path.parent.suffix == ".d" and not any(path.parent.iterdir()):
            path.parent.rmdir()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise FileAccess(f"{path} cannot be removed", why=error.strerror or str(error)) from error
    return True
